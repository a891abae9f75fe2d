"""The primary goes up and down twenty times: traffic moves at most once per cooldown, and ends well."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from drill import layout
from drill.measure import measure_failover, wall
from drill.outages import failing
from drill.stage import Stage
from drill.steady import wait_for

OUTAGES = 20
SEEN_WITHIN_S = 90.0
COOLDOWN_S = 15.0  # the plan's


def policy() -> dict[str, str]:
    """Return a plan that forgets soon that a Region was degraded: until then there is no failback."""
    return {"degradation_over": "2m"}


def run(stage: Stage) -> None:
    """Rehearse: each outage lasts until it is decided, each recovery until a sample has seen it."""
    stage.begin()
    strikes = []
    decided = recovered = 0
    for number in range(1, OUTAGES + 1):
        strikes.append(
            stage.strike(
                f"outage {number} of {OUTAGES}: tables and applications in {layout.PRIMARY} answer 5xx",
                *failing(layout.PRIMARY, stage.world.tables),
                phase="outage" if number == 1 else f"outage {number}",
            )
        )
        decided += wait_for(lambda: stage.is_decided(layout.PRIMARY), SEEN_WITHIN_S)
        stage.lift(strikes[-1], f"{layout.PRIMARY} is up again")
        recovered += wait_for(lambda: stage.seen(layout.PRIMARY) == "healthy", SEEN_WITHIN_S)
    repaired = stage.heal(strikes[-1], f"{layout.PRIMARY} stays up")
    stage.check(f"flapping: each of {OUTAGES} outages was decided", decided == OUTAGES, f"{decided}")
    stage.check(f"flapping: each of {OUTAGES} recoveries was seen", recovered == OUTAGES, f"{recovered}")
    measure_failover(stage.world, stage.report, strikes[0].at)
    away = len(stage.world.transitions())
    if (stage.world.state() or {}).get("active") == layout.STANDBY:
        stage.await_failback(repaired, number=away + 1)
    history = stage.world.transitions()
    _check_history(stage, history)
    outages = [name for name in stage.phases.names() if name.startswith("outage")]
    told = [f"{layout.PRIMARY} is degraded"]
    stage.finish([t["direction"] for t in history], fail_only_in=outages, told=told)


def _check_history(stage: Stage, history: list[dict[str, Any]]) -> None:
    """Assert the spacing of the automatic transitions, and that the epochs only grow."""
    epochs = [t["epoch"] for t in history]
    stage.check("flapping: traffic moved away at least once", bool(history))
    stage.check("flapping: epochs only grow", epochs == sorted(set(epochs)), f"{epochs}")
    stage.check("flapping: no human moved anything", not any(t["manual"] for t in history))
    gaps = [
        (wall(after["started_at"]) or 0.0) - (wall(before["ended_at"]) or float("inf"))
        for before, after in pairwise(history)
    ]
    stage.check(
        "flapping: at most one automatic transition per cooldown",
        all(gap >= COOLDOWN_S for gap in gaps),
        ", ".join(f"{gap:.1f} s" for gap in gaps),
    )
