"""The state table is out of reach while the primary dies: nothing moves, nothing is half done."""

from __future__ import annotations

from drill import events, expect, layout
from drill.faults import Fault, FaultKind
from drill.outages import dead
from drill.stage import Stage

RAISED = "state table "  # how StateUnavailable begins; the emulator does not pass on an exception's class


def run(stage: Stage) -> None:
    """Rehearse: the functions raise, and their events are kept; the table back, the failover comes."""
    world = stage.world
    stage.begin()
    table = world.stack.outputs["StateTableName"]
    lost = stage.disturb(
        "the state table does not answer any more",
        Fault(FaultKind.HANG, region=layout.STANDBY, service="dynamodb", resource=table),
    )
    outage = stage.strike(f"everything in {layout.PRIMARY} hangs", dead(layout.PRIMARY))
    answer = world.invoke("Failover", events.alarm("no-state"))
    stage.check(
        "no state: the failover function, started by an alarm, raises",
        isinstance(answer, dict) and RAISED in f"{answer}",
        f"{answer}"[:300],
    )
    stage.wait(
        "no state: what a function gave up on is kept",
        lambda: any(RAISED in letter for letter in world.dead_letters()),
        150,
    )
    stage.checks(*expect.nothing_moved(world, "no state"))
    stage.lift(lost, "the state table answers again")
    stage.await_failover(outage, within_s=180)
    repaired = stage.heal(outage, f"{layout.PRIMARY} is repaired")
    stage.await_failback(repaired)
    stage.finish(["failover", "failback"], dead_letters=[RAISED])
