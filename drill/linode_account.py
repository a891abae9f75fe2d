"""What Linode's stand-in knows beside DNS: the token and its scopes, instances, and their events.

From Linode's API reference: a path needs a scope, and a token without it is answered 401; `X-OAuth-Scopes`
names the token's scopes, `X-Accepted-OAuth-Scopes` what the path needs; a token is listed by its first 16
characters; a reboot is an event `linode_reboot` of its instance, listed newest first.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]

# (path, reading, changing): the scope that each needs.
_SCOPES = (
    (r"/domains(/.*)?", "domains:read_only", "domains:read_write"),
    (r"/linode/instances(/.*)?", "linodes:read_only", "linodes:read_write"),
    (r"/account/events", "events:read_only", "events:read_write"),
    (r"/profile(/.*)?", "account:read_only", "account:read_write"),
)


def needed_scope(method: str, path: str) -> str:
    """Return the scope that a request needs, '' for a path that is not known."""
    for pattern, reading, changing in _SCOPES:
        if re.fullmatch(pattern, path):
            return reading if method == "GET" else changing
    return ""


@dataclass
class Account:
    """A token with its scopes and its end; instances by id, with their status; what happened to them."""

    scopes: frozenset[str] = frozenset({"*"})
    expires_at: datetime | None = None
    instances: dict[int, str] = field(default_factory=dict)
    events: list[Json] = field(default_factory=list)

    def permits(self, method: str, path: str) -> bool:
        """Return whether the token has the scope that this needs."""
        needed = needed_scope(method, path)
        return not needed or bool(self.scopes & {"*", needed, needed.replace(":read_only", ":read_write")})

    def headers(self, method: str, path: str) -> list[tuple[str, str]]:
        """Return the two headers that speak of scopes."""
        return [
            ("X-OAuth-Scopes", " ".join(sorted(self.scopes))),
            ("X-Accepted-OAuth-Scopes", needed_scope(method, path)),
        ]

    def tokens(self, token: str) -> list[Json]:
        """Return the tokens as `GET /profile/tokens` lists them."""
        return [
            {
                "id": 1,
                "label": "region-failover",
                "token": token[:16],
                "scopes": " ".join(sorted(self.scopes)),
                "created": "2025-01-01T00:00:00",
                "expiry": self.expires_at and f"{self.expires_at:%Y-%m-%dT%H:%M:%S}",
            }
        ]

    def instance(self, number: int, refuse: Callable[[int, str], Exception]) -> Json:
        """Return an instance."""
        if number not in self.instances:
            raise refuse(404, "Not found")
        return {"id": number, "label": f"linode{number}", "status": self.instances[number]}

    def reboot(self, number: int, now: float, refuse: Callable[[int, str], Exception]) -> Json:
        """Reboot an instance: it is busy until `settle` is called, and says so when it is asked again."""
        if self.instance(number, refuse)["status"] != "running":
            raise refuse(400, "Linode busy.")
        self.instances[number] = "rebooting"
        created = datetime.fromtimestamp(now, UTC)
        self.events.insert(
            0,
            {
                "id": len(self.events) + 1,
                "action": "linode_reboot",
                "created": f"{created:%Y-%m-%dT%H:%M:%S}",
                "status": "started",
                "entity": {"id": number, "type": "linode", "label": f"linode{number}"},
            },
        )
        return {}

    def settle(self) -> None:
        """Let every reboot come to its end."""
        self.instances = dict.fromkeys(self.instances, "running")
