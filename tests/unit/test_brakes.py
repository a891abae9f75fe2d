"""Pause, cooldown, acknowledgement, the budget of a day, and what a claim asks of them (I15, I17, I21)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from region_failover.domain.brakes import (
    MOVES_KEPT,
    acknowledge,
    count_move,
    is_cooling,
    moves_of_the_day,
    pause,
    resume,
)
from region_failover.domain.journal import claim
from region_failover.domain.state import Answer, Direction, Proposal
from tests.fakes import EAST, NOON, WEST
from tests.unit.test_state import request, steady

US, HOUR = timedelta(microseconds=1), timedelta(hours=1)


def test_the_budget_counts_what_was_begun_within_the_last_day() -> None:
    state = steady(automatic_moves=(NOON - 24 * HOUR - US, NOON - 24 * HOUR, NOON - HOUR, NOON))
    assert moves_of_the_day(state, NOON) == 3
    assert moves_of_the_day(steady(), NOON) == 0


def test_a_move_that_a_clock_far_ahead_has_counted_is_not_believed() -> None:
    assert moves_of_the_day(steady(automatic_moves=(NOON + HOUR,)), NOON) == 0


def test_an_automatic_claim_is_counted_and_a_humans_is_not() -> None:
    one = claim(steady(), request(per_day=4), NOON)
    assert one is not None
    assert one.automatic_moves == (NOON,)
    by_hand = claim(steady(), request(manual=True, per_day=4), NOON)
    assert by_hand is not None
    assert by_hand.automatic_moves == ()


def test_i15_a_claim_beyond_the_budget_is_refused_inside_the_write() -> None:
    spent = steady(automatic_moves=(NOON - HOUR, NOON))
    assert claim(spent, request(per_day=2), NOON) is None
    assert claim(spent, request(per_day=3), NOON) is not None
    assert claim(spent, request(per_day=2), NOON + 23 * HOUR + US) is None
    assert claim(spent, request(per_day=2, verified_at=NOON + 24 * HOUR), NOON + 24 * HOUR) is not None
    assert claim(spent, request(per_day=2, manual=True), NOON) is not None


@pytest.mark.parametrize(
    ("on_trial", "asked", "counted"),
    [
        (None, {"direction": Direction.FAILBACK, "share": 10}, True),
        (10, {"direction": Direction.FAILBACK, "share": 50}, False),
        (50, {"direction": Direction.FAILBACK}, False),
        (50, {"source": WEST, "target": EAST, "share": 0}, False),
        (50, {}, True),
    ],
    ids=["first step", "further step", "last step", "return", "failover"],
)
def test_i15_a_failback_by_steps_is_counted_once_and_a_failover_in_its_middle_too(
    on_trial: int | None, asked: dict[str, object], counted: bool
) -> None:
    found = claim(steady(share=on_trial), request(**asked), NOON)
    assert found is not None
    assert found.automatic_moves == ((NOON,) if counted else ())


def test_no_more_moves_are_kept_than_the_largest_budget() -> None:
    state = steady()
    for number in range(MOVES_KEPT + 5):
        state = count_move(state, NOON + number * US)
    assert len(state.automatic_moves) == MOVES_KEPT
    assert state.automatic_moves[-1] == NOON + (MOVES_KEPT + 4) * US


def test_a_cooldown_ends_with_its_last_moment() -> None:
    assert is_cooling(steady(cooldown_until=NOON + US), NOON)
    assert not is_cooling(steady(cooldown_until=NOON), NOON)
    assert not is_cooling(steady(), NOON)


def test_an_acknowledgement_ends_the_cooldown_and_restores_the_budget() -> None:
    braked = steady(cooldown_until=NOON + HOUR, automatic_moves=(NOON,))
    assert acknowledge(braked) == steady()
    assert acknowledge(steady(automatic_moves=(NOON,))) == steady()
    assert acknowledge(steady(cooldown_until=NOON)) == steady()
    assert acknowledge(steady()) is None


def test_a_pause_says_whose_it_is_and_ends_with_resume() -> None:
    paused = pause(steady(), "mia: maintenance")
    assert paused == steady(paused=True, pause_note="mia: maintenance")
    assert pause(paused, "mia: maintenance") is None
    assert pause(paused, "tom: release") == steady(paused=True, pause_note="tom: release")
    assert resume(paused) == steady()
    assert resume(steady()) is None


YES = Proposal("f00d", EAST, WEST, NOON, NOON + HOUR, answer=Answer.APPROVED, answered_by="mia")


@pytest.mark.parametrize(
    ("proposal", "claimed"),
    [
        (YES, True),
        (None, False),
        (replace(YES, id="beef"), False),
        (replace(YES, answer=Answer.NONE), False),
        (replace(YES, answer=Answer.REJECTED), False),
        (replace(YES, expires_at=NOON), False),
        (replace(YES, expires_at=NOON + US), True),
    ],
)
def test_i21_a_claim_that_needs_a_yes_finds_it_in_the_record_or_is_refused(
    proposal: Proposal | None, claimed: bool
) -> None:
    found = claim(steady(proposal=proposal), request(proposal="f00d"), NOON)
    assert (found is not None) is claimed


@pytest.mark.parametrize("manual", [False, True])
def test_i21_every_claim_uses_the_proposal_up(manual: bool) -> None:
    found = claim(steady(proposal=YES), request(manual=manual), NOON)
    assert found is not None
    assert found.proposal is None
