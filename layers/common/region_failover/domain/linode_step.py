"""How Linode's step goes on in the journal: what was there, and open without anybody's claim."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta

from region_failover.domain.journal import is_paused
from region_failover.domain.state import STEP_LEASE, PlanState, Step, StepStatus, Transition, is_running

# Linode's servers serve a change in under about 60 s (its documentation). Name servers that lag so long are
# told of, and so is a step that is still open.
SERVED_WITHIN = timedelta(minutes=3)
OPEN_FOR = timedelta(minutes=5)


def claimed_step(state: PlanState | None, epoch: int, key: str, owner: str, now: datetime) -> Step | None:
    """Return the step if this owner has claimed it, and may act on it now; else None (I2, I4, I17)."""
    found = state.transition if state else None
    step = found.step(key) if found and found.epoch == epoch else None
    if state is None or found is None or step is None or is_paused(state, found):
        return None
    until = step.claimed_until if step.status is StepStatus.DOING else None
    mine = step.owner == owner and until is not None and is_running(until, now, STEP_LEASE)
    return step if mine else None


def note_before(
    state: PlanState, epoch: int, key: str, owner: str, before: str, now: datetime
) -> PlanState | None:
    """Return the state with what was there before any effect; what an earlier attempt saw is kept, by id.

    None where the step is not this owner's: nothing may be written then.
    """
    step = claimed_step(state, epoch, key, owner, now)
    if step is None or state.transition is None:
        return None
    noted = replace(step, before=_merged(step.before, before))
    return replace(state, transition=state.transition.with_step(noted))


def _merged(first: str, later: str) -> str:
    """Return both lists of records as JSON, each record as it was seen first."""
    found = {item["id"]: item for text in (later, first) if text for item in json.loads(text)}
    return json.dumps([found[key] for key in sorted(found)], sort_keys=True)


def keep_open(
    state: PlanState, epoch: int, key: str, owner: str, detail: str, now: datetime
) -> PlanState | None:
    """Return the state with a step whose effects are all there, and whose answers are not seen yet.

    Nobody has it claimed then, so the next tick's executor looks again; `sent_at` says since when it waits.
    """
    step = claimed_step(state, epoch, key, owner, now)
    if step is None or state.transition is None:
        return None
    waiting = replace(step, claimed_until=None, detail=detail, sent_at=step.sent_at or now)
    return replace(state, transition=state.transition.with_step(waiting))


def is_served_late(step: Step | None, now: datetime) -> bool:
    """Return whether the name servers have been lagging for longer than is usual."""
    return step is not None and step.sent_at is not None and now - step.sent_at >= SERVED_WITHIN


def is_open_too_long(transition: Transition, now: datetime) -> bool:
    """Return whether a transition has been open for so long that somebody must look at its Linode step."""
    return now - transition.started_at >= OPEN_FOR
