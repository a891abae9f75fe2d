"""The switches of a transition: the only code that moves traffic or configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from region_failover.domain.decision import Reason
from region_failover.domain.errors import FenceRefused, LeaseEnded, RemoteFailure
from region_failover.domain.journal import (
    finish_step,
    mark_sent,
    may_act,
    retake_snapshot,
    start_steps,
)
from region_failover.domain.plan import Plan
from region_failover.domain.propagation import Arrival, is_stranded, pause_s, sent_last
from region_failover.domain.served import Served, is_to_be_told
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
    not_simple,
    reassert_batch,
    snapshot_from_json,
    switch_batch,
    switched,
)
from region_failover.ports import Ports
from region_failover.service.arrival import look, stranded_words, zones_of
from region_failover.service.name_servers import ask_name_servers, unchecked_words, wrong_words
from region_failover.service.record import Deadline, Words, change, change_and_tell, tell


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
    return ports.zones.read(zone_id, [(r.name, r.type) for r in records], fence_name(records))


def obstacle(plan: Plan, epoch: int, zones: Mapping[str, ZoneSnapshot]) -> tuple[Reason, str] | None:
    """Return why the zones as they are must not be switched, or None.

    Somebody else's edit is not fought; a fence with a newer epoch than ours means our record is outdated.
    """
    for zone_id, found in zones.items():
        special = not_simple(found, plan.zones()[zone_id])
        if special:
            return Reason.NOT_SIMPLE, f"zone {zone_id}: {special} is not a simple record set"
        strange = foreign(found, plan.zones()[zone_id])
        if strange:
            return Reason.DRIFT, f"zone {zone_id}: {strange}, which is in no plan"
        fence = found.read_fence()
        if found.fence and (fence is None or fence.plan != plan.name):
            return Reason.FENCE_FOREIGN, f"zone {zone_id}: {found.fence.name} TXT is not {plan.name}'s fence"
        if fence and fence.epoch > epoch:
            return (
                Reason.FENCE_AHEAD,
                f"zone {zone_id} is at epoch {fence.epoch}, our record at {epoch}: was it restored?",
            )
    return None


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
        blocked = obstacle(plan, transition.epoch, {step.subject: found})
        if blocked:
            raise FenceRefused(blocked[1])
        started = start(ports, plan, transition, {step.key: found.to_json()})
        step = (started.step(step.key) if started else None) or step
        if not step.before:
            return False
    change_id = step.change_id
    if not _is_of_epoch(found, plan, transition.epoch):
        change_id = _submit(ports, plan, transition, step, verified_at)
    elif not change_id:
        change_id = _send(ports, plan, transition, step, _reassert(plan, transition, step))
    if not _wait_insync(ports, plan, transition, step, change_id, deadline):
        return False
    return _confirm(ports, plan, transition, step, deadline)


def _reassert(plan: Plan, transition: Transition, step: Step) -> tuple[Change, ...]:
    role, share = aim(plan, transition)
    return reassert_batch(plan, step.subject, transition.epoch, role, share)


def _is_of_epoch(found: ZoneSnapshot, plan: Plan, epoch: int) -> bool:
    fence = found.read_fence()
    return fence is not None and (fence.plan, fence.epoch) == (plan.name, epoch)


def _submit(ports: Ports, plan: Plan, transition: Transition, step: Step, verified_at: datetime) -> str:
    before = snapshot_from_json(step.before)
    role, share = aim(plan, transition)
    batch = switch_batch(plan, step.subject, transition.epoch, role, before, share)
    try:
        return _send(ports, plan, transition, step, batch, verified_at)
    except FenceRefused:
        found = read_zone(ports, plan, step.subject)
        if not _is_of_epoch(found, plan, transition.epoch):
            _look_anew(ports, plan, transition, step, found)
            raise
        # Another worker of this very epoch was faster, or the reply to our own batch was lost.
        return _send(ports, plan, transition, step, _reassert(plan, transition, step))


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
    what it is: the batch is refused until somebody has seen to it.
    """
    if obstacle(plan, transition.epoch, {step.subject: found}) is not None:
        return
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
    words: Words | None = None,
) -> str:
    """Submit a batch and record its change id; `verified_at`: when the target was, if it moves traffic.

    `words`: what is told of it, in the write that records it.
    """
    may_still_act(ports, plan, transition)
    if verified_at is not None and ports.clock.now() - verified_at > VERIFIED_WITHIN:
        raise TimeoutError(f"{transition.target} was verified too long ago to send traffic there")
    comment = f"region-failover: {plan.name} epoch {transition.epoch} to {transition.target}"
    change_id = ports.zones.submit(step.subject, batch, comment)
    change_and_tell(
        ports,
        plan,
        lambda state: mark_sent(state, transition.epoch, step.key, change_id, ports.clock.now()),
        lambda _: words,
    )
    return change_id


def _wait_insync(
    ports: Ports, plan: Plan, transition: Transition, step: Step, change_id: str, deadline: Deadline
) -> bool:
    """Return whether the change arrives before the deadline; submit again what is stranded.

    Once in an interval, counted from the record: whoever goes on with it does not begin anew.
    """
    sent_at = (sent_last(step) if change_id == step.change_id else None) or ports.clock.now()
    looks = 0
    while (arrival := look(ports, change_id)) is not Arrival.INSYNC:
        now, pause = ports.clock.now(), pause_s(looks, zones_of(transition))
        if isinstance(arrival, Arrival) and is_stranded(arrival, sent_at, now):
            change_id = _send_again(ports, plan, transition, step, f"{change_id} is {arrival.value}", sent_at)
            sent_at = ports.clock.now()
        elif deadline.remaining_s() < pause:
            return _not_yet(arrival)
        else:
            ports.clock.sleep(pause)
            looks += 1
    return True


def _not_yet(arrival: Arrival | RemoteFailure) -> bool:
    """Return False for a change that is on its way; raise what keeps us from knowing."""
    if isinstance(arrival, RemoteFailure):
        raise arrival
    return False


def _send_again(
    ports: Ports, plan: Plan, transition: Transition, step: Step, what: str, sent_at: datetime
) -> str:
    """Submit what is there already, so that it is on its way once more; return the new change's id."""
    waited_s = (ports.clock.now() - sent_at).total_seconds()
    words = stranded_words(plan, transition, step, waited_s, f"change {what}")
    return _send(ports, plan, transition, step, _reassert(plan, transition, step), words=words)


def _confirm(ports: Ports, plan: Plan, transition: Transition, step: Step, deadline: Deadline) -> bool:
    """Finish the step if the zone reads back as switched, and no name server of it answers otherwise."""
    found = read_zone(ports, plan, step.subject)
    role, share = aim(plan, transition)
    if not is_switched(found, plan, step.subject, transition.epoch, role, share):
        right = switched(plan, step.subject, transition.epoch, role, share)
        raise FenceRefused(
            f"after INSYNC the zone reads back differently: {found.to_json()}; expected: {right.to_json()}"
        )
    said = ask_name_servers(ports, plan, transition, step, deadline)
    if said.served is Served.WRONG:
        _answers_are_wrong(ports, plan, transition, step, said.what)
        return False
    unchecked = said.served is Served.SILENT
    detail = f"name servers not checked: {said.what}" if unchecked else said.what
    change_and_tell(
        ports,
        plan,
        lambda state: finish_step(
            state,
            transition.epoch,
            step.key,
            StepStatus.DONE,
            f"INSYNC and read back; {detail}",
            ports.clock.now(),
        ),
        lambda _: unchecked_words(plan, step, said.what) if unchecked else None,
    )
    return True


def _answers_are_wrong(ports: Ports, plan: Plan, transition: Transition, step: Step, what: str) -> None:
    """Tell of name servers that answer otherwise, and submit the change again, once their time is over."""
    state = ports.store.load_state(plan.name)
    newest = state.transition.step(step.key) if state and state.transition else None
    sent_at, now = sent_last(newest or step) or ports.clock.now(), ports.clock.now()
    ports.meter.log("name servers answer otherwise", plan=plan.name, zone=step.subject, what=what)
    if is_to_be_told(sent_at, now):
        tell(ports, plan, *wrong_words(plan, transition, step, what))
    if is_stranded(Arrival.PENDING, sent_at, now):
        _send(ports, plan, transition, step, _reassert(plan, transition, step))


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
