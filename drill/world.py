"""The world of a rehearsal: embedded AWS, application, DNS, Linode, clients, and the deployed product."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import boto3
from botocore.config import Config

from drill import events, layout
from drill.application import ApplicationEndpoint, shared_port
from drill.black_hole import BlackHole
from drill.client import TrafficClient
from drill.data_plane import (
    deploy_data_plane,
    failover_pair,
    fence_name,
    health_of,
    make_health_check,
    parameters_of,
)
from drill.deploy import Project, sam_deploy
from drill.dns import AuthoritativeDns, LinodeDomain, Route53Zone, Source
from drill.emulator import KEY, Emulator, RigError
from drill.exchanges import KEPT, Exchanges
from drill.faults import FaultTable
from drill.gaps import ACCOUNT, Relay, add_replica, allow_get_change, allow_publishing, allow_send_batch
from drill.health_checks import HealthCheckers
from drill.journal import Journal
from drill.linode_api import LinodeApi
from drill.lots import make_lots, plan_tables
from drill.names import ELSEWHERE, application_name, dynamodb_name
from drill.phases import spoken_service
from drill.proxy import FaultProxy

FUNCTIONS = ("HealthProbe", "Failover", "Failback", "LinodeDns")

# What a scenario's plan has where it does not say otherwise: times short enough to watch.
USUAL_POLICY = {
    "failback": "automatic",
    "more_policy": "",
    "every": "3s",
    "quick_every": "1s",
    "timeout": "1s",
    "confirm_for": "5s",
    "degradation": "notify",
    "degradation_over": "10m",
    "more_checks": "",
    "more_record": "",
    "record_name": layout.API_NAME,
    "more_switches": "",
    "follows": "",  # 'alarm' or 'object': the application's name is a failover pair, whose check follows it
    "lots": "",
}
# The product's own defaults, for scenarios about its real times.
REAL_TIMES = {"every": "15s", "quick_every": "5s", "timeout": "2s", "confirm_for": "60s"}


@dataclass(frozen=True)
class Stack:
    """What the control stack has put out."""

    outputs: dict[str, str]

    def function(self, name: str) -> str:
        """Return a function's name."""
        return self.outputs[f"{name}FunctionName"]


class World:
    """Everything that a scenario acts on. Use as a context manager."""

    def __init__(
        self, folder: Path, journal: Journal, project: Project, policy: Mapping[str, str] | None = None
    ) -> None:
        """Keep logs in this folder; deploy this project; `policy`: what the scenario's plan has otherwise."""
        self._project = project
        self.policy = {**USUAL_POLICY, **(policy or {})}
        self.folder = folder
        self.journal = journal
        self.faults = FaultTable()
        self.emulator = Emulator(folder / "emulator.log")
        self.proxy = FaultProxy(self.emulator.port, self.faults)
        self.exchanges = Exchanges(KEPT)
        self.linode = LinodeApi(layout.LINODE_TOKEN, self.faults)
        self.proxy.exchanges = self.linode.exchanges = self.exchanges
        self.clients: dict[str, TrafficClient] = {}
        self._mail: list[dict[str, str]] = []
        self._mail_lock = threading.Lock()
        self._dead: list[str] = []
        self.edits: list[tuple[float, list[dict[str, Any]]]] = []  # by humans: when, and the zone thereafter
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> World:
        """Build and start everything; what was started is stopped again where that fails."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            self._stack = stack
            self._start()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything, last started first."""
        self.faults.clear()
        self._stack.close()

    def _start(self) -> None:
        self._run(self.proxy)
        self.emulator.send_functions_through(self.proxy.port)
        self._sources: list[Source] = []
        self.dns = AuthoritativeDns(self._sources, ttl_scale=layout.TTL_SCALE)
        self._run(self.dns)
        self.emulator.ask_names_of(self.dns.port)
        self._run(self.emulator)
        self._run(self.emulator.names)
        self._run(self.linode)
        self.journal.note("embedded AWS and Linode's stand-in are up")
        self.zone_id = self._make_world()
        self.lots = make_lots(self.aws("route53"), self.zone_id, self.policy["lots"])
        self._start_applications()
        swallowed = (self.proxy.port, self.port, self.legacy_port, self.linode.port)
        self._run(BlackHole(layout.NOWHERE, swallowed))
        self._start_dns()
        self._deploy()
        self._start_relay()
        self.began, self.zones_at_first = time.time(), self.zones_now()

    def _run(self, part: Any) -> None:
        part.start()
        self._stack.callback(part.stop)

    def aws(self, service: str, region: str = layout.STANDBY) -> Any:
        """Return a client past every fault."""
        return self.emulator.client(service, region)

    def _make_world(self) -> str:
        dynamodb = self.aws("dynamodb", layout.PRIMARY)
        dynamodb.create_table(
            TableName=layout.TABLE,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        add_replica(self.emulator, layout.TABLE, layout.PRIMARY, layout.STANDBY)
        for region in (layout.PRIMARY, layout.STANDBY):
            self.aws("ssm", region).put_parameter(Name=layout.PARAMETER, Value=layout.PRIMARY, Type="String")
        secret = self.aws("secretsmanager").create_secret(
            Name="linode-token", SecretString=layout.LINODE_TOKEN
        )
        self.secret_arn = str(secret["ARN"])
        self.linode.add_domain(layout.LINODE_DOMAIN_ID, layout.LINODE_DOMAIN)
        self.linode_ids = {
            name: self.linode.add_record(
                layout.LINODE_DOMAIN_ID, type="A", name=name, target=layout.PRIMARY_ADDRESS, ttl_sec=30
            )
            for name in layout.LINODE_RECORDS
        }
        return self._make_zone()

    def _make_zone(self) -> str:
        route53 = self.aws("route53")
        zone = route53.create_hosted_zone(Name=layout.ZONE, CallerReference="rehearsal")["HostedZone"]
        record = {"Name": self.policy["record_name"], "Type": "A", "TTL": 30}
        sets = [{**record, "ResourceRecords": [{"Value": layout.PRIMARY_ADDRESS}]}]
        if "weighted = true" in self.policy["more_record"]:
            addresses = {"primary": layout.PRIMARY_ADDRESS, "standby": layout.STANDBY_ADDRESS}
            sets = [
                {
                    **record,
                    "SetIdentifier": role,
                    "Weight": 100 if role == "primary" else 0,
                    "ResourceRecords": [{"Value": address}],
                }
                for role, address in addresses.items()
            ]
        if self.policy["follows"]:
            sets += failover_pair(make_health_check(route53, self.policy["follows"]))
        route53.change_resource_record_sets(
            HostedZoneId=zone["Id"],
            ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": found} for found in sets]},
        )
        return str(zone["Id"]).rsplit("/", 1)[-1]

    def _start_applications(self) -> None:
        places = {layout.PRIMARY: layout.PRIMARY_ADDRESS, layout.STANDBY: layout.STANDBY_ADDRESS}
        self.port = shared_port(list(places.values()))
        self.legacy_port = shared_port(list(places.values()))
        for region, address in places.items():
            for port, service in ((self.port, "application"), (self.legacy_port, "legacy")):
                endpoint = ApplicationEndpoint(
                    region,
                    address,
                    port,
                    dynamodb_client=self._application_client(region),
                    table=layout.TABLE,
                    faults=self.faults,
                    service=service,
                )
                endpoint.exchanges = self.exchanges
                self._run(endpoint)

    def _application_client(self, region: str) -> Any:
        session: Any = boto3.session.Session(
            aws_access_key_id=KEY, aws_secret_access_key=KEY, region_name=region
        )
        config = Config(connect_timeout=2, read_timeout=2, retries={"total_max_attempts": 1})
        endpoint = f"http://{dynamodb_name(region)}:{self.proxy.port}"
        return session.client("dynamodb", endpoint_url=endpoint, config=config)

    def plan_values(self) -> dict[str, object]:
        """Return what is filled into the rehearsal's plan."""
        more_checks = Template(self.policy["more_checks"]).substitute(
            elsewhere=f"{ELSEWHERE}:{self.linode.port}"
        )
        return {
            **self.policy,
            "more_record": f"{self.policy['more_record']}\n{plan_tables(self.lots)}",
            "more_checks": more_checks,
            "primary": layout.PRIMARY,
            "standby": layout.STANDBY,
            "primary_address": layout.PRIMARY_ADDRESS,
            "standby_address": layout.STANDBY_ADDRESS,
            "primary_endpoint": application_name(layout.PRIMARY),
            "standby_endpoint": application_name(layout.STANDBY),
            "port": self.port,
            "zone_id": self.zone_id,
            "more_switches": Template(self.policy["more_switches"]).substitute(
                zone_id=self.zone_id,
                primary_address=layout.PRIMARY_ADDRESS,
                standby_address=layout.STANDBY_ADDRESS,
            ),
        }

    def _deploy(self) -> None:
        started = time.monotonic()
        built = self._project.build(self.plan_values(), self.folder / "sam-build.log")
        self.journal.note(f"{built}: {time.monotonic() - started:.1f} s")
        started = time.monotonic()
        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(self._deploy_control), pool.submit(self._deploy_signals)]:
                done.result()
        self.stack = Stack(self._outputs(layout.STACK, layout.STANDBY))
        add_replica(self.emulator, self.stack.outputs["HeartbeatTableName"], layout.STANDBY, layout.PRIMARY)
        switching = tuple(self.stack.function(name) for name in ("Failover", "Failback"))
        allow_get_change(self.emulator, layout.STANDBY, switching)
        if self.policy["follows"]:
            allow_publishing(self.emulator, layout.STANDBY, switching)  # before the first tick publishes
            deploy_data_plane(self.emulator, self._project.folder, self.policy["follows"])
        allow_send_batch(self.emulator, layout.STANDBY, self.stack.function("HealthProbe"))
        self._subscribe()
        took = time.monotonic() - started
        self.journal.note(
            f"sam deploy: control stack in {layout.STANDBY}, signals in {layout.PRIMARY}: {took:.1f} s"
        )

    def _deploy_control(self) -> None:
        sam_deploy(
            self._project.folder,
            stack=layout.STACK,
            template=".aws-sam/build/template.yaml",
            region=layout.STANDBY,
            endpoint=self.emulator.url,
            bucket=self._bucket(layout.STANDBY),
            parameters={
                "PrimaryRegion": layout.PRIMARY,
                "StandbyRegion": layout.STANDBY,
                "TableNames": layout.TABLE,
                "HostedZoneIds": ",".join(self.fences),
                "SsmParameterNames": layout.PARAMETER,
                "LinodeTokenSecretArn": self.secret_arn,
                "LinodeApiUrl": self.linode.base_url,
                "NameServers": "{}:{}".format(*self.dns.address),
                "ProbeTracing": "Active",  # a call's invocation is known by its trace (exchanges.py)
                **parameters_of(self.policy["follows"], self.zone_id),
            },
            log=self.folder / "sam-deploy-control.log",
        )

    def _deploy_signals(self) -> None:
        bus = f"arn:aws:events:{layout.STANDBY}:{ACCOUNT}:event-bus/default"
        sam_deploy(
            self._project.folder,
            stack=layout.SIGNALS_STACK,
            template="signals.yaml",
            region=layout.PRIMARY,
            endpoint=self.emulator.url,
            bucket=self._bucket(layout.PRIMARY),
            parameters={
                "ControlRegion": layout.STANDBY,
                "ControlEventBusArn": bus,
                "TableName": layout.TABLE,
            },
            log=self.folder / "sam-deploy-signals.log",
        )

    def add_vantage_point(self) -> None:
        """Build and deploy `vantage.yaml` in a further Region, and give its first tick by hand."""
        log = self.folder / "sam-deploy-vantage.log"
        sam_deploy(
            self._project.folder,
            stack=layout.VANTAGE_STACK,
            template=self._project.build_vantage_point(log),
            region=layout.FURTHER,
            endpoint=self.emulator.url,
            bucket=self._bucket(layout.FURTHER),
            parameters={
                "ControlRegion": layout.STANDBY,
                "PrimaryRegion": layout.PRIMARY,
                "StandbyRegion": layout.STANDBY,
                "TableNames": layout.TABLE,
                "VantagePoint": layout.VANTAGE_POINT,
            },
            log=log,
        )
        found = self._outputs(layout.VANTAGE_STACK, layout.FURTHER)
        self.vantage_function = found["VantagePointFunctionName"]
        allow_send_batch(self.emulator, layout.FURTHER, self.vantage_function)
        self.aws("lambda", layout.FURTHER).invoke(
            FunctionName=self.vantage_function,
            InvocationType="Event",
            Payload=json.dumps(events.schedule()),
        )
        self.journal.note(f"a vantage point looks from {layout.FURTHER}")

    def cut_off(self, functions: Iterable[str], *regions: str, elsewhere: bool = False) -> None:
        """Part the network between some functions and these Regions, and the world outside both."""
        names = [name(region) for region in regions for name in (dynamodb_name, application_name)]
        self.emulator.names.cut(functions, *names, *([ELSEWHERE] if elsewhere else []))

    @property
    def looking(self) -> tuple[str, ...]:
        """Return the names of the control stack's functions that look at the Regions."""
        return tuple(self.stack.function(name) for name in ("HealthProbe", "Failover", "Failback"))

    def views(self) -> dict[str, Any]:
        """Return what is known of what other vantage points see, by their names and by Region."""
        return dict((self._item("health") or {}).get("views", {}))

    def _bucket(self, region: str) -> str:
        """Return a new bucket of this Region, for what is deployed there."""
        name = f"artifacts-{region}"
        where: Any = {"LocationConstraint": region}
        self.aws("s3", region).create_bucket(Bucket=name, CreateBucketConfiguration=where)
        return name

    def _outputs(self, stack: str, region: str) -> dict[str, str]:
        found = self.aws("cloudformation", region).describe_stacks(StackName=stack)["Stacks"][0]
        if not found["StackStatus"].endswith("_COMPLETE"):
            raise RigError(f"stack {stack} is {found['StackStatus']}")
        return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}

    def _subscribe(self) -> None:
        """Let a queue keep the notifications, as a person's mailbox would."""
        sqs = self.aws("sqs")
        self._mailbox = sqs.create_queue(QueueName="mailbox")["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=self._mailbox, AttributeNames=["QueueArn"])
        arn = attributes["Attributes"]["QueueArn"]
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        sqs.set_queue_attributes(QueueUrl=self._mailbox, Attributes={"Policy": policy})
        self.aws("sns").subscribe(
            TopicArn=self.stack.outputs["TopicArn"],
            Protocol="sqs",
            Endpoint=arn,
        )

    def notifications(self) -> list[dict[str, str]]:
        """Return all notifications so far: Subject, Message."""
        with self._mail_lock:
            for message in self._empty(self._mailbox):
                body = json.loads(message["Body"])
                self._mail.append({"Subject": body.get("Subject", ""), "Message": body["Message"]})
            return list(self._mail)

    def dead_letters(self) -> list[str]:
        """Return all dead letters so far: of the functions, and of the rules that could not hand over."""
        for queue in ("FunctionDeadLetterQueueUrl", "RuleDeadLetterQueueUrl"):
            self._dead += [message["Body"] for message in self._empty(self.stack.outputs[queue])]
        return list(self._dead)

    def _empty(self, queue: str) -> Iterator[dict[str, Any]]:
        """Yield the messages of a queue, each taken off it."""
        sqs = self.aws("sqs")
        while found := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=0).get(
            "Messages"
        ):
            for message in found:
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                yield message

    def _start_dns(self) -> None:
        self.checkers = HealthCheckers(*health_of(self.emulator, self.faults))
        self._run(self.checkers)
        healthy = self.checkers.is_healthy
        interval_s = 2.0 if self.lots else 0.3  # reading a thousand records is work for the emulator
        zones = [
            Route53Zone(self.aws("route53"), zone_id, interval_s, is_healthy=healthy)
            for zone_id in self.fences
        ]
        for zone in zones:
            self._run(zone)
        domain = LinodeDomain(self.linode, layout.LINODE_DOMAIN_ID, layout.LINODE_DOMAIN)
        self._sources += [*zones, domain]

    def _start_relay(self) -> None:
        groups = tuple(f"/aws/lambda/{self.stack.function(name)}" for name in FUNCTIONS)
        self.relay = Relay(
            self.emulator,
            self.faults,
            (layout.PRIMARY, layout.STANDBY),
            groups,
            layout.STANDBY,
            self.journal.note,
        )
        self._run(self.relay)

    def start_clients(self) -> None:
        """Let the applications' users begin."""
        for name, fqdn, port in (
            ("orders", layout.API_NAME, self.port),
            ("legacy", layout.LINODE_NAME, self.legacy_port),
        ):
            client = TrafficClient(name, fqdn, port, self.dns.address, timeout_s=2.0)
            self.clients[name] = client
            self._run(client)

    def batches(self) -> int:
        """Return how many change batches Route 53 has accepted from the functions so far."""
        counts = self.proxy.accepted().items()
        return sum(
            count
            for (_, service, operation), count in counts
            if service == "route53" and operation.startswith("POST ") and operation.endswith("/rrset")
        )

    @property
    def fence_name(self) -> str:
        """Return the fence's name: that of the plan's one record, with its mark before it."""
        return fence_name(self.policy["record_name"])

    @property
    def tables(self) -> tuple[str, ...]:
        """Return the tables that checks look at: the application's and the heartbeat's, not the state's."""
        return (layout.TABLE, self.stack.outputs["HeartbeatTableName"])

    def wall(self, monotonic: float) -> float:
        """Return a moment of the monotonic clock in seconds of the wall clock."""
        return time.time() - time.monotonic() + monotonic

    def invoke(self, function: str, event: dict[str, Any], *, wait: bool = True) -> Any:
        """Start a function by hand, as `aws lambda invoke` does; return its answer where waited for."""
        answer = self.aws("lambda").invoke(
            FunctionName=self.stack.function(function),
            InvocationType="RequestResponse" if wait else "Event",
            Payload=json.dumps(event),
        )
        body = answer["Payload"].read()
        return json.loads(body) if wait and body else None

    def tick(self, function: str, *, wait: bool = True) -> Any:
        """Start a function by hand with the schedule's own event."""
        return self.invoke(function, events.schedule(), wait=wait)

    def state(self) -> dict[str, Any] | None:
        """Return the plan's state record as it stands in the table."""
        return self._item("state")

    def health(self) -> dict[str, Any]:
        """Return what the product knows of each Region's health, by Region."""
        return dict((self._item("health") or {}).get("regions", {}))

    def transitions(self) -> list[dict[str, Any]]:
        """Return the history of transitions, oldest first."""
        return [json.loads(item["body"]["S"]) for item in self._items("transition#")]

    def decisions(self) -> list[dict[str, Any]]:
        """Return the recorded decisions, oldest first."""
        return [json.loads(item["body"]["S"]) for item in self._items("decision#")]

    def _item(self, kind: str) -> dict[str, Any] | None:
        text = self.body(kind)
        return json.loads(text) if text else None

    def body(self, kind: str) -> str | None:
        """Return a record as its JSON stands in the state table."""
        found = self.aws("dynamodb").get_item(
            TableName=self.stack.outputs["StateTableName"],
            Key={"pk": {"S": f"plan#{layout.PLAN}"}, "sk": {"S": kind}},
            ConsistentRead=True,
        )
        item = found.get("Item")
        return str(item["body"]["S"]) if item else None

    def _items(self, prefix: str) -> Iterator[dict[str, Any]]:
        pages = self.aws("dynamodb").get_paginator("query")
        for page in pages.paginate(
            TableName=self.stack.outputs["StateTableName"],
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues={
                ":pk": {"S": f"plan#{layout.PLAN}"},
                ":prefix": {"S": prefix},
            },
        ):
            yield from page["Items"]

    def records(self) -> dict[str, Any]:
        """Return everything that points traffic or configuration somewhere, as it is now."""
        found = self.aws("route53").list_resource_record_sets(HostedZoneId=self.zone_id)
        sets = [r for r in found["ResourceRecordSets"] if r["Type"] in {"A", "TXT"}]
        values = {  # of weighted sets the heaviest
            (r["Name"].rstrip("."), r["Type"]): [v["Value"] for v in r["ResourceRecords"]]
            for r in sorted(sets, key=lambda r: r.get("Weight", 0))
        }
        linode = self.linode.records(layout.LINODE_DOMAIN_ID)
        return {
            "Route 53 A": values.get((self.policy["record_name"], "A")),
            "Route 53 TXT": values.get((self.fence_name, "TXT")),
            **{f"Linode A {record['name']}": [record["target"], record["ttl_sec"]] for record in linode},
            **{f"SSM {region}": self.parameter(region) for region in (layout.PRIMARY, layout.STANDBY)},
        }

    def weights(self) -> dict[str, int]:
        """Return the weights of the application's record sets, by set identifier; empty for a simple one."""
        found = self.aws("route53").list_resource_record_sets(HostedZoneId=self.zone_id)
        return {r["SetIdentifier"]: r["Weight"] for r in found["ResourceRecordSets"] if "SetIdentifier" in r}

    @property
    def fences(self) -> dict[str, str]:
        """Return the name of the plan's fence in each of its zones."""
        further = {lot.zone_id: lot.fence for lot in self.lots}
        return {**further, self.zone_id: self.fence_name}

    def zones_now(self) -> dict[str, list[dict[str, Any]]]:
        """Return the record sets of each of the plan's zones."""
        return {zone_id: self.record_sets(zone_id) for zone_id in self.fences}

    def record_sets(self, zone_id: str = "") -> list[dict[str, Any]]:
        """Return a zone's record sets: name, type, ttl, values, of weighted ones identifier and weight."""
        pages = self.aws("route53").get_paginator("list_resource_record_sets")
        sets = [
            r
            for page in pages.paginate(HostedZoneId=zone_id or self.zone_id)
            for r in page["ResourceRecordSets"]
        ]
        return [
            {
                "name": r["Name"].rstrip("."),
                "type": r["Type"],
                "ttl": r["TTL"],
                "values": [v["Value"] for v in r["ResourceRecords"]],
                **({"identifier": r["SetIdentifier"], "weight": r["Weight"]} if "SetIdentifier" in r else {}),
            }
            for r in sets
            if r["Type"] in {"A", "TXT"} and "Failover" not in r
        ]

    def edit_record(self, *values: str) -> None:
        """Point the application's record at these values, as a human would; none deletes it."""
        route53 = self.aws("route53")
        sets = route53.list_resource_record_sets(HostedZoneId=self.zone_id)["ResourceRecordSets"]
        there = next((r for r in sets if (r["Name"].rstrip("."), r["Type"]) == (layout.API_NAME, "A")), None)
        wanted = {"Name": layout.API_NAME, "Type": "A", "TTL": 30}
        record = {**wanted, "ResourceRecords": [{"Value": value} for value in values]} if values else there
        change = {"Action": "UPSERT" if values else "DELETE", "ResourceRecordSet": record}
        route53.change_resource_record_sets(HostedZoneId=self.zone_id, ChangeBatch={"Changes": [change]})
        self.edits.append((time.time(), self.record_sets()))

    def parameter(self, region: str) -> str:
        """Return the parameter in one Region."""
        found = self.aws("ssm", region).get_parameter(Name=layout.PARAMETER)
        return str(found["Parameter"]["Value"])


class Watcher:
    """Watches the state record and the mailbox, and notes every change in the journal."""

    def __init__(self, world: World) -> None:
        """Watch this world."""
        self._world = world
        self._seen: set[str] = set()
        self._read: dict[str, int] = {}
        self._served: dict[str, str] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after a last look."""
        self._stopping.set()
        self._thread.join(15)
        self._look()

    def _run(self) -> None:
        while not self._stopping.wait(0.3):
            with contextlib.suppress(Exception):
                self._look()

    def _look(self) -> None:
        state = self._world.state()
        if state and state["transition"]:
            self._note_transition(state["transition"])
        for transition in self._world.transitions():
            self._note_transition(transition)
        for name, client in self._world.clients.items():
            self._note_service(name, client)
        for number, mail in enumerate(self._world.notifications()):
            self._note(f"mail {number}", f"notification: {mail['Subject']}")

    def _note_service(self, name: str, client: TrafficClient) -> None:
        """Note whenever a client's requests begin to fail, or are served by another Region."""
        answers = client.answers()
        for number in range(self._read.get(name, 0), len(answers)):
            served = spoken_service(answers[max(number - 3, 0) : number + 1])
            if served is not None and served != self._served.get(name):
                self._served[name] = served
                first = answers[max(number - 1, 0)]
                at = self._world.wall(first.at_monotonic + first.seconds)
                self._world.journal.note(f"{name}: {served}", at=at)
        self._read[name] = len(answers)

    def _note_transition(self, found: dict[str, Any]) -> None:
        epoch = found["epoch"]
        name = f"epoch {epoch}"
        self._note(
            f"{epoch} claimed",
            f"{name}: {found['direction']} claimed, {found['source']} -> {found['target']}",
            found["started_at"],
        )
        for step in found["steps"]:
            key = f"{step['kind']} {step['region']} {step['subject']}".replace("  ", " ")
            if step["sent_at"]:
                self._note(f"{epoch} {key} sent", f"{name}: {key}: change accepted", step["sent_at"])
            if step["status"] in {"done", "owed", "failed"}:
                text = f"{name}: {key}: {step['status']}"
                self._note(f"{epoch} {key} {step['status']}", text, step["done_at"])
        if found["ended_at"]:
            self._note(f"{epoch} ended", f"{name}: {found['outcome']}", found["ended_at"])

    def _note(self, key: str, event: str, at: str | None = None) -> None:
        if key not in self._seen:
            self._seen.add(key)
            self._world.journal.note(event, at=None if at is None else _seconds(at))


def _seconds(stamp: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(stamp).timestamp()
