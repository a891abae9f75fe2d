"""The primary is well again, and the plan wants a human's yes before the traffic returns."""

from __future__ import annotations

from drill import layout
from drill.outages import dead
from drill.stage import Stage

WATCHED_S = 10.0
BY = "the rehearsal's operator"


def run(stage: Stage) -> None:
    """Rehearse: proposed; nothing moves without a yes; a yes to something else is refused; approved: home."""
    world = stage.world
    stage.begin()
    outage = stage.strike(f"everything in {layout.PRIMARY} hangs", dead(layout.PRIMARY))
    stage.await_failover(outage)
    repaired = stage.heal(outage, f"{layout.PRIMARY} is repaired")
    proposal = stage.await_proposal()
    stage.stay(WATCHED_S)
    stage.stays_at_standby("proposed: nothing moves without a yes", 1)
    stage.operate(
        "approve", "a yes to another proposal", refused="there is no proposal", proposal="0" * 16, by=BY
    )
    stage.operate("approve", "a yes", proposal=proposal, by=BY)
    stage.await_failback(repaired)
    stage.operate("approve", "a second yes", refused="none waits", proposal=proposal, by=BY)
    reasons = [d["reason"] for d in world.decisions() if d.get("action") == "move"]
    stage.check("the failback was approved, by the record", reasons[-1:] == ["approved"], f"{reasons}")
    stage.finish(["failover", "failback"], told=stage.proposal_mails(proposal, "approved"))
