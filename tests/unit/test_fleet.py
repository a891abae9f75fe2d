"""The fleet brake: who wants to move, how many that are, and when one's own evidence is enough."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from region_failover.domain.fleet import WITHIN, is_complete, percent_of, wants_to_move
from region_failover.domain.state import Direction, Lease, PlanState, Transition, initial_state
from region_failover.domain.verdict import CheckResult, Evidence, Health, HealthRecord
from tests.fakes import DENIED, EAST, NOON, PLAN, REFUSED, TIMED_OUT, WEST, health

S = timedelta(seconds=1)
STATE = initial_state("orders", 7, EAST)
DOWN = HealthRecord("orders", 1, {EAST: health(Health.UNHEALTHY, NOON - 60 * S, NOON)})
FAILING = HealthRecord("orders", 1, {EAST: health(Health.UNHEALTHY, NOON - 59 * S, NOON)})
WELL = HealthRecord("orders", 1, {EAST: health(Health.HEALTHY, NOON - 60 * S, NOON)})


def moving(direction: Direction = Direction.FAILOVER, manual: bool = False) -> PlanState:
    transition = Transition(
        8, direction, EAST, WEST, "x", manual, NOON, None, NOON, Lease("a", NOON + 120 * S), ()
    )
    return replace(STATE, transition=transition)


@pytest.mark.parametrize(
    ("state", "known", "wants"),
    [
        pytest.param(STATE, DOWN, True, id="its Region is down"),
        pytest.param(STATE, FAILING, False, id="not decided"),
        pytest.param(STATE, WELL, False, id="all well"),
        pytest.param(STATE, None, False, id="nothing known"),
        pytest.param(None, DOWN, False, id="no record yet"),
        pytest.param(replace(STATE, active=WEST), DOWN, False, id="it has left that Region"),
        pytest.param(moving(), WELL, True, id="it is leaving"),
        pytest.param(moving(manual=True), WELL, False, id="a human moves it"),
        pytest.param(moving(Direction.FAILBACK), WELL, False, id="it is on its way home"),
        pytest.param(replace(STATE, automatic_moves=(NOON - WITHIN,)), WELL, True, id="it has just moved"),
        pytest.param(replace(STATE, automatic_moves=(NOON - WITHIN - S,)), WELL, False, id="a while ago"),
    ],
)
def test_who_wants_to_move(state: PlanState | None, known: HealthRecord | None, wants: bool) -> None:
    assert wants_to_move(PLAN, state, known, NOON) is wants


@pytest.mark.parametrize(
    ("others", "percent"),
    [
        ([], 0),
        ([True], 0),
        ([False, False], 33),
        ([True, False], 66),
        ([True, True], 100),
        ([True, False, False], 50),
        ([True, True, False], 75),
    ],
)
def test_how_many_that_are(others: list[bool], percent: int) -> None:
    assert percent_of(others) == percent


def results(*symptoms: object, region: str = EAST) -> list[CheckResult]:
    return [CheckResult(region, Evidence.HTTP, "x", symptom) for symptom in symptoms]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "complete"),
    [
        pytest.param(results(TIMED_OUT, REFUSED), True, id="nothing answers"),
        pytest.param(results(TIMED_OUT, None), False, id="something answers"),
        pytest.param(results(TIMED_OUT, DENIED), False, id="something is our own fault"),
        pytest.param(
            results(TIMED_OUT) + results(None, region=WEST), True, id="the other Region is not asked"
        ),
        pytest.param(
            [*results(TIMED_OUT), CheckResult(EAST, Evidence.ALARM, "x", silent="muted")],
            True,
            id="a check has nothing to say",
        ),
        pytest.param(
            [*results(TIMED_OUT), CheckResult(EAST, Evidence.DYNAMODB, "replica, by the other", told=True)],
            True,
            id="somebody else says that it is well",
        ),
        pytest.param(
            [*results(TIMED_OUT), CheckResult(EAST, Evidence.ALARM, "x", DENIED, told=True)],
            False,
            id="somebody else fails through our own fault",
        ),
        pytest.param([], False, id="nothing was looked at"),
    ],
)
def test_when_ones_own_evidence_is_complete(found: list[CheckResult], complete: bool) -> None:
    assert is_complete(found, EAST) is complete
