"""What several vantage points together say of a Region (I13)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from region_failover.domain.codec import dump, load_health
from region_failover.domain.plan import Sampling
from region_failover.domain.vantage import RECENTLY, VIEWS_KEPT, add_view, judge, recent_views
from region_failover.domain.verdict import Health, HealthRecord, RegionHealth, Sample
from tests.fakes import EAST, NOON, WEST, health

S = timedelta(seconds=1)
SAMPLING = Sampling(needed=3, window=5, confirm_for=60 * S)
W, D, X = Health.HEALTHY, Health.UNHEALTHY, Health.UNKNOWN


def run(found: Health, seconds: int = 10, ago: timedelta = 0 * S) -> RegionHealth:
    """A run of equal samples that has lasted so long, and whose newest is so old."""
    return health(found, NOON - ago - seconds * S, NOON - ago)


def hidden(own: RegionHealth) -> RegionHealth:
    """The run, failing in what a glance does not ask."""
    return replace(own, hidden=True)


def record(own: RegionHealth | None, **views: RegionHealth) -> HealthRecord:
    regions = {} if own is None else {EAST: own}
    return HealthRecord("orders", 1, regions, views={name: {EAST: view} for name, view in views.items()})


@pytest.mark.parametrize(
    ("own", "views", "down"),
    [
        # alone
        pytest.param(run(D, 59), {}, False, id="alone, not for long enough"),
        pytest.param(run(D, 60), {}, True, id="alone, for long enough"),
        pytest.param(run(W, 600), {}, False, id="alone, well"),
        pytest.param(None, {}, False, id="never looked"),
        # a second one
        pytest.param(run(D, 10), {"eu": run(D, 10)}, True, id="two agree: at once"),
        pytest.param(run(D, 600), {"eu": run(W)}, False, id="the other sees it well: never"),
        pytest.param(run(W), {"eu": run(D, 600)}, False, id="on the other's word alone: never"),
        pytest.param(run(X), {"eu": run(D, 600), "ap": run(D, 600)}, False, id="on two others' word: never"),
        pytest.param(None, {"eu": run(D, 600)}, False, id="never looked ourselves"),
        pytest.param(run(D, 59), {"eu": run(X)}, False, id="the other cannot say: as if alone"),
        pytest.param(run(D, 60), {"eu": run(X)}, True, id="the other cannot say, for long enough"),
        # silence
        pytest.param(run(D, 10), {"eu": run(D, 10, RECENTLY)}, True, id="heard just recently enough"),
        pytest.param(run(D, 10), {"eu": run(D, 10, RECENTLY + S)}, False, id="a silent one does not agree"),
        pytest.param(run(D, 60), {"eu": run(W, 10, RECENTLY + S)}, True, id="a silent one does not object"),
        pytest.param(run(D, 10), {"eu": run(D, 10, -60 * S)}, False, id="a clock far ahead is not believed"),
        # what others cannot see
        pytest.param(hidden(run(D, 60)), {"eu": run(W)}, True, id="hidden from the other: as if alone"),
        pytest.param(hidden(run(D, 59)), {"eu": run(W)}, False, id="hidden, not for long enough"),
        pytest.param(hidden(run(D, 10)), {"eu": run(D)}, True, id="hidden, and the other sees more of it"),
        # a third one
        pytest.param(run(D, 10), {"eu": run(D), "ap": run(W)}, True, id="two against one"),
        pytest.param(run(D, 600), {"eu": run(W), "ap": run(W)}, False, id="one against two"),
        pytest.param(run(D, 10), {"eu": run(D), "ap": run(X)}, True, id="two, and one cannot say"),
    ],
)
def test_the_verdict(own: RegionHealth | None, views: dict[str, RegionHealth], down: bool) -> None:
    assert judge(record(own, **views), EAST, SAMPLING, NOON).down is down


def test_two_that_agree_still_need_k_of_n_each() -> None:
    few = replace(run(D), recent=(W, W, W, D, D))
    assert not judge(record(few, eu=run(D)), EAST, SAMPLING, NOON).down
    assert not judge(record(run(D), eu=few), EAST, SAMPLING, NOON).down


def test_the_verdict_says_who_sees_what() -> None:
    found = judge(record(run(D), eu=run(D), ap=run(W), sa=run(X)), EAST, SAMPLING, NOON)
    assert (found.against, found.well, found.disagreed) == (("eu",), ("ap",), False)
    found = judge(record(run(D), ap=run(W)), EAST, SAMPLING, NOON)
    assert (found.against, found.well, found.disagreed) == ((), ("ap",), True)


def test_another_regions_views_do_not_matter() -> None:
    found = HealthRecord("orders", 1, {EAST: run(D, 10)}, views={"eu": {WEST: run(D)}})
    assert judge(found, EAST, SAMPLING, NOON).down is False
    assert dict(recent_views(found, EAST, NOON)) == {}


def samples(found: Health, at: datetime) -> dict[str, Sample]:
    return {region: Sample(region, at, found) for region in (EAST, WEST)}


def test_views_are_added_like_our_own_samples() -> None:
    found = HealthRecord("orders", 7)
    for number in range(3):
        found = add_view(found, "eu", samples(D, NOON + number * 5 * S), 5, NOON + number * 5 * S)
    view = found.views["eu"][EAST]
    assert (found.version, view.health, view.since, view.last_at) == (10, D, NOON, NOON + 10 * S)
    assert view.recent == (D, D, D)
    assert (
        add_view(found, "eu", samples(W, NOON), 5, NOON + 11 * S).views == found.views
    )  # late: adds nothing
    assert load_health(dump(found)) == found


def test_only_those_heard_last_are_kept() -> None:
    found = HealthRecord("orders")
    for number in range(VIEWS_KEPT + 2):
        found = add_view(found, f"v{number}", samples(W, NOON + number * S), 5, NOON + number * S)
    assert set(found.views) == {f"v{number}" for number in range(2, VIEWS_KEPT + 2)}


HEALTHS = st.sampled_from([W, D, X])
VIEWS = st.dictionaries(st.sampled_from(["eu", "ap", "sa"]), st.builds(run, HEALTHS, st.integers(10, 100)))


@given(VIEWS, st.integers(10, 100))
def test_one_more_that_sees_it_well_never_makes_it_down(views: dict[str, RegionHealth], lasted: int) -> None:
    before = judge(record(run(D, lasted), **views), EAST, SAMPLING, NOON).down
    after = judge(record(run(D, lasted), **views, zz=run(W)), EAST, SAMPLING, NOON).down
    assert before or not after


@given(VIEWS, HEALTHS, st.integers(10, 100))
def test_i13_nothing_is_down_that_we_do_not_see_failing_ourselves(
    views: dict[str, RegionHealth], own: Health, lasted: int
) -> None:
    if judge(record(run(own, lasted), **views), EAST, SAMPLING, NOON).down:
        assert own is D
