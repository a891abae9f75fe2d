"""The standby's application dies as soon as the primary is repaired: a failover the other way."""

from __future__ import annotations

from drill import layout
from drill.measure import wall
from drill.outages import dead, failing
from drill.stage import Stage

COOLDOWN_S = 15.0  # the plan's


def run(stage: Stage) -> None:
    """Rehearse: over to the standby; the primary back, the standby's tables and applications gone: home."""
    world = stage.world
    stage.begin()
    first = stage.strike(f"everything in {layout.PRIMARY} hangs", dead(layout.PRIMARY))
    stage.await_failover(first)
    stage.lift(first, f"{layout.PRIMARY} is repaired")  # and has not been healthy for healthy_for
    second = stage.strike(
        f"tables and applications in {layout.STANDBY} answer 5xx; the control stack there is well",
        *failing(layout.STANDBY, world.tables),
        phase="second outage",
    )
    stage.await_failover(second, to=layout.PRIMARY, number=2, phase="home again", stale=(), within_s=180)
    stage.heal(second, f"{layout.STANDBY} is repaired")
    history = world.transitions()
    if len(history) == 2:
        ways = [(t["source"], t["target"]) for t in history]
        there_and_back = [(layout.PRIMARY, layout.STANDBY), (layout.STANDBY, layout.PRIMARY)]
        stage.check("a failover there, a failover back", ways == there_and_back, f"{ways}")
        gap = (wall(history[1]["started_at"]) or 0.0) - (wall(history[0]["ended_at"]) or float("inf"))
        stage.check("the second came after the cooldown", gap >= COOLDOWN_S, f"{gap:.1f} s")
    stage.finish(["failover", "failover"], fail_only_in=("outage", "second outage"))
