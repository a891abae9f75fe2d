"""Set ARC's routing controls: both in one call, by any of the cluster's five endpoints, and read back.

ARC has no compare-and-swap: a worker that was frozen before its call may set them after a newer one. It
looks at the record after its call and corrects itself; if it dies before, a tick does (`put_controls_back`).
Never run on a live cluster: nothing emulates one (docs/plan.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar

from region_failover.domain.dataplane import (
    control_states,
    controlled_by,
    data_plane_steps,
    in_turn,
    routing_control,
)
from region_failover.domain.errors import FenceRefused, LeaseEnded, RemoteFailure, RuleRefused
from region_failover.domain.plan import Plan, RoutingControl
from region_failover.domain.state import PlanState, Step, StepKind, StepStatus, Transition
from region_failover.domain.symptom import Kind, Symptom
from region_failover.ports import Ports
from region_failover.service.parameters import heading
from region_failover.service.signals import GONE, refuse_if_not_fresh
from region_failover.service.switches import finish, may_still_act

T = TypeVar("T")


def switch_controls(
    ports: Ports, plan: Plan, transition: Transition, step: Step, verified_at: datetime
) -> bool:
    """Give the target the traffic and read that back; return True, or raise what kept it from that."""
    switch = routing_control(plan, step)
    if switch is None:
        raise FenceRefused(GONE)
    wanted = control_states(switch, plan.regions.role(transition.target))
    begin_at = transition.epoch + step.attempts

    def write(endpoint: str) -> None:
        may_still_act(ports, plan, transition)
        refuse_if_not_fresh(ports, transition, verified_at)
        ports.controls.write(endpoint, wanted, switch.override)

    _by_any(switch, begin_at, write)
    _follow_newer_epoch(ports, plan, switch, transition.epoch, begin_at)
    states = read_controls(ports, switch, begin_at)
    if states != wanted:
        raise TimeoutError(f"the routing controls read back as {_told(states)}")
    finish(ports, plan, transition.epoch, step.key, StepStatus.DONE, "set and read back")
    return True


def read_controls(ports: Ports, switch: RoutingControl, begin_at: int) -> Mapping[str, bool]:
    """Return the states of a switch's routing controls, as the first endpoint that answers tells them."""
    arns = (switch.primary, switch.standby)
    return _by_any(switch, begin_at, lambda endpoint: ports.controls.read(endpoint, arns))


def put_controls_back(ports: Ports, plan: Plan, state: PlanState) -> None:
    """Give the active Region the traffic again where a late worker has taken it away (I2).

    Controls that are neither Region's are a human's, and are left alone.
    """
    for step in data_plane_steps(plan):
        switch = routing_control(plan, step) if step.kind is StepKind.ROUTING_CONTROL else None
        if switch is None:
            continue
        try:
            _put_back(ports, plan, state, step, switch)
        except (RemoteFailure, RuleRefused) as error:
            ports.meter.log("not looked at again", plan=plan.name, step=step.key, error=str(error))


def _put_back(ports: Ports, plan: Plan, state: PlanState, step: Step, switch: RoutingControl) -> None:
    role = controlled_by(switch, read_controls(ports, switch, state.epoch))
    if role is not plan.regions.role(plan.regions.other(state.active)):
        return
    ports.meter.log("a late worker has written", plan=plan.name, step=step.key, epoch=state.epoch)
    wanted = control_states(switch, plan.regions.role(state.active))

    def write(endpoint: str) -> None:
        now = ports.store.load_state(plan.name)
        if now is None or now.epoch != state.epoch or now.transition is not None or now.paused:
            raise LeaseEnded(f"epoch {state.epoch} is not at rest any more")
        ports.controls.write(endpoint, wanted, switch.override)

    try:
        _by_any(switch, state.epoch, write)
    except LeaseEnded as error:
        ports.meter.log("not put back", plan=plan.name, step=step.key, why=str(error))
        return
    _follow_newer_epoch(ports, plan, switch, state.epoch, state.epoch)


def _follow_newer_epoch(ports: Ports, plan: Plan, switch: RoutingControl, epoch: int, begin_at: int) -> None:
    """Correct what was set by a worker that was outdated while it did so: ARC itself could not refuse it."""
    state = ports.store.load_state(plan.name)
    if state is None or state.epoch <= epoch:
        return
    wanted = control_states(switch, plan.regions.role(heading(state)))
    _by_any(switch, begin_at, lambda endpoint: ports.controls.write(endpoint, wanted, switch.override))


def _by_any(switch: RoutingControl, begin_at: int, ask: Callable[[str], T]) -> T:
    """Return the answer of the first endpoint that gives one; raise what they all say where none does.

    What ARC refuses by a rule it refuses everywhere: that is not asked for again.
    """
    failures: list[str] = []
    for endpoint in in_turn(switch, begin_at):
        try:
            return ask(endpoint)
        except RemoteFailure as failure:
            failures.append(f"{endpoint.split('/')[2]}: {failure}")
    raise RemoteFailure(Symptom(Kind.UNKNOWN, detail=f"no endpoint of the cluster: {'; '.join(failures)}"))


def _told(states: Mapping[str, bool]) -> str:
    return ", ".join(f"{arn.rsplit('/', 1)[-1]} {'On' if on else 'Off'}" for arn, on in states.items())
