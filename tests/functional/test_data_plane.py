"""Switches without a control plane: signalled, followed by the name servers, never sent home blindly."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from region_failover.domain.dataplane import HOME, TAKES_OVER, Follows, Order, SignalObject, follows_within
from region_failover.domain.errors import RemoteFailure, StateUnavailable
from region_failover.domain.plan import FailbackMode, HealthCheck, Plan, RoutingControl
from region_failover.domain.state import LEASE, Phase, StepStatus
from tests.fakes import EAST, NOON, PLAN, SERVER_ERROR, TIMED_OUT, WEST, ZONE, Killed, World, with_policy

PAIR = HealthCheck(ZONE, "www.example.com", "A", ("192.0.2.20",), ("198.51.100.20",))
KEYED = replace(PAIR, follows=Follows.OBJECT.value, bucket="signals", key="orders", interval_s=10)
PANEL = "arn:aws:route53-recovery-control::123456789012:controlpanel/0123456789abcdef0123456789abcdef/"
CONTROLS = RoutingControl(
    f"{PANEL}routingcontrol/00000000000000aa",
    f"{PANEL}routingcontrol/00000000000000bb",
    tuple(
        f"https://e{n}.route53-recovery-cluster.{region}.amazonaws.com/v1"
        for n, region in enumerate(
            ("us-east-1", "us-west-2", "eu-west-1", "ap-northeast-1", "ap-southeast-2")
        )
    ),
)
ALONE = replace(PLAN, route53_records=(), linode_records=(), ssm_parameters=())
BY_ALARM = replace(with_policy(ALONE, failback=FailbackMode.AUTOMATIC), health_checks=(PAIR,))
BY_OBJECT = replace(with_policy(ALONE, failback=FailbackMode.AUTOMATIC), health_checks=(KEYED,))
BY_ARC = replace(with_policy(ALONE, failback=FailbackMode.AUTOMATIC), routing_controls=(CONTROLS,))
FIRST = replace(
    with_policy(PLAN, order=Order.DATA_PLANE_FIRST.value),
    health_checks=(PAIR,),
    linode_records=(),
    ssm_parameters=(),
)
STEP = "health-check www.example.com A"
ARC_STEP = "routing-control 00000000000000aa"


def world_of(plan: Plan, down: bool = True) -> World:
    """Return a world with this plan whose record is there, and whose primary is decidedly down."""
    world = World(plan)
    world.tick()
    if down:
        world.outage()
    return world


def tick_until_steady(world: World, ticks: int = 6) -> None:
    for _ in range(ticks):
        if world.state.phase is Phase.STEADY:
            return
        world.clock.advance(60)
        world.probe(seconds=5)
        world.tick()


def served(world: World) -> str:
    """Return the Region whose values the name servers give."""
    switch = world.plan.health_checks[0]
    return world.plan.regions.of(world.zone_answers.role(switch))


# by an alarm


def test_the_zone_follows_the_signal_and_the_step_is_done_when_its_name_servers_say_so() -> None:
    world = world_of(BY_ALARM)
    assert served(world) == EAST
    world.failover()
    assert served(world) == WEST
    assert (world.state.active, world.state.phase) == (WEST, Phase.STEADY)
    (ended,) = world.history()
    assert [(s.key, s.status, s.detail) for s in ended.steps] == [
        (STEP, StepStatus.DONE, "the name servers answer with it")
    ]
    assert world.zones.batches == []
    assert len(world.notifier.about("traffic is switched to us-west-2")) == 1


def test_a_signal_alone_does_not_make_a_step_done() -> None:
    world = world_of(BY_ALARM)
    world.zone_answers.stuck.add(PAIR.name)
    world.failover()
    assert world.state.phase is Phase.MOVING
    assert world.step(STEP).status is StepStatus.DOING
    assert world.step(STEP).sent_at is not None
    assert world.notifier.about("not switched yet") == []


def test_answers_that_do_not_follow_in_time_are_told_and_tried_again() -> None:
    world = world_of(BY_ALARM)
    world.zone_answers.stuck.add(PAIR.name)
    world.failover()
    first = len(world.signals.published)
    for _ in range(5):
        world.clock.advance(60)
        world.probe(seconds=5)
        world.tick()
    assert world.step(STEP).status is StepStatus.FAILED
    assert "should answer 198.51.100.20: they answer 192.0.2.20" in world.step(STEP).detail
    assert len(world.notifier.about("health-check www.example.com A is not switched yet")) == 1
    assert len(world.signals.published) > first
    world.zone_answers.stuck.clear()
    tick_until_steady(world)
    assert (world.state.active, world.state.phase) == (WEST, Phase.STEADY)


def test_every_tick_says_what_the_record_says() -> None:
    world = world_of(BY_ALARM)
    assert {standby for _, standby, _ in world.signals.published} == {False}
    world.failover()
    world.signals.published.clear()
    world.clock.advance(60)
    world.tick()
    assert world.signals.published == [("orders", True, world.clock.now())]


def test_in_a_pause_the_record_is_still_said_so_that_a_late_word_does_not_last() -> None:
    world = world_of(BY_ALARM)
    world.failover()
    world.edit_state(paused=True)
    world.signals.publish("orders", False, world.clock.now())
    world.clock.advance(60)
    world.tick()
    assert world.signals.published[-1] == ("orders", True, world.clock.now())


def test_home_takes_a_minute_in_which_nobody_says_standby() -> None:
    world = world_of(BY_ALARM)
    world.failover()
    world.repair_region(EAST)
    world.settle(90)
    world.tick()
    assert world.step(STEP).status is StepStatus.DOING
    assert served(world) == WEST, "the tick itself had said 'standby' in this minute"
    tick_until_steady(world)
    assert (world.state.active, served(world)) == (EAST, EAST)


def test_a_tick_that_was_frozen_speaks_for_the_minute_in_which_it_read_the_record() -> None:
    world = world_of(BY_ALARM)
    frozen_at = world.clock.now()

    def meanwhile() -> None:
        world.clock.advance(20)
        world.failover()
        world.clock.advance(100)

    world.faults.after("store.load_state", meanwhile, skip=1)  # it has read what it will say
    world.tick()
    assert world.state.active == WEST
    assert world.signals.published[-1] == ("orders", False, frozen_at)
    assert served(world) == WEST


def test_a_runner_that_was_frozen_says_it_for_its_own_minute_and_then_what_is_true() -> None:
    world = world_of(BY_ALARM)
    asked = world.clock.now()

    def taken_over_and_moved_on() -> None:
        world.clock.advance(LEASE.total_seconds() + 60)
        world.repair_region(EAST)
        world.probe(seconds=5)
        world.edit_state(epoch=3, active=EAST, phase=Phase.STEADY, transition=None)

    world.faults.before("signals.publish", taken_over_and_moved_on)
    world.failover()
    late, corrected = world.signals.published[-2:]
    assert late[1] is True
    assert late[2] <= asked + timedelta(seconds=1)
    assert corrected == ("orders", False, world.clock.now())


def test_a_step_that_has_begun_is_for_its_runner_alone_to_speak_of() -> None:
    world = world_of(BY_ALARM)
    world.zone_answers.stuck.add(PAIR.name)
    world.failover()
    world.signals.published.clear()
    world.edit_state(phase=Phase.NEEDS_OPERATOR)
    world.break_region(WEST, SERVER_ERROR)
    world.clock.advance(60)
    world.probe(seconds=5)
    world.tick()
    assert world.signals.published == []


def test_nothing_is_signalled_after_the_lease_has_gone() -> None:
    world = world_of(BY_ALARM)
    world.signals.published.clear()

    def lost() -> None:
        world.edit_state(
            transition=replace(world.state.transition, lease=replace(world.state.transition.lease, owner="x"))
        )  # type: ignore[arg-type, type-var, union-attr]

    world.faults.after("store.save_state", lost, skip=1)
    world.failover()
    assert world.signals.published == []


def test_no_signal_for_a_target_verified_too_long_ago() -> None:
    world = world_of(BY_ALARM)
    world.signals.published.clear()
    world.faults.after("store.save_state", lambda: world.clock.advance(31), skip=1)
    world.failover()
    assert world.signals.published == []
    assert "verified too long ago" in world.step(STEP).detail


def test_a_publication_that_fails_is_told_once_and_tried_again() -> None:
    world = world_of(BY_ALARM, down=False)
    world.faults.before("signals.publish", RemoteFailure(TIMED_OUT), times=3)
    for _ in range(4):
        world.clock.advance(60)
        world.tick()
    assert len(world.notifier.about("signal is not published")) == 1
    assert world.signals.published[-1] == ("orders", False, world.clock.now())


def test_zone_answers_that_do_not_answer_leave_the_step_open() -> None:
    world = world_of(BY_ALARM)
    world.faults.before("names.answers", RemoteFailure(TIMED_OUT), times=1000)
    world.failover()
    assert world.step(STEP).status is StepStatus.DOING
    world.faults.clear()
    tick_until_steady(world)
    assert world.state.active == WEST


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("operation", ["signals.publish", "names.answers", "store.save_state"])
@pytest.mark.parametrize("skip", [0, 1, 2])
def test_a_worker_killed_anywhere_is_finished_by_a_tick(when: str, operation: str, skip: int) -> None:
    world = world_of(BY_ALARM)
    getattr(world.faults, when)(operation, Killed(), skip=skip)
    try:
        world.failover()
    except Killed:
        world.faults.clear()
        world.clock.advance(LEASE.total_seconds())
        world.probe(seconds=5)
        if world.state.transition is None and world.state.active == EAST:
            world.failover()
    tick_until_steady(world)
    assert (world.state.active, world.state.phase, served(world)) == (WEST, Phase.STEADY, WEST)


# a record that is lost


def test_a_plan_without_a_record_says_nothing() -> None:
    world = World(BY_ALARM)
    world.faults.before("names.answers", RemoteFailure(TIMED_OUT))
    with pytest.raises(StateUnavailable, match="cannot say where the traffic is"):
        world.tick()
    assert world.signals.published == []


def test_a_record_lost_in_mid_move_sends_nothing_home() -> None:
    world = world_of(BY_ALARM)
    world.failover()
    world.store.states.clear()
    world.signals.published.clear()
    world.zone_answers.role = lambda switch: world.plan.regions.role(WEST)  # type: ignore[method-assign]
    world.clock.advance(60)
    world.tick()
    assert world.state.active == WEST
    assert world.signals.published == [("orders", True, world.clock.now())]


def test_a_record_lost_while_switches_disagree_is_for_a_human() -> None:
    world = World(replace(BY_ALARM, routing_controls=(CONTROLS,)))
    world.controls.states = {CONTROLS.primary: False, CONTROLS.standby: True}
    with pytest.raises(StateUnavailable, match="do not agree"):
        world.tick()
    assert world.signals.published == []


def test_an_unreadable_record_says_nothing() -> None:
    world = world_of(BY_ALARM, down=False)
    world.signals.published.clear()
    world.store.available = False
    with pytest.raises(StateUnavailable):
        world.tick()
    assert world.signals.published == []


# by an object


def text(world: World) -> str:
    return world.signals.objects["signals", "orders"].text


def test_an_object_says_who_has_the_traffic_and_carries_the_epoch() -> None:
    world = world_of(BY_OBJECT)
    assert HOME in text(world)
    world.failover()
    assert text(world).startswith("region-failover plan=orders epoch=1 active=us-west-2\n")
    assert TAKES_OVER in text(world)
    assert (world.state.active, served(world)) == (WEST, WEST)
    world.repair_region(EAST)
    world.settle(90)
    world.tick()
    assert "epoch=2 active=us-east-1" in text(world)
    assert (world.state.active, served(world)) == (EAST, EAST)


def test_an_object_that_is_written_is_not_done_before_the_name_servers_follow() -> None:
    world = world_of(BY_OBJECT)
    world.zone_answers.stuck.add(KEYED.name)
    world.failover()
    assert TAKES_OVER in text(world)
    assert world.step(STEP).status is StepStatus.DOING
    world.clock.advance(follows_within(KEYED).total_seconds())
    world.probe(seconds=5)
    world.tick()
    assert world.step(STEP).status is StepStatus.FAILED


def test_a_late_writer_is_refused_by_the_tag_that_it_saw() -> None:
    world = world_of(BY_OBJECT)

    def moved_on() -> None:
        world.signals.objects["signals", "orders"] = SignalObject(
            '"new"', "region-failover plan=orders epoch=2 active=us-east-1\n"
        )
        world.edit_state(epoch=2, active=EAST, phase=Phase.STEADY, transition=None)

    world.faults.before("signals.write", moved_on)
    world.failover()
    assert "epoch=2" in text(world)


def test_an_object_changed_since_the_step_began_is_looked_at_anew() -> None:
    world = world_of(BY_OBJECT)
    put_back = SignalObject('"by hand"', "region-failover plan=orders epoch=0 active=us-east-1\n")
    world.faults.before(
        "signals.write", lambda: world.signals.objects.update({("signals", "orders"): put_back})
    )
    world.failover()
    assert text(world) == put_back.text
    assert world.step(STEP).status is StepStatus.FAILED
    tick_until_steady(world)
    assert "epoch=1 active=us-west-2" in text(world)


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ("region-failover plan=another epoch=0 active=us-east-1\n", "is not orders's signal"),
        ("hello", "is not orders's signal"),
        ("region-failover plan=orders epoch=9 active=us-west-2\n", "is at epoch 9"),
    ],
)
def test_an_object_of_others_or_of_a_newer_epoch_is_left_alone(there: str, said: str) -> None:
    world = world_of(BY_OBJECT)
    world.signals.objects["signals", "orders"] = SignalObject('"x"', there)
    world.failover()
    assert text(world) == there
    assert said in world.step(STEP).detail


def test_an_object_that_somebody_deleted_is_made_anew_as_the_record_has_it() -> None:
    world = world_of(BY_OBJECT)
    world.failover()
    world.signals.objects.clear()
    world.clock.advance(60)
    world.tick()
    assert "epoch=1 active=us-west-2" in text(world)
    assert served(world) == WEST


def test_a_lost_record_learns_its_epoch_from_the_object() -> None:
    world = world_of(BY_OBJECT)
    world.failover()
    world.store.states.clear()
    world.tick()
    assert (world.state.epoch, world.state.active) == (1, WEST)


# by routing controls


def test_both_routing_controls_are_set_in_one_call_and_read_back() -> None:
    world = world_of(BY_ARC)
    world.failover()
    ((_, states, override),) = world.controls.writes
    assert states == {CONTROLS.primary: False, CONTROLS.standby: True}
    assert override == ()
    assert (world.state.active, world.state.phase) == (WEST, Phase.STEADY)


def test_the_endpoints_are_tried_in_turn_until_one_takes_it() -> None:
    world = world_of(BY_ARC)
    world.controls.down = set(CONTROLS.endpoints[:4])
    world.failover()
    assert world.controls.tried[-1] == CONTROLS.endpoints[4]
    assert len(world.controls.tried) == len(set(world.controls.tried))
    assert world.state.active == WEST


def test_where_no_endpoint_answers_the_step_stays_open_and_is_told() -> None:
    world = world_of(BY_ARC)
    world.controls.down = set(CONTROLS.endpoints)
    world.failover()
    assert world.step(ARC_STEP).status is StepStatus.FAILED
    assert sorted(world.controls.tried) == sorted(CONTROLS.endpoints)
    assert len(world.notifier.about("is not switched yet")) == 1
    world.controls.down.clear()
    tick_until_steady(world)
    assert world.state.active == WEST


def test_a_safety_rule_is_told_in_arcs_words_and_not_asked_of_another_endpoint() -> None:
    world = world_of(BY_ARC)
    world.controls.rule = "The safety rule 'one at least' does not allow it"
    world.failover()
    assert len(world.controls.tried) == 1
    assert "'one at least' does not allow it" in world.step(ARC_STEP).detail
    assert any("'one at least'" in said for _, said in world.notifier.sent)


def test_safety_rules_are_overridden_only_where_the_plan_names_them() -> None:
    rule = f"{PANEL}safetyrule/00000000000000cc"
    world = world_of(replace(BY_ARC, routing_controls=(replace(CONTROLS, override=(rule,)),)))
    world.failover()
    assert [override for _, _, override in world.controls.writes] == [(rule,)]


def test_no_endpoint_is_tried_once_the_lease_has_gone() -> None:
    world = world_of(BY_ARC)
    world.controls.down = set(CONTROLS.endpoints)

    def lost() -> None:
        lease = replace(world.state.transition.lease, owner="another")  # type: ignore[union-attr]
        world.edit_state(transition=replace(world.state.transition, lease=lease))  # type: ignore[type-var]

    world.faults.before("controls.write", lost, skip=1)
    world.failover()
    assert len(world.controls.tried) == 2


def test_a_late_worker_puts_the_routing_controls_back() -> None:
    world = world_of(BY_ARC)
    world.faults.before(
        "controls.write",
        lambda: world.edit_state(epoch=2, active=EAST, phase=Phase.STEADY, transition=None),
    )
    world.failover()
    assert world.controls.states == {CONTROLS.primary: True, CONTROLS.standby: False}


def test_what_a_dead_late_worker_set_is_put_back_by_a_tick() -> None:
    world = world_of(BY_ARC)
    world.failover()
    world.controls.states = {CONTROLS.primary: True, CONTROLS.standby: False}
    world.clock.advance(60)
    world.tick()
    assert world.controls.states == {CONTROLS.primary: False, CONTROLS.standby: True}


def test_routing_controls_that_give_the_traffic_to_neither_are_a_humans() -> None:
    world = world_of(BY_ARC)
    world.failover()
    world.controls.states = {CONTROLS.primary: False, CONTROLS.standby: False}
    world.clock.advance(60)
    world.tick()
    assert world.controls.states == {CONTROLS.primary: False, CONTROLS.standby: False}


def test_states_that_read_back_differently_are_not_done() -> None:
    world = world_of(BY_ARC)
    world.faults.after("controls.write", lambda: world.controls.states.update({CONTROLS.primary: True}))
    world.failover()
    assert "read back as 00000000000000aa On" in world.step(ARC_STEP).detail


# in order


def test_data_plane_first_moves_the_traffic_and_the_records_follow() -> None:
    world = world_of(FIRST)
    world.failover()
    assert world.step(STEP).status is StepStatus.DONE
    assert world.step(f"route53 {ZONE}").status is StepStatus.PENDING
    assert (served(world), world.answer()) == (WEST, ("192.0.2.10",))
    assert len(world.notifier.about("traffic is switched to us-west-2")) == 1
    tick_until_steady(world)
    assert world.answer() == ("198.51.100.10",)
    assert (world.state.active, world.state.phase) == (WEST, Phase.STEADY)
    assert len(world.notifier.about("traffic is switched to us-west-2")) == 1


def test_a_control_plane_that_refuses_does_not_hold_up_the_data_plane() -> None:
    world = world_of(FIRST)
    world.faults.before("zones.submit", RemoteFailure(SERVER_ERROR), times=1000)
    world.failover()
    for _ in range(3):
        world.clock.advance(60)
        world.probe(seconds=5)
        world.tick()
    assert served(world) == WEST
    assert world.step(STEP).status is StepStatus.DONE
    assert world.step(f"route53 {ZONE}").status is StepStatus.FAILED
    assert world.signals.published[-1][1] is True
    world.faults.clear()
    tick_until_steady(world)
    assert world.answer() == ("198.51.100.10",)


def test_a_data_plane_that_fails_is_not_waited_for() -> None:
    world = world_of(FIRST)
    world.zone_answers.stuck.add(PAIR.name)
    world.failover()
    for _ in range(7):
        world.clock.advance(60)
        world.probe(seconds=5)
        world.tick()
    assert world.step(STEP).status is StepStatus.FAILED
    assert world.answer() == ("198.51.100.10",)


def test_together_nothing_waits() -> None:
    world = world_of(with_policy(FIRST, order=Order.TOGETHER.value))
    world.failover()
    assert world.state.phase is Phase.STEADY
    assert world.answer() == ("198.51.100.10",)


def test_a_plan_without_these_switches_asks_nothing_of_them() -> None:
    world = World()
    world.tick()
    world.outage()
    world.failover()
    world.deliver_switch()
    world.tick()
    assert not [call for call in world.faults.calls if call.split(".")[0] in {"signals", "controls"}]
    assert world.clock.now() > NOON
