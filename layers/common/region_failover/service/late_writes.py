"""Say when what a failover left behind arrives after all."""

from __future__ import annotations

from region_failover.domain.plan import Plan
from region_failover.domain.replication import has_caught_up, is_late, settle_unreplicated
from region_failover.domain.state import PlanState, Unreplicated
from region_failover.ports import Ports
from region_failover.service.observe import Observation, pair
from region_failover.service.record import Words, change_and_tell


def tell_late_writes(ports: Ports, plan: Plan, state: PlanState, seen: Observation) -> None:
    """Tell once, when the Region that was left replicates again, what that may have overwritten."""
    left = state.unreplicated
    if left is None or not has_caught_up(left, seen.lags.get(pair(left.source, left.target)), seen.at):
        return
    words = _words(plan, left) if is_late(left, plan.policy.max_replication_lag) else None
    change_and_tell(ports, plan, lambda found: settle_unreplicated(found, left), lambda _: words)


def _words(plan: Plan, left: Unreplicated) -> Words:
    loss = "an unknown time" if left.loss_s is None else f"about the last {left.loss_s:.0f} s"
    return (
        f"late writes {left.epoch}",
        f"[{plan.name}] {left.source} replicates again: late writes arrive",
        f"What was written in {left.source} within {loss} before the failover of"
        f" {left.at:%Y-%m-%d %H:%M:%S} UTC (epoch {left.epoch}) was missing in {left.target}. It has arrived"
        " there, or arrives within seconds.\n"
        "Item by item the newest timestamp wins: an item that nobody has written since then is there now;"
        " where somebody has, the late write is lost.\n"
        "docs/runbook.md, 'Late writes', says what to compare.",
    )
