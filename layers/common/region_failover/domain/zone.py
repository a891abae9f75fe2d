"""A Route 53 zone as a switch sees it: what is there, what shall be, and the batch that makes it so.

The batch is a compare-and-swap: `DELETE` must match what is there to the letter, `CREATE` fails where
something is, and Route 53 takes a batch whole or not at all (API reference, ChangeResourceRecordSets).
With it travels the fence: one TXT record per plan and zone that carries the epoch, so that a worker with
an outdated snapshot is refused by Route 53 itself. The same record tells any program which Region is active.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from region_failover.domain.plan import Plan, Role, Route53Record

FENCE_TTL_S = 30


@dataclass(frozen=True, slots=True)
class RecordSet:
    """A simple record set; `name` lower case without trailing dot, `values` sorted. `simple`: no alias,
    weight, latency, failover, geolocation, multi-value or health check."""

    name: str
    type: str
    ttl: int
    values: tuple[str, ...]
    simple: bool = True


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
        """Return the record set of that name and type, or None."""
        return next((r for r in self.records if (r.name, r.type) == (canonical(name), kind)), None)

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
    }


def _load(found: dict[str, object]) -> RecordSet:
    values = found["values"]
    return RecordSet(
        str(found["name"]),
        str(found["type"]),
        int(str(found["ttl"])),
        tuple(values) if isinstance(values, list) else (),
        bool(found["simple"]),
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
    """Return the record set that points at that role's Region."""
    return RecordSet(canonical(record.name), record.type, record.ttl, tuple(sorted(record.values(role))))


def not_simple(found: ZoneSnapshot, records: Sequence[Route53Record]) -> str:
    """Return the first record set there that has a routing policy, an alias or a health check, '' if none."""
    there = [found.find(record.name, record.type) for record in records]
    return next((f"{record.name} {record.type}" for record in there if record and not record.simple), "")


def foreign(found: ZoneSnapshot, records: Sequence[Route53Record]) -> str:
    """Return what stands in the zone that is neither of the plan's two answers, '' if nothing.

    A record that is not there at all is not foreign: an empty answer is repaired by writing.
    """
    for record in records:
        there = found.find(record.name, record.type)
        if there is None:
            continue
        if all(there.values != wanted(record, role).values for role in Role):
            return f"{there.name} {there.type} holds {', '.join(there.values)}"
    return ""


def switch_batch(
    plan: Plan, zone_id: str, epoch: int, role: Role, before: ZoneSnapshot
) -> tuple[Change, ...]:
    """Return the batch that moves a zone's records to `role`, only if it is still as `before` saw it."""
    records = plan.zones()[zone_id]
    fence = fence_record(records, Fence(plan.name, epoch, plan.regions.of(role)))
    changes = _replace(before.fence, fence)
    for record in records:
        there, target = before.find(record.name, record.type), wanted(record, role)
        if there != target:
            changes += _replace(there, target)
    return tuple(changes)


def reassert_batch(plan: Plan, zone_id: str, epoch: int, role: Role) -> tuple[Change, ...]:
    """Return a batch that changes nothing and proves that all is as `switch_batch` left it.

    For a worker that does not know the id of the change that put it there: Route 53 refuses this batch
    unless every record matches, and waiting for its INSYNC waits for the same records.
    """
    records = plan.zones()[zone_id]
    fence = fence_record(records, Fence(plan.name, epoch, plan.regions.of(role)))
    changes: list[Change] = []
    for there in (fence, *(wanted(record, role) for record in records)):
        changes += _replace(there, there)
    return tuple(changes)


def _replace(there: RecordSet | None, target: RecordSet) -> list[Change]:
    removal = [Change(ChangeAction.DELETE, there)] if there else []
    return [*removal, Change(ChangeAction.CREATE, target)]


def is_switched(found: ZoneSnapshot, plan: Plan, zone_id: str, epoch: int, role: Role) -> bool:
    """Return whether the zone reads back as the batch of that epoch left it (I7)."""
    records = plan.zones()[zone_id]
    fence = found.read_fence()
    return fence == Fence(plan.name, epoch, plan.regions.of(role)) and all(
        found.find(record.name, record.type) == wanted(record, role) for record in records
    )
