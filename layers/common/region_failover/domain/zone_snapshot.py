"""What is in a zone of what a plan names there, and the fence: the TXT record that says who moved it last."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from region_failover.domain.plan import Role, Route53Record
from region_failover.domain.record_set import RecordSet, canonical, dump_set, load_set

FENCE_TTL_S = 30


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
    """What is in a zone of what the plan names; a record that is not there is absent.

    `was`: what the last move to the standby changed here (`domain/zone_return.py`), as it stands in the
    plan's state; no part of the JSON. `by_name`: the records, to be found among a thousand.
    """

    fence: RecordSet | None
    records: tuple[RecordSet, ...]
    was: str = ""
    by_name: Mapping[str, Sequence[RecordSet]] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Sort the records by name."""
        by_name: dict[str, list[RecordSet]] = {}
        for record in self.records:
            by_name.setdefault(record.name, []).append(record)
        object.__setattr__(self, "by_name", by_name)

    def find(self, name: str, kind: str) -> RecordSet | None:
        """Return the record set of that name and type, the first of several, or None."""
        return next(iter(self.sets(name, kind)), None)

    def sets(self, name: str, kind: str) -> tuple[RecordSet, ...]:
        """Return all record sets of that name and type: one, or those of a routing policy, or none."""
        return tuple(r for r in self.by_name.get(canonical(name), ()) if r.type == kind)

    def of(self, record: Route53Record) -> tuple[RecordSet, ...]:
        """Return the record sets that a plan's record speaks of: the one it names, or all of its name."""
        sets = self.sets(record.name, record.type)
        if not record.set_identifier:
            return sets
        return tuple(there for there in sets if there.identifier == record.set_identifier)

    def read_fence(self) -> Fence | None:
        """Return what the fence says, or None if there is none that we can read."""
        return parse_fence(self.fence.values[0]) if self.fence and self.fence.values else None

    def to_json(self) -> str:
        """Return the snapshot as JSON."""
        fence = dump_set(self.fence) if self.fence else None
        return json.dumps({"fence": fence, "records": list(map(dump_set, self.records))}, sort_keys=True)


def snapshot_from_json(text: str) -> ZoneSnapshot:
    """Return the snapshot that `to_json` wrote, in this version or any other."""
    found = json.loads(text)
    fence = load_set(found["fence"]) if found["fence"] else None
    return ZoneSnapshot(fence, tuple(load_set(record) for record in found["records"]))


def fence_name(records: Sequence[Route53Record]) -> str:
    """Return the fence's name in a zone: '_region-failover.' before the plan's first name there.

    First in the alphabet, so that a new order of the records in the plan is no new fence.
    """
    return f"_region-failover.{min(canonical(record.name).removeprefix('*.') for record in records)}"


def fence_record(records: Sequence[Route53Record], fence: Fence) -> RecordSet:
    """Return the fence as a record set."""
    return RecordSet(fence_name(records), "TXT", FENCE_TTL_S, (fence.render(),))


def names_of(records: Sequence[Route53Record]) -> list[tuple[str, str]]:
    """Return the (name, type) to read in a zone: the plan's, and those there that its aliases point at.

    An alias of a record of its own zone is refused by Route 53 unless that record is there.
    """
    aliases = [(r, r.alias(role)) for r in records for role in Role]
    here = [(alias.name, r.type) for r, alias in aliases if alias and alias.zone_id == r.zone_id]
    return [(r.name, r.type) for r in records] + list(dict.fromkeys(here))


def only_of(found: ZoneSnapshot, records: Sequence[Route53Record]) -> ZoneSnapshot:
    """Return the snapshot without the sets of other routing choices that the plan does not name.

    Of 200 geolocation sets of a name the plan switches one: the others are none of its business (I8), and
    would fill its record.
    """
    chosen = {(canonical(r.name), r.type) for r in records if r.set_identifier}
    named = {(canonical(r.name), r.type, r.set_identifier) for r in records}
    return ZoneSnapshot(
        found.fence,
        tuple(
            there
            for there in found.records
            if (there.name, there.type) not in chosen or (there.name, there.type, there.identifier) in named
        ),
    )
