"""What the flows need of the world. Adapters implement these; so do the fakes of the tests.

Every method may raise RemoteFailure (with its Symptom) unless it says otherwise, and ends within its own
timeouts; the flows bound whole rounds with `Together`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from region_failover.domain.body import ANY, Body
from region_failover.domain.plan import NodeBalancer
from region_failover.domain.reports import Alarm, Nodes, TableStatus
from region_failover.domain.state import PlanState, Transition
from region_failover.domain.verdict import HealthRecord
from region_failover.domain.zone import Change, ZoneSnapshot

T = TypeVar("T")


class Clock(Protocol):
    """Time; injected so that no decision reads it."""

    def now(self) -> datetime:
        """Return the present time, aware, UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""
        ...


class Together(Protocol):
    """Runs independent calls at the same time, and gives up on those that take too long."""

    def __call__(self, calls: Sequence[Callable[[], T]], timeout: timedelta) -> list[T | Exception]:
        """Return each call's result or exception, in order; a TimeoutError for one still running."""
        ...


class StateStore(Protocol):
    """The state table, in the control Region. Raises StateUnavailable where it cannot be reached."""

    def load_state(self, plan: str) -> PlanState | None:
        """Return the newest state (a consistent read), None where there is none yet."""
        ...

    def save_state(self, state: PlanState, expected: int, ended: Transition | None = None) -> bool:
        """Write the state if the stored version is still `expected` (0: none yet); return whether it is ours.

        A transition that has `ended` is added to the history in the same transaction. A reply that was
        lost and retried must count as ours.
        """
        ...

    def load_health(self, plan: str) -> HealthRecord | None:
        """Return the newest health record, None where there is none yet."""
        ...

    def save_health(self, record: HealthRecord, expected: int) -> bool:
        """Write the health record if the stored version is still `expected`; return whether it is ours."""
        ...

    def record_decision(self, plan: str, at: datetime, decision: Mapping[str, object]) -> None:
        """Add a decision to the record, kept for 30 days."""
        ...


class Tables(Protocol):
    """DynamoDB's data plane in one Region or the other."""

    def read(self, region: str, table: str) -> None:
        """Read from a table."""
        ...

    def status(self, region: str, table: str) -> TableStatus:
        """Return a table's status as this Region describes it (the control plane)."""
        ...

    def write_heartbeat(self, region: str, key: str, at: datetime) -> None:
        """Write a heartbeat item and read it back; raise RemoteFailure where it is not what was written."""
        ...

    def read_heartbeat(self, region: str, key: str) -> datetime | None:
        """Return the time in a heartbeat item as this Region sees it, None where there is none."""
        ...


class Endpoints(Protocol):
    """The application's own endpoints."""

    def get(self, url: str, status: int, timeout: timedelta, body: Body = ANY, headers: str = "") -> None:
        """Return if the endpoint answers with that status, and says what is expected.

        `headers`: the name of the secret headers to send along, '' for none; nothing is waited for to have
        them, and where they cannot be had, that is a failure of ours.
        """
        ...


class Reports(Protocol):
    """What CloudWatch says of a Region, and Linode of what runs there."""

    def alarm(self, region: str, name: str) -> Alarm:
        """Return an alarm as it is in that Region now, and whether it is muted."""
        ...

    def nodes(self, balancer: NodeBalancer) -> Nodes:
        """Return how many nodes behind a NodeBalancer are up."""
        ...

    def instance(self, instance: int) -> str:
        """Return an instance's status."""
        ...


class Zones(Protocol):
    """Route 53."""

    def read(self, zone_id: str, names: Sequence[tuple[str, str]], fence: str) -> ZoneSnapshot:
        """Return what the zone holds of these (name, type) and of the fence's name, in any number of sets.

        Also what would keep a set from being there: a CNAME of that name, in a CNAME's place anything.
        """
        ...

    def submit(self, zone_id: str, changes: Sequence[Change], comment: str) -> str:
        """Submit one batch; return the change's id; raise FenceRefused where it does not match the zone."""
        ...

    def is_insync(self, change_id: str) -> bool:
        """Return whether a change has reached all authoritative servers."""
        ...


class Parameters(Protocol):
    """SSM parameters."""

    def read(self, region: str, name: str) -> str | None:
        """Return the value, None where there is no such parameter."""
        ...

    def write(self, region: str, name: str, value: str) -> None:
        """Write the value."""
        ...


@dataclass(frozen=True, slots=True)
class LinodeRecordState:
    """A record as Linode's API returns it; `name` relative, '' the apex; `ttl_sec` 0 = the default."""

    id: int
    name: str
    type: str
    target: str
    ttl_sec: int


class LinodeDns(Protocol):
    """Linode's DNS."""

    def find(self, domain_id: int, name: str, kind: str) -> tuple[LinodeRecordState, ...]:
        """Return every record of that name and type."""
        ...

    def point(self, domain_id: int, record_id: int, target: str, ttl_sec: int) -> LinodeRecordState:
        """Set target and TTL; return the record as it is afterwards."""
        ...


class Events(Protocol):
    """The control Region's event bus."""

    def put(self, detail_type: str, detail: Mapping[str, object]) -> None:
        """Put one of our own events."""
        ...


class SampleQueue(Protocol):
    """The delay queue whose messages start the probe between two ticks of the schedule."""

    def ask(self, now: datetime, tick: datetime, offsets: Sequence[int]) -> None:
        """Have the probe started so many whole seconds after the tick, each time with an event saying so."""
        ...


class Notifier(Protocol):
    """The notification topic."""

    def publish(self, subject: str, text: str) -> None:
        """Send a notification."""
        ...


class Meter(Protocol):
    """Metrics and the structured log."""

    def measure(self, plan: str, values: Mapping[str, float]) -> None:
        """Emit metrics of one plan."""
        ...

    def log(self, message: str, **fields: object) -> None:
        """Write one structured line."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Eyes:
    """All that a vantage point works with. `owner`: who we are, unique to this invocation."""

    owner: str
    clock: Clock
    together: Together
    tables: Tables
    endpoints: Endpoints
    events: Events
    samples: SampleQueue
    meter: Meter


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports(Eyes):
    """All that a flow of the control Region works with."""

    store: StateStore
    zones: Zones
    parameters: Parameters
    linode: LinodeDns
    reports: Reports
    notifier: Notifier
