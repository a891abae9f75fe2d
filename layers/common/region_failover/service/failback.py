"""Every tick: finish what a worker left, make good what is owed, return to the primary when it is safe."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from region_failover.domain.decision import Decision, Reason, decide_failback, hold
from region_failover.domain.journal import may_have_late_writers
from region_failover.domain.plan import Plan
from region_failover.domain.shares import next_share
from region_failover.domain.state import Direction, PlanState
from region_failover.domain.trigger import Kind, Trigger
from region_failover.ports import Ports
from region_failover.service.dispatch import for_each_plan, refuse_others
from region_failover.service.failover import carry_out, give_back, no_reason_to_look
from region_failover.service.judge import record, situation_of
from region_failover.service.observe import observe
from region_failover.service.parameters import pay_debts, put_back
from region_failover.service.proposal import follow_proposal
from region_failover.service.record import Deadline, Summary, ensure_state, send_left_behind
from region_failover.service.switches import request_linode_again
from region_failover.service.transition import resume

STARTED_BY = frozenset({Kind.SCHEDULE, Kind.MANUAL})


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
    """Look after one plan; return what was decided. Paused: no effect but a human's own (I17)."""
    idle = no_reason_to_look(ports, trigger, maximum_age)
    if idle is not None:
        return record(ports, plan, trigger, idle)
    state = ensure_state(ports, plan)
    send_left_behind(ports, state)
    if state.transition is not None:
        frozen = state.paused and not (trigger.manual or state.transition.manual)
        decision = hold(Reason.PAUSED) if frozen else _go_on(ports, plan, state, deadline)
        return record(ports, plan, trigger, decision)
    if not state.paused:
        pay_debts(ports, plan, state)
        _undo_late_writes(ports, plan, state)
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
    if plan.switches_linode:
        request_linode_again(ports, plan, state)


def _go_on(ports: Ports, plan: Plan, state: PlanState, deadline: Deadline) -> Decision:
    if state.transition is None or state.transition.lease.is_held(ports.clock.now()):
        return hold(Reason.IN_PROGRESS)
    seen, _ = observe(ports, plan)
    return resume(ports, plan, seen, deadline)
