"""The probe: looks, remembers, measures, and says once a tick that a Region is down."""

from __future__ import annotations

from datetime import timedelta

import pytest

from region_failover.domain.errors import MalformedEvent, StateUnavailable
from region_failover.domain.state import Phase
from region_failover.domain.trigger import REGION_UNHEALTHY
from region_failover.domain.verdict import Health
from region_failover.service.probe import handle_probe
from tests.fakes import DENIED, EAST, TIMED_OUT, WEST, World


@pytest.fixture
def world() -> World:
    world = World()
    world.tick()
    return world


def rounds(world: World) -> int:
    return int(sum(values["Samples"] for _, values in world.meter.measured))


def test_a_healthy_world_is_sampled_once_a_tick_and_nothing_is_said(world: World) -> None:
    (summary,) = world.probe(seconds=50)
    assert summary["samples"] == {EAST: "healthy", WEST: "healthy"}
    assert rounds(world) == 1
    assert (world.events.put_events, world.notifier.sent) == ([], [])


def test_a_failing_region_is_sampled_quickly(world: World) -> None:
    world.break_region(EAST)
    world.probe(seconds=50)
    assert rounds(world) >= 5


def test_a_region_that_is_down_is_announced_once_a_tick(world: World) -> None:
    world.outage()
    announced = world.events.of(REGION_UNHEALTHY)
    assert len(announced) == 1
    assert (announced[0]["plan"], announced[0]["from"], announced[0]["to"]) == ("orders", EAST, WEST)
    world.probe(seconds=55)
    assert len(world.events.of(REGION_UNHEALTHY)) == 2
    assert len(world.notifier.about("us-east-1 is down")) == 1


def test_the_announcement_is_an_event_that_the_failover_function_takes(world: World) -> None:
    world.outage()
    event = world.own_event(REGION_UNHEALTHY, world.events.of(REGION_UNHEALTHY)[0])
    assert world.failover(event)["reason"] == "region-down"


def test_nothing_is_announced_before_the_failure_is_decided(world: World) -> None:
    world.break_region(EAST)
    world.probe(seconds=45)
    assert world.events.of(REGION_UNHEALTHY) == []


def test_nothing_is_announced_while_a_transition_is_open(world: World) -> None:
    world.outage()
    world.failover()
    assert world.state.phase is Phase.MOVING
    announced = len(world.events.of(REGION_UNHEALTHY))
    world.probe(seconds=55)
    assert len(world.events.of(REGION_UNHEALTHY)) == announced


def test_a_standby_that_is_down_is_measured_and_not_announced(world: World) -> None:
    world.outage(WEST)
    assert world.events.of(REGION_UNHEALTHY) == []
    _, values = world.meter.measured[-1]
    assert (values["StandbyNotVerified"], values["ActiveRegionUnhealthy"]) == (1, 0)


def test_after_a_failover_the_other_region_is_the_active_one(world: World) -> None:
    world.outage()
    world.failover()
    world.deliver_switch()
    (summary,) = world.probe(seconds=5)
    assert (summary["active"], summary["down"]) == (WEST, False)
    _, values = world.meter.measured[-1]
    assert values["StandbyNotVerified"] == 1


def test_every_round_is_measured(world: World) -> None:
    world.probe(seconds=5)
    _, values = world.meter.measured[-1]
    lags = {name for name in values if name.startswith("ReplicationLag")}
    assert lags == {f"ReplicationLag {EAST}>{WEST}", f"ReplicationLag {WEST}>{EAST}"}
    assert {name: value for name, value in values.items() if name not in lags} == {
        "Samples": 1,
        "ActiveRegionUnhealthy": 0,
        "ActiveRegionFailedSamples": 0,
        "StandbyNotVerified": 0,
        "ObserverFault": 0,
    }


def test_a_region_that_is_down_shows_in_the_metrics(world: World) -> None:
    world.outage()
    _, values = world.meter.measured[-1]
    assert (values["ActiveRegionUnhealthy"], values["ActiveRegionFailedSamples"]) == (1, 1)


def test_our_own_fault_shows_in_the_metrics_and_is_told_once(world: World) -> None:
    world.tables.failures = {EAST: DENIED, WEST: DENIED}
    for _ in range(3):
        world.probe(seconds=55)
    _, values = world.meter.measured[-1]
    assert values["ObserverFault"] == 1
    assert values["ActiveRegionUnhealthy"] == 0
    assert len(world.notifier.about("cannot judge")) == 1
    assert world.events.of(REGION_UNHEALTHY) == []


def test_one_kind_of_evidence_is_told_once_and_not_called_our_fault(world: World) -> None:
    world.endpoints.answers[world.plan.http_checks[0].primary] = 500
    for _ in range(3):
        world.probe(seconds=55)
    assert len(world.notifier.about("one kind of evidence fails")) == 1
    assert world.notifier.about("cannot judge") == []


def test_our_own_path_as_it_mends_is_not_called_the_application_s_fault(world: World) -> None:
    world.tables.failures = {EAST: DENIED, WEST: DENIED}
    world.probe(seconds=55)
    world.tables.failures = {}
    world.endpoints.answers[world.plan.http_checks[0].primary] = 500
    world.clock.advance(5)
    world.probe(seconds=5)
    assert len(world.notifier.about("cannot judge")) == 1
    assert world.notifier.about("one kind of evidence fails") == []


def test_metrics_go_out_although_the_state_table_is_out_of_reach(world: World) -> None:
    world.store.available = False
    with pytest.raises(StateUnavailable):
        world.probe()
    assert rounds(world) == 1


def test_samples_are_remembered_for_the_failover_to_read(world: World) -> None:
    world.probe(seconds=5)
    record = world.ports().store.load_health("orders")
    assert record is not None
    assert {region: found.health for region, found in record.regions.items()} == {
        EAST: Health.HEALTHY,
        WEST: Health.HEALTHY,
    }


def test_a_race_for_the_health_record_loses_no_round(world: World) -> None:
    world.faults.before("store.save_health", world.failover)
    world.clock.advance(1)
    world.probe(seconds=5)
    record = world.ports().store.load_health("orders")
    assert record is not None
    assert record.version == 2


def test_a_check_that_hangs_is_a_timeout_and_not_an_answer(world: World) -> None:
    number = world.together.rounds + 1  # within the round of plans: the round of checks
    world.together.hang |= {(number, index) for index in range(3)}  # the first three are the primary's
    (summary,) = world.probe(seconds=5)
    assert summary["samples"] == {EAST: "unhealthy", WEST: "healthy"}


def test_a_tick_ends_within_its_deadline(world: World) -> None:
    world.break_region(EAST, TIMED_OUT)
    began = world.clock.now()
    world.probe(seconds=50)
    assert world.clock.now() - began <= timedelta(seconds=50)


def test_only_the_schedule_starts_the_probe(world: World) -> None:
    assert world._deliver(handle_probe, world.schedule(), None, 5)["plan"] == "orders"
    with pytest.raises(MalformedEvent):
        world._deliver(handle_probe, world.alarm(), None, 5)
