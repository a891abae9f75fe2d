"""The primary's names resolve to nothing, as `dynamodb.us-east-1` did on 2025-10-20; what serves is well."""

from __future__ import annotations

from drill import expect, layout
from drill.emulator import KEY
from drill.names import application_name, dynamodb_name
from drill.stage import Stage


def run(stage: Stage) -> None:
    """Rehearse: steady state, names gone, failover, names back, failback."""
    world = stage.world
    stage.begin()
    stage.say(f"the names of {layout.PRIMARY} resolve to nothing; waiting for the failover")
    names = (dynamodb_name(layout.PRIMARY), application_name(layout.PRIMARY))
    outage = stage.strike(f"{' and '.join(names)} resolve to nothing")
    world.emulator.names.vanish(*names)
    closed = world.proxy.end_connections(layout.PRIMARY, "dynamodb", KEY)
    stage.report.notes.append(
        f"The {closed} connections to DynamoDB that the primary's applications had open were closed with the"
        " names, as servers do by and by; those of the functions stay open."
    )
    stage.check("the applications' open connections were closed with the names", closed > 0, str(closed))
    stage.await_failover(outage, stale=())  # SSM's name there resolves
    _check_evidence(stage)
    stage.say("the names come back")
    world.emulator.names.come_back(*names)
    repaired = stage.heal(outage, "the names resolve again")
    stage.await_failback(repaired)
    stage.finish(["failover", "failback"])


def _check_evidence(stage: Stage) -> None:
    moves = expect.decisions(stage.world, action="move")
    said = [check for check in (moves[0]["checks"] if moves else []) if check.startswith(layout.PRIMARY)]
    stage.check(
        "the recorded evidence says, of every check of the primary, that there is no such name",
        len(said) >= 3 and all("no-such-name" in check for check in said),
        "; ".join(said),
    )
