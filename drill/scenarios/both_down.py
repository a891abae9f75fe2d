"""The application is down in both Regions, the state table is not: nowhere to go, so stay and say so."""

from __future__ import annotations

from drill import events, expect, layout
from drill.outages import failing
from drill.stage import Stage

WATCHED_S = 10.0


def run(stage: Stage) -> None:
    """Rehearse: both Regions' tables and applications answer 5xx; hold, loudly, once; stay after it."""
    world = stage.world
    stage.begin()
    outage = stage.strike(
        "the application's tables and endpoints answer 5xx in both Regions",
        *failing(layout.PRIMARY, world.tables),
        *failing(layout.STANDBY, world.tables),
    )
    stage.wait("outage: it is said aloud", lambda: stage.told("holds: both-unhealthy"), 120)
    stage.ask("Failover", events.alarm("both-down"), "both-unhealthy", "outage")
    stage.stay(WATCHED_S)
    stage.checks(
        *expect.nothing_moved(world, "outage"),
        expect.held(world, "both-unhealthy", "outage"),
        *expect.told(world, {"both Regions down": "holds: both-unhealthy"}),
    )
    for name in world.clients:
        answers = stage.phases.answers(name, "outage")
        good = sum(answer.ok for answer in answers)
        stage.check(f"outage: every request of {name} fails", bool(answers) and not good, f"{good} good")
    stage.heal(outage, "both Regions are repaired")
    stage.stay(WATCHED_S)
    stage.checks(*expect.nothing_moved(world, "repaired"))
    stage.finish([], told=[f"{layout.PRIMARY} is down", "holds: both-unhealthy"])
