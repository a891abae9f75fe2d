"""Linode throttles, then fails, then takes half of the records while the primary is dead."""

from __future__ import annotations

from drill import layout
from drill.faults import Fault, FaultKind
from drill.measure import wall
from drill.outages import dead
from drill.stage import Stage
from drill.steady import wait_for

IN_TIME_S = 30.0


def run(stage: Stage) -> None:
    """Rehearse: Route 53 is switched in time, Linode's step stays open until Linode has recovered."""
    world = stage.world
    stage.begin()
    throttling = stage.disturb(
        "Linode answers 429 with Retry-After", Fault(FaultKind.THROTTLE, service="linode")
    )
    outage = stage.strike(f"everything in {layout.PRIMARY} hangs", dead(layout.PRIMARY))
    stage.wait("throttled: Linode is asked again after Retry-After", lambda: stage.hits(throttling) >= 2, 120)
    failing = stage.disturb("Linode answers 503", Fault(FaultKind.ERROR, service="linode", status=503))
    stage.lift(throttling, "Linode throttles no more")
    stage.wait("failing: somebody is told", lambda: stage.told("Linode's records are not switched"), 120)
    wait_for(lambda: stage.is_step("route53", "done"), 30)
    _stays_open(stage, "failing", "127.0.0.10", attempts=1)
    half = stage.disturb(
        "Linode takes the one record, and not the other",
        Fault(
            FaultKind.ERROR,
            service="linode",
            operation=f"PUT /domains/{layout.LINODE_DOMAIN_ID}/records/{world.linode_ids['shop']}",
        ),
    )
    stage.lift(failing, "Linode answers again, in part")
    stage.wait(
        "half: the first record is switched, the second is not",
        lambda: stage.hits(half) > 0 and stage.is_step("linode", "failed"),
        150,
    )
    _stays_open(stage, "half", "127.0.0.20", attempts=2)
    stage.lift(half, "Linode is well again")
    stage.await_failover(outage, within_s=180)
    repaired = stage.heal(outage, f"{layout.PRIMARY} is repaired")
    stage.await_failback(repaired)
    stage.finish(["failover", "failback"], told=["Linode's records are not switched yet"])


def _stays_open(stage: Stage, phase: str, app: str, *, attempts: int) -> None:
    """Assert that the zone's step was done in time, and what Linode's step and records look like."""
    steps = stage.open_steps()
    route53, linode = steps.get("route53", {}), steps.get("linode", {})
    started = wall(((stage.world.state() or {}).get("transition") or {}).get("started_at"))
    done = wall(route53.get("done_at"))
    took = done - started if done is not None and started is not None else None
    stage.check(
        f"{phase}: Route 53's step is done in time", took is not None and took < IN_TIME_S, f"{took} s"
    )
    stage.check(
        f"{phase}: Linode's step is open, and has failed",
        linode.get("status") == "failed" and linode.get("attempts", 0) >= attempts,
        f"{linode.get('status')} after {linode.get('attempts')} attempts: {linode.get('detail')}",
    )
    records = stage.world.records()
    found = [records[f"Linode A {name}"][0] for name in layout.LINODE_RECORDS]
    stage.check(f"{phase}: Linode's records are as they can be", found == [app, "127.0.0.10"], f"{found}")
