"""The last look before a claim: what of the world, or of a human's own word, holds a move that is decided.

The move asks for the first reason, a preview for all of them (`service/plan_ahead.py`): both ask here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from region_failover.domain.batches import Intent, batches_of, count_changes, unsafe, with_was
from region_failover.domain.decision import Reason
from region_failover.domain.drift import astray
from region_failover.domain.plan import Plan
from region_failover.domain.state import Direction, PlanState
from region_failover.domain.trigger import Trigger
from region_failover.domain.zone import ZoneSnapshot
from region_failover.ports import Ports
from region_failover.service.preview import preview
from region_failover.service.switches import obstacles, plan_steps

Obstacle = tuple[Reason, str]

MOVED_ON = "another worker has moved on since this one looked at the record"


def in_the_way(
    ports: Ports,
    plan: Plan,
    state: PlanState,
    trigger: Trigger,
    intent: Intent,
    zones: Mapping[str, ZoneSnapshot],
) -> Iterator[Obstacle]:
    """Yield what holds this transition, gravest first; nothing of it is looked for before it is asked for.

    A human's word (`force`) goes over drift and over the plan's cap, and over nothing else.
    """
    forced = trigger.manual and trigger.force
    for reason, detail in obstacles(plan, state.epoch, zones):
        if reason is Reason.FENCE_AHEAD and _has_moved_on(ports, plan, state):
            yield Reason.LOST_THE_CLAIM, MOVED_ON
        elif not (forced and reason is Reason.DRIFT):
            yield reason, detail
    if intent.direction is Direction.FAILBACK and not trigger.manual:
        yield from filter(None, [astray(plan, state, zones)])
    yield from _of_batches(plan, state, intent, zones, forced)
    if trigger.expect is not None:
        yield from _of_expectation(ports, plan, state, trigger.expect, intent, zones)


def _has_moved_on(ports: Ports, plan: Plan, state: PlanState) -> bool:
    """Return whether the record is newer than this: then a fence ahead of it is no record restored."""
    found = ports.store.load_state(plan.name)
    return found is not None and found.epoch > state.epoch


def _of_batches(
    plan: Plan, state: PlanState, intent: Intent, zones: Mapping[str, ZoneSnapshot], forced: bool
) -> Iterator[Obstacle]:
    steps, cap = plan_steps(plan, intent.share), plan.policy.max_changes
    batches = batches_of(plan, state.epoch + 1, intent, steps, with_was(plan, state, intent, zones))
    for zone_id, batch in batches.items():
        yield from ((Reason.UNSAFE_BATCH, words) for _, words in unsafe(plan, zone_id, batch))
    count = count_changes(plan, intent, steps, batches)
    if cap is not None and count > cap and not forced:
        yield Reason.TOO_MANY_CHANGES, f"it would make {count} changes, the plan's max_changes is {cap}"


def _of_expectation(
    ports: Ports,
    plan: Plan,
    state: PlanState,
    expected: str,
    intent: Intent,
    zones: Mapping[str, ZoneSnapshot],
) -> Iterator[Obstacle]:
    """Yield that this is not the plan that a human has seen; one that nobody can see is none of his."""
    now = preview(ports, plan, state, intent, zones).checksum
    if now != expected:
        became = f"it is {now} now" if now else "now a zone cannot be read"
        yield Reason.PLAN_CHANGED, f"the plan {expected} was expected, {became}: look at it again"
