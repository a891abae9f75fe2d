"""Every reason that holds a move, not the first alone: the decision is asked again with each out of its way.

So no rule is written down twice: what holds is what `domain/decision.py` says of the situation, and of the
same situation without the reasons already known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from region_failover.domain.approval import Approval
from region_failover.domain.decision import Decision, Reason, Situation
from region_failover.domain.degradation import Degraded
from region_failover.domain.plan import FailbackMode, FailoverMode, Policy
from region_failover.domain.state import Phase, PlanState
from region_failover.domain.verdict import Health
from region_failover.domain.window import Opening

Decide = Callable[[Situation, Policy], Decision]

# The least that makes a Region one to leave, whatever the other one is.
_LEAVABLE = {"source": Health.HEALTHY, "source_down": False, "degraded": Degraded.SOURCE}

# What of a situation, or of the policy, is otherwise where a reason does not hold any more.
_WITHOUT: Mapping[Reason, Mapping[str, Any]] = {
    Reason.NEEDS_OPERATOR: {"phase": Phase.STEADY},
    Reason.IN_PROGRESS: {"phase": Phase.STEADY},
    Reason.PAUSED: {"paused": False},
    Reason.COOLDOWN: {"cooldown_until": None},
    Reason.BUDGET_SPENT: {"moves_of_the_day": 0},
    Reason.FLEET_BRAKE: {"complete": True},
    Reason.TARGET_NOT_VERIFIED: {"target": Health.HEALTHY},
    Reason.ACTIVE_HEALTHY: _LEAVABLE,
    Reason.NOT_CONFIRMED: _LEAVABLE,
    Reason.VANTAGE_POINTS_DISAGREE: _LEAVABLE,
    Reason.OBSERVER_FAULT: _LEAVABLE,
    Reason.EVIDENCE_INCOMPLETE: _LEAVABLE,
    Reason.BOTH_UNHEALTHY: _LEAVABLE,
    Reason.BOTH_DEGRADED: _LEAVABLE,
    Reason.NOT_SETTLED: {"settled": True},
    Reason.LAG_UNKNOWN: {"lags_s": (0.0, 0.0)},
    Reason.LAG_TOO_HIGH: {"lags_s": (0.0, 0.0)},
    Reason.AWAITING_APPROVAL: {"approval": Approval.APPROVED},
    Reason.REJECTED: {"approval": Approval.APPROVED},
    Reason.OUTSIDE_WINDOW: {"opening": Opening.OPEN},
    Reason.BLACKOUT: {"opening": Opening.OPEN},
    Reason.ON_TRIAL: {"trial_lasted": True},
}
_WITHOUT_POLICY: Mapping[Reason, Mapping[str, Any]] = {
    Reason.FAILOVER_IS_MANUAL: {"failover": FailoverMode.AUTOMATIC},
    Reason.FAILBACK_IS_MANUAL: {"failback": FailbackMode.AUTOMATIC},
}


def every_hold(decide: Decide, situation: Situation, policy: Policy) -> tuple[Reason, ...]:
    """Return all reasons for which this is held now, in the order in which they are met; none if it moves."""
    found: list[Reason] = []
    decision = decide(situation, policy)
    while not decision.moves and decision.reason not in found:
        found.append(decision.reason)
        situation = replace(situation, **_WITHOUT.get(decision.reason, {}))
        if decision.reason is Reason.TARGET_NOT_VERIFIED:
            situation = replace(situation, target_at=situation.now)
        policy = replace(policy, **_WITHOUT_POLICY.get(decision.reason, {}))
        decision = decide(situation, policy)
    return tuple(found)


def explain(reason: Reason, policy: Policy, state: PlanState, situation: Situation) -> str:
    """Return what is known beside the reason's name, '' where that says it all."""
    asked = state.proposal
    words = {
        Reason.IN_PROGRESS: _open_transition(state),
        Reason.NEEDS_OPERATOR: _open_transition(state),
        Reason.PAUSED: state.pause_note,
        Reason.COOLDOWN: f"until {state.cooldown_until:%Y-%m-%d %H:%M:%S} UTC"
        if state.cooldown_until
        else "",
        Reason.BUDGET_SPENT: f"{situation.moves_of_the_day} of {policy.automatic_per_day} moves of the day",
        Reason.FLEET_BRAKE: f"{situation.fleet_percent} % of the stack's plans want to move",
        Reason.AWAITING_APPROVAL: f"proposal {asked.id}" if asked else "nothing is proposed yet",
        Reason.REJECTED: f"proposal {asked.id}, by {asked.answered_by}" if asked else "",
        Reason.LAG_TOO_HIGH: _lags(situation),
        Reason.LAG_UNKNOWN: _lags(situation),
    }
    return words.get(reason, "")


def _open_transition(state: PlanState) -> str:
    found = state.transition
    if found is None:
        return ""
    lease = f"leased to {found.lease.owner} until {found.lease.until:%Y-%m-%d %H:%M:%S} UTC"
    return f"epoch {found.epoch}, {found.direction.value} to {found.target}, {lease}"


def _lags(situation: Situation) -> str:
    there, back = ("not measured" if lag is None else f"{lag:.1f} s" for lag in situation.lags_s)
    return f"replication to the target {there}, from it {back}"
