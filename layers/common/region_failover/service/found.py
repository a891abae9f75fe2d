"""Where the traffic is, asked of the data plane: for a plan whose record is lost.

A record that begins anew must not say 'primary' because nobody knows better: every tick would publish it, and
send the traffic home.
"""

from __future__ import annotations

from region_failover.domain.dataplane import answered_by, controlled_by, in_turn, read_object
from region_failover.domain.errors import RemoteFailure, StateUnavailable
from region_failover.domain.plan import HealthCheck, Plan, Role, RoutingControl
from region_failover.ports import Ports


def found_at(ports: Ports, plan: Plan) -> Role | None:
    """Return which role's Region the data-plane switches give the traffic to; None where there are none.

    Raises StateUnavailable where they disagree, give it to neither, or cannot be asked.
    """
    roles = {
        **{f"{switch.name} {switch.type}": _answered(ports, plan, switch) for switch in plan.health_checks},
        **{switch.primary: _controlled(ports, plan, switch) for switch in plan.routing_controls},
    }
    if len(set(roles.values())) > 1:
        told = ", ".join(f"{name}: {role.value}" for name, role in roles.items())
        raise StateUnavailable(
            f"plan {plan.name} has no state yet, and its switches do not agree where the traffic is ({told});"
            " make them agree by hand"
        )
    return next(iter(roles.values()), None)


def newest_epoch(ports: Ports, plan: Plan) -> int:
    """Return the newest epoch that an object of this plan tells of, 0 for none.

    Raises StateUnavailable where an object cannot be asked.
    """
    epochs = [0]
    for switch in plan.health_checks:
        if switch.bucket:
            try:
                fence = read_object(ports.signals.read(switch.bucket, switch.key))
            except RemoteFailure as error:
                raise _unknown(plan, f"s3://{switch.bucket}/{switch.key}", str(error)) from error
            epochs += [fence.epoch] if fence and fence.plan == plan.name else []
    return max(epochs)


def _answered(ports: Ports, plan: Plan, switch: HealthCheck) -> Role:
    try:
        answers = ports.zone_answers.answers(switch.name, switch.type)
    except RemoteFailure as error:
        raise _unknown(plan, f"the name servers of {switch.name}", str(error)) from error
    role = answered_by(switch, answers)
    if role is None:
        told = " / ".join(", ".join(sorted(answer)) for answer in answers)
        raise _unknown(plan, f"the name servers of {switch.name}", f"they answer {told or 'nothing'}")
    return role


def _controlled(ports: Ports, plan: Plan, switch: RoutingControl) -> Role:
    arns = (switch.primary, switch.standby)
    failures: list[str] = []
    for endpoint in in_turn(switch, 0):
        try:
            role = controlled_by(switch, ports.controls.read(endpoint, arns))
        except RemoteFailure as error:
            failures.append(str(error))
            continue
        if role is not None:
            return role
        failures.append("it gives the traffic to neither Region, or to both")
        break
    raise _unknown(plan, f"the routing control {switch.primary}", "; ".join(failures))


def _unknown(plan: Plan, what: str, why: str) -> StateUnavailable:
    return StateUnavailable(
        f"plan {plan.name} has no state yet, and {what} cannot say where the traffic is: {why}"
    )
