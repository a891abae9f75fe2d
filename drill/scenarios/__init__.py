"""The outages that can be rehearsed, by name."""

from __future__ import annotations

from collections.abc import Callable

from drill.report import Report
from drill.scenarios import observer_denied, region_outage
from drill.world import World

SCENARIOS: dict[str, Callable[[World, Report], None]] = {
    "region-outage": region_outage.run,
    "observer-denied": observer_denied.run,
}
