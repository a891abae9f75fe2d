"""Each finding of readiness: what is there, how bad it is, and that what is well is not found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest

from region_failover.domain.plan import Role
from region_failover.domain.readiness import (
    Finding,
    Severity,
    Table,
    not_looked_at,
    of_alarms,
    of_clocks,
    of_denied,
    of_limits,
    of_linode,
    of_parameter,
    of_state,
    of_tables,
    of_token,
    of_zone,
    worst,
)
from region_failover.domain.state import Phase, Step, StepKind, initial_state
from region_failover.domain.verdict import Health, HealthRecord
from region_failover.domain.zone import Fence, RecordSet, ZoneSnapshot, fence_record, wanted
from tests.fakes import EAST, NOON, PLAN, WEST, ZONE, health

DAY, S = timedelta(days=1), timedelta(seconds=1)
KEYS = (("id", "HASH"),)
RECORDS = PLAN.zones()[ZONE]
STATE = replace(initial_state("orders", 7, EAST), version=3)
WELL = HealthRecord("orders", 1, {r: health(Health.HEALTHY, NOON - 600 * S, NOON) for r in PLAN.regions})


def table(other: str, **different: object) -> Table:
    base = Table("ACTIVE", KEYS, {other: "ACTIVE"}, on_demand=True)
    return replace(base, **different)  # type: ignore[arg-type]


def tables(east: Table | None = None, west: Table | None = None) -> dict[str, Table]:
    return {EAST: east or table(WEST), WEST: west or table(EAST)}


def zone(*records: RecordSet, fence: RecordSet | None = None) -> ZoneSnapshot:
    made = fence_record(RECORDS, Fence("orders", 7, EAST))
    return ZoneSnapshot(fence or made, records or tuple(wanted(r, Role.PRIMARY) for r in RECORDS))


def found(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    return [(finding.severity.value, finding.problem) for finding in findings]


API = wanted(RECORDS[0], Role.PRIMARY)


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        # tables
        (of_tables(PLAN, "orders", tables()), []),
        (of_tables(PLAN, "orders", tables(east=table(WEST, status="UPDATING"))), [("error", "is UPDATING")]),
        (
            of_tables(PLAN, "orders", tables(west=table(EAST, replicas={}))),
            [("error", "has no replica in us-east-1")],
        ),
        (
            of_tables(PLAN, "orders", tables(east=table(WEST, replicas={WEST: "CREATING"}))),
            [("error", "its replica in us-west-2 is CREATING")],
        ),
        (
            of_tables(PLAN, "orders", tables(west=table(EAST, keys=(("id", "HASH"), ("n", "RANGE"))))),
            [("error", "has other keys in each Region: (('id', 'HASH'),), (('id', 'HASH'), ('n', 'RANGE'))")],
        ),
        (
            of_tables(PLAN, "orders", tables(west=table(EAST, on_demand=False, units=(5, 5)))),
            [("warning", "is on demand in the primary and provisioned in the standby")],
        ),
        (
            of_tables(
                PLAN,
                "orders",
                tables(
                    table(WEST, on_demand=False, units=(100, 50)),
                    table(EAST, on_demand=False, units=(100, 5)),
                ),
            ),
            [("warning", "has 5 write units in the standby and 50 in the primary")],
        ),
        (
            of_tables(
                PLAN,
                "orders",
                tables(
                    table(WEST, on_demand=False, units=(1, 1)), table(EAST, on_demand=False, units=(9, 9))
                ),
            ),
            [],
        ),
        (of_tables(PLAN, "orders", {EAST: table(WEST)}), []),
        # quotas
        (of_limits(PLAN, {EAST: {"Reads": 80_000}, WEST: {"Reads": 80_000}}), []),
        (
            of_limits(PLAN, {EAST: {"Reads": 80_000}, WEST: {"Reads": 10_000}}),
            [("warning", "is 10000 in us-west-2 and 80000 in us-east-1")],
        ),
        (of_limits(PLAN, {EAST: {"Reads": 80_000}}), []),
        # records
        (of_zone(PLAN, STATE, ZONE, RECORDS, zone()), []),
        (of_zone(PLAN, None, ZONE, RECORDS, zone(replace(API, values=("203.0.113.9",)))), []),
        (
            of_zone(PLAN, STATE, ZONE, RECORDS, zone(RecordSet("else.example.com", "A", 60, ("192.0.2.1",)))),
            [("error", "does not exist")],
        ),
        (
            of_zone(PLAN, STATE, ZONE, RECORDS, zone(replace(API, simple=False))),
            [("error", "it has something that this version does not know, or belongs to a traffic policy")],
        ),
        (
            of_zone(PLAN, STATE, ZONE, RECORDS, zone(replace(API, values=("203.0.113.9",)))),
            [("error", "is 203.0.113.9, not what the plan has for the active Region")],
        ),
        (
            of_zone(PLAN, STATE, ZONE, RECORDS, zone(replace(API, ttl=300))),
            [("warning", "has a TTL of 300 s, the plan says 60 s")],
        ),
        (
            of_zone(PLAN, STATE, ZONE, RECORDS, replace(zone(), fence=None)),
            [("warning", "does not exist")],
        ),
        (
            of_zone(
                PLAN, STATE, ZONE, RECORDS, zone(fence=fence_record(RECORDS, Fence("payments", 7, EAST)))
            ),
            [("error", "is not this plan's")],
        ),
        (
            of_zone(PLAN, STATE, ZONE, RECORDS, zone(fence=fence_record(RECORDS, Fence("orders", 8, EAST)))),
            [("error", "has epoch 8, the record 7")],
        ),
        # parameters
        (of_parameter(PLAN, STATE, "/x", {EAST: EAST, WEST: EAST}), []),
        (of_parameter(PLAN, STATE, "/x", {WEST: None}), [("error", "does not exist")]),
        (
            of_parameter(PLAN, STATE, "/x", {WEST: WEST}),
            [("warning", "is 'us-west-2', the traffic is in us-east-1")],
        ),
        (
            of_parameter(PLAN, replace(STATE, owed=(Step(StepKind.SSM, "/x", WEST),)), "/x", {WEST: WEST}),
            [],
        ),
        # Linode
        (of_linode(PLAN, STATE, PLAN.linode_records[0], [("203.0.113.10", 30)]), []),
        (of_linode(PLAN, STATE, PLAN.linode_records[0], []), [("error", "there are 0, one was expected")]),
        (
            of_linode(PLAN, STATE, PLAN.linode_records[0], [("203.0.113.10", 30)] * 2),
            [("error", "there are 2, one was expected")],
        ),
        (
            of_linode(PLAN, STATE, PLAN.linode_records[0], [("198.51.100.50", 30)]),
            [("error", "points at 198.51.100.50")],
        ),
        (
            of_linode(PLAN, STATE, PLAN.linode_records[0], [("203.0.113.10", 300)]),
            [("warning", "has a TTL of 300 s, the plan says 30 s")],
        ),
        (
            of_linode(PLAN, STATE, PLAN.linode_records[0], [("203.0.113.10", 0)]),
            [("warning", "has a TTL of the domain's default, the plan says 30 s")],
        ),
        (of_token(None, NOON), []),
        (of_token(NOON + 14 * DAY, NOON), []),
        (of_token(NOON + 14 * DAY - S, NOON), [("warning", "expires at 2025-11-03 11:59 UTC")]),
        (of_token(NOON, NOON), [("error", "expired at 2025-10-20 12:00 UTC")]),
        # alarms, clocks, roles
        (of_alarms({"a": "OK", "b": "ALARM"}), []),
        (of_alarms({"a": "INSUFFICIENT_DATA"}), [("warning", "is in INSUFFICIENT_DATA")]),
        (of_alarms({}), [("warning", "none of the stack's alarms is there")]),
        (of_clocks({EAST: 30.0, WEST: -30.0}), []),
        (of_clocks({EAST: -31.0}), [("warning", "differs from ours by -31 s")]),
        (of_denied("failover", []), []),
        (of_denied("failover", ["x:Y on z"]), [("error", "may not x:Y on z")]),
        # the records of the product itself
        (of_state(PLAN, STATE, WELL, NOON), []),
        (of_state(PLAN, None, WELL, NOON), [("error", "there is none")]),
        (
            of_state(PLAN, replace(STATE, phase=Phase.NEEDS_OPERATOR), WELL, NOON),
            [("error", "the last transition was halted")],
        ),
        (
            of_state(PLAN, replace(STATE, paused=True, pause_note="mia: deploy"), WELL, NOON),
            [("note", "automation is paused: mia: deploy")],
        ),
        (
            of_state(PLAN, replace(STATE, owed=(Step(StepKind.SSM, "/x", EAST),)), WELL, NOON),
            [("note", "1 steps are owed")],
        ),
        (of_state(PLAN, STATE, None, NOON), [("error", "has not been looked at just now")]),
        (of_state(PLAN, STATE, WELL, NOON + 151 * S), [("error", "has not been looked at just now")]),
        (
            of_state(
                PLAN,
                STATE,
                HealthRecord("orders", 1, {WEST: replace(health(Health.UNKNOWN, NOON, NOON), why="x")}),
                NOON,
            ),
            [("warning", "is unknown: x")],
        ),
    ],
)
def test_what_is_found(findings: Iterable[Finding], expected: list[tuple[str, str]]) -> None:
    assert found(findings) == expected


def test_a_finding_says_what_to_do() -> None:
    (finding,) = of_denied("failover", ["ssm:PutParameter on arn"])
    assert str(finding) == (
        "error role of failover: may not ssm:PutParameter on arn; deploy the stack with what its plans need"
    )


def test_the_worst_of_several() -> None:
    one = not_looked_at("zone Z", "denied")
    assert worst([]) is None
    assert worst([one]) is Severity.WARNING
    assert worst([one, *of_denied("failover", ["x"])]) is Severity.ERROR
