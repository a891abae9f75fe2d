"""An authoritative DNS server on loopback that answers with what Route 53 and Linode hold.

A source owns zones and gives the records as they are served *now*; the server answers from all sources
together. One thing is scaled, so that a rehearsal takes minutes: `ttl_scale` multiplies every TTL given.
Not modelled: wildcards, delegation, DNSSEC, alias records, and Route 53's routing policies other than
PRIMARY/SECONDARY.
"""

import logging
import re
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import dnslib

if TYPE_CHECKING:
    from mypy_boto3_route53.client import Route53Client
    from mypy_boto3_route53.type_defs import ResourceRecordSetOutputTypeDef

NEGATIVE_TTL_S = 5
"""The SOA minimum: for how long a resolver may remember that there is nothing (before the scale)."""

DATA_TYPES: Mapping[str, Callable[[str], Any]] = {
    "A": dnslib.A,
    "AAAA": dnslib.AAAA,
    "CNAME": dnslib.CNAME,
    "TXT": lambda text: dnslib.TXT(_strings(text)),
    "SRV": lambda text: dnslib.SRV(*map(int, text.split()[:3]), text.split()[3]),
}

T = TypeVar("T")


@dataclass(frozen=True)
class DnsRecord:
    """One record set: name as FQDN in lower case without the last dot; values unquoted.

    `weight`: of one of several weighted sets of a name and type, of which each answer has one.
    """

    name: str
    type: str
    ttl: int
    values: tuple[str, ...]
    weight: int | None = None


class Source(Protocol):
    """Something that holds zones."""

    def records(self) -> Sequence[DnsRecord]:
        """Return the records as they are served now."""

    def origins(self) -> Sequence[str]:
        """Return the zones that this source serves."""


class Published(Generic[T]):
    """A value whose changes are seen outside only `delay_s` after they were made; the first at once."""

    def __init__(self, first: T, delay_s: float) -> None:
        self._delay_s = delay_s
        self._versions = [(time.monotonic() - delay_s, first)]
        self._lock = threading.Lock()

    def change(self, value: T, *, at_once: bool = False) -> None:
        """Accept a new value, to be seen after the delay."""
        with self._lock:
            if at_once:
                self._versions.clear()
            self._versions.append((time.monotonic() - (self._delay_s if at_once else 0.0), value))

    def newest(self) -> T:
        """Return the value last accepted."""
        with self._lock:
            return self._versions[-1][1]

    def seen(self) -> T:
        """Return the value that is seen outside."""
        with self._lock:
            visible_until = time.monotonic() - self._delay_s
            while len(self._versions) > 1 and self._versions[1][0] <= visible_until:
                del self._versions[0]
            return self._versions[0][1]


class Route53Zone:
    """Serves one hosted zone as the emulator's API shows it, polled in a thread of its own.

    `client` must reach the emulator directly: Route 53's data plane answers while its API is down.
    A poll that fails leaves the last answer in place. Of a PRIMARY/SECONDARY pair the one is served
    that `is_healthy(HealthCheckId)` calls for.
    """

    def __init__(
        self,
        client: "Route53Client",
        zone_id: str,
        interval_s: float = 0.3,
        propagation_s: float = 0.0,
        is_healthy: Callable[[str], bool] = lambda _health_check_id: True,
    ) -> None:
        self._client = client
        self._zone_id = zone_id
        self._interval_s = interval_s
        self._propagation_s = propagation_s
        self._is_healthy = is_healthy
        self._stopping = threading.Event()
        self._origin = ""
        self._published: Published[tuple[DnsRecord, ...]] = Published((), propagation_s)
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Read the zone once, with its errors raised here, then keep reading it."""
        self._stopping.clear()
        zone = self._client.get_hosted_zone(Id=self._zone_id)
        self._origin = _plain(zone["HostedZone"]["Name"])
        self._published = Published(self._read(), self._propagation_s)
        self._thread = threading.Thread(target=self._poll, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the polling."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(5)

    def records(self) -> Sequence[DnsRecord]:
        """Return the zone as it is served now."""
        return self._published.seen()

    def origins(self) -> Sequence[str]:
        """Return the zone's name, or nothing before start()."""
        return (self._origin,) if self._origin else ()

    def _poll(self) -> None:
        while not self._stopping.wait(self._interval_s):
            try:
                records = self._read()
            except Exception as error:  # noqa: BLE001, RUF100 - whatever it is, DNS keeps answering
                logging.getLogger(__name__).warning("zone %s not read: %r", self._zone_id, error)
                continue
            if records != self._published.newest():
                self._published.change(records)

    def _read(self) -> tuple[DnsRecord, ...]:
        pages = self._client.get_paginator("list_resource_record_sets").paginate(HostedZoneId=self._zone_id)
        sets = [entry for page in pages for entry in page["ResourceRecordSets"]]
        return tuple(_from_route53(entry) for entry in _in_force(sets, self._is_healthy))


class _Dealer:
    """Deals the answers of weighted record sets: no dice, so that a short rehearsal sees every share.

    Each answer goes to the set that is furthest behind its due. All weights 0: all alike, as at Route 53.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._due: dict[DnsRecord, float] = {}

    def deal(self, records: Sequence[DnsRecord]) -> tuple[DnsRecord, ...]:
        """Return these records with one of each group of weighted sets."""
        groups: dict[tuple[str, str], list[DnsRecord]] = {}
        for record in records:
            groups.setdefault((record.name, record.type), []).append(record)
        with self._lock:
            return tuple(record for group in groups.values() for record in self._of(group))

    def _of(self, group: list[DnsRecord]) -> list[DnsRecord]:
        if any(record.weight is None for record in group):
            return group
        total = sum(record.weight or 0 for record in group)
        shares = {r: (r.weight or 0) / total if total else 1 / len(group) for r in group}
        for record, share in shares.items():
            self._due[record] = self._due.get(record, 0.0) + share
        chosen = max((r for r in group if shares[r] > 0), key=lambda record: self._due[record])
        self._due[chosen] -= 1.0
        return [chosen]


def _in_force(
    sets: Iterable["ResourceRecordSetOutputTypeDef"], is_healthy: Callable[[str], bool]
) -> list["ResourceRecordSetOutputTypeDef"]:
    """Return the record sets that answer now: of a failover pair only one."""
    groups: dict[tuple[str, str], list[ResourceRecordSetOutputTypeDef]] = {}
    for entry in sets:
        if entry["Type"] in DATA_TYPES and "ResourceRecords" in entry:
            groups.setdefault((entry["Name"], entry["Type"]), []).append(entry)
    return [entry for group in groups.values() for entry in _chosen(group, is_healthy)]


def _chosen(
    group: list["ResourceRecordSetOutputTypeDef"], is_healthy: Callable[[str], bool]
) -> list["ResourceRecordSetOutputTypeDef"]:
    """Return the healthy PRIMARY, else the healthy SECONDARY, else, as Route 53 does, the PRIMARY."""
    by_role = sorted((entry for entry in group if "Failover" in entry), key=lambda entry: entry["Failover"])
    if not by_role:
        return group
    healthy = [e for e in by_role if "HealthCheckId" not in e or is_healthy(e["HealthCheckId"])]
    return (healthy or by_role)[:1]


def _from_route53(entry: "ResourceRecordSetOutputTypeDef") -> DnsRecord:
    values = [value["Value"] for value in entry.get("ResourceRecords", [])]
    if entry["Type"] == "TXT":
        values = [_unquoted(value) for value in values]
    return DnsRecord(
        _plain(_unescaped(entry["Name"])),
        entry["Type"],
        int(entry.get("TTL", 0)),
        tuple(values),
        entry.get("Weight"),
    )


def _unquoted(value: str) -> str:
    """Return the text of Route 53's quoted strings, joined."""
    strings = re.findall(r'"((?:[^"\\]|\\.)*)"', value)
    return _unescaped("".join(strings) if strings else value)


def _unescaped(text: str) -> str:
    """Return the text without Route 53's escapes: a backslash and a sign, or three octal digits."""
    return re.sub(r"\\([0-7]{3}|.)", lambda m: chr(int(m[1], 8)) if len(m[1]) == 3 else m[1], text)


def _plain(name: str) -> str:
    return name.rstrip(".").lower()


class LinodeApiView(Protocol):
    """What the DNS server needs of the Linode stand-in."""

    def published_records(self, domain_id: int) -> Sequence[Mapping[str, Any]]:
        """Return the records that Linode's name servers have taken over."""


class LinodeDomain:
    """Serves one domain as Linode's own name servers would."""

    default_ttl_s = 86_400

    def __init__(self, api: LinodeApiView, domain_id: int, domain: str) -> None:
        self._api = api
        self._domain_id = domain_id
        self._domain = _plain(domain)

    def records(self) -> Sequence[DnsRecord]:
        """Return the domain as it is served now, records of one name and type as one set."""
        sets: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
        for record in self._api.published_records(self._domain_id):
            if record["type"] in DATA_TYPES:
                sets.setdefault((str(record["name"]), str(record["type"])), []).append(record)
        return tuple(self._as_set(*key, members) for key, members in sets.items())

    def origins(self) -> Sequence[str]:
        """Return the domain."""
        return (self._domain,)

    def _as_set(self, name: str, rtype: str, members: Sequence[Mapping[str, Any]]) -> DnsRecord:
        ttl = min(int(member["ttl_sec"]) or self.default_ttl_s for member in members)
        fqdn = f"{name}.{self._domain}" if name else self._domain
        return DnsRecord(_plain(fqdn), rtype, ttl, tuple(str(member["target"]) for member in members))


class AuthoritativeDns:
    """Answers from the sources' current data over UDP and TCP; REFUSED outside their zones.

    The sources start and stop by themselves; the list may grow while the server runs.
    """

    def __init__(self, sources: Sequence[Source], ttl_scale: float = 1.0, host: str = "127.0.0.1") -> None:
        self._sources = sources
        self._ttl_scale = ttl_scale
        self._dealer = _Dealer()
        self._host = host
        self._servers: list[socketserver.BaseServer] = []
        self.port = 0

    @property
    def address(self) -> tuple[str, int]:
        """Return where the server answers."""
        return self._host, self.port

    def start(self) -> None:
        """Bind one free port for UDP and TCP, and answer."""
        udp, tcp = _bind_pair(self._host, self.port, self.answer)
        self._servers = [udp, tcp]
        self.port = udp.socket.getsockname()[1]
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Stop answering."""
        servers, self._servers = self._servers, []
        for server in servers:
            server.shutdown()
            server.server_close()

    def answer(self, wire: bytes) -> Any:
        """Return the reply (a dnslib.DNSRecord) to one query as it came off the wire."""
        request = dnslib.DNSRecord.parse(wire)
        reply = request.reply(ra=0, aa=1)
        name, rtype = _plain(str(request.q.qname)), str(dnslib.QTYPE[request.q.qtype])
        origin = self._origin_of(name)
        if origin is None:
            reply.header.aa = 0
            reply.header.rcode = dnslib.RCODE.REFUSED
            return reply
        records = [record for source in self._sources for record in source.records()]
        self._resolve(reply, records, name, rtype)
        if rtype == "SOA" and name == origin:
            reply.add_answer(self._soa(origin))
        elif not reply.rr:
            reply.add_auth(self._soa(origin))
        return reply

    def _origin_of(self, name: str) -> str | None:
        origins = [origin for source in self._sources for origin in source.origins()]
        inside = [origin for origin in origins if name == origin or name.endswith("." + origin)]
        return max(inside, key=len, default=None)

    def _resolve(self, reply: Any, records: Sequence[DnsRecord], name: str, rtype: str) -> None:
        """Add the answers, following CNAMEs as far as they stay in zones served here."""
        seen: set[str] = set()
        while name not in seen:
            seen.add(name)
            here = [record for record in records if record.name == name]
            alias = next((r for r in here if r.type == "CNAME"), None)
            for record in self._dealer.deal([r for r in here if r.type == rtype or r is alias]):
                self._add(reply, record)
            if alias is None or rtype == "CNAME":
                break
            name = _plain(alias.values[0])
        if not reply.rr and not self._exists(name, records):
            reply.header.rcode = dnslib.RCODE.NXDOMAIN

    def _exists(self, name: str, records: Sequence[DnsRecord]) -> bool:
        """Return True also for a name that only has names below it, and for the zone itself."""
        below = any(r.name == name or r.name.endswith("." + name) for r in records)
        return below or name == self._origin_of(name)

    def _add(self, reply: Any, record: DnsRecord) -> None:
        for value in record.values:
            reply.add_answer(
                dnslib.RR(
                    record.name,
                    getattr(dnslib.QTYPE, record.type),
                    ttl=self._scaled(record.ttl),
                    rdata=DATA_TYPES[record.type](value),
                )
            )

    def _scaled(self, ttl: int) -> int:
        return max(1, round(ttl * self._ttl_scale)) if ttl > 0 else 0

    def _soa(self, origin: str) -> Any:
        ttl = self._scaled(NEGATIVE_TTL_S)
        data = dnslib.SOA(f"ns.{origin}", f"hostmaster.{origin}", (1, 7200, 900, 1_209_600, ttl))
        return dnslib.RR(origin, dnslib.QTYPE.SOA, ttl=ttl, rdata=data)


def _strings(text: str) -> list[bytes]:
    """Return the text as TXT's strings, which hold 255 bytes each."""
    raw = text.encode()
    return [raw[at : at + 255] for at in range(0, len(raw), 255)] or [b""]


def ask(server: tuple[str, int], name: str, rtype: str = "A", timeout_s: float = 1.0) -> Any:
    """Return the server's reply (a dnslib.DNSRecord) over UDP; OSError when none comes in time."""
    question = dnslib.DNSRecord.question(name, rtype)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.settimeout(timeout_s)
        link.connect(server)
        link.send(question.pack())
        reply = dnslib.DNSRecord.parse(link.recv(65_535))
    if reply.header.id != question.header.id:
        raise OSError(f"the reply for {name} has another id than the query")
    return reply


class _UdpServer(socketserver.UDPServer):
    max_packet_size = 65_535


class _TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


Answering = Callable[[bytes], Any]


def _bind_pair(host: str, port: int, answer: Answering) -> tuple[_UdpServer, _TcpServer]:
    """Return a UDP and a TCP server on the same port: a free one when `port` is 0."""
    for _attempt in range(20):
        udp = _UdpServer((host, port), _handler(_serve_udp, answer))
        try:
            return udp, _TcpServer(udp.socket.getsockname(), _handler(_serve_tcp, answer))
        except OSError:
            udp.server_close()
            if port:
                raise
    raise OSError(f"no port on {host} is free for both UDP and TCP")


def _handler(
    serve: Callable[[socketserver.BaseRequestHandler, Answering], None], answer: Answering
) -> type[socketserver.BaseRequestHandler]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                serve(self, answer)
            except (dnslib.DNSError, OSError):
                return  # not a query, or nobody there any more: as silent as a real server

    return Handler


def _serve_udp(handler: socketserver.BaseRequestHandler, answer: Answering) -> None:
    """Send one reply, or only its question and TC where it does not fit the client's buffer."""
    wire, link = handler.request
    reply = answer(wire)
    packed = reply.pack()
    if len(packed) > _udp_limit(wire):
        reply.rr, reply.auth, reply.ar = [], [], []
        reply.header.tc = 1
        packed = reply.pack()
    link.sendto(packed, handler.client_address)


def _udp_limit(wire: bytes) -> int:
    """Return how much the client takes: 512 bytes, or what its EDNS record says."""
    edns = [int(rr.rclass) for rr in dnslib.DNSRecord.parse(wire).ar if rr.rtype == dnslib.QTYPE.OPT]
    return max([512, *edns])


def _serve_tcp(handler: socketserver.BaseRequestHandler, answer: Answering) -> None:
    """Answer every query of one connection, each behind its length in two bytes."""
    with handler.request.makefile("rb") as stream:
        while len(prefix := stream.read(2)) == 2:
            wire = answer(stream.read(int.from_bytes(prefix, "big"))).pack()
            handler.request.sendall(len(wire).to_bytes(2, "big") + wire)
