"""The traffic returns by steps: a share is on trial at the primary, taken back at the first bad sample."""

from __future__ import annotations

from drill import layout
from drill.outages import dead, failing_applications
from drill.scenarios.standby_sick import ONE_KIND
from drill.stage import Stage

HALF_S = 20.0


def policy() -> dict[str, str]:
    """Return a plan whose record is weighted, and whose failback has steps."""
    return {
        "more_policy": 'failback_steps = [10, 50, 100]\nfailback_step_for = "20s"',
        "more_record": "weighted = true",
    }


def run(stage: Stage) -> None:
    """Rehearse: over; 10 % on trial, one bad sample, all of it back; then 10 %, 50 %, home."""
    world = stage.world
    stage.begin()
    stage.check("before: all of it is at the primary", world.weights() == _weights(100), str(world.weights()))
    outage = stage.strike(f"everything in {layout.PRIMARY} hangs", dead(layout.PRIMARY))
    stage.await_failover(outage)
    stage.check("during: all of it is at the standby", world.weights() == _weights(0), str(world.weights()))
    stage.heal(outage, f"{layout.PRIMARY} is repaired")
    _await_share(stage, "trial", 10)
    trial = stage.strike(
        f"the applications in {layout.PRIMARY} answer 503",
        *failing_applications(layout.PRIMARY),
        phase="trial fails",
    )
    stage.wait("trial fails: all of it is back at the standby", lambda: world.weights() == _weights(0), 90)
    stage.wait("trial fails: the return is complete", lambda: stage.completed(3), 60)
    repaired = stage.heal(trial, f"{layout.PRIMARY} is well again", phase="well again")
    _await_share(stage, "well again", 10)
    _await_share(stage, "well again", 50)
    stage.stay(HALF_S)
    served = {str(a.region) for a in stage.phases.answers("orders", "well again") if a.ok}
    stage.check(
        "half of it: clients are served by both Regions", served == set(layout.REGIONS), str(sorted(served))
    )
    stage.await_failback(repaired, number=6)
    stage.check("after: all of it is at the primary", world.weights() == _weights(100), str(world.weights()))
    shares = [t["share"] for t in world.transitions()]
    stage.check("the steps are on record", shares == [None, 10, 0, 10, 50, None], str(shares))
    stage.finish(
        ["failover", "failback", "failover", "failback", "failback", "failback"],
        fail_only_in=("outage", "trial fails"),
        told=[ONE_KIND],
    )


def _weights(percent: int) -> dict[str, int]:
    return {"primary": percent, "standby": 100 - percent}


def _await_share(stage: Stage, phase: str, percent: int) -> None:
    """Assert that so much of the traffic is on trial at the primary, and the record says so."""

    def is_so() -> bool:
        state = stage.world.state() or {}
        return state.get("share") == percent and stage.world.weights() == _weights(percent)

    stage.wait(f"{phase}: {percent} % is on trial at the primary", is_so, 240)
