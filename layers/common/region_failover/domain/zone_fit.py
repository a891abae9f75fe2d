"""What stands between a plan and a zone as it is: what no batch can make, and what is in no plan."""

from __future__ import annotations

from collections.abc import Sequence

from region_failover.domain.plan import Role, Route53Record
from region_failover.domain.record_set import RecordSet, canonical, points_alike
from region_failover.domain.zone_snapshot import ZoneSnapshot, fence_name
from region_failover.domain.zone_target import answers

LONGEST_DIFFERENCE = 300


def misfit(found: ZoneSnapshot, record: Route53Record) -> str:
    """Return why Route 53 would refuse to switch this record, or lose something by it, '' if neither.

    It would refuse for ever: whoever begins without asking leaves every record of the zone where it was.
    """
    clash = _beside(found, canonical(record.name), record.type)
    if clash:
        return f"there is a {clash} of that name, and a CNAME stands alone"
    sets = found.of(record)
    if any(not there.simple for there in sets):
        return "it has something that this version does not know, or belongs to a traffic policy"
    return _other_policy(found, record, sets) or _no_alias_target(found, record)


def _beside(found: ZoneSnapshot, name: str, kind: str) -> str:
    """Return the type that stands in the place of this one: a CNAME excludes all others."""
    others = (there.type for there in found.by_name.get(name, ()) if there.type != kind)
    return next((other for other in others if "CNAME" in (other, kind)), "")


def _other_policy(found: ZoneSnapshot, record: Route53Record, sets: Sequence[RecordSet]) -> str:
    if record.weighted:
        weighed = all(there.identifier and there.weight is not None for there in sets)
        return "" if weighed else "it is no pair of weighted record sets"
    if record.set_identifier:
        gone = "it has no such set; one of a routing policy can only be made by hand"
        return "" if sets else gone
    if len(sets) > 1 or any(there.identifier for there in sets):
        return "it has a routing policy: it is not a simple record set, the plan names no set_identifier"
    return ""


def _no_alias_target(found: ZoneSnapshot, record: Route53Record) -> str:
    for alias in filter(None, map(record.alias, Role)):
        if alias.zone_id == record.zone_id and not found.sets(alias.name, record.type):
            return f"{alias.name} {record.type}, of which it shall be an alias, is not in the zone"
    return ""


def called(record: Route53Record) -> str:
    """Return a record's name for humans: 'api.example.com A', with its set identifier where it has one."""
    which = f" {record.set_identifier!r}" if record.set_identifier else ""
    return f"{canonical(record.name)} {record.type}{which}"


def not_simple(found: ZoneSnapshot, records: Sequence[Route53Record]) -> str:
    """Return the first record whose sets there are of another kind than the plan's (`misfit`), '' if none."""
    return next((called(record) for record in records if misfit(found, record)), "")


def no_fence(found: ZoneSnapshot, records: Sequence[Route53Record]) -> str:
    """Return what stands in the fence's place and keeps it from being made, '' if nothing."""
    kind = _beside(found, fence_name(records), "TXT")
    return f"{fence_name(records)} {kind}" if kind else ""


def foreign(found: ZoneSnapshot, records: Sequence[Route53Record]) -> str:
    """Return what stands in the zone that is none of the plan's answers, '' if nothing.

    A record that is not there at all is not foreign: an empty answer is repaired by writing. Of a weighted
    one, any share is the plan's; whoever sets another pair of weights by hand is answered by the next switch.
    """
    for record in records:
        allowed = [answer for role in Role for answer in answers(record, role)]
        for there in found.of(record):
            known = (a for a in allowed if a.identifier == there.identifier)
            if not any(points_alike(there, answer) for answer in known):
                which = f" {there.identifier!r}" if there.identifier else ""
                return f"{there.name} {there.type}{which} {'is' if there.alias else 'holds'} {there}"
    return ""


def differences(found: ZoneSnapshot, right: ZoneSnapshot) -> str:
    """Return what a zone has, and what it should have, of the first sets in which they differ.

    Of a thousand records all would fill the plan's record, which takes 400 KB.
    """
    told = [f"fence: {_all(found.fence)}, expected {_all(right.fence)}"] if found.fence != right.fence else []
    for record in (r for r in right.records if r not in found.records):
        sets = found.sets(record.name, record.type)
        there = next((each for each in sets if each.identifier == record.identifier), None)
        told.append(
            f"{record.name} {record.type} {record.identifier}: {_all(there)}, expected {_all(record)}"
        )
    return "; ".join(told)[:LONGEST_DIFFERENCE]


def _all(record: RecordSet | None) -> str:
    if record is None:
        return "none"
    weight = "" if record.weight is None else f" weight {record.weight}"
    return f"{record} ttl {record.ttl}{weight} {dict(record.kept) or ''}".rstrip()
