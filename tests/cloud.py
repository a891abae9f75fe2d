"""A stack's resources in moto, an application's endpoints on loopback, and the functions' real handlers."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import moto  # before the first client: moto listens at every client made after its import
import pytest

from region_failover.adapters.clients import forget_clients
from tests.fakes import EAST, WEST

assert moto.__version__

ROOT = Path(__file__).parents[1]
STATE_TABLE, HEARTBEAT_TABLE = "state", "heartbeat"
SAMPLE_QUEUE = "samples"
TOKEN = "linode-secret-token-0815"

PLAN = """
name = "orders"
[regions]
primary = "us-east-1"
standby = "us-west-2"
[policy]
check_answers = false  # moto answers no DNS
[sampling]
timeout = "700ms"
confirm_for = "0s"
needed = 1
[[check.dynamodb]]
table = "orders"
[[check.http]]
primary = "{primary}"
standby = "{standby}"
[[switch.route53_record]]
zone_id = "{zone}"
name = "api.example.com"
type = "A"
ttl = 60
primary = ["192.0.2.10"]
standby = ["198.51.100.10"]
[[switch.ssm_parameter]]
name = "/orders/active-region"
regions = ["us-west-2", "us-east-1"]
"""


@dataclass
class Stack:
    """What the template makes, as moto made it."""

    zone: str
    topic_arn: str
    secret_arn: str
    queue_url: str
    environment: dict[str, str] = field(default_factory=dict)


@lru_cache
def client(service: str, region: str = WEST) -> Any:
    """Return a client for setting up and looking at what is there (moto serves it in every test)."""
    session: Any = boto3.session.Session("testing", "testing", region_name=region)
    return session.client(service)


def isolate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave nothing of this machine's AWS settings to be found."""
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    forget_clients()


def make_table(region: str, name: str, *keys: str) -> None:
    client("dynamodb", region).create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[
            {"AttributeName": key, "KeyType": kind}
            for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
        ],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
    )


def make_stack() -> Stack:
    """Make a stack in us-west-2, the primary being us-east-1."""
    make_table(WEST, STATE_TABLE, "pk", "sk")
    for region in (EAST, WEST):
        make_table(region, HEARTBEAT_TABLE, "pk")
        make_table(region, "orders", "id")
        client("ssm", region).put_parameter(Name="/orders/active-region", Value=EAST, Type="String")
    topic = client("sns").create_topic(Name="alerts")["TopicArn"]
    queue = client("sqs").create_queue(QueueName="alerts")["QueueUrl"]
    arn = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"])
    client("sqs").create_queue(QueueName=SAMPLE_QUEUE)
    secret = client("secretsmanager").create_secret(Name="linode", SecretString=f" {TOKEN}\n")["ARN"]
    zone = make_zone()
    return Stack(zone, topic, secret, queue, environment(zone, topic))


def environment(zone: str, topic: str) -> dict[str, str]:
    """Return what the template tells every function."""
    return {
        "AWS_REGION": WEST,
        "STATE_TABLE": STATE_TABLE,
        "HEARTBEAT_TABLE": HEARTBEAT_TABLE,
        "TOPIC_ARN": topic,
        "PRIMARY_REGION": EAST,
        "STANDBY_REGION": WEST,
        "TABLE_NAMES": "orders",
        "HOSTED_ZONE_IDS": zone,
        "SSM_PARAMETER_NAMES": "/orders/active-region",
        "LINODE_TOKEN_SECRET_ARN": "",
        "STACK_NAME": "region-failover",
        "ROLES": ",".join(
            f"{n}=arn:aws:iam::123456789012:role/{n}" for n in ("failover", "failback", "linode_dns")
        ),
        "SAMPLE_QUEUE_URL": f"https://sqs.{WEST}.amazonaws.com/123456789012/{SAMPLE_QUEUE}",
        "POWERTOOLS_LOG_LEVEL": "INFO",
    }


def make_zone() -> str:
    route53 = client("route53")
    found = route53.create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Id"]
    zone = str(found).rsplit("/", 1)[-1]
    record = {"Name": "api.example.com", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.10"}]}
    route53.change_resource_record_sets(
        HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    )
    return zone


def messages(stack: Stack) -> list[str]:
    """Return what the topic's subscriber has got."""
    found = client("sqs").receive_message(QueueUrl=stack.queue_url, MaxNumberOfMessages=10)
    return [message["Body"] for message in found.get("Messages", [])]


@dataclass
class Endpoint:
    """An HTTP endpoint on loopback; `status` may be changed at any time."""

    status: int = 200
    url: str = ""
    requests: int = 0
    headers: list[Mapping[str, str]] = field(default_factory=list)  # of each request


@contextmanager
def endpoint(status: int = 200, location: str = "", body: bytes = b"ok") -> Iterator[Endpoint]:
    """Serve every GET with one status and body."""
    found = Endpoint(status)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.requests += 1
            found.headers.append(dict(self.headers.items()))
            self.send_response(found.status)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02), daemon=True)
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_address[1]}/health"
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def load_function(name: str) -> ModuleType:
    """Import a function's app.py afresh, as Lambda does at a cold start."""
    spec = importlib.util.spec_from_file_location(f"app_{name}", ROOT / "functions" / name / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass
class Context:
    """Lambda's context object, as far as it is used."""

    aws_request_id: str = "request-1"
    remaining_ms: int = 25_000

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms
