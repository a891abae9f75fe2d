"""Records of every kind through whole moves: what was there is put back, what cannot move is told at once."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from region_failover.domain.errors import RemoteFailure
from region_failover.domain.plan import Plan, Role
from region_failover.domain.plan_file import parse_plan
from region_failover.domain.record_set import Alias, RecordSet, points_alike
from region_failover.domain.state import Phase, StepStatus
from region_failover.domain.zone import (
    answers,
    fence_name,
    snapshot_from_json,
)
from tests.fakes import EAST, PLAN, PLAN_TEXT, TIMED_OUT, WEST, ZONE, Killed, World
from tests.record_kinds import OTHER, content, mixtures


def world_of(plan: Plan, there: list[tuple[str, RecordSet]]) -> World:
    world = World(plan)
    world.zones.zones = {zone_id: {} for zone_id in plan.zones()}
    for zone_id, record in there:
        world.zones.put(zone_id, record)
    return world


def force(world: World, action: str) -> Any:
    move = world.failover if action == "failover" else world.failback
    return move(world.manual(action, force=True))


@settings(max_examples=30, deadline=None)
@given(mixtures())
def test_a_failover_and_a_failback_leave_every_record_as_it_was(mixture: Any) -> None:
    plan, there = mixture
    world = world_of(plan, there)
    before = content(world.zones, plan)
    assert force(world, "failover")["action"] == "move"
    assert (world.state.active, world.state.phase) == (WEST, Phase.STEADY)
    away = content(world.zones, plan)
    assert away != before
    _points_at(world, plan, Role.STANDBY)
    assert force(world, "failback")["action"] == "move"
    assert (world.state.active, world.state.phase, world.state.was) == (EAST, Phase.STEADY, {})
    assert content(world.zones, plan) == before
    assert len(world.zones.batches) == 2 * len(plan.zones()) + _first_fences(world)
    assert force(world, "failover")["action"] == "move"
    assert content(world.zones, plan) == away


def _points_at(world: World, plan: Plan, role: Role) -> None:
    for record in plan.route53_records:
        sets = [s for s in world.zones.zones[record.zone_id].values() if s.name == record.name]
        for target in answers(record, role):
            (there,) = [s for s in sets if (s.type, s.identifier) == (target.type, target.identifier)]
            assert points_alike(there, target)
            assert record.ttl is None or there.alias or there.ttl == record.ttl


def _first_fences(world: World) -> int:
    return sum(len(changes) == 1 for _, changes, _ in world.zones.batches)


@settings(max_examples=15, deadline=None)
@given(mixtures(), st.sampled_from(["zones.submit", "zones.is_insync", "zones.read"]), st.integers(0, 3))
def test_a_worker_that_loses_every_reply_leaves_the_same(mixture: Any, call: str, skip: int) -> None:
    """The batch that only proves what was switched must prove each kind's very attributes."""
    plan, there = mixture
    world = world_of(plan, there)
    before = content(world.zones, plan)
    world.tick()
    for action, target in (("failover", WEST), ("failback", EAST)):
        world.faults.after(call, Killed(), skip=skip)
        with contextlib.suppress(Killed):
            force(world, action)
        world.faults.clear()
        world.clock.advance(200)
        world.tick()
        if world.state.active != target:  # it had died before its claim
            force(world, action)
        assert (world.state.active, world.state.phase) == (target, Phase.STEADY)
    assert content(world.zones, plan) == before


SET = replace(PLAN.route53_records[0], ttl=None, set_identifier="use1")
LATENCY = RecordSet(
    "api.example.com",
    "A",
    300,
    ("192.0.2.10",),
    identifier="use1",
    kept=(("HealthCheckId", '"h"'), ("Region", '"us-east-1"')),
)
BESIDE = replace(LATENCY, identifier="euw1", values=("203.0.113.5",), kept=(("Region", '"eu-west-1"'),))
BY_SET = replace(PLAN, route53_records=(SET,), linode_records=())


def latency() -> World:
    return world_of(BY_SET, [(ZONE, LATENCY), (ZONE, BESIDE)])


def test_a_latency_set_is_moved_with_its_region_its_health_check_and_its_ttl() -> None:
    world = latency()
    force(world, "failover")
    zone = world.zones.zones[ZONE]
    assert zone["api.example.com", "A use1"] == replace(LATENCY, values=("198.51.100.10",))
    assert zone["api.example.com", "A euw1"] == BESIDE


def test_sets_that_the_plan_does_not_name_are_no_part_of_its_record() -> None:
    world = latency()
    force(world, "failover")
    (moved,) = world.history()
    (seen,) = [snapshot_from_json(step.before) for step in moved.steps if step.kind.value == "route53"]
    assert seen.records == (LATENCY,)


@pytest.mark.parametrize("forced", [False, True])
@pytest.mark.parametrize(
    ("plan", "there", "words"),
    [
        (BY_SET, [BESIDE], "api.example.com A 'use1': it has no such set"),
        (BY_SET, [], "api.example.com A 'use1': it has no such set"),
        (
            PLAN,
            [RecordSet("api.example.com", "CNAME", 60, ("x.example.net",))],
            "api.example.com A: there is a CNAME",
        ),
        (PLAN, [LATENCY], "api.example.com A: it has a routing policy"),
        (
            replace(PLAN, route53_records=(replace(PLAN.route53_records[0], type="CNAME"),)),
            [RecordSet("api.example.com", "TXT", 60, ('"x"',))],
            "api.example.com CNAME: there is a TXT of that name",
        ),
        (
            replace(
                PLAN,
                route53_records=(
                    replace(
                        PLAN.route53_records[0],
                        standby=(),
                        aliases=(None, Alias(ZONE, "usw2.example.com", False)),
                    ),
                ),
            ),
            [RecordSet("api.example.com", "A", 60, ("192.0.2.10",))],
            "api.example.com A: usw2.example.com A, of which it shall be an alias, is not in the zone",
        ),
        (
            PLAN,
            [RecordSet("api.example.com", "A", 60, tuple(f"10.0.{n // 250}.{n % 250}" for n in range(998)))],
            "the batch has 1001 values",
        ),
    ],
    ids=["set gone", "all gone", "CNAME", "policy", "beside a CNAME", "alias of nothing", "too large"],
)
def test_what_no_batch_can_make_is_told_by_name_before_the_claim(
    plan: Plan, there: list[RecordSet], words: str, forced: bool
) -> None:
    """Route 53 would refuse it for ever, and with it every other record of the zone."""
    world = world_of(plan, [(ZONE, record) for record in there])
    world.tick()
    mark = RecordSet(
        fence_name(plan.zones()[ZONE]), "TXT", 30, ('"region-failover plan=orders epoch=0 active=x"',)
    )
    world.zones.put(ZONE, mark)
    if not forced:
        world.outage()
    answer = force(world, "failover") if forced else world.failover()
    expected = {"not-simple"} if forced or "values" not in words else {"not-simple", "drift"}
    assert answer["reason"] in expected
    assert words in answer["detail"]
    assert world.state.epoch == 0
    assert world.notifier.about("holds: not-simple")


def test_a_cname_in_the_fences_place_is_told_before_the_claim() -> None:
    world = World()
    world.tick()
    world.outage()
    name = "_region-failover.api.example.com"
    world.zones.zones[ZONE].pop((name, "TXT"))
    world.zones.put(ZONE, RecordSet(name, "CNAME", 60, ("x.example.net",)))
    answer = world.failover()
    assert (answer["reason"], world.state.epoch) == ("fence-foreign", 0)
    assert f"{name} CNAME" in answer["detail"]


def test_a_set_that_goes_in_the_midst_of_a_move_is_told_by_name_and_goes_on_once_it_is_back() -> None:
    world = latency()
    world.tick()
    world.faults.before("zones.submit", lambda: world.zones.zones[ZONE].pop(("api.example.com", "A use1")))
    force(world, "failover")
    (step, *_) = world.state.transition.steps if world.state.transition else ()
    assert step.status is StepStatus.FAILED
    assert "api.example.com A 'use1': it has no such set" in step.detail
    assert world.notifier.about("is not switched yet")
    world.zones.put(ZONE, LATENCY)
    world.clock.advance(200)
    world.tick()
    assert (world.state.active, world.state.phase) == (WEST, Phase.STEADY)


PAIR = parse_plan(PLAN_TEXT.replace("ttl = 60", "ttl = 60\nweighted = true"), "weighted.toml")
HOME = RecordSet("api.example.com", "A", 60, ("192.0.2.10",), identifier="primary", weight=100)
AWAY = RecordSet("api.example.com", "A", 60, ("198.51.100.10",), identifier="standby", weight=0)
THIRD = replace(HOME, identifier="third", values=("203.0.113.99",))


def test_a_human_who_insists_gets_his_move_over_whatever_a_batch_can_replace() -> None:
    """A third weighted set would answer on, and never read back as the plan's: the move would stay open."""
    world = world_of(PAIR, [(ZONE, HOME), (ZONE, AWAY), (ZONE, THIRD)])
    world.tick()
    world.outage()
    assert world.failover()["reason"] == "drift"
    assert force(world, "failover")["action"] == "move"
    world.deliver_switch()
    assert (world.state.active, world.state.phase) == (WEST, Phase.STEADY)
    assert {r.identifier for r in world.zones.zones[ZONE].values()} == {"", "primary", "standby"}


def test_a_human_who_insists_is_not_held_by_a_zone_that_could_not_be_read_at_first() -> None:
    world = World(replace(PLAN, linode_records=()))
    world.tick()
    world.zones.put(ZONE, RecordSet("api.example.com", "A", 60, ("203.0.113.99",)))
    world.faults.before("zones.read", RemoteFailure(TIMED_OUT))
    assert force(world, "failover")["action"] == "move"
    assert (world.state.active, world.answer()) == (WEST, ("198.51.100.10",))


def test_force_overrules_drift_and_nothing_that_hides_behind_it() -> None:
    """Two zones: somebody's edit in one, a fence ahead in the other."""
    one, two = PLAN.route53_records[0], replace(PLAN.route53_records[0], zone_id=OTHER)
    plan = replace(PLAN, route53_records=(one, two), linode_records=())
    world = World(plan)
    world.tick()
    world.zones.put(ZONE, RecordSet("api.example.com", "A", 60, ("203.0.113.99",)))
    (mark,) = [r for r in world.zones.zones[OTHER].values() if r.type == "TXT"]
    world.zones.put(OTHER, replace(mark, values=('"region-failover plan=orders epoch=9 active=us-east-1"',)))
    assert force(world, "failover")["reason"] == "fence-ahead"
    assert world.state.epoch == 0


def test_what_a_human_changes_while_the_traffic_is_away_stays_as_he_left_it() -> None:
    record = RecordSet("api.example.com", "A", 300, ("192.0.2.10",))
    world = world_of(replace(PLAN, linode_records=()), [(ZONE, record)])
    force(world, "failover")
    assert world.zones.find(ZONE, "api.example.com") == replace(record, ttl=60, values=("198.51.100.10",))
    world.zones.put(ZONE, replace(record, ttl=120, values=("198.51.100.10",)))
    force(world, "failback")
    assert world.zones.find(ZONE, "api.example.com") == replace(record, ttl=60)  # the plan's: 300 is history


def test_an_empty_answer_is_made_with_a_ttl_even_where_the_plan_has_none() -> None:
    plan = replace(PLAN, route53_records=(replace(PLAN.route53_records[0], ttl=None),), linode_records=())
    world = world_of(plan, [])
    world.tick()
    force(world, "failover")
    assert world.zones.find(ZONE, "api.example.com") == RecordSet(
        "api.example.com", "A", 60, ("198.51.100.10",)
    )
    force(world, "failback")
    assert world.answer() == ("192.0.2.10",)


def test_a_ttl_that_somebody_had_chosen_is_there_again_after_the_return() -> None:
    record = RecordSet("api.example.com", "A", 300, ("192.0.2.10",))
    world = world_of(replace(PLAN, linode_records=()), [(ZONE, record)])
    force(world, "failover")
    assert world.zones.find(ZONE, "api.example.com") == replace(record, ttl=60, values=("198.51.100.10",))
    force(world, "failback")
    assert world.zones.find(ZONE, "api.example.com") == record
    assert world.state.was == {}


def test_a_batch_whose_reply_was_lost_is_proved_with_all_that_was_kept() -> None:
    world = latency()
    world.tick()
    world.faults.after("zones.submit", Killed())
    with pytest.raises(Killed):
        force(world, "failover")
    world.clock.advance(200)
    world.tick()
    assert (world.state.active, world.state.phase) == (WEST, Phase.STEADY)
    assert world.zones.zones[ZONE]["api.example.com", "A use1"] == replace(LATENCY, values=("198.51.100.10",))
