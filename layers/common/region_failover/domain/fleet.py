"""The fleet brake: where many plans of one stack want to move at once, a human looks first.

A Region that is gone takes all its applications along, and each of them sees it whole. A mistake of ours (a
release, a network, a check) takes them along, too, but seldom so cleanly: then some checks answer, or fail
through our own fault. So a plan whose own evidence is complete goes; the rest wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from region_failover.domain.plan import Plan
from region_failover.domain.state import Direction, PlanState, is_recent
from region_failover.domain.symptom import Blame, blame
from region_failover.domain.vantage import judge
from region_failover.domain.verdict import CheckResult, HealthRecord

# Of fewer plans no share says anything.
LEAST = 3

# A plan that has begun to move by itself within this time wants the same as one that is about to.
WITHIN = timedelta(minutes=10)


def wants_to_move(plan: Plan, state: PlanState | None, health: HealthRecord | None, now: datetime) -> bool:
    """Return whether a plan is about to leave its active Region by itself, or has just begun to."""
    if state is None:
        return False
    if health is not None and judge(health, state.active, plan.sampling, now).down:
        return True
    moving = state.transition
    leaving = (
        moving is not None
        and not moving.manual
        and moving.direction is Direction.FAILOVER
        and moving.share is None  # what was on trial, and returns, is no Region's outage
    )
    return leaving or any(is_recent(at, now, WITHIN) for at in state.automatic_moves)


def percent_of(others: Sequence[bool]) -> int:
    """Return how many percent of the stack's plans want to move, this one included; 0 of too few."""
    plans = len(others) + 1
    return (sum(others) + 1) * 100 // plans if plans >= LEAST else 0


def is_complete(results: Sequence[CheckResult], region: str) -> bool:
    """Return whether every check of a Region failed through its own fault: nothing there answers.

    Somebody else who says that the Region is well is no answer of the Region: he may not know yet.
    """
    asked = [result for result in results if result.region == region and not result.silent]
    own = [result.symptom for result in asked if result.symptom or not result.told]
    return bool(own) and all(symptom is not None and blame(symptom) is Blame.THEIRS for symptom in own)
