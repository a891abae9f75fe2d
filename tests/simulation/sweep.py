"""Many seeds: play, judge, count; and of one that fails, the shortest story that fails in the same way."""

from __future__ import annotations

import gc
import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

from proof.checker import Violation, check
from tests.simulation.run import Outcome, play
from tests.simulation.script import Noise, Script, draw

CHUNK = 50
SMALL_CHUNK = 5  # where a sweep shall end soon after a failing seed
CHUNKS_OF_A_PROCESS = 40  # what worlds leave behind makes the collections of the next ones slow


@dataclass(frozen=True, slots=True)
class Judged:
    """A world that was played, and what is wrong with it."""

    outcome: Outcome
    violations: tuple[Violation, ...]

    @property
    def invariants(self) -> frozenset[str]:
        """Return the invariants that it breaks."""
        return frozenset(violation.invariant for violation in self.violations)


def judge(script: Script) -> Judged:
    """Play one world; its history is judged by the checker, its resting state by the world itself."""
    outcome = play(script)
    last = outcome.history.entries[-1]
    stuck = [Violation(invariant, last["n"], last["t"], words) for invariant, words in outcome.stuck]
    return Judged(outcome, (*check(outcome.history.entries), *stuck))


def sweep(
    first: int, count: int, jobs: int, stop_at: int = 0, tell: Callable[[str], None] = lambda line: None
) -> tuple[Counter[str], list[tuple[int, str]]]:
    """Judge `count` seeds from `first` on; return what happened in them, and (seed, what is wrong).

    `stop_at`: end after so many failing seeds (0: never); `tell` hears of each violation, and of every tenth.
    """
    totals: Counter[str] = Counter()
    failed: list[tuple[int, str]] = []
    size = SMALL_CHUNK if stop_at else CHUNK
    chunks = [(start, min(size, first + count - start)) for start in range(first, first + count, size)]
    for counted, wrong in _each(chunks, jobs):
        tenths = totals["seeds"] * 10 // count
        totals += counted
        failed += wrong
        for seed, words in wrong:
            tell(f"seed {seed}: {words}")
        if totals["seeds"] * 10 // count > tenths:
            tell(f"{totals['seeds']} of {count} seeds, violations {totals['violations']}")
        if stop_at and len(failed) >= stop_at:
            break
    return totals, sorted(failed)


def _each(chunks: list[tuple[int, int]], jobs: int) -> Iterator[tuple[Counter[str], list[tuple[int, str]]]]:
    if jobs == 1:
        yield from map(_chunk, chunks)
        return
    gc.freeze()  # what is imported is nothing to collect
    with multiprocessing.get_context("fork").Pool(jobs, maxtasksperchild=CHUNKS_OF_A_PROCESS) as pool:
        yield from pool.imap(_chunk, chunks)


def _chunk(work: tuple[int, int]) -> tuple[Counter[str], list[tuple[int, str]]]:
    first, count = work
    totals: Counter[str] = Counter()
    wrong: list[tuple[int, str]] = []
    gc.disable()  # a world's entries are many and live for a moment
    for seed in range(first, first + count):
        found = judge(draw(seed))
        totals += _counted(found)
        wrong += [(seed, str(violation)) for violation in found.violations]
    gc.enable()
    gc.collect()
    return totals, wrong


def _counted(found: Judged) -> Counter[str]:
    """Return what happened in a world."""
    counted: Counter[str] = Counter(seeds=1, transitions=found.outcome.transitions)
    counted["violations"] += len(found.violations)
    counted["worlds with a transition"] += found.outcome.transitions > 0
    counted["worlds with wrong clocks"] += bool(found.outcome.script.skews)
    for entry in found.outcome.history.entries:
        if entry["kind"] == "call":
            counted["port calls"] += 1
        elif entry["kind"] == "begin":
            counted["workers"] += 1
        elif entry["kind"] == "end" and entry["outcome"] == "killed":
            counted["workers killed"] += 1
        elif entry["kind"] == "reply" and entry.get("error", {}).get("type") == "FenceRefused":
            counted["batches refused by the fence"] += 1
    return counted


def shorten(script: Script, judge: Callable[[Script], Judged] = judge) -> Judged:
    """Return the world with everything left out that its violation does not need."""
    best = judge(script)
    aim = best.invariants
    tried = True
    while tried:
        tried = False
        for candidate in _smaller(best.outcome.script):
            found = judge(candidate)
            if found.invariants & aim:
                best, tried = found, True
                break
    return best


def _smaller(script: Script) -> Iterator[Script]:
    for index in range(len(script.spells)):
        yield replace(script, spells=script.spells[:index] + script.spells[index + 1 :])
    for index in range(len(script.acts)):
        yield replace(script, acts=script.acts[:index] + script.acts[index + 1 :])
    if script.skews:
        yield replace(script, skews=())
    for field in fields(Noise):
        if getattr(script.noise, field.name):
            yield replace(script, noise=replace(script.noise, **{field.name: 0.0}))
    if script.zones > 1:
        yield replace(script, zones=1)


def story(found: Judged, context: int = 14) -> str:
    """Return what went wrong, in what world, and the entries that led to it."""
    script, first = found.outcome.script, found.violations[0]
    entries = found.outcome.history.entries
    lines = [f"seed {script.seed}: {first}", "the shortest world that fails so:"]
    lines += [f"  {spell}" for spell in script.spells] + [f"  {act}" for act in script.acts]
    lines += [f"  {script.noise}", f"  skews {script.skews}", "entries before it:"]
    telling = [entry for entry in entries[: first.n + 1] if entry["kind"] in {"effect", "world", "end"}]
    for entry in telling[-context:]:
        words = {k: v for k, v in entry.items() if k not in {"n", "t", "kind", "worker", "op", "call"}}
        who = f"{entry.get('worker', '')} {entry.get('op', '')}".strip()
        lines.append(f"  {entry['n']:5} {entry['t']:8.2f} s {entry['kind']} {who}: {str(words)[:200]}")
    return "\n".join(lines)


def explain(seed: int, folder: Path) -> str:
    """Return the story of a failing seed, shortened; write its whole history into the folder."""
    found = shorten(draw(seed))
    if not found.violations:
        return f"seed {seed}: no violation"
    path = folder / f"seed-{seed}.jsonl"
    found.outcome.history.write(path)
    return f"{story(found)}\nits history: {path}"


def closing_line(totals: Counter[str], seconds: float) -> str:
    """Return what a sweep came to, in one line."""
    apart = {"seeds", "violations"}
    counted = ", ".join(f"{name} {totals[name]}" for name in sorted(totals) if name not in apart)
    head = f"simulation: seeds {totals['seeds']}, violations {totals['violations']}"
    return f"{head} ({counted}; {seconds:.0f} s)"


def timed(
    first: int, count: int, jobs: int, stop_at: int = 0, tell: Callable[[str], None] = lambda line: None
) -> tuple[Counter[str], list[tuple[int, str]], float]:
    """Return a sweep and how many seconds it took."""
    started = time.monotonic()
    totals, failed = sweep(first, count, jobs, stop_at, tell)
    return totals, failed, time.monotonic() - started
