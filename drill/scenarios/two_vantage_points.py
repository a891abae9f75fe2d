"""The primary dies, with the product's own times; a second place sees it too, and it is decided at once."""

from __future__ import annotations

from drill import layout
from drill.outages import dead
from drill.stage import Stage

DECIDED_WITHIN_S = 35.0


def run(stage: Stage) -> None:
    """Rehearse: two places agree within 35 s, though one alone would wait for a minute; over, and home."""
    world = stage.world
    world.add_vantage_point()
    stage.begin()
    stage.wait(
        "before: the vantage point sees both Regions well",
        lambda: (
            {region: view["health"] for region, view in world.views().get(layout.VANTAGE_POINT, {}).items()}
            == dict.fromkeys(layout.REGIONS, "healthy")
        ),
        90,
    )
    outage = stage.strike(f"everything in {layout.PRIMARY} hangs", dead(layout.PRIMARY))
    stage.await_failover(outage)
    took = stage.report.seconds.get("fault_to_detected")
    stage.check(
        "outage: two places decide within 35 s, and one alone would have taken 60 s or more",
        took is not None and took <= DECIDED_WITHIN_S,
        f"{took} s",
    )
    repaired = stage.heal(outage, f"{layout.PRIMARY} is repaired")
    stage.await_failback(repaired)
    stage.finish(["failover", "failback"])
