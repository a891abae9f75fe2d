"""Every tick: finish what a worker left, make good what is owed, return to the primary when it is safe."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from region_failover.domain.decision import Decision, Reason, decide_failback, hold
from region_failover.domain.errors import MalformedEvent
from region_failover.domain.journal import may_have_late_writers
from region_failover.domain.plan import Plan, Role
from region_failover.domain.shares import next_share
from region_failover.domain.state import Direction, PlanState
from region_failover.domain.trigger import CHOICES, Kind, Trigger
from region_failover.ports import Ports
from region_failover.service.choice import choose
from region_failover.service.dispatch import for_each_plan, refuse_others
from region_failover.service.drift import watch_for_drift
from region_failover.service.failover import carry_out, give_back, no_reason_to_look
from region_failover.service.hooks import call_owed_hooks
from region_failover.service.judge import record, situation_of
from region_failover.service.observe import observe
from region_failover.service.parameters import pay_debts, put_back
from region_failover.service.plan_ahead import plan_ahead
from region_failover.service.proposal import follow_proposal
from region_failover.service.record import Deadline, Summary, ensure_state, send_left_behind
from region_failover.service.routing import put_controls_back
from region_failover.service.signals import follow_record
from region_failover.service.switches import request_linode_again
from region_failover.service.transition import resume

STARTED_BY = frozenset({Kind.SCHEDULE, Kind.MANUAL, Kind.PLAN, *CHOICES})


def handle_failback(
    ports: Ports,
    plans: Sequence[Plan],
    triggers: Sequence[Trigger],
    deadline: Deadline,
    maximum_age: timedelta,
) -> list[Summary]:
    """Look after every plan that a trigger speaks of; return the decisions."""
    refuse_others(triggers, STARTED_BY, "a failback", but_not=Direction.FAILOVER)
    return for_each_plan(
        ports,
        plans,
        triggers,
        deadline,
        lambda plan, trigger: look_after(ports, plan, trigger, deadline, maximum_age),
    )


def look_after(
    ports: Ports, plan: Plan, trigger: Trigger, deadline: Deadline, maximum_age: timedelta
) -> Summary:
    """Look after one plan; return what was decided. Paused: no effect but a human's own (I17).

    Whether somebody has changed the switches is looked at last, so that it delays nothing.
    """
    if trigger.kind is Kind.PLAN:
        return _plan_ahead(ports, plan, trigger)
    idle = no_reason_to_look(ports, trigger, maximum_age)
    if idle is not None:
        return record(ports, plan, trigger, idle)
    if trigger.kind in CHOICES:
        return choose(ports, plan, trigger, deadline)
    summary = _move_or_finish(ports, plan, trigger, deadline)
    watch_for_drift(ports, plan, trigger, deadline)
    return summary


def _move_or_finish(ports: Ports, plan: Plan, trigger: Trigger, deadline: Deadline) -> Summary:
    state = ensure_state(ports, plan)
    send_left_behind(ports, state)
    follow_record(ports, plan)
    if state.transition is not None:
        return record(ports, plan, trigger, _go_on(ports, plan, state, trigger, deadline))
    if not state.paused and trigger.expect is None:
        pay_debts(ports, plan, state)
        _undo_late_writes(ports, plan, state)
        call_owed_hooks(ports, plan, state)
    if state.active == plan.regions.primary:
        return record(ports, plan, trigger, hold(Reason.AT_PRIMARY))
    seen, known = observe(ports, plan)
    situation = situation_of(ports, plan, state, seen, known, trigger)
    back = (
        None if trigger.manual else give_back(ports, plan, state, seen, known, trigger, situation, deadline)
    )
    if back is not None:
        return back
    decision = decide_failback(situation, plan.policy)
    follow_proposal(ports, plan, state, situation, decision, seen, known)
    return carry_out(
        ports,
        plan,
        state,
        seen,
        known,
        trigger,
        situation,
        decision,
        Direction.FAILBACK,
        deadline,
        share=None if trigger.manual else next_share(plan.policy.failback_steps, state),
    )


def _undo_late_writes(ports: Ports, plan: Plan, state: PlanState) -> None:
    """For a while after a move: put back what a late worker has written where it could not be refused (I2).

    Parameters at once; Linode's records are looked at by `linode_dns`, which is asked again.
    """
    if not may_have_late_writers(state, ports.clock.now()):
        return
    put_back(ports, plan, state)
    put_controls_back(ports, plan, state)
    if plan.switches_linode:
        request_linode_again(ports, plan, state)


def _plan_ahead(ports: Ports, plan: Plan, trigger: Trigger) -> Summary:
    if trigger.to is not Role.PRIMARY:
        raise MalformedEvent(f"event {trigger.id}: a failback goes to the primary, not to the standby")
    return plan_ahead(ports, plan, trigger, Direction.FAILBACK, lambda: 0)


def _go_on(ports: Ports, plan: Plan, state: PlanState, trigger: Trigger, deadline: Deadline) -> Decision:
    """Go on with the open transition; not for whoever asks for just one plan, which is another one."""
    found = state.transition
    if found is None or trigger.expect is not None:
        return hold(Reason.IN_PROGRESS)
    if state.paused and not (trigger.manual or found.manual):
        return hold(Reason.PAUSED)
    if found.lease.is_held(ports.clock.now()):
        return hold(Reason.IN_PROGRESS)
    seen, _ = observe(ports, plan)
    return resume(ports, plan, seen, deadline)
