"""The batches of a transition before it is claimed: made as the move makes them, counted, and looked at.

What makes them is `domain/zone.py`; what a batch must never do is asked here of the batch itself. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from region_failover.domain.plan import Plan, Role
from region_failover.domain.shares import aim
from region_failover.domain.state import Direction, PlanState, Step, StepKind
from region_failover.domain.zone import (
    Change,
    ChangeAction,
    RecordSet,
    ZoneSnapshot,
    answers,
    canonical,
    fence_name,
    switch_batch,
)


@dataclass(frozen=True, slots=True)
class Intent:
    """A transition that would be made. `share`: as in `Transition.share`."""

    direction: Direction
    source: str
    target: str
    share: int | None = None


Batches = Mapping[str, tuple[Change, ...]]


def batches_of(
    plan: Plan, epoch: int, intent: Intent, steps: Sequence[Step], zones: Mapping[str, ZoneSnapshot]
) -> dict[str, tuple[Change, ...]]:
    """Return the batch of each zone that was read, as the transition of that epoch would send it."""
    role, share = aim(plan, intent)
    return {
        step.subject: switch_batch(plan, step.subject, epoch, role, zones[step.subject], share)
        for step in steps
        if step.kind is StepKind.ROUTE53 and step.subject in zones
    }


def with_was(
    plan: Plan, state: PlanState, intent: Intent, zones: Mapping[str, ZoneSnapshot]
) -> dict[str, ZoneSnapshot]:
    """Return the zones, for a whole return with what the move away had changed (`domain/zone_return.py`)."""
    if aim(plan, intent) != (Role.PRIMARY, None):
        return dict(zones)
    return {zone_id: replace(found, was=state.was.get(zone_id, "")) for zone_id, found in zones.items()}


class Safety(StrEnum):
    """What is asked of every transition before it is claimed, and of what is shown of one."""

    OUTSIDE_UNTOUCHED = "outside-the-plan-untouched"
    NO_EMPTY_ANSWER = "no-empty-answer"
    WITHIN_CAP = "within-the-cap"
    TARGET_VERIFIED = "target-verified"
    ALL_READ = "all-read"
    LINODE_AS_PLANNED = "linode-as-planned"


def unsafe(plan: Plan, zone_id: str, batch: Sequence[Change]) -> Iterator[tuple[Safety, str]]:
    """Yield what a batch would do that none may (I6, I8): the batches are made so; this looks at one made.

    None may touch a name that is not the plan's, nor leave one without an answer.
    """
    records = plan.zones()[zone_id]
    ours = {(canonical(r.name), r.type) for r in records} | {(fence_name(records), "TXT")}
    created = {_name(c.record) for c in batch if c.action is ChangeAction.CREATE and not _is_empty(c.record)}
    touched = {_name(change.record) for change in batch}
    for name, kind in sorted(touched - ours):
        yield Safety.OUTSIDE_UNTOUCHED, f"zone {zone_id}: {name} {kind} is not in the plan, and would change"
    for name, kind in sorted(touched - created):
        yield Safety.NO_EMPTY_ANSWER, f"zone {zone_id}: {name} {kind} would be left without an answer"


def _name(record: RecordSet) -> tuple[str, str]:
    return record.name, record.type


def _is_empty(record: RecordSet) -> bool:
    return not record.values and not record.alias


def count_changes(plan: Plan, intent: Intent, steps: Sequence[Step], batches: Batches) -> int:
    """Return how many records and parameters the transition would change; the fences are not counted.

    A zone that was not read counts with all its records. So do Linode's records and the parameters, each
    copy for itself, whatever they hold: before a claim nobody looks at them.
    """
    role, share = aim(plan, intent)
    count = 0
    for step in steps:
        if step.kind is StepKind.ROUTE53 and step.subject in batches:
            fence = (fence_name(plan.zones()[step.subject]), "TXT")
            created = [c for c in batches[step.subject] if c.action is ChangeAction.CREATE]
            count += sum(_name(change.record) != fence for change in created)
        elif step.kind is StepKind.ROUTE53:
            count += sum(len(answers(r, role, share)) for r in plan.zones().get(step.subject, ()))
        else:
            count += len(plan.linode_records) if step.kind is StepKind.LINODE else 1
    return count


def count_of_all(plan: Plan, steps: Sequence[Step]) -> int:
    """Return how many changes a whole switch of a plan makes at the most."""
    whole = Intent(Direction.FAILOVER, plan.regions.primary, plan.regions.standby)
    return count_changes(plan, whole, steps, {})
