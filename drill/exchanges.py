"""What went over the wire between the functions and the embedded cloud, kept as it happened.

The proxy tells of each request three times: when it was asked, when the cloud had done it, and when its
sender was told. A lost reply has been done and not told; what hangs has only been asked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from xml.etree import ElementTree

from drill.faults import Call

CHANGE_RECORDS = "POST */hostedzone/*/rrset"
KEPT = {
    **dict.fromkeys(("route53", "dynamodb", "ssm", "events", "sns", "linode"), "*"),
    "application": "GET /health",
}
"""What a rehearsal keeps: operations, shell-style, by service."""

REFUSED_BATCH = b"InvalidChangeBatch"


@dataclass(slots=True)
class Exchange:
    """One request: what it was, when each thing happened (wall clock, None: never), and its answer.

    `trace`: the X-Ray header, which AWS's SDK sends with every call of a traced function and which is new
    for each invocation; '' where there is none. `fault`: the kind of fault that struck it, or ''.
    """

    call: Call
    path: str
    body: bytes
    client: tuple[str, int]
    trace: str
    asked_at: float
    fault: str = ""
    done_at: float | None = None
    told_at: float | None = None
    status: int = 0
    reply: bytes = b""

    @property
    def accepted(self) -> bool:
        """Return whether the cloud has carried it out."""
        return self.done_at is not None and 200 <= self.status <= 299


@dataclass(slots=True)
class Exchanges:
    """Keeps the exchanges of some services' operations (shell-style), oldest first. Thread-safe."""

    kept: Mapping[str, str]
    clock: Callable[[], float] = time.time
    _all: list[Exchange] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wants(self, call: Call) -> bool:
        """Return whether exchanges of this kind are kept."""
        return fnmatchcase(call.operation, self.kept.get(call.service, ""))

    def asked(self, call: Call, path: str, body: bytes, client: tuple[str, int], trace: str) -> Exchange:
        """Keep a request that has just come."""
        exchange = Exchange(call, path, body, client, trace, self.clock())
        with self._lock:
            self._all.append(exchange)
        return exchange

    def done(self, exchange: Exchange, status: int, reply: bytes) -> None:
        """Note that the cloud has answered."""
        exchange.status, exchange.reply, exchange.done_at = status, reply, self.clock()

    def told(self, exchange: Exchange, status: int, reply: bytes) -> None:
        """Note what the sender is being told."""
        exchange.status, exchange.reply, exchange.told_at = status, reply, self.clock()

    def all(self) -> tuple[Exchange, ...]:
        """Return everything so far."""
        with self._lock:
            return tuple(self._all)

    def of(self, service: str, operation: str = "*") -> list[Exchange]:
        """Return the exchanges of a service and an operation (shell-style), oldest first."""
        return [
            exchange
            for exchange in self.all()
            if exchange.call.service == service and fnmatchcase(exchange.call.operation, operation)
        ]


@dataclass(frozen=True, slots=True)
class RecordChange:
    """One element of a Route 53 change batch; name without its last dot, values sorted.

    `identifier`, `weight`: of a weighted record set, '' and None of a simple one.
    """

    action: str
    name: str
    type: str
    ttl: int
    values: tuple[str, ...]
    identifier: str = ""
    weight: int | None = None


def changes_in(body: bytes) -> list[RecordChange]:
    """Return the elements of a ChangeResourceRecordSets request."""
    return [
        RecordChange(
            _text(change, "{*}Action"),
            _text(change, "{*}ResourceRecordSet/{*}Name").rstrip(".").lower(),
            _text(change, "{*}ResourceRecordSet/{*}Type"),
            int(_text(change, "{*}ResourceRecordSet/{*}TTL") or 0),
            tuple(sorted(value.text or "" for value in change.iterfind(".//{*}ResourceRecord/{*}Value"))),
            *weight_of(change.find("{*}ResourceRecordSet")),
        )
        for change in ElementTree.fromstring(body).iterfind(".//{*}Change")
    ]


def moves_traffic(changes: Sequence[RecordChange]) -> bool:
    """Return whether a batch changes an answer that clients get: any record but TXT, to something else."""
    removed = {(c.name, c.type, c.identifier): c for c in changes if c.action == "DELETE"}
    for change in changes:
        before = removed.get((change.name, change.type, change.identifier))
        same = before is not None and replace(before, action=change.action) == change
        if change.action in {"CREATE", "UPSERT"} and change.type != "TXT" and not same:
            return True
    return False


def weight_of(record_set: ElementTree.Element | None) -> tuple[str, int | None]:
    """Return the set identifier and the weight of a record set."""
    if record_set is None:
        return "", None
    weight = _text(record_set, "{*}Weight")
    return _text(record_set, "{*}SetIdentifier"), int(weight) if weight else None


def _text(element: ElementTree.Element, path: str) -> str:
    return (element.findtext(path) or "").strip()
