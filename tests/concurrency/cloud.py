"""The cloud that the workers share: the embedded AWS, a stand-in for Linode's API, and the nursery."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from drill.dns import AuthoritativeDns, LinodeDomain
from drill.emulator import KEY, Emulator
from drill.layout import ROOT
from drill.linode_api import Limits, LinodeApi
from region_failover.adapters.route53 import Zones
from region_failover.adapters.state_table import StateTable
from region_failover.domain.plan import Plan
from region_failover.domain.plan_file import parse_plan
from region_failover.domain.zone import RecordSet
from tests.concurrency.clock import Signals
from tests.concurrency.stand_ins import EAST, EAST_URL, WEST
from tests.concurrency.worker import Job

STATE_TABLE = "state"
TOKEN = "rehearsal-token"
ANSWERS = {EAST: "192.0.2.10", WEST: "198.51.100.10"}
TARGETS = {EAST: "203.0.113.10", WEST: "198.51.100.50"}
WORKER_ENDS_WITHIN_S = 60.0

# Sampling as quick as it goes: these runs are about what follows a verdict.
PLAN = """
name = "{name}"
[regions]
primary = "us-east-1"
standby = "us-west-2"
[policy]
check_answers = false
failback = "manual"
[sampling]
timeout = "10s"
confirm_for = "0s"
needed = 1
[[check.dynamodb]]
table = "orders"
[[check.http]]
primary = "{east_url}"
standby = "http://west.test/health"
[[switch.route53_record]]
zone_id = "{zone}"
name = "api.example.com"
type = "A"
ttl = 60
primary = ["192.0.2.10"]
standby = ["198.51.100.10"]
[[switch.linode_record]]
domain_id = {domain}
name = "app"
type = "A"
ttl_sec = 30
primary = "203.0.113.10"
standby = "198.51.100.50"
[[switch.ssm_parameter]]
name = "/{name}/active-region"
regions = ["us-west-2", "us-east-1"]
"""


class Child:
    """A worker's process, as its driver sees it."""

    def __init__(self, nursery: Nursery, pid: int, job: Job) -> None:
        """Know the job it was started with."""
        self._nursery = nursery
        self.pid = pid
        self.job = job
        self.code: int | None = None
        self.stopped = threading.Event()
        self.ended = threading.Event()

    @property
    def was_killed(self) -> bool:
        """Return whether a SIGKILL ended it."""
        return self.code == -9

    def send(self, signal: str) -> None:
        """Send a signal, if it has not ended."""
        self._nursery.tell({"signal": signal, "pid": self.pid})


class Nursery:
    """The process that forks the workers (`worker.main`)."""

    def __init__(self, environment: dict[str, str]) -> None:
        """Start it; it lives until `stop`."""
        paths = os.pathsep.join([str(ROOT), str(ROOT / "layers" / "common")])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.concurrency.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=environment | {"PYTHONPATH": paths},
        )
        self._lock = threading.Lock()
        self._starting = threading.Lock()
        self._started: list[int] = []
        self._has_started = threading.Semaphore(0)
        self._children: dict[int, Child] = {}
        self._early: dict[int, list[dict[str, Any]]] = {}
        threading.Thread(target=self._listen, daemon=True).start()

    def start(self, job: Job) -> Child:
        """Fork a worker."""
        with self._starting:
            self.tell({"start": asdict(job)})
            if not self._has_started.acquire(timeout=WORKER_ENDS_WITHIN_S):
                raise RuntimeError("the nursery forks no more workers")
            child = Child(self, self._started.pop(), job)
        with self._lock:
            self._children[child.pid] = child
            for fact in self._early.pop(child.pid, []):
                self._note(child, fact)
        return child

    def tell(self, request: dict[str, Any]) -> None:
        """Send a request."""
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write((json.dumps(request) + "\n").encode())
            self._process.stdin.flush()

    def stop(self) -> None:
        """End it, and every worker that is left."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            fact = json.loads(line)
            if "pid" in fact:
                self._started.append(fact["pid"])
                self._has_started.release()
                continue
            pid = fact.get("ended", fact.get("stopped"))
            with self._lock:
                child = self._children.get(pid)
                if child is None:
                    self._early.setdefault(pid, []).append(fact)
                else:
                    self._note(child, fact)

    def _note(self, child: Child, fact: dict[str, Any]) -> None:
        if "stopped" in fact:
            child.stopped.set()
            return
        child.code = fact["code"]
        self._children.pop(child.pid, None)
        child.ended.set()


@dataclass(frozen=True)
class Holdings:
    """Everything that points somewhere, as it is now."""

    records: tuple[RecordSet, ...]
    fence: RecordSet | None
    parameters: dict[str, str]
    linode: str


@dataclass
class World:
    """One round's own plan, zone, parameters and Linode domain; all else is shared."""

    cloud: Cloud
    plan: Plan
    plan_text: str
    zone: str
    domain: int
    folder: Path
    signals: Signals
    workers: itertools.count[int] = field(default_factory=itertools.count)

    @property
    def name(self) -> str:
        """Return the plan's name."""
        return self.plan.name

    @property
    def parameter(self) -> str:
        """Return the parameter's name."""
        return self.plan.ssm_parameters[0].name

    def holdings(self) -> Holdings:
        """Return what points where."""
        names = [(r.name, r.type) for r in self.plan.route53_records]
        found = Zones(self.cloud.route53).read(self.zone, names, "_region-failover.api.example.com")
        values = {
            region: str(client.get_parameter(Name=self.parameter)["Parameter"]["Value"])
            for region, client in self.cloud.ssm.items()
        }
        (record,) = self.cloud.linode.records(self.domain)
        return Holdings(found.records, found.fence, values, str(record["target"]))

    def record_sets(self) -> list[dict[str, Any]]:
        """Return the zone's record sets but for its own SOA and NS."""
        found = self.cloud.route53.list_resource_record_sets(HostedZoneId=self.zone)["ResourceRecordSets"]
        return [record for record in found if record["Type"] not in {"SOA", "NS"}]

    def history(self) -> list[str]:
        """Return the ended transitions, in the table's order."""
        found = self.cloud.dynamodb.query(
            TableName=STATE_TABLE,
            ConsistentRead=True,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues={":pk": {"S": f"plan#{self.name}"}, ":sk": {"S": "transition#"}},
        )
        return [str(item["body"]["S"]) for item in found["Items"]]

    @property
    def store(self) -> StateTable:
        """Return the real state table."""
        return StateTable(self.cloud.dynamodb, STATE_TABLE)


class Cloud:
    """What all rounds of a run share."""

    def __init__(self, folder: Path) -> None:
        """Keep logs and histories in this folder."""
        self.folder = folder
        self._emulator = Emulator(folder / "emulator.log")
        endless = Limits(requests=10**9, collection_requests=10**9)
        self.linode = LinodeApi(TOKEN, propagation_s=0.0, limits=endless)
        self._numbers = itertools.count(1)

    def start(self) -> None:
        """Start everything, and make what the template makes."""
        self._emulator.start()
        self.linode.start()
        self._zones: list[LinodeDomain] = []
        self.dns = AuthoritativeDns(self._zones)
        self.dns.start()
        self.dynamodb = self._emulator.client("dynamodb", WEST)
        self.route53 = self._emulator.client("route53", WEST)
        self.ssm = {region: self._emulator.client("ssm", region) for region in (EAST, WEST)}
        keys = [("pk", "HASH"), ("sk", "RANGE")]
        self.dynamodb.create_table(
            TableName=STATE_TABLE,
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
            BillingMode="PAY_PER_REQUEST",
        )
        topic = self._emulator.client("sns", WEST).create_topic(Name="alerts")["TopicArn"]
        secrets = self._emulator.client("secretsmanager", WEST)
        secret = secrets.create_secret(Name="linode", SecretString=TOKEN)["ARN"]
        self.nursery = Nursery(self._environment(topic, secret))

    def _environment(self, topic: str, secret: str) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        return inherited | {
            "AWS_ENDPOINT_URL": self._emulator.url,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": KEY,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_REGION": WEST,
            "AWS_DEFAULT_REGION": WEST,
            "STATE_TABLE": STATE_TABLE,
            "HEARTBEAT_TABLE": "heartbeat",
            "TOPIC_ARN": topic,
            "PRIMARY_REGION": EAST,
            "STANDBY_REGION": WEST,
            "TABLE_NAMES": "orders",
            "LINODE_TOKEN_SECRET_ARN": secret,
            "LINODE_API_URL": self.linode.base_url,
            "NAME_SERVERS": "{}:{}".format(*self.dns.address),
            "POWERTOOLS_LOG_LEVEL": "WARNING",
        }

    def stop(self) -> None:
        """Stop everything."""
        self.nursery.stop()
        self.dns.stop()
        self.linode.stop()
        self._emulator.stop()

    def world(self, what: str, active: str = EAST) -> World:
        """Make a new application whose traffic is in that Region; nothing is on record of it yet."""
        number = next(self._numbers)
        name, domain = f"{what}-{number}", 100_000 + number
        made = self.route53.create_hosted_zone(Name="example.com", CallerReference=f"{what}-{number}")
        zone = str(made["HostedZone"]["Id"]).rsplit("/", 1)[-1]
        record = {
            "Name": "api.example.com",
            "Type": "A",
            "TTL": 60,
            "ResourceRecords": [{"Value": ANSWERS[active]}],
        }
        self.route53.change_resource_record_sets(
            HostedZoneId=zone,
            ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]},
        )
        for client in self.ssm.values():
            client.put_parameter(Name=f"/{name}/active-region", Value=active, Type="String")
        self.linode.add_domain(domain, f"d{domain}.example")
        self._zones.append(LinodeDomain(self.linode, domain, f"d{domain}.example"))
        self.linode.add_record(domain, type="A", name="app", target=TARGETS[active], ttl_sec=30)
        text = PLAN.format(name=name, zone=zone, domain=domain, east_url=EAST_URL)
        folder = self.folder / name
        folder.mkdir(parents=True)
        plan = parse_plan(text, "plan.toml")
        return World(self, plan, text, zone, domain, folder, Signals(folder / "signals"))


@contextmanager
def running(folder: Path) -> Iterator[Cloud]:
    """Return a cloud that is stopped afterwards."""
    cloud = Cloud(folder)
    cloud.start()
    try:
        yield cloud
    finally:
        cloud.stop()
