# ruff: noqa: E501  (a table reads better in one line per case)
"""Every reason is reached by a named situation; no situation breaks an invariant."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import timedelta

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
    decide_return,
)
from region_failover.domain.degradation import Degraded
from region_failover.domain.plan import FailbackMode, FailoverMode, Policy
from region_failover.domain.state import VERIFIED_WITHIN, Phase
from region_failover.domain.verdict import Health
from region_failover.domain.window import Opening
from tests.fakes import NOON, situation

S = timedelta(seconds=1)
BY_HAND = Policy(failover=FailoverMode.MANUAL)
AUTOMATIC = Policy(failback=FailbackMode.AUTOMATIC)
APPROVED = Policy(failback=FailbackMode.APPROVAL)
H, U, X = Health.HEALTHY, Health.UNHEALTHY, Health.UNKNOWN
R = Reason


def back(**changes: object) -> Situation:
    """Return the situation in which a failback moves: at the standby, the primary settled."""
    return situation(**{"at_primary": False, "source": H, "source_down": False, **changes})


FAILOVERS = [
    ("the active Region is decidedly down", situation(), Policy(), R.REGION_DOWN),
    ("a human asked while it is down", situation(manual=True), Policy(), R.OPERATOR_ASKED),
    ("a human insists although it is healthy", situation(manual=True, force=True, source=H), Policy(), R.OPERATOR_ASKED),
    ("a human insists on no evidence", situation(manual=True, force=True, source=X), Policy(), R.OPERATOR_ASKED),
    ("a human asks while paused", situation(manual=True, paused=True), Policy(), R.OPERATOR_ASKED),
    ("a human asks while cooling down", situation(manual=True, cooldown_until=NOON + S), Policy(), R.OPERATOR_ASKED),
    ("a human asks where the policy is manual", situation(manual=True), BY_HAND, R.OPERATOR_ASKED),
    ("the active Region is healthy", situation(source=H), Policy(), R.ACTIVE_HEALTHY),
    ("a human asks without force, it is healthy", situation(manual=True, source=H), Policy(), R.ACTIVE_HEALTHY),
    ("force without a human counts nothing", situation(force=True, source=H), Policy(), R.ACTIVE_HEALTHY),
    ("our own fault", situation(source=X, ours=True), Policy(), R.OBSERVER_FAULT),
    ("one kind of evidence only", situation(source=X), Policy(), R.EVIDENCE_INCOMPLETE),
    ("not failed for long enough", situation(source_down=False), Policy(), R.NOT_CONFIRMED),
    ("others see it well", situation(source_down=False, disagreed=True), Policy(), R.VANTAGE_POINTS_DISAGREE),
    ("degraded, and the plan lets it count", situation(source=Health.HEALTHY, source_down=False, degraded=Degraded.SOURCE), Policy(), R.REGION_DEGRADED),
    ("half of the fleet wants to move", situation(fleet_percent=50, complete=False), Policy(), R.REGION_DOWN),
    ("more than half of it does", situation(fleet_percent=51, complete=False), Policy(), R.FLEET_BRAKE),
    ("more than half of it does, and nothing answers", situation(fleet_percent=100), Policy(), R.REGION_DOWN),
    ("more than half of it does, and a human asks", situation(fleet_percent=100, complete=False, manual=True), Policy(), R.OPERATOR_ASKED),
    ("all of it may", situation(fleet_percent=100, complete=False), Policy(fleet_brake=100), R.REGION_DOWN),
    ("degraded, and down by now", situation(degraded=Degraded.SOURCE), Policy(), R.REGION_DOWN),
    ("both degraded", situation(source=Health.HEALTHY, source_down=False, degraded=Degraded.BOTH), Policy(), R.BOTH_DEGRADED),
    ("both degraded, and one down by now", situation(degraded=Degraded.BOTH), Policy(), R.REGION_DOWN),
    ("degraded, and now we cannot see it", situation(source=Health.UNKNOWN, source_down=False, ours=True, degraded=Degraded.SOURCE), Policy(), R.OBSERVER_FAULT),
    ("degraded within the cooldown", situation(source=Health.HEALTHY, source_down=False, degraded=Degraded.SOURCE, cooldown_until=NOON + S), Policy(), R.COOLDOWN),
    ("others see it well, but enough see it down", situation(disagreed=True), Policy(), R.REGION_DOWN),
    ("both Regions down", situation(target=U), Policy(), R.BOTH_UNHEALTHY),
    ("both Regions down, a human asks", situation(target=U, manual=True), Policy(), R.BOTH_UNHEALTHY),
    ("a human insists on a target that is down", situation(target=U, manual=True, force=True), Policy(), R.TARGET_NOT_VERIFIED),
    ("the target is unknown", situation(target=X), Policy(), R.TARGET_NOT_VERIFIED),
    ("the target was verified too long ago", situation(target_at=NOON - VERIFIED_WITHIN - S), Policy(), R.TARGET_NOT_VERIFIED),
    ("the target was verified just within the limit", situation(target_at=NOON - VERIFIED_WITHIN), Policy(), R.REGION_DOWN),
    ("the target was verified in the future", situation(target_at=NOON + S), Policy(), R.TARGET_NOT_VERIFIED),
    ("paused", situation(paused=True), Policy(), R.PAUSED),
    ("cooling down", situation(cooldown_until=NOON + S), Policy(), R.COOLDOWN),
    ("the cooldown is just over", situation(cooldown_until=NOON), Policy(), R.REGION_DOWN),
    ("the day's budget is spent", situation(moves_of_the_day=4), Policy(), R.BUDGET_SPENT),
    ("one of the day's budget is left", situation(moves_of_the_day=3), Policy(), R.REGION_DOWN),
    ("the budget is spent, a human asks", situation(moves_of_the_day=9, manual=True), Policy(), R.OPERATOR_ASKED),
    ("the policy is manual", situation(), BY_HAND, R.FAILOVER_IS_MANUAL),
    ("a transition is open", situation(phase=Phase.MOVING), Policy(), R.IN_PROGRESS),
    ("a transition is open, a human insists", situation(phase=Phase.MOVING, manual=True, force=True), Policy(), R.IN_PROGRESS),
    ("a transition is halted", situation(phase=Phase.NEEDS_OPERATOR, manual=True), Policy(), R.NEEDS_OPERATOR),
]  # fmt: skip

TRIED = back(on_trial=True, trial_lasted=True)
FAILBACKS = [
    ("the primary is settled", back(), AUTOMATIC, R.PRIMARY_SETTLED),
    ("a human asked", back(manual=True, settled=False), Policy(), R.OPERATOR_ASKED),
    ("a human insists, lag unknown", back(manual=True, force=True, lags_s=(None, None)), Policy(), R.OPERATOR_ASKED),
    ("at the primary already", back(at_primary=True), AUTOMATIC, R.AT_PRIMARY),
    ("by hand only", back(), Policy(), R.FAILBACK_IS_MANUAL),
    ("not settled", back(settled=False), AUTOMATIC, R.NOT_SETTLED),
    ("the primary is not verified now", back(target=X), AUTOMATIC, R.TARGET_NOT_VERIFIED),
    ("a human insists, the primary is not verified", back(target=X, manual=True, force=True), AUTOMATIC, R.TARGET_NOT_VERIFIED),
    ("replication unknown one way", back(lags_s=(0.5, None)), AUTOMATIC, R.LAG_UNKNOWN),
    ("replication unknown the other way", back(lags_s=(None, 0.5)), AUTOMATIC, R.LAG_UNKNOWN),
    ("replication unknown, a human asks", back(lags_s=(None, None), manual=True), AUTOMATIC, R.LAG_UNKNOWN),
    ("replication slow one way", back(lags_s=(30.1, 0.5)), AUTOMATIC, R.LAG_TOO_HIGH),
    ("replication slow the other way", back(lags_s=(0.5, 30.1)), AUTOMATIC, R.LAG_TOO_HIGH),
    ("replication just at the limit", back(lags_s=(30.0, 30.0)), AUTOMATIC, R.PRIMARY_SETTLED),
    ("paused", back(paused=True), AUTOMATIC, R.PAUSED),
    ("cooling down", back(cooldown_until=NOON + S), AUTOMATIC, R.COOLDOWN),
    ("the day's budget is spent", back(moves_of_the_day=4), AUTOMATIC, R.BUDGET_SPENT),
    ("a transition is open", back(phase=Phase.MOVING), AUTOMATIC, R.IN_PROGRESS),
    ("a transition is halted", back(phase=Phase.NEEDS_OPERATOR), AUTOMATIC, R.NEEDS_OPERATOR),
    ("outside of every window", back(opening=Opening.OUTSIDE), AUTOMATIC, R.OUTSIDE_WINDOW),
    ("in a blackout", back(opening=Opening.BLACKOUT), AUTOMATIC, R.BLACKOUT),
    ("in a blackout, a human asks", back(opening=Opening.BLACKOUT, manual=True), AUTOMATIC, R.OPERATOR_ASKED),
    ("approved", back(approval=Approval.APPROVED), APPROVED, R.APPROVED),
    ("nobody was asked yet", back(approval=Approval.NONE), APPROVED, R.AWAITING_APPROVAL),
    ("nobody has answered", back(approval=Approval.PENDING), APPROVED, R.AWAITING_APPROVAL),
    ("a human said no", back(approval=Approval.REJECTED), APPROVED, R.REJECTED),
    ("a human said no, another asks", back(approval=Approval.REJECTED, manual=True), APPROVED, R.OPERATOR_ASKED),
    ("approved, but outside of every window", back(approval=Approval.APPROVED, opening=Opening.OUTSIDE), APPROVED, R.OUTSIDE_WINDOW),
    ("humans are asked before the window opens", back(opening=Opening.OUTSIDE), APPROVED, R.AWAITING_APPROVAL),
    ("nobody is asked what does not hold anyway", back(settled=False), APPROVED, R.NOT_SETTLED),
    ("approved, and relapsed since", back(settled=False, approval=Approval.APPROVED), APPROVED, R.NOT_SETTLED),
    ("approved, and replication is slow by now", back(lags_s=(99.0, 0.5), approval=Approval.APPROVED), APPROVED, R.LAG_TOO_HIGH),
    ("a no to a failback that needs no yes", back(approval=Approval.REJECTED), AUTOMATIC, R.PRIMARY_SETTLED),
    ("on trial, and not for long enough", back(on_trial=True), AUTOMATIC, R.ON_TRIAL),
    ("on trial for long enough", TRIED, AUTOMATIC, R.PRIMARY_SETTLED),
    ("on trial, and the mode is manual by now", TRIED, Policy(failback=FailbackMode.MANUAL), R.PRIMARY_SETTLED),
    ("on trial, the approval used up by the first step", replace(TRIED, approval=Approval.NONE), APPROVED, R.PRIMARY_SETTLED),
    ("on trial, and the window has closed", replace(TRIED, opening=Opening.OUTSIDE), AUTOMATIC, R.PRIMARY_SETTLED),
    ("on trial, the budget spent by its first step", replace(TRIED, moves_of_the_day=4), AUTOMATIC, R.PRIMARY_SETTLED),
    ("on trial, and paused", replace(TRIED, paused=True), AUTOMATIC, R.PAUSED),
    ("on trial, and not settled any more", replace(TRIED, settled=False), AUTOMATIC, R.NOT_SETTLED),
    ("on trial, and the primary's newest sample is bad", replace(TRIED, target=Health.UNKNOWN), AUTOMATIC, R.TARGET_NOT_VERIFIED),
    ("on trial, and replication has slowed down", replace(TRIED, lags_s=(99.0, 0.5)), AUTOMATIC, R.LAG_TOO_HIGH),
    ("on trial, a step under way", replace(TRIED, phase=Phase.MOVING), AUTOMATIC, R.IN_PROGRESS),
    ("on trial, and a human wants all of it home", replace(TRIED, trial_lasted=False, manual=True), AUTOMATIC, R.OPERATOR_ASKED),
]  # fmt: skip

FAILS = replace(TRIED, source=Health.HEALTHY, target=Health.UNHEALTHY)
RETURNS = [
    ("nothing is on trial", replace(FAILS, on_trial=False), R.ON_TRIAL),
    ("all is well", replace(FAILS, target=Health.HEALTHY), R.ON_TRIAL),
    ("the primary fails", FAILS, R.TRIAL_FAILED),
    ("one kind of evidence fails there", replace(FAILS, target=Health.UNKNOWN), R.TRIAL_FAILED),
    ("our own fault hides the primary", replace(FAILS, target=Health.UNKNOWN, target_ours=True), R.OBSERVER_FAULT),
    ("it fails, and a check is our own fault, too", replace(FAILS, target_ours=True), R.TRIAL_FAILED),
    ("within the cooldown, the budget spent", replace(FAILS, cooldown_until=NOON + S, moves_of_the_day=99), R.TRIAL_FAILED),
    ("paused", replace(FAILS, paused=True), R.PAUSED),
    ("a step is under way", replace(FAILS, phase=Phase.MOVING), R.IN_PROGRESS),
    ("a transition was halted", replace(FAILS, phase=Phase.NEEDS_OPERATOR), R.NEEDS_OPERATOR),
    ("the standby is not well either", replace(FAILS, source=Health.UNKNOWN), R.TARGET_NOT_VERIFIED),
    ("the standby was seen too long ago", replace(FAILS, target_at=NOON - VERIFIED_WITHIN - S), R.TARGET_NOT_VERIFIED),
    ("a human takes it back", replace(FAILS, target=Health.HEALTHY, manual=True), R.OPERATOR_ASKED),
    ("a human takes it back, paused", replace(FAILS, manual=True, paused=True), R.OPERATOR_ASKED),
    ("a human takes it back onto a sick standby", replace(FAILS, manual=True, source=Health.UNHEALTHY), R.TARGET_NOT_VERIFIED),
]  # fmt: skip

MOVES = {
    R.REGION_DOWN, R.REGION_DEGRADED, R.OPERATOR_ASKED, R.PRIMARY_SETTLED, R.APPROVED, R.TRIAL_FAILED,
}  # fmt: skip
# Reasons that the flows give, not the rules (tests/functional reaches each of them).
BY_THE_FLOWS = {
    R.LOST_THE_CLAIM, R.VETOED, R.DRIFT, R.NOT_SIMPLE, R.FENCE_AHEAD, R.FENCE_FOREIGN, R.STALE_EVENT, R.NOT_IN_ALARM, R.SUPPRESSED,
    R.UNSAFE_BATCH, R.TOO_MANY_CHANGES, R.PLAN_CHANGED, R.ALREADY_THERE,
}  # fmt: skip


@pytest.mark.parametrize(
    ("found", "policy", "reason"), [c[1:] for c in FAILOVERS], ids=[c[0] for c in FAILOVERS]
)
def test_failover_is_decided_for_the_reason_expected(
    found: Situation, policy: Policy, reason: Reason
) -> None:
    expected = Decision(Action.MOVE if reason in MOVES else Action.HOLD, reason)
    assert decide_failover(found, policy) == expected


@pytest.mark.parametrize(
    ("found", "policy", "reason"), [c[1:] for c in FAILBACKS], ids=[c[0] for c in FAILBACKS]
)
def test_failback_is_decided_for_the_reason_expected(
    found: Situation, policy: Policy, reason: Reason
) -> None:
    expected = Decision(Action.MOVE if reason in MOVES else Action.HOLD, reason)
    assert decide_failback(found, policy) == expected


@pytest.mark.parametrize(("found", "reason"), [c[1:] for c in RETURNS], ids=[c[0] for c in RETURNS])
def test_what_is_on_trial_returns_for_the_reason_expected(found: Situation, reason: Reason) -> None:
    assert decide_return(found) == Decision(Action.MOVE if reason in MOVES else Action.HOLD, reason)


def test_every_reason_is_reached() -> None:
    reached = {case[-1] for case in (*FAILOVERS, *FAILBACKS, *RETURNS)}
    assert reached == set(Reason) - BY_THE_FLOWS


def test_no_move_is_a_hold_that_somebody_must_hear_of() -> None:
    assert not LOUD & MOVES


def situations() -> Iterator[Situation]:
    """Yield every combination of what a decision reads (41,472)."""
    booleans = (False, True)
    for phase, source, target in itertools.product(Phase, Health, Health):
        for paused, manual, force, down, ours, settled in itertools.product(booleans, repeat=6):
            for cooling, fresh, lags in itertools.product(
                booleans, booleans, [(0.1, 0.2), (None, 0.2), (99.0, 0.2)]
            ):
                yield Situation(
                    now=NOON,
                    at_primary=False,
                    phase=phase,
                    paused=paused,
                    cooldown_until=NOON + S if cooling else None,
                    moves_of_the_day=0,
                    manual=manual,
                    force=force,
                    source=source,
                    source_down=down,
                    disagreed=False,
                    degraded=Degraded.NO,
                    fleet_percent=0,
                    complete=True,
                    ours=ours,
                    target=target,
                    target_at=NOON if fresh else NOON - 2 * VERIFIED_WITHIN,
                    settled=settled,
                    lags_s=lags,
                    opening=Opening.OPEN,
                    approval=Approval.NONE,
                )


EVERY = list(situations())


def moved(decide: object, policies: list[Policy]) -> list[tuple[Situation, Policy, Decision]]:
    found = [(s, p, decide(s, p)) for s in EVERY for p in policies]  # type: ignore[operator]
    return [case for case in found if case[2].moves]


@pytest.fixture(scope="module")
def failovers() -> list[tuple[Situation, Policy, Decision]]:
    return moved(decide_failover, [Policy(), BY_HAND])


@pytest.fixture(scope="module")
def failbacks() -> list[tuple[Situation, Policy, Decision]]:
    return moved(decide_failback, [Policy(), AUTOMATIC])


Cases = list[tuple[Situation, Policy, Decision]]


def test_i1_nothing_moves_while_a_transition_is_open(failovers: Cases, failbacks: Cases) -> None:
    assert {s.phase for s, _, _ in failovers + failbacks} == {Phase.STEADY}


def test_i5_nothing_moves_onto_a_region_not_verified_just_now(failovers: Cases, failbacks: Cases) -> None:
    assert {(s.target, s.target_at) for s, _, _ in failovers + failbacks} == {(H, NOON)}


def test_i11_no_automatic_failover_without_a_decided_failure(failovers: Cases) -> None:
    automatic = {(s.source, s.source_down) for s, _, _ in failovers if not s.manual}
    assert automatic == {(U, True)}


def test_i11_a_human_needs_force_against_the_evidence(failovers: Cases) -> None:
    assert {(s.source, s.source_down) for s, _, _ in failovers if not s.force} == {(U, True)}


def test_i12_both_regions_unhealthy_is_held_and_told(failovers: Cases) -> None:
    both = [s for s in EVERY if (s.source, s.target) == (U, U) and s.source_down and s.phase is Phase.STEADY]
    decisions = {decide_failover(s, Policy()).reason for s in both if not s.force}
    assert decisions == {R.BOTH_UNHEALTHY}
    assert decisions <= LOUD


def test_i14_no_automatic_failback_on_replication_unknown_or_slow(failbacks: Cases) -> None:
    assert {s.lags_s for s, _, _ in failbacks if not s.manual} == {(0.1, 0.2)}
    assert {s.lags_s for s, _, _ in failbacks if not s.force} == {(0.1, 0.2)}


def test_i15_nothing_automatic_moves_within_the_cooldown(failovers: Cases, failbacks: Cases) -> None:
    assert {s.cooldown_until for s, _, _ in failovers + failbacks if not s.manual} == {None}


def test_i16_no_automatic_failback_without_continuous_health(failbacks: Cases) -> None:
    assert {s.settled for s, _, _ in failbacks if not s.manual} == {True}


def test_i17_nothing_automatic_moves_while_paused(failovers: Cases, failbacks: Cases) -> None:
    assert {s.paused for s, _, _ in failovers + failbacks if not s.manual} == {False}
    assert {s.paused for s, _, _ in failovers if s.manual} == {False, True}


def test_a_policy_by_hand_moves_nothing_by_itself(failovers: Cases, failbacks: Cases) -> None:
    assert all(s.manual for s, p, _ in failovers if p is BY_HAND)
    assert all(s.manual for s, p, _ in failbacks if p.failback is FailbackMode.MANUAL)


def test_i23_a_recorded_situation_decides_the_same_again() -> None:
    for found in EVERY[::97]:
        again = Situation(**asdict(found))
        assert decide_failover(again, Policy()) == decide_failover(found, Policy())
        assert decide_failback(again, AUTOMATIC) == decide_failback(found, AUTOMATIC)


def test_at_the_primary_there_is_nothing_to_fail_back() -> None:
    for found in EVERY[::97]:
        assert decide_failback(replace(found, at_primary=True), AUTOMATIC).reason is R.AT_PRIMARY
