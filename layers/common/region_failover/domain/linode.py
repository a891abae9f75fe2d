"""Linode's records as plan and API know them: which is meant, whether it is right, name servers' answers.

Rules taken from Linode's OpenAPI document: names come back relative to the domain, the apex empty, and are
taken as host names or fully qualified; host names as targets are compared without case and last dot.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from region_failover.domain.plan import LinodeRecord, Role

# Who answers for every domain at Linode ('DNS Manager' in its documentation).
NAME_SERVERS = tuple(f"ns{number}.linode.com" for number in range(1, 6))

_HOSTS = frozenset({"CNAME", "SRV"})


@dataclass(frozen=True, slots=True)
class LinodeRecordState:
    """A record as Linode's API returns it; `name` relative, '' the apex; `ttl_sec` 0 = the default."""

    id: int
    name: str
    type: str
    target: str
    ttl_sec: int


@dataclass(frozen=True, slots=True)
class LinodeDomain:
    """A domain and all of its records, as one look has found them."""

    name: str
    records: tuple[LinodeRecordState, ...]


def relative(name: str, domain: str) -> str:
    """Return a name relative to its domain, in lower case, the apex empty; from a relative one or an FQDN."""
    plain, origin = name.rstrip(".").lower(), domain.rstrip(".").lower()
    if plain == origin:
        return ""
    return plain.removesuffix("." + origin)


def fqdn(name: str, domain: str) -> str:
    """Return a record's fully qualified name, without the last dot."""
    below, origin = relative(name, domain), domain.rstrip(".").lower()
    return f"{below}.{origin}" if below else origin


def plain_target(kind: str, target: str) -> str:
    """Return a target in the form in which two that mean the same are equal."""
    return target.rstrip(".").lower() if kind in _HOSTS else target


def label(wanted: LinodeRecord) -> str:
    """Return how a record of the plan is called in what is told."""
    by_id = f" (record {wanted.record_id})" if wanted.record_id else ""
    return f"{wanted.name!r} {wanted.type}{by_id}"


def choose(wanted: LinodeRecord, domain: LinodeDomain) -> LinodeRecordState | str:
    """Return the record that the plan means, or why it must not be touched (I8, I9).

    By its id, of which name and type must be the plan's; else the only one of that name and type. What it
    holds must be one of the plan's two targets.
    """
    found = held(wanted, domain)
    if len(found) != 1:
        return _missing(wanted, domain, found)
    if not any(points_at(wanted, found[0], role) for role in Role):
        return f"{label(wanted)} holds {found[0].target}, which is in no plan"
    return found[0]


def held(wanted: LinodeRecord, domain: LinodeDomain) -> list[LinodeRecordState]:
    """Return what is there of a record: the one with its id, else all of its name and type."""
    named = _of(domain, wanted.name, wanted.type)
    return [r for r in named if r.id == wanted.record_id] if wanted.record_id else named


def _missing(wanted: LinodeRecord, domain: LinodeDomain, found: Sequence[LinodeRecordState]) -> str:
    if not wanted.record_id:
        return (
            f"domain {wanted.domain_id}: {len(found)} records {wanted.name!r} {wanted.type},"
            " exactly one was expected"
        )
    there = next((r for r in domain.records if r.id == wanted.record_id), None)
    said = f"is {there.name!r} {there.type}" if there else "is not there"
    return (
        f"domain {wanted.domain_id}: record {wanted.record_id} {said}, {wanted.name!r} {wanted.type} expected"
    )


def chosen(
    records: Sequence[LinodeRecord], domains: Mapping[int, LinodeDomain | Exception]
) -> list[LinodeRecordState | str]:
    """Return for each of the plan's records the one that is meant, or why not; none is meant twice."""
    meant: list[LinodeRecordState | str] = []
    taken: set[tuple[int, int]] = set()
    for wanted in records:
        domain = domains[wanted.domain_id]
        found = (
            f"{type(domain).__name__}: {domain}" if isinstance(domain, Exception) else choose(wanted, domain)
        )
        if isinstance(found, LinodeRecordState):
            if (wanted.domain_id, found.id) in taken:
                found = f"{label(wanted)} is a record that the plan has under another name, too"
            else:
                taken.add((wanted.domain_id, found.id))
        meant.append(found)
    return meant


def points_at(wanted: LinodeRecord, there: LinodeRecordState, role: Role) -> bool:
    """Return whether a record points at a role's Region, whatever its TTL."""
    return plain_target(wanted.type, there.target) == plain_target(wanted.type, wanted.target(role))


def is_right(wanted: LinodeRecord, there: LinodeRecordState, role: Role) -> bool:
    """Return whether a record points where it shall, with the plan's TTL if the plan has one."""
    return points_at(wanted, there, role) and wanted.ttl_sec in {None, there.ttl_sec}


def _of(domain: LinodeDomain, name: str, kind: str) -> list[LinodeRecordState]:
    wanted = relative(name, domain.name)
    return [r for r in domain.records if (relative(r.name, domain.name), r.type) == (wanted, kind)]


Question = tuple[str, str]


def expected_answers(
    records: Iterable[LinodeRecord], domains: Mapping[int, LinodeDomain]
) -> dict[Question, tuple[str, ...]]:
    """Return what the name servers have to say, by (fully qualified name, type).

    All that the API has of that name and type: also records beside the plan's are part of the answer.
    """
    expected: dict[Question, tuple[str, ...]] = {}
    for wanted in records:
        domain = domains[wanted.domain_id]
        held = {plain_target(r.type, r.target) for r in _of(domain, wanted.name, wanted.type)}
        expected[fqdn(wanted.name, domain.name), wanted.type] = tuple(sorted(held))
    return expected


def said_targets(kind: str, answer: Iterable[str]) -> tuple[str, ...]:
    """Return the targets in a name server's answer; of SRV the hosts (priority, weight and port are kept)."""
    hosts = {value.split()[-1] if kind == "SRV" and value else value for value in answer}
    return tuple(sorted({plain_target(kind, host) for host in hosts}))
