"""Point Linode's records at the target of an open transition: claim the step, look, write, read back, ask.

Linode has no compare-and-swap, so each record is looked at first (name and type must be the plan's, the
target one of the plan's two), written, and compared with what Linode then returns, and what its name servers
then answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import timedelta

from region_failover.domain.decision import Reason, hold
from region_failover.domain.journal import claim_step, may_have_late_writers, shortened
from region_failover.domain.linode import LinodeRecordState, chosen, points_at
from region_failover.domain.linode_step import (
    claimed_step,
    is_served_late,
    keep_open,
    note_before,
)
from region_failover.domain.plan import Plan, Role
from region_failover.domain.state import PlanState, Step, StepKind, StepStatus
from region_failover.domain.trigger import Kind, Trigger, is_stale
from region_failover.ports import Ports
from region_failover.service.dispatch import for_each_plan, refuse_others
from region_failover.service.judge import record
from region_failover.service.linode_reboots import reboot_instances
from region_failover.service.linode_records import Domains, await_answers, point_records, survey
from region_failover.service.parameters import heading
from region_failover.service.record import Deadline, Summary, change, tell
from region_failover.service.switches import finish
from region_failover.service.transition import try_complete

KEY = Step(StepKind.LINODE, "records").key

# A look, a write and a look, and their answers, with room.
CORRECTED_WITHIN_S = 15.0

# What a step's record, and a notice, have room for.
LONGEST_DETAIL = 1500


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
    claimed = change(
        ports,
        plan.name,
        lambda state: claim_step(state, trigger.epoch, KEY, ports.owner, "", ports.clock.now()),
    )
    if claimed is None or claimed.transition is None:
        return _look_again(ports, plan, trigger, deadline)
    role = plan.regions.role(claimed.transition.target)
    problem, waiting = _carry_out(ports, plan, trigger.epoch, role, deadline)
    saved, status = _note_outcome(ports, plan, trigger.epoch, problem, waiting)
    if saved is None:
        _follow_newer_epoch(ports, plan, trigger.epoch)
        return record(ports, plan, trigger, hold(Reason.LOST_THE_CLAIM))
    _tell(ports, plan, trigger, saved, problem, waiting)
    try_complete(ports, plan, trigger.epoch)
    detail = problem or waiting
    return {"plan": plan.name, "epoch": trigger.epoch, "step": KEY, "status": status.value, "detail": detail}


def _carry_out(ports: Ports, plan: Plan, epoch: int, role: Role, deadline: Deadline) -> tuple[str, str]:
    """Return (what went wrong, what the name servers still say), '' for nothing."""
    domains = survey(ports, plan.linode_records, deadline)
    before = _snapshot(plan, domains)
    noted = change(
        ports,
        plan.name,
        lambda state: note_before(state, epoch, KEY, ports.owner, before, ports.clock.now()),
    )
    if noted is None:
        return "the step is another's now", ""
    may = lambda: _is_claimed(ports, plan, epoch)  # noqa: E731
    problem, after = point_records(ports, plan.linode_records, role, domains, deadline, may)
    if problem:
        return shortened(problem, LONGEST_DETAIL), ""
    return "", shortened(await_answers(ports, plan.linode_records, after, deadline), LONGEST_DETAIL)


def _snapshot(plan: Plan, domains: Domains) -> str:
    found = chosen(plan.linode_records, domains)
    return json.dumps([asdict(r) for r in found if isinstance(r, LinodeRecordState)], sort_keys=True)


def _is_claimed(ports: Ports, plan: Plan, epoch: int) -> bool:
    state = ports.store.load_state(plan.name)
    return claimed_step(state, epoch, KEY, ports.owner, ports.clock.now()) is not None


def _note_outcome(
    ports: Ports, plan: Plan, epoch: int, problem: str, waiting: str
) -> tuple[PlanState | None, StepStatus]:
    """Record how far the step is: failed, open until the name servers follow, or done."""
    if waiting:
        now = ports.clock.now()
        detail = f"read back; {waiting}"
        saved = change(ports, plan.name, lambda state: keep_open(state, epoch, KEY, ports.owner, detail, now))
        return saved, StepStatus.DOING
    status = StepStatus.FAILED if problem else StepStatus.DONE
    done = "read back, and served by Linode's name servers"
    return finish(ports, plan, epoch, KEY, status, problem or done), status


def _tell(ports: Ports, plan: Plan, trigger: Trigger, saved: PlanState, problem: str, waiting: str) -> None:
    step = saved.transition.step(KEY) if saved.transition else None
    if problem:
        tell(
            ports,
            plan,
            f"linode failed {trigger.epoch}",
            f"[{plan.name}] Linode's records are not switched yet",
            f"Epoch {trigger.epoch}: {problem}\nThe transition stays open; every tick asks again.",
        )
    elif waiting and is_served_late(step, ports.clock.now()):
        tell(
            ports,
            plan,
            f"linode served late {trigger.epoch}",
            f"[{plan.name}] Linode's name servers lag",
            f"Epoch {trigger.epoch}: Linode's API has the new targets, its name servers do not answer with"
            f" them: {waiting}\nNothing is written again. The transition stays open; every tick asks again.",
        )


def _look_again(ports: Ports, plan: Plan, trigger: Trigger, deadline: Deadline) -> Summary:
    """Put back what a late worker has written, and reboot what is due, after this epoch's own move (I2).

    Where nothing is wrong nothing is done: a newer epoch's records are its own executor's.
    """
    state = _at_rest(ports, plan, trigger.epoch)
    if state is None:
        return record(ports, plan, trigger, hold(Reason.LOST_THE_CLAIM))
    problem = _undo_late_writes(ports, plan, state, deadline)
    reboot_instances(ports, plan, state, deadline)
    return {"plan": plan.name, "epoch": trigger.epoch, "status": "looked at again", "detail": problem}


def _at_rest(ports: Ports, plan: Plan, epoch: int) -> PlanState | None:
    """Return the state if this epoch is the newest, and was completed lately; asked before each write."""
    state = ports.store.load_state(plan.name)
    if state is None or state.epoch != epoch or not may_have_late_writers(state, ports.clock.now()):
        return None
    return state


def _undo_late_writes(ports: Ports, plan: Plan, state: PlanState, deadline: Deadline) -> str:
    domains = survey(ports, plan.linode_records, deadline)
    role, other = plan.regions.role(state.active), plan.regions.role(plan.regions.other(state.active))
    pairs = zip(plan.linode_records, chosen(plan.linode_records, domains), strict=True)
    late = [
        wanted
        for wanted, there in pairs
        if isinstance(there, LinodeRecordState) and points_at(wanted, there, other)
    ]
    if not late:
        return ""
    may: Callable[[], bool] = lambda: _at_rest(ports, plan, state.epoch) is not None  # noqa: E731
    ports.meter.log("a late worker has written", plan=plan.name, step=KEY, epoch=state.epoch)
    problem, _ = point_records(ports, late, role, domains, deadline, may)
    _follow_newer_epoch(ports, plan, state.epoch)
    return shortened(problem, LONGEST_DETAIL)


def _follow_newer_epoch(ports: Ports, plan: Plan, epoch: int) -> None:
    """Correct what a worker wrote that was outdated while it wrote: Linode itself could not refuse it.

    It has time of its own: a worker that was frozen is past its deadline.
    """
    state = ports.store.load_state(plan.name)
    if state is None or state.epoch <= epoch:
        return
    region, deadline = heading(state), Deadline.after(ports, CORRECTED_WITHIN_S)

    def may() -> bool:
        found = ports.store.load_state(plan.name)
        return found is not None and found.epoch > epoch and heading(found) == region

    domains = survey(ports, plan.linode_records, deadline)
    point_records(ports, plan.linode_records, plan.regions.role(region), domains, deadline, may)
