"""What a tick says of a plan, when answers count as moved and when as late, and in which order steps come."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from region_failover.domain import dataplane
from region_failover.domain.dataplane import (
    HOME,
    TAKES_OVER,
    Follows,
    Order,
    SignalObject,
    answered_by,
    control_states,
    controlled_by,
    due,
    follows_within,
    has_traffic_moved,
    in_turn,
    is_overdue,
    level,
    object_obstacle,
    object_text,
    read_object,
    region_of_endpoint,
)
from region_failover.domain.plan import Plan, Role
from region_failover.domain.state import (
    Direction,
    Lease,
    Phase,
    PlanState,
    Step,
    StepKind,
    StepStatus,
    Transition,
    initial_state,
)
from region_failover.service.switches import plan_steps
from tests.fakes import EAST, NOON, PLAN, WEST, ZONE, with_policy
from tests.functional.test_data_plane import BY_ALARM, BY_ARC, BY_OBJECT, CONTROLS, FIRST, KEYED, PAIR

CLOSED, MOVED = ["192.0.2.20"], ["198.51.100.20"]


def moving(plan: Plan, *statuses: StepStatus, share: int | None = None) -> PlanState:
    """Return a state in mid-failover whose steps have these statuses, in the plan's order."""
    steps = [replace(step, status=status) for step, status in zip(plan_steps(plan), statuses, strict=True)]
    transition = Transition(
        epoch=1,
        direction=Direction.FAILOVER,
        source=EAST,
        target=WEST,
        reason="seen",
        manual=False,
        started_at=NOON,
        detected_at=None,
        verified_at=NOON,
        lease=Lease("worker", NOON),
        steps=tuple(steps),
        share=share,
    )
    return replace(initial_state("orders", 1, EAST), phase=Phase.MOVING, transition=transition)


@pytest.mark.parametrize(("active", "role"), [(EAST, Role.PRIMARY), (WEST, Role.STANDBY)])
def test_at_rest_a_tick_says_where_the_traffic_is(active: str, role: Role) -> None:
    assert level(BY_ALARM, initial_state("orders", 3, active)) is role


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (StepStatus.PENDING, Role.PRIMARY),
        (StepStatus.DOING, None),
        (StepStatus.FAILED, None),
        (StepStatus.DONE, Role.STANDBY),
    ],
)
def test_in_a_transition_a_tick_says_only_what_has_not_begun_or_is_done(
    status: StepStatus, said: Role | None
) -> None:
    assert level(BY_ALARM, moving(BY_ALARM, status)) is said


def test_with_two_pairs_on_one_signal_both_must_be_done_or_none_begun() -> None:
    both = replace(BY_ALARM, health_checks=(PAIR, replace(PAIR, name="web.example.com")))
    assert level(both, moving(both, StepStatus.DONE, StepStatus.PENDING)) is None
    assert level(both, moving(both, StepStatus.DONE, StepStatus.DONE)) is Role.STANDBY


def test_of_a_transition_that_does_not_know_the_switch_a_tick_says_nothing() -> None:
    known = moving(BY_ARC, StepStatus.DONE)
    assert level(BY_ALARM, known) is None


def test_while_a_share_is_on_trial_the_rest_is_what_a_tick_speaks_of() -> None:
    assert level(BY_ALARM, moving(BY_ALARM, StepStatus.DONE, share=10)) is Role.PRIMARY


@pytest.mark.parametrize(
    ("answers", "role"),
    [
        ([MOVED, MOVED], Role.STANDBY),
        ([CLOSED], Role.PRIMARY),
        ([CLOSED, MOVED], None),
        ([[]], None),
        ([], None),
        ([[*CLOSED, *MOVED]], None),
        ([MOVED, ["203.0.113.1"]], None),
    ],
)
def test_all_name_servers_that_answer_must_give_one_regions_values(
    answers: list[list[str]], role: Role | None
) -> None:
    assert answered_by(PAIR, [frozenset(answer) for answer in answers]) is role


def test_names_are_compared_without_case_and_last_dot() -> None:
    names = replace(PAIR, type="CNAME", primary=("A.example.net",), standby=("b.example.net.",))
    assert answered_by(names, [frozenset({"B.EXAMPLE.net"})]) is Role.STANDBY
    texts = replace(PAIR, type="TXT", primary=("Primary",), standby=("standby",))
    assert answered_by(texts, [frozenset({"Primary"})]) is Role.PRIMARY
    assert answered_by(texts, [frozenset({"primary"})]) is None


def test_answers_follow_within_the_checks_own_times() -> None:
    assert follows_within(PAIR) == timedelta(seconds=240)
    assert follows_within(KEYED) == timedelta(seconds=10 * 4 + 60)
    assert follows_within(replace(KEYED, interval_s=30, threshold=10)) == timedelta(seconds=30 * 11 + 60)
    late = NOON + follows_within(PAIR)
    assert not is_overdue(PAIR, NOON, late)
    assert is_overdue(PAIR, NOON, late + timedelta(seconds=1))
    assert not is_overdue(PAIR, None, late + timedelta(days=1))


@pytest.mark.parametrize(("active", "words", "other"), [(WEST, TAKES_OVER, HOME), (EAST, HOME, TAKES_OVER)])
def test_an_object_says_who_has_the_traffic_and_who_wrote_it(active: str, words: str, other: str) -> None:
    text = object_text(BY_OBJECT, 7, active)
    assert words in text
    assert other not in text
    fence = read_object(SignalObject("tag", text))
    assert fence is not None
    assert (fence.plan, fence.epoch, fence.active) == ("orders", 7, active)


def test_neither_word_holds_the_other() -> None:
    assert TAKES_OVER not in HOME
    assert HOME not in TAKES_OVER


def test_an_object_may_be_replaced_where_it_is_ours_and_older_or_not_there() -> None:
    def obstacle(text: str) -> str:
        return object_obstacle(BY_OBJECT, 2, KEYED, SignalObject("tag", text))

    assert object_obstacle(BY_OBJECT, 2, KEYED, None) == ""
    assert obstacle(object_text(BY_OBJECT, 2, EAST)) == ""
    assert "epoch 3" in obstacle(object_text(BY_OBJECT, 3, EAST))
    assert "not orders's" in obstacle("")
    assert "not orders's" in obstacle(object_text(replace(BY_OBJECT, name="other"), 1, EAST))


def test_of_two_routing_controls_exactly_one_is_on() -> None:
    for role in Role:
        states = control_states(CONTROLS, role)
        assert sorted(states.values()) == [False, True]
        assert controlled_by(CONTROLS, states) is role
    assert control_states(CONTROLS, Role.STANDBY)[CONTROLS.standby]
    for both in (True, False):
        assert controlled_by(CONTROLS, {CONTROLS.primary: both, CONTROLS.standby: both}) is None


@given(st.integers(0, 1000))
def test_every_endpoint_is_tried_once_wherever_one_begins(start: int) -> None:
    order = in_turn(CONTROLS, start)
    assert sorted(order) == sorted(CONTROLS.endpoints)
    assert order[0] == CONTROLS.endpoints[start % 5]


def test_an_endpoint_says_its_region() -> None:
    assert region_of_endpoint(CONTROLS.endpoints[2]) == "eu-west-1"


STATUSES = st.sampled_from([s for s in StepStatus if s is not StepStatus.OWED])


@given(STATUSES, STATUSES)
def test_data_plane_first_a_zone_waits_only_for_what_may_still_be_done(
    zone: StepStatus, check: StepStatus
) -> None:
    transition = moving(FIRST, zone, check).transition
    assert transition is not None
    kinds = [step.kind for step in due(FIRST, transition)]
    assert (StepKind.HEALTH_CHECK in kinds) == (check is not StepStatus.DONE)
    waits = check not in {StepStatus.DONE, StepStatus.FAILED}
    assert (StepKind.ROUTE53 in kinds) == (zone is not StepStatus.DONE and not waits)


@given(STATUSES, STATUSES)
def test_together_every_open_step_is_due(zone: StepStatus, check: StepStatus) -> None:
    plan = with_policy(FIRST, order=Order.TOGETHER.value)
    transition = moving(plan, zone, check).transition
    assert transition is not None
    assert len(due(plan, transition)) == sum(status is not StepStatus.DONE for status in (zone, check))


def test_the_other_steps_wait_for_nothing() -> None:
    plan = replace(FIRST, linode_records=PLAN.linode_records, ssm_parameters=PLAN.ssm_parameters)
    transition = moving(plan, *(StepStatus.PENDING for _ in plan_steps(plan))).transition
    assert transition is not None
    assert {step.kind for step in due(plan, transition)} == {
        StepKind.LINODE,
        StepKind.SSM,
        StepKind.HEALTH_CHECK,
    }


@pytest.mark.parametrize(
    ("order", "zone", "check", "moved"),
    [
        (Order.TOGETHER, StepStatus.DONE, StepStatus.DONE, True),
        (Order.TOGETHER, StepStatus.FAILED, StepStatus.DONE, False),
        (Order.TOGETHER, StepStatus.DONE, StepStatus.DOING, False),
        (Order.DATA_PLANE_FIRST, StepStatus.FAILED, StepStatus.DONE, True),
        (Order.DATA_PLANE_FIRST, StepStatus.DONE, StepStatus.FAILED, False),
    ],
)
def test_traffic_has_moved_when_all_that_moves_it_is_done(
    order: Order, zone: StepStatus, check: StepStatus, moved: bool
) -> None:
    plan = with_policy(FIRST, order=order.value)
    transition = moving(plan, zone, check).transition
    assert transition is not None
    assert has_traffic_moved(plan, transition) is moved


def test_without_a_data_plane_the_order_changes_nothing() -> None:
    plan = with_policy(
        replace(PLAN, linode_records=(), ssm_parameters=()), order=Order.DATA_PLANE_FIRST.value
    )
    transition = moving(plan, StepStatus.FAILED).transition
    assert transition is not None
    assert [step.subject for step in due(plan, transition)] == [ZONE]
    assert not has_traffic_moved(plan, transition)


def test_what_follows_an_object_reads_for_itself_what_was_there() -> None:
    check = Step(StepKind.HEALTH_CHECK, "www.example.com A")
    assert dataplane.is_of_its_source(BY_ALARM, check)
    assert not dataplane.is_of_its_source(BY_OBJECT, check)
    assert not dataplane.is_of_its_source(PLAN, check)
    assert Follows(KEYED.follows) is Follows.OBJECT
