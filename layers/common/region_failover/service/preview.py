"""Read all that a transition would switch, and make its preview; it writes nothing.

Linode's records and the parameters are read here alone: an ordinary move does not wait for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import TypeVar

from region_failover.domain.batches import Intent, with_was
from region_failover.domain.entries import There, linode_key, parameter_key, zone_key
from region_failover.domain.linode import held
from region_failover.domain.plan import Plan
from region_failover.domain.preview import Preview, preview_of
from region_failover.domain.shares import RETURNED
from region_failover.domain.state import Direction, PlanState, Step, StepKind
from region_failover.domain.zone import ZoneSnapshot
from region_failover.ports import Ports
from region_failover.service.linode_records import survey
from region_failover.service.record import Deadline
from region_failover.service.switches import plan_steps

# Linode's records and parameters of a Region that hangs: one call each, all at the same time.
READ_WITHIN = timedelta(seconds=6)

T = TypeVar("T")


def intent_of(plan: Plan, state: PlanState, direction: Direction, share: int | None) -> Intent:
    """Return the transition that this would be from where the traffic is."""
    source, target = state.active, plan.regions.other(state.active)
    if share == RETURNED:  # what is on trial at the primary comes back to where the rest is
        source, target = target, source
    return Intent(direction, source, target, share)


def preview(
    ports: Ports,
    plan: Plan,
    state: PlanState,
    intent: Intent,
    zones: Mapping[str, ZoneSnapshot | Exception],
) -> Preview:
    """Return what this transition would make of what is there; `zones`: as they were read just now."""
    steps = plan_steps(plan, intent.share)
    unread = {zone_key(zone): _why(a) for zone, a in zones.items() if isinstance(a, Exception)}
    read = {zone: found for zone, found in zones.items() if isinstance(found, ZoneSnapshot)}
    linode, not_linode = _linode(ports, plan, steps)
    parameters, not_parameters = _parameters(ports, steps)
    there = There(
        zones=with_was(plan, state, intent, read),
        linode=linode,
        parameters=parameters,
        unread={**unread, **not_linode, **not_parameters},
    )
    return preview_of(plan, state.epoch + 1, intent, steps, there)


def _linode(
    ports: Ports, plan: Plan, steps: Sequence[Step]
) -> tuple[dict[str, list[tuple[str, int]]], dict[str, str]]:
    records = plan.linode_records if any(step.kind is StepKind.LINODE for step in steps) else ()
    domains = survey(ports, records, Deadline.after(ports, READ_WITHIN.total_seconds()))
    found: dict[str, list[tuple[str, int]]] = {}
    unread: dict[str, str] = {}
    for record in records:
        domain = domains[record.domain_id]
        if isinstance(domain, Exception):
            unread[linode_key(record)] = _why(domain)
        else:
            there = [(one.target, one.ttl_sec) for one in held(record, domain)]
            found[linode_key(record)] = sorted(there)
    return found, unread


def _parameters(ports: Ports, steps: Sequence[Step]) -> tuple[dict[str, str | None], dict[str, str]]:
    return _read(
        ports,
        {
            parameter_key(step.region, step.subject): partial(
                ports.parameters.read, step.region, step.subject
            )
            for step in steps
            if step.kind is StepKind.SSM
        },
    )


def _read(ports: Ports, calls: Mapping[str, Callable[[], T]]) -> tuple[dict[str, T], dict[str, str]]:
    """Return what was read, and why the rest was not."""
    answers = ports.together(list(calls.values()), READ_WITHIN) if calls else []
    found: dict[str, T] = {}
    unread: dict[str, str] = {}
    for key, answer in zip(calls, answers, strict=True):
        if isinstance(answer, Exception):
            unread[key] = _why(answer)
        else:
            found[key] = answer
    return found, unread


def _why(error: Exception) -> str:
    return str(error) or type(error).__name__
