"""Many years of noise, many outages, and what a month of calm costs."""

from __future__ import annotations

import multiprocessing
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import TypeVar

from tests.year.episode import SETTLED_S, play
from tests.year.weather import (
    CONTROL,
    EVERYWHERE,
    NOISE,
    OUTAGES,
    PRIMARY,
    Spell,
    Trouble,
    episodes,
    shifted,
    year,
)

A, B = TypeVar("A"), TypeVar("B")

# Disturbances closer than this are played as one episode; so long after its last one it is over.
APART_S = 240.0
AFTER_S = 150.0
OUTAGE_S = 3600.0
GIVEN_UP_AFTER_S = 600.0


@dataclass(frozen=True, slots=True)
class Year:
    """A year without an outage. `moved`: episodes in which traffic would have moved, by what was wrong."""

    seed: int
    spells: int
    episodes: int
    moved: Counter[str] = field(default_factory=Counter)

    @property
    def false(self) -> int:
        """Return how often noise alone moved traffic."""
        return sum(count for what, count in self.moved.items() if what == "noise")


def live(seed: int, vantage: bool, at_most: int | None = None) -> Year:
    """Play a year's disturbances one after another, or so many episodes of it."""
    spells = year(random.Random(seed))
    if not vantage:
        spells = [spell for spell in spells if spell.place in {CONTROL, EVERYWHERE}]
    groups = episodes(spells, APART_S)[:at_most]
    moved: Counter[str] = Counter()
    for number, group in enumerate(groups):
        rng = random.Random(f"{seed} {number}")
        there = shifted(group, SETTLED_S + rng.uniform(0.0, 60.0) - group[0].start)
        until = max(spell.end for spell in there) + AFTER_S
        if play(there, rng, until, vantage=vantage).decided is not None:
            moved[_called(group)] += 1
    return Year(seed, sum(map(len, groups)), len(groups), moved)


def _called(group: Sequence[Spell]) -> str:
    """Return what an episode is counted as: the gravest thing in it."""
    for trouble in (Trouble.BROWN_OUT, Trouble.LONG_PARTITION):
        if any(spell.trouble is trouble for spell in group):
            return trouble.value
    return "noise" if all(spell.trouble in NOISE for spell in group) else "outage"


@dataclass(frozen=True, slots=True)
class Outage:
    """One outage of the primary. Seconds from its beginning, None = never."""

    trouble: Trouble
    seen: float | None
    decided: float | None


def suffer(number: int, vantage: bool) -> Outage:
    """Play one outage that begins at a moment that has nothing to do with any schedule."""
    rng = random.Random(f"outage {number}")
    trouble = OUTAGES[number % len(OUTAGES)]
    start = SETTLED_S + rng.uniform(0.0, 60.0)
    spell = Spell(trouble, start, start + OUTAGE_S, PRIMARY)
    found = play([spell], rng, start + GIVEN_UP_AFTER_S, vantage=vantage, watched_from=start)
    return Outage(
        trouble,
        None if found.seen is None else found.seen - start,
        None if found.decided is None else found.decided - start,
    )


def calm_hours(hours: float, vantage: bool) -> dict[str, float]:
    """Return how much of everything is used in an hour in which nothing happens."""
    found = play([], random.Random(0), hours * 3600.0, vantage=vantage)
    return {name: count / hours for name, count in found.calls.items()}


def spread(
    work: Callable[[int, bool], A],
    numbers: Iterable[int],
    vantage: bool,
    jobs: int,
    tell: Callable[[A], None],
) -> list[A]:
    """Return the work done for each number, in order, by several processes."""
    done: list[A] = []
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        for result in pool.imap(_one, zip(repeat(work), numbers, repeat(vantage), strict=False)):
            tell(result)
            done.append(result)
    return done


def _one(task: tuple[Callable[[int, bool], B], int, bool]) -> B:
    work, number, vantage = task
    return work(number, vantage)
