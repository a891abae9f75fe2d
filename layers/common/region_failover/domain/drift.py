"""Drift: what the world has against what the record says, for a plan at rest; pure.

A look at one switch yields findings (`Drifted`); `remember` puts them into the record in place of what was
known of just that switch, so what could not be looked at is neither drift nor its end. What becomes of them:
docs/adr/0033-drift-freezes-and-an-empty-answer-is-repaired.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from region_failover.domain.checksum import digest
from region_failover.domain.configuration import NamedValue
from region_failover.domain.decision import Reason
from region_failover.domain.drifted import Drifted, DriftKind
from region_failover.domain.linode import LinodeRecordState, points_at
from region_failover.domain.plan import LinodeRecord, Plan, Role, Route53Record
from region_failover.domain.state import Phase, PlanState, Step, StepKind
from region_failover.domain.zone import (
    Change,
    ChangeAction,
    Fence,
    RecordSet,
    ZoneSnapshot,
    answers,
    canonical,
    fence_record,
    foreign,
    not_simple,
)
from region_failover.domain.zone_fit import called, misfit

# What the record keeps: DynamoDB takes 400 KB an item, and a mail must stay readable.
KEPT = 20
LONGEST = 150

# Route 53 answers 5 requests a second for the whole account: a plan of more records than FEW is looked at in
# one minute out of RARELY, each plan in its own.
FEW = 8
RARELY = 5

# Whoever deletes a record again and again means it: after so many repairs within that time it is left empty.
REPAIRS_ALLOWED = 3
REPAIRS_WITHIN = timedelta(hours=1)


# when


def is_due(plan: Plan, at: datetime) -> bool:
    """Return whether a tick of that minute looks at this plan's switches."""
    if len(plan.route53_records) + len(plan.zones()) <= FEW:
        return True
    return int(at.timestamp()) // 60 % RARELY == sum(plan.name.encode()) % RARELY


def at_rest(state: PlanState, epoch: int) -> bool:
    """Return whether the plan rests at this epoch: while anything moves, nothing can be called drift."""
    return state.transition is None and state.phase is Phase.STEADY and state.epoch == epoch


# what is found


def of_zone(plan: Plan, state: PlanState, zone_id: str, found: ZoneSnapshot, now: datetime) -> list[Drifted]:
    """Return what is not as we left it in a zone. Another TTL is readiness's to tell, and no drift."""
    records = plan.zones()[zone_id]
    drifted = [_of_record(plan, state, record, found, now) for record in records]
    return [*_of_fence(plan, state, zone_id, found, now), *(one for one in drifted if one)]


def _of_record(
    plan: Plan, state: PlanState, record: Route53Record, found: ZoneSnapshot, now: datetime
) -> Drifted | None:
    there = found.sets(record.name, record.type)
    due = answers(record, plan.regions.role(state.active), state.share)
    if _shapes(there) == _shapes(due):
        return None
    kind = _kind_of(record, found, there, due)
    seen = not_simple(found, [record]) and "another routing policy, or several sets"
    return _drifted(subject_of_record(record), kind, seen or _told(there), _told(due), now)


def _kind_of(
    record: Route53Record, found: ZoneSnapshot, there: Sequence[RecordSet], due: Sequence[RecordSet]
) -> DriftKind:
    if there and (not_simple(found, [record]) or foreign(found, [record])):
        return DriftKind.FOREIGN
    return DriftKind.EMPTY if len(there) < len(due) else DriftKind.OTHER_REGION


def _shapes(sets: Sequence[RecordSet]) -> set[RecordSet]:
    """Return record sets whatever their TTL."""
    return {replace(found, ttl=0) for found in sets}


def _of_fence(
    plan: Plan, state: PlanState, zone_id: str, found: ZoneSnapshot, now: datetime
) -> Iterator[Drifted]:
    if is_own_fence(plan, state, found):
        return
    right = Fence(plan.name, state.epoch, state.active).render()
    there = ", ".join(found.fence.values) if found.fence else "nothing"
    yield _drifted(subject_of_fence(zone_id), DriftKind.FENCE, there, right, now)


def is_own_fence(plan: Plan, state: PlanState, found: ZoneSnapshot) -> bool:
    """Return whether the fence is this plan's, not ahead of the record, and names the active Region.

    One of an older epoch is right: a transition that was stopped before any effect has changed none.
    """
    fence = found.read_fence()
    if fence is None or (fence.plan, fence.active) != (plan.name, state.active):
        return False
    return fence.epoch <= state.epoch


def of_value(
    plan: Plan, state: PlanState, step: Step, switch: NamedValue, value: str | None, now: datetime
) -> Iterator[Drifted]:
    """Yield whether a parameter or secret names anything but the active Region; what is owed is no drift.

    `value`: what is there, None for nothing; of a secret '' for a text that is in no plan and is told nobody.
    """
    due = switch.value(plan.regions, state.active)
    if value == due or any(owed.key == step.key for owed in state.owed):
        return
    kind = DriftKind.MISSING if value is None else DriftKind.FOREIGN
    if value == switch.value(plan.regions, plan.regions.other(state.active)):
        kind = DriftKind.OTHER_REGION
    there = "nothing" if value is None else value or "another text"
    yield _drifted(step.key, kind, there, due, now)


def of_linode(
    plan: Plan, state: PlanState, record: LinodeRecord, found: Sequence[LinodeRecordState], now: datetime
) -> Iterator[Drifted]:
    """Yield whether a record at Linode, of which this is there, is not the active Region's."""
    role = plan.regions.role(state.active)
    if len(found) == 1 and points_at(record, found[0], role):
        return
    kind = DriftKind.FOREIGN if found else DriftKind.MISSING
    if len(found) == 1 and points_at(record, found[0], _other(role)):
        kind = DriftKind.OTHER_REGION
    there = ", ".join(one.target for one in found) or "nothing"
    yield _drifted(subject_of_linode(record), kind, there, record.target(role), now)


def _other(role: Role) -> Role:
    return Role.STANDBY if role is Role.PRIMARY else Role.PRIMARY


def subject_of_record(record: Route53Record) -> str:
    """Return what a finding about a record of Route 53 is about."""
    return f"{StepKind.ROUTE53.value} {record.zone_id} {canonical(record.name)} {record.type}"


def subject_of_fence(zone_id: str) -> str:
    """Return what a finding about a zone's fence is about."""
    return f"{StepKind.ROUTE53.value} {zone_id} fence"


def subject_of_linode(record: LinodeRecord) -> str:
    """Return what a finding about a record at Linode is about."""
    by_id = f" {record.record_id}" if record.record_id else ""
    return f"{StepKind.LINODE.value} {record.domain_id} {record.name or '@'} {record.type}{by_id}"


_CALLED = {StepKind.SSM.value: "parameter", StepKind.SECRET.value: "secret"}


def readiness_subject(one: Drifted) -> str:
    """Return how readiness calls the same switch (`domain/readiness.py`)."""
    kind, *rest = one.subject.split()
    if kind in _CALLED:
        return f"{_CALLED[kind]} {rest[1]} in {rest[0]}"
    if kind == StepKind.LINODE.value:
        return f"Linode record {rest[1]} {rest[2]} in domain {rest[0]}"
    return f"fence in {rest[0]}" if rest[1] == "fence" else f"record {rest[1]} {rest[2]} in {rest[0]}"


def subjects_of_zone(plan: Plan, zone_id: str) -> tuple[str, ...]:
    """Return all that a look at a zone can find."""
    records = plan.zones()[zone_id]
    return (subject_of_fence(zone_id), *(subject_of_record(record) for record in records))


def _told(sets: Sequence[RecordSet]) -> str:
    return "; ".join(map(_told_set, sorted(sets, key=lambda r: r.identifier))) or "nothing"


def _told_set(found: RecordSet) -> str:
    weight = f" ({found.identifier}, weight {found.weight})" if found.identifier else ""
    return f"{', '.join(found.values)}{weight}"


def _drifted(subject: str, kind: DriftKind, found: str, due: str, now: datetime) -> Drifted:
    return Drifted(subject, kind, found[:LONGEST], due[:LONGEST], now)


# what is remembered


def merged(
    known: Sequence[Drifted], found: Sequence[Drifted], looked_at: Sequence[str]
) -> tuple[Drifted, ...]:
    """Return what is known after a look at these subjects.

    What stands as it stood keeps since when, and who said that it is to be left so.
    """
    before = {one.subject: one for one in known}
    following = [one for one in known if one.subject not in set(looked_at)]
    for one in found:
        old = before.get(one.subject)
        following.append(replace(old, due=one.due) if old and old.same(one) else one)
    return tuple(sorted(following, key=lambda one: one.subject)[:KEPT])


def remember(
    state: PlanState, epoch: int, found: Sequence[Drifted], looked_at: Sequence[str]
) -> PlanState | None:
    """Return the state with what a look has found; None if nothing is new, or the plan has moved since."""
    following = merged(state.drift, found, looked_at)
    if following == state.drift or not at_rest(state, epoch):
        return None
    return replace(state, drift=following)


def leave(state: PlanState, epoch: int, found: Sequence[Drifted], by: str) -> PlanState | None:
    """Return the state with these findings left as they are, and told no more; None where it has moved."""
    if not at_rest(state, epoch):
        return None
    known = {one.subject: one.since for one in state.drift}
    left = [replace(one, since=known.get(one.subject, one.since), left_by=by[:LONGEST]) for one in found]
    others = [one for one in state.drift if one.subject not in {one.subject for one in left}]
    return replace(state, drift=tuple(sorted([*others, *left], key=lambda one: one.subject)[:KEPT]))


def untold(drift: Sequence[Drifted]) -> tuple[Drifted, ...]:
    """Return what nobody has said to leave as it is."""
    return tuple(one for one in drift if not one.left_by)


def is_frozen(state: PlanState) -> bool:
    """Return whether somebody has changed what we wrote, and automation leaves the plan to a human."""
    return any(one.freezes for one in state.drift)


def checksum(drift: Sequence[Drifted]) -> str:
    """Return the checksum of what stands there: an answer to it (`expect`) is an answer to just that."""
    return digest({"drift": sorted([one.subject, one.kind.value, one.found] for one in drift)})


# what it holds


def is_elsewhere(plan: Plan, state: PlanState, record: Route53Record, found: ZoneSnapshot) -> bool:
    """Return whether a record holds exactly the answer of the Region that is not active."""
    there = found.sets(record.name, record.type)
    other = answers(record, plan.regions.role(plan.regions.other(state.active)))
    return _shapes(there) == _shapes(other)


def astray(plan: Plan, state: PlanState, zones: Mapping[str, ZoneSnapshot]) -> tuple[Reason, str] | None:
    """Return why an automatic failback must not begin, beside what holds every move (`obstacle`), or None.

    A human has pointed a record at the other Region, by hand; or something beside the zones was changed. A
    failback has time: somebody says first what is meant. A failover has none.
    """
    for zone_id, found in zones.items():
        for record in plan.zones()[zone_id]:
            if state.share is None and is_elsewhere(plan, state, record, found):
                return Reason.DRIFT, f"zone {zone_id}: {record.name} {record.type} is the other Region's"
    beside = [one for one in state.drift if one.freezes and not one.subject.startswith(StepKind.ROUTE53)]
    return next(((Reason.DRIFT, f"{one.subject} holds {one.found}") for one in beside), None)


# what is written back


def why_not_repaired(plan: Plan, state: PlanState, found: ZoneSnapshot, now: datetime) -> str:
    """Return why an empty answer is not written back by itself now, '' if it may be.

    The fence that is there must be ours and of this rest: it is kept to the letter, so that a move that
    begins meanwhile, or any late worker, makes Route 53 refuse the batch.
    """
    if not at_rest(state, state.epoch):
        return "a transition is open: it writes the record itself"
    if state.paused:
        return "the plan is paused"
    if state.share is not None:
        return "a share of the traffic is on trial"
    if not is_own_fence(plan, state, found):
        return "the fence is not as we left it"
    if len(recent_repairs(state, now)) >= REPAIRS_ALLOWED:
        return f"it was written back {REPAIRS_ALLOWED} times within the hour, and is deleted again and again"
    return ""


def why_not_made(plan: Plan, zone_id: str, found: ZoneSnapshot) -> str:
    """Return what keeps all that is missing in a zone from being made, '' if some of it can be."""
    missing = [record for record in plan.zones()[zone_id] if not found.of(record)]
    reasons = [f"{called(record)}: {misfit(found, record)}" for record in missing if misfit(found, record)]
    return "; ".join(reasons) if len(reasons) == len(missing) else ""


def recent_repairs(state: PlanState, now: datetime) -> tuple[datetime, ...]:
    """Return when empty answers were written back lately."""
    return tuple(at for at in state.repairs if now - at < REPAIRS_WITHIN)


def count_repair(state: PlanState, now: datetime) -> PlanState:
    """Return the state with one more repair counted. No transition: no epoch, no cooldown, no budget."""
    return replace(state, repairs=(*recent_repairs(state, now), now)[-REPAIRS_ALLOWED:])


def repair_batch(plan: Plan, state: PlanState, zone_id: str, found: ZoneSnapshot) -> tuple[Change, ...]:
    """Return the batch that only creates what is not there, with the fence kept; () if nothing is missing.

    Route 53 refuses it where the fence is another by then, or the record is there again.
    """
    due = [
        target
        for record in plan.zones()[zone_id]
        for target in answers(record, plan.regions.role(state.active))
        if not _stands(found, target) and not misfit(found, record)
    ]
    if found.fence is None or not due:
        return ()
    kept = (Change(ChangeAction.DELETE, found.fence), Change(ChangeAction.CREATE, found.fence))
    return (*kept, *(Change(ChangeAction.CREATE, target) for target in due))


def _stands(found: ZoneSnapshot, target: RecordSet) -> bool:
    """Return whether there is a set in the place of this one, whatever it holds."""
    return any(there.identifier == target.identifier for there in found.sets(target.name, target.type))


def why_not_restored(plan: Plan, state: PlanState, zone_id: str, found: ZoneSnapshot) -> str:
    """Return why a zone cannot be written back by a human's word, '' if it can.

    What stands there must be what a batch of ours can replace: a fence that is not ours, or ahead, is the
    word of somebody else, or of a newer record than ours; a set that is in no plan is not ours to delete.
    """
    records = plan.zones()[zone_id]
    special = not_simple(found, records)
    if special:
        return f"{special} has another routing policy, or several sets: make it again what the plan says"
    fence = found.read_fence()
    if found.fence and (fence is None or fence.plan != plan.name):
        return f"{found.fence.name} TXT is not {plan.name}'s fence"
    if fence and fence.epoch > state.epoch:
        return f"its fence is at epoch {fence.epoch}, the record at {state.epoch}: was the record restored?"
    for record in records:
        known = {target.identifier for role in Role for target in answers(record, role)}
        spare = [r for r in found.sets(record.name, record.type) if r.identifier not in known]
        if spare:
            return f"{spare[0].name} {spare[0].type} has a set {spare[0].identifier!r} that is in no plan"
    return ""


def restore_batch(plan: Plan, state: PlanState, zone_id: str, found: ZoneSnapshot) -> tuple[Change, ...]:
    """Return the batch that writes the active Region's answers where others stand; () if all is right.

    It deletes to the letter what was found: whoever changes it again before the batch makes Route 53 refuse
    the whole. A fence that is right is kept, any other becomes that of the record.
    """
    records = plan.zones()[zone_id]
    changes: list[Change] = []
    for record in records:
        there = {one.identifier: one for one in found.sets(record.name, record.type)}
        due = answers(record, plan.regions.role(state.active))
        if _shapes(tuple(there.values())) == _shapes(due):
            continue
        for target in due:
            changes += _replace(there.get(target.identifier), target)
    if is_own_fence(plan, state, found) and not changes:
        return ()
    return (*_replace(found.fence, due_fence(plan, state, zone_id, found)), *changes)


def due_fence(plan: Plan, state: PlanState, zone_id: str, found: ZoneSnapshot) -> RecordSet:
    """Return the fence that a zone is left with: the one that is there if it is right, else the record's."""
    if found.fence is not None and is_own_fence(plan, state, found):
        return found.fence
    return fence_record(plan.zones()[zone_id], Fence(plan.name, state.epoch, state.active))


def _replace(there: RecordSet | None, target: RecordSet) -> list[Change]:
    removal = [Change(ChangeAction.DELETE, there)] if there else []
    return [*removal, Change(ChangeAction.CREATE, target)]
