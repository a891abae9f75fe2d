"""Would a switch without a control plane work if it had to, now? From what is there to findings; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from region_failover.domain.dataplane import (
    CLUSTER_ENDPOINTS,
    HOME,
    SIGNAL_DIMENSION,
    SIGNAL_METRIC,
    SIGNAL_NAMESPACE,
    SIGNAL_PERIOD,
    TAKES_OVER,
    Follows,
    alarm_name,
    answered_by,
    controlled_by,
    spelled,
)
from region_failover.domain.plan import HealthCheck, Plan, Role, RoutingControl
from region_failover.domain.readiness import Finding, error, warning
from region_failover.domain.state import PlanState


@dataclass(frozen=True, slots=True)
class Metric:
    """What Route 53 watches for a check of an alarm: the alarm's numbers as they were when it was made."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: str
    period_s: int
    periods: int
    comparison: str
    threshold: float


@dataclass(frozen=True, slots=True)
class CheckSeen:
    """A health check of Route 53. `metric`: None where Route 53 does not tell."""

    type: str
    alarm: str = ""
    alarm_region: str = ""
    insufficient: str = ""
    inverted: bool = False
    disabled: bool = False
    host: str = ""
    path: str = ""
    search: str = ""
    interval_s: int = 0
    threshold: int = 0
    metric: Metric | None = None


@dataclass(frozen=True, slots=True)
class PairSeen:
    """A failover pair: each role's values (None: no such record; empty: an alias), PRIMARY's check if any."""

    values: Mapping[Role, tuple[str, ...] | None]
    ids: Mapping[Role, str]
    check: CheckSeen | None = None


def of_pair(plan: Plan, switch: HealthCheck, control: str, seen: PairSeen) -> Iterator[Finding]:
    """Yield what is wrong with a pair of records and with the health check of its PRIMARY."""
    subject = f"pair {switch.name} {switch.type} in {switch.zone_id}"
    missing = [role.value for role in Role if seen.values.get(role) is None]
    if missing:
        yield error(
            subject, f"has no record of the {' and the '.join(missing)}", "make a PRIMARY and a SECONDARY"
        )
        return
    for role in Role:
        there = seen.values[role] or ()
        if spelled(there, switch.type) != spelled(switch.values(role), switch.type):
            yield error(
                subject,
                f"has {', '.join(there) or 'an alias'} for the {role.value}",
                f"the plan has {', '.join(switch.values(role))}; for an alias, name a pair of TXT records",
            )
    if seen.ids.get(Role.STANDBY):
        yield warning(
            subject, "its SECONDARY has a health check", "take it away: with both failing the PRIMARY answers"
        )
    if seen.check is None:
        yield error(subject, "its PRIMARY has no health check", "dataplane.yaml makes one")
        return
    if seen.check.disabled:
        yield error(subject, "its health check is disabled: it counts as healthy", "enable it")
    yield from (_of_alarm if switch.follows == Follows.ALARM else _of_object)(
        plan, switch, control, subject, seen.check
    )


def _of_alarm(
    plan: Plan, switch: HealthCheck, control: str, subject: str, check: CheckSeen
) -> Iterator[Finding]:
    wanted = ("CLOUDWATCH_METRIC", alarm_name(plan.name), control, False)
    if (check.type, check.alarm, check.alarm_region, check.inverted) != wanted:
        yield error(
            subject,
            f"its health check ({check.type} {check.alarm} {check.alarm_region}) does not follow the alarm",
            f"not inverted, type {wanted[0]}, alarm {wanted[1]} in {control}",
        )
    if check.insufficient != "LastKnownStatus":
        yield error(
            subject,
            f"is {check.insufficient or 'undefined'} without data: silence would move the traffic",
            "set InsufficientDataHealthStatus to LastKnownStatus",
        )
    period_s = int(SIGNAL_PERIOD.total_seconds())
    dimensions = ((SIGNAL_DIMENSION, plan.name),)
    at_least_one = "GreaterThanOrEqualToThreshold"
    right = Metric(SIGNAL_NAMESPACE, SIGNAL_METRIC, dimensions, "Maximum", period_s, 1, at_least_one, 1.0)
    if check.metric is not None and check.metric != right:
        yield error(
            subject,
            "its health check watches other numbers than the alarm of dataplane.yaml has",
            "Route 53 keeps those of the day on which it was made: update it, or make it anew",
        )


def _of_object(
    plan: Plan, switch: HealthCheck, control: str, subject: str, check: CheckSeen
) -> Iterator[Finding]:
    host = f"{switch.bucket}.s3.{control}.amazonaws.com"
    wanted = ("HTTPS_STR_MATCH", True, TAKES_OVER, f"/{switch.key}")
    found = (check.type, check.inverted, check.search, check.path)
    if found != wanted or not check.host.startswith(host):
        yield error(
            subject,
            f"its health check ({check.type}, {check.host}{check.path}) does not follow the object",
            f"{wanted[0]}, inverted, https://{host}/{switch.key}, text {TAKES_OVER!r}",
        )
    if (check.interval_s, check.threshold) != (switch.interval_s, switch.threshold):
        yield warning(
            subject,
            f"its health check looks every {check.interval_s} s, {check.threshold} times",
            f"the plan counts with {switch.interval_s} s and {switch.threshold}: put the right numbers there",
        )
    if control != plan.regions.standby:
        yield warning(
            subject,
            f"follows an object in {control}, which is not the standby: where S3 cannot be reached there, the"
            " traffic goes to the primary",
            'follows = "alarm" keeps what was known',
        )


def of_traffic_alarm(plan: Plan, control: str, is_there: bool) -> Iterator[Finding]:
    """Yield whether the alarm is missing that health checks follow."""
    if not is_there:
        yield error(f"alarm {alarm_name(plan.name)}", f"does not exist in {control}", "deploy dataplane.yaml")


def of_answers(
    plan: Plan, state: PlanState | None, switch: HealthCheck, answers: Sequence[frozenset[str]]
) -> Iterator[Finding]:
    """Yield whether a pair's name servers answer with anything but the active Region's values."""
    if state is None or state.transition is not None:
        return
    role = answered_by(switch, answers)
    if role is not plan.regions.role(state.active):
        told = " / ".join(", ".join(sorted(answer)) or "nothing" for answer in answers)
        yield error(
            f"answers for {switch.name} {switch.type}",
            f"are {told}, not the active Region's",
            "the health check does not follow: docs/runbook.md, a data-plane switch does not follow",
        )


def of_public_object(
    plan: Plan, state: PlanState | None, switch: HealthCheck, text: str | None
) -> Iterator[Finding]:
    """Yield whether an object is not to be read by anybody, or says what the record does not."""
    subject = f"object s3://{switch.bucket}/{switch.key}"
    if text is None:
        yield error(
            subject,
            "cannot be read without credentials, as Route 53's health checkers read it",
            "let everybody read this one object (dataplane.yaml); is the account's public access blocked?",
        )
    elif state is not None and state.transition is None:
        right = TAKES_OVER if state.active == plan.regions.standby else HOME
        if right not in text:
            yield error(subject, f"does not say {right!r}", "delete it: a tick makes it anew")


def of_controls(
    plan: Plan, state: PlanState | None, switch: RoutingControl, states: Mapping[str, bool]
) -> Iterator[Finding]:
    """Yield what is wrong with a pair of routing controls, and with the cluster's endpoints in the plan."""
    subject = f"routing controls {switch.primary.rsplit('/', 1)[-1]}"
    if len(switch.endpoints) < CLUSTER_ENDPOINTS:
        yield warning(
            subject,
            f"the plan has {len(switch.endpoints)} of the cluster's {CLUSTER_ENDPOINTS} endpoints",
            "name all: two of them may be down at any time",
        )
    role = controlled_by(switch, states)
    if role is None:
        yield error(subject, "give the traffic to neither Region, or to both", "set one On, the other Off")
    elif state is not None and state.transition is None and role is not plan.regions.role(state.active):
        yield error(subject, f"give the traffic to the {role.value}, not the active Region", "set them right")
