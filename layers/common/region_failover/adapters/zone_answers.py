"""The authoritative name servers of a zone, asked one by one, past every cache.

Which they are is known to the DNS itself (NS records, by the machine's resolver): no control plane is asked.
`DNS_RESOLVER` ('host:port') is asked instead of all of them where it is set: the rehearsal's own server.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

from region_failover.adapters.dns_message import (
    NO_ERROR,
    NO_SUCH_NAME,
    BadMessage,
    Reply,
    question,
    read_reply,
)
from region_failover.adapters.symptoms import remote
from region_failover.adapters.system import together
from region_failover.domain.errors import RemoteFailure
from region_failover.domain.symptom import Kind, Symptom

VARIABLE = "DNS_RESOLVER"
RESOLV_CONF = Path("/etc/resolv.conf")
TIMEOUT_S = 1.0
TRIES = 2
ALL_WITHIN = timedelta(seconds=5)
MOST_SERVERS = 8

Address = tuple[str, int]


class ZoneAnswers:
    """Implements ports.ZoneAnswers. A zone's servers are looked up once, and again where none answers."""

    def __init__(
        self,
        resolver: str | None = None,
        resolv_conf: Path = RESOLV_CONF,
        ask_one: Callable[[Address, str, str], Reply] | None = None,
        addresses: Callable[[Sequence[str]], Sequence[Address]] | None = None,
    ) -> None:
        """Ask this one ('host:port') in place of all servers; None: what the environment says.

        `ask_one`, `addresses`: how one server is asked, and how hosts are looked up, where not as usual.
        """
        self._ask = ask_one or ask
        self._addresses = addresses or _addresses
        only = os.environ.get(VARIABLE, "") if resolver is None else resolver
        self._only = _address(only) if only else None
        self._resolv_conf = resolv_conf
        self._servers: dict[str, tuple[Address, ...]] = {}

    @remote
    def answers(self, name: str, kind: str) -> Sequence[frozenset[str]]:
        """Return each server's values, of those that answered."""
        servers = self._servers_of(name)
        calls = [partial(self._ask, server, name, kind) for server in servers]
        replies = [reply for reply in together(calls, ALL_WITHIN) if isinstance(reply, Reply)]
        found = [reply for reply in replies if reply.code in {NO_ERROR, NO_SUCH_NAME}]
        if not found:
            self._servers.pop(name, None)
            codes = ", ".join(str(reply.code) for reply in replies) or "no reply"
            raise _failure(f"none of the {len(servers)} name servers of {name} answers ({codes})")
        return tuple(reply.values(kind) for reply in found)

    def _servers_of(self, name: str) -> tuple[Address, ...]:
        if self._only:
            return (self._only,)
        if name not in self._servers:
            self._servers[name] = self._look_up(name)
        return self._servers[name]

    def _look_up(self, name: str) -> tuple[Address, ...]:
        """Return the servers of the zone that a name is in, that of its nearest name with NS records."""
        resolver = _first_resolver(self._resolv_conf)
        labels = name.rstrip(".").split(".")
        for start in range(len(labels) - 1):
            zone = ".".join(labels[start:])
            hosts = self._ask(resolver, zone, "NS").values("NS")
            if hosts:
                return tuple(self._addresses(sorted(hosts)))[:MOST_SERVERS]
        raise _failure(f"no name servers are known for {name}")


def _addresses(hosts: Sequence[str]) -> list[Address]:
    """Return an address of each host that has one; the system's own resolver looks them up."""
    calls = [partial(socket.getaddrinfo, host, 53, socket.AF_INET, socket.SOCK_DGRAM) for host in hosts]
    found = [answer for answer in together(calls, ALL_WITHIN) if not isinstance(answer, Exception)]
    if not found:
        raise _failure(f"no address is known of {', '.join(hosts)}")
    return [(str(answer[0][4][0]), 53) for answer in found]


def ask(server: Address, name: str, kind: str) -> Reply:
    """Return a server's reply, by UDP, and by TCP where it does not fit; raise RemoteFailure for none."""
    number = secrets.randbelow(0x10000)
    wire = question(number, name, kind)
    problem = ""
    for _ in range(TRIES):
        try:
            reply = read_reply(_by_udp(server, wire), number)
            return read_reply(_by_tcp(server, wire), number) if reply.truncated else reply
        except (OSError, BadMessage) as error:
            problem = f"{type(error).__name__}: {error}"
    raise _failure(f"{server[0]}:{server[1]} does not answer for {name} {kind}: {problem}")


def _by_udp(server: Address, wire: bytes) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.settimeout(TIMEOUT_S)
        link.connect(server)  # answers of others are dropped
        link.send(wire)
        return link.recv(65_535)


def _by_tcp(server: Address, wire: bytes) -> bytes:
    with socket.create_connection(server, timeout=TIMEOUT_S) as link:
        link.sendall(len(wire).to_bytes(2, "big") + wire)
        return _exactly(link, int.from_bytes(_exactly(link, 2), "big"))


def _exactly(link: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        more = link.recv(count - len(found))
        if not more:
            raise BadMessage("hung up on in the middle of an answer")
        found += more
    return found


def _first_resolver(file: Path) -> Address:
    try:
        lines = [line.split() for line in file.read_text().splitlines()]
    except OSError as error:
        raise _failure(f"{file}: {error}") from error
    for line in lines:
        if line[:1] == ["nameserver"] and len(line) > 1 and ":" not in line[1]:
            return line[1], 53
    raise _failure(f"{file} names no resolver")


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise _failure(f"{VARIABLE} is {text!r}; 'host:port' was expected")
    return host, int(port)


def _failure(problem: str) -> RemoteFailure:
    return RemoteFailure(Symptom(Kind.SETTINGS, detail=problem))
