"""Writes that had not been replicated at a failover: told when they arrive, once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from region_failover.domain.errors import RemoteFailure
from tests.fakes import EAST, TIMED_OUT, WEST, World

TOLD = "replicates again: late writes arrive"


@pytest.fixture
def world() -> World:
    """us-east-1 has gone, and the traffic is in us-west-2."""
    world = World()
    world.tick()
    world.outage()
    world.failover(world.alarm())
    world.deliver_switch()
    assert world.moved_to() == WEST
    return world


def texts(world: World) -> list[str]:
    return [text for subject, text in world.notifier.sent if TOLD in subject]


def test_it_is_told_once_the_region_replicates_again(world: World) -> None:
    world.settle(3)
    assert world.notifier.about(TOLD) == []
    world.repair_region(EAST)
    world.settle(3)
    (text,) = texts(world)
    assert "written in us-east-1 within about the last" in text
    assert "(epoch 1) was missing in us-west-2" in text
    assert world.state.unreplicated is None


def test_it_waits_for_an_item_of_after_the_failover(world: World) -> None:
    world.repair_region(EAST)
    world.tables.paused = True
    world.settle(2)
    assert world.notifier.about(TOLD) == []
    assert world.state.unreplicated is not None
    world.tables.paused = False
    world.settle(2)
    assert len(world.notifier.about(TOLD)) == 1


def test_a_loss_that_was_not_measured_may_be_late_too(world: World) -> None:
    left = world.state.unreplicated
    assert left is not None
    world.edit_state(unreplicated=replace(left, loss_s=None))
    world.repair_region(EAST)
    world.settle(2)
    assert "within an unknown time before" in texts(world)[0]


def test_a_notice_that_cannot_be_sent_stays_on_record(world: World) -> None:
    world.repair_region(EAST)
    world.faults.before("notifier.publish", RemoteFailure(TIMED_OUT))
    world.settle(2)
    assert [notice.subject for notice in world.state.outbox if TOLD in notice.subject]
    assert world.state.unreplicated is None


def test_of_a_move_with_nothing_missing_nothing_is_told() -> None:
    world = World()
    world.tick()
    world.settle(25)
    world.failover(world.manual("failover", force=True))
    world.deliver_switch()
    assert world.moved_to() == WEST
    world.settle(2)
    assert world.notifier.about(TOLD) == []
    assert world.state.unreplicated is None
