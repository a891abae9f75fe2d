"""A failback step by step: a share of the traffic is on trial at the primary, until its first bad sample.

Only weighted records know shares. While one is on trial the plan's `active` Region is the standby still;
simple records, Linode's and parameters move with the last step, which is a whole failback like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from region_failover.domain.plan import Plan, Role
from region_failover.domain.state import PlanState, Transition

# What the share of a transition says that takes back what is on trial.
RETURNED = 0


class Aimed(Protocol):
    """What is, or would be, a transition: where to, and with which share."""

    @property
    def target(self) -> str:
        """Return the Region that it goes to."""
        ...

    @property
    def share(self) -> int | None:
        """Return how many percent of the traffic are at the primary after it; None: all of it moves."""
        ...


def next_share(steps: Sequence[int], state: PlanState) -> int | None:
    """Return how many percent of the traffic the next step has at the primary; None: all of it moves."""
    reached = state.share or 0
    further = [step for step in steps if reached < step < 100]
    return further[0] if further else None


def has_lasted(state: PlanState, step_for: timedelta, now: datetime) -> bool:
    """Return whether the present step of a stepwise failback has lasted for so long."""
    return state.share_since is not None and now - state.share_since >= step_for


def is_of_before(state: PlanState, at: datetime | None) -> bool:
    """Return whether something that happened then was before the present share was put on trial."""
    return at is not None and state.share_since is not None and at <= state.share_since


def aim(plan: Plan, transition: Aimed) -> tuple[Role, int | None]:
    """Return which role's Region the records of a transition point at, and the share of weighted ones."""
    if transition.share is None:
        return plan.regions.role(transition.target), None
    return Role.STANDBY, transition.share


def describe(plan: Plan, transition: Transition) -> str:
    """Return in words where the traffic is after a transition."""
    if not transition.share:
        return f"traffic is switched to {transition.target}"
    return f"{transition.share} % of the traffic is on trial at {plan.regions.primary}"
