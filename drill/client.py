"""A client that lives through the outage: resolves as the TTL allows, asks at a steady pace, counts all."""

import http.client
import json
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import dnslib

from drill.dns import ask

GOOD = {200, 201}


@dataclass(frozen=True)
class Answer:
    """What one request came to: `error` is None exactly when `ok`, `region` whoever answered, if any did."""

    at_monotonic: float
    ok: bool
    region: str | None
    address: str | None
    error: str | None
    seconds: float
    operation: str = ""


class CannotResolve(OSError):
    """The name has no address: the server did not answer, or answered without one."""


class Resolver:
    """Resolves one name and asks again only when the answer's TTL has run out, whatever happens between.

    Nothing is served stale, and failures are not remembered.
    """

    def __init__(
        self,
        fqdn: str,
        dns_address: tuple[str, int],
        timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fqdn = fqdn
        self._dns_address = dns_address
        self._timeout_s = timeout_s
        self._clock = clock
        self._address = ""
        self._expires_at = float("-inf")

    def address(self) -> str:
        """Return the first A record's address; raise CannotResolve when there is none to be had."""
        now = self._clock()
        if now >= self._expires_at:
            self._address, ttl_s = self._ask()
            self._expires_at = now + ttl_s
        return self._address

    def _ask(self) -> tuple[str, int]:
        try:
            reply = ask(self._dns_address, self._fqdn, "A", self._timeout_s)
        except (OSError, dnslib.DNSError) as error:
            raise CannotResolve(f"dns: {type(error).__name__}") from error
        found = [str(answer.rdata) for answer in reply.rr if answer.rtype == dnslib.QTYPE.A]
        if not found:
            rcode = dnslib.RCODE.get(reply.header.rcode)
            raise CannotResolve("dns: no address" if rcode == "NOERROR" else f"dns: {rcode}")
        return found[0], min(int(answer.ttl) for answer in reply.rr)


class TrafficClient:
    """Sends one request each `interval_s` in a thread of its own, and keeps every outcome.

    Without `path` the requests are the application's real work: an order written, then that order read,
    in turn. With a path they are GETs of it. Each opens a new connection: one kept alive would
    stay with the old address. One that takes longer than the interval delays the next, none is skipped
    to catch up.
    """

    def __init__(
        self,
        name: str,
        fqdn: str,
        port: int,
        dns_address: tuple[str, int],
        *,
        path: str | None = None,
        interval_s: float = 0.25,
        timeout_s: float = 1.0,
    ) -> None:
        self.name = name
        self._fqdn = fqdn
        self._port = port
        self._path = path
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._resolver = Resolver(fqdn, dns_address, timeout_s)
        self._answers: list[Answer] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._turn = 0
        self._last_written: str | None = None

    def start(self) -> None:
        """Begin asking."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name=f"client {self.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the request under way."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(2 * self._timeout_s + 1)

    def answers(self) -> tuple[Answer, ...]:
        """Return every outcome so far, oldest first."""
        with self._lock:
            return tuple(self._answers)

    def since(self, at_monotonic: float) -> tuple[Answer, ...]:
        """Return the outcomes of the requests begun at that moment or later."""
        return tuple(answer for answer in self.answers() if answer.at_monotonic >= at_monotonic)

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stopping.wait(max(0.0, due - time.monotonic())):
            answer = self._request(*self._next())
            due = max(due + self._interval_s, time.monotonic())
            with self._lock:
                self._answers.append(answer)

    def _next(self) -> tuple[str, str, str | None]:
        """Return method, path and the id of the order that is written, if one is."""
        if self._path is not None:
            return "GET", self._path, None
        self._turn += 1
        if self._turn % 2 == 0 and self._last_written is not None:
            return "GET", f"/orders/{self._last_written}", None
        return "POST", "/orders", f"{self.name}-{uuid.uuid4()}"

    def _request(self, method: str, path: str, order_id: str | None) -> Answer:
        began = time.monotonic()
        region = address = error = None
        try:
            address = self._resolver.address()
            region, error = self._exchange(address, method, path, order_id)
        except CannotResolve as failure:
            error = str(failure)
        except (OSError, http.client.HTTPException) as failure:
            error = type(failure).__name__
        if error is None and order_id is not None:
            self._last_written = order_id
        seconds = time.monotonic() - began
        operation = "write" if order_id is not None else "read"
        return Answer(began, error is None, region, address, error, seconds, operation)

    def _exchange(
        self, address: str, method: str, path: str, order_id: str | None
    ) -> tuple[str | None, str | None]:
        """Return the Region that answered, and what was wrong with its answer."""
        connection = http.client.HTTPConnection(address, self._port, timeout=self._timeout_s)
        try:
            body = None if order_id is None else json.dumps({"id": order_id})
            connection.request(method, path, body, {"Host": self._fqdn, "Connection": "close"})
            reply = connection.getresponse()
            return _judged(reply.status, reply.read())
        finally:
            connection.close()


def _judged(status: int, body: bytes) -> tuple[str | None, str | None]:
    try:
        told = json.loads(body)
        region, complaint = told.get("region"), told.get("error")
    except (ValueError, AttributeError):
        region = complaint = None
    if status in GOOD:
        return region, None
    return region, f"HTTP {status} {complaint or ''}".strip()
