"""What the flows need of the world. Adapters implement these; so do the fakes of the tests.

Every method may raise RemoteFailure (with its Symptom) unless it says otherwise, and ends within its own
timeouts; the flows bound whole rounds with `Together`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from region_failover.domain.body import ANY, Body
from region_failover.domain.dataplane import SignalObject
from region_failover.domain.linode import LinodeRecordState
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

    def name_servers(self, zone_id: str) -> tuple[str, ...]:
        """Return the names of a zone's own name servers; none for a private zone."""
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
class SecretState:
    """What is known of a secret: the version that is current, and the value at the key that is switched.

    `value` '': one that is in no plan; it is never passed on (I24).
    """

    version: str
    value: str


class Secrets(Protocol):
    """Secrets Manager. Nothing of a secret but the one value switched leaves an adapter."""

    def read(self, region: str, name: str, key: str, known: Collection[str]) -> SecretState | None:
        """Return what is current, None where there is no such secret; `known`: the plan's values."""
        ...

    def replace(self, region: str, name: str, key: str, value: str, replaced: str, token: str) -> bool:
        """Put a version that differs in this value alone in place of another; return whether it is current.

        `replaced`: what must be current still, else the current one is left alone; `token`: the new one's id.
        """
        ...


class Hooks(Protocol):
    """The user's own functions."""

    def call(self, region: str, function: str, payload: str, timeout: timedelta) -> str:
        """Call a function once and return what it answers; `region` '': the control Region."""
        ...


class LinodeDns(Protocol):
    """Linode's DNS, and the instances that a move reboots.

    `within`: the whole of a call, whatever Linode asks to be waited for; what does not fit is a RemoteFailure
    with status 429 at once, so that nobody asks sooner than Linode allows.
    """

    def domain_name(self, domain_id: int, within: timedelta) -> str:
        """Return a domain's name."""
        ...

    def records_in(self, domain_id: int, within: timedelta) -> tuple[LinodeRecordState, ...]:
        """Return every record of a domain, from all pages."""
        ...

    def point(
        self, domain_id: int, record_id: int, target: str, ttl_sec: int | None, within: timedelta
    ) -> LinodeRecordState:
        """Set the target, and the TTL unless it is None; return the record as it is afterwards."""
        ...

    def reboot(self, instance: int, within: timedelta) -> None:
        """Reboot an instance; sent once, and never again by itself."""
        ...

    def rebooted_since(self, instance: int, at: datetime, within: timedelta) -> bool:
        """Return whether a reboot of that instance has been asked for since then, by its own events."""
        ...


class NameServers(Protocol):
    """A zone's own name servers, asked directly: no cache stands between."""

    def ask(self, servers: Sequence[str], name: str, kind: str) -> tuple[str, ...]:
        """Return the values that all of these servers that answer agree on, sorted; () where there are none.

        `servers`: host names or addresses, 'host:port' for another port than 53; `name`: fully qualified;
        `kind`: the record type; a CNAME is not followed. Values: an address in its usual form; a host name in
        lower case without the last dot; a text without quotes; of SRV 'priority weight port host'.
        Raises RemoteFailure: Kind.WRONG_ANSWER, saying who says what, where they disagree, or where the
        answers are no authoritative ones; else what the first server ran into, if none answers in time.
        """
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


class Signals(Protocol):
    """What Route 53's health checks follow, in the control Region."""

    def publish(self, plan: str, standby: bool, at: datetime) -> None:
        """Publish whether the standby has a plan's traffic, as the record said at that time.

        The time is the fence: what is published late counts for the minute in which it was true.
        """
        ...

    def read(self, bucket: str, key: str) -> SignalObject | None:
        """Return an object, None where none is to be seen (S3 says 'denied' of one that is not there)."""
        ...

    def write(self, bucket: str, key: str, text: str, replacing: str) -> None:
        """Write an object only over the one with this tag ('': only where there is none).

        Raises FenceRefused where something else is there.
        """
        ...

    def public_text(self, bucket: str, key: str) -> str | None:
        """Return what anybody reads there without credentials, None where nobody does."""
        ...


class ZoneAnswers(Protocol):
    """The authoritative name servers of whatever zone a name is in."""

    def answers(self, name: str, kind: str) -> Sequence[frozenset[str]]:
        """Return the values that each server gives for a name and type, of those servers that answered.

        Addresses as text, names without their last dot, strings of TXT joined. An empty answer is an empty
        set. Raises RemoteFailure where no server answered, or none is known.
        """
        ...


class RoutingControls(Protocol):
    """One cluster of ARC, by its endpoints."""

    def read(self, endpoint: str, controls: Sequence[str]) -> Mapping[str, bool]:
        """Return the states of these routing controls as one endpoint tells them: True is On."""
        ...

    def write(self, endpoint: str, states: Mapping[str, bool], override: Sequence[str]) -> None:
        """Set all these states at once, by one endpoint; raise RuleRefused where ARC will not have it."""
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
    secrets: Secrets
    hooks: Hooks
    linode: LinodeDns
    names: NameServers
    reports: Reports
    notifier: Notifier
    signals: Signals
    zone_answers: ZoneAnswers
    controls: RoutingControls
