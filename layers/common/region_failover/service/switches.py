"""The switches of a transition: the only code that moves traffic or configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from region_failover.domain.decision import Reason
from region_failover.domain.errors import FenceRefused, LeaseEnded
from region_failover.domain.journal import (
    finish_step,
    mark_sent,
    may_act,
    retake_snapshot,
    start_steps,
)
from region_failover.domain.plan import Plan, Role
from region_failover.domain.shares import aim
from region_failover.domain.state import (
    VERIFIED_WITHIN,
    Direction,
    PlanState,
    Step,
    StepKind,
    StepStatus,
    Transition,
)
from region_failover.domain.trigger import SWITCH_REQUESTED, move_of
from region_failover.domain.zone import (
    Change,
    ZoneSnapshot,
    fence_name,
    foreign,
    is_switched,
    names_of,
    reassert_batch,
    snapshot_from_json,
    switch_batch,
    switched,
    too_large,
)
from region_failover.domain.zone_fit import called, differences, misfit, no_fence
from region_failover.domain.zone_snapshot import only_of
from region_failover.ports import Ports
from region_failover.service.record import Deadline, change

INSYNC_POLL_S = 1.0


def plan_steps(plan: Plan, share: int | None = None) -> tuple[Step, ...]:
    """Return a plan's steps: one per zone, one per parameter and Region, one for Linode.

    For a `share` of the traffic, only the zones that have weighted records.
    """
    if share is not None:
        weighted = {record.zone_id for record in plan.route53_records if record.weighted}
        return tuple(Step(StepKind.ROUTE53, zone_id) for zone_id in plan.zones() if zone_id in weighted)
    zones = [Step(StepKind.ROUTE53, zone_id) for zone_id in plan.zones()]
    parameters = [
        Step(StepKind.SSM, parameter.name, region)
        for parameter in plan.ssm_parameters
        for region in parameter.regions
    ]
    linode = [Step(StepKind.LINODE, "records")] if plan.linode_records else []
    return (*zones, *linode, *parameters)


def read_zone(ports: Ports, plan: Plan, zone_id: str) -> ZoneSnapshot:
    """Return what a zone holds of what the plan names there."""
    records = plan.zones()[zone_id]
    return only_of(ports.zones.read(zone_id, names_of(records), fence_name(records)), records)


def obstacle(plan: Plan, epoch: int, zones: Mapping[str, ZoneSnapshot]) -> tuple[Reason, str] | None:
    """Return why the zones as they are must not be switched, or None.

    What no batch can make comes first: nobody's word helps against that. A fence with a newer epoch than
    ours means our record is outdated. Last, somebody else's edit, which is not fought: DRIFT is returned
    only where nothing else stands in the way, for it is what a human may overrule.
    """
    for look in (_impossible, _fenced_off, _drift):
        for zone_id, found in zones.items():
            blocked = look(plan, epoch, zone_id, found)
            if blocked:
                return blocked[0], f"zone {zone_id}{blocked[1]}"
    return None


def _impossible(plan: Plan, epoch: int, zone_id: str, found: ZoneSnapshot) -> tuple[Reason, str] | None:
    records = plan.zones()[zone_id]
    for record in records:
        why = misfit(found, record)
        if why:
            return Reason.NOT_SIMPLE, f": {called(record)}: {why}"
    for role in Role:
        for batch in (
            switch_batch(plan, zone_id, epoch, role, found),
            reassert_batch(plan, zone_id, epoch, role, None, found),
        ):
            if too_large(batch):
                return Reason.NOT_SIMPLE, f": {too_large(batch)}"
    return None


def _fenced_off(plan: Plan, epoch: int, zone_id: str, found: ZoneSnapshot) -> tuple[Reason, str] | None:
    fence, instead = found.read_fence(), no_fence(found, plan.zones()[zone_id])
    if instead:
        return Reason.FENCE_FOREIGN, f": {instead} stands where {plan.name}'s fence shall be"
    if found.fence and (fence is None or fence.plan != plan.name):
        return Reason.FENCE_FOREIGN, f": {found.fence.name} TXT is not {plan.name}'s fence"
    if fence and fence.epoch > epoch:
        return Reason.FENCE_AHEAD, f" is at epoch {fence.epoch}, our record at {epoch}: was it restored?"
    return None


def _drift(plan: Plan, epoch: int, zone_id: str, found: ZoneSnapshot) -> tuple[Reason, str] | None:
    strange = foreign(found, plan.zones()[zone_id])
    return (Reason.DRIFT, f": {strange}, which is in no plan") if strange else None


def obstacle_to(
    plan: Plan, transition: Transition, zones: Mapping[str, ZoneSnapshot]
) -> tuple[Reason, str] | None:
    """Return why this transition must not switch the zones as they are, or None.

    A human who has said `force` has overruled the drift, in whichever attempt, by whichever worker, it is
    met: his move is not held for ever by what he wants overwritten.
    """
    blocked = obstacle(plan, transition.epoch, zones)
    return None if blocked and blocked[0] is Reason.DRIFT and transition.forced else blocked


def start(ports: Ports, plan: Plan, transition: Transition, before: Mapping[str, str]) -> Transition | None:
    """Record steps as DOING before their effects; None where this worker may not act any more (I4)."""
    written = change(
        ports,
        plan.name,
        lambda state: start_steps(state, transition.epoch, ports.owner, before, ports.clock.now()),
    )
    return written.transition if written else None


def finish(
    ports: Ports, plan: Plan, epoch: int, key: str, status: StepStatus, detail: str = ""
) -> PlanState | None:
    """Record how a step ended; None where the epoch is over."""
    return change(
        ports,
        plan.name,
        lambda state: finish_step(state, epoch, key, status, detail, ports.clock.now()),
    )


def switch_zone(
    ports: Ports, plan: Plan, transition: Transition, step: Step, verified_at: datetime, deadline: Deadline
) -> bool:
    """Move a zone's records and wait until they are INSYNC and read back; return whether that is done.

    Whatever an earlier attempt left (nothing, a change accepted and not recorded, a change under way) is
    found out by reading the fence, never assumed. False: still under way, a tick goes on with it. Raises
    FenceRefused where somebody has changed the records since; his change is not fought.
    """
    found = read_zone(ports, plan, step.subject)
    if not step.before:
        blocked = obstacle_to(plan, transition, {step.subject: found})
        if blocked:
            raise FenceRefused(blocked[1])
        started = start(ports, plan, transition, {step.key: found.to_json()})
        step = (started.step(step.key) if started else None) or step
        if not step.before:
            return False
    change_id, before = step.change_id, _before(ports, plan, transition, step)
    if not _is_of_epoch(found, plan, transition.epoch):
        change_id = _submit(ports, plan, transition, step, before, verified_at)
    elif not change_id:
        change_id = _send(ports, plan, transition, step, _reassert(plan, transition, step, before))
    if not _wait_insync(ports, change_id, deadline):
        return False
    return _confirm(ports, plan, transition, step, before)


def _before(ports: Ports, plan: Plan, transition: Transition, step: Step) -> ZoneSnapshot:
    """Return what the step saw there; for a whole return with what the move away had changed (`was`)."""
    before = snapshot_from_json(step.before)
    if aim(plan, transition) != (Role.PRIMARY, None):
        return before
    state = ports.store.load_state(plan.name)
    return replace(before, was=state.was.get(step.subject, "")) if state else before


def _reassert(plan: Plan, transition: Transition, step: Step, before: ZoneSnapshot) -> tuple[Change, ...]:
    role, share = aim(plan, transition)
    return reassert_batch(plan, step.subject, transition.epoch, role, share, before)


def _is_of_epoch(found: ZoneSnapshot, plan: Plan, epoch: int) -> bool:
    fence = found.read_fence()
    return fence is not None and (fence.plan, fence.epoch) == (plan.name, epoch)


def _submit(
    ports: Ports,
    plan: Plan,
    transition: Transition,
    step: Step,
    before: ZoneSnapshot,
    verified_at: datetime,
) -> str:
    role, share = aim(plan, transition)
    batch = switch_batch(plan, step.subject, transition.epoch, role, before, share)
    if too_large(batch):
        raise FenceRefused(f"zone {step.subject}: {too_large(batch)}")
    try:
        return _send(ports, plan, transition, step, batch, verified_at)
    except FenceRefused:
        found = read_zone(ports, plan, step.subject)
        if not _is_of_epoch(found, plan, transition.epoch):
            _look_anew(ports, plan, transition, step, found)
            raise
        # Another worker of this very epoch was faster, or the reply to our own batch was lost.
        return _send(ports, plan, transition, step, _reassert(plan, transition, step, before))


def may_still_act(ports: Ports, plan: Plan, transition: Transition) -> None:
    """Raise LeaseEnded unless the record has this transition open, leased to us and not paused, just now.

    Asked directly before an effect: the calls since it was asked last may have hung (I4, I17).
    """
    state = ports.store.load_state(plan.name)
    if state is None or may_act(state, transition.epoch, ports.owner, ports.clock.now()) is None:
        raise LeaseEnded(f"epoch {transition.epoch}: the record says that it is not ours to act on now")


def _look_anew(ports: Ports, plan: Plan, transition: Transition, step: Step, found: ZoneSnapshot) -> None:
    """Take the snapshot again where the zone has changed since, and holds nothing but the plan's (I9).

    A human has put the plan's own answer back, or taken one away; or a late worker has published the first
    fence. The fence there is older than this epoch, so nothing of it has happened here. What is foreign stays
    what it is: the batch is refused, and FenceRefused says by what, until somebody has seen to it.
    """
    blocked = obstacle_to(plan, transition, {step.subject: found})
    if blocked is not None:
        raise FenceRefused(blocked[1])
    seen, now = found.to_json(), ports.clock.now()
    change(
        ports,
        plan.name,
        lambda state: retake_snapshot(state, transition.epoch, ports.owner, step.key, seen, now),
    )


def _send(
    ports: Ports,
    plan: Plan,
    transition: Transition,
    step: Step,
    batch: Sequence[Change],
    verified_at: datetime | None = None,
) -> str:
    """Submit a batch and record its change id; `verified_at`: when the target was, if it moves traffic."""
    may_still_act(ports, plan, transition)
    if verified_at is not None and ports.clock.now() - verified_at > VERIFIED_WITHIN:
        raise TimeoutError(f"{transition.target} was verified too long ago to send traffic there")
    comment = f"region-failover: {plan.name} epoch {transition.epoch} to {transition.target}"
    change_id = ports.zones.submit(step.subject, batch, comment)
    change(
        ports,
        plan.name,
        lambda state: mark_sent(state, transition.epoch, step.key, change_id, ports.clock.now()),
    )
    return change_id


def _wait_insync(ports: Ports, change_id: str, deadline: Deadline) -> bool:
    while not ports.zones.is_insync(change_id):
        if deadline.remaining_s() < INSYNC_POLL_S:
            return False
        ports.clock.sleep(INSYNC_POLL_S)
    return True


def _confirm(ports: Ports, plan: Plan, transition: Transition, step: Step, before: ZoneSnapshot) -> bool:
    found = read_zone(ports, plan, step.subject)
    role, share = aim(plan, transition)
    if not is_switched(found, plan, step.subject, transition.epoch, role, share, before):
        right = switched(plan, step.subject, transition.epoch, role, share, before)
        raise FenceRefused(f"after INSYNC the zone reads back differently: {differences(found, right)}")
    finish(ports, plan, transition.epoch, step.key, StepStatus.DONE, "INSYNC and read back")
    return True


def request_linode(ports: Ports, plan: Plan, transition: Transition) -> None:
    """Ask `linode_dns` to point Linode's records at the target."""
    _request_linode(ports, plan, transition.epoch, transition.target, transition.direction, transition.reason)


def request_linode_again(ports: Ports, plan: Plan, state: PlanState) -> None:
    """Ask `linode_dns` to look whether Linode's records still point at the active Region."""
    back = state.active == plan.regions.primary
    direction = Direction.FAILBACK if back else Direction.FAILOVER
    _request_linode(ports, plan, state.epoch, state.active, direction, "looking for late writes")


def _request_linode(
    ports: Ports, plan: Plan, epoch: int, target: str, direction: Direction, reason: str
) -> None:
    source, now = plan.regions.other(target), ports.clock.now()
    detail = move_of(plan.name, epoch, direction, source, target, reason, now)
    ports.events.put(SWITCH_REQUESTED, detail)
