"""A secret, or the text at one key of it, names the active Region; nothing else of it is touched or told."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from region_failover.domain.codec import dump
from region_failover.domain.errors import RemoteFailure
from region_failover.domain.plan import FailbackMode
from region_failover.domain.plan_file import parse_plan
from region_failover.domain.state import LATE_WRITERS_WITHIN, LEASE, Phase, Step, StepKind, StepStatus
from region_failover.service.parameters import write_value
from tests.fakes import DENIED, EAST, PARAMETER, PLAN_TEXT, TIMED_OUT, WEST, Killed, World, with_policy

DATABASE, REGION = "orders/database", "orders/region"
USE1, USW2 = "db.use1.example.com", "db.usw2.example.com"
SECRETS = f"""
[[switch.secret]]
name = "{DATABASE}"
regions = ["us-west-2", "us-east-1"]
key = "host"
primary = "{USE1}"
standby = "{USW2}"
[[switch.secret]]
name = "{REGION}"
regions = ["us-west-2"]
"""
PLAN = parse_plan(PLAN_TEXT + SECRETS, "orders.toml")
PASSWORD = "s3cret"
DATABASE_STEP = f"secret {WEST} {DATABASE}"


@pytest.fixture
def world() -> World:
    """A world whose primary is decidedly down, and whose state is there."""
    world = World(PLAN)
    world.tick()
    world.outage()
    return world


def move(world: World) -> None:
    world.failover()
    world.deliver_switch()


def host(world: World, region: str = WEST) -> str:
    """Return what the database's secret names; its password must be what it was."""
    found = json.loads(world.secrets.text(region, DATABASE))
    assert found["password"] == PASSWORD
    return str(found["host"])


def rotate(world: World, region: str = WEST) -> Callable[[], None]:
    """Return what an application's rotation does: a new password beside whatever is there."""

    def put() -> None:
        found = json.loads(world.secrets.text(region, DATABASE))
        world.secrets.put(region, DATABASE, json.dumps({**found, "rotated": True}))

    return put


def later(world: World, seconds: float = 60) -> None:
    world.clock.advance(seconds)
    world.tick()
    world.deliver_switch()


def test_a_move_switches_one_key_or_the_whole_and_keeps_the_rest(world: World) -> None:
    move(world)
    assert (host(world), world.secrets.text(WEST, REGION)) == (USW2, WEST)
    assert world.state.phase is Phase.STEADY
    (ended,) = world.history()
    details = {step.detail for step in ended.steps if step.key == DATABASE_STEP}
    assert details == {"in place of version v0"}


def test_the_dead_regions_own_secret_is_owed_and_made_good_once_it_answers(world: World) -> None:
    move(world)
    owed = {step.key for step in world.state.owed}
    assert owed == {f"secret {EAST} {DATABASE}", f"ssm {EAST} {PARAMETER}"}
    world.repair_region(EAST)
    later(world)
    assert (host(world, EAST), world.state.owed) == (USW2, ())


def test_a_secret_of_the_target_that_cannot_be_written_keeps_the_transition_open_and_is_told(
    world: World,
) -> None:
    world.secrets.failures[WEST] = DENIED
    move(world)
    assert world.step(DATABASE_STEP).status is StepStatus.FAILED
    assert world.notifier.about(f"{DATABASE_STEP} is not switched yet")
    world.secrets.failures.clear()
    world.secrets.failures[EAST] = TIMED_OUT
    later(world)
    assert (world.state.phase, host(world)) == (Phase.STEADY, USW2)


def test_i9_a_value_that_is_in_no_plan_is_left_alone_and_told_without_a_word_of_it(world: World) -> None:
    world.secrets.put(WEST, REGION, "hunter2")
    move(world)
    assert world.secrets.text(WEST, REGION) == "hunter2"
    assert "no plan" in world.step(f"secret {WEST} {REGION}").detail
    told = [*map(str, world.notifier.sent), *map(str, world.meter.lines), dump(world.state)]
    assert not [text for text in told if "hunter2" in text or PASSWORD in text]
    world.secrets.put(WEST, REGION, EAST)
    later(world)
    assert (world.state.phase, world.secrets.text(WEST, REGION)) == (Phase.STEADY, WEST)


def test_a_rotation_between_our_look_and_our_exchange_is_kept_and_on_record(world: World) -> None:
    world.faults.before("secrets.replace", rotate(world))
    move(world)
    assert host(world) == USW2
    assert json.loads(world.secrets.text(WEST, DATABASE))["rotated"] is True
    (ended,) = world.history()
    (step,) = (step for step in ended.steps if step.key == DATABASE_STEP)
    assert (step.status, "somebody else put a version" in step.detail) == (StepStatus.DONE, True)


def test_who_rotates_again_and_again_is_not_fought(world: World) -> None:
    world.faults.before("secrets.replace", rotate(world), times=2)
    world.faults.before("secrets.replace", lambda: None, times=9)
    move(world)
    assert (host(world), world.step(DATABASE_STEP).status) == (USE1, StepStatus.FAILED)
    later(world)
    assert (host(world), world.state.phase) == (USW2, Phase.STEADY)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("operation", ["secrets.read", "secrets.replace"])
def test_a_worker_killed_at_a_secret_is_finished_by_a_tick(world: World, operation: str, when: str) -> None:
    getattr(world.faults, when)(operation, Killed())
    with pytest.raises(Killed):
        world.failover()
    world.faults.clear()
    for _ in range(2):
        later(world, LEASE.total_seconds())
    assert (host(world), world.secrets.text(WEST, REGION)) == (USW2, WEST)
    assert world.state.phase is Phase.STEADY


def test_a_lost_reply_makes_no_second_version(world: World) -> None:
    world.faults.after("secrets.replace", RemoteFailure(TIMED_OUT))
    move(world)
    versions = dict(world.secrets.versions[WEST, DATABASE])
    later(world)
    assert (host(world), world.state.phase) == (USW2, Phase.STEADY)
    assert world.secrets.versions[WEST, DATABASE] == versions


def back_again(world: World) -> None:
    """Complete the move, and bring the traffic back to the primary."""
    world.faults.clear()
    for _ in range(2):
        later(world, LEASE.total_seconds())
    world.repair_region(EAST)
    later(world, 120)
    world.failback(world.manual("failback", force=True))
    world.deliver_switch()
    assert (world.state.epoch, host(world)) == (2, USE1)


def test_i2_a_worker_frozen_before_its_exchange_is_refused_by_the_secret_itself(world: World) -> None:
    world.faults.before("secrets.replace", lambda: back_again(world))
    world.failover(ports=world.ports("frozen"))
    assert host(world) == USE1
    assert "lost the lease" in [line for line, _ in world.meter.lines]
    assert len(set(world.secrets.was_current[WEST, DATABASE])) == 3  # before, epoch 1, epoch 2


def test_i2_a_worker_of_an_older_epoch_corrects_what_it_wrote(world: World) -> None:
    move(world)
    step = Step(StepKind.SECRET, DATABASE, WEST)
    write_value(world.ports("frozen"), PLAN, step, EAST, world.state.epoch - 1)
    assert host(world) == USW2


def test_i2_what_an_in_flight_rotation_puts_back_is_corrected_for_a_while(world: World) -> None:
    old = world.secrets.text(WEST, DATABASE)
    move(world)
    world.secrets.put(WEST, DATABASE, old.replace("{", '{"rotated": true, ', 1))
    later(world)
    assert host(world) == USW2
    assert json.loads(world.secrets.text(WEST, DATABASE))["rotated"] is True
    world.clock.advance(LATE_WRITERS_WITHIN.total_seconds())
    world.secrets.put(WEST, DATABASE, old)
    later(world)
    assert host(world) == USE1


def test_a_failback_writes_every_copy(world: World) -> None:
    move(world)
    back_again(world)
    assert (host(world, EAST), world.secrets.text(WEST, REGION)) == (USE1, EAST)


def test_a_plan_without_secrets_asks_nothing_of_secrets_manager() -> None:
    world = World(with_policy(failback=FailbackMode.AUTOMATIC))
    world.tick()
    world.outage()
    move(world)
    assert not [call for call in world.faults.calls if call.startswith(("secrets.", "hooks."))]


def test_a_secret_that_a_plan_has_no_more_is_not_guessed(world: World) -> None:
    world.faults.before("secrets.read", Killed())
    with pytest.raises(Killed):
        world.failover()
    world.plan = parse_plan(PLAN_TEXT, "orders.toml")
    later(world, LEASE.total_seconds())
    assert "not in the plan any more" in world.step(DATABASE_STEP).detail


GIVEN = PLAN_TEXT + f'primary = "{USE1}"\nstandby = "{USW2}"\n'


def test_a_parameter_may_hold_what_the_plan_gives_for_each_role() -> None:
    world = World(parse_plan(GIVEN, "orders.toml"))
    assert world.parameters.values[WEST, PARAMETER] == USE1
    world.tick()
    world.outage()
    move(world)
    assert world.parameters.values[WEST, PARAMETER] == USW2
    world.parameters.values[WEST, PARAMETER] = USE1  # a late writer
    later(world)
    assert world.parameters.values[WEST, PARAMETER] == USW2
