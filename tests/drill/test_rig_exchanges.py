"""What the proxy keeps of the requests that pass it, and what a batch of Route 53 changes does."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from drill.exchanges import CHANGE_RECORDS, Exchanges, RecordChange, changes_in, moves_traffic
from drill.faults import Fault, FaultKind, FaultTable
from drill.proxy import FaultProxy

ACCEPTED = (
    b'<?xml version="1.0"?><ChangeResourceRecordSetsResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/">'
    b"<ChangeInfo><Id>/change/C1</Id><Status>PENDING</Status><SubmittedAt>2026-01-01T00:00:00Z</SubmittedAt>"
    b"</ChangeInfo></ChangeResourceRecordSetsResponse>"
)


class Upstream(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Length", str(len(ACCEPTED)))
        self.end_headers()
        self.wfile.write(ACCEPTED)


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    upstream = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    upstream.daemon_threads = True
    threading.Thread(target=upstream.serve_forever, args=(0.02,), daemon=True).start()
    made = FaultProxy(upstream.server_port, FaultTable())
    made.exchanges = Exchanges({"route53": "*"})
    made.start()
    yield made
    made.stop()
    upstream.shutdown()
    upstream.server_close()


def change(proxy: FaultProxy, *changes: RecordChange) -> None:
    client: Any = boto3.client(
        "route53",
        region_name="eu-west-1",
        endpoint_url=f"http://127.0.0.1:{proxy.port}",
        aws_access_key_id="AKIDTEST",
        aws_secret_access_key="secret",
        config=Config(read_timeout=0.5, retries={"total_max_attempts": 1}),
    )
    batch = [
        {
            "Action": c.action,
            "ResourceRecordSet": {
                "Name": c.name,
                "Type": c.type,
                "TTL": c.ttl,
                "ResourceRecords": [{"Value": value} for value in c.values],
            },
        }
        for c in changes
    ]
    with contextlib.suppress(ClientError, BotoCoreError):
        client.change_resource_record_sets(HostedZoneId="Z1", ChangeBatch={"Changes": batch})


OLD = RecordChange("DELETE", "api.example", "A", 30, ("192.0.2.1",))
NEW = RecordChange("CREATE", "api.example", "A", 30, ("192.0.2.2",))
FENCE = RecordChange("CREATE", "_f.api.example", "TXT", 30, ('"plan epoch=1"',))


def test_a_request_is_kept_with_its_batch_its_answer_and_its_times(proxy: FaultProxy) -> None:
    change(proxy, OLD, NEW, FENCE)
    (kept,) = proxy.exchanges.of("route53", CHANGE_RECORDS)
    assert changes_in(kept.body) == [OLD, NEW, FENCE]
    assert kept.accepted
    assert kept.reply == ACCEPTED
    assert kept.done_at is not None
    assert kept.told_at is not None
    assert kept.asked_at <= kept.done_at <= kept.told_at


@pytest.mark.parametrize(
    ("kind", "done", "told"),
    [
        (FaultKind.DROP_REPLY, True, False),
        (FaultKind.HANG, False, False),
        (FaultKind.ERROR, False, True),
    ],
)
def test_what_a_fault_leaves_of_an_exchange(
    proxy: FaultProxy, kind: FaultKind, done: bool, told: bool
) -> None:
    proxy.faults.add(Fault(kind))
    change(proxy, OLD, NEW)
    (kept,) = proxy.exchanges.all()
    assert (kept.accepted, kept.done_at is not None, kept.told_at is not None) == (done, done, told)
    assert kept.fault == kind.value


def test_services_that_nobody_asked_for_are_not_kept(proxy: FaultProxy) -> None:
    proxy.exchanges = Exchanges({"sns": "*", "route53": "GET *"})
    change(proxy, OLD, NEW)
    assert proxy.exchanges.all() == ()


@pytest.mark.parametrize(
    ("batch", "moves"),
    [
        ([OLD, NEW, FENCE], True),
        ([NEW], True),  # out of an empty answer
        ([FENCE], False),
        ([OLD, RecordChange("CREATE", "api.example", "A", 30, ("192.0.2.1",))], False),  # only reasserted
        ([OLD, RecordChange("CREATE", "api.example", "A", 60, ("192.0.2.1",))], True),  # another TTL
    ],
)
def test_a_batch_moves_traffic_unless_every_answer_stays(batch: list[RecordChange], moves: bool) -> None:
    assert moves_traffic(batch) is moves
