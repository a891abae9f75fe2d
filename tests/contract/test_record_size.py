"""The record must stay writable: DynamoDB refuses an item above 400 KB, and without a record nothing moves.

(Amazon DynamoDB Developer Guide, "Constraints": 400 KB an item, attribute names and UTF-8 values included.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from region_failover.domain.codec import dump
from region_failover.domain.drift import KEPT, LONGEST
from region_failover.domain.drifted import Drifted, DriftKind
from region_failover.domain.journal import (
    OUTBOX_KEPT,
    REQUESTS_KEPT,
    Claim,
    add_notice,
    claim,
    complete,
    drop_notice,
    finish_step,
    mark_sent,
    notice_of,
    start_steps,
)
from region_failover.domain.plan import Plan
from region_failover.domain.plan_file import MOST_RECORDS
from region_failover.domain.state import (
    Direction,
    Notice,
    PlanState,
    StepKind,
    StepStatus,
    initial_state,
)
from region_failover.domain.zone import ZoneSnapshot, wanted
from region_failover.service.switches import plan_steps
from tests.fakes import EAST, NOON, PLAN, WEST, ZONE

ITEM_LIMIT = 400 * 1024
FAR_BELOW = ITEM_LIMIT // 3
HOUR = timedelta(hours=1)
LONG = "x" * 1000  # the longest detail that an adapter hands on is 300 characters, a notice's text about this

# Route 53 takes 1,000 ResourceRecord elements a batch; the fence takes two, each record two.
RECORDS_A_ZONE = 499


def size(state: PlanState) -> int:
    return len(dump(state).encode())


def full_plan(zones: int = 1, records: int = 20) -> Plan:
    """A plan of so many zones with so many records each, names of 60 characters."""
    one = PLAN.route53_records[0]
    made = tuple(
        replace(one, zone_id=f"{ZONE}{z}", name=f"{'n' * 44}{z:02d}{r:04d}.example.com")
        for z in range(zones)
        for r in range(records)
    )
    return replace(PLAN, route53_records=made)


def snapshot(plan: Plan, zone_id: str) -> str:
    return ZoneSnapshot(
        None, tuple(wanted(r, plan.regions.role(EAST)) for r in plan.zones()[zone_id])
    ).to_json()


def move(state: PlanState, plan: Plan, at: datetime, keep: Callable[[PlanState], None]) -> PlanState:
    """One whole transition whose every step failed once, told of and sent; `keep` sees every record."""
    target = WEST if state.active == EAST else EAST
    request = Claim(
        Direction.FAILOVER,
        state.active,
        target,
        LONG,
        manual=True,
        owner="failover:" + "a" * 36,
        steps=plan_steps(plan),
        verified_at=at,
        detected_at=at,
        request=f"request-{at.isoformat()}-{'b' * 36}",
    )
    found = claim(state, request, at)
    assert found is not None
    epoch, steps = found.epoch, plan_steps(plan)
    before = {s.key: snapshot(plan, s.subject) if s.kind is StepKind.ROUTE53 else EAST for s in steps}
    found = start_steps(found, epoch, request.owner, before, at)
    for step in steps:
        for status in (StepStatus.FAILED, StepStatus.OWED):
            assert found is not None
            notice = Notice(f"zone failed {epoch} {step.key}", LONG[:100], LONG, at)
            found = add_notice(found, notice, HOUR) or found
            keep(found)
            found = mark_sent(found, epoch, step.key, "C" * 32, at)
            assert found is not None
            found = finish_step(found, epoch, step.key, status, LONG[:300], at)
            assert found is not None
            found = drop_notice(found, notice) or found
    assert found is not None
    ended = complete(found, epoch, HOUR, at)
    assert ended is not None
    keep(ended[0])
    return ended[0]


def test_the_record_of_a_plan_that_has_moved_for_years_is_no_larger() -> None:
    sizes: list[int] = []
    state, plan = initial_state("orders", 0, EAST), full_plan()
    for number in range(3 * REQUESTS_KEPT):
        state = move(state, plan, NOON + number * HOUR, lambda seen: sizes.append(size(seen)))
    half = len(sizes) // 2
    assert max(sizes[half:]) <= max(sizes[:half]) + 200  # longer numbers, nothing else
    assert max(sizes) < FAR_BELOW


def test_the_record_holds_the_largest_batch_that_route53_takes() -> None:
    sizes: list[int] = []
    move(
        initial_state("orders", 0, EAST), full_plan(1, RECORDS_A_ZONE), NOON, lambda s: sizes.append(size(s))
    )
    assert max(sizes) < ITEM_LIMIT // 2


def test_no_plan_that_is_accepted_is_too_large_for_its_record() -> None:
    sizes: list[int] = []
    plan = full_plan(3, MOST_RECORDS // 3)
    full = initial_state("orders", 0, EAST)
    for number in range(2 * OUTBOX_KEPT):
        full = add_notice(full, notice_of(f"notice {number}", LONG[:99], LONG, NOON), HOUR) or full
    one = Drifted(LONG[:300], DriftKind.FOREIGN, LONG[:LONGEST], LONG[:LONGEST], NOON, LONG[:LONGEST])
    full = replace(full, drift=(one,) * KEPT, repairs=(NOON,) * 3, last_change=LONG[:400])
    move(full, plan, NOON, lambda s: sizes.append(size(s)))
    assert max(sizes) < ITEM_LIMIT


def test_a_thousand_records_cost_a_move_little_more_than_a_few() -> None:
    """Every change of the record writes all of it, a write unit a kilobyte."""
    sizes: dict[int, list[int]] = {20: [], MOST_RECORDS: []}
    for records, found in sizes.items():
        plan = full_plan(3, records // 3)
        move(initial_state("orders", 0, EAST), plan, NOON, lambda s, found=found: found.append(size(s)))  # type: ignore[misc]
    assert max(sizes[MOST_RECORDS]) < max(sizes[20]) + 32 * 1024


def test_a_topic_that_refuses_everything_for_a_month_does_not_fill_the_record() -> None:
    state = initial_state("orders", 0, EAST)
    for hour in range(24 * 30):
        notice = notice_of("observer-fault", LONG[:99], LONG * 9, NOON + hour * HOUR)
        state = add_notice(state, notice, HOUR) or state
    assert len(state.outbox) == OUTBOX_KEPT
    assert state.outbox[-1].at == NOON + (24 * 30 - 1) * HOUR
    assert size(state) < FAR_BELOW
