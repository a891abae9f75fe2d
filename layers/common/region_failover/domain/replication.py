"""What a failover leaves behind in the Region that it leaves, and when it arrives after all.

Global tables replicate asynchronously, item by item, and the newest timestamp wins. What was written in
the lost Region and had not been replicated is missing after the failover. When that Region comes back it
arrives late: where nobody has written the item since, it is there now; where somebody has, it is lost.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from region_failover.domain.state import Direction, PlanState, Transition, Unreplicated


def left_behind(ended: Transition, known: Unreplicated | None) -> Unreplicated | None:
    """Return what a completed transition leaves unreplicated; a failback leaves what was left before."""
    if ended.direction is not Direction.FAILOVER:
        return known
    return Unreplicated(ended.epoch, ended.source, ended.target, ended.started_at, ended.loss_s)


def has_caught_up(left: Unreplicated, lag_s: float | None, now: datetime) -> bool:
    """Return whether what is written in the Region that was left arrives again.

    `lag_s`: what was measured from it to the other one, None where it was not. The newest item that was seen
    there is of after the failover then; the items of other keys may still be some seconds behind it.
    """
    return lag_s is not None and now - timedelta(seconds=lag_s) > left.at


def is_late(left: Unreplicated, limit: timedelta) -> bool:
    """Return whether writes arrive late: the loss was not measured, or above the plan's limit."""
    return left.loss_s is None or left.loss_s > limit.total_seconds()


def settle_unreplicated(state: PlanState, left: Unreplicated) -> PlanState | None:
    """Return the state that waits for nothing more to be replicated; None if it does not wait for this."""
    return replace(state, unreplicated=None) if state.unreplicated == left else None
