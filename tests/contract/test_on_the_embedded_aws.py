"""What moto cannot judge (races, fencing, lost replies), on the embedded AWS of the rehearsal."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from drill.emulator import KEY, Emulator
from drill.faults import Fault, FaultKind, FaultTable
from drill.layout import MINISTACK
from drill.proxy import FaultProxy
from region_failover.adapters.route53 import Zones
from region_failover.adapters.state_table import StateTable
from region_failover.domain.errors import FenceRefused
from region_failover.domain.journal import Claim, claim, complete
from region_failover.domain.plan import Plan, Role
from region_failover.domain.plan_file import parse_plan
from region_failover.domain.state import Direction, PlanState, Transition, initial_state
from region_failover.domain.zone import fence_name, is_switched, switch_batch

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
REGION = "us-west-2"


class Rig:
    """The emulator behind a fault proxy."""

    def __init__(self, folder: Path) -> None:
        self.faults = FaultTable()
        self.emulator = Emulator(folder / "emulator.log")
        self.proxy = FaultProxy(self.emulator.port, self.faults)

    def client(self, service: str) -> Any:
        """Return a client through the proxy, with the product's own retries."""
        session: Any = boto3.session.Session(KEY, KEY, region_name=REGION)
        config = Config(
            connect_timeout=1, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3}
        )
        return session.client(service, endpoint_url=f"http://127.0.0.1:{self.proxy.port}", config=config)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    if not MINISTACK.path.exists():
        pytest.fail("the emulator's virtual environment is missing: run `make setup` (`make test` does)")
    found = Rig(tmp_path_factory.mktemp("emulator"))
    found.proxy.start()
    found.emulator.start()
    keys = [("pk", "HASH"), ("sk", "RANGE")]
    found.client("dynamodb").create_table(
        TableName="state",
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
        BillingMode="PAY_PER_REQUEST",
    )
    yield found
    found.emulator.stop()
    found.proxy.stop()


@pytest.fixture
def store(rig: Rig) -> Iterator[StateTable]:
    yield StateTable(rig.client("dynamodb"), "state")
    rig.faults.clear()


def drop_one_reply(rig: Rig, operation: str) -> tuple[int, threading.Thread]:
    """Lose replies to an operation until one is lost; return the fault and the thread that lifts it."""
    dropped = rig.faults.add(Fault(FaultKind.DROP_REPLY, service="dynamodb", operation=operation))

    def lift() -> None:
        deadline = time.monotonic() + 10
        while not rig.faults.hits(dropped) and time.monotonic() < deadline:
            time.sleep(0.001)
        rig.faults.remove(dropped)

    lifter = threading.Thread(target=lift)
    lifter.start()
    return dropped, lifter


def plan(zone_id: str = "Z1") -> Plan:
    text = (Path(__file__).parents[2] / "layers" / "plans" / "orders.toml").read_text()
    return parse_plan(text.replace("Z0123456789ABCDEFGHIJ", zone_id), "orders.toml")


def fresh(store: StateTable, name: str) -> PlanState:
    state = replace(initial_state(name, 0, "us-east-1"), version=1)
    assert store.save_state(state, 0)
    return state


def request(owner: str) -> Claim:
    return Claim(
        Direction.FAILOVER,
        "us-east-1",
        REGION,
        "region-down",
        manual=False,
        owner=owner,
        steps=(),
        verified_at=NOW,
    )


@pytest.mark.parametrize("contenders", [2, 8, 32])
def test_of_many_contenders_for_one_claim_exactly_one_wins(store: StateTable, contenders: int) -> None:
    state = fresh(store, f"race-{contenders}")
    start, wins = threading.Barrier(contenders), []

    def contend(owner: str) -> None:
        claimed = claim(state, request(owner), NOW)
        assert claimed is not None
        start.wait()
        if store.save_state(replace(claimed, version=2), 1):
            wins.append(owner)

    threads = [threading.Thread(target=contend, args=(f"worker-{n}",)) for n in range(contenders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stored = store.load_state(f"race-{contenders}")
    assert stored is not None
    assert stored.transition is not None
    assert wins == [stored.transition.lease.owner]


def test_a_lost_reply_to_our_own_claim_counts_as_ours(rig: Rig, store: StateTable) -> None:
    state = fresh(store, "lost-reply")
    claimed = claim(state, request("worker"), NOW)
    assert claimed is not None
    dropped, lifter = drop_one_reply(rig, "PutItem")
    assert store.save_state(replace(claimed, version=2), 1)
    lifter.join()
    assert rig.faults.hits(dropped) >= 1, "no reply was lost: the test proves nothing"


def _completed(store: StateTable, name: str) -> tuple[PlanState, Transition]:
    claimed = claim(fresh(store, name), request("worker"), NOW)
    assert claimed is not None
    assert store.save_state(replace(claimed, version=2), 1)
    found = complete(claimed, 1, timedelta(minutes=60), NOW)
    assert found is not None
    return found


def test_a_lost_reply_to_a_completion_counts_as_ours_and_history_has_it_once(
    rig: Rig, store: StateTable
) -> None:
    steady, ended = _completed(store, "lost-completion")
    dropped, lifter = drop_one_reply(rig, "TransactWriteItems")
    assert store.save_state(replace(steady, version=3), 2, ended)
    lifter.join()
    assert rig.faults.hits(dropped) >= 1, "no reply was lost: the test proves nothing"
    stored = store.load_state("lost-completion")
    assert stored is not None
    assert (stored.version, stored.transition) == (3, None)


def test_a_completion_on_an_outdated_version_writes_neither_state_nor_history(
    rig: Rig, store: StateTable
) -> None:
    steady, ended = _completed(store, "outdated")
    assert not store.save_state(replace(steady, version=9), 8, ended)
    found = rig.client("dynamodb").get_item(
        TableName="state",
        Key={"pk": {"S": "plan#outdated"}, "sk": {"S": f"transition#0000000001#{NOW.isoformat()}"}},
    )
    assert "Item" not in found


@pytest.fixture
def zone(rig: Rig) -> tuple[Zones, Plan]:
    route53 = rig.client("route53")
    made = route53.create_hosted_zone(Name="example.com", CallerReference=uuid.uuid4().hex)
    zone_id = made["HostedZone"]["Id"].rsplit("/", 1)[-1]
    found = plan(zone_id)
    record = {
        "Name": "api.example.com",
        "Type": "A",
        "TTL": 60,
        "ResourceRecords": [{"Value": "192.0.2.10"}],
    }
    route53.change_resource_record_sets(
        HostedZoneId=zone_id,
        ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]},
    )
    return Zones(route53), found


def test_route53_itself_refuses_a_worker_with_an_outdated_snapshot(zone: tuple[Zones, Plan]) -> None:
    zones, found = zone
    zone_id = found.route53_records[0].zone_id
    names, fence = [("api.example.com", "A")], fence_name(found.route53_records)
    old = zones.read(zone_id, names, fence)
    zones.submit(zone_id, switch_batch(found, zone_id, 1, Role.STANDBY, old), "epoch 1")
    there = zones.read(zone_id, names, fence)
    zones.submit(zone_id, switch_batch(found, zone_id, 2, Role.PRIMARY, there), "epoch 2")
    with pytest.raises(FenceRefused):
        zones.submit(zone_id, switch_batch(found, zone_id, 1, Role.STANDBY, old), "frozen since epoch 1")
    with pytest.raises(FenceRefused):
        zones.submit(zone_id, switch_batch(found, zone_id, 3, Role.STANDBY, there), "outdated, newer epoch")
    assert is_switched(zones.read(zone_id, names, fence), found, zone_id, 2, Role.PRIMARY)


def test_somebody_elses_edit_between_snapshot_and_change_refuses_the_change(
    rig: Rig, zone: tuple[Zones, Plan]
) -> None:
    zones, found = zone
    zone_id = found.route53_records[0].zone_id
    before = zones.read(zone_id, [("api.example.com", "A")], fence_name(found.route53_records))
    edited = {
        "Name": "api.example.com",
        "Type": "A",
        "TTL": 60,
        "ResourceRecords": [{"Value": "203.0.113.99"}],
    }
    rig.client("route53").change_resource_record_sets(
        HostedZoneId=zone_id, ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": edited}]}
    )
    with pytest.raises(FenceRefused):
        zones.submit(
            zone_id, switch_batch(found, zone_id, 1, Role.STANDBY, before), "on an outdated snapshot"
        )
    after = zones.read(zone_id, [("api.example.com", "A")], fence_name(found.route53_records))
    assert after.records[0].values == ("203.0.113.99",)
    assert after.fence is None
