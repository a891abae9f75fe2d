"""Parameters name the active Region: written in a move, made good later, put back after late writers.

SSM has no compare-and-swap, so nothing here can be refused: what is written is looked at again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

from region_failover.domain.errors import RemoteFailure
from region_failover.domain.journal import settle_owed
from region_failover.domain.plan import Plan
from region_failover.domain.state import Direction, PlanState, Step, StepKind, StepStatus, Transition
from region_failover.ports import Ports
from region_failover.service.record import change
from region_failover.service.switches import finish, plan_steps

# A parameter's write and read-back in a Region that hangs: two calls of one try each, with room.
WITHIN = timedelta(seconds=10)


def switch_parameter(ports: Ports, plan: Plan, transition: Transition, step: Step) -> None:
    """Write the active Region's name into one Region's parameter; a Region left behind may owe it.

    The copy in the Region that traffic leaves must stop nothing: it may be dead. It is made good later.
    """
    status, detail = StepStatus.DONE, ""
    try:
        write_parameter(ports, plan, step, transition.target, transition.epoch)
    except (RemoteFailure, TimeoutError) as error:
        may_wait = step.region != transition.target and transition.direction is Direction.FAILOVER
        status, detail = (StepStatus.OWED if may_wait else StepStatus.FAILED), str(error)
    finish(ports, plan, transition.epoch, step.key, status, detail)


def write_parameter(ports: Ports, plan: Plan, step: Step, value: str, epoch: int) -> None:
    """Write a parameter; then look whether a newer epoch has begun, and if so correct it.

    SSM has no compare-and-swap: a worker frozen before its write may write after a newer one. It cannot be
    refused, so it corrects itself; if it dies before, a tick does (`put_back`).
    """
    ports.parameters.write(step.region, step.subject, value)
    state = ports.store.load_state(plan.name)
    if state is not None and state.epoch > epoch:
        ports.parameters.write(step.region, step.subject, heading(state))
    elif ports.parameters.read(step.region, step.subject) != value:
        raise TimeoutError(f"{step.subject} in {step.region} does not read back as {value}")


def heading(state: PlanState) -> str:
    """Return the Region that configuration shall name: a whole move's target, else the active one.

    With a share of the traffic, on its way to the primary or back, configuration does not move.
    """
    found = state.transition
    return found.target if found and found.share is None else state.active


def pay_debts(ports: Ports, plan: Plan, state: PlanState) -> None:
    """Write the parameters that the last transition still owes, all at once; what fails again stays owed."""
    _for_each(ports, plan, state.owed, lambda step: _pay(ports, plan, state, step), "still owed")


def put_back(ports: Ports, plan: Plan, state: PlanState) -> None:
    """Write every parameter that names the plan's other Region, as a late worker may have left it (I2)."""
    owed = {step.key for step in state.owed}
    steps = [s for s in plan_steps(plan) if s.kind is StepKind.SSM and s.key not in owed]
    _for_each(ports, plan, steps, lambda step: _put_back(ports, plan, state, step), "not looked at again")


def _for_each(
    ports: Ports, plan: Plan, steps: Sequence[Step], do: Callable[[Step], None], failed: str
) -> None:
    """Do this for every step, all at once; a Region out of reach is logged, the next tick tries again."""
    calls: list[Callable[[], None]] = [partial(do, step) for step in steps]
    answers = ports.together(calls, WITHIN)
    for step, answer in zip(steps, answers, strict=True):
        if isinstance(answer, (RemoteFailure, TimeoutError)):
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
    if ports.parameters.read(step.region, step.subject) != plan.regions.other(state.active):
        return
    if _at_rest(ports, plan, state.epoch) is None:
        return
    ports.meter.log("a late worker has written", plan=plan.name, step=step.key, epoch=state.epoch)
    write_parameter(ports, plan, step, state.active, state.epoch)


def _pay(ports: Ports, plan: Plan, state: PlanState, step: Step) -> None:
    """Write one, unless another tick, or this one delivered twice, has done so since."""
    found = _at_rest(ports, plan, state.epoch)
    if found is None or all(owed.key != step.key for owed in found.owed):
        return
    write_parameter(ports, plan, step, state.active, state.epoch)
    change(ports, plan.name, lambda found: settle_owed(found, state.epoch, step.key))
    ports.meter.log("made good", plan=plan.name, step=step.key)
