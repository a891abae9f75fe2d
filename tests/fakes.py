"""The world without a cloud: fakes that implement the ports, and a `World` that puts them together.

Every call of a fake passes `Faults` twice, before and after its effect, so that a test can fail it there,
kill the worker there (`Killed`), or let something else happen there (another worker, the passing of time).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from region_failover.domain.approval import Approval
from region_failover.domain.body import ANY, Body, wrong_with
from region_failover.domain.codec import dump, load_health, load_state, load_transition
from region_failover.domain.configuration import NotSwitchable, text_at, with_text_at
from region_failover.domain.decision import Situation
from region_failover.domain.degradation import Degraded
from region_failover.domain.errors import FenceRefused, RemoteFailure, StateUnavailable
from region_failover.domain.linode import LinodeRecordState, fqdn
from region_failover.domain.linode_file import LINODE_TTLS
from region_failover.domain.plan import FailbackMode, NodeBalancer, Plan, Role
from region_failover.domain.plan_file import parse_plan
from region_failover.domain.reports import Alarm, Nodes, TableStatus
from region_failover.domain.state import Phase, PlanState, Transition
from region_failover.domain.symptom import Kind, Symptom
from region_failover.domain.trigger import (
    OWN_SOURCE,
    REGION_SAMPLED,
    REGION_UNHEALTHY,
    SWITCH_REQUESTED,
    read_triggers,
    report_of,
    sample_due,
)
from region_failover.domain.verdict import Health, HealthRecord, RegionHealth, Sample
from region_failover.domain.window import Opening
from region_failover.domain.zone import (
    Change,
    ChangeAction,
    Fence,
    RecordSet,
    ZoneSnapshot,
    answers,
    canonical,
    fence_name,
    fence_record,
    too_large,
)
from region_failover.ports import Ports, SecretState
from region_failover.service.failback import handle_failback
from region_failover.service.failover import handle_failover
from region_failover.service.linode import handle_linode
from region_failover.service.probe import handle_probe, run_probe
from region_failover.service.record import Deadline
from tests.fakes_dataplane import FakeControls, FakeSignals, Route53DataPlane

T = TypeVar("T")

EAST, WEST = "us-east-1", "us-west-2"
NOON = datetime(2025, 10, 20, 12, 0, tzinfo=UTC)
ZONE = "Z0123456789ABCDEFGHIJ"
MAXIMUM_AGE = timedelta(minutes=15)

# The example of DESIGN.md section 3, as far as this version goes (failback is by hand).
PLAN_TEXT = """
name = "orders"
[regions]
primary = "us-east-1"
standby = "us-west-2"
[policy]
failover = "automatic"
failback = "manual"
healthy_for = "20m"
cooldown = "60m"
max_replication_lag = "30s"
[[check.dynamodb]]
table = "orders"
[[check.http]]
primary = "https://use1.orders.example.com/health"
standby = "https://usw2.orders.example.com/health"
[[switch.route53_record]]
zone_id = "Z0123456789ABCDEFGHIJ"
name = "api.example.com"
type = "A"
ttl = 60
primary = ["192.0.2.10"]
standby = ["198.51.100.10"]
[[switch.linode_record]]
domain_id = 123456
name = "app"
type = "A"
ttl_sec = 30
primary = "203.0.113.10"
standby = "198.51.100.50"
[[switch.ssm_parameter]]
name = "/orders/active-region"
regions = ["us-west-2", "us-east-1"]
"""

PLAN = parse_plan(PLAN_TEXT, "orders.toml")
PARAMETER = "/orders/active-region"

TIMED_OUT = Symptom(Kind.TIMEOUT, detail="no answer")
REFUSED = Symptom(Kind.REFUSED, detail="connection refused")
SERVER_ERROR = Symptom(Kind.API, "InternalServerError", 500)
DENIED = Symptom(Kind.API, "AccessDeniedException", 400)


class Killed(BaseException):
    """The worker dies here: nothing in the product may catch this."""


Action = BaseException | Callable[[], object]


@dataclass
class _Fault:
    when: str
    operation: str
    action: Action
    times: int
    skip: int


class Faults:
    """What shall happen before or after the effect of a fake's call, by 'fake.method'."""

    def __init__(self) -> None:
        self._faults: list[_Fault] = []
        self.calls: list[str] = []

    def before(self, operation: str, action: Action, times: int = 1, skip: int = 0) -> None:
        """Raise or call `action` before the effect, `times` times, after `skip` calls without."""
        self._faults.append(_Fault("before", operation, action, times, skip))

    def after(self, operation: str, action: Action, times: int = 1, skip: int = 0) -> None:
        """Raise or call `action` after the effect: the reply is lost."""
        self._faults.append(_Fault("after", operation, action, times, skip))

    def clear(self) -> None:
        self._faults.clear()

    def around(self, operation: str, effect: Callable[[], T]) -> T:
        self.calls.append(operation)
        self._meet("before", operation)
        answer = effect()
        self._meet("after", operation)
        return answer

    def _meet(self, when: str, operation: str) -> None:
        for fault in list(self._faults):
            if (fault.when, fault.operation) != (when, operation) or fault.times <= 0:
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            fault.times -= 1
            if isinstance(fault.action, BaseException):
                raise fault.action
            fault.action()


class FakeClock:
    """A clock that stands still unless it is told, or slept on."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class Sequential:
    """`Together` without threads: one call after the other; `hang` names rounds and calls that time out."""

    def __init__(self) -> None:
        self.hang: set[tuple[int, int]] = set()
        self.rounds = 0

    def __call__(self, calls: Sequence[Callable[[], T]], timeout: timedelta) -> list[T | Exception]:
        number, self.rounds = self.rounds, self.rounds + 1
        answers: list[T | Exception] = []
        for index, call in enumerate(calls):
            if (number, index) in self.hang:
                answers.append(TimeoutError("still running at the deadline"))
                continue
            try:
                answers.append(call())
            except Exception as error:
                answers.append(error)
        return answers


class MemoryStore:
    """A state table in memory; the compare-and-swap is exact, and records pass through the codec."""

    dump = staticmethod(dump)
    load_state_text = staticmethod(load_state)
    load_health_text = staticmethod(load_health)

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.available = True
        self.states: dict[str, tuple[int, str]] = {}
        self.healths: dict[str, tuple[int, str]] = {}
        self.history: dict[tuple[str, int, datetime], str] = {}
        self.decisions: list[tuple[str, datetime, dict[str, Any]]] = []
        self.epochs: list[int] = []

    def load_state(self, plan: str) -> PlanState | None:
        found = self._around("store.load_state", lambda: self.states.get(plan))
        return self.load_state_text(found[1]) if found else None

    def save_state(self, state: PlanState, expected: int, ended: Transition | None = None) -> bool:
        def save() -> bool:
            if self.states.get(state.plan, (0, ""))[0] != expected:
                return False
            if ended is not None and (state.plan, ended.epoch, ended.started_at) in self.history:
                return False
            self.states[state.plan] = (state.version, self.dump(state))
            self.epochs.append(state.epoch)
            if ended is not None:
                self.history[state.plan, ended.epoch, ended.started_at] = self.dump(ended)
            return True

        return self._around("store.save_state", save)

    def load_health(self, plan: str) -> HealthRecord | None:
        found = self._around("store.load_health", lambda: self.healths.get(plan))
        return self.load_health_text(found[1]) if found else None

    def save_health(self, record: HealthRecord, expected: int) -> bool:
        def save() -> bool:
            if self.healths.get(record.plan, (0, ""))[0] != expected:
                return False
            self.healths[record.plan] = (record.version, self.dump(record))
            return True

        return self._around("store.save_health", save)

    def record_decision(self, plan: str, at: datetime, decision: Mapping[str, object]) -> None:
        text = json.dumps(decision, default=str, sort_keys=True)
        self._around("store.record_decision", lambda: self.decisions.append((plan, at, json.loads(text))))

    def _around(self, operation: str, effect: Callable[[], T]) -> T:
        if not self.available:
            raise StateUnavailable("state table: made unavailable")
        return self.faults.around(operation, effect)


@dataclass
class _Beat:
    writer: str
    at: datetime
    visible_at: datetime | None


class FakeTables:
    """DynamoDB in two Regions; `lag`: replication; `paused`: nothing written now is replicated."""

    def __init__(self, clock: FakeClock, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.clock = clock
        self.failures: dict[str, Symptom] = {}
        self.lag = timedelta(seconds=0.4)
        self.paused = False
        self.tables = {"orders"}
        self.statuses: dict[tuple[str, str], TableStatus] = {}  # by Region and table
        self._beats: dict[str, list[_Beat]] = {}

    def read(self, region: str, table: str) -> None:
        def effect() -> None:
            if table not in self.tables:
                raise RemoteFailure(Symptom(Kind.API, "ResourceNotFoundException", 400))

        self._around("tables.read", region, effect)

    def status(self, region: str, table: str) -> TableStatus:
        well = TableStatus("ACTIVE", {EAST if region == WEST else WEST: "ACTIVE"})
        return self._around("tables.status", region, lambda: self.statuses.get((region, table), well))

    def write_heartbeat(self, region: str, key: str, at: datetime) -> None:
        def effect() -> None:
            visible = None if self.paused else self.clock.now() + self.lag
            beats = self._beats.setdefault(key, [])
            if not any(beat.writer == region and beat.at > at for beat in beats):
                beats.append(_Beat(region, at, visible))

        self._around("tables.write_heartbeat", region, effect)

    def read_heartbeat(self, region: str, key: str) -> datetime | None:
        def effect() -> datetime | None:
            now = self.clock.now()
            return max(
                (
                    beat.at
                    for beat in self._beats.get(key, [])
                    if beat.writer == region or (beat.visible_at is not None and beat.visible_at <= now)
                ),
                default=None,
            )

        return self._around("tables.read_heartbeat", region, effect)

    def resume_replication(self) -> None:
        self.paused = False
        for beats in self._beats.values():
            for beat in beats:
                beat.visible_at = beat.visible_at or self.clock.now() + self.lag

    def _around(self, operation: str, region: str, effect: Callable[[], T]) -> T:
        if region in self.failures:
            raise RemoteFailure(self.failures[region])
        return self.faults.around(operation, effect)


class FakeEndpoints:
    """The application's endpoints: 200 unless told otherwise."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.answers: dict[str, int | Symptom] = {}
        self.bodies: dict[str, bytes] = {}
        self.headers: list[str] = []  # sent along, by name

    def get(self, url: str, status: int, timeout: timedelta, body: Body = ANY, headers: str = "") -> None:
        def effect() -> None:
            self.headers.append(headers)
            answer = self.answers.get(url, 200)
            if isinstance(answer, Symptom):
                raise RemoteFailure(answer)
            if answer != status:
                raise RemoteFailure(Symptom(Kind.HTTP, status=answer, detail=f"{status} was expected"))
            wrong = wrong_with(self.bodies.get(url, b""), body)
            if wrong:
                raise RemoteFailure(Symptom(Kind.WRONG_ANSWER, status=answer, detail=wrong))

        self.faults.around("endpoints.get", effect)


SERVERS = tuple(f"ns-{number}.awsdns-{number:02d}.example" for number in range(1, 5))


def zone_key(record: RecordSet) -> tuple[str, str]:
    """Return where a fake zone keeps a record set: weighted ones by their identifier, too."""
    return canonical(record.name), f"{record.type} {record.identifier}".strip()


def _clashes(zone: Mapping[tuple[str, str], RecordSet], record: RecordSet) -> bool:
    """Return whether Route 53 would refuse a set beside what is there.

    A CNAME beside another type; a simple set where one of a routing policy stands, the reverse, or two
    policies of one name and type.
    """
    named = [there for there in zone.values() if there.name == canonical(record.name)]
    same = [there for there in named if there.type == record.type]
    alone = any("CNAME" in (there.type, record.type) for there in named if there.type != record.type)
    return alone or any(_policy(there) != _policy(record) for there in same)


def _policy(record: RecordSet) -> frozenset[str]:
    """Return by what Route 53 chooses this set among others of its name and type."""
    weight = {"Weight"} if record.weight is not None else set()
    return frozenset(weight | {name for name, _ in record.kept if name != "HealthCheckId"})


def _lacks_its_target(zone_id: str, zone: Mapping[tuple[str, str], RecordSet], record: RecordSet) -> bool:
    """Return whether it is an alias of a record of its own zone that is not there."""
    alias = record.alias
    if alias is None or alias.zone_id != zone_id:
        return False
    return not any((r.name, r.type) == (canonical(alias.name), record.type) for r in zone.values())


class FakeZones:
    """Route 53: a batch is all or nothing, DELETE must match to the letter, CREATE fails on what exists."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.zones: dict[str, dict[tuple[str, str], RecordSet]] = {}
        self.batches: list[tuple[str, tuple[Change, ...], str]] = []
        self.refused: list[tuple[Change, ...]] = []
        self.pending_polls = 0
        self.sends_twice = False
        self.private: set[str] = set()
        self._polls_left: dict[str, int] = {}

    def put(self, zone_id: str, *records: RecordSet) -> None:
        """Edit a zone as a human at the console would."""
        self.zones.setdefault(zone_id, {}).update({zone_key(r): r for r in records})

    def find(self, zone_id: str, name: str, kind: str = "A") -> RecordSet | None:
        """Return the record set of that name and type; of weighted ones the heaviest."""
        zone = self.zones[zone_id].values()
        sets = [record for record in zone if (record.name, record.type) == (canonical(name), kind)]
        return max(sets, key=lambda record: (record.weight or 0, record.identifier), default=None)

    def read(self, zone_id: str, names: Sequence[tuple[str, str]], fence: str) -> ZoneSnapshot:
        def effect() -> ZoneSnapshot:
            zone = self._zone(zone_id)
            found = [
                record
                for name, kind in [*names, (fence, "TXT")]
                for record in zone.values()
                if record.name == canonical(name) and (record.type == kind or "CNAME" in (record.type, kind))
            ]
            mark = zone.get((canonical(fence), "TXT"))
            records = tuple(record for record in dict.fromkeys(found) if record is not mark)
            return ZoneSnapshot(fence=mark, records=records)

        return self.faults.around("zones.read", effect)

    def submit(self, zone_id: str, changes: Sequence[Change], comment: str) -> str:
        def effect() -> str:
            following = dict(self._zone(zone_id))
            if too_large(changes):
                self.refused.append(tuple(changes))
                raise FenceRefused(too_large(changes))
            for change in changes:
                self._apply(following, change, changes)
            if any(_lacks_its_target(zone_id, following, c.record) for c in changes if c.action == "CREATE"):
                self.refused.append(tuple(changes))
                raise FenceRefused("tried to create an alias of a record that was not found")
            self.zones[zone_id] = following
            self.batches.append((zone_id, tuple(changes), comment))
            change_id = f"C{len(self.batches)}"
            self._polls_left[change_id] = self.pending_polls
            return change_id

        if self.sends_twice:  # the reply is lost, and the SDK sends the batch again
            self.sends_twice = False
            effect()
        return self.faults.around("zones.submit", effect)

    def _apply(
        self, zone: dict[tuple[str, str], RecordSet], change: Change, changes: Sequence[Change]
    ) -> None:
        key = zone_key(change.record)
        there = zone.get(key)
        if change.action is ChangeAction.DELETE:
            if there != change.record:
                self.refused.append(tuple(changes))
                raise FenceRefused(f"tried to delete {key} but the values do not match")
            del zone[key]
            return
        if there is not None or _clashes(zone, change.record):
            self.refused.append(tuple(changes))
            raise FenceRefused(f"tried to create {key} but it already exists")
        zone[key] = replace(change.record, values=tuple(sorted(change.record.values)))

    def is_insync(self, change_id: str) -> bool:
        def effect() -> bool:
            if not change_id:
                raise RemoteFailure(Symptom(Kind.SETTINGS, detail="Invalid length for parameter Id"))
            if change_id not in self._polls_left:
                raise RemoteFailure(Symptom(Kind.API, "NoSuchChange", 404))
            left = self._polls_left[change_id]
            self._polls_left[change_id] = max(0, left - 1)
            return left == 0

        return self.faults.around("zones.is_insync", effect)

    def name_servers(self, zone_id: str) -> tuple[str, ...]:
        def effect() -> tuple[str, ...]:
            self._zone(zone_id)
            return () if zone_id in self.private else SERVERS

        return self.faults.around("zones.name_servers", effect)

    def served(self, name: str, kind: str) -> tuple[str, ...]:
        """Return what the zones' name servers answer, a wildcard where no name stands; the heaviest set."""
        wild = "*." + canonical(name).partition(".")[2]
        for asked in (canonical(name), wild):
            for zone in self.zones.values():
                sets = [r for r in zone.values() if (r.name, r.type) == (asked, kind) and r.weight != 0]
                if sets:
                    found = max(sets, key=lambda record: (record.weight or 0, record.identifier))
                    said = canonical if kind == "CNAME" else lambda value: value.strip('"')
                    return tuple(sorted(map(said, found.values)))
        return ()

    def _zone(self, zone_id: str) -> dict[tuple[str, str], RecordSet]:
        if zone_id not in self.zones:
            raise RemoteFailure(Symptom(Kind.API, "NoSuchHostedZone", 404))
        return self.zones[zone_id]


class FakeParameters:
    """SSM parameters by Region."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.values: dict[tuple[str, str], str] = {}
        self.failures: dict[str, Symptom] = {}
        self.writes: list[tuple[str, str, str]] = []

    def read(self, region: str, name: str) -> str | None:
        return self._around("parameters.read", region, lambda: self.values.get((region, name)))

    def write(self, region: str, name: str, value: str) -> None:
        def effect() -> None:
            self.values[region, name] = value
            self.writes.append((region, name, value))

        self._around("parameters.write", region, effect)

    def _around(self, operation: str, region: str, effect: Callable[[], T]) -> T:
        if region in self.failures:
            raise RemoteFailure(self.failures[region])
        return self.faults.around(operation, effect)


class FakeSecrets:
    """Secrets Manager by Region: versions that never change, and AWSCURRENT, moved from the one named."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.versions: dict[tuple[str, str], dict[str, str]] = {}
        self.current: dict[tuple[str, str], str] = {}
        self.was_current: dict[tuple[str, str], list[str]] = {}
        self.failures: dict[str, Symptom] = {}

    def put(self, region: str, name: str, text: str) -> str:
        """Put a new version, current at once, as an application does; return its id."""
        versions = self.versions.setdefault((region, name), {})
        version = f"v{len(versions)}"
        versions[version] = text
        self._make_current((region, name), version)
        return version

    def _make_current(self, where: tuple[str, str], version: str) -> None:
        self.current[where] = version
        self.was_current.setdefault(where, []).append(version)

    def text(self, region: str, name: str) -> str:
        """Return the current content."""
        return self.versions[region, name][self.current[region, name]]

    def read(self, region: str, name: str, key: str, known: Collection[str]) -> SecretState | None:
        def effect() -> SecretState | None:
            if (region, name) not in self.current:
                return None
            value = self._at(self.text(region, name), key)
            return SecretState(self.current[region, name], value if value in known else "")

        return self._around("secrets.read", region, effect)

    def replace(self, region: str, name: str, key: str, value: str, replaced: str, token: str) -> bool:
        def effect() -> bool:
            versions = self.versions[region, name]
            text = with_text_at(versions[replaced], key, value)
            if versions.setdefault(token, text) != text:
                raise RemoteFailure(Symptom(Kind.API, "ResourceExistsException", 400))
            if self.current[region, name] == replaced:
                self._make_current((region, name), token)
            return self.current[region, name] == token

        return self._around("secrets.replace", region, effect)

    def _at(self, text: str, key: str) -> str:
        try:
            return text_at(text, key)
        except NotSwitchable as error:
            raise RemoteFailure(Symptom(Kind.SETTINGS, detail=str(error))) from None

    def _around(self, operation: str, region: str, effect: Callable[[], T]) -> T:
        if region in self.failures:
            raise RemoteFailure(self.failures[region])
        return self.faults.around(operation, effect)


class FakeHooks:
    """The user's functions, by name: what each answers, and every call. `null` unless told otherwise."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.answers: dict[str, str | Symptom] = {}
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self.failures: dict[str, Symptom] = {}

    def call(self, region: str, function: str, payload: str, timeout: timedelta) -> str:
        def effect() -> str:
            self.calls.append((region, function, json.loads(payload)))
            answer = self.answers.get(function, "null")
            if isinstance(answer, Symptom):
                raise RemoteFailure(answer)
            return answer

        if region in self.failures:
            raise RemoteFailure(self.failures[region])
        return self.faults.around("hooks.call", effect)


class FakeLinode:
    """Linode's DNS and instances: no compare-and-swap; a TTL that is not listed is rounded."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.records: dict[int, list[LinodeRecordState]] = {}
        self.names: dict[int, str] = {}
        self.writes: list[tuple[int, str, int | None]] = []
        self.failure: Symptom | None = None
        self.ignores_writes_to: set[int] = set()
        self.reboots: list[tuple[int, datetime]] = []
        self.clock: FakeClock | None = None

    def domain_name(self, domain_id: int, within: timedelta) -> str:
        return self._around("linode.domain_name", lambda: self.names.get(domain_id, "legacy.example"))

    def records_in(self, domain_id: int, within: timedelta) -> tuple[LinodeRecordState, ...]:
        return self._around("linode.records_in", lambda: tuple(self.records.get(domain_id, ())))

    def reboot(self, instance: int, within: timedelta) -> None:
        now = self.clock.now() if self.clock else NOON
        self._around("linode.reboot", lambda: self.reboots.append((instance, now)))

    def rebooted_since(self, instance: int, at: datetime, within: timedelta) -> bool:
        return self._around(
            "linode.rebooted_since", lambda: any(i == instance and t >= at for i, t in self.reboots)
        )

    def point(
        self,
        domain_id: int,
        record_id: int,
        target: str,
        ttl_sec: int | None,
        within: timedelta = timedelta(seconds=10),
    ) -> LinodeRecordState:
        def effect() -> LinodeRecordState:
            records = self.records.get(domain_id, [])
            index = next((i for i, record in enumerate(records) if record.id == record_id), None)
            if index is None:
                raise RemoteFailure(Symptom(Kind.HTTP, status=404, detail="Linode: Not found"))
            self.writes.append((record_id, target, ttl_sec))
            if record_id not in self.ignores_writes_to:
                ttl = records[index].ttl_sec if ttl_sec is None else rounded(ttl_sec)
                records[index] = replace(records[index], target=target, ttl_sec=ttl)
            return records[index]

        return self._around("linode.point", effect)

    def _around(self, operation: str, effect: Callable[[], T]) -> T:
        if self.failure is not None:
            raise RemoteFailure(self.failure)
        return self.faults.around(operation, effect)


class FakeNameServers:
    """Name servers: all say what Linode, `values` and `served` hold; those that lag what they last said."""

    def __init__(self, faults: Faults | None = None, linode: FakeLinode | None = None) -> None:
        self.faults = faults or Faults()
        self.linode = linode or FakeLinode()
        self.values: dict[tuple[str, str], tuple[str, ...]] = {}
        self.served: Callable[[str, str], tuple[str, ...]] = lambda name, kind: ()
        self.lagging: dict[
            str, dict[tuple[str, str], tuple[str, ...]]
        ] = {}  # by server, what each still says
        self.silent: set[str] = set()
        self.asked: list[tuple[tuple[str, ...], str, str]] = []

    def ask(self, servers: Sequence[str], name: str, kind: str) -> tuple[str, ...]:
        def effect() -> tuple[str, ...]:
            self.asked.append((tuple(servers), name, kind))
            key = (canonical(name).rstrip("."), kind)
            answers = {
                self.lagging.get(server, {}).get(key, tuple(sorted(self._held(*key))))
                for server in servers
                if server not in self.silent
            }
            if not answers:
                raise RemoteFailure(TIMED_OUT)
            if len(answers) > 1:
                raise RemoteFailure(Symptom(Kind.WRONG_ANSWER, detail=f"{name} {kind}: they disagree"))
            return answers.pop()

        return self.faults.around("names.ask", effect)

    def _held(self, name: str, kind: str) -> tuple[str, ...]:
        at_linode = [
            f"10 5 5060 {record.target}" if kind == "SRV" else record.target
            for domain_id, records in self.linode.records.items()
            for record in records
            if (fqdn(record.name, self.linode.names.get(domain_id, "legacy.example")), record.type)
            == (name, kind)
        ]
        return (*self.values.get((name, kind), ()), *self.served(name, kind), *at_linode)


class FakeReports:
    """CloudWatch and Linode: every alarm OK, every node up, every instance running unless told otherwise."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.alarms: dict[tuple[str, str], Alarm | Symptom] = {}
        self.balancers: dict[NodeBalancer, Nodes | Symptom] = {}
        self.instances: dict[int, str | Symptom] = {}

    def alarm(self, region: str, name: str) -> Alarm:
        return self._say("reports.alarm", self.alarms.get((region, name), Alarm("OK")))

    def nodes(self, balancer: NodeBalancer) -> Nodes:
        return self._say("reports.nodes", self.balancers.get(balancer, Nodes(2, 0, "http")))

    def instance(self, instance: int) -> str:
        return self._say("reports.instance", self.instances.get(instance, "running"))

    def _say(self, operation: str, answer: T | Symptom) -> T:
        def effect() -> T:
            if isinstance(answer, Symptom):
                raise RemoteFailure(answer)
            return answer

        return self.faults.around(operation, effect)


def rounded(ttl_sec: int) -> int:
    """Return the TTL that Linode keeps: the next of its list; 0 means the default."""
    return next((ttl for ttl in LINODE_TTLS if ttl >= ttl_sec), LINODE_TTLS[-1]) if ttl_sec else 0


class FakeEvents:
    """The event bus; keeps what was put, as the JSON it would be."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.put_events: list[tuple[str, dict[str, Any]]] = []

    def put(self, detail_type: str, detail: Mapping[str, object]) -> None:
        text = json.dumps(detail)
        self.faults.around("events.put", lambda: self.put_events.append((detail_type, json.loads(text))))

    def of(self, detail_type: str) -> list[dict[str, Any]]:
        return [detail for kind, detail in self.put_events if kind == detail_type]


class FakeNotifier:
    """The topic; `failure` makes every publication fail."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.failure: Symptom | None = None
        self.sent: list[tuple[str, str]] = []

    def publish(self, subject: str, text: str) -> None:
        if self.failure is not None:
            raise RemoteFailure(self.failure)
        self.faults.around("notifier.publish", lambda: self.sent.append((subject, text)))

    def about(self, words: str) -> list[str]:
        return [subject for subject, _ in self.sent if words in subject]


class FakeSamples:
    """The delay queue: what it would deliver, and when."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.asked: list[dict[str, Any]] = []

    def ask(self, now: datetime, tick: datetime, offsets: Sequence[int]) -> None:
        def effect() -> None:
            self.asked += [sample_due(f"due-{o}", tick + timedelta(seconds=o), o) for o in offsets]

        self.faults.around("samples.ask", effect)


@dataclass
class FakeMeter:
    """Metrics and log lines, kept."""

    measured: list[tuple[str, dict[str, float]]] = field(default_factory=list)
    lines: list[tuple[str, dict[str, object]]] = field(default_factory=list)

    def measure(self, plan: str, values: Mapping[str, float]) -> None:
        self.measured.append((plan, dict(values)))

    def log(self, message: str, **fields: object) -> None:
        self.lines.append((message, fields))


class World:
    """Two Regions, a zone, parameters, Linode, and a plan whose traffic is at the primary."""

    def __init__(self, plan: Plan = PLAN) -> None:
        self.plan = plan
        self.faults = Faults()
        self.clock = FakeClock()
        self.together = Sequential()
        self.store = MemoryStore(self.faults)
        self.tables = FakeTables(self.clock, self.faults)
        self.endpoints = FakeEndpoints(self.faults)
        self.zones = FakeZones(self.faults)
        self.parameters = FakeParameters(self.faults)
        self.secrets = FakeSecrets(self.faults)
        self.hooks = FakeHooks(self.faults)
        self.linode = FakeLinode(self.faults)
        self.linode.clock = self.clock
        self.names = FakeNameServers(self.faults, self.linode)
        self.names.served = self.zones.served
        self.reports = FakeReports(self.faults)
        self.events = FakeEvents(self.faults)
        self.notifier = FakeNotifier(self.faults)
        self.meter = FakeMeter()
        self.samples = FakeSamples(self.faults)
        self.signals = FakeSignals(self.faults)
        self.zone_answers = Route53DataPlane(self.clock, self.signals, self.faults, plan)
        self.controls = FakeControls(self.faults, plan)
        self.others: list[Plan] = []  # of the same stack
        self._workers = 0
        self._delivered = 0
        self._fill(plan)

    def _fill(self, plan: Plan) -> None:
        for zone_id, records in plan.zones().items():
            self.zones.put(zone_id, *(s for record in records for s in answers(record, Role.PRIMARY)))
        for number, record in enumerate(plan.linode_records, start=1):
            its_id = record.record_id or number
            ttl_sec = 300 if record.ttl_sec is None else record.ttl_sec
            state = LinodeRecordState(its_id, record.name, record.type, record.primary, ttl_sec)
            self.linode.records.setdefault(record.domain_id, []).append(state)
        for parameter in plan.ssm_parameters:
            for region in parameter.regions:
                there = parameter.value(plan.regions, plan.regions.primary)
                self.parameters.values[region, parameter.name] = there
        for secret in plan.secrets:
            for region in secret.regions:
                there = secret.value(plan.regions, plan.regions.primary)
                text = json.dumps({secret.key: there, "password": "s3cret"}) if secret.key else there
                self.secrets.put(region, secret.name, text)

    def ports(self, owner: str = "") -> Ports:
        """Return the ports of a new worker."""
        self._workers += 1
        return Ports(
            owner=owner or f"worker-{self._workers}",
            clock=self.clock,
            together=self.together,
            store=self.store,
            tables=self.tables,
            endpoints=self.endpoints,
            zones=self.zones,
            parameters=self.parameters,
            secrets=self.secrets,
            hooks=self.hooks,
            linode=self.linode,
            names=self.names,
            reports=self.reports,
            events=self.events,
            notifier=self.notifier,
            samples=self.samples,
            meter=self.meter,
            signals=self.signals,
            zone_answers=self.zone_answers,
            controls=self.controls,
        )

    # what happens to the world

    def break_region(self, region: str, symptom: Symptom = TIMED_OUT) -> None:
        """A Region's DynamoDB, endpoints, SSM, Secrets Manager and hooks stop answering."""
        self.tables.failures[region] = symptom
        self.parameters.failures[region] = symptom
        self.secrets.failures[region] = symptom
        self.hooks.failures[region] = symptom
        for check in self.plan.http_checks:
            self.endpoints.answers[check.url(self.plan.regions.role(region))] = (
                503 if symptom is SERVER_ERROR else REFUSED
            )

    def repair_region(self, region: str) -> None:
        self.tables.failures.pop(region, None)
        self.parameters.failures.pop(region, None)
        self.secrets.failures.pop(region, None)
        self.hooks.failures.pop(region, None)
        for check in self.plan.http_checks:
            self.endpoints.answers.pop(check.url(self.plan.regions.role(region)), None)

    def settle(self, minutes: int = 25) -> None:
        """Let so many minutes pass, with a probe each."""
        for _ in range(minutes):
            self.probe()
            self.clock.at = self.clock.at.replace(second=0, microsecond=0) + timedelta(minutes=1)

    def outage(self, region: str = EAST, symptom: Symptom = TIMED_OUT) -> None:
        """Break a Region and let the probe see it for long enough to be decided."""
        self.probe(seconds=20)
        self.break_region(region, symptom)
        self.probe(seconds=55)
        self.clock.advance(5)
        self.probe(seconds=55)
        self.clock.advance(5)

    # what starts the functions

    def probe(self, seconds: float = 50) -> list[dict[str, object]]:
        ports = self.ports()
        return run_probe(ports, [self.plan], Deadline.after(ports, seconds))

    def sample(self, offset: int, at: datetime | None = None, seconds: float = 50) -> list[dict[str, object]]:
        """Deliver the message that a sample is due so many seconds after the tick."""
        event = sample_due("due", at or self.clock.now(), offset)
        return self._probe({"Records": [{"eventSource": "aws:sqs", "body": json.dumps(event)}]}, seconds)

    def report(
        self, vantage: str, health: Health, region: str = EAST, at: datetime | None = None
    ) -> list[dict[str, object]]:
        """Deliver what a vantage point reports of a Region."""
        sample = Sample(region, at or self.clock.now(), health, why="as seen from there")
        return self._probe(
            self.own_event(REGION_SAMPLED, report_of(self.plan.name, vantage, {region: sample}))
        )

    def _probe(self, event: object, seconds: float = 50) -> list[dict[str, object]]:
        ports = self.ports()
        triggers = read_triggers(event, f"request-{ports.owner}")
        return handle_probe(ports, [self.plan], triggers, Deadline.after(ports, seconds), MAXIMUM_AGE)

    def failover(self, event: object | None = None, ports: Ports | None = None, seconds: float = 100) -> Any:
        """Deliver an event (an alarm of now, where none is given) to the failover function."""
        return self._deliver(handle_failover, event or self.alarm(), ports, seconds)

    def failback(self, event: object | None = None, ports: Ports | None = None, seconds: float = 100) -> Any:
        """Deliver an event (the schedule's, where none is given) to the failback function."""
        return self._deliver(handle_failback, event or self.schedule(), ports, seconds)

    tick = failback

    def deliver_switch(self, ports: Ports | None = None, seconds: float = 60) -> list[Any]:
        """Deliver the switch requests that have not been delivered yet to linode_dns."""
        requests = self.events.of(SWITCH_REQUESTED)[self._delivered :]
        self._delivered += len(requests)
        return [self.linode_dns(detail, ports, seconds) for detail in requests]

    def linode_dns(self, detail: Mapping[str, Any], ports: Ports | None = None, seconds: float = 60) -> Any:
        return self._deliver(handle_linode, self.own_event(SWITCH_REQUESTED, detail), ports, seconds)

    def _deliver(self, flow: Callable[..., Any], event: object, ports: Ports | None, seconds: float) -> Any:
        ports = ports or self.ports()
        triggers = read_triggers(event, f"request-{ports.owner}")
        plans = [self.plan, *self.others]
        answers = flow(ports, plans, triggers, Deadline.after(ports, seconds), MAXIMUM_AGE)
        return answers[0] if len(answers) == 1 else answers

    def alarm(self, at: datetime | None = None, value: str = "ALARM") -> dict[str, Any]:
        time = (at or self.clock.now()).isoformat()
        return {
            "id": f"alarm {time}",
            "source": "aws.cloudwatch",
            "detail-type": "CloudWatch Alarm State Change",
            "time": time,
            "detail": {"alarmName": "orders-down", "state": {"value": value}},
        }

    def schedule(self) -> dict[str, Any]:
        time = self.clock.now().isoformat()
        return {"id": f"tick {time}", "source": "aws.events", "detail-type": "Scheduled Event", "time": time}

    def unhealthy_event(self, at: datetime | None = None) -> dict[str, Any]:
        detail = {"plan": self.plan.name, "epoch": 0, "direction": "failover", "reason": "seen"}
        return self.own_event(REGION_UNHEALTHY, detail, at)

    def own_event(
        self, detail_type: str, detail: Mapping[str, Any], at: datetime | None = None
    ) -> dict[str, Any]:
        time = (at or self.clock.now()).isoformat()
        return {
            "id": f"{detail_type} {time}",
            "source": OWN_SOURCE,
            "detail-type": detail_type,
            "time": time,
            "detail": detail,
        }

    def manual(self, action: str, *, force: bool = False) -> dict[str, Any]:
        return {"plan": self.plan.name, "action": action, "reason": "a rehearsal", "force": force}

    # what is there now

    @property
    def state(self) -> PlanState:
        found = self.store.states[self.plan.name]
        return load_state(found[1])

    def edit_state(self, **changes: Any) -> None:
        """Change the record as an operator's tool would."""
        state = self.state
        following = replace(state, version=state.version + 1, **changes)
        self.store.states[self.plan.name] = (following.version, dump(following))

    def history(self) -> list[Transition]:
        return [load_transition(text) for _, text in sorted(self.store.history.items())]

    def reasons(self) -> list[str]:
        return [decision["reason"] for _, _, decision in self.store.decisions]

    def answer(self) -> tuple[str, ...]:
        """Return what Route 53 answers for the plan's first record."""
        record = self.plan.route53_records[0]
        found = self.zones.find(record.zone_id, record.name, record.type)
        return found.values if found else ()

    def fence(self) -> Fence | None:
        zone_id, records = next(iter(self.plan.zones().items()))
        found = self.zones.find(zone_id, fence_name(records), "TXT")
        return ZoneSnapshot(found, ()).read_fence()

    def put_fence(self, epoch: int, active: str, plan: str = "orders") -> None:
        records = self.plan.zones()[ZONE]
        self.zones.put(ZONE, fence_record(records, Fence(plan, epoch, active)))

    def moved_to(self) -> str:
        """Return the Region that Route 53 points at."""
        record = self.plan.route53_records[0]
        by_values = {record.primary: self.plan.regions.primary, record.standby: self.plan.regions.standby}
        return by_values[self.answer()]

    def step(self, key: str) -> Any:
        return self.state.transition.step(key) if self.state.transition else None


def with_policy(plan: Plan = PLAN, **changes: Any) -> Plan:
    """Return the plan with another policy."""
    return replace(plan, policy=replace(plan.policy, **changes))


AUTOMATIC_FAILBACK = with_policy(failback=FailbackMode.AUTOMATIC)


def health(region_health: Health, since: datetime, last_at: datetime, count: int = 5) -> RegionHealth:
    """Return an unbroken run of equal samples."""
    return RegionHealth(region_health, since, last_at, (region_health,) * count)


def situation(**changes: Any) -> Situation:
    """Return the situation in which a failover moves: the primary is down, the standby verified."""
    base = Situation(
        now=NOON,
        at_primary=True,
        phase=Phase.STEADY,
        paused=False,
        cooldown_until=None,
        moves_of_the_day=0,
        manual=False,
        force=False,
        source=Health.UNHEALTHY,
        source_down=True,
        disagreed=False,
        ours=False,
        degraded=Degraded.NO,
        fleet_percent=0,
        complete=True,
        target=Health.HEALTHY,
        target_at=NOON,
        settled=True,
        lags_s=(0.5, 0.5),
        opening=Opening.OPEN,
        approval=Approval.NONE,
    )
    return replace(base, **changes)
