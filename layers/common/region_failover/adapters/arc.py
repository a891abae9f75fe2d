"""ARC's routing controls, by the endpoints of their cluster: each has a Region, and a client, of its own.

Tested against botocore's model of the service with stubbed replies; it has not run on a live cluster.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from region_failover.adapters.clients import Patience
from region_failover.adapters.symptoms import remote
from region_failover.domain.dataplane import region_of_endpoint
from region_failover.domain.errors import RuleRefused

# One try of each: the next endpoint is the retry. Five of them end within a target's verification (30 s).
ENDPOINT = Patience(connect_s=1.0, read_s=3.0, attempts=1)

# What another endpoint would say as well, in words of its own: a safety rule, a wrong request, a quota.
_REFUSALS = frozenset({"ConflictException", "ValidationException", "ServiceLimitExceededException"})

MakeClient = Callable[[str], Any]


class RoutingControls:
    """Implements ports.RoutingControls; `make` gives the client of an endpoint, once for each."""

    def __init__(self, make: MakeClient | None = None) -> None:
        """Make the clients with boto3, where nothing else is said."""
        self._make = make or _client
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    @remote
    def read(self, endpoint: str, controls: Sequence[str]) -> Mapping[str, bool]:
        """Return the states, by GetRoutingControlState: it answers from the data plane of that Region."""
        client = self._of(endpoint)
        return {
            arn: client.get_routing_control_state(RoutingControlArn=arn)["RoutingControlState"] == "On"
            for arn in controls
        }

    @remote
    def write(self, endpoint: str, states: Mapping[str, bool], override: Sequence[str]) -> None:
        """Set all states in one call: both or none, so that no safety rule sees a half of it."""
        entries = [
            {"RoutingControlArn": arn, "RoutingControlState": "On" if on else "Off"}
            for arn, on in states.items()
        ]
        more = {"SafetyRulesToOverride": list(override)} if override else {}
        try:
            self._of(endpoint).update_routing_control_states(UpdateRoutingControlStateEntries=entries, **more)
        except ClientError as error:
            found = error.response["Error"]
            if found["Code"] in _REFUSALS:
                raise RuleRefused(f"ARC refuses ({found['Code']}): {found.get('Message', '')}") from error
            raise

    def _of(self, endpoint: str) -> Any:
        with self._lock:
            if endpoint not in self._clients:
                self._clients[endpoint] = self._make(endpoint)
            return self._clients[endpoint]


def _client(endpoint: str) -> Any:
    session: Any = boto3.session.Session()
    return session.client(
        "route53-recovery-cluster",
        region_name=region_of_endpoint(endpoint),
        endpoint_url=endpoint,
        config=Config(
            connect_timeout=ENDPOINT.connect_s,
            read_timeout=ENDPOINT.read_s,
            retries={"mode": "standard", "total_max_attempts": ENDPOINT.attempts},
            user_agent_extra="region-failover",
        ),
    )
