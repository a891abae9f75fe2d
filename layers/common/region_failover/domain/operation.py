"""What a human asks of the `operator` function, read into one shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from region_failover.domain.errors import MalformedEvent


class Verb(StrEnum):
    """What to do."""

    STATUS = "status"
    APPROVE = "approve"
    REJECT = "reject"
    PAUSE = "pause"
    RESUME = "resume"
    ACKNOWLEDGE = "acknowledge"


EVERY_PLAN = "*"

# What each asks for beside 'action', 'plan' and 'by'.
_NEEDS: dict[Verb, tuple[str, ...]] = {
    Verb.APPROVE: ("proposal",),
    Verb.REJECT: ("proposal",),
    Verb.PAUSE: ("reason",),
}
LONGEST = 200


@dataclass(frozen=True, slots=True)
class Operation:
    """A human's request. `by`: who they say that they are; AWS CloudTrail knows who invoked the function."""

    verb: Verb
    plan: str
    by: str
    proposal: str = ""
    reason: str = ""


def read_operation(event: Any) -> Operation:
    """Return the operation in what invoked the function; raise MalformedEvent, which says what is allowed."""
    if not isinstance(event, Mapping):
        raise MalformedEvent(f"a JSON object was expected, not {type(event).__name__}")
    known = {"action", "plan", "by", "proposal", "reason"}
    unknown = sorted(set(event) - known)
    if unknown:
        raise MalformedEvent(f"unknown keys {unknown}; known are {sorted(known)}")
    verbs = [verb.value for verb in Verb]
    if event.get("action") not in verbs:
        raise MalformedEvent(f"'action' is {event.get('action')!r}; allowed are {verbs}")
    verb = Verb(event["action"])
    values = {key: _text(event, key) for key in ("plan", "by", *_NEEDS.get(verb, ()))}
    if values["plan"] == EVERY_PLAN and "proposal" in values:
        raise MalformedEvent("'plan': an answer is to one plan's proposal; name the plan")
    return Operation(verb, **values)


def _text(event: Mapping[str, Any], key: str) -> str:
    value = event.get(key)
    if not isinstance(value, str) or not value.strip() or len(value) > LONGEST or not value.isprintable():
        raise MalformedEvent(f"{key!r}: one line of 1 to {LONGEST} characters was expected, not {value!r}")
    return value.strip()
