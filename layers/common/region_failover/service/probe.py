"""The probe: samples every plan for a tick, keeps the record, and says when a Region is down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from region_failover.domain.plan import Plan
from region_failover.domain.state import Direction, Phase, PlanState
from region_failover.domain.trigger import REGION_UNHEALTHY, Kind, Trigger
from region_failover.domain.vantage import judge
from region_failover.domain.verdict import Health, HealthRecord
from region_failover.ports import Ports
from region_failover.service.dispatch import all_or_first_error, refuse_others
from region_failover.service.observe import Observation, look, remember
from region_failover.service.record import Deadline, Summary, load_state, send_left_behind, tell

# A round of a plan, with its writes, never takes longer than this many of its check timeouts.
ROUND_TIMEOUTS = 6


def handle_probe(
    ports: Ports, plans: Sequence[Plan], triggers: Sequence[Trigger], deadline: Deadline, _: timedelta
) -> list[Summary]:
    """Sample for one tick; only the schedule (or a test of it by hand, with the same event) starts this."""
    refuse_others(triggers, {Kind.SCHEDULE}, "the probe")
    return run_probe(ports, plans, deadline)


def run_probe(ports: Ports, plans: Sequence[Plan], deadline: Deadline) -> list[Summary]:
    """Sample all plans until the tick is over; return the last round of each.

    A plan is sampled every `sampling.every`, and every `sampling.quick_every` while its evidence is not
    clear. Raises the first error of a plan after every plan has had its turn.
    """
    due = {plan.name: ports.clock.now() for plan in plans}
    announced: set[str] = set()
    last: dict[str, Summary] = {}
    while True:
        now = ports.clock.now()
        ready = [plan for plan in plans if due[plan.name] <= now]
        for plan, summary in zip(ready, _rounds(ports, ready, announced), strict=True):
            last[plan.name] = summary
            due[plan.name] = now + (plan.sampling.every if summary["clear"] else plan.sampling.quick_every)
        wait = (min(due.values()) - ports.clock.now()).total_seconds()
        slowest = max(plan.sampling.timeout for plan in plans).total_seconds() * 2
        if deadline.remaining_s() < max(wait, 0) + slowest:
            return list(last.values())
        ports.clock.sleep(max(wait, 0.0))


def _rounds(ports: Ports, plans: Sequence[Plan], announced: set[str]) -> list[Summary]:
    timeout = max((plan.sampling.timeout for plan in plans), default=timedelta(0)) * ROUND_TIMEOUTS
    calls = [lambda plan=plan: sample_plan(ports, plan, announced) for plan in plans]
    return all_or_first_error(ports, calls, timeout + timedelta(seconds=10))


def sample_plan(ports: Ports, plan: Plan, announced: set[str]) -> Summary:
    """Take one round of a plan: metrics first (they must not depend on the state table), then the record.

    Puts `Region Unhealthy` once per tick (`announced`) while the active Region is decidedly down.
    """
    observation = look(ports, plan)
    state: PlanState | None = None
    known: HealthRecord | None = None
    try:
        known = remember(ports, plan, observation)
        state = load_state(ports, plan)
    finally:
        active = state.active if state else plan.regions.primary
        down = known is not None and judge(known, active, plan.sampling, observation.at).down
        ports.meter.measure(plan.name, _metrics(plan, observation, active, down))
    if state is not None:
        _tell_what_was_seen(ports, plan, state, known, down)
    if down and plan.name not in announced and (state is None or state.phase is Phase.STEADY):
        _announce(ports, plan, state, active, observation)
        announced.add(plan.name)
    clear = all(s.health is Health.HEALTHY for s in observation.samples.values()) or plan.name in announced
    return {
        "plan": plan.name,
        "active": active,
        "down": down,
        "clear": clear,
        "samples": {region: sample.health.value for region, sample in observation.samples.items()},
    }


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
    blind = [r for r in regions.items() if list(r[1].recent).count(Health.UNKNOWN) >= plan.sampling.needed]
    why = "; ".join(f"{region}: {health.why}" for region, health in blind)
    if any(health.ours for _, health in blind):
        tell_observer_fault(ports, plan, why)
    elif blind:
        tell(
            ports,
            plan,
            "evidence-incomplete",
            f"[{plan.name}] one kind of evidence fails, the other does not",
            f"That alone moves nothing; somebody should look at the application.\n{why}",
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


def _announce(ports: Ports, plan: Plan, state: PlanState | None, active: str, seen: Observation) -> None:
    ports.events.put(
        REGION_UNHEALTHY,
        {
            "plan": plan.name,
            "epoch": state.epoch if state else 0,
            "direction": Direction.FAILOVER.value,
            "from": active,
            "to": plan.regions.other(active),
            "reason": seen.samples[active].why[:1000],
            "at": seen.at.isoformat(),
        },
    )
