"""Would a failover work if it had to, now? From what is there to findings; pure, and never a change.

An ERROR means that a failover or a failback would fail or do harm; a WARNING that it would be worse than it
need be, or that nobody can tell; a NOTE that somebody should know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from region_failover.domain.plan import LinodeRecord, Plan, Route53Record
from region_failover.domain.record_set import RecordSet
from region_failover.domain.state import CLOCKS_AGREE, Phase, PlanState, is_recent
from region_failover.domain.verdict import MAX_GAP, Health, HealthRecord
from region_failover.domain.zone_fit import called, misfit
from region_failover.domain.zone_snapshot import ZoneSnapshot
from region_failover.domain.zone_target import sends_to

# A token that ends within this time is told of.
EXPIRES_SOON = timedelta(days=14)


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found. `subject`: what it is about; `problem`: what is wrong; `remedy`: what to do."""

    severity: Severity
    subject: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        """Return 'severity subject: problem; remedy' for humans."""
        return f"{self.severity.value} {self.subject}: {self.problem}; {self.remedy}"


@dataclass(frozen=True, slots=True)
class Table:
    """A DynamoDB table as one Region describes it.

    `keys`: (attribute, 'HASH' or 'RANGE'); `replicas`: the status of those in other Regions, by Region;
    `on_demand`: paid by request; `units`: provisioned (read, write) units otherwise.
    """

    status: str
    keys: tuple[tuple[str, str], ...]
    replicas: Mapping[str, str]
    on_demand: bool
    units: tuple[int, int] = (0, 0)


def worst(findings: Sequence[Finding]) -> Severity | None:
    """Return the gravest severity among these, None for none."""
    order = list(Severity)
    return min((finding.severity for finding in findings), key=order.index, default=None)


def error(subject: str, problem: str, remedy: str) -> Finding:
    """Return a finding that would make a move fail."""
    return Finding(Severity.ERROR, subject, problem, remedy)


def warning(subject: str, problem: str, remedy: str) -> Finding:
    """Return a finding that would make a move worse."""
    return Finding(Severity.WARNING, subject, problem, remedy)


def note(subject: str, problem: str, remedy: str) -> Finding:
    """Return a finding that somebody should know."""
    return Finding(Severity.NOTE, subject, problem, remedy)


def of_tables(plan: Plan, name: str, found: Mapping[str, Table]) -> Iterator[Finding]:
    """Yield what is wrong with a table that both Regions have described."""
    for region, table in found.items():
        subject = f"table {name} in {region}"
        if table.status != "ACTIVE":
            yield error(subject, f"is {table.status}", "wait, or look at it in the console")
        other = plan.regions.other(region)
        replica = table.replicas.get(other)
        if replica is None:
            yield error(subject, f"has no replica in {other}", "make it a global table with both Regions")
        elif replica != "ACTIVE":
            yield error(subject, f"its replica in {other} is {replica}", "wait until it is ACTIVE")
    primary, standby = (found.get(region) for region in plan.regions)
    if primary is None or standby is None:
        return
    subject = f"table {name}"
    if primary.keys != standby.keys:
        yield error(subject, f"has other keys in each Region: {primary.keys}, {standby.keys}", "make it anew")
    yield from _of_capacity(subject, primary, standby)


def _of_capacity(subject: str, primary: Table, standby: Table) -> Iterator[Finding]:
    if primary.on_demand and not standby.on_demand:
        yield warning(
            subject, "is on demand in the primary and provisioned in the standby", "make both alike"
        )
    elif not (primary.on_demand or standby.on_demand):
        kinds = zip(("read", "write"), primary.units, standby.units, strict=True)
        for kind, here, there in kinds:
            if there < here:
                yield warning(
                    subject,
                    f"has {there} {kind} units in the standby and {here} in the primary",
                    "raise the standby's, or let it scale, or the traffic will be throttled there",
                )


def of_limits(plan: Plan, found: Mapping[str, Mapping[str, int]]) -> Iterator[Finding]:
    """Yield which of the account's DynamoDB quotas are lower in the standby than in the primary."""
    primary, standby = (found.get(region) for region in plan.regions)
    if primary is None or standby is None:
        return
    for name, here in sorted(primary.items()):
        there = standby.get(name, 0)
        if there < here:
            yield warning(
                f"quota {name}",
                f"is {there} in {plan.regions.standby} and {here} in {plan.regions.primary}",
                "have it raised in the standby before you need it",
            )


def of_zone(
    plan: Plan, state: PlanState | None, zone_id: str, records: Sequence[Route53Record], found: ZoneSnapshot
) -> Iterator[Finding]:
    """Yield what is wrong with the records of a zone."""
    for record in records:
        yield from _of_record(plan, state, f"record {called(record)} in {zone_id}", record, found)
    if state is not None:
        yield from _of_fence(state, zone_id, found)


def _of_record(
    plan: Plan, state: PlanState | None, subject: str, record: Route53Record, found: ZoneSnapshot
) -> Iterator[Finding]:
    sets, wrong = found.of(record), misfit(found, record)
    if wrong:
        yield error(subject, wrong, "a move would be held for it (not-simple): correct it, or the plan")
        return
    if not sets:
        yield error(subject, "does not exist", "create it with the active Region's values")
        return
    role, share = (plan.regions.role(state.active), state.share) if state else (None, None)
    if role is not None and not sends_to(record, role, sets, share):
        yield error(
            subject,
            f"is {'; '.join(map(_told, sets))}, not what the plan has for the active Region",
            "put the plan's value back, or correct the plan: a move would be held for drift",
        )
    longest = max(there.ttl for there in sets)
    if record.ttl is not None and longest > record.ttl:
        yield warning(
            subject,
            f"has a TTL of {longest} s, the plan says {record.ttl} s",
            "lower it: clients keep the old answer for so long",
        )


def _told(record: RecordSet) -> str:
    weight = "" if record.weight is None else f" with weight {record.weight}"
    return f"{record}{weight}"


def _of_fence(state: PlanState, zone_id: str, found: ZoneSnapshot) -> Iterator[Finding]:
    subject = f"fence in {zone_id}"
    fence = found.read_fence()
    if found.fence is None:
        yield warning(
            subject, "does not exist", "the first move makes it; wait for two ticks of the schedule"
        )
    elif fence is None or fence.plan != state.plan:
        yield error(subject, "is not this plan's", "docs/runbook.md, fence-foreign")
    elif fence.epoch > state.epoch:
        yield error(
            subject, f"has epoch {fence.epoch}, the record {state.epoch}", "docs/runbook.md, fence-ahead"
        )


def of_parameter(
    plan: Plan, state: PlanState | None, name: str, found: Mapping[str, str | None]
) -> Iterator[Finding]:
    """Yield what is wrong with a parameter, by the Regions that it is kept in."""
    for region, value in found.items():
        subject = f"parameter {name} in {region}"
        if value is None:
            yield error(subject, "does not exist", "create it with the active Region's name")
        elif state is not None and value != state.active and not state.owed:
            yield warning(
                subject,
                f"is {value!r}, the traffic is in {state.active}",
                "a tick should put it right; look why not",
            )


def of_linode(
    plan: Plan, state: PlanState | None, record: LinodeRecord, found: Sequence[tuple[str, int]]
) -> Iterator[Finding]:
    """Yield what is wrong with a Linode record, of which these (target, ttl_sec) are there."""
    subject = f"Linode record {record.name or '@'} {record.type} in domain {record.domain_id}"
    if len(found) != 1:
        yield error(subject, f"there are {len(found)}, one was expected", "leave exactly one")
        return
    target, ttl_sec = found[0]
    if state is not None and target != record.target(plan.regions.role(state.active)):
        yield error(subject, f"points at {target}", "a step would be refused: put the plan's target back")
    if ttl_sec == 0 or ttl_sec > record.ttl_sec:
        told = "the domain's default" if ttl_sec == 0 else f"{ttl_sec} s"
        yield warning(subject, f"has a TTL of {told}, the plan says {record.ttl_sec} s", "lower it")


def of_token(expires_at: datetime | None, now: datetime) -> Iterator[Finding]:
    """Yield whether Linode's token ends soon; None: it never does."""
    if expires_at is None:
        return
    if expires_at <= now:
        yield error("Linode token", f"expired at {expires_at:%Y-%m-%d %H:%M} UTC", "docs/runbook.md says how")
    elif expires_at - now < EXPIRES_SOON:
        yield warning(
            "Linode token",
            f"expires at {expires_at:%Y-%m-%d %H:%M} UTC",
            "make a new one, and put it into the secret",
        )


def of_silence(subject: str, why: str) -> Iterator[Finding]:
    """Yield that a check of what others say would say nothing now, and why."""
    if why:
        yield warning(
            subject,
            f"says nothing: {why}",
            "it is no evidence while that is so; see to it, or take it out of the plan",
        )


def of_alarms(states: Mapping[str, str]) -> Iterator[Finding]:
    """Yield which alarms have no data, and whether there are any."""
    if not states:
        yield warning("alarms", "none of the stack's alarms is there", "deploy the stack anew")
    for name, state in sorted(states.items()):
        if state == "INSUFFICIENT_DATA":
            yield warning(f"alarm {name}", "is in INSUFFICIENT_DATA", "what it watches has not been seen yet")


def of_clocks(skews: Mapping[str, float]) -> Iterator[Finding]:
    """Yield which services' clocks differ from ours by more than is allowed for (seconds)."""
    for place, skew_s in sorted(skews.items()):
        if abs(skew_s) > CLOCKS_AGREE.total_seconds():
            yield warning(
                f"clock of {place}", f"differs from ours by {skew_s:.0f} s", "leases count on clocks"
            )


def of_denied(role: str, denied: Sequence[str]) -> Iterator[Finding]:
    """Yield what a function's role may not do."""
    for action in denied:
        yield error(f"role of {role}", f"may not {action}", "deploy the stack with what its plans need")


def of_state(
    plan: Plan, state: PlanState | None, health: HealthRecord | None, now: datetime
) -> Iterator[Finding]:
    """Yield what the records say against a move."""
    if state is None:
        yield error("record", "there is none", "wait for two ticks of the schedule; is it disabled?")
        return
    if state.phase is Phase.NEEDS_OPERATOR:
        yield error("record", "the last transition was halted", "docs/runbook.md, needs-operator")
    if state.paused:
        yield note("record", f"automation is paused: {state.pause_note}", "region-failover resume")
    if state.owed:
        yield note(
            "record", f"{len(state.owed)} steps are owed", "they are made good when their Region answers"
        )
    target = plan.regions.other(state.active)
    known = health.regions.get(target) if health else None
    if known is None or not is_recent(known.last_at, now, MAX_GAP):
        yield error(f"Region {target}", "has not been looked at just now", "is the probe running?")
    elif known.health is not Health.HEALTHY:
        yield warning(
            f"Region {target}",
            f"is {known.health.value}: {known.why}",
            "a move to it would be held (target-not-verified)",
        )


def not_looked_at(subject: str, why: str) -> Finding:
    """Return the finding that something could not be looked at."""
    return warning(subject, f"could not be looked at: {why}", "look at the readiness function's permissions")
