"""The real flows and adapters against the embedded AWS, on the wire: their history breaks no invariant."""

from __future__ import annotations

import json
import os
import socket
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from aws_lambda_powertools import Logger

from drill import layout
from drill.application import ApplicationEndpoint, shared_port
from drill.dns import AuthoritativeDns, LinodeDomain
from drill.embedded.functions.sitecustomize import noting
from drill.emulator import KEY, Emulator
from drill.exchanges import KEPT, Exchanges
from drill.faults import Fault, FaultKind, FaultTable
from drill.gaps import add_replica
from drill.history import first_entry, history
from drill.linode_api import LinodeApi
from drill.proxy import FaultProxy
from drill.scribe import Entry, Setting, read_connections
from proof.checker import check
from region_failover.adapters.clients import forget_clients
from region_failover.adapters.environment import read_settings
from region_failover.bootstrap import real_ports
from region_failover.domain.plan_file import parse_plan
from region_failover.domain.trigger import read_triggers
from region_failover.service.failback import handle_failback
from region_failover.service.failover import handle_failover
from region_failover.service.linode import handle_linode
from region_failover.service.record import Deadline

pytestmark = [pytest.mark.drill, pytest.mark.timeout(180), pytest.mark.xdist_group("drill")]

PRIMARY, STANDBY = layout.REGIONS
PLAN = """
name = "orders"
[regions]
primary = "{primary}"
standby = "{standby}"
[policy]
failover = "automatic"
failback = "automatic"
healthy_for = "10s"
cooldown = "1s"
max_replication_lag = "5s"
[sampling]
timeout = "2s"
confirm_for = "0s"
needed = 1
[[check.dynamodb]]
table = "orders"
[[check.http]]
primary = "http://127.0.0.10:{port}/health"
standby = "http://127.0.0.20:{port}/health"
[[switch.route53_record]]
zone_id = "{zone}"
name = "api.orders.example"
type = "A"
ttl = 30
primary = ["127.0.0.10"]
standby = ["127.0.0.20"]
[[switch.linode_record]]
domain_id = 7
name = "app"
type = "A"
ttl_sec = 30
primary = "127.0.0.10"
standby = "127.0.0.20"
[[switch.ssm_parameter]]
name = "/active"
regions = ["{standby}", "{primary}"]
"""
FLOWS = {"failover": handle_failover, "failback": handle_failback, "linode_dns": handle_linode}


@dataclass
class Rig:
    """The embedded AWS behind the proxy, an application in each Region, Linode; and the product's flows."""

    emulator: Emulator
    proxy: FaultProxy
    linode: LinodeApi
    exchanges: Exchanges
    faults: FaultTable
    connections: Path
    text: str
    zone: str
    environment: dict[str, str]
    began: float

    def run(self, function: str, event: dict[str, Any]) -> list[dict[str, object]]:
        """Run a flow as one invocation, with an X-Ray trace and an owner's name of its own."""
        request = str(uuid.uuid4())
        os.environ["_X_AMZN_TRACE_ID"] = f"Root=1-00000000-{request.replace('-', '')[:24]}"
        settings = read_settings(self.environment)
        ports = replace(
            real_ports(function, settings, Logger(service=function)), owner=f"{function}:{request}"
        )
        plans = [parse_plan(self.text, "orders.toml")]
        triggers = read_triggers(event, request)
        return FLOWS[function](ports, plans, triggers, Deadline.after(ports, 60), timedelta(minutes=15))

    def switch_linode(self) -> None:
        """Deliver the newest request for Linode, as the rule of the event bus would."""
        asked = [json.loads(e.body)["Entries"][0] for e in self.exchanges.of("events", "PutEvents")]
        newest = [entry for entry in asked if entry["DetailType"] == "Traffic Switch Requested"][-1]
        event = sample("traffic-switch-requested") | {"detail": json.loads(newest["Detail"])}
        self.run("linode_dns", event)

    def history(self) -> list[Entry]:
        old = {"name": "api.orders.example", "type": "A", "ttl": 30, "values": ["127.0.0.10"]}
        fence = "_region-failover.api.orders.example"
        first = first_entry(self.text, self.began, {self.zone: [old]}, {self.zone: fence}, "the-token")
        http = first["checks"]["http"][0]
        setting = Setting(
            plan=first,
            zone_id=self.zone,
            fence=fence,
            state_table="state",
            heartbeat_table="beats",
            urls={PRIMARY: http["primary"], STANDBY: http["standby"]},
            names={},
            functions={KEY: "failover"},  # all have the emulator's own key here
        )
        opened = read_connections(self.connections.read_text())
        return [first, *history(setting, self.exchanges.all(), opened, self.began)]


def sample(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((layout.ROOT / "events" / f"{name}.json").read_text())
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return found | ({"time": stamp, "id": str(uuid.uuid4())} if "time" in found else {})


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    faults, exchanges = FaultTable(), Exchanges(KEPT)
    emulator = Emulator(tmp_path / "emulator.log")
    proxy = FaultProxy(emulator.port, faults)
    linode = LinodeApi("the-token", faults)
    emulator.start()
    proxy.start()
    linode.start()
    dns = AuthoritativeDns([LinodeDomain(linode, 7, "legacy.example")])
    dns.start()
    places = {PRIMARY: "127.0.0.10", STANDBY: "127.0.0.20"}
    port = shared_port(list(places.values()))
    endpoints = []
    for region, address in places.items():
        client = emulator.client("dynamodb", region)
        found = ApplicationEndpoint(
            region, address, port, dynamodb_client=client, table="orders", faults=faults
        )
        endpoints.append(found)
        found.start()
    for server in (proxy, linode, *endpoints):
        server.exchanges = exchanges
    zone, topic, secret = furnish(emulator, linode)
    text = PLAN.format(primary=PRIMARY, standby=STANDBY, port=port, zone=zone)
    environment = {
        "AWS_REGION": STANDBY,
        "STATE_TABLE": "state",
        "HEARTBEAT_TABLE": "beats",
        "TOPIC_ARN": topic,
        "PRIMARY_REGION": PRIMARY,
        "STANDBY_REGION": STANDBY,
        "TABLE_NAMES": "orders",
        "LINODE_TOKEN_SECRET_ARN": secret,
        "LINODE_API_URL": linode.base_url,
        "NAME_SERVERS": "{}:{}".format(*dns.address),
    }
    pretend_to_be_a_function(monkeypatch, proxy.port, tmp_path / "connections")
    began = datetime.now(UTC).timestamp()
    yield Rig(
        emulator, proxy, linode, exchanges, faults, tmp_path / "connections", text, zone, environment, began
    )
    forget_clients()
    faults.clear()
    for part in (*endpoints, dns, linode, proxy, emulator):
        part.stop()


def furnish(emulator: Emulator, linode: LinodeApi) -> tuple[str, str, str]:
    """Make tables, parameters, zone, topic, secret and domain; return zone, topic's and secret's ARN."""
    for name, keys in (("state", ("pk", "sk")), ("beats", ("pk",)), ("orders", ("id",))):
        emulator.client("dynamodb", STANDBY).create_table(
            TableName=name,
            KeySchema=[
                {"AttributeName": key, "KeyType": kind}
                for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            BillingMode="PAY_PER_REQUEST",
        )
    for name in ("beats", "orders"):
        add_replica(emulator, name, STANDBY, PRIMARY)
    for region in layout.REGIONS:
        emulator.client("ssm", region).put_parameter(Name="/active", Value=PRIMARY, Type="String")
    route53 = emulator.client("route53", STANDBY)
    zone = route53.create_hosted_zone(Name="orders.example", CallerReference="1")["HostedZone"]["Id"]
    record = {"Name": "api.orders.example", "Type": "A", "TTL": 30}
    record["ResourceRecords"] = [{"Value": "127.0.0.10"}]
    route53.change_resource_record_sets(
        HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    )
    secret = emulator.client("secretsmanager", STANDBY).create_secret(Name="linode", SecretString="the-token")
    linode.add_domain(7, "legacy.example")
    linode.add_record(7, type="A", name="app", target="127.0.0.10", ttl_sec=30)
    topic = emulator.client("sns", STANDBY).create_topic(Name="pages")["TopicArn"]
    return zone.rsplit("/", 1)[-1], str(topic), str(secret["ARN"])


def pretend_to_be_a_function(monkeypatch: pytest.MonkeyPatch, port: int, connections: Path) -> None:
    """Give this process what the embedded AWS gives its functions' processes."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": KEY,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_LAMBDA_FUNCTION_NAME": "function",
        "AWS_EC2_METADATA_DISABLED": "true",
        "REHEARSAL_CONNECTIONS": str(connections),
        "_X_AMZN_TRACE_ID": "",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(socket.socket, "connect", noting(socket.socket.connect))
    forget_clients()


def test_a_failover_and_a_failback_on_the_wire_are_a_history_without_a_violation(rig: Rig) -> None:
    rig.run("failback", sample("schedule"))
    dead = rig.faults.add(Fault(FaultKind.HANG, region=PRIMARY))
    assert rig.run("failover", sample("metric-alarm"))[0]["reason"] == "region-down"
    rig.switch_linode()
    rig.faults.remove(dead)
    rig.run("failback", sample("schedule"))
    rig.run("failback", sample("manual-failback") | {"force": True})
    rig.switch_linode()
    entries = rig.history()
    assert [str(violation) for violation in check(entries)] == []
    saves = [e for e in entries if e["kind"] == "effect" and e["op"] == "store.save_state" and e["saved"]]
    assert json.loads(saves[-1]["record"])["epoch"] == 2
    assert json.loads(saves[-1]["record"])["phase"] == "steady"
    operations = {e["op"] for e in entries if e["kind"] == "call"}
    assert operations == {
        *("store.load_state", "store.save_state", "store.load_health", "store.save_health"),
        *("store.record_decision", "tables.read", "tables.write_heartbeat", "tables.read_heartbeat"),
        *("endpoints.get", "zones.read", "zones.submit", "zones.is_insync", "parameters.read"),
        *("parameters.write", "linode.find", "linode.point", "events.put", "notifier.publish"),
    }
    owners = {e["worker"] for e in entries if e["kind"] == "effect" and e["op"] == "zones.submit"}
    assert all(owner.split(":")[0] in {"failover", "failback"} for owner in owners)


def test_a_change_that_nobody_claimed_is_found(rig: Rig) -> None:
    rig.run("failback", sample("schedule"))
    assert check(rig.history()) == []
    route53 = boto3.session.Session().client("route53", region_name=STANDBY)
    there = {"Name": "api.orders.example", "Type": "A", "TTL": 30}
    old, new = ({**there, "ResourceRecords": [{"Value": v}]} for v in ("127.0.0.10", "192.0.2.99"))
    route53.change_resource_record_sets(
        HostedZoneId=rig.zone,
        ChangeBatch={
            "Changes": [
                {"Action": "DELETE", "ResourceRecordSet": old},
                {"Action": "CREATE", "ResourceRecordSet": new},
            ]
        },
    )
    assert {violation.invariant for violation in check(rig.history())} >= {"I2", "I6"}
