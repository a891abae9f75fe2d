"""Show a move before it is made: what is there, what would be, and all that would hold it now.

It looks as the move looks and asks what the move asks, by the same functions, and stops before the record:
no sample, no decision and no claim is written. (The checks write and read their heartbeat items, as every
round of checks does.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from region_failover.domain.batches import Intent
from region_failover.domain.decision import (
    Reason,
    Situation,
    decide_failback,
    decide_failover,
    decide_return,
)
from region_failover.domain.holds import Decide, every_hold, explain
from region_failover.domain.plan import Plan, Role
from region_failover.domain.preview import findings_of, said
from region_failover.domain.shares import RETURNED
from region_failover.domain.state import Direction, PlanState
from region_failover.domain.trigger import Kind, Trigger
from region_failover.domain.verdict import Health
from region_failover.domain.zone import ZoneSnapshot
from region_failover.ports import Ports
from region_failover.service.gate import in_the_way
from region_failover.service.judge import situation_of
from region_failover.service.observe import look_aside
from region_failover.service.preview import intent_of, preview
from region_failover.service.record import Summary, state_or_what_it_would_be
from region_failover.service.transition import read_zones

Held = tuple[Reason, str]


def plan_ahead(
    ports: Ports, plan: Plan, trigger: Trigger, direction: Direction, fleet: Callable[[], int]
) -> Summary:
    """Return the move of that direction to where the trigger says, as it would be now; change nothing.

    `fleet`: how many percent of the stack's plans want to move.
    """
    asked = replace(trigger, kind=Kind.MANUAL)
    state = state_or_what_it_would_be(ports, plan)
    seen, known = look_aside(ports, plan)
    situation = situation_of(ports, plan, state, seen, known, asked)
    to = plan.regions.of(trigger.to or Role.STANDBY)
    intent = _intent(plan, state, direction, to)
    decide = _decision(intent)
    zones = read_zones(ports, plan)
    read = {zone: found for zone, found in zones.items() if isinstance(found, ZoneSnapshot)}
    shown = preview(ports, plan, state, intent, zones)
    by_hand = list(_held(ports, plan, state, asked, intent, read, situation, decide))
    alone = replace(situation, manual=False, force=False, fleet_percent=fleet())
    by_itself = list(_held(ports, plan, state, trigger, intent, read, alone, decide))
    decision = decide(situation, plan.policy)
    target = seen.samples[intent.target]
    verified, why = target.health is Health.HEALTHY, f"{target.health.value}: {target.why}"
    ports.meter.log("plan shown", plan=plan.name, event=trigger.id, checksum=shown.checksum)
    return {
        "plan": plan.name,
        "action": "plan",
        "would": "hold" if by_hand else "move",
        "reason": (by_hand[0][0] if by_hand else decision.reason).value,
        "held_by": [_told(held) for held in by_hand],
        "automation_held_by": [_told(held) for held in by_itself],
        "active": state.active,
        "phase": state.phase.value,
        **said(shown),
        "findings": [
            {"safety": f.safety.value, "ok": f.ok, "words": f.words}
            for f in findings_of(shown, verified, why)
        ],
        "regions": {
            region: {"health": sample.health.value, "why": sample.why}
            for region, sample in seen.samples.items()
        },
        "checks": [f"{result.region} {result}" for result in seen.results],
    }


def _told(held: Held) -> dict[str, str]:
    return {"reason": held[0].value, "detail": held[1]}


def _intent(plan: Plan, state: PlanState, direction: Direction, to: str) -> Intent:
    """Return the transition that would bring the traffic there; where it is there, what would be written."""
    if to != state.active:
        return intent_of(plan, state, direction, None)
    if direction is Direction.FAILOVER and state.share is not None:
        return intent_of(plan, state, direction, RETURNED)
    return Intent(direction, plan.regions.other(to), to)


def _decision(intent: Intent) -> Decide:
    if intent.share == RETURNED:
        return lambda situation, _: decide_return(situation)
    return decide_failback if intent.direction is Direction.FAILBACK else decide_failover


def _held(
    ports: Ports,
    plan: Plan,
    state: PlanState,
    trigger: Trigger,
    intent: Intent,
    zones: Mapping[str, ZoneSnapshot],
    situation: Situation,
    decide: Decide,
) -> Iterator[Held]:
    """Yield every reason for which this move would be held now, for whoever the situation says asks."""
    is_there = intent.target == state.active and intent.share is None
    if is_there and intent.direction is Direction.FAILOVER:
        yield Reason.ALREADY_THERE, f"the traffic is in {intent.target}"
        return
    for reason in every_hold(decide, situation, plan.policy):
        yield reason, explain(reason, plan.policy, state, situation)
    if not is_there:
        yield from in_the_way(ports, plan, state, trigger, intent, zones)
