"""A vantage point: looks, reports, and keeps nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from region_failover.domain.errors import MalformedEvent, RemoteFailure
from region_failover.domain.trigger import REGION_SAMPLED, read_triggers, sample_due
from region_failover.ports import Eyes
from region_failover.service.record import Deadline
from region_failover.service.vantage import handle_vantage
from tests.fakes import EAST, TIMED_OUT, WEST, World

S = timedelta(seconds=1)


@pytest.fixture
def world() -> World:
    return World()


def run(world: World, event: Any, seconds: float = 58) -> list[dict[str, object]]:
    """Deliver an event to the vantage point, which has eyes and nothing else."""
    eyes = Eyes(
        owner="vantage",
        clock=world.clock,
        together=world.together,
        tables=world.tables,
        endpoints=world.endpoints,
        events=world.events,
        samples=world.samples,
        meter=world.meter,
    )
    triggers = read_triggers(event, "request-1")
    return handle_vantage(eyes, "eu-central", [world.plan], triggers, Deadline.after(eyes, seconds))


def due(world: World, offset: int) -> dict[str, Any]:
    event = sample_due("due", world.clock.now(), offset)
    return {"Records": [{"eventSource": "aws:sqs", "body": json.dumps(event)}]}


def reports(world: World) -> list[dict[str, Any]]:
    return world.events.of(REGION_SAMPLED)


def test_a_tick_is_one_report_and_a_request_for_the_samples_between(world: World) -> None:
    (summary,) = run(world, world.schedule())
    assert summary == {
        "plan": "orders",
        "vantage": "eu-central",
        "samples": {EAST: "healthy", WEST: "healthy"},
    }
    (report,) = reports(world)
    assert (report["plan"], report["vantage"], set(report["samples"])) == (
        "orders",
        "eu-central",
        {EAST, WEST},
    )
    assert [event["detail"]["offset"] for event in world.samples.asked] == [15, 30, 45]


def test_it_writes_nothing_anywhere(world: World) -> None:
    run(world, world.schedule())
    assert {call.split(".")[0] for call in world.faults.calls} == {"tables", "endpoints", "events", "samples"}
    assert "tables.write_heartbeat" not in world.faults.calls


def test_its_report_is_an_event_that_the_probe_takes(world: World) -> None:
    world.tick()
    run(world, world.schedule())
    (summary,) = world._probe(world.own_event(REGION_SAMPLED, reports(world)[0]))
    assert (summary["vantage"], summary["heard"]) == ("eu-central", 2)


def test_a_failure_is_reported_quickly_until_a_verdict_could_be_made_of_it(world: World) -> None:
    world.break_region(EAST)
    began = world.clock.now()
    run(world, due(world, 15))
    assert [report["samples"][EAST]["health"] for report in reports(world)] == ["unhealthy"] * 3
    assert world.clock.now() - began == 10 * S


def test_a_failure_that_ends_is_not_followed_further(world: World) -> None:
    world.break_region(EAST)
    world.faults.after("events.put", lambda: world.repair_region(EAST))
    run(world, due(world, 15))
    assert [report["samples"][EAST]["health"] for report in reports(world)] == ["unhealthy", "healthy"]


def test_what_fails_through_our_own_fault_is_reported_once_as_unknown(world: World) -> None:
    world.break_region(EAST)
    world.break_region(WEST)
    run(world, due(world, 15))
    (report,) = reports(world)
    assert {sample["health"] for sample in report["samples"].values()} == {"unknown"}


def test_a_plan_that_wants_its_samples_closer_keeps_the_tick_at_it(world: World) -> None:
    world.plan = replace(world.plan, sampling=replace(world.plan.sampling, every=5 * S))
    run(world, world.schedule())
    assert len(reports(world)) == 11
    assert world.samples.asked == []
    assert run(world, due(world, 15)) == []


def test_a_sample_that_comes_late_is_not_taken(world: World) -> None:
    event = due(world, 15)
    world.clock.advance(21)
    assert run(world, event) == []
    assert reports(world) == []


def test_a_report_that_cannot_be_made_is_an_error(world: World) -> None:
    world.faults.before("events.put", RemoteFailure(TIMED_OUT))
    with pytest.raises(RemoteFailure):
        run(world, world.schedule())


def test_nothing_else_starts_it(world: World) -> None:
    with pytest.raises(MalformedEvent, match="does not start a vantage point"):
        run(world, world.alarm())
