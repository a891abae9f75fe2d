"""A worker may die, freeze or be refused: what it leaves is finished or stopped (I2 to I9, I17 to I22)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from region_failover.domain.errors import OutOfTime, RemoteFailure, StateUnavailable
from region_failover.domain.state import LEASE, Direction, Phase, StepStatus
from region_failover.domain.symptom import Kind, Symptom
from region_failover.domain.trigger import SWITCH_REQUESTED
from region_failover.domain.zone import Fence, RecordSet
from tests.fakes import (
    EAST,
    PARAMETER,
    PLAN,
    SERVER_ERROR,
    TIMED_OUT,
    WEST,
    ZONE,
    Killed,
    World,
)

WEST_URL = PLAN.http_checks[0].standby
ZONE_STEP = f"route53 {ZONE}"
LEASE_S = LEASE.total_seconds()
THROTTLED = Symptom(Kind.API, "Throttling", 400)


@pytest.fixture
def world() -> World:
    """A world whose primary is decidedly down, and whose state is there."""
    world = World()
    world.tick()
    world.outage()
    return world


def killed_at(world: World, when: str, operation: str, skip: int = 0) -> None:
    """Let a failover die there."""
    getattr(world.faults, when)(operation, Killed(), skip=skip)
    with pytest.raises(Killed):
        world.failover()
    world.faults.clear()


def two_ticks(world: World) -> None:
    """Let the lease expire, and then two ticks pass: by then a left transition must be over (I18)."""
    world.clock.advance(LEASE_S)
    world.tick()
    world.deliver_switch()
    world.clock.advance(60)
    world.tick()
    world.deliver_switch()


# every place where a worker can die

DEATHS = [
    ("before", "zones.read", 0),
    ("before", "store.save_state", 0),
    ("after", "store.save_state", 0),  # claimed
    ("before", "store.save_state", 1),
    ("after", "store.save_state", 1),  # steps recorded as doing
    ("before", "zones.submit", 0),
    ("after", "zones.submit", 0),  # the batch is in, its id is lost
    ("after", "store.save_state", 2),  # its id is recorded
    ("before", "zones.is_insync", 0),
    ("after", "zones.is_insync", 0),
    ("after", "store.save_state", 3),
    ("before", "notifier.publish", 0),
    ("after", "notifier.publish", 0),
    ("before", "events.put", 0),
    ("after", "events.put", 0),
    ("before", "parameters.write", 0),
    ("after", "parameters.write", 0),
    ("before", "parameters.read", 0),
    ("after", "store.save_state", 7),
]


@pytest.mark.parametrize(("when", "operation", "skip"), DEATHS)
def test_a_worker_killed_anywhere_is_finished_or_stopped_within_lease_and_two_ticks(
    world: World, when: str, operation: str, skip: int
) -> None:
    killed_at(world, when, operation, skip)
    two_ticks(world)
    claimed = world.state.epoch == 1
    assert world.state.phase is Phase.STEADY
    assert world.state.transition is None
    assert world.moved_to() == world.state.active == (WEST if claimed else EAST)
    if claimed:
        assert world.fence() == Fence("orders", 1, WEST)
        assert world.parameters.values[WEST, PARAMETER] == WEST
        assert world.linode.records[123456][0].target == "198.51.100.50"
        assert [t.outcome for t in world.history()] == ["completed"]


def test_the_reply_to_the_batch_lost_with_the_worker_makes_no_second_move(world: World) -> None:
    killed_at(world, "after", "zones.submit")
    moves = [b for b in world.zones.batches if any(c.record.type == "A" for c in b[1])]
    assert len(moves) == 1
    world.clock.advance(LEASE_S)
    world.tick()
    later = world.zones.batches[world.zones.batches.index(moves[0]) + 1 :]
    # What follows is a batch that deletes and creates the same: it proves, and changes nothing.
    for _, changes, _ in later:
        deleted = [c.record for c in changes if c.action.value == "DELETE"]
        created = [c.record for c in changes if c.action.value == "CREATE"]
        assert deleted == created
    world.deliver_switch()
    assert (world.moved_to(), world.state.phase, world.state.epoch) == (WEST, Phase.STEADY, 1)


def test_a_reply_lost_to_a_living_worker_is_settled_by_the_next_tick(world: World) -> None:
    world.faults.after("zones.submit", RemoteFailure(TIMED_OUT))
    world.failover()
    assert world.step(ZONE_STEP).status is StepStatus.FAILED
    world.deliver_switch()
    world.clock.advance(60)
    world.tick()
    assert (world.state.phase, world.state.active, world.state.epoch) == (Phase.STEADY, WEST, 1)


def test_a_batch_refused_because_its_own_first_copy_is_in_goes_on(world: World) -> None:
    """botocore retries a lost reply: Route 53 then refuses the copy, although the first one is in."""
    world.zones.sends_twice = True
    world.failover()
    assert world.zones.refused
    assert world.step(ZONE_STEP).status is StepStatus.DONE
    assert world.moved_to() == WEST


# freezing


def test_a_frozen_worker_with_an_outdated_epoch_is_refused_by_route53_itself(world: World) -> None:
    """It wakes inside its submission, after a whole failover and failback have passed it by."""

    def meanwhile() -> None:
        world.faults.clear()
        two_ticks(world)
        assert (world.moved_to(), world.state.epoch) == (WEST, 1)
        world.repair_region(EAST)
        world.clock.advance(120)
        world.failback(world.manual("failback", force=True))
        world.deliver_switch()
        assert (world.moved_to(), world.state.epoch, world.state.phase) == (EAST, 2, Phase.STEADY)

    world.faults.before("zones.submit", meanwhile)
    world.failover(ports=world.ports("frozen"))
    assert world.zones.refused
    assert (world.moved_to(), world.fence()) == (EAST, Fence("orders", 2, EAST))
    assert (world.state.active, world.state.epoch) == (EAST, 2)
    assert world.parameters.values[WEST, PARAMETER] == EAST
    assert world.parameters.values[EAST, PARAMETER] == EAST
    world.deliver_switch()
    assert world.linode.records[123456][0].target == "203.0.113.10"


def test_a_worker_frozen_before_its_steps_starts_none_of_them(world: World) -> None:
    world.faults.before("store.save_state", lambda: world.clock.advance(LEASE_S + 1), skip=1)
    world.failover(ports=world.ports("frozen"))
    assert world.moved_to() == EAST
    assert world.parameters.writes == []
    assert world.events.of(SWITCH_REQUESTED) == []


def test_a_worker_whose_lease_was_taken_over_starts_no_further_effect(world: World) -> None:
    """Frozen after its steps are recorded; another worker takes over and halts."""

    def meanwhile() -> None:
        world.clock.advance(LEASE_S + 1)
        world.tables.failures[WEST] = world.parameters.failures[WEST] = SERVER_ERROR
        world.endpoints.answers[WEST_URL] = 503
        world.tables.failures.pop(EAST, None)
        world.tick()
        assert world.state.phase is Phase.NEEDS_OPERATOR
        world.parameters.failures.clear()

    # The first read of a zone after the second write of the state is the step's own.
    world.faults.after("store.save_state", lambda: world.faults.before("zones.read", meanwhile), skip=1)
    world.failover(ports=world.ports("frozen"))
    assert world.state.phase is Phase.NEEDS_OPERATOR
    assert world.moved_to() == EAST
    assert world.parameters.writes == []


def test_a_target_verified_too_long_ago_is_not_pointed_at(world: World) -> None:
    world.faults.after("store.save_state", lambda: world.clock.advance(31), skip=1)
    world.failover()
    assert world.moved_to() == EAST
    step = world.step(ZONE_STEP)
    assert step.status is StepStatus.FAILED
    assert "verified too long ago" in step.detail


# pending, refused, throttled


def test_pending_beyond_the_deadline_leaves_the_transition_open_and_a_tick_finishes(world: World) -> None:
    world.zones.pending_polls = 20
    world.failover(seconds=30)
    assert world.state.phase is Phase.MOVING
    assert world.step(ZONE_STEP).status is StepStatus.DOING
    assert world.step(ZONE_STEP).change_id
    world.deliver_switch()
    assert world.state.phase is Phase.MOVING
    batches = len(world.zones.batches)
    world.clock.advance(30)
    world.tick()
    assert (world.state.phase, world.state.active) == (Phase.STEADY, WEST)
    assert len(world.zones.batches) == batches


def test_not_complete_before_insync(world: World) -> None:
    world.zones.pending_polls = 1000
    world.failover(seconds=20)
    world.deliver_switch()
    assert world.state.phase is Phase.MOVING
    assert world.state.active == EAST
    assert world.history() == []


def test_not_complete_where_the_zone_reads_back_differently(world: World) -> None:
    def edit() -> None:
        world.zones.put(ZONE, RecordSet("api.example.com", "A", 60, ("203.0.113.99",)))

    world.faults.after("zones.is_insync", edit)
    world.failover()
    world.deliver_switch()
    assert world.state.phase is Phase.MOVING
    assert world.step(ZONE_STEP).status is StepStatus.FAILED
    detail = world.step(ZONE_STEP).detail
    assert "reads back differently" in detail
    assert "198.51.100.10" in detail.partition("expected ")[2]
    assert len(world.notifier.about(f"zone {ZONE} is not switched yet")) == 1


def test_a_record_edited_between_snapshot_and_batch_is_not_overwritten(world: World) -> None:
    edited = RecordSet("api.example.com", "A", 60, ("203.0.113.99",))
    world.faults.before("zones.submit", lambda: world.zones.put(ZONE, edited))
    world.failover()
    assert world.answer() == ("203.0.113.99",)
    assert world.step(ZONE_STEP).status is StepStatus.FAILED
    assert world.notifier.about("is not switched yet")
    world.clock.advance(60)
    world.tick()
    assert world.answer() == ("203.0.113.99",)
    assert world.state.phase is Phase.MOVING


def test_a_control_plane_that_refuses_is_tried_again_by_every_tick(world: World) -> None:
    world.faults.before("zones.submit", RemoteFailure(THROTTLED), times=3)
    world.failover()
    world.deliver_switch()
    assert world.moved_to() == EAST
    assert len(world.notifier.about("is not switched yet")) == 1
    for _ in range(3):
        world.clock.advance(60)
        world.tick()
        world.deliver_switch()
    assert (world.moved_to(), world.state.phase) == (WEST, Phase.STEADY)


def test_a_parameter_of_the_target_that_cannot_be_written_keeps_the_transition_open(world: World) -> None:
    world.parameters.failures[WEST] = TIMED_OUT
    world.failover()
    world.deliver_switch()
    assert world.state.phase is Phase.MOVING
    assert world.step(f"ssm {WEST} {PARAMETER}").status is StepStatus.FAILED
    del world.parameters.failures[WEST]
    world.clock.advance(60)
    world.tick()
    assert world.state.phase is Phase.STEADY
    assert world.parameters.values[WEST, PARAMETER] == WEST


def test_a_parameter_that_reads_back_differently_is_not_done(world: World) -> None:
    def spoil() -> None:
        world.parameters.values[WEST, PARAMETER] = "nonsense"

    world.faults.after("parameters.write", spoil)
    world.failover()
    step = world.step(f"ssm {WEST} {PARAMETER}")
    assert (step.status, "does not read back" in step.detail) == (StepStatus.FAILED, True)


def test_a_late_parameter_write_corrects_itself_to_the_newer_epoch(world: World) -> None:
    def meanwhile() -> None:
        world.faults.clear()
        two_ticks(world)
        world.repair_region(EAST)
        world.clock.advance(120)
        world.failback(world.manual("failback", force=True))
        world.deliver_switch()
        assert world.parameters.values[WEST, PARAMETER] == EAST

    world.faults.before("parameters.write", meanwhile)
    world.failover(ports=world.ports("frozen"))
    assert world.parameters.values[WEST, PARAMETER] == EAST


def test_a_step_that_hangs_keeps_the_lease_so_that_it_must_expire(world: World) -> None:
    with pytest.raises(OutOfTime):
        hang_in_the_steps(world)
    transition = world.state.transition
    assert transition is not None
    assert transition.lease.until > world.clock.now()
    assert world.tick()["reason"] == "in-progress"
    world.clock.advance(LEASE_S)
    world.tick()
    world.deliver_switch()
    assert world.state.phase is Phase.STEADY


def hang_in_the_steps(world: World) -> None:
    """Let the first call of the fifth round hang: gather, checks, replication, survey, steps."""
    world.together.hang.add((world.together.rounds + 4, 0))
    world.failover()


# halting and stopping


def begun_and_left(world: World) -> None:
    """Leave a failover of which the zone step has begun, the traffic not moved."""
    killed_at(world, "before", "zones.submit")
    world.clock.advance(LEASE_S)


def test_a_target_unhealthy_midway_needs_an_operator_and_nothing_is_rolled_back(world: World) -> None:
    killed_at(world, "after", "zones.submit")
    world.clock.advance(LEASE_S)
    world.repair_region(EAST)
    world.break_region(WEST, SERVER_ERROR)
    assert world.tick()["reason"] == "needs-operator"
    assert world.state.phase is Phase.NEEDS_OPERATOR
    assert world.moved_to() == WEST
    assert world.notifier.about("halted midway")
    world.clock.advance(60)
    assert world.tick()["reason"] == "needs-operator"
    assert len(world.notifier.about("halted midway")) == 1

    world.repair_region(WEST)
    world.clock.advance(60)
    world.tick()
    world.deliver_switch()
    assert (world.state.phase, world.state.active) == (Phase.STEADY, WEST)


def test_a_halted_transition_blocks_a_failover_even_by_hand(world: World) -> None:
    begun_and_left(world)
    world.break_region(WEST, SERVER_ERROR)
    world.repair_region(EAST)
    world.tick()
    assert world.failover(world.manual("failover", force=True))["reason"] == "needs-operator"
    assert world.state.epoch == 1


def test_a_target_unknown_midway_waits_without_an_effect(world: World) -> None:
    begun_and_left(world)
    world.endpoints.answers[WEST_URL] = 404
    batches = len(world.zones.batches)
    assert world.tick()["reason"] == "target-not-verified"
    assert world.state.phase is Phase.MOVING
    assert len(world.zones.batches) == batches
    del world.endpoints.answers[WEST_URL]
    world.clock.advance(60)
    world.tick()
    world.deliver_switch()
    assert world.state.phase is Phase.STEADY


def test_nothing_begun_and_the_source_back_is_stopped(world: World) -> None:
    killed_at(world, "after", "store.save_state")
    world.repair_region(EAST)
    world.clock.advance(LEASE_S)
    assert world.tick()["reason"] == "active-healthy"
    assert (world.state.phase, world.state.active, world.state.epoch) == (Phase.STEADY, EAST, 1)
    assert world.moved_to() == EAST
    assert [t.outcome for t in world.history()] == ["stopped: the source is healthy again"]


def test_nothing_begun_and_the_target_not_verified_is_stopped(world: World) -> None:
    killed_at(world, "after", "store.save_state")
    world.endpoints.answers[WEST_URL] = 500
    world.clock.advance(LEASE_S)
    assert world.tick()["reason"] == "target-not-verified"
    assert world.state.phase is Phase.STEADY
    assert world.moved_to() == EAST
    assert "the target is not verified" in world.history()[0].outcome


def test_begun_and_the_source_back_goes_forward_all_the_same(world: World) -> None:
    begun_and_left(world)
    world.repair_region(EAST)
    world.tick()
    world.deliver_switch()
    assert (world.state.active, world.state.phase) == (WEST, Phase.STEADY)


def test_a_running_worker_is_left_alone_by_the_tick(world: World) -> None:
    killed_at(world, "before", "zones.submit")
    batches = len(world.zones.batches)
    world.clock.advance(LEASE_S - 1)
    assert world.tick()["reason"] == "in-progress"
    assert len(world.zones.batches) == batches


def test_two_ticks_at_once_take_over_once(world: World) -> None:
    begun_and_left(world)
    first = world.ports("tick-1")
    world.faults.before("store.save_state", lambda: world.tick(ports=world.ports("tick-2")))
    world.tick(ports=first)
    moves = [b for b in world.zones.batches if any(c.record.type == "A" for c in b[1])]
    assert len(moves) == 1
    world.deliver_switch()
    assert world.state.phase is Phase.STEADY


def test_paused_a_left_transition_is_not_resumed_until_the_pause_ends(world: World) -> None:
    begun_and_left(world)
    world.edit_state(paused=True)
    calls = len(world.faults.calls)
    assert world.tick()["reason"] == "paused"
    assert world.moved_to() == EAST
    assert not {"zones.submit", "parameters.write", "events.put"} & set(world.faults.calls[calls:])
    world.edit_state(paused=False)
    world.clock.advance(60)
    world.tick()
    assert world.moved_to() == WEST


def test_paused_a_humans_own_transition_is_resumed(world: World) -> None:
    world.edit_state(paused=True)
    world.faults.before("zones.submit", Killed())
    with pytest.raises(Killed):
        world.failover(world.manual("failover"))
    world.faults.clear()
    world.clock.advance(LEASE_S)
    world.tick()
    assert world.moved_to() == WEST


def test_paused_debts_are_not_paid(world: World) -> None:
    world.failover()
    world.deliver_switch()
    world.repair_region(EAST)
    world.edit_state(paused=True)
    world.clock.advance(60)
    world.tick()
    assert world.parameters.values[EAST, PARAMETER] == EAST
    world.edit_state(paused=False)
    world.tick()
    assert world.parameters.values[EAST, PARAMETER] == WEST


# notifications


def test_a_notification_that_fails_neither_blocks_nor_undoes_and_is_sent_by_a_later_tick(
    world: World,
) -> None:
    world.notifier.failure = TIMED_OUT
    world.notifier.sent.clear()
    world.failover()
    world.deliver_switch()
    assert (world.moved_to(), world.state.phase) == (WEST, Phase.STEADY)
    kept = [notice.subject for notice in world.state.outbox]
    assert any("is complete" in subject for subject in kept)
    world.clock.advance(60)
    world.tick()
    assert len(world.state.outbox) == len(kept)
    world.notifier.failure = None
    world.clock.advance(60)
    world.tick()
    assert world.state.outbox == ()
    assert sorted(subject for subject, _ in world.notifier.sent) == sorted(kept)
    world.tick()
    assert len(world.notifier.sent) == len(kept)


def test_the_completion_is_told_even_if_its_worker_dies_before_telling(world: World) -> None:
    world.failover()
    world.faults.before("notifier.publish", Killed())
    with pytest.raises(Killed):
        world.deliver_switch()
    assert world.state.phase is Phase.STEADY
    world.clock.advance(61)
    world.tick()
    assert world.notifier.about("is complete")


# the journal


def test_epochs_and_history_only_grow(world: World) -> None:
    world.failover()
    world.deliver_switch()
    world.repair_region(EAST)
    world.clock.advance(120)
    world.failback(world.manual("failback", force=True))
    world.deliver_switch()
    assert world.store.epochs == sorted(world.store.epochs)
    assert [(t.epoch, t.direction) for t in world.history()] == [
        (1, Direction.FAILOVER),
        (2, Direction.FAILBACK),
    ]


def test_the_journal_says_what_was_there_before(world: World) -> None:
    world.failover()
    step = world.step(ZONE_STEP)
    assert '"192.0.2.10"' in step.before
    assert world.step(f"ssm {WEST} {PARAMETER}").before == EAST
    assert step.sent_at is not None
    assert step.done_at is not None
    assert step.done_at - step.sent_at < timedelta(seconds=5)


def test_a_state_table_lost_midway_leaves_the_rest_to_a_tick(world: World) -> None:
    world.faults.before("store.save_state", StateUnavailable("gone"), skip=2)
    with pytest.raises(StateUnavailable):
        world.failover()
    two_ticks(world)
    assert (world.state.phase, world.state.active) == (Phase.STEADY, WEST)


def test_a_call_that_hangs_past_the_lease_is_followed_by_no_batch(world: World) -> None:
    """One's own batch is there and its change id lost: to send it again needs the lease too."""
    world.faults.after("zones.submit", Killed())
    with pytest.raises(Killed):
        world.failover()
    world.clock.advance(LEASE_S)
    world.faults.after("zones.read", lambda: world.clock.advance(LEASE_S))
    world.tick()
    assert len(world.zones.batches) == 2  # the fence's publication and the killed worker's own
    assert any(line == "lost the lease" for line, _ in world.meter.lines)


# a zone that somebody else has changed since the snapshot


def refused_over(world: World, edit: Callable[[], object]) -> None:
    """A failover whose batch is refused because of an edit made just before it."""
    world.faults.before("zones.submit", edit)
    world.failover()
    world.deliver_switch()
    assert world.step(ZONE_STEP).status is StepStatus.FAILED


def delayed_by_nothing(world: World, edit: Callable[[], object], *, force: bool = False) -> None:
    """A failover whose batch is refused because of a harmless edit made just before it, and sent anew."""
    world.faults.before("zones.submit", edit)
    world.failover(world.manual("failover", force=True) if force else None)
    world.deliver_switch()
    assert len(world.zones.refused) == 1
    assert (world.moved_to(), world.state.phase) == (WEST, Phase.STEADY)
    assert not world.notifier.about("is not switched yet")


def next_tick(world: World) -> None:
    world.clock.advance(60)
    world.probe(seconds=20)
    world.tick()


def test_a_foreign_answer_that_a_human_takes_back_delays_nothing(world: World) -> None:
    """Forced over a foreign answer, which then is no more what the snapshot saw."""
    world.zones.put(ZONE, RecordSet("api.example.com", "A", 60, ("203.0.113.99",)))
    ours = RecordSet("api.example.com", "A", 60, ("192.0.2.10",))
    delayed_by_nothing(world, lambda: world.zones.put(ZONE, ours), force=True)


def test_an_answer_that_a_human_deleted_midway_is_made_anew(world: World) -> None:
    delayed_by_nothing(world, lambda: world.zones.zones[ZONE].pop(("api.example.com", "A")))


def test_a_first_fence_published_late_is_taken_into_account(world: World) -> None:
    """The first tick froze before it could publish the fence, and wakes when a transition is under way."""
    world.zones.zones[ZONE] = {k: v for k, v in world.zones.zones[ZONE].items() if k[1] != "TXT"}
    delayed_by_nothing(world, lambda: world.put_fence(0, EAST))


def test_a_zone_that_changes_again_and_again_is_left_to_the_next_tick(world: World) -> None:
    """One second try, not a fight: and what the snapshot saw last is what the tick compares with."""
    ours = RecordSet("api.example.com", "A", 60, ("192.0.2.10",))
    world.faults.before("zones.submit", lambda: world.zones.put(ZONE, replace(ours, ttl=30)), skip=1)
    refused_over(world, lambda: world.zones.zones[ZONE].pop(("api.example.com", "A")))
    assert len(world.zones.refused) == 2
    next_tick(world)
    assert (world.moved_to(), world.state.phase) == (WEST, Phase.STEADY)


def test_what_another_plan_or_a_newer_epoch_put_there_stays_refused(world: World) -> None:
    refused_over(world, lambda: world.put_fence(7, EAST))
    next_tick(world)
    assert (world.moved_to(), world.state.phase) == (EAST, Phase.MOVING)


def test_a_worker_whom_another_has_finished_for_sends_nothing_more_and_pages_nobody(world: World) -> None:
    def meanwhile() -> None:
        world.faults.clear()
        two_ticks(world)
        assert (world.moved_to(), world.state.phase) == (WEST, Phase.STEADY)

    batches = len(world.zones.batches)
    world.faults.before("zones.submit", meanwhile)
    world.failover(ports=world.ports("frozen"))
    assert len(world.zones.batches) == batches + 1
    assert not world.notifier.about("is not switched yet")


def test_one_notice_that_cannot_be_sent_holds_up_no_others_turn_and_no_tick(world: World) -> None:
    """A topic that is down takes one timeout of a tick, not one for each notice that waits."""
    world.notifier.failure = TIMED_OUT
    world.failover()
    world.deliver_switch()
    assert len(world.state.outbox) >= 2
    world.notifier.failure = None
    world.clock.advance(61)
    before = world.faults.calls.count("notifier.publish")
    world.faults.before("notifier.publish", RemoteFailure(TIMED_OUT), times=9)
    world.tick()
    assert world.faults.calls.count("notifier.publish") == before + 1
    world.faults.clear()
    world.tick()
    assert not world.state.outbox
