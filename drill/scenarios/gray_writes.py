"""Every write of the primary's DynamoDB fails, reads and the control plane are fine: a gray failure."""

from __future__ import annotations

from drill import layout
from drill.outages import failing_writes
from drill.stage import Stage


def run(stage: Stage) -> None:
    """Rehearse: the applications' health fails with their writes; over to the standby, and home."""
    stage.begin()
    outage = stage.strike(
        f"every write to DynamoDB in {layout.PRIMARY} fails with a 500; reads are fine",
        *failing_writes(layout.PRIMARY),
    )
    stage.await_failover(outage, stale=())  # SSM is well there: nothing is owed
    repaired = stage.heal(outage, f"{layout.PRIMARY} takes writes again")
    stage.await_failback(repaired)
    failed = [a for client in stage.world.clients for a in stage.phases.failed(client, "outage")]
    stage.check(
        "outage: writes fail, and not one read",
        bool(failed) and all(answer.operation == "write" for answer in failed),
        f"{len(failed)} failed",
    )
    stage.finish(["failover", "failback"])
