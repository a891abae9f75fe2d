"""What started us: every event that the rules, schedules and humans send, read into one shape.

Alarms, events and humans are only reasons to look. Shapes: Amazon EventBridge's own samples for
'CloudWatch Alarm State Change' (metric and composite alarms; suppressed and muted ones are sent too and
carry `actionsSuppressedBy` or `muteDetail`), 'Scheduled Event', and this product's own events, which also
come as the bodies of queue messages (Lambda's 'Using Lambda with Amazon SQS': `Records` of `aws:sqs`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from region_failover.domain.checksum import CHECKSUM, LENGTH
from region_failover.domain.errors import MalformedEvent
from region_failover.domain.plan import Role
from region_failover.domain.state import Direction
from region_failover.domain.verdict import Health, Sample

OWN_SOURCE = "region-failover"
REGION_UNHEALTHY = "Region Unhealthy"
SWITCH_REQUESTED = "Traffic Switch Requested"
SAMPLE_DUE = "Sample Due"
REGION_SAMPLED = "Region Sampled"

VANTAGE = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")

# What a report says of a Region is kept in a record that must stay small.
WHY_LENGTH = 300


class Kind(StrEnum):
    """What kind of reason to look it is."""

    ALARM = "alarm"
    SCHEDULE = "schedule"
    REGION_UNHEALTHY = "region-unhealthy"
    SWITCH_REQUESTED = "switch-requested"
    SAMPLE_DUE = "sample-due"
    REGION_SAMPLED = "region-sampled"
    CHECK = "check"
    PLAN = "plan"
    MANUAL = "manual"
    RESTORE = "restore"
    ADOPT = "adopt"


# What a human may choose where somebody has changed what we wrote; no move of traffic.
CHOICES = frozenset({Kind.RESTORE, Kind.ADOPT})

# What a human may ask of the functions that move traffic.
ACTIONS = (*(direction.value for direction in Direction), *sorted(kind.value for kind in CHOICES))


@dataclass(frozen=True, slots=True)
class Trigger:
    """One reason to look. `plan` '' means every plan; `at` None where the event has no time of its own.

    `offset`: of a sample that is due, the seconds after its tick; `vantage` and `samples`: of a report, who
    has looked, and what it saw, by Region; `expect`: the checksum of the only plan that a manual request may
    carry out, or of what a choice is about, None for any; `to`: of a wish to see a plan, where the traffic
    would go; `by`: who says that they ask.
    """

    kind: Kind
    id: str
    at: datetime | None
    plan: str = ""
    epoch: int = 0
    direction: Direction | None = None
    reason: str = ""
    force: bool = False
    in_alarm: bool = True
    suppressed: bool = False
    offset: int = 0
    vantage: str = ""
    samples: Mapping[str, Sample] = field(default_factory=dict)
    expect: str | None = None
    to: Role | None = None
    by: str = ""

    @property
    def manual(self) -> bool:
        """Return whether a human asked."""
        return self.kind is Kind.MANUAL


def is_stale(trigger: Trigger, now: datetime, maximum_age: timedelta) -> bool:
    """Return whether the event is older than its maximum age: such an event has no effect (I20)."""
    return trigger.at is not None and now - trigger.at > maximum_age


def read_triggers(event: Any, request_id: str) -> tuple[Trigger, ...]:
    """Return the triggers in what started a function; raise MalformedEvent for anything else.

    A target of a custom bus may be handed an array, even for one event. `request_id` names events that
    have no id of their own (manual ones).
    """
    if isinstance(event, list):
        return tuple(_read(item, request_id) for item in event)
    if isinstance(event, Mapping) and isinstance(event.get("Records"), list):
        return tuple(_read(_body(record, request_id), request_id) for record in event["Records"])
    return (_read(event, request_id),)


def _body(record: Any, request_id: str) -> Any:
    """Return the event within a queue's message."""
    if not isinstance(record, Mapping) or record.get("eventSource") != "aws:sqs":
        raise MalformedEvent(f"event {request_id}: only messages of a queue (aws:sqs) come as 'Records'")
    try:
        return json.loads(str(record.get("body")))
    except ValueError as error:
        raise MalformedEvent(f"message {record.get('messageId', request_id)}: its body is no JSON") from error


def _read(event: Any, request_id: str) -> Trigger:
    if not isinstance(event, Mapping):
        raise MalformedEvent(f"event {request_id}: a JSON object was expected, not {type(event).__name__}")
    if event.get("action") == "check":
        return _check(event, request_id)
    if event.get("action") == "plan":
        return _plan(event, request_id)
    if event.get("action") in (Kind.RESTORE.value, Kind.ADOPT.value):
        return _choice(event, request_id)
    if "action" in event:
        return _manual(event, request_id)
    kind = (event.get("source"), event.get("detail-type"))
    reader = _READERS.get(kind) if all(isinstance(word, str) for word in kind) else None
    if reader is None:
        raise MalformedEvent(
            f"event {event.get('id', request_id)}: source {kind[0]!r}, detail-type {kind[1]!r}: unknown;"
            f" known are {sorted(_READERS)} and manual requests with 'plan' and 'action'"
        )
    return reader(event, _Detail(event, request_id))


class _Detail:
    """The detail of an event, read with errors that name the event and the key."""

    def __init__(self, event: Mapping[str, Any], request_id: str) -> None:
        self.id = str(event.get("id", request_id))
        self.at = self._time(event.get("time"))
        found = event.get("detail", {})
        if not isinstance(found, Mapping):
            raise MalformedEvent(f"event {self.id}: 'detail' is not an object")
        self.values: Mapping[str, Any] = found

    def _time(self, text: Any) -> datetime:
        try:
            at = datetime.fromisoformat(str(text))
        except ValueError as error:
            raise MalformedEvent(f"event {self.id}: 'time' {text!r} is no ISO 8601 time") from error
        return at if at.tzinfo else at.replace(tzinfo=UTC)

    def text(self, key: str) -> str:
        value = self.values.get(key)
        if not isinstance(value, str) or not value:
            raise MalformedEvent(f"event {self.id}: detail.{key} is missing or no text")
        return value

    def whole(self, key: str) -> int:
        value = self.values.get(key)
        if not isinstance(value, int) or isinstance(value, bool):
            raise MalformedEvent(f"event {self.id}: detail.{key} is missing or no whole number")
        return value


Reader = Callable[[Mapping[str, Any], _Detail], Trigger]


def _alarm(_: Mapping[str, Any], detail: _Detail) -> Trigger:
    state = detail.values.get("state")
    name = detail.text("alarmName")
    if not isinstance(state, Mapping) or not isinstance(state.get("value"), str):
        raise MalformedEvent(f"event {detail.id}: detail.state.value is missing")
    return Trigger(
        kind=Kind.ALARM,
        id=detail.id,
        at=detail.at,
        reason=f"alarm {name}",
        in_alarm=state["value"] == "ALARM",
        suppressed=bool(state.get("actionsSuppressedBy") or detail.values.get("muteDetail")),
    )


def _schedule(_: Mapping[str, Any], detail: _Detail) -> Trigger:
    return Trigger(kind=Kind.SCHEDULE, id=detail.id, at=detail.at, reason="schedule")


def _own(kind: Kind) -> Reader:
    def read(_: Mapping[str, Any], detail: _Detail) -> Trigger:
        return Trigger(
            kind=kind,
            id=detail.id,
            at=detail.at,
            plan=detail.text("plan"),
            epoch=detail.whole("epoch"),
            direction=_direction(detail.values.get("direction"), detail.id),
            reason=str(detail.values.get("reason", "")),
        )

    return read


def sample_due(event_id: str, at: datetime, offset: int) -> dict[str, object]:
    """Return the event that says: a sample is due, so many seconds after the tick."""
    return {
        "id": event_id,
        "source": OWN_SOURCE,
        "detail-type": SAMPLE_DUE,
        "time": at.isoformat(),
        "detail": {"offset": offset},
    }


def _sample_due(_: Mapping[str, Any], detail: _Detail) -> Trigger:
    offset = detail.whole("offset")
    return Trigger(
        kind=Kind.SAMPLE_DUE, id=detail.id, at=detail.at, offset=offset, reason=f"{offset} s after the tick"
    )


def move_of(
    plan: str, epoch: int, direction: Direction, source: str, target: str, reason: str, at: datetime
) -> dict[str, object]:
    """Return the detail of an event about a move, one that is asked for or one that is to be looked at."""
    return {
        "plan": plan,
        "epoch": epoch,
        "direction": direction.value,
        "from": source,
        "to": target,
        "reason": reason,
        "at": at.isoformat(),
    }


def report_of(plan: str, vantage: str, samples: Mapping[str, Sample]) -> dict[str, object]:
    """Return the detail of the event by which a vantage point reports one round."""
    return {
        "plan": plan,
        "vantage": vantage,
        "samples": {
            region: {
                "at": sample.at.isoformat(),
                "health": sample.health.value,
                "ours": sample.ours,
                "why": sample.why[:WHY_LENGTH],
            }
            for region, sample in samples.items()
        },
    }


def _report(_: Mapping[str, Any], detail: _Detail) -> Trigger:
    vantage, samples = detail.text("vantage"), detail.values.get("samples")
    if not VANTAGE.fullmatch(vantage):
        raise MalformedEvent(f"event {detail.id}: detail.vantage {vantage!r} is no name of a vantage point")
    if not isinstance(samples, Mapping) or not samples:
        raise MalformedEvent(f"event {detail.id}: detail.samples is missing or no object")
    return Trigger(
        kind=Kind.REGION_SAMPLED,
        id=detail.id,
        at=detail.at,
        plan=detail.text("plan"),
        reason=f"report of {vantage}",
        vantage=vantage,
        samples={region: _reported(region, found, detail.id) for region, found in samples.items()},
    )


def _reported(region: str, found: Any, event_id: str) -> Sample:
    """Return a sample of a report; anything that is not plainly one is refused, not guessed."""
    try:
        at = datetime.fromisoformat(found["at"])
        health, ours, why = Health(found["health"]), found.get("ours", False), found.get("why", "")
        if at.tzinfo is None or not isinstance(ours, bool) or not isinstance(why, str):
            raise ValueError(found)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MalformedEvent(
            f"event {event_id}: detail.samples.{region}: 'at' (ISO 8601 with zone), 'health' "
            f"({', '.join(health.value for health in Health)}), 'ours' (true|false), 'why' (text) expected"
        ) from error
    return Sample(region, at, health, ours, why[:WHY_LENGTH])


def _direction(value: Any, event_id: str) -> Direction:
    try:
        return Direction(value)
    except ValueError as error:
        raise MalformedEvent(
            f"event {event_id}: {value!r} is no direction; known are {[d.value for d in Direction]}"
        ) from error


def _check(event: Mapping[str, Any], request_id: str) -> Trigger:
    """Read a human's wish to know whether a plan, or each ('*'), is ready."""
    plan = event.get("plan")
    if set(event) != {"action", "plan"} or not isinstance(plan, str) or not plan:
        raise MalformedEvent(f"check {request_id}: 'action' and 'plan' (a name, or '*') were expected")
    return Trigger(kind=Kind.CHECK, id=request_id, at=None, plan="" if plan == "*" else plan, reason="check")


def _plan(event: Mapping[str, Any], request_id: str) -> Trigger:
    """Read a human's wish to see what a move would do."""
    plan, to, force = event.get("plan"), event.get("to"), event.get("force", False)
    roles = [role.value for role in Role]
    named = isinstance(plan, str) and bool(plan)
    if set(event) - {"action", "plan", "to", "force"} or not named or to not in roles:
        raise MalformedEvent(
            f"plan {request_id}: 'action', 'plan' (a name), 'to' ({' or '.join(roles)}) and 'force'"
            " (true|false) were expected"
        )
    if not isinstance(force, bool):
        raise MalformedEvent(f"plan {request_id}: 'force': true or false was expected")
    return Trigger(
        kind=Kind.PLAN, id=request_id, at=None, plan=str(plan), reason="plan", force=force, to=Role(to)
    )


def _choice(event: Mapping[str, Any], request_id: str) -> Trigger:
    """Read what a human chooses where somebody has changed what we wrote; nothing in it is guessed."""
    unknown = sorted(set(event) - {"action", "plan", "reason", "by", "expect"})
    if unknown:
        raise MalformedEvent(f"{event['action']} {request_id}: unknown keys: {unknown}")
    texts = {key: event.get(key) for key in ("plan", "reason", "by")}
    wrong = sorted(k for k, text in texts.items() if not isinstance(text, str) or not text.strip())
    if wrong:
        raise MalformedEvent(
            f"{event['action']} {request_id}: 'plan', 'reason' and 'by' (who asks) were expected, each a text"
            f" that goes on record; missing or no text: {wrong}"
        )
    return Trigger(
        kind=Kind(event["action"]),
        id=request_id,
        at=None,
        plan=str(texts["plan"]),
        reason=str(texts["reason"]),
        expect=_expected(event, request_id),
        by=str(texts["by"]),
    )


def _manual(event: Mapping[str, Any], request_id: str) -> Trigger:
    known = {"plan", "action", "reason", "force", "expect"}
    unknown = sorted(set(event) - known)
    plan, reason, force = event.get("plan"), event.get("reason"), event.get("force", False)
    if unknown or not isinstance(plan, str) or not plan or not isinstance(force, bool):
        raise MalformedEvent(
            f"manual request {request_id}: 'plan' (text), 'action', 'reason' (text), 'force' (true|false) and"
            f" 'expect' (a plan's checksum) were expected; unknown keys: {unknown}"
        )
    if not isinstance(reason, str) or not reason.strip():
        raise MalformedEvent(f"manual request {request_id}: say why in 'reason': it goes on record")
    if event["action"] not in ACTIONS:
        raise MalformedEvent(
            f"manual request {request_id}: 'action' is {event['action']!r}; allowed are {list(ACTIONS)}"
        )
    return Trigger(
        kind=Kind.MANUAL,
        id=request_id,
        at=None,
        plan=plan,
        direction=_direction(event.get("action"), request_id),
        reason=reason,
        force=force,
        expect=_expected(event, request_id),
    )


def _expected(event: Mapping[str, Any], request_id: str) -> str | None:
    """Return the checksum that a request names; an empty one, or a malformed one, is refused: not 'any'."""
    if "expect" not in event:
        return None
    value = event["expect"]
    if not isinstance(value, str) or not CHECKSUM.fullmatch(value):
        raise MalformedEvent(
            f"{event['action']} {request_id}: 'expect' is {value!r}; allowed: a checksum, {LENGTH} digits"
            " of 0-9 and a-f, as `region-failover plan` prints that of a move, and the notification and"
            " `region-failover status` that of a drift; without the key: any"
        )
    return value


_READERS: dict[tuple[Any, Any], Reader] = {
    ("aws.cloudwatch", "CloudWatch Alarm State Change"): _alarm,
    ("aws.events", "Scheduled Event"): _schedule,
    (OWN_SOURCE, REGION_UNHEALTHY): _own(Kind.REGION_UNHEALTHY),
    (OWN_SOURCE, SWITCH_REQUESTED): _own(Kind.SWITCH_REQUESTED),
    (OWN_SOURCE, SAMPLE_DUE): _sample_due,
    (OWN_SOURCE, REGION_SAMPLED): _report,
}
