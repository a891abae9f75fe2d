"""vantage_point: looks at both Regions from a further one, and reports what it sees to the control Region."""

from __future__ import annotations

from typing import Any

from region_failover.bootstrap import Context, vantage_point

app = vantage_point()


def handler(event: Any, context: Context) -> list[dict[str, object]]:
    """Look for the length of a tick, or once between two; return what was seen of each plan."""
    return app.run(event, context)
