"""How long a change of Route 53 may be on its way: when it is looked after, and when it counts as stranded.

A change is PENDING until every authoritative server has it, generally within 60 s (Route 53 API reference,
GetChange). In the accelerated recovery of us-east-1 a change may have been accepted and be stranded: it is
PENDING for good, and has to be submitted again (Route 53 Developer Guide, "Accelerated recovery").
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from region_failover.domain.plan import Policy
from region_failover.domain.state import Step, is_recent
from region_failover.domain.symptom import TRANSPORT, Kind, Symptom


class Arrival(StrEnum):
    """What is known of a change on its way. LOST: there is no change of that id."""

    INSYNC = "insync"
    PENDING = "pending"
    LOST = "lost"


# Unless a plan says otherwise: five times what a change generally takes.
STRANDED_AFTER = Policy().stranded_after

# A change that was accepted just now may not be known everywhere in the control plane yet.
LOST_AFTER = timedelta(seconds=30)

# The account has 10 requests a second for everything (Route 53 Developer Guide, quotas): half of it is left
# to the reading and changing of records, and to others.
POLLS_PER_S = 5.0

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 5.0
GROWTH = 1.5


def pause_s(polls: int, zones: int) -> float:
    """Return for how long to wait after so many looks at a change, while so many zones are looked after."""
    grown = min(FIRST_PAUSE_S * GROWTH ** min(polls, 10), LONGEST_PAUSE_S)
    return max(grown, zones / POLLS_PER_S)


# Codes by which Route 53 asks to come again later (API reference, common errors, ChangeResourceRecordSets).
LATER = frozenset({"Throttling", "ThrottlingException", "PriorRequestNotComplete"})


def is_passing(symptom: Symptom) -> bool:
    """Return whether the same question may be answered a moment later: no answer, their error, too many."""
    if symptom.kind in TRANSPORT:
        return True
    return symptom.kind is Kind.API and (symptom.code in LATER or symptom.status >= 500)


def sent_last(step: Step) -> datetime | None:
    """Return when a step's present change was accepted, None where there is none."""
    return (step.resent_at or step.sent_at) if step.change_id else None


def is_stranded(
    arrival: Arrival, sent_at: datetime, now: datetime, after: timedelta = STRANDED_AFTER
) -> bool:
    """Return whether a change that was accepted then has to be submitted again.

    A time that no clock can have written is not believed: submitting again changes nothing, waiting for ever
    does.
    """
    if arrival is Arrival.INSYNC:
        return False
    return not is_recent(sent_at, now, LOST_AFTER if arrival is Arrival.LOST else after)
