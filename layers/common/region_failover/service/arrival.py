"""Look after a change of Route 53 that is on its way."""

from __future__ import annotations

from region_failover.domain.errors import RemoteFailure
from region_failover.domain.plan import Plan
from region_failover.domain.propagation import Arrival, is_passing
from region_failover.domain.state import Step, StepKind, Transition
from region_failover.ports import Ports
from region_failover.service.record import Words

NO_SUCH_CHANGE = "NoSuchChange"


def look(ports: Ports, change_id: str) -> Arrival | RemoteFailure:
    """Return how far a change is, or why that cannot be said just now; raise what will not pass by itself."""
    try:
        return Arrival.INSYNC if ports.zones.is_insync(change_id) else Arrival.PENDING
    except RemoteFailure as error:
        if error.symptom.code == NO_SUCH_CHANGE:
            return Arrival.LOST
        if not is_passing(error.symptom):
            raise
        return error


def zones_of(transition: Transition) -> int:
    """Return how many zones a transition changes, at the same time."""
    return sum(step.kind is StepKind.ROUTE53 for step in transition.steps)


def stranded_words(plan: Plan, transition: Transition, step: Step, waited_s: float, what: str) -> Words:
    """Return what to tell of a change that did not arrive and has been submitted again."""
    return (
        f"stranded {transition.epoch} {step.subject}",
        f"[{plan.name}] zone {step.subject}: a change is stranded and was submitted again",
        f"{transition.direction.value} to {transition.target}, epoch {transition.epoch}: {what},"
        f" {waited_s:.0f} s after Route 53 had accepted it. The same content was submitted again; it changes"
        " nothing that is there. The transition stays open until Route 53 has it everywhere; from now on it"
        " is submitted again at intervals, and not told again for a while.",
    )
