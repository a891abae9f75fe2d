"""Leave the active Region because it is unhealthy: look for ourselves, decide, run the transition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

from region_failover.domain.decision import (
    Decision,
    Reason,
    Situation,
    decide_failback,
    decide_failover,
    decide_return,
    hold,
    is_stuck,
)
from region_failover.domain.fleet import LEAST, percent_of, wants_to_move
from region_failover.domain.journal import Claim
from region_failover.domain.plan import Plan
from region_failover.domain.shares import RETURNED, is_of_before
from region_failover.domain.state import Direction, PlanState
from region_failover.domain.trigger import Kind, Trigger, is_stale
from region_failover.domain.verdict import Health, HealthRecord
from region_failover.ports import Ports
from region_failover.service.dispatch import for_each_plan, refuse_others
from region_failover.service.judge import has_settled, raise_alarm, record, situation_of, tell_stuck
from region_failover.service.observe import Observation, observe, pair
from region_failover.service.record import Deadline, Summary, ensure_state
from region_failover.service.switches import obstacle, plan_steps
from region_failover.service.transition import open_transition, survey

FLEET_LOOKED_UP_WITHIN = timedelta(seconds=10)

STARTED_BY = frozenset({Kind.ALARM, Kind.REGION_UNHEALTHY, Kind.MANUAL})


def handle_failover(
    ports: Ports,
    plans: Sequence[Plan],
    triggers: Sequence[Trigger],
    deadline: Deadline,
    maximum_age: timedelta,
) -> list[Summary]:
    """Judge every plan that a trigger speaks of; return the decisions."""
    refuse_others(triggers, STARTED_BY, "a failover", but_not=Direction.FAILBACK)
    return for_each_plan(
        ports,
        plans,
        triggers,
        deadline,
        lambda plan, trigger: fail_over(ports, plans, plan, trigger, deadline, maximum_age),
    )


def fail_over(
    ports: Ports,
    plans: Sequence[Plan],
    plan: Plan,
    trigger: Trigger,
    deadline: Deadline,
    maximum_age: timedelta,
) -> Summary:
    """Judge one of the stack's plans, and move it if the decision says so; return the decision's summary."""
    idle = no_reason_to_look(ports, trigger, maximum_age)
    if idle is not None:
        return record(ports, plan, trigger, idle)
    state = ensure_state(ports, plan)
    seen, known = observe(ports, plan)
    fleet = 0 if trigger.manual else _fleet_percent(ports, plans, plan)
    situation = situation_of(ports, plan, state, seen, known, trigger, fleet)
    back = give_back(ports, plan, state, seen, known, trigger, situation, deadline)
    if back is not None:
        return back
    decision = decide_failover(situation, plan.policy)
    return carry_out(
        ports, plan, state, seen, known, trigger, situation, decision, Direction.FAILOVER, deadline
    )


def _fleet_percent(ports: Ports, plans: Sequence[Plan], plan: Plan) -> int:
    """Return how many percent of the stack's plans want to move; one that cannot be looked up does, too."""
    others = [other for other in plans if other.name != plan.name]
    if len(others) + 1 < LEAST:
        return 0
    now = ports.clock.now()

    def wants(other: Plan) -> bool:
        state, health = ports.store.load_state(other.name), ports.store.load_health(other.name)
        return wants_to_move(other, state, health, now)

    answers = ports.together([partial(wants, other) for other in others], FLEET_LOOKED_UP_WITHIN)
    return percent_of([not isinstance(answer, bool) or answer for answer in answers])


def give_back(
    ports: Ports,
    plan: Plan,
    state: PlanState,
    seen: Observation,
    known: HealthRecord,
    trigger: Trigger,
    situation: Situation,
    deadline: Deadline,
) -> Summary | None:
    """Take back what is on trial at the primary, where that has to be; None where it has not.

    An event of before the trial is no reason to end it: delivered again, it would have a second effect (I20).
    """
    decision = decide_return(situation)
    if is_of_before(state, trigger.at):
        return None
    if not decision.moves:
        if is_stuck(situation, decision):
            record(ports, plan, trigger, decision, situation, seen)
            tell_stuck(ports, plan, decision, seen)
        return None
    return carry_out(
        ports,
        plan,
        state,
        seen,
        known,
        trigger,
        situation,
        decision,
        Direction.FAILOVER,
        deadline,
        share=RETURNED,
    )


def no_reason_to_look(ports: Ports, trigger: Trigger, maximum_age: timedelta) -> Decision | None:
    """Return the hold for a trigger that is no reason to look, else None."""
    if is_stale(trigger, ports.clock.now(), maximum_age):
        return hold(Reason.STALE_EVENT)
    if trigger.suppressed:
        return hold(Reason.SUPPRESSED)
    return None if trigger.in_alarm else hold(Reason.NOT_IN_ALARM)


def carry_out(
    ports: Ports,
    plan: Plan,
    state: PlanState,
    seen: Observation,
    known: HealthRecord,
    trigger: Trigger,
    situation: Situation,
    decision: Decision,
    direction: Direction,
    deadline: Deadline,
    share: int | None = None,
) -> Summary:
    """Record a decision, then do it; what stands in its way is recorded too.

    `share`: how many percent of the traffic are at the primary then, None where all of it moves.
    """
    detail = ""
    zones = survey(ports, plan) if decision.moves else {}
    blocked = obstacle(plan, state.epoch, zones) if decision.moves else None
    if blocked and blocked[0] is Reason.FENCE_AHEAD and _has_moved_on(ports, plan, state):
        blocked = Reason.LOST_THE_CLAIM, "another worker has moved on since this one looked at the record"
    if blocked and not (_is_forced(trigger) and blocked[0] is Reason.DRIFT):  # a human's word
        decision, detail = hold(blocked[0]), blocked[1]
    elif direction is Direction.FAILBACK and decision.moves and not trigger.manual:
        situation = _looked_again(ports, plan, situation)
        decision = decide_failback(situation, plan.policy)
    summary = record(ports, plan, trigger, decision, situation, seen, detail)
    if direction is Direction.FAILOVER or decision.reason is not Reason.TARGET_NOT_VERIFIED:
        raise_alarm(ports, plan, decision, seen, detail)  # a failback has time: the next tick looks again
    if not decision.moves:
        return summary
    request = _request(ports, plan, state, seen, known, trigger, decision, direction, share)
    lost = open_transition(ports, plan, request, zones, seen.at, deadline)
    return record(ports, plan, trigger, lost) if lost else summary


def _is_forced(trigger: Trigger) -> bool:
    """Return whether a human has said that drift shall be overwritten."""
    return trigger.manual and trigger.force


def _looked_again(ports: Ports, plan: Plan, situation: Situation) -> Situation:
    """Return the situation with what the probe has seen since: looking at the zones may have taken long.

    A failback has time, and a relapse restarts its clock (I16).
    """
    known = ports.store.load_health(plan.name)
    primary = plan.regions.primary
    well = known is not None and has_settled(plan, known, primary, ports.clock.now())
    return replace(situation, settled=situation.settled and well)


def _has_moved_on(ports: Ports, plan: Plan, state: PlanState) -> bool:
    """Return whether the record is newer than this: then a fence ahead of it is no record restored."""
    found = ports.store.load_state(plan.name)
    return found is not None and found.epoch > state.epoch


def _request(
    ports: Ports,
    plan: Plan,
    state: PlanState,
    seen: Observation,
    known: HealthRecord,
    trigger: Trigger,
    decision: Decision,
    direction: Direction,
    share: int | None,
) -> Claim:
    source, target = state.active, plan.regions.other(state.active)
    if share == RETURNED:  # what is on trial at the primary comes back to where the rest is
        source, target = target, source
    health = known.regions.get(source)
    leaving = direction is Direction.FAILOVER
    return Claim(
        direction=direction,
        source=source,
        target=target,
        reason=f"{decision.reason.value}: {trigger.reason}",
        manual=trigger.manual,
        owner=ports.owner,
        steps=plan_steps(plan, share),
        verified_at=seen.at,
        detected_at=health.since if leaving and health and health.health is Health.UNHEALTHY else None,
        loss_s=seen.ages.get(pair(source, target)) if leaving else None,
        request=trigger.id,
        per_day=plan.policy.automatic_per_day,
        share=share,
        forced=_is_forced(trigger),
        proposal=state.proposal.id if decision.reason is Reason.APPROVED and state.proposal else "",
    )
