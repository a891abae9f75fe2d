"""A zone's own name servers, asked over real sockets: authority, agreement, deadlines (RFC 1035, RFC 7766)."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import dnslib
import pytest

from drill.dns import AuthoritativeDns, DnsRecord
from region_failover.adapters.name_servers import NameServers, agreed
from region_failover.domain.errors import RemoteFailure
from region_failover.domain.symptom import Kind, Symptom
from tests.fakes import TIMED_OUT, FakeNameServers

LONG = "x" * 700
ZONE = (
    DnsRecord("app.example.com", "A", 60, ("198.51.100.11", "198.51.100.10")),
    DnsRecord("app.example.com", "AAAA", 60, ("2001:db8:0::1",)),
    DnsRecord("www.example.com", "CNAME", 20, ("App.Example.com.",)),
    DnsRecord("_region-failover.app.example.com", "TXT", 0, ('region-failover plan=orders "x"',)),
    DnsRecord("big.example.com", "TXT", 5, (LONG, LONG + "y")),
    DnsRecord("_sip._tcp.example.com", "SRV", 5, ("10 5 5060 Sip.example.com.",)),
)


class Fixed:
    """A source with the records it was given."""

    def __init__(self, *records: DnsRecord) -> None:
        self.held = records

    def records(self) -> Sequence[DnsRecord]:
        return self.held

    def origins(self) -> Sequence[str]:
        return ("example.com",)


class Server(AuthoritativeDns):
    """An authoritative server that notes what it was asked."""

    def __init__(self, *records: DnsRecord) -> None:
        super().__init__([Fixed(*records)])
        self.queries: list[Any] = []

    def answer(self, wire: bytes) -> Any:
        self.queries.append(dnslib.DNSRecord.parse(wire))
        return super().answer(wire)

    @property
    def place(self) -> str:
        return f"{self.address[0]}:{self.address[1]}"


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    running: list[Server] = []

    def start(*records: DnsRecord) -> Server:
        server = Server(*records)
        server.start()
        running.append(server)
        return server

    yield start
    for server in running:
        server.stop()


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes datagrams and never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{link.getsockname()[1]}"


def quick(**changes: Any) -> NameServers:
    return NameServers(**{"within_s": 0.6, "try_s": 0.2, **changes})


def failure(call: Callable[[], object]) -> Symptom:
    with pytest.raises(RemoteFailure) as caught:
        call()
    return caught.value.symptom


# the same for the fake and the real one


@pytest.fixture(params=["fake", "real"])
def three(request: pytest.FixtureRequest, serve: Callable[..., Server], silent: str) -> Any:
    """Return (the port, two servers that agree, one that lags, one that is silent)."""
    old = DnsRecord("app.example.com", "A", 60, ("203.0.113.10",))
    if request.param == "real":
        return quick(), serve(*ZONE).place, serve(*ZONE).place, serve(old).place, silent
    fake = FakeNameServers()
    fake.held = lambda name, kind: next((r.values for r in ZONE if (r.name, r.type) == (name, kind)), ())
    fake.lagging["lags"] = {("app.example.com", "A"): old.values}
    fake.silent = {"silent"}
    return fake, "one", "two", "lags", "silent"


def test_what_all_servers_say_is_the_answer_sorted(three: Any) -> None:
    port, one, two, *_ = three
    assert port.ask([one, two], "app.example.com", "A") == ("198.51.100.10", "198.51.100.11")
    assert port.ask([one], "App.Example.com.", "A") == ("198.51.100.10", "198.51.100.11")


def test_nothing_there_is_an_empty_answer(three: Any) -> None:
    port, one, two, *_ = three
    assert port.ask([one, two], "nothing.example.com", "A") == ()
    assert port.ask([one, two], "app.example.com", "TXT") == ()


def test_servers_that_disagree_are_no_answer(three: Any) -> None:
    port, one, _, lags, _ = three
    assert failure(lambda: port.ask([one, lags], "app.example.com", "A")).kind is Kind.WRONG_ANSWER


def test_a_silent_server_is_left_out_while_another_answers(three: Any) -> None:
    port, one, _, _, silent = three
    assert len(port.ask([silent, one], "app.example.com", "A")) == 2
    assert failure(lambda: port.ask([silent], "app.example.com", "A")).kind is Kind.TIMEOUT


# the real one alone


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("app.example.com", "AAAA", ("2001:db8::1",)),
        ("www.example.com", "CNAME", ("app.example.com",)),
        ("www.example.com", "A", ()),  # the CNAME is not followed
        ("_region-failover.app.example.com", "TXT", ('region-failover plan=orders "x"',)),
        ("_sip._tcp.example.com", "SRV", ("10 5 5060 sip.example.com",)),
    ],
)
def test_each_type_in_the_ports_form(
    serve: Callable[..., Server], name: str, kind: str, said: tuple[str, ...]
) -> None:
    assert quick().ask([serve(*ZONE).place], name, kind) == said


def test_what_does_not_fit_a_datagram_is_asked_for_by_tcp(serve: Callable[..., Server]) -> None:
    server = serve(*ZONE)
    assert quick().ask([server.place], "big.example.com", "TXT") == (LONG, LONG + "y")
    assert len(server.queries) == 2


def test_no_recursion_is_asked_for(serve: Callable[..., Server]) -> None:
    server = serve(*ZONE)
    quick().ask([server.place], "app.example.com", "A")
    assert [query.header.rd for query in server.queries] == [0]


def test_a_server_without_authority_has_no_answer(serve: Callable[..., Server]) -> None:
    symptom = failure(lambda: quick().ask([serve(*ZONE).place], "app.example.net", "A"))
    assert (symptom.kind, symptom.code) == (Kind.WRONG_ANSWER, "REFUSED")


def test_an_answer_from_a_cache_is_none(serve: Callable[..., Server]) -> None:
    server = serve(*ZONE)
    wise = server.answer

    def cached(wire: bytes) -> Any:
        reply = wise(wire)
        reply.header.aa = 0
        return reply

    server.answer = cached  # type: ignore[method-assign]
    server.stop()
    server.start()
    assert failure(lambda: quick().ask([server.place], "app.example.com", "A")).kind is Kind.WRONG_ANSWER


def test_a_lost_datagram_is_asked_for_again() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{link.getsockname()[1]}"
        rig = AuthoritativeDns([Fixed(*ZONE)])

        def second_time() -> None:
            link.recvfrom(4096)
            wire, client = link.recvfrom(4096)
            link.sendto(rig.answer(wire).pack(), client)

        threading.Thread(target=second_time, daemon=True).start()
        assert len(quick(within_s=2.0).ask([place], "app.example.com", "A")) == 2


def test_the_whole_ask_ends_in_time_however_many_are_silent(silent: str) -> None:
    began = time.monotonic()
    symptom = failure(lambda: quick().ask([silent, f"localhost:{silent.split(':')[1]}"], "a.example.com", "A"))
    assert symptom.kind is Kind.TIMEOUT
    assert time.monotonic() - began < 2.0


def test_a_server_whose_name_resolves_to_nothing_is_named_so() -> None:
    symptom = failure(lambda: quick(within_s=2.0).ask(["ns1.no-such-name.invalid:1"], "a.example.com", "A"))
    assert symptom.kind in {Kind.NO_SUCH_NAME, Kind.TIMEOUT}


def test_no_server_to_ask_is_our_own_fault() -> None:
    assert failure(lambda: quick().ask([], "app.example.com", "A")).kind is Kind.SETTINGS


def test_one_server_may_be_asked_in_place_of_all(serve: Callable[..., Server], silent: str) -> None:
    server = serve(*ZONE)
    port = quick(instead=server.place)
    assert len(port.ask([silent, "ns2.example.invalid"], "app.example.com", "A")) == 2
    assert len(server.queries) == 1


def test_who_says_what_is_told_where_they_disagree() -> None:
    symptom = failure(lambda: agreed({"ns1": ("192.0.2.1",), "ns2": (), "ns3": TimeoutError()}, "app A"))
    assert symptom.detail == "app A: the name servers disagree: ns1 says 192.0.2.1; ns2 says nothing"
    assert failure(lambda: agreed({"ns1": TimeoutError(), "ns2": RemoteFailure(TIMED_OUT)}, "app A")).kind is (
        Kind.TIMEOUT
    )
