"""What readiness looks at of switches without a control plane: one look each, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from region_failover.domain.dataplane import Follows, alarm_name, follows_alarm, subject_of
from region_failover.domain.dataplane_readiness import (
    PairSeen,
    of_answers,
    of_controls,
    of_pair,
    of_public_object,
    of_traffic_alarm,
)
from region_failover.domain.plan import HealthCheck, Plan
from region_failover.domain.readiness import Finding
from region_failover.domain.state import PlanState
from region_failover.ports import Ports
from region_failover.service.routing import read_controls


class DataPlaneInventory(Protocol):
    """What only readiness looks at. Every method may raise RemoteFailure."""

    @property
    def control_region(self) -> str:
        """Return the control Region."""
        ...

    def failover_pair(self, zone_id: str, name: str, kind: str) -> PairSeen:
        """Return a failover pair as its zone has it."""
        ...

    def alarm_is_there(self, name: str) -> bool:
        """Return whether the control Region has an alarm of that name."""
        ...


@dataclass(frozen=True, slots=True)
class Look:
    """One thing to look at, and what follows from what is seen."""

    subject: str
    see: Callable[[], object]
    find: Callable[[Any], Iterable[Finding]]


def data_plane_looks(
    ports: Ports, inventory: DataPlaneInventory, plan: Plan, state: PlanState | None
) -> Iterator[Look]:
    """Yield what to look at; nothing for a plan without such switches."""
    if follows_alarm(plan):
        name, region = alarm_name(plan.name), inventory.control_region
        see = partial(inventory.alarm_is_there, name)
        yield Look(f"alarm {name}", see, partial(of_traffic_alarm, plan, region))
    for switch in plan.health_checks:
        yield from _of_health_check(ports, inventory, plan, state, switch)
    for control in plan.routing_controls:
        see_states = partial(read_controls, ports, control, 0)
        subject = f"routing controls {subject_of(control)}"
        yield Look(subject, see_states, partial(of_controls, plan, state, control))


def _of_health_check(
    ports: Ports, inventory: DataPlaneInventory, plan: Plan, state: PlanState | None, switch: HealthCheck
) -> Iterator[Look]:
    subject = subject_of(switch)
    yield Look(
        f"pair {subject}",
        partial(inventory.failover_pair, switch.zone_id, switch.name, switch.type),
        partial(of_pair, plan, switch, inventory.control_region),
    )
    yield Look(
        f"answers for {subject}",
        partial(ports.zone_answers.answers, switch.name, switch.type),
        partial(of_answers, plan, state, switch),
    )
    if switch.follows == Follows.OBJECT:
        yield Look(
            f"object s3://{switch.bucket}/{switch.key}",
            partial(ports.signals.public_text, switch.bucket, switch.key),
            partial(of_public_object, plan, state, switch),
        )
