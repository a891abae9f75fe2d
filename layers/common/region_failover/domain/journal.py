"""Every change that a state record may undergo.

The record is written only by compare-and-swap on `version`, so each function here sees the newest record
and either returns its successor or None: 'this change is not allowed on what is there'. That makes the
rules of exclusion (I1 to I4) plain functions that can be tested without any store.

    STEADY --claim--> MOVING --complete--> STEADY
                        |  ^
          need_operator |  | take_over (target verified again)
                        v  |
                  NEEDS_OPERATOR
    MOVING --stop, before any effect--> STEADY
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from region_failover.domain.brakes import count_move, is_cooling, moves_of_the_day
from region_failover.domain.hooks import is_cleared, with_calls_owed
from region_failover.domain.replication import left_behind
from region_failover.domain.state import (
    LATE_WRITERS_WITHIN,
    LEASE,
    SETTLED,
    STEP_LEASE,
    VERIFIED_WITHIN,
    Answer,
    Direction,
    Lease,
    Notice,
    Phase,
    PlanState,
    Step,
    StepKind,
    StepStatus,
    Transition,
    is_recent,
    is_running,
)

# A topic that takes nothing for weeks must not fill the record (400 KB is the most that DynamoDB keeps in an
# item): then nothing could be saved, and nothing could move. The newest notices are kept.
OUTBOX_KEPT = 50
LONGEST_TEXT = 2000
LONGEST_CHANGE = 400

# Lambda delivers an event again for up to six hours; neither humans nor ticks move that often.
REQUESTS_KEPT = 50


@dataclass(frozen=True, slots=True)
class Claim:
    """A request to open a transition.

    `proposal`: the id of the approved one that it carries out; `per_day`: the plan's budget of automatic
    ones, None for no limit; `share`: of a step of a stepwise failback (`Transition.share`), 0 = what is on
    trial returns; `after`: the only epoch that it may follow, None for any;
    `forced`: over what somebody else has put into the plan's records.
    """

    direction: Direction
    source: str
    target: str
    reason: str
    manual: bool
    owner: str
    steps: tuple[Step, ...]
    verified_at: datetime
    detected_at: datetime | None = None
    loss_s: float | None = None
    request: str = ""
    proposal: str = ""
    per_day: int | None = None
    share: int | None = None
    after: int | None = None
    forced: bool = False


def claim(state: PlanState, request: Claim, now: datetime) -> PlanState | None:
    """Return the state with this transition opened at epoch + 1.

    None if one is open, the source is not where the traffic is, the target was not verified just now (I5: a
    worker may hang between its decision and this), another epoch has been reached than the one that it was
    made for, the event has been answered already, or (automatic) it is held back: paused, cooling down, the
    day's budget spent, the approval that it needs
    gone. The conditions stand here, inside the write, not only in the decision.
    """
    if state.transition is not None or not _is_at(state, request):
        return None
    if not is_recent(request.verified_at, now, VERIFIED_WITHIN):
        return None
    if not request.manual and _is_held_back(state, request, now):
        return None
    if request.request and request.request in state.requests:
        return None
    transition = Transition(
        epoch=state.epoch + 1,
        direction=request.direction,
        source=request.source,
        target=request.target,
        reason=request.reason,
        manual=request.manual,
        started_at=now,
        detected_at=request.detected_at,
        verified_at=request.verified_at,
        lease=Lease(request.owner, now + LEASE),
        steps=request.steps,
        loss_s=request.loss_s,
        share=request.share,
        forced=request.forced,
    )
    claimed = replace(state, epoch=state.epoch + 1, phase=Phase.MOVING, transition=transition, proposal=None)
    claimed = remember_request(claimed, request.request) or claimed
    return claimed if request.manual or _goes_on(state, request) else count_move(claimed, now)


def _goes_on(state: PlanState, request: Claim) -> bool:
    """Return whether it is a further step of a failback under way, or the return of what is on trial.

    Both are of one move, which has been allowed and counted. A failover in the middle of it is another.
    """
    return state.share is not None and (request.direction is Direction.FAILBACK or request.share == 0)


def _is_at(state: PlanState, request: Claim) -> bool:
    """Return whether the traffic is where it shall be taken from; for a return, what is on trial.

    Not where the request is for one epoch, and another has been reached: the traffic has come and gone since.
    """
    if request.after not in {None, state.epoch}:
        return False
    if request.share == 0:
        return state.share is not None and state.active == request.target
    return state.active == request.source


def remember_request(state: PlanState, request: str) -> PlanState | None:
    """Return the state with an event answered: delivered again it moves nothing (I20).

    One that opened a transition, by itself or for a human; and a manual request that was held: what it meant
    ('leave the active Region') means another thing after a move. None if it is known already.
    """
    if not request or request in state.requests:
        return None
    return replace(state, requests=(*state.requests, request)[-REQUESTS_KEPT:])


def _is_approved(state: PlanState, proposal_id: str, now: datetime) -> bool:
    """Return whether a human's yes to just this stands, unexpired; the claim uses it up (I21)."""
    found = state.proposal
    if found is None or found.id != proposal_id or found.answer is not Answer.APPROVED:
        return False
    return now < found.expires_at


def _is_held_back(state: PlanState, request: Claim, now: datetime) -> bool:
    """Return whether a brake is on, or the approval that it needs does not stand."""
    if _goes_on(state, request):
        return state.paused
    spent = request.per_day is not None and moves_of_the_day(state, now) >= request.per_day
    unapproved = bool(request.proposal) and not _is_approved(state, request.proposal, now)
    return state.paused or is_cooling(state, now) or spent or unapproved


def may_act(state: PlanState, epoch: int, owner: str, now: datetime) -> Transition | None:
    """Return the open transition if this owner may act on it now, else None (I2, I4)."""
    found = state.transition
    if found is None or found.epoch != epoch or state.phase is not Phase.MOVING:
        return None
    if found.lease.owner != owner or now >= found.lease.until or is_paused(state, found):
        return None
    return found


def is_paused(state: PlanState, transition: Transition) -> bool:
    """Return whether effects of this transition must wait: a pause does not stop a human's own (I17)."""
    return state.paused and not transition.manual


def take_over(
    state: PlanState, owner: str, now: datetime, verified_at: datetime | None = None
) -> PlanState | None:
    """Return the state with the open transition leased anew; None unless its lease has expired.

    `verified_at`: when the target was seen healthy just now, None where it was not.
    """
    found = state.transition
    if found is None or found.lease.is_held(now):
        return None
    taken = replace(found, lease=Lease(owner, now + LEASE), verified_at=verified_at or found.verified_at)
    return replace(state, phase=Phase.MOVING, transition=taken)


def start_steps(
    state: PlanState, epoch: int, owner: str, before: Mapping[str, str], now: datetime
) -> PlanState | None:
    """Return the state with these steps DOING, each with what was there, before any of their effects.

    What a first attempt saw is kept: a resumed step must compare with that, not with a half-done world. None,
    too, while a before-hook has not let the transition pass, except for the step of such a hook itself.
    """
    found = may_act(state, epoch, owner, now)
    if found is None or not (is_cleared(found) or _are_asked(found, before)):
        return None
    for key, seen in before.items():
        step = found.step(key)
        if step is None or step.status in SETTLED:
            continue
        found = found.with_step(
            replace(
                step,
                status=StepStatus.DOING,
                attempts=step.attempts + 1,
                owner=owner,
                before=step.before or seen,
                detail="",
            )
        )
    return replace(state, transition=found)


def _are_asked(transition: Transition, keys: Iterable[str]) -> bool:
    steps = [transition.step(key) for key in keys]
    return all(step is not None and step.kind is StepKind.BEFORE for step in steps)


def retake_snapshot(
    state: PlanState, epoch: int, owner: str, key: str, before: str, now: datetime
) -> PlanState | None:
    """Return the state with a step's snapshot replaced, for a step none of whose effects has happened."""
    found = may_act(state, epoch, owner, now)
    step = found.step(key) if found else None
    if found is None or step is None or step.change_id or step.status in SETTLED:
        return None
    return replace(state, transition=found.with_step(replace(step, before=before)))


def claim_step(
    state: PlanState, epoch: int, key: str, owner: str, before: str, now: datetime
) -> PlanState | None:
    """Return the state with one step claimed by its own executor; None if it is not to be had now.

    For executors other than the runner (`linode_dns`): the claim carries the epoch and lasts STEP_LEASE. A
    request that comes late finds its target no longer verified (I5); a tick verifies and asks again.
    """
    found = state.transition
    if found is None or found.epoch != epoch or state.phase is not Phase.MOVING:
        return None
    if is_paused(state, found) or not is_recent(found.verified_at, now, VERIFIED_WITHIN):
        return None
    if not is_cleared(found):
        return None
    step = found.step(key)
    if step is None or step.status in SETTLED:
        return None
    if step.owner != owner and _is_claimed(step, now):
        return None
    changed = replace(
        step,
        status=StepStatus.DOING,
        attempts=step.attempts + 1,
        owner=owner,
        claimed_until=now + STEP_LEASE,
        before=step.before or before,
        detail="",
    )
    return replace(state, transition=found.with_step(changed))


def _is_claimed(step: Step, now: datetime) -> bool:
    until = step.claimed_until if step.status is StepStatus.DOING else None
    return until is not None and is_running(until, now, STEP_LEASE)


def mark_sent(state: PlanState, epoch: int, key: str, change_id: str, now: datetime) -> PlanState | None:
    """Return the state with a step's change accepted by the service (not yet done).

    Also where another one was before: its id is the one that is looked after from now on.
    """
    found = state.transition
    step = found.step(key) if found and found.epoch == epoch else None
    if found is None or step is None or step.status in SETTLED:
        return None
    resent_at = now if step.change_id not in {"", change_id} else step.resent_at
    changed = replace(step, change_id=change_id, sent_at=step.sent_at or now, resent_at=resent_at)
    return replace(state, transition=found.with_step(changed))


def finish_step(
    state: PlanState, epoch: int, key: str, status: StepStatus, detail: str, now: datetime
) -> PlanState | None:
    """Return the state with a step DONE, FAILED or OWED; None if the epoch is over or the step is settled."""
    found = state.transition
    step = found.step(key) if found and found.epoch == epoch else None
    if found is None or step is None or step.status in SETTLED:
        return None
    changed = replace(
        step,
        status=status,
        detail=detail,
        claimed_until=None,
        done_at=now if status is StepStatus.DONE else None,
    )
    return replace(state, transition=found.with_step(changed))


def complete(
    state: PlanState,
    epoch: int,
    cooldown: timedelta,
    now: datetime,
    was: Mapping[str, str] | None = None,
) -> tuple[PlanState, Transition] | None:
    """Return (steady state on the target, the ended transition); None while a step is not settled.

    `was`: what a whole move has changed in the zones and the next one shall undo; after a return, nothing.

    After a step of a stepwise failback the traffic is on the source still, and its share on trial on record.
    Steps for a share write no parameter, nor does the return of one: what is owed stays owed. A whole move
    has written all of them, or owes them itself. Its after-hooks stop nothing: they are owed from now on.
    """
    found = state.transition
    if found is None or found.epoch != epoch or not all(_is_settled(step) for step in found.steps):
        return None
    ended = replace(found, ended_at=now, outcome="completed")
    ended = with_calls_owed(state.plan, ended, now)
    if found.share:  # some of the traffic is on trial at the target; the rest stays where it was
        on_trial = replace(state, phase=Phase.STEADY, transition=None, share=found.share, share_since=now)
        return on_trial, ended
    steady = replace(
        state,
        active=found.target,
        drift=(),  # it was compared with another Region's answer
        last_change=_told_change(ended),
        phase=Phase.STEADY,
        transition=None,
        share=None,
        share_since=None,
        cooldown_until=now + cooldown,
        moved_at=now,
        unreplicated=left_behind(ended, state.unreplicated),
        owed=_owed_after(state, ended),
        was=state.was if found.share is not None else was or {},
    )
    return steady, ended


def _told_change(ended: Transition) -> str:
    """Return in words what a transition changed, for whoever wonders later what of it was ours."""
    changes = ", ".join(f"zone {step.subject} {step.change_id}" for step in ended.steps if step.change_id)
    at = f"{ended.ended_at:%Y-%m-%d %H:%M:%S} UTC" if ended.ended_at else "now"
    what = f"{ended.direction.value} to {ended.target}, epoch {ended.epoch}, complete at {at}"
    return shortened(f"{what}; changes: {changes or 'none at Route 53'}", LONGEST_CHANGE)


def _is_settled(step: Step) -> bool:
    return step.status in SETTLED or step.kind is StepKind.AFTER


def _owed_after(state: PlanState, ended: Transition) -> tuple[Step, ...]:
    if ended.share is not None:
        return state.owed
    return tuple(step for step in ended.steps if step.status is StepStatus.OWED)


def has_begun(transition: Transition) -> bool:
    """Return whether an effect of this transition may have happened. To ask a before-hook is none."""
    return any(
        step.status is not StepStatus.PENDING and step.kind is not StepKind.BEFORE
        for step in transition.steps
    )


def stop(
    state: PlanState, epoch: int, owner: str, why: str, now: datetime
) -> tuple[PlanState, Transition] | None:
    """Return (steady state where it was, the stopped transition); None once an effect may have happened."""
    found = may_act(state, epoch, owner, now)
    if found is None or has_begun(found):
        return None
    ended = replace(found, ended_at=now, outcome=f"stopped: {why}")
    return replace(state, phase=Phase.STEADY, transition=None), ended


def need_operator(state: PlanState, epoch: int, owner: str, now: datetime) -> PlanState | None:
    """Return the state halted in mid-move, its lease given up so that any tick may look again."""
    found = may_act(state, epoch, owner, now)
    if found is None:
        return None
    return replace(state, phase=Phase.NEEDS_OPERATOR, transition=replace(found, lease=Lease(owner, now)))


def give_up_lease(state: PlanState, epoch: int, owner: str, now: datetime) -> PlanState | None:
    """Return the state with the lease ended now: the worker is leaving, the next tick may go on at once."""
    found = may_act(state, epoch, owner, now)
    if found is None:
        return None
    return replace(state, transition=replace(found, lease=Lease(owner, now)))


def may_have_late_writers(state: PlanState, now: datetime) -> bool:
    """Return whether a worker of an older epoch may still write where it cannot be refused (I2).

    Never in a pause: it stops all effects; never while a transition is open: it writes and reads back itself.
    """
    if state.transition is not None or state.paused or state.moved_at is None:
        return False
    return is_recent(state.moved_at, now, LATE_WRITERS_WITHIN)


def settle_owed(state: PlanState, epoch: int, key: str) -> PlanState | None:
    """Return the state without an owed step that has been made good; None if it is not of this epoch."""
    if state.epoch != epoch or all(step.key != key for step in state.owed):
        return None
    return replace(state, owed=tuple(step for step in state.owed if step.key != key))


def notice_of(key: str, subject: str, text: str, at: datetime) -> Notice:
    """Return a notice, its text cut to what the record has room for."""
    return Notice(key, subject, text[:LONGEST_TEXT], at)


def shortened(text: str, longest: int) -> str:
    """Return a text, cut with an ellipsis where it has more than `longest` characters."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def add_notice(state: PlanState, notice: Notice, again_after: timedelta) -> PlanState | None:
    """Return the state with a notice to send; None if one of that key went out within `again_after`.

    Keys told longer ago than that are forgotten, and of notices that could not be sent only the newest
    OUTBOX_KEPT are kept, so the record does not grow.
    """
    told = state.noticed.get(notice.key)
    if told is not None and notice.at - told < again_after:
        return None
    noticed = {key: at for key, at in state.noticed.items() if notice.at - at < again_after}
    outbox = (*state.outbox, notice)[-OUTBOX_KEPT:]
    return replace(state, outbox=outbox, noticed={**noticed, notice.key: notice.at})


def drop_notice(state: PlanState, notice: Notice) -> PlanState | None:
    """Return the state without a notice that has been sent; None if it is gone already."""
    if notice not in state.outbox:
        return None
    return replace(state, outbox=tuple(item for item in state.outbox if item != notice))
