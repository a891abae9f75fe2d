"""Samples between two ticks, and what other vantage points report."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from region_failover.domain.codec import load_health
from region_failover.domain.errors import MalformedEvent, RemoteFailure, StateUnavailable
from region_failover.domain.plan import AlarmCheck
from region_failover.domain.reports import Alarm
from region_failover.domain.trigger import REGION_UNHEALTHY, read_triggers
from region_failover.domain.verdict import Health, HealthRecord
from region_failover.service.probe import handle_probe
from region_failover.service.record import Deadline
from tests.fakes import DENIED, EAST, TIMED_OUT, WEST, World

S = timedelta(seconds=1)
WELL, DOWN = Health.HEALTHY, Health.UNHEALTHY


@pytest.fixture
def world() -> World:
    """All well, a tick ago."""
    world = World()
    world.tick()
    tick(world)
    return world


def tick(world: World, seconds: float = 58) -> None:
    world._probe(world.schedule(), seconds)


def known(world: World) -> HealthRecord:
    return load_health(world.store.healths[world.plan.name][1])


def writes(world: World) -> int:
    return sum(call in {"tables.write_heartbeat", "store.save_health"} for call in world.faults.calls)


# between two ticks


def test_a_tick_has_itself_started_again_for_the_samples_between(world: World) -> None:
    began = world.clock.now()
    tick(world)
    asked = world.samples.asked[-3:]
    assert [event["detail"]["offset"] for event in asked] == [15, 30, 45]
    assert [event["time"] for event in asked] == [(began + n * S).isoformat() for n in (15, 30, 45)]


def test_a_plan_that_is_sampled_once_a_minute_asks_for_nothing() -> None:
    plan = World().plan
    world = World(replace(plan, sampling=replace(plan.sampling, every=60 * S)))
    tick(world)
    assert world.samples.asked == []


def test_a_refused_queue_costs_the_samples_between_and_nothing_else(world: World) -> None:
    world.faults.before("samples.ask", RemoteFailure(TIMED_OUT))
    before = len(world.meter.measured)
    tick(world)
    assert len(world.meter.measured) == before + 1
    assert "the queue refused" in world.meter.lines[-1][0]


def test_an_outage_does_not_wait_for_the_queue(world: World) -> None:
    world.break_region(EAST)
    world.faults.calls.clear()
    tick(world)
    calls = world.faults.calls
    assert "samples.ask" not in calls  # its quick samples filled the minute
    world.repair_region(EAST)
    tick(world)
    assert calls.index("tables.read") < calls.index("samples.ask")


def test_a_plan_that_keeps_the_tick_does_not_cost_another_its_samples(world: World) -> None:
    close = replace(world.plan, name="close", sampling=replace(world.plan.sampling, every=5 * S))
    ports = world.ports()
    began = world.clock.now()
    triggers = read_triggers(world.schedule(), "request-1")
    handle_probe(ports, [world.plan, close], triggers, Deadline.after(ports, 58), 0 * S)
    assert world.clock.now() - began >= 50 * S
    asked = world.samples.asked[-3:]
    assert [event["time"] for event in asked] == [(began + n * S).isoformat() for n in (15, 30, 45)]
    assert world.faults.calls.count("samples.ask") == 2  # the fixture's tick, and this one's


def test_a_plan_that_fails_does_not_cost_another_its_samples(world: World) -> None:
    other = replace(world.plan, name="other", http_checks=(), dynamodb_checks=())
    world.endpoints.answers[world.plan.http_checks[0].primary] = 503
    began = world.clock.now()
    ports = world.ports()
    triggers = read_triggers(world.schedule(), "request-1")
    handle_probe(ports, [world.plan, other], triggers, Deadline.after(ports, 58), 0 * S)
    assert world.clock.now() - began >= 50 * S  # the one was watched for all that time
    assert [event["time"] for event in world.samples.asked[-3:]] == [
        (began + n * S).isoformat() for n in (15, 30, 45)
    ]


def test_while_all_is_well_a_sample_is_a_glance_that_writes_nothing(world: World) -> None:
    world.clock.advance(15)
    world.faults.calls.clear()
    (summary,) = world.sample(15)
    assert (summary["samples"], summary["clear"]) == ({EAST: "healthy", WEST: "healthy"}, True)
    assert writes(world) == 0
    assert len(world.faults.calls) == 5  # the record, a table and an endpoint in each Region


def test_a_failed_glance_is_followed_by_quick_full_rounds(world: World) -> None:
    world.clock.advance(15)
    world.break_region(EAST)
    began = world.clock.now()
    world.sample(15, seconds=58)
    assert known(world).regions[EAST].since == began
    assert known(world).regions[EAST].lasted() >= 50 * S
    assert "tables.write_heartbeat" in world.faults.calls


def test_what_only_a_write_shows_is_looked_at_in_full_once_a_tick_has_seen_it(world: World) -> None:
    """Reads and endpoints answer, writes do not: no glance may call that Region well again."""
    world.clock.advance(60)
    world.faults.before("tables.write_heartbeat", RemoteFailure(TIMED_OUT), times=100)
    tick(world, seconds=10)
    world.clock.advance(15)
    world.sample(15, seconds=10)
    assert known(world).regions[EAST].health is not WELL
    assert known(world).regions[EAST].last_at >= world.clock.now() - 10 * S


def test_without_a_tick_a_sample_is_a_full_round(world: World) -> None:
    world.clock.advance(90)
    world.faults.calls.clear()
    world.sample(30)
    assert writes(world) == 3
    assert known(world).lags


def test_samples_leave_the_quick_ones_to_whoever_is_at_it(world: World) -> None:
    world.clock.advance(15)
    world.break_region(EAST)
    world.sample(15, seconds=12)
    version = known(world).version
    assert world.sample(30) == []
    assert known(world).version == version


def test_a_sample_that_comes_late_is_not_taken(world: World) -> None:
    late = world.clock.now()
    world.clock.advance(21)
    world.faults.calls.clear()
    assert world.sample(15, at=late) == []
    assert world.faults.calls == []
    assert world.sample(15, at=late + S) != []


def test_an_outage_between_two_ticks_is_announced_by_the_sample_that_decides_it(world: World) -> None:
    world.clock.advance(15)
    world.break_region(EAST)
    world.sample(15, seconds=58)
    assert world.events.of(REGION_UNHEALTHY) == []
    world.clock.advance(10)
    world.sample(30, seconds=40)
    assert len(world.events.of(REGION_UNHEALTHY)) == 1
    world.clock.advance(15)
    world.sample(45, seconds=40)
    assert len(world.events.of(REGION_UNHEALTHY)) == 1  # told; the next tick says it again
    tick(world)
    assert len(world.events.of(REGION_UNHEALTHY)) == 2


def test_a_failure_that_is_decided_is_sampled_calmly_again(world: World) -> None:
    world.outage()
    rounds = len(world.meter.measured)
    tick(world)
    assert len(world.meter.measured) == rounds + 1
    assert [event["detail"]["offset"] for event in world.samples.asked[-3:]] == [15, 30, 45]


def test_samples_of_an_unreachable_state_table_fail(world: World) -> None:
    world.faults.before("store.load_health", StateUnavailable("out of reach"))
    with pytest.raises(StateUnavailable):
        world.sample(15)


# other vantage points


def failing(world: World, seconds: float = 12) -> None:
    """Our own probe sees the primary failing, as often as a verdict needs, not for as long."""
    world.break_region(EAST)
    world.clock.advance(15)
    world.sample(15, seconds=seconds + 3 + 4)


def test_a_report_is_on_record(world: World) -> None:
    world.report("eu-central", WELL)
    view = known(world).views["eu-central"][EAST]
    assert (view.health, view.last_at) == (WELL, world.clock.now())


def test_two_places_that_agree_decide_at_once(world: World) -> None:
    for _ in range(3):
        world.report("eu-central", DOWN)
        world.clock.advance(5)
    failing(world)
    assert len(world.events.of(REGION_UNHEALTHY)) == 1
    assert known(world).regions[EAST].lasted() <= 15 * S
    assert world.failover(world.unhealthy_event())["reason"] == "region-down"


def test_the_report_that_decides_announces_it_once(world: World) -> None:
    failing(world)
    assert world.events.of(REGION_UNHEALTHY) == []
    for number in range(5):
        (summary,) = world.report("eu-central", DOWN)
        assert summary["down"] is (number >= 2)
        world.clock.advance(3)
    (announced,) = world.events.of(REGION_UNHEALTHY)
    assert (announced["from"], announced["to"]) == (EAST, WEST)
    assert len(world.notifier.about(f"{EAST} is down")) == 1


def test_a_place_that_sees_it_well_keeps_it_from_being_decided(world: World) -> None:
    world.break_region(EAST)
    for _ in range(8):
        world.report("eu-central", WELL)
        tick(world, seconds=15)
        world.clock.advance(15)
    assert known(world).regions[EAST].lasted() > 60 * S
    assert world.notifier.about("is down") == []
    assert world.failover(world.unhealthy_event())["reason"] == "vantage-points-disagree"


def test_somebody_is_told_where_one_place_sees_an_outage_for_long_and_the_other_none(world: World) -> None:
    """The failover function is asked to look: it holds, with a decision on record, and tells."""
    world.break_region(EAST)
    for _ in range(5):
        world.report("eu-central", WELL)
        tick(world, seconds=15)
        world.clock.advance(15)
        assert bool(world.events.of(REGION_UNHEALTHY)) is (known(world).regions[EAST].lasted() >= 60 * S)
    event = world.own_event(REGION_UNHEALTHY, world.events.of(REGION_UNHEALTHY)[0])
    assert world.failover(event)["reason"] == "vantage-points-disagree"
    assert len(world.notifier.about("holds: vantage-points-disagree")) == 1


def test_what_a_glance_does_not_ask_is_hidden_from_other_places(world: World) -> None:
    """Writes hang, and an alarm fires: another place, which does neither, sees the Region well."""
    world.plan = replace(world.plan, alarm_checks=(AlarmCheck(primary="errors"),))
    world.reports.alarms[EAST, "errors"] = Alarm("ALARM", world.clock.now())
    world.faults.before("tables.write_heartbeat", RemoteFailure(TIMED_OUT), times=1000)
    for _ in range(6):
        world.report("eu-central", WELL)
        tick(world, seconds=15)
        world.clock.advance(15)
    own = known(world).regions[EAST]
    assert (own.health, own.hidden) == (DOWN, True)
    assert len(world.notifier.about(f"{EAST} is down")) == 1


def test_reports_alone_decide_nothing(world: World) -> None:
    for _ in range(30):
        world.report("eu-central", DOWN)
        world.report("ap-south", DOWN)
        world.clock.advance(5)
    assert world.events.of(REGION_UNHEALTHY) == []
    assert world.failover(world.unhealthy_event())["reason"] == "active-healthy"


def test_an_old_report_is_no_evidence(world: World) -> None:
    (summary,) = world.report("eu-central", DOWN, at=world.clock.now() - 46 * S)
    assert summary["heard"] == 0
    assert known(world).views == {}


def test_a_report_of_a_foreign_region_is_none_of_ours(world: World) -> None:
    (summary,) = world.report("eu-central", DOWN, region="ap-south-1")
    assert summary["heard"] == 0
    assert known(world).views == {}


def test_the_same_news_are_not_written_each_time(world: World) -> None:
    for _ in range(4):
        world.report("eu-central", WELL)
        world.clock.advance(15)
    assert known(world).views["eu-central"][EAST].recent == (WELL, WELL)  # at 0 and 30 s
    version = known(world).version
    world.report("eu-central", DOWN)
    assert known(world).version == version + 1


def test_a_report_of_an_unknown_plan_is_refused(world: World) -> None:
    event = world.own_event("Region Sampled", {"plan": "x", "vantage": "eu", "samples": {
        EAST: {"at": world.clock.now().isoformat(), "health": "healthy"}}})  # fmt: skip
    with pytest.raises(MalformedEvent, match="there is no plan 'x'"):
        world._probe(event)


def test_our_own_fault_is_not_made_theirs_by_a_report(world: World) -> None:
    """I10: where our own samples are UNKNOWN, what others see moves nothing."""
    world.tables.failures = {EAST: DENIED, WEST: DENIED}
    for _ in range(5):
        world.report("eu-central", DOWN)
        tick(world, seconds=10)
    assert world.events.of(REGION_UNHEALTHY) == []
    assert world.failover(world.unhealthy_event())["reason"] == "observer-fault"
