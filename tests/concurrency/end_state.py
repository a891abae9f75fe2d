"""What must be true of a round at its end: of the world itself, and of what its processes wrote down."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from dataclasses import dataclass

from proof.history import Entry
from region_failover.domain.state import Phase
from region_failover.domain.zone import Fence, parse_fence
from tests.concurrency.cloud import ANSWERS, TARGETS, World
from tests.concurrency.histories import changes_the_answer, created_epoch, unanswered


@dataclass(frozen=True)
class Violation:
    """Something that must not be."""

    rule: str
    seen: str

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.rule}: {self.seen}"


def refusals(entries: list[Entry]) -> int:
    """Return how many batches Route 53 itself refused."""
    replies = [e for e in entries if e["kind"] == "reply" and e["op"] == "zones.submit"]
    return sum(e.get("error", {}).get("type") == "FenceRefused" for e in replies)


def judge(world: World, active: str, entries: list[Entry]) -> list[Violation]:
    """Return all that is wrong, if the round was to leave the traffic in this Region; nothing if nothing."""
    return [*_record(world, active), *_holdings(world), *_history(world), *_batches(world, entries)]


def _record(world: World, active: str) -> list[Violation]:
    state = world.store.load_state(world.name)
    if state is None:
        return [Violation("there is a record", "none")]
    seen = (state.phase, state.transition, state.active, state.owed)
    wanted = (Phase.STEADY, None, active, ())
    return [] if seen == wanted else [Violation("the record is steady on the target", str(seen))]


def _holdings(world: World) -> list[Violation]:
    state, found = world.store.load_state(world.name), world.holdings()
    if state is None:
        return []
    seen = {
        "answer": [record.values for record in found.records],
        "fence": parse_fence(found.fence.values[0]) if found.fence else None,
        "parameters": set(found.parameters.values()),
        "linode": found.linode,
    }
    wanted = {
        "answer": [(ANSWERS[state.active],)],
        "fence": Fence(world.name, state.epoch, state.active),
        "parameters": {state.active},
        "linode": TARGETS[state.active],
    }
    return [
        Violation(f"{what} agrees with the record ({state.active}, epoch {state.epoch})", str(seen[what]))
        for what in wanted
        if seen[what] != wanted[what]
    ]


def _history(world: World) -> list[Violation]:
    state = world.store.load_state(world.name)
    ended = [json.loads(body) for body in world.history()]
    epochs = [transition["epoch"] for transition in ended]
    wanted = list(range(1, state.epoch + 1)) if state else []
    found = [] if epochs == wanted else [Violation("the history has each epoch once", str(epochs))]
    moved = [t for t in ended if t["outcome"] == "completed"]
    for earlier, later in itertools.pairwise(moved):
        if earlier["target"] != later["source"]:
            found.append(Violation("each move begins where the last one ended", f"epoch {later['epoch']}"))
    return found


def _batches(world: World, entries: list[Entry]) -> list[Violation]:
    """Judge the accepted batches: one that changes the answer for each completed epoch, none for another."""
    accepted = [e for e in entries if e["kind"] == "effect" and e["op"] == "zones.submit"]
    changing = Counter(created_epoch(e) for e in accepted if changes_the_answer(e))
    unknown = Counter(
        created_epoch(e) for e in unanswered(entries) if e["op"] == "zones.submit" and changes_the_answer(e)
    )
    ended = [json.loads(body) for body in world.history()]
    completed = {t["epoch"] for t in ended if t["outcome"] == "completed"}
    return [
        Violation(
            "one batch changes the answer for a completed epoch", f"{changing[epoch]} for epoch {epoch}"
        )
        for epoch in sorted(completed | set(changing))
        if changing[epoch] > 1
        or (epoch in completed and changing[epoch] + unknown[epoch] < 1)
        or (epoch not in completed and changing[epoch] > 0)
    ]
