"""readiness: looks at everything that a move will need, and says what is missing. It changes nothing."""

from __future__ import annotations

from typing import Any

from region_failover.bootstrap import Context, application

app = application("readiness")


def handler(event: Any, context: Context) -> list[dict[str, object]]:
    """Check the plans that are asked for, or all; return the findings of each."""
    return app.inspect(event, context)
