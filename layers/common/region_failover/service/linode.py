"""Point Linode's records at the target of an open transition: claim the step, write, read back, report.

Linode has no compare-and-swap, so each record is read first (name and type must be the plan's, the target
one of the plan's two), written, and compared with what Linode then returns.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta

from region_failover.domain.decision import Reason, hold
from region_failover.domain.errors import RemoteFailure
from region_failover.domain.journal import claim_step, may_have_late_writers
from region_failover.domain.plan import LinodeRecord, Plan, Role
from region_failover.domain.state import Step, StepKind, StepStatus
from region_failover.domain.symptom import Kind as SymptomKind
from region_failover.domain.symptom import Symptom
from region_failover.domain.trigger import Kind, Trigger, is_stale
from region_failover.ports import LinodeRecordState, Ports
from region_failover.service.dispatch import for_each_plan, refuse_others
from region_failover.service.judge import record
from region_failover.service.parameters import heading
from region_failover.service.record import Deadline, Summary, change, tell
from region_failover.service.switches import finish
from region_failover.service.transition import try_complete

# Four calls to Linode and their answers, with room.
CORRECTED_WITHIN_S = 15.0


def handle_linode(
    ports: Ports,
    plans: Sequence[Plan],
    triggers: Sequence[Trigger],
    deadline: Deadline,
    maximum_age: timedelta,
) -> list[Summary]:
    """Carry out the requests for Linode; return what became of each."""
    refuse_others(triggers, {Kind.SWITCH_REQUESTED}, "linode_dns")
    return for_each_plan(
        ports,
        plans,
        triggers,
        deadline,
        lambda plan, trigger: switch_linode(ports, plan, trigger, deadline, maximum_age),
    )


def switch_linode(
    ports: Ports, plan: Plan, trigger: Trigger, deadline: Deadline, maximum_age: timedelta
) -> Summary:
    """Point a plan's records at the target of the epoch that the request names, if that epoch is open.

    A request of another epoch, one already carried out, or one too old has no effect.
    """
    if is_stale(trigger, ports.clock.now(), maximum_age):
        return record(ports, plan, trigger, hold(Reason.STALE_EVENT))
    key = Step(StepKind.LINODE, "records").key
    there = _read_all(ports, plan, deadline)
    known = [asdict(record) for record in there if isinstance(record, LinodeRecordState)]
    before = json.dumps(known, sort_keys=True) if len(known) == len(there) else ""
    claimed = change(
        ports,
        plan.name,
        lambda state: claim_step(state, trigger.epoch, key, ports.owner, before, ports.clock.now()),
    )
    if claimed is None or claimed.transition is None:
        return _undo_late_writes(ports, plan, trigger, there, deadline)
    role = plan.regions.role(claimed.transition.target)
    problem = _point_all(ports, plan.linode_records, role, deadline)
    status = StepStatus.FAILED if problem else StepStatus.DONE
    if finish(ports, plan, trigger.epoch, key, status, problem or "read back") is None:
        _follow_newer_epoch(ports, plan, trigger.epoch)
        return record(ports, plan, trigger, hold(Reason.LOST_THE_CLAIM))
    if problem:
        _tell_failed(ports, plan, trigger, problem)
    try_complete(ports, plan, trigger.epoch)
    return {"plan": plan.name, "epoch": trigger.epoch, "step": key, "status": status.value, "detail": problem}


def _undo_late_writes(
    ports: Ports,
    plan: Plan,
    trigger: Trigger,
    there: Sequence[LinodeRecordState | Exception],
    deadline: Deadline,
) -> Summary:
    """Put back what a late worker has written, if this epoch is the newest and was completed lately (I2).

    The record is read after Linode's, directly before the write. Where nothing is wrong nothing is done: a
    newer epoch's records are its own executor's.
    """
    state = ports.store.load_state(plan.name)
    newest = state is not None and state.epoch == trigger.epoch
    if state is None or not newest or not may_have_late_writers(state, ports.clock.now()):
        return record(ports, plan, trigger, hold(Reason.LOST_THE_CLAIM))
    role, other = plan.regions.role(state.active), plan.regions.role(plan.regions.other(state.active))
    pairs = zip(plan.linode_records, there, strict=True)
    late = [r for r, t in pairs if isinstance(t, LinodeRecordState) and t.target == r.target(other)]
    problem = _point_all(ports, late, role, deadline)
    if late:
        _follow_newer_epoch(ports, plan, trigger.epoch)
    return {"plan": plan.name, "epoch": trigger.epoch, "status": "looked at again", "detail": problem}


def _read_all(ports: Ports, plan: Plan, deadline: Deadline) -> list[LinodeRecordState | Exception]:
    calls = [lambda wanted=wanted: _the_one(ports, wanted) for wanted in plan.linode_records]
    return ports.together(calls, timedelta(seconds=max(deadline.remaining_s(), 0.0)))


def _the_one(ports: Ports, wanted: LinodeRecord) -> LinodeRecordState:
    found = ports.linode.find(wanted.domain_id, wanted.name, wanted.type)
    if len(found) != 1:
        raise RemoteFailure(
            Symptom(
                SymptomKind.SETTINGS,
                detail=f"domain {wanted.domain_id}: {len(found)} records {wanted.name!r} {wanted.type},"
                " exactly one was expected",
            )
        )
    if found[0].target not in {wanted.primary, wanted.standby}:
        raise RemoteFailure(
            Symptom(
                SymptomKind.SETTINGS,
                detail=f"{wanted.name!r} {wanted.type} holds {found[0].target}, which is in no plan",
            )
        )
    return found[0]


def _point_all(ports: Ports, records: Sequence[LinodeRecord], role: Role, deadline: Deadline) -> str:
    """Point these records at `role`; return what went wrong, '' if nothing. One failure stops no other."""
    calls = [lambda wanted=wanted: _point(ports, wanted, role, deadline) for wanted in records]
    answers = ports.together(calls, timedelta(seconds=max(deadline.remaining_s(), 0.0)))
    problems = [answer for answer in answers if answer is not None]
    return "; ".join(
        f"{type(problem).__name__}: {problem}" if isinstance(problem, Exception) else problem
        for problem in problems
    )


def _point(ports: Ports, wanted: LinodeRecord, role: Role, deadline: Deadline) -> str | None:
    there = _the_one(ports, wanted)
    goal = (wanted.target(role), wanted.ttl_sec)
    if deadline.remaining_s() <= 0:  # left behind by its invocation: it must not write any more
        return f"{wanted.name!r} {wanted.type}: out of time before the write"
    if (there.target, there.ttl_sec) != goal:
        ports.linode.point(wanted.domain_id, there.id, *goal)
    after = _the_one(ports, wanted)
    if (after.id, after.target, after.ttl_sec) != (there.id, *goal):
        return f"{wanted.name!r} {wanted.type} reads back as {after.target} with ttl_sec {after.ttl_sec}"
    return None


def _follow_newer_epoch(ports: Ports, plan: Plan, epoch: int) -> None:
    """Correct what a worker wrote that was outdated while it wrote: Linode itself could not refuse it.

    It has time of its own: a worker that was frozen is past its deadline.
    """
    state = ports.store.load_state(plan.name)
    if state is not None and state.epoch > epoch:
        role = plan.regions.role(heading(state))
        _point_all(ports, plan.linode_records, role, Deadline.after(ports, CORRECTED_WITHIN_S))


def _tell_failed(ports: Ports, plan: Plan, trigger: Trigger, problem: str) -> None:
    tell(
        ports,
        plan,
        f"linode failed {trigger.epoch}",
        f"[{plan.name}] Linode's records are not switched yet",
        f"Epoch {trigger.epoch}: {problem}\nThe transition stays open; every tick asks again.",
    )
