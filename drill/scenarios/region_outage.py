"""Everything of the primary Region hangs (a black hole, not a refusal) until it is repaired."""

from __future__ import annotations

from drill import expect, layout
from drill.outages import dead
from drill.report import Check
from drill.roles import check_roles
from drill.stage import Stage
from drill.steady import wait_for
from drill.world import World

MALFORMED = {"id": "malformed-1", "source": "nobody", "detail-type": "Nothing Known"}


def run(stage: Stage) -> None:
    """Rehearse: steady state, outage, failover, repair, failback, steady state again."""
    world = stage.world
    stage.begin()
    stage.say(f"outage: {layout.PRIMARY} becomes a black hole; waiting for the failover")
    outage = stage.strike(
        f"everything in {layout.PRIMARY} hangs: DynamoDB, SSM, CloudWatch, both applications",
        dead(layout.PRIMARY),
    )
    stage.await_failover(outage)
    repaired = stage.heal(outage, f"{layout.PRIMARY} is repaired")
    world.invoke("Failover", MALFORMED, wait=False)
    roles = check_roles(world)  # meanwhile: each function's role, asked of the embedded AWS's own IAM
    stage.await_failback(repaired)
    stage.checks(
        *expect.told(
            world,
            {
                "detection": f"{layout.PRIMARY} is down",
                "switch": f"traffic is switched to {layout.STANDBY}",
                "completion": f"failover to {layout.STANDBY} is complete",
                "failback": f"failback to {layout.PRIMARY} is complete",
            },
        ),
        *roles,
        _malformed_is_kept(world),
    )
    stage.finish(["failover", "failback"], dead_letters=[str(MALFORMED["id"])])


def _malformed_is_kept(world: World) -> Check:
    """Check that an event that nobody knows has ended in the dead-letter queue, after its retries."""

    def arrived() -> bool:
        return any(str(MALFORMED["id"]) in body for body in world.dead_letters())

    detail = f"{MALFORMED['id']} after its retries"
    return Check("a malformed event ends in the dead-letter queue", wait_for(arrived, 20), detail)
