"""boto3 clients with explicit timeouts and retries; nothing is inherited from the SDK's defaults.

The defaults hold a call to a black-holed Region for minutes (60 s to connect, several tries), and changed
between botocore releases. Socket timeouts bound neither name resolution nor a server that trickles: the
flows put an outer deadline around every round, and the handler one around everything.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a client waits (seconds), and how often it tries in all."""

    connect_s: float
    read_s: float
    attempts: int


# A check is one try: a retry would hide what it is there to see.
CHECK = Patience(connect_s=1.0, read_s=2.0, attempts=1)
# Our own state, events and topic in the control Region.
CONTROL = Patience(connect_s=1.0, read_s=2.0, attempts=3)
# Route 53's control plane is slower, and answers throttling that is worth a retry.
ROUTE53 = Patience(connect_s=2.0, read_s=5.0, attempts=4)
# A change of records is tried again by the adapter, which knows for how long it may (adapters/route53.py).
ROUTE53_CHANGE = Patience(ROUTE53.connect_s, ROUTE53.read_s, attempts=1)

_lock = threading.Lock()
_sessions: list[Any] = []
_clients: dict[tuple[str, str, Patience], Any] = {}


def client(service: str, region: str, patience: Patience) -> Any:
    """Return the client of that service, Region and patience; made once.

    Under a lock, because making one is not thread-safe; from one session, because each session loads the
    service models anew (six clients: 0.8 s with a session each, 0.2 s with one). One that is there already
    waits for no lock: another's making is not its delay.
    """
    key = (service, region, patience)
    made = _clients.get(key)
    return _make(key) if made is None else made


def _make(key: tuple[str, str, Patience]) -> Any:
    service, region, patience = key
    with _lock:
        if key not in _clients:
            if not _sessions:
                _sessions.append(boto3.session.Session())
            _clients[key] = _sessions[0].client(
                service,
                region_name=region,
                config=Config(
                    connect_timeout=patience.connect_s,
                    read_timeout=patience.read_s,
                    retries={"mode": "standard", "total_max_attempts": patience.attempts},
                    max_pool_connections=20,
                    user_agent_extra="region-failover",
                ),
            )
        return _clients[key]


def made_clients() -> frozenset[tuple[str, str]]:
    """Return service and Region of every client that there is (for tests of what a start makes)."""
    return frozenset((service, region) for service, region, _ in list(_clients))


def forget_clients() -> None:
    """Forget every client (for tests that change the environment)."""
    with _lock:
        _clients.clear()
        _sessions.clear()
