"""Write an empty answer back by itself: no transition, no cooldown, no budget; it delays no move.

The fence that is there travels with the batch and is kept: whoever moves the traffic meanwhile has changed
it, and Route 53 refuses this batch; whoever moves it afterwards finds the fence that he expects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from region_failover.domain.drift import (
    at_rest,
    checksum,
    count_repair,
    repair_batch,
    subject_of_record,
    why_not_made,
    why_not_repaired,
)
from region_failover.domain.drifted import Drifted
from region_failover.domain.errors import FenceRefused, RemoteFailure
from region_failover.domain.plan import Plan
from region_failover.domain.state import VERIFIED_WITHIN, PlanState
from region_failover.domain.verdict import Health
from region_failover.domain.zone import ZoneSnapshot
from region_failover.ports import Ports
from region_failover.service.observe import Observation, observe
from region_failover.service.record import change_and_tell, tell
from region_failover.service.switches import read_zone


@dataclass(frozen=True, slots=True)
class _Tried:
    """What became of a zone's empty answers: a change id, or why not; `faster`: another has seen to it."""

    change_id: str = ""
    why_not: str = ""
    faster: bool = False


def mend(
    ports: Ports, plan: Plan, state: PlanState, zones: Mapping[str, ZoneSnapshot], empty: Sequence[Drifted]
) -> None:
    """Write these empty answers back where that may be, and tell: of each zone what was done, or why not."""
    seen: Observation | None = None
    for zone_id, found in zones.items():
        subjects = {subject_of_record(record) for record in plan.zones()[zone_id]}
        here = [one for one in empty if one.subject in subjects]
        if not here:
            continue
        why_not = why_not_repaired(plan, state, found, ports.clock.now()) or why_not_made(
            plan, zone_id, found
        )
        if not why_not and seen is None:
            seen, _ = observe(ports, plan)
        tried = (
            _Tried(why_not=why_not)
            if seen is None or why_not
            else _try(ports, plan, state, zone_id, found, seen)
        )
        _record(ports, plan, state, zone_id, found, here, tried, seen)
        if not tried.faster:
            _tell(ports, plan, state, zone_id, here, tried)


def _try(
    ports: Ports, plan: Plan, state: PlanState, zone_id: str, found: ZoneSnapshot, seen: Observation
) -> _Tried:
    """Send the batch, if the Region was seen well just now (I5), and the record says at the last moment that
    the plan still rests where it did (I2, I17)."""
    sample = seen.samples[state.active]
    if sample.health is not Health.HEALTHY:
        return _Tried(why_not=f"{state.active} is {sample.health.value}: {sample.why}")
    batch = repair_batch(plan, state, zone_id, found)
    now = ports.store.load_state(plan.name)
    if now is None or not at_rest(now, state.epoch):
        return _Tried(why_not="a move has begun meanwhile, and writes it itself", faster=True)
    why_not = why_not_repaired(plan, now, found, ports.clock.now())
    if why_not or ports.clock.now() - seen.at > VERIFIED_WITHIN:
        return _Tried(why_not=why_not or f"{state.active} was verified too long ago")
    comment = f"region-failover: {plan.name} epoch {state.epoch}: an empty answer written back"
    try:
        return _Tried(change_id=ports.zones.submit(zone_id, batch, comment))
    except FenceRefused as error:
        why_not = f"Route 53 refused it, as the zone has changed: {error}"
        return _Tried(why_not=why_not, faster=_is_there(ports, plan, state, zone_id))
    except RemoteFailure as error:
        return _Tried(why_not=str(error))


def _is_there(ports: Ports, plan: Plan, state: PlanState, zone_id: str) -> bool:
    """Return whether nothing is missing in a zone any more: a move, or another tick, was faster."""
    try:
        return not repair_batch(plan, state, zone_id, read_zone(ports, plan, zone_id))
    except RemoteFailure:
        return False


def _record(
    ports: Ports,
    plan: Plan,
    state: PlanState,
    zone_id: str,
    found: ZoneSnapshot,
    empty: Sequence[Drifted],
    tried: _Tried,
    seen: Observation | None,
) -> None:
    """Put what was decided on record, with what it was made from (I23)."""
    decision: dict[str, object] = {
        "plan": plan.name,
        "action": "repair" if tried.change_id else "hold",
        "reason": "empty-answer",
        "trigger": "schedule",
        "detail": tried.change_id or tried.why_not,
        "zone": zone_id,
        "epoch": state.epoch,
        "empty": [one.subject for one in empty],
        "found": found.to_json(),
        "situation": None,
        "checks": [f"{r.region} {r}" for r in seen.results] if seen else [],
    }
    ports.store.record_decision(plan.name, ports.clock.now(), decision)
    ports.meter.log("empty answer", **{key: decision[key] for key in ("plan", "action", "detail", "zone")})


def _tell(
    ports: Ports, plan: Plan, state: PlanState, zone_id: str, empty: Sequence[Drifted], tried: _Tried
) -> None:
    lines = "\n".join(f"- {one.subject}: {one.due}" for one in empty)
    if not tried.change_id:
        since = min(one.since for one in empty)
        tell(
            ports,
            plan,
            f"empty {checksum(empty)} {since.isoformat()}",
            f"[{plan.name}] an answer is empty, and is not written back",
            f"In zone {zone_id} there is nothing where the plan has an answer: nobody is served.\n{lines}\n"
            f"It is not written back: {tried.why_not}.\n"
            f"The next tick looks again. By hand: region-failover restore {plan.name} --reason ...\n"
            "docs/runbook.md, 'An empty answer', says what to do.",
        )
        return
    at = ports.clock.now()
    change = f"an empty answer written back, epoch {state.epoch}, at {at:%Y-%m-%d %H:%M:%S} UTC;"
    mended = {one.subject for one in empty}
    change_and_tell(
        ports,
        plan,
        lambda now: replace(
            count_repair(now, at),
            drift=tuple(one for one in now.drift if one.subject not in mended),
            last_change=f"{change} changes: zone {zone_id} {tried.change_id}",
        ),
        lambda _: (
            f"mended {tried.change_id} {at.isoformat()}",
            f"[{plan.name}] an answer was gone, and is written back",
            f"In zone {zone_id} there was nothing where the plan has an answer. Written back for"
            f" {state.active}, as change {tried.change_id}:\n{lines}\n"
            "It reaches every server within about a minute; resolvers may keep that there was nothing for as"
            " long as the zone's SOA record says.\nWho deleted it? docs/runbook.md, 'An empty answer'.",
        ),
    )
