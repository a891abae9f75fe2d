"""How often a change is looked at, and when it counts as stranded."""

from __future__ import annotations

from datetime import timedelta

import pytest

from region_failover.domain.propagation import (
    LONGEST_PAUSE_S,
    LOST_AFTER,
    POLLS_PER_S,
    STRANDED_AFTER,
    Arrival,
    is_passing,
    is_stranded,
    pause_s,
    sent_last,
)
from region_failover.domain.state import CLOCKS_AGREE, Step, StepKind
from region_failover.domain.symptom import Kind, Symptom
from tests.fakes import NOON

SECOND = timedelta(seconds=1)


def test_the_pauses_between_looks_grow_up_to_a_limit() -> None:
    pauses = [pause_s(looks, 1) for looks in range(6)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (1.0, LONGEST_PAUSE_S)
    assert pause_s(10_000, 1) == LONGEST_PAUSE_S


@pytest.mark.parametrize("zones", [1, 5, 50, 500])
def test_however_many_zones_they_stay_below_half_of_the_accounts_rate(zones: int) -> None:
    assert all(zones / pause_s(looks, zones) <= POLLS_PER_S for looks in range(20))


@pytest.mark.parametrize(
    ("arrival", "after", "stranded"),
    [
        (Arrival.PENDING, STRANDED_AFTER, False),
        (Arrival.PENDING, STRANDED_AFTER + SECOND, True),
        (Arrival.LOST, LOST_AFTER, False),
        (Arrival.LOST, LOST_AFTER + SECOND, True),
        (Arrival.INSYNC, 10 * STRANDED_AFTER, False),
        (Arrival.PENDING, -CLOCKS_AGREE, False),
        (Arrival.PENDING, -CLOCKS_AGREE - SECOND, True),
    ],
)
def test_a_change_is_stranded_when_its_time_is_over(
    arrival: Arrival, after: timedelta, stranded: bool
) -> None:
    assert is_stranded(arrival, NOON, NOON + after) is stranded


def test_its_time_counts_from_the_newest_change() -> None:
    step = Step(StepKind.ROUTE53, "Z1")
    assert sent_last(step) is None
    first = Step(StepKind.ROUTE53, "Z1", change_id="C1", sent_at=NOON)
    assert sent_last(first) == NOON
    later = Step(StepKind.ROUTE53, "Z1", change_id="C2", sent_at=NOON, resent_at=NOON + STRANDED_AFTER)
    assert sent_last(later) == NOON + STRANDED_AFTER


@pytest.mark.parametrize(
    ("symptom", "passing"),
    [
        (Symptom(Kind.TIMEOUT), True),
        (Symptom(Kind.REFUSED), True),
        (Symptom(Kind.API, "Throttling", 400), True),
        (Symptom(Kind.API, "PriorRequestNotComplete", 400), True),
        (Symptom(Kind.API, "InternalFailure", 500), True),
        (Symptom(Kind.API, "AccessDenied", 403), False),
        (Symptom(Kind.API, "NoSuchChange", 404), False),
        (Symptom(Kind.SETTINGS), False),
        (Symptom(Kind.UNKNOWN), False),
    ],
)
def test_only_what_passes_by_itself_is_asked_again(symptom: Symptom, passing: bool) -> None:
    assert is_passing(symptom) is passing


def test_a_plan_may_say_after_which_time() -> None:
    late = timedelta(seconds=30)
    assert is_stranded(Arrival.PENDING, NOON, NOON + late + SECOND, late)
    assert not is_stranded(Arrival.PENDING, NOON, NOON + late, late)
