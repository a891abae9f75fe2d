"""Look at everything that a move will need, and say what is missing. It reads, and changes nothing.

What cannot be looked at is a finding too, and never hides another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

from region_failover.domain.errors import (
    ConfigurationError,
    MalformedEvent,
    NoEvidence,
    RemoteFailure,
    StateUnavailable,
)
from region_failover.domain.plan import Plan
from region_failover.domain.readiness import (
    Finding,
    Severity,
    Table,
    not_looked_at,
    of_alarms,
    of_clocks,
    of_denied,
    of_limits,
    of_linode,
    of_parameter,
    of_silence,
    of_state,
    of_tables,
    of_token,
    of_zone,
)
from region_failover.domain.state import PlanState
from region_failover.domain.symptom import Kind as SymptomKind
from region_failover.domain.trigger import Kind, Trigger
from region_failover.domain.zone import fence_name, names_of
from region_failover.ports import LinodeRecordState, Ports
from region_failover.service.checks import told_checks
from region_failover.service.dispatch import all_or_first_error, refuse_others
from region_failover.service.record import Deadline, Summary, load_state, tell

READINESS_CHECKED = "Readiness Checked"

# One look: each ends within its own client's timeouts, all together within this.
TOGETHER = timedelta(seconds=40)

# An event must stay below 256 KB, and a mail readable.
MOST_TOLD = 30


class Inventory(Protocol):
    """What only readiness looks at. Every method may raise RemoteFailure."""

    def describe(self, region: str, table: str) -> Table:
        """Return a table's description."""
        ...

    def limits(self, region: str) -> Mapping[str, int]:
        """Return the account's DynamoDB quotas in a Region, by name."""
        ...

    def alarms(self) -> Mapping[str, str]:
        """Return the states of the stack's alarms, by name."""
        ...

    def denied(self, role: str, wanted: Sequence[tuple[str, str]]) -> Sequence[str]:
        """Return which (action, resource) a role of the stack is denied, as texts."""
        ...

    def skew_s(self, region: str) -> float:
        """Return how far a Region's clock is ahead of ours."""
        ...

    def token_expires_at(self) -> datetime | None:
        """Return when the Linode token ends, None for never."""
        ...

    def wanted(self, plan: Plan) -> Mapping[str, Sequence[tuple[str, str]]]:
        """Return what each role of the stack must be allowed for a plan, by the role's name."""
        ...


@dataclass(frozen=True, slots=True)
class _Look:
    """One thing to look at, and what follows from what is seen."""

    subject: str
    see: Callable[[], object]
    find: Callable[[Any], Iterable[Finding]]


def handle_readiness(
    ports: Ports, inventory: Inventory, plans: Sequence[Plan], triggers: Sequence[Trigger], deadline: Deadline
) -> list[Summary]:
    """Check every plan that a trigger speaks of; return the findings."""
    refuse_others(triggers, {Kind.SCHEDULE, Kind.CHECK}, "readiness")
    asked = {trigger.plan for trigger in triggers}
    unknown = asked - {"", *(plan.name for plan in plans)}
    if unknown:
        known = ", ".join(plan.name for plan in plans)
        raise MalformedEvent(f"there is no plan {', '.join(sorted(unknown))}; known are: {known}")
    chosen = [plan for plan in plans if asked & {"", plan.name}]
    calls = [lambda plan=plan: check(ports, inventory, plan) for plan in chosen]
    return all_or_first_error(ports, calls, timedelta(seconds=max(deadline.remaining_s(), 1.0)))


def check(ports: Ports, inventory: Inventory, plan: Plan) -> Summary:
    """Check one plan; tell of errors, put the event, emit the metrics."""
    findings = sorted(
        look_at(ports, inventory, plan),
        key=lambda found: (list(Severity).index(found.severity), found.subject),
    )
    counts = {severity: sum(f.severity is severity for f in findings) for severity in Severity}
    told = [
        {"severity": f.severity.value, "subject": f.subject, "problem": f.problem, "remedy": f.remedy}
        for f in findings[:MOST_TOLD]
    ]
    now = ports.clock.now()
    ports.meter.measure(
        plan.name,
        {
            "ReadinessErrors": counts[Severity.ERROR],
            "ReadinessWarnings": counts[Severity.WARNING],
        },
    )
    detail = {"plan": plan.name, **{s.value + "s": n for s, n in counts.items()}, "at": now.isoformat()}
    ports.events.put(READINESS_CHECKED, {**detail, "findings": told})
    if counts[Severity.ERROR]:
        _tell(ports, plan, findings)
    return {**detail, "findings": told}


def _tell(ports: Ports, plan: Plan, findings: Sequence[Finding]) -> None:
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    lines = "\n".join(f"- {finding}" for finding in findings[:MOST_TOLD])
    tell(
        ports,
        plan,
        "readiness " + ", ".join(sorted(finding.subject for finding in errors))[:200],
        f"[{plan.name}] is not ready: {len(errors)} errors",
        f"A move of {plan.name} would fail or do harm:\n{lines}",
    )


def look_at(ports: Ports, inventory: Inventory, plan: Plan) -> list[Finding]:
    """Return everything found; all looks at the same time."""
    findings: list[Finding] = []
    state: PlanState | None = None
    try:
        state = load_state(ports, plan)
        findings += of_state(plan, state, ports.store.load_health(plan.name), ports.clock.now())
    except StateUnavailable as why:
        findings.append(not_looked_at("record", str(why)))
    looks = [*_looks(ports, inventory, plan, state)]
    answers = ports.together([look.see for look in looks], TOGETHER)
    for look, answer in zip(looks, answers, strict=True):
        if isinstance(answer, RemoteFailure | ConfigurationError | TimeoutError):
            findings.append(not_looked_at(look.subject, str(answer)))
        elif isinstance(answer, Exception):
            raise answer
        else:
            findings += look.find(answer)
    return findings


def _looks(ports: Ports, inventory: Inventory, plan: Plan, state: PlanState | None) -> Iterator[_Look]:
    regions = tuple(plan.regions)
    for checked in plan.dynamodb_checks:
        name = checked.table
        yield _both(
            f"table {name}", regions, partial(_describe, inventory, name), partial(of_tables, plan, name)
        )
    yield _both("quotas", regions, inventory.limits, partial(of_limits, plan))
    yield _both("clocks", regions, inventory.skew_s, of_clocks)
    for zone_id, records in plan.zones().items():
        read = partial(ports.zones.read, zone_id, names_of(records), fence_name(records))
        yield _Look(f"zone {zone_id}", read, partial(of_zone, plan, state, zone_id, records))
    for parameter in plan.ssm_parameters:
        name = parameter.name
        yield _both(
            f"parameter {name}",
            parameter.regions,
            partial(_parameter, ports, name),
            partial(of_parameter, plan, state, name),
        )
    yield from _linode(ports, inventory, plan, state)
    for region in regions:
        for check in told_checks(ports, plan, region):
            subject = f"{check.name} in {region}"
            yield _Look(subject, partial(_silence, check.ask), partial(of_silence, subject))
    yield _Look("alarms", inventory.alarms, of_alarms)
    for role, wanted in inventory.wanted(plan).items():
        yield _Look(f"role of {role}", partial(inventory.denied, role, wanted), partial(of_denied, role))


def _linode(ports: Ports, inventory: Inventory, plan: Plan, state: PlanState | None) -> Iterator[_Look]:
    for record in plan.linode_records:
        find = partial(ports.linode.find, record.domain_id, record.name, record.type)
        subject = f"Linode record {record.name or '@'} {record.type}"
        yield _Look(subject, partial(_targets, find), partial(of_linode, plan, state, record))
    if plan.linode_records:
        yield _Look(
            "Linode token",
            inventory.token_expires_at,
            lambda at: of_token(at, ports.clock.now()),
        )


def _both(
    subject: str,
    regions: Sequence[str],
    see: Callable[[str], object],
    find: Callable[..., Iterable[Finding]],
) -> _Look:
    """Return a look at the same thing in several Regions; one that does not answer is a finding by itself."""

    def all_of_them() -> tuple[dict[str, object], list[Finding]]:
        found: dict[str, object] = {}
        missing: list[Finding] = []
        for region in regions:
            try:
                found[region] = see(region)
            except RemoteFailure as why:
                missing.append(not_looked_at(f"{subject} in {region}", str(why)))
        return found, missing

    def findings(seen: tuple[dict[str, object], list[Finding]]) -> Iterable[Finding]:
        found, missing = seen
        return [*missing, *find(found)]

    return _Look(subject, all_of_them, findings)


def _silence(ask: Callable[[], None]) -> str:
    """Return why a check of what others say has nothing to say, '' if it speaks, well or not."""
    try:
        ask()
    except NoEvidence as why:
        return str(why)
    except RemoteFailure as failure:
        if failure.symptom.kind is SymptomKind.SETTINGS:  # there is no such alarm
            return failure.symptom.detail
        if failure.symptom.kind is not SymptomKind.REPORTED:
            raise
    return ""


def _describe(inventory: Inventory, name: str, region: str) -> Table:
    return inventory.describe(region, name)


def _parameter(ports: Ports, name: str, region: str) -> str | None:
    return ports.parameters.read(region, name)


def _targets(find: Callable[[], Sequence[LinodeRecordState]]) -> list[tuple[str, int]]:
    return [(found.target, found.ttl_sec) for found in find()]
