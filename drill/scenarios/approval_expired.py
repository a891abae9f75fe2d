"""Nobody answers a proposed failback: silence is no, and a late yes is worth nothing."""

from __future__ import annotations

from drill import events, layout
from drill.outages import dead
from drill.stage import Stage

EXPIRES_S = 60.0  # the plan's approval_expires
BY = "the rehearsal's operator"


def run(stage: Stage) -> None:
    """Rehearse: proposed, expired, a late yes refused; proposed anew, rejected: the traffic stays."""
    stage.begin()
    outage = stage.strike(f"everything in {layout.PRIMARY} hangs", dead(layout.PRIMARY))
    stage.await_failover(outage)
    stage.heal(outage, f"{layout.PRIMARY} is repaired")
    first = stage.await_proposal()
    second = stage.await_proposal(other_than=first, within_s=EXPIRES_S + 90)
    stage.stays_at_standby("expired: silence is no", 1)
    stage.operate("approve", "a late yes", refused=f"the one that waits is {second}", proposal=first, by=BY)
    stage.operate("reject", "a no", proposal=second, by=BY)
    stage.ask("Failback", events.schedule(), "rejected", "rejected", what="a tick")
    stage.stays_at_standby("rejected: nothing moves", 1)
    told = [*stage.proposal_mails(first), *stage.proposal_mails(second, "rejected")]
    stage.finish(["failover"], region=layout.STANDBY, told=told)
