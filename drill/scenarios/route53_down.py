"""Route 53's control plane refuses when the failover starts: the transition stays open, and is finished."""

from __future__ import annotations

from drill import layout
from drill.outages import dead, failing_route53
from drill.stage import Stage
from drill.steady import first_good, wait_for


def run(stage: Stage) -> None:
    """Rehearse: all but Route 53 is switched at once; ticks try again; once it answers, one batch."""
    world = stage.world
    stage.begin()
    batches = world.batches()
    refusing = stage.disturb("Route 53's control plane answers 503", failing_route53())
    outage = stage.strike(f"everything in {layout.PRIMARY} hangs", dead(layout.PRIMARY))
    stage.wait("refused: somebody is told", lambda: stage.told("is not switched yet"), 120)
    legacy = world.clients["legacy"]
    stage.wait(
        "refused: what is at Linode is switched meanwhile",
        lambda: bool(first_good(legacy.answers(), outage.at, layout.STANDBY)),
        60,
    )
    _stays_open(stage)
    asked = stage.hits(refusing)
    stage.wait("refused: a tick tries again", lambda: stage.hits(refusing) > asked, 120)
    wait_for(lambda: stage.is_step("route53", "failed"), 30)
    _stays_open(stage)
    stage.check("refused: no batch was accepted", world.batches() == batches)
    stage.lift(refusing, "Route 53's control plane answers again")
    stage.await_failover(outage, within_s=180)
    stage.check(
        "exactly one batch was accepted", world.batches() == batches + 1, f"{world.batches() - batches}"
    )
    repaired = stage.heal(outage, f"{layout.PRIMARY} is repaired")
    stage.await_failback(repaired)
    stage.finish(["failover", "failback"], told=[f"zone {world.zone_id} is not switched yet"])


def _stays_open(stage: Stage) -> None:
    status = {key: step["status"] for key, step in stage.open_steps().items()}
    state = stage.world.state() or {}
    wanted = {"route53": "failed", "linode": "done", f"ssm {layout.STANDBY}": "done"}
    ok = state.get("epoch") == 1 and wanted.items() <= status.items()
    stage.check("refused: epoch 1 stays open, all but the zone done", ok, f"{status}")
