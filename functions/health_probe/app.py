"""health_probe: every minute, samples every plan's checks in both Regions at once."""

from __future__ import annotations

from typing import Any

from region_failover.bootstrap import Context, application
from region_failover.service.probe import handle_probe

app = application("health_probe")


def handler(event: Any, context: Context) -> list[dict[str, object]]:
    """Sample for the length of a tick; return the last round of each plan."""
    return app.run(handle_probe, event, context)
