"""What is remembered of a plan: its state, the open transition, its steps, notices to send.

The rules by which a state may change stand in `domain/journal.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from region_failover.domain.drifted import Drifted

# How long a claim lasts without renewal. Longer than any function's timeout plus margin (a test of the
# template holds that): whoever finds a lease expired knows that its worker has ended.
LEASE = timedelta(seconds=120)
STEP_LEASE = timedelta(seconds=90)

# A target must have been verified within this time before traffic is sent there (I5).
VERIFIED_WITHIN = timedelta(seconds=30)

# For so long after a move, what cannot refuse a late writer (SSM, Linode) is looked at again by every tick: a
# worker that was frozen before its write may have written after a newer one, and have died before it could
# see that. It is the default maximum age of an event; later than that nothing of a move is still under way.
LATE_WRITERS_WITHIN = timedelta(minutes=15)

# How far two workers' clocks may differ without any consequence. Beyond it a time that another worker has
# written is not believed: it could hold a lease, or keep a Region verified, as long as that clock is wrong.
CLOCKS_AGREE = timedelta(seconds=30)


def is_ahead(at: datetime, now: datetime) -> bool:
    """Return whether a time that another worker has written lies further ahead than clocks may differ."""
    return at > now + CLOCKS_AGREE


def is_recent(at: datetime, now: datetime, limit: timedelta) -> bool:
    """Return whether a time that another worker may have written is at most `limit` old, and credible."""
    return now - at <= limit and not is_ahead(at, now)


def is_running(until: datetime, now: datetime, lasts: timedelta) -> bool:
    """Return whether a lease of that length has not ended; an end later than any can have is not believed."""
    return now < until and not is_ahead(until, now + lasts)


class Direction(StrEnum):
    """Failover leaves a Region because it is unhealthy; failback is the planned return to the primary."""

    FAILOVER = "failover"
    FAILBACK = "failback"


class Phase(StrEnum):
    """Where a plan stands."""

    STEADY = "steady"
    MOVING = "moving"
    NEEDS_OPERATOR = "needs-operator"


class StepKind(StrEnum):
    """What a step switches."""

    ROUTE53 = "route53"
    LINODE = "linode"
    SSM = "ssm"
    SECRET = "secret"  # noqa: S105  (a kind of step)
    BEFORE = "before"  # a hook that is asked
    AFTER = "after"  # a hook that is told
    HEALTH_CHECK = "health-check"
    ROUTING_CONTROL = "routing-control"


class StepStatus(StrEnum):
    """How far a step is. OWED: could not be done in a Region that is down; made good later."""

    PENDING = "pending"
    DOING = "doing"
    DONE = "done"
    FAILED = "failed"
    OWED = "owed"


SETTLED = frozenset({StepStatus.DONE, StepStatus.OWED})


@dataclass(frozen=True, slots=True)
class Step:
    """One switch within a transition. `before`: what was there, as JSON; times are None until reached.

    `sent_at`: when its first change was accepted; `resent_at`: when the newest one was, if it is another.
    """

    kind: StepKind
    subject: str
    region: str = ""
    status: StepStatus = StepStatus.PENDING
    attempts: int = 0
    owner: str = ""
    claimed_until: datetime | None = None
    before: str = ""
    change_id: str = ""
    detail: str = ""
    sent_at: datetime | None = None
    done_at: datetime | None = None
    resent_at: datetime | None = None

    @property
    def key(self) -> str:
        """Return the step's name within its transition, such as 'ssm us-west-2 /orders/active-region'."""
        return " ".join(part for part in (self.kind.value, self.region, self.subject) if part)


@dataclass(frozen=True, slots=True)
class Lease:
    """Who may act, until when."""

    owner: str
    until: datetime

    def is_held(self, now: datetime) -> bool:
        """Return whether it has not ended, credibly."""
        return is_running(self.until, now, LEASE)


@dataclass(frozen=True, slots=True)
class Transition:
    """One failover or failback run.

    `verified_at`: when the target was last seen healthy by this transition's runner; `loss_s`: estimated
    seconds of writes not seen on the target's side; `share`: of a step of a stepwise failback, how many
    percent of the traffic are at the primary after it, None where all of it moves; `forced`: a human has
    said that it shall overwrite what somebody else has put into the plan's records.
    """

    epoch: int
    direction: Direction
    source: str
    target: str
    reason: str
    manual: bool
    started_at: datetime
    detected_at: datetime | None
    verified_at: datetime
    lease: Lease
    steps: tuple[Step, ...]
    loss_s: float | None = None
    ended_at: datetime | None = None
    outcome: str = ""
    share: int | None = None
    forced: bool = False

    def step(self, key: str) -> Step | None:
        """Return the step of that name, or None."""
        return next((step for step in self.steps if step.key == key), None)

    def with_step(self, changed: Step) -> Transition:
        """Return the transition with one step replaced."""
        return replace(self, steps=tuple(changed if s.key == changed.key else s for s in self.steps))


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell; stays in the record until it has been sent (I22)."""

    key: str
    subject: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Unreplicated:
    """What a failover left behind: writes of about the last `loss_s` seconds before `at`, in `source`.

    `at`: when the failover began; `loss_s`: None where it could not be measured.
    """

    epoch: int
    source: str
    target: str
    at: datetime
    loss_s: float | None


class RebootStatus(StrEnum):
    """What became of a reboot. SENT: on record, and nobody knows yet."""

    SENT = "sent"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Reboot:
    """A Linode instance to be rebooted after a move; `at`: when it went on record, before the call."""

    instance: int
    epoch: int
    at: datetime
    status: RebootStatus = RebootStatus.SENT
    detail: str = ""


class Answer(StrEnum):
    """What a human said to a proposal."""

    NONE = "none"
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A failback that waits for a human's word (`domain/approval.py`).

    `id`: the checksum of what it is about; `evidence`: what was seen when it was made, for humans;
    `answered_by`: who gave the answer, as AWS or the operator's page knows them.
    """

    id: str
    source: str
    target: str
    made_at: datetime
    expires_at: datetime
    evidence: str = ""
    answer: Answer = Answer.NONE
    answered_by: str = ""
    answered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PlanState:
    """All that is remembered of a plan between invocations.

    `active`: the Region that has the traffic, or most of it: while a stepwise failback is under way, `share`
    percent of it are on trial at the primary, since `share_since`, and `active` is the standby still;
    `proposal`: the failback that waits for a human's word;
    `pause_note`: who has paused it, when and why; `automatic_moves`: when the newest ones were begun;
    `unreplicated`: what the last failover left behind and has not arrived yet (`domain/replication.py`);
    `owed`: steps of the last whole move still to be made good; `requests`: the
    events that last opened a transition, so that one delivered again opens none (I20); `moved_at`:
    when the last transition was completed; `drift`: what is not as we left it (`domain/drift.py`); `repairs`:
    when empty answers were written back lately; `last_change`: in words, what we changed last; `was`: what
    the last move to the standby changed for longer than it lasts, by zone, for the return to undo
    (`domain/zone_return.py`); `reboots`: those of Linode instances since the last transition.
    """

    plan: str
    version: int
    epoch: int
    active: str
    phase: Phase = Phase.STEADY
    transition: Transition | None = None
    cooldown_until: datetime | None = None
    paused: bool = False
    owed: tuple[Step, ...] = ()
    outbox: tuple[Notice, ...] = ()
    noticed: Mapping[str, datetime] = field(default_factory=dict)
    proposal: Proposal | None = None
    pause_note: str = ""
    automatic_moves: tuple[datetime, ...] = ()
    requests: tuple[str, ...] = ()
    moved_at: datetime | None = None
    unreplicated: Unreplicated | None = None
    share: int | None = None
    share_since: datetime | None = None
    drift: tuple[Drifted, ...] = ()
    repairs: tuple[datetime, ...] = ()
    last_change: str = ""
    was: Mapping[str, str] = field(default_factory=dict)
    reboots: tuple[Reboot, ...] = ()


def initial_state(plan: str, epoch: int, active: str) -> PlanState:
    """Return the record of a plan that has none yet."""
    return PlanState(plan=plan, version=0, epoch=epoch, active=active)
