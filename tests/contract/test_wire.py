"""What sockets do, and what it is called: endpoints, deadlines, and botocore's errors. Loopback only."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, timedelta
from typing import Any

import boto3
import pytest
from botocore import exceptions as aws
from botocore.config import Config
from hypothesis import given
from hypothesis import strategies as st

from region_failover.adapters import clients
from region_failover.adapters.clients import CHECK, CONTROL, ROUTE53, ROUTE53_CHANGE, client
from region_failover.adapters.endpoints import Endpoints
from region_failover.adapters.symptoms import remote, symptom_of
from region_failover.adapters.system import SystemClock, together
from region_failover.domain.body import Body
from region_failover.domain.errors import FenceRefused, RemoteFailure
from region_failover.domain.symptom import Blame, Kind, Symptom, blame
from tests.cloud import endpoint
from tests.fakes import WEST, FakeEndpoints

HALF = timedelta(seconds=0.5)


def failure(call: Callable[[], object]) -> Symptom:
    with pytest.raises(RemoteFailure) as caught:
        call()
    return caught.value.symptom


@contextmanager
def taking(seconds: float) -> Iterator[None]:
    """Hold that what is done here takes about so long, and not much longer."""
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    assert seconds * 0.8 <= took <= seconds + 3.0, f"{took:.2f} s"  # the defaults take minutes


@contextmanager
def listener(serve: Callable[[socket.socket], None] | None = None, backlog: int = 5) -> Iterator[int]:
    """Listen on loopback; each connection is handed to `serve`, none is accepted without one."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(backlog)
        if serve is not None:
            threading.Thread(target=accept, args=(server, serve), daemon=True).start()
        yield int(server.getsockname()[1])


def accept(server: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = server.accept()
            threading.Thread(target=serve, args=(connection,), daemon=True).start()


@contextmanager
def full_backlog() -> Iterator[int]:
    """A port that answers no connection attempt: its queue is full, and nobody accepts."""
    with listener(backlog=0) as port, contextlib.ExitStack() as kept:
        for _ in range(4):
            waiting = kept.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        time.sleep(0.05)
        yield port


def closed_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


# endpoints


def test_the_expected_status_is_an_answer_for_both() -> None:
    with endpoint(200) as found:
        Endpoints().get(found.url, 200, HALF)
    FakeEndpoints().get("https://x/health", 200, HALF)


@pytest.mark.parametrize(
    ("status", "expected", "whose"),
    [
        (500, 200, Blame.THEIRS),
        (503, 200, Blame.THEIRS),
        (404, 200, Blame.OURS),
        (401, 200, Blame.OURS),
        (204, 200, Blame.OURS),
        (200, 204, Blame.OURS),
    ],
)
def test_another_status_is_a_failure_with_that_status(status: int, expected: int, whose: Blame) -> None:
    fake = FakeEndpoints()
    fake.answers["u"] = status
    with endpoint(status) as found:
        real = failure(lambda: Endpoints().get(found.url, expected, HALF))
    for symptom in (real, failure(lambda: fake.get("u", expected, HALF))):
        assert (symptom.kind, symptom.status, blame(symptom)) == (Kind.HTTP, status, whose)


@pytest.mark.parametrize(
    ("body", "expected", "well"),
    [
        (b'{"status": "ok"}', Body(path=("status",), value="ok"), True),
        (b'{"status": "degraded"}', Body(path=("status",), value="ok"), False),
        (b"<html>Log in to the network</html>", Body("orders"), False),
    ],
)
def test_a_good_status_with_another_body_is_a_wrong_answer(body: bytes, expected: Body, well: bool) -> None:
    fake = FakeEndpoints()
    fake.bodies["u"] = body
    with endpoint(body=body) as found:
        looks = [
            lambda: Endpoints().get(found.url, 200, HALF, expected),
            lambda: fake.get("u", 200, HALF, expected),
        ]
        for look in looks:
            if well:
                look()
            else:
                symptom = failure(look)
                assert (symptom.kind, blame(symptom)) == (Kind.WRONG_ANSWER, Blame.THEIRS)


def test_a_body_without_an_end_is_judged_by_its_first_64_kilobytes() -> None:
    with endpoint(body=b"x" * 100_000 + b"needle") as found:
        symptom = failure(lambda: Endpoints().get(found.url, 200, HALF, Body("needle")))
    assert symptom.kind is Kind.WRONG_ANSWER


def test_a_redirect_is_refused_and_not_followed() -> None:
    with endpoint(200) as goal, endpoint(302, location=goal.url) as found:
        symptom = failure(lambda: Endpoints().get(found.url, 200, HALF))
        assert goal.requests == 0
    assert (symptom.status, blame(symptom)) == (302, Blame.OURS)


def test_every_look_is_a_fresh_connection() -> None:
    ports: list[int] = []

    def serve(connection: socket.socket) -> None:
        ports.append(connection.getpeername()[1])
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        time.sleep(0.3)

    with listener(serve) as port:
        endpoints = Endpoints()
        for _ in range(2):
            endpoints.get(f"http://127.0.0.1:{port}/", 200, HALF)
    assert len(set(ports)) == 2


def test_secret_headers_are_sent_along_and_stand_in_no_error() -> None:
    asked: list[str] = []

    def serve(connection: socket.socket) -> None:
        asked.append(connection.recv(4096).decode())
        connection.sendall(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")

    secret = {"X-Token": "s3cret", "User-Agent": "ours", "Connection": "keep-alive"}
    with listener(serve) as port:
        endpoints = Endpoints(lambda name: secret if name == "orders" else {})
        url = f"http://127.0.0.1:{port}/"
        symptom = failure(lambda: endpoints.get(url, 200, HALF, headers="orders"))
        failure(lambda: endpoints.get(url, 200, HALF))
    first, second = (request.lower().splitlines() for request in asked)
    assert "x-token: s3cret" in first
    assert [line for line in first if line.startswith("user-agent")] == ["user-agent: ours"]
    assert [line for line in first if line.startswith("connection")] == ["connection: close"]
    assert "s3cret" not in str(symptom)
    assert not any("x-token" in line for line in second)
    assert "user-agent: region-failover" in second


def test_a_closed_port_is_a_refusal() -> None:
    symptom = failure(lambda: Endpoints().get(f"http://127.0.0.1:{closed_port()}/", 200, HALF))
    assert symptom.kind is Kind.REFUSED


def test_a_name_that_does_not_exist_is_said() -> None:
    symptom = failure(lambda: Endpoints().get("http://no-such-name.invalid/", 200, HALF))
    assert symptom.kind is Kind.NO_SUCH_NAME


def test_a_server_that_never_answers_ends_in_about_the_timeout() -> None:
    with listener() as port, taking(0.5):
        symptom = failure(lambda: Endpoints().get(f"http://127.0.0.1:{port}/", 200, HALF))
    assert symptom.kind is Kind.TIMEOUT


def test_a_server_that_never_accepts_ends_in_about_the_timeout() -> None:
    with full_backlog() as port, taking(0.5):
        symptom = failure(lambda: Endpoints().get(f"http://127.0.0.1:{port}/", 200, HALF))
    assert symptom.kind is Kind.TIMEOUT


def test_a_connection_closed_without_an_answer_is_a_refusal() -> None:
    with listener(lambda connection: connection.close()) as port:
        symptom = failure(lambda: Endpoints().get(f"http://127.0.0.1:{port}/", 200, HALF))
    assert symptom.kind is Kind.REFUSED


def test_plain_text_where_tls_was_expected_is_no_evidence_against_them() -> None:
    with endpoint() as found:
        url = found.url.replace("http:", "https:")
        symptom = failure(lambda: Endpoints().get(url, 200, HALF))
    assert (symptom.kind, blame(symptom)) == (Kind.TLS, Blame.OURS)


def test_a_server_that_trickles_is_bounded_by_the_round_not_by_its_own_timeouts() -> None:
    stop = threading.Event()

    def trickle(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        with contextlib.suppress(OSError):
            while not stop.wait(0.05):
                connection.sendall(b"x")

    with listener(trickle) as port, taking(0.5):
        url = f"http://127.0.0.1:{port}/"
        (answer,) = together([lambda: Endpoints().get(url, 200, HALF)], HALF)
    stop.set()
    assert type(answer) is TimeoutError


# together


def test_calls_run_at_the_same_time_and_answer_in_order() -> None:
    def after(seconds: float) -> Callable[[], float]:
        return lambda: time.sleep(seconds) or seconds  # type: ignore[func-returns-value]

    with taking(0.2):
        assert together([after(0.2), after(0.1), after(0.0)], timedelta(seconds=5)) == [0.2, 0.1, 0.0]


def test_a_call_that_hangs_is_left_behind_at_the_deadline() -> None:
    hang = threading.Event()
    with taking(0.3):
        answers = together([hang.wait, lambda: "well"], timedelta(seconds=0.3))  # type: ignore[list-item]
    hang.set()
    assert type(answers[0]) is TimeoutError
    assert answers[1] == "well"


def test_an_exception_is_that_calls_answer_and_nobody_elses() -> None:
    def fail() -> str:
        raise RemoteFailure(Symptom(Kind.REFUSED))

    answers = together([fail, lambda: "well"], timedelta(seconds=5))
    assert isinstance(answers[0], RemoteFailure)
    assert answers[1] == "well"


def test_no_calls_are_no_answers_and_no_time_is_a_timeout() -> None:
    assert together([], timedelta(seconds=5)) == []
    (answer,) = together([lambda: time.sleep(0.2)], timedelta(seconds=-1))
    assert type(answer) is TimeoutError


def test_the_clock_is_aware_and_in_utc() -> None:
    assert SystemClock().now().tzinfo is UTC


# botocore


def call(url: str, read_s: float = 0.4) -> Symptom:
    session: Any = boto3.session.Session("a", "b", region_name=WEST)
    config = Config(connect_timeout=0.4, read_timeout=read_s, retries={"total_max_attempts": 1})
    dynamodb = session.client("dynamodb", endpoint_url=url, config=config)
    guarded = remote(lambda: dynamodb.scan(TableName="orders"))
    return failure(guarded)


def test_a_client_that_is_there_waits_for_no_other_to_be_made() -> None:
    made = client("dynamodb", WEST, CHECK)
    with clients._lock:  # as while another is made
        (found,) = together([lambda: client("dynamodb", WEST, CHECK)], timedelta(seconds=1))
    assert found is made


def test_botocore_refused_is_a_refusal() -> None:
    assert call(f"http://127.0.0.1:{closed_port()}").kind is Kind.REFUSED


def test_botocore_without_a_connection_is_a_timeout() -> None:
    with full_backlog() as port, taking(0.4):
        assert call(f"http://127.0.0.1:{port}").kind is Kind.TIMEOUT


def test_botocore_without_an_answer_is_a_timeout() -> None:
    with listener() as port, taking(0.4):
        assert call(f"http://127.0.0.1:{port}").kind is Kind.TIMEOUT


def test_botocore_closed_without_an_answer_is_a_refusal() -> None:
    with listener(lambda connection: connection.close()) as port:
        assert call(f"http://127.0.0.1:{port}").kind is Kind.REFUSED


def test_botocore_without_a_name_is_no_such_name() -> None:
    assert call("http://dynamodb.no-such-name.invalid").kind is Kind.NO_SUCH_NAME


@pytest.mark.parametrize(("status", "whose"), [(500, Blame.THEIRS), (503, Blame.THEIRS), (400, Blame.OURS)])
def test_botocore_takes_code_and_status_from_the_answer(status: int, whose: Blame) -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        body = b'{"__type":"com.amazonaws.dynamodb.v20120810#SomethingNew","message":"no"}'
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/x-amz-json-1.0\r\n"
        head += f"Content-Length: {len(body)}\r\n"
        connection.sendall(head.encode() + b"\r\n" + body)

    with listener(serve) as port:
        symptom = call(f"http://127.0.0.1:{port}")
    assert (symptom.kind, symptom.code, symptom.status) == (Kind.API, "SomethingNew", status)
    assert blame(symptom) is whose


def client_error(code: str, status: int) -> aws.ClientError:
    return aws.ClientError(
        {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "Scan",
    )


@pytest.mark.parametrize(
    ("error", "kind", "whose"),
    [
        (client_error("AccessDeniedException", 400), Kind.API, Blame.OURS),
        (client_error("ExpiredTokenException", 400), Kind.API, Blame.OURS),
        (client_error("ThrottlingException", 400), Kind.API, Blame.OURS),
        (client_error("InternalServerError", 500), Kind.API, Blame.THEIRS),
        (aws.ClientError({}, "Scan"), Kind.API, Blame.OURS),
        (aws.NoCredentialsError(), Kind.CREDENTIALS, Blame.OURS),
        (aws.PartialCredentialsError(provider="env", cred_var="x"), Kind.CREDENTIALS, Blame.OURS),
        (aws.CredentialRetrievalError(provider="x", error_msg="y"), Kind.CREDENTIALS, Blame.OURS),
        (aws.NoRegionError(), Kind.SETTINGS, Blame.OURS),
        (aws.ParamValidationError(report="x"), Kind.SETTINGS, Blame.OURS),
        (aws.SSLError(endpoint_url="x", error="y"), Kind.TLS, Blame.OURS),
        (ssl.SSLCertVerificationError("x"), Kind.TLS, Blame.OURS),
        (aws.ConnectTimeoutError(endpoint_url="x"), Kind.TIMEOUT, Blame.THEIRS),
        (aws.ReadTimeoutError(endpoint_url="x"), Kind.TIMEOUT, Blame.THEIRS),
        (TimeoutError("x"), Kind.TIMEOUT, Blame.THEIRS),
        (aws.EndpointConnectionError(endpoint_url="x"), Kind.REFUSED, Blame.THEIRS),
        (
            aws.EndpointConnectionError(endpoint_url="x", error=socket.gaierror(-2, "unknown")),
            Kind.NO_SUCH_NAME,
            Blame.THEIRS,
        ),
        (aws.ConnectionClosedError(endpoint_url="x"), Kind.REFUSED, Blame.THEIRS),
        (ConnectionResetError("x"), Kind.REFUSED, Blame.THEIRS),
        (socket.gaierror(-2, "unknown"), Kind.NO_SUCH_NAME, Blame.THEIRS),
        (aws.ProxyConnectionError(proxy_url="x"), Kind.UNKNOWN, Blame.OURS),
        (aws.HTTPClientError(error="x"), Kind.UNKNOWN, Blame.OURS),
        (OSError("network is unreachable"), Kind.UNKNOWN, Blame.OURS),
        (ValueError("x"), Kind.UNKNOWN, Blame.OURS),
    ],
    ids=lambda value: f"{type(value).__name__}" if isinstance(value, Exception) else None,
)
def test_every_error_has_its_symptom_and_an_unknown_one_is_ours(
    error: Exception, kind: Kind, whose: Blame
) -> None:
    symptom = symptom_of(error)
    assert (symptom.kind, blame(symptom)) == (kind, whose)


@given(st.text(max_size=500))
def test_an_exception_nobody_has_classified_is_unknown_and_one_short_line(text: str) -> None:
    class SomethingNew(Exception):
        pass

    symptom = symptom_of(SomethingNew(text))
    assert (symptom.kind, blame(symptom)) == (Kind.UNKNOWN, Blame.OURS)
    assert "\n" not in symptom.detail
    assert len(symptom.detail) < 330


def test_errors_that_refer_to_one_another_do_not_hang() -> None:
    one, two = ValueError("one"), ValueError("two")
    one.__context__, two.__context__ = two, one
    assert symptom_of(one).kind is Kind.UNKNOWN


def test_our_own_errors_pass_as_they_are() -> None:
    def refuse() -> None:
        raise FenceRefused("no")

    with pytest.raises(FenceRefused):
        remote(refuse)()


@pytest.mark.parametrize("patience", [CHECK, CONTROL, ROUTE53, ROUTE53_CHANGE])
def test_no_client_inherits_the_sdks_patience(patience: Any) -> None:
    made = client("dynamodb", WEST, patience)
    config = made.meta.config
    assert (config.connect_timeout, config.read_timeout) == (patience.connect_s, patience.read_s)
    assert config.retries == {"mode": "standard", "total_max_attempts": patience.attempts}
    assert client("dynamodb", WEST, patience) is made
    assert patience.attempts * (patience.connect_s + patience.read_s) < 30
