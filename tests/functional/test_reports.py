"""Alarms and Linode's word in a round: what counts, what does not, and that a glance does not ask."""

from __future__ import annotations

from dataclasses import replace

import pytest

from region_failover.domain.plan import AlarmCheck, InstanceCheck, NodeBalancer, NodeBalancerCheck
from region_failover.domain.reports import Alarm, Nodes
from region_failover.domain.symptom import Kind, Symptom
from region_failover.domain.verdict import CheckResult, Evidence, Health
from region_failover.service.observe import glance, look
from tests.fakes import DENIED, EAST, NOON, PLAN, SERVER_ERROR, TIMED_OUT, WEST, World

ASKING = replace(
    PLAN,
    alarm_checks=(AlarmCheck("errors-east", "errors-west"), AlarmCheck("latency")),
    balancer_checks=(NodeBalancerCheck(NodeBalancer(1, 11), NodeBalancer(2, 22)),),
    instance_checks=(InstanceCheck(101, 202),),
)
FIRING = Alarm("ALARM", NOON)


@pytest.fixture
def world() -> World:
    return World(ASKING)


def said(world: World, name: str) -> CheckResult:
    (found,) = (r for r in look(world.ports(), world.plan).results if r.name == name)
    return found


def test_each_region_is_asked_for_what_is_its_own(world: World) -> None:
    results = look(world.ports(), world.plan).results
    asked = [(r.region, r.name) for r in results if r.evidence in {Evidence.ALARM, Evidence.LINODE}]
    assert asked == [
        (EAST, "alarm errors-east"),
        (EAST, "alarm latency"),
        (EAST, "NodeBalancer 1/11"),
        (EAST, "Linode 101"),
        (WEST, "alarm errors-west"),
        (WEST, "NodeBalancer 2/22"),
        (WEST, "Linode 202"),
    ]


def test_a_glance_asks_nobody(world: World) -> None:
    glance(world.ports(), world.plan)
    assert not [call for call in world.faults.calls if call.startswith("reports.")]


def test_what_they_say_counts(world: World) -> None:
    world.reports.alarms[EAST, "errors-east"] = FIRING
    assert said(world, "alarm errors-east").symptom is not None
    assert look(world.ports(), world.plan).samples[EAST].health is Health.UNKNOWN
    world.reports.balancers[NodeBalancer(1, 11)] = Nodes(0, 2, "http")
    assert look(world.ports(), world.plan).samples[EAST].health is Health.UNHEALTHY
    assert look(world.ports(), world.plan).samples[WEST].health is Health.HEALTHY


def test_an_instance_that_is_stopped_is_evidence_beside_an_alarm(world: World) -> None:
    world.reports.instances[202] = "offline"
    world.reports.alarms[WEST, "errors-west"] = FIRING
    assert look(world.ports(), world.plan).samples[WEST].health is Health.UNHEALTHY


@pytest.mark.parametrize(
    "symptom",
    [
        TIMED_OUT,
        SERVER_ERROR,
        Symptom(Kind.HTTP, status=503),
        DENIED,
        Symptom(Kind.API, "ThrottlingException", 400),
        Symptom(Kind.HTTP, status=401),
    ],
    ids=str,
)
def test_whoever_would_say_it_and_cannot_says_nothing(world: World, symptom: Symptom) -> None:
    world.reports.alarms[EAST, "errors-east"] = symptom
    found = said(world, "alarm errors-east")
    assert (found.symptom, found.silent) == (None, str(symptom))
    assert look(world.ports(), world.plan).samples[EAST].health is Health.HEALTHY


@pytest.mark.parametrize("symptom", [TIMED_OUT, DENIED, Symptom(Kind.HTTP, status=401)], ids=str)
def test_whoever_says_nothing_of_the_standby_does_not_keep_us_from_going_there(
    world: World, symptom: Symptom
) -> None:
    world.probe()
    world.reports.alarms[WEST, "errors-west"] = symptom
    world.reports.balancers[NodeBalancer(2, 22)] = symptom
    world.reports.instances[202] = symptom
    world.outage()
    assert world.failover()["reason"] == "region-down"


def test_silence_does_not_hide_that_we_are_cut_off(world: World) -> None:
    for region in (EAST, WEST):
        world.break_region(region)
        world.reports.alarms[region, "errors-east" if region == EAST else "errors-west"] = TIMED_OUT
    world.reports.alarms[EAST, "latency"] = TIMED_OUT
    for balancer in (NodeBalancer(1, 11), NodeBalancer(2, 22)):
        world.reports.balancers[balancer] = TIMED_OUT
    for instance in (101, 202):
        world.reports.instances[instance] = TIMED_OUT
    samples = look(world.ports(), world.plan).samples
    assert {sample.health for sample in samples.values()} == {Health.UNKNOWN}
    assert samples[EAST].why.startswith("nothing answers in any Region")


def test_how_long_they_take_does_not_count_as_the_applications_latency(world: World) -> None:
    alarm = world.reports.alarm

    def slow(region: str, name: str) -> Alarm:
        world.clock.advance(1.5)
        return alarm(region, name)

    world.reports.alarm = slow  # type: ignore[method-assign]
    assert look(world.ports(), world.plan).samples[EAST].latency_s < 1
