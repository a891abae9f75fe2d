"""A zone is done when its own name servers answer as switched; those out of reach hold nothing for ever."""

from __future__ import annotations

from datetime import timedelta

import pytest

from region_failover.domain.errors import RemoteFailure
from region_failover.domain.propagation import STRANDED_AFTER
from region_failover.domain.served import SILENT_FOR, TOLD_AFTER
from region_failover.domain.state import LEASE, Phase, StepStatus
from region_failover.domain.zone import fence_name
from tests.fakes import DENIED, PLAN, SERVERS, TIMED_OUT, WEST, ZONE, Killed, World, with_policy

ZONE_STEP = f"route53 {ZONE}"
API, FENCE = ("api.example.com", "A"), (fence_name(PLAN.route53_records), "TXT")
OLD = {API: ("192.0.2.10",)}
WRONG = "its name servers answer otherwise"
UNCHECKED = "its name servers could not be asked"


@pytest.fixture
def world() -> World:
    """A world whose primary is decidedly down."""
    return ready(World())


def ready(world: World) -> World:
    world.tick()
    world.outage()
    return world


def moved(world: World, seconds: float = 30) -> None:
    world.failover(seconds=seconds)
    world.deliver_switch()


def ticks(world: World, seconds: float) -> None:
    end = world.clock.now() + timedelta(seconds=seconds)
    while world.clock.now() < end:
        began = world.clock.now()
        world.tick(seconds=40)
        world.deliver_switch()
        world.clock.at = max(world.clock.at, began + timedelta(seconds=60))


def asked_of_route53(world: World) -> list[tuple[tuple[str, ...], str, str]]:
    """Return what Route 53's name servers were asked; Linode's are asked about what is at Linode."""
    return [asked for asked in world.names.asked if asked[1] != "app.legacy.example"]


def detail(world: World) -> str:
    (ended,) = world.history()
    step = ended.step(ZONE_STEP)
    assert step is not None
    return step.detail


def test_every_name_server_is_asked_for_the_fence_and_the_record(world: World) -> None:
    moved(world)
    assert sorted(asked_of_route53(world)) == sorted(
        ((server,), *question) for server in SERVERS for question in (API, FENCE)
    )
    assert world.state.phase is Phase.STEADY
    assert detail(world) == "INSYNC and read back; 4 of 4 name servers answer so"


@pytest.mark.parametrize("stale", [OLD, {FENCE: ("of before",)}, {API: ()}], ids=["record", "fence", "empty"])
def test_i7_one_server_that_answers_otherwise_keeps_the_step_open(
    world: World, stale: dict[tuple[str, str], tuple[str, ...]]
) -> None:
    world.names.lagging[SERVERS[2]] = stale
    moved(world)
    assert world.step(ZONE_STEP).status is StepStatus.DOING
    assert (world.state.phase, world.history()) == (Phase.MOVING, [])
    assert not world.notifier.about(WRONG)
    world.names.lagging.clear()
    world.clock.advance(30)
    world.tick()
    assert (world.state.phase, world.state.active) == (Phase.STEADY, WEST)


def test_a_server_that_catches_up_within_the_invocation_costs_no_tick(world: World) -> None:
    world.names.lagging[SERVERS[0]] = OLD
    world.faults.before("names.ask", world.names.lagging.clear, skip=12)
    moved(world)
    assert world.state.phase is Phase.STEADY


def test_a_disagreement_that_lasts_is_told_once_and_submitted_again(world: World) -> None:
    world.names.lagging[SERVERS[2]] = OLD
    moved(world)
    ticks(world, TOLD_AFTER.total_seconds() - 90)
    assert not world.notifier.about(WRONG)
    ticks(world, 120)
    assert len(world.notifier.about(WRONG)) == 1
    batches = len(world.zones.batches)
    ticks(world, STRANDED_AFTER.total_seconds())
    assert len(world.zones.batches) == batches + 1
    assert len(world.notifier.about(WRONG)) == 1
    world.names.lagging.clear()
    ticks(world, 60)
    assert world.state.phase is Phase.STEADY


def test_servers_that_do_not_answer_are_no_disagreement(world: World) -> None:
    world.names.silent = set(SERVERS[1:])
    moved(world)
    assert world.state.phase is Phase.STEADY
    assert detail(world) == "INSYNC and read back; 1 of 4 name servers answer so"
    assert not world.notifier.about(UNCHECKED)


def test_name_servers_out_of_our_reach_hold_it_for_a_while_only_and_that_is_said(world: World) -> None:
    world.names.silent = set(SERVERS)
    began = world.clock.now()
    moved(world, seconds=60)
    assert world.state.phase is Phase.STEADY
    assert SILENT_FOR <= world.clock.now() - began <= SILENT_FOR + timedelta(seconds=6)
    assert detail(world).startswith("INSYNC and read back; name servers not checked: timeout")
    assert len(world.notifier.about(UNCHECKED)) == 1


def test_where_there_is_no_time_to_hear_of_them_the_next_tick_asks(world: World) -> None:
    world.names.silent = set(SERVERS)
    moved(world, seconds=10)
    assert (world.step(ZONE_STEP).status, world.notifier.about(UNCHECKED)) == (StepStatus.DOING, [])
    world.names.silent.clear()
    world.clock.advance(30)
    world.tick()
    assert detail(world) == "INSYNC and read back; 4 of 4 name servers answer so"


def test_a_silent_server_is_asked_one_question_a_round(world: World) -> None:
    world.names.silent = {SERVERS[0]}
    moved(world)
    assert sum(servers == (SERVERS[0],) for servers, _, _ in world.names.asked) == 1


def test_where_they_cannot_be_known_it_goes_on_and_says_so(world: World) -> None:
    world.faults.before("zones.name_servers", RemoteFailure(DENIED), times=99)
    moved(world, seconds=60)
    assert world.state.phase is Phase.STEADY
    assert "which they are cannot be read" in detail(world)
    assert len(world.notifier.about(UNCHECKED)) == 1


def test_where_they_cannot_be_known_at_first_they_are_looked_up_again(world: World) -> None:
    world.faults.before("zones.name_servers", RemoteFailure(TIMED_OUT))
    moved(world)
    assert detail(world) == "INSYNC and read back; 4 of 4 name servers answer so"


def test_a_private_zone_has_none_and_that_is_said(world: World) -> None:
    world.zones.private.add(ZONE)
    moved(world)
    assert asked_of_route53(world) == []
    assert "a private zone has none" in detail(world)
    assert not world.notifier.about(UNCHECKED)


def test_a_plan_that_does_not_want_it_costs_no_call() -> None:
    world = ready(World(with_policy(check_answers=False)))
    moved(world)
    assert asked_of_route53(world) == []
    assert "zones.name_servers" not in world.faults.calls
    assert "policy.check_answers" in detail(world)


def test_deploying_a_plan_that_does_not_want_it_ends_a_transition_that_they_hold(world: World) -> None:
    world.names.lagging[SERVERS[2]] = OLD
    moved(world)
    assert world.state.phase is Phase.MOVING
    world.plan = with_policy(check_answers=False)
    ticks(world, 60)
    assert world.state.phase is Phase.STEADY


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("operation", ["zones.name_servers", "names.ask"])
def test_a_worker_that_dies_while_it_asks_is_followed_by_another(
    world: World, when: str, operation: str
) -> None:
    getattr(world.faults, when)(operation, Killed())
    with pytest.raises(Killed):
        world.failover()
    world.clock.advance(LEASE.total_seconds())
    ticks(world, 120)
    assert (world.state.phase, world.moved_to(), world.state.epoch) == (Phase.STEADY, WEST, 1)


def test_i22_that_they_were_not_asked_is_told_by_whoever_goes_on(world: World) -> None:
    world.names.silent = set(SERVERS)
    world.faults.before("notifier.publish", Killed(), skip=1)  # the first tells of the outage
    with pytest.raises(Killed):
        world.failover(seconds=60)
    ticks(world, LEASE.total_seconds() + 120)
    assert len(world.notifier.about(UNCHECKED)) == 1
