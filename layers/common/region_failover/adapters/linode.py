"""Linode API v4: the records of a domain.

Rules taken from its OpenAPI document: PUT is partial and refuses unknown keys; the TTL's key is `ttl_sec`;
names come back relative to the domain, the apex empty; collections are paged (25 to 500 a page); 429 carries
`Retry-After` in seconds; 408, 429, 502, 503 and 504 are worth a retry.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Protocol

import requests

from region_failover.adapters.symptoms import remote, symptom_of
from region_failover.domain.errors import RemoteFailure
from region_failover.domain.plan import NodeBalancer
from region_failover.domain.reports import Nodes
from region_failover.domain.symptom import Kind, Symptom
from region_failover.ports import Clock, LinodeRecordState

TIMEOUT_S = (2.0, 5.0)
ATTEMPTS = 4
LONGEST_WAIT_S = 20.0
PAGE_SIZE = 500
_WORTH_A_RETRY = frozenset({408, 429, 502, 503, 504})


class Token(Protocol):
    """Where the API's token comes from."""

    def read(self) -> str:
        """Return the token."""
        ...

    def forget(self) -> None:
        """Read it anew next time."""
        ...


class Linode:
    """Implements ports.LinodeDns. The token is asked for at first use, and once again after a 401."""

    def __init__(self, base_url: str, token: Token, clock: Clock) -> None:
        """Talk to the API at this base URL, such as https://api.linode.com/v4."""
        self._base_url = base_url.rstrip("/")
        self._token = token
        self._clock = clock

    @remote
    def find(self, domain_id: int, name: str, kind: str) -> tuple[LinodeRecordState, ...]:
        """Return every record of that name and type, from all pages."""
        found: list[LinodeRecordState] = []
        page = pages = 1
        while page <= pages:
            path = f"/domains/{domain_id}/records?page={page}&page_size={PAGE_SIZE}"
            answer = self._call("GET", path)
            found += [_record(item) for item in answer["data"] if item["type"] == kind]
            pages = int(answer["pages"])
            page += 1
        return tuple(record for record in found if record.name.lower() == name.lower())

    @remote
    def point(self, domain_id: int, record_id: int, target: str, ttl_sec: int) -> LinodeRecordState:
        """Set target and TTL of a record."""
        body = {"target": target, "ttl_sec": ttl_sec}
        return _record(self._call("PUT", f"/domains/{domain_id}/records/{record_id}", body))

    @remote
    def token_expires_at(self) -> datetime | None:
        """Return when the token in use ends, None for never; needs the scope account:read_only.

        The list shows each token's first 16 characters only (Linode's OpenAPI, `GET /profile/tokens`).
        """
        own = self._token.read()
        page = pages = 1
        while page <= pages:
            answer = self._call("GET", f"/profile/tokens?page={page}&page_size={PAGE_SIZE}")
            for item in answer["data"]:
                if own.startswith(str(item["token"])):
                    expiry = item.get("expiry")
                    return datetime.fromisoformat(expiry).replace(tzinfo=UTC) if expiry else None
            pages = int(answer["pages"])
            page += 1
        raise RemoteFailure(Symptom(Kind.WRONG_ANSWER, detail="the token is not in the account's list"))

    @remote
    def nodes(self, balancer: NodeBalancer) -> Nodes:
        """Return how many nodes of a NodeBalancer's configuration are up; scope nodebalancers:read_only."""
        found = self._ask(f"/nodebalancers/{balancer.id}/configs/{balancer.config_id}")
        status = found["nodes_status"]
        return Nodes(int(status["up"]), int(status["down"]), str(found["check"]))

    @remote
    def instance(self, instance: int) -> str:
        """Return an instance's status; scope linodes:read_only."""
        return str(self._ask(f"/linode/instances/{instance}")["status"])

    def _ask(self, path: str) -> Any:
        """Return one answer for a check, which is not tried again: its round has no time for it."""
        try:
            response = self._send("GET", path, None)
            if response.status_code == 401:
                self._token.forget()  # rotated since it was read?
                response = self._send("GET", path, None)
            return _answer(response)
        except requests.RequestException as error:
            raise RemoteFailure(_symptom(error)) from error

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                response = self._send(method, path, body)
            except requests.RequestException as error:
                if attempt == ATTEMPTS:
                    raise RemoteFailure(_symptom(error)) from error
                self._clock.sleep(0.2 * 2**attempt)
                continue
            if response.status_code == 401 and attempt == 1:
                self._token.forget()  # rotated since it was read?
                continue
            if response.status_code not in _WORTH_A_RETRY or attempt == ATTEMPTS:
                return _answer(response)
            self._clock.sleep(_wait_s(response, attempt))
        raise AssertionError("unreachable")

    def _send(self, method: str, path: str, body: dict[str, Any] | None) -> requests.Response:
        return requests.request(
            method,
            self._base_url + path,
            json=body,
            timeout=TIMEOUT_S,
            allow_redirects=False,
            headers={"Authorization": f"Bearer {self._token.read()}"},
        )


def _wait_s(response: requests.Response, attempt: int) -> float:
    asked = response.headers.get("Retry-After", "")
    wait = float(asked) if asked.isdigit() else 0.5 * 2**attempt
    return min(wait, LONGEST_WAIT_S)


def _answer(response: requests.Response) -> Any:
    """Return the body of a success (200, or 202 with warnings); raise RemoteFailure with Linode's reasons."""
    try:
        body = response.json()
    except ValueError as error:
        symptom = Symptom(Kind.WRONG_ANSWER, status=response.status_code, detail="the body is no JSON")
        raise RemoteFailure(symptom) from error
    if response.status_code in {200, 202}:
        return body
    errors = body.get("errors", []) if isinstance(body, dict) else []
    reasons = "; ".join(f"{error.get('field', '')} {error.get('reason', '')}".strip() for error in errors)
    raise RemoteFailure(Symptom(Kind.HTTP, status=response.status_code, detail=f"Linode: {reasons}"[:300]))


def _symptom(error: requests.RequestException) -> Symptom:
    if isinstance(error, requests.Timeout):
        return Symptom(Kind.TIMEOUT, detail=type(error).__name__)
    if isinstance(error, requests.exceptions.SSLError):
        return Symptom(Kind.TLS, detail=type(error).__name__)
    if isinstance(error, requests.ConnectionError):
        return Symptom(Kind.REFUSED, detail=type(error).__name__)
    return symptom_of(error)


def _record(item: dict[str, Any]) -> LinodeRecordState:
    return LinodeRecordState(
        id=int(item["id"]),
        name=str(item["name"]),
        type=str(item["type"]),
        target=str(item["target"]),
        ttl_sec=int(item["ttl_sec"]),
    )
