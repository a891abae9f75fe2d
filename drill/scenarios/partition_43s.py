"""The path from the control Region to the primary is cut, for 43 s and for longer; the primary is well."""

from __future__ import annotations

import time

from drill import events, expect, layout
from drill.stage import Stage
from drill.steady import wait_for

SHORT_S = 43.0
LONG_S = 90.0  # longer than confirm_for: from one place alone this is an outage


def run(stage: Stage) -> None:
    """Rehearse: from one place 43 s are seen, and no reason to move; with two, 90 s are none either."""
    world = stage.world
    stage.begin()
    _part(stage, "one place", SHORT_S)
    stage.wait(
        "one place: seen as failing", lambda: "unhealthy" in world.health()[layout.PRIMARY]["recent"], 5
    )
    _mend(stage, "one place")
    world.add_vantage_point()
    stage.wait(
        "two places: the other one sees the primary well",
        lambda: _view(stage) == "healthy",
        90,
    )
    _part(stage, "two places", LONG_S)
    stage.check("two places: the other one saw the primary well throughout", _view(stage) == "healthy")
    stage.check(
        "two places: from here it is an outage, unbroken for longer than confirm_for",
        stage.is_decided(layout.PRIMARY),
    )
    held = {str(decision["reason"]) for decision in expect.decisions(world, action="hold")}
    stage.check(
        "two places: held because they disagree", "vantage-points-disagree" in held, str(sorted(held))
    )
    _mend(stage, "two places")
    stage.finish([], fail_only_in=(), told=["holds: vantage-points-disagree"])


def _view(stage: Stage) -> str:
    seen = stage.world.views().get(layout.VANTAGE_POINT, {})
    return str(seen.get(layout.PRIMARY, {}).get("health", ""))


def _part(stage: Stage, phase: str, seconds: float) -> None:
    world = stage.world
    began = stage.strike(
        f"the control Region's functions do not reach {layout.PRIMARY}, for {seconds:.0f} s", phase=phase
    ).at
    world.cut_off(world.looking, layout.PRIMARY)
    # An alarm starts the failover function in the middle of it.
    stage.stay(seconds * 0.9)
    world.tick("HealthProbe", wait=False)
    world.invoke("Failover", events.alarm(f"alarm-of-{phase.replace(' ', '-')}"))
    stage.stay(max(0.0, began + seconds - time.monotonic()))
    stage.checks(*expect.nothing_moved(world, phase))


def _mend(stage: Stage, phase: str) -> None:
    world = stage.world
    world.emulator.names.mend()
    world.journal.note("the path is mended", style="bold green")
    wait_for(lambda: stage.seen(layout.PRIMARY) == "healthy", 75)
    stage.check(f"{phase}: well again afterwards", stage.seen(layout.PRIMARY) == "healthy")
    stage.checks(*expect.nothing_moved(world, f"after {phase}"))
