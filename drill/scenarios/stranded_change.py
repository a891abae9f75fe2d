"""Route 53 accepts the change and it stays PENDING: submitted again, told once, finished when it arrives."""

from __future__ import annotations

from collections.abc import Mapping

from drill import layout
from drill.exchanges import CHANGE_RECORDS, changes_in, moves_traffic
from drill.outages import dead, stranded_changes
from drill.stage import Stage

AFTER_S = 30.0


def policy() -> Mapping[str, str]:
    """Return what this plan has otherwise: its changes count as stranded soon."""
    return {"more_policy": f'stranded_after = "{AFTER_S:.0f}s"'}


def run(stage: Stage) -> None:
    """Rehearse: the answers are switched, the transition stays open until Route 53 says INSYNC."""
    world = stage.world
    stage.begin()
    batches = world.batches()
    stranded = stage.disturb("Route 53 leaves every change PENDING", stranded_changes())
    outage = stage.strike(f"everything in {layout.PRIMARY} hangs", dead(layout.PRIMARY))
    subject = f"zone {world.zone_id}: a change is stranded and was submitted again"
    stage.wait("stranded: it is told", lambda: stage.told(subject), 240)
    step = stage.open_steps().get("route53", {})
    stage.check(
        "stranded: the transition stays open, with the new change on record",
        step.get("status") == "doing" and bool(step.get("resent_at")),
        f"{step.get('status')}, sent {step.get('sent_at')}, again {step.get('resent_at')}",
    )
    stage.lift(stranded, "Route 53 brings changes everywhere again")
    stage.await_failover(outage, within_s=180)
    sent = [changes_in(e.body) for e in world.exchanges.of("route53", CHANGE_RECORDS) if e.accepted]
    after = sent[batches:]
    stage.check(
        "one batch moved the traffic, those that followed changed nothing",
        [moves_traffic(changes) for changes in after] == [True] + [False] * (len(after) - 1),
        f"{len(after)} batches",
    )
    stage.check("it was submitted again", len(after) > 1, f"{len(after)} batches")
    repaired = stage.heal(outage, f"{layout.PRIMARY} is repaired")
    stage.await_failback(repaired)
    stage.finish(["failover", "failback"], told=[subject])
