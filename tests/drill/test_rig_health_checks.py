"""The rehearsal's health checkers: alarms by their values, endpoints by looks in a row."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from drill.health_checks import HealthCheckers, is_well_by_alarm, is_well_by_answer

NOW = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
PRESENT = NOW.replace(second=0)
LAST, OLDER = PRESENT - timedelta(minutes=1), PRESENT - timedelta(minutes=2)
ALARM = {"ComparisonOperator": "GreaterThanOrEqualToThreshold", "Threshold": 1.0}


@pytest.mark.parametrize(
    ("values", "well"),
    [
        ({PRESENT: 1.0, LAST: 0.0}, False),  # in alarm at once
        ({PRESENT: 0.0, LAST: 1.0}, False),  # well only when the minute is over
        ({PRESENT: 0.0, LAST: 0.0}, True),
        ({LAST: 1.0}, False),
        ({LAST: 0.0, OLDER: 1.0}, True),
    ],
)
def test_an_alarm_is_followed_by_its_metrics_minutes(values: Mapping[datetime, float], well: bool) -> None:
    for before in (True, False):
        assert is_well_by_alarm(ALARM, values, "LastKnownStatus", before, NOW) is well


@pytest.mark.parametrize("values", [{}, {OLDER: 1.0}, {OLDER: 0.0}, {PRESENT: 0.0}])
@pytest.mark.parametrize("before", [True, False])
def test_without_a_value_in_the_last_minute_the_check_says_what_it_is_told_to(
    values: Mapping[datetime, float], before: bool
) -> None:
    assert is_well_by_alarm(ALARM, values, "LastKnownStatus", before, NOW) is before
    assert is_well_by_alarm(ALARM, values, "Healthy", before, NOW) is True
    assert is_well_by_alarm(ALARM, values, "Unhealthy", before, NOW) is False


@pytest.mark.parametrize(
    ("kind", "status", "body", "well"),
    [
        ("HTTPS", 200, b"", True),
        ("HTTP", 399, b"", True),
        ("HTTPS", 403, b"", False),
        ("HTTPS_STR_MATCH", 200, b"so the standby has it", True),
        ("HTTPS_STR_MATCH", 200, b"so the primary has it", False),
        ("HTTPS_STR_MATCH", 200, b" " * 5120 + b"the standby", False),
        ("HTTPS_STR_MATCH", 404, b"the standby", False),
    ],
)
def test_an_endpoint_is_well_by_status_and_text(kind: str, status: int, body: bytes, well: bool) -> None:
    assert is_well_by_answer({"Type": kind, "SearchString": "the standby"}, status, body) is well


class World:
    """One health check, what it looks at, and the time."""

    def __init__(self, **config: Any) -> None:
        self.checks = [{"Id": "c1", "HealthCheckConfig": config}]
        self.values: dict[datetime, float] = {}
        self.dead = False
        self.body = b""
        self.looks = 0
        self.checkers = HealthCheckers(lambda: self.checks, self._alarm, self._fetch)

    def _alarm(self, region: str, name: str) -> tuple[Mapping[str, Any], Mapping[datetime, float]]:
        assert (region, name) == ("eu-west-1", "traffic")
        if self.dead:
            raise LookupError
        return ALARM, self.values

    def _fetch(self, host: str, path: str) -> tuple[int, bytes]:
        assert (host, path) == ("signals.example", "/orders")
        self.looks += 1
        if self.dead:
            raise OSError
        return (200, self.body) if self.body else (404, b"")

    def after(self, seconds: float) -> bool:
        self.checkers.look(1000 + seconds, NOW + timedelta(seconds=seconds))
        return self.checkers.is_healthy("c1")


def by_alarm() -> World:
    return World(
        Type="CLOUDWATCH_METRIC",
        AlarmIdentifier={"Region": "eu-west-1", "Name": "traffic"},
        InsufficientDataHealthStatus="LastKnownStatus",
    )


def by_object(**more: Any) -> World:
    return World(
        Type="HTTPS_STR_MATCH",
        FullyQualifiedDomainName="signals.example",
        ResourcePath="/orders",
        SearchString="the standby",
        **{"RequestInterval": 10, "FailureThreshold": 3, "Inverted": True, **more},
    )


def test_a_check_that_nobody_has_looked_at_is_healthy() -> None:
    assert by_alarm().checkers.is_healthy("c1")


def test_a_dead_region_leaves_an_alarms_check_as_it_was() -> None:
    world = by_alarm()
    world.values = {PRESENT: 1.0}
    assert not world.after(0)
    world.dead = True
    assert not world.after(120)
    assert not world.after(3600)


def test_an_inverted_check_changes_after_so_many_looks_at_its_own_interval() -> None:
    world = by_object()
    assert world.after(0)
    world.body = b"the standby"
    assert [world.after(seconds) for seconds in (5, 10, 15, 20, 29, 30)] == [
        True,
        True,
        True,
        True,
        True,
        False,
    ]
    assert world.looks == 4
    world.body = b"the primary"
    assert [world.after(seconds) for seconds in (40, 50, 60)] == [False, False, True]


def test_a_look_that_says_otherwise_begins_the_count_anew() -> None:
    world = by_object()
    world.body = b"the standby"
    assert world.after(0)
    assert world.after(10)
    world.body = b""
    assert world.after(20)
    world.body = b"the standby"
    assert world.after(30)
    assert world.after(40)
    assert not world.after(50)


def test_an_object_out_of_reach_sends_the_traffic_to_the_primary() -> None:
    world = by_object(FailureThreshold=1)
    world.body = b"the standby"
    assert not world.after(0)
    world.dead = True
    assert world.after(10)
