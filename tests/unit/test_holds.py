"""Every reason that holds a move is found, and none that does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from region_failover.domain.approval import Approval
from region_failover.domain.decision import Reason, Situation, decide_failback, decide_failover, decide_return
from region_failover.domain.degradation import Degraded
from region_failover.domain.holds import Decide, every_hold, explain
from region_failover.domain.plan import FailbackMode, FailoverMode, Policy
from region_failover.domain.state import Direction, Lease, Phase, Transition, initial_state
from region_failover.domain.verdict import Health
from region_failover.domain.window import Opening
from tests.fakes import EAST, NOON, WEST, situation
from tests.unit.test_every_decision import WAYS, Way

LATER = NOON + timedelta(minutes=5)
SOME = 997  # of each so many situations one: no divisor of any axis


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_the_reasons_begin_with_the_decisions_own_and_are_there_once(way: Way) -> None:
    for number in range(0, way.size, SOME):
        found = way.situation(number)
        decision = way.decide(found, way.policy)
        reasons = every_hold(way.decide, found, way.policy)
        assert reasons[:1] == (() if decision.moves else (decision.reason,))
        assert len(set(reasons)) == len(reasons)


AUTOMATIC = Policy(failback=FailbackMode.AUTOMATIC)
ASKING = Policy(failback=FailbackMode.APPROVAL)
BY_HAND = Policy(failover=FailoverMode.MANUAL, failback=FailbackMode.MANUAL)
OVER, BACK = decide_failover, decide_failback
HOME = {"at_primary": False}

SINGLE: list[tuple[Reason, Decide, Policy, dict[str, Any]]] = [
    (Reason.PAUSED, OVER, AUTOMATIC, {"paused": True}),
    (Reason.IN_PROGRESS, OVER, AUTOMATIC, {"phase": Phase.MOVING}),
    (Reason.NEEDS_OPERATOR, OVER, AUTOMATIC, {"phase": Phase.NEEDS_OPERATOR}),
    (Reason.COOLDOWN, OVER, AUTOMATIC, {"cooldown_until": LATER}),
    (Reason.BUDGET_SPENT, OVER, AUTOMATIC, {"moves_of_the_day": 4}),
    (Reason.FLEET_BRAKE, OVER, AUTOMATIC, {"fleet_percent": 100, "complete": False}),
    (Reason.FAILOVER_IS_MANUAL, OVER, BY_HAND, {}),
    (Reason.TARGET_NOT_VERIFIED, OVER, AUTOMATIC, {"target": Health.UNKNOWN}),
    (Reason.TARGET_NOT_VERIFIED, OVER, AUTOMATIC, {"target_at": NOON - timedelta(minutes=1)}),
    (Reason.ACTIVE_HEALTHY, OVER, AUTOMATIC, {"source": Health.HEALTHY}),
    (Reason.NOT_CONFIRMED, OVER, AUTOMATIC, {"source_down": False}),
    (Reason.VANTAGE_POINTS_DISAGREE, OVER, AUTOMATIC, {"source_down": False, "disagreed": True}),
    (Reason.OBSERVER_FAULT, OVER, AUTOMATIC, {"source": Health.UNKNOWN, "ours": True}),
    (Reason.EVIDENCE_INCOMPLETE, OVER, AUTOMATIC, {"source": Health.UNKNOWN}),
    (Reason.BOTH_DEGRADED, OVER, AUTOMATIC, {"source": Health.HEALTHY, "degraded": Degraded.BOTH}),
    (Reason.AT_PRIMARY, BACK, AUTOMATIC, {}),
    (Reason.FAILBACK_IS_MANUAL, BACK, BY_HAND, HOME),
    (Reason.NOT_SETTLED, BACK, AUTOMATIC, {**HOME, "settled": False}),
    (Reason.LAG_UNKNOWN, BACK, AUTOMATIC, {**HOME, "lags_s": (None, 0.5)}),
    (Reason.LAG_TOO_HIGH, BACK, AUTOMATIC, {**HOME, "lags_s": (31.0, 0.5)}),
    (Reason.AWAITING_APPROVAL, BACK, ASKING, HOME),
    (Reason.REJECTED, BACK, ASKING, {**HOME, "approval": Approval.REJECTED}),
    (Reason.OUTSIDE_WINDOW, BACK, AUTOMATIC, {**HOME, "opening": Opening.OUTSIDE}),
    (Reason.BLACKOUT, BACK, AUTOMATIC, {**HOME, "opening": Opening.BLACKOUT}),
    (Reason.ON_TRIAL, BACK, AUTOMATIC, {**HOME, "on_trial": True}),
]


@pytest.mark.parametrize(
    ("reason", "decide", "policy", "changes"), SINGLE, ids=[f"{n} {case[0]}" for n, case in enumerate(SINGLE)]
)
def test_one_thing_that_holds_is_one_reason(
    reason: Reason, decide: Decide, policy: Policy, changes: dict[str, Any]
) -> None:
    assert every_hold(decide, situation(**changes), policy) == (reason,)


def test_every_reason_of_a_decision_is_gone_past() -> None:
    """A new one that nobody has put out of the way would hide those behind it."""
    for way in WAYS:
        for number in range(0, way.size, SOME):
            found = replace(way.situation(number), paused=True, cooldown_until=LATER, moves_of_the_day=4)
            if found.manual or (way.back and found.at_primary):
                continue
            reasons = every_hold(way.decide, found, way.policy)
            assert {Reason.PAUSED, Reason.COOLDOWN, Reason.BUDGET_SPENT} <= set(reasons)


def test_both_regions_down_is_also_a_target_that_is_not_verified() -> None:
    found = situation(target=Health.UNHEALTHY)
    assert every_hold(OVER, found, AUTOMATIC) == (Reason.BOTH_UNHEALTHY, Reason.TARGET_NOT_VERIFIED)


def test_what_moves_has_no_reason_to_hold() -> None:
    assert every_hold(OVER, situation(), AUTOMATIC) == ()


def test_a_return_that_cannot_be_made_ends_with_its_reason() -> None:
    def returns(found: Situation, _: Policy) -> Any:
        return decide_return(found)

    stuck = situation(on_trial=True, manual=True, source=Health.UNKNOWN, phase=Phase.MOVING)
    assert every_hold(returns, stuck, AUTOMATIC) == (Reason.IN_PROGRESS, Reason.TARGET_NOT_VERIFIED)


def test_a_reason_is_explained_by_what_is_known() -> None:
    moving = Transition(
        epoch=7,
        direction=Direction.FAILOVER,
        source=EAST,
        target=WEST,
        reason="",
        manual=False,
        started_at=NOON,
        detected_at=None,
        verified_at=NOON,
        lease=Lease("failover:1", LATER),
        steps=(),
    )
    state = replace(
        initial_state("orders", 7, EAST), transition=moving, cooldown_until=LATER, pause_note="mia: release"
    )
    found = situation(moves_of_the_day=4, fleet_percent=66, lags_s=(31.04, None))
    said = {reason: explain(reason, AUTOMATIC, state, found) for reason in Reason}
    assert said[Reason.IN_PROGRESS] == (
        "epoch 7, failover to us-west-2, leased to failover:1 until 2025-10-20 12:05:00 UTC"
    )
    assert said[Reason.PAUSED] == "mia: release"
    assert said[Reason.COOLDOWN] == "until 2025-10-20 12:05:00 UTC"
    assert said[Reason.BUDGET_SPENT] == "4 of 4 moves of the day"
    assert said[Reason.FLEET_BRAKE] == "66 % of the stack's plans want to move"
    assert said[Reason.LAG_UNKNOWN] == "replication to the target 31.0 s, from it not measured"
    assert said[Reason.AWAITING_APPROVAL] == "nothing is proposed yet"
    assert said[Reason.ACTIVE_HEALTHY] == ""
