"""Slow, or failing now and then: what is kept of it, and when it is too much."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from region_failover.domain.codec import dump, load_health
from region_failover.domain.degradation import (
    KEPT,
    Degraded,
    Wear,
    degraded,
    describe,
    has_to_be_told,
    is_bad,
    is_degraded,
    is_slow,
    mark,
    wear,
)
from region_failover.domain.plan import Degradation, DegradationMode, Plan
from region_failover.domain.vantage import add_view
from region_failover.domain.verdict import Health, HealthRecord, Minute, RegionHealth, Sample, add_round
from tests.fakes import EAST, NOON, PLAN, WEST, health

S, M = timedelta(seconds=1), timedelta(minutes=1)
RULE = Degradation()
LEAVES = replace(PLAN, degradation=replace(RULE, action=DegradationMode.FAILOVER))
W, D, X = Health.HEALTHY, Health.UNHEALTHY, Health.UNKNOWN


def sample(
    latency_s: float = 0.2, found: Health = W, at: timedelta = 0 * S, region: str = EAST, **more: object
) -> Sample:
    return Sample(region, NOON + at, found, latency_s=latency_s, **more)  # type: ignore[arg-type]


def played(*samples: Sample, plan: Plan = PLAN) -> HealthRecord:
    """Return the record after these samples."""
    record = HealthRecord("orders")
    for one in samples:
        record = mark(add_round(record, [one], {}, 5, one.at), [one], plan)
    return record


def worn(*minutes: Minute, usual_s: float = 0.2) -> RegionHealth:
    return replace(health(W, NOON - 600 * S, NOON), usual_s=usual_s, minutes=minutes)


def minute(ago: int, slow: int = 0, bad: int = 0, seen: int = 4) -> Minute:
    return Minute(NOON - ago * M, slow, bad, seen)


# one sample


@pytest.mark.parametrize(
    ("usual_s", "latency_s", "slow"),
    [
        pytest.param(0.2, 0.61, True, id="three times as long, above the floor"),
        pytest.param(0.2, 0.5, False, id="the floor itself"),
        pytest.param(0.1, 0.45, False, id="more than three times as long, below the floor"),
        pytest.param(0.5, 1.5, False, id="exactly three times as long"),
        pytest.param(0.5, 1.51, True, id="more than three times as long"),
        pytest.param(0.0, 1.9, False, id="nobody knows yet what is usual"),
    ],
)
def test_slow_is_by_factor_and_floor(usual_s: float, latency_s: float, slow: bool) -> None:
    assert is_slow(usual_s, sample(latency_s), RULE) is slow


def test_what_did_not_answer_is_not_slow() -> None:
    assert not is_slow(0.2, sample(5.0, D), RULE)


@pytest.mark.parametrize(
    ("found", "bad"),
    [
        pytest.param(sample(), False, id="well"),
        pytest.param(sample(found=D, why="timeout"), True, id="down"),
        pytest.param(sample(found=X, why="GET: 503"), True, id="one kind of evidence"),
        pytest.param(sample(found=X, why="denied", ours=True), False, id="our own fault"),
        pytest.param(sample(found=X), False, id="nothing was looked at"),
    ],
)
def test_bad_is_what_fails_there(found: Sample, bad: bool) -> None:
    assert is_bad(found) is bad


def test_a_glance_is_told_of_where_it_is_not_well_or_slow() -> None:
    known = worn()
    assert not has_to_be_told(known, sample(0.3), RULE)
    assert has_to_be_told(known, sample(0.7), RULE)
    assert has_to_be_told(known, sample(0.0, X), RULE)
    assert not has_to_be_told(None, sample(1.9), RULE)


# what is kept


def test_what_is_usual_is_learned_from_the_first_sample_and_then_slowly() -> None:
    assert played(sample(0.2)).regions[EAST].usual_s == 0.2
    assert played(sample(0.2), sample(0.3, at=60 * S)).regions[EAST].usual_s == 0.202


def test_what_is_slow_or_failed_is_not_learned() -> None:
    found = played(sample(0.2), sample(0.9, at=60 * S), sample(0.0, D, 120 * S), sample(0.0, X, 180 * S))
    assert found.regions[EAST].usual_s == 0.2


def test_well_samples_leave_nothing_behind() -> None:
    assert played(*(sample(at=n * 15 * S) for n in range(8))).regions[EAST].minutes == ()


def test_slow_and_bad_samples_are_counted_by_the_minute() -> None:
    found = played(
        sample(0.2),
        sample(0.9, at=15 * S),
        sample(0.9, at=30 * S),
        sample(0.2, at=45 * S),
        sample(0.0, X, 70 * S, why="GET: 503"),
    )
    assert found.regions[EAST].minutes == (Minute(NOON, 2, 0, 3), Minute(NOON + M, 0, 1, 1))
    assert load_health(dump(found)) == found


def test_an_outage_counts_until_it_is_decided_and_no_further() -> None:
    down = [sample(0.0, D, n * 5 * S, why="timeout") for n in range(1, 40)]
    found = played(sample(0.2), *down).regions[EAST]
    assert sum(minute.bad for minute in found.minutes) == 12  # at 5 to 60 s; at 65 s it has lasted for 60
    assert not is_degraded(found, PLAN, NOON + 195 * S)


@pytest.mark.parametrize(
    ("views", "counted"),
    [
        pytest.param({"eu": "www"}, False, id="another place sees it well"),
        pytest.param({"eu": "www", "ap": "ww"}, False, id="so do two"),
        pytest.param({"eu": "wdw"}, True, id="that place has seen it fail now and then, too"),
        pytest.param({"eu": "www", "ap": "wwd"}, True, id="one of two sees it fail"),
        pytest.param({"eu": "www", "ap": "wwx"}, True, id="one of two cannot tell"),
        pytest.param({}, True, id="there is no other place"),
    ],
)
def test_failures_that_another_place_does_not_see_are_those_of_our_path(
    views: dict[str, str], counted: bool
) -> None:
    record, healths = HealthRecord("orders"), {"w": W, "d": D, "x": X}
    for name, letters in views.items():
        for age, letter in zip((15, 10, 5), letters, strict=False):
            seen = sample(found=healths[letter], at=-age * S)
            record = add_view(record, name, {EAST: seen}, 5, seen.at)
    one = sample(found=D)
    after = mark(add_round(record, [one], {}, 5, NOON), [one], PLAN)
    assert bool(after.regions[EAST].minutes) is counted


def test_what_is_hidden_from_other_places_counts_although_they_see_it_well() -> None:
    record = add_view(HealthRecord("orders"), "eu", {EAST: sample(at=-5 * S)}, 5, NOON)
    one = sample(found=D, hidden=True)
    assert mark(add_round(record, [one], {}, 5, NOON), [one], PLAN).regions[EAST].minutes


def test_a_place_that_was_not_heard_of_lately_does_not_clear_a_region() -> None:
    record = add_view(HealthRecord("orders"), "eu", {EAST: sample(at=-46 * S)}, 5, NOON)
    one = sample(found=D)
    assert mark(add_round(record, [one], {}, 5, NOON), [one], PLAN).regions[EAST].minutes


def test_one_kind_of_evidence_counts_for_as_long_as_it_lasts() -> None:
    half = [sample(0.0, X, n * 15 * S, why="GET: 503") for n in range(1, 20)]
    found = played(sample(0.2), *half).regions[EAST]
    assert sum(minute.bad for minute in found.minutes) == 19
    assert is_degraded(found, PLAN, NOON + 285 * S)


def test_a_sample_that_came_late_is_not_counted() -> None:
    found = played(sample(0.2), sample(0.2, at=60 * S), sample(0.9, at=30 * S))
    assert found.regions[EAST].minutes == ()


def test_what_is_kept_does_not_grow() -> None:
    found = played(sample(0.2), *(sample(0.9, at=n * M) for n in range(1, 100))).regions[EAST]
    assert len(found.minutes) == KEPT // M
    assert found.minutes[-1].at == NOON + 99 * M


def test_each_region_has_its_own() -> None:
    record = HealthRecord("orders")
    for at in (0 * S, 15 * S):
        both = [sample(0.2 + at.total_seconds() / 10, at=at), sample(0.2, at=at, region=WEST)]
        record = mark(add_round(record, both, {}, 5, NOON + at), both, PLAN)
    assert (len(record.regions[EAST].minutes), record.regions[WEST].minutes) == (1, ())


# how worn


@pytest.mark.parametrize(
    ("minutes", "slow", "bad"),
    [
        pytest.param((), 0.0, 0.0, id="nothing written down: all was well"),
        pytest.param((minute(1, slow=4),), 0.1, 0.0, id="one slow minute of ten"),
        pytest.param(
            (minute(1, slow=1, seen=1),), 0.025, 0.0, id="one slow sample; three well ones not written"
        ),
        pytest.param(
            (minute(1, bad=12, seen=12),), 0.0, 0.1, id="quick samples weigh no more than their minute"
        ),
        pytest.param((minute(9, slow=4), minute(1, bad=2)), 0.1, 0.05, id="both"),
        pytest.param((minute(11, slow=4),), 0.0, 0.0, id="too long ago"),
        pytest.param((Minute(NOON + 5 * M, 4, 4, 4),), 0.0, 0.0, id="of a clock far ahead"),
    ],
)
def test_wear_is_a_share_of_the_samples_that_were_due(
    minutes: tuple[Minute, ...], slow: float, bad: float
) -> None:
    assert wear(worn(*minutes), PLAN, NOON) == Wear(pytest.approx(slow), pytest.approx(bad))  # type: ignore[arg-type]


def test_wear_counts_by_the_plans_own_distance_of_samples() -> None:
    once = replace(PLAN, sampling=replace(PLAN.sampling, every=60 * S))
    assert wear(worn(minute(1, slow=1, seen=1)), once, NOON).slow == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("minutes", "found"),
    [
        pytest.param(
            [minute(n, slow=1) for n in range(10)], False, id="a quarter slow: the percentile itself"
        ),
        pytest.param([minute(n, slow=2) for n in range(6)], True, id="more than a quarter slow"),
        pytest.param([minute(n, bad=1) for n in range(10)], True, id="a quarter failed"),
        pytest.param([minute(n, bad=1) for n in range(9)], False, id="less than a quarter failed"),
    ],
)
def test_degraded_is_a_percentile_or_a_rate(minutes: list[Minute], found: bool) -> None:
    assert is_degraded(worn(*minutes), PLAN, NOON) is found


def test_a_region_that_nobody_looks_at_is_not_called_degraded() -> None:
    found = worn(*(minute(n, bad=4) for n in range(10)))
    assert is_degraded(found, PLAN, NOON)
    assert not is_degraded(replace(found, last_at=NOON - 151 * S), PLAN, NOON)
    assert not is_degraded(None, PLAN, NOON)


SLOW = worn(*(minute(n, slow=4) for n in range(10)))


@pytest.mark.parametrize(
    ("plan", "east", "west", "found"),
    [
        pytest.param(LEAVES, SLOW, worn(), Degraded.SOURCE, id="the active one"),
        pytest.param(LEAVES, SLOW, SLOW, Degraded.BOTH, id="both: no better there"),
        pytest.param(LEAVES, worn(), SLOW, Degraded.NO, id="the other one"),
        pytest.param(PLAN, SLOW, worn(), Degraded.NO, id="the plan only tells"),
    ],
)
def test_what_the_plan_lets_count(
    plan: Plan, east: RegionHealth, west: RegionHealth, found: Degraded
) -> None:
    assert degraded(HealthRecord("orders", 1, {EAST: east, WEST: west}), EAST, plan, NOON) is found


def test_it_is_told_with_its_figures() -> None:
    words = describe(worn(minute(1, slow=4), minute(2, bad=4)), PLAN, NOON)
    assert words == "of the samples of the last 10 minutes 10% were slow (usual are 0.20 s), 10% failed"


@given(st.lists(st.tuples(st.sampled_from([0.2, 0.3, 0.9]), st.sampled_from([W, D, X])), max_size=60))
def test_wear_is_a_share_whatever_is_seen(course: list[tuple[float, Health]]) -> None:
    samples = [sample(latency, found, n * 15 * S, why="x") for n, (latency, found) in enumerate(course, 1)]
    known = played(sample(0.2), *samples).regions[EAST]
    found = wear(known, PLAN, NOON + (len(samples) + 1) * 15 * S)
    slow = sum(one.health is W and one.latency_s > 0.6 for one in samples)
    assert 0.0 <= found.slow <= 1.0
    assert 0.0 <= found.bad <= 1.0
    assert (found.slow > 0) is (slow > 0 and any(minute.slow for minute in known.minutes))
