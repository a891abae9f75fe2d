"""Clocks that are wrong: set back, standing still, ahead of others. None may make a claim look younger."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from region_failover.adapters.system import SystemClock
from region_failover.domain.journal import Claim, claim, claim_step, take_over
from region_failover.domain.state import (
    CLOCKS_AGREE,
    LEASE,
    STEP_LEASE,
    VERIFIED_WITHIN,
    Direction,
    PlanState,
    Step,
    StepKind,
    initial_state,
    is_recent,
)
from region_failover.domain.verdict import MAX_GAP, Health, Sample, add_sample, is_settled
from tests.fakes import EAST, NOON, WEST, health

S = timedelta(seconds=1)
AHEAD = CLOCKS_AGREE + S
LINODE = Step(StepKind.LINODE, "records")


class Machine:
    """A machine's two clocks."""

    def __init__(self) -> None:
        self.wall = NOON
        self.monotonic_s = 1000.0

    def clock(self) -> SystemClock:
        return SystemClock(lambda: self.wall, lambda: self.monotonic_s)


def test_an_invocations_clock_never_runs_back() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall, machine.monotonic_s = NOON - timedelta(hours=1), 1040.0
    assert clock.now() == NOON + 40 * S


def test_a_machine_that_was_suspended_has_aged() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall, machine.monotonic_s = NOON + 400 * S, 1001.0
    assert clock.now() == NOON + 400 * S
    machine.wall = NOON + 300 * S
    assert clock.now() == NOON + 400 * S


def moving(owner: str = "a", at: datetime = NOON) -> PlanState:
    request = Claim(Direction.FAILOVER, EAST, WEST, "down", False, owner, (LINODE,), verified_at=at)
    claimed = claim(initial_state("orders", 0, EAST), request, at)
    assert claimed is not None
    return claimed


def test_a_lease_is_held_until_it_ends() -> None:
    assert take_over(moving(), "b", NOON + LEASE - S) is None
    assert take_over(moving(), "b", NOON + LEASE) is not None


def test_a_lease_that_ends_later_than_any_lease_can_is_not_believed() -> None:
    assert take_over(moving(at=NOON + CLOCKS_AGREE), "b", NOON) is None
    assert take_over(moving(at=NOON + AHEAD), "b", NOON) is not None


def test_a_step_claimed_by_a_clock_far_ahead_is_to_be_had() -> None:
    def taken_at(ahead: timedelta) -> PlanState | None:
        first = claim_step(moving(), 1, LINODE.key, "one", "", NOON)
        assert first is not None
        assert first.transition is not None
        step = replace(first.transition.steps[0], claimed_until=NOON + ahead + STEP_LEASE)
        held = replace(first, transition=first.transition.with_step(step))
        return claim_step(held, 1, LINODE.key, "two", "", NOON)

    assert taken_at(timedelta(0)) is None
    assert taken_at(CLOCKS_AGREE) is None
    assert taken_at(AHEAD) is not None


@pytest.mark.parametrize(
    ("at", "claimed"),
    [
        (NOON - VERIFIED_WITHIN - S, False),
        (NOON - VERIFIED_WITHIN, True),
        (NOON + CLOCKS_AGREE, True),
        (NOON + AHEAD, False),
    ],
)
def test_a_step_is_claimed_only_on_a_credibly_fresh_verification(at: datetime, claimed: bool) -> None:
    found = claim_step(moving(at=at), 1, LINODE.key, "two", "", NOON)
    assert (found is not None) == claimed


def test_samples_of_a_clock_far_ahead_are_forgotten_and_those_of_one_nearly_right_kept() -> None:
    sample = Sample(EAST, NOON, Health.UNHEALTHY)
    near = health(Health.HEALTHY, NOON, NOON + CLOCKS_AGREE)
    far = health(Health.HEALTHY, NOON, NOON + AHEAD)
    assert add_sample(near, sample, 5, NOON) == near
    fresh = add_sample(far, sample, 5, NOON)
    assert (fresh.health, fresh.since, fresh.recent) == (Health.UNHEALTHY, NOON, (Health.UNHEALTHY,))


def test_a_region_seen_healthy_only_in_the_future_is_not_settled() -> None:
    known = health(Health.HEALTHY, NOON - 30 * 60 * S, NOON)
    assert is_settled(known, NOON - CLOCKS_AGREE, 20 * 60 * S)
    assert not is_settled(known, NOON - AHEAD, 20 * 60 * S)
    assert is_settled(known, NOON + MAX_GAP, 20 * 60 * S)
    assert not is_settled(known, NOON + MAX_GAP + S, 20 * 60 * S)


def test_recent_is_within_the_limit_and_not_far_ahead() -> None:
    ages = (-AHEAD, -CLOCKS_AGREE, timedelta(0), 10 * S, 11 * S)
    assert [is_recent(NOON - age, NOON, 10 * S) for age in ages] == [False, True, True, True, False]


@pytest.mark.parametrize(
    ("age", "claimed"), [(VERIFIED_WITHIN, True), (VERIFIED_WITHIN + S, False), (-AHEAD, False)]
)
def test_a_transition_is_claimed_only_on_a_credibly_fresh_verification(age: timedelta, claimed: bool) -> None:
    request = Claim(Direction.FAILOVER, EAST, WEST, "down", False, "a", (LINODE,), verified_at=NOON - age)
    assert (claim(initial_state("orders", 0, EAST), request, NOON) is not None) == claimed
