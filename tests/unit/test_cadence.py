"""When a plan is sampled within a minute, and how closely."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from region_failover.domain.cadence import (
    FULL_ROUND_WITHIN,
    is_calm,
    is_decided,
    is_due,
    is_spread,
    is_watched,
    offsets,
)
from region_failover.domain.plan import Regions, Sampling
from region_failover.domain.verdict import Health, HealthRecord, RegionHealth
from tests.fakes import EAST, NOON, WEST, health

S = timedelta(seconds=1)
REGIONS = Regions(EAST, WEST)
SAMPLING = Sampling()
W, D, X = Health.HEALTHY, Health.UNHEALTHY, Health.UNKNOWN


def every(*seconds: int) -> list[Sampling]:
    return [Sampling(every=number * S) for number in seconds]


@pytest.mark.parametrize(
    ("samplings", "due"),
    [
        pytest.param(every(15), (15, 30, 45), id="the default"),
        pytest.param(every(60), (), id="the tick is enough"),
        pytest.param(every(14), (), id="closer than that: the tick's own invocation stays"),
        pytest.param(every(25), (25, 50), id="no divisor of a minute"),
        pytest.param(every(15, 20), (15, 20, 30, 40, 45), id="two plans"),
        pytest.param([], (), id="no plan"),
    ],
)
def test_when_further_samples_are_due(samplings: list[Sampling], due: tuple[int, ...]) -> None:
    assert offsets(samplings) == due


def test_a_plan_is_sampled_at_its_own_times_only() -> None:
    fifteen, twenty, five = every(15, 20, 5)
    assert [offset for offset in (15, 20, 30, 40, 45) if is_due(fifteen, offset)] == [15, 30, 45]
    assert [offset for offset in (15, 20, 30, 40, 45) if is_due(twenty, offset)] == [20, 40]
    assert not is_due(five, 15)


@given(st.lists(st.integers(1, 60), max_size=5))
def test_every_spread_plan_has_its_samples_and_no_gap_is_longer_than_it_asks_for(seconds: list[int]) -> None:
    samplings = every(*seconds)
    due = offsets(samplings)
    for sampling in filter(is_spread, samplings):
        mine = [0, *(offset for offset in due if is_due(sampling, offset)), 60]
        gaps = [later - sooner for sooner, later in pairwise(mine)]
        assert max(gaps) <= sampling.every.total_seconds()


def record(east: RegionHealth | None, west: RegionHealth | None) -> HealthRecord:
    return HealthRecord("orders", 1, {r: h for r, h in ((EAST, east), (WEST, west)) if h})


def seen(found: Health, lasted: timedelta = 600 * S, ago: timedelta = 0 * S) -> RegionHealth:
    return health(found, NOON - ago - lasted, NOON - ago)


@pytest.mark.parametrize(
    ("found", "calm"),
    [
        pytest.param(record(seen(W), seen(W)), True, id="both well just now"),
        pytest.param(record(seen(W, ago=FULL_ROUND_WITHIN), seen(W)), True, id="just lately enough"),
        pytest.param(
            record(seen(W, ago=FULL_ROUND_WITHIN + S), seen(W)), False, id="the last tick is missing"
        ),
        pytest.param(record(seen(D), seen(W)), False, id="the primary is down"),
        pytest.param(record(seen(W), seen(X)), False, id="the standby is not known"),
        pytest.param(record(seen(W), None), False, id="one never seen"),
        pytest.param(record(seen(W, ago=-60 * S), seen(W)), False, id="a clock far ahead"),
        pytest.param(None, False, id="nothing on record"),
    ],
)
def test_a_glance_will_do_while_all_was_well_until_now(found: HealthRecord | None, calm: bool) -> None:
    assert is_calm(found, REGIONS, NOON) is calm


@pytest.mark.parametrize(
    ("found", "decided"),
    [
        pytest.param(record(seen(W), seen(W)), True, id="both well"),
        pytest.param(record(seen(D, 59 * S), seen(W)), False, id="down, not for long enough"),
        pytest.param(record(seen(D, 60 * S), seen(W)), True, id="down, for long enough"),
        pytest.param(record(seen(W), seen(X, 59 * S)), False, id="unknown, not for long"),
        pytest.param(
            record(seen(W), seen(X, 60 * S)), True, id="unknown for as long: quick samples do not help"
        ),
        pytest.param(record(seen(W), None), False, id="one never seen"),
        pytest.param(None, False, id="nothing on record"),
    ],
)
def test_quick_samples_are_taken_until_it_is_decided(found: HealthRecord | None, decided: bool) -> None:
    assert is_decided(found, REGIONS, SAMPLING) is decided


@pytest.mark.parametrize(
    ("found", "watched"),
    [
        pytest.param(record(seen(D, 20 * S, 9 * S), seen(W, ago=9 * S)), True, id="another is at it"),
        pytest.param(record(seen(D, 20 * S, 10 * S), seen(W, ago=10 * S)), False, id="it has stopped"),
        pytest.param(record(seen(W), seen(W)), False, id="all well: each takes its own"),
        pytest.param(record(seen(D, 60 * S), seen(W)), False, id="decided: each takes its own"),
        pytest.param(None, False, id="nothing on record"),
    ],
)
def test_one_invocation_takes_the_quick_samples(found: HealthRecord | None, watched: bool) -> None:
    assert is_watched(found, REGIONS, SAMPLING, NOON) is watched
