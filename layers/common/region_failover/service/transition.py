"""Run a transition: claim, steps, verification, completion; and go on with one that a worker left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from region_failover.domain.decision import Decision, Reason, hold
from region_failover.domain.errors import FenceRefused, LeaseEnded, OutOfTime, RemoteFailure
from region_failover.domain.journal import (
    Claim,
    add_notice,
    claim,
    complete,
    give_up_lease,
    has_begun,
    need_operator,
    notice_of,
    stop,
    take_over,
)
from region_failover.domain.plan import Plan
from region_failover.domain.shares import describe
from region_failover.domain.state import (
    SETTLED,
    Direction,
    Notice,
    PlanState,
    Step,
    StepKind,
    StepStatus,
    Transition,
)
from region_failover.domain.verdict import Health
from region_failover.domain.zone import ZoneSnapshot, snapshot_from_json
from region_failover.domain.zone_return import to_put_back
from region_failover.ports import Ports
from region_failover.service.observe import Observation
from region_failover.service.parameters import switch_parameter
from region_failover.service.record import Deadline, change, send, tell
from region_failover.service.switches import (
    finish,
    may_still_act,
    obstacle_to,
    read_zone,
    request_linode,
    start,
    switch_zone,
)


def survey(ports: Ports, plan: Plan) -> dict[str, ZoneSnapshot]:
    """Return what is in each zone; a zone that cannot be read now is absent and read again by its step."""
    zones = list(plan.zones())
    calls = [lambda zone=zone: read_zone(ports, plan, zone) for zone in zones]
    answers = ports.together(calls, timedelta(seconds=8))
    return {zone: a for zone, a in zip(zones, answers, strict=True) if isinstance(a, ZoneSnapshot)}


def open_transition(
    ports: Ports,
    plan: Plan,
    request: Claim,
    zones: Mapping[str, ZoneSnapshot],
    verified_at: datetime,
    deadline: Deadline,
) -> Decision | None:
    """Claim and run a transition; return a hold where somebody else was faster, else None."""
    claimed = change(ports, plan.name, lambda state: claim(state, request, ports.clock.now()))
    if claimed is None or claimed.transition is None:
        return hold(Reason.LOST_THE_CLAIM)
    ports.meter.log("claimed", plan=plan.name, epoch=claimed.epoch, target=request.target)
    run_steps(ports, plan, claimed.transition, zones, verified_at, deadline)
    return None


def run_steps(
    ports: Ports,
    plan: Plan,
    transition: Transition,
    zones: Mapping[str, ZoneSnapshot],
    verified_at: datetime,
    deadline: Deadline,
) -> None:
    """Run every step that is not settled, all at the same time, then complete if nothing is left.

    What cannot be finished now keeps its place in the record; the lease is given up so that the next tick
    goes on. Raises OutOfTime where a call is still running: then the lease must expire by itself.
    """
    before = _before(transition, zones)
    started = start(ports, plan, transition, before)
    if started is None:
        return
    transition = started
    calls = [
        lambda step=step: _run_step(ports, plan, transition, step, verified_at, deadline)
        for step in transition.steps
        if step.status not in SETTLED
    ]
    answers = ports.together(calls, timedelta(seconds=max(deadline.remaining_s(), 1.0)))
    if any(type(answer) is TimeoutError for answer in answers):
        raise OutOfTime(f"plan {plan.name}, epoch {transition.epoch}: a step is still running")
    errors = [answer for answer in answers if isinstance(answer, Exception)]
    if not try_complete(ports, plan, transition.epoch):
        change(
            ports,
            plan.name,
            lambda state: give_up_lease(state, transition.epoch, ports.owner, ports.clock.now()),
        )
    if errors:
        raise errors[0]


def _before(transition: Transition, zones: Mapping[str, ZoneSnapshot]) -> dict[str, str]:
    """Return what was there, by step; Linode's is recorded by its own executor."""
    found: dict[str, str] = {}
    for step in transition.steps:
        if step.kind is StepKind.ROUTE53 and step.subject in zones:
            found[step.key] = zones[step.subject].to_json()
        elif step.kind is StepKind.SSM:
            found[step.key] = transition.source
    return found


def _run_step(
    ports: Ports, plan: Plan, transition: Transition, step: Step, verified_at: datetime, deadline: Deadline
) -> None:
    """Run one step, if the lease is still ours: a worker may have frozen since it claimed (I4)."""
    runners: dict[StepKind, Callable[[], object]] = {
        StepKind.ROUTE53: lambda: _run_zone(ports, plan, transition, step, verified_at, deadline),
        StepKind.SSM: lambda: switch_parameter(ports, plan, transition, step),
        StepKind.LINODE: lambda: request_linode(ports, plan, transition),
    }
    try:
        may_still_act(ports, plan, transition)
        runners[step.kind]()
    except LeaseEnded as error:
        _log_lost(ports, plan, step, str(error))


def _log_lost(ports: Ports, plan: Plan, step: Step, why: str) -> None:
    ports.meter.log("lost the lease", plan=plan.name, step=step.key, why=why)


def _run_zone(
    ports: Ports, plan: Plan, transition: Transition, step: Step, verified_at: datetime, deadline: Deadline
) -> None:
    try:
        if step.subject not in plan.zones():
            raise FenceRefused(
                "the zone is not in the plan any more; deploy a plan that has it, to finish this"
            )
        done = switch_zone(ports, plan, transition, step, verified_at, deadline)
    except (RemoteFailure, FenceRefused, TimeoutError) as error:
        if finish(ports, plan, transition.epoch, step.key, StepStatus.FAILED, str(error)) is None:
            return  # the epoch is over, or another worker has settled the step: nothing to page about
        tell(
            ports,
            plan,
            f"zone failed {transition.epoch} {step.subject}",
            f"[{plan.name}] zone {step.subject} is not switched yet",
            f"{transition.direction.value} to {transition.target}, epoch {transition.epoch}: {error}\n"
            "The transition stays open; every tick tries again.",
        )
        return
    if done:
        _tell_switched(ports, plan, transition)


def _tell_switched(ports: Ports, plan: Plan, transition: Transition) -> None:
    state = ports.store.load_state(plan.name)
    found = state.transition if state and state.transition else transition
    if any(s.kind is StepKind.ROUTE53 and s.status is not StepStatus.DONE for s in found.steps):
        return
    tell(
        ports,
        plan,
        f"switched {transition.epoch}",
        f"[{plan.name}] {describe(plan, transition)}",
        f"Route 53 is INSYNC and reads back: {describe(plan, transition)} (epoch {transition.epoch}). Clients"
        " follow within the records' TTL.",
    )


def try_complete(ports: Ports, plan: Plan, epoch: int) -> bool:
    """Complete the transition if every step is settled; return whether this call did. Anybody may.

    The notification goes on record with the completion, in one write.
    """
    sent: list[Notice] = []

    def successor(state: PlanState) -> tuple[PlanState, Transition] | None:
        now = ports.clock.now()
        found = complete(state, epoch, plan.policy.cooldown, now, _to_put_back(plan, state))
        if found is None:
            return None
        steady, ended = found
        notice = notice_of(f"completed {epoch}", *_completion_text(plan, ended, steady), now)
        sent[:] = [notice]
        return add_notice(steady, notice, plan.policy.notify_again) or steady, ended

    if change(ports, plan.name, successor) is None:
        return False
    ports.meter.log("completed", plan=plan.name, epoch=epoch)
    send(ports, plan.name, sent)
    return True


def _to_put_back(plan: Plan, state: PlanState) -> dict[str, str]:
    """Return by zone what a whole move to the standby has changed there for longer than it lasts."""
    moved = state.transition
    if moved is None or moved.share is not None or moved.target != plan.regions.standby:
        return {}
    zones = plan.zones()
    found = {
        step.subject: to_put_back(zones[step.subject], snapshot_from_json(step.before))
        for step in moved.steps
        if step.kind is StepKind.ROUTE53 and step.before and step.subject in zones
    }
    return {zone: text for zone, text in found.items() if text}


def _completion_text(plan: Plan, ended: Transition, steady: PlanState) -> tuple[str, str]:
    took = (ended.ended_at - ended.started_at).total_seconds() if ended.ended_at else 0.0
    loss = "not measured" if ended.loss_s is None else f"writes of about the last {ended.loss_s:.0f} s"
    lines = [
        f"{ended.direction.value} from {ended.source} to {ended.target}, epoch {ended.epoch}, {took:.1f} s.",
        f"Reason: {ended.reason}",
        *(f"{step.key}: {step.status.value} {step.detail}".rstrip() for step in ended.steps),
    ]
    if ended.direction is Direction.FAILOVER:
        lines.append(f"Estimated loss: {loss}.")
    if steady.owed:
        lines.append("What is owed is written as soon as its Region answers.")
    what = f"step of the failback to {ended.target}: {ended.share} %" if ended.share else ""
    what = what or f"{ended.direction.value} to {ended.target}"
    return f"[{plan.name}] {what} is complete", "\n".join(lines)


def resume(ports: Ports, plan: Plan, seen: Observation, deadline: Deadline) -> Decision:
    """Finish, stop or halt the open transition that a worker left; return what was done as a hold.

    Forward if the target is verified anew; stopped if nothing has happened yet; halted for an operator if
    something has and the target is now unhealthy: nothing is rolled back onto a Region unseen (I19).
    """
    taken = change(ports, plan.name, lambda state: _take_over(ports, state, seen))
    transition = taken.transition if taken else None
    if transition is None:
        return hold(Reason.IN_PROGRESS)
    target = seen.samples[transition.target].health
    if target is Health.HEALTHY and not _source_is_back(transition, seen):
        run_steps(ports, plan, transition, survey_missing(ports, plan, transition), seen.at, deadline)
        return hold(Reason.IN_PROGRESS)
    if not has_begun(transition):
        why = "the source is healthy again" if target is Health.HEALTHY else "the target is not verified"
        change(
            ports,
            plan.name,
            lambda found: stop(found, transition.epoch, ports.owner, why, ports.clock.now()),
        )
        return hold(Reason.TARGET_NOT_VERIFIED if target is not Health.HEALTHY else Reason.ACTIVE_HEALTHY)
    return _halt(ports, plan, transition, seen)


def _take_over(ports: Ports, state: PlanState, seen: Observation) -> PlanState | None:
    target = seen.samples[state.transition.target] if state.transition else None
    healthy = target is not None and target.health is Health.HEALTHY
    return take_over(state, ports.owner, ports.clock.now(), seen.at if healthy else None)


def _source_is_back(transition: Transition, seen: Observation) -> bool:
    automatic_failover = transition.direction is Direction.FAILOVER and not transition.manual
    source_healthy = seen.samples[transition.source].health is Health.HEALTHY
    return automatic_failover and source_healthy and not has_begun(transition)


def survey_missing(ports: Ports, plan: Plan, transition: Transition) -> dict[str, ZoneSnapshot]:
    """Return snapshots for the zones whose step never saw what was there; none of one with an obstacle."""
    missing = {s.subject for s in transition.steps if s.kind is StepKind.ROUTE53 and not s.before}
    if not missing:
        return {}
    return {
        zone: found
        for zone, found in survey(ports, plan).items()
        if zone in missing and obstacle_to(plan, transition, {zone: found}) is None
    }


def _halt(ports: Ports, plan: Plan, transition: Transition, seen: Observation) -> Decision:
    target = seen.samples[transition.target]
    successor = need_operator if target.health is Health.UNHEALTHY else give_up_lease
    change(
        ports,
        plan.name,
        lambda state: successor(state, transition.epoch, ports.owner, ports.clock.now()),
    )
    reason = Reason.NEEDS_OPERATOR if target.health is Health.UNHEALTHY else Reason.TARGET_NOT_VERIFIED
    tell(
        ports,
        plan,
        f"halted {transition.epoch}",
        f"[{plan.name}] {transition.direction.value} to {transition.target} is halted midway",
        f"Epoch {transition.epoch} has begun, and {transition.target} is {target.health.value}:"
        f" {target.why}\nNothing is rolled back. Every tick looks again and goes on once it is healthy.",
    )
    return hold(reason)
