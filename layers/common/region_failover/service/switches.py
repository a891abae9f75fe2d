"""The switches of a transition: the only code that moves traffic or configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from region_failover.domain.dataplane import data_plane_steps
from region_failover.domain.decision import Reason
from region_failover.domain.errors import FenceRefused, LeaseEnded, RemoteFailure
from region_failover.domain.hooks import When
from region_failover.domain.journal import (
    finish_step,
    mark_sent,
    may_act,
    retake_snapshot,
    start_steps,
)
from region_failover.domain.plan import Plan, Role
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
from region_failover.service.arrival import look, stranded_words, zones_of
from region_failover.service.name_servers import ask_name_servers, unchecked_words, wrong_words
from region_failover.service.record import Deadline, Words, change, change_and_tell, tell


def plan_steps(plan: Plan, share: int | None = None) -> tuple[Step, ...]:
    """Return a plan's steps: one per hook, zone, data-plane switch, value and Region, one for Linode.

    For a `share` of the traffic, only the zones that have weighted records, and the before-hooks; for the
    return of one (0), which must not wait for anybody's word, not even these.
    """
    before = [hook.step for hook in plan.hooks if hook.when is When.BEFORE and share != 0]
    if share is not None:
        weighted = {record.zone_id for record in plan.route53_records if record.weighted}
        zones = [Step(StepKind.ROUTE53, zone_id) for zone_id in plan.zones() if zone_id in weighted]
        return (*before, *zones)
    zones = [Step(StepKind.ROUTE53, zone_id) for zone_id in plan.zones()]
    parameters = [
        Step(StepKind.SSM, parameter.name, region)
        for parameter in plan.ssm_parameters
        for region in parameter.regions
    ]
    linode = [Step(StepKind.LINODE, "records")] if plan.linode_records else []
    secrets = [
        Step(StepKind.SECRET, secret.name, region) for secret in plan.secrets for region in secret.regions
    ]
    after = [hook.step for hook in plan.hooks if hook.when is When.AFTER]
    return (*before, *zones, *linode, *parameters, *secrets, *data_plane_steps(plan), *after)


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
    return next(obstacles(plan, epoch, zones), None)


def obstacles(plan: Plan, epoch: int, zones: Mapping[str, ZoneSnapshot]) -> Iterator[tuple[Reason, str]]:
    """Yield all that is in the way (`obstacle`), the gravest first."""
    for obstructs in (_impossible, _fenced_off, _drift):
        for zone_id, found in zones.items():
            blocked = obstructs(plan, epoch, zone_id, found)
            if blocked:
                yield blocked[0], f"zone {zone_id}{blocked[1]}"


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
        change_id, before = _submit(ports, plan, transition, step, before, verified_at)
    elif not change_id:
        change_id = _send(ports, plan, transition, step, _reassert(plan, transition, step, before))
    if not _wait_insync(ports, plan, transition, step, before, change_id, deadline):
        return False
    return _confirm(ports, plan, transition, step, before, deadline)


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
) -> tuple[str, ZoneSnapshot]:
    """Send the batch; return its change's id, and what was there before it (a snapshot may be taken anew)."""
    role, share = aim(plan, transition)
    batch = switch_batch(plan, step.subject, transition.epoch, role, before, share)
    if too_large(batch):
        raise FenceRefused(f"zone {step.subject}: {too_large(batch)}")
    try:
        return _send(ports, plan, transition, step, batch, verified_at), before
    except FenceRefused:
        found = read_zone(ports, plan, step.subject)
        if _is_of_epoch(found, plan, transition.epoch):
            # Another worker of this very epoch was faster, or the reply to our own batch was lost.
            return _send(ports, plan, transition, step, _reassert(plan, transition, step, before)), before
        if not _look_anew(ports, plan, transition, step, found):
            raise
        # What an empty answer's repair (or a human) has written back must not delay a move: once more.
        before = replace(found, was=before.was)
        batch = switch_batch(plan, step.subject, transition.epoch, role, before, share)
        return _send(ports, plan, transition, step, batch, verified_at), before


def may_still_act(ports: Ports, plan: Plan, transition: Transition) -> None:
    """Raise LeaseEnded unless the record has this transition open, leased to us and not paused, just now.

    Asked directly before an effect: the calls since it was asked last may have hung (I4, I17).
    """
    state = ports.store.load_state(plan.name)
    if state is None or may_act(state, transition.epoch, ports.owner, ports.clock.now()) is None:
        raise LeaseEnded(f"epoch {transition.epoch}: the record says that it is not ours to act on now")


def _look_anew(ports: Ports, plan: Plan, transition: Transition, step: Step, found: ZoneSnapshot) -> bool:
    """Take the snapshot again where the zone has changed since, and holds nothing but the plan's (I9).

    A human has put the plan's own answer back, or taken one away; or a late worker has published the first
    fence. The fence there is older than this epoch, so nothing of it has happened here. What is foreign stays
    what it is: the batch is refused, and FenceRefused says by what, until somebody has seen to it. Return
    whether it was taken again.
    """
    blocked = obstacle_to(plan, transition, {step.subject: found})
    if blocked is not None:
        raise FenceRefused(blocked[1])
    seen, now = found.to_json(), ports.clock.now()
    taken = change(
        ports,
        plan.name,
        lambda state: retake_snapshot(state, transition.epoch, ports.owner, step.key, seen, now),
    )
    return taken is not None


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
    ports: Ports,
    plan: Plan,
    transition: Transition,
    step: Step,
    before: ZoneSnapshot,
    change_id: str,
    deadline: Deadline,
) -> bool:
    """Return whether the change arrives before the deadline; submit again what is stranded.

    Once in an interval, counted from the record: whoever goes on with it does not begin anew.
    """
    sent_at = (sent_last(step) if change_id == step.change_id else None) or ports.clock.now()
    looks = 0
    while (arrival := look(ports, change_id)) is not Arrival.INSYNC:
        now, pause = ports.clock.now(), pause_s(looks, zones_of(transition))
        late = plan.policy.stranded_after
        if isinstance(arrival, Arrival) and is_stranded(arrival, sent_at, now, late):
            what = f"{change_id} is {arrival.value}"
            change_id = _send_again(ports, plan, transition, step, before, what, sent_at)
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
    ports: Ports,
    plan: Plan,
    transition: Transition,
    step: Step,
    before: ZoneSnapshot,
    what: str,
    sent_at: datetime,
) -> str:
    """Submit what is there already, so that it is on its way once more; return the new change's id."""
    waited_s = (ports.clock.now() - sent_at).total_seconds()
    words = stranded_words(plan, transition, step, waited_s, f"change {what}")
    return _send(ports, plan, transition, step, _reassert(plan, transition, step, before), words=words)


def _confirm(
    ports: Ports, plan: Plan, transition: Transition, step: Step, before: ZoneSnapshot, deadline: Deadline
) -> bool:
    """Finish the step if the zone reads back as switched, and no name server of it answers otherwise."""
    found = read_zone(ports, plan, step.subject)
    role, share = aim(plan, transition)
    if not is_switched(found, plan, step.subject, transition.epoch, role, share, before):
        right = switched(plan, step.subject, transition.epoch, role, share, before)
        raise FenceRefused(f"after INSYNC the zone reads back differently: {differences(found, right)}")
    said = ask_name_servers(ports, plan, transition, step, deadline)
    if said is None:
        return False
    if said.served is Served.WRONG:
        _answers_are_wrong(ports, plan, transition, step, before, said.what)
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


def _answers_are_wrong(
    ports: Ports, plan: Plan, transition: Transition, step: Step, before: ZoneSnapshot, what: str
) -> None:
    """Tell of name servers that answer otherwise, and submit the change again, once their time is over."""
    state = ports.store.load_state(plan.name)
    newest = state.transition.step(step.key) if state and state.transition else None
    sent_at, now = sent_last(newest or step) or ports.clock.now(), ports.clock.now()
    ports.meter.log("name servers answer otherwise", plan=plan.name, zone=step.subject, what=what)
    if is_to_be_told(sent_at, now):
        tell(ports, plan, *wrong_words(plan, transition, step, what))
    if is_stranded(Arrival.PENDING, sent_at, now, plan.policy.stranded_after):
        _send(ports, plan, transition, step, _reassert(plan, transition, step, before))


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
