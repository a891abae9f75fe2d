"""The authoritative server: right answers, right refusals, and one documented time scale."""

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import dnslib
import pytest

from drill.dns import AuthoritativeDns, DnsRecord, LinodeDomain, Route53Zone, ask


class Fixed:
    """A source with the records it was given."""

    def __init__(self, *records: DnsRecord) -> None:
        self.held: tuple[DnsRecord, ...] = records

    def records(self) -> Sequence[DnsRecord]:
        return self.held

    def origins(self) -> Sequence[str]:
        return ("example.com",)


LONG = "x" * 300
ZONE = (
    DnsRecord("api.example.com", "A", 60, ("192.0.2.10", "192.0.2.11")),
    DnsRecord("api.example.com", "AAAA", 60, ("2001:db8::1",)),
    DnsRecord("www.example.com", "CNAME", 20, ("api.example.com.",)),
    DnsRecord("_region-failover.api.example.com", "TXT", 0, ('plan=orders "epoch"=1',)),
    DnsRecord("long.example.com", "TXT", 5, (LONG,)),
    DnsRecord("big.example.com", "TXT", 5, tuple(f"{n}{LONG}" for n in range(10))),
    DnsRecord("deep.under.example.com", "A", 5, ("192.0.2.12",)),
)


@pytest.fixture
def dns() -> Iterator[AuthoritativeDns]:
    server = AuthoritativeDns([Fixed(*ZONE)])
    server.start()
    yield server
    server.stop()


def answers(reply: Any) -> list[tuple[str, str, int, str]]:
    return [(str(r.rname), dnslib.QTYPE[r.rtype], r.ttl, str(r.rdata)) for r in reply.rr]


def rcode(reply: Any) -> str:
    return str(dnslib.RCODE[reply.header.rcode])


def test_addresses_are_answered_with_authority(dns: AuthoritativeDns) -> None:
    reply = ask(dns.address, "API.example.com")
    assert answers(reply) == [
        ("api.example.com.", "A", 60, "192.0.2.10"),
        ("api.example.com.", "A", 60, "192.0.2.11"),
    ]
    assert (reply.header.aa, reply.header.ra) == (1, 0)
    assert answers(ask(dns.address, "api.example.com", "AAAA"))[0][3] == "2001:db8::1"


@pytest.mark.parametrize(
    ("weights", "of_ten"),
    [((10, 90), (1, 9)), ((50, 50), (5, 5)), ((0, 100), (0, 10)), ((100, 0), (10, 0)), ((0, 0), (5, 5))],
)
def test_weighted_sets_answer_in_turn_each_as_often_as_its_weight_says(
    weights: tuple[int, int], of_ten: tuple[int, int]
) -> None:
    server = AuthoritativeDns(
        [
            Fixed(
                DnsRecord("api.example.com", "A", 60, ("192.0.2.1",), weights[0]),
                DnsRecord("api.example.com", "A", 60, ("192.0.2.2",), weights[1]),
                DnsRecord("www.example.com", "A", 60, ("192.0.2.3",)),
            )
        ]
    )
    server.start()
    try:
        seen = []
        for _ in range(10):
            seen += [data for _, _, _, data in answers(ask(server.address, "api.example.com"))]
            ask(server.address, "www.example.com")  # what others ask makes no difference
        assert (seen.count("192.0.2.1"), seen.count("192.0.2.2")) == of_ten
    finally:
        server.stop()


def test_a_cname_is_followed_inside_the_zones_served(dns: AuthoritativeDns) -> None:
    assert [kind for _, kind, _, _ in answers(ask(dns.address, "www.example.com"))] == ["CNAME", "A", "A"]


def test_text_is_answered_whole(dns: AuthoritativeDns) -> None:
    short = ask(dns.address, "_region-failover.api.example.com", "TXT").rr[0].rdata.data
    assert b"".join(short) == b'plan=orders "epoch"=1'
    strings = ask(dns.address, "long.example.com", "TXT").rr[0].rdata.data
    assert [len(text) for text in strings] == [255, 45]


def test_no_such_name_is_nxdomain_with_the_soa(dns: AuthoritativeDns) -> None:
    reply = ask(dns.address, "nothing.example.com")
    assert (rcode(reply), answers(reply)) == ("NXDOMAIN", [])
    assert [dnslib.QTYPE[r.rtype] for r in reply.auth] == ["SOA"]


@pytest.mark.parametrize(
    ("name", "rtype"), [("api.example.com", "TXT"), ("under.example.com", "A"), ("example.com", "A")]
)
def test_a_name_that_exists_without_that_type_is_nodata_with_the_soa(
    dns: AuthoritativeDns, name: str, rtype: str
) -> None:
    reply = ask(dns.address, name, rtype)
    assert (rcode(reply), answers(reply)) == ("NOERROR", [])
    assert [dnslib.QTYPE[r.rtype] for r in reply.auth] == ["SOA"]


@pytest.mark.parametrize("name", ["api.example.org", "notexample.com", "com"])
def test_a_name_outside_the_zones_is_refused(dns: AuthoritativeDns, name: str) -> None:
    reply = ask(dns.address, name)
    assert (rcode(reply), reply.header.aa) == ("REFUSED", 0)


@pytest.mark.parametrize(("scale", "ttl", "given"), [(0.1, 60, 6), (0.1, 4, 1), (0.1, 0, 0), (1.0, 60, 60)])
def test_the_ttl_is_scaled_and_stays_at_least_a_second(scale: float, ttl: int, given: int) -> None:
    server = AuthoritativeDns([Fixed(DnsRecord("api.example.com", "A", ttl, ("192.0.2.10",)))], scale)
    query = dnslib.DNSRecord.question("api.example.com").pack()
    assert server.answer(query).rr[0].ttl == given


def test_an_answer_too_big_for_udp_is_truncated_and_whole_over_tcp(dns: AuthoritativeDns) -> None:
    cut = ask(dns.address, "big.example.com", "TXT")
    assert (cut.header.tc, len(cut.rr), str(cut.q.qname)) == (1, 0, "big.example.com.")
    question = dnslib.DNSRecord.question("big.example.com", "TXT")
    whole = dnslib.DNSRecord.parse(question.send(*dns.address, tcp=True, timeout=1))
    assert len(whole.rr) == 10


def test_the_data_may_change_under_the_server() -> None:
    source = Fixed(*ZONE)
    server = AuthoritativeDns([source])
    server.start()
    source.held = (DnsRecord("api.example.com", "A", 60, ("198.51.100.10",)),)
    assert answers(ask(server.address, "api.example.com"))[0][3] == "198.51.100.10"
    server.stop()


def test_what_is_no_query_is_not_answered_and_does_no_harm(dns: AuthoritativeDns) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.sendto(b"hello", dns.address)
    assert rcode(ask(dns.address, "api.example.com")) == "NOERROR"


def test_a_restart_keeps_the_port(dns: AuthoritativeDns) -> None:
    before = dns.address
    dns.stop()
    with pytest.raises(OSError, match="refused"):
        ask(before, "api.example.com", timeout_s=0.2)
    dns.start()
    assert dns.address == before
    assert answers(ask(before, "api.example.com"))


class FakeRoute53:
    """As much of boto3's client as the zone reads."""

    def __init__(self, sets: list[dict[str, Any]]) -> None:
        self.sets = sets
        self.fails = False

    def get_hosted_zone(self, Id: str) -> dict[str, Any]:
        return {"HostedZone": {"Name": "Example.com."}}

    def get_paginator(self, _operation: str) -> "FakeRoute53":
        return self

    def paginate(self, HostedZoneId: str) -> list[dict[str, Any]]:
        if self.fails:
            raise ConnectionError("the emulator is away")
        return [{"ResourceRecordSets": [entry]} for entry in self.sets]


def record_set(value: str, rtype: str = "A", name: str = "api.example.com.", **more: Any) -> dict[str, Any]:
    return {"Name": name, "Type": rtype, "TTL": 60, "ResourceRecords": [{"Value": value}], **more}


@pytest.fixture
def route53() -> FakeRoute53:
    return FakeRoute53([record_set("192.0.2.10")])


def started(client: FakeRoute53, **more: Any) -> Route53Zone:
    zone = Route53Zone(client, "Z1", interval_s=0.02, **more)  # type: ignore[arg-type]
    zone.start()
    return zone


def values(zone: Route53Zone) -> list[str]:
    return [value for record in zone.records() for value in record.values]


def wait_until(claim: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline and not claim():
        time.sleep(0.01)
    return claim()


def test_a_route53_zone_follows_the_api(route53: FakeRoute53) -> None:
    zone = started(route53)
    assert (zone.origins(), values(zone)) == (("example.com",), ["192.0.2.10"])
    route53.sets = [record_set("198.51.100.10")]
    assert wait_until(lambda: values(zone) == ["198.51.100.10"])
    zone.stop()


def test_a_route53_zone_serves_new_data_only_after_the_propagation(route53: FakeRoute53) -> None:
    zone = started(route53, propagation_s=0.3)
    route53.sets = [record_set("198.51.100.10")]
    time.sleep(0.15)
    assert values(zone) == ["192.0.2.10"]
    assert wait_until(lambda: values(zone) == ["198.51.100.10"])
    zone.stop()


def test_a_route53_zone_goes_on_serving_while_the_api_is_away(route53: FakeRoute53) -> None:
    zone = started(route53)
    route53.fails = True
    time.sleep(0.1)
    assert values(zone) == ["192.0.2.10"]
    zone.stop()


@pytest.mark.parametrize(
    ("down", "served"),
    [((), "192.0.2.10"), (("hc-1",), "198.51.100.10"), (("hc-1", "hc-2"), "192.0.2.10")],
)
def test_of_a_failover_pair_the_healthy_one_is_served(down: tuple[str, ...], served: str) -> None:
    pair = [
        record_set("198.51.100.10", SetIdentifier="s", Failover="SECONDARY", HealthCheckId="hc-2"),
        record_set("192.0.2.10", SetIdentifier="p", Failover="PRIMARY", HealthCheckId="hc-1"),
    ]
    zone = started(FakeRoute53(pair), is_healthy=lambda check: check not in down)
    assert values(zone) == [served]
    zone.stop()


def test_route53_text_is_served_without_its_quotes_and_escapes() -> None:
    zone = started(FakeRoute53([record_set(r'"plan=\"orders\" " "epoch=\0611"', "TXT")]))
    assert values(zone) == ['plan="orders" epoch=11']
    zone.stop()


def test_a_linode_domain_is_served_with_full_names_and_its_default_ttl() -> None:
    class Api:
        def published_records(self, domain_id: int) -> list[dict[str, Any]]:
            return [
                {"type": "A", "name": "app", "target": "203.0.113.10", "ttl_sec": 30},
                {"type": "A", "name": "app", "target": "203.0.113.11", "ttl_sec": 30},
                {"type": "A", "name": "", "target": "203.0.113.12", "ttl_sec": 0},
                {"type": "MX", "name": "", "target": "mail", "ttl_sec": 0},
            ]

    assert LinodeDomain(Api(), 1, "Example.com.").records() == (
        DnsRecord("app.example.com", "A", 30, ("203.0.113.10", "203.0.113.11")),
        DnsRecord("example.com", "A", 86_400, ("203.0.113.12",)),
    )
