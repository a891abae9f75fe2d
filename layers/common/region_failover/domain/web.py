"""What comes in by the operator function's URL, and what goes back: shapes, tokens, signatures. Pure.

The shape of a request and of an answer is that of Lambda function URLs (payload format version 2.0, 'Lambda
function URL payloads' in AWS's developer guide).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode

from region_failover.domain.errors import MalformedEvent
from region_failover.domain.verdict import Health

# A page's form and a monitor's report are small.
LONGEST_BODY = 16_384

# The name of the key that opens the pages, in the operator's secret.
PAGE_KEY = "page"

# A signed report older than that, or that far ahead, is not believed: it may be a replay.
SIGNED_WITHIN = timedelta(minutes=5)

UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

MONITOR = re.compile(r"[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?")
_SIGNATURE = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})")
_MARKER = re.compile(r"^.*\{answer-page (\S+) (\S+)\}.*\n?", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request. `query` and `form`: the first value of each name; header names in lower case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def form(self) -> dict[str, str]:
        """Return the fields of a form that was sent."""
        try:
            return _first(self.body.decode())
        except UnicodeDecodeError:
            return {}


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP answer."""

    status: int
    body: str
    content_type: str = "text/html; charset=utf-8"


# Nothing is loaded from elsewhere, nothing is kept, nobody may frame it, and no address is told to others.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}


def is_request(event: Any) -> bool:
    """Return whether an event came by the function's URL: nobody else can make it so."""
    context = event.get("requestContext") if isinstance(event, Mapping) else None
    return isinstance(context, Mapping) and isinstance(context.get("http"), Mapping)


def read_request(event: Mapping[str, Any]) -> Request:
    """Return the request in a function URL's event; raise MalformedEvent for a body that is not read."""
    http = event["requestContext"]["http"]
    text = event.get("body") or ""
    try:
        body = base64.b64decode(text, validate=True) if event.get("isBase64Encoded") else text.encode()
    except (binascii.Error, ValueError) as error:
        raise MalformedEvent("the body is no base64") from error
    if len(body) > LONGEST_BODY:
        raise MalformedEvent(f"the body has {len(body)} bytes; at most {LONGEST_BODY} are read")
    headers = {str(name).lower(): str(value) for name, value in (event.get("headers") or {}).items()}
    path = str(http.get("path", "/"))
    return Request(
        str(http.get("method", "")), path, _first(event.get("rawQueryString") or ""), headers, body
    )


def write_response(response: Response) -> dict[str, Any]:
    """Return the answer in the shape that a function URL sends on."""
    return {
        "statusCode": int(response.status),
        "headers": {"Content-Type": response.content_type, **HEADERS},
        "body": response.body,
    }


def _first(text: str) -> dict[str, str]:
    try:
        return {name: values[0] for name, values in parse_qs(text, max_num_fields=20).items()}
    except ValueError:
        return {}


# The page on which a proposal is answered


def token_of(key: str, plan: str, proposal: str) -> str:
    """Return the token that opens one proposal's page: nobody without the key can make one.

    It is as good as the proposal: answered once, expired with it, and about nothing else.
    """
    made = hmac.new(key.encode(), f"answer {plan} {proposal}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(made.digest()).decode().rstrip("=")


def is_token(key: str, plan: str, proposal: str, token: str) -> bool:
    """Return whether this token opens that proposal's page; a wrong one takes as long as a right one."""
    return hmac.compare_digest(token_of(key, plan, proposal).encode(), token.encode())


def answer_marker(plan: str, proposal: str) -> str:
    """Return what stands for a page's address in a notice: the record holds no token (I24)."""
    return f"{{answer-page {plan} {proposal}}}"


def with_links(text: str, url: str, key: str) -> str:
    """Return a notice's text, its markers replaced by addresses; without a page their lines are left out."""
    if not (url and key):
        return _MARKER.sub("", text)

    def address(match: re.Match[str]) -> str:
        plan, proposal = match[1], match[2]
        query = urlencode({"plan": plan, "proposal": proposal, "token": token_of(key, plan, proposal)})
        return match[0].replace(answer_marker(plan, proposal), f"{url.rstrip('/')}/proposal?{query}")

    return _MARKER.sub(address, text)


# Reports of external monitors


@dataclass(frozen=True, slots=True)
class Report:
    """What an external monitor says of a Region."""

    plan: str
    region: str
    health: Health
    why: str


def sign(secret: str, body: bytes, at: datetime) -> str:
    """Return the header by which a monitor signs a body: 't=<seconds>,v1=<HMAC-SHA256 of t.body>'."""
    seconds = int(at.timestamp())
    return f"t={seconds},v1={_mac(secret, seconds, body)}"


def why_not_signed(secret: str, header: str, body: bytes, now: datetime) -> str:
    """Return what is wrong with a signature, '' if it is this monitor's and of just now."""
    match = _SIGNATURE.fullmatch(header)
    if match is None:
        return "X-Region-Failover-Signature: 't=<seconds>,v1=<64 hexadecimal digits>' was expected"
    seconds = int(match[1])
    if not hmac.compare_digest(_mac(secret, seconds, body).encode(), match[2].encode()):
        return "the signature is not of this body by this monitor's secret"
    if abs(now.timestamp() - seconds) > SIGNED_WITHIN.total_seconds():
        return f"the signature is not of the last {SIGNED_WITHIN // timedelta(minutes=1)} minutes"
    return ""


def signed_at(header: str, now: datetime) -> datetime:
    """Return when a header in which nothing is wrong was signed, by the signer's clock; never a time to come.

    So a request that is sent again is of the same moment as before, whenever it comes.
    """
    seconds = int(header.partition(",")[0].removeprefix("t="))
    return min(now, UNIX_EPOCH + timedelta(seconds=seconds))


def _mac(secret: str, seconds: int, body: bytes) -> str:
    return hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()


def read_monitors_report(body: bytes) -> Report:
    """Return what a monitor's body says; raise MalformedEvent, which says what is allowed."""
    try:
        found = json.loads(body)
    except ValueError as error:
        raise MalformedEvent("the body is no JSON") from error
    if not isinstance(found, dict):
        raise MalformedEvent("a JSON object was expected")
    unknown = sorted(set(found) - {"plan", "region", "health", "why"})
    if unknown:
        raise MalformedEvent(f"unknown keys {unknown}; known are ['health', 'plan', 'region', 'why']")
    plan, region, why = (found.get(key, "") for key in ("plan", "region", "why"))
    if not all(isinstance(text, str) for text in (plan, region, why)) or not (plan and region):
        raise MalformedEvent("'plan' and 'region' (texts), and perhaps 'why' (text), were expected")
    try:
        health = Health(str(found.get("health")))
    except ValueError as error:
        allowed = [health.value for health in Health]
        raise MalformedEvent(f"'health' is {found.get('health')!r}; allowed are {allowed}") from error
    return Report(plan, region, health, why[:300])
