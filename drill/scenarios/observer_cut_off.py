"""The control Region loses the world, its own Region excepted: with control targets it knows that."""

from __future__ import annotations

from drill import events, expect, layout
from drill.stage import Stage

WATCHED_S = 30.0  # six times confirm_for


def policy() -> dict[str, str]:
    """Return a plan with a control target outside both Regions."""
    return {"more_checks": '[[check.control]]\nurl = "http://${elsewhere}/"'}


def run(stage: Stage) -> None:
    """Rehearse: the primary and the world outside are silent at once; it is we who are cut off."""
    world = stage.world
    stage.begin()
    stage.strike(f"the functions in {layout.STANDBY} reach nothing outside of their Region", phase="cut off")
    world.cut_off(world.looking, layout.PRIMARY, elsewhere=True)
    stage.wait("cut off: somebody is told", lambda: stage.told("cannot judge"), 90)
    answer = world.invoke("Failover", events.alarm())
    stage.check(
        "cut off: the failover function, started by an alarm, holds: observer-fault",
        bool(answer) and answer[0].get("reason") == "observer-fault",
        str(answer),
    )
    stage.stay(WATCHED_S)
    stage.check("cut off: the primary is unknown", stage.seen(layout.PRIMARY) == "unknown")
    stage.check("cut off: the standby is well", stage.seen(layout.STANDBY) == "healthy")
    stage.checks(*expect.nothing_moved(world, "cut off"))
    world.emulator.names.mend()
    world.journal.note("the world is back", style="bold green")
    stage.wait("mended: both are well", lambda: stage.seen(layout.PRIMARY) == "healthy", 75)
    stage.finish([], fail_only_in=(), told=["cannot judge: automatic failover is blind"])
