"""Leaving the active Region: what moves, what holds, what is on record (I1, I5, I10 to I17, I20, I23)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from region_failover.domain.codec import load_situation
from region_failover.domain.decision import decide_failover
from region_failover.domain.errors import ConfigurationError, MalformedEvent, RemoteFailure, StateUnavailable
from region_failover.domain.plan import FailoverMode, Role
from region_failover.domain.state import Phase
from region_failover.domain.symptom import Kind, Symptom
from region_failover.domain.trigger import SWITCH_REQUESTED
from region_failover.domain.verdict import Health
from region_failover.domain.zone import Fence, RecordSet, wanted
from region_failover.service.failover import handle_failover
from region_failover.service.record import Deadline
from tests.fakes import (
    DENIED,
    EAST,
    MAXIMUM_AGE,
    PARAMETER,
    PLAN,
    REFUSED,
    SERVER_ERROR,
    TIMED_OUT,
    WEST,
    ZONE,
    World,
    read_triggers,
    with_policy,
)

WEST_URL = PLAN.http_checks[0].standby
EAST_URL = PLAN.http_checks[0].primary


@pytest.fixture
def world() -> World:
    return World()


def nothing_moved(world: World) -> bool:
    """Return whether every target still points at the primary and nobody was asked to change that."""
    return (
        world.moved_to() == EAST
        and not [b for b in world.zones.batches if len(b[1]) > 1]
        and not world.parameters.writes
        and not world.linode.writes
        and not world.events.of(SWITCH_REQUESTED)
        and (not world.store.states or world.state.epoch == 0)
    )


# it moves


def test_a_region_outage_moves_route53_parameters_and_linode(world: World) -> None:
    world.outage()
    answer = world.failover()
    assert (answer["action"], answer["reason"]) == ("move", "region-down")
    assert world.moved_to() == WEST
    assert world.fence() == Fence("orders", 1, WEST)
    assert world.parameters.values[WEST, PARAMETER] == WEST
    assert world.linode.writes == []

    world.deliver_switch()
    assert world.linode.records[123456][0].target == "198.51.100.50"
    assert (world.state.active, world.state.phase) == (WEST, Phase.STEADY)
    (ended,) = world.history()
    assert (ended.outcome, ended.source, ended.target) == ("completed", EAST, WEST)
    assert world.notifier.about("failover to us-west-2 is complete")


def test_the_dead_regions_own_copy_is_owed_and_made_good_once_it_answers(world: World) -> None:
    world.outage()
    world.failover()
    world.deliver_switch()
    assert [step.region for step in world.state.owed] == [EAST]
    world.clock.advance(60)
    world.tick()
    assert [step.region for step in world.state.owed] == [EAST]
    world.repair_region(EAST)
    world.tick()
    assert world.parameters.values[EAST, PARAMETER] == WEST
    assert world.state.owed == ()


def test_i4_a_debt_that_another_tick_has_paid_meanwhile_is_not_paid_again(world: World) -> None:
    world.outage()
    world.failover()
    world.deliver_switch()
    world.repair_region(EAST)
    tick = world.schedule()
    world.faults.after("store.load_state", lambda: world.failback(tick))  # the same one, delivered twice
    before = world.faults.calls.count("parameters.write")
    world.failback(tick)
    assert world.faults.calls.count("parameters.write") == before + 1
    assert (world.parameters.values[EAST, PARAMETER], world.state.owed) == (WEST, ())


def test_a_failover_records_when_it_was_detected_and_the_estimated_loss(world: World) -> None:
    world.probe(seconds=20)
    last_write = world.clock.now()
    world.outage()
    world.failover()
    transition = world.state.transition
    assert transition is not None
    assert transition.detected_at is not None
    assert transition.detected_at > last_write
    assert transition.loss_s is not None
    assert 55 <= transition.loss_s <= 200


def test_every_change_of_traffic_carries_the_epoch_in_its_comment_and_fence(world: World) -> None:
    world.outage()
    world.failover()
    _, changes, comment = world.zones.batches[-1]
    assert comment == "region-failover: orders epoch 1 to us-west-2"
    assert any("epoch=1 active=us-west-2" in change.record.values[0] for change in changes)


def test_a_transition_starts_a_cooldown(world: World) -> None:
    world.outage()
    world.failover()
    world.deliver_switch()
    assert world.state.cooldown_until is not None
    assert world.state.cooldown_until - world.clock.now() == PLAN.policy.cooldown


# it holds


def test_a_healthy_region_is_held_and_the_hold_is_on_record(world: World) -> None:
    world.probe()
    answer = world.failover()
    assert (answer["action"], answer["reason"]) == ("hold", "active-healthy")
    assert nothing_moved(world)
    _, _, decision = world.store.decisions[-1]
    assert decision["situation"]["source"] == "healthy"
    assert len(decision["checks"]) == 6
    assert world.notifier.sent == []


def test_own_access_denied_holds_and_is_told_exactly_once(world: World) -> None:
    world.tick()
    world.tables.failures = {EAST: DENIED, WEST: DENIED}
    for _ in range(3):
        world.probe()
        world.clock.advance(10)
        assert world.failover()["reason"] == "observer-fault"
    assert nothing_moved(world)
    assert len(world.notifier.sent) == 1
    assert world.notifier.about("cannot judge")


@pytest.mark.parametrize(
    "symptom",
    [
        Symptom(Kind.CREDENTIALS),
        Symptom(Kind.API, "ThrottlingException", 400),
        Symptom(Kind.API, "ResourceNotFoundException", 400),
        Symptom(Kind.UNKNOWN, detail="SomethingNew"),
    ],
    ids=str,
)
def test_our_own_faults_never_move_traffic_even_with_a_failing_endpoint(
    world: World, symptom: Symptom
) -> None:
    world.outage(EAST, symptom)
    assert world.failover()["reason"] == "observer-fault"
    assert nothing_moved(world)


def test_one_kind_of_evidence_alone_holds(world: World) -> None:
    world.endpoints.answers[EAST_URL] = REFUSED
    world.probe(seconds=55)
    world.clock.advance(5)
    world.probe(seconds=55)
    assert len(world.notifier.about("one kind of evidence fails")) <= 1
    assert world.failover()["reason"] == "evidence-incomplete"
    assert nothing_moved(world)


def test_when_nothing_answers_anywhere_we_are_cut_off_and_hold(world: World) -> None:
    world.break_region(WEST)
    world.outage(EAST)
    assert world.failover()["reason"] == "observer-fault"
    assert nothing_moved(world)


def test_a_failure_seen_from_one_place_must_last(world: World) -> None:
    world.probe(seconds=20)
    world.break_region(EAST)
    assert world.failover()["reason"] == "not-confirmed"
    world.clock.advance(30)
    assert world.failover()["reason"] == "not-confirmed"
    world.clock.advance(31)
    assert world.failover()["reason"] == "region-down"


def test_a_standby_that_is_not_verified_is_no_target_and_that_is_told(world: World) -> None:
    world.tick()
    world.endpoints.answers[WEST_URL] = 500
    world.outage()
    answer = world.failover()
    assert answer["reason"] == "target-not-verified"
    assert nothing_moved(world)
    assert world.notifier.about("holds: target-not-verified")


def test_both_regions_down_is_held_loudly(world: World) -> None:
    world.tick()
    world.break_region(WEST, SERVER_ERROR)
    world.outage(EAST, SERVER_ERROR)
    assert world.failover()["reason"] == "both-unhealthy"
    assert nothing_moved(world)
    assert len(world.notifier.about("holds: both-unhealthy")) == 1
    world.failover()
    assert len(world.notifier.about("holds: both-unhealthy")) == 1


def test_a_state_table_out_of_reach_moves_nothing_and_raises(world: World) -> None:
    world.outage()
    world.store.available = False
    with pytest.raises(StateUnavailable):
        world.failover()
    assert nothing_moved(world)


@pytest.mark.parametrize("operation", ["store.load_health", "store.save_health", "store.record_decision"])
def test_a_state_table_lost_on_the_way_to_the_claim_moves_nothing(world: World, operation: str) -> None:
    world.tick()
    world.outage()
    world.faults.before(operation, StateUnavailable("gone"))
    with pytest.raises(StateUnavailable):
        world.failover()
    assert nothing_moved(world)


def test_a_state_table_lost_at_the_claim_moves_nothing(world: World) -> None:
    world.tick()
    world.outage()
    ports = world.ports()
    world.faults.before("store.record_decision", lambda: lose_the_table(world))
    with pytest.raises(StateUnavailable):
        world.failover(ports=ports)
    assert world.moved_to() == EAST
    assert world.parameters.writes == []


def lose_the_table(world: World) -> None:
    world.store.available = False


def test_a_claim_whose_reply_is_lost_counts_as_ours_and_is_carried_out(world: World) -> None:
    world.tick()
    world.outage()
    world.faults.after("store.save_state", lambda: None)
    world.failover()
    assert (world.moved_to(), world.state.epoch) == (WEST, 1)


def test_paused_holds_but_goes_on_looking(world: World) -> None:
    world.tick()
    world.edit_state(paused=True)
    world.outage()
    assert world.failover()["reason"] == "paused"
    assert nothing_moved(world)
    health = world.ports().store.load_health("orders")
    assert health is not None
    assert health.regions[EAST].health is Health.UNHEALTHY


def test_a_manual_policy_holds_loudly() -> None:
    world = World(with_policy(failover=FailoverMode.MANUAL))
    world.outage()
    assert world.failover()["reason"] == "failover-is-manual"
    assert nothing_moved(world)
    assert world.notifier.about("holds: failover-is-manual")


def complete_failover(world: World) -> None:
    world.outage()
    world.failover()
    world.deliver_switch()
    world.repair_region(EAST)


def test_within_the_cooldown_no_second_automatic_transition(world: World) -> None:
    complete_failover(world)
    world.clock.advance(600)
    world.outage(WEST)
    assert world.failover()["reason"] == "cooldown"
    assert world.moved_to() == WEST
    world.clock.at = world.state.cooldown_until or world.clock.at
    world.outage(WEST)
    assert world.failover()["reason"] == "region-down"
    assert world.moved_to() == EAST


def test_an_alarm_of_a_region_already_left_moves_nothing_back(world: World) -> None:
    event = world.unhealthy_event()
    world.outage()
    event = world.unhealthy_event()
    world.failover(event)
    world.deliver_switch()
    batches = len(world.zones.batches)
    for _ in range(3):
        assert world.failover(event)["action"] == "hold"
    assert world.moved_to() == WEST
    assert (world.state.epoch, len(world.zones.batches)) == (1, batches)


# a human


def test_a_human_may_insist_against_the_evidence(world: World) -> None:
    world.probe()
    assert world.failover(world.manual("failover"))["reason"] == "active-healthy"
    assert world.failover(world.manual("failover", force=True))["reason"] == "operator-asked"
    assert world.moved_to() == WEST


def test_a_human_bypasses_pause_and_cooldown_but_never_the_verification(world: World) -> None:
    world.tick()
    world.edit_state(paused=True, cooldown_until=world.clock.now() + timedelta(hours=1))
    world.endpoints.answers[WEST_URL] = 503
    assert world.failover(world.manual("failover", force=True))["reason"] == "target-not-verified"
    assert nothing_moved(world)
    del world.endpoints.answers[WEST_URL]
    assert world.failover(world.manual("failover", force=True))["reason"] == "operator-asked"
    assert world.moved_to() == WEST


def test_a_manual_request_delivered_again_has_one_effect(world: World) -> None:
    event, ports = world.manual("failover", force=True), world.ports("failover:request-7")
    world.failover(event, ports)
    world.deliver_switch()
    assert (world.moved_to(), world.state.phase) == (WEST, Phase.STEADY)
    world.clock.advance(60)
    world.failover(event, ports)
    assert (world.moved_to(), world.state.epoch) == (WEST, 1)


# events


@pytest.mark.parametrize("age_s", [901, 6 * 3600])
def test_a_stale_event_is_no_reason_to_look(world: World, age_s: int) -> None:
    world.outage()
    event = world.alarm(at=world.clock.now() - timedelta(seconds=age_s))
    calls = len(world.faults.calls)
    assert world.failover(event)["reason"] == "stale-event"
    assert world.faults.calls[calls:] == ["store.record_decision"]
    assert nothing_moved(world)


@pytest.mark.parametrize("value", ["OK", "INSUFFICIENT_DATA"])
def test_an_alarm_that_is_not_in_alarm_is_no_reason_to_look(world: World, value: str) -> None:
    world.outage()
    assert world.failover(world.alarm(value=value))["reason"] == "not-in-alarm"
    assert nothing_moved(world)


def test_a_suppressed_alarm_is_no_reason_to_look(world: World) -> None:
    world.outage()
    event = world.alarm()
    event["detail"]["state"]["actionsSuppressedBy"] = "WaitPeriod"
    assert world.failover(event)["reason"] == "suppressed"
    assert nothing_moved(world)


def test_an_event_of_an_unknown_plan_or_of_another_function_is_refused(world: World) -> None:
    for event in (
        {**world.manual("failover"), "plan": "payments"},
        world.manual("failback"),
        world.schedule(),
    ):
        with pytest.raises(MalformedEvent):
            world.failover(event)
    assert nothing_moved(world)


def test_several_events_at_once_are_one_failover(world: World) -> None:
    world.outage()
    answers = world.failover([world.alarm(), world.unhealthy_event(), world.alarm()])
    assert sorted(answer["action"] for answer in answers) == ["hold", "hold", "move"]
    assert (world.moved_to(), world.state.epoch) == (WEST, 1)


# two at once


def test_of_two_failovers_at_once_one_claims_and_the_other_holds(world: World) -> None:
    world.tick()
    world.outage()
    first, second = world.ports("first"), world.ports("second")
    answers: list[object] = []
    # The second runs whole between the first one's decision and its claim.
    world.faults.before(
        "store.record_decision", lambda: answers.append(world.failover(ports=second)["reason"])
    )
    answers.append(world.failover(ports=first)["reason"])
    assert answers == ["region-down", "lost-the-claim"]
    assert (world.state.epoch, world.moved_to()) == (1, WEST)
    assert [t.lease.owner for t in [world.state.transition] if t] == ["second"]


def test_a_race_lost_at_the_write_asks_the_newest_record_again(world: World) -> None:
    world.tick()
    world.outage()

    def pause_meanwhile() -> None:
        world.edit_state(paused=True)

    world.faults.before("store.save_state", pause_meanwhile)
    assert world.failover()["reason"] == "lost-the-claim"
    assert world.moved_to() == EAST
    assert world.state.epoch == 0


# drift, fences


def test_a_record_that_a_human_changed_is_not_fought(world: World) -> None:
    world.outage()
    world.zones.put(ZONE, RecordSet("api.example.com", "A", 60, ("203.0.113.99",)))
    answer = world.failover()
    assert answer["reason"] == "drift"
    assert "203.0.113.99" in answer["detail"]
    assert world.answer() == ("203.0.113.99",)
    assert world.notifier.about("holds: drift")


def test_a_record_that_is_not_simple_is_not_touched(world: World) -> None:
    world.outage()
    weighted = RecordSet("api.example.com", "A", 60, ("192.0.2.10",), simple=False)
    world.zones.put(ZONE, weighted)
    assert world.failover()["reason"] == "not-simple"
    assert world.failover(world.manual("failover", force=True))["reason"] == "not-simple"
    assert world.zones.find(ZONE, "api.example.com") == weighted


def test_somebody_elses_fence_is_not_overwritten_even_by_force(world: World) -> None:
    world.tick()
    world.outage()
    world.put_fence(1, EAST, plan="payments")
    assert world.failover()["reason"] == "fence-foreign"
    assert world.failover(world.manual("failover", force=True))["reason"] == "fence-foreign"
    assert world.moved_to() == EAST


def test_a_fence_ahead_of_our_record_holds(world: World) -> None:
    world.tick()
    world.outage()
    world.put_fence(7, EAST)
    answer = world.failover()
    assert answer["reason"] == "fence-ahead"
    assert world.moved_to() == EAST
    assert world.fence() == Fence("orders", 7, EAST)
    assert world.notifier.about("holds: fence-ahead")


def test_a_human_may_insist_against_drift_but_not_against_a_fence_ahead(world: World) -> None:
    world.tick()
    world.outage()
    world.put_fence(7, EAST)
    assert world.failover(world.manual("failover", force=True))["reason"] == "fence-ahead"
    world.put_fence(0, EAST)
    world.zones.put(ZONE, RecordSet("api.example.com", "A", 60, ("203.0.113.99",)))
    assert world.failover(world.manual("failover", force=True))["reason"] == "operator-asked"
    assert world.moved_to() == WEST


def unreadable_in_the_survey(world: World) -> None:
    """Route 53 does not answer the survey (the second read: the first is of the fence alone)."""
    world.faults.before("zones.read", RemoteFailure(TIMED_OUT))


def test_a_zone_that_the_survey_could_not_read_is_still_moved(world: World) -> None:
    world.tick()
    world.outage()
    unreadable_in_the_survey(world)
    world.failover()
    assert world.moved_to() == WEST


def test_a_zone_that_the_survey_could_not_read_is_not_fought_either(world: World) -> None:
    world.tick()
    world.outage()
    world.zones.put(ZONE, RecordSet("api.example.com", "A", 60, ("203.0.113.99",)))
    unreadable_in_the_survey(world)
    world.failover()
    assert world.answer() == ("203.0.113.99",)


def test_a_fence_ahead_is_respected_where_the_survey_could_not_read_it(world: World) -> None:
    world.tick()
    world.outage()
    world.put_fence(7, EAST)
    unreadable_in_the_survey(world)
    world.failover()
    assert world.fence() == Fence("orders", 7, EAST)
    assert world.moved_to() == EAST


def test_a_state_restored_empty_learns_epoch_and_active_from_the_fence(world: World) -> None:
    complete_failover(world)
    world.store.states.clear()
    world.tick()
    assert (world.state.epoch, world.state.active) == (1, WEST)
    assert world.fence() == Fence("orders", 1, WEST)


def test_a_first_start_finds_traffic_where_the_records_point(world: World) -> None:
    records = PLAN.zones()[ZONE]
    world.zones.put(ZONE, *(wanted(record, Role.STANDBY) for record in records))
    world.tick()
    assert (world.state.epoch, world.state.active) == (0, WEST)
    assert world.fence() == Fence("orders", 0, WEST)


def test_a_first_start_learns_nothing_from_another_plans_fence(world: World) -> None:
    world.put_fence(9, WEST, plan="payments")
    world.tick()
    assert (world.state.epoch, world.state.active) == (0, EAST)
    assert world.fence() == Fence("payments", 9, WEST)


def test_a_first_start_publishes_the_fence(world: World) -> None:
    world.tick()
    assert world.fence() == Fence("orders", 0, EAST)
    assert world.moved_to() == EAST


def test_no_state_and_no_word_from_route53_is_no_ground_to_start_from(world: World) -> None:
    world.faults.before("zones.read", RemoteFailure(TIMED_OUT))
    with pytest.raises(StateUnavailable):
        world.tick()
    assert world.store.states == {}


# evidence


def test_a_recorded_decision_can_be_decided_again_from_the_record(world: World) -> None:
    world.probe()
    world.failover()
    world.outage()
    world.failover()
    decided = [d for _, _, d in world.store.decisions if d["situation"]]
    assert {d["reason"] for d in decided} == {"active-healthy", "region-down"}
    for decision in decided:
        situation = load_situation(decision["situation"])
        again = decide_failover(situation, PLAN.policy)
        assert (again.action.value, again.reason.value) == (decision["action"], decision["reason"])


def test_every_invocation_leaves_a_decision_on_record(world: World) -> None:
    world.tick()
    world.failover()
    world.failover(world.alarm(value="OK"))
    world.outage()
    world.failover()
    assert world.reasons() == ["at-primary", "active-healthy", "not-in-alarm", "region-down"]


# several plans


def test_one_plans_trouble_is_not_anothers(world: World) -> None:
    world.outage()
    broken = replace(
        PLAN, name="broken", route53_records=(replace(PLAN.route53_records[0], zone_id="ZNOTTHERE"),)
    )
    ports = world.ports()
    with pytest.raises(StateUnavailable):
        handle_failover(
            ports, [broken, PLAN], read_triggers(world.alarm(), "r"), Deadline.after(ports, 100), MAXIMUM_AGE
        )
    assert world.moved_to() == WEST


def test_a_plan_that_no_longer_names_the_active_region_is_refused_and_moves_nothing(world: World) -> None:
    world.tick()
    world.edit_state(active="eu-north-1")
    for flow in (world.failover, world.tick, world.probe):
        with pytest.raises(ConfigurationError, match="the traffic is in eu-north-1"):
            flow()
    assert world.moved_to() == EAST


def test_a_fence_that_another_worker_put_there_meanwhile_pages_nobody(world: World) -> None:
    """Two deliveries of one alarm: the first looks at the zone when the second has already switched it."""
    world.tick()
    world.outage()
    first, second = world.ports("first"), world.ports("second")
    world.faults.before("zones.read", lambda: world.failover(ports=second))
    assert world.failover(ports=first)["reason"] == "lost-the-claim"
    assert world.notifier.about("holds") == []


def test_a_loss_that_was_seen_is_recorded_although_the_next_look_hung(world: World) -> None:
    """Replication lags, so the reader goes on looking; its next look takes longer than its time."""
    world.tick()
    world.outage()
    world.tables.paused = True
    world.tables.failures.clear()
    world.endpoints.answers.clear()
    reads = iter(range(99))

    def hang() -> None:
        if next(reads) % 2:
            raise TimeoutError("still running at the deadline")

    world.faults.before("tables.read_heartbeat", hang, times=99)
    world.failover(world.manual("failover", force=True))
    (loss,) = [t.loss_s for t in [world.state.transition] if t]
    assert loss is not None
