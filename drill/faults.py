"""Faults: what the rehearsal can break, and how a server on loopback breaks it.

A `FaultTable` holds the rules; every server of the rig (the proxy in front of the embedded cloud, the
Linode stand-in, the application's endpoints) describes each request as a `Call` and asks the table. What
acts on the connection itself (a reset, silence, delay) is here, once, in `FaultyHandler`; what an error
reply looks like is each server's own matter.
"""

import contextlib
import logging
import os
import random
import socket
import socketserver
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drill.exchanges import Exchange, Exchanges

POLL_S = 0.05
"""How often a waiting thread looks whether its client is still there."""


class FaultKind(StrEnum):
    """The ways in which a remote system fails its callers."""

    REFUSE = "refuse"  # the connection is reset at once
    HANG = "hang"  # the connection stays open and silent
    ERROR = "error"  # their 5xx
    THROTTLE = "throttle"  # the caller asked too often
    SLOW = "slow"  # the answer comes after delay_s
    DROP_REPLY = "drop-reply"  # done, and the answer lost
    DENY = "deny"  # the caller may not
    STRAND = "strand"  # Route 53 says of every change that it is still under way


@dataclass(frozen=True)
class Call:
    """One request as the rules see it: where to, which service, what, on whose key, and on which resource.

    `resource`: the table or parameter that the request's body names, '' where it names none.
    """

    region: str
    service: str
    operation: str
    principal: str = ""
    resource: str = ""


@dataclass(frozen=True)
class Fault:
    """One rule: what happens to the calls it concerns. A match field of None concerns every call.

    A match field may hold `*` (shell-style), which REST operations need: `POST */hostedzone/*/rrset`.
    `status` replaces the HTTP status that the kind has by itself. `fault_id` is set by the table.
    """

    kind: FaultKind
    region: str | None = None
    service: str | None = None
    operation: str | None = None
    principal: str | None = None
    probability: float = 1.0
    delay_s: float = 0.0
    status: int | None = None
    resource: str | None = None
    fault_id: int = 0

    def concerns(self, call: Call) -> bool:
        """Return True when every match field agrees with the call."""
        pairs = (
            (self.region, call.region),
            (self.service, call.service),
            (self.operation, call.operation),
            (self.principal, call.principal),
            (self.resource, call.resource),
        )
        return all(wanted is None or fnmatchcase(actual, wanted) for wanted, actual in pairs)


class FaultTable:
    """The faults in force: of those that concern a call, the one added first wins. Thread-safe."""

    def __init__(self, seed: int = 0) -> None:
        self._changed = threading.Condition()
        self._rules: dict[int, Fault] = {}
        self._hits: dict[int, int] = {}
        self._random = random.Random(seed)
        self._next_id = 1

    def add(self, fault: Fault) -> int:
        """Put the fault in force, behind those already there; return the id that lifts it."""
        with self._changed:
            fault_id = self._next_id
            self._next_id += 1
            self._rules[fault_id] = replace(fault, fault_id=fault_id)
            self._hits[fault_id] = 0
            return fault_id

    def remove(self, fault_id: int) -> None:
        """Lift one fault and release what hangs on it; one already lifted is no error."""
        with self._changed:
            self._rules.pop(fault_id, None)
            self._changed.notify_all()

    def clear(self) -> None:
        """Lift every fault and release what hangs."""
        with self._changed:
            self._rules.clear()
            self._changed.notify_all()

    def active(self) -> tuple[Fault, ...]:
        """Return the faults in force, first added first."""
        with self._changed:
            return tuple(self._rules.values())

    def hits(self, fault_id: int) -> int:
        """Return how many calls the fault has struck, also after it was lifted."""
        with self._changed:
            return self._hits.get(fault_id, 0)

    def match(self, call: Call) -> Fault | None:
        """Return the fault that strikes this call, or None. Each question is one throw of the dice."""
        with self._changed:
            for fault in self._rules.values():
                if fault.concerns(call) and self._strikes(fault):
                    self._hits[fault.fault_id] += 1
                    return fault
        return None

    def _strikes(self, fault: Fault) -> bool:
        return fault.probability >= 1.0 or self._random.random() < fault.probability

    def wait_lifted(
        self,
        fault_id: int,
        timeout_s: float | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Return True once the fault is lifted; False when time is up or `should_stop` says so.

        `should_stop` is asked at least every `POLL_S`, without the table's lock.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not should_stop():
            with self._changed:
                if fault_id not in self._rules:
                    return True
                left_s = POLL_S if deadline is None else deadline - time.monotonic()
                if left_s <= 0:
                    return False
                self._changed.wait(min(POLL_S, left_s))
        return False


class _Server(ThreadingHTTPServer):
    """A threading HTTP server that can also end the connections it has accepted."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], handler: Callable[..., BaseHTTPRequestHandler]) -> None:
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Bind without HTTPServer's reverse look-up of the address, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, then serve it in its own thread."""
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close the connection and forget it."""
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def end_connections(self) -> None:
        """Shut every accepted connection down, so that the threads that serve them end."""
        with self._open_lock:
            still_open = tuple(self._open)
        for connection in still_open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what is no mere loss of a connection: those are this rig's trade."""
        if not isinstance(sys.exception(), OSError):
            logging.getLogger(__name__).exception("a rig server failed on a request from %s", client_address)


class LoopbackServer:
    """Serves one kind of handler on one address from start() to stop(); a restart keeps the port."""

    def __init__(
        self, handler: type["FaultyHandler"], faults: FaultTable, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.host = host
        self.faults = faults
        self.exchanges: Exchanges | None = None  # who keeps what passes, if anybody does
        self.stopping = threading.Event()
        self._handler = handler
        self._port = port
        self._server: _Server | None = None

    @property
    def port(self) -> int:
        """Return the port, once start() has bound it."""
        return self._port

    def start(self) -> None:
        """Bind, and serve in a thread of its own."""
        self.stopping.clear()
        server = _Server((self.host, self._port), lambda *parts: self._handler(self, *parts))
        self._port = server.server_port
        self._server = server
        threading.Thread(target=server.serve_forever, args=(POLL_S,), daemon=True).start()

    def stop(self) -> None:
        """Accept nothing more and end what is open; a second stop is no error."""
        server, self._server = self._server, None
        self.stopping.set()
        if server is not None:
            server.shutdown()
            server.server_close()
            server.end_connections()


class FaultyHandler(BaseHTTPRequestHandler):
    """An HTTP/1.1 handler with keep-alive, whole bodies, and the faults that act on a connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16

    def __init__(self, owner: LoopbackServer, *parts: Any) -> None:
        self.owner = owner
        super().__init__(*parts)

    def serve(self) -> None:
        """Answer one request, whatever its method."""
        raise NotImplementedError

    def do_GET(self) -> None:
        """Answer one request, whatever its method."""
        self.serve()

    do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the rig keeps its own record."""

    def handle_expect_100(self) -> bool:
        """Send no '100 Continue' yet: `read_body` does, so that a hanging connection stays silent."""
        return True

    def expects_continue(self) -> bool:
        """Return True when the client waits for '100 Continue' before it sends its body."""
        return str(self.headers.get("Expect", "")).lower() == "100-continue"

    def read_body(self) -> bytes:
        """Return the whole body, chunked or not, after the '100 Continue' that the client may await."""
        if self.expects_continue():
            self.send_response_only(100)
            self.end_headers()
            self.wfile.flush()
        if "chunked" in str(self.headers.get("Transfer-Encoding", "")).lower():
            return b"".join(self._chunks())
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        if len(body) < length:
            raise ConnectionResetError("the client was cut off in the middle of its request")
        return body

    def _chunks(self) -> Iterable[bytes]:
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():  # trailers end with an empty line
            pass

    def keep(self, call: Call, body: bytes) -> "Exchange | None":
        """Keep this request, if anybody wants to; return what its answer is noted on."""
        exchanges = self.owner.exchanges
        if exchanges is None or not exchanges.wants(call):
            return None
        trace = str(self.headers.get("X-Amzn-Trace-Id", ""))
        return exchanges.asked(call, self.path, body, self.client_address, trace)

    def note_done(self, exchange: "Exchange | None", status: int, reply: bytes) -> None:
        """Note that a request has had its effect, on one that is kept."""
        if self.owner.exchanges is not None and exchange is not None:
            self.owner.exchanges.done(exchange, status, reply)

    def note_told(self, exchange: "Exchange | None", status: int, reply: bytes) -> None:
        """Note what the sender is being told, on one that is kept."""
        if self.owner.exchanges is not None and exchange is not None:
            self.owner.exchanges.told(exchange, status, reply)

    def answer(self, status: int, body: bytes = b"", headers: Iterable[tuple[str, str]] = ()) -> None:
        """Send one complete reply."""
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:  # or a client keeps it, and finds it closed under its next request
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def suffer(self, fault: Fault | None) -> bool:
        """Let the fault act on the connection; return True when that was the end of the request."""
        if fault is None:
            return False
        if fault.kind is FaultKind.REFUSE:
            self.reset()
            return True
        if fault.kind is FaultKind.HANG:
            self.close_connection = True
            self.owner.faults.wait_lifted(fault.fault_id, None, self._is_abandoned)
            return True
        if fault.kind is FaultKind.SLOW:
            self.owner.faults.wait_lifted(fault.fault_id, fault.delay_s, self.owner.stopping.is_set)
        return False

    def drop_reply(self) -> None:
        """Close without an answer."""
        self.close_connection = True

    def reset(self) -> None:
        """End the connection with RST, not with an orderly close."""
        self.close_connection = True
        linger_for_nothing = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_for_nothing)
        os.close(self.connection.detach())

    def _is_abandoned(self) -> bool:
        """Return True when the client has gone or the server stops; whatever it still sends is lost."""
        if self.owner.stopping.is_set():
            return True
        try:
            return not self.connection.recv(1 << 16, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True
