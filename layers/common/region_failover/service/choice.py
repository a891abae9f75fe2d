"""What a human chooses where somebody has changed what we wrote: put it back, or let it stand.

Both are answers to what stands there now, which is looked at anew; `expect` binds them to what the human has
seen. A request delivered again has no effect (I20). Neither is a move of its own making: `adopt` of the other
Region's answer everywhere opens an ordinary transition to where the traffic is already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial

from region_failover.domain.decision import decide_failback, decide_failover
from region_failover.domain.drift import (
    at_rest,
    checksum,
    is_elsewhere,
    leave,
    merged,
    of_zone,
    remember,
    restore_batch,
    why_not_restored,
)
from region_failover.domain.drifted import Drifted, DriftKind
from region_failover.domain.errors import FenceRefused, RemoteFailure
from region_failover.domain.journal import LONGEST_CHANGE, Claim, remember_request
from region_failover.domain.plan import Plan
from region_failover.domain.state import VERIFIED_WITHIN, Direction, Phase, PlanState, Step, StepKind
from region_failover.domain.trigger import Kind, Trigger
from region_failover.domain.verdict import Health
from region_failover.ports import Ports
from region_failover.service.drift import BY_TICK, Look, line_of, look_at
from region_failover.service.judge import record, situation_of
from region_failover.service.observe import observe, pair
from region_failover.service.parameters import write_value
from region_failover.service.record import Deadline, Summary, change, change_and_tell, ensure_state
from region_failover.service.switches import obstacle, plan_steps, read_zone
from region_failover.service.transition import open_transition


class Outcome(StrEnum):
    """What became of a choice. Each value is documented in docs/runbook.md."""

    RESTORED = "restored"
    PARTLY_RESTORED = "partly-restored"
    LEFT = "left-as-it-is"
    NO_DRIFT = "no-drift"
    CHANGED_SINCE = "changed-since"
    NOT_LOOKED_AT = "not-looked-at"
    NOT_ADOPTABLE = "not-adoptable"
    IN_PROGRESS = "in-progress"
    NEEDS_OPERATOR = "needs-operator"
    ON_TRIAL = "on-trial"
    ANSWERED_ALREADY = "answered-already"
    TARGET_NOT_VERIFIED = "target-not-verified"


DONE = frozenset({Outcome.RESTORED, Outcome.LEFT})

# Kept back for the look afterwards, and what is put on record of it.
INSYNC_POLL_S = 1.0
LAST_LOOK_S = 15.0

# What ends one switch's restoring, and no other's.
_OF_THE_WORLD = (RemoteFailure, FenceRefused, TimeoutError)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A human's choice, and what it is about: the plan at rest, and what was found there just now."""

    ports: Ports
    plan: Plan
    trigger: Trigger
    deadline: Deadline
    state: PlanState
    look: Look
    drift: tuple[Drifted, ...]

    def of_kind(self, kind: StepKind) -> list[Drifted]:
        return [one for one in self.drift if one.subject.split()[0] == kind.value]


@dataclass(frozen=True, slots=True)
class _Written:
    """What became of one switch: what was changed, '' for nothing, and what is wrong with it."""

    change: str = ""
    problem: str = ""


def choose(ports: Ports, plan: Plan, trigger: Trigger, deadline: Deadline) -> Summary:
    """Do what a human has chosen, if it can be; return what was done, or why not."""
    state = ensure_state(ports, plan)
    held = _not_free(state, trigger)
    if held:
        return _end(ports, plan, trigger, held)
    look = look_at(ports, plan, state, BY_TICK)
    drift = merged(state.drift, look.found, look.looked_at)
    asked = _Asked(ports, plan, trigger, deadline, state, look, drift)
    if not drift:
        nothing = Outcome.NOT_LOOKED_AT if look.unseen else Outcome.NO_DRIFT
        return _end(ports, plan, trigger, nothing, _unseen(look))
    if trigger.expect and trigger.expect != checksum(drift):
        lines = "; ".join(line_of(one) for one in drift)
        now = f"what stands there is {checksum(drift)} by now: {lines}"
        return _end(ports, plan, trigger, Outcome.CHANGED_SINCE, now)
    return _restore(asked) if trigger.kind is Kind.RESTORE else _adopt(asked)


def _not_free(state: PlanState, trigger: Trigger) -> Outcome | None:
    if trigger.id in state.requests:
        return Outcome.ANSWERED_ALREADY
    if state.phase is Phase.NEEDS_OPERATOR:
        return Outcome.NEEDS_OPERATOR
    if not at_rest(state, state.epoch):
        return Outcome.IN_PROGRESS
    return Outcome.ON_TRIAL if state.share is not None else None


def _unseen(look: Look) -> str:
    """Return what could not be looked at, in words: it is neither drift nor as it should be."""
    return "; ".join(f"{name} could not be looked at: {why}" for name, why in look.unseen.items())


# put it back


def _restore(asked: _Asked) -> Summary:
    """Write the active Region's answers where others stand, if that Region is verified just now (I5)."""
    ports, plan, state, trigger = asked.ports, asked.plan, asked.state, asked.trigger
    seen, _ = observe(ports, plan)
    sample = seen.samples[state.active]
    if sample.health is not Health.HEALTHY:
        why = f"{state.active} is {sample.health.value}: {sample.why}"
        return _end(ports, plan, trigger, Outcome.TARGET_NOT_VERIFIED, why)
    lost = _answer_once(asked)
    if lost:
        return _end(ports, plan, trigger, lost)
    written = _write_all(asked, seen.at)
    after = look_at(ports, plan, state, BY_TICK)
    left = merged(state.drift, after.found, after.looked_at)
    _tell_restored(asked, after, [one.change for one in written if one.change])
    if not left and not after.unseen:
        return _end(ports, plan, trigger, Outcome.RESTORED)
    problems = [one.problem for one in written if one.problem]
    by_hand = [f"{one.subject}: by hand, to {one.due}" for one in asked.of_kind(StepKind.LINODE)]
    words = [*problems, *by_hand, *filter(None, [_unseen(after)])]
    return _end(ports, plan, trigger, Outcome.PARTLY_RESTORED, "; ".join(words))


def _answer_once(asked: _Asked) -> Outcome | None:
    """Put it on record, before any effect, that this request is carried out; return why not (I20)."""
    ports, plan, request = asked.ports, asked.plan.name, asked.trigger.id

    def answered(state: PlanState) -> PlanState | None:
        return remember_request(state, request) if at_rest(state, asked.state.epoch) else None

    if change(ports, plan, answered) is not None:
        return None
    found = ports.store.load_state(plan)
    known = found is not None and request in found.requests
    return Outcome.ANSWERED_ALREADY if known else Outcome.IN_PROGRESS


def _write_all(asked: _Asked, verified_at: datetime) -> list[_Written]:
    """Write every zone and parameter that has drifted, at the same time; one problem stops no other."""
    subjects = {one.subject for one in asked.drift}
    zones = {one.subject.split()[1] for one in asked.of_kind(StepKind.ROUTE53)} & set(asked.look.zones)
    calls = [partial(_restore_zone, asked, zone_id, verified_at) for zone_id in sorted(zones)]
    calls += [
        partial(_restore_parameter, asked, step) for step in plan_steps(asked.plan) if step.key in subjects
    ]
    left = timedelta(seconds=max(asked.deadline.remaining_s() - LAST_LOOK_S, 1.0))
    written: list[_Written] = []
    for answer in asked.ports.together(calls, left):
        if isinstance(answer, Exception) and not isinstance(answer, _OF_THE_WORLD):
            raise answer
        written.append(_Written(problem=str(answer)) if isinstance(answer, Exception) else answer)
    return written


def _rests(asked: _Asked) -> bool:
    """Return whether the plan still rests where it did; asked directly before each write (I2)."""
    found = asked.ports.store.load_state(asked.plan.name)
    return found is not None and at_rest(found, asked.state.epoch)


def _restore_zone(asked: _Asked, zone_id: str, verified_at: datetime) -> _Written:
    """Send one batch that deletes what was found there and nothing else, wait, and read it back."""
    ports, plan, state, found = asked.ports, asked.plan, asked.state, asked.look.zones[zone_id]
    why_not = why_not_restored(plan, state, zone_id, found)
    if why_not:
        return _Written(problem=f"zone {zone_id}: {why_not}")
    batch = restore_batch(plan, state, zone_id, found)
    if not _rests(asked):
        return _Written(problem=f"zone {zone_id}: a move has begun meanwhile")
    if ports.clock.now() - verified_at > VERIFIED_WITHIN:
        return _Written(problem=f"zone {zone_id}: {state.active} was verified too long ago")
    comment = f"region-failover: {plan.name} epoch {state.epoch}: restored by hand"
    change_id = ports.zones.submit(zone_id, batch, comment)
    changed = f"zone {zone_id} {change_id}"
    while not ports.zones.is_insync(change_id):
        if asked.deadline.remaining_s() < LAST_LOOK_S + INSYNC_POLL_S:
            return _Written(changed, f"zone {zone_id}: change {change_id} is accepted, and not INSYNC yet")
        ports.clock.sleep(INSYNC_POLL_S)
    left = of_zone(plan, state, zone_id, read_zone(ports, plan, zone_id), ports.clock.now())
    return _Written(changed, "; ".join(line_of(one) for one in left))


def _restore_parameter(asked: _Asked, step: Step) -> _Written:
    if not _rests(asked):
        return _Written(problem=f"{step.key}: a move has begun meanwhile")
    write_value(asked.ports, asked.plan, step, asked.state.active, asked.state.epoch)
    return _Written(step.key)


def _tell_restored(asked: _Asked, after: Look, changes: Sequence[str]) -> None:
    ports, plan, state, trigger = asked.ports, asked.plan, asked.state, asked.trigger
    at = ports.clock.now()
    what = f"restored by {trigger.by}, epoch {state.epoch}, at {at:%Y-%m-%d %H:%M:%S} UTC"
    lines = "\n".join(f"- {line_of(one)}" for one in asked.drift)
    words = (
        f"restored {trigger.id}",
        f"[{plan.name}] restored by hand",
        f"{trigger.by}: {trigger.reason}\nWhat was found:\n{lines}\n"
        f"Written for {state.active}: {', '.join(changes)}.",
    )

    def restored(found: PlanState) -> PlanState:
        following = remember(found, state.epoch, after.found, after.looked_at) or found
        if not changes:
            return following
        return replace(following, last_change=f"{what}; changes: {', '.join(changes)}"[:LONGEST_CHANGE])

    change_and_tell(ports, plan, restored, lambda _: words if changes else None)


# let it stand


def _adopt(asked: _Asked) -> Summary:
    """Follow a human who has moved all of the traffic by hand; else leave what stands there, untold.

    What is in no plan cannot become the plan's; an empty answer, a fence that is not ours, and traffic of
    which a part was moved are not left: the first two would harm the next move, of the last nobody can say
    which Region is active.
    """
    ports, plan, trigger = asked.ports, asked.plan, asked.trigger
    if set(plan.zones()) - set(asked.look.zones):  # a parameter of a dead Region forbids nothing
        return _end(ports, plan, trigger, Outcome.NOT_LOOKED_AT, _unseen(asked.look))
    if _all_elsewhere(asked):
        return _follow(asked)
    wrong = [one for one in asked.drift if one.subject.split()[0] == StepKind.ROUTE53 and _is_not_left(one)]
    if wrong:
        words = "; ".join(line_of(one) for one in wrong)
        return _end(
            ports, plan, trigger, Outcome.NOT_ADOPTABLE, f"restore it, or correct it by hand: {words}"
        )
    return _leave(asked)


def _is_not_left(one: Drifted) -> bool:
    return one.kind is not DriftKind.FOREIGN


def _all_elsewhere(asked: _Asked) -> bool:
    """Return whether every record of every zone holds the other Region's answer, and no fence forbids."""
    plan, zones = asked.plan, asked.look.zones
    if not zones or obstacle(plan, asked.state.epoch, zones) is not None:
        return False
    return all(
        is_elsewhere(plan, asked.state, record, found)
        for zone_id, found in zones.items()
        for record in plan.zones()[zone_id]
    )


def _follow(asked: _Asked) -> Summary:
    """Open a transition to where the records point: it changes the fence, and what knows no fence follows."""
    ports, plan, state = asked.ports, asked.plan, asked.state
    target = plan.regions.other(state.active)
    leaving = target != plan.regions.primary
    direction = Direction.FAILOVER if leaving else Direction.FAILBACK
    seen, known = observe(ports, plan)
    trigger = replace(asked.trigger, kind=Kind.MANUAL, force=True, direction=direction)
    situation = situation_of(ports, plan, state, seen, known, trigger)
    decision = (decide_failover if leaving else decide_failback)(situation, plan.policy)
    words = f"adopted by {trigger.by}: the records hold {target}'s answers"
    summary = record(ports, plan, trigger, decision, situation, seen, words)
    if not decision.moves:
        change(ports, plan.name, lambda found: remember_request(found, trigger.id))
        return summary
    request = Claim(
        direction=direction,
        source=state.active,
        target=target,
        reason=f"{decision.reason.value}: {words}: {trigger.reason}",
        manual=True,
        owner=ports.owner,
        steps=plan_steps(plan),
        verified_at=seen.at,
        loss_s=seen.ages.get(pair(state.active, target)) if leaving else None,
        request=trigger.id,
    )
    lost = open_transition(ports, plan, request, asked.look.zones, seen.at, asked.deadline)
    return record(ports, plan, trigger, lost) if lost else summary


def _leave(asked: _Asked) -> Summary:
    ports, plan, trigger, drift = asked.ports, asked.plan, asked.trigger, asked.drift
    by = f"{trigger.by}: {trigger.reason}"
    lines = "\n".join(f"- {line_of(one)}" for one in drift)

    def left(state: PlanState) -> PlanState | None:
        answered = remember_request(state, trigger.id)
        return leave(answered, asked.state.epoch, drift, by) if answered else None

    words = (
        f"left {trigger.id}",
        f"[{plan.name}] is left as it is by hand",
        f"{by}\nIt stays so, and is told no more until it is another:\n{lines}\n"
        "The plan is frozen still: no automatic failback begins, and what a zone holds that is in no plan"
        " holds an automatic failover, too.",
    )
    saved = change_and_tell(ports, plan, left, lambda _: words)
    return _end(ports, plan, trigger, Outcome.LEFT if saved else Outcome.IN_PROGRESS)


# the end


def _end(ports: Ports, plan: Plan, trigger: Trigger, outcome: Outcome, detail: str = "") -> Summary:
    """Put what became of it on record; a request that was held has no effect later either (I20)."""
    done = outcome in DONE
    if not done:
        change(ports, plan.name, lambda state: remember_request(state, trigger.id))
    summary: Summary = {
        "plan": plan.name,
        "action": trigger.kind.value if done else "hold",
        "reason": outcome.value,
        "trigger": trigger.kind.value,
        "event": trigger.id,
        **({"detail": detail} if detail else {}),
    }
    said = {"by": trigger.by, "asked": trigger.reason, "expect": trigger.expect}
    ports.store.record_decision(plan.name, ports.clock.now(), {**summary, **said, "situation": None})
    ports.meter.log("choice", **summary, **said)
    return summary
