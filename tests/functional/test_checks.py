"""What a round asks of tables and endpoints, beyond whether they answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from region_failover.domain.plan import DynamoDbCheck
from region_failover.domain.reports import TableStatus
from region_failover.domain.symptom import Kind, Symptom
from region_failover.domain.verdict import CheckResult, Health
from region_failover.service.observe import glance, look
from tests.fakes import EAST, PLAN, SERVER_ERROR, TIMED_OUT, WEST, World

URL = "https://use1.orders.example.com/health"
REPLICAS = replace(PLAN, dynamodb_checks=(DynamoDbCheck("orders", replicas=True),))


def endpoint(**changes: object) -> World:
    check = replace(PLAN.http_checks[0], **changes)  # type: ignore[arg-type]
    return World(replace(PLAN, http_checks=(check,)))


def slow(world: World, seconds: float) -> None:
    """Let the endpoint in us-east-1 take so long."""
    get = world.endpoints.get

    def late(url: str, *rest: object) -> None:
        get(url, *rest)  # type: ignore[arg-type]
        if url == URL:
            world.clock.advance(seconds)

    world.endpoints.get = late  # type: ignore[method-assign, assignment]


def said(world: World, name: str) -> CheckResult:
    (found,) = (r for r in look(world.ports(), world.plan).results if r.name == name)
    return found


@pytest.mark.parametrize(("seconds", "late"), [(0.8, False), (0.81, True)])
def test_an_answer_later_than_the_plan_allows_is_a_wrong_one(seconds: float, late: bool) -> None:
    world = endpoint(within=timedelta(milliseconds=800))
    slow(world, seconds)
    found = said(world, f"GET {URL}").symptom
    assert (found is not None) is late
    if found:
        assert (found.kind, found.status) == (Kind.WRONG_ANSWER, 200)
        assert found.detail == "it took 0.81 s, more than 0.80 s"
    assert glance(world.ports(), world.plan).samples[EAST].health is (
        Health.UNKNOWN if late else Health.HEALTHY
    )


def test_without_a_ceiling_a_slow_answer_is_an_answer() -> None:
    world = endpoint()
    slow(world, 1.9)
    assert said(world, f"GET {URL}").symptom is None


def test_headers_are_asked_for_by_their_name() -> None:
    world = endpoint(headers="orders-health")
    look(world.ports(), world.plan)
    assert set(world.endpoints.headers) == {"orders-health"}


def test_control_targets_get_no_headers() -> None:
    world = endpoint(headers="orders-health")
    plan = replace(world.plan, control_targets=("https://elsewhere.example.net/",))
    look(world.ports(), plan)
    assert world.endpoints.headers.count("") == 1


def test_both_regions_are_asked_about_each_replica() -> None:
    world = World(REPLICAS)
    names = [(r.region, r.name) for r in look(world.ports(), world.plan).results if "orders" in r.name]
    assert names == [
        (EAST, "read orders"),
        (EAST, "status of orders"),
        (EAST, "replica of orders, by us-west-2"),
        (EAST, f"GET {URL}"),
        (WEST, "read orders"),
        (WEST, "status of orders"),
        (WEST, "replica of orders, by us-east-1"),
        (WEST, "GET https://usw2.orders.example.com/health"),
    ]


def test_a_replica_that_does_not_serve_is_no_target() -> None:
    world = World(REPLICAS)
    world.tables.statuses[EAST, "orders"] = TableStatus("ACTIVE", {WEST: "CREATING"})
    samples = look(world.ports(), world.plan).samples
    assert (samples[EAST].health, samples[WEST].health) == (Health.HEALTHY, Health.UNKNOWN)
    assert "replica of orders, by us-east-1: reported the replica is CREATING" in samples[WEST].why


@pytest.mark.parametrize("symptom", [TIMED_OUT, SERVER_ERROR, Symptom(Kind.REFUSED)], ids=str)
def test_a_control_plane_that_does_not_answer_says_nothing(symptom: Symptom) -> None:
    world = World(REPLICAS)
    status = world.tables.status

    def refused(region: str, table: str) -> TableStatus:
        if region == EAST:
            from region_failover.domain.errors import RemoteFailure

            raise RemoteFailure(symptom)
        return status(region, table)

    world.tables.status = refused  # type: ignore[method-assign]
    found = look(world.ports(), world.plan)
    assert [(r.name, bool(r.silent)) for r in found.results if "replica" in r.name or "status" in r.name] == [
        ("status of orders", True),
        ("replica of orders, by us-west-2", False),
        ("status of orders", False),
        ("replica of orders, by us-east-1", True),
    ]
    assert {sample.health for sample in found.samples.values()} == {Health.HEALTHY}
