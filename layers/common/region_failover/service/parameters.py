"""Configuration names the active Region: written in a move, made good later, put back after late writers.

Parameters and secrets alike (`service/named_values.py`). SSM has no compare-and-swap, so that nothing can be
refused there, and a secret's owner may put an older version back: what is written is looked at again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

from region_failover.domain.errors import LeaseEnded, RemoteFailure
from region_failover.domain.hooks import is_cleared
from region_failover.domain.journal import settle_owed
from region_failover.domain.plan import Plan
from region_failover.domain.state import Direction, PlanState, Step, StepStatus, Transition
from region_failover.ports import Ports
from region_failover.service.named_values import VALUES, place_of
from region_failover.service.record import change, tell
from region_failover.service.switches import finish, plan_steps

# Reading, writing and reading back in a Region that hangs: a few calls of one try each, with room.
WITHIN = timedelta(seconds=15)


def switch_value(ports: Ports, plan: Plan, transition: Transition, step: Step) -> None:
    """Have one Region's parameter or secret name the target; a Region left behind may owe it.

    The copy in the Region that traffic leaves must stop nothing: it may be dead. It is made good later.
    """
    status, detail = StepStatus.DONE, ""
    try:
        detail = write_value(ports, plan, step, transition.target, transition.epoch)
    except (RemoteFailure, TimeoutError) as error:
        may_wait = step.region != transition.target and transition.direction is Direction.FAILOVER
        status, detail = (StepStatus.OWED if may_wait else StepStatus.FAILED), str(error)
    known = finish(ports, plan, transition.epoch, step.key, status, detail)
    if status is StepStatus.FAILED and known is not None:
        _tell_failed(ports, plan, transition, step, detail)


def _tell_failed(ports: Ports, plan: Plan, transition: Transition, step: Step, why: str) -> None:
    tell(
        ports,
        plan,
        f"value failed {transition.epoch} {step.key}",
        f"[{plan.name}] {step.key} is not switched yet",
        f"{transition.direction.value} to {transition.target}, epoch {transition.epoch}: {why}\n"
        "The transition stays open; every tick tries again.",
    )


def write_value(ports: Ports, plan: Plan, step: Step, active: str, epoch: int) -> str:
    """Have a value name this Region; then look whether a newer epoch has begun, and if so correct it.

    Where there is no compare-and-swap a worker frozen before its write may write after a newer one. It cannot
    be refused, so it corrects itself; if it dies before, a tick does (`put_back`). Returns what is worth
    knowing of how it went.
    """
    place = place_of(ports, plan, step, epoch)
    note = place.name(active)
    state = ports.store.load_state(plan.name)
    if state is not None and state.epoch > epoch:
        place_of(ports, plan, step, state.epoch).name(heading(state))
    elif place.named() != active:
        raise TimeoutError(f"{step.subject} in {step.region} does not read back as what names {active}")
    return note


def heading(state: PlanState) -> str:
    """Return the Region that configuration shall name: a whole move's target, else the active one.

    With a share of the traffic, on its way to the primary or back, configuration does not move; nor does it
    for a move that a before-hook may still stop.
    """
    found = state.transition
    return found.target if found and found.share is None and is_cleared(found) else state.active


def pay_debts(ports: Ports, plan: Plan, state: PlanState) -> None:
    """Write the values that the last transition still owes, all at once; what fails again stays owed."""
    owed = [step for step in state.owed if step.kind in VALUES]
    _for_each(ports, plan, owed, lambda step: _pay(ports, plan, state, step), "still owed")


def put_back(ports: Ports, plan: Plan, state: PlanState) -> None:
    """Write every value that names the plan's other Region, as a late worker may have left it (I2)."""
    owed = {step.key for step in state.owed}
    steps = [s for s in plan_steps(plan) if s.kind in VALUES and s.key not in owed]
    _for_each(ports, plan, steps, lambda step: _put_back(ports, plan, state, step), "not looked at again")


def _for_each(
    ports: Ports, plan: Plan, steps: Sequence[Step], do: Callable[[Step], None], failed: str
) -> None:
    """Do this for every step, all at once; a Region out of reach is logged, the next tick tries again."""
    calls: list[Callable[[], None]] = [partial(do, step) for step in steps]
    answers = ports.together(calls, WITHIN)
    for step, answer in zip(steps, answers, strict=True):
        if isinstance(answer, (RemoteFailure, TimeoutError, LeaseEnded)):
            ports.meter.log(failed, plan=plan.name, step=step.key, error=str(answer))
        elif isinstance(answer, Exception):
            raise answer


def _at_rest(ports: Ports, plan: Plan, epoch: int) -> PlanState | None:
    """Return the state if the plan rests at this epoch just now; asked directly before each write (I2)."""
    state = ports.store.load_state(plan.name)
    if state is None or state.epoch != epoch or state.transition is not None or state.paused:
        return None
    return state


def _put_back(ports: Ports, plan: Plan, state: PlanState, step: Step) -> None:
    if place_of(ports, plan, step, state.epoch).named() != plan.regions.other(state.active):
        return
    if _at_rest(ports, plan, state.epoch) is None:
        return
    ports.meter.log("a late worker has written", plan=plan.name, step=step.key, epoch=state.epoch)
    write_value(ports, plan, step, state.active, state.epoch)


def _pay(ports: Ports, plan: Plan, state: PlanState, step: Step) -> None:
    """Write one, unless another tick, or this one delivered twice, has done so since."""
    found = _at_rest(ports, plan, state.epoch)
    if found is None or all(owed.key != step.key for owed in found.owed):
        return
    write_value(ports, plan, step, state.active, state.epoch)
    change(ports, plan.name, lambda found: settle_owed(found, state.epoch, step.key))
    ports.meter.log("made good", plan=plan.name, step=step.key)
