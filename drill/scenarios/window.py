"""The primary has settled outside of the plan's failback window: the traffic waits for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from drill import expect, layout
from drill.outages import dead
from drill.stage import Stage

# Long enough for the deployment, the outage and the dwell on a slow machine: the window opens after all that.
OPENS_AFTER = timedelta(minutes=5)


def policy() -> dict[str, str]:
    """Return a plan's window that opens in a while."""
    opens = datetime.now(UTC).replace(second=0, microsecond=0) + OPENS_AFTER
    window = f'from = "{opens:%H:%M}"\nto = "{opens + timedelta(hours=2):%H:%M}"\ntimezone = "UTC"\n'
    return {"opens": opens.isoformat(), "more_policy": f"[[policy.failback_window]]\n{window}"}


def run(stage: Stage) -> None:
    """Rehearse: over; settled, and held outside of the window; the window opens: home."""
    world = stage.world
    stage.begin()
    outage = stage.strike(f"everything in {layout.PRIMARY} hangs", dead(layout.PRIMARY))
    stage.await_failover(outage)
    repaired = stage.heal(outage, f"{layout.PRIMARY} is repaired")
    stage.wait(
        "repaired: settled, and held outside of the window",
        lambda: bool(expect.decisions(world, action="hold", reason="outside-window")),
        180,
    )
    opens = datetime.fromisoformat(world.policy["opens"])
    early = datetime.now(UTC) < opens
    stage.check("the window was still closed then", early, f"it opens at {opens:%H:%M} UTC")
    if early:
        stage.stays_at_standby("closed: nothing moves", 1)
    stage.stay(max(0.0, (opens - datetime.now(UTC)).total_seconds()))
    stage.await_failback(repaired)
    stage.finish(["failover", "failback"])
