"""What a seed draws: one world's misfortunes, as data, so that they can be shown, and left out one by one."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from enum import StrEnum

from region_failover.domain.state import LEASE

CHAOS_S = 210.0
ANSWERED_S = 330.0  # after the chaos: until then humans answer what is proposed
LONGEST_PAUSE_S = 3 * LEASE.total_seconds()
LARGEST_SKEW_S = 10 * LEASE.total_seconds()
LONGEST_PENDING_S = 600.0

EAST, WEST, THIRD = "us-east-1", "us-west-2", "eu-west-1"
CONTROL = "control"  # wherever the control stack runs


class Trouble(StrEnum):
    """What is wrong for a while."""

    HANGS = "hangs"  # a Region's data plane, endpoints and SSM answer nothing
    REFUSES = "refuses"  # the same, refused at once
    ERRORS = "errors"  # the same, 5xx
    NO_NAME = "no-name"  # the same, its names resolve to nothing
    GRAY_WRITES = "gray-writes"  # reads are fine, writes and the endpoint fail
    HTTP_ONLY = "http-only"
    DYNAMODB_ONLY = "dynamodb-only"
    SSM_ONLY = "ssm-only"
    DENIED = "denied"  # our own credentials
    ROUTE53 = "route53"
    PENDING = "pending"  # changes are accepted and take up to ten minutes
    LINODE = "linode"
    STATE_TABLE = "state-table"
    NOTIFIER = "notifier"
    EVENTS = "events"
    REPLICATION = "replication"
    CUT_OFF = "cut-off"  # one host from one place


@dataclass(frozen=True, slots=True)
class Spell:
    """Trouble from `start` to `end` (seconds); `place`: where, if anywhere; `host`: who is CUT_OFF."""

    trouble: Trouble
    start: float
    end: float
    place: str = ""
    host: int = 0


class Deed(StrEnum):
    """What a human does."""

    FOREIGN_EDIT = "foreign-edit"
    DELETE_RECORD = "delete-record"
    PAUSE = "pause"
    RESUME = "resume"
    FAILOVER = "failover"
    FAILBACK = "failback"
    FORCED_FAILOVER = "forced-failover"
    FORCED_FAILBACK = "forced-failback"
    OLD_ALARM = "old-alarm"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class Act:
    """A human's deed, or an alarm, at a moment."""

    deed: Deed
    at: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What a human says to the proposal that waits then; `old`: to one that waited before, by mistake."""

    at: float
    yes: bool
    old: bool


@dataclass(frozen=True, slots=True)
class Noise:
    """Chances per call: request lost, reply lost, slow, our own error, the worker killed or frozen there.

    `twice`: chance of an event to be delivered twice; `late`: of one to be delivered minutes late. `ambush`:
    chance of each misfortune at the calls that matter most, those with effects of a transition.
    """

    lost: float = 0.0
    reply_lost: float = 0.0
    slow: float = 0.0
    throttled: float = 0.0
    killed: float = 0.0
    frozen: float = 0.0
    twice: float = 0.0
    late: float = 0.0
    ambush: float = 0.0


@dataclass(frozen=True, slots=True)
class Script:
    """One world. `skews`: per host, the wall clock's error in seconds from each moment on."""

    seed: int
    control: str
    hosts: int
    failback: str
    zones: int
    spells: tuple[Spell, ...]
    acts: tuple[Act, ...]
    noise: Noise
    skews: tuple[tuple[tuple[float, float], ...], ...] = field(default=())
    answers: tuple[Answer, ...] = ()

    @property
    def skew_s(self) -> float:
        """Return by how much a worker's clock may be wrong."""
        return max((abs(error) for host in self.skews for _, error in host), default=0.0)


def draw(seed: int) -> Script:
    """Return the world of a seed."""
    rng = random.Random(seed)
    hosts = rng.randint(2, 4)
    return Script(
        seed=seed,
        control=rng.choice((WEST, WEST, THIRD)),
        hosts=hosts,
        failback=_failback(rng.random()),
        zones=1 if rng.random() < 0.8 else 2,
        spells=tuple(sorted(_spells(rng, hosts), key=lambda spell: spell.start)),
        acts=tuple(sorted(_acts(rng), key=lambda act: act.at)),
        noise=_noise(rng),
        skews=tuple(_skew(rng) for _ in range(hosts)) if rng.random() < 0.4 else (),
        answers=tuple(sorted(_answers(random.Random(seed ^ 0xA45)), key=lambda answer: answer.at)),
    )


def _failback(draw: float) -> str:
    return "automatic" if draw < 0.7 else "approval" if draw < 0.85 else "manual"


def _answers(rng: random.Random) -> list[Answer]:
    """Return what humans say to whatever is proposed then, also long after the world is healed."""
    moments = [rng.uniform(60, CHAOS_S + ANSWERED_S) for _ in range(rng.randint(0, 5))]
    return [Answer(at, rng.random() < 0.8, old=rng.random() < 0.2) for at in moments]


_OUTAGES = (
    Trouble.HANGS,
    Trouble.HANGS,
    Trouble.REFUSES,
    Trouble.ERRORS,
    Trouble.NO_NAME,
    Trouble.GRAY_WRITES,
)
_PARTIAL = (Trouble.HTTP_ONLY, Trouble.DYNAMODB_ONLY, Trouble.SSM_ONLY)
_ELSEWHERE = (
    Trouble.ROUTE53,
    Trouble.PENDING,
    Trouble.LINODE,
    Trouble.STATE_TABLE,
    Trouble.NOTIFIER,
    Trouble.EVENTS,
    Trouble.REPLICATION,
    Trouble.CUT_OFF,
)


def _spells(rng: random.Random, hosts: int) -> list[Spell]:
    found: list[Spell] = []
    if rng.random() < 0.9:  # nearly every world has an outage of the Region that serves
        start = rng.uniform(5, 35)
        found.append(Spell(rng.choice(_OUTAGES), start, start + rng.uniform(20, 150), EAST))
    for _ in range(rng.choice((0, 0, 1, 2))):
        start = rng.uniform(60, CHAOS_S - 30)
        place = rng.choice((EAST, WEST))
        found.append(Spell(rng.choice(_OUTAGES + _PARTIAL), start, start + rng.uniform(10, 100), place))
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        start = rng.uniform(30, CHAOS_S - 30)
        trouble = rng.choice(_ELSEWHERE)
        longest = LONGEST_PENDING_S if trouble is Trouble.PENDING else 300.0
        place = rng.choice((EAST, WEST, "route53", "linode", CONTROL))
        end = start + rng.uniform(10, longest)
        found.append(Spell(trouble, start, end, place, rng.randrange(hosts)))
    if rng.random() < 0.1:
        start = rng.uniform(30, CHAOS_S - 100)
        found.append(Spell(Trouble.DENIED, start, start + rng.uniform(30, 200), rng.choice((EAST, WEST))))
    return found


def _acts(rng: random.Random) -> list[Act]:
    found = [Act(Deed.ALARM, rng.uniform(30, CHAOS_S)) for _ in range(rng.randint(0, 3))]
    if rng.random() < 0.2:
        found.append(Act(Deed.OLD_ALARM, rng.uniform(30, CHAOS_S)))
    if rng.random() < 0.35:
        deeds = [
            Deed.FOREIGN_EDIT,
            Deed.DELETE_RECORD,
            Deed.FAILOVER,
            Deed.FAILBACK,
            Deed.FORCED_FAILOVER,
            Deed.FORCED_FAILBACK,
        ]
        found += [Act(rng.choice(deeds), rng.uniform(30, CHAOS_S)) for _ in range(rng.randint(1, 3))]
    if rng.random() < 0.15:
        paused = rng.uniform(30, CHAOS_S - 60)
        found += [Act(Deed.PAUSE, paused), Act(Deed.RESUME, paused + rng.uniform(20, 120))]
    return found


def _noise(rng: random.Random) -> Noise:
    level = rng.choice((0.0, 0.002, 0.01, 0.04))
    if not level:
        return Noise(
            twice=rng.choice((0.0, 0.3)),
            killed=rng.choice((0.0, 0.002)),
            ambush=rng.choice((0.0, 0.02, 0.08)),
        )
    return Noise(
        lost=level * rng.random(),
        reply_lost=level * rng.random(),
        slow=level * rng.random(),
        throttled=level * rng.random() * 0.3,
        killed=level * rng.random() * 0.5,
        frozen=level * rng.random() * 0.5,
        twice=rng.choice((0.0, 0.1, 0.4)),
        late=rng.choice((0.0, 0.1)),
        ambush=rng.choice((0.0, 0.02, 0.08)),
    )


def _skew(rng: random.Random) -> tuple[tuple[float, float], ...]:
    """Return a host's clock: right, wrong by a little or a lot, and set anew (also back) now and then."""
    size = rng.choice((0.0, 2.0, 25.0, 200.0, LARGEST_SKEW_S))
    steps = [(0.0, rng.uniform(-size, size))]
    steps += [(rng.uniform(0, CHAOS_S), rng.uniform(-size, size)) for _ in range(rng.choice((0, 1, 2)))]
    return tuple(sorted(steps))
