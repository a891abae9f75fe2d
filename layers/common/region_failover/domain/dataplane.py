"""Switches that need no control plane: what they are, what they shall say, and when they have followed.

`[[switch.route53_health_check]]`: a PRIMARY/SECONDARY pair of records exists in Route 53; the PRIMARY's
health check follows an alarm on a metric of ours, or an object, in the control Region.
`[[switch.arc_routing_control]]`: two routing controls of Amazon Application Recovery Controller.

Nothing here is read from the clock or the network; `docs/adr/0027` and `0028` say why it is so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from region_failover.domain.plan import HealthCheck, Plan, Role, RoutingControl
from region_failover.domain.state import SETTLED, PlanState, Step, StepKind, StepStatus, Transition
from region_failover.domain.zone import Fence, canonical, parse_fence

DATA_PLANE = frozenset({StepKind.HEALTH_CHECK, StepKind.ROUTING_CONTROL})

# The metric that an alarm watches, by plan: 1 while the standby has the traffic, 0 while the primary has it.
SIGNAL_NAMESPACE = "RegionFailover/Signals"
SIGNAL_METRIC = "StandbyHasTraffic"
SIGNAL_DIMENSION = "plan"
SIGNAL_PERIOD = timedelta(seconds=60)

# What the text check of an object looks for (Route 53 reads the first 5,120 bytes of an answer).
TAKES_OVER = "the standby has the traffic"
HOME = "the primary has the traffic"

# DNS answers follow a health check within seconds; a change of its state is seen everywhere within a minute.
SPREAD_WITHIN = timedelta(seconds=60)

CLUSTER_ENDPOINTS = 5


class Follows(StrEnum):
    """What a health check follows."""

    ALARM = "alarm"
    OBJECT = "object"


class Order(StrEnum):
    """Which switches of a plan wait for which."""

    TOGETHER = "together"
    DATA_PLANE_FIRST = "data-plane-first"


@dataclass(frozen=True, slots=True)
class SignalObject:
    """An object that a health check reads. `tag`: its ETag, by which alone it may be replaced."""

    tag: str
    text: str


def alarm_name(plan: str) -> str:
    """Return the name of the alarm on a plan's metric (`dataplane.yaml` gives it).

    Neither prefix of the stack's own alarms: its change is no reason to look, and nobody's page.
    """
    return f"region-failover-traffic-{plan}"


def subject_of(switch: HealthCheck | RoutingControl) -> str:
    """Return what a switch's step is about: 'api.example.com A', or the primary's routing control."""
    if isinstance(switch, HealthCheck):
        return f"{canonical(switch.name)} {switch.type}"
    return switch.primary.rsplit("/", 1)[-1]


def data_plane_steps(plan: Plan) -> tuple[Step, ...]:
    """Return the steps of a plan's data-plane switches."""
    checks = [Step(StepKind.HEALTH_CHECK, subject_of(switch)) for switch in plan.health_checks]
    controls = [Step(StepKind.ROUTING_CONTROL, subject_of(switch)) for switch in plan.routing_controls]
    return (*checks, *controls)


def health_check(plan: Plan, step: Step) -> HealthCheck | None:
    """Return the switch that a step is about, None where the plan has it no more."""
    return next((found for found in plan.health_checks if subject_of(found) == step.subject), None)


def routing_control(plan: Plan, step: Step) -> RoutingControl | None:
    """Return the switch that a step is about, None where the plan has it no more."""
    return next((found for found in plan.routing_controls if subject_of(found) == step.subject), None)


def follows_alarm(plan: Plan) -> bool:
    """Return whether a health check of this plan follows the metric."""
    return any(switch.follows == Follows.ALARM for switch in plan.health_checks)


def is_of_its_source(plan: Plan, step: Step) -> bool:
    """Return whether all there is to know of what was there before is the Region that had the traffic."""
    switch = health_check(plan, step) if step.kind is StepKind.HEALTH_CHECK else None
    return step.kind is StepKind.ROUTING_CONTROL or (switch is not None and switch.follows == Follows.ALARM)


def due(plan: Plan, transition: Transition) -> tuple[Step, ...]:
    """Return the open steps whose turn it is.

    Data plane first: a zone waits until every data-plane switch is done, or has failed, which nobody waits
    for; parameters and Linode wait for nothing.
    """
    left = [step for step in transition.steps if step.status not in SETTLED]
    if plan.policy.order != Order.DATA_PLANE_FIRST:
        return tuple(left)
    ahead = any(step.kind in DATA_PLANE and step.status is not StepStatus.FAILED for step in left)
    return tuple(step for step in left if not (ahead and step.kind is StepKind.ROUTE53))


def has_traffic_moved(plan: Plan, transition: Transition) -> bool:
    """Return whether all that moves traffic at Route 53 is done; records that clean up are not waited for."""
    kinds = {StepKind.ROUTE53, *DATA_PLANE}
    if plan.policy.order == Order.DATA_PLANE_FIRST and any(s.kind in DATA_PLANE for s in transition.steps):
        kinds.remove(StepKind.ROUTE53)
    return all(step.status is StepStatus.DONE for step in transition.steps if step.kind in kinds)


def level(plan: Plan, state: PlanState) -> Role | None:
    """Return whose traffic a tick says that it is, None where it is not for a tick to say.

    At rest, and before a transition's switch has begun: the active Region's. Once it is done: the target's.
    In between only the runner says so, who has verified the target.
    """
    found = state.transition
    if found is None or found.share is not None:
        return plan.regions.role(state.active)
    alarmed = {subject_of(switch) for switch in plan.health_checks if switch.follows == Follows.ALARM}
    steps = [s for s in found.steps if s.kind is StepKind.HEALTH_CHECK and s.subject in alarmed]
    statuses = {step.status for step in steps}
    if statuses == {StepStatus.PENDING}:
        return plan.regions.role(found.source)
    return plan.regions.role(found.target) if statuses == {StepStatus.DONE} else None


def follows_within(switch: HealthCheck) -> timedelta:
    """Return by when the answers have followed a signal, if everything works.

    An alarm: the minute in which the signal falls may still hold the opposite one and has to pass, the next
    is evaluated when it is over. An object: as many looks as the check's threshold says, one may just have
    been missed.
    """
    if switch.follows == Follows.ALARM:
        return 3 * SIGNAL_PERIOD + SPREAD_WITHIN
    return timedelta(seconds=switch.interval_s * (switch.threshold + 1)) + SPREAD_WITHIN


def is_overdue(switch: HealthCheck, signalled_at: datetime | None, now: datetime) -> bool:
    """Return whether the answers should have followed by now."""
    return signalled_at is not None and now - signalled_at > follows_within(switch)


def spelled(values: Sequence[str] | frozenset[str], kind: str) -> frozenset[str]:
    """Return a record's values as name servers' answers are compared: names without case and last dot."""
    return frozenset(canonical(value) if kind == "CNAME" else value.strip('"') for value in values)


def answered_by(switch: HealthCheck, answers: Sequence[frozenset[str]]) -> Role | None:
    """Return whose values all the name servers that answered give; None where they differ, or none did."""
    found = {spelled(answer, switch.type) for answer in answers}
    for role in Role:
        if found == {spelled(switch.values(role), switch.type)}:
            return role
    return None


def object_text(plan: Plan, epoch: int, active: str) -> str:
    """Return what the object says, for the health check and for people."""
    role = plan.regions.role(active)
    fence = Fence(plan.name, epoch, active).render().strip('"')
    return f"{fence}\n{TAKES_OVER if role is Role.STANDBY else HOME}\n"


def read_object(found: SignalObject | None) -> Fence | None:
    """Return what an object says of itself, None where there is none or it is not one of ours."""
    return parse_fence(found.text.partition("\n")[0]) if found else None


def object_obstacle(plan: Plan, epoch: int, switch: HealthCheck, found: SignalObject | None) -> str:
    """Return why an object must not be replaced at this epoch, '' if it may."""
    where, fence = f"s3://{switch.bucket}/{switch.key}", read_object(found)
    if found is not None and (fence is None or fence.plan != plan.name):
        return f"{where} is not {plan.name}'s signal"
    if fence is not None and fence.epoch > epoch:
        return f"{where} is at epoch {fence.epoch}, this is {epoch}: our record is outdated"
    return ""


def control_states(switch: RoutingControl, role: Role) -> dict[str, bool]:
    """Return the state of both routing controls that gives this role's Region the traffic: True is On."""
    return {switch.primary: role is Role.PRIMARY, switch.standby: role is Role.STANDBY}


def controlled_by(switch: RoutingControl, states: Mapping[str, bool]) -> Role | None:
    """Return whose Region these states give the traffic to, None where they are no such pair."""
    return next((role for role in Role if control_states(switch, role) == dict(states)), None)


def in_turn(switch: RoutingControl, start: int) -> tuple[str, ...]:
    """Return the cluster's endpoints in the order to try them: all of them, beginning at `start`."""
    first = start % len(switch.endpoints)
    return (*switch.endpoints[first:], *switch.endpoints[:first])


def region_of_endpoint(url: str) -> str:
    """Return a cluster endpoint's Region: 'https://<id>.route53-recovery-cluster.<Region>.amazonaws.com/v1'."""
    return url.split("/")[2].split(".")[2]
