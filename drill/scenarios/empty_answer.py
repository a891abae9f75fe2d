"""Somebody deletes the record that answers for the application: it is written back by itself."""

from __future__ import annotations

from drill import expect, layout
from drill.measure import served_by
from drill.stage import Stage

TOLD = "an answer was gone, and is written back"
WITHIN_S = 150.0  # the next tick of the minute's schedule, and the resolver's memory of nothing


def run(stage: Stage) -> None:
    """Rehearse: the record deleted, requests fail; a tick writes it back, the fence kept; nothing moves."""
    world = stage.world
    stage.begin()
    batches = world.batches()
    stage.strike(f"somebody deletes {layout.API_NAME} A", phase="empty")
    world.edit_record()
    stage.say("the answer is empty; waiting for the next tick")
    stage.wait(
        "empty: requests fail",
        lambda: bool(stage.phases.failed("orders", "empty")),
        60,
        "no address any more",
    )
    stage.wait("empty: it is written back, and told", lambda: stage.told(TOLD), WITHIN_S)
    stage.wait(
        "empty: the client is served by the primary again",
        lambda: served_by(world.clients["orders"].answers()) == layout.PRIMARY,
        WITHIN_S,
    )
    stage.check("one batch, and no more", world.batches() == batches + 1, f"{world.batches() - batches}")
    stage.phases.enter("mended")
    stage.checks(*expect.nothing_moved(world, "mended"))
    state = world.state() or {}
    stage.check(
        "mended: nothing is left on record as drift", state.get("drift") == [], f"{state.get('drift')}"
    )
    stage.check(
        "mended: no cooldown, no budget",
        state.get("cooldown_until") is None and state.get("automatic_moves") == [],
    )
    stage.finish([], fail_only_in=("empty",), told=[TOLD])
