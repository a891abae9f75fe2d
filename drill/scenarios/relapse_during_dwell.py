"""The primary looks well, is proposed and approved, and fails again before the traffic returns."""

from __future__ import annotations

from drill import layout
from drill.outages import dead
from drill.stage import Stage

BY = "the rehearsal's operator"


def run(stage: Stage) -> None:
    """Rehearse: proposed; a relapse withdraws it, a yes is refused; settled again: proposed anew, home."""
    stage.begin()
    outage = stage.strike(f"everything in {layout.PRIMARY} hangs", dead(layout.PRIMARY))
    stage.await_failover(outage)
    stage.heal(outage, f"{layout.PRIMARY} is repaired")
    first = stage.await_proposal()
    relapse = stage.disturb(f"{layout.PRIMARY} hangs once more", dead(layout.PRIMARY))
    stage.wait("relapse: the proposal is withdrawn", lambda: stage.told(f"{first} is withdrawn"), 120)
    stage.lift(relapse, f"{layout.PRIMARY} is repaired again")
    stage.operate("approve", "a yes to the old one", refused="there is no proposal", proposal=first, by=BY)
    stage.stays_at_standby("relapse: nothing moves", 1)
    repaired = relapse.at
    second = stage.await_proposal(other_than=first)
    stage.operate("approve", "a yes", proposal=second, by=BY)
    stage.await_failback(repaired)
    told = [
        *stage.proposal_mails(first, "withdrawn"),
        *stage.proposal_mails(second, "approved"),
    ]
    stage.finish(["failover", "failback"], told=told)
