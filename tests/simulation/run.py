"""One seed, one world: the product's own flows on a simulated cloud, through chaos, healing and rest.

Functions are started as in production: by schedules, alarms, their own events through a bus that delivers at
least once and in no order, and by humans; a failed asynchronous invocation is tried again. When the chaos
ends, the world is healed: within the lease and two ticks no transition of before may be open (I18), and in
the end everything must agree, on the primary where failback is automatic.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from typing import Any

from proof.history import History, describe
from region_failover.domain.operation import read_operation
from region_failover.domain.plan import FailbackMode, Plan, Role
from region_failover.domain.plan_file import parse_plan
from region_failover.domain.state import CLOCKS_AGREE, LEASE, Phase
from region_failover.domain.trigger import OWN_SOURCE, REGION_UNHEALTHY, SWITCH_REQUESTED, read_triggers
from region_failover.domain.zone import RecordSet, ZoneSnapshot, answers, fence_name
from region_failover.ports import Ports
from region_failover.service.failback import handle_failback
from region_failover.service.failover import handle_failover
from region_failover.service.linode import handle_linode
from region_failover.service.operator import handle_operation
from region_failover.service.probe import handle_probe
from region_failover.service.record import Deadline
from tests.fakes import MAXIMUM_AGE, NOON, PLAN_TEXT, zone_key
from tests.simulation.cloud import Cloud, Host, Worker
from tests.simulation.scheduler import Scheduler
from tests.simulation.script import (
    ANSWERED_S,
    CHAOS_S,
    EAST,
    LONGEST_PAUSE_S,
    Act,
    Answer,
    Deed,
    Script,
    Spell,
    Trouble,
)

TICK_S = 60.0
OUTER_MARGIN_S = 2.0
CALM_S = 2 * TICK_S  # what the probe does in a world that is well needs no proof at every tick
WORK_S = 30.0  # what is taken over at the last moment still has to be done
QUIET_AFTER_S = LEASE.total_seconds() + 2 * TICK_S + WORK_S
REST_WITHIN_S = 1500.0
# A failback of three steps takes so much longer: each waits for a tick, and for its trial to have lasted; and
# it may be taken back once, and begin anew.
STEPS_WITHIN_S = 1000.0
# What a share on trial at the primary may meet, and for how long.
ON_TRIAL = (Trouble.ERRORS, Trouble.HTTP_ONLY, Trouble.GRAY_WRITES, Trouble.HANGS, Trouble.DENIED)
TRIAL_FAILS_S = 130.0


def _operate(ports: Ports, plans: list[Plan], event: Any, deadline: Deadline) -> Any:
    return handle_operation(ports, plans, read_operation(event), deadline)


# Timeout and retries of the template's functions.
FUNCTIONS: dict[str, tuple[Callable[..., Any], float, int]] = {
    "probe": (handle_probe, 60.0, 1),
    "failover": (handle_failover, 90.0, 2),
    "failback": (handle_failback, 90.0, 1),
    "linode_dns": (handle_linode, 60.0, 2),
    "operator": (_operate, 30.0, 0),
}

# One world of so many has weighted records, and a failback by steps.
STEPWISE_OF = 5

_SECOND_ZONE = """
[[switch.route53_record]]
zone_id = "Z9876543210ABCDEFGHIJ"
name = "www.example.net"
type = "CNAME"
ttl = 60
primary = ["use1.example.net"]
standby = ["usw2.example.net"]
"""


@lru_cache
def plan_of(failback: str, zones: int, stepwise: bool = False) -> Plan:
    """Return the example's plan, with times short enough for a world of some minutes.

    `stepwise`: its first record is weighted, and a failback goes by steps, and begins soon.
    """
    plan = parse_plan(PLAN_TEXT + (_SECOND_ZONE if zones == 2 else ""), "orders.toml")
    policy = replace(
        plan.policy,
        failback=FailbackMode(failback),
        healthy_for=timedelta(seconds=20 if stepwise else 60),
        cooldown=timedelta(seconds=40 if stepwise else 120),
        automatic_per_day=20,
        failback_steps=(10, 50, 100) if stepwise else (),
        failback_step_for=timedelta(seconds=30),
    )
    first, *others = plan.route53_records
    plan = replace(plan, route53_records=(replace(first, weighted=stepwise), *others))
    sampling = replace(
        plan.sampling,
        every=timedelta(seconds=60),
        quick_every=timedelta(seconds=16),
        confirm_for=timedelta(seconds=20),
        needed=2,
    )
    return replace(plan, policy=policy, sampling=sampling)


def _but_for_weight(record: RecordSet | None) -> RecordSet | None:
    """Return a record set whose weight does not matter: every share of the traffic is the plan's."""
    return replace(record, weight=None) if record else None


class _Meter:
    """Metrics and logs go nowhere."""

    def measure(self, plan: str, values: object) -> None:
        """Forget it."""

    def log(self, message: str, **fields: object) -> None:
        """Forget it."""


METER = _Meter()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a world. `stuck`: (invariant, words) of what its resting state lacks."""

    script: Script
    history: History
    stuck: tuple[tuple[str, str], ...]
    transitions: int


class World:
    """A world in the course of its script."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.rng = random.Random(script.seed ^ 0x5EED)
        self.stepwise = script.seed % STEPWISE_OF == STEPWISE_OF - 1
        self.plan = plan_of(script.failback, script.zones, self.stepwise)
        self.scheduler = Scheduler()
        self.history = History()
        self.cloud = Cloud(self.plan, script.control, self.rng, self.scheduler, self.history)
        self.cloud.bus = self._put
        self.cloud.on_kill = self._killed
        self.hosts = [Host(number) for number in range(script.hosts)]
        self.workers: list[Worker] = []
        self._requests = 0
        self._underway = 0
        self.stuck: list[tuple[str, str]] = []
        self._proposed: list[str] = []  # the proposals that a human has seen

    def play(self) -> Outcome:
        """Run the script to its end; return what became of it."""
        self.cloud.fill()
        self._describe()
        self.prepare()
        self.scheduler.run(CHAOS_S)
        self._heal()
        skew = CLOCKS_AGREE.total_seconds() if self.script.skews else 0.0
        self.scheduler.run(CHAOS_S + QUIET_AFTER_S + skew)
        self._expect_nothing_left()
        self._come_to_rest()
        return Outcome(self.script, self.history, tuple(self.stuck), len(self.cloud.store.history))

    def forget_workers(self) -> None:
        """Forget the workers that have ended and will not thaw."""
        self.workers = [w for w in self.workers if not w.dead and w.frozen_until > self.scheduler.now]

    # beginning

    def _describe(self) -> None:
        about = describe(self.plan, NOON.isoformat(), MAXIMUM_AGE.total_seconds(), TICK_S)
        zones = {zone: self.cloud.zone_contents(zone) for zone in self.plan.zones()}
        self.history.add("plan", 0.0, **about, skew_s=self.script.skew_s, zones=zones)

    def prepare(self) -> None:
        at, cloud = self.scheduler.at, self.cloud
        cloud.make_noise(self.script.noise)
        for spell in self.script.spells:
            at(spell.start, lambda spell=spell: self._spell(spell, True))
            at(min(spell.end, CHAOS_S), lambda spell=spell: self._spell(spell, False))
        for act in self.script.acts:
            at(act.at, lambda act=act: self._act(act))
        for answer in self.script.answers if self.script.failback == "approval" else ():
            at(answer.at, lambda answer=answer: self._answer(answer))
        for host, steps in zip(self.hosts, self.script.skews, strict=False):
            for moment, error_s in steps:
                at(moment, lambda host=host, error_s=error_s: setattr(host, "error_s", error_s))
        self._tick("failback", 0.0)
        self._tick("probe", 3.0)

    def _spell(self, spell: Any, begins: bool) -> None:
        if self.cloud.healed:
            return
        (self.cloud.begin if begins else self.cloud.end)(spell)
        what = f"{spell.trouble} {'begins' if begins else 'ends'}"
        self.history.add("world", self.scheduler.now, what=what, place=spell.place)

    def _tick(self, function: str, moment: float) -> None:
        def due() -> None:
            self._deliver(function, self._event("aws.events", "Scheduled Event", {}))
            every_s = CALM_S if self.cloud.healed and function == "probe" else TICK_S
            self._tick(function, self.scheduler.now + every_s)

        self.scheduler.at(moment, due)

    # events

    def _event(self, source: str, kind: str, detail: dict[str, Any], age_s: float = 0.0) -> dict[str, Any]:
        self._requests += 1
        at = NOON + timedelta(seconds=self.scheduler.now - age_s)
        return {
            "id": f"event-{self._requests}",
            "source": source,
            "detail-type": kind,
            "time": at.isoformat(),
            "detail": detail,
        }

    def _put(self, kind: str, detail: dict[str, Any]) -> None:
        function = {REGION_UNHEALTHY: "failover", SWITCH_REQUESTED: "linode_dns"}[kind]
        self._deliver(function, self._event(OWN_SOURCE, kind, detail))

    def _deliver(self, function: str, event: dict[str, Any]) -> None:
        """Deliver an event at least once, soon or late."""
        noise = self.cloud.noise
        for _ in range(2 if self.rng.random() < noise.twice else 1):
            late = self.rng.random() < noise.late
            delay = self.rng.uniform(20, 400) if late else self.rng.uniform(0.05, 1.5)
            self._later(delay, function, event)

    def _later(
        self, delay: float, function: str, event: dict[str, Any], request: str = "", attempt: int = 1
    ) -> None:
        self._underway += 1
        if not request:
            self._requests += 1
            request = f"request-{self._requests}"

        def arrive() -> None:
            self._underway -= 1
            self._invoke(function, event, request, attempt)

        self.scheduler.at(self.scheduler.now + delay, arrive)

    # invocations

    def _invoke(self, function: str, event: dict[str, Any], request: str, attempt: int) -> None:
        owner = f"{function}:{request}"
        name = owner if attempt == 1 else f"{owner}~{attempt}"
        worker = Worker(owner, name, self.rng.choice(self.hosts))
        worker.invocation = (function, event, request, attempt)
        self.workers.append(worker)
        self.scheduler.start(worker, lambda: self._work(worker, function, event, request))

    def _work(self, worker: Worker, function: str, event: dict[str, Any], request: str) -> None:
        flow, timeout_s, _ = FUNCTIONS[function]
        ports = self.cloud.ports(worker, METER)
        seconds = timeout_s - OUTER_MARGIN_S
        clock = ports.clock.now().isoformat()
        add = self.history.add
        add("begin", self.scheduler.now, worker=worker.name, function=function, event=event, clock=clock)

        def run() -> Any:
            deadline = Deadline.after(ports, seconds)
            if function == "operator":
                return flow(ports, [self.plan], event, deadline)
            return flow(ports, [self.plan], read_triggers(event, request), deadline, MAXIMUM_AGE)

        answer = self.scheduler.together([run], timedelta(seconds=seconds))[0]
        failed = isinstance(answer, Exception)
        outcome = f"raised {type(answer).__name__}" if failed else "returned"
        add("end", self.scheduler.now, worker=worker.name, outcome=outcome)
        left_behind = self.scheduler.threads(worker) > 1 and not self.cloud.healed
        if left_behind and self.rng.random() < 0.5:  # its environment is frozen with what it left, and thaws
            worker.frozen_until = self.scheduler.now + self.rng.uniform(1, LONGEST_PAUSE_S)
        else:
            worker.dead = True
        if failed:
            self._again(worker)

    def _killed(self, worker: Worker) -> None:
        self.history.add("end", self.scheduler.now, worker=worker.name, outcome="killed")
        self._again(worker)

    def _again(self, worker: Worker) -> None:
        """Try a failed asynchronous invocation again, as Lambda does: after one minute, then two."""
        function, event, request, attempt = worker.invocation
        if attempt <= FUNCTIONS[function][2]:
            self._later(60.0 * attempt, function, event, request, attempt + 1)

    # humans

    def _act(self, act: Act) -> None:
        deed = act.deed
        if deed in {Deed.ALARM, Deed.OLD_ALARM}:
            detail = {"alarmName": "orders-down", "state": {"value": "ALARM"}}
            age_s = MAXIMUM_AGE.total_seconds() + 60 if deed is Deed.OLD_ALARM else 0.0
            event = self._event("aws.cloudwatch", "CloudWatch Alarm State Change", detail, age_s)
            self._deliver("failover", event)
        elif deed in {Deed.FOREIGN_EDIT, Deed.DELETE_RECORD}:
            self._edit_zone(deed)
        elif deed in {Deed.PAUSE, Deed.RESUME}:
            self._edit_record(deed is Deed.PAUSE)
        else:
            action = "failover" if deed in {Deed.FAILOVER, Deed.FORCED_FAILOVER} else "failback"
            force = deed in {Deed.FORCED_FAILOVER, Deed.FORCED_FAILBACK}
            request = {"plan": self.plan.name, "action": action, "reason": "by hand", "force": force}
            self._later(0.1, action, request)

    def _answer(self, answer: Answer) -> None:
        """Let a human answer what waits, or by mistake what waited before."""
        state = self.cloud.state()
        if state is not None and state.proposal is not None and state.proposal.id not in self._proposed:
            self._proposed.append(state.proposal.id)
        if not self._proposed:
            return
        proposal = self._proposed[0 if answer.old else -1]
        verb = "approve" if answer.yes else "reject"
        event = {"action": verb, "plan": self.plan.name, "by": "mia", "proposal": proposal}
        self._later(0.1, "operator", event)

    def _edit_zone(self, deed: Deed) -> None:
        zone_id, records = next(iter(self.plan.zones().items()))
        record = records[0]
        meant = answers(record, Role.PRIMARY)[0]
        if deed is Deed.FOREIGN_EDIT:
            self.cloud.zones.put(zone_id, replace(meant, ttl=60, values=("203.0.113.99",)))
        else:
            self.cloud.zones.zones[zone_id].pop(zone_key(meant), None)
        self._note_edit(zone_id)

    def _note_edit(self, zone_id: str) -> None:
        records = self.cloud.zone_contents(zone_id)
        self.history.add("world", self.scheduler.now, what="human-edit", zone_id=zone_id, records=records)

    def _edit_record(self, paused: bool) -> None:
        state = self.cloud.state()
        if state is None or state.paused == paused:
            return
        text = self.cloud.edit_state(replace(state, version=state.version + 1, paused=paused))
        what = "pause" if paused else "resume"
        self.history.add("world", self.scheduler.now, what=what, record=text)

    # the end

    def _heal(self) -> None:
        self.cloud.heal()
        for host in self.hosts:
            host.error_s = 0.0
        self._edit_record(paused=False)
        for zone_id in self.plan.zones():
            self._restore(zone_id)
        self.history.add("world", self.scheduler.now, what="healed")
        if self.stepwise and self.script.seed % (2 * STEPWISE_OF) >= STEPWISE_OF:
            self._trouble_the_trial()

    def _restore(self, zone_id: str) -> None:
        """A human undoes what humans have done: as he was told, the zone says what its fence says."""
        records = self.plan.zones()[zone_id]
        there = self.cloud.zones.find(zone_id, fence_name(records), "TXT")
        fence = ZoneSnapshot(there, ()).read_fence()
        role = self.plan.regions.role(fence.active) if fence else Role.PRIMARY
        state = self.cloud.state()
        underway = state.transition if state and fence and state.epoch == fence.epoch else None
        on_trial = underway.share if underway else state.share if state else None
        share = on_trial if role is Role.STANDBY else None
        right = {zone_key(found): found for r in records for found in answers(r, role, share)}
        there_now = self.cloud.zones.zones[zone_id]
        if any(_but_for_weight(there_now.get(key)) != _but_for_weight(r) for key, r in right.items()):
            self.cloud.zones.put(zone_id, *right.values())
            self._note_edit(zone_id)

    def _expect_nothing_left(self) -> None:
        state = self.cloud.state()
        if state is None:
            self.stuck.append(("I18", "there is no record yet"))
        elif state.transition and self.cloud.store.opened[state.epoch] < CHAOS_S:
            statuses = {step.key: step.status.value for step in state.transition.steps}
            self.stuck.append(("I18", f"epoch {state.epoch} is still open ({state.phase.value}, {statuses})"))

    def _come_to_rest(self) -> None:
        limit = CHAOS_S + REST_WITHIN_S + (STEPS_WITHIN_S if self.stepwise else 0.0)
        if self.script.failback == "approval":
            self.scheduler.run(max(self.scheduler.now, CHAOS_S + ANSWERED_S))
        between = TICK_S * (self.scheduler.now // TICK_S + 0.5)  # two ticks: nothing is on its way
        self.scheduler.run(between if between > self.scheduler.now else between + TICK_S)
        while self.scheduler.now < limit and not self._is_at_rest():
            self.scheduler.run(self.scheduler.now + TICK_S)
        why = self._restless()
        if why:
            self.stuck.append(("I18", why))
        self._write_rest()

    def _trouble_the_trial(self) -> None:
        """Let the primary fail once, as soon as a share of the traffic is on trial there."""
        state, now = self.cloud.state(), self.scheduler.now
        if state is None or state.share is None:
            self.scheduler.at(now + 11.0, self._trouble_the_trial)
            return
        spell = Spell(ON_TRIAL[self.script.seed // 10 % len(ON_TRIAL)], now, now + TRIAL_FAILS_S, EAST)
        self.cloud.begin(spell)
        self.history.add("world", now, what=f"{spell.trouble} begins", place=EAST)
        self.scheduler.at(spell.end, lambda: self.cloud.end(spell))

    def _is_at_rest(self) -> bool:
        thawed = all(w.dead or w.frozen_until <= self.scheduler.now for w in self.workers)
        return thawed and not self._underway and not self._restless()

    def _restless(self) -> str:
        """Return what is not at rest in the record, '' if nothing."""
        state = self.cloud.state()
        if state is None:
            return "there is no record"
        at_home = self.script.failback != "automatic" or state.active == EAST
        wanted_state = {
            "the phase is steady": state.phase is Phase.STEADY,
            "the traffic is back on the primary": at_home,
            "nothing is owed": not state.owed,
            "nothing is left to tell": not state.outbox,
        }
        return "; ".join(f"not: {words}" for words, holds in wanted_state.items() if not holds)

    def _write_rest(self) -> None:
        store, plan = self.cloud.store, self.plan
        linode = [
            {
                "domain_id": domain,
                "name": record.name,
                "type": record.type,
                "target": record.target,
                "ttl_sec": record.ttl_sec,
            }
            for domain, records in self.cloud.linode.records.items()
            for record in records
        ]
        parameters = [
            {"region": region, "name": name, "value": value}
            for (region, name), value in sorted(self.cloud.parameters.values.items())
        ]
        self.history.add(
            "rest",
            self.scheduler.now,
            state=store.states.get(plan.name, (0, None))[1],
            health=store.healths.get(plan.name, (0, None))[1],
            zones={zone: self.cloud.zone_contents(zone) for zone in plan.zones()},
            parameters=parameters,
            linode=linode,
            history=[text for _, text in sorted(store.history.items())],
            expect="steady",
        )


def play(script: Script) -> Outcome:
    """Run one world."""
    return World(script).play()
