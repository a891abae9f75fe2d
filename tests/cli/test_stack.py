"""What the command line sends, through botocore, and what it says where no answer comes."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from botocore.config import Config

from region_failover_cli import stack as module
from region_failover_cli.stack import AwsStack, Failed, NotReached, NotSent


class Lambda:
    """Lambda's endpoint on loopback: keeps what was asked, and answers what it is told."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, object]] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body: bytes | None = b"{}"  # None: hang up instead
        self.url = ""


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lambda]:
    for name, value in (("ACCESS_KEY_ID", "x"), ("SECRET_ACCESS_KEY", "y"), ("CONFIG_FILE", "/nonexistent")):
        monkeypatch.setenv(f"AWS_{name}", value)
    found = Lambda()
    with serving(found):
        yield found


@contextmanager
def serving(found: Lambda) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            found.asked.append((self.path, json.loads(self.rfile.read(length) or b"null")))
            if found.body is None:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_response(found.status)
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(found.body)))
            self.end_headers()
            self.wfile.write(found.body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02), daemon=True).start()
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def stack(aws: Lambda, region: str | None = "us-west-2") -> AwsStack:
    return AwsStack("region-failover", region, None, aws.url)


def test_a_function_is_invoked_by_the_stacks_name_and_its_answer_returned(aws: Lambda) -> None:
    aws.body = b'{"plans": []}'
    assert stack(aws).invoke("operator", {"action": "status"}) == {"plans": []}
    assert aws.asked == [("/2015-03-31/functions/region-failover-operator/invocations", {"action": "status"})]


def test_a_functions_own_error_is_its_failure(aws: Lambda) -> None:
    aws.headers = {"X-Amz-Function-Error": "Unhandled"}
    aws.body = b'{"errorType": "StateUnavailable", "errorMessage": "state table: timeout"}'
    with pytest.raises(Failed, match="region-failover-failover: StateUnavailable: state table: timeout"):
        stack(aws).invoke("failover", {})


@pytest.mark.parametrize(
    "code", ["ResourceNotFoundException", "AccessDeniedException", "TooManyRequestsException"]
)
def test_a_request_that_lambda_refused_has_done_nothing(aws: Lambda, code: str) -> None:
    aws.status, aws.headers, aws.body = 400, {"x-amzn-ErrorType": code}, b'{"Message": "no"}'
    with pytest.raises(NotSent, match="region-failover-operator"):
        stack(aws).invoke("operator", {})
    assert len(aws.asked) == 1


def test_after_an_error_of_lambdas_own_nobody_knows_and_it_is_not_sent_again(aws: Lambda) -> None:
    aws.status, aws.headers, aws.body = 500, {"x-amzn-ErrorType": "ServiceException"}, b'{"Message": "oh"}'
    with pytest.raises(NotReached):
        stack(aws).invoke("failover", {})
    assert len(aws.asked) == 1


def test_a_lost_reply_is_no_reason_to_ask_again(aws: Lambda) -> None:
    aws.body = None
    with pytest.raises(NotReached):
        stack(aws).invoke("failover", {})
    assert len(aws.asked) == 1


def test_a_function_that_does_not_answer_in_time_may_have_acted(
    aws: Lambda, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = Config(connect_timeout=1, read_timeout=0.2, retries={"total_max_attempts": 1})
    monkeypatch.setattr(module, "INVOKED", impatient)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        aws.url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(NotReached, match="Read timeout"):
            stack(aws).invoke("failover", {})


def test_where_nothing_listens_nothing_was_done(aws: Lambda) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        aws.url = f"http://127.0.0.1:{gone.getsockname()[1]}"
    with pytest.raises(NotSent):
        stack(aws).invoke("operator", {})


def test_without_a_region_it_says_what_to_give(aws: Lambda) -> None:
    with pytest.raises(NotSent, match="give --region"):
        stack(aws, region=None).invoke("operator", {})


def test_without_credentials_nothing_is_asked(aws: Lambda, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    with pytest.raises(NotSent, match="who you are"):
        stack(aws).caller()
    assert not aws.asked


def test_a_profile_that_is_not_there_is_named(aws: Lambda) -> None:
    with pytest.raises(NotSent, match="nobody"):
        AwsStack("region-failover", "us-west-2", "nobody", aws.url)
