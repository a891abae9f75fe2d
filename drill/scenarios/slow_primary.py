"""The primary answers everything, and takes its time: degraded, not down, and this plan leaves it."""

from __future__ import annotations

from drill import expect, layout
from drill.faults import Fault, FaultKind
from drill.stage import Stage
from drill.world import REAL_TIMES

DELAY_S = 0.8  # above the plan's at_least of 0.5 s, below the timeouts of checks and clients
LEFT_WITHIN_S = 240.0


def policy() -> dict[str, str]:
    """Return a plan that leaves a degraded Region, looks at two minutes, and waits for slow answers."""
    return {"degradation": "failover", "degradation_over": "2m", "timeout": REAL_TIMES["timeout"]}


def run(stage: Stage) -> None:
    """Rehearse: slow, told, left without one failed request; quick again for long enough: home."""
    world = stage.world
    stage.begin()
    usual = world.health()[layout.PRIMARY]["usual_s"]
    stage.check("before: it is known what is usual", 0 < usual < DELAY_S / 3, f"{usual} s")
    slow = stage.strike(
        f"the applications in {layout.PRIMARY} take {DELAY_S} s longer",
        *(
            Fault(FaultKind.SLOW, region=layout.PRIMARY, service=service, delay_s=DELAY_S)
            for service in ("application", "legacy")
        ),
        phase="slow",
    )
    stage.wait("slow: the traffic leaves", lambda: stage.completed(1), LEFT_WITHIN_S)
    stage.wait("slow: the record is at rest", lambda: (world.state() or {}).get("phase") == "steady", 60)
    stage.stay(10)  # what clients have cached runs out
    stage.phases.enter("on-standby")
    (moved,) = world.transitions()
    stage.check("slow: for this reason", moved["reason"].startswith("region-degraded"), moved["reason"])
    stage.served_steadily("on-standby", layout.STANDBY)
    stage.checks(expect.points_at(world, "on-standby", layout.STANDBY, 1, ()))
    repaired = stage.heal(slow, f"{layout.PRIMARY} is as quick as ever")
    stage.await_failback(repaired)
    stage.finish(["failover", "failback"], fail_only_in=())
