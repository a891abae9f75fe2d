"""failover: leaves the active Region when it is unhealthy."""

from __future__ import annotations

from typing import Any

from region_failover.bootstrap import Context, application
from region_failover.service.failover import handle_failover

app = application("failover")


def handler(event: Any, context: Context) -> list[dict[str, object]]:
    """Judge and, if need be, fail over; return the decisions."""
    return app.run(handle_failover, event, context)
