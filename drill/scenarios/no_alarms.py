"""CloudWatch is silent, in the primary and in the control Region: the probe alone must do it."""

from __future__ import annotations

from drill import expect, layout
from drill.outages import dead, silent_alarms
from drill.stage import Stage


def run(stage: Stage) -> None:
    """Rehearse: no alarm is heard of from first to last; over to the standby, and home."""
    world = stage.world
    stage.begin()
    stage.disturb("CloudWatch is silent: no alarm's change goes anywhere", *silent_alarms())
    heard = len(world.relay.delivered)
    outage = stage.strike(f"everything in {layout.PRIMARY} hangs", dead(layout.PRIMARY))
    stage.await_failover(outage)
    moved = expect.decisions(world, action="move", reason="region-down")
    stage.check(
        "during: the failover was started by the probe's own event",
        [d["trigger"] for d in moved] == ["region-unhealthy"],
        ", ".join(str(d["trigger"]) for d in moved),
    )
    repaired = stage.heal(outage, f"{layout.PRIMARY} is repaired")
    stage.await_failback(repaired)
    stage.check("no alarm was heard of", len(world.relay.delivered) == heard)
    stage.finish(["failover", "failback"])
