"""Call the user's own functions: before a move's first effect, where they may veto, and after its last.

The record is asked directly before each call: a worker of an older epoch calls nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

from region_failover.domain.decision import Decision, Reason, hold
from region_failover.domain.errors import LeaseEnded, RemoteFailure
from region_failover.domain.hook_journal import call_failed, claim_call, give_up, owed_calls
from region_failover.domain.hooks import Answer, When, hook_of, payload, read_answer, unanswered
from region_failover.domain.journal import add_notice, notice_of, settle_owed
from region_failover.domain.plan import Plan
from region_failover.domain.state import Notice, PlanState, Step, StepStatus, Transition
from region_failover.domain.symptom import Kind, Symptom
from region_failover.ports import Ports
from region_failover.service.record import Deadline, change, send, tell
from region_failover.service.switches import finish, may_still_act, start

# The longest timeout of a hook, and room for its connection and the record.
WITHIN = timedelta(seconds=14)


def may_begin(ports: Ports, plan: Plan, transition: Transition) -> Decision | None:
    """Return None once every before-hook has let a transition pass, else the hold that it ends with.

    What a hook has answered is on record: a resumed transition asks only those that have not. Where one stops
    it, it is given up: nothing has been touched, and nothing counts as used.
    """
    if not unanswered(transition):
        return None
    started = start(ports, plan, transition, {step.key: "" for step in unanswered(transition)})
    if started is None:
        return hold(Reason.LOST_THE_CLAIM)
    steps = unanswered(started)
    answers = ports.together([partial(_ask, ports, plan, started, step) for step in steps], WITHIN)
    for step, answer in zip(steps, answers, strict=True):
        if isinstance(answer, LeaseEnded):
            ports.meter.log("lost the lease", plan=plan.name, step=step.key, why=str(answer))
            return hold(Reason.LOST_THE_CLAIM)
        why = _why_stopped(plan, started, step, answer)
        if why:
            return _give_up(ports, plan, started, step, why)
    for step, answer in zip(steps, answers, strict=True):
        _go_on(ports, plan, started, step, answer)
    return None


def _ask(ports: Ports, plan: Plan, transition: Transition, step: Step) -> Answer:
    may_still_act(ports, plan, transition)
    hook = hook_of(plan.hooks, step)
    if hook is None:  # a plan without it was deployed meanwhile: nobody is left to say anything
        return Answer()
    told = payload(plan.name, transition, step, transition.started_at)
    text = ports.hooks.call(hook.region(transition.target), hook.function, told, hook.timeout)
    try:
        return read_answer(text)
    except ValueError:
        raise RemoteFailure(Symptom(Kind.WRONG_ANSWER, detail="its answer is no JSON")) from None


def _why_stopped(plan: Plan, transition: Transition, step: Step, answer: Answer | Exception) -> str:
    """Return why this answer, or that there is none, stops the transition; '' if it does not."""
    if isinstance(answer, Answer):
        return "" if answer.veto is None else f"hook {step.subject} vetoes it: {answer.veto}"
    if not isinstance(answer, RemoteFailure | TimeoutError):
        raise answer
    hook = hook_of(plan.hooks, step)
    if hook is None or not hook.stops(transition.direction):
        return ""
    return f"hook {step.subject} gave no answer, and its plan stops then: {answer}"


def _go_on(ports: Ports, plan: Plan, transition: Transition, step: Step, answer: Answer | Exception) -> None:
    """Record that a hook lets the transition pass; tell where it is its silence that does."""
    silent = isinstance(answer, Exception)
    detail = f"went on without an answer: {answer}" if silent else "go"
    if finish(ports, plan, transition.epoch, step.key, StepStatus.DONE, detail) is None or not silent:
        return
    tell(
        ports,
        plan,
        f"hook silent {transition.epoch} {step.subject}",
        f"[{plan.name}] hook {step.subject} gave no answer; the {transition.direction.value} goes on",
        f"Epoch {transition.epoch} to {transition.target}: {answer}\n"
        'What it would have said is not known. With if_it_fails = "stop" its silence would have stopped it.',
    )


def _give_up(ports: Ports, plan: Plan, transition: Transition, step: Step, why: str) -> Decision:
    """End the transition, and put word of it into the same write (I22)."""
    added: list[Notice] = []

    def successor(state: PlanState) -> tuple[PlanState, Transition] | None:
        now = ports.clock.now()
        found = give_up(state, transition.epoch, ports.owner, step.key, why, now)
        if found is None:
            return None
        steady, ended = found
        notice = notice_of(
            f"vetoed {step.subject}",
            f"[{plan.name}] {transition.direction.value} to {transition.target} is stopped by a hook",
            f"Epoch {transition.epoch}: {why}\nNothing has been touched. Neither the cooldown nor the budget"
            " of the day is used: the next reason to look asks again.",
            now,
        )
        told = add_notice(steady, notice, plan.policy.notify_again)
        added[:] = [notice] if told else []
        return told or steady, ended

    if change(ports, plan.name, successor) is None:
        return hold(Reason.LOST_THE_CLAIM)
    ports.meter.log("stopped by a hook", plan=plan.name, epoch=transition.epoch, why=why)
    send(ports, plan.name, added)
    return hold(Reason.VETOED)


def call_after(ports: Ports, plan: Plan, deadline: Deadline) -> None:
    """Call the after-hooks of a move just completed, where there is time; the next tick does otherwise."""
    if deadline.remaining_s() < WITHIN.total_seconds():
        return
    if any(hook.when is When.AFTER for hook in plan.hooks):
        state = ports.store.load_state(plan.name)
        if state is not None:
            call_owed_hooks(ports, plan, state)


def call_owed_hooks(ports: Ports, plan: Plan, state: PlanState) -> None:
    """Call every after-hook that the last move still owes, all at once; what fails stays owed and is told."""
    calls: list[Callable[[], None]] = [
        partial(_call, ports, plan, state.epoch, step) for step in owed_calls(state)
    ]
    _raise_ours(ports.together(calls, WITHIN) if calls else [])


def _raise_ours(answers: Sequence[Exception | None]) -> None:
    """Raise a mistake of ours; a call that is still running is claimed, and made again in its time."""
    for answer in answers:
        if isinstance(answer, Exception) and type(answer) is not TimeoutError:
            raise answer


def _call(ports: Ports, plan: Plan, epoch: int, step: Step) -> None:
    taken = change(
        ports,
        plan.name,
        lambda state: claim_call(state, epoch, step.key, ports.owner, ports.clock.now()),
    )
    if taken is None:
        return
    hook = hook_of(plan.hooks, step)
    try:
        if hook is not None:  # else the plan has it no more: nobody is to be told
            ports.hooks.call(hook.region(taken.active), hook.function, step.before, hook.timeout)
    except (RemoteFailure, TimeoutError) as error:
        _tell_failed(ports, plan, epoch, step, str(error))
        return
    change(ports, plan.name, lambda state: settle_owed(state, epoch, step.key))
    ports.meter.log("hook called", plan=plan.name, step=step.key, epoch=epoch)


def _tell_failed(ports: Ports, plan: Plan, epoch: int, step: Step, why: str) -> None:
    change(ports, plan.name, lambda state: call_failed(state, epoch, step.key, ports.owner, why))
    tell(
        ports,
        plan,
        f"hook failed {epoch} {step.subject}",
        f"[{plan.name}] hook {step.subject} failed after the move",
        f"Epoch {epoch}: {why}\nThe move is complete. Every tick calls the hook again, until it succeeds or"
        " the next move begins.",
    )
