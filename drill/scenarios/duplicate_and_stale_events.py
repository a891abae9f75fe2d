"""One outage, and every way in which its news can arrive twice, late or wrong: one transition."""

from __future__ import annotations

from drill import events, expect, layout
from drill.outages import dead
from drill.stage import Stage
from drill.steady import wait_for

TOO_OLD_S = 3600.0  # the stack's maximum age is 900 s
WATCHED_S = 8.0


def run(stage: Stage) -> None:
    """Rehearse: alarm five times at once, Region Unhealthy twice, stale news, an OK, a late request."""
    world = stage.world
    stage.begin()
    batches = world.batches()
    outage = stage.strike(f"everything in {layout.PRIMARY} hangs", dead(layout.PRIMARY))
    world.invoke("Failover", events.alarm("too-old", age_s=TOO_OLD_S), wait=False)
    world.invoke("Failover", events.alarm("all-is-well", state="OK"), wait=False)
    stage.wait("outage: decided", lambda: stage.is_decided(layout.PRIMARY), 120)
    unhealthy = events.own("unhealthy", "Region Unhealthy", _detail(epoch=0))
    for _ in range(5):
        world.invoke("Failover", events.alarm("five-times"), wait=False)
    for _ in range(2):
        world.invoke("Failover", unhealthy, wait=False)
    stage.await_failover(outage)
    asked = len(world.linode.requests)
    request = events.own("late", "Traffic Switch Requested", _detail(epoch=1))
    answers = [world.invoke("LinodeDns", request) for _ in range(2)]
    stage.check(  # shortly after a move it is a reason to look for late writes, and finds none
        "a switch request delivered again only looks",
        all(a and a[0].get("status") == "looked at again" and not a[0]["detail"] for a in answers),
        f"{answers}"[:300],
    )
    written = [r for r in world.linode.requests[asked:] if r.method != "GET"]
    stage.check("and writes nothing at Linode", not written)
    stage.stay(WATCHED_S)
    _one_effect(stage, world.batches() - batches)
    repaired = stage.heal(outage, f"{layout.PRIMARY} is repaired")
    stage.await_failback(repaired)
    stage.finish(["failover", "failback"])


def _detail(epoch: int) -> dict[str, object]:
    return {
        "plan": layout.PLAN,
        "epoch": epoch,
        "direction": "failover",
        "from": layout.PRIMARY,
        "to": layout.STANDBY,
        "reason": "delivered again",
        "at": "",
    }


def _one_effect(stage: Stage, batches: int) -> None:
    """Assert one transition, one batch, and a recorded reason for every event."""
    world = stage.world
    wait_for(lambda: len(_deliveries(stage, "five-times")) >= 5, 60)
    stage.checks(expect.transitions_are(world, "during", ["failover"]))
    stage.check("during: Route 53 accepted exactly one batch", batches == 1, f"{batches}")
    for event, reason in (("too-old", "stale-event"), ("all-is-well", "not-in-alarm")):
        reasons = [d["reason"] for d in expect.decisions(world, event=event)]
        stage.check(f"during: the event {event} is held: {reason}", reasons == [reason], f"{reasons}")
    for event, times in (("five-times", 5), ("unhealthy", 2)):
        reasons = _deliveries(stage, event)
        stage.check(f"during: {event}: each delivery is on record", len(reasons) == times, ", ".join(reasons))


def _deliveries(stage: Stage, event: str) -> list[str]:
    """Return the reason on record for each delivery.

    Who decides to move and is late says so once more; who finds the fence ahead before its claim only that.
    """
    reasons = sorted(str(d["reason"]) for d in expect.decisions(stage.world, event=event))
    again = max(reasons.count("region-down") - 1, 0)
    lost = reasons.count("lost-the-claim") - again
    return [reason for reason in reasons if reason != "lost-the-claim"] + ["lost-the-claim"] * lost
