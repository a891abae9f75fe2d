"""operator: what humans do. It looks, takes answers to proposals, pauses, resumes; it moves nothing."""

from __future__ import annotations

from typing import Any

from region_failover.bootstrap import Context, application

app = application("operator")


def handler(event: Any, context: Context) -> dict[str, object]:
    """Do what a human asks; return how the plans stand then, or why it was refused; or answer a request."""
    return app.answer(event, context)
