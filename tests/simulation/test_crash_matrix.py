"""At every port call of a transition: dead before its effect, dead after it, refused, or its reply lost.

The calls are those of a recorded run, never typed in. Whatever happens at one of them, the transition must be
finished or stopped within its lease and two ticks (I18), with one effect (I20), and everything that points
somewhere must point at the Region that the record calls active (I2, I7).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

from region_failover.domain.errors import RegionFailoverError, RemoteFailure, StateUnavailable
from region_failover.domain.plan import FailbackMode
from region_failover.domain.state import LEASE, Phase
from region_failover.domain.zone import Fence
from tests.fakes import EAST, PARAMETER, PLAN, TIMED_OUT, WEST, Killed, World, with_policy

LINODE = {EAST: "203.0.113.10", WEST: "198.51.100.50"}
WAYS = ("dead before", "dead after", "refused", "reply lost")


def before_failover() -> World:
    """A world whose primary is decidedly down."""
    world = World(PLAN)
    world.tick()
    world.outage()
    return world


def before_failback() -> World:
    """A world on its standby, whose primary has been well for long enough."""
    world = World(with_policy(failback=FailbackMode.AUTOMATIC))
    world.tick()
    world.outage()
    world.failover()
    world.deliver_switch()
    world.repair_region(EAST)
    world.tick()
    settled = world.clock.now()
    world.settle(25)
    world.edit_state(cooldown_until=settled)
    return world


def run_failover(world: World) -> None:
    world.failover()
    world.deliver_switch()


def run_failback(world: World) -> None:
    world.tick()
    world.deliver_switch()


FLOWS: dict[str, tuple[Callable[[], World], Callable[[World], None], tuple[str, str]]] = {
    "failover": (before_failover, run_failover, (EAST, WEST)),
    "failback": (before_failback, run_failback, (WEST, EAST)),
}


def recorded(flow: str) -> list[tuple[str, int]]:
    """Return every port call of an undisturbed run, as (operation, how many of that name came before it)."""
    make, run, _ = FLOWS[flow]
    world = make()
    first = len(world.faults.calls)
    run(world)
    calls = world.faults.calls[first:]
    return [(operation, calls[:number].count(operation)) for number, operation in enumerate(calls)]


def disturb(world: World, way: str, operation: str, skip: int) -> None:
    """Let that happen at the call of this name after `skip` others of it."""
    error = StateUnavailable("no answer") if operation.startswith("store.") else RemoteFailure(TIMED_OUT)
    action = Killed() if way.startswith("dead") else error
    arm = world.faults.before if way in {"dead before", "refused"} else world.faults.after
    arm(operation, action, skip=skip)


def go_on(world: World) -> None:
    """What comes by itself: requests are delivered, the lease expires, two ticks pass; the probe goes on."""
    world.deliver_switch()
    world.clock.advance(LEASE.total_seconds())
    for _ in range(2):
        world.probe(seconds=55)
        world.tick()
        world.deliver_switch()
        world.clock.advance(5)


def check(world: World, source: str, target: str, epoch: int) -> None:
    state = world.state
    moved = state.epoch == epoch + 1
    active = target if moved else source
    assert (state.phase, state.transition, state.epoch) == (Phase.STEADY, None, epoch + moved)
    assert (world.moved_to(), state.active) == (active, active)
    assert world.fence() == Fence("orders", state.epoch, active)
    assert world.linode.records[123456][0].target == LINODE[active]
    owed = {step.region for step in state.owed}
    values = {region: world.parameters.values[region, PARAMETER] for region in (EAST, WEST)}
    assert {region: value for region, value in values.items() if region not in owed} == dict.fromkeys(
        {EAST, WEST} - owed, active
    )
    assert [t.epoch for t in world.history()] == list(range(1, state.epoch + 1))


def matrix() -> list[tuple[str, str, str, int]]:
    return [
        (flow, way, operation, skip) for flow in FLOWS for operation, skip in recorded(flow) for way in WAYS
    ]


@pytest.mark.parametrize("flow", FLOWS)
def test_an_undisturbed_run_moves_everything_once(flow: str) -> None:
    make, run, (source, target) = FLOWS[flow]
    world = make()
    epoch = world.state.epoch
    run(world)
    check(world, source, target, epoch)
    assert world.state.active == target


@pytest.mark.parametrize(("flow", "way", "operation", "skip"), matrix())
def test_whatever_happens_at_one_call_the_transition_is_finished_or_stopped(
    flow: str, way: str, operation: str, skip: int
) -> None:
    make, run, (source, target) = FLOWS[flow]
    world = make()
    epoch = world.state.epoch
    disturb(world, way, operation, skip)
    with contextlib.suppress(Killed, RegionFailoverError):
        run(world)
    world.faults.clear()
    go_on(world)
    check(world, source, target, epoch)
    if world.state.epoch == epoch and flow == "failover":  # stopped or never begun: the next event does it
        run(world)
        go_on(world)
        check(world, source, target, epoch)
        assert world.state.active == target


@pytest.mark.parametrize("flow", FLOWS)
def test_two_workers_that_resume_at_once_have_one_effect(flow: str) -> None:
    for operation, skip in recorded(flow):
        _resume_twice(flow, operation, skip)


def _resume_twice(flow: str, operation: str, skip: int) -> None:
    make, run, (source, target) = FLOWS[flow]
    world = make()
    epoch = world.state.epoch
    disturb(world, "dead after", operation, skip)
    with contextlib.suppress(Killed):
        run(world)
    world.faults.clear()
    world.clock.advance(LEASE.total_seconds())
    first, second = world.ports("first"), world.ports("second")
    world.faults.before("zones.submit", lambda: world.failback(ports=second))
    world.failback(ports=first)
    world.faults.clear()
    go_on(world)
    check(world, source, target, epoch)


def test_the_matrix_covers_every_port_that_has_effects() -> None:
    operations = {operation for _, _, operation, _ in matrix()}
    assert {
        "store.save_state",
        "zones.submit",
        "zones.is_insync",
        "parameters.write",
        "linode.point",
        "events.put",
        "notifier.publish",
    } <= operations
