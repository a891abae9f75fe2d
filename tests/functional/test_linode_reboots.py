"""Instances are rebooted after a move, one after the other, each at most once, and nothing waits for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from region_failover.domain.errors import RemoteFailure
from region_failover.domain.plan import LinodeReboots, Plan
from region_failover.domain.state import LATE_WRITERS_WITHIN, Phase, RebootStatus
from region_failover.domain.symptom import Kind, Symptom
from region_failover.domain.trigger import SWITCH_REQUESTED
from tests.fakes import DENIED, EAST, PLAN, TIMED_OUT, WEST, Killed, World

REBOOTS = LinodeReboots(primary=(11,), standby=(21, 22), stagger=timedelta(seconds=60))
REBOOTING = replace(PLAN, linode_reboots=REBOOTS)
BUSY = Symptom(Kind.HTTP, status=400, detail="Linode: Linode busy.")


def moved(plan: Plan = REBOOTING) -> World:
    """Return a world that has just failed over."""
    world = World(plan)
    world.tick()
    world.outage()
    world.failover()
    world.deliver_switch()
    assert (world.state.phase, world.state.active) == (Phase.STEADY, WEST)
    return world


def minutes(world: World, count: int) -> None:
    for _ in range(count):
        world.clock.advance(60)
        world.tick()
        world.deliver_switch()


def rebooted(world: World) -> list[int]:
    return [instance for instance, _ in world.linode.reboots]


def outcomes(world: World) -> dict[int, RebootStatus]:
    return {reboot.instance: reboot.status for reboot in world.state.reboots}


def test_the_targets_instances_are_rebooted_apart_and_each_once() -> None:
    world = moved()
    assert rebooted(world) == []  # not before the move is complete
    minutes(world, 8)
    assert rebooted(world) == [21, 22]
    first, second = (at for _, at in world.linode.reboots)
    assert world.state.moved_at is not None
    assert second - world.state.moved_at >= REBOOTS.stagger
    assert first < second
    assert set(outcomes(world).values()) == {RebootStatus.DONE}


def test_a_plan_that_does_not_say_so_reboots_nothing() -> None:
    world = moved(PLAN)
    minutes(world, 3)
    assert rebooted(world) == []
    assert "linode.rebooted_since" not in world.faults.calls


def test_a_plan_without_records_at_linode_may_reboot_too() -> None:
    world = moved(replace(REBOOTING, linode_records=()))
    minutes(world, 3)
    assert rebooted(world) == [21, 22]


def test_a_request_delivered_again_or_twice_at_once_reboots_once() -> None:
    world = moved()
    world.clock.advance(60)
    world.tick()
    detail = world.events.of(SWITCH_REQUESTED)[-1]
    world.faults.before("linode.reboot", lambda: world.linode_dns(detail))
    for _ in range(3):
        world.linode_dns(detail)
    assert rebooted(world) == [21]  # and the next one only when its turn has come


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_that_dies_at_the_call_is_settled_by_the_events_and_never_by_another_call(when: str) -> None:
    world = moved()
    getattr(world.faults, when)("linode.reboot", Killed())
    world.clock.advance(60)
    world.tick()
    with pytest.raises(Killed):
        world.deliver_switch()
    assert outcomes(world) == {21: RebootStatus.SENT}
    minutes(world, 5)
    happened = when == "after"
    assert rebooted(world) == ([21, 22] if happened else [22])
    assert outcomes(world)[21] is (RebootStatus.DONE if happened else RebootStatus.FAILED)
    assert bool(world.notifier.about("instance 21 was not rebooted")) is not happened


def test_a_lost_reply_is_no_second_reboot() -> None:
    world = moved()
    world.faults.after("linode.reboot", RemoteFailure(TIMED_OUT))
    minutes(world, 5)
    assert rebooted(world) == [21, 22]
    assert set(outcomes(world).values()) == {RebootStatus.DONE}
    assert world.notifier.about("was not rebooted") == []


def test_a_refusal_is_told_and_blocks_nothing_else() -> None:
    world = moved()
    world.faults.before("linode.reboot", RemoteFailure(BUSY))
    minutes(world, 4)
    assert rebooted(world) == [22]
    assert outcomes(world) == {21: RebootStatus.FAILED, 22: RebootStatus.DONE}
    assert len(world.notifier.about("instance 21 was not rebooted")) == 1
    assert world.state.phase is Phase.STEADY


def test_events_that_cannot_be_read_are_told_in_the_end() -> None:
    world = moved()
    world.faults.after("linode.reboot", RemoteFailure(TIMED_OUT), times=2)
    world.faults.before("linode.rebooted_since", RemoteFailure(DENIED), times=99)
    minutes(world, 13)
    assert rebooted(world) == [21, 22]
    assert set(outcomes(world).values()) == {RebootStatus.FAILED}
    assert world.notifier.about("instance 21 was not rebooted")


@pytest.mark.parametrize("why", ["paused", "long ago", "a newer epoch", "a trial"])
def test_no_reboot_out_of_its_move(why: str) -> None:
    world = moved()
    detail = {**world.events.of(SWITCH_REQUESTED)[-1]}
    if why == "paused":
        world.edit_state(paused=True)
    elif why == "long ago":
        world.clock.advance(LATE_WRITERS_WITHIN.total_seconds() + 1)
        detail["at"] = world.clock.now().isoformat()
    elif why == "a newer epoch":
        world.edit_state(epoch=2)
    else:
        world.edit_state(share=10)
    world.clock.advance(60)
    world.linode_dns(detail)
    assert rebooted(world) == []


def test_the_way_home_is_a_move_of_its_own() -> None:
    world = moved()
    minutes(world, 4)
    world.repair_region(EAST)
    world.settle(2)
    world.failback(world.manual("failback", force=True))
    world.deliver_switch()
    minutes(world, 3)
    assert rebooted(world) == [21, 22, 11]


def test_an_epoch_that_was_stopped_is_no_further_move() -> None:
    world = moved()
    minutes(world, 4)
    world.edit_state(epoch=world.state.epoch + 1)
    minutes(world, 3)
    assert rebooted(world) == [21, 22]
