"""A reverse proxy in front of the embedded cloud that breaks the calls the fault table names.

What a call is comes from the request itself: Region, service and key from SigV4's credential scope
(`Credential=AKID/date/region/service/aws4_request`), the operation from where its protocol carries it.
The service is the *signing* name, which for CloudWatch is `monitoring`. An unsigned request (a function
URL) has an empty Region, service and principal.
"""

import contextlib
import http.client
import json
import re
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from email.message import Message
from http import HTTPStatus
from urllib.parse import parse_qs, unquote, urlsplit

from drill.exchanges import Exchange
from drill.faults import Call, Fault, FaultKind, FaultTable, FaultyHandler, LoopbackServer
from drill.interventions import Hold, Holds, Moment

UPSTREAM_TIMEOUT_S = 900.0
"""A synchronous Lambda invocation may take 15 minutes."""

REUSE_FOR_S = 2.0
"""An upstream connection idle for longer is replaced: HTTP servers close theirs after 5 s and more."""

STREAM_BYTES = 1 << 16

_SCOPE = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
_RPC_PATH = re.compile(r"^/service/[^/]+/operation/([^/]+)/?$")
_PER_HOP = {"connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade", "expect"}

_NOT_OURS = _PER_HOP | {"content-length"}

Wire = str
"""One of json, cbor, query, rest-xml, rest-json: how the request's protocol writes its errors."""

CallKey = tuple[str, str, str]


def describe(method: str, target: str, headers: "Message[str, str]", body: bytes) -> tuple[Call, Wire]:
    """Return the call that a request makes, and the protocol it speaks."""
    url = urlsplit(target)
    query = parse_qs(url.query)
    akid, region, service = _scope(headers.get("Authorization", ""), query)
    operation, wire = _operation(method, url.path, query, headers, body)
    if wire == "rest-json" and service in ("route53", "s3", "cloudfront"):
        wire = "rest-xml"
    return Call(region, service, operation, akid, _resource(wire, body)), wire


def _resource(wire: Wire, body: bytes) -> str:
    """Return the table or parameter that a JSON request names: of a transaction, the first one's table."""
    if wire != "json":
        return ""
    try:
        asked = json.loads(body)
    except ValueError:
        return ""
    if not isinstance(asked, dict):
        return ""
    items = asked.get("TransactItems")
    if isinstance(items, list) and items and isinstance(items[0], dict):
        asked = next((part for part in items[0].values() if isinstance(part, dict)), {})
    return str(asked.get("TableName") or asked.get("Name") or "")


def _scope(authorization: str, query: Mapping[str, list[str]]) -> tuple[str, str, str]:
    presigned = "Credential=" + query.get("X-Amz-Credential", [""])[0]
    found = _SCOPE.search(authorization) or _SCOPE.search(presigned)
    return (found[1], found[2], found[3]) if found else ("", "", "")


def _operation(
    method: str, path: str, query: Mapping[str, list[str]], headers: "Message[str, str]", body: bytes
) -> tuple[str, Wire]:
    if target := headers.get("X-Amz-Target"):
        return target.rsplit(".", 1)[-1], "json"
    if found := _RPC_PATH.match(path):
        return found[1], "cbor"
    if _is_form(headers):
        query = {**query, **parse_qs(body.decode("latin-1"))}
    if action := query.get("Action"):
        return action[0], "query"
    return f"{method} {unquote(path).rstrip('/') or '/'}", "rest-json"


def _is_form(headers: "Message[str, str]") -> bool:
    return headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded")


def failure(fault: Fault, call: Call, wire: Wire) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return status, headers and body of the error, written as the call's own protocol writes it."""
    status, code = _code(fault.kind, call.service, wire)
    message = f"injected by the rehearsal: {fault.kind} {call.service} {call.operation} in {call.region}"
    content_type, body = _error_body(wire, call.service, code, message)
    headers = [("Content-Type", content_type), ("x-amzn-RequestId", f"rehearsal-{fault.fault_id}")]
    if wire == "rest-json":
        headers.append(("x-amzn-ErrorType", code))
    if wire == "cbor":
        headers.append(("smithy-protocol", "rpc-v2-cbor"))
    return fault.status or status, headers, body


def _code(kind: FaultKind, service: str, wire: Wire) -> tuple[int, str]:
    xml = wire in ("query", "rest-xml")
    if kind is FaultKind.DENY:
        return 403, "AccessDenied" if xml else "AccessDeniedException"
    if kind is FaultKind.THROTTLE:
        special = {"lambda": (429, "TooManyRequestsException"), "s3": (503, "SlowDown")}
        return special.get(service, (400, "Throttling" if xml else "ThrottlingException"))
    return 500, "InternalServerError" if service == "dynamodb" else "InternalFailure"


def _error_body(wire: Wire, service: str, code: str, message: str) -> tuple[str, bytes]:
    if wire == "cbor":
        return "application/cbor", b"\xa2" + b"".join(
            map(_cbor_text, ("__type", f"rehearsal#{code}", "message", message))
        )
    if wire in ("query", "rest-xml"):
        error = f"<Code>{code}</Code><Message>{message}</Message>"
        if service == "s3":
            return "application/xml", f"<Error>{error}</Error>".encode()
        inner = f"<Error><Type>Sender</Type>{error}</Error><RequestId>rehearsal</RequestId>"
        return "text/xml", f"<ErrorResponse>{inner}</ErrorResponse>".encode()
    kind = "application/x-amz-json-1.0" if wire == "json" else "application/json"
    return kind, json.dumps({"__type": code, "message": message}).encode()


def _cbor_text(text: str) -> bytes:
    raw = text.encode()
    return b"\x79" + len(raw).to_bytes(2, "big") + raw


class FaultProxy(LoopbackServer):
    """Forwards every request to the embedded cloud unchanged, unless a fault strikes it.

    It never sends a request twice: a repeated write would be a fault nobody asked for.
    """

    def __init__(self, upstream_port: int, faults: FaultTable, host: str = "127.0.0.1") -> None:
        super().__init__(_ProxyHandler, faults, host)
        self.upstream_port = upstream_port
        self.holds = Holds()
        self._used: dict[socket.socket, Call] = {}
        self._calls: Counter[CallKey] = Counter()
        self._accepted: Counter[CallKey] = Counter()
        self._calls_lock = threading.Lock()

    def hold(self, service: str, operation: str, *, moment: Moment, region: str = "*", nth: int = 1) -> Hold:
        """Hold the nth matching request from now on, before it is forwarded or before its reply is given."""
        return self.holds.add(Hold(service, operation, moment=moment, region=region, nth=nth))

    def stop(self) -> None:
        """Let go of what is held, then stop."""
        self.holds.release_all()
        super().stop()

    def calls(self) -> dict[CallKey, int]:
        """Return how often each (Region, service, operation) was asked, struck by a fault or not."""
        with self._calls_lock:
            return dict(self._calls)

    def accepted(self) -> dict[CallKey, int]:
        """Return how often the embedded cloud itself answered each with success, lost replies too."""
        with self._calls_lock:
            return dict(self._accepted)

    def use(self, connection: socket.socket, call: Call | None) -> None:
        """Remember whose calls a connection carries; None: it has ended."""
        with self._calls_lock:
            if call is None:
                self._used.pop(connection, None)
            else:
                self._used[connection] = call

    def end_connections(self, region: str, service: str, principal: str) -> int:
        """Close the open connections of one key that carried calls to a Region's service; return how many."""
        wanted = (region, service, principal)
        with self._calls_lock:
            found = [
                link
                for link, call in self._used.items()
                if (call.region, call.service, call.principal) == wanted
            ]
        for link in found:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
        return len(found)

    def count(self, call: Call) -> None:
        """Count one call."""
        with self._calls_lock:
            self._calls[call.region, call.service, call.operation] += 1

    def count_answer(self, call: Call, status: int) -> None:
        """Count one answer of the embedded cloud, if it is a success."""
        if status < HTTPStatus.BAD_REQUEST:
            with self._calls_lock:
                self._accepted[call.region, call.service, call.operation] += 1


class _ProxyHandler(FaultyHandler):
    """One client connection: classify, break or forward, for each of its requests."""

    owner: FaultProxy
    _upstream: http.client.HTTPConnection | None = None
    _idle_since = 0.0
    _stranded = False

    def serve(self) -> None:
        """Break the request as the fault table says, else forward it."""
        unread = self.expects_continue() and not _is_form(self.headers)
        body = b"" if unread else self.read_body()
        call, wire = describe(self.command, self.path, self.headers, body)
        self.owner.count(call)
        self.owner.use(self.connection, call)
        exchange = self.keep(call, body)
        fault = self.owner.faults.match(call)
        if exchange is not None and fault is not None:
            exchange.fault = fault.kind.value
        if self.suffer(fault):
            return
        if unread:
            body = self.read_body()
        if fault is not None and fault.kind in (FaultKind.ERROR, FaultKind.THROTTLE, FaultKind.DENY):
            status, headers, text = failure(fault, call, wire)
            self.note_told(exchange, status, text)
            self.answer(status, text, headers)
        else:
            keep_reply = fault is None or fault.kind is not FaultKind.DROP_REPLY
            self._stranded = fault is not None and fault.kind is FaultKind.STRAND
            self._forward(call, body, keep_reply, exchange)

    def _forward(self, call: Call, body: bytes, keep_reply: bool, exchange: Exchange | None) -> None:
        hold = self.owner.holds.match(call)
        if hold is not None and hold.moment is Moment.REQUEST:
            hold.keep(call, self.client_address, self.owner.stopping.is_set)
        try:
            reply = self._ask(body)
        except (OSError, http.client.HTTPException) as error:
            self._drop_upstream()
            self.answer(502, f"the embedded cloud did not answer: {error!r}".encode())
            return
        self.owner.count_answer(call, reply.status)
        if hold is not None or exchange is not None:
            self._answer_whole(call, reply, keep_reply, exchange, hold)
        elif keep_reply:
            self._relay(reply)
        else:
            reply.read()
            self.drop_reply()
        self._idle_since = time.monotonic()

    def _answer_whole(
        self,
        call: Call,
        reply: http.client.HTTPResponse,
        keep_reply: bool,
        exchange: Exchange | None,
        hold: Hold | None,
    ) -> None:
        """Note what was answered, and pass it on: at once, when it is released, or not at all."""
        text = reply.read()
        if self._stranded:
            text = text.replace(b"<Status>INSYNC<", b"<Status>PENDING<")
        self.note_done(exchange, reply.status, text)
        if hold is not None:
            hold.answered(reply.status, text)
            if hold.moment is Moment.REPLY:
                hold.keep(call, self.client_address, self.owner.stopping.is_set)
        if not keep_reply:
            self.drop_reply()
            return
        self.note_told(exchange, reply.status, text)
        headers = [(name, value) for name, value in reply.getheaders() if name.lower() not in _NOT_OURS]
        self.answer(reply.status, text, headers)

    def _ask(self, body: bytes) -> http.client.HTTPResponse:
        upstream = self._connection()
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self._request_headers(len(body)):
            upstream.putheader(name, value)
        upstream.endheaders(body or None)
        return upstream.getresponse()

    def _request_headers(self, length: int) -> Iterable[tuple[str, str]]:
        had_body = "Content-Length" in self.headers or "Transfer-Encoding" in self.headers
        for name, value in self.headers.items():
            if name.lower() not in _PER_HOP and name.lower() != "content-length":
                yield name, value
        if had_body:
            yield "Content-Length", str(length)

    def _connection(self) -> http.client.HTTPConnection:
        """Return a connection to upstream that is not stale: idle for short, and nothing to read on it."""
        if self._upstream is not None and self._is_stale(self._upstream):
            self._drop_upstream()
        if self._upstream is None:
            port = self.owner.upstream_port
            self._upstream = http.client.HTTPConnection("127.0.0.1", port, timeout=UPSTREAM_TIMEOUT_S)
        return self._upstream

    def _is_stale(self, upstream: http.client.HTTPConnection) -> bool:
        if upstream.sock is None:
            return False  # http.client opens a new one by itself
        if time.monotonic() - self._idle_since > REUSE_FOR_S:
            return True
        poll = select.poll()  # not select(): its file descriptors end at 1,023
        poll.register(upstream.sock, select.POLLIN)
        return bool(poll.poll(0))

    def _drop_upstream(self) -> None:
        if self._upstream is not None:
            self._upstream.close()
            self._upstream = None

    def _relay(self, reply: http.client.HTTPResponse) -> None:
        """Send the reply on as it comes; one whose end was told only by closing ends that way here too."""
        self.send_response_only(reply.status, reply.reason)
        for name, value in reply.getheaders():
            if name.lower() not in _PER_HOP:
                self.send_header(name, value)
        chunked = reply.chunked
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif reply.length is None and self.command != "HEAD":
            self.close_connection = True
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        try:
            self._relay_body(reply, chunked)
        except http.client.HTTPException:
            self.close_connection = True  # cut off in the middle there, cut off in the middle here
        finally:
            reply.close()
        self.wfile.flush()

    def _relay_body(self, reply: http.client.HTTPResponse, chunked: bool) -> None:
        while data := reply.read1(STREAM_BYTES):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)
            if chunked:
                self.wfile.flush()
        if reply.length and self.command != "HEAD":
            self.close_connection = True
            self._drop_upstream()
        if chunked and self.command != "HEAD":
            self.wfile.write(b"0\r\n\r\n")

    def finish(self) -> None:
        """Close both sides."""
        self.owner.use(self.connection, None)
        self._drop_upstream()
        super().finish()
