"""The fault-injecting proxy, in front of a small HTTP server that repeats what it was sent."""

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from drill.faults import Fault, FaultKind, FaultTable
from drill.proxy import FaultProxy, describe

SIGNED = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=AKIDTEST/20260101/us-east-1/dynamodb/aws4_request, "
    "SignedHeaders=host, Signature=0",
    "X-Amz-Target": "DynamoDB_20120810.PutItem",
    "Content-Type": "application/x-amz-json-1.0",
}


class Upstream(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    seen: list[tuple[str, str, dict[str, str], bytes]]

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.seen.append((self.command, self.path, dict(self.headers), body))
        self.send_response(200)
        if self.path == "/chunked":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")
            return
        self.send_header("X-Twice", "a")
        self.send_header("X-Twice", "b")
        self.send_header("Content-Length", "2")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(b"{}")

    do_POST = do_PUT = do_HEAD = do_GET


@dataclass
class Rig:
    proxy: FaultProxy
    faults: FaultTable
    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    def connect(self, timeout: float = 1.5) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.proxy.port, timeout=timeout)

    def put(self) -> http.client.HTTPResponse:
        connection = self.connect()
        connection.request("POST", "/", b"{}", SIGNED)
        return connection.getresponse()

    def client(self, service: str, read_timeout: float = 1.5) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]
            region_name="us-east-1",
            endpoint_url=f"http://127.0.0.1:{self.proxy.port}",
            aws_access_key_id="AKIDTEST",
            aws_secret_access_key="secret",
            config=Config(read_timeout=read_timeout, retries={"total_max_attempts": 1}),
        )


@pytest.fixture
def rig() -> Iterator[Rig]:
    seen: list[tuple[str, str, dict[str, str], bytes]] = []
    upstream = ThreadingHTTPServer(("127.0.0.1", 0), type("Recording", (Upstream,), {"seen": seen}))
    upstream.daemon_threads = True
    threading.Thread(target=upstream.serve_forever, args=(0.02,), daemon=True).start()
    faults = FaultTable()
    proxy = FaultProxy(upstream.server_port, faults)
    proxy.start()
    yield Rig(proxy, faults, seen)
    proxy.stop()
    upstream.shutdown()
    upstream.server_close()


def wait_until(claim: Callable[[], bool], seconds: float = 1.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if claim():
            return True
        time.sleep(0.01)
    return claim()


def handler_threads() -> int:
    return sum("process_request_thread" in thread.name for thread in threading.enumerate())


def test_a_request_and_its_reply_pass_unchanged(rig: Rig) -> None:
    connection = rig.connect()
    connection.request("POST", "/a/b?c=d%2Fe", b"body", {"Host": "orders.example.com", "X-Own": "1"})
    reply = connection.getresponse()
    assert (reply.status, reply.read(), reply.headers.get_all("X-Twice")) == (200, b"{}", ["a", "b"])
    method, path, headers, body = rig.seen[0]
    assert (method, path, body) == ("POST", "/a/b?c=d%2Fe", b"body")
    assert (headers["Host"], headers["X-Own"]) == ("orders.example.com", "1")


@pytest.mark.parametrize(
    ("body", "resource"),
    [
        ({"TableName": "orders", "Key": {}}, "orders"),
        ({"Name": "/orders/active-region", "Value": "x"}, "/orders/active-region"),
        ({"TransactItems": [{"Put": {"TableName": "state"}}, {"Put": {"TableName": "other"}}]}, "state"),
        ({"TransactItems": [{}]}, ""),
        ({}, ""),
        ([], ""),
    ],
)
def test_the_table_or_parameter_is_read_from_the_body(body: object, resource: str) -> None:
    headers = Message()
    for name, value in SIGNED.items():
        headers[name] = value
    call, _ = describe("POST", "/", headers, json.dumps(body).encode())
    assert call.resource == resource


def test_a_body_that_is_no_json_names_nothing() -> None:
    headers = Message()
    for name, value in SIGNED.items():
        headers[name] = value
    assert describe("POST", "/", headers, b"\xff{")[0].resource == ""


def test_only_what_the_cloud_itself_answered_well_counts_as_accepted(rig: Rig) -> None:
    key = ("us-east-1", "dynamodb", "PutItem")
    fault_id = rig.faults.add(Fault(FaultKind.ERROR, service="dynamodb"))
    rig.put().read()
    assert key not in rig.proxy.accepted()
    rig.faults.remove(fault_id)
    rig.put().read()
    lost = rig.faults.add(Fault(FaultKind.DROP_REPLY, service="dynamodb"))
    with contextlib.suppress(http.client.HTTPException, OSError):
        rig.put()
    rig.faults.remove(lost)
    assert rig.proxy.accepted()[key] == 2
    assert rig.proxy.calls()[key] == 3


def test_one_connection_serves_many_requests(rig: Rig) -> None:
    connection = rig.connect()
    for method in ("POST", "HEAD", "GET", "HEAD", "POST"):
        connection.request(method, "/", b"x" if method == "POST" else None)
        reply = connection.getresponse()
        assert reply.status == 200
        assert reply.read() == (b"" if method == "HEAD" else b"{}")
    assert len(rig.seen) == 5
    assert handler_threads() == 2  # one here, one upstream


def test_a_client_that_asks_to_close_is_told_that_it_is_closed(rig: Rig) -> None:
    rig.faults.add(Fault(FaultKind.ERROR))
    connection = rig.connect()
    connection.request("POST", "/", b"{}", {**SIGNED, "Connection": "close"})
    assert connection.getresponse().headers["Connection"] == "close"
    assert connection.sock is None


def test_a_chunked_reply_arrives_whole(rig: Rig) -> None:
    connection = rig.connect()
    for _ in range(2):
        connection.request("GET", "/chunked")
        assert connection.getresponse().read() == b"abcdefg"


def test_a_chunked_request_body_is_forwarded_whole(rig: Rig) -> None:
    connection = rig.connect()
    connection.request(
        "PUT", "/", iter([b"ab", b"cde"]), {"Transfer-Encoding": "chunked"}, encode_chunked=True
    )
    assert connection.getresponse().read() == b"{}"
    assert rig.seen[0][3] == b"abcde"


def test_a_client_that_expects_100_continue_gets_it_before_its_body(rig: Rig) -> None:
    with socket.create_connection(("127.0.0.1", rig.proxy.port), 1.5) as link:
        link.sendall(b"PUT /k HTTP/1.1\r\nHost: b\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert link.recv(100).startswith(b"HTTP/1.1 100 ")
        link.sendall(b"body")
        assert link.recv(1000).startswith(b"HTTP/1.1 200 ")
    assert rig.seen[0][3] == b"body"


def test_an_upstream_that_closed_its_idle_connection_is_asked_again_on_a_new_one(rig: Rig) -> None:
    connection = rig.connect()
    connection.request("GET", "/", headers={"Connection": "keep-alive"})
    connection.getresponse().read()
    for thread_socket in list(_upstream_sockets(rig)):
        thread_socket.shutdown(socket.SHUT_RDWR)
    connection.request("GET", "/")
    assert connection.getresponse().status == 200


def _upstream_sockets(rig: Rig) -> Iterator[socket.socket]:
    import gc

    for thing in gc.get_objects():
        if isinstance(thing, http.client.HTTPConnection) and thing.port == rig.proxy.upstream_port:
            assert thing.sock is not None
            yield thing.sock


def test_no_request_waits_for_a_delayed_acknowledgement(rig: Rig) -> None:
    connection = rig.connect()
    took = []
    for _ in range(50):
        began = time.monotonic()
        connection.request("GET", "/")
        connection.getresponse().read()
        took.append(time.monotonic() - began)
    assert sorted(took)[25] < 0.03  # about 1 ms here; a delayed ACK takes 40


def test_an_upstream_that_is_gone_is_a_502() -> None:
    proxy = FaultProxy(1, FaultTable())
    proxy.start()
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=1)
    connection.request("GET", "/")
    assert connection.getresponse().status == 502
    connection.close()
    proxy.stop()


@dataclass(frozen=True)
class Sample:
    """One call of boto3, and how the proxy must see it."""

    client: str
    method: str
    service: str
    operation: str
    arguments: dict[str, Any] = field(default_factory=dict)


RECORD_SET = {"Action": "CREATE", "ResourceRecordSet": {"Name": "a", "Type": "A"}}
SAMPLES = [
    Sample("dynamodb", "list_tables", "dynamodb", "ListTables"),
    Sample("sns", "list_topics", "sns", "ListTopics"),
    Sample("cloudwatch", "list_metrics", "monitoring", "ListMetrics"),
    Sample(
        "route53",
        "change_resource_record_sets",
        "route53",
        "POST /2013-04-01/hostedzone/Z1/rrset",
        {"HostedZoneId": "Z1", "ChangeBatch": {"Changes": [RECORD_SET]}},
    ),
    Sample(
        "lambda",
        "invoke",
        "lambda",
        "POST /2015-03-31/functions/f/invocations",
        {"FunctionName": "f"},
    ),
]
EXPECTED = {
    FaultKind.ERROR: ({500}, {"InternalServerError", "InternalFailure"}),
    FaultKind.DENY: ({403}, {"AccessDenied", "AccessDeniedException"}),
    FaultKind.THROTTLE: ({400, 429}, {"Throttling", "ThrottlingException", "TooManyRequestsException"}),
}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.client)
@pytest.mark.parametrize("kind", EXPECTED)
def test_boto3_understands_every_error_of_every_protocol(rig: Rig, kind: FaultKind, sample: Sample) -> None:
    rig.faults.add(Fault(kind, "us-east-1", sample.service, sample.operation, "AKIDTEST"))
    with pytest.raises(ClientError) as caught:
        getattr(rig.client(sample.client), sample.method)(**sample.arguments)
    statuses, codes = EXPECTED[kind]
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] in statuses
    assert caught.value.response["Error"]["Code"] in codes
    assert rig.proxy.calls() == {("us-east-1", sample.service, sample.operation): 1}
    assert rig.seen == []


def test_a_fault_in_one_region_leaves_the_other_alone(rig: Rig) -> None:
    rig.faults.add(Fault(FaultKind.ERROR, region="us-west-2"))
    assert rig.put().status == 200


def test_a_fault_may_set_its_own_status(rig: Rig) -> None:
    rig.faults.add(Fault(FaultKind.ERROR, status=503))
    assert rig.put().status == 503


def test_refuse_resets_the_connection(rig: Rig) -> None:
    rig.faults.add(Fault(FaultKind.REFUSE))
    with pytest.raises(ConnectionResetError) as caught:
        rig.put()
    assert caught.type is ConnectionResetError  # an orderly close would be its subclass RemoteDisconnected
    with pytest.raises(ConnectionClosedError):
        rig.client("dynamodb").list_tables()


def test_a_lost_reply_had_its_effect(rig: Rig) -> None:
    rig.faults.add(Fault(FaultKind.DROP_REPLY))
    with pytest.raises(http.client.RemoteDisconnected):
        rig.put()
    assert len(rig.seen) == 1


def test_slow_delays_the_request_and_then_forwards_it(rig: Rig) -> None:
    rig.faults.add(Fault(FaultKind.SLOW, delay_s=0.2))
    began = time.monotonic()
    assert rig.put().status == 200
    assert 0.2 <= time.monotonic() - began < 1


def test_hang_is_silent_until_the_fault_is_lifted_then_closes_without_an_answer(rig: Rig) -> None:
    fault_id = rig.faults.add(Fault(FaultKind.HANG))
    connection = rig.connect()
    connection.request("POST", "/", b"{}", SIGNED)
    connection.sock.settimeout(0.2)
    with pytest.raises(TimeoutError):
        connection.sock.recv(1)
    rig.faults.remove(fault_id)
    connection.sock.settimeout(1)
    assert connection.sock.recv(1) == b""
    assert rig.seen == []
    assert wait_until(lambda: handler_threads() == 0)


def test_hang_sends_no_100_continue_either(rig: Rig) -> None:
    rig.faults.add(Fault(FaultKind.HANG))
    with socket.create_connection(("127.0.0.1", rig.proxy.port), 0.2) as link:
        link.sendall(b"PUT /k HTTP/1.1\r\nHost: b\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        with pytest.raises(TimeoutError):
            link.recv(1)


def test_hang_ends_when_the_client_gives_up(rig: Rig) -> None:
    rig.faults.add(Fault(FaultKind.HANG))
    client = rig.client("dynamodb", read_timeout=0.1)
    with pytest.raises(ReadTimeoutError):
        client.list_tables()
    client.close()
    assert wait_until(lambda: handler_threads() == 0)


def test_stop_ends_what_hangs_and_what_is_idle(rig: Rig) -> None:
    idle = rig.connect()
    idle.request("GET", "/")
    idle.getresponse().read()
    rig.faults.add(Fault(FaultKind.HANG))
    hanging = rig.connect()
    hanging.request("GET", "/")
    assert wait_until(lambda: len(rig.seen) == 1 and rig.faults.hits(1) == 1)
    rig.proxy.stop()
    assert wait_until(lambda: handler_threads() == 0)
    with pytest.raises(OSError, match="refused"):
        rig.connect().connect()
    with contextlib.suppress(OSError):
        hanging.close()


def test_a_presigned_request_is_known_by_its_query(rig: Rig) -> None:
    connection = rig.connect()
    scope = "AKIDTEST%2F20260101%2Feu-west-1%2Fs3%2Faws4_request"
    connection.request("GET", f"/bucket/key?X-Amz-Credential={scope}")
    connection.getresponse().read()
    assert rig.proxy.calls() == {("eu-west-1", "s3", "GET /bucket/key"): 1}


def test_an_unsigned_request_has_no_region(rig: Rig) -> None:
    rig.faults.add(Fault(FaultKind.ERROR, region="us-east-1"))
    connection = rig.connect()
    connection.request("GET", "/status")
    reply = connection.getresponse()
    assert (reply.status, json.loads(reply.read())) == (200, {})
    assert rig.proxy.calls() == {("", "", "GET /status"): 1}
