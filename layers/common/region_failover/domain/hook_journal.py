"""The changes of a state record that hooks bring about; see domain/journal.py for all others."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from region_failover.domain.hooks import is_cleared
from region_failover.domain.journal import has_begun, may_act
from region_failover.domain.state import (
    STEP_LEASE,
    Phase,
    PlanState,
    Step,
    StepKind,
    StepStatus,
    Transition,
    is_running,
)


def give_up(
    state: PlanState, epoch: int, owner: str, key: str, why: str, now: datetime
) -> tuple[PlanState, Transition] | None:
    """Return (steady state where it was, the transition that a before-hook has stopped).

    None where it is not ours to act on, or has begun. It has moved nothing: neither the cooldown nor the
    day's budget is touched, so that the next reason to look may ask again.
    """
    found = may_act(state, epoch, owner, now)
    step = found.step(key) if found else None
    if found is None or step is None or is_cleared(found) or has_begun(found):
        return None
    refused = found.with_step(replace(step, status=StepStatus.FAILED, detail=why))
    ended = replace(refused, ended_at=now, outcome=f"stopped: {why}")
    moves = tuple(at for at in state.automatic_moves if at != found.started_at)
    return replace(state, phase=Phase.STEADY, transition=None, automatic_moves=moves), ended


def owed_calls(state: PlanState) -> tuple[Step, ...]:
    """Return the after-hooks of the last move that are still to be called."""
    return tuple(step for step in state.owed if step.kind is StepKind.AFTER)


def claim_call(state: PlanState, epoch: int, key: str, owner: str, now: datetime) -> PlanState | None:
    """Return the state with an owed call taken by this worker for STEP_LEASE; None where it may not be made.

    Not after a newer epoch has begun, not in a pause, not while another worker is at it.
    """
    step = next((step for step in owed_calls(state) if step.key == key), None)
    if step is None or state.epoch != epoch or state.transition is not None or state.paused:
        return None
    if step.status is StepStatus.DOING and is_running(step.claimed_until or now, now, STEP_LEASE):
        return None
    taken = replace(
        step,
        status=StepStatus.DOING,
        attempts=step.attempts + 1,
        owner=owner,
        claimed_until=now + STEP_LEASE,
        detail="",
    )
    return _with_owed(state, taken)


def call_failed(state: PlanState, epoch: int, key: str, owner: str, why: str) -> PlanState | None:
    """Return the state with a call owed again at once; None where it is this worker's no more."""
    step = next((step for step in owed_calls(state) if step.key == key), None)
    if step is None or state.epoch != epoch or step.owner != owner:
        return None
    return _with_owed(state, replace(step, status=StepStatus.OWED, claimed_until=None, detail=why))


def _with_owed(state: PlanState, changed: Step) -> PlanState:
    return replace(state, owed=tuple(changed if s.key == changed.key else s for s in state.owed))
