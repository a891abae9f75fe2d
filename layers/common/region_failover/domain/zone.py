"""A Route 53 zone as a switch sees it: what is there, what shall be, and the batch that makes it so.

The batch is a compare-and-swap: `DELETE` must match what is there to the letter, `CREATE` fails where
something is, and Route 53 takes a batch whole or not at all (API reference, ChangeResourceRecordSets).
With it travels the fence: one TXT record per plan and zone that carries the epoch, so that a worker with
an outdated snapshot is refused by Route 53 itself. The same record tells any program which Region is active.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from region_failover.domain.plan import Plan, Role, Route53Record

FENCE_TTL_S = 30


@dataclass(frozen=True, slots=True)
class RecordSet:
    """A record set; `name` lower case without trailing dot, `values` sorted.

    `simple`: no alias, latency, failover, geolocation, multi-value or health check, and a weight only
    together with an identifier; `identifier` ('SetIdentifier') and `weight` of one of several weighted sets
    of one name and type, '' and None where it stands alone.
    """

    name: str
    type: str
    ttl: int
    values: tuple[str, ...]
    simple: bool = True
    identifier: str = ""
    weight: int | None = None


class ChangeAction(StrEnum):
    """The two actions that fail when the world is not as expected (UPSERT never does)."""

    DELETE = "DELETE"
    CREATE = "CREATE"


@dataclass(frozen=True, slots=True)
class Change:
    """One element of a change batch."""

    action: ChangeAction
    record: RecordSet


@dataclass(frozen=True, slots=True)
class Fence:
    """What the fence record says."""

    plan: str
    epoch: int
    active: str

    def render(self) -> str:
        """Return the TXT value, quotes included: '"region-failover plan=orders epoch=7 active=us-west-2"'."""
        return f'"region-failover plan={self.plan} epoch={self.epoch} active={self.active}"'


def parse_fence(value: str) -> Fence | None:
    """Return what a TXT value says, or None if it is not one of our fences."""
    words = value.strip('"').split()
    pairs = dict(word.split("=", 1) for word in words[1:] if "=" in word)
    if not words or words[0] != "region-failover" or not pairs.get("epoch", "").isdecimal():
        return None
    return Fence(pairs.get("plan", ""), int(pairs["epoch"]), pairs.get("active", ""))


@dataclass(frozen=True, slots=True)
class ZoneSnapshot:
    """What is in a zone of what the plan names; a record that is not there is absent."""

    fence: RecordSet | None
    records: tuple[RecordSet, ...]

    def find(self, name: str, kind: str) -> RecordSet | None:
        """Return the record set of that name and type, the first of several, or None."""
        return next(iter(self.sets(name, kind)), None)

    def sets(self, name: str, kind: str) -> tuple[RecordSet, ...]:
        """Return all record sets of that name and type: one, or several weighted ones, or none."""
        key = (canonical(name), kind)
        return tuple(r for r in self.records if (r.name, r.type) == key)

    def read_fence(self) -> Fence | None:
        """Return what the fence says, or None if there is none that we can read."""
        return parse_fence(self.fence.values[0]) if self.fence and self.fence.values else None

    def to_json(self) -> str:
        """Return the snapshot as JSON."""
        return json.dumps(
            {"fence": _dump(self.fence), "records": [_dump(record) for record in self.records]},
            sort_keys=True,
        )


def snapshot_from_json(text: str) -> ZoneSnapshot:
    """Return the snapshot that `to_json` wrote."""
    found = json.loads(text)
    fence = _load(found["fence"]) if found["fence"] else None
    return ZoneSnapshot(fence, tuple(_load(record) for record in found["records"]))


def _dump(record: RecordSet | None) -> dict[str, object] | None:
    if record is None:
        return None
    return {
        "name": record.name,
        "type": record.type,
        "ttl": record.ttl,
        "values": list(record.values),
        "simple": record.simple,
        **({"identifier": record.identifier, "weight": record.weight} if record.identifier else {}),
    }


def _load(found: dict[str, object]) -> RecordSet:
    values = found["values"]
    return RecordSet(
        str(found["name"]),
        str(found["type"]),
        int(str(found["ttl"])),
        tuple(values) if isinstance(values, list) else (),
        bool(found["simple"]),
        str(found.get("identifier", "")),
        None if found.get("weight") is None else int(str(found["weight"])),
    )


def canonical(name: str) -> str:
    """Return a DNS name in lower case without its trailing dot, Route 53's octal '*' undone."""
    return name.rstrip(".").lower().replace("\\052", "*")


def fence_name(records: Sequence[Route53Record]) -> str:
    """Return the fence's name in a zone: '_region-failover.' before the plan's first name there.

    First in the alphabet, so that a new order of the records in the plan is no new fence.
    """
    return f"_region-failover.{min(canonical(record.name).removeprefix('*.') for record in records)}"


def fence_record(records: Sequence[Route53Record], fence: Fence) -> RecordSet:
    """Return the fence as a record set."""
    return RecordSet(fence_name(records), "TXT", FENCE_TTL_S, (fence.render(),))


def wanted(record: Route53Record, role: Role) -> RecordSet:
    """Return the simple record set that points at that role's Region."""
    return RecordSet(canonical(record.name), record.type, record.ttl, tuple(sorted(record.values(role))))


def answers(record: Route53Record, role: Role, share: int | None = None) -> tuple[RecordSet, ...]:
    """Return the record sets that point at that role's Region: one, or a weighted one for each role.

    `share`: how many percent of the traffic weighted records send to the primary; None: all or nothing, as
    the role says. A simple record knows no share.
    """
    if not record.weighted:
        return (wanted(record, role),)
    percent = WHOLE[role] if share is None else share
    weights = {Role.PRIMARY: percent, Role.STANDBY: 100 - percent}
    return tuple(
        replace(wanted(record, each), identifier=record.identifier(each), weight=weights[each])
        for each in Role
    )


# The percent of the traffic that is at the primary when all of it is in that role's Region.
WHOLE = {Role.PRIMARY: 100, Role.STANDBY: 0}


def not_simple(found: ZoneSnapshot, records: Sequence[Route53Record]) -> str:
    """Return the first record whose sets there are of another kind than the plan's, '' if none.

    Another kind: an alias, a health check, a routing policy but weights; several sets or a weight where the
    plan has a simple record, a simple set where it has a weighted one.
    """
    for record in records:
        sets = found.sets(record.name, record.type)
        alike = all(there.simple and bool(there.identifier) == record.weighted for there in sets)
        if not alike or (len(sets) > 1 and not record.weighted):
            return f"{canonical(record.name)} {record.type}"
    return ""


def foreign(found: ZoneSnapshot, records: Sequence[Route53Record]) -> str:
    """Return what stands in the zone that is none of the plan's answers, '' if nothing.

    A record that is not there at all is not foreign: an empty answer is repaired by writing. Of a weighted
    one, any share is the plan's; whoever sets another pair of weights by hand is answered by the next switch.
    """
    for record in records:
        allowed = {(a.identifier, a.values) for role in Role for a in answers(record, role)}
        for there in found.sets(record.name, record.type):
            if (there.identifier, there.values) not in allowed:
                which = f" {there.identifier!r}" if there.identifier else ""
                return f"{there.name} {there.type}{which} holds {', '.join(there.values)}"
    return ""


def switch_batch(
    plan: Plan, zone_id: str, epoch: int, role: Role, before: ZoneSnapshot, share: int | None = None
) -> tuple[Change, ...]:
    """Return the batch that moves a zone's records to `role`, only if it is still as `before` saw it.

    `share`: what weighted records send to the primary, in percent (`answers`).
    """
    records = plan.zones()[zone_id]
    fence = fence_record(records, Fence(plan.name, epoch, plan.regions.of(role)))
    changes = _replace(before.fence, fence)
    for record in records:
        there = {found.identifier: found for found in before.sets(record.name, record.type)}
        for target in answers(record, role, share):
            if there.get(target.identifier) != target:
                changes += _replace(there.get(target.identifier), target)
    return tuple(changes)


def reassert_batch(
    plan: Plan, zone_id: str, epoch: int, role: Role, share: int | None = None
) -> tuple[Change, ...]:
    """Return a batch that changes nothing and proves that all is as `switch_batch` left it.

    For a worker that does not know the id of the change that put it there: Route 53 refuses this batch
    unless every record matches, and waiting for its INSYNC waits for the same records.
    """
    records = plan.zones()[zone_id]
    fence = fence_record(records, Fence(plan.name, epoch, plan.regions.of(role)))
    changes: list[Change] = []
    for there in (fence, *(found for record in records for found in answers(record, role, share))):
        changes += _replace(there, there)
    return tuple(changes)


def _replace(there: RecordSet | None, target: RecordSet) -> list[Change]:
    removal = [Change(ChangeAction.DELETE, there)] if there else []
    return [*removal, Change(ChangeAction.CREATE, target)]


def switched(plan: Plan, zone_id: str, epoch: int, role: Role, share: int | None = None) -> ZoneSnapshot:
    """Return what the batch of that epoch makes of a zone."""
    records = plan.zones()[zone_id]
    fence = fence_record(records, Fence(plan.name, epoch, plan.regions.of(role)))
    return ZoneSnapshot(fence, tuple(found for r in records for found in answers(r, role, share)))


def is_switched(
    found: ZoneSnapshot, plan: Plan, zone_id: str, epoch: int, role: Role, share: int | None = None
) -> bool:
    """Return whether the zone reads back as the batch of that epoch left it (I7)."""
    right = switched(plan, zone_id, epoch, role, share)
    return found.read_fence() == right.read_fence() and all(
        set(found.sets(record.name, record.type)) == set(right.sets(record.name, record.type))
        for record in plan.zones()[zone_id]
    )
