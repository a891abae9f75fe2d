"""Every decision there is: the whole product of what decides, against what the invariants demand of it.

Nothing is sampled: each input takes every value that can make a difference (both sides of each limit and
the limit itself), and both ways (failover, failback) are decided in both modes of the policy: 847,872
decisions. What must hold is said three times over, none of them in the words of `domain/decision.py`:

- RULES: what each invariant asks of a move. A move breaks none; a hold breaks at least one. So nothing
  moves that must not, and nothing is held that need not be.
- MEANS: what each reason claims. A decision's reason is true of the situation that it was given for.
- WORSE: what may never help. A step for the worse never turns a hold into a move.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from math import prod
from typing import Any

import pytest

from region_failover.domain.approval import Approval
from region_failover.domain.decision import (
    LOUD,
    Action,
    Decision,
    Reason,
    Situation,
    decide_failback,
    decide_failover,
)
from region_failover.domain.degradation import Degraded
from region_failover.domain.plan import FailbackMode, FailoverMode, Policy
from region_failover.domain.state import VERIFIED_WITHIN, Phase
from region_failover.domain.verdict import Health
from region_failover.domain.window import Opening
from tests.fakes import NOON

US = timedelta(microseconds=1)
LIMIT_S = 30.0
LAGS = (0.5, LIMIT_S, LIMIT_S + 0.001, None)

# Every value of every input, in the order of Situation's fields, the best for a move first.
Axes = dict[str, tuple[Any, ...]]
EVERY: Axes = {
    "now": (NOON,),
    "at_primary": (True, False),
    "phase": (Phase.STEADY, Phase.MOVING, Phase.NEEDS_OPERATOR),
    "paused": (False, True),
    "cooldown_until": (None, NOON, NOON + US),
    "moves_of_the_day": (3, 4),
    "manual": (True, False),
    "force": (True, False),
    "source": (Health.UNHEALTHY, Health.UNKNOWN, Health.HEALTHY),
    "source_down": (True, False),
    "disagreed": (False, True),
    "ours": (False, True),
    "degraded": (Degraded.SOURCE, Degraded.BOTH, Degraded.NO),
    "fleet_percent": (50, 51),
    "complete": (True, False),
    "target": (Health.HEALTHY, Health.UNKNOWN, Health.UNHEALTHY),
    "target_at": (NOON - VERIFIED_WITHIN, NOON - VERIFIED_WITHIN - US, NOON + US),
    "settled": (True, False),
    "lags_s": tuple(itertools.product(LAGS, LAGS)),
    "opening": (Opening.OPEN, Opening.OUTSIDE, Opening.BLACKOUT),
    "approval": (Approval.APPROVED, Approval.NONE, Approval.PENDING, Approval.REJECTED),
}
NOT_ASKED: Axes = {"opening": (Opening.OPEN,), "approval": (Approval.APPROVED,)}
# A failover has nothing to do with replication, calendar and approval, a failback nothing with what is known
# of the Region that it leaves but its newest sample: there two values, here one (and a test of its own) are
# enough. Calendar and approval meet fewer values of the other inputs: a good and a bad one of each.
FAILOVERS: Axes = {
    **EVERY,
    "cooldown_until": (NOON, NOON + US),
    "degraded": (Degraded.NO,),
    "fleet_percent": (50,),
    "complete": (False,),
    "settled": (True,),
    "lags_s": ((0.5, 0.5), (None, None)),
    "opening": (Opening.OPEN, Opening.BLACKOUT),
    "approval": (Approval.APPROVED,),
}
# Where a plan leaves a degraded Region, or many plans want to move: what has nothing to do with it stands
# still.
WORN: Axes = {
    **FAILOVERS,
    "at_primary": (True,),
    "phase": EVERY["phase"][:2],
    "degraded": EVERY["degraded"],
    "fleet_percent": EVERY["fleet_percent"],
    "complete": EVERY["complete"],
    "target": (Health.HEALTHY, Health.UNHEALTHY),
    "target_at": EVERY["target_at"][:2],
    "lags_s": ((0.5, 0.5),),
    **NOT_ASKED,
}
FAILBACKS: Axes = {
    **EVERY,
    "cooldown_until": (None, NOON),
    "source_down": (False,),
    "disagreed": (False,),
    "ours": (False,),
    "degraded": (Degraded.NO,),
    "fleet_percent": (50,),
    "complete": (False,),
    **NOT_ASKED,
}
ASKED: Axes = {
    **EVERY,
    "source": (Health.UNHEALTHY,),
    "source_down": (False,),
    "disagreed": (False,),
    "ours": (False,),
    "degraded": (Degraded.NO,),
    "fleet_percent": (50,),
    "complete": (False,),
    "target": (Health.HEALTHY, Health.UNHEALTHY),
    "target_at": EVERY["target_at"][:2],
    "lags_s": ((0.5, 0.5), (0.5, None)),
}


@dataclass(frozen=True)
class Way:
    """One of the two decisions, under one policy."""

    name: str
    decide: Callable[[Situation, Policy], Decision]
    policy: Policy
    back: bool
    by_hand: bool
    axes: Axes
    asks: bool = False  # for a human's yes

    @property
    def size(self) -> int:
        """Return how many situations there are."""
        return prod(len(values) for values in self.axes.values())

    def situations(self) -> Iterator[Situation]:
        """Yield the whole product, always in the same order."""
        return itertools.starmap(Situation, itertools.product(*self.axes.values()))

    def situation(self, number: int) -> Situation:
        """Return one of the product, by its place in it."""
        values = []
        for axis in reversed(self.axes.values()):
            number, digit = divmod(number, len(axis))
            values.append(axis[digit])
        return Situation(*reversed(values))


OVER, BACK = decide_failover, decide_failback
WAYS = (
    Way("failover", OVER, Policy(failover=FailoverMode.AUTOMATIC), False, False, FAILOVERS),
    Way("failover by hand", OVER, Policy(failover=FailoverMode.MANUAL), False, True, FAILOVERS),
    Way(
        "failover, degraded or of a fleet", OVER, Policy(failover=FailoverMode.AUTOMATIC), False, False, WORN
    ),
    Way("failback", BACK, Policy(failback=FailbackMode.AUTOMATIC), True, False, FAILBACKS),
    Way("failback by hand", BACK, Policy(failback=FailbackMode.MANUAL), True, True, FAILBACKS),
    Way("failback by the calendar", BACK, Policy(failback=FailbackMode.AUTOMATIC), True, False, ASKED),
    Way("failback approved", BACK, Policy(failback=FailbackMode.APPROVAL), True, False, ASKED, asks=True),
)
each_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)

# By way: the reason of every decision, in the product's order, as one byte each (its place in REASONS).
REASONS = tuple(Reason)
MOVES = frozenset(
    {
        Reason.REGION_DOWN,
        Reason.REGION_DEGRADED,
        Reason.OPERATOR_ASKED,
        Reason.PRIMARY_SETTLED,
        Reason.APPROVED,
    }
)


@pytest.fixture(scope="module")
def decided() -> dict[str, bytes]:
    """Decide everything, once. An action and a reason that do not belong together are no decision."""
    code = {
        (id(Action.MOVE if reason in MOVES else Action.HOLD), id(reason)): number
        for number, reason in enumerate(REASONS)
    }

    def decide(way: Way) -> Iterator[int]:
        for found in way.situations():
            made = way.decide(found, way.policy)
            yield code[id(made.action), id(made.reason)]

    return {way.name: bytes(decide(way)) for way in WAYS}


def moves(way: Way, decided: dict[str, bytes]) -> bytes:
    """Return 1 for each move and 0 for each hold."""
    table = bytes(reason in MOVES for reason in REASONS).ljust(256, b"\0")
    return decided[way.name].translate(table)


def moved(way: Way, decided: dict[str, bytes]) -> list[Situation]:
    """Return the situations in which it moves."""
    return [way.situation(number) for number, one in enumerate(moves(way, decided)) if one]


# What each invariant asks of a move: True where it would be allowed.
Rule = Callable[[Situation, Way], bool]


def insists(s: Situation) -> bool:
    """Return whether a human has asked, and said that they know better."""
    return s.manual and s.force


def leaves_the_degraded(s: Situation) -> bool:
    """Return whether the plan lets it count that the Region is degraded, and the other one is not."""
    return s.degraded is Degraded.SOURCE and not (s.source is Health.UNKNOWN and s.ours)


def i1_one_transition_at_a_time(s: Situation, way: Way) -> bool:
    return s.phase is not Phase.MOVING


def i5_the_target_was_verified_just_now(s: Situation, way: Way) -> bool:
    age_s = (s.now - s.target_at).total_seconds()
    return s.target is Health.HEALTHY and 0.0 <= age_s <= 30.0


def i10_our_own_failure_is_no_evidence(s: Situation, way: Way) -> bool:
    return way.back or insists(s) or not (s.ours and s.source is Health.UNKNOWN)


def i11_unknown_is_no_reason(s: Situation, way: Way) -> bool:
    return way.back or insists(s) or leaves_the_degraded(s) or s.source is Health.UNHEALTHY


def i12_not_out_of_the_frying_pan(s: Situation, way: Way) -> bool:
    return s.target is not Health.UNHEALTHY


def i13_the_failure_is_decided(s: Situation, way: Way) -> bool:
    return way.back or insists(s) or leaves_the_degraded(s) or s.source_down


def i14_replication_is_known_and_below_the_limit(s: Situation, way: Way) -> bool:
    return not way.back or insists(s) or all(lag in {0.5, LIMIT_S} for lag in s.lags_s)


def i15_one_automatic_transition_per_cooldown(s: Situation, way: Way) -> bool:
    return s.manual or s.cooldown_until is None or s.cooldown_until <= s.now


def i15_no_more_automatic_ones_than_the_budget(s: Situation, way: Way) -> bool:
    return s.manual or s.moves_of_the_day < 4


def many_at_once_wait_for_a_human(s: Situation, way: Way) -> bool:
    return way.back or s.manual or s.fleet_percent <= 50 or s.complete


def i16_continuous_health_before_a_failback(s: Situation, way: Way) -> bool:
    return not way.back or s.manual or s.settled


def i17_a_pause_is_a_pause(s: Situation, way: Way) -> bool:
    return s.manual or not s.paused


def i19_a_halted_transition_waits_for_its_operator(s: Situation, way: Way) -> bool:
    return s.phase is not Phase.NEEDS_OPERATOR


def i21_silence_is_no(s: Situation, way: Way) -> bool:
    return s.manual or not way.by_hand


def i21_a_yes_is_a_yes(s: Situation, way: Way) -> bool:
    return s.manual or not way.asks or s.approval is Approval.APPROVED


def a_failback_keeps_to_the_calendar(s: Situation, way: Way) -> bool:
    return s.manual or not way.back or s.opening is Opening.OPEN


def back_is_only_from_the_standby(s: Situation, way: Way) -> bool:
    return not (way.back and s.at_primary)


RULES: tuple[Rule, ...] = (
    i1_one_transition_at_a_time,
    i5_the_target_was_verified_just_now,
    i10_our_own_failure_is_no_evidence,
    i11_unknown_is_no_reason,
    i12_not_out_of_the_frying_pan,
    i13_the_failure_is_decided,
    i14_replication_is_known_and_below_the_limit,
    i15_one_automatic_transition_per_cooldown,
    i15_no_more_automatic_ones_than_the_budget,
    many_at_once_wait_for_a_human,
    i16_continuous_health_before_a_failback,
    i17_a_pause_is_a_pause,
    i19_a_halted_transition_waits_for_its_operator,
    i21_silence_is_no,
    i21_a_yes_is_a_yes,
    a_failback_keeps_to_the_calendar,
    back_is_only_from_the_standby,
)


@each_way
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_no_move_breaks_an_invariant(rule: Rule, way: Way, decided: dict[str, bytes]) -> None:
    broken = [s for s in moved(way, decided) if not rule(s, way)]
    assert not broken, f"{len(broken)} moves, the first: {broken[0]}"


@each_way
def test_what_no_invariant_forbids_is_done(way: Way, decided: dict[str, bytes]) -> None:
    idle = [
        s
        for s, moving in zip(way.situations(), moves(way, decided), strict=True)
        if not moving and all(rule(s, way) for rule in RULES)
    ]
    assert not idle, f"{len(idle)} holds for nothing, the first: {idle[0]}"


@each_way
def test_each_way_has_moves_and_holds(way: Way, decided: dict[str, bytes]) -> None:
    found = moves(way, decided)
    assert len(found) == way.size
    assert 0 < sum(found) < way.size


# What each reason claims.
Claim = Callable[[Situation, Way], bool]
MEANS: dict[Reason, Claim] = {
    Reason.REGION_DOWN: lambda s, way: not s.manual and s.source is Health.UNHEALTHY and s.source_down,
    Reason.REGION_DEGRADED: lambda s, way: (
        leaves_the_degraded(s) and not s.manual and not (s.source is Health.UNHEALTHY and s.source_down)
    ),
    Reason.BOTH_DEGRADED: lambda s, way: s.degraded is Degraded.BOTH and not way.back,
    Reason.OPERATOR_ASKED: lambda s, way: s.manual,
    Reason.PRIMARY_SETTLED: lambda s, way: not (s.manual or way.asks) and s.settled and not s.at_primary,
    Reason.PAUSED: lambda s, way: s.paused and not s.manual,
    Reason.IN_PROGRESS: lambda s, way: s.phase is Phase.MOVING,
    Reason.NEEDS_OPERATOR: lambda s, way: s.phase is Phase.NEEDS_OPERATOR,
    Reason.COOLDOWN: lambda s, way: s.cooldown_until == s.now + US and not s.manual,
    Reason.BUDGET_SPENT: lambda s, way: s.moves_of_the_day == 4 and not s.manual,
    Reason.FLEET_BRAKE: lambda s, way: s.fleet_percent == 51 and not (s.complete or s.manual or way.back),
    Reason.TARGET_NOT_VERIFIED: lambda s, way: (
        s.target is not Health.HEALTHY or s.target_at != NOON - VERIFIED_WITHIN
    ),
    Reason.ACTIVE_HEALTHY: lambda s, way: s.source is Health.HEALTHY and not way.back,
    Reason.NOT_CONFIRMED: lambda s, way: not (s.source_down or s.disagreed) and s.source is Health.UNHEALTHY,
    Reason.VANTAGE_POINTS_DISAGREE: lambda s, way: s.disagreed and not s.source_down,
    Reason.OBSERVER_FAULT: lambda s, way: s.source is Health.UNKNOWN and s.ours,
    Reason.EVIDENCE_INCOMPLETE: lambda s, way: s.source is Health.UNKNOWN and not s.ours,
    Reason.BOTH_UNHEALTHY: lambda s, way: {s.source, s.target} == {Health.UNHEALTHY},
    Reason.FAILOVER_IS_MANUAL: lambda s, way: way.by_hand and not way.back and not s.manual,
    Reason.AT_PRIMARY: lambda s, way: s.at_primary and way.back,
    Reason.NOT_SETTLED: lambda s, way: not s.settled and way.back,
    Reason.LAG_UNKNOWN: lambda s, way: None in s.lags_s and way.back,
    Reason.LAG_TOO_HIGH: lambda s, way: LIMIT_S + 0.001 in s.lags_s and way.back,
    Reason.FAILBACK_IS_MANUAL: lambda s, way: way.by_hand and way.back and not s.manual,
    Reason.APPROVED: lambda s, way: way.asks and not s.manual and s.approval is Approval.APPROVED,
    Reason.AWAITING_APPROVAL: lambda s, way: way.asks and s.approval in {Approval.NONE, Approval.PENDING},
    Reason.REJECTED: lambda s, way: way.asks and s.approval is Approval.REJECTED,
    Reason.OUTSIDE_WINDOW: lambda s, way: way.back and s.opening is Opening.OUTSIDE,
    Reason.BLACKOUT: lambda s, way: way.back and s.opening is Opening.BLACKOUT,
}


def no_decisions_reason(s: Situation, way: Way) -> bool:
    """Stand for a reason that a decision never gives."""
    return False


@each_way
def test_every_reason_is_true_of_its_situation(way: Way, decided: dict[str, bytes]) -> None:
    means: list[Claim] = [MEANS.get(reason, no_decisions_reason) for reason in REASONS]
    for s, code in zip(way.situations(), decided[way.name], strict=True):
        if not means[code](s, way):
            pytest.fail(f"{way.name}: {REASONS[code].value} is not true of {s}")


def test_every_reason_that_a_decision_can_have_is_had(decided: dict[str, bytes]) -> None:
    assert {REASONS[code] for found in decided.values() for code in set(found)} == set(MEANS)


@each_way
def test_i12_i19_where_only_a_human_helps_a_human_is_told(way: Way, decided: dict[str, bytes]) -> None:
    for s, code in zip(way.situations(), decided[way.name], strict=True):
        if s.phase is Phase.NEEDS_OPERATOR and not (way.back and s.at_primary):
            assert REASONS[code] in LOUD
        down = s.phase is Phase.STEADY and s.source is Health.UNHEALTHY and s.source_down
        if down and s.target is Health.UNHEALTHY and not way.back:
            assert REASONS[code] in LOUD


# What may never help: (input, from, to). In the order of EVERY each value is worse than the one before it,
# or at least no better; where that is not so it stands here by itself.
WORSE_BOTH = (
    "phase",
    "paused",
    "manual",
    "force",
    "target",
    "settled",
    "opening",
    "approval",
    "moves_of_the_day",
    "degraded",
    "fleet_percent",
    "complete",
)
WORSE: dict[bool, tuple[tuple[str, int, int], ...]] = {
    back: (
        *((axis, n, n + 1) for axis in WORSE_BOTH for n in range(len(EVERY[axis]) - 1)),
        ("cooldown_until", 0, 2),
        ("cooldown_until", 1, 2),
        ("target_at", 0, 1),
        ("target_at", 0, 2),
        *(
            (("lags_s", n, m) for n in range(16) for m in range(16) if n // 4 <= m // 4 and n % 4 <= m % 4)
            if back
            else (("source", 0, 1), ("source", 1, 2), ("source_down", 0, 1), ("ours", 0, 1))
        ),
    )
    for back in (False, True)
}  # fmt: skip


def planes(found: bytes, axes: Axes, axis: str) -> list[bytes]:
    """Return the decisions by the value of one input, all else equal and in one order."""
    names = list(axes)
    below = prod(len(axes[name]) for name in names[names.index(axis) + 1 :])
    block = below * len(axes[axis])
    return [
        b"".join(found[at : at + below] for at in range(start, len(found), block))
        for start in range(0, block, below)
    ]


@each_way
def test_a_step_for_the_worse_never_turns_a_hold_into_a_move(way: Way, decided: dict[str, bytes]) -> None:
    found = moves(way, decided)
    for axis, steps in itertools.groupby(WORSE[way.back], key=lambda step: step[0]):
        values = [int.from_bytes(plane, "big") for plane in planes(found, way.axes, axis)]
        known = dict(zip(way.axes[axis], values, strict=True))
        for _, better, worse in steps:
            one, other = EVERY[axis][better], EVERY[axis][worse]
            if axis == "source" and other is Health.HEALTHY and way.axes is WORN:
                continue  # the one exception, below
            if one in known and other in known:
                assert not ~known[one] & known[other], f"{way.name}: {axis} {one} -> {other} moves"


def test_a_healthy_sample_ends_only_our_own_blindness_to_a_degraded_region(decided: dict[str, bytes]) -> None:
    way = next(way for way in WAYS if way.axes is WORN)
    names, found = list(WORN), moves(way, decided)
    step = prod(len(WORN[name]) for name in names[names.index("source") + 1 :])
    assert WORN["source"][1:] == (Health.UNKNOWN, Health.HEALTHY)
    ended = 0
    for number, moved in enumerate(found):
        after = way.situation(number) if moved and not found[number - step] else None
        if after is not None and after.source is Health.HEALTHY:
            assert (after.degraded, after.ours) == (Degraded.SOURCE, True)
            ended += 1
    assert ended


# What makes no difference at all, to whom.
INDIFFERENT: dict[str, tuple[bool | None, bool | None]] = {
    # input: (of failovers / failbacks: None = both; of manual / automatic triggers: None = both)
    "force": (None, False),
    "paused": (None, True),
    "cooldown_until": (None, True),
    "moves_of_the_day": (None, True),
    "at_primary": (False, None),
    "lags_s": (False, None),
    "settled": (False, None),
    "source": (True, None),
    "opening": (None, True),
    "approval": (None, True),
}


@pytest.mark.parametrize(
    ("axis", "way"),
    [(axis, way) for axis, (back, _) in INDIFFERENT.items() for way in WAYS if back in {None, way.back}],
    ids=lambda value: getattr(value, "name", value),
)
def test_what_must_make_no_difference_makes_none(axis: str, way: Way, decided: dict[str, bytes]) -> None:
    manual = INDIFFERENT[axis][1]
    found, axes = decided[way.name], way.axes
    if manual is not None:
        found = planes(found, axes, "manual")[axes["manual"].index(manual)]
        axes = {**axes, "manual": (manual,)}
    first, *others = planes(found, axes, axis)
    assert all(other == first for other in others)


def test_a_failback_does_not_ask_what_else_is_known_of_the_region_it_leaves(
    decided: dict[str, bytes],
) -> None:
    for way in (way for way in WAYS if way.back):
        for number in range(0, way.size, 61):
            found = replace(
                way.situation(number), source_down=True, disagreed=True, ours=True, degraded=Degraded.BOTH
            )
            assert way.decide(found, way.policy).reason is REASONS[decided[way.name][number]]


def test_a_failover_does_not_ask_for_how_long_its_target_was_well(decided: dict[str, bytes]) -> None:
    for way in (way for way in WAYS if not way.back):
        for number in range(0, way.size, 61):
            found = replace(way.situation(number), settled=False, approval=Approval.REJECTED)
            assert way.decide(found, way.policy).reason is REASONS[decided[way.name][number]]


@each_way
def test_i23_a_situation_from_the_record_is_decided_the_same_again(
    way: Way, decided: dict[str, bytes]
) -> None:
    for number in range(0, way.size, 61):
        again = Situation(**asdict(way.situation(number)))
        assert way.decide(again, way.policy).reason is REASONS[decided[way.name][number]]


@each_way
def test_the_product_is_numbered_as_it_is_made(way: Way) -> None:
    for number, found in itertools.islice(enumerate(way.situations()), 0, None, 9973):
        assert way.situation(number) == found


def test_the_product_is_as_large_as_it_says() -> None:
    assert sum(way.size for way in WAYS) == 847_872
