"""From what was seen to a situation, a recorded decision, and word to whoever must know."""

from __future__ import annotations

from datetime import datetime

from region_failover.domain.approval import approval_of
from region_failover.domain.brakes import moves_of_the_day
from region_failover.domain.codec import flat
from region_failover.domain.decision import LOUD, Decision, Reason, Situation
from region_failover.domain.degradation import degraded, is_degraded
from region_failover.domain.fleet import is_complete
from region_failover.domain.plan import Plan
from region_failover.domain.shares import has_lasted, is_of_before
from region_failover.domain.state import PlanState
from region_failover.domain.trigger import Trigger
from region_failover.domain.vantage import judge, recent_views
from region_failover.domain.verdict import Health, HealthRecord, is_settled
from region_failover.domain.window import opening
from region_failover.ports import Ports
from region_failover.service.observe import Observation, pair
from region_failover.service.probe import tell_observer_fault
from region_failover.service.record import Summary, tell


def situation_of(
    ports: Ports,
    plan: Plan,
    state: PlanState,
    seen: Observation,
    known: HealthRecord,
    trigger: Trigger,
    fleet_percent: int = 0,
) -> Situation:
    """Return the flat situation that a decision about leaving the active Region reads."""
    target = plan.regions.other(state.active)
    now = ports.clock.now()
    verdict = judge(known, state.active, plan.sampling, now)
    return Situation(
        now=now,
        at_primary=state.active == plan.regions.primary,
        phase=state.phase,
        paused=state.paused,
        cooldown_until=state.cooldown_until,
        moves_of_the_day=moves_of_the_day(state, now),
        manual=trigger.manual,
        force=trigger.force,
        source=seen.samples[state.active].health,
        source_down=verdict.down,
        disagreed=verdict.disagreed,
        ours=seen.samples[state.active].ours,
        degraded=degraded(known, state.active, plan, now),
        fleet_percent=fleet_percent,
        complete=is_complete(seen.results, state.active),
        target=seen.samples[target].health,
        target_at=seen.at,
        settled=has_settled(plan, known, target, now),
        lags_s=(
            seen.lags.get(pair(state.active, target)),
            seen.lags.get(pair(target, state.active)),
        ),
        approval=approval_of(plan, state, now),
        opening=opening(plan.policy.failback_windows, plan.policy.failback_blackouts, now),
        on_trial=state.share is not None,
        trial_lasted=has_lasted(state, plan.policy.failback_step_for, now)
        and not is_of_before(state, trigger.at),  # a tick that made a step, delivered again, makes no second
        target_ours=seen.samples[target].ours,
    )


def has_settled(plan: Plan, known: HealthRecord, region: str, now: datetime) -> bool:
    """Return whether a Region has been well for long enough, to everybody who has looked just now."""
    health = known.regions.get(region)
    doubted = any(view.health is Health.UNHEALTHY for _, view in recent_views(known, region, now))
    well = is_settled(health, now, plan.policy.healthy_for)
    return well and not doubted and not is_degraded(health, plan, now)


def record(
    ports: Ports,
    plan: Plan,
    trigger: Trigger,
    decision: Decision,
    situation: Situation | None = None,
    seen: Observation | None = None,
    detail: str = "",
) -> Summary:
    """Put a decision on record with all it was made from (I23); return its summary."""
    summary: Summary = {
        "plan": plan.name,
        "action": decision.action.value,
        "reason": decision.reason.value,
        "trigger": trigger.kind.value,
        "event": trigger.id,
        **({"detail": detail} if detail else {}),
    }
    evidence: dict[str, object] = {
        **summary,
        "situation": flat(situation) if situation else None,
        "policy": flat(plan.policy),
        "checks": [f"{r.region} {r}" for r in seen.results] if seen else [],
    }
    now = ports.clock.now()
    ports.store.record_decision(plan.name, now, evidence)
    ports.meter.log("decision", **summary)
    return summary


def tell_stuck(ports: Ports, plan: Plan, decision: Decision, seen: Observation) -> None:
    """Tell that a share of the traffic is on trial where it fails, and what keeps it there."""
    tell(
        ports,
        plan,
        f"stuck {decision.reason.value}",
        f"[{plan.name}] what is on trial at {plan.regions.primary} fails and stays: {decision.reason.value}",
        f"A share of the traffic of {plan.name} is on trial at {plan.regions.primary}, which is not well:"
        f" {seen.samples[plan.regions.primary].why}\n"
        f"It should return to {plan.regions.standby}, and is not taken back: {decision.reason.value}.\n"
        "docs/runbook.md says what this reason means and what to do.",
    )


def raise_alarm(
    ports: Ports, plan: Plan, decision: Decision, seen: Observation | None, detail: str = ""
) -> None:
    """Tell of a hold that only a human can end, once within the plan's `notify_again`."""
    if decision.moves or decision.reason not in LOUD:
        return
    why = (
        "; ".join(f"{s.region} is {s.health.value} {s.why}".strip() for s in seen.samples.values())
        if seen
        else ""
    )
    if decision.reason is Reason.OBSERVER_FAULT:
        tell_observer_fault(ports, plan, why)
        return
    tell(
        ports,
        plan,
        f"hold {decision.reason.value}",
        f"[{plan.name}] holds: {decision.reason.value}",
        f"{plan.name} is not moved: {decision.reason.value}. {detail}\n{why}\n"
        "docs/runbook.md says what this reason means and what to do.",
    )
