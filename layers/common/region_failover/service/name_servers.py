"""Ask a zone's own name servers whether they answer what Route 53's API has accepted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from region_failover.domain.errors import RemoteFailure
from region_failover.domain.plan import Plan
from region_failover.domain.served import (
    ASK_AGAIN_S,
    SILENT_FOR,
    Finding,
    Question,
    Replies,
    Served,
    judge,
    questions,
)
from region_failover.domain.shares import aim
from region_failover.domain.state import Step, Transition
from region_failover.ports import Ports
from region_failover.service.record import Deadline, Words

ROUND_WITHIN = timedelta(seconds=10)
PRIVATE = Finding(Served.RIGHT, "no name server of its own is asked: a private zone has none")
UNWANTED = Finding(Served.RIGHT, "name servers are not asked: policy.check_answers is false")


def ask_name_servers(
    ports: Ports, plan: Plan, transition: Transition, step: Step, deadline: Deadline
) -> Finding | None:
    """Return what the zone's name servers say in the end: at once if it is right, else they are asked again.

    WRONG at the deadline; SILENT only after SILENT_FOR: None where there is no time for it, a tick has more.
    """
    if not plan.policy.check_answers:
        return UNWANTED
    role, share = aim(plan, transition)
    asked = questions(plan, step.subject, transition.epoch, role, share)
    began = ports.clock.now()
    servers: tuple[str, ...] | RemoteFailure | None = None
    while True:
        if not isinstance(servers, tuple):
            servers = _servers(ports, step.subject)
        found = _look(ports, servers, asked)
        waited = ports.clock.now() - began
        if found.served is Served.RIGHT or (found.served is Served.SILENT and waited >= SILENT_FOR):
            return found
        if deadline.remaining_s() < ASK_AGAIN_S:
            return found if found.served is Served.WRONG else None
        ports.clock.sleep(ASK_AGAIN_S)


def _servers(ports: Ports, zone_id: str) -> tuple[str, ...] | RemoteFailure:
    try:
        return ports.zones.name_servers(zone_id)
    except RemoteFailure as error:
        return error


def _look(ports: Ports, servers: tuple[str, ...] | RemoteFailure, asked: Sequence[Question]) -> Finding:
    if isinstance(servers, RemoteFailure):
        return Finding(Served.SILENT, f"which they are cannot be read: {servers}")
    if not servers:
        return PRIVATE
    calls = [partial(_ask, ports, server, asked) for server in servers]
    said = ports.together(calls, ROUND_WITHIN)
    return judge(
        asked,
        {
            server: ((), str(replies)) if isinstance(replies, Exception) else replies
            for server, replies in zip(servers, said, strict=True)
        },
    )


def _ask(ports: Ports, server: str, asked: Sequence[Question]) -> Replies:
    """Ask one server, until it falls silent: then it is not waited for again and again."""
    replies: list[tuple[str, ...]] = []
    for question in asked:
        try:
            replies.append(ports.names.ask([server], question.name, question.type))
        except RemoteFailure as error:
            return replies, str(error)
    return replies, ""


def unchecked_words(plan: Plan, step: Step, why: str) -> Words:
    """Return what to tell where no name server of a zone answers us."""
    return (
        f"unchecked {step.subject}",
        f"[{plan.name}] zone {step.subject}: its name servers could not be asked",
        f"Route 53 says that the change is INSYNC, and the zone reads back as switched; what its own name"
        f" servers answer was not checked: {why}. The transition went on. Ask them by hand, such as"
        " `dig @<name server> <name>`; where the functions can reach no name server at all, set"
        " policy.check_answers = false.",
    )


def wrong_words(plan: Plan, transition: Transition, step: Step, what: str) -> Words:
    """Return what to tell where name servers answer otherwise although the change is INSYNC."""
    return (
        f"answers {transition.epoch} {step.subject}",
        f"[{plan.name}] zone {step.subject}: its name servers answer otherwise",
        f"{transition.direction.value} to {transition.target}, epoch {transition.epoch}: Route 53 says that"
        f" the change is INSYNC, and the zone reads back as switched, but {what}. The transition stays open;"
        " every tick looks again, and the change is submitted again at intervals. To end it without them"
        " deploy the plan with policy.check_answers = false.",
    )
