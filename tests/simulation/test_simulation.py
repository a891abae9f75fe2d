"""The simulation: many seeds without a violation, a seed replays byte for byte, and it does find mistakes."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from proof.checker import Violation
from tests.simulation.background import Sweep
from tests.simulation.ninety_days import grown, months
from tests.simulation.run import play
from tests.simulation.scheduler import Process, Scheduler
from tests.simulation.script import LARGEST_SKEW_S, LONGEST_PAUSE_S, Noise, Script, Trouble, draw
from tests.simulation.sweep import Judged, judge, shorten, story

ROOT = Path(__file__).resolve().parents[2]

DIGEST = """
import hashlib, json
from tests.simulation.run import play
from tests.simulation.script import draw
for seed in {seeds}:
    text = json.dumps(play(draw(seed)).history.entries, default=str)
    print(hashlib.sha256(text.encode()).hexdigest())
"""


def test_no_seed_breaks_an_invariant(sweep: Sweep) -> None:
    """All seeds of this run (`--seeds`), swept in the background while the other tests ran."""
    found = sweep.result()
    assert found.totals["seeds"] == sweep.seeds
    assert not found.failed, f"{found.failed[:5]}\n{found.text[-6000:]}"


def test_the_sweep_meets_what_it_is_for(sweep: Sweep) -> None:
    """A sweep of quiet worlds would prove nothing."""
    totals = sweep.result().totals
    seeds = totals["seeds"]
    assert totals["worlds with a transition"] > 0.25 * seeds
    assert totals["workers killed"] > 0.3 * seeds
    assert totals["batches refused by the fence"] > 0.02 * seeds
    assert 0.2 * seeds < totals["worlds with wrong clocks"] < 0.6 * seeds


def test_a_seed_replays_byte_for_byte() -> None:
    """In another process, with another order of hashes."""

    def digests(hash_seed: str) -> str:
        environment = {
            **os.environ,
            "PYTHONHASHSEED": hash_seed,
            "PYTHONPATH": f"{ROOT}:{ROOT}/layers/common",
        }
        command = [sys.executable, "-c", DIGEST.format(seeds=[3, 37, 91])]
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        ).stdout

    first = digests("1")
    assert len(set(first.split())) == 3
    assert digests("2") == first
    here = json.dumps(play(draw(37)).history.entries, default=str)
    assert hashlib.sha256(here.encode()).hexdigest() == first.split()[1]


def test_the_worlds_have_the_misfortunes_that_are_promised() -> None:
    scripts = [draw(seed) for seed in range(600)]
    assert {spell.trouble for script in scripts for spell in script.spells} == set(Trouble)
    assert {script.hosts for script in scripts} == {2, 3, 4}
    assert {script.control for script in scripts} == {"us-west-2", "eu-west-1"}
    assert max(script.skew_s for script in scripts) > 0.8 * LARGEST_SKEW_S
    hosts = [host for script in scripts for host in script.skews]
    back = [a > b for host in hosts for (_, a), (_, b) in pairwise(host)]
    assert any(back)
    assert LONGEST_PAUSE_S == 360.0


def test_what_fails_is_told_with_the_shortest_world_that_fails_so() -> None:
    """A judge who blames every transition: what is left of a world is one outage, and no noise."""

    def blame(script: Script) -> Judged:
        found = judge(script)
        effects = [e for e in found.outcome.history.entries if e["kind"] == "effect"]
        moved = [e for e in effects if e["op"] == "zones.submit" and "epoch 1" in e["comment"]]
        return Judged(found.outcome, tuple(Violation("I0", e["n"], e["t"], "it moved") for e in moved[:1]))

    seed = next(s for s in range(100) if len(draw(s).spells) > 2 and blame(draw(s)).violations)
    short = shorten(draw(seed), blame)
    script = short.outcome.script
    assert len(script.spells) + len(script.acts) <= 2
    assert script.noise == Noise()
    told = story(short)
    assert f"seed {seed}: I0" in told
    assert "zones.submit" in told


def test_days_of_ticks_let_nothing_grow() -> None:
    sizes, world = months(3)
    assert not grown(sizes)
    assert world.cloud.state() is not None


def test_growth_would_be_seen() -> None:
    sizes, _ = months(3)
    assert "state" in grown([*sizes, replace(sizes[-1], state=9_000)])
    assert "threads" in grown([*sizes, replace(sizes[-1], threads=sizes[-1].threads * 2 + 201)])


# the scheduler itself


def test_sleepers_wake_in_order_and_the_frozen_when_they_thaw() -> None:
    scheduler, log = Scheduler(), []

    def worker(name: str, seconds: float) -> None:
        scheduler.sleep(seconds)
        log.append((name, scheduler.now))

    frozen = Process("frozen")
    frozen.frozen_until = 9.0
    for process, seconds in ((Process("late"), 3.0), (Process("soon"), 1.0), (frozen, 2.0)):
        scheduler.start(process, lambda process=process, seconds=seconds: worker(process.name, seconds))
    scheduler.run(20.0)
    assert log == [("soon", 1.0), ("late", 3.0), ("frozen", 11.0)]
    assert scheduler.threads() == 0


def test_the_dead_do_nothing_more() -> None:
    scheduler, log, process = Scheduler(), [], Process("dead")

    def work() -> None:
        try:
            scheduler.sleep(5.0)
            log.append("alive")
        finally:
            scheduler.sleep(1.0)
            log.append("still there")

    scheduler.start(process, work)
    scheduler.at(2.0, lambda: setattr(process, "dead", True))
    scheduler.run(20.0)
    assert log == []


def test_together_leaves_behind_what_hangs() -> None:
    from datetime import timedelta

    scheduler, answers = Scheduler(), []

    def slow(seconds: float) -> float:
        scheduler.sleep(seconds)
        return seconds

    def work() -> None:
        calls = [lambda: slow(1.0), lambda: slow(50.0), lambda: 1 / 0]
        answers.extend(scheduler.together(calls, timedelta(seconds=2)))
        answers.append(scheduler.now)

    scheduler.start(Process("worker"), work)
    scheduler.run(100.0)
    assert answers[0] == 1.0
    assert [type(answer) for answer in answers[1:3]] == [TimeoutError, ZeroDivisionError]
    assert answers[3] == 2.0


@pytest.mark.parametrize("seed", [38_283, 82_277, 83_894, 147_881, 209_399])
def test_worlds_that_have_failed_once_fail_no_more(seed: int) -> None:
    """What each of them has found stands in docs/proof.md, or was a mistake of the judges."""
    assert judge(draw(seed)).violations == ()
