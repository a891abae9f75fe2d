"""The outages that can be rehearsed: one table, in the order in which `all` takes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from drill.scenarios import observer_denied, region_outage
from drill.stage import Stage


@dataclass(frozen=True, slots=True)
class Scenario:
    """One outage: what runs it, and in a line what breaks and what must happen."""

    run: Callable[[Stage], None]
    about: str


SCENARIOS: dict[str, Scenario] = {
    "region-outage": Scenario(
        region_outage.run, "the primary becomes a black hole: over to the standby, and home after the repair"
    ),
    "observer-denied": Scenario(
        observer_denied.run, "our own roles lose access, both Regions are well: nothing moves, one notice"
    ),
}
