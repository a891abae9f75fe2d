"""The checker's own reading of records, fences, errors and batches; it shares no code with the product.

What a record looks like was learnt from stored ones. A text is parsed once, however many entries show it;
what comes out is never changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

Key = tuple[str, str]  # a record set's (name, type), a weighted one's (name, type and identifier)
Content = tuple[int, tuple[str, ...], int | None]  # its (ttl, sorted values, weight)


class BadHistory(ValueError):
    """The history is not one: says which entry, and what is wrong with it."""


class Transition:
    """An open or ended transition, as the record has it; times are left as texts."""

    __slots__ = (
        "direction",
        "epoch",
        "forced",
        "found",
        "lease_owner",
        "lease_until",
        "loss_s",
        "manual",
        "outcome",
        "share",
        "source",
        "started_at",
        "steps",
        "target",
        "verified_at",
    )

    def __init__(self, found: dict[str, Any]) -> None:
        """Read what JSON gave."""
        self.found = found
        self.epoch: int = found["epoch"]
        self.direction: str = found["direction"]
        self.source: str = found["source"]
        self.target: str = found["target"]
        self.manual: bool = found["manual"]
        self.forced: bool = found.get("forced", False)  # over what somebody else has put into the records
        self.started_at: str = found["started_at"]
        self.verified_at: str = found["verified_at"]
        self.lease_owner: str = found["lease"]["owner"]
        self.lease_until: str = found["lease"]["until"]
        self.loss_s: float | None = found["loss_s"]
        self.outcome: str = found["outcome"]
        self.share: int | None = found.get("share")  # percent at the primary after a step of a failback
        self.steps: list[dict[str, Any]] = found["steps"]

    @property
    def what_it_is(self) -> tuple[str, str, str, bool, str, int | None]:
        """Return what never changes while it is open."""
        return self.direction, self.source, self.target, self.manual, self.started_at, self.share

    @property
    def active_after(self) -> str:
        """Return the Region that fence and record name after it: of a step, the one that has the rest."""
        return self.source if self.share else self.target

    @property
    def is_return(self) -> bool:
        """Return whether it takes back what was on trial at the primary."""
        return self.share == 0

    @property
    def automatic(self) -> bool:
        """Return whether no human asked for it."""
        return not self.manual

    def step(self, kind: str, subject: str = "", region: str = "") -> dict[str, Any] | None:
        """Return a step, or None."""
        for step in self.steps:
            if step["kind"] == kind and step["region"] == region and subject in {"", step["subject"]}:
                return step
        return None


class Proposal:
    """A failback that waits for a human's word, or has it."""

    __slots__ = ("about", "answer", "expires_at", "id", "source", "target")

    def __init__(self, found: dict[str, Any]) -> None:
        """Read what JSON gave."""
        self.id: str = found["id"]
        self.source: str = found["source"]
        self.target: str = found["target"]
        self.expires_at: str = found["expires_at"]
        self.answer: str = found["answer"]
        self.about = (self.source, self.target, found["made_at"], self.expires_at)

    def __eq__(self, other: object) -> bool:
        """Return whether it is the same, with the same answer."""
        if not isinstance(other, Proposal):
            return NotImplemented
        return (self.id, self.about, self.answer) == (other.id, other.about, other.answer)

    __hash__ = None  # type: ignore[assignment]


class Record:
    """A plan's state record."""

    __slots__ = (
        "active",
        "automatic_moves",
        "cooldown_until",
        "epoch",
        "moved_at",
        "outbox",
        "owed",
        "paused",
        "phase",
        "proposal",
        "requests",
        "share",
        "transition",
        "version",
    )

    def __init__(self, found: dict[str, Any]) -> None:
        """Read what JSON gave."""
        self.version: int = found["version"]
        self.epoch: int = found["epoch"]
        self.active: str = found["active"]
        self.phase: str = found["phase"]
        self.paused: bool = found["paused"]
        self.cooldown_until: str | None = found["cooldown_until"]
        self.moved_at: str | None = found.get("moved_at")
        self.owed: list[dict[str, Any]] = found["owed"]
        self.outbox: list[dict[str, Any]] = found["outbox"]
        self.requests: list[str] = found.get("requests", [])
        self.proposal = Proposal(found["proposal"]) if found.get("proposal") else None
        self.automatic_moves: list[str] = found.get("automatic_moves", [])
        self.share: int | None = found.get("share")
        self.transition = Transition(found["transition"]) if found["transition"] else None

    @property
    def heading(self) -> str:
        """Return the Region that configuration shall name: an open move's target, else the active one."""
        return self.transition.active_after if self.transition else self.active

    def owes(self, region: str, name: str) -> bool:
        """Return whether a parameter is still to be written in a Region."""
        return any((step["region"], step["subject"]) == (region, name) for step in self.owed)


@lru_cache(maxsize=2048)
def read_record(text: str) -> Record:
    """Return the state record in a stored text."""
    return Record(json.loads(text))


@lru_cache(maxsize=256)
def read_transition(text: str) -> Transition:
    """Return the ended transition in a stored text."""
    return Transition(json.loads(text))


@lru_cache(maxsize=2048)
def read_health(text: str) -> dict[str, dict[str, Any]]:
    """Return what a stored health record says, by Region."""
    regions: dict[str, dict[str, Any]] = json.loads(text)["regions"]
    return regions


@lru_cache(maxsize=2048)
def version_of(text: str) -> int | None:
    """Return the version of a stored record; None of an empty text, or where it says none."""
    version = json.loads(text).get("version") if text else None
    return None if version is None else int(version)


def record_of(value: str | dict[str, Any] | None) -> Record | None:
    """Return the record in a `world` or `rest` entry: text, an object, or None for none."""
    if isinstance(value, str):
        return read_record(value)
    return Record(value) if value else None


def when(value: str | datetime) -> datetime:
    """Return an ISO 8601 text as an aware time."""
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def seconds_between(later: str | datetime, earlier: str | datetime) -> float:
    """Return the seconds from the one to the other."""
    return (when(later) - when(earlier)).total_seconds()


class Fence(NamedTuple):
    """What a fence says."""

    plan: str
    epoch: int
    active: str


def read_fence(values: Iterable[str] | None) -> Fence | None:
    """Return what '"region-failover plan=orders epoch=7 active=us-west-2"' says; None for anything else."""
    found = list(values or ())
    if len(found) != 1:
        return None
    first, *rest = found[0].strip('"').split(" ")
    pairs = dict(word.partition("=")[::2] for word in rest)
    if first != "region-failover" or set(pairs) != {"plan", "epoch", "active"}:
        return None
    return Fence(pairs["plan"], int(pairs["epoch"]), pairs["active"]) if pairs["epoch"].isdecimal() else None


def key_of(name: str, kind: str, identifier: str = "") -> Key:
    """Return a record set's key: lower case, no trailing dot, Route 53's octal star undone."""
    return name.rstrip(".").lower().replace("\\052", "*"), f"{kind} {identifier}".strip()


def content_of(found: dict[str, Any]) -> Content:
    """Return what a record set holds."""
    return found["ttl"], tuple(sorted(found["values"])), found.get("weight")


def contents_of(records: Iterable[dict[str, Any]]) -> dict[Key, Content]:
    """Return record sets by their key."""
    return {
        key_of(found["name"], found["type"], found.get("identifier", "")): content_of(found)
        for found in records
    }


# How one check ended, as the checker judges it.
WELL, THEIRS, OURS, PENDING = "well", "theirs", "ours", "pending"

_TRANSPORT = frozenset({"timeout", "refused", "no-such-name"})
_SERVER_SIDE = frozenset(
    {
        "InternalServerError",
        "InternalFailure",
        "InternalError",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "ReplicatedWriteConflictException",
    }
)
_RATE = ("Throttl", "SlowDown", "TooManyRequests", "RequestLimitExceeded", "ThroughputExceeded")


def fault_of(error: dict[str, Any]) -> str:
    """Return whose fault an error is: THEIRS or OURS; what nobody has classified is OURS (I10, I13)."""
    if error["type"] == "TimeoutError":
        return THEIRS
    symptom = error.get("symptom")
    if not symptom:
        return OURS
    kind, code, status = symptom["kind"], symptom.get("code", ""), symptom.get("status", 0)
    if kind in _TRANSPORT or kind == "wrong-answer":
        return THEIRS
    if kind not in {"http", "api"} or status == 429 or any(word in code for word in _RATE):
        return OURS
    return THEIRS if 500 <= status <= 599 or code in _SERVER_SIDE else OURS


def is_transport(error: dict[str, Any]) -> bool:
    """Return whether nothing answered at all, so that we may be the ones who are cut off."""
    symptom = error.get("symptom") or {}
    return error["type"] == "TimeoutError" or symptom.get("kind") in _TRANSPORT


class Batch:
    """A Route 53 batch as it was asked for.

    `fence`: what its new fence says, None if it creates none that can be read; `odd`: actions that are no
    compare-and-swap, or a key named twice.
    """

    __slots__ = ("creates", "deletes", "fence", "fence_key", "odd", "zone_id")

    def __init__(self, zone_id: str, changes: list[dict[str, Any]], fence_key: Key | None) -> None:
        """Read the changes of one submission; `fence_key`: where the plan's fence stands in this zone."""
        self.zone_id, self.fence_key = zone_id, fence_key
        self.deletes: dict[Key, Content] = {}
        self.creates: dict[Key, Content] = {}
        self.odd: list[str] = []
        for change in changes:
            action = change["action"]
            key = key_of(change["name"], change["type"], change.get("identifier", ""))
            side = self.deletes if action == "DELETE" else self.creates
            if action not in {"DELETE", "CREATE"} or key in side:
                self.odd.append(f"{action} {' '.join(key)}")
            side[key] = content_of(change)
        new = self.creates.get(fence_key) if fence_key else None
        self.fence = read_fence(new[1]) if new else None

    @property
    def keys(self) -> set[Key]:
        """Return every record set that it touches, the fence included."""
        return set(self.deletes) | set(self.creates)

    @property
    def touched(self) -> set[Key]:
        """Return the record sets that it touches, without the fence."""
        return self.keys - {self.fence_key} if self.fence_key else self.keys

    @property
    def changes_an_answer(self) -> bool:
        """Return whether any record set is another afterwards."""
        return any(self.deletes.get(key) != self.creates.get(key) for key in self.touched)

    @property
    def starts_a_fence(self) -> bool:
        """Return whether it only puts a fence where none was."""
        return not self.deletes and self.fence is not None and set(self.creates) == {self.fence_key}

    @property
    def keeps_the_fence(self) -> bool:
        """Return whether the fence is deleted and created as it is, and nothing else is deleted."""
        key = self.fence_key
        return key is not None and set(self.deletes) == {key} and self.deletes[key] == self.creates.get(key)

    @property
    def reasserts(self) -> bool:
        """Return whether it deletes and creates the same, which changes nothing and proves what is there."""
        return self.deletes == self.creates
