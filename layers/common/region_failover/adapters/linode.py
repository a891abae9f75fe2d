"""Linode API v4: the records of a domain, nodes and instances, the token.

Rules taken from its OpenAPI document: PUT is partial and refuses unknown keys; the TTL's key is `ttl_sec`;
names come back relative to the domain, the apex empty. Limits, retries and paging: `adapters/linode_http.py`.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from region_failover.adapters.linode_http import ATTEMPTS, PAGE_SIZE, LinodeHttp, Token, scopes_in
from region_failover.adapters.symptoms import remote
from region_failover.domain.errors import RemoteFailure
from region_failover.domain.linode import LinodeDomain, LinodeRecordState
from region_failover.domain.linode_readiness import LinodeToken, LinodeZone
from region_failover.domain.plan import NodeBalancer
from region_failover.domain.reports import Nodes
from region_failover.domain.symptom import Kind, Symptom
from region_failover.ports import Clock

__all__ = ["ATTEMPTS", "PAGE_SIZE", "Linode", "Token"]

# What readiness asks ends within this time.
LOOK_WITHIN = timedelta(seconds=20)


class Linode:
    """Implements ports.LinodeDns, and what reports and readiness ask of Linode."""

    def __init__(self, base_url: str, token: Token, clock: Clock) -> None:
        """Talk to the API at this base URL, such as https://api.linode.com/v4."""
        self._http = LinodeHttp(base_url, token, clock)
        self._token = token
        self._names: dict[int, str] = {}

    @remote
    def domain_name(self, domain_id: int, within: timedelta) -> str:
        """Return a domain's name; asked once in a process, an id keeps its domain."""
        if domain_id not in self._names:
            found = self._http.call("GET", f"/domains/{domain_id}", None, within).body
            self._names[domain_id] = str(found["domain"]).lower()
        return self._names[domain_id]

    @remote
    def records_in(self, domain_id: int, within: timedelta) -> tuple[LinodeRecordState, ...]:
        """Return every record of a domain, from all pages."""
        return tuple(_record(item) for item in self._http.pages(f"/domains/{domain_id}/records", within))

    @remote
    def point(
        self, domain_id: int, record_id: int, target: str, ttl_sec: int | None, within: timedelta
    ) -> LinodeRecordState:
        """Set the target, and the TTL unless it is None; all else of the record stays as it is."""
        body: dict[str, Any] = {"target": target}
        if ttl_sec is not None:
            body["ttl_sec"] = ttl_sec
        return _record(self._http.call("PUT", f"/domains/{domain_id}/records/{record_id}", body, within).body)

    @remote
    def reboot(self, instance: int, within: timedelta) -> None:
        """Reboot an instance (scope linodes:read_write): one request, whatever becomes of it."""
        self._http.call("POST", f"/linode/instances/{instance}/reboot", {}, within, attempts=1)

    @remote
    def rebooted_since(self, instance: int, at: datetime, within: timedelta) -> bool:
        """Return whether a reboot was asked for since (`GET /account/events`, scope events:read_only)."""
        wanted = {"action": "linode_reboot", "entity.id": instance, "entity.type": "linode"}
        wanted["created"] = {"+gte": f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"}
        return any(True for _ in self._http.pages("/account/events", within, json.dumps(wanted)))

    @remote
    def nodes(self, balancer: NodeBalancer) -> Nodes:
        """Return how many nodes of a NodeBalancer's configuration are up; scope nodebalancers:read_only."""
        found = self._http.look(f"/nodebalancers/{balancer.id}/configs/{balancer.config_id}")
        status = found["nodes_status"]
        return Nodes(int(status["up"]), int(status["down"]), str(found["check"]))

    @remote
    def instance(self, instance: int) -> str:
        """Return an instance's status; scope linodes:read_only."""
        return str(self._http.look(f"/linode/instances/{instance}")["status"])

    @remote
    def token(self) -> LinodeToken:
        """Return when the token in use ends, if its scopes let us see, and what they are (X-OAuth-Scopes).

        `GET /profile/tokens` needs account:read_only, and shows each token's first 16 characters only. A
        token that may not ask that is no worse for it: what it may do is asked with the first page of
        domains. Raises RemoteFailure with status 401 where Linode refuses the token as such.
        """
        own = self._token.read()
        try:
            answers = list(self._http.answers("/profile/tokens", LOOK_WITHIN))
        except RemoteFailure as failure:
            if failure.symptom.status not in {401, 403}:
                raise
            scopes = self._http.scopes_of("/domains?page=1&page_size=25", LOOK_WITHIN)
            return LinodeToken(None, scopes, expiry_known=False)
        for item in (item for answer in answers for item in answer.body["data"]):
            if own.startswith(str(item["token"])):
                expiry = item.get("expiry")
                ends = datetime.fromisoformat(expiry).replace(tzinfo=UTC) if expiry else None
                told = scopes_in(answers[0].headers.get("X-OAuth-Scopes") or str(item.get("scopes") or ""))
                return LinodeToken(ends, told)
        raise RemoteFailure(Symptom(Kind.WRONG_ANSWER, detail="the token is not in the account's list"))

    @remote
    def zone(self, domain_id: int) -> LinodeZone:
        """Return a domain with its records, and the zone file rendered last (`GET .../zone-file`)."""
        from region_failover.adapters.zone_file import rendered_records  # dnspython: readiness alone

        found = self._http.call("GET", f"/domains/{domain_id}", None, LOOK_WITHIN).body
        lines = self._http.call("GET", f"/domains/{domain_id}/zone-file", None, LOOK_WITHIN).body
        domain = LinodeDomain(str(found["domain"]).lower(), self.records_in(domain_id, LOOK_WITHIN))
        rendered = rendered_records([str(line) for line in lines["zone_file"]], domain.name)
        return LinodeZone(domain, str(found["status"]), str(found["type"]), rendered, {})


def _record(item: dict[str, Any]) -> LinodeRecordState:
    return LinodeRecordState(
        id=int(item["id"]),
        name=str(item["name"]),
        type=str(item["type"]),
        target=str(item["target"]),
        ttl_sec=int(item["ttl_sec"]),
    )
