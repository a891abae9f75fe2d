"""What the seeded faults (`proof/faults/`) have shown to be held by no other test."""

from __future__ import annotations

import re
from pathlib import Path

from region_failover.domain.plan import FailbackMode
from region_failover.domain.state import Step, StepKind
from region_failover.domain.zone import snapshot_from_json
from region_failover.service.parameters import write_value
from tests.fakes import EAST, PARAMETER, PLAN, WEST, ZONE, World, with_policy

TEMPLATE = Path(__file__).resolve().parents[2] / "template.yaml"
ZONE_STEP = f"route53 {ZONE}"


def moving_west() -> World:
    """A world whose failover is open: Linode's records have not been pointed yet."""
    world = World(PLAN)
    world.tick()
    world.outage()
    world.failover()
    assert world.state.transition is not None
    return world


def test_a_late_writer_corrects_itself_to_where_the_open_move_is_heading() -> None:
    world = moving_west()
    assert world.state.active == EAST
    step = Step(StepKind.SSM, PARAMETER, WEST)
    write_value(world.ports("frozen"), PLAN, step, EAST, world.state.epoch - 1)
    assert world.parameters.values[WEST, PARAMETER] == WEST


def test_what_was_there_before_stays_on_record_when_our_own_first_copy_is_refused() -> None:
    world = World(PLAN)
    world.tick()
    world.outage()
    world.zones.sends_twice = True
    world.failover()
    assert world.zones.refused
    before = snapshot_from_json(world.step(ZONE_STEP).before)
    record = PLAN.route53_records[0]
    there = before.find(record.name, record.type)
    assert there is not None
    assert there.values == record.primary
    fence = before.read_fence()
    assert fence is not None
    assert fence.epoch == world.state.epoch - 1


def test_a_failback_begins_a_cooldown_too() -> None:
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
    world.tick()
    world.deliver_switch()
    assert world.state.active == EAST
    assert world.state.cooldown_until is not None
    assert world.state.cooldown_until - world.clock.now() > world.plan.policy.cooldown / 2


def test_only_a_change_id_alarms_and_what_has_no_resources_are_granted_by_a_star() -> None:
    """Zones, parameters and tables are granted by name: a mistake in a plan reaches nobody else's (I8)."""
    statements = TEMPLATE.read_text().split("- Sid: ")[1:]
    stars = {
        statement.split()[0]: found[0]
        for statement in statements
        if (found := re.findall(r"^ +(?:- )?Resource: (.*?\*\"?)(?: #.*)?$", statement, re.MULTILINE))
    }
    assert stars == {
        "QuotasAndClocks": '"*"',
        "Trace": '"*"',
        "AskAlarms": '"*"',
        "FollowOwnChanges": "!Sub arn:${AWS::Partition}:route53:::change/*",
        "ReadTheirHealthChecks": "!Sub arn:${AWS::Partition}:route53:::healthcheck/*",
        "SayWhoseTrafficItIs": '"*"',
    }


def test_a_request_that_was_held_is_not_carried_out_when_it_is_delivered_again() -> None:
    world = World(PLAN)
    world.tick()
    request = world.manual("failover")
    world.failover(request, ports=world.ports("invocation"))
    assert world.state.epoch == 0
    world.outage()
    world.failover(request, ports=world.ports("invocation"))
    assert (world.state.epoch, world.moved_to()) == (0, EAST)
    world.failover(request, ports=world.ports("another"))  # asked anew, it is carried out
    assert world.moved_to() == WEST
