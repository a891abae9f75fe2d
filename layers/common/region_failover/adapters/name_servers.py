"""A zone's own name servers, asked over UDP, and over TCP where an answer does not fit (RFC 7766).

No recursion is asked for, and only an authoritative answer counts: what a cache remembers is not what a
change has come to.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
from dns.rdata import Rdata

from region_failover.adapters.symptoms import remote, symptom_of
from region_failover.adapters.system import together
from region_failover.domain.errors import RegionFailoverError, RemoteFailure
from region_failover.domain.symptom import Kind, Symptom

PORT = 53
# All servers are asked at the same time; each again where its answer is lost, as long as there is time.
WITHIN_S = 3.0
TRY_S = 1.0

_WITH_VALUES = frozenset({dns.rcode.NOERROR, dns.rcode.NXDOMAIN})


class NameServers:
    """Implements ports.NameServers."""

    def __init__(self, instead: str = "", within_s: float = WITHIN_S, try_s: float = TRY_S) -> None:
        """Ask each within these times; `instead`: the one that is asked in place of all others, '' for none.

        `within_s`: a whole ask; `try_s`: for how long one datagram's answer is waited for.
        """
        self._instead = instead
        self._within_s = within_s
        self._try_s = try_s

    @remote
    def ask(self, servers: Sequence[str], name: str, kind: str) -> tuple[str, ...]:
        """Return what all servers that answer agree on; see the port."""
        asked = [self._instead] if self._instead else list(dict.fromkeys(servers))
        if not asked:
            raise RemoteFailure(Symptom(Kind.SETTINGS, detail=f"no name server to ask for {name}"))
        until = time.monotonic() + self._within_s
        calls: list[Callable[[], tuple[str, ...]]] = [
            partial(self._ask, server, name, kind, until) for server in asked
        ]
        said = together(calls, timedelta(seconds=self._within_s + 0.2))
        return agreed(dict(zip(asked, said, strict=True)), f"{name} {kind}")

    @remote
    def _ask(self, server: str, name: str, kind: str, until: float) -> tuple[str, ...]:
        host, port = _host_and_port(server)
        address = _address_of(host, port)
        query = dns.message.make_query(name, kind, flags=0, use_edns=0, payload=1232)
        while True:
            left = until - time.monotonic()
            try:
                reply = _exchange(query, address, port, left, self._try_s)
                break
            except dns.exception.Timeout:
                if until - time.monotonic() < self._try_s / 2:
                    raise RemoteFailure(Symptom(Kind.TIMEOUT, detail=f"{server} does not answer")) from None
            except dns.exception.DNSException as error:
                detail = f"{server}: {type(error).__name__}"
                raise RemoteFailure(Symptom(Kind.WRONG_ANSWER, detail=detail)) from error
        return _values(reply, server, kind)


def agreed(said: Mapping[str, tuple[str, ...] | Exception], what: str) -> tuple[str, ...]:
    """Return the one answer of all servers that gave one; raise RemoteFailure where there is none."""
    answers = {server: answer for server, answer in said.items() if isinstance(answer, tuple)}
    if not answers:
        raise _first_failure([answer for answer in said.values() if isinstance(answer, Exception)])
    if len(set(answers.values())) > 1:
        told = "; ".join(f"{server} says {', '.join(v) or 'nothing'}" for server, v in answers.items())
        raise RemoteFailure(
            Symptom(Kind.WRONG_ANSWER, detail=f"{what}: the name servers disagree: {told}"[:300])
        )
    return next(iter(answers.values()))


def _first_failure(failures: Sequence[Exception]) -> Exception:
    first = failures[0]
    return first if isinstance(first, RegionFailoverError) else RemoteFailure(symptom_of(first))


def _exchange(
    query: dns.message.Message, address: str, port: int, left: float, try_s: float
) -> dns.message.Message:
    reply = dns.query.udp(query, address, timeout=max(0.01, min(left, try_s)), port=port)
    if reply.flags & dns.flags.TC:
        return dns.query.tcp(query, address, timeout=max(0.01, left), port=port)
    return reply


def _values(reply: dns.message.Message, server: str, kind: str) -> tuple[str, ...]:
    if reply.rcode() not in _WITH_VALUES or not reply.flags & dns.flags.AA:
        said = dns.rcode.to_text(reply.rcode())
        raise RemoteFailure(
            Symptom(Kind.WRONG_ANSWER, code=said, detail=f"{server} has no authoritative answer ({said})")
        )
    wanted, owner = dns.rdatatype.from_text(kind), reply.question[0].name
    sets = [found for found in reply.answer if found.rdtype == wanted and found.name == owner]
    return tuple(sorted(value_of(item) for found in sets for item in found))


def value_of(item: Rdata) -> str:
    """Return a record's value in the port's form."""
    kind = dns.rdatatype.to_text(item.rdtype)
    if kind in {"A", "AAAA"}:
        return str(ipaddress.ip_address(item.to_text()))
    if kind == "TXT":
        return b"".join(getattr(item, "strings", ())).decode("utf-8", "backslashreplace")
    return item.to_text().lower().removesuffix(".")


def _host_and_port(server: str) -> tuple[str, int]:
    host, colon, port = server.rpartition(":")
    if colon and port.isdecimal() and ":" not in host:
        return host, int(port)
    return server, PORT


def _address_of(host: str, port: int) -> str:
    """Return the server's address, an IPv4 one where there is one: functions without a VPC have no other."""
    found = socket.getaddrinfo(host.rstrip("."), port, type=socket.SOCK_DGRAM)
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)
    return str(found[0][4][0])
