"""What an alarm, a NodeBalancer and an instance say: well, fails, or nothing."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from region_failover.domain.errors import NoEvidence, RemoteFailure
from region_failover.domain.reports import (
    STALE,
    Alarm,
    Nodes,
    TableStatus,
    read_alarm,
    read_instance,
    read_nodes,
    read_replica,
    read_status,
)
from region_failover.domain.symptom import Blame, Kind, blame
from tests.fakes import EAST, NOON, WEST

FIRING = Alarm("ALARM", NOON - timedelta(minutes=3), reason="5 datapoints")


class _Well(nullcontext[None]):
    def __repr__(self) -> str:  # a test's name: the same in every process
        return "well"


WELL: Any = _Well()


def fails(detail: str) -> Any:
    return pytest.raises(RemoteFailure, match=detail)


def silent(why: str) -> Any:
    return pytest.raises(NoEvidence, match=why)


@pytest.mark.parametrize(
    ("alarm", "says"),
    [
        (Alarm("OK"), WELL),
        (FIRING, fails("in ALARM since 2025-10-20 11:57 UTC: 5 datapoints")),
        (Alarm("ALARM"), fails("in ALARM since an unknown time")),
        (replace(FIRING, since=NOON + timedelta(minutes=3)), fails("in ALARM")),  # a clock ahead of ours
        (replace(FIRING, since=NOON - STALE), fails("in ALARM")),
        (replace(FIRING, since=NOON - STALE - timedelta(seconds=1)), silent("no news")),
        (Alarm("INSUFFICIENT_DATA"), silent("its state is INSUFFICIENT_DATA")),
        (Alarm("A_NEW_STATE"), silent("its state is A_NEW_STATE")),
        (replace(FIRING, muted="a deploy"), silent("muted: a deploy")),
        (Alarm("OK", muted="a deploy"), silent("muted: a deploy")),
        (replace(FIRING, impaired="PARTIAL_DATA"), silent("doubts its own evaluation: PARTIAL_DATA")),
        (Alarm("OK", impaired="EVALUATION_FAILURE"), silent("EVALUATION_FAILURE")),
    ],
    ids=str,
)
def test_what_an_alarm_says(alarm: Alarm, says: Any) -> None:
    with says:
        read_alarm(alarm, NOON)


@pytest.mark.parametrize(
    ("nodes", "says"),
    [
        (Nodes(2, 0, "http"), WELL),
        (Nodes(1, 9, "connection"), WELL),
        (Nodes(0, 2, "http_body"), fails("all 2 nodes are down")),
        (Nodes(0, 2, "none"), silent("does not check")),
        (Nodes(2, 0, "none"), silent("does not check")),
        (Nodes(0, 0, "http"), silent("no nodes")),
    ],
    ids=str,
)
def test_what_a_node_balancer_says(nodes: Nodes, says: Any) -> None:
    with says:
        read_nodes(nodes)


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("running", WELL),
        *((s, fails(f"is {s}")) for s in ("offline", "stopped", "shutting_down", "deleting")),
        ("billing_suspension", fails("is billing_suspension")),
        *((s, silent(f"is {s}")) for s in ("booting", "rebooting", "migrating", "a_new_status")),
    ],
    ids=str,
)
def test_what_an_instance_says(status: str, says: Any) -> None:
    with says:
        read_instance(status)


TABLE = TableStatus("ACTIVE", {WEST: "ACTIVE"})


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (TABLE, WELL),
        (replace(TABLE, status="UPDATING"), WELL),
        *(
            (replace(TABLE, status=s), fails(f"the table is {s}"))
            for s in ("CREATING", "DELETING", "INACCESSIBLE_ENCRYPTION_CREDENTIALS", "ARCHIVED", "")
        ),
    ],
    ids=str,
)
def test_what_a_table_says_of_itself(found: TableStatus, says: Any) -> None:
    with says:
        read_status(found)


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (TABLE, WELL),
        (replace(TABLE, status="DELETING"), WELL),  # of itself: that is another's check
        (replace(TABLE, replicas={WEST: "UPDATING"}), WELL),
        (replace(TABLE, replicas={EAST: "ACTIVE"}), fails("there is no replica")),
        (replace(TABLE, replicas={WEST: "REPLICATION_NOT_AUTHORIZED"}), fails("is REPLICATION_NOT")),
    ],
    ids=str,
)
def test_what_one_region_says_of_the_others_replica(found: TableStatus, says: Any) -> None:
    with says:
        read_replica(found, WEST)


def test_what_they_say_is_the_regions_fault() -> None:
    with pytest.raises(RemoteFailure) as failure:
        read_alarm(FIRING, NOON)
    assert failure.value.symptom.kind is Kind.REPORTED
    assert blame(failure.value.symptom) is Blame.THEIRS


def test_a_long_reason_is_cut() -> None:
    with pytest.raises(RemoteFailure) as failure:
        read_alarm(replace(FIRING, reason="x" * 1000), NOON)
    assert len(failure.value.symptom.detail) == 300
