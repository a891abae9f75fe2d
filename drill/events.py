"""The events that a scenario sends by hand, in the shape in which the services send them."""

from __future__ import annotations

import json
import time
from typing import Any

from drill import layout


def alarm(event_id: str = "", *, state: str = "ALARM", age_s: float = 0.0) -> dict[str, Any]:
    """Return a metric alarm's change (`events/metric-alarm.json`), so many seconds old."""
    event: dict[str, Any] = json.loads((layout.ROOT / "events" / "metric-alarm.json").read_text())
    event["time"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - age_s))
    event["id"] = event_id or event["id"]
    event["detail"]["state"]["value"] = state
    return event


def own(event_id: str, detail_type: str, detail: dict[str, Any]) -> dict[str, Any]:
    """Return one of the product's own events, as EventBridge delivers it."""
    return {
        "version": "0",
        "id": event_id,
        "detail-type": detail_type,
        "source": "region-failover",
        "account": "000000000000",
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "region": layout.STANDBY,
        "resources": [],
        "detail": detail,
    }


def schedule() -> dict[str, Any]:
    """Return a tick of the schedule (`events/schedule.json`), of now."""
    event: dict[str, Any] = json.loads((layout.ROOT / "events" / "schedule.json").read_text())
    return {**event, "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
