"""Drift: found by the tick, told, never fought; an empty answer written back without delaying any move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from region_failover.domain.drift import REPAIRS_ALLOWED, checksum
from region_failover.domain.drifted import DriftKind
from region_failover.domain.errors import FenceRefused, MalformedEvent, RemoteFailure, StateUnavailable
from region_failover.domain.plan import Plan
from region_failover.domain.state import Phase
from region_failover.domain.zone import Fence, RecordSet
from tests.fakes import (
    AUTOMATIC_FAILBACK,
    DENIED,
    EAST,
    NOON,
    PARAMETER,
    PLAN,
    TIMED_OUT,
    WEST,
    ZONE,
    Killed,
)
from tests.proof.recording import RecordedWorld

API = f"route53 {ZONE} api.example.com A"
OURS = RecordSet("api.example.com", "A", 60, ("192.0.2.10",))
THEIRS = replace(OURS, values=("198.51.100.10",))
STRANGE = replace(OURS, values=("203.0.113.99",))

FROZEN = "is frozen: somebody has changed what it switches"
MENDED = "an answer was gone, and is written back"
EMPTY = "an answer is empty, and is not written back"
OVER = "is as it should be again"


class Rested(RecordedWorld):
    """A world at rest, judged by the checker; `expect` '' where a human's edit stands at the end."""

    def __init__(self, plan: Plan = PLAN) -> None:
        super().__init__(plan)
        self.tick()
        self.probe(seconds=20)

    def edit(self, record: RecordSet = STRANGE) -> None:
        self.edit_zone(ZONE, record)

    def delete(self) -> None:
        self.zones.zones[ZONE].pop(("api.example.com", "A"), None)
        self.edit_zone(ZONE)

    def delete_fence(self) -> None:
        self.zones.zones[ZONE] = {k: v for k, v in self.zones.zones[ZONE].items() if k[1] != "TXT"}
        self.edit_zone(ZONE)

    def minute(self) -> Any:
        self.clock.advance(60)
        return self.tick()

    def choose(self, action: str, **more: Any) -> Any:
        event = {"plan": "orders", "action": action, "reason": "as agreed", "by": "mia", **more}
        return self.failback(event)

    def about(self, words: str) -> list[str]:
        return [text for subject, text in self.notifier.sent if words in subject]

    def batches_of(self, words: str) -> int:
        return sum(words in comment for _, _, comment in self.zones.batches)


@pytest.fixture
def world() -> Rested:
    return Rested()


def once(world: Rested, deed: Callable[[], object]) -> Callable[[], object]:
    """Return what does this, undisturbed by any fault."""

    def undisturbed() -> object:
        world.faults.clear()
        return deed()

    return undisturbed


def sound(world: Rested, expect: str = "steady") -> bool:
    found = world.judge(expect)
    assert found == [], "\n".join(map(str, found))
    return True


# a foreign edit


def test_all_as_it_was_left_is_neither_told_nor_written(world: Rested) -> None:
    saved = world.state.version
    batches = len(world.zones.batches)
    for _ in range(5):
        world.minute()
    assert (world.state.version, len(world.zones.batches)) == (saved, batches)
    assert world.notifier.sent == []
    assert sound(world)


def test_a_foreign_edit_is_told_and_not_fought(world: Rested) -> None:
    world.edit()
    world.minute()
    (one,) = world.state.drift
    assert (one.subject, one.kind, one.found, one.due) == (
        API,
        DriftKind.FOREIGN,
        "203.0.113.99",
        "192.0.2.10",
    )
    (text,) = world.about(FROZEN)
    assert f"first seen {NOON:%Y-%m-%d} 12:01" in text
    assert f"restore orders --expect {checksum(world.state.drift)}" in text
    assert "Our last change: none on record" in text
    assert world.answer() == ("203.0.113.99",)
    assert sound(world, "")


def test_it_is_told_again_after_notify_again_and_not_before(world: Rested) -> None:
    world.edit()
    world.minute()
    since = world.state.drift[0].since
    for _ in range(58):
        world.minute()
    assert len(world.about(FROZEN)) == 1
    for _ in range(3):
        world.minute()
    assert len(world.about(FROZEN)) == 2
    assert world.state.drift[0].since == since


def test_it_is_told_when_it_is_over_and_told_anew_when_it_comes_again(world: Rested) -> None:
    for _ in range(2):
        world.edit()
        world.minute()
        world.edit(OURS)
        world.minute()
    assert (len(world.about(FROZEN)), len(world.about(OVER))) == (2, 2)
    assert world.state.drift == ()
    assert sound(world)


def test_another_edit_is_told_at_once(world: Rested) -> None:
    world.edit()
    world.minute()
    world.edit(THEIRS)
    world.minute()
    assert len(world.about(FROZEN)) == 2
    assert world.state.drift[0].kind is DriftKind.OTHER_REGION


def test_it_says_what_we_changed_last(world: Rested) -> None:
    world.failover(world.manual("failover", force=True))
    world.deliver_switch()
    assert world.moved_to() == WEST
    world.edit()
    world.minute()
    (text,) = world.about(FROZEN)
    assert f"Our last change: failover to {WEST}, epoch 1, complete at" in text
    assert f"changes: zone {ZONE} C" in text


def test_a_parameter_that_somebody_changed_is_told(world: Rested) -> None:
    world.parameters.values[WEST, PARAMETER] = "eu-west-1"
    world.minute()
    assert [one.subject for one in world.state.drift] == [f"ssm {WEST} {PARAMETER}"]
    assert len(world.about(FROZEN)) == 1
    assert world.parameters.values[WEST, PARAMETER] == "eu-west-1"


def test_what_a_dead_region_owes_is_no_drift() -> None:
    world = Rested()
    world.outage()
    world.failover()
    world.deliver_switch()
    assert world.state.owed
    world.minute()
    assert world.state.drift == ()


def test_what_cannot_be_read_is_neither_drift_nor_its_end(world: Rested) -> None:
    world.edit()
    world.minute()
    for failure in (RemoteFailure(TIMED_OUT), RemoteFailure(DENIED)):
        world.faults.before("zones.read", failure)
        world.minute()
        assert [one.subject for one in world.state.drift] == [API]
    world.edit(OURS)
    world.faults.before("zones.read", RemoteFailure(TIMED_OUT))
    world.minute()
    assert world.about(OVER) == []
    assert any(line == "drift not looked at" for line, _ in world.meter.lines)


def test_a_call_that_hangs_is_not_waited_for(world: Rested) -> None:
    world.delete()
    world.together.hang = {(world.together.rounds + number, 0) for number in (1, 2)}
    world.minute()
    assert (world.state.drift, world.zones.batches[-1][2]) == (
        (),
        "region-failover: orders starts at us-east-1",
    )


def test_a_mistake_of_ours_is_raised(world: Rested) -> None:
    world.faults.before("zones.read", KeyError("x"))
    with pytest.raises(KeyError):
        world.minute()


def test_what_is_in_the_plan_no_more_is_forgotten(world: Rested) -> None:
    world.edit()
    world.minute()
    world.plan = replace(PLAN, route53_records=())
    world.minute()
    assert world.state.drift == ()


@pytest.mark.parametrize("trigger", ["failback", "failover"])
def test_a_humans_request_is_no_time_to_look_for_drift(world: Rested, trigger: str) -> None:
    world.edit()
    world.clock.advance(60)
    event = world.manual(trigger)
    (world.failback if trigger == "failback" else world.failover)(event)
    assert world.state.drift == ()


def test_little_time_left_is_not_spent_on_drift(world: Rested) -> None:
    world.delete()
    world.failback(seconds=20)
    assert world.answer() == ()


def test_a_move_that_begins_while_we_look_makes_no_drift(world: Rested) -> None:
    """The zone is read with the move's answer in it, by a tick that knows the record of before."""
    world.outage()
    world.faults.before("zones.read", once(world, world.failover))
    world.tick()
    assert world.moved_to() == WEST
    assert world.state.drift == ()
    assert world.about(FROZEN) == []


def test_a_move_clears_what_was_compared_with_another_answer(world: Rested) -> None:
    world.parameters.values[WEST, PARAMETER] = "eu-west-1"
    world.minute()
    world.failover(world.manual("failover", force=True))
    world.deliver_switch()
    assert (world.state.phase, world.state.drift) == (Phase.STEADY, ())
    world.minute()
    assert world.state.drift == ()


def test_in_a_pause_it_is_told_and_nothing_is_written(world: Rested) -> None:
    world.edit_state(paused=True)
    world.edit()
    world.minute()
    assert len(world.about(FROZEN)) == 1
    world.delete()
    world.minute()
    assert world.answer() == ()
    assert "the plan is paused" in world.about(EMPTY)[0]
    assert sound(world, "")


# what it holds


def test_an_automatic_failover_is_held_by_what_the_zone_holds_now_not_by_what_it_held(world: Rested) -> None:
    world.edit()
    world.minute()
    assert world.state.drift
    world.edit(OURS)
    world.outage()
    assert world.failover()["reason"] == "region-down"
    world.deliver_switch()
    assert (world.moved_to(), world.state.drift) == (WEST, ())
    assert sound(world, "")


def test_an_automatic_failover_is_not_held_by_a_parameter_that_somebody_changed(world: Rested) -> None:
    world.parameters.values[WEST, PARAMETER] = "eu-west-1"
    world.minute()
    world.outage()
    assert world.failover()["reason"] == "region-down"


def at_standby(plan: Plan = AUTOMATIC_FAILBACK) -> Rested:
    """The traffic at the standby, the primary well for long."""
    world = Rested(plan)
    world.outage()
    world.failover()
    world.deliver_switch()
    world.repair_region(EAST)
    world.settle(70)
    return world


def test_an_automatic_failback_is_held_where_somebody_has_moved_the_record_by_hand() -> None:
    world = at_standby()
    world.edit(OURS)
    assert world.tick()["reason"] == "drift"
    assert world.state.epoch == 1
    assert len(world.about(FROZEN)) == 1
    world.edit(THEIRS)
    world.clock.advance(30)
    assert world.tick()["reason"] == "primary-settled"


def test_an_automatic_failback_is_held_by_drift_beside_the_zones_and_told_once() -> None:
    world = at_standby()
    world.edit_state(cooldown_until=world.clock.now().replace(hour=23))
    world.tick()  # what the dead Region owed is paid
    world.parameters.values[EAST, PARAMETER] = "eu-west-1"
    world.tick()
    world.edit_state(cooldown_until=None)
    assert world.tick()["reason"] == "drift"
    assert (len(world.about(FROZEN)), world.about("holds: drift")) == (1, [])
    world.parameters.values[EAST, PARAMETER] = WEST
    world.tick()
    assert world.tick()["reason"] == "primary-settled"


# an empty answer


def test_an_empty_answer_is_written_back_by_itself(world: Rested) -> None:
    world.delete()
    world.minute()
    assert world.answer() == ("192.0.2.10",)
    assert world.fence() == Fence("orders", 0, EAST)
    (text,) = world.about(MENDED)
    assert f"zone {ZONE}" in text
    assert world.state.drift == ()
    assert "an empty answer written back" in world.state.last_change
    world.minute()
    assert len(world.notifier.sent) == 1
    assert sound(world)


def test_a_repair_is_no_transition_and_costs_no_cooldown_and_no_budget(world: Rested) -> None:
    before = world.state
    world.delete()
    world.minute()
    after = world.state
    assert (after.epoch, after.cooldown_until, after.automatic_moves, after.moved_at) == (
        before.epoch,
        before.cooldown_until,
        before.automatic_moves,
        before.moved_at,
    )
    assert world.history() == []
    world.outage()
    assert world.failover()["reason"] == "region-down"
    assert sound(world, "")


def test_it_is_written_back_at_the_standby_while_the_traffic_is_there() -> None:
    world = at_standby(PLAN)
    world.delete()
    world.minute()
    assert (world.answer(), world.fence()) == (THEIRS.values, Fence("orders", 1, WEST))
    assert sound(world)


@pytest.mark.parametrize("break_it", ["sick", "denied"])
def test_i5_it_is_not_written_back_for_a_region_that_is_not_verified_just_now(
    world: Rested, break_it: str
) -> None:
    world.delete()
    world.break_region(EAST, TIMED_OUT if break_it == "sick" else DENIED)
    world.minute()
    assert world.answer() == ()
    (text,) = world.about(EMPTY)
    assert "us-east-1 is un" in text
    world.repair_region(EAST)
    world.minute()
    assert world.answer() == ("192.0.2.10",)
    assert len(world.about(MENDED)) == 1
    assert sound(world)


def test_a_region_verified_too_long_ago_gets_no_answer(world: Rested) -> None:
    world.delete()
    world.faults.after("store.save_health", lambda: world.clock.advance(31))
    world.minute()
    assert world.answer() == ()
    assert "verified too long ago" in world.about(EMPTY)[0]


def test_an_empty_answer_is_told_once_with_why_it_is_not_written_back(world: Rested) -> None:
    world.delete()
    world.faults.before("zones.submit", RemoteFailure(TIMED_OUT), times=3)
    world.minute()
    since = world.state.drift[0].since
    for _ in range(2):
        world.minute()
    assert (world.answer(), len(world.about(EMPTY)), world.about(FROZEN)) == ((), 1, [])
    assert world.state.drift[0].since == since
    world.minute()
    assert (world.answer(), len(world.about(MENDED))) == (("192.0.2.10",), 1)


def test_whoever_deletes_it_again_and_again_is_told_and_not_fought(world: Rested) -> None:
    for _ in range(REPAIRS_ALLOWED + 1):
        world.delete()
        world.minute()
    assert world.answer() == ()
    assert "again and again" in world.about(EMPTY)[0]
    for _ in range(61):
        world.minute()
    assert world.answer() == ("192.0.2.10",)
    assert sound(world)


def test_a_zone_without_our_fence_is_left_to_a_human(world: Rested) -> None:
    world.delete()
    world.delete_fence()
    world.minute()
    assert world.answer() == ()
    assert "the fence is not as we left it" in world.about(EMPTY)[0]
    assert len(world.about(FROZEN)) == 1


def test_a_reply_that_is_lost_is_found_out_by_the_next_look(world: Rested) -> None:
    world.delete()
    world.faults.after("zones.submit", RemoteFailure(TIMED_OUT))
    world.minute()
    assert len(world.about(EMPTY)) == 1
    world.minute()
    assert (world.answer(), len(world.about(OVER))) == (("192.0.2.10",), 1)
    assert world.batches_of("written back") == 1
    assert sound(world)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "operation",
    ["zones.read", "store.load_state", "store.save_state", "tables.read", "zones.submit", "notifier.publish"],
)
def test_a_worker_killed_anywhere_leaves_it_to_the_next_tick_and_keeps_it_to_nobody(
    world: Rested, when: str, operation: str
) -> None:
    world.delete()
    skip = 3 if operation == "store.load_state" else 0
    getattr(world.faults, when)(operation, Killed(), skip=skip)
    with pytest.raises(Killed):
        world.minute()
    world.faults.clear()
    for _ in range(3):
        world.minute()
    assert world.answer() == ("192.0.2.10",)
    assert world.batches_of("written back") == 1
    assert world.about(MENDED) or world.about(OVER)
    assert world.state.outbox == ()
    assert sound(world)


def test_i2_the_record_is_read_directly_before_the_batch(world: Rested) -> None:
    """A move that is claimed while the Region is looked at: its own batch writes the record."""

    def move() -> None:
        world.faults.clear()
        world.failover(world.manual("failover", force=True))
        world.deliver_switch()

    world.delete()
    world.faults.after("store.save_health", move)
    world.minute()
    assert world.batches_of("written back") == 0
    assert (world.moved_to(), world.state.active) == (WEST, WEST)
    assert world.about(EMPTY) == []
    assert sound(world)


def test_a_pause_at_the_last_moment_is_obeyed(world: Rested) -> None:
    world.delete()
    world.faults.after("store.save_health", lambda: world.edit_state(paused=True))
    world.minute()
    assert world.answer() == ()
    assert sound(world, "")


def test_i2_a_move_that_lands_first_makes_route53_refuse_the_repair(world: Rested) -> None:
    def move() -> None:
        world.faults.clear()
        world.failover(world.manual("failover", force=True))
        world.deliver_switch()

    world.delete()
    world.faults.before("zones.submit", move)
    world.minute()
    assert len(world.zones.refused) == 1
    assert (world.moved_to(), world.state.active, world.state.epoch) == (WEST, WEST, 1)
    assert world.fence() == Fence("orders", 1, WEST)
    assert world.about(EMPTY) == []
    assert sound(world)


def test_a_repair_that_lands_first_delays_no_move(world: Rested) -> None:
    """The move has looked at the empty answer, and finds it written back when its own batch comes."""
    world.delete()
    world.faults.after("zones.read", once(world, world.tick))
    assert world.failover(world.manual("failover", force=True))["reason"] == "operator-asked"
    world.deliver_switch()
    assert world.batches_of("written back") == 1
    assert len(world.zones.refused) == 1
    assert (world.moved_to(), world.state.phase, world.state.epoch) == (WEST, Phase.STEADY, 1)
    assert world.about("is not switched yet") == []
    assert sound(world)


def test_nothing_is_written_back_while_a_move_is_under_way(world: Rested) -> None:
    world.delete()
    world.faults.before("zones.submit", once(world, world.tick))
    world.failover(world.manual("failover", force=True))
    world.deliver_switch()
    assert (world.batches_of("written back"), world.zones.refused) == (0, [])
    assert (world.moved_to(), world.state.phase) == (WEST, Phase.STEADY)


def test_two_ticks_at_once_write_it_back_once(world: Rested) -> None:
    world.delete()
    world.faults.before("zones.submit", once(world, world.tick))
    world.minute()
    assert world.batches_of("written back") == 1
    assert len(world.zones.refused) == 1
    assert world.answer() == ("192.0.2.10",)
    assert world.about(EMPTY) == []
    world.minute()
    assert world.state.drift == ()
    assert sound(world)


# a human puts it back


def test_a_human_restores_what_was_changed(world: Rested) -> None:
    world.edit()
    world.parameters.values[WEST, PARAMETER] = "eu-west-1"
    world.minute()
    answer = world.choose("restore", expect=checksum(world.state.drift))
    assert (answer["action"], answer["reason"]) == ("restore", "restored")
    assert (world.answer(), world.parameters.values[WEST, PARAMETER]) == (("192.0.2.10",), EAST)
    assert (world.fence(), world.state.epoch) == (Fence("orders", 0, EAST), 0)
    assert world.state.drift == ()
    (text,) = world.about("restored by hand")
    assert "mia: as agreed" in text
    assert "restored by mia" in world.state.last_change
    assert world.about(OVER) == []
    world.minute()
    assert sound(world)


def test_a_restore_needs_no_look_of_a_tick_before(world: Rested) -> None:
    world.edit(THEIRS)
    assert world.choose("restore")["reason"] == "restored"
    assert world.moved_to() == EAST


def test_a_human_may_restore_in_a_pause(world: Rested) -> None:
    world.edit_state(paused=True)
    world.edit()
    assert world.choose("restore")["reason"] == "restored"
    assert sound(world)


def test_a_fence_that_is_gone_or_names_the_other_region_is_restored(world: Rested) -> None:
    world.delete_fence()
    assert world.choose("restore")["reason"] == "restored"
    world.put_fence(0, WEST)
    assert world.choose("restore")["reason"] == "restored"
    assert world.fence() == Fence("orders", 0, EAST)
    assert sound(world)


def test_what_was_seen_is_what_is_restored_and_nothing_newer(world: Rested) -> None:
    world.edit()
    world.minute()
    seen = checksum(world.state.drift)
    world.edit(replace(STRANGE, values=("203.0.113.98",)))
    answer = world.choose("restore", expect=seen)
    assert (answer["action"], answer["reason"]) == ("hold", "changed-since")
    assert "203.0.113.98" in answer["detail"]
    assert world.answer() == ("203.0.113.98",)


def test_nothing_drifted_nothing_restored(world: Rested) -> None:
    for action in ("restore", "adopt"):
        assert world.choose(action)["reason"] == "no-drift"
    assert world.state.epoch == 0
    assert sound(world)


def test_i5_nothing_is_restored_for_a_region_that_is_not_verified(world: Rested) -> None:
    world.edit()
    world.break_region(EAST)
    answer = world.choose("restore")
    assert answer["reason"] == "target-not-verified"
    assert world.answer() == ("203.0.113.99",)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda w: w.edit(replace(OURS, simple=False)), "another routing policy"),
        (lambda w: (w.edit(), w.put_fence(0, EAST, plan="payments")), "is not orders's fence"),
        (lambda w: (w.edit(), w.put_fence(7, EAST)), "its fence is at epoch 7"),
    ],
    ids=["routing policy", "another plan's fence", "a fence ahead"],
)
def test_what_is_not_ours_to_replace_stays_and_the_rest_is_restored(
    world: Rested, edit: Callable[[Rested], object], words: str
) -> None:
    edit(world)
    world.parameters.values[WEST, PARAMETER] = "eu-west-1"
    before = world.answer()
    answer = world.choose("restore")
    assert (answer["action"], answer["reason"]) == ("hold", "partly-restored")
    assert words in answer["detail"]
    assert (world.answer(), world.parameters.values[WEST, PARAMETER]) == (before, EAST)


def test_linodes_records_are_left_to_hands(world: Rested) -> None:
    world.edit_state(
        drift=(replace(drifted(world), subject="linode 123456 app A", due="203.0.113.10"),),
    )
    answer = world.choose("restore")
    assert answer["reason"] == "partly-restored"
    assert "linode 123456 app A: by hand, to 203.0.113.10" in answer["detail"]


def drifted(world: Rested) -> Any:
    world.edit()
    world.minute()
    (one,) = world.state.drift
    return one


def test_one_switch_that_fails_stops_no_other(world: Rested) -> None:
    world.edit()
    world.parameters.values[WEST, PARAMETER] = "eu-west-1"
    world.faults.before("zones.submit", RemoteFailure(TIMED_OUT))
    answer = world.choose("restore")
    assert answer["reason"] == "partly-restored"
    assert world.parameters.values[WEST, PARAMETER] == EAST
    assert [one.subject for one in world.state.drift] == [API]


def test_a_lost_reply_is_settled_by_looking(world: Rested) -> None:
    world.edit()
    world.faults.after("zones.submit", RemoteFailure(TIMED_OUT))
    assert world.choose("restore")["reason"] == "restored"
    assert world.answer() == ("192.0.2.10",)


def test_whoever_edits_between_the_look_and_the_batch_is_not_overwritten(world: Rested) -> None:
    world.edit()
    newer = replace(STRANGE, values=("203.0.113.98",))
    world.faults.before("zones.submit", lambda: world.edit(newer))
    answer = world.choose("restore")
    assert answer["reason"] == "partly-restored"
    assert world.answer() == ("203.0.113.98",)


def test_i2_a_move_that_begins_in_between_is_left_alone(world: Rested) -> None:
    def move() -> None:
        world.faults.clear()
        world.edit(OURS)
        world.failover(world.manual("failover", force=True))
        world.deliver_switch()

    world.edit()
    world.faults.after("store.save_health", move)
    answer = world.choose("restore")
    assert answer["reason"] == "in-progress"
    assert (world.moved_to(), world.state.active) == (WEST, WEST)
    assert sound(world)


def test_i20_a_choice_delivered_again_has_one_effect(world: Rested) -> None:
    for action, done in (("restore", "restored"), ("adopt", "left-as-it-is")):
        world.edit()
        ports = world.ports(f"again-{action}")
        event = {"plan": "orders", "action": action, "reason": "as agreed", "by": "mia"}
        assert world.failback(event, ports)["reason"] == done
        world.edit(replace(STRANGE, values=("203.0.113.97",)))
        assert world.failback(event, replace(ports))["reason"] == "answered-already"
        assert world.answer() == ("203.0.113.97",)


def test_i20_a_choice_that_was_held_is_not_carried_out_later(world: Rested) -> None:
    ports = world.ports("again")
    event = {"plan": "orders", "action": "restore", "reason": "as agreed", "by": "mia"}
    assert world.failback(event, ports)["reason"] == "no-drift"
    world.edit()
    assert world.failback(event, ports)["reason"] == "answered-already"
    assert world.answer() == ("203.0.113.99",)


def test_a_choice_waits_for_what_is_under_way() -> None:
    world = Rested()
    world.outage()
    world.faults.before("zones.submit", RemoteFailure(TIMED_OUT), times=9)
    world.failover()
    for action in ("restore", "adopt"):
        assert world.choose(action)["reason"] == "in-progress"
    world.edit_state(phase=Phase.NEEDS_OPERATOR)
    assert world.choose("restore")["reason"] == "needs-operator"
    world.edit_state(phase=Phase.STEADY, transition=None, share=10)
    assert world.choose("restore")["reason"] == "on-trial"


# a human lets it stand


def test_a_human_lets_a_foreign_answer_stand_until_it_is_another(world: Rested) -> None:
    world.edit()
    world.minute()
    answer = world.choose("adopt", expect=checksum(world.state.drift))
    assert (answer["action"], answer["reason"]) == ("adopt", "left-as-it-is")
    assert world.state.drift[0].left_by == "mia: as agreed"
    assert (world.answer(), world.state.epoch) == (("203.0.113.99",), 0)
    for _ in range(70):
        world.minute()
    assert len(world.about(FROZEN)) == 1
    world.outage()
    assert world.failover()["reason"] == "drift"  # it is in no plan still
    world.edit(replace(STRANGE, values=("203.0.113.98",)))
    world.minute()
    assert len(world.about(FROZEN)) == 2
    assert world.state.drift[0].left_by == ""


def test_a_human_who_has_moved_everything_by_hand_is_followed(world: Rested) -> None:
    world.edit(THEIRS)
    world.minute()
    answer = world.choose("adopt")
    assert (answer["action"], answer["reason"]) == ("move", "operator-asked")
    world.deliver_switch()
    state = world.state
    assert (state.active, state.epoch, state.phase, state.drift) == (WEST, 1, Phase.STEADY, ())
    assert (world.fence(), world.moved_to()) == (Fence("orders", 1, WEST), WEST)
    assert world.parameters.values[EAST, PARAMETER] == WEST
    assert world.linode.records[123456][0].target == "198.51.100.50"
    assert "adopted by mia" in world.history()[0].reason
    assert sound(world)


def test_a_human_who_has_gone_home_by_hand_is_followed() -> None:
    world = at_standby(PLAN)
    world.edit(OURS)
    assert world.choose("adopt")["action"] == "move"
    world.deliver_switch()
    assert (world.state.active, world.state.epoch, world.moved_to()) == (EAST, 2, EAST)
    assert sound(world)


def test_nobody_is_followed_onto_a_region_that_is_not_verified(world: Rested) -> None:
    world.edit(THEIRS)
    world.break_region(WEST)
    answer = world.choose("adopt")
    assert (answer["action"], answer["reason"]) == ("hold", "target-not-verified")
    assert world.state.epoch == 0


@pytest.mark.parametrize(
    "edit",
    [
        lambda w: w.delete_fence(),
        lambda w: w.put_fence(7, EAST),
        lambda w: (w.edit(THEIRS), w.put_fence(0, EAST, plan="payments")),
        lambda w: w.delete(),
    ],
    ids=["no fence", "a fence ahead", "another's fence", "an empty answer"],
)
def test_what_would_harm_the_next_move_is_not_adopted(
    world: Rested, edit: Callable[[Rested], object]
) -> None:
    edit(world)
    answer = world.choose("adopt")
    assert (answer["action"], answer["reason"]) == ("hold", "not-adoptable")
    assert not any(one.left_by for one in world.state.drift)


def test_traffic_of_which_a_part_was_moved_is_not_adopted() -> None:
    one = PLAN.route53_records[0]
    world = Rested(replace(PLAN, route53_records=(one, replace(one, name="www.example.com"))))
    world.edit(THEIRS)
    assert world.choose("adopt")["reason"] == "not-adoptable"


def test_what_cannot_be_looked_at_is_not_adopted(world: Rested) -> None:
    world.edit(THEIRS)
    world.faults.before("zones.read", RemoteFailure(TIMED_OUT))
    answer = world.choose("adopt")
    assert answer["reason"] == "not-looked-at"
    assert f"{ZONE} could not be looked at: timeout" in answer["detail"]


def test_a_human_who_has_left_a_dead_region_by_hand_is_followed(world: Rested) -> None:
    """Its parameter cannot be looked at, and is owed."""
    world.edit(THEIRS)
    world.break_region(EAST)
    assert world.choose("adopt")["action"] == "move"
    world.deliver_switch()
    assert (world.state.active, world.state.phase) == (WEST, Phase.STEADY)
    assert [step.key for step in world.state.owed] == [f"ssm {EAST} {PARAMETER}"]
    assert sound(world, "")


def test_a_choice_sent_to_another_function_moves_nothing(world: Rested) -> None:
    """Nor is it taken for a failover: nothing in it says where to go."""
    world.edit(THEIRS)
    event = {"plan": "orders", "action": "restore", "reason": "as agreed", "by": "mia"}
    for action in ("restore", "adopt"):
        words = f"{action} does not start a failover; send it to the failback function"
        with pytest.raises(MalformedEvent, match=words):
            world.failover({**event, "action": action})
    assert (world.state.epoch, world.answer()) == (0, THEIRS.values)


def test_every_choice_stands_among_the_decisions_with_who_and_why(world: Rested) -> None:
    world.edit()
    world.choose("restore")
    decision = world.store.decisions[-1][2]
    assert {key: decision[key] for key in ("action", "reason", "trigger", "by", "asked", "expect")} == {
        "action": "restore",
        "reason": "restored",
        "trigger": "restore",
        "by": "mia",
        "asked": "as agreed",
        "expect": None,
    }


def test_a_record_out_of_reach_changes_nothing(world: Rested) -> None:
    world.edit()
    world.faults.before("store.save_state", StateUnavailable("gone"))
    with pytest.raises(StateUnavailable):
        world.choose("restore")
    assert world.answer() == ("203.0.113.99",)


def test_i23_what_was_decided_of_an_empty_answer_is_on_record_with_what_was_seen(world: Rested) -> None:
    world.delete()
    world.break_region(EAST)
    world.minute()
    world.repair_region(EAST)
    world.minute()
    held, mended = [found for _, _, found in world.store.decisions if found["reason"] == "empty-answer"]
    assert (held["action"], mended["action"]) == ("hold", "repair")
    assert held["detail"].startswith("us-east-1 is unhealthy: ")
    assert any("timeout" in check for check in held["checks"])
    assert (mended["zone"], mended["empty"], mended["detail"]) == (ZONE, [API], "C2")
    assert "epoch=0" in mended["found"]


def test_a_refusal_of_route53_is_no_crash(world: Rested) -> None:
    world.delete()
    world.faults.before("zones.submit", FenceRefused("a CNAME stands there"))
    world.minute()
    assert "a CNAME stands there" in world.about(EMPTY)[0]
