"""Move a PRIMARY/SECONDARY pair by what its health check follows: no call to Route 53's control plane.

A tick says each minute whose traffic it is, as the record has it (`follow_record`). A transition says it for
its target, and is done with it when the zone's own name servers give the target's answer.
"""

from __future__ import annotations

from datetime import datetime

from region_failover.domain.dataplane import (
    Follows,
    answered_by,
    follows_alarm,
    follows_within,
    health_check,
    is_overdue,
    level,
    object_obstacle,
    object_text,
    read_object,
)
from region_failover.domain.errors import FenceRefused, RemoteFailure
from region_failover.domain.journal import mark_sent, retake_snapshot
from region_failover.domain.plan import HealthCheck, Plan, Role
from region_failover.domain.state import VERIFIED_WITHIN, PlanState, Step, StepStatus, Transition
from region_failover.ports import Ports
from region_failover.service.record import Deadline, change, load_state, tell
from region_failover.service.switches import finish, may_still_act, start

# A runner looks at the name servers so often, and for so long; then the next tick verifies the target anew
# and says it again, in the next minute.
POLL_S = 3.0
WAITED_FOR_S = 45.0

# What was seen before where there was no object.
NOTHING = "nothing"

GONE = "the switch is not in the plan any more; deploy a plan that has it, to finish this"


def follow_record(ports: Ports, plan: Plan) -> None:
    """Say whose traffic it is, as the record has it just now; nothing where it has no word on it.

    Also in a pause: it moves nothing, and corrects what a late worker said. A record that is not there or
    cannot be read says nothing: the health check then keeps its last status (docs/adr/0027).
    """
    if not plan.health_checks:
        return
    at = ports.clock.now()
    state = load_state(ports, plan)
    if state is None:
        return
    role = level(plan, state)
    try:
        if role is not None and follows_alarm(plan):
            ports.signals.publish(plan.name, role is Role.STANDBY, at)
        if state.transition is None and not state.paused:
            _make_missing_objects(ports, plan, state)
    except FenceRefused as error:  # another worker was faster
        ports.meter.log("object not made", plan=plan.name, error=str(error))
    except RemoteFailure as error:
        ports.meter.log("signal not published", plan=plan.name, error=str(error))
        tell(
            ports,
            plan,
            "signal not published",
            f"[{plan.name}] its health checks' signal is not published",
            f"{error}\nWhile a metric is missing its health checks keep their last status; while an object is"
            " missing they see the primary well. A move would not get through. Every tick tries again.",
        )


def _make_missing_objects(ports: Ports, plan: Plan, state: PlanState) -> None:
    """Make the objects that are not there, as the record has it: an empty answer is repaired."""
    for bucket, key in {(s.bucket, s.key): None for s in plan.health_checks if s.follows == Follows.OBJECT}:
        if ports.signals.read(bucket, key) is None:
            ports.signals.write(bucket, key, object_text(plan, state.epoch, state.active), "")
            ports.meter.log("object made", plan=plan.name, bucket=bucket, key=key, epoch=state.epoch)


def switch_health_check(
    ports: Ports, plan: Plan, transition: Transition, step: Step, verified_at: datetime, deadline: Deadline
) -> bool:
    """Signal the target and wait until the zone's name servers answer with it; return whether they do.

    False: under way, a tick goes on. Raises TimeoutError where the answers should have followed by now, and
    FenceRefused where somebody else's object is there.
    """
    switch = health_check(plan, step)
    if switch is None:
        raise FenceRefused(GONE)
    if switch.follows == Follows.OBJECT:
        signalled = _write(ports, plan, transition, step, switch, verified_at)
    else:
        signalled = _publish(ports, plan, transition, step, verified_at)
    return _await_answers(ports, plan, transition, step, switch, signalled, deadline)


def refuse_if_not_fresh(ports: Ports, transition: Transition, verified_at: datetime) -> None:
    """Raise TimeoutError where the target was verified too long ago to send traffic there (I5)."""
    if ports.clock.now() - verified_at > VERIFIED_WITHIN:
        raise TimeoutError(f"{transition.target} was verified too long ago to send traffic there")


def _publish(
    ports: Ports, plan: Plan, transition: Transition, step: Step, verified_at: datetime
) -> datetime | None:
    """Publish the target with the time at which the record was asked; return when that was first done."""
    at = ports.clock.now()
    may_still_act(ports, plan, transition)
    refuse_if_not_fresh(ports, transition, verified_at)
    ports.signals.publish(plan.name, transition.target == plan.regions.standby, at)
    state = ports.store.load_state(plan.name)
    if state is not None and state.epoch > transition.epoch:
        follow_record(ports, plan)  # outdated while it spoke
    return _mark(ports, plan, transition, step)


def _mark(ports: Ports, plan: Plan, transition: Transition, step: Step) -> datetime | None:
    """Put on record that the signal has been given; return when it was given first."""
    if step.sent_at is not None:
        return step.sent_at
    now = ports.clock.now()
    change(ports, plan.name, lambda state: mark_sent(state, transition.epoch, step.key, "signalled", now))
    return now


def _write(
    ports: Ports, plan: Plan, transition: Transition, step: Step, switch: HealthCheck, verified_at: datetime
) -> datetime | None:
    """Write the target into the object, over nothing but what was there when the step began (I9).

    Whatever an earlier attempt or another worker of this epoch has left is found out by reading it.
    """
    found = ports.signals.read(switch.bucket, switch.key)
    blocked = object_obstacle(plan, transition.epoch, switch, found)
    if blocked:
        raise FenceRefused(blocked)
    fence = read_object(found)
    if fence is None or fence.epoch != transition.epoch:
        tag = found.tag if found else ""
        _begin(ports, plan, transition, step, switch, tag or NOTHING)
        may_still_act(ports, plan, transition)
        refuse_if_not_fresh(ports, transition, verified_at)
        text = object_text(plan, transition.epoch, transition.target)
        ports.signals.write(switch.bucket, switch.key, text, tag)
    return _mark(ports, plan, transition, step)


def _begin(
    ports: Ports, plan: Plan, transition: Transition, step: Step, switch: HealthCheck, seen: str
) -> None:
    """Record the step as begun on what was seen; raise FenceRefused where it began on something else (I9).

    Then the next try begins on what is there now: it is the plan's own, of an older epoch, or nothing.
    """
    started = start(ports, plan, transition, {step.key: seen})
    recorded = started.step(step.key) if started else None
    if recorded is not None and recorded.before == seen:
        return
    now = ports.clock.now()
    change(
        ports,
        plan.name,
        lambda state: retake_snapshot(state, transition.epoch, ports.owner, step.key, seen, now),
    )
    raise FenceRefused(f"s3://{switch.bucket}/{switch.key} has changed since this step began")


def _await_answers(
    ports: Ports,
    plan: Plan,
    transition: Transition,
    step: Step,
    switch: HealthCheck,
    signalled: datetime | None,
    deadline: Deadline,
) -> bool:
    """Return whether the name servers give the target's answer, asked again and again for a while."""
    role, began = plan.regions.role(transition.target), ports.clock.now()
    while True:
        seen, words = _ask(ports, switch)
        if seen is role:
            finish(
                ports, plan, transition.epoch, step.key, StepStatus.DONE, "the name servers answer with it"
            )
            return True
        waited = (ports.clock.now() - began).total_seconds()
        if waited + POLL_S > WAITED_FOR_S or deadline.remaining_s() < POLL_S:
            break
        ports.clock.sleep(POLL_S)
    if is_overdue(switch, signalled, ports.clock.now()):
        raise TimeoutError(
            f"signalled, and after {follows_within(switch).total_seconds():.0f} s the name servers of"
            f" {switch.name} should answer {', '.join(switch.values(role))}: {words}"
        )
    return False


def _ask(ports: Ports, switch: HealthCheck) -> tuple[Role | None, str]:
    """Return whose values the name servers give, and in words what they say."""
    try:
        answers = ports.zone_answers.answers(switch.name, switch.type)
    except RemoteFailure as error:
        return None, str(error)
    told = " / ".join(", ".join(sorted(answer)) or "nothing" for answer in answers)
    return answered_by(switch, answers), f"they answer {told}"
