"""What humans do: look, answer a proposal, pause, resume, acknowledge. Nothing here moves traffic.

Each operation changes the record by compare-and-swap, stands among the decisions, and is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

from region_failover.domain.approval import approval_of
from region_failover.domain.brakes import acknowledge, moves_of_the_day, pause, resume
from region_failover.domain.codec import flat
from region_failover.domain.errors import MalformedEvent, NotAnswerable
from region_failover.domain.operation import EVERY_PLAN, Operation, Verb
from region_failover.domain.plan import Plan
from region_failover.domain.state import Answer, PlanState
from region_failover.ports import Ports
from region_failover.service.dispatch import all_or_first_error
from region_failover.service.drift import status_of
from region_failover.service.proposal import answer_proposal
from region_failover.service.record import Deadline, Summary, Words, change_and_tell, load_state


def handle_operation(
    ports: Ports, plans: Sequence[Plan], operation: Operation, deadline: Deadline
) -> list[Summary]:
    """Do what is asked for the plan named, or for all; return how each plan stands then."""
    chosen = [plan for plan in plans if operation.plan in {plan.name, EVERY_PLAN}]
    if not chosen:
        known = ", ".join(plan.name for plan in plans)
        raise MalformedEvent(f"there is no plan {operation.plan!r}; known are: {known}, or '*' for all")
    calls = [lambda plan=plan: operate(ports, plan, operation) for plan in chosen]
    return all_or_first_error(ports, calls, timedelta(seconds=max(deadline.remaining_s(), 1.0)))


def operate(ports: Ports, plan: Plan, operation: Operation) -> Summary:
    """Do what is asked for one plan; return its status, with what was `done` ('' if nothing had to be)."""
    state = load_state(ports, plan)
    if state is None:
        raise NotAnswerable(f"plan {plan.name} has no record yet; the first tick of the schedule makes it")
    if operation.verb is Verb.STATUS:
        return {**status(ports, plan, state), "done": ""}
    done = ""
    if operation.verb in _ANSWERS:
        answer = _ANSWERS[operation.verb]
        state = answer_proposal(ports, plan, operation.proposal, answer, operation.by)
        done = f"proposal {operation.proposal} is {answer.value}"
    else:
        words = _words(ports, plan, operation)
        changed = change_and_tell(ports, plan, _brake(ports, operation), lambda _: words)
        if changed is not None:
            state, done = changed, _DONE[operation.verb]
    now = ports.clock.now()
    said = {"plan": plan.name, **{key: value for key, value in flat(operation).items() if key != "plan"}}
    ports.store.record_decision(plan.name, now, {**said, "trigger": "operator", "done": done})
    ports.meter.log("operation", **said, done=done)
    return {**status(ports, plan, state), "done": done}


_ANSWERS = {Verb.APPROVE: Answer.APPROVED, Verb.REJECT: Answer.REJECTED}

_DONE = {
    Verb.PAUSE: "paused: automation looks, and moves nothing",
    Verb.RESUME: "resumed: automation may move traffic",
    Verb.ACKNOWLEDGE: "acknowledged: the cooldown is over, and the day's budget restored",
}


def _brake(ports: Ports, operation: Operation) -> Callable[[PlanState], PlanState | None]:
    now = ports.clock.now()
    note = f"{operation.by}, {now:%Y-%m-%d %H:%M} UTC: {operation.reason}"
    return {
        Verb.PAUSE: lambda state: pause(state, note),
        Verb.RESUME: resume,
        Verb.ACKNOWLEDGE: acknowledge,
    }[operation.verb]


def _words(ports: Ports, plan: Plan, operation: Operation) -> Words:
    done = _DONE[operation.verb]
    return (
        f"{operation.verb.value} {ports.clock.now().isoformat()}",
        f"[{plan.name}] {done.partition(':')[0]} by {operation.by}",
        f"{plan.name} is {done}.\n{operation.reason}".strip(),
    )


def status(ports: Ports, plan: Plan, state: PlanState) -> Summary:
    """Return how a plan stands, for humans and for `region-failover status`; times in ISO 8601, UTC."""
    health = ports.store.load_health(plan.name)
    regions = health.regions if health else {}
    now = ports.clock.now()
    moving, asked = state.transition, state.proposal
    return {
        "plan": plan.name,
        "active": state.active,
        "role": plan.regions.role(state.active).value,
        "on_trial_percent": state.share,
        "epoch": state.epoch,
        "phase": state.phase.value,
        "paused": state.paused,
        "pause_note": state.pause_note,
        "cooldown_until": _iso(state.cooldown_until),
        "moves_of_the_day": moves_of_the_day(state, now),
        "moves_allowed": plan.policy.automatic_per_day,
        "health": {
            name: {
                "health": found.health.value,
                "since": _iso(found.since),
                "last_at": _iso(found.last_at),
                "why": found.why,
            }
            for name, found in sorted(regions.items())
        },
        "lags_s": dict(health.lags) if health else {},
        "transition": None
        if moving is None
        else {
            "direction": moving.direction.value,
            "from": moving.source,
            "to": moving.target,
            "reason": moving.reason,
            "since": _iso(moving.started_at),
            "steps": {step.key: f"{step.status.value} {step.detail}".strip() for step in moving.steps},
        },
        "owed": [step.key for step in state.owed],
        "proposal": None
        if asked is None
        else {
            "id": asked.id,
            "to": asked.target,
            "stands": approval_of(plan, state, now).value,
            "expires_at": _iso(asked.expires_at),
            "answered_by": asked.answered_by,
        },
        **status_of(state),
    }


def _iso(at: object) -> str | None:
    isoformat = getattr(at, "isoformat", None)
    return isoformat(timespec="seconds") if isoformat else None
