"""What DynamoDB, CloudWatch and Linode themselves say of a Region: their word, read.

Their word counts where they say that something fails. Where they say nothing (too few data, a muted alarm, a
NodeBalancer that does not check), it is no evidence of anything, least of all of health.

Sources: DynamoDB's API reference (`TableDescription`, `ReplicaDescription`); CloudWatch's (`MetricAlarm`,
`CompositeAlarm`, `AlarmMuteRuleSummary`); Linode's OpenAPI document (`nodes_status` and `check` of a
NodeBalancer's configuration, `status` of an instance).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from region_failover.domain.errors import NoEvidence, RemoteFailure
from region_failover.domain.symptom import Kind, Symptom

# An alarm that has been in ALARM for longer is no news: it was there before this outage.
STALE = timedelta(hours=24)

# A table, or a replica, that serves reads and writes (DynamoDB's API reference).
_SERVES = frozenset({"ACTIVE", "UPDATING"})

# The states of an instance in which nothing runs and nobody is at work on it.
_STOPPED = frozenset({"offline", "stopped", "shutting_down", "deleting", "billing_suspension"})


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm as CloudWatch describes it.

    `state`: OK, ALARM or INSUFFICIENT_DATA; `since`: when that began; `muted`: why its actions do not run,
    '' if they do; `impaired`: what CloudWatch says against its own evaluation, '' if nothing; `reason`: its
    words.
    """

    state: str
    since: datetime | None = None
    muted: str = ""
    impaired: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TableStatus:
    """A table as DynamoDB in one Region describes it; `replicas`: those elsewhere, by Region."""

    status: str
    replicas: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Nodes:
    """How many nodes of a NodeBalancer's configuration are up and down; `check`: how it finds out."""

    up: int
    down: int
    check: str


def read_alarm(alarm: Alarm, now: datetime) -> None:
    """Return if the alarm is OK; raise RemoteFailure where it fires, NoEvidence where it says nothing."""
    if alarm.muted:
        raise NoEvidence(f"muted: {alarm.muted}")
    if alarm.impaired:
        raise NoEvidence(f"CloudWatch doubts its own evaluation: {alarm.impaired}")
    if alarm.state == "OK":
        return
    if alarm.state != "ALARM":
        raise NoEvidence(f"its state is {alarm.state}")
    since = f"{alarm.since:%Y-%m-%d %H:%M} UTC" if alarm.since else "an unknown time"
    if alarm.since and now - alarm.since > STALE:
        raise NoEvidence(f"in ALARM since {since}, which is no news")
    raise RemoteFailure(Symptom(Kind.REPORTED, detail=f"in ALARM since {since}: {alarm.reason}"[:300]))


def read_status(found: TableStatus) -> None:
    """Return if a Region's own replica serves; raise RemoteFailure where DynamoDB says that it does not."""
    if found.status not in _SERVES:
        raise RemoteFailure(Symptom(Kind.REPORTED, detail=f"the table is {found.status}"))


def read_replica(found: TableStatus, region: str) -> None:
    """Return if a Region's replica serves, as another Region describes it; raise RemoteFailure otherwise."""
    status = found.replicas.get(region)
    if status is None:
        raise RemoteFailure(Symptom(Kind.REPORTED, detail="there is no replica"))
    if status not in _SERVES:
        raise RemoteFailure(Symptom(Kind.REPORTED, detail=f"the replica is {status}"))


def read_nodes(nodes: Nodes) -> None:
    """Return if a node is up; raise RemoteFailure where all are down, NoEvidence where nobody checks them."""
    if nodes.check == "none":
        raise NoEvidence("the NodeBalancer does not check its nodes")
    if not nodes.up + nodes.down:
        raise NoEvidence("the NodeBalancer has no nodes whose state it knows")
    if not nodes.up:
        raise RemoteFailure(Symptom(Kind.REPORTED, detail=f"all {nodes.down} nodes are down"))


def read_instance(status: str) -> None:
    """Return if an instance runs; raise RemoteFailure where it is stopped, NoEvidence where it changes."""
    if status in _STOPPED:
        raise RemoteFailure(Symptom(Kind.REPORTED, detail=f"the instance is {status}"))
    if status != "running":
        raise NoEvidence(f"the instance is {status}")
