"""The primary is a black hole for less than `confirm_for`: seen, and no reason to move."""

from __future__ import annotations

import time

from drill import events, expect, layout
from drill.outages import dead
from drill.stage import Stage
from drill.steady import wait_for

OUT_S = 3.5  # below the plan's confirm_for of 5 s
WATCHED_S = 12.0


def run(stage: Stage) -> None:
    """Rehearse: a short total outage, an alarm in the middle of it; nothing moves."""
    world = stage.world
    stage.begin()
    outage = stage.strike(f"everything in {layout.PRIMARY} hangs, for {OUT_S} s", dead(layout.PRIMARY))
    world.invoke("Failover", events.alarm("brown-out"), wait=False)
    seen = wait_for(lambda: stage.seen(layout.PRIMARY) == "unhealthy", OUT_S, every_s=0.1)
    stage.stay(max(0.0, outage.at + OUT_S - time.monotonic()))
    lasted = stage.heal(outage, f"{layout.PRIMARY} answers again") - outage.at
    stage.check("outage: shorter than confirm_for", lasted < 5, f"{lasted:.1f} s")
    noticed = seen or wait_for(lambda: "unhealthy" in world.health()[layout.PRIMARY]["recent"], 3)
    stage.check("outage: a sample found the primary unhealthy", noticed)
    stage.stay(WATCHED_S)
    looked = expect.decisions(world, event="brown-out")
    stage.check(
        "outage: the alarm makes the failover function look, and it holds",
        len(looked) == 1 and looked[0]["reason"] in {"not-confirmed", "active-healthy"},
        "; ".join(str(d["reason"]) for d in looked),
    )
    stage.check("outage: nobody is told that it is down", not stage.told("is down"))
    stage.checks(*expect.nothing_moved(world, "outage"))
    stage.finish([])
