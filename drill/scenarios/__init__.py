"""The outages that can be rehearsed: one table, in the order in which `all` takes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from drill.scenarios import (
    approval,
    approval_expired,
    both_down,
    brown_out,
    dns_empty,
    duplicate_and_stale_events,
    empty_answer,
    flapping,
    foreign_edit,
    gray_writes,
    half_applied_linode,
    linode_down,
    linode_rate_limited,
    many_records,
    no_alarms,
    observer_cut_off,
    observer_denied,
    partition_43s,
    region_outage,
    relapse_during_dwell,
    replication_paused,
    route53_down,
    route53_down_data_plane,
    secondary_outage,
    slow_primary,
    standby_sick,
    state_table_down,
    stepwise_failback,
    stranded_change,
    two_vantage_points,
    window,
    worker_frozen,
    worker_killed,
)
from drill.stage import Stage
from drill.world import REAL_TIMES


@dataclass(frozen=True, slots=True)
class Scenario:
    """One outage: what runs it, and in a line what breaks and what must happen.

    `policy`: what its plan has otherwise, as `drill/plan.toml.in` names it.
    """

    run: Callable[[Stage], None]
    about: str
    policy: Callable[[], Mapping[str, str]] = dict


SCENARIOS: dict[str, Scenario] = {
    "region-outage": Scenario(
        region_outage.run, "the primary becomes a black hole: over to the standby, and home after the repair"
    ),
    "observer-denied": Scenario(
        observer_denied.run, "our own roles lose access, both Regions are well: nothing moves, one notice"
    ),
    "brown-out": Scenario(
        brown_out.run, "the primary is gone for less than confirm_for: seen, and nothing moves"
    ),
    "both-down": Scenario(
        both_down.run, "the application is down in both Regions: nothing moves, said aloud once"
    ),
    "gray-writes": Scenario(
        gray_writes.run, "the primary's writes fail, its reads are fine: over to the standby, and home"
    ),
    "no-alarms": Scenario(
        no_alarms.run, "the primary dies and no alarm is heard: the probe alone moves the traffic"
    ),
    "duplicate-and-stale-events": Scenario(
        duplicate_and_stale_events.run, "news of one outage comes many times, late and wrong: one transition"
    ),
    "standby-sick": Scenario(
        standby_sick.run, "the standby is sick when the primary dies: no move before it is verified"
    ),
    "secondary-outage": Scenario(
        secondary_outage.run, "the standby's application dies when the primary is back: a failover home"
    ),
    "state-table-down": Scenario(
        state_table_down.run, "the state table hangs when the primary dies: nothing half done, then over"
    ),
    "route53-down": Scenario(
        route53_down.run, "Route 53 refuses changes: the transition stays open, and ticks finish it"
    ),
    "route53-down-data-plane": Scenario(
        route53_down_data_plane.run,
        "Route 53's control plane refuses: the data plane moves the traffic all the same, records follow",
        route53_down_data_plane.policy,
    ),
    "stranded-change": Scenario(
        stranded_change.run,
        "Route 53 accepts the change, and it stays PENDING: submitted again, told once, finished",
        stranded_change.policy,
    ),
    "many-records": Scenario(
        many_records.run,
        "a thousand records in three zones: three batches each way, within seconds",
        many_records.policy,
    ),
    "linode-down": Scenario(
        linode_down.run, "Linode throttles, fails, takes half: Route 53 is in time, ticks finish the rest"
    ),
    "linode-rate-limited": Scenario(
        linode_rate_limited.run, "Linode takes few requests at a time: each wait it asks for is kept"
    ),
    "half-applied-linode": Scenario(
        half_applied_linode.run, "linode_dns dies with one of two records written: a tick writes the other"
    ),
    "flapping": Scenario(
        flapping.run,
        "the primary goes up and down twenty times: one transition per cooldown at most",
        flapping.policy,
    ),
    "dns-empty": Scenario(
        dns_empty.run, "the primary's names resolve to nothing (2025-10-20): over, and home once they do"
    ),
    "replication-paused": Scenario(
        replication_paused.run,
        "the primary is well again, its data behind: no failback until it caught up",
    ),
    "worker-killed": Scenario(
        worker_killed.run, "the failover dies between its change and the record of it: a tick completes it"
    ),
    "slow-primary": Scenario(
        slow_primary.run,
        "the primary is well and slow: told, and left, because this plan says so; no request fails",
        slow_primary.policy,
    ),
    "two-vantage-points": Scenario(
        two_vantage_points.run,
        "the primary dies, at the product's own pace: two places decide within 35 s",
        lambda: REAL_TIMES,
    ),
    "partition-43s": Scenario(
        partition_43s.run,
        "the control Region alone loses the primary, for 43 s and for longer: nothing moves",
        lambda: REAL_TIMES,
    ),
    "observer-cut-off": Scenario(
        observer_cut_off.run,
        "the control Region loses the primary and the world: its control target says so, nothing moves",
        observer_cut_off.policy,
    ),
    "approval": Scenario(
        approval.run,
        "the failback waits for a human: proposed, refused without a yes, approved, done once",
        lambda: {"failback": "approval"},
    ),
    "approval-expired": Scenario(
        approval_expired.run,
        "nobody answers in time: the answer that comes late is refused, and it is proposed anew",
        lambda: {"failback": "approval", "more_policy": 'approval_expires = "1m"'},
    ),
    "window": Scenario(
        window.run,
        "the plan's failback window is closed: settled, and no move until it opens",
        window.policy,
    ),
    "stepwise-failback": Scenario(
        stepwise_failback.run,
        "the failback goes by 10, 50 and 100 %: taken back at the first bad sample, then home step by step",
        stepwise_failback.policy,
    ),
    "relapse-during-dwell": Scenario(
        relapse_during_dwell.run,
        "the primary relapses while its failback waits for approval: withdrawn, proposed anew",
        lambda: {"failback": "approval"},
    ),
    "empty-answer": Scenario(
        empty_answer.run, "somebody deletes the record: a tick writes it back by itself, and nothing moves"
    ),
    "foreign-edit": Scenario(
        foreign_edit.run,
        "somebody changes the record: told, not fought, restored by a human; moved by one, and adopted",
    ),
    "worker-frozen": Scenario(
        worker_frozen.run, "a frozen failover comes back an epoch later: Route 53 itself refuses its change"
    ),
}
