"""Going back: only onto a settled primary, with replication measured (I14 to I17)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from region_failover.domain.errors import MalformedEvent, RemoteFailure
from region_failover.domain.state import Direction, Phase
from region_failover.domain.symptom import Symptom
from region_failover.domain.zone import Fence, RecordSet
from tests.fakes import AUTOMATIC_FAILBACK, EAST, PARAMETER, PLAN, SERVER_ERROR, TIMED_OUT, WEST, World

EAST_URL = PLAN.http_checks[0].primary


def at_the_standby(world: World) -> World:
    """Fail over, repair the primary, and let the cooldown pass (nobody has looked since)."""
    world.tick()
    world.outage()
    world.failover()
    world.deliver_switch()
    world.repair_region(EAST)
    world.clock.advance(3600)
    assert (world.moved_to(), world.state.phase) == (WEST, Phase.STEADY)
    return world


@pytest.fixture
def world() -> World:
    return at_the_standby(World(AUTOMATIC_FAILBACK))


def test_a_settled_primary_with_replication_measured_gets_the_traffic_back(world: World) -> None:
    world.settle(25)
    answer = world.failback()
    assert (answer["action"], answer["reason"]) == ("move", "primary-settled")
    world.deliver_switch()
    assert (world.moved_to(), world.state.active) == (EAST, EAST)
    assert world.fence() == Fence("orders", 2, EAST)
    assert world.parameters.values[EAST, PARAMETER] == world.parameters.values[WEST, PARAMETER] == EAST
    assert world.linode.records[123456][0].target == "203.0.113.10"
    assert [t.direction for t in world.history()] == [Direction.FAILOVER, Direction.FAILBACK]
    assert world.history()[1].loss_s is None


def test_i20_the_tick_that_moved_the_traffic_home_moves_it_home_once(world: World) -> None:
    """Delivered again after the cooldown, when the traffic has gone and the primary is well once more."""
    world.settle(25)
    tick = world.schedule()
    assert world.failback(tick)["reason"] == "primary-settled"
    world.deliver_switch()
    world.clock.advance(3600)
    again = at_the_standby(world)
    again.settle(25)
    assert world.schedule()["id"] != tick["id"]
    late = {**world.schedule(), "id": tick["id"]}  # its time as young as it can be: its age does not stop it
    assert world.failback(late)["reason"] == "lost-the-claim"
    assert (world.moved_to(), world.state.epoch) == (WEST, 3)
    assert world.failback()["reason"] == "primary-settled"


def test_a_primary_healthy_for_too_short_a_time_is_not_settled(world: World) -> None:
    world.settle(15)
    assert world.failback()["reason"] == "not-settled"
    assert world.moved_to() == WEST


def test_a_relapse_restarts_the_dwell(world: World) -> None:
    world.settle(18)
    world.endpoints.answers[EAST_URL] = 500
    world.probe(seconds=5)
    del world.endpoints.answers[EAST_URL]
    world.clock.advance(60)
    world.settle(10)
    assert world.failback()["reason"] == "not-settled"
    world.settle(12)
    assert world.failback()["reason"] == "primary-settled"


def test_health_that_nobody_looked_at_is_not_continuous(world: World) -> None:
    world.settle(15)
    world.clock.advance(600)
    world.settle(10)
    assert world.failback()["reason"] == "not-settled"


def test_i16_a_relapse_while_the_zones_are_looked_at_holds(world: World) -> None:
    world.settle(25)

    def relapse() -> None:
        world.break_region(EAST)
        world.probe(seconds=5)
        world.repair_region(EAST)

    world.faults.before("zones.read", relapse)
    assert world.failback()["reason"] == "not-settled"
    assert world.moved_to() == WEST
    (_, _, decision) = world.store.decisions[-1]
    assert decision["situation"]["settled"] is False


def test_replication_that_cannot_be_measured_is_unknown_and_holds(world: World) -> None:
    world.settle(25)
    world.faults.before("tables.read_heartbeat", lambda: fail(TIMED_OUT), times=2)
    assert world.failback()["reason"] == "lag-unknown"
    assert world.moved_to() == WEST


def fail(symptom: object) -> None:
    assert isinstance(symptom, Symptom)
    raise RemoteFailure(symptom)


def test_replication_that_has_stopped_is_above_the_limit_and_holds(world: World) -> None:
    world.settle(25)
    world.tables.paused = True
    world.settle(2)
    assert world.failback()["reason"] == "lag-too-high"
    assert world.moved_to() == WEST
    world.tables.resume_replication()
    world.settle(1)
    assert world.failback()["reason"] == "primary-settled"


def test_replication_lag_is_measured_both_ways_in_seconds(world: World) -> None:
    world.tables.lag = timedelta(seconds=0.7)
    world.settle(1)
    record = world.ports().store.load_health("orders")
    assert record is not None
    assert set(record.lags) == {f"{EAST}>{WEST}", f"{WEST}>{EAST}"}
    assert all(0.7 <= lag < 1.0 for lag in record.lags.values())


def test_a_region_that_cannot_write_has_no_lag(world: World) -> None:
    world.tables.failures[EAST] = SERVER_ERROR
    world.probe(seconds=5)
    record = world.ports().store.load_health("orders")
    assert record is not None
    assert f"{EAST}>{WEST}" not in record.lags


def test_within_the_cooldown_there_is_no_automatic_failback(world: World) -> None:
    world.edit_state(cooldown_until=world.clock.now() + timedelta(hours=2))
    world.settle(25)
    assert world.failback()["reason"] == "cooldown"
    assert world.moved_to() == WEST


def test_paused_there_is_no_automatic_failback_but_the_looking_goes_on(world: World) -> None:
    world.edit_state(paused=True)
    world.settle(25)
    assert world.failback()["reason"] == "paused"
    assert world.moved_to() == WEST
    assert world.store.decisions[-1][2]["checks"]


def test_a_failback_by_hand_only_waits_for_a_human() -> None:
    world = at_the_standby(World(PLAN))
    world.settle(25)
    assert world.failback()["reason"] == "failback-is-manual"
    assert world.moved_to() == WEST
    assert world.failback(world.manual("failback"))["reason"] == "operator-asked"
    assert world.moved_to() == EAST


def test_a_human_needs_neither_dwell_nor_cooldown_but_a_verified_primary(world: World) -> None:
    world.edit_state(cooldown_until=world.clock.now() + timedelta(hours=1))
    world.endpoints.answers[EAST_URL] = 503
    assert world.failback(world.manual("failback", force=True))["reason"] == "target-not-verified"
    del world.endpoints.answers[EAST_URL]
    assert world.failback(world.manual("failback"))["reason"] == "operator-asked"
    assert world.moved_to() == EAST


def test_a_human_without_force_needs_replication_too(world: World) -> None:
    world.tables.paused = True
    world.clock.advance(60)
    assert world.failback(world.manual("failback"))["reason"] == "lag-too-high"
    assert world.failback(world.manual("failback", force=True))["reason"] == "operator-asked"


def test_at_the_primary_there_is_nothing_to_do() -> None:
    world = World(AUTOMATIC_FAILBACK)
    assert world.tick()["reason"] == "at-primary"
    assert world.state.epoch == 0


def test_a_failback_must_write_both_parameters(world: World) -> None:
    world.settle(25)
    world.parameters.failures[WEST] = TIMED_OUT
    world.failback()
    world.deliver_switch()
    assert world.state.phase is Phase.MOVING
    del world.parameters.failures[WEST]
    world.clock.advance(60)
    world.tick()
    assert (world.state.phase, world.state.owed) == (Phase.STEADY, ())


def test_drift_holds_a_failback_too(world: World) -> None:
    world.settle(25)
    world.zones.put("Z0123456789ABCDEFGHIJ", RecordSet("api.example.com", "A", 60, ("203.0.113.99",)))
    assert world.failback()["reason"] == "drift"
    assert world.answer() == ("203.0.113.99",)


def test_what_does_not_start_a_failback_is_refused(world: World) -> None:
    for event in (world.alarm(), world.unhealthy_event(), world.manual("failover")):
        with pytest.raises(MalformedEvent):
            world.failback(event)
