"""What is written to the state table is read back as it was; also by an older version."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given

from region_failover.domain.codec import dump, load_health, load_state, load_transition
from region_failover.domain.state import (
    Direction,
    Lease,
    Notice,
    Phase,
    PlanState,
    Step,
    StepKind,
    Transition,
)
from region_failover.domain.verdict import Health, HealthRecord, RegionHealth
from tests.fakes import EAST, NOON, WEST
from tests.strategies import HEALTHS, STATES, TRANSITIONS


@given(STATES)
def test_a_state_reads_back_as_it_was_written(state: PlanState) -> None:
    assert load_state(dump(state)) == state


@given(TRANSITIONS)
def test_a_transition_reads_back_as_it_was_written(transition: Transition) -> None:
    assert load_transition(dump(transition)) == transition


@given(HEALTHS)
def test_a_health_record_reads_back_as_it_was_written(record: HealthRecord) -> None:
    assert load_health(dump(record)) == record


def test_equal_records_are_equal_text() -> None:
    one = PlanState("orders", 1, 1, EAST, noticed={"a": NOON, "b": NOON})
    two = PlanState("orders", 1, 1, EAST, noticed={"b": NOON, "a": NOON})
    assert dump(one) == dump(two)


def test_a_rollback_reads_what_a_newer_version_wrote() -> None:
    step = Step(StepKind.SSM, "/active", EAST)
    lease = Lease("a", NOON + timedelta(seconds=120))
    transition = Transition(1, Direction.FAILOVER, EAST, WEST, "why", False, NOON, None, NOON, lease, (step,))
    state = PlanState("orders", 1, 1, EAST, Phase.MOVING, transition, outbox=(Notice("k", "s", "t", NOON),))
    newer = json.loads(dump(state))
    for inner in (newer, newer["transition"], newer["transition"]["steps"][0], newer["outbox"][0]):
        inner["from_the_future"] = {"x": 1}
    assert load_state(json.dumps(newer)) == state


def test_a_record_written_before_requests_were_kept_has_none() -> None:
    older = json.loads(dump(PlanState("orders", 1, 1, EAST)))
    del older["requests"]
    assert load_state(json.dumps(older)).requests == ()


def test_a_record_written_before_the_time_of_the_move_was_kept_has_none() -> None:
    older = json.loads(dump(PlanState("orders", 1, 1, EAST, moved_at=NOON)))
    del older["moved_at"]
    assert load_state(json.dumps(older)).moved_at is None


def test_a_health_record_written_before_our_own_faults_were_kept_has_none() -> None:
    older = json.loads(dump(HealthRecord("orders", 1, {EAST: RegionHealth(Health.UNKNOWN, NOON, NOON, ())})))
    del older["regions"][EAST]["ours"]
    assert load_health(json.dumps(older)).regions[EAST].ours is False


def test_what_has_no_place_in_a_record_is_not_written() -> None:
    with pytest.raises(TypeError, match="set has no place in a record"):
        dump(HealthRecord("orders", 1, {}, {"lag": {1}}))  # type: ignore[dict-item]


def test_no_transition_is_no_history() -> None:
    with pytest.raises(ValueError, match=r"^no transition$"):
        load_transition("null")
