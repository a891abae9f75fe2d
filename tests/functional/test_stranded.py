"""A change that does not arrive is submitted again and told: by whom, and how often, is bounded."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from region_failover.domain.errors import RemoteFailure
from region_failover.domain.plan import Plan
from region_failover.domain.propagation import LOST_AFTER, STRANDED_AFTER
from region_failover.domain.state import LEASE, Phase, StepStatus
from region_failover.domain.symptom import Kind, Symptom
from region_failover.domain.zone import RecordSet
from tests.fakes import DENIED, PLAN, WEST, ZONE, Killed, World

ZONE_STEP = f"route53 {ZONE}"
FOR_EVER = 10**9
THROTTLED = Symptom(Kind.API, "Throttling", 400)
NO_SUCH_CHANGE = Symptom(Kind.API, "NoSuchChange", 404)
STRANDED = "is stranded and was submitted again"
STRANDED_S = STRANDED_AFTER.total_seconds()


@pytest.fixture
def world() -> World:
    """A world whose failover has sent a change that stays PENDING."""
    world = World()
    world.tick()
    world.outage()
    world.zones.pending_polls = FOR_EVER
    world.failover(seconds=30)
    world.deliver_switch()
    assert world.step(ZONE_STEP).status is StepStatus.DOING
    return world


def ticks(world: World, seconds: float) -> None:
    """Let a tick a minute pass, for so long."""
    end = world.clock.now() + timedelta(seconds=seconds)
    while world.clock.now() < end:
        began = world.clock.now()
        world.tick(seconds=40)
        world.deliver_switch()
        world.clock.at = max(world.clock.at, began + timedelta(seconds=60))


def batches(world: World) -> list[tuple[str, Any, str]]:
    """Return the batches that were accepted, but for the very first fence."""
    return world.zones.batches[1:]


def changes_nothing(batch: tuple[str, Any, str]) -> bool:
    deleted = [c.record for c in batch[1] if c.action.value == "DELETE"]
    created = [c.record for c in batch[1] if c.action.value == "CREATE"]
    return deleted == created


def test_a_change_within_its_time_is_waited_for_and_nothing_is_submitted_again(world: World) -> None:
    ticks(world, STRANDED_S - 100)
    assert len(batches(world)) == 1
    assert not world.notifier.about(STRANDED)


def test_a_stranded_change_is_submitted_again_told_and_finished(world: World) -> None:
    first = world.step(ZONE_STEP)
    world.zones.pending_polls = 3
    ticks(world, STRANDED_S + 120)
    assert (world.state.phase, world.state.active) == (Phase.STEADY, WEST)
    assert len(batches(world)) == 2
    assert changes_nothing(batches(world)[1])
    assert len(world.notifier.about(STRANDED)) == 1
    (ended,) = world.history()
    step = ended.step(ZONE_STEP)
    assert step is not None
    assert (step.sent_at, step.change_id != first.change_id) == (first.sent_at, True)
    assert step.resent_at is not None
    assert step.resent_at - first.sent_at >= STRANDED_AFTER


def test_it_is_submitted_once_an_interval_and_told_once(world: World) -> None:
    ticks(world, 3 * STRANDED_S + 60)
    assert len(batches(world)) == 1 + 3
    assert all(changes_nothing(batch) for batch in batches(world)[1:])
    assert len(world.notifier.about(STRANDED)) == 1
    assert world.state.phase is Phase.MOVING


def test_a_worker_that_dies_after_it_submitted_again_has_done_no_harm(world: World) -> None:
    world.clock.advance(STRANDED_S)
    world.faults.after("zones.submit", Killed())
    with pytest.raises(Killed):
        world.tick()
    world.zones.pending_polls = 0
    world.clock.advance(LEASE.total_seconds())
    world.tick()
    world.deliver_switch()
    assert (world.state.phase, world.moved_to(), world.state.epoch) == (Phase.STEADY, WEST, 1)
    assert all(changes_nothing(batch) for batch in batches(world)[1:])
    assert len(world.notifier.about(STRANDED)) == 1


def test_i22_whoever_dies_after_it_is_on_record_has_not_kept_it_to_himself(world: World) -> None:
    world.clock.advance(STRANDED_S)
    world.faults.before("notifier.publish", Killed())
    with pytest.raises(Killed):
        world.tick()
    assert world.step(ZONE_STEP).resent_at is not None
    ticks(world, LEASE.total_seconds() + 120)
    assert len(world.notifier.about(STRANDED)) == 1


def test_i4_a_worker_that_lost_its_lease_submits_nothing_again(world: World) -> None:
    def steal() -> None:
        transition = world.state.transition
        assert transition is not None
        lease = replace(transition.lease, owner="another")
        world.edit_state(transition=replace(transition, lease=lease))

    world.clock.advance(STRANDED_S)
    world.faults.before("zones.is_insync", steal)
    world.tick(seconds=30)
    assert len(batches(world)) == 1
    assert not world.notifier.about(STRANDED)


def test_i17_nothing_is_submitted_again_while_the_plan_is_paused(world: World) -> None:
    world.edit_state(paused=True)
    ticks(world, STRANDED_S + 120)
    assert len(batches(world)) == 1


def test_an_edit_meanwhile_is_not_fought_and_told(world: World) -> None:
    world.clock.advance(STRANDED_S)
    edited = RecordSet("api.example.com", "A", 60, ("203.0.113.99",))
    world.faults.before("zones.is_insync", lambda: world.zones.put(ZONE, edited))
    world.tick()
    assert world.answer() == ("203.0.113.99",)
    assert world.step(ZONE_STEP).status is StepStatus.FAILED
    assert world.notifier.about("is not switched yet")


def test_a_change_that_route53_does_not_know_is_submitted_again(world: World) -> None:
    world.clock.advance(LOST_AFTER.total_seconds())
    world.zones.pending_polls = 0
    world.faults.before("zones.is_insync", RemoteFailure(NO_SUCH_CHANGE))
    world.tick()
    assert (world.state.phase, world.state.active) == (Phase.STEADY, WEST)
    assert len(batches(world)) == 2


def test_a_change_of_a_moment_ago_may_not_be_known_everywhere_yet() -> None:
    world = World()
    world.tick()
    world.outage()
    world.faults.before("zones.is_insync", RemoteFailure(NO_SUCH_CHANGE), times=3)
    world.failover()
    assert world.step(ZONE_STEP).status is StepStatus.DONE
    assert len(batches(world)) == 1


@pytest.mark.parametrize("symptom", [THROTTLED, Symptom(Kind.API, "ServiceUnavailable", 503)])
def test_looks_that_get_no_answer_are_made_again_and_page_nobody(symptom: Symptom) -> None:
    world = World()
    world.tick()
    world.outage()
    world.faults.before("zones.is_insync", RemoteFailure(symptom), times=5)
    world.failover()
    world.deliver_switch()
    assert (world.state.phase, world.state.active) == (Phase.STEADY, WEST)
    assert not world.notifier.about("is not switched yet")


def test_looks_that_get_no_answer_until_the_deadline_are_told_and_count_as_no_stranded_change(
    world: World,
) -> None:
    world.clock.advance(STRANDED_S)
    world.faults.before("zones.is_insync", RemoteFailure(THROTTLED), times=FOR_EVER)
    world.tick(seconds=30)
    assert world.step(ZONE_STEP).status is StepStatus.FAILED
    assert len(world.notifier.about("is not switched yet")) == 1
    assert len(batches(world)) == 1


def test_a_denied_look_is_told_at_once(world: World) -> None:
    world.faults.before("zones.is_insync", RemoteFailure(DENIED))
    before = world.clock.now()
    world.tick()
    assert world.step(ZONE_STEP).status is StepStatus.FAILED
    assert world.clock.now() - before < timedelta(seconds=1)


def test_a_clock_that_was_far_ahead_does_not_hold_a_stranded_change_for_ever(world: World) -> None:
    transition = world.state.transition
    assert transition is not None
    step = replace(world.step(ZONE_STEP), sent_at=world.clock.now() + timedelta(days=1))
    world.edit_state(transition=transition.with_step(step))
    world.zones.pending_polls = 0
    world.clock.advance(60)
    world.tick()
    assert world.state.phase is Phase.STEADY


def many_zones(count: int) -> Plan:
    one = PLAN.route53_records[0]
    return replace(PLAN, route53_records=tuple(replace(one, zone_id=f"Z{n}") for n in range(count)))


def test_many_zones_are_looked_after_at_half_of_the_accounts_rate() -> None:
    """The fake runs zones one after the other; on threads they wait at the same time: count each zone's."""
    world = World(many_zones(60))
    world.tick()
    world.outage()
    world.zones.pending_polls = FOR_EVER
    world.faults.calls.clear()
    began = world.clock.now()
    world.failover(seconds=63)
    looks = world.faults.calls.count("zones.is_insync")
    first_zone = (world.clock.now() - began).total_seconds()
    assert first_zone >= 50
    assert looks / 60 <= 1 + 60 / 12  # at most one look of each zone in 12 s


def test_what_reads_back_differently_is_said_without_the_rest_of_the_zone() -> None:
    one = PLAN.route53_records[0]
    records = tuple(replace(one, name=f"r{number:03d}.example.com") for number in range(400))
    world = World(replace(PLAN, route53_records=records))
    world.tick()
    world.outage()
    edited = RecordSet("r007.example.com", "A", 60, ("203.0.113.99",))
    world.faults.after("zones.is_insync", lambda: world.zones.put(ZONE, edited))
    world.failover()
    detail = world.step(ZONE_STEP).detail
    assert "r007.example.com" in detail
    assert "r008.example.com" not in detail
    assert len(detail) < 1600
