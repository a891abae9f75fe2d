"""The standby's endpoint is sick when the primary dies: no move until the standby is verified."""

from __future__ import annotations

from drill import expect, layout
from drill.faults import Fault, FaultKind
from drill.outages import dead
from drill.stage import Stage

WATCHED_S = 8.0
ONE_KIND = "one kind of evidence fails, the other does not"  # the probe, of the standby


def run(stage: Stage) -> None:
    """Rehearse: hold and say so; the standby healed, the primary still dead: over; repaired: home."""
    world = stage.world
    stage.begin()
    sick = stage.disturb(
        f"the application's endpoint in {layout.STANDBY} answers 503",
        Fault(FaultKind.ERROR, region=layout.STANDBY, service="application"),
    )
    stage.wait(
        "sick: the probe cannot verify the standby", lambda: stage.seen(layout.STANDBY) == "unknown", 90
    )
    outage = stage.strike(f"everything in {layout.PRIMARY} hangs", dead(layout.PRIMARY))
    stage.wait("outage: it is said aloud", lambda: stage.told("holds: target-not-verified"), 120)
    stage.stay(WATCHED_S)
    stage.checks(*expect.nothing_moved(world, "outage"), expect.held(world, "target-not-verified", "outage"))
    stage.lift(sick, f"the endpoint in {layout.STANDBY} is well again; {layout.PRIMARY} is still dead")
    stage.await_failover(outage, within_s=180)
    repaired = stage.heal(outage, f"{layout.PRIMARY} is repaired")
    stage.await_failback(repaired)
    stage.finish(["failover", "failback"], told=["holds: target-not-verified", ONE_KIND])
