"""What keeps automation from doing too much: pause, cooldown, and a budget of transitions a day (I15, I17).

All of it stands in the plan's own record, so that a claim is refused inside the write that would make it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from region_failover.domain.state import PlanState, is_recent

BUDGET_OVER = timedelta(hours=24)

# More are not counted: no budget is larger (domain/policy_file.py).
MOVES_KEPT = 20


def is_cooling(state: PlanState, now: datetime) -> bool:
    """Return whether the last transition is too short a time ago for another automatic one."""
    return state.cooldown_until is not None and now < state.cooldown_until


def moves_of_the_day(state: PlanState, now: datetime) -> int:
    """Return how many automatic transitions were begun within the last 24 hours."""
    return sum(is_recent(at, now, BUDGET_OVER) for at in state.automatic_moves)


def count_move(state: PlanState, now: datetime) -> PlanState:
    """Return the state with one more automatic transition begun."""
    return replace(state, automatic_moves=(*state.automatic_moves, now)[-MOVES_KEPT:])


def pause(state: PlanState, note: str) -> PlanState | None:
    """Return the state paused; `note`: who, when and why. None where it is so already, with the same note."""
    if state.paused and state.pause_note == note:
        return None
    return replace(state, paused=True, pause_note=note)


def resume(state: PlanState) -> PlanState | None:
    """Return the state no longer paused; None where it was not."""
    return replace(state, paused=False, pause_note="") if state.paused else None


def acknowledge(state: PlanState) -> PlanState | None:
    """Return the state with its cooldown ended and its budget restored; None where neither was used.

    A human has looked at what happened: automation may act again.
    """
    if state.cooldown_until is None and not state.automatic_moves:
        return None
    return replace(state, cooldown_until=None, automatic_moves=())
