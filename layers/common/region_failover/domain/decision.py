"""Decide whether to move, from one flat situation; return a reason for everything, 'hold' included.

A situation holds nothing but what the decision reads, so a recorded one can be decided again (I23).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from region_failover.domain.approval import Approval
from region_failover.domain.degradation import Degraded
from region_failover.domain.plan import FailbackMode, FailoverMode, Policy
from region_failover.domain.state import VERIFIED_WITHIN, Phase
from region_failover.domain.verdict import Health
from region_failover.domain.window import Opening


class Action(StrEnum):
    """What to do."""

    MOVE = "move"
    HOLD = "hold"


class Reason(StrEnum):
    """Why. Each value is documented in docs/runbook.md."""

    # moves
    REGION_DOWN = "region-down"
    REGION_DEGRADED = "region-degraded"
    OPERATOR_ASKED = "operator-asked"
    PRIMARY_SETTLED = "primary-settled"
    APPROVED = "approved"
    TRIAL_FAILED = "trial-failed"
    # holds, both ways
    PAUSED = "paused"
    IN_PROGRESS = "in-progress"
    NEEDS_OPERATOR = "needs-operator"
    COOLDOWN = "cooldown"
    BUDGET_SPENT = "budget-spent"
    FLEET_BRAKE = "fleet-brake"
    TARGET_NOT_VERIFIED = "target-not-verified"
    LOST_THE_CLAIM = "lost-the-claim"
    VETOED = "vetoed"
    DRIFT = "drift"
    NOT_SIMPLE = "not-simple"
    FENCE_AHEAD = "fence-ahead"
    FENCE_FOREIGN = "fence-foreign"
    UNSAFE_BATCH = "unsafe-batch"
    TOO_MANY_CHANGES = "too-many-changes"
    PLAN_CHANGED = "plan-changed"
    ALREADY_THERE = "already-there"
    # holds of a failover
    ACTIVE_HEALTHY = "active-healthy"
    NOT_CONFIRMED = "not-confirmed"
    VANTAGE_POINTS_DISAGREE = "vantage-points-disagree"
    OBSERVER_FAULT = "observer-fault"
    EVIDENCE_INCOMPLETE = "evidence-incomplete"
    BOTH_UNHEALTHY = "both-unhealthy"
    BOTH_DEGRADED = "both-degraded"
    FAILOVER_IS_MANUAL = "failover-is-manual"
    # holds of a failback
    AT_PRIMARY = "at-primary"
    NOT_SETTLED = "not-settled"
    LAG_UNKNOWN = "lag-unknown"
    LAG_TOO_HIGH = "lag-too-high"
    AWAITING_APPROVAL = "awaiting-approval"
    REJECTED = "rejected"
    OUTSIDE_WINDOW = "outside-window"
    BLACKOUT = "blackout"
    ON_TRIAL = "on-trial"
    FAILBACK_IS_MANUAL = "failback-is-manual"
    # triggers that are no reason to look
    STALE_EVENT = "stale-event"
    NOT_IN_ALARM = "not-in-alarm"
    SUPPRESSED = "suppressed"


# Holds that somebody must hear of: without a human, nothing will get better.
LOUD = frozenset(
    {
        Reason.OBSERVER_FAULT,
        Reason.VANTAGE_POINTS_DISAGREE,
        Reason.BOTH_UNHEALTHY,
        Reason.BOTH_DEGRADED,
        Reason.TARGET_NOT_VERIFIED,
        Reason.NEEDS_OPERATOR,
        Reason.BUDGET_SPENT,
        Reason.FLEET_BRAKE,
        Reason.DRIFT,
        Reason.NOT_SIMPLE,
        Reason.FENCE_AHEAD,
        Reason.FENCE_FOREIGN,
        Reason.UNSAFE_BATCH,
        Reason.TOO_MANY_CHANGES,
        Reason.FAILOVER_IS_MANUAL,
    }
)


@dataclass(frozen=True, slots=True)
class Situation:
    """What a decision reads.

    `source`, `target`: the newest own sample of the Region to leave and of the one to go to; `source_down`:
    the verdict over the recorded samples of all vantage points; `disagreed`: more of the others see the
    source well than down; `degraded`: what the plan lets count of Regions that are slow or fail now and
    then; `fleet_percent`: how many percent of the stack's plans want to move, this one included (0: too few
    to say); `complete`: every check of the source failed through its own fault; `moves_of_the_day`:
    automatic transitions begun within the last 24 hours; `settled`: the target was continuously healthy for
    `healthy_for`; `lags_s`: replication each way in seconds, None = not measured; `ours`: a check of the
    source failed by our own fault; `opening`: what the plan's calendar says to a failback now; `approval`:
    where a human's word to it stands; `on_trial`: a stepwise failback is under way, `trial_lasted`: its
    present step for as long as the plan says; `target_ours`: as `ours`, of the target.
    """

    now: datetime
    at_primary: bool
    phase: Phase
    paused: bool
    cooldown_until: datetime | None
    moves_of_the_day: int
    manual: bool
    force: bool
    source: Health
    source_down: bool
    disagreed: bool
    ours: bool
    degraded: Degraded
    fleet_percent: int
    complete: bool
    target: Health
    target_at: datetime
    settled: bool
    lags_s: tuple[float | None, float | None]
    opening: Opening
    approval: Approval
    on_trial: bool = False
    trial_lasted: bool = False
    target_ours: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and why."""

    action: Action
    reason: Reason

    @property
    def moves(self) -> bool:
        """Return whether traffic is to move."""
        return self.action is Action.MOVE


def hold(reason: Reason) -> Decision:
    """Return a decision to do nothing."""
    return Decision(Action.HOLD, reason)


def move(reason: Reason) -> Decision:
    """Return a decision to move."""
    return Decision(Action.MOVE, reason)


def decide_failover(situation: Situation, policy: Policy) -> Decision:
    """Return MOVE only off a Region that is decidedly down, or by a human's word, onto a verified one.

    A degraded one is left, too, where the plan says so, unless the other is degraded as well.

    A human bypasses the policy, the cooldown and the pause, and with `force` the evidence against the
    source; never the verification of the target and never an open transition (I5, I1).
    """
    return (
        _not_free(situation)
        or (None if situation.force and situation.manual else _source_not_down(situation))
        or _not_allowed(situation, policy, policy.failover is FailoverMode.MANUAL, Reason.FAILOVER_IS_MANUAL)
        or _target_not_verified(situation)
        or move(_why_away(situation))
    )


def decide_failback(situation: Situation, policy: Policy) -> Decision:
    """Return MOVE only onto a primary that has been healthy for long, with replication measured both ways.

    A human bypasses mode, approval, cooldown, pause, dwell and calendar, and with `force` also the
    replication limit; never the verification of the primary.
    """
    if situation.at_primary:
        return hold(Reason.AT_PRIMARY)
    if situation.on_trial and not situation.manual:
        return _next_step(situation, policy)
    return (
        _not_free(situation)
        or _not_allowed(situation, policy, policy.failback is FailbackMode.MANUAL, Reason.FAILBACK_IS_MANUAL)
        or _not_settled(situation)
        or _target_not_verified(situation)
        or _not_replicated(situation, policy.max_replication_lag)
        or _not_approved(situation, policy.failback is FailbackMode.APPROVAL)
        or _not_open(situation)
        or move(_why_back(situation, policy))
    )


def _next_step(situation: Situation, policy: Policy) -> Decision:
    """Return MOVE where a failback that is under way step by step may take its next one.

    Mode, approval, calendar and brakes were asked before the first; a pause holds, as it always does.
    """
    return (
        _not_free(situation)
        or (hold(Reason.PAUSED) if situation.paused else None)
        or (None if situation.trial_lasted else hold(Reason.ON_TRIAL))
        or _not_settled(situation)
        or _target_not_verified(situation)
        or _not_replicated(situation, policy.max_replication_lag)
        or move(Reason.PRIMARY_SETTLED)
    )


def decide_return(situation: Situation) -> Decision:
    """Return MOVE where what is on trial at the primary has to return: at its first bad sample.

    The situation is one of a failback: `target` is the primary, `source` the standby, which must have been
    verified just now like any other target. What we cannot see through our own fault is no bad sample.
    A human's failover, while a share is on trial, takes it back.
    """
    if not situation.on_trial:
        return hold(Reason.ON_TRIAL)
    back = replace(situation, target=situation.source)
    if situation.manual:
        return _not_free(situation) or _target_not_verified(back) or move(Reason.OPERATOR_ASKED)
    if not _trial_fails(situation):
        well = situation.target is Health.HEALTHY
        return hold(Reason.ON_TRIAL if well else Reason.OBSERVER_FAULT)
    return (
        _not_free(situation)
        or (hold(Reason.PAUSED) if situation.paused else None)
        or _target_not_verified(back)
        or move(Reason.TRIAL_FAILED)
    )


def is_stuck(situation: Situation, decision: Decision) -> bool:
    """Return whether what is on trial has to return, and this decision (of `decide_return`) holds it."""
    free = situation.phase is Phase.STEADY  # else somebody is at it, or has been told
    return situation.on_trial and _trial_fails(situation) and free and not decision.moves


def _trial_fails(situation: Situation) -> bool:
    """Return whether the primary is not well, and not just unseen through our own fault."""
    blind = situation.target is Health.UNKNOWN and situation.target_ours
    return situation.target is not Health.HEALTHY and not blind


def _not_free(situation: Situation) -> Decision | None:
    if situation.phase is Phase.NEEDS_OPERATOR:
        return hold(Reason.NEEDS_OPERATOR)
    if situation.phase is not Phase.STEADY:
        return hold(Reason.IN_PROGRESS)
    return None


def _is_down(situation: Situation) -> bool:
    return situation.source is Health.UNHEALTHY and situation.source_down


def _why_away(situation: Situation) -> Reason:
    if situation.manual:
        return Reason.OPERATOR_ASKED
    return Reason.REGION_DOWN if _is_down(situation) else Reason.REGION_DEGRADED


def _source_not_down(situation: Situation) -> Decision | None:
    blind = situation.source is Health.UNKNOWN and situation.ours
    if situation.degraded is not Degraded.NO and not _is_down(situation) and not blind:
        return hold(Reason.BOTH_DEGRADED) if situation.degraded is Degraded.BOTH else None
    if situation.source is Health.HEALTHY:
        return hold(Reason.ACTIVE_HEALTHY)
    if situation.source is Health.UNKNOWN:
        return hold(Reason.OBSERVER_FAULT if situation.ours else Reason.EVIDENCE_INCOMPLETE)
    if not situation.source_down:
        return hold(Reason.VANTAGE_POINTS_DISAGREE if situation.disagreed else Reason.NOT_CONFIRMED)
    if situation.target is Health.UNHEALTHY:
        return hold(Reason.BOTH_UNHEALTHY)
    return None


def _not_allowed(situation: Situation, policy: Policy, by_hand_only: bool, reason: Reason) -> Decision | None:
    if situation.manual:
        return None
    if situation.paused:
        return hold(Reason.PAUSED)
    if by_hand_only:
        return hold(reason)
    if situation.cooldown_until is not None and situation.now < situation.cooldown_until:
        return hold(Reason.COOLDOWN)
    return _too_much(situation, policy)


def _too_much(situation: Situation, policy: Policy) -> Decision | None:
    """Return the hold where automation, of this plan or of the fleet, does too much at once."""
    if situation.moves_of_the_day >= policy.automatic_per_day:
        return hold(Reason.BUDGET_SPENT)
    if situation.fleet_percent > policy.fleet_brake and not situation.complete:
        return hold(Reason.FLEET_BRAKE)
    return None


def _target_not_verified(situation: Situation) -> Decision | None:
    fresh = timedelta(0) <= situation.now - situation.target_at <= VERIFIED_WITHIN
    if situation.target is Health.HEALTHY and fresh:
        return None
    return hold(Reason.TARGET_NOT_VERIFIED)


def _not_settled(situation: Situation) -> Decision | None:
    return None if situation.settled or situation.manual else hold(Reason.NOT_SETTLED)


def _not_replicated(situation: Situation, limit: timedelta) -> Decision | None:
    if situation.manual and situation.force:
        return None
    known = [lag for lag in situation.lags_s if lag is not None]
    if len(known) < len(situation.lags_s):
        return hold(Reason.LAG_UNKNOWN)
    if max(known) > limit.total_seconds():
        return hold(Reason.LAG_TOO_HIGH)
    return None


def _not_approved(situation: Situation, needed: bool) -> Decision | None:
    if situation.manual or not needed or situation.approval is Approval.APPROVED:
        return None
    rejected = situation.approval is Approval.REJECTED
    return hold(Reason.REJECTED if rejected else Reason.AWAITING_APPROVAL)


def _why_back(situation: Situation, policy: Policy) -> Reason:
    if situation.manual:
        return Reason.OPERATOR_ASKED
    return Reason.APPROVED if policy.failback is FailbackMode.APPROVAL else Reason.PRIMARY_SETTLED


def _not_open(situation: Situation) -> Decision | None:
    if situation.manual or situation.opening is Opening.OPEN:
        return None
    return hold(Reason.BLACKOUT if situation.opening is Opening.BLACKOUT else Reason.OUTSIDE_WINDOW)
