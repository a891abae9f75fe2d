"""Look at what a plan has at Linode: token, domains, zone files, name servers. It only reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Protocol

from region_failover.domain.errors import RemoteFailure
from region_failover.domain.linode import NAME_SERVERS, LinodeDomain, Question, fqdn
from region_failover.domain.linode_readiness import (
    TOKEN,
    LinodeToken,
    LinodeZone,
    of_linode_zone,
    of_token,
)
from region_failover.domain.plan import Plan
from region_failover.domain.readiness import Finding
from region_failover.domain.state import PlanState
from region_failover.ports import Ports
from region_failover.service.lanes import in_lanes
from region_failover.service.record import Deadline

# Beside the look at the domain itself, within readiness's own time for all looks.
ANSWERS_WITHIN_S = 20.0

Look = tuple[str, Callable[[], object], Callable[[Any], Iterable[Finding]]]


class LinodeInventory(Protocol):
    """What only readiness asks of Linode. Every method may raise RemoteFailure."""

    def linode_token(self) -> LinodeToken:
        """Return what Linode says of the token in use."""
        ...

    def linode_zone(self, domain_id: int) -> LinodeZone:
        """Return a domain, its records and its zone file, without the name servers' answers."""
        ...


def linode_looks(
    ports: Ports, inventory: LinodeInventory, plan: Plan, state: PlanState | None
) -> Iterator[Look]:
    """Yield what to look at: (subject, how, what follows)."""
    if plan.asks_linode:
        yield TOKEN, partial(_token, inventory), lambda token: of_token(plan, token, ports.clock.now())
    for domain_id in dict.fromkeys(record.domain_id for record in plan.linode_records):
        see = partial(_zone, ports, inventory, plan, domain_id)
        yield f"Linode domain {domain_id}", see, partial(of_linode_zone, plan, state, domain_id)


def _token(inventory: LinodeInventory) -> LinodeToken | str:
    """Return what the token is good for; why it is refused is no failure to look, but what was looked for."""
    try:
        return inventory.linode_token()
    except RemoteFailure as failure:
        if failure.symptom.status == 401:
            return failure.symptom.detail
        raise


def _zone(ports: Ports, inventory: LinodeInventory, plan: Plan, domain_id: int) -> LinodeZone:
    zone = inventory.linode_zone(domain_id)
    questions = _questions(plan, domain_id, zone.domain)
    calls = [partial(ports.names.ask, NAME_SERVERS, name, kind) for name, kind in questions]
    deadline = Deadline.after(ports, ANSWERS_WITHIN_S)
    answers = {
        question: str(answer) if isinstance(answer, Exception) else answer
        for question, answer in zip(questions, in_lanes(ports, calls, deadline), strict=True)
    }
    return LinodeZone(zone.domain, zone.status, zone.kind, zone.rendered, answers)


def _questions(plan: Plan, domain_id: int, domain: LinodeDomain) -> list[Question]:
    records = [record for record in plan.linode_records if record.domain_id == domain_id]
    return list(dict.fromkeys((fqdn(record.name, domain.name), record.type) for record in records))
