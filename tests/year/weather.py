"""What goes wrong in a year, and how it looks to whoever looks.

The rates are assumptions, on the rough side of what teams report of one application in two Regions; they
are all here, so that anybody can put in their own.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from region_failover.domain.symptom import Kind, Symptom

YEAR_S = 365 * 86_400.0
PRIMARY, STANDBY = "us-east-1", "us-west-2"
CONTROL, FURTHER = "control", "further"
EVERYWHERE = ""

TIMED_OUT = Symptom(Kind.TIMEOUT, detail="no answer")
REFUSED = Symptom(Kind.REFUSED, detail="connection refused")
NO_NAME = Symptom(Kind.NO_SUCH_NAME, detail="the name resolves to nothing")
ERROR = Symptom(Kind.API, "InternalServerError", 500)
THROTTLED = Symptom(Kind.API, "ThrottlingException", 400)
UNAVAILABLE = Symptom(Kind.HTTP, status=503)

# A single call of a check is lost once in so many, always and everywhere.
SINGLE_LOSS = 1 / 10_000


class Trouble(StrEnum):
    """What is wrong."""

    # noise: no reason to move
    SINGLE = "single calls lost"
    LOSS = "packet loss on one path"
    EDGE_LOSS = "packet loss at a Region's edge"
    PARTITION = "partition of up to 43 s"
    CUT_OFF = "a place is cut off from everything"
    DEPLOY = "deploy of the application"
    ERRORS = "DynamoDB errors"
    SLOW = "slow endpoint"
    THROTTLED = "we are throttled"
    # what one place cannot tell from an outage, and what a human might not call one
    LONG_PARTITION = "partition of one path for minutes"
    BROWN_OUT = "the whole Region fails for less than a minute"
    # outages
    BLACK_HOLE = "black hole"
    REFUSES = "connections refused"
    EMPTY_DNS = "names resolve to nothing"
    ALL_ERRORS = "errors from everything"
    GRAY_WRITES = "writes hang, the application fails"


NOISE = frozenset(list(Trouble)[:9])
OUTAGES = tuple(list(Trouble)[11:])


@dataclass(frozen=True, slots=True)
class Rate:
    """How often a year, for how long (seconds), and where: a path of one place, or a Region's own trouble."""

    trouble: Trouble
    a_year: float
    shortest_s: float
    longest_s: float
    of_a_path: bool = False


RATES = (
    Rate(Trouble.SINGLE, 800, 15, 15, of_a_path=True),
    Rate(Trouble.LOSS, 60, 10, 120, of_a_path=True),
    Rate(Trouble.EDGE_LOSS, 12, 10, 60),
    Rate(Trouble.PARTITION, 24, 10, 43, of_a_path=True),
    Rate(Trouble.CUT_OFF, 6, 10, 300, of_a_path=True),
    Rate(Trouble.DEPLOY, 250, 5, 90),
    Rate(Trouble.ERRORS, 100, 1, 20),
    Rate(Trouble.SLOW, 100, 5, 60),
    Rate(Trouble.THROTTLED, 20, 30, 300, of_a_path=True),
)
RARE = (
    Rate(Trouble.LONG_PARTITION, 1, 120, 600, of_a_path=True),
    Rate(Trouble.BROWN_OUT, 6, 5, 50),
)


@dataclass(frozen=True, slots=True)
class Spell:
    """One disturbance. `place`: whose path, EVERYWHERE for a Region's own; `chance`: that a call meets it."""

    trouble: Trouble
    start: float
    end: float
    region: str
    place: str = EVERYWHERE
    chance: float = 1.0

    def meets(self, now: float, place: str, region: str) -> bool:
        """Return whether a call from there to that Region lies within it."""
        here = self.place in {EVERYWHERE, place}
        there = region == self.region or self.trouble in {Trouble.CUT_OFF, Trouble.THROTTLED}
        return here and there and self.start <= now < self.end


# How a read, a write and a GET fail by it; None: they answer.
_FAILURES: dict[Trouble, tuple[Symptom | None, Symptom | None, Symptom | None]] = {
    Trouble.SINGLE: (TIMED_OUT, TIMED_OUT, TIMED_OUT),
    Trouble.LOSS: (TIMED_OUT, TIMED_OUT, TIMED_OUT),
    Trouble.EDGE_LOSS: (TIMED_OUT, TIMED_OUT, TIMED_OUT),
    Trouble.PARTITION: (TIMED_OUT, TIMED_OUT, TIMED_OUT),
    Trouble.CUT_OFF: (TIMED_OUT, TIMED_OUT, TIMED_OUT),
    Trouble.LONG_PARTITION: (TIMED_OUT, TIMED_OUT, TIMED_OUT),
    Trouble.BLACK_HOLE: (TIMED_OUT, TIMED_OUT, TIMED_OUT),
    Trouble.DEPLOY: (None, None, UNAVAILABLE),
    Trouble.SLOW: (None, None, TIMED_OUT),
    Trouble.ERRORS: (ERROR, ERROR, None),
    Trouble.THROTTLED: (THROTTLED, THROTTLED, None),
    Trouble.REFUSES: (REFUSED, REFUSED, REFUSED),
    Trouble.EMPTY_DNS: (NO_NAME, NO_NAME, NO_NAME),
    Trouble.ALL_ERRORS: (ERROR, ERROR, UNAVAILABLE),
    Trouble.BROWN_OUT: (ERROR, ERROR, UNAVAILABLE),
    Trouble.GRAY_WRITES: (None, TIMED_OUT, UNAVAILABLE),
}
_PLACES = {"read": 0, "read heartbeat": 0, "write": 1, "get": 2}


def symptom(spell: Spell, operation: str) -> Symptom | None:
    """Return how a call ('read', 'read heartbeat', 'write' or 'get') fails by it; None: it answers."""
    return _FAILURES[spell.trouble][_PLACES[operation]]


def year(rng: random.Random, rates: Sequence[Rate] = (*RATES, *RARE)) -> list[Spell]:
    """Return a year's disturbances, in the order in which they begin."""
    spells: list[Spell] = []
    for rate in rates:
        for place in (CONTROL, FURTHER) if rate.of_a_path else (EVERYWHERE,):
            for region in (PRIMARY, STANDBY):
                spells += _of(rate, rng, place, region)
    return sorted(spells, key=lambda spell: spell.start)


def _of(rate: Rate, rng: random.Random, place: str, region: str) -> Iterator[Spell]:
    at = rng.expovariate(rate.a_year / YEAR_S)
    while at < YEAR_S:
        lasts = rng.uniform(rate.shortest_s, rate.longest_s)
        if rate.trouble is Trouble.PARTITION and rng.random() < 0.5:
            lasts = rate.longest_s
        chance = {
            Trouble.SINGLE: 0.15,
            Trouble.LOSS: rng.uniform(0.05, 0.5),
            Trouble.EDGE_LOSS: rng.uniform(0.05, 0.4),
            Trouble.ERRORS: rng.uniform(0.3, 1.0),
            Trouble.SLOW: rng.uniform(0.3, 1.0),
        }.get(rate.trouble, 1.0)
        yield Spell(rate.trouble, at, at + lasts, region, place, chance)
        at += rng.expovariate(rate.a_year / YEAR_S)


def episodes(spells: Sequence[Spell], apart_s: float) -> list[list[Spell]]:
    """Return the disturbances in groups that lie at least so far apart, each to be played by itself."""
    groups: list[list[Spell]] = []
    end = float("-inf")
    for spell in sorted(spells, key=lambda spell: spell.start):
        if spell.start - end >= apart_s:
            groups.append([])
        groups[-1].append(spell)
        end = max(end, spell.end)
    return groups


def shifted(spells: Sequence[Spell], by: float) -> list[Spell]:
    """Return them so much later."""
    return [replace(spell, start=spell.start + by, end=spell.end + by) for spell in spells]
