"""The rig: an emulated AWS that works, a standby that works, and a primary that does what a case says."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
from botocore.awsrequest import AWSPreparedRequest
from botocore.compat import HTTPHeaders
from moto.core.botocore_stubber import BotocoreStubber

from drill.faults import Fault, FaultTable, FaultyHandler, LoopbackServer
from drill.proxy import FaultProxy, describe

ROOT = Path(__file__).parents[1]
PRIMARY, STANDBY = "us-east-1", "us-west-2"
PRIMARY_IP, STANDBY_IP = "192.0.2.10", "198.51.100.10"


class EmulatedAws(LoopbackServer):
    """moto's backends behind one port; which service and Region is meant stands in the signature's scope."""

    def __init__(self) -> None:
        super().__init__(_AwsHandler, FaultTable())
        self.stubber = BotocoreStubber()
        self.lock = threading.Lock()  # moto's backends are not thread-safe


class _AwsHandler(FaultyHandler):
    owner: EmulatedAws

    def serve(self) -> None:
        """Answer as moto does."""
        body = self.read_body()
        call, _ = describe(self.command, self.path, self.headers, body)
        scope = call.service if call.service == "route53" else f"{call.service}.{call.region}"
        url = f"https://{scope}.amazonaws.com{self.path}"
        headers = HTTPHeaders()
        for name, value in self.headers.items():
            headers[name] = value
        with self.owner.lock:
            answer = self.owner.stubber.process_request(
                AWSPreparedRequest(self.command, url, headers, body, False)
            )
        status, found, text = answer or (501, {}, b"")
        kept = [(name, str(value)) for name, value in found.items() if name.lower() != "content-length"]
        self.answer(int(status), text.encode() if isinstance(text, str) else text, kept)


class _ApplicationHandler(FaultyHandler):
    def serve(self) -> None:
        """Answer that all is well."""
        self.read_body()
        self.answer(200, b"ok")


@dataclass
class Case:
    """One measurement's own way into the emulated AWS, and its own record to move.

    `hole`: the URL that swallows the primary's DynamoDB and application, empty where nothing does.
    """

    proxy: FaultProxy
    route53: Any
    zone_id: str
    zone_name: str
    tables: dict[str, str]
    application: str
    hole: str = ""
    wrong_table: bool = False
    sampling: Mapping[str, str] = field(default_factory=dict)

    @property
    def record_name(self) -> str:
        """Return the name of the record that a failover moves."""
        return f"api.{self.zone_name}"

    @property
    def table(self) -> str:
        """Return the table's name as this case's functions are told it."""
        return "no-such-table" if self.wrong_table else self.tables["orders"]

    def environment(self) -> dict[str, str]:
        """Return a function's whole environment: nothing of the machine's own AWS settings gets in.

        AWS_ENDPOINT_URL_DYNAMODB speaks of the primary only; who looks at both Regions takes it away
        after the primary's client is made.
        """
        return {
            "PATH": os.environ.get("PATH", ""),
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "layers" / "common"))),
            "AWS_ACCESS_KEY_ID": "AKIDBENCH",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_REGION": STANDBY,
            "AWS_DEFAULT_REGION": STANDBY,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.proxy.port}",
            **({"AWS_ENDPOINT_URL_DYNAMODB": self.hole} if self.hole else {}),
        }

    def tutorial_environment(self, *, by_id: bool = False) -> dict[str, str]:
        """Return the tutorial's variables; `by_id`: the zone's id as printed, else the name that works."""
        return {
            **self.environment(),
            "PRIMARY_REGION": PRIMARY,
            "TABLE_NAME": self.table,
            "HOSTED_ZONE_ID": self.zone_id if by_id else self.zone_name,
            "RECORD_NAME": self.record_name,
            "STANDBY_IP": STANDBY_IP,
        }

    def our_environment(self) -> dict[str, str]:
        """Return our function's variables, as the template sets them, and the plan."""
        return {
            **self.environment(),
            "STATE_TABLE": "state",
            "HEARTBEAT_TABLE": self.tables["heartbeat"],
            "TOPIC_ARN": f"arn:aws:sns:{STANDBY}:123456789012:bench",
            "PRIMARY_REGION": PRIMARY,
            "STANDBY_REGION": STANDBY,
            "TABLE_NAMES": self.table,
            "HOSTED_ZONE_IDS": self.zone_id,
            "BENCH_PLAN": self.plan(),
        }

    def plan(self) -> str:
        """Return the plan of this case, with the product's own defaults but for `sampling` (as in TOML)."""
        sampling = "".join(f"{key} = {value}\n" for key, value in self.sampling.items())
        return f"""
name = "bench"
[regions]
primary = "{PRIMARY}"
standby = "{STANDBY}"
[sampling]
{sampling}
[[check.dynamodb]]
table = "{self.table}"
[[check.http]]
primary = "{self.hole or self.application}/primary"
standby = "{self.application}/standby"
[[switch.route53_record]]
zone_id = "{self.zone_id}"
name = "{self.record_name}"
type = "A"
ttl = 60
primary = ["{PRIMARY_IP}"]
standby = ["{STANDBY_IP}"]
"""

    def route53_calls(self) -> int:
        """Return how many calls to Route 53 this case has seen."""
        return sum(count for (_, service, _), count in self.proxy.calls().items() if service == "route53")

    def has_moved(self) -> bool:
        """Return whether the record points at the standby now."""
        found = self.route53.list_resource_record_sets(HostedZoneId=self.zone_id)["ResourceRecordSets"]
        return any(
            value["Value"] == STANDBY_IP
            for record in found
            if record["Type"] == "A"
            for value in record["ResourceRecords"]
        )


class Rig:
    """Everything that the measurements need, for the length of a `with`."""

    def __init__(self) -> None:
        self._aws = EmulatedAws()
        self._application = LoopbackServer(_ApplicationHandler, FaultTable())
        self._servers: list[LoopbackServer] = []
        self._tables = {kind: f"{kind}-{uuid.uuid4().hex[:8]}" for kind in ("orders", "heartbeat")}

    def __enter__(self) -> Self:
        """Start the servers and make the tables in both Regions."""
        for server in (self._aws, self._application):
            self._start(server)
        for region in (PRIMARY, STANDBY):
            self._make_tables(self._client("dynamodb", region), self._tables.values())
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        """Stop everything."""
        for server in reversed(self._servers):
            server.stop()

    def case(
        self,
        *faults: Fault,
        hole: str = "",
        wrong_table: bool = False,
        sampling: Mapping[str, str] | None = None,
    ) -> Case:
        """Return a case of its own: the faults in force, and a record that points at the primary."""
        table = FaultTable()
        for fault in faults:
            table.add(fault)
        proxy = FaultProxy(self._aws.port, table)
        self._start(proxy)
        route53 = self._client("route53", PRIMARY)
        zone_name = f"{uuid.uuid4().hex[:8]}.example.com"
        return Case(
            proxy=proxy,
            route53=route53,
            zone_id=self._make_zone(route53, zone_name),
            zone_name=zone_name,
            tables=self._tables,
            application=f"http://127.0.0.1:{self._application.port}",
            hole=hole,
            wrong_table=wrong_table,
            sampling=sampling or {},
        )

    def _start(self, server: LoopbackServer) -> None:
        server.start()
        self._servers.append(server)

    def _client(self, service: str, region: str) -> Any:
        session: Any = boto3.session.Session(
            aws_access_key_id="AKIDRIG", aws_secret_access_key="secret", region_name=region
        )
        return session.client(service, endpoint_url=f"http://127.0.0.1:{self._aws.port}")

    @staticmethod
    def _make_tables(dynamodb: Any, names: Iterable[str]) -> None:
        for name in names:
            dynamodb.create_table(
                TableName=name,
                KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )

    @staticmethod
    def _make_zone(route53: Any, name: str) -> str:
        made = route53.create_hosted_zone(Name=name, CallerReference=name)
        zone_id = str(made["HostedZone"]["Id"]).rsplit("/", 1)[-1]
        record = {
            "Name": f"api.{name}",
            "Type": "A",
            "TTL": 60,
            "ResourceRecords": [{"Value": PRIMARY_IP}],
        }
        route53.change_resource_record_sets(
            HostedZoneId=zone_id,
            ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]},
        )
        return zone_id
