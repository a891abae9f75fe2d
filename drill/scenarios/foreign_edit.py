"""Somebody changes the record by hand: it is not fought. A human restores it; or has moved it, and adopts."""

from __future__ import annotations

import json

from drill import expect, layout
from drill.measure import served_by
from drill.stage import Stage

FROZEN = "is frozen: somebody has changed what it switches"
RESTORED = "restored by hand"
BY = "the rehearsal's operator"
WITHIN_S = 150.0
WATCHED_S = 65.0  # one more tick at least


def run(stage: Stage) -> None:
    """Rehearse: frozen, told, left alone, restored by a human; moved by a human, adopted; home by itself."""
    world = stage.world
    stage.begin()
    batches = world.batches()
    stage.strike(
        f"somebody points {layout.API_NAME} at {layout.NOWHERE}, which is in no plan", phase="edited"
    )
    world.edit_record(layout.NOWHERE)
    stage.say("the record is somebody else's; waiting for the next tick")
    stage.wait("edited: it is told", lambda: stage.told(FROZEN), WITHIN_S)
    seen = _status(stage)
    stage.check("edited: the status says frozen", bool(seen.get("frozen")), json.dumps(seen.get("drift")))
    stage.stay(WATCHED_S)
    stage.check("edited: nothing is overwritten", world.batches() == batches, f"{world.batches() - batches}")
    _refused(stage, str(seen.get("drift_checksum")))
    _choose(stage, "restore", "restored", expect=str(seen.get("drift_checksum")))
    stage.wait(
        "restored: the client is served by the primary again",
        lambda: served_by(world.clients["orders"].answers()) == layout.PRIMARY,
        60,
    )
    stage.phases.enter("restored")
    stage.checks(*expect.nothing_moved(world, "restored"))
    stage.served_steadily("restored", layout.PRIMARY)
    _moved_by_hand(stage)
    stage.finish(["failover", "failback"], fail_only_in=("edited",), told=[FROZEN, RESTORED, FROZEN])


def _moved_by_hand(stage: Stage) -> None:
    """A human moves the record to the standby; the plan follows, with all of it, and comes home."""
    world = stage.world
    stage.strike(f"a human points {layout.API_NAME} at {layout.STANDBY}", phase="moved by hand")
    world.edit_record(layout.STANDBY_ADDRESS)
    stage.wait("moved by hand: it is told", lambda: len(_told_frozen(stage)) == 2, WITHIN_S)
    before = world.state() or {}
    stage.check("moved by hand: the record names the primary still", before.get("active") == layout.PRIMARY)
    answer = _choose(stage, "adopt", "operator-asked")
    stage.wait("adopted: the failover is complete", lambda: stage.completed(1), 60)
    stage.checks(expect.points_at(world, "adopted", layout.STANDBY, 1))
    stage.check("adopted: by a human's word", "adopted by" in json.dumps(answer), json.dumps(answer))
    home = stage.phases.enter("adopted")
    stage.await_failback(home)


def _told_frozen(stage: Stage) -> list[str]:
    return [mail["Subject"] for mail in stage.world.notifications() if FROZEN in mail["Subject"]]


def _status(stage: Stage) -> dict[str, object]:
    answer = stage.world.invoke("Operator", {"action": "status", "plan": layout.PLAN, "by": BY})
    return dict(answer["plans"][0])


def _refused(stage: Stage, seen: str) -> None:
    """Assert that what is not exactly meant has no effect."""
    world = stage.world
    request = {"action": "restore", "plan": layout.PLAN, "reason": "a rehearsal", "by": BY}
    wrong = {
        "sent to the failover function": (
            "Failover",
            {**request, "expect": seen},
            "does not start a failover",
        ),
        "with an empty checksum": ("Failback", {**request, "expect": ""}, "'expect' is ''"),
        "with another checksum": ("Failback", {**request, "expect": "0" * 16}, "changed-since"),
    }
    for what, (function, event, words) in wrong.items():
        said = json.dumps(world.invoke(function, event))
        stage.check(f"restore {what} is refused", words in said, said[:300])
    stage.checks(*[check for check in expect.nothing_moved(world, "refused") if "transition" in check.name])
    found = world.records()["Route 53 A"]
    stage.check("refused: the record is as the human left it", found == [layout.NOWHERE], f"{found}")


def _choose(stage: Stage, action: str, reason: str, **more: str) -> object:
    event = {"action": action, "plan": layout.PLAN, "reason": "a rehearsal", "by": BY, **more}
    answer = stage.world.invoke("Failback", event)
    ok = isinstance(answer, list) and [d["reason"] for d in answer] == [reason]
    stage.check(f"{action}: {reason}", ok, json.dumps(answer))
    return answer
