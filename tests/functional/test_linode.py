"""Linode has no compare-and-swap: claim, look, write, read back, report (I2, I6, I8, I20)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from region_failover.domain.errors import MalformedEvent
from region_failover.domain.state import LATE_WRITERS_WITHIN, STEP_LEASE, Phase, StepStatus
from region_failover.domain.trigger import SWITCH_REQUESTED
from region_failover.ports import LinodeRecordState
from region_failover.service.linode import handle_linode
from tests.fakes import EAST, PARAMETER, PLAN, TIMED_OUT, WEST, Killed, World, rounded

KEY = "linode records"
TWO = replace(
    PLAN,
    linode_records=(
        PLAN.linode_records[0],
        replace(
            PLAN.linode_records[0], name="", ttl_sec=300, primary="203.0.113.11", standby="198.51.100.51"
        ),
    ),
)
STANDBYS = ["198.51.100.50", "198.51.100.51"]


@pytest.fixture
def world() -> World:
    """A world in which a failover has done all but Linode."""
    world = World(TWO)
    world.tick()
    world.outage()
    world.failover()
    return world


def targets(world: World) -> list[str]:
    return [record.target for record in world.linode.records[123456]]


def detail(world: World) -> dict[str, object]:
    return world.events.of(SWITCH_REQUESTED)[0]


def test_every_record_is_pointed_and_read_back_and_completes_the_transition(world: World) -> None:
    (answer,) = world.deliver_switch()
    assert (answer["status"], answer["epoch"]) == ("done", 1)
    assert targets(world) == STANDBYS
    assert (world.state.phase, world.state.active) == (Phase.STEADY, WEST)


def test_what_was_there_before_is_in_the_journal(world: World) -> None:
    world.deliver_switch()
    step = world.history()[0].step(KEY)
    assert step is not None
    assert '"203.0.113.10"' in step.before
    assert '"203.0.113.11"' in step.before


def test_a_record_that_is_right_already_is_not_written(world: World) -> None:
    record = world.linode.records[123456][0]
    world.linode.records[123456][0] = replace(record, target=STANDBYS[0])
    world.deliver_switch()
    assert [target for _, target, _ in world.linode.writes] == [STANDBYS[1]]


def test_a_request_delivered_again_has_one_effect(world: World) -> None:
    world.deliver_switch()
    writes = len(world.linode.writes)
    for _ in range(3):
        assert world.linode_dns(detail(world))["status"] == "looked at again"
    assert len(world.linode.writes) == writes
    assert world.state.epoch == 1


def test_two_requests_at_once_are_one_claim(world: World) -> None:
    second: list[object] = []
    world.faults.before("linode.point", lambda: second.append(world.linode_dns(detail(world))["reason"]))
    world.deliver_switch()
    assert second == ["lost-the-claim"]
    assert targets(world) == STANDBYS


@pytest.mark.parametrize("epoch", [0, 2])
def test_a_request_of_another_epoch_has_no_effect(world: World, epoch: int) -> None:
    assert world.linode_dns({**detail(world), "epoch": epoch})["reason"] == "lost-the-claim"
    assert world.linode.writes == []


def test_a_stale_request_has_no_effect(world: World) -> None:
    event = world.own_event(SWITCH_REQUESTED, detail(world), world.clock.now() - timedelta(seconds=901))
    assert world._deliver(handle_linode, event, None, 60)["reason"] == "stale-event"
    assert world.linode.writes == []


def test_a_target_that_is_in_no_plan_is_refused_and_told(world: World) -> None:
    record = world.linode.records[123456][0]
    world.linode.records[123456][0] = replace(record, target="192.0.2.77")
    (answer,) = world.deliver_switch()
    assert answer["status"] == "failed"
    assert "192.0.2.77, which is in no plan" in str(answer["detail"])
    assert targets(world) == ["192.0.2.77", STANDBYS[1]]
    assert world.state.phase is Phase.MOVING
    assert world.notifier.about("Linode's records are not switched yet")


@pytest.mark.parametrize("count", [0, 2])
def test_not_exactly_one_record_is_refused(world: World, count: int) -> None:
    record = world.linode.records[123456].pop(0)
    world.linode.records[123456] += [replace(record, id=90 + n) for n in range(count)]
    (answer,) = world.deliver_switch()
    assert f"{count} records 'app' A, exactly one was expected" in str(answer["detail"])
    assert all(record_id == 2 for record_id, _, _ in world.linode.writes)


def test_of_two_records_one_that_stays_wrong_fails_the_step_and_a_tick_asks_again(world: World) -> None:
    world.linode.ignores_writes_to = {1}
    (answer,) = world.deliver_switch()
    assert answer["status"] == "failed"
    assert "reads back as 203.0.113.10" in str(answer["detail"])
    assert targets(world) == ["203.0.113.10", STANDBYS[1]]
    step = world.step(KEY)
    assert (step.status, step.attempts) == (StepStatus.FAILED, 1)

    world.linode.ignores_writes_to = set()
    world.clock.advance(60)
    world.tick()
    (answer,) = world.deliver_switch()
    assert (answer["status"], targets(world)) == ("done", STANDBYS)
    assert world.state.phase is Phase.STEADY


def test_linode_out_of_reach_fails_the_step_and_leaves_the_rest_done(world: World) -> None:
    world.linode.failure = TIMED_OUT
    (answer,) = world.deliver_switch()
    assert answer["status"] == "failed"
    assert world.moved_to() == WEST
    world.linode.failure = None
    world.clock.advance(60)
    world.tick()
    world.deliver_switch()
    assert world.state.phase is Phase.STEADY


@pytest.mark.parametrize(("when", "operation"), [("before", "linode.point"), ("after", "linode.point")])
def test_a_dead_executor_is_replaced_once_its_claim_has_expired(
    world: World, when: str, operation: str
) -> None:
    getattr(world.faults, when)(operation, Killed())
    with pytest.raises(Killed):
        world.deliver_switch()
    world.tick()
    (answer,) = world.deliver_switch()
    assert answer["reason"] == "lost-the-claim"
    world.clock.advance(STEP_LEASE.total_seconds())
    world.tick()
    (answer,) = world.deliver_switch()
    assert (answer["status"], targets(world)) == ("done", STANDBYS)


def test_an_executor_outdated_while_it_wrote_corrects_what_it_wrote(world: World) -> None:
    def meanwhile() -> None:
        world.faults.clear()
        world.clock.advance(STEP_LEASE.total_seconds() + 60)
        world.tick()
        world.deliver_switch()
        world.repair_region(EAST)
        world.clock.advance(120)
        world.failback(world.manual("failback", force=True))
        world.deliver_switch()
        assert targets(world) == ["203.0.113.10", "203.0.113.11"]

    world.faults.before("linode.point", meanwhile)
    answers = world.deliver_switch(seconds=3600)
    assert answers[0]["reason"] == "lost-the-claim"
    assert targets(world) == ["203.0.113.10", "203.0.113.11"]


def test_an_executor_past_its_deadline_writes_no_further_record(world: World) -> None:
    world.faults.before("linode.point", lambda: world.clock.advance(61))
    world.deliver_switch(seconds=60)
    assert [record_id for record_id, _, _ in world.linode.writes] == [1]
    assert world.step(KEY).status is StepStatus.FAILED


def test_records_outside_the_plan_are_never_written(world: World) -> None:
    other = LinodeRecordState(77, "app", "AAAA", "2001:db8::1", 30)
    world.linode.records[123456].append(other)
    world.deliver_switch()
    assert other in world.linode.records[123456]
    assert {record_id for record_id, _, _ in world.linode.writes} == {1, 2}


def test_a_plan_without_linode_records_asks_for_nothing() -> None:
    world = World(replace(PLAN, linode_records=()))
    world.tick()
    world.outage()
    world.failover()
    assert world.events.of(SWITCH_REQUESTED) == []
    assert world.state.active == WEST


def test_what_does_not_start_linode_dns_is_refused(world: World) -> None:
    for event in (world.alarm(), world.schedule(), world.manual("failover")):
        with pytest.raises(MalformedEvent):
            world._deliver(handle_linode, event, None, 60)


def test_the_fake_rounds_as_linode_does() -> None:
    assert [rounded(ttl) for ttl in (0, 30, 31, 60, 300, 10**9)] == [0, 30, 120, 120, 300, 2419200]


def test_a_request_that_comes_minutes_late_waits_for_the_target_to_be_verified_again(world: World) -> None:
    world.clock.advance(300)  # within its maximum age, and nobody has looked at the standby since
    answers = world.deliver_switch()
    assert answers[0]["reason"] == "lost-the-claim"
    assert targets(world) == ["203.0.113.10", "203.0.113.11"]
    world.tick()
    world.deliver_switch()
    assert targets(world) == STANDBYS


# late writers: Linode and SSM cannot refuse them


def moved(world: World) -> World:
    world.deliver_switch()
    assert world.state.phase is Phase.STEADY
    return world


def test_what_a_dead_late_worker_wrote_at_linode_is_put_back_by_a_tick(world: World) -> None:
    moved(world)
    world.linode.point(123456, 1, "203.0.113.10", 30)
    world.clock.advance(60)
    world.tick()
    world.deliver_switch()
    assert world.linode.records[123456][0].target == "198.51.100.50"


def test_what_a_dead_late_worker_wrote_into_a_parameter_is_put_back_by_a_tick(world: World) -> None:
    moved(world)
    world.parameters.values[WEST, PARAMETER] = EAST
    world.clock.advance(60)
    world.tick()
    assert world.parameters.values[WEST, PARAMETER] == WEST


def a_move_begins(world: World) -> None:
    world.edit_state(epoch=world.state.epoch + 1)


def a_pause_begins(world: World) -> None:
    world.edit_state(paused=True)


@pytest.mark.parametrize("happens", [a_move_begins, a_pause_begins])
def test_i2_the_record_is_read_directly_before_a_late_write_is_put_back(
    world: World, happens: Callable[[World], None]
) -> None:
    """A newer epoch may have written it, and a pause stops all effects."""
    moved(world)
    world.repair_region(EAST)
    world.tick()  # pays what is owed in the primary
    world.parameters.values[WEST, PARAMETER] = EAST
    world.faults.after("parameters.read", lambda: happens(world))
    writes = len(world.parameters.writes)
    world.clock.advance(60)
    world.tick()
    assert len(world.parameters.writes) == writes


@pytest.mark.parametrize("happens", [a_move_begins, a_pause_begins])
def test_i2_the_record_is_read_directly_before_a_debt_is_paid(
    world: World, happens: Callable[[World], None]
) -> None:
    moved(world)
    world.repair_region(EAST)
    assert world.state.owed
    writes = len(world.parameters.writes)
    world.faults.after("store.load_state", lambda: happens(world))
    world.clock.advance(60)
    world.tick()
    assert len(world.parameters.writes) == writes


def test_what_is_right_is_only_looked_at(world: World) -> None:
    moved(world)
    linode, parameters = len(world.linode.writes), len(world.parameters.writes)
    world.repair_region(EAST)
    world.tick()  # pays what is owed in the primary
    for _ in range(3):
        world.clock.advance(60)
        world.tick()
        world.deliver_switch()
    assert len(world.linode.writes) == linode
    assert len(world.parameters.writes) == parameters + 1


@pytest.mark.parametrize("why", ["long ago", "paused", "foreign"])
def test_nobody_else_is_fought(world: World, why: str) -> None:
    """Later than any worker of the move can be, in a pause, or with a value outside the plan: hands off."""
    moved(world)
    value = "somewhere-else" if why == "foreign" else EAST
    world.parameters.values[WEST, PARAMETER] = value
    target = "203.0.113.99" if why == "foreign" else "203.0.113.10"
    world.linode.point(123456, 1, target, 30)
    if why == "paused":
        world.edit_state(paused=True)
    world.clock.advance(LATE_WRITERS_WITHIN.total_seconds() + 1 if why == "long ago" else 60)
    world.tick()
    world.deliver_switch()
    world.linode_dns(detail(world))  # the move's own request, delivered once more
    assert world.parameters.values[WEST, PARAMETER] == value
    assert world.linode.records[123456][0].target == target
