"""Which instances a move still has to reboot: each at most once a move, whatever becomes of the request."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from region_failover.domain.journal import may_have_late_writers
from region_failover.domain.plan import LinodeReboots, Role
from region_failover.domain.state import CLOCKS_AGREE, PlanState, Reboot, RebootStatus

# A request without a reply may be on its way for so long; its instance's events are asked for then.
SETTLED_AFTER = timedelta(seconds=30)
# Whoever cannot find out for so long what became of one says so.
UNKNOWN_AFTER = timedelta(minutes=10)


def next_reboot(planned: LinodeReboots, state: PlanState, role: Role, now: datetime) -> int | None:
    """Return the next instance to reboot, None where none is due: one at a time, `stagger` after the last."""
    known = {reboot.instance for reboot in _of_this_move(state)}
    following = next((i for i in planned.instances(role) if i not in known), None)
    if following is None or not _may_reboot(state, state.epoch, planned.stagger, now):
        return None
    return following


def begin_reboot(
    state: PlanState, epoch: int, instance: int, stagger: timedelta, now: datetime
) -> PlanState | None:
    """Return the state with a reboot on record, before it is asked for; None where it must not be.

    It is there already (whoever wrote it has asked, or has died), another was begun just now, or the plan
    does not rest on this epoch.
    """
    known = _of_this_move(state)
    if not _may_reboot(state, epoch, stagger, now) or any(r.instance == instance for r in known):
        return None
    return replace(state, reboots=(*known, Reboot(instance, epoch, now)))


def end_reboot(
    state: PlanState, epoch: int, instance: int, status: RebootStatus, detail: str
) -> PlanState | None:
    """Return the state with what became of a reboot; None where that is known already."""
    found = next((r for r in state.reboots if (r.instance, r.epoch) == (instance, epoch)), None)
    if found is None or found.status is not RebootStatus.SENT:
        return None
    ended = replace(found, status=status, detail=detail)
    return replace(state, reboots=tuple(ended if r == found else r for r in state.reboots))


def unsettled(state: PlanState, now: datetime) -> tuple[Reboot, ...]:
    """Return the reboots of which nobody knows what became of them, though their requests have ended."""
    return tuple(
        reboot
        for reboot in _of_this_move(state)
        if reboot.status is RebootStatus.SENT and now - reboot.at >= SETTLED_AFTER
    )


def look_since(reboot: Reboot) -> datetime:
    """Return since when an instance's events speak of this reboot, by a clock that may differ from ours."""
    return reboot.at - CLOCKS_AGREE


def _may_reboot(state: PlanState, epoch: int, stagger: timedelta, now: datetime) -> bool:
    at_rest = state.epoch == epoch and state.share is None and may_have_late_writers(state, now)
    last = max((reboot.at for reboot in _of_this_move(state)), default=None)
    return at_rest and (last is None or now - last >= stagger)


def _of_this_move(state: PlanState) -> tuple[Reboot, ...]:
    """Return the reboots since the traffic moved: an epoch that was stopped since is no further move."""
    return tuple(r for r in state.reboots if state.moved_at is not None and r.at >= state.moved_at)
