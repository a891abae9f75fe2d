"""The services of a simulated world, behind the ports, with the fakes' own semantics and a seed's weather.

Every port call of a worker passes `Cloud.call`: it takes time, may be lost before its effect or its reply
after it, may be refused by whatever is wrong at that moment, and its worker may be frozen or killed there.
Call, effect and reply go into the history at their own moments.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from proof.history import EFFECTS, History, data_of, effect_of, error_of, record_set, result_of
from region_failover.adapters.system import SystemClock
from region_failover.domain.codec import dump, load_health, load_state
from region_failover.domain.errors import FenceRefused, RemoteFailure, StateUnavailable
from region_failover.domain.linode import LinodeRecordState
from region_failover.domain.plan import Plan
from region_failover.domain.state import PlanState
from region_failover.domain.symptom import Kind, Symptom
from region_failover.domain.verdict import HealthRecord
from region_failover.ports import Ports
from tests.fakes import (
    NOON,
    FakeHooks,
    FakeLinode,
    FakeNameServers,
    FakeParameters,
    FakeReports,
    FakeSecrets,
    FakeTables,
    FakeZones,
    Faults,
)
from tests.fakes_dataplane import no_data_plane
from tests.simulation.scheduler import Died, Process, Scheduler
from tests.simulation.script import CONTROL, LONGEST_PAUSE_S, LONGEST_PENDING_S, Noise, Spell, Trouble

TIMED_OUT = Symptom(Kind.TIMEOUT, detail="no answer")
REFUSED = Symptom(Kind.REFUSED, detail="connection refused")
NO_NAME = Symptom(Kind.NO_SUCH_NAME, detail="the name resolves to nothing")
ERROR = Symptom(Kind.API, "InternalServerError", 500)
BAD_GATEWAY = Symptom(Kind.HTTP, status=502)
DENIED = Symptom(Kind.API, "AccessDeniedException", 400)
THROTTLED = Symptom(Kind.API, "ThrottlingException", 400)
UNAVAILABLE = Symptom(Kind.API, "ServiceUnavailable", 503)
TOO_MANY = Symptom(Kind.HTTP, status=429)

# What takes the control stack's own services along, where it runs in that Region.
_WHOLE = frozenset({Trouble.HANGS, Trouble.REFUSES, Trouble.ERRORS, Trouble.NO_NAME})
_WRITES = frozenset({"tables.write_heartbeat"})
_DATA_PLANE = ("tables", "endpoints", "parameters")
_AMBUSHED = frozenset(
    {"store.save_state", "zones.submit", "zones.is_insync", "parameters.write", "linode.point", "events.put"}
)
_FATES = ("lost", "reply-lost", "killed-before", "killed-after", "frozen-before", "frozen-after")
_OWN = {"lost": TIMED_OUT, "throttled": THROTTLED}

# What fails wherever it is asked, and how.
_ANYWHERE = {
    Trouble.ROUTE53: ("zones", UNAVAILABLE),
    Trouble.LINODE: ("linode", TOO_MANY),
    Trouble.STATE_TABLE: ("store", TIMED_OUT),
    Trouble.NOTIFIER: ("notifier", ERROR),
    Trouble.EVENTS: ("events", ERROR),
}

# How a Region's data plane, endpoints and SSM fail, by port and operation.
_REGIONAL: dict[Trouble, Callable[[str, str], Symptom | None]] = {
    Trouble.HANGS: lambda port, operation: TIMED_OUT,
    Trouble.REFUSES: lambda port, operation: REFUSED,
    Trouble.NO_NAME: lambda port, operation: NO_NAME,
    Trouble.ERRORS: lambda port, operation: BAD_GATEWAY if port == "endpoints" else ERROR,
    Trouble.GRAY_WRITES: lambda port, operation: (
        BAD_GATEWAY if port == "endpoints" else TIMED_OUT if operation in _WRITES else None
    ),
    Trouble.HTTP_ONLY: lambda port, operation: BAD_GATEWAY if port == "endpoints" else None,
    Trouble.DYNAMODB_ONLY: lambda port, operation: ERROR if port == "tables" else None,
    Trouble.SSM_ONLY: lambda port, operation: TIMED_OUT if port == "parameters" else None,
    Trouble.DENIED: lambda port, operation: DENIED if port == "tables" else None,
}

KEPT_BEATS = 6

# How long a client waits for an answer, by port.
PATIENCE_S = {"tables": 1.8, "endpoints": 1.9, "store": 3.0, "zones": 6.0, "parameters": 3.0, "linode": 7.0}

state_of = lru_cache(maxsize=512)(load_state)
health_of = lru_cache(maxsize=512)(load_health)


class NoFaults(Faults):
    """The fakes' own faults are not used: the weather is made in `Cloud.call`."""

    def around(self, operation: str, effect: Callable[[], Any]) -> Any:
        return effect()


@dataclass(slots=True)
class Host:
    """An execution environment's machine: its wall clock may be wrong, and be set anew."""

    number: int
    error_s: float = 0.0


class Worker(Process):
    """One invocation. `owner`: its name in records; `name`: its name in the history (an attempt each)."""

    def __init__(self, owner: str, name: str, host: Host) -> None:
        super().__init__(name)
        self.owner = owner
        self.host = host
        self.invocation: tuple[str, Any, str, int] = ("", None, "", 1)  # function, event, request, attempt


class _FakeClock:
    """The fakes' clock: the true time."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self._scheduler.now)


class SimulatedTables(FakeTables):
    """DynamoDB in two Regions; of many heartbeats only the newest matter."""

    def write_heartbeat(self, region: str, key: str, at: datetime) -> None:
        super().write_heartbeat(region, key, at)
        beats = self._beats[key]
        if len(beats) > KEPT_BEATS and not self.paused:
            del beats[:-KEPT_BEATS]


class SimulatedZones(FakeZones):
    """Route 53 whose changes become INSYNC when their time has come."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(NoFaults())
        self._cloud = cloud
        self.insync_at: dict[str, float] = {}

    def submit(self, zone_id: str, changes: Any, comment: str) -> str:
        change_id = super().submit(zone_id, changes, comment)
        self.insync_at[change_id] = self._cloud.scheduler.now + self._cloud.pending_s()
        return change_id

    def is_insync(self, change_id: str) -> bool:
        if not change_id:
            raise RemoteFailure(Symptom(Kind.SETTINGS, detail="Invalid length for parameter Id"))
        if change_id not in self.insync_at:
            raise RemoteFailure(Symptom(Kind.API, "NoSuchChange", 404))
        return self.insync_at[change_id] <= self._cloud.scheduler.now


class Store:
    """The state table: compare-and-swap on the version, records as text.

    `opened`: when the claim of each epoch took effect, in true time. What a worker wrote into it was read off
    its own clock, and before it was perhaps frozen for minutes.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self.opened: dict[int, float] = {}
        self.states: dict[str, tuple[int, str]] = {}
        self.healths: dict[str, tuple[int, str]] = {}
        self.history: dict[tuple[int, str], str] = {}
        self.decisions = 0

    def save_state(self, state: PlanState, expected: int, text: str, ended: tuple[Any, str] | None) -> bool:
        if self.states.get(state.plan, (0, ""))[0] != expected:
            return False
        if ended is not None:
            key = (ended[0].epoch, ended[0].started_at.isoformat())
            if key in self.history:
                return False
            self.history[key] = ended[1]
        self.states[state.plan] = (state.version, text)
        if state.transition is not None:
            self.opened.setdefault(state.epoch, self._scheduler.now)
        return True

    def save_health(self, record: HealthRecord, expected: int, text: str) -> bool:
        if self.healths.get(record.plan, (0, ""))[0] != expected:
            return False
        self.healths[record.plan] = (record.version, text)
        return True


@dataclass(slots=True)
class _Asked:
    """One call on its way."""

    worker: Worker
    operation: str
    port: str
    number: int
    patience_s: float


class Cloud:
    """All services of one world."""

    def __init__(
        self, plan: Plan, control: str, rng: random.Random, scheduler: Scheduler, history: History
    ) -> None:
        self.plan = plan
        self.control = control
        self.rng = rng
        self.scheduler = scheduler
        self.history = history
        self.noise = Noise()
        self._misfortune = 0.0
        self.spells: list[Spell] = []
        self.healed = False
        self.on_kill: Callable[[Worker], None] = lambda worker: None
        faults = NoFaults()
        self.store = Store(scheduler)
        self.tables = SimulatedTables(_FakeClock(scheduler), faults)  # type: ignore[arg-type]
        self.tables.lag = timedelta(seconds=0.02)
        self.zones = SimulatedZones(self)
        self.parameters = FakeParameters(faults)
        self.linode = FakeLinode(faults)
        self.names = FakeNameServers(faults, self.linode)
        self.names.served = self.zones.served
        self.mail: list[tuple[str, str]] = []
        self.bus: Callable[[str, dict[str, Any]], None] = lambda kind, detail: None
        self._urls = {
            check.url(plan.regions.role(region)): region
            for check in plan.http_checks
            for region in plan.regions
        }

    # the weather

    def begin(self, spell: Spell) -> None:
        self.spells.append(self._placed(spell))
        if spell.trouble is Trouble.REPLICATION:
            self.tables.paused = True

    def make_noise(self, noise: Noise) -> None:
        self.noise = noise
        own = (noise.lost, noise.reply_lost, noise.slow, noise.throttled, noise.killed, noise.frozen)
        self._misfortune = sum(own)

    def end(self, spell: Spell) -> None:
        if self._placed(spell) in self.spells:
            self.spells.remove(self._placed(spell))
        if not any(s.trouble is Trouble.REPLICATION for s in self.spells):
            self.tables.resume_replication()

    def _placed(self, spell: Spell) -> Spell:
        return replace(spell, place=self.control) if spell.place == CONTROL else spell

    def pending_s(self) -> float:
        if any(spell.trouble is Trouble.PENDING for spell in self.spells):
            return self.rng.uniform(0, LONGEST_PENDING_S)
        return self.rng.choice((0.5, 2.0, 12.0))

    def heal(self) -> None:
        """Nothing is wrong any more; what is under way arrives."""
        self.healed = True
        for spell in list(self.spells):
            self.end(spell)
        self.make_noise(Noise())
        now = self.scheduler.now
        for change_id, at in self.zones.insync_at.items():
            self.zones.insync_at[change_id] = min(at, now + 5)

    def _trouble(self, worker: Worker, operation: str, place: str) -> Symptom | None:
        """Return how a call fails by what is wrong now, None where it does not."""
        for spell in self.spells:
            found = _symptom(spell, worker.host.number, operation, place)
            if found is not None:
                return found
        return None

    def _place(self, port: str, arguments: tuple[Any, ...]) -> str:
        if port in {"tables", "parameters"}:
            return str(arguments[0])
        if port == "endpoints":
            return self._urls[arguments[0]]
        return {"zones": "route53", "linode": "linode"}.get(port, self.control)

    # one call

    def call(
        self, worker: Worker, clock: SystemClock, operation: str, arguments: tuple[Any, ...], effect: Any
    ) -> Any:
        """Do what a worker asks, as the weather lets it."""
        if worker.dead:
            raise Died
        port = operation.partition(".")[0]
        data = data_of(operation, arguments)
        now = clock.now()
        number = self.history.add(
            "call", self.scheduler.now, worker=worker.name, op=operation, clock=now, **data
        )
        asked = _Asked(worker, operation, port, number, PATIENCE_S.get(port, 2.0))
        fate = self._fate(operation)
        self._strike(worker, fate, "before")
        self.scheduler.sleep(0.004 + 0.03 * self.rng.random())
        if fate == "slow":
            self.scheduler.sleep(asked.patience_s * self.rng.random())
        symptom = _OWN.get(fate) or self._trouble(worker, operation, self._place(port, arguments))
        if symptom is not None:
            raise self._refuse(asked, RemoteFailure(symptom))
        try:
            result = effect(data)
        except Exception as error:
            raise self._refuse(asked, error) from None
        if operation in EFFECTS:
            self._note("effect", asked, **effect_of(operation, data, result))
        self._strike(worker, fate, "after")
        if fate == "reply-lost":
            self._lose_reply(asked)
        self._note("reply", asked, result=result_of(result))
        return result

    def _note(self, kind: str, asked: _Asked, **data: Any) -> None:
        who = {"call": asked.number, "worker": asked.worker.name, "op": asked.operation}
        self.history.add(kind, self.scheduler.now, **who, **data)

    def _strike(self, worker: Worker, fate: str, when: str) -> None:
        """Kill or freeze a worker, if that is its fate at this call."""
        if fate == f"killed-{when}":
            worker.dead = True
            self.on_kill(worker)
            raise Died
        if fate == f"frozen-{when}":
            worker.frozen_until = self.scheduler.now + self.rng.uniform(1, LONGEST_PAUSE_S)
            self.scheduler.sleep(0.001)

    def _refuse(self, asked: _Asked, error: Exception) -> Exception:
        """Return the error that a worker gets, after as long as it takes."""
        if isinstance(error, RemoteFailure) and error.symptom.kind is Kind.TIMEOUT:
            self.scheduler.sleep(asked.patience_s)
        if asked.port == "store" and isinstance(error, RemoteFailure):
            error = StateUnavailable(f"state table: {error.symptom}")
        self._note("reply", asked, error=error_of(error))
        return error

    def _lose_reply(self, asked: _Asked) -> None:
        """Lose the reply of what was done; the SDK sends it again, and what that comes to is told, or not.

        A batch sent twice is refused. A record's owner is looked at by the adapter, which is as good as a
        reply.
        """
        again = asked.operation.startswith(("store.save", "zones.submit")) and self.rng.random() < 0.5
        if again and asked.operation == "zones.submit":
            raise self._refuse(asked, FenceRefused("sent twice"))
        if not again:
            raise self._refuse(asked, RemoteFailure(TIMED_OUT))

    def _fate(self, operation: str) -> str:
        noise = self.noise
        draw = self.rng.random()
        if operation in _AMBUSHED and draw < noise.ambush * len(_FATES):
            return _FATES[int(draw / noise.ambush)]
        if draw >= self._misfortune:
            return ""
        for fate, chance in (
            ("lost", noise.lost),
            ("reply-lost", noise.reply_lost),
            ("slow", noise.slow),
            ("throttled", noise.throttled),
            ("killed-before", noise.killed / 2),
            ("killed-after", noise.killed / 2),
            ("frozen-before", noise.frozen / 2),
            ("frozen-after", noise.frozen / 2),
        ):
            if draw < chance:
                return fate
            draw -= chance
        return ""

    # what is there

    def ports(self, worker: Worker, meter: Any) -> Ports:
        """Return a worker's ports."""
        error = worker.host
        clock = SystemClock(
            lambda: NOON + timedelta(seconds=self.scheduler.now + error.error_s), lambda: self.scheduler.now
        )
        clock.sleep = self.scheduler.sleep  # type: ignore[method-assign]
        port = _Caller(self, worker, clock)
        return Ports(
            owner=worker.owner,
            clock=clock,
            together=self.scheduler.within,
            store=_StorePort(port, self.store),
            tables=_Port(port, "tables", self.tables),  # type: ignore[arg-type]
            endpoints=_Port(port, "endpoints", _Endpoints()),  # type: ignore[arg-type]
            zones=_Port(port, "zones", self.zones),  # type: ignore[arg-type]
            parameters=_Port(port, "parameters", self.parameters),  # type: ignore[arg-type]
            secrets=FakeSecrets(),
            hooks=FakeHooks(),
            linode=_Port(port, "linode", self.linode),  # type: ignore[arg-type]
            names=_Port(port, "names", self.names),  # type: ignore[arg-type]
            reports=_Port(port, "reports", FakeReports()),  # type: ignore[arg-type]
            events=_Port(port, "events", _Bus(self)),  # type: ignore[arg-type]
            notifier=_Port(port, "notifier", _Mail(self)),  # type: ignore[arg-type]
            samples=_Port(port, "samples", _NoSamples()),  # type: ignore[arg-type]
            meter=meter,
            **no_data_plane(self.plan),  # the simulated plans have none of these switches
        )

    def zone_contents(self, zone_id: str) -> list[dict[str, Any]]:
        """Return a zone's record sets as the history has them."""
        return [record_set(record) for _, record in sorted(self.zones.zones[zone_id].items())]

    def state(self) -> PlanState | None:
        """Return the record as it is."""
        found = self.store.states.get(self.plan.name)
        return state_of(found[1]) if found else None

    def edit_state(self, state: PlanState) -> str:
        """Change the record as an operator's tool would; return its text."""
        text = dump(state)
        self.store.states[self.plan.name] = (state.version, text)
        return text

    def fill(self) -> None:
        """Put the plan's records there, pointing at the primary."""
        from region_failover.domain.plan import Role
        from region_failover.domain.zone import answers

        for zone_id, records in self.plan.zones().items():
            self.zones.put(zone_id, *(found for r in records for found in answers(r, Role.PRIMARY)))
        for number, record in enumerate(self.plan.linode_records, start=1):
            there = LinodeRecordState(number, record.name, record.type, record.primary, record.ttl_sec)
            self.linode.records.setdefault(record.domain_id, []).append(there)
        for parameter in self.plan.ssm_parameters:
            for region in parameter.regions:
                self.parameters.values[region, parameter.name] = self.plan.regions.primary


def _symptom(spell: Spell, host: int, operation: str, place: str) -> Symptom | None:
    """Return how a spell makes a call fail, None where it does not concern it."""
    port = operation.partition(".")[0]
    if spell.trouble is Trouble.CUT_OFF:
        return TIMED_OUT if (host, place) == (spell.host, spell.place) else None
    if spell.trouble in _ANYWHERE:
        struck, symptom = _ANYWHERE[spell.trouble]
        return symptom if port == struck else None
    if place != spell.place or not (port in _DATA_PLANE or spell.trouble in _WHOLE):
        return None
    return _REGIONAL[spell.trouble](port, operation) if spell.trouble in _REGIONAL else None


class _Caller:
    """A worker's way to the cloud."""

    def __init__(self, cloud: Cloud, worker: Worker, clock: SystemClock) -> None:
        self._cloud = cloud
        self._worker = worker
        self._clock = clock

    def __call__(self, operation: str, arguments: tuple[Any, ...], effect: Any) -> Any:
        return self._cloud.call(self._worker, self._clock, operation, arguments, effect)


class _Port:
    """A port whose effect is a fake's method of the same name."""

    def __init__(self, call: _Caller, name: str, fake: Any) -> None:
        self._call = call
        self._name = name
        self._fake = fake

    def __getattr__(self, method: str) -> Callable[..., Any]:
        fake, call, operation = getattr(self._fake, method), self._call, f"{self._name}.{method}"

        def port(*arguments: Any) -> Any:
            return call(operation, arguments, lambda _: fake(*arguments))

        setattr(self, method, port)
        return port


class _StorePort:
    """The state table; a record's text is made once, for the table and for the history."""

    def __init__(self, call: _Caller, store: Store) -> None:
        self._call = call
        self._store = store

    def load_state(self, plan: str) -> PlanState | None:
        text = self._call("store.load_state", (plan,), lambda _: self._store.states.get(plan, (0, None))[1])
        return state_of(text) if text else None

    def save_state(self, state: PlanState, expected: int, ended: Any = None) -> bool:
        def save(data: Mapping[str, Any]) -> bool:
            both = None if ended is None else (ended, data["ended"])
            return self._store.save_state(state, expected, data["record"], both)

        return bool(self._call("store.save_state", (state, expected, ended), save))

    def load_health(self, plan: str) -> HealthRecord | None:
        text = self._call("store.load_health", (plan,), lambda _: self._store.healths.get(plan, (0, None))[1])
        return health_of(text) if text else None

    def save_health(self, record: HealthRecord, expected: int) -> bool:
        def save(data: Mapping[str, Any]) -> bool:
            return self._store.save_health(record, expected, data["record"])

        return bool(self._call("store.save_health", (record, expected), save))

    def record_decision(self, plan: str, at: datetime, decision: Mapping[str, object]) -> None:
        def count(_: object) -> None:
            self._store.decisions += 1

        self._call("store.record_decision", (plan, at, decision), count)


class _Endpoints:
    """The application's endpoints: well unless the weather says otherwise."""

    def get(self, url: str, status: int, timeout: timedelta, body: object = None, headers: str = "") -> None:
        """Answer well."""


class _Bus:
    """The event bus."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def put(self, detail_type: str, detail: Mapping[str, object]) -> None:
        self._cloud.bus(detail_type, json.loads(json.dumps(detail)))


class _NoSamples:
    """No delay queue: the plan of the simulated worlds is sampled once a tick, so that a world is cheap."""

    def ask(self, now: datetime, tick: datetime, offsets: Sequence[int]) -> None:
        raise AssertionError(f"samples asked for at {now}, {offsets} s after {tick}")


class _Mail:
    """The topic."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def publish(self, subject: str, text: str) -> None:
        self._cloud.mail.append((subject, text))
