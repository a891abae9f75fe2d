"""What readiness finds of switches without a control plane, each thing broken once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from region_failover.domain.dataplane import object_text
from region_failover.domain.dataplane_readiness import CheckSeen, Metric, PairSeen
from region_failover.domain.errors import RemoteFailure
from region_failover.domain.plan import Plan, Role
from region_failover.domain.readiness import Finding, Severity
from region_failover.domain.state import Phase
from region_failover.service.readiness import look_at
from tests.fakes import EAST, TIMED_OUT, WEST, World
from tests.functional.test_data_plane import BY_ALARM, BY_ARC, BY_OBJECT, CONTROLS, KEYED, PAIR
from tests.functional.test_readiness import FakeInventory

METRIC = Metric(
    "RegionFailover/Signals",
    "StandbyHasTraffic",
    (("plan", "orders"),),
    "Maximum",
    60,
    1,
    "GreaterThanOrEqualToThreshold",
    1.0,
)
ALARM_CHECK = CheckSeen(
    "CLOUDWATCH_METRIC", "region-failover-traffic-orders", WEST, "LastKnownStatus", metric=METRIC
)
OBJECT_CHECK = CheckSeen(
    "HTTPS_STR_MATCH",
    inverted=True,
    host="signals.s3.us-west-2.amazonaws.com",
    path="/orders",
    search="the standby has the traffic",
    interval_s=10,
    threshold=3,
)
VALUES = {Role.PRIMARY: PAIR.primary, Role.STANDBY: PAIR.standby}
IDS = {Role.PRIMARY: "check-1", Role.STANDBY: ""}


def found(plan: Plan, inventory: Any = None, world: World | None = None, **pair: Any) -> list[Finding]:
    """Return what readiness finds of the data plane, everything else being well."""
    world = world or World(plan)
    world.tick()
    world.probe(seconds=5)
    inventory = inventory or FakeInventory(world)
    check = OBJECT_CHECK if plan.health_checks and plan.health_checks[0].bucket else ALARM_CHECK
    inventory.pair = PairSeen(**{"values": VALUES, "ids": IDS, "check": check, **pair})
    return look_at(world.ports(), inventory, plan)


def told(findings: list[Finding]) -> list[tuple[Severity, str]]:
    return [(finding.severity, finding.problem) for finding in findings]


@pytest.mark.parametrize("plan", [BY_ALARM, BY_OBJECT, BY_ARC])
def test_where_all_is_well_nothing_is_found(plan: Plan) -> None:
    assert found(plan) == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"values": {**VALUES, Role.STANDBY: None}}, "has no record of the standby"),
        (
            {"values": {Role.PRIMARY: None, Role.STANDBY: None}},
            "has no record of the primary and the standby",
        ),
        ({"values": {**VALUES, Role.PRIMARY: ("192.0.2.99",)}}, "has 192.0.2.99 for the primary"),
        ({"values": {**VALUES, Role.STANDBY: ()}}, "has an alias for the standby"),
        ({"check": None}, "its PRIMARY has no health check"),
        (
            {"check": replace(ALARM_CHECK, disabled=True)},
            "its health check is disabled: it counts as healthy",
        ),
        ({"check": replace(ALARM_CHECK, type="HTTPS")}, "does not follow the alarm"),
        ({"check": replace(ALARM_CHECK, alarm="another")}, "does not follow the alarm"),
        ({"check": replace(ALARM_CHECK, alarm_region=EAST)}, "does not follow the alarm"),
        ({"check": replace(ALARM_CHECK, inverted=True)}, "does not follow the alarm"),
        ({"check": replace(ALARM_CHECK, insufficient="Healthy")}, "is Healthy without data"),
        ({"check": replace(ALARM_CHECK, insufficient="Unhealthy")}, "is Unhealthy without data"),
        ({"check": replace(ALARM_CHECK, insufficient="")}, "is undefined without data"),
        (
            {"check": replace(ALARM_CHECK, metric=replace(METRIC, statistic="Minimum"))},
            "watches other numbers",
        ),
        ({"check": replace(ALARM_CHECK, metric=replace(METRIC, dimensions=()))}, "watches other numbers"),
    ],
)
def test_a_pair_that_would_not_follow_the_alarm_is_an_error(changed: dict[str, Any], words: str) -> None:
    errors = [problem for severity, problem in told(found(BY_ALARM, **changed)) if severity is Severity.ERROR]
    assert len(errors) == 1
    assert words in errors[0]


def test_what_route_53_does_not_tell_of_the_metric_is_not_wrong() -> None:
    assert found(BY_ALARM, check=replace(ALARM_CHECK, metric=None)) == []


def test_a_secondary_with_a_check_of_its_own_is_a_warning() -> None:
    ids = {Role.PRIMARY: "check-1", Role.STANDBY: "check-2"}
    assert told(found(BY_ALARM, ids=ids)) == [(Severity.WARNING, "its SECONDARY has a health check")]


def test_an_alarm_that_is_missing_is_an_error() -> None:
    world = World(BY_ALARM)
    inventory = FakeInventory(world)
    inventory.has_alarm = False
    assert told(found(BY_ALARM, inventory, world)) == [(Severity.ERROR, "does not exist in us-west-2")]


def test_answers_of_the_other_region_are_an_error_unless_a_move_is_under_way() -> None:
    world = World(BY_ALARM)
    world.tick()
    world.signals.publish("orders", True, world.clock.now())
    (finding,) = found(BY_ALARM, world=world)
    assert (
        finding.problem
        == "are 198.51.100.20 / 198.51.100.20 / 198.51.100.20 / 198.51.100.20, not the active Region's"
    )
    world = World(BY_ALARM)
    world.tick()
    world.outage()
    world.zone_answers.stuck.add(PAIR.name)
    world.failover()
    assert world.state.phase is Phase.MOVING
    assert [f for f in found(BY_ALARM, world=world) if f.subject.startswith("answers")] == []


@pytest.mark.parametrize(
    ("changed", "severity", "words"),
    [
        ({"type": "HTTPS"}, Severity.ERROR, "does not follow the object"),
        ({"inverted": False}, Severity.ERROR, "does not follow the object"),
        ({"search": "another"}, Severity.ERROR, "does not follow the object"),
        ({"path": "/another"}, Severity.ERROR, "does not follow the object"),
        ({"host": "another.s3.us-west-2.amazonaws.com"}, Severity.ERROR, "does not follow the object"),
        ({"interval_s": 30}, Severity.WARNING, "looks every 30 s, 3 times"),
        ({"threshold": 1}, Severity.WARNING, "looks every 10 s, 1 times"),
    ],
)
def test_a_pair_that_would_not_follow_the_object_is_found(
    changed: dict[str, Any], severity: Severity, words: str
) -> None:
    ((said, problem),) = told(found(BY_OBJECT, check=replace(OBJECT_CHECK, **changed)))
    assert said is severity
    assert words in problem


def test_an_object_that_not_everybody_can_read_is_an_error() -> None:
    world = World(BY_OBJECT)
    world.signals.public = False
    ((severity, problem),) = told(found(BY_OBJECT, world=world))
    assert severity is Severity.ERROR
    assert "cannot be read without credentials" in problem


def test_an_object_that_says_what_the_record_does_not_is_an_error() -> None:
    world = World(BY_OBJECT)
    world.tick()
    world.signals.write(
        "signals", "orders", object_text(BY_OBJECT, 0, WEST), world.signals.objects["signals", "orders"].tag
    )
    problems = [problem for _, problem in told(found(BY_OBJECT, world=world))]
    assert "does not say 'the primary has the traffic'" in problems


def test_an_object_outside_the_standby_sends_traffic_home_when_it_is_out_of_reach() -> None:
    world = World(BY_OBJECT)
    inventory = FakeInventory(world)
    inventory.control_region = "eu-west-1"
    check = replace(OBJECT_CHECK, host="signals.s3.eu-west-1.amazonaws.com")
    ((severity, problem),) = told(found(BY_OBJECT, inventory, world, check=check))
    assert severity is Severity.WARNING
    assert "the traffic goes to the primary" in problem


@pytest.mark.parametrize(
    ("states", "words"),
    [
        ((True, True), "give the traffic to neither Region, or to both"),
        ((False, False), "give the traffic to neither Region, or to both"),
        ((False, True), "give the traffic to the standby, not the active Region"),
    ],
)
def test_routing_controls_that_are_not_as_the_record_has_it_are_an_error(
    states: tuple[bool, bool], words: str
) -> None:
    world = World(BY_ARC)
    world.tick()
    world.controls.states = dict(zip((CONTROLS.primary, CONTROLS.standby), states, strict=True))
    assert told(found(BY_ARC, world=world)) == [(Severity.ERROR, words)]


def test_a_plan_that_names_fewer_endpoints_than_the_cluster_has_is_a_warning() -> None:
    plan = replace(BY_ARC, routing_controls=(replace(CONTROLS, endpoints=CONTROLS.endpoints[:4]),))
    assert told(found(plan)) == [(Severity.WARNING, "the plan has 4 of the cluster's 5 endpoints")]


def test_routing_controls_that_the_cluster_does_not_know_could_not_be_looked_at() -> None:
    world = World(BY_ARC)
    world.tick()
    world.controls.states.clear()
    ((severity, problem),) = told(found(BY_ARC, world=world))
    assert severity is Severity.WARNING
    assert "ResourceNotFoundException" in problem


def test_what_cannot_be_looked_at_hides_nothing_else() -> None:
    world = World(BY_OBJECT)
    inventory = FakeInventory(world, failures={"pair": RemoteFailure(TIMED_OUT)})
    world.signals.public = False
    problems = [problem for _, problem in told(found(BY_OBJECT, inventory, world))]
    assert len(problems) == 2
    assert KEYED.bucket == "signals"
