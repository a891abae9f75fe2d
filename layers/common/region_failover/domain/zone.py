"""A Route 53 zone as a switch sees it: what is there, what shall be, and the batch that makes it so.

The batch is a compare-and-swap: `DELETE` must match what is there to the letter, `CREATE` fails where
something is, and Route 53 takes a batch whole or not at all (API reference, ChangeResourceRecordSets).
With it travels the fence: one TXT record per plan and zone that carries the epoch, so that a worker with
an outdated snapshot is refused by Route 53 itself. The same record tells any program which Region is active.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from region_failover.domain.plan import Plan, Role, Route53Record
from region_failover.domain.record_set import Alias, RecordSet, canonical
from region_failover.domain.zone_fit import foreign, misfit, not_simple
from region_failover.domain.zone_return import put_back
from region_failover.domain.zone_snapshot import (
    FENCE_TTL_S,
    Fence,
    ZoneSnapshot,
    fence_name,
    fence_record,
    names_of,
    parse_fence,
    snapshot_from_json,
)
from region_failover.domain.zone_target import WHOLE, answers, sends_to, wanted

__all__ = [
    "BATCH_CHARACTERS",
    "BATCH_ELEMENTS",
    "FENCE_TTL_S",
    "WHOLE",
    "Alias",
    "Change",
    "ChangeAction",
    "Fence",
    "RecordSet",
    "ZoneSnapshot",
    "answers",
    "canonical",
    "fence_name",
    "fence_record",
    "foreign",
    "is_switched",
    "misfit",
    "names_of",
    "not_simple",
    "parse_fence",
    "reassert_batch",
    "sends_to",
    "size_of",
    "snapshot_from_json",
    "switch_batch",
    "switched",
    "too_large",
    "wanted",
]

# A change batch holds 1,000 ResourceRecord elements and 32,000 characters of values (API reference).
BATCH_ELEMENTS = 1000
BATCH_CHARACTERS = 32_000


class ChangeAction(StrEnum):
    """The two actions that fail when the world is not as expected (UPSERT never does)."""

    DELETE = "DELETE"
    CREATE = "CREATE"


@dataclass(frozen=True, slots=True)
class Change:
    """One element of a change batch."""

    action: ChangeAction
    record: RecordSet


def _targets(
    record: Route53Record, role: Role, share: int | None, before: ZoneSnapshot
) -> tuple[RecordSet, ...]:
    """Return what the switch makes of a record; on a whole return as it was before the traffic left."""
    there = {found.identifier: found for found in before.of(record)}
    made = answers(record, role, share, tuple(there.values()))
    if role is not Role.PRIMARY or share is not None:
        return made
    return tuple(put_back(target, there.get(target.identifier), before.was) for target in made)


def switch_batch(
    plan: Plan, zone_id: str, epoch: int, role: Role, before: ZoneSnapshot, share: int | None = None
) -> tuple[Change, ...]:
    """Return the batch that moves a zone's records to `role`, only if it is still as `before` saw it.

    `share`: what weighted records send to the primary, in percent (`answers`). A further set of a record
    whose sets are the plan's is taken away: it can only be there where a human has said that it shall.
    """
    records = plan.zones()[zone_id]
    fence = fence_record(records, Fence(plan.name, epoch, plan.regions.of(role)))
    changes = _replace(before.fence, fence)
    for record in records:
        there = {found.identifier: found for found in before.of(record)}
        for target in _targets(record, role, share, before):
            if there.get(target.identifier) != target:
                changes += _replace(there.get(target.identifier), target)
            there.pop(target.identifier, None)
        changes += [Change(ChangeAction.DELETE, further) for further in there.values()]
    return tuple(changes)


def reassert_batch(
    plan: Plan,
    zone_id: str,
    epoch: int,
    role: Role,
    share: int | None = None,
    before: ZoneSnapshot | None = None,
) -> tuple[Change, ...]:
    """Return a batch that changes nothing and proves that all is as `switch_batch` left it.

    For a worker that does not know the id of the change that put it there: Route 53 refuses this batch
    unless every record matches, and waiting for its INSYNC waits for the same records. `before`: what the
    switch replaced; None: nothing but what the plan says.
    """
    left = switched(plan, zone_id, epoch, role, share, before)
    changes: list[Change] = []
    for there in (left.fence, *left.records):
        changes += _replace(there, there) if there else []
    return tuple(changes)


def _replace(there: RecordSet | None, target: RecordSet) -> list[Change]:
    removal = [Change(ChangeAction.DELETE, there)] if there else []
    return [*removal, Change(ChangeAction.CREATE, target)]


def switched(
    plan: Plan,
    zone_id: str,
    epoch: int,
    role: Role,
    share: int | None = None,
    before: ZoneSnapshot | None = None,
) -> ZoneSnapshot:
    """Return what the batch of that epoch makes of a zone that was as `before`."""
    records = plan.zones()[zone_id]
    fence = fence_record(records, Fence(plan.name, epoch, plan.regions.of(role)))
    seen = before or ZoneSnapshot(None, ())
    return ZoneSnapshot(fence, tuple(found for r in records for found in _targets(r, role, share, seen)))


def is_switched(
    found: ZoneSnapshot,
    plan: Plan,
    zone_id: str,
    epoch: int,
    role: Role,
    share: int | None = None,
    before: ZoneSnapshot | None = None,
) -> bool:
    """Return whether the zone reads back as the batch of that epoch left it (I7).

    `before`: what the batch replaced; None: what the plan does not say may be anything.
    """
    right = switched(plan, zone_id, epoch, role, share, before or found)
    return found.read_fence() == right.read_fence() and all(
        set(found.of(record)) == set(right.of(record)) for record in plan.zones()[zone_id]
    )


def size_of(changes: Sequence[Change]) -> tuple[int, int]:
    """Return how many elements and how many characters of values a batch counts.

    The API reference counts ResourceRecord elements. An alias has none, and is counted as one here.
    """
    elements = sum(max(1, len(change.record.values)) for change in changes)
    return elements, sum(len(value) for change in changes for value in change.record.values)


def too_large(changes: Sequence[Change]) -> str:
    """Return how a batch exceeds what Route 53 takes in one, '' if it does not."""
    elements, characters = size_of(changes)
    if elements <= BATCH_ELEMENTS and characters <= BATCH_CHARACTERS:
        return ""
    return (
        f"the batch has {elements} values of {characters} characters; Route 53 takes at most"
        f" {BATCH_ELEMENTS} of {BATCH_CHARACTERS}"
    )
