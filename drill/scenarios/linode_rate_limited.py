"""Linode takes few requests at a time while the primary is dead; no 429 is ignored."""

from __future__ import annotations

from drill import layout
from drill.linode_api import Limits
from drill.outages import dead
from drill.stage import Stage

# Of all requests, and of lists: less than one run of `linode_dns` asks for, so that it has to wait.
FEW = Limits(requests=2, window_s=10.0, collection_requests=1, collection_window_s=10.0)


def run(stage: Stage) -> None:
    """Rehearse: the limit is met, waited out as long as Linode asks, and both records are switched."""
    api = stage.world.linode
    stage.begin()
    api.limit(FEW)
    stage.world.journal.note(f"Linode takes {FEW.requests} requests in {FEW.window_s:.0f} s")
    outage = stage.strike(f"everything in {layout.PRIMARY} hangs", dead(layout.PRIMARY))
    stage.wait("limited: the failover is complete all the same", lambda: stage.completed(1), 240)
    stage.await_failover(outage, within_s=240)
    asked = [request.status for request in api.requests]
    written = [r.path for r in api.requests if r.method == "PUT" and r.status == 200]
    stage.check("limited: no request came sooner than Linode had asked", api.early == 0, f"{api.early} did")
    stage.check("limited: each record was written once", len(written) == len(set(written)) == 2, f"{written}")
    stage.check("limited: it was met, or foreseen", len(asked) > FEW.requests, f"{asked}")
    api.limit(Limits())
    repaired = stage.heal(outage, f"{layout.PRIMARY} is repaired")
    stage.await_failback(repaired)
    stage.finish(["failover", "failback"])
