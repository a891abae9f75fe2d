"""Name servers asked directly: the rehearsal's own server, and messages as dnslib makes and breaks them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import dnslib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drill.dns import AuthoritativeDns, DnsRecord
from region_failover.adapters.dns_message import BadMessage, Reply, question, read_reply
from region_failover.adapters.zone_answers import TRIES, ZoneAnswers, ask
from region_failover.domain.errors import RemoteFailure
from region_failover.domain.symptom import Kind, Symptom

LONG = tuple(f"192.0.2.{n}" for n in range(1, 101))


class Zone:
    """A source with these records."""

    def __init__(self, *records: DnsRecord) -> None:
        self.held = records

    def records(self) -> Sequence[DnsRecord]:
        return self.held

    def origins(self) -> Sequence[str]:
        return ("example.com",)


@pytest.fixture
def server() -> Iterator[AuthoritativeDns]:
    found = AuthoritativeDns(
        [
            Zone(
                DnsRecord("api.example.com", "A", 60, ("192.0.2.10", "192.0.2.11")),
                DnsRecord("api.example.com", "AAAA", 60, ("2001:db8::1",)),
                DnsRecord("www.example.com", "CNAME", 60, ("API.example.com.",)),
                DnsRecord("who.example.com", "TXT", 60, ("primary",)),
                DnsRecord("all.example.com", "A", 60, LONG),
            )
        ]
    )
    found.start()
    yield found
    found.stop()


def asked(server: AuthoritativeDns) -> ZoneAnswers:
    return ZoneAnswers(f"127.0.0.1:{server.port}")


@pytest.mark.parametrize(
    ("name", "kind", "values"),
    [
        ("api.example.com", "A", {"192.0.2.10", "192.0.2.11"}),
        ("API.example.com.", "AAAA", {"2001:db8::1"}),
        ("www.example.com", "CNAME", {"api.example.com"}),
        ("who.example.com", "TXT", {"primary"}),
        ("who.example.com", "A", set()),
        ("nobody.example.com", "A", set()),
        ("all.example.com", "A", set(LONG)),  # too long for UDP
    ],
)
def test_a_servers_answer_is_what_it_holds(
    server: AuthoritativeDns, name: str, kind: str, values: set[str]
) -> None:
    assert asked(server).answers(name, kind) == (frozenset(values),)


def test_a_zone_that_it_does_not_serve_is_no_answer(server: AuthoritativeDns) -> None:
    with pytest.raises(RemoteFailure, match=r"none of the 1 name servers of api\.example\.org answers"):
        asked(server).answers("api.example.org", "A")


def test_nobody_there_is_a_failure_and_no_empty_answer() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        with pytest.raises(RemoteFailure):
            ZoneAnswers(f"127.0.0.1:{silent.getsockname()[1]}").answers("api.example.com", "A")


@pytest.mark.parametrize("text", ["127.0.0.1", "127.0.0.1:dns", ":53"])
def test_a_wrong_resolver_is_refused(text: str) -> None:
    with pytest.raises(RemoteFailure, match="'host:port' was expected"):
        ZoneAnswers(text)


class Scripted:
    """A name server on loopback that answers as it is told: {(name, type): values}."""

    def __init__(self, answers: dict[tuple[str, str], list[dnslib.RR]], rcode: int = 0) -> None:
        self.answers, self.rcode = answers, rcode
        self.questions: list[tuple[str, str]] = []
        self.link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.link.bind(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", int(self.link.getsockname()[1]))

    def _serve(self) -> None:
        while True:
            try:
                wire, sender = self.link.recvfrom(512)
            except OSError:
                return
            request = dnslib.DNSRecord.parse(wire)
            key = (str(request.q.qname).rstrip("."), str(dnslib.QTYPE[request.q.qtype]))
            self.questions.append(key)
            reply = request.reply()
            reply.header.rcode = self.rcode
            for record in self.answers.get(key, []):
                reply.add_answer(record)
            self.link.sendto(reply.pack(), sender)


def ns(zone: str, *hosts: str) -> list[dnslib.RR]:
    return [dnslib.RR(zone, dnslib.QTYPE.NS, rdata=dnslib.NS(host)) for host in hosts]


def a(name: str, address: str) -> list[dnslib.RR]:
    return [dnslib.RR(name, dnslib.QTYPE.A, rdata=dnslib.A(address))]


def test_a_zones_own_servers_are_found_by_ns_records_and_each_is_asked(tmp_path: Path) -> None:
    resolver = Scripted({("example.com", "NS"): ns("example.com", "ns1.example.net", "ns2.example.net")})
    old, new = (
        Scripted({("api.example.com", "A"): a("api.example.com", v)}) for v in ("192.0.2.1", "192.0.2.2")
    )
    known = {"ns1.example.net": old.address, "ns2.example.net": new.address}
    asked_of: list[tuple[str, int]] = []

    def ask_one(server: tuple[str, int], name: str, kind: str) -> Reply:
        asked_of.append(server)
        return ask(resolver.address if server == ("192.0.2.53", 53) else server, name, kind)

    conf = tmp_path / "resolv.conf"
    conf.write_text("search example.com\nnameserver fd00::1\nnameserver 192.0.2.53\n")
    servers = ZoneAnswers("", conf, ask_one, lambda hosts: [known[host] for host in hosts])
    for _ in range(2):
        answers = servers.answers("api.example.com", "A")
        assert set(answers) == {frozenset({"192.0.2.1"}), frozenset({"192.0.2.2"})}
    assert resolver.questions == [("api.example.com", "NS"), ("example.com", "NS")]  # looked up once


def test_servers_that_all_fall_silent_are_looked_up_anew(tmp_path: Path) -> None:
    conf = tmp_path / "resolv.conf"
    conf.write_text("nameserver 192.0.2.53\n")
    replies = [
        Reply(0, False, (("NS", "ns1.example.net"),)),
        RemoteFailure(Symptom(Kind.TIMEOUT)),
        Reply(0, False, (("NS", "ns2.example.net"),)),
        Reply(0, False, (("A", "192.0.2.1"),)),
    ]

    def ask_one(*_: object) -> Reply:
        reply = replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    servers = ZoneAnswers("", conf, ask_one, lambda hosts: [(host, 53) for host in hosts])
    with pytest.raises(RemoteFailure, match="none of the 1 name servers"):
        servers.answers("api.example.com", "A")
    assert servers.answers("api.example.com", "A") == (frozenset({"192.0.2.1"}),)


@pytest.mark.parametrize("rcode", [2, 5])
def test_a_server_that_refuses_or_fails_has_not_answered(rcode: int) -> None:
    server = Scripted({}, rcode)
    with pytest.raises(RemoteFailure):
        ZoneAnswers(f"127.0.0.1:{server.address[1]}").answers("api.example.com", "A")


def test_where_no_zone_has_name_servers_that_is_said(tmp_path: Path) -> None:
    conf = tmp_path / "resolv.conf"
    conf.write_text("nameserver 192.0.2.53\n")
    with pytest.raises(RemoteFailure, match=r"no name servers are known for api\.example\.com"):
        ZoneAnswers("", conf, lambda *_: Reply(0, False, ())).answers("api.example.com", "A")


def test_a_machine_without_a_resolver_is_told(tmp_path: Path) -> None:
    conf = tmp_path / "resolv.conf"
    conf.write_text("# nothing\n")
    with pytest.raises(RemoteFailure, match="names no resolver"):
        ZoneAnswers("", conf).answers("api.example.com", "A")


# messages


LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
NAME = st.lists(LABEL, min_size=1, max_size=4).map(".".join)
DATA = st.one_of(
    st.tuples(st.just("A"), st.ip_addresses(v=4).map(str)),
    st.tuples(st.just("AAAA"), st.ip_addresses(v=6).map(str)),
    st.tuples(st.just("CNAME"), NAME),
    st.tuples(st.just("NS"), NAME),
    st.tuples(st.just("TXT"), st.from_regex(r"[a-z =]{1,200}", fullmatch=True)),
)


def packed(name: str, records: list[tuple[str, str]], number: int = 7) -> bytes:
    request = dnslib.DNSRecord.question(name, "A")
    request.header.id = number
    reply = request.reply()
    for kind, value in records:
        data = getattr(dnslib, kind)(value)
        reply.add_answer(dnslib.RR(name, getattr(dnslib.QTYPE, kind), rdata=data))
    return bytes(reply.pack())


@given(NAME, st.lists(DATA, max_size=6))
def test_whatever_dnslib_packs_is_read(name: str, records: list[tuple[str, str]]) -> None:
    assert list(read_reply(packed(name, records), 7).records) == records


@given(NAME, st.sampled_from(["A", "AAAA", "CNAME", "TXT", "NS"]))
def test_a_question_is_one_that_dnslib_reads(name: str, kind: str) -> None:
    read = dnslib.DNSRecord.parse(question(7, name, kind))
    assert (read.header.id, str(read.q.qname), dnslib.QTYPE[read.q.qtype]) == (7, f"{name}.", kind)


def test_another_questions_answer_is_none() -> None:
    with pytest.raises(BadMessage):
        read_reply(packed("a.example", [("A", "192.0.2.1")], number=8), 7)
    with pytest.raises(BadMessage):
        read_reply(question(7, "a.example", "A"), 7)


@given(st.data())
def test_a_broken_message_is_never_anything_but_bad_or_read(data: st.DataObject) -> None:
    whole = packed("api.example.com", [("A", "192.0.2.1"), ("CNAME", "b.example.com"), ("TXT", "words")])
    cut = whole[: data.draw(st.integers(0, len(whole)))]
    at, byte = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 255))
    for wire in (cut, whole[:at] + bytes([byte]) + whole[at + 1 :], data.draw(st.binary(max_size=100))):
        try:
            read_reply(wire, 7)
        except BadMessage:
            continue


def test_a_name_that_points_at_itself_ends() -> None:
    header = packed("a.example", [])[:12]
    with pytest.raises(BadMessage):
        read_reply(header[:4] + b"\0\1" + header[6:] + b"\xc0\x0c\0\1\0\1", 7)


def test_a_hang_up_in_the_middle_of_a_long_answer_is_tried_again_and_told() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
        udp.bind(("127.0.0.1", 0))
        tcp.bind(udp.getsockname())
        tcp.listen()

        def serve() -> None:
            for _ in range(TRIES):
                wire, sender = udp.recvfrom(512)
                reply = dnslib.DNSRecord.parse(wire).reply()
                reply.header.tc = 1
                udp.sendto(reply.pack(), sender)
                tcp.accept()[0].close()

        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(RemoteFailure, match="does not answer"):
            ask(udp.getsockname(), "api.example.com", "A")
