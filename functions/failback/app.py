"""failback: finishes what was left, and returns to the primary when it is safe."""

from __future__ import annotations

from typing import Any

from region_failover.bootstrap import Context, application
from region_failover.service.failback import handle_failback

app = application("failback")


def handler(event: Any, context: Context) -> list[dict[str, object]]:
    """Look after every plan; return the decisions."""
    return app.run(handle_failback, event, context)
