"""linode_dns: points Linode's records at the active Region."""

from __future__ import annotations

from typing import Any

from region_failover.bootstrap import Context, application
from region_failover.service.linode import handle_linode

app = application("linode_dns")


def handler(event: Any, context: Context) -> list[dict[str, object]]:
    """Carry out a requested switch; return the decisions."""
    return app.run(handle_linode, event, context)
