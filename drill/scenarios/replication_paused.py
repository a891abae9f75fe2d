"""After an outage the primary is well again, but its data is not: replication has not caught up."""

from __future__ import annotations

import time
from typing import Any

from drill import expect, layout
from drill.midway import wall
from drill.outages import dead
from drill.stage import Stage
from drill.world import World

LAST_WRITES_S = 1.5
HELD_S = 75.0  # healthy_for is 10 s in the rehearsal's plan
LOOK_EVERY_S = 15.0
HOLDS = frozenset({"lag-unknown", "lag-too-high"})


def run(stage: Stage) -> None:
    """Rehearse: an outage that cuts replication, failover, a repair without it, and then with it."""
    world = stage.world
    stage.begin()
    stage.say(f"{layout.PRIMARY} is cut off, its last writes stay there; waiting for the failover")
    world.emulator.pause_replication()
    stage.stay(LAST_WRITES_S)
    outage = stage.strike(
        f"everything in {layout.PRIMARY} hangs; nothing is replicated", dead(layout.PRIMARY)
    )
    stage.await_failover(outage)
    _check_loss(stage)
    stage.say(f"{layout.PRIMARY} answers again, but nothing is replicated: nothing may go back")
    stage.heal(outage, f"{layout.PRIMARY} answers again; replication stays paused", phase="behind")
    _hold(stage)
    stage.say("replication goes on: late writes, then the failback")
    repaired = _catch_up(stage)
    stage.await_failback(repaired)
    stage.finish(["failover", "failback"])


def _check_loss(stage: Stage) -> None:
    found = stage.world.transitions()
    loss = found[0]["loss_s"] if found else None
    stage.check(
        "the failover has recorded about how much is lost",
        loss is not None and loss >= LAST_WRITES_S,
        "not measured" if loss is None else f"{loss:.1f} s",
    )


def _hold(stage: Stage) -> None:
    """Assert that nothing goes back while replication is behind, long after the primary is settled."""
    world = stage.world
    began, since = time.monotonic(), time.time()
    while time.monotonic() - began < HELD_S:
        world.tick("Failback")  # by hand, between those of the schedule
        stage.stay(LOOK_EVERY_S)
    stage.report.notes.append(
        f"While replication was paused the failback was also started by hand, every {LOOK_EVERY_S:.0f} s."
    )
    settled = [d for d in _looks(world, since) if d["situation"]["settled"]]
    reasons = sorted({str(decision["reason"]) for decision in settled})
    stage.check(
        "behind: the primary is settled, and the replication alone holds",
        len(settled) >= 3 and set(reasons) <= HOLDS,
        f"{len(settled)} decisions: {', '.join(reasons)}",
    )
    stage.checks(expect.transitions_are(world, "behind", ["failover"]))
    stage.served_steadily("behind", layout.STANDBY)


def _looks(world: World, since: float) -> list[dict[str, Any]]:
    """Return what the failback's ticks decided since then, each from a look of its own."""
    return [
        decision
        for decision in expect.decisions(world, trigger="schedule")
        if decision["situation"] and wall(decision["situation"]["now"]) >= since
    ]


def _catch_up(stage: Stage) -> float:
    """Let replication go on; assert that what each Region lacked arrives; return the repair's moment."""
    world = stage.world
    primary, standby = (_orders(world, region) for region in layout.REGIONS)
    missing = {layout.PRIMARY: len(standby - primary), layout.STANDBY: len(primary - standby)}
    stage.check("each Region has writes that the other has not", all(missing.values()), str(missing))
    world.emulator.resume_replication()
    world.journal.note(f"replication goes on; not yet there: {missing}", style="bold green")
    repaired = stage.phases.enter("repaired")
    stage.wait(
        "the late writes arrive, both ways",
        lambda: all(primary | standby <= _orders(world, region) for region in layout.REGIONS),
        30,
    )
    return repaired


def _orders(world: World, region: str) -> set[str]:
    """Return the ids of all orders that a Region's replica holds."""
    pages = world.aws("dynamodb", region).get_paginator("scan").paginate(TableName=layout.TABLE)
    ids = {str(item["id"]["S"]) for page in pages for item in page["Items"]}
    return {order for order in ids if not order.startswith("health#")}
