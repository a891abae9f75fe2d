"""The traffic client: a real cache, a steady pace, and every answer counted."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from drill.application import ApplicationEndpoint, shared_port
from drill.client import Answer, CannotResolve, Resolver, TrafficClient
from drill.dns import AuthoritativeDns, DnsRecord
from drill.faults import Fault, FaultKind, FaultTable

FQDN = "api.example.com"
PRIMARY, STANDBY = "127.0.0.10", "127.0.0.20"


class Zone:
    """A zone with one record that can be switched."""

    def __init__(self, ttl: int = 1) -> None:
        self.address = PRIMARY
        self.ttl = ttl
        self.asked = 0

    def records(self) -> Sequence[DnsRecord]:
        self.asked += 1
        return (DnsRecord(FQDN, "A", self.ttl, (self.address,)),) if self.address else ()

    def origins(self) -> Sequence[str]:
        return ("example.com",)


class Table:
    """A global table whose replicas agree at once."""

    def __init__(self) -> None:
        self.items: dict[str, Any] = {}

    def put_item(self, TableName: str, Item: dict[str, Any]) -> None:
        self.items[Item["id"]["S"]] = Item

    def get_item(self, TableName: str, Key: dict[str, Any], ConsistentRead: bool) -> dict[str, Any]:
        item = self.items.get(Key["id"]["S"])
        return {"Item": item} if item else {}


class Rig:
    """Two endpoints, one name."""

    def __init__(self) -> None:
        self.zone = Zone()
        self.dns = AuthoritativeDns([self.zone])
        self.faults = FaultTable()
        self.table = Table()
        self.port = shared_port([PRIMARY, STANDBY])
        self.endpoints = [self._endpoint("east", PRIMARY), self._endpoint("west", STANDBY)]
        self.clients: list[TrafficClient] = []

    def _endpoint(self, region: str, address: str) -> ApplicationEndpoint:
        client: Any = self.table
        return ApplicationEndpoint(
            region, address, self.port, dynamodb_client=client, table="orders", faults=self.faults
        )

    def client(self, **more: Any) -> TrafficClient:
        settings: dict[str, Any] = {"interval_s": 0.02, "timeout_s": 0.2, **more}
        client = TrafficClient("web", FQDN, self.port, self.dns.address, **settings)
        self.clients.append(client)
        client.start()
        return client


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    rig.dns.start()
    for endpoint in rig.endpoints:
        endpoint.start()
    yield rig
    for client in rig.clients:
        client.stop()
    for endpoint in rig.endpoints:
        endpoint.stop()
    rig.dns.stop()


def wait_for(client: TrafficClient, claim: Callable[[Sequence[Answer]], bool]) -> Sequence[Answer]:
    deadline = time.monotonic() + 1.7
    while time.monotonic() < deadline and not claim(client.answers()):
        time.sleep(0.01)
    answers = client.answers()
    assert claim(answers), answers
    return answers


def test_the_workload_writes_an_order_and_reads_it_in_turn(rig: Rig) -> None:
    answers = wait_for(rig.client(), lambda seen: len(seen) >= 4)
    assert [answer.operation for answer in answers[:4]] == ["write", "read", "write", "read"]
    assert all(answer.ok and answer.region == "east" and answer.address == PRIMARY for answer in answers)
    assert rig.table.items


def test_with_a_path_the_client_reads_that_path(rig: Rig) -> None:
    answers = wait_for(rig.client(path="/health"), lambda seen: len(seen) >= 3)
    assert {(answer.operation, answer.ok) for answer in answers} == {("read", True)}


def test_a_switch_is_seen_only_after_the_ttl_has_run_out(rig: Rig) -> None:
    client = rig.client()
    wait_for(client, lambda seen: len(seen) >= 2)
    rig.zone.address = STANDBY
    answers = wait_for(client, lambda seen: seen[-1].region == "west")
    first_west = next(answer for answer in answers if answer.region == "west")
    assert first_west.at_monotonic - answers[0].at_monotonic >= 1.0
    assert rig.zone.asked == 2
    assert all(answer.ok for answer in answers)


def test_a_failure_does_not_empty_the_cache(rig: Rig) -> None:
    rig.zone.ttl = 30
    client = rig.client()
    wait_for(client, lambda seen: len(seen) >= 1)
    rig.zone.address = STANDBY
    rig.endpoints[0].stop()
    answers = wait_for(client, lambda seen: len([a for a in seen if not a.ok]) >= 5)
    failed = [answer for answer in answers if not answer.ok]
    assert {(answer.address, answer.error) for answer in failed[1:]} == {(PRIMARY, "ConnectionRefusedError")}
    assert rig.zone.asked == 1


def test_a_hanging_request_takes_its_timeout_and_the_next_follows(rig: Rig) -> None:
    rig.faults.add(Fault(FaultKind.HANG, region="east"))
    answers = wait_for(rig.client(), lambda seen: len(seen) >= 2)
    assert {answer.error for answer in answers} == {"TimeoutError"}
    assert all(0.2 <= answer.seconds < 0.5 for answer in answers)
    assert answers[1].at_monotonic - answers[0].at_monotonic < 0.5


def test_a_broken_application_counts_as_failed_and_is_named(rig: Rig) -> None:
    rig.faults.add(Fault(FaultKind.ERROR, region="east"))
    answers = wait_for(rig.client(), lambda seen: len(seen) >= 1)
    assert (answers[0].ok, answers[0].region) == (False, "east")
    assert answers[0].error == "HTTP 503 injected: error"


def test_an_order_that_was_lost_counts_as_failed(rig: Rig) -> None:
    client = rig.client()
    rig.table.put_item = lambda **_: None  # type: ignore[method-assign]
    wait_for(client, lambda seen: any(a.error == "HTTP 404 NotFound" for a in seen))


def test_a_name_without_an_address_counts_as_failed(rig: Rig) -> None:
    rig.zone.address = ""
    answers = wait_for(rig.client(), lambda seen: len(seen) >= 1)
    assert (answers[0].error, answers[0].address) == ("dns: NXDOMAIN", None)


def test_since_gives_the_answers_from_that_moment_on(rig: Rig) -> None:
    client = rig.client()
    answers = wait_for(client, lambda seen: len(seen) >= 4)
    assert client.since(answers[2].at_monotonic)[0] == answers[2]


def test_the_resolver_asks_again_exactly_when_the_ttl_is_over(rig: Rig) -> None:
    now = 100.0
    rig.zone.ttl = 30
    resolver = Resolver(FQDN, rig.dns.address, 0.2, clock=lambda: now)
    assert resolver.address() == PRIMARY
    rig.zone.address = STANDBY
    now = 129.9
    assert resolver.address() == PRIMARY
    now = 130.0
    assert resolver.address() == STANDBY


def test_the_resolver_serves_nothing_stale(rig: Rig) -> None:
    now = 100.0
    resolver = Resolver(FQDN, rig.dns.address, 0.2, clock=lambda: now)
    resolver.address()
    rig.dns.stop()
    now = 102.0
    with pytest.raises(CannotResolve):
        resolver.address()
