"""Switch by switch: what is there, and what a transition would make of it, for humans and for a checksum.

What humans read of a record set is made in one place (`render`), and so is what a checksum binds (`_said`).
Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from region_failover.domain.batches import Batches, Intent
from region_failover.domain.plan import LinodeRecord, Plan
from region_failover.domain.shares import aim
from region_failover.domain.state import Step, StepKind
from region_failover.domain.zone import (
    Change,
    ChangeAction,
    Fence,
    RecordSet,
    ZoneSnapshot,
    answers,
    fence_name,
    fence_record,
)

NOTHING = "nothing"


class What(StrEnum):
    """What a switch is, by the name that it has in a plan's file."""

    RECORD = "route53_record"
    FENCE = "fence"
    LINODE = "linode_record"
    PARAMETER = "ssm_parameter"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class There:
    """What was read. `linode`: every (target, ttl_sec) there; `parameters`: by Region and name, None: absent.

    `unread`: why a zone, a Linode record or a parameter is not known, by `zone_key`, `linode_key` and
    `parameter_key`; what stands nowhere here was not looked at.
    """

    zones: Mapping[str, ZoneSnapshot] = field(default_factory=dict)
    linode: Mapping[str, Sequence[tuple[str, int]]] = field(default_factory=dict)
    parameters: Mapping[str, str | None] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)

    def why_unread(self, key: str) -> str:
        """Return why this is not known."""
        return self.unread.get(key) or "not looked at"


def zone_key(zone_id: str) -> str:
    """Return by what a zone's reason not to be read is kept."""
    return f"zone {zone_id}"


def linode_key(record: LinodeRecord) -> str:
    """Return how a Linode record is called: '123456 app A'."""
    by_id = f" (record {record.record_id})" if record.record_id else ""
    return f"{record.domain_id} {record.name or '@'} {record.type}{by_id}"


def parameter_key(region: str, name: str) -> str:
    """Return how a parameter is called: 'us-west-2 /orders/active-region'."""
    return f"{region} {name}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One switch. `before`, `after`: for humans; `was`, `becomes`: as JSON can say them, None for nothing.

    `unread`: why it is not known what is there, '' where it is.
    """

    what: What
    subject: str
    region: str
    before: str
    after: str
    was: object
    becomes: object
    unread: str = ""

    @property
    def changes(self) -> bool | None:
        """Return whether the transition changes it; None where nobody can tell."""
        return None if self.unread else self.was != self.becomes


def entries_of(
    plan: Plan, epoch: int, intent: Intent, step: Step, there: There, batches: Batches
) -> Iterator[Entry]:
    """Yield what becomes of each switch of a step."""
    if step.kind is StepKind.ROUTE53 and step.subject in batches:
        yield from _of_batch(plan, step.subject, batches[step.subject], there.zones[step.subject])
    elif step.kind is StepKind.ROUTE53:
        yield from _of_unread_zone(plan, epoch, intent, step.subject, there)
    elif step.kind is StepKind.LINODE:
        yield from (_of_linode(plan, intent, record, there) for record in plan.linode_records)
    elif step.kind is StepKind.SSM:
        yield _of_parameter(plan, intent, step, there)
    else:
        why = "this kind of switch is not looked at before a move"
        yield Entry(What.OTHER, step.key, "", "", intent.target, None, intent.target, why)


Key = tuple[str, str, str]


def _by_key(records: Sequence[RecordSet]) -> dict[Key, RecordSet]:
    return {(record.name, record.type, record.identifier): record for record in records}


def _of_batch(plan: Plan, zone_id: str, batch: Sequence[Change], found: ZoneSnapshot) -> Iterator[Entry]:
    """Yield what becomes of each record set of a zone: those that the batch leaves alone stay as they are."""
    fence = fence_name(plan.zones()[zone_id])
    there = _by_key([*([found.fence] if found.fence else []), *found.records])
    removed = _by_key([c.record for c in batch if c.action is ChangeAction.DELETE])
    created = _by_key([c.record for c in batch if c.action is ChangeAction.CREATE])
    for key in sorted({*there, *removed, *created}, key=lambda key: (key[:2] == (fence, "TXT"), key)):
        was = there.get(key)
        becomes = created.get(key, None if key in removed else was)
        what = What.FENCE if key[:2] == (fence, "TXT") else What.RECORD
        yield Entry(
            what, _subject(zone_id, key), "", render(was), render(becomes), _said(was), _said(becomes)
        )


def _of_unread_zone(plan: Plan, epoch: int, intent: Intent, zone_id: str, there: There) -> Iterator[Entry]:
    role, share = aim(plan, intent)
    why = there.why_unread(zone_key(zone_id))
    records = plan.zones().get(zone_id, ())
    for key, record in sorted(_by_key([a for r in records for a in answers(r, role, share)]).items()):
        yield Entry(What.RECORD, _subject(zone_id, key), "", "", render(record), None, _said(record), why)
    if records:
        fence = fence_record(records, Fence(plan.name, epoch, plan.regions.of(role)))
        subject = _subject(zone_id, (fence.name, fence.type, ""))
        yield Entry(What.FENCE, subject, "", "", render(fence), None, _said(fence), why)


def _subject(zone_id: str, key: Key) -> str:
    name, kind, identifier = key
    return f"{zone_id} {name} {kind}{f' {identifier!r}' if identifier else ''}"


def _said(record: RecordSet | None) -> dict[str, object] | None:
    """Return all that is known of a record set: whatever is not said here, no checksum binds."""
    return asdict(record) if record else None


def render(record: RecordSet | None) -> str:
    """Return a record set in words: '192.0.2.10 (TTL 60 s)'."""
    if record is None:
        return NOTHING
    weight = "" if record.weight is None else f", weight {record.weight}"
    routed = "".join(f", {name} {value}" for name, value in record.kept)
    ttl = "" if record.alias else f"TTL {record.ttl} s"
    beside = f"{ttl}{weight}{routed}".removeprefix(", ")
    unknown = "" if record.simple else ", with more that is not known here"
    return f"{record} ({beside}){unknown}" if beside else f"{record}{unknown}"


def _of_linode(plan: Plan, intent: Intent, record: LinodeRecord, there: There) -> Entry:
    key = linode_key(record)
    found = there.linode.get(key)
    kept = found[0][1] if found else 0
    ttl = kept if record.ttl_sec is None else record.ttl_sec
    becomes = (record.target(plan.regions.role(intent.target)), ttl)
    unread = there.why_unread(key) if found is None else ""
    was = [] if found is None else [_linode_said(one) for one in found]
    return Entry(
        what=What.LINODE,
        subject=key,
        region="",
        before="; ".join(_linode_words(one) for one in found or ()) or ("" if unread else NOTHING),
        after=_linode_words(becomes),
        was=was,
        becomes=[_linode_said(becomes)],
        unread=unread,
    )


def _linode_said(found: tuple[str, int]) -> dict[str, object]:
    return {"target": found[0], "ttl_sec": found[1]}


def _linode_words(found: tuple[str, int]) -> str:
    return f"{found[0]} (TTL {f'{found[1]} s' if found[1] else 'the default'})"


def _of_parameter(plan: Plan, intent: Intent, step: Step, there: There) -> Entry:
    key = parameter_key(step.region, step.subject)
    unread = "" if key in there.parameters else there.why_unread(key)
    was = there.parameters.get(key)
    before = "" if unread else was if was is not None else NOTHING
    switch = next((one for one in plan.ssm_parameters if one.name == step.subject), None)
    after = switch.value(plan.regions, intent.target) if switch else intent.target
    return Entry(What.PARAMETER, step.subject, step.region, before, after, was, after, unread)
