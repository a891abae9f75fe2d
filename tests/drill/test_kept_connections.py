"""A check of DynamoDB sees what a new client sees: a name that is gone, also with a connection still open."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from drill import layout
from drill.names import Names, dynamodb_name
from region_failover.adapters.clients import forget_clients
from region_failover.adapters.tables import Tables
from region_failover.domain.errors import RemoteFailure
from region_failover.domain.symptom import Kind

ANSWER = b'{"Count":0,"ScannedCount":0}'


class DynamoDb(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), DynamoDb)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    found = Names(tmp_path)
    for name, value in {
        **found.environment(server.server_port),
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }.items():
        monkeypatch.setenv(name, value)
    forget_clients()
    found.start()
    yield found
    found.stop()
    forget_clients()
    server.shutdown()
    server.server_close()


def test_a_name_that_is_gone_is_their_failure(names: Names) -> None:
    names.vanish(dynamodb_name(layout.PRIMARY))
    with pytest.raises(RemoteFailure) as caught:
        Tables("heartbeat").read(layout.PRIMARY, "orders")
    assert caught.value.symptom.kind is Kind.NO_SUCH_NAME


def test_a_name_that_is_gone_is_seen_although_a_connection_is_still_open(names: Names) -> None:
    Tables("heartbeat").read(layout.PRIMARY, "orders")
    names.vanish(dynamodb_name(layout.PRIMARY))
    with pytest.raises(RemoteFailure) as caught:
        Tables("heartbeat").read(layout.PRIMARY, "orders")
    assert caught.value.symptom.kind is Kind.NO_SUCH_NAME
