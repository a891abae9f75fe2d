"""The probe: samples every plan, keeps the record, and says when a Region is down.

A tick of the schedule takes a full round of every plan, and has itself started again for the samples
between two ticks. While all is well these are a glance; as soon as it is not, whoever sees it first samples
quickly until it is decided, and the others leave it to him. Other vantage points report what they see.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from region_failover.domain.cadence import (
    SAMPLE_LATE,
    is_calm,
    is_decided,
    is_due,
    is_spread,
    is_watched,
    offsets,
)
from region_failover.domain.degradation import Degraded, degraded, describe, has_to_be_told, is_degraded
from region_failover.domain.errors import RemoteFailure
from region_failover.domain.plan import DegradationMode, Plan
from region_failover.domain.state import Direction, Phase, PlanState, is_recent
from region_failover.domain.trigger import REGION_UNHEALTHY, Kind, Trigger, move_of
from region_failover.domain.vantage import (
    MONITOR_PREFIX,
    MONITORS_RECENTLY,
    RECENTLY,
    add_view,
    is_news,
    judge,
)
from region_failover.domain.verdict import (
    Health,
    HealthRecord,
    RegionHealth,
    fails_in_part,
    is_blind,
    is_down,
)
from region_failover.ports import Eyes, Ports
from region_failover.service.dispatch import all_or_first_error, for_each_plan, refuse_others
from region_failover.service.late_writes import tell_late_writes
from region_failover.service.observe import Observation, glance, look, remember, update_health
from region_failover.service.record import Deadline, Summary, load_state, send_left_behind, tell

# A round of a plan, with its writes, never takes longer than this many of its check timeouts.
ROUND_TIMEOUTS = 6

# Another plan may be failing meanwhile: its next round does not wait longer for the queue.
ASKED_WITHIN = timedelta(seconds=1)


def handle_probe(
    ports: Ports, plans: Sequence[Plan], triggers: Sequence[Trigger], deadline: Deadline, _: timedelta
) -> list[Summary]:
    """Take a tick's samples, one that is due between two ticks, or in what another vantage point reports."""
    refuse_others(triggers, {Kind.SCHEDULE, Kind.SAMPLE_DUE, Kind.REGION_SAMPLED}, "the probe")
    reports = [trigger for trigger in triggers if trigger.kind is Kind.REGION_SAMPLED]
    summaries = for_each_plan(
        ports, plans, reports, deadline, lambda plan, trigger: _hear(ports, plan, trigger)
    )
    for trigger in triggers:
        if trigger.kind is Kind.SCHEDULE:
            summaries += run_probe(ports, plans, deadline, samples_of(ports, plans))
        elif trigger.kind is Kind.SAMPLE_DUE:
            summaries += _sample_between(ports, plans, trigger, deadline)
    return summaries


def samples_of(eyes: Eyes, plans: Sequence[Plan]) -> Callable[[], None]:
    """Return what has the probe started again for what is left of the minute that begins now.

    To be called when the tick's own samples are taken: an outage must not wait for a queue. Where the queue
    refuses, the tick has still taken its own: a plan is then sampled once a minute, and the log says so.
    """
    tick = eyes.clock.now()

    def ask() -> None:
        now = eyes.clock.now()
        passed = (now - tick).total_seconds()
        due = [offset for offset in offsets(plan.sampling for plan in plans) if offset > passed]
        try:
            if due:
                eyes.samples.ask(now, tick, due)
        except RemoteFailure as error:
            eyes.meter.log("no samples between two ticks: the queue refused", error=str(error))

    return ask


def run_probe(
    ports: Ports, plans: Sequence[Plan], deadline: Deadline, then: Callable[[], None] = lambda: None
) -> list[Summary]:
    """Take a full round of all plans, and more while one is wanted; return the last round of each.

    While a plan's evidence is neither clear nor decided it is sampled every `sampling.quick_every`. `then` is
    called once, when a plan whose further samples are invocations of their own needs no more of this one, or
    at the end. Raises the first error of a plan after every plan has had its turn.
    """
    return _Run(ports, deadline, then).sample([(plan, None) for plan in plans])


def _sample_between(
    ports: Ports, plans: Sequence[Plan], trigger: Trigger, deadline: Deadline
) -> list[Summary]:
    """Take the samples that are due between two ticks: a glance where all was well until now."""
    now = ports.clock.now()
    if trigger.at is not None and not is_recent(trigger.at, now, SAMPLE_LATE):
        return []
    due: list[tuple[Plan, HealthRecord | None]] = []
    for plan in plans:
        if is_due(plan.sampling, trigger.offset):
            known = ports.store.load_health(plan.name) or HealthRecord(plan.name)
            if not is_watched(known, plan.regions, plan.sampling, now):
                due.append((plan, known))
    return _Run(ports, deadline).sample(due)


@dataclass
class _Run:
    """The samples of one invocation.

    `then`: what to do as soon as a plan that is sampled by messages has had its own; `announced`: the plans
    whose outage it has announced.
    """

    ports: Ports
    deadline: Deadline
    then: Callable[[], None] = lambda: None
    announced: set[str] = field(default_factory=set)

    def sample(self, plans: Sequence[tuple[Plan, HealthRecord | None]]) -> list[Summary]:
        """Sample these plans until none wants more, or the invocation is over.

        With each plan comes what was known of it, where it is not the tick that asks: a tick's rounds are
        full ones.
        """
        due = {plan.name: self.ports.clock.now() for plan, _ in plans}
        known = {plan.name: record for plan, record in plans}
        spread = {plan.name for plan, _ in plans if is_spread(plan.sampling)}
        last: dict[str, Summary] = {}
        asked = False
        try:
            while due:
                self._turn([plan for plan, _ in plans if plan.name in due], due, known, last)
                if not asked and not spread <= set(due):
                    asked = True
                    self._ask()
                if not due or not self._wait(plans, min(due.values())):
                    break
        finally:
            if not asked:
                self._ask()
        return list(last.values())

    def _ask(self) -> None:
        answer = self.ports.together([self.then], ASKED_WITHIN)[0]
        if isinstance(answer, Exception) and not isinstance(answer, TimeoutError):
            raise answer

    def _turn(
        self,
        plans: Sequence[Plan],
        due: dict[str, datetime],
        known: dict[str, HealthRecord | None],
        last: dict[str, Summary],
    ) -> None:
        """Take a round of the plans that are due now; note when their next ones are, or that none is."""
        now = self.ports.clock.now()
        ready = [plan for plan in plans if due[plan.name] <= now]
        for plan, (summary, record) in zip(ready, self._rounds(ready, known), strict=True):
            last[plan.name] = summary
            known[plan.name] = record if known[plan.name] else None
            pause = _pause(plan, bool(summary["clear"]))
            if pause is None:
                del due[plan.name]
            else:
                due[plan.name] = now + pause

    def _wait(self, plans: Sequence[tuple[Plan, HealthRecord | None]], until: datetime) -> bool:
        """Sleep until then; return whether there is time for another round after that."""
        wait = max((until - self.ports.clock.now()).total_seconds(), 0.0)
        slowest = max(plan.sampling.timeout for plan, _ in plans).total_seconds() * 2
        if self.deadline.remaining_s() < wait + slowest:
            return False
        self.ports.clock.sleep(wait)
        return True

    def _rounds(
        self, plans: Sequence[Plan], known: Mapping[str, HealthRecord | None]
    ) -> list[tuple[Summary, HealthRecord | None]]:
        timeout = max((plan.sampling.timeout for plan in plans), default=timedelta(0)) * ROUND_TIMEOUTS
        calls = [lambda plan=plan: self._round(plan, known[plan.name]) for plan in plans]
        return all_or_first_error(self.ports, calls, timeout + timedelta(seconds=10))

    def _round(self, plan: Plan, before: HealthRecord | None) -> tuple[Summary, HealthRecord | None]:
        """Take one round: a glance where that is enough, else all of it, measured and written down.

        Metrics first: they must not depend on the state table. An outage is announced once per tick, and at
        once where this round is the one that decides it.
        """
        ports = self.ports
        if before is not None and is_calm(before, plan.regions, ports.clock.now()):
            observation = glance(ports, plan)
            if not _has_to_be_told(plan, observation, before):
                return {**_summary(plan, observation), "clear": True}, before
        else:
            observation = look(ports, plan)
        state: PlanState | None = None
        after: HealthRecord | None = None
        try:
            after = remember(ports, plan, observation)
            state = load_state(ports, plan)
        finally:
            active = state.active if state else plan.regions.primary
            down = after is not None and judge(after, active, plan.sampling, observation.at).down
            ports.meter.measure(plan.name, _metrics(plan, observation, active, down))
        if state is not None:
            _tell_what_was_seen(ports, plan, state, after, down)
            tell_late_writes(ports, plan, state, observation)
        why = _why_to_look(plan, after, active, observation.at)
        news = before is None or not _why_to_look(plan, before, active, observation.at)
        if why and news and plan.name not in self.announced:
            _announce(ports, plan, state, active, why, observation.at)
            self.announced.add(plan.name)
        trial = _why_trial_fails(plan, state, after)
        if trial and f"{plan.name} on trial" not in self.announced:
            _announce(ports, plan, state, plan.regions.primary, trial, observation.at)
            self.announced.add(f"{plan.name} on trial")
        clear = _is_well(observation) or is_decided(after, plan.regions, plan.sampling)
        return {**_summary(plan, observation), "clear": clear, "active": active, "down": down}, after


def _pause(plan: Plan, clear: bool) -> timedelta | None:
    """Return how long until this invocation's next round of a plan, None where it has done enough."""
    if not clear:
        return plan.sampling.quick_every
    return None if is_spread(plan.sampling) else plan.sampling.every


def _why_to_look(plan: Plan, known: HealthRecord | None, active: str, now: datetime) -> str:
    """Return why the failover function is to look at the active Region, '' where it need not.

    Also where other places see it well for as long as we see it down: then it holds, and tells somebody.
    """
    health = known.regions.get(active) if known else None
    if known is None or health is None:
        return ""
    verdict = judge(known, active, plan.sampling, now)
    if verdict.down or (verdict.disagreed and is_down(health, plan.sampling)):
        return health.why
    if degraded(known, active, plan, now) is Degraded.NO:
        return ""
    return f"degraded: {describe(health, plan, now)}"


def _why_trial_fails(plan: Plan, state: PlanState | None, known: HealthRecord | None) -> str:
    """Return what is wrong with the primary while a share of the traffic is on trial there, '' if nothing."""
    health = known.regions.get(plan.regions.primary) if known else None
    if state is None or state.share is None or health is None or health.health is Health.HEALTHY:
        return ""
    blind = health.health is Health.UNKNOWN and health.ours
    return "" if blind else f"{state.share} % on trial: {health.why}"


def _has_to_be_told(plan: Plan, seen: Observation, known: HealthRecord) -> bool:
    return any(
        has_to_be_told(known.regions.get(region), sample, plan.degradation)
        for region, sample in seen.samples.items()
    )


def _is_well(seen: Observation) -> bool:
    return all(sample.health is Health.HEALTHY for sample in seen.samples.values())


def _summary(plan: Plan, seen: Observation) -> Summary:
    return {"plan": plan.name, "samples": seen.healths}


def _hear(ports: Ports, plan: Plan, report: Trigger) -> Summary:
    """Take in what another vantage point saw just now; announce an outage that this decides."""
    now = ports.clock.now()
    heard_for = MONITORS_RECENTLY if report.vantage.startswith(MONITOR_PREFIX) else RECENTLY
    samples = {
        region: sample
        for region, sample in report.samples.items()
        if region in set(plan.regions) and is_recent(sample.at, now, heard_for)
    }
    summary: Summary = {"plan": plan.name, "vantage": report.vantage, "heard": len(samples)}
    before = ports.store.load_health(plan.name) or HealthRecord(plan.name)
    if not samples or not is_news(before, report.vantage, samples):
        return summary
    after = update_health(
        ports, plan, lambda known: add_view(known, report.vantage, samples, plan.sampling.window, now)
    )
    state = load_state(ports, plan)
    active = state.active if state else plan.regions.primary
    down = judge(after, active, plan.sampling, now).down
    if state is not None:
        _tell_what_was_seen(ports, plan, state, after, down)
    why = _why_to_look(plan, after, active, now)
    if why and not _why_to_look(plan, before, active, now):
        _announce(ports, plan, state, active, why, now)
    return {**summary, "active": active, "down": down}


def _metrics(plan: Plan, seen: Observation, active: str, down: bool) -> Mapping[str, float]:
    samples, other = seen.samples, plan.regions.other(active)
    return {
        "Samples": 1,
        "ActiveRegionUnhealthy": float(down),
        "ActiveRegionFailedSamples": float(samples[active].health is Health.UNHEALTHY),
        "StandbyNotVerified": float(samples[other].health is not Health.HEALTHY),
        "ObserverFault": float(any(sample.ours for sample in samples.values())),
        **{f"ReplicationLag {name}": lag for name, lag in seen.lags.items()},
    }


def _tell_what_was_seen(
    ports: Ports, plan: Plan, state: PlanState, known: HealthRecord | None, down: bool
) -> None:
    send_left_behind(ports, state)
    regions = known.regions if known else {}
    active = regions.get(state.active)
    if down and active and state.phase is Phase.STEADY:
        tell(
            ports,
            plan,
            f"detected {state.active}",
            f"[{plan.name}] {state.active} is down",
            f"{state.active}, the active Region of {plan.name}, has failed without a break since"
            f" {active.since.isoformat()}.\nSeen: {active.why}\nThe failover function is asked to look.",
        )
    for region, health in regions.items():
        if not down and is_degraded(health, plan, ports.clock.now()):
            _tell_degraded(ports, plan, region, health)
    blind = [found for found in regions.items() if is_blind(found[1], plan.sampling)]
    partial = [found for found in regions.items() if fails_in_part(found[1], plan.sampling)]
    why = "; ".join(f"{region}: {health.why}" for region, health in blind + partial)
    if blind:
        tell_observer_fault(ports, plan, why)
    elif partial:
        tell(
            ports,
            plan,
            "evidence-incomplete",
            f"[{plan.name}] one kind of evidence fails, the other does not",
            f"That alone moves nothing; somebody should look at the application.\n{why}",
        )


def _tell_degraded(ports: Ports, plan: Plan, region: str, health: RegionHealth) -> None:
    leaves = plan.degradation.action is DegradationMode.FAILOVER
    tell(
        ports,
        plan,
        f"degraded {region}",
        f"[{plan.name}] {region} is degraded",
        f"{region} of {plan.name} answers, but not as usual: {describe(health, plan, ports.clock.now())}.\n"
        + (
            "The plan leaves a degraded Region, if the other one is well."
            if leaves
            else "Nothing is moved for that: the plan's [degradation] says so. Look at the application."
        ),
    )


def tell_observer_fault(ports: Ports, plan: Plan, why: str) -> None:
    """Tell once that we cannot judge; shared by probe and failover so that one cause is one notification."""
    tell(
        ports,
        plan,
        "observer-fault",
        f"[{plan.name}] cannot judge: automatic failover is blind",
        f"Checks of {plan.name} end without a verdict; nothing is moved on such evidence.\n{why}\n"
        "Where nothing answers in any Region, either we are cut off or both are down.\n"
        "Else look for: permissions of the functions' roles, table names, credentials, throttling, network.",
    )


def _announce(ports: Ports, plan: Plan, state: PlanState | None, active: str, why: str, at: datetime) -> None:
    """Put `Region Unhealthy`, unless a transition is open: it is being seen to."""
    if state is not None and state.phase is not Phase.STEADY:
        return
    epoch, other = state.epoch if state else 0, plan.regions.other(active)
    detail = move_of(plan.name, epoch, Direction.FAILOVER, active, other, why[:1000], at)
    ports.events.put(REGION_UNHEALTHY, detail)
