"""Some minutes of an application's life, played with the product's own code in virtual time."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from region_failover.domain.errors import RemoteFailure
from region_failover.domain.plan import Plan
from region_failover.domain.state import Phase, PlanState, Transition
from region_failover.domain.symptom import Symptom
from region_failover.domain.trigger import REGION_SAMPLED, REGION_UNHEALTHY, read_triggers, sample_due
from region_failover.domain.verdict import Health, HealthRecord
from region_failover.ports import Eyes, Ports
from region_failover.service.failover import handle_failover
from region_failover.service.probe import handle_probe
from region_failover.service.record import Deadline
from region_failover.service.vantage import handle_vantage
from tests.fakes import MAXIMUM_AGE, NOON, PLAN, MemoryStore, World
from tests.simulation.cloud import NoFaults
from tests.simulation.scheduler import Died, Process, Scheduler
from tests.year.weather import CONTROL, FURTHER, SINGLE_LOSS, TIMED_OUT, Spell, symptom

TICK_S = 60.0
SETTLED_S = 130.0  # two ticks: by then both Regions are known to be well
PATIENCE_S = 2.0
LAG = timedelta(seconds=0.8)

FLOWS = {"probe": (handle_probe, 60.0), "failover": (handle_failover, 90.0)}


@dataclass(frozen=True, slots=True)
class Course:
    """What came of it, in seconds of the episode: None = never. `seen`: the first sample not healthy."""

    seen: float | None
    decided: float | None
    calls: Mapping[str, int]


def play(
    spells: Sequence[Spell],
    rng: random.Random,
    until: float,
    *,
    vantage: bool,
    plan: Plan = PLAN,
    watched_from: float = 0.0,
) -> Course:
    """Play these disturbances until then, or until traffic would move.

    `watched_from`: the moment from which a sample that is not well counts as seeing it.
    """
    return _Episode(spells, rng, plan, watched_from, vantage).run(until)


class _Episode:
    def __init__(
        self, spells: Sequence[Spell], rng: random.Random, plan: Plan, watched_from: float, vantage: bool
    ) -> None:
        self.spells = spells
        self.rng = rng
        self.plan = plan
        self.watched_from = watched_from
        self.scheduler = Scheduler()
        self.seen: float | None = None
        self.decided: float | None = None
        self.calls: dict[str, int] = {}
        self.fakes = World(plan)
        self.fakes.store = _Store(self)
        self.fakes.zones.zones = copy.deepcopy(_beginning(plan).zones.zones)
        self.beats: dict[str, list[tuple[str, datetime, datetime]]] = {}
        self._requests = 0
        places = (CONTROL, FURTHER) if vantage else (CONTROL,)
        for place in places:
            self._tick(place, rng.uniform(0.0, TICK_S))

    def run(self, until: float) -> Course:
        while self.scheduler.now < until and self.decided is None:
            self.scheduler.run(min(self.scheduler.now + 10.0, until))
        return Course(self.seen, self.decided, self.calls)

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.scheduler.now)

    # what starts whom

    def _tick(self, place: str, moment: float) -> None:
        def due() -> None:
            event = {"id": "tick", "source": "aws.events", "detail-type": "Scheduled Event"}
            self.start(place, "probe", {**event, "time": self.now().isoformat(), "detail": {}})
            self._tick(place, moment + TICK_S)

        self.scheduler.at(moment + self.rng.uniform(0.0, 2.0), due)

    def start(self, place: str, function: str, event: dict[str, Any]) -> None:
        """Invoke a function there; one invocation in a hundred has to start cold, the failover's always."""
        cold = function == "failover" or self.rng.random() < 0.01
        self._requests += 1
        process = Process(f"{function}-{self._requests}")
        work = _Work(self, place, process)
        delay = 1.5 if cold else 0.02
        self.scheduler.at(
            self.scheduler.now + delay,
            lambda: self.scheduler.start(process, lambda: work.run(function, event)),
        )

    # what a call meets

    def call(self, place: str, region: str, operation: str) -> None:
        """Take the time of one call of a check; raise what it meets."""
        self.count(operation)
        now = self.scheduler.now
        met: Symptom | None = TIMED_OUT if self.rng.random() < SINGLE_LOSS else None
        for spell in self.spells:
            if met is None and spell.meets(now, place, region) and self.rng.random() < spell.chance:
                met = symptom(spell, operation)
        if met is TIMED_OUT:
            self.scheduler.sleep(PATIENCE_S + 0.01)
        else:
            self.scheduler.sleep(self.rng.uniform(0.03, 0.2))
        if met is not None:
            raise RemoteFailure(met)

    def count(self, operation: str) -> None:
        self.calls[operation] = self.calls.get(operation, 0) + 1

    def saw(self) -> None:
        if self.seen is None and self.scheduler.now >= self.watched_from:
            self.seen = self.scheduler.now


@lru_cache
def _beginning(plan: Plan) -> World:
    """Return a world in which the plan's record has been made."""
    world = World(plan)
    world.tick()
    return world


class _Clock:
    def __init__(self, episode: _Episode) -> None:
        self._episode = episode

    def now(self) -> datetime:
        return self._episode.now()

    def sleep(self, seconds: float) -> None:
        self._episode.scheduler.sleep(seconds)


class _Tables:
    """DynamoDB's data plane as one place sees it."""

    def __init__(self, episode: _Episode, place: str) -> None:
        self._episode = episode
        self._place = place

    def read(self, region: str, table: str) -> None:
        self._episode.call(self._place, region, "read")

    def write_heartbeat(self, region: str, key: str, at: datetime) -> None:
        self._episode.call(self._place, region, "write")
        visible = self._episode.now() + LAG
        self._episode.beats.setdefault(key, []).append((region, at, visible))

    def read_heartbeat(self, region: str, key: str) -> datetime | None:
        self._episode.call(self._place, region, "read heartbeat")
        now = self._episode.now()
        beats = self._episode.beats.get(key, [])
        return max((at for writer, at, visible in beats if writer == region or visible <= now), default=None)


class _Endpoints:
    """The application's endpoints as one place sees them."""

    def __init__(self, episode: _Episode, place: str) -> None:
        self._episode = episode
        self._place = place
        plan = episode.plan
        self._regions = {
            check.url(plan.regions.role(region)): region
            for check in plan.http_checks
            for region in plan.regions
        }

    def get(self, url: str, status: int, timeout: timedelta, body: Any = None, headers: str = "") -> None:
        self._episode.call(self._place, self._regions[url], "get")


class _Store(MemoryStore):
    """The state table: some milliseconds a call; a claim is the end of the episode."""

    def __init__(self, episode: _Episode) -> None:
        super().__init__(NoFaults())
        self._episode = episode
        self.states.update(_beginning(episode.plan).store.states)

    def _pass(self, operation: str) -> None:
        self._episode.count(operation)
        self._episode.scheduler.sleep(self._episode.rng.uniform(0.005, 0.02))

    def load_state(self, plan: str) -> PlanState | None:
        self._pass("load state")
        return super().load_state(plan)

    def load_health(self, plan: str) -> HealthRecord | None:
        self._pass("load health")
        return super().load_health(plan)

    def save_health(self, record: HealthRecord, expected: int) -> bool:
        self._pass("save health")
        primary = record.regions.get(self._episode.plan.regions.primary)
        if primary is not None and primary.health is not Health.HEALTHY:
            self._episode.saw()
        return super().save_health(record, expected)

    def save_state(self, state: PlanState, expected: int, ended: Transition | None = None) -> bool:
        self._pass("save state")
        if state.phase is Phase.MOVING and self._episode.decided is None:
            self._episode.decided = self._episode.scheduler.now
            raise Died
        return super().save_state(state, expected, ended)


class _Bus:
    """The control Region's bus, with its rules."""

    def __init__(self, episode: _Episode) -> None:
        self._episode = episode

    def put(self, detail_type: str, detail: Mapping[str, object]) -> None:
        episode = self._episode
        episode.count(detail_type)
        function = {REGION_UNHEALTHY: "failover", REGION_SAMPLED: "probe"}.get(detail_type)
        if detail_type == REGION_SAMPLED:
            samples: Any = detail["samples"]
            if samples[episode.plan.regions.primary]["health"] != Health.HEALTHY:
                episode.saw()
        if function:
            event = World.own_event(episode.fakes, detail_type, detail, at=episode.now())
            arrives = episode.scheduler.now + episode.rng.uniform(0.2, 1.0)
            episode.scheduler.at(arrives, lambda: episode.start(CONTROL, function, event))


class _Queue:
    """A place's delay queue: a message comes when it is due, or a second later."""

    def __init__(self, episode: _Episode, place: str) -> None:
        self._episode = episode
        self._place = place

    def ask(self, now: datetime, tick: datetime, offsets: Sequence[int]) -> None:
        episode = self._episode
        for offset in offsets:
            episode.count("sample due")
            at = tick + timedelta(seconds=offset)
            arrives = (at - NOON).total_seconds() + episode.rng.uniform(0.0, 1.5)
            event = sample_due("due", at, offset)
            episode.scheduler.at(arrives, lambda event=event: episode.start(self._place, "probe", event))


class _Work:
    """One invocation at a place."""

    def __init__(self, episode: _Episode, place: str, process: Process) -> None:
        self._episode = episode
        self._place = place
        self._process = process

    def run(self, function: str, event: dict[str, Any]) -> None:
        episode = self._episode
        began = episode.scheduler.now
        _, timeout_s = FLOWS[function]
        triggers = read_triggers(event, self._process.name)
        work = self._control(function) if self._place == CONTROL else self._further()
        with suppress(RemoteFailure):  # an error of the invocation: the next one comes
            work(triggers, timeout_s - 2.0)
        episode.count(f"{self._place} {function} invocations")
        milliseconds = int((episode.scheduler.now - began) * 1000)
        key = f"{self._place} {function} ms"
        episode.calls[key] = episode.calls.get(key, 0) + milliseconds

    def _eyes(self) -> dict[str, Any]:
        episode, place = self._episode, self._place
        return {
            "owner": self._process.name,
            "clock": _Clock(episode),
            "together": episode.scheduler.within,
            "tables": _Tables(episode, place),
            "endpoints": _Endpoints(episode, place),
            "events": _Bus(episode),
            "samples": _Queue(episode, place),
            "meter": episode.fakes.meter,
        }

    def _control(self, function: str) -> Callable[[Any, float], object]:
        fakes = self._episode.fakes
        ports = Ports(
            **self._eyes(),
            store=fakes.store,
            zones=fakes.zones,
            parameters=fakes.parameters,
            linode=fakes.linode,
            names=fakes.names,
            reports=fakes.reports,
            notifier=fakes.notifier,
        )
        flow, _ = FLOWS[function]
        plans = [self._episode.plan]
        return lambda triggers, s: flow(ports, plans, triggers, Deadline.after(ports, s), MAXIMUM_AGE)

    def _further(self) -> Callable[[Any, float], object]:
        eyes = Eyes(**self._eyes())
        plans = [self._episode.plan]
        return lambda triggers, s: handle_vantage(eyes, FURTHER, plans, triggers, Deadline.after(eyes, s))
