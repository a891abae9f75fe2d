"""What a failover leaves behind, and when it arrives."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from region_failover.domain.replication import has_caught_up, is_late, left_behind, settle_unreplicated
from region_failover.domain.state import Direction, Lease, Transition, Unreplicated, initial_state
from tests.fakes import EAST, NOON, WEST

S = timedelta(seconds=1)
LEFT = Unreplicated(8, EAST, WEST, NOON, 75.0)
ENDED = Transition(
    8, Direction.FAILOVER, EAST, WEST, "x", False, NOON, None, NOON, Lease("a", NOON), (), 75.0
)


def test_a_failover_leaves_what_was_not_seen_on_the_other_side() -> None:
    assert left_behind(ENDED, None) == LEFT
    assert left_behind(ENDED, replace(LEFT, epoch=6)) == LEFT
    assert left_behind(replace(ENDED, loss_s=None), None) == replace(LEFT, loss_s=None)


def test_a_failback_leaves_what_was_left_before() -> None:
    back = replace(ENDED, direction=Direction.FAILBACK, source=WEST, target=EAST)
    assert left_behind(back, LEFT) == LEFT
    assert left_behind(back, None) is None


@pytest.mark.parametrize(
    ("lag_s", "after_s", "caught_up"),
    [
        pytest.param(None, 600, False, id="not measured"),
        pytest.param(0.4, 600, True, id="an item of now"),
        pytest.param(600.0, 600, False, id="an item of just the failover's beginning"),
        pytest.param(599.0, 600, True, id="an item of a second after it"),
        pytest.param(675.0, 600, False, id="the last item of before"),
    ],
)
def test_replication_has_caught_up_once_an_item_of_after_the_failover_arrives(
    lag_s: float | None, after_s: float, caught_up: bool
) -> None:
    assert has_caught_up(LEFT, lag_s, NOON + after_s * S) is caught_up


@pytest.mark.parametrize(("loss_s", "late"), [(None, True), (30.1, True), (30.0, False), (0.0, False)])
def test_writes_are_late_where_more_was_missing_than_the_plan_allows(
    loss_s: float | None, late: bool
) -> None:
    assert is_late(replace(LEFT, loss_s=loss_s), 30 * S) is late


def test_it_is_settled_once() -> None:
    state = replace(initial_state("orders", 8, WEST), unreplicated=LEFT)
    settled = settle_unreplicated(state, LEFT)
    assert settled == initial_state("orders", 8, WEST)
    assert settle_unreplicated(settled, LEFT) is None
    assert settle_unreplicated(state, replace(LEFT, epoch=6)) is None
