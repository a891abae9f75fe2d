"""Look whether the switches of a plan at rest are as we left them, and say where they are not.

A tick looks at what the failback function may read, readiness at Linode. What cannot be read is logged and
stays what was known of it: it is never drift. A further kind of switch adds a function like `zones` here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, cast

from region_failover.domain.drift import (
    at_rest,
    checksum,
    is_due,
    is_frozen,
    merged,
    of_linode,
    of_parameter,
    of_zone,
    remember,
    subject_of_linode,
    subjects_of_zone,
    untold,
)
from region_failover.domain.drifted import Drifted, DriftKind
from region_failover.domain.errors import RemoteFailure
from region_failover.domain.plan import LinodeRecord, Plan
from region_failover.domain.state import PlanState, Step, StepKind
from region_failover.domain.trigger import Kind, Trigger
from region_failover.domain.zone import ZoneSnapshot
from region_failover.ports import LinodeDns, LinodeRecordState, Ports
from region_failover.service.record import Deadline, Words, change_and_tell, tell
from region_failover.service.repair import mend
from region_failover.service.switches import read_zone

# All looks at the same time; what has not answered by then is not known.
WITHIN = timedelta(seconds=8)

# A look, a round of checks and a batch with its retries: what begins later is left to the next tick.
NEEDED_S = 30.0

# A mail must stay readable.
MOST_TOLD = 20


@dataclass(frozen=True, slots=True)
class Watched:
    """One look: its name, all the subjects that it can find, what it sees, and what of that is drift.

    A subject begins with its kind of switch (`StepKind`). `see` may raise RemoteFailure.
    """

    name: str
    subjects: tuple[str, ...]
    see: Callable[[], object]
    compare: Callable[[Any], Iterable[Drifted]]


# Whichever switches of a kind a plan has.
Watches = tuple[StepKind, Callable[[Ports, Plan, PlanState], Iterator[Watched]]]


@dataclass(frozen=True, slots=True)
class Look:
    """What a round of looks has shown. `unseen`: what could not be read, and why, by the look's name."""

    found: tuple[Drifted, ...] = ()
    looked_at: tuple[str, ...] = ()
    unseen: Mapping[str, str] = field(default_factory=dict)
    zones: Mapping[str, ZoneSnapshot] = field(default_factory=dict)


def zones(ports: Ports, plan: Plan, state: PlanState) -> Iterator[Watched]:
    """Yield a look at each zone: its fence, and the plan's records."""
    for zone_id in plan.zones():
        yield Watched(
            zone_id,
            subjects_of_zone(plan, zone_id),
            partial(read_zone, ports, plan, zone_id),
            partial(_zone_drift, ports, plan, state, zone_id),
        )


def parameters(ports: Ports, plan: Plan, state: PlanState) -> Iterator[Watched]:
    """Yield a look at each parameter in each of its Regions."""
    for parameter in plan.ssm_parameters:
        for region in parameter.regions:
            step = Step(StepKind.SSM, parameter.name, region)
            yield Watched(
                step.key,
                (step.key,),
                partial(ports.parameters.read, region, parameter.name),
                partial(_parameter_drift, ports, plan, state, step),
            )


def linode_records(ports: Ports, plan: Plan, state: PlanState) -> Iterator[Watched]:
    """Yield a look at each record at Linode."""
    for record in plan.linode_records:
        yield Watched(
            subject_of_linode(record),
            (subject_of_linode(record),),
            partial(ports.linode.find, record.domain_id, record.name, record.type),
            partial(_linode_drift, ports, plan, state, record),
        )


def _zone_drift(
    ports: Ports, plan: Plan, state: PlanState, zone_id: str, found: ZoneSnapshot
) -> Iterable[Drifted]:
    return of_zone(plan, state, zone_id, found, ports.clock.now())


def _parameter_drift(
    ports: Ports, plan: Plan, state: PlanState, step: Step, value: str | None
) -> Iterable[Drifted]:
    return of_parameter(plan, state, step, value, ports.clock.now())


def _linode_drift(
    ports: Ports, plan: Plan, state: PlanState, record: LinodeRecord, found: Sequence[LinodeRecordState]
) -> Iterable[Drifted]:
    return of_linode(plan, state, record, [one.target for one in found], ports.clock.now())


# What the failback function may read, and write; and what is readiness's to read.
BY_TICK: tuple[Watches, ...] = ((StepKind.ROUTE53, zones), (StepKind.SSM, parameters))
BY_READINESS: tuple[Watches, ...] = ((StepKind.LINODE, linode_records),)


def look_at(ports: Ports, plan: Plan, state: PlanState, watches: Sequence[Watches]) -> Look:
    """Return what is not as the state says; all looks at the same time, each ends within WITHIN."""
    watched = [one for _, watch in watches for one in watch(ports, plan, state)]
    answers = ports.together([one.see for one in watched], WITHIN)
    found: list[Drifted] = []
    looked_at = _gone(state, watches, watched)
    unseen: dict[str, str] = {}
    snapshots: dict[str, ZoneSnapshot] = {}
    for one, answer in zip(watched, answers, strict=True):
        if isinstance(answer, RemoteFailure | TimeoutError):
            unseen[one.name] = str(answer)
            ports.meter.log("drift not looked at", plan=plan.name, what=one.name, error=str(answer))
        elif isinstance(answer, Exception):
            raise answer
        else:
            found += one.compare(answer)
            looked_at += one.subjects
            if isinstance(answer, ZoneSnapshot):
                snapshots[one.name] = answer
    return Look(tuple(found), tuple(looked_at), unseen, snapshots)


def _gone(state: PlanState, watches: Sequence[Watches], watched: Sequence[Watched]) -> list[str]:
    """Return what was found of switches that are in no plan any more: nothing is to be told of them."""
    kinds = {kind.value for kind, _ in watches}
    there = {subject for one in watched for subject in one.subjects}
    return [
        one.subject for one in state.drift if one.subject.split()[0] in kinds and one.subject not in there
    ]


def watch_for_drift(ports: Ports, plan: Plan, trigger: Trigger, deadline: Deadline) -> None:
    """Look, write an empty answer back, and tell: the last thing that a tick does, so it delays nothing."""
    at = trigger.at or ports.clock.now()
    if trigger.kind is not Kind.SCHEDULE or not is_due(plan, at) or deadline.remaining_s() < NEEDED_S:
        return
    state = ports.store.load_state(plan.name)
    if state is None or not at_rest(state, state.epoch):
        return
    look = look_at(ports, plan, state, BY_TICK)
    note(ports, plan, state, look)
    known = merged(state.drift, look.found, look.looked_at)
    mend(ports, plan, state, look.zones, [one for one in known if one.kind is DriftKind.EMPTY])


class _Kept:
    """Linode's DNS, which keeps its answers, also that it gave none: readiness reads every record once."""

    def __init__(self, linode: LinodeDns) -> None:
        self._linode = linode
        self._said: dict[tuple[int, str, str], tuple[LinodeRecordState, ...] | RemoteFailure] = {}

    def find(self, domain_id: int, name: str, kind: str) -> tuple[LinodeRecordState, ...]:
        key = domain_id, name, kind
        if key not in self._said:
            self._said[key] = self._ask(domain_id, name, kind)
        said = self._said[key]
        if isinstance(said, RemoteFailure):
            raise said
        return said

    def _ask(self, domain_id: int, name: str, kind: str) -> tuple[LinodeRecordState, ...] | RemoteFailure:
        try:
            return self._linode.find(domain_id, name, kind)
        except RemoteFailure as failure:
            return failure

    def __getattr__(self, name: str) -> Any:
        return getattr(self._linode, name)


def reading_linode_once(linode: LinodeDns) -> LinodeDns:
    """Return Linode's DNS, each of whose records is asked for once: its collections are limited by rate."""
    return cast(LinodeDns, _Kept(linode))


def watch_linode_for_drift(ports: Ports, plan: Plan) -> None:
    """Look at what stands at Linode, and tell where it is not as we left it; nothing is written there."""
    state = ports.store.load_state(plan.name)
    if state is None or not plan.linode_records or not at_rest(state, state.epoch):
        return
    note(ports, plan, state, look_at(ports, plan, state, BY_READINESS))


def note(ports: Ports, plan: Plan, state: PlanState, look: Look) -> None:
    """Remember what was found, and tell what is new; once more where it has stood for `notify_again`.

    Of an empty answer tells who has tried to write it back (`service/repair.py`). What changed while we
    looked is the next look's to find: then nothing is remembered.
    """
    change_and_tell(
        ports,
        plan,
        lambda now: remember(now, state.epoch, look.found, look.looked_at),
        lambda now: _words(plan, state, now),
    )
    standing = _to_tell(merged(state.drift, look.found, look.looked_at))
    if standing and standing == _to_tell(state.drift):
        tell(ports, plan, *_told(plan, state, standing))


def _to_tell(drift: Sequence[Drifted]) -> tuple[Drifted, ...]:
    return tuple(one for one in untold(drift) if one.kind is not DriftKind.EMPTY)


def _words(plan: Plan, before: PlanState, now: PlanState) -> Words | None:
    standing = _to_tell(now.drift)
    if any(not any(one.same(old) for old in before.drift) for one in standing):
        return _told(plan, now, standing)
    if before.drift and not now.drift:
        return _over(plan, before)
    return None


def _told(plan: Plan, state: PlanState, standing: Sequence[Drifted]) -> Words:
    frozen = any(one.freezes for one in standing)
    what = (
        "is frozen: somebody has changed what it switches" if frozen else "misses something that it switches"
    )
    first = min(one.since for one in standing)
    lines = "\n".join(f"- {line_of(one)}" for one in standing[:MOST_TOLD])
    held = (
        "Nothing of it is overwritten. No automatic failback begins; an automatic failover is held by what a"
        " zone holds that is in no plan, by nothing else of this.\n"
        if frozen
        else ""
    )
    return (
        f"drift {checksum(standing)} {first.isoformat()}",
        f"[{plan.name}] {what}",
        f"What {plan.name} switches is not as it was left, at {state.active}, epoch {state.epoch}:\n{lines}\n"
        f"Our last change: {state.last_change or 'none on record'}.\n{held}"
        f"Put it back: region-failover restore {plan.name} --expect {checksum(state.drift)} --reason ...\n"
        f"Let it stand: region-failover adopt {plan.name} --expect {checksum(state.drift)} --reason ...\n"
        "docs/runbook.md, 'Frozen', says what each does, and how to find out who it was.",
    )


def line_of(one: Drifted) -> str:
    """Return a finding in words."""
    left = f" (left so by {one.left_by})" if one.left_by else ""
    return (
        f"{one.subject} ({one.kind.value}): holds {one.found}; due: {one.due};"
        f" first seen {one.since:%Y-%m-%d %H:%M:%S} UTC{left}"
    )


def _over(plan: Plan, before: PlanState) -> Words:
    lines = "\n".join(f"- {line_of(one)}" for one in before.drift[:MOST_TOLD])
    return (
        f"drift over {checksum(before.drift)} {min(one.since for one in before.drift).isoformat()}",
        f"[{plan.name}] is as it should be again",
        f"All that {plan.name} switches stands as it was left. What was found before:\n{lines}",
    )


def status_of(state: PlanState) -> dict[str, object]:
    """Return what stands on record of drift, for humans."""
    return {
        "frozen": is_frozen(state),
        "drift": [
            {
                "subject": one.subject,
                "kind": one.kind.value,
                "found": one.found,
                "due": one.due,
                "since": one.since.isoformat(timespec="seconds"),
                "left_by": one.left_by,
            }
            for one in state.drift
        ],
        "drift_checksum": checksum(state.drift) if state.drift else "",
    }
