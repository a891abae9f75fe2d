"""A little of a year's noise and of its outages; all of it is `make judgement`."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.fakes import PLAN
from tests.year.__main__ import DECIDED_WITHIN, PLACES, SEEN_WITHIN, find, record_bytes
from tests.year.cost import month
from tests.year.episode import Course, play
from tests.year.report import in_words, markdown, share, svg
from tests.year.tutorial import canary, printed
from tests.year.weather import (
    CONTROL,
    EVERYWHERE,
    FURTHER,
    OUTAGES,
    PRIMARY,
    Spell,
    Trouble,
    episodes,
    year,
)
from tests.year.years import calm_hours, live, suffer

S = timedelta(seconds=1)
HASTY = replace(PLAN, sampling=replace(PLAN.sampling, confirm_for=0 * S))


def spell(
    trouble: Trouble, seconds: float, place: str = EVERYWHERE, region: str = PRIMARY, start: float = 160.0
) -> Spell:
    return Spell(trouble, start, start + seconds, region, place)


def course(*spells: Spell, vantage: bool = False, seed: int = 1, plan: object = PLAN) -> Course:
    until = max(found.end for found in spells) + 150.0
    return play(spells, random.Random(seed), until, vantage=vantage, plan=plan)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(10))
def test_a_partition_of_43_s_moves_nothing(seed: int) -> None:
    """From one place, and with a second one, whichever of them is cut off (issue: `partition-43s`)."""
    assert course(spell(Trouble.PARTITION, 43, CONTROL), seed=seed).decided is None
    for place in (CONTROL, FURTHER):
        assert course(spell(Trouble.PARTITION, 43, place), vantage=True, seed=seed).decided is None


def test_the_play_can_be_fooled() -> None:
    """Without `confirm_for` the same partition moves traffic: the figures are no accident of the play."""
    fooled = [course(spell(Trouble.PARTITION, 43, CONTROL), seed=seed, plan=HASTY) for seed in range(10)]
    assert any(found.decided is not None for found in fooled)


def test_a_path_cut_for_minutes_moves_one_place_and_not_two() -> None:
    cut = spell(Trouble.LONG_PARTITION, 300, CONTROL)
    assert course(cut).decided is not None
    assert course(cut, vantage=True).decided is None


def test_a_place_that_is_cut_off_from_everything_moves_nothing() -> None:
    for vantage in (False, True):
        assert course(spell(Trouble.CUT_OFF, 300, CONTROL), vantage=vantage).decided is None


@pytest.mark.parametrize("trouble", [Trouble.DEPLOY, Trouble.ERRORS, Trouble.SLOW, Trouble.THROTTLED])
def test_one_kind_of_evidence_moves_nothing_however_long(trouble: Trouble) -> None:
    for vantage in (False, True):
        assert course(spell(trouble, 600), vantage=vantage).decided is None


@pytest.mark.parametrize("name", sorted(PLACES))
def test_outages_are_seen_and_decided_in_time(name: str) -> None:
    for number in range(40):
        found = suffer(number, PLACES[name])
        assert found.seen is not None
        assert found.decided is not None
        if found.trouble is not Trouble.GRAY_WRITES:
            assert found.seen <= SEEN_WITHIN
            assert found.decided <= DECIDED_WITHIN[name]


@pytest.mark.parametrize("vantage", [False, True])
def test_noise_moves_nothing(vantage: bool) -> None:
    found = live(7, vantage, at_most=60)
    assert (found.episodes, found.false) == (60, 0)


def test_a_seed_plays_the_same_twice() -> None:
    assert suffer(3, True) == suffer(3, True)
    assert year(random.Random(5)) == year(random.Random(5))


def test_every_disturbance_of_a_year_is_in_one_episode() -> None:
    spells = year(random.Random(5))
    groups = episodes(spells, 240.0)
    assert sorted(s.start for group in groups for s in group) == [s.start for s in spells]
    ends = [max(s.end for s in group) for group in groups]
    assert all(later[0].start - end >= 240.0 for end, later in zip(ends, groups[1:], strict=False))


def test_sampling_costs_less_than_a_dollar_a_month() -> None:
    bill = month(calm_hours(1, vantage=False), record_bytes())
    assert 0.5 < sum(item.usd for item in bill) < 1.0


def test_the_tutorials_alarms_as_printed_never_go_off() -> None:
    assert {printed(trouble) for trouble in OUTAGES} == {None}
    times = [canary(Trouble.BLACK_HOLE, number) for number in range(100)]
    assert all(time is not None and 960 <= time <= 1350 for time in times)


def test_a_share_is_by_nearest_rank_and_never_hides_what_never_came() -> None:
    assert share([3.0, 1.0, 2.0], 50) == 2.0
    assert share([3.0, 1.0, None], 50) == 3.0
    assert share([3.0, 1.0, None], 99) is None
    assert (in_words(None), in_words(31.4), in_words(600.0)) == ("never", "31 s", "10 min")


def test_the_page_and_its_plot_are_made_of_what_was_found() -> None:
    found = find(1, 20, 1, at_most=3)
    page, plot = markdown(found), svg(found)
    assert "| false failovers |" in page
    assert "| 20 of 20 |" in page  # the tutorial's
    assert plot.count("<path ") == 4
