"""A whole failover and failback through the real adapters, on moto, written down for the checker."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aws_lambda_powertools import Logger
from moto import mock_aws

from proof.history import Entry, History, Recorder, record_set
from region_failover.adapters.environment import Settings, read_settings
from region_failover.bootstrap import real_ports
from region_failover.domain.codec import dump
from region_failover.domain.plan import Plan
from region_failover.domain.plan_file import parse_plan
from region_failover.domain.state import Phase
from region_failover.domain.trigger import read_triggers
from region_failover.domain.zone import RecordSet, fence_name
from region_failover.ports import Ports
from region_failover.service.failback import handle_failback
from region_failover.service.failover import handle_failover
from region_failover.service.record import Deadline
from tests.cloud import PLAN, STATE_TABLE, Stack, client, endpoint, isolate, make_stack
from tests.concurrency.histories import compose, judge_history
from tests.fakes import EAST, WEST

PARAMETER = "/orders/active-region"
FLOWS = {"failover": handle_failover, "failback": handle_failback}


def upserted_zone() -> str:
    """Make a zone whose record was not made by CREATE.

    moto refuses a CREATE that it has seen before while the record exists, even if the batch deletes it first.
    """
    route53 = client("route53")
    made = route53.create_hosted_zone(Name="example.com", CallerReference="upserted")
    zone = str(made["HostedZone"]["Id"]).rsplit("/", 1)[-1]
    record = {"Name": "api.example.com", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.10"}]}
    route53.change_resource_record_sets(
        HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}
    )
    return zone


class Run:
    """The workers of one run, and what they wrote down."""

    def __init__(self, stack: Stack, plan: Plan) -> None:
        self.stack = stack
        self.plan = plan
        self.settings: Settings = read_settings(stack.environment)
        self.start = datetime.now(UTC)
        self.history = History()
        self._began = time.monotonic()
        self.recorder = Recorder(self.history, self.seconds)

    def seconds(self) -> float:
        return time.monotonic() - self._began

    def work(self, function: str, event: dict[str, Any], owner: str) -> Any:
        """Be one worker: a function started with this event."""
        real = real_ports(function, self.settings, Logger(service=f"recorded-{function}", level="ERROR"))
        ports = self.recorder.ports(replace(real, owner=owner))
        self.recorder.begin(ports, function, event)
        triggers = read_triggers(event, f"request-{owner}")
        (answer,) = FLOWS[function](
            ports, [self.plan], triggers, Deadline.after(ports, 60), timedelta(minutes=15)
        )
        self.recorder.end(ports, "returned")
        return answer

    def by_hand(self, action: str) -> dict[str, Any]:
        """Return a human's request; moto does not replicate, so the lag is for a human to ignore."""
        return {"plan": "orders", "action": action, "reason": "a rehearsal", "force": True}

    def records(self, ports: Ports) -> list[Entry]:
        (zone_id,) = self.plan.zones()
        name = fence_name(self.plan.route53_records)
        found = ports.zones.read(zone_id, [("api.example.com", "A")], name)
        fence: tuple[RecordSet, ...] = (found.fence,) if found.fence else ()
        return [record_set(record) for record in (*found.records, *fence)]

    def whole(self, before: list[Entry]) -> History:
        """Return the history from its plan to its rest."""
        ports = real_ports("failover", self.settings, Logger(service="test", level="ERROR"))
        state, health = ports.store.load_state("orders"), ports.store.load_health("orders")
        ended = client("dynamodb").query(
            TableName=STATE_TABLE,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues={":pk": {"S": "plan#orders"}, ":sk": {"S": "transition#"}},
        )["Items"]
        rest = {
            "kind": "rest",
            "t": self.seconds(),
            "state": dump(state),
            "health": dump(health),
            "zones": {self.stack.zone: self.records(ports)},
            "parameters": [
                {"region": region, "name": PARAMETER, "value": ports.parameters.read(region, PARAMETER)}
                for region in (WEST, EAST)
            ],
            "linode": [],
            "history": [item["body"]["S"] for item in ended],
            "expect": "steady",
        }
        entries = sorted(self.history.entries, key=lambda entry: float(entry["t"]))
        return compose(self.plan, self.start, {self.stack.zone: before}, entries, rest)


def test_a_whole_failover_and_failback_leave_a_history_for_the_checker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    isolate(monkeypatch)
    with mock_aws(), endpoint() as primary, endpoint() as standby:
        stack = replace(make_stack(), zone=upserted_zone())
        text = PLAN.format(primary=primary.url, standby=standby.url, zone=stack.zone)
        run = Run(stack, parse_plan(text.replace('timeout = "700ms"', 'timeout = "2s"'), "orders.toml"))
        before = run.records(real_ports("failover", run.settings, Logger(service="test", level="ERROR")))
        moved = [run.work("failover", run.by_hand("failover"), "failover-1")]
        moved += [run.work("failback", run.by_hand("failback"), "failback-1")]
        history = run.whole(before)
    assert [answer["reason"] for answer in moved] == ["operator-asked", "operator-asked"]
    history.write(tmp_path / "history.jsonl")
    entries = History.read(tmp_path / "history.jsonl").entries
    assert [entries[0]["kind"], entries[-1]["kind"]] == ["plan", "rest"]
    assert [(e["kind"], e["worker"]) for e in entries if e["kind"] in {"begin", "end"}] == [
        ("begin", "failover-1"),
        ("end", "failover-1"),
        ("begin", "failback-1"),
        ("end", "failback-1"),
    ]
    assert {e["n"] for e in entries if e["kind"] == "call"} == {
        e["call"] for e in entries if e["kind"] == "reply"
    }
    state = json.loads(entries[-1]["state"])
    assert (state["phase"], state["epoch"], state["active"]) == (Phase.STEADY.value, 2, EAST), [
        step["detail"] for step in (state["transition"] or {"steps": []})["steps"]
    ]
    assert [json.loads(body)["epoch"] for body in entries[-1]["history"]] == [1, 2]
    assert {parameter["value"] for parameter in entries[-1]["parameters"]} == {EAST}
    assert judge_history(entries) == []
