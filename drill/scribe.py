"""Collects what the functions did, by whom and when, and puts it into the order of a history."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from drill import wire
from drill.exchanges import Exchange

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection that an invocation opened, or (port 0) a look-up of its that found nothing."""

    at: float
    port: int
    name: str
    trace: str


def read_connections(text: str) -> list[Connection]:
    """Return what the functions' processes have noted, oldest first."""
    found = []
    for line in text.splitlines():
        at, what, trace = line.split(" ", 2)
        port = int(what) if what.isdecimal() else 0
        found.append(Connection(float(at), port, "" if port else what, trace))
    return sorted(found, key=lambda connection: connection.at)


class Who:
    """Knows by which invocation a request was made."""

    def __init__(self, connections: Sequence[Connection]) -> None:
        """Know these connections."""
        self._by_port: dict[int, list[Connection]] = {}
        for connection in connections:
            self._by_port.setdefault(connection.port, []).append(connection)

    def trace(self, exchange: Exchange) -> str:
        """Return the trace of the invocation that asked, '' where it is none of a function's."""
        if exchange.trace:
            return exchange.trace
        opened = self._by_port.get(exchange.client[1], [])
        index = bisect_right(opened, exchange.asked_at, key=lambda connection: connection.at)
        return opened[index - 1].trace if index else ""


@dataclass(slots=True)
class Setting:
    """What has to be known to read the wire.

    `plan`: the history's first entry; `urls`: of the endpoints' checks, by Region; `names`: Regions by the
    names that are looked up; `functions`: short names by access key.
    """

    plan: Mapping[str, Any]
    zone_id: str
    fence: str
    state_table: str
    heartbeat_table: str
    urls: Mapping[str, str]
    names: Mapping[str, str]
    functions: Mapping[str, str]


@dataclass(slots=True)
class Scribe:
    """Collects entries in any order, and puts them into the order of time."""

    setting: Setting
    who: Who
    found: list[tuple[float, int, Entry]] = field(default_factory=list)
    owners: dict[str, str] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)
    calls: int = 0

    def add(self, at: float, kind: str, **data: Any) -> None:
        """Note an entry; of several at one time the one noted first comes first."""
        self.found.append((at, len(self.found), {"kind": kind, **data}))

    def call(self, exchange: Exchange, operation: str, **data: Any) -> int:
        """Note a call; return what its effect and its reply are noted under."""
        self.calls += 1
        who = self.who.trace(exchange)
        stamp = datetime.fromtimestamp(exchange.asked_at, UTC).isoformat()
        self.add(exchange.asked_at, "call", _id=self.calls, worker=who, op=operation, clock=stamp, **data)
        return self.calls

    def effect(self, exchange: Exchange, call: int, operation: str, **data: Any) -> None:
        """Note what a call has done, when it was done."""
        at, who = exchange.done_at or exchange.asked_at, self.who.trace(exchange)
        self.add(at, "effect", call=call, worker=who, op=operation, **data)

    def reply(self, exchange: Exchange, call: int, operation: str, result: Any = None) -> None:
        """Note what the worker was told: the result, or the error if it was one; nothing if nothing."""
        who = {"call": call, "worker": self.who.trace(exchange), "op": operation}
        if exchange.fault in {"refuse", "drop-reply"}:
            error = symptom("refused")
            self.add(exchange.done_at or exchange.asked_at, "reply", **who, error=error)
        elif exchange.told_at is not None and exchange.status >= 400:
            self.add(exchange.told_at, "reply", **who, error=error_of(exchange))
        elif exchange.told_at is not None:
            self.add(exchange.told_at, "reply", **who, result=result)

    def simple(self, exchange: Exchange, operation: str, result: Any = None, **data: Any) -> None:
        """Note a call without an effect, and its reply."""
        self.reply(exchange, self.call(exchange, operation, **data), operation, result)

    def effective(self, exchange: Exchange, operation: str, result: Any = None, **data: Any) -> None:
        """Note a call, its effect where it was accepted, and its reply."""
        number = self.call(exchange, operation, **data)
        if exchange.accepted:
            self.effect(exchange, number, operation, **data)
        self.reply(exchange, number, operation, result)

    def entries(self, began: float) -> list[Entry]:
        """Return everything in order, numbered from 1; times in seconds since `began`."""
        numbers: dict[int, int] = {}
        entries: list[Entry] = []
        for at, _, found in sorted(self.found, key=lambda item: item[:2]):
            n = len(entries) + 1
            entry = {"n": n, "t": at - began, **found}
            if "_id" in entry:
                numbers[entry.pop("_id")] = n
            elif "call" in entry:
                entry["call"] = numbers[entry["call"]]
            if "worker" in entry:
                entry["worker"] = self._name(entry["worker"])
            entries.append(entry)
        return entries

    def _name(self, trace: str) -> str:
        return self.owners.get(trace) or f"{self.functions.get(trace, 'unknown')}:{trace}"

    def begin_all(self) -> None:
        """Note the beginning of every worker, at its first entry."""
        first: dict[str, float] = {}
        for at, _, entry in self.found:
            first[entry["worker"]] = min(at, first.get(entry["worker"], at))
        for trace, at in first.items():
            stamp = datetime.fromtimestamp(at, UTC).isoformat()
            function = self.functions.get(trace, "")
            self.found.append(
                (
                    at,
                    -1,
                    {"kind": "begin", "worker": trace, "function": function, "event": {}, "clock": stamp},
                )
            )


def error_of(exchange: Exchange) -> Entry:
    """Return the error in a reply."""
    code = wire.error_code(exchange)
    if code == "InvalidChangeBatch":
        return {"type": "FenceRefused"}
    return symptom("api", code, exchange.status)


def symptom(kind: str, code: str = "", status: int = 0) -> Entry:
    """Return what a worker ran into, as a history says it."""
    return {"type": "RemoteFailure", "symptom": {"kind": kind, "code": code, "status": status}}
