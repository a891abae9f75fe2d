"""Ninety days of one-minute ticks with an incident now and then: nothing may grow but the history.

python -m tests.simulation.ninety_days --days 90
"""

from __future__ import annotations

import argparse
import random
import sys
from dataclasses import dataclass
from typing import Any

from proof.history import History
from region_failover.domain.state import Phase
from tests.simulation.run import World
from tests.simulation.script import EAST, WEST, Noise, Script, Spell, Trouble

DAY_S = 86_400.0

# The largest records that a plan of this size may have, in characters: a transition in mid-move is the peak.
STATE_LIMIT = 8_000
HEALTH_LIMIT = 2_000
THREADS_LIMIT = 200


class NoHistory(History):
    """Keeps nothing: ninety days are some ten million entries."""

    def add(self, kind: str, t: float, **data: Any) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class Size:
    """What there was at a day's end: characters of the records, things in memory."""

    state: int
    health: int
    threads: int


def months(days: int, seed: int = 1) -> tuple[list[Size], World]:
    """Let so many days pass; return the sizes at each day's end, and the world."""
    rng = random.Random(seed)
    world = World(Script(seed, "eu-west-1", 3, "automatic", 1, (), (), Noise()))
    world.history = world.cloud.history = NoHistory()
    world.cloud.fill()
    world.prepare()
    sizes: list[Size] = []
    for day in range(days):
        for spell in _misfortunes(rng, day):
            world.scheduler.at(spell.start, lambda spell=spell: world.cloud.begin(spell))
            world.scheduler.at(spell.end, lambda spell=spell: world.cloud.end(spell))
        world.scheduler.run((day + 1) * DAY_S)
        world.forget_workers()
        sizes.append(_size(world))
    return sizes, world


def _misfortunes(rng: random.Random, day: int) -> list[Spell]:
    """Return a day's troubles: a blip every day, an outage each week, and one with mail or records out."""
    start = day * DAY_S + rng.uniform(3600, 60_000)
    found = [Spell(Trouble.HTTP_ONLY, start, start + 20, rng.choice((EAST, WEST)))]
    if day % 7 == 3:
        found.append(Spell(rng.choice((Trouble.HANGS, Trouble.ERRORS)), start + 900, start + 2400, EAST))
    if day % 7 == 5:
        trouble = rng.choice((Trouble.NOTIFIER, Trouble.STATE_TABLE, Trouble.ROUTE53))
        found += [
            Spell(trouble, start + 900, start + 1500),
            Spell(Trouble.ERRORS, start + 1000, start + 1800, EAST),
        ]
    return found


def _size(world: World) -> Size:
    name = world.plan.name
    return Size(
        state=len(world.cloud.store.states[name][1]),
        health=len(world.cloud.store.healths[name][1]),
        threads=world.scheduler.threads(),
    )


def grown(sizes: list[Size]) -> str:
    """Return what is larger in the last third than it was before, or over its limit; '' if nothing."""
    third = max(len(sizes) // 3, 1)
    limits = {"state": STATE_LIMIT, "health": HEALTH_LIMIT, "threads": THREADS_LIMIT}
    problems = []
    for name, limit in limits.items():
        values = [getattr(size, name) for size in sizes]
        before, late = max(values[:-third]), max(values[-third:])
        if late > before * 1.5 + 200 or max(values) > limit:
            problems.append(f"{name}: {late} in the last third, at most {before} before, limit {limit}")
    return "; ".join(problems)


def main(arguments: list[str] | None = None) -> int:
    """Run; exit code 1 where something has grown."""
    parser = argparse.ArgumentParser(prog="ninety_days", description=__doc__)
    parser.add_argument("--days", type=int, default=90, help="how many (default 90)")
    options = parser.parse_args(arguments)
    sizes, world = months(options.days)
    problems = grown(sizes)
    state = world.cloud.state()
    steady = state is not None and state.phase is Phase.STEADY and state.active == EAST
    last = sizes[-1]
    print(
        f"{options.days} days of one-minute ticks: state {last.state} and health {last.health} characters,"
        f" transitions {len(world.cloud.store.history)}, {'steady' if steady else 'NOT steady'},"
        f" {problems or 'nothing has grown'}"
    )
    return 0 if steady and not problems else 1


if __name__ == "__main__":
    sys.exit(main())
