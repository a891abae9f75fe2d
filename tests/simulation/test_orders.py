"""Whatever the order: one transition, one batch, one write at Linode, each notification once (I1, I20).

`orders.py` says what an order is and how they are counted. The events are those of a recorded run.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Set
from dataclasses import replace
from datetime import timedelta
from math import factorial, prod
from typing import Any

import pytest

from region_failover.domain.state import VERIFIED_WITHIN, Phase
from region_failover.domain.trigger import SWITCH_REQUESTED
from region_failover.domain.zone import Fence
from tests.fakes import EAST, PARAMETER, PLAN, WEST, World
from tests.simulation.orders import (
    COUNTS,
    Delivery,
    copy,
    decidedly_down,
    deliver,
    explore,
    fingerprint,
    forget_the_past,
    incident,
    outdated,
    step,
    straight,
    unpack,
)

SWITCHED = "[orders] traffic is switched to us-west-2"
COMPLETE = "[orders] failover to us-west-2 is complete"
# Of five minutes and more, where the events of an incident come 45 s apart.
STILL_OPEN = "[orders] Linode's step is still open"
# A human who insists, and whose request comes when the traffic has left: it would have to go back.
NOWHERE_TO_GO = "[orders] holds: target-not-verified"


def all_is_well() -> World:
    """Return a world in which nothing is wrong, and a human leaves the primary all the same."""
    world = World(PLAN)
    world.tick()
    world.probe()
    return forget_the_past(world)


def done_at_most_once(before: World) -> Any:
    """Return what looks at a world on the way: nothing has been done twice."""
    batches = len(before.zones.batches)

    def look(world: World, way: tuple[str, ...]) -> None:
        state = world.state
        told = [subject for subject, _ in world.notifier.sent]
        assert state.epoch <= 1, way
        assert len(world.zones.batches) - batches == state.epoch, way
        assert not world.zones.refused, way
        assert len(world.linode.writes) <= state.epoch, way
        assert len(told) == len(set(told)), way
        assert len(world.history()) == (state.phase is Phase.STEADY and state.epoch == 1), way

    return look


def rest(world: World) -> World:
    """Let come what comes by itself: requests are delivered, two ticks with the time between them."""
    world.deliver_switch()
    for _ in range(2):
        world.clock.advance(60)
        world.tick()
        world.deliver_switch()
    return world


def assert_moved_once(world: World, told: Set[str], before: World, owed: list[str]) -> None:
    """Hold that everything points at the standby, by one transition; `told`: what may be told, once."""
    state = world.state
    assert (state.phase, state.active, state.epoch) == (Phase.STEADY, WEST, 1)
    assert (state.transition, state.outbox) == (None, ())
    assert [s.region for s in state.owed] == owed
    assert world.moved_to() == WEST
    assert world.fence() == Fence("orders", 1, WEST)
    assert len(world.zones.batches) == len(before.zones.batches) + 1
    assert [target for _, target, _ in world.linode.writes] == [PLAN.linode_records[0].standby]
    assert world.linode.records[123456][0].target == PLAN.linode_records[0].standby
    assert {world.parameters.values[region, PARAMETER] for region in {WEST, EAST} - set(owed)} == {WEST}
    assert [t.epoch for t in world.history()] == [1]
    said = [subject for subject, _ in world.notifier.sent[len(before.notifier.sent) :]]
    assert {SWITCHED, COMPLETE} <= set(said) <= told
    assert all(said.count(subject) <= 1 for subject in said)


def number_of_orders(deliveries: tuple[Delivery, ...]) -> int:
    """Return in how many orders these can be delivered, duplicates of one event being alike."""
    length = sum(delivery.times for delivery in deliveries)
    return factorial(length) // prod(factorial(delivery.times) for delivery in deliveries)


def test_every_order_of_an_incidents_events_is_one_failover() -> None:
    before = decidedly_down()
    deliveries = incident(before)
    found = explore(before, deliveries, done_at_most_once(before), every_s=0, stale=outdated(before))
    assert found.counts["orders"] == number_of_orders(deliveries) == 45_360
    assert found.counts["stale"] == 5 * found.counts["worlds"]
    for end in found.ends:
        assert_moved_once(rest(unpack(end.packed)), {SWITCHED, COMPLETE}, before, owed=[EAST])


def test_every_order_is_one_failover_with_a_human_who_insists() -> None:
    before = decidedly_down()
    deliveries = tuple(
        replace(d, times=1) if d.name == "alarm" else d
        for d in incident(before, force=True)
        if d.name != "alarm over"
    )
    told = {SWITCHED, COMPLETE, NOWHERE_TO_GO}
    found = explore(before, deliveries, done_at_most_once(before), every_s=0)
    assert found.counts["orders"] == number_of_orders(deliveries) == 1_260
    for end in found.ends:
        assert_moved_once(rest(unpack(end.packed)), told, before, owed=[EAST])


def test_every_order_is_one_failover_with_seconds_between_the_deliveries() -> None:
    before = decidedly_down()
    deliveries = tuple(
        replace(d, times=1) if d.name == "requested" else d
        for d in incident(before)
        if d.name != "alarm over"
    )
    found = explore(before, deliveries, done_at_most_once(before), every_s=3)
    assert found.counts["orders"] == number_of_orders(deliveries) == 1_260
    for end in found.ends:
        assert_moved_once(rest(unpack(end.packed)), {SWITCHED, COMPLETE}, before, owed=[EAST])


def test_every_order_of_a_humans_own_failover_off_a_healthy_region_is_one_failover() -> None:
    before = all_is_well()
    run = copy(before)
    run.failover(run.manual("failover", force=True))
    requested = run.own_event(SWITCH_REQUESTED, run.events.of(SWITCH_REQUESTED)[0])
    others = {d.name: d for d in incident(decidedly_down(), force=True)}
    deliveries = (
        replace(others["alarm"], event=before.alarm()),
        replace(others["tick"], event=before.schedule()),
        replace(others["requested"], event=requested),
        replace(others["manual"], times=3),
    )
    found = explore(before, deliveries, done_at_most_once(before), every_s=0)
    assert found.counts["orders"] == number_of_orders(deliveries) == 1_680
    for end in found.ends:
        assert_moved_once(rest(unpack(end.packed)), {SWITCHED, COMPLETE}, before, owed=[])


@pytest.mark.parametrize("every_s", [0, 3, 20, 45])
def test_an_order_run_from_end_to_end_comes_to_the_same_rest(every_s: float) -> None:
    """At 20 and 45 s a request to Linode may find its target verified too long ago: a tick asks anew."""
    before = decidedly_down()
    deliveries = {d.name: d for d in incident(before)}
    events = [d.name for d in deliveries.values() for _ in range(d.times)]
    chance = random.Random(20251020)
    for _ in range(25):
        order = tuple(chance.sample(events, len(events)))
        world = rest(straight(before, deliveries, order, every_s))
        COUNTS["orders"] += 1
        assert_moved_once(world, {SWITCHED, COMPLETE, STILL_OPEN}, before, owed=[EAST])


def test_worlds_that_are_taken_for_one_are_what_a_straight_run_comes_to() -> None:
    before = decidedly_down()
    deliveries = tuple(
        replace(d, times=1) if d.name == "requested" else d
        for d in incident(before)
        if d.name in {"alarm", "tick", "requested", "manual"}
    )
    ends = {
        fingerprint(unpack(end.packed))
        for end in explore(before, deliveries, lambda world, way: None, every_s=3).ends
    }
    chance = random.Random(7)
    events = [d.name for d in deliveries for _ in range(d.times)]
    for _ in range(30):
        order = tuple(chance.sample(events, len(events)))
        world = straight(before, {d.name: d for d in deliveries}, order, every_s=3)
        assert fingerprint(world) in ends, order


def test_a_fingerprint_tells_apart_what_matters_and_nothing_else() -> None:
    world = decidedly_down()
    mark = fingerprint(world)
    assert fingerprint(copy(world)) == mark
    changes: tuple[Callable[[World], object], ...] = (
        lambda w: w.clock.advance(1),
        lambda w: w.edit_state(paused=True),
        lambda w: w.put_fence(3, WEST),
        lambda w: w.notifier.sent.append(("again", "")),
        lambda w: w.linode.writes.append((1, "x", 30)),
        lambda w: w.events.put_events.append(("Traffic Switch Requested", {})),
        lambda w: w.parameters.values.update({(WEST, PARAMETER): WEST}),
        lambda w: w.probe(seconds=1),
    )
    for change in changes:
        other = copy(world)
        change(other)
        assert fingerprint(other) != mark
    other = copy(world)
    other.meter.log("a line")
    other.edit_state()
    assert fingerprint(other) == mark


def test_a_request_to_linode_that_comes_before_its_transition_has_no_effect() -> None:
    world = decidedly_down()
    (requested,) = (d for d in incident(world) if d.name == "requested")
    mark = fingerprint(world)
    assert deliver(world, requested, 1)["reason"] == "lost-the-claim"
    assert fingerprint(world) == mark


def test_a_request_to_linode_after_the_target_was_last_verified_waits_for_a_tick() -> None:
    world = decidedly_down()
    deliveries = {d.name: d for d in incident(world)}
    step(world, deliveries["alarm"], 1, VERIFIED_WITHIN.total_seconds() + 1)
    assert deliver(world, deliveries["requested"], 1)["reason"] == "lost-the-claim"
    assert world.linode.writes == []
    step(world, deliveries["tick"], 1, 1)
    assert deliver(world, deliveries["requested"], 2)["status"] == "done"


def test_a_humans_request_held_once_does_not_lead_back_when_it_is_delivered_again() -> None:
    """Held while another transition was open; delivered again after it: what it meant has been left."""
    world = decidedly_down()
    deliveries = {d.name: d for d in incident(world, force=True)}
    step(world, deliveries["alarm"], 1, 1)
    assert deliver(world, deliveries["manual"], 1)["reason"] == "in-progress"
    world.deliver_switch()
    world.repair_region(EAST)
    world.clock.advance(timedelta(seconds=60).total_seconds())
    deliver(world, deliveries["manual"], 2)
    assert world.moved_to() == WEST
