"""A stand-in for Linode's API v4, as far as DNS goes: as strict as the real one, and told to fail.

Rules from Linode's public API reference (a change is a bug here): Bearer token; PUT is partial and refuses
unknown keys, `type` among them; `name` is relative in replies, relative or FQDN in requests; `ttl_sec` is
rounded to the *nearest* listed value, of two equally near ones the longer, and 0 stands for the default;
the target `[remote_addr]` becomes the caller's own address; pages of 25 to 500; two request limits.
A request that comes before a 429's Retry-After is over is counted (`early`): whoever sends it has not obeyed.
Not known from the reference, chosen here: a page beyond the last is 404; the words of the reasons; that a
host name as target is kept without its last dot; SRV's name, made of service and protocol if both are given.
"""

import ipaddress
import json
import math
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from drill.dns import Published
from drill.faults import Call, Fault, FaultKind, FaultTable, FaultyHandler, LoopbackServer
from drill.interventions import Hold, Holds, Moment
from drill.linode_account import Account

TTLS = (30, 120, 300, 3600, 7200, 14400, 28800, 57600, 86400, 172800, 345600, 604800, 1209600, 2419200)
TYPES = ("A", "AAAA", "NS", "MX", "CNAME", "TXT", "SRV", "PTR", "CAA")
CHANGEABLE = ("name", "port", "priority", "protocol", "service", "tag", "target", "ttl_sec", "weight")
FILTERABLE = ("name", "type", "target", "domain", "action", "entity.id", "entity.type", "created")
NUMBERS = ("port", "priority", "weight")
# Requests of several threads that were under way when the first of them was told to wait.
IN_FLIGHT_S = 0.5

Json = dict[str, Any]


@dataclass(frozen=True)
class Limits:
    """How many requests are answered before 429: all of them, and GETs of collections."""

    requests: int = 800
    window_s: float = 120.0
    collection_requests: int = 200
    collection_window_s: float = 60.0


@dataclass(frozen=True)
class LoggedRequest:
    """One request as it came: `status` 0 is a reply that was never sent. No token is kept."""

    method: str
    path: str
    json: Any
    status: int
    at_monotonic: float


@dataclass(frozen=True)
class Request:
    """One admitted request: `path` without /v4, `wanted` the X-Filter header, `caller` its address."""

    method: str
    path: str
    query: str
    wanted: str
    body: Any
    caller: str


class Refused(Exception):
    """A reply other than 200: its status, and the reason with the field it is about."""

    def __init__(self, status: int, reason: str, about: str | None = None, retry_after: int | None = None):
        super().__init__(reason)
        self.status = status
        self.headers = [] if retry_after is None else [("Retry-After", str(retry_after))]
        self.error = {"reason": reason} if about is None else {"reason": reason, "field": about}


@dataclass
class _Bucket:
    """A fixed window of requests."""

    limit: int
    window_s: float
    now: Callable[[], float]
    ends_at: float = 0.0
    used: int = 0
    told_at: float = 0.0
    told_until: float = 0.0
    early: int = 0

    def take(self) -> bool:
        """Count one request; return False when the window has no more."""
        now = self.now()
        if self.told_at + IN_FLIGHT_S < now < self.told_until:
            self.early += 1
        if now >= self.ends_at:
            self.ends_at, self.used = now + self.window_s, 0
        self.used += 1
        if self.used > self.limit and self.told_until != self.ends_at:
            self.told_at, self.told_until = now, self.ends_at
        return self.used <= self.limit

    def retry_after_s(self) -> int:
        """Return the whole seconds until the window ends, at least 1."""
        return max(1, math.ceil(self.ends_at - self.now()))

    def headers(self) -> list[tuple[str, str]]:
        """Return X-RateLimit-*: the reset as Unix time."""
        return [
            ("X-RateLimit-Limit", str(self.limit)),
            ("X-RateLimit-Remaining", str(max(0, self.limit - self.used))),
            ("X-RateLimit-Reset", str(math.ceil(self.ends_at))),
        ]


@dataclass(frozen=True)
class _Domain:
    domain_id: int
    name: str
    zone: Published[tuple[Json, ...]]

    def as_json(self) -> Json:
        return {
            "id": self.domain_id,
            "domain": self.name,
            "type": "master",
            "status": "active",
            "soa_email": f"hostmaster@{self.name}",
            "ttl_sec": 0,
            "refresh_sec": 0,
            "retry_sec": 0,
            "expire_sec": 0,
            "description": "",
            "group": "",
            "tags": [],
            "master_ips": [],
            "axfr_ips": [],
        }


class LinodeApi(LoopbackServer):
    """Serves /v4/domains on loopback; a change is seen by DNS `propagation_s` after it was accepted.

    With a fault table, each request is Call("linode", "linode", "GET /domains/1/records", "").
    """

    def __init__(
        self,
        token: str,
        faults: FaultTable | None = None,
        propagation_s: float = 1.0,
        limits: Limits | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(_LinodeHandler, faults if faults is not None else FaultTable())
        limits = limits or Limits()
        self.token = token
        self._propagation_s = propagation_s
        self._lock = threading.RLock()
        self._domains: dict[int, _Domain] = {}
        self._next_id = 1001
        self._log: list[LoggedRequest] = []
        self._failures: list[tuple[int, int | None]] = []
        self._now = now
        self.holds = Holds()
        self._all = _Bucket(limits.requests, limits.window_s, now)
        self._collections = _Bucket(limits.collection_requests, limits.collection_window_s, now)
        self.account = Account()

    @property
    def base_url(self) -> str:
        """Return what stands in place of https://api.linode.com/v4."""
        return f"http://{self.host}:{self.port}/v4"

    # What the rig arranges and reads.

    def add_domain(self, domain_id: int, domain: str) -> None:
        """Create an empty domain."""
        with self._lock:
            name = domain.rstrip(".").lower()
            self._domains[domain_id] = _Domain(domain_id, name, Published((), self._propagation_s))

    def add_record(self, domain_id: int, **fields: Any) -> int:
        """Create a record, seen by DNS at once; return its id. The fields are those of a POST."""
        with self._lock:
            return int(self._create(self._domain(domain_id), fields, "127.0.0.1", at_once=True)["id"])

    def records(self, domain_id: int) -> tuple[Json, ...]:
        """Return the records as the API has them."""
        with self._lock:
            return tuple(dict(record) for record in self._domain(domain_id).zone.newest())

    def published_records(self, domain_id: int) -> Sequence[Mapping[str, Any]]:
        """Return the records as Linode's name servers have them."""
        with self._lock:
            return self._domain(domain_id).zone.seen()

    def limit(self, limits: Limits) -> None:
        """Take no more requests than these from now on."""
        with self._lock:
            early = self.early
            self._all = _Bucket(limits.requests, limits.window_s, self._now, early=early)
            self._collections = _Bucket(limits.collection_requests, limits.collection_window_s, self._now)

    def fail_next(self, n: int, status: int, retry_after: int | None = None) -> None:
        """Answer the next `n` requests with `status`, without effect."""
        with self._lock:
            self._failures += [(status, retry_after)] * n

    def hold(self, service: str, operation: str, *, moment: Moment, nth: int = 1) -> Hold:
        """Hold the nth request of this kind before it is carried out; of a sender that is gone, it is not."""
        return self.holds.add(Hold(service, operation, moment=moment, nth=nth))

    @property
    def early(self) -> int:
        """Return how many requests came sooner than a 429 had allowed."""
        with self._lock:
            return self._all.early + self._collections.early

    @property
    def requests(self) -> tuple[LoggedRequest, ...]:
        """Return every request so far, oldest first."""
        with self._lock:
            return tuple(self._log)

    def log(self, request: LoggedRequest) -> None:
        """Keep one request."""
        with self._lock:
            self._log.append(request)

    # What the API does.

    def admit(self, method: str, path: str, authorization: str) -> list[tuple[str, str]]:
        """Return the X-RateLimit headers of a request that may go on; raise Refused for one that may not."""
        with self._lock:
            if self._failures:
                status, retry_after = self._failures.pop(0)
                raise Refused(status, HTTPStatus(status).phrase, retry_after=retry_after)
            if authorization != f"Bearer {self.token}":
                raise Refused(401, "Invalid Token")
            ends = self.account.expires_at
            if ends is not None and self._now() >= ends.timestamp():
                raise Refused(401, "Invalid Token")
            scopes = self.account.headers(method, path)
            if not self.account.permits(method, path):
                refusal = Refused(401, "Your OAuth token is not authorized to use this endpoint.")
                refusal.headers += scopes
                raise refusal
            is_collection = (
                method == "GET" and re.search(r"/(domains|records|tokens|events)$", path) is not None
            )
            buckets = [self._all, self._collections] if is_collection else [self._all]
            for bucket in buckets:
                if not bucket.take():
                    refusal = Refused(429, "Too many requests", retry_after=bucket.retry_after_s())
                    refusal.headers += bucket.headers()
                    raise refusal
            return [*buckets[-1].headers(), *scopes]

    def handle(self, request: Request) -> Json:
        """Do what one admitted request asks and return its reply."""
        method, path = request.method, request.path
        with self._lock:
            if path == "/domains":
                _allow(method, "GET")
                return _page([d.as_json() for d in self._domains.values()], request)
            if not path.startswith("/domains"):
                return self._beside_dns(request)
            found = re.fullmatch(r"/domains/(\d+)(?:/(records|zone-file)(?:/(\d+))?)?", path)
            if not found or (found[2] == "zone-file" and found[3]):
                raise Refused(404, "Not found")
            domain = self._domain(int(found[1]))
            if found[3]:
                return self._one(domain, int(found[3]), request)
            if found[2] == "records" and method == "POST":
                return dict(self._create(domain, request.body, request.caller))
            _allow(method, "GET")
            if found[2] == "records":
                return _page(domain.zone.newest(), request)
            return {"zone_file": _rendered(domain)} if found[2] else domain.as_json()

    def _beside_dns(self, request: Request) -> Json:
        """Answer what is asked of the account."""
        if request.path == "/profile/tokens":
            _allow(request.method, "GET")
            return _page(self.account.tokens(self.token), request)
        if request.path == "/account/events":
            _allow(request.method, "GET")
            return _page(self.account.events, request)
        found = re.fullmatch(r"/linode/instances/(\d+)(/reboot)?", request.path)
        if not found:
            raise Refused(404, "Not found")
        _allow(request.method, "POST" if found[2] else "GET")
        if not found[2]:
            return self.account.instance(int(found[1]), Refused)
        _known(request.body if request.body is not None else {}, ("config_id",))
        return self.account.reboot(int(found[1]), self._now(), Refused)

    def _domain(self, domain_id: int) -> _Domain:
        if domain_id not in self._domains:
            raise Refused(404, "Not found")
        return self._domains[domain_id]

    def _one(self, domain: _Domain, record_id: int, request: Request) -> Json:
        _allow(request.method, "GET", "PUT", "DELETE")
        old = next((r for r in domain.zone.newest() if r["id"] == record_id), None)
        if old is None:
            raise Refused(404, "Not found")
        if request.method == "GET":
            return dict(old)
        others = domain.zone.newest()
        if request.method == "DELETE":
            domain.zone.change(tuple(r for r in others if r is not old))
            return {}
        changes = _known(request.body, CHANGEABLE)
        new = _checked({**old, **changes, "updated": _now()}, domain.name, request.caller)
        domain.zone.change(tuple(new if r is old else r for r in others))
        return dict(new)

    def _create(self, domain: _Domain, body: Any, caller: str, at_once: bool = False) -> Json:
        given = _known(body, ("type", *CHANGEABLE))
        for key in ("type", "target"):
            if key not in given:
                raise Refused(400, f"{key} is required", key)
        blank: Json = {"id": self._next_id, "type": "", "name": "", "target": "", "priority": 0}
        blank |= {"weight": 0, "port": 0, "service": None, "protocol": None, "ttl_sec": 0, "tag": None}
        blank |= {"created": _now(), "updated": _now()}
        record = _checked({**blank, **given}, domain.name, caller)
        self._next_id += 1
        domain.zone.change((*domain.zone.newest(), record), at_once=at_once)
        return record


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _allow(method: str, *allowed: str) -> None:
    if method not in allowed:
        raise Refused(405, "Method Not Allowed")


def _known(body: Any, keys: Sequence[str]) -> Json:
    """Return the body, refused when it is no object or has a key that Linode does not know."""
    if not isinstance(body, dict):
        raise Refused(400, "The body must be a JSON object")
    for key in body:
        if key not in keys:
            raise Refused(400, f"{key} is not an accepted field; accepted are {', '.join(keys)}", key)
    return dict(body)


def _checked(record: Json, domain: str, caller: str) -> Json:
    """Return the record normalised, or refuse it."""
    if record["type"] not in TYPES:
        raise Refused(400, f"type must be one of {', '.join(TYPES)}", "type")
    for key in NUMBERS:
        if not _is_int(record[key]) or not 0 <= record[key] <= 65_535:
            raise Refused(400, f"{key} must be a number from 0 to 65535", key)
    if not isinstance(record["target"], str) or not record["target"]:
        raise Refused(400, "target must be a text", "target")
    named = record["type"] == "SRV" and record["service"] and record["protocol"]
    name = f"{record['service']}.{record['protocol']}" if named else record["name"]
    return {
        **record,
        "name": _relative(name, domain),
        "target": _target(record["type"], record["target"], caller),
        "ttl_sec": _rounded(record["ttl_sec"]),
    }


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _relative(name: Any, domain: str) -> str:
    """Return the name relative to the domain, from a relative one or an FQDN; the apex is empty."""
    if not isinstance(name, str):
        raise Refused(400, "name must be a text", "name")
    plain = name.rstrip(".").lower()
    relative = "" if plain == domain else plain.removesuffix("." + domain)
    if relative and not re.fullmatch(r"(\*|[a-z0-9_-]{1,63})(\.[a-z0-9_-]{1,63})*", relative):
        raise Refused(400, "name is not a host name", "name")
    return relative


def _target(rtype: str, target: str, caller: str) -> str:
    """Return the target; that of A and AAAA must be an address of that family."""
    wanted = {"A": 4, "AAAA": 6}.get(rtype)
    if rtype in {"CNAME", "SRV"}:
        return _host(target)
    if wanted is None:
        return target
    try:
        address = ipaddress.ip_address(caller if target == "[remote_addr]" else target)
    except ValueError:
        raise Refused(400, f"target is not an IPv{wanted} address", "target") from None
    if address.version != wanted:
        raise Refused(400, f"target is not an IPv{wanted} address", "target")
    return str(address)


def _host(target: str) -> str:
    if not re.fullmatch(r"([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9-]{1,63}\.?", target.lower()):
        raise Refused(400, "target is not a host name", "target")
    return target.rstrip(".")


def _rounded(ttl_sec: Any) -> int:
    """Return the listed TTL nearest to the one asked for; 0, the default, stays 0."""
    if not _is_int(ttl_sec) or ttl_sec < 0:
        raise Refused(400, "ttl_sec must be a number of seconds", "ttl_sec")
    return 0 if ttl_sec == 0 else min(TTLS, key=lambda listed: (abs(listed - ttl_sec), -listed))


def _page(entries: Sequence[Json], request: Request) -> Json:
    """Return one page of the entries that X-Filter lets through."""
    conditions = _filter(request.wanted)
    matching = [entry for entry in entries if _fits(entry, conditions)]
    asked = {key: values[-1] for key, values in parse_qs(request.query).items()}
    page, size = (_number(asked, "page", 1), _number(asked, "page_size", 100))
    if not 25 <= size <= 500:
        raise Refused(400, "page_size must be from 25 to 500", "page_size")
    pages = max(1, math.ceil(len(matching) / size))
    if not 1 <= page <= pages:
        raise Refused(404, "Not found")
    data = matching[(page - 1) * size : page * size]
    return {"data": data, "page": page, "pages": pages, "results": len(matching)}


def _number(asked: Mapping[str, str], key: str, default: int) -> int:
    try:
        return int(asked.get(key, default))
    except ValueError:
        raise Refused(400, f"{key} must be a number", key) from None


def _filter(wanted: str) -> Json:
    """Return X-Filter's equalities; of Linode's operators `+gte`, and `+and` of equalities."""
    try:
        conditions = json.loads(wanted or "{}")
    except ValueError:
        raise Refused(400, "X-Filter is not JSON", "X-Filter") from None
    if isinstance(conditions, dict) and isinstance(conditions.get("+and"), list):
        conditions = {key: value for part in conditions["+and"] for key, value in part.items()}
    if not isinstance(conditions, dict) or any(key not in FILTERABLE for key in conditions):
        raise Refused(400, f"X-Filter takes equality on {', '.join(FILTERABLE)}", "X-Filter")
    return conditions


def _fits(entry: Json, conditions: Json) -> bool:
    return all(_fits_one(_value(entry, key), value) for key, value in conditions.items())


def _value(entry: Any, key: str) -> Any:
    for part in key.split("."):
        entry = entry.get(part) if isinstance(entry, dict) else None
    return entry


def _fits_one(there: Any, wanted: Any) -> bool:
    if not isinstance(wanted, dict):
        return bool(there == wanted)
    if set(wanted) != {"+gte"}:
        raise Refused(400, "X-Filter takes +gte and equality", "X-Filter")
    return there is not None and there >= wanted["+gte"]


def _rendered(domain: _Domain) -> list[str]:
    """Return the zone as last rendered for the name servers."""
    head = [
        f"; {domain.name} [{domain.domain_id}]",
        "$TTL 86400",
        f"@\tIN\tSOA\tns1.linode.com. hostmaster.{domain.name}. 2021000066 14400 14400 1209600 86400",
        *(f"@\t\tNS\tns{number}.linode.com." for number in range(1, 6)),
    ]
    return head + [
        f"{r['name'] or '@'}\t{r['ttl_sec'] or ''}\tIN\t{r['type']}\t{_data(r)}" for r in domain.zone.seen()
    ]


def _data(record: Json) -> str:
    """Return a record's data as a zone file has it."""
    if record["type"] == "TXT":
        return f'"{record["target"]}"'
    if record["type"] == "SRV":
        return f"{record['priority']} {record['weight']} {record['port']} {record['target']}."
    return f"{record['target']}." if record["type"] == "CNAME" else str(record["target"])


class _LinodeHandler(FaultyHandler):
    """One client connection to the API."""

    owner: LinodeApi

    def serve(self) -> None:
        """Answer one request, or let a fault have it."""
        body = self.read_body()
        url = urlsplit(self.path)
        path = url.path.removeprefix("/v4").rstrip("/")
        call = Call("linode", "linode", f"{self.command} {path}")
        exchange = self.keep(call, body)
        fault = self.owner.faults.match(call)
        if self.suffer(fault) or self._is_lost_in_a_hold(call):
            self._log(body, 0)
            return
        status, reply, headers = self._outcome(path, url.query, body, fault)
        lost = fault is not None and fault.kind is FaultKind.DROP_REPLY
        text = json.dumps(reply).encode()
        self._log(body, 0 if lost else status)
        self.note_done(exchange, status, text)
        if lost:
            self.drop_reply()
        else:
            self.note_told(exchange, status, text)
            self.answer(status, text, [("Content-Type", "application/json"), *headers])

    def _is_lost_in_a_hold(self, call: Call) -> bool:
        """Keep the request while it is held; return whether its sender has gone meanwhile."""
        hold = self.owner.holds.match(call)
        if hold is None:
            return False
        hold.keep(call, self.client_address, self.owner.stopping.is_set)
        self.close_connection = self._is_abandoned()
        return self.close_connection

    def _outcome(
        self, path: str, query: str, body: bytes, fault: Fault | None
    ) -> tuple[int, Json, list[tuple[str, str]]]:
        headers: list[tuple[str, str]] = []
        try:
            _injected(fault)
            if not self.path.startswith("/v4/"):
                raise Refused(404, "Not found")
            headers = self.owner.admit(self.command, path, self.headers.get("Authorization", ""))
            wanted = self.headers.get("X-Filter", "")
            caller = str(self.client_address[0])
            request = Request(self.command, path, query, wanted, _parsed(body), caller)
            return 200, self.owner.handle(request), headers
        except Refused as refusal:
            return refusal.status, {"errors": [refusal.error]}, [*headers, *refusal.headers]

    def _log(self, body: bytes, status: int) -> None:
        try:
            parsed = _parsed(body)
        except Refused:
            parsed = None
        self.owner.log(LoggedRequest(self.command, self.path, parsed, status, time.monotonic()))


def _injected(fault: Fault | None) -> None:
    """Raise what the fault has Linode say."""
    kind = fault.kind if fault else None
    status = fault.status if fault else None
    if kind is FaultKind.ERROR:
        raise Refused(status or 500, "Internal Server Error")
    if kind is FaultKind.THROTTLE:
        raise Refused(status or 429, "Too many requests", retry_after=1)
    if kind is FaultKind.DENY:
        raise Refused(status or 403, "Unauthorized")


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        raise Refused(400, "The body is not JSON") from None
