"""Would a move of what a plan has at Linode work, now? From what is there to findings; pure.

See `domain/readiness.py` for what the severities mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from region_failover.domain.linode import (
    LinodeDomain,
    LinodeRecordState,
    Question,
    choose,
    fqdn,
    points_at,
    said_targets,
)
from region_failover.domain.plan import LinodeRecord, Plan
from region_failover.domain.readiness import EXPIRES_SOON, Finding, error, note, warning
from region_failover.domain.state import PlanState

TOKEN = "Linode token"  # noqa: S105 - what a finding is about


@dataclass(frozen=True, slots=True)
class LinodeToken:
    """What Linode says of the token in use. `expires_at` None: never, or, without `expiry_known`, not known.

    `scopes`: such as 'domains:read_write', '*' for all, None where Linode does not say.
    """

    expires_at: datetime | None
    scopes: frozenset[str] | None
    expiry_known: bool = True


@dataclass(frozen=True, slots=True)
class LinodeZone:
    """A domain as readiness sees it.

    `status`: as Linode has it ('active'); `kind`: 'master' or 'slave'; `rendered`: what the zone file last
    made for the name servers holds, by (name, type), in the form of ports.NameServers; `answers`: what the
    name servers say, or why they cannot be asked.
    """

    domain: LinodeDomain
    status: str
    kind: str
    rendered: Mapping[Question, tuple[str, ...]]
    answers: Mapping[Question, tuple[str, ...] | str]


def needed_scopes(plan: Plan) -> tuple[str, ...]:
    """Return the scopes that a plan's token must have."""
    needed = {"domains:read_write": bool(plan.linode_records)}
    needed["linodes:read_write"] = plan.linode_reboots is not None
    needed["linodes:read_only"] = bool(plan.instance_checks)
    needed["nodebalancers:read_only"] = bool(plan.balancer_checks)
    return tuple(scope for scope, wanted in needed.items() if wanted)


def has_scope(scopes: frozenset[str], wanted: str) -> bool:
    """Return whether scopes contain one, or what includes it."""
    return bool(scopes & {"*", wanted, wanted.replace(":read_only", ":read_write")})


def of_token(plan: Plan, token: LinodeToken | str, now: datetime) -> Iterator[Finding]:
    """Yield what is wrong with the token in use; a text: why Linode refuses it."""
    if isinstance(token, str):
        remedy = "make a new one, and put it into the secret (docs/runbook.md, 'The Linode token')"
        yield error(TOKEN, f"is refused, so it has expired, was revoked, or is another's: {token}", remedy)
        return
    yield from _of_expiry(token, now)
    scopes = token.scopes
    if scopes is None:
        yield note(TOKEN, "its scopes are not known", f"it needs {', '.join(needed_scopes(plan))}")
        return
    for scope in needed_scopes(plan):
        if not has_scope(scopes, scope):
            yield error(TOKEN, f"lacks the scope {scope}", "make a new one, and put it into the secret")
    if plan.linode_reboots and not has_scope(scopes, "events:read_only"):
        lacking = "lacks the scope events:read_only: what became of a reboot without a reply stays unknown"
        yield warning(TOKEN, lacking, "make a new one, and put it into the secret")


def _of_expiry(token: LinodeToken, now: datetime) -> Iterator[Finding]:
    at = token.expires_at
    if not token.expiry_known:
        yield warning(
            TOKEN, "nobody can tell when it expires: it lacks the scope account:read_only", "add that scope"
        )
    elif at is not None and at <= now:
        yield error(TOKEN, f"expired at {at:%Y-%m-%d %H:%M} UTC", "docs/runbook.md says how")
    elif at is not None and at - now < EXPIRES_SOON:
        yield warning(
            TOKEN, f"expires at {at:%Y-%m-%d %H:%M} UTC", "make a new one, and put it into the secret"
        )


def of_linode_zone(
    plan: Plan, state: PlanState | None, domain_id: int, zone: LinodeZone
) -> Iterator[Finding]:
    """Yield what is wrong with a domain and the plan's records in it."""
    subject = f"Linode domain {zone.domain.name} ({domain_id})"
    if zone.kind != "master":
        yield error(subject, f"is a {zone.kind} domain: its records are another server's", "docs/plan.md")
    if zone.status != "active":
        yield error(subject, f"is {zone.status}: Linode's name servers do not serve it", "activate it")
    taken: dict[int, LinodeRecord] = {}
    for wanted in plan.linode_records:
        if wanted.domain_id != domain_id:
            continue
        found = choose(wanted, zone.domain)
        named = _subject(wanted)
        if isinstance(found, str):
            yield error(named, found, "a step would be refused: put it right, or correct the plan")
            continue
        if found.id in taken:
            yield error(named, f"is also {_subject(taken[found.id])}", "take one of them out of the plan")
        taken[found.id] = wanted
        yield from _of_record(plan, state, zone, wanted, found)


def _subject(wanted: LinodeRecord) -> str:
    return f"Linode record {wanted.name or '@'} {wanted.type} in domain {wanted.domain_id}"


def _of_record(
    plan: Plan, state: PlanState | None, zone: LinodeZone, wanted: LinodeRecord, there: LinodeRecordState
) -> Iterator[Finding]:
    subject = _subject(wanted)
    right = state is None or points_at(wanted, there, plan.regions.role(state.active))
    if not right:
        yield error(
            subject, f"points at {there.target}", "not the active Region's target: put that back, or look why"
        )
    if wanted.ttl_sec is not None and (there.ttl_sec == 0 or there.ttl_sec > wanted.ttl_sec):
        told = "the domain's default" if there.ttl_sec == 0 else f"{there.ttl_sec} s"
        yield warning(subject, f"has a TTL of {told}, the plan says {wanted.ttl_sec} s", "lower it")
    question = (fqdn(wanted.name, zone.domain.name), wanted.type)
    target = said_targets(wanted.type, [there.target])
    if right and not set(target) <= set(said_targets(wanted.type, zone.rendered.get(question, ()))):
        yield warning(
            subject, "is not in the zone file that Linode rendered last", "wait a minute; is the domain well?"
        )
    yield from _of_answer(subject, wanted.type, target, zone.answers.get(question, "not asked"))


def _of_answer(
    subject: str, kind: str, target: tuple[str, ...], answer: tuple[str, ...] | str
) -> Iterator[Finding]:
    """A step is done only when the name servers answer with the target: they must be within reach."""
    remedy = (
        "a move would stay open: is the domain delegated to Linode, may the functions send UDP to port 53?"
    )
    if isinstance(answer, str):
        yield warning(subject, f"Linode's name servers have no answer: {answer}", remedy)
    elif not set(target) <= set(said_targets(kind, answer)):
        yield warning(subject, f"Linode's name servers say {', '.join(answer) or 'nothing'}", remedy)
