"""Every change of the state record, and what it refuses (I1 to I4, I15, I17, I18, I20, I22)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from region_failover.domain.journal import (
    LONGEST_TEXT,
    OUTBOX_KEPT,
    REQUESTS_KEPT,
    Claim,
    add_notice,
    claim,
    claim_step,
    complete,
    drop_notice,
    finish_step,
    give_up_lease,
    has_begun,
    mark_sent,
    may_act,
    may_have_late_writers,
    need_operator,
    notice_of,
    remember_request,
    retake_snapshot,
    settle_owed,
    shortened,
    start_steps,
    stop,
    take_over,
)
from region_failover.domain.state import (
    CLOCKS_AGREE,
    LATE_WRITERS_WITHIN,
    LEASE,
    SETTLED,
    STEP_LEASE,
    VERIFIED_WITHIN,
    Direction,
    Lease,
    Notice,
    Phase,
    PlanState,
    Step,
    StepKind,
    StepStatus,
    Transition,
    initial_state,
)
from tests.fakes import EAST, NOON, WEST, ZONE

S = timedelta(seconds=1)
COOLDOWN = timedelta(minutes=60)
ZONE_STEP = Step(StepKind.ROUTE53, ZONE)
LINODE_STEP = Step(StepKind.LINODE, "records")
SSM_STEP = Step(StepKind.SSM, "/active", EAST)
STEPS = (ZONE_STEP, LINODE_STEP, SSM_STEP)


def request(**changes: object) -> Claim:
    base = Claim(Direction.FAILOVER, EAST, WEST, "region-down", False, "a", STEPS, NOON)
    return replace(base, **changes)  # type: ignore[arg-type]


def steady(**changes: object) -> PlanState:
    return replace(initial_state("orders", 7, EAST), version=3, **changes)  # type: ignore[arg-type]


def moving(**changes: object) -> PlanState:
    found = claim(steady(), request(), NOON)
    assert found is not None
    return replace(found, **changes)  # type: ignore[arg-type]


def opened(state: PlanState | None) -> Transition:
    assert state is not None
    assert state.transition is not None
    return state.transition


def settled() -> PlanState:
    state = moving()
    for key in (s.key for s in STEPS):
        state = finish_step(state, 8, key, StepStatus.DONE, "", NOON) or state
    return state


# claim


def test_a_claim_opens_a_transition_at_the_next_epoch_with_a_lease() -> None:
    state = moving()
    found = opened(state)
    assert (state.epoch, found.epoch, state.phase) == (8, 8, Phase.MOVING)
    assert found.lease == Lease("a", NOON + LEASE)
    assert state.active == EAST


def test_the_transition_opened_says_all_that_was_asked_for() -> None:
    detected, verified = NOON - 40 * S, NOON - S
    asked = request(manual=True, detected_at=detected, verified_at=verified, loss_s=1.5, owner="b")
    assert opened(claim(steady(), asked, NOON)) == Transition(
        epoch=8,
        direction=Direction.FAILOVER,
        source=EAST,
        target=WEST,
        reason="region-down",
        manual=True,
        started_at=NOON,
        detected_at=detected,
        verified_at=verified,
        lease=Lease("b", NOON + LEASE),
        steps=STEPS,
        loss_s=1.5,
    )


def test_a_plan_without_a_record_begins_steady_and_unwritten() -> None:
    assert initial_state("orders", 7, WEST) == PlanState("orders", 0, 7, WEST, Phase.STEADY)


@pytest.mark.parametrize("manual", [False, True])
def test_a_claim_is_refused_while_a_transition_is_open(manual: bool) -> None:
    later = NOON + 10 * LEASE
    assert claim(moving(), request(owner="b", manual=manual), later) is None
    assert claim(moving(phase=Phase.NEEDS_OPERATOR), request(manual=manual), later) is None


def test_a_claim_is_refused_where_the_traffic_is_not_at_its_source() -> None:
    assert claim(steady(active=WEST), request(), NOON) is None
    assert claim(steady(active=WEST), request(manual=True), NOON) is None


def test_an_automatic_claim_is_refused_while_paused_or_cooling_down() -> None:
    assert claim(steady(paused=True), request(), NOON) is None
    assert claim(steady(cooldown_until=NOON + S), request(), NOON) is None
    assert claim(steady(cooldown_until=NOON), request(), NOON) is not None


def test_a_manual_claim_bypasses_pause_and_cooldown() -> None:
    state = steady(paused=True, cooldown_until=NOON + COOLDOWN)
    assert claim(state, request(manual=True), NOON) is not None


def test_a_manual_request_opens_one_transition_however_often_it_is_delivered() -> None:
    asked = request(manual=True, request="request-1")
    state = claim(steady(), asked, NOON)
    assert state is not None
    ended = replace(state, phase=Phase.STEADY, transition=None)
    assert claim(ended, asked, NOON) is None
    assert claim(ended, replace(asked, request="request-2"), NOON) is not None


def test_the_requests_remembered_are_bounded() -> None:
    state = steady()
    for number in range(REQUESTS_KEPT + 9):
        found = claim(state, request(manual=number % 2 == 0, request=f"request-{number}"), NOON)
        assert found is not None
        state = replace(found, phase=Phase.STEADY, transition=None)
    assert len(state.requests) == REQUESTS_KEPT
    assert state.requests[-1] == f"request-{REQUESTS_KEPT + 8}"


def test_i5_a_claim_is_refused_where_the_target_was_not_verified_just_now() -> None:
    for manual in (False, True):
        asked = request(manual=manual, verified_at=NOON)
        assert claim(steady(), asked, NOON + VERIFIED_WITHIN) is not None
        assert claim(steady(), asked, NOON + VERIFIED_WITHIN + S) is None
        assert claim(steady(), asked, NOON - CLOCKS_AGREE) is not None
        assert claim(steady(), asked, NOON - CLOCKS_AGREE - S) is None


def test_a_request_answered_without_a_move_is_remembered_once_and_opens_none_later() -> None:
    held = remember_request(steady(requests=("old",)), "request-1")
    assert held == steady(requests=("old", "request-1"))
    assert remember_request(held, "request-1") is None
    assert remember_request(held, "") is None
    assert claim(held, request(manual=True, request="request-1"), NOON) is None
    full = steady(requests=tuple(f"request-{number}" for number in range(REQUESTS_KEPT)))
    following = remember_request(full, "newest")
    assert following is not None
    assert following.requests == (*full.requests[1:], "newest")


@pytest.mark.parametrize("manual", [True, False])
def test_i20_the_event_of_a_claim_is_remembered_and_opens_no_second_one(manual: bool) -> None:
    found = claim(steady(), request(manual=manual, request="event-1"), NOON)
    assert found is not None
    assert found.requests == ("event-1",)
    later = replace(found, phase=Phase.STEADY, transition=None)
    assert claim(later, request(manual=manual, request="event-1"), NOON) is None


# lease


@pytest.mark.parametrize(
    ("epoch", "owner", "after", "allowed"),
    [
        (8, "a", 0 * S, True),
        (8, "a", LEASE - S, True),
        (8, "a", LEASE, False),  # the lease is over
        (8, "b", 0 * S, False),  # another's lease
        (7, "a", 0 * S, False),  # an older epoch
        (9, "a", 0 * S, False),  # an epoch that is not there
    ],
)
def test_only_the_leaseholder_of_the_open_epoch_may_act(
    epoch: int, owner: str, after: timedelta, allowed: bool
) -> None:
    assert (may_act(moving(), epoch, owner, NOON + after) is not None) is allowed


def test_nobody_may_act_on_a_halted_or_ended_transition() -> None:
    assert may_act(moving(phase=Phase.NEEDS_OPERATOR), 8, "a", NOON) is None
    assert may_act(steady(), 7, "a", NOON) is None


ACTS: list[Callable[[PlanState, int, str, datetime], object]] = [
    lambda state, epoch, owner, now: start_steps(state, epoch, owner, {ZONE_STEP.key: "{}"}, now),
    lambda state, epoch, owner, now: stop(state, epoch, owner, "why", now),
    lambda state, epoch, owner, now: retake_snapshot(state, epoch, owner, SSM_STEP.key, "{}", now),
    need_operator,
    give_up_lease,
]


@pytest.mark.parametrize("act", ACTS)
def test_a_worker_that_lost_its_lease_changes_nothing_any_more(
    act: Callable[[PlanState, int, str, datetime], object],
) -> None:
    assert act(moving(), 8, "a", NOON) is not None
    assert act(moving(), 8, "a", NOON + LEASE) is None
    assert act(moving(), 8, "b", NOON) is None
    assert act(moving(), 7, "a", NOON) is None
    taken = take_over(moving(), "b", NOON + LEASE)
    assert taken is not None
    assert act(taken, 8, "a", NOON + LEASE) is None


def test_a_transition_is_taken_over_only_once_its_lease_has_expired() -> None:
    assert take_over(moving(), "b", NOON + LEASE - S) is None
    taken = take_over(moving(), "b", NOON + LEASE)
    assert opened(taken).lease == Lease("b", NOON + 2 * LEASE)
    assert take_over(steady(), "b", NOON) is None


def test_taking_over_keeps_epoch_steps_and_target() -> None:
    begun = start_steps(moving(), 8, "a", {ZONE_STEP.key: "seen"}, NOON)
    assert begun is not None
    taken = take_over(begun, "b", NOON + LEASE)
    assert taken is not None
    assert (taken.epoch, opened(taken).steps) == (8, opened(begun).steps)


def test_a_lease_given_up_lets_the_next_tick_go_on_at_once() -> None:
    left = give_up_lease(moving(), 8, "a", NOON)
    assert left is not None
    assert opened(left).lease == Lease("a", NOON)
    assert take_over(left, "b", NOON) is not None


def test_a_halted_transition_is_taken_over_into_moving() -> None:
    halted = need_operator(moving(), 8, "a", NOON)
    assert halted is not None
    assert halted.phase is Phase.NEEDS_OPERATOR
    assert opened(halted).lease == Lease("a", NOON)
    taken = take_over(halted, "b", NOON)
    assert taken is not None
    assert taken.phase is Phase.MOVING


# steps


def test_steps_are_recorded_as_doing_with_what_was_there() -> None:
    state = start_steps(moving(), 8, "a", {ZONE_STEP.key: "seen"}, NOON)
    step = opened(state).step(ZONE_STEP.key)
    assert step is not None
    assert (step.status, step.before, step.attempts) == (StepStatus.DOING, "seen", 1)
    assert opened(state).step(SSM_STEP.key) == SSM_STEP


def test_what_a_first_attempt_saw_is_kept_by_the_second() -> None:
    state = start_steps(moving(), 8, "a", {ZONE_STEP.key: "first"}, NOON)
    assert state is not None
    again = start_steps(state, 8, "a", {ZONE_STEP.key: "second"}, NOON)
    step = opened(again).step(ZONE_STEP.key)
    assert step is not None
    assert (step.before, step.attempts) == ("first", 2)


def test_a_step_started_again_is_the_new_workers_with_its_failure_forgotten() -> None:
    failed = finish_step(moving(), 8, SSM_STEP.key, StepStatus.FAILED, "throttled", NOON)
    assert failed is not None
    step = opened(start_steps(failed, 8, "a", {SSM_STEP.key: "seen"}, NOON)).step(SSM_STEP.key)
    assert step == replace(SSM_STEP, status=StepStatus.DOING, attempts=1, owner="a", before="seen", detail="")


@pytest.mark.parametrize("status", sorted(SETTLED))
def test_steps_after_a_settled_or_unknown_one_are_started_all_the_same(status: StepStatus) -> None:
    state = finish_step(moving(), 8, ZONE_STEP.key, status, "", NOON)
    assert state is not None
    before = {"ssm x /y": "seen", ZONE_STEP.key: "seen", SSM_STEP.key: "seen"}
    step = opened(start_steps(state, 8, "a", before, NOON)).step(SSM_STEP.key)
    assert step is not None
    assert step.status is StepStatus.DOING


@pytest.mark.parametrize("status", sorted(SETTLED))
def test_a_settled_step_is_never_started_claimed_sent_or_finished_again(status: StepStatus) -> None:
    state = finish_step(moving(), 8, LINODE_STEP.key, status, "", NOON)
    assert state is not None
    restarted = start_steps(state, 8, "a", {LINODE_STEP.key: "again"}, NOON)
    assert opened(restarted).step(LINODE_STEP.key) == opened(state).step(LINODE_STEP.key)
    assert claim_step(state, 8, LINODE_STEP.key, "b", "", NOON) is None
    assert mark_sent(state, 8, LINODE_STEP.key, "C1", NOON) is None
    assert finish_step(state, 8, LINODE_STEP.key, StepStatus.FAILED, "", NOON) is None


def test_a_step_unknown_to_the_transition_changes_nothing() -> None:
    assert start_steps(moving(), 8, "a", {"ssm x /y": "seen"}, NOON) == moving()
    assert claim_step(moving(), 8, "ssm x /y", "b", "", NOON) is None
    assert mark_sent(moving(), 8, "ssm x /y", "C1", NOON) is None
    assert finish_step(moving(), 8, "ssm x /y", StepStatus.DONE, "", NOON) is None


def test_a_step_is_named_by_kind_region_and_subject() -> None:
    assert Step(StepKind.SSM, "/orders/active-region", WEST).key == "ssm us-west-2 /orders/active-region"
    assert Step(StepKind.LINODE, "records").key == "linode records"


def test_an_executor_claims_its_step_with_the_epoch() -> None:
    state = claim_step(moving(), 8, LINODE_STEP.key, "linode", "seen", NOON)
    step = opened(state).step(LINODE_STEP.key)
    assert step is not None
    assert (step.owner, step.claimed_until, step.before) == ("linode", NOON + STEP_LEASE, "seen")
    assert (step.status, step.attempts) == (StepStatus.DOING, 1)
    assert claim_step(moving(), 7, LINODE_STEP.key, "linode", "", NOON) is None
    assert claim_step(moving(), 9, LINODE_STEP.key, "linode", "", NOON) is None
    assert claim_step(moving(phase=Phase.NEEDS_OPERATOR), 8, LINODE_STEP.key, "linode", "", NOON) is None
    assert claim_step(steady(), 8, LINODE_STEP.key, "linode", "", NOON) is None


def test_a_claimed_step_is_another_executors_only_after_its_claim_has_expired() -> None:
    state = claim_step(moving(), 8, LINODE_STEP.key, "one", "", NOON)
    assert state is not None

    def claimed(owner: str, now: datetime) -> bool:
        verified = replace(state, transition=replace(opened(state), verified_at=now))
        return claim_step(verified, 8, LINODE_STEP.key, owner, "", now) is not None

    assert not claimed("two", NOON + S)
    assert not claimed("two", NOON + STEP_LEASE - S)
    assert claimed("one", NOON + S)
    assert claimed("two", NOON + STEP_LEASE)


@pytest.mark.parametrize("status", [StepStatus.PENDING, StepStatus.FAILED])
def test_a_claim_counts_only_while_its_step_is_being_done(status: StepStatus) -> None:
    state = claim_step(moving(), 8, LINODE_STEP.key, "one", "", NOON)
    step = opened(state).step(LINODE_STEP.key)
    assert step is not None
    left = moving(transition=opened(state).with_step(replace(step, status=status)))
    assert claim_step(left, 8, LINODE_STEP.key, "two", "", NOON) is not None


def test_a_step_that_the_runner_has_begun_and_nobody_claimed_is_to_be_had() -> None:
    state = start_steps(moving(), 8, "a", {LINODE_STEP.key: "seen"}, NOON)
    assert state is not None
    step = opened(claim_step(state, 8, LINODE_STEP.key, "linode", "later", NOON)).step(LINODE_STEP.key)
    assert step is not None
    assert (step.owner, step.before, step.attempts) == ("linode", "seen", 2)


def test_i5_a_step_is_not_claimed_towards_a_target_verified_too_long_ago() -> None:
    late = NOON + VERIFIED_WITHIN
    assert claim_step(moving(), 8, LINODE_STEP.key, "one", "", late) is not None
    assert claim_step(moving(), 8, LINODE_STEP.key, "one", "", late + S) is None


def test_taking_over_renews_the_verification_only_where_the_target_was_seen_healthy() -> None:
    now = NOON + LEASE
    assert opened(take_over(moving(), "b", now, now)).verified_at == now
    assert opened(take_over(moving(), "b", now)).verified_at == NOON


def test_i17_a_pause_stops_the_effects_of_an_automatic_transition_midway() -> None:
    paused = moving(paused=True)
    assert may_act(paused, 8, "a", NOON) is None
    assert claim_step(paused, 8, LINODE_STEP.key, "one", "", NOON) is None
    by_hand = replace(paused, transition=replace(opened(paused), manual=True))
    assert may_act(by_hand, 8, "a", NOON) is not None
    assert claim_step(by_hand, 8, LINODE_STEP.key, "one", "", NOON) is not None


def test_a_failed_step_is_to_be_had_again() -> None:
    state = claim_step(moving(), 8, LINODE_STEP.key, "one", "", NOON)
    assert state is not None
    failed = finish_step(state, 8, LINODE_STEP.key, StepStatus.FAILED, "no", NOON)
    assert failed is not None
    step = opened(claim_step(failed, 8, LINODE_STEP.key, "two", "", NOON)).step(LINODE_STEP.key)
    assert step is not None
    assert (step.attempts, step.detail) == (2, "")


def test_a_failed_steps_claim_is_over_whatever_it_lacked() -> None:
    state = claim_step(moving(), 8, LINODE_STEP.key, "one", "", NOON)
    assert state is not None
    failed = opened(finish_step(state, 8, LINODE_STEP.key, StepStatus.FAILED, "404", NOON)).step(
        LINODE_STEP.key
    )
    assert failed is not None
    assert (failed.status, failed.detail) == (StepStatus.FAILED, "404")
    assert (failed.claimed_until, failed.done_at) == (None, None)


@pytest.mark.parametrize(
    ("status", "done_at"), [(StepStatus.DONE, NOON), (StepStatus.OWED, None), (StepStatus.FAILED, None)]
)
def test_only_a_step_that_is_done_has_a_time_at_which_it_was(
    status: StepStatus, done_at: datetime | None
) -> None:
    step = opened(finish_step(moving(), 8, ZONE_STEP.key, status, "why", NOON)).step(ZONE_STEP.key)
    assert step is not None
    assert (step.status, step.detail, step.done_at) == (status, "why", done_at)


def test_the_first_sending_stays_on_record() -> None:
    state = mark_sent(moving(), 8, ZONE_STEP.key, "C1", NOON)
    assert state is not None
    step = opened(mark_sent(state, 8, ZONE_STEP.key, "C2", NOON + S)).step(ZONE_STEP.key)
    assert step is not None
    assert (step.change_id, step.sent_at) == ("C2", NOON)


@pytest.mark.parametrize("epoch", [7, 9])
def test_a_step_of_another_epoch_is_neither_sent_nor_finished_nor_completed(epoch: int) -> None:
    assert mark_sent(moving(), epoch, ZONE_STEP.key, "C1", NOON) is None
    assert finish_step(moving(), epoch, ZONE_STEP.key, StepStatus.DONE, "", NOON) is None
    assert complete(settled(), epoch, COOLDOWN, NOON) is None


def test_a_snapshot_is_taken_anew_only_while_no_effect_of_its_step_has_happened() -> None:
    begun = start_steps(moving(), 8, "a", {ZONE_STEP.key: "first", SSM_STEP.key: "other"}, NOON)
    assert begun is not None
    before = opened(begun).step(ZONE_STEP.key)
    assert before is not None
    after = opened(retake_snapshot(begun, 8, "a", ZONE_STEP.key, "second", NOON))
    assert after == opened(begun).with_step(replace(before, before="second"))
    assert retake_snapshot(begun, 8, "a", "ssm x /y", "second", NOON) is None
    sent = mark_sent(begun, 8, ZONE_STEP.key, "C1", NOON)
    assert sent is not None
    assert retake_snapshot(sent, 8, "a", ZONE_STEP.key, "second", NOON) is None
    for status in SETTLED:
        done = finish_step(begun, 8, ZONE_STEP.key, status, "", NOON)
        assert done is not None
        assert retake_snapshot(done, 8, "a", ZONE_STEP.key, "second", NOON) is None


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (-CLOCKS_AGREE - S, False),  # a time that no clock near ours can have written
        (-CLOCKS_AGREE, True),
        (0 * S, True),
        (LATE_WRITERS_WITHIN, True),
        (LATE_WRITERS_WITHIN + S, False),
    ],
)
def test_late_writers_are_looked_for_only_for_a_while_after_a_move(after: timedelta, expected: bool) -> None:
    moved = steady(moved_at=NOON)
    assert may_have_late_writers(moved, NOON + after) is expected
    assert not may_have_late_writers(replace(moved, paused=True), NOON + after)
    assert not may_have_late_writers(moving(moved_at=NOON), NOON + after)
    assert not may_have_late_writers(steady(), NOON + after)


# ends


@pytest.mark.parametrize("status", [status for status in StepStatus if status not in SETTLED])
@pytest.mark.parametrize("key", [step.key for step in STEPS])
def test_a_transition_is_complete_only_once_every_step_is_settled(key: str, status: StepStatus) -> None:
    state = settled()
    transition = opened(state)
    step = transition.step(key)
    assert step is not None
    open_again = replace(state, transition=transition.with_step(replace(step, status=status)))
    assert complete(open_again, 8, COOLDOWN, NOON) is None
    assert complete(state, 8, COOLDOWN, NOON) is not None


def test_completion_moves_active_starts_the_cooldown_and_keeps_what_is_owed() -> None:
    state = moving()
    for key, status in ((ZONE_STEP.key, "done"), (LINODE_STEP.key, "done"), (SSM_STEP.key, "owed")):
        state = finish_step(state, 8, key, StepStatus(status), "", NOON) or state
    found = complete(state, 8, COOLDOWN, NOON)
    assert found is not None
    after, ended = found
    assert (after.active, after.phase, after.transition) == (WEST, Phase.STEADY, None)
    assert (after.cooldown_until, after.moved_at) == (NOON + COOLDOWN, NOON)
    assert [step.key for step in after.owed] == [SSM_STEP.key]
    assert (ended.outcome, ended.ended_at, ended.epoch) == ("completed", NOON, 8)


@pytest.mark.parametrize("status", [status for status in StepStatus if status is not StepStatus.PENDING])
def test_a_transition_that_has_begun_is_never_stopped(status: StepStatus) -> None:
    transition = opened(moving()).with_step(replace(SSM_STEP, status=status))
    assert has_begun(transition)
    assert stop(moving(transition=transition), 8, "a", "why", NOON) is None


def test_a_transition_of_which_nothing_has_begun_is_stopped_where_it_was() -> None:
    found = stop(moving(), 8, "a", "the source is back", NOON)
    assert found is not None
    state, ended = found
    assert (state.active, state.phase, state.transition, state.epoch) == (EAST, Phase.STEADY, None, 8)
    assert (state.cooldown_until, state.moved_at) == (None, None)
    assert (ended.outcome, ended.ended_at) == ("stopped: the source is back", NOON)


def test_a_debt_is_settled_once_and_only_in_its_own_epoch() -> None:
    state = steady(owed=(SSM_STEP, replace(SSM_STEP, region=WEST)))
    paid = settle_owed(state, 7, SSM_STEP.key)
    assert paid is not None
    assert [step.region for step in paid.owed] == [WEST]
    assert settle_owed(paid, 7, SSM_STEP.key) is None
    assert settle_owed(state, 6, SSM_STEP.key) is None


def test_a_whole_move_takes_over_the_debts_as_its_own_steps() -> None:
    found = complete(replace(settled(), owed=(SSM_STEP,)), 8, COOLDOWN, NOON)
    assert found is not None
    assert found[0].owed == ()


@pytest.mark.parametrize(
    ("before", "asked"),
    [
        ({}, {"direction": Direction.FAILBACK, "share": 10}),
        ({"share": 10}, {"direction": Direction.FAILBACK, "share": 50}),
        ({"share": 50}, {"source": WEST, "target": EAST, "share": 0}),
    ],
)
def test_a_step_of_a_failback_settles_no_debt(before: dict[str, int], asked: dict[str, object]) -> None:
    """No step of it writes a parameter."""
    claimed = claim(steady(owed=(SSM_STEP,), **before), request(steps=(ZONE_STEP,), **asked), NOON)
    assert claimed is not None
    assert claimed.owed == (SSM_STEP,)
    done = finish_step(claimed, 8, ZONE_STEP.key, StepStatus.DONE, "", NOON)
    assert done is not None
    found = complete(done, 8, COOLDOWN, NOON)
    assert found is not None
    assert found[0].owed == (SSM_STEP,)
    assert settle_owed(found[0], 8, SSM_STEP.key) is not None


def test_a_move_that_is_stopped_before_any_effect_settles_no_debt() -> None:
    claimed = claim(steady(owed=(SSM_STEP,)), request(), NOON)
    assert claimed is not None
    found = stop(claimed, 8, "a", "the source is back", NOON)
    assert found is not None
    assert found[0].owed == (SSM_STEP,)


# notices


def test_a_notice_goes_out_once_within_its_time() -> None:
    notice, hour = Notice("hold x", "subject", "text", NOON), timedelta(hours=1)
    state = add_notice(steady(), notice, hour)
    assert state is not None
    assert state.outbox == (notice,)
    assert add_notice(state, replace(notice, at=NOON + hour - S), hour) is None
    again = add_notice(state, replace(notice, at=NOON + hour), hour)
    assert again is not None
    assert add_notice(state, replace(notice, key="hold y"), hour) is not None


def test_what_was_told_long_ago_is_forgotten_so_that_the_record_is_bounded() -> None:
    state = steady()
    for number in range(50):
        at = NOON + number * timedelta(minutes=30)
        state = add_notice(state, Notice(f"key {number}", "s", "t", at), timedelta(hours=1)) or state
    assert len(state.noticed) <= 3


def test_a_key_told_just_again_after_ago_is_forgotten() -> None:
    hour = timedelta(hours=1)
    state = add_notice(
        steady(noticed={"old": NOON - hour, "new": NOON - hour + S}), Notice("k", "s", "t", NOON), hour
    )
    assert state is not None
    assert state.noticed == {"new": NOON - hour + S, "k": NOON}


def test_of_notices_that_cannot_be_sent_the_newest_are_kept() -> None:
    state = steady()
    for number in range(OUTBOX_KEPT + 2):
        state = add_notice(state, Notice(f"key {number}", "s", "t", NOON), COOLDOWN) or state
    assert [notice.key for notice in state.outbox] == [f"key {n}" for n in range(2, OUTBOX_KEPT + 2)]


def test_a_notices_text_is_cut_to_what_the_record_has_room_for() -> None:
    text = "a" * LONGEST_TEXT
    assert notice_of("k", "s", text + "b", NOON) == Notice("k", "s", text, NOON)
    assert notice_of("k", "s", text, NOON) == Notice("k", "s", text, NOON)


def test_what_is_shortened_says_so_and_is_no_longer_than_it_may_be() -> None:
    assert shortened("abcd", 4) == "abcd"
    assert shortened("abcde", 4) == "abc…"


def test_a_notice_leaves_the_record_only_once_it_was_sent() -> None:
    notice = Notice("hold x", "subject", "text", NOON)
    state = add_notice(steady(), notice, COOLDOWN)
    assert state is not None
    dropped = drop_notice(state, notice)
    assert dropped is not None
    assert dropped.outbox == ()
    assert dropped.noticed == state.noticed
    assert drop_notice(dropped, notice) is None


# any sequence of operations

KEYS = [step.key for step in STEPS]
OWNERS = st.sampled_from(["a", "b"])
EPOCHS = st.integers(6, 11)
OPERATIONS = st.one_of(
    st.tuples(st.just("claim"), OWNERS, st.sampled_from([EAST, WEST]), st.booleans()),
    st.tuples(st.just("start"), EPOCHS, OWNERS, st.sampled_from(KEYS)),
    st.tuples(st.just("finish"), EPOCHS, st.sampled_from(KEYS), st.sampled_from(list(StepStatus))),
    st.tuples(st.just("complete"), EPOCHS),
    st.tuples(st.just("take_over"), OWNERS),
    st.tuples(st.just("stop"), EPOCHS, OWNERS),
    st.tuples(st.just("need_operator"), EPOCHS, OWNERS),
    st.tuples(st.just("wait"), st.integers(1, 4000)),
)


def apply(state: PlanState, now: datetime, operation: tuple[object, ...]) -> PlanState | None:
    name, *given_ = operation
    source = given_[1] if name == "claim" else ""
    runs: dict[object, Callable[..., object]] = {
        "claim": lambda owner, _, manual: claim(
            state,
            request(source=source, target=WEST if source == EAST else EAST, owner=owner, manual=manual),
            now,
        ),
        "start": lambda epoch, owner, key: start_steps(state, epoch, owner, {key: "{}"}, now),
        "finish": lambda epoch, key, status: finish_step(state, epoch, key, status, "", now),
        "complete": lambda epoch: complete(state, epoch, COOLDOWN, now),
        "take_over": lambda owner: take_over(state, owner, now),
        "stop": lambda epoch, owner: stop(state, epoch, owner, "why", now),
        "need_operator": lambda epoch, owner: need_operator(state, epoch, owner, now),
    }
    found = runs[name](*given_)
    following = found[0] if isinstance(found, tuple) else found
    assert following is None or isinstance(following, PlanState)
    return following


@given(st.lists(OPERATIONS, max_size=40))
def test_whatever_happens_epochs_grow_and_traffic_moves_only_by_completion(
    operations: list[tuple[object, ...]],
) -> None:
    state, now, last_move = steady(), NOON, None
    for operation in operations:
        if operation[0] == "wait":
            now += timedelta(seconds=int(str(operation[1])))
            continue
        following = apply(state, now, operation)
        if following is None:
            continue
        assert following.epoch >= state.epoch
        assert (following.transition is None) == (following.phase is Phase.STEADY)
        if operation[0] == "claim":
            assert state.transition is None
            assert following.epoch == state.epoch + 1
            assert operation[3] or last_move is None or now - last_move >= COOLDOWN
        if following.active != state.active:
            assert operation[0] == "complete"
            assert state.transition is not None
            assert all(step.status in SETTLED for step in state.transition.steps)
            last_move = now
        state = following
