"""Every order in which the events of one incident can be delivered, with duplicates, on the fakes.

An order is one sequence of deliveries. Two that have led to the same world (same records, zones, parameters,
Linode, events put, notifications sent, heartbeats, time; and the same deliveries still to come) go on alike,
so that world is visited once and counts for both: what is counted are orders, what is run are deliveries.
Versions of records and what is only written, never read (decisions, metrics, the log) tell no worlds apart.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from region_failover.domain.trigger import REGION_UNHEALTHY, SWITCH_REQUESTED
from region_failover.service.failback import handle_failback
from region_failover.service.failover import handle_failover
from region_failover.service.linode import handle_linode
from tests.fakes import MAXIMUM_AGE, PLAN, World

# What was done, for a summary: orders covered, deliveries run, worlds visited, stale events delivered.
COUNTS: dict[str, int] = {"orders": 0, "deliveries": 0, "worlds": 0, "stale": 0}


@dataclass(frozen=True)
class Delivery:
    """An event, the function that it starts, and how often it is delivered. `request`: a human's request
    id, the same each time; an event of the bus starts a worker of its own each time."""

    name: str
    flow: Callable[..., Any]
    event: Any
    times: int
    request: str = ""


def decidedly_down() -> World:
    """Return a world whose primary is decidedly down; its probe has put the event that says so."""
    world = World(PLAN)
    world.tick()
    world.outage()
    return forget_the_past(world)


def forget_the_past(world: World) -> World:
    """Drop what is only ever written, so that a copy is cheap."""
    world.faults.calls.clear()
    world.store.decisions.clear()
    world.meter.lines.clear()
    world.meter.measured.clear()
    return world


def incident(world: World, *, force: bool = False) -> tuple[Delivery, ...]:
    """Return the events of an incident, as a run of it recorded them; `world` is at its beginning."""
    detail = world.events.of(REGION_UNHEALTHY)[0]
    unhealthy = world.own_event(REGION_UNHEALTHY, detail)
    alarm, over, tick = world.alarm(), world.alarm(value="OK"), world.schedule()
    run = copy(world)
    run.failover(alarm)
    requested = run.own_event(SWITCH_REQUESTED, run.events.of(SWITCH_REQUESTED)[0])
    return (
        Delivery("alarm", handle_failover, alarm, times=2),
        Delivery("unhealthy", handle_failover, unhealthy, times=1),
        Delivery("alarm over", handle_failover, over, times=1),
        Delivery("tick", handle_failback, tick, times=1),
        Delivery("requested", handle_linode, requested, times=2),
        Delivery("manual", handle_failover, world.manual("failover", force=force), times=2, request="req-7"),
    )


def outdated(world: World) -> tuple[Delivery, ...]:
    """Return the same kinds of events, each older than events may be."""
    at = (world.clock.now() - MAXIMUM_AGE - timedelta(seconds=1)).isoformat()
    return tuple(
        Delivery(f"old {found.name}", found.flow, {**found.event, "time": at}, times=1)
        for found in incident(world)
        if not found.request
    )


def copy(world: World) -> World:
    """Return a world just like this one."""
    return unpack(pack(world))


def pack(world: World) -> bytes:
    """Return a world as bytes."""
    return pickle.dumps(world, protocol=pickle.HIGHEST_PROTOCOL)


def unpack(packed: bytes) -> World:
    """Return the world again."""
    found: World = pickle.loads(packed)
    return found


def deliver(world: World, delivery: Delivery, nth: int) -> Any:
    """Deliver an event for the nth time; return what the function answers."""
    owner = delivery.request or f"{delivery.name} {nth}"
    return world._deliver(delivery.flow, delivery.event, world.ports(owner), 100)


_VERSION = re.compile(r'"version": \d+')


def fingerprint(world: World) -> int:
    """Return the same number for worlds that go on alike, and look alike to whoever asks."""
    found = (
        [_VERSION.sub("", text) for _, text in world.store.states.values()],
        [_VERSION.sub("", text) for _, text in world.store.healths.values()],
        sorted(world.store.history.items()),
        world.zones.zones,
        world.zones.batches,
        len(world.zones.refused),
        world.parameters.values,
        world.parameters.writes,
        world.linode.records,
        world.linode.writes,
        world.events.put_events,
        world._delivered,
        world.notifier.sent,
        {key: [b for b in beats if b.at >= world.clock.at] for key, beats in world.tables._beats.items()},
        world.clock.at,
    )
    return hash(repr(found))


Given = tuple[int, ...]


@dataclass
class Place:
    """A world on the way: how often each event has been delivered, one order that leads here, how many do."""

    packed: bytes
    given: Given
    way: tuple[str, ...] = ()
    orders: int = 1


@dataclass
class Exploration:
    """What came of every order: the worlds at the end, and what was counted."""

    ends: list[Place] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))


def explore(
    world: World,
    deliveries: tuple[Delivery, ...],
    look: Callable[[World, tuple[str, ...]], None],
    every_s: float,
    stale: tuple[Delivery, ...] = (),
) -> Exploration:
    """Deliver these events in every order, `every_s` apart; let `look` see each world on the way.

    At each place the stale events are delivered too: they must leave the world as it is.
    """
    found = Exploration()
    walk = _Walk(deliveries, look, every_s, stale, found.counts)
    start = Place(pack(world), (0,) * len(deliveries))
    level: dict[tuple[Given, int], Place] = {(start.given, 0): start}
    for _ in range(sum(delivery.times for delivery in deliveries)):
        following: dict[tuple[Given, int], Place] = {}
        for place in level.values():
            walk.go_on(place, following)
        level = following
    found.ends = list(level.values())
    found.counts["orders"] = sum(place.orders for place in found.ends)
    for name, count in found.counts.items():
        COUNTS[name] += count
    return found


@dataclass
class _Walk:
    deliveries: tuple[Delivery, ...]
    look: Callable[[World, tuple[str, ...]], None]
    every_s: float
    stale: tuple[Delivery, ...]
    counts: dict[str, int]

    def go_on(self, place: Place, following: dict[tuple[Given, int], Place]) -> None:
        """Deliver each event that is still to come, each to a copy of this world."""
        for number, delivery in enumerate(self.deliveries):
            if place.given[number] == delivery.times:
                continue
            there = unpack(place.packed)
            step(there, delivery, place.given[number] + 1, self.every_s)
            self.counts["deliveries"] += 1
            given = tuple(n + (i == number) for i, n in enumerate(place.given))
            key = (given, fingerprint(there))
            if key in following:
                following[key].orders += place.orders
            else:
                way = (*place.way, delivery.name)
                self._arrive(there, way, key[1])
                following[key] = Place(pack(forget_the_past(there)), given, way, place.orders)

    def _arrive(self, world: World, way: tuple[str, ...], mark: int) -> None:
        """Look at a world not seen before; no event that is too old may change it."""
        self.counts["worlds"] += 1
        self.look(world, way)
        for delivery in self.stale:
            answer = deliver(world, delivery, 1)
            assert answer["reason"] == "stale-event", f"{delivery.name} after {way}"
            assert fingerprint(world) == mark, f"{delivery.name} after {way}"
            self.counts["stale"] += 1


def step(world: World, delivery: Delivery, nth: int, every_s: float) -> None:
    """Deliver, and let it be `every_s` after the delivery, however long that took by the world's clock."""
    came = world.clock.at
    deliver(world, delivery, nth)
    world.clock.at = came + timedelta(seconds=every_s)


def straight(
    world: World, deliveries: Mapping[str, Delivery], order: tuple[str, ...], every_s: float
) -> World:
    """Deliver in one order, from the beginning to the end, with nothing merged; return the world then."""
    there = copy(world)
    given = dict.fromkeys(deliveries, 0)
    for name in order:
        given[name] += 1
        step(there, deliveries[name], given[name], every_s)
    return there
