"""A failback step by step: a share of the traffic on trial at the primary, more of it, or all of it back."""

from __future__ import annotations

import pytest

from region_failover.domain.plan import Plan
from region_failover.domain.plan_file import parse_plan
from region_failover.domain.state import STEP_LEASE, Answer, Direction, Phase, Step, StepKind
from region_failover.domain.trigger import REGION_UNHEALTHY, SWITCH_REQUESTED
from region_failover.domain.zone import Fence, RecordSet, fence_name, parse_fence
from region_failover.service.parameters import write_value
from region_failover.service.proposal import answer_proposal
from tests.fakes import DENIED, EAST, PARAMETER, PLAN_TEXT, TIMED_OUT, WEST, ZONE, Killed, World

TEXT = PLAN_TEXT.replace(
    'failback = "manual"', 'failback = "automatic"\nfailback_steps = [10, 50, 100]'
).replace("ttl = 60", "ttl = 60\nweighted = true")
STEPWISE = parse_plan(TEXT, "orders.toml")


class Steps(World):
    """A world whose record is weighted; the traffic is at the standby, the primary has settled."""

    def __init__(self, plan: Plan = STEPWISE) -> None:
        super().__init__(plan)
        self.tick()
        self.outage()
        self.failover()
        self.deliver_switch()
        self.repair_region(EAST)
        self.clock.advance(3600)
        self.settle(25)

    @property
    def weights(self) -> tuple[int | None, ...]:
        """Return the weights of primary and standby."""
        zone = self.zones.zones[ZONE]
        return tuple(zone["api.example.com", f"A {name}"].weight for name in ("primary", "standby"))

    def mark(self) -> Fence | None:
        """Return what the fence says."""
        name = fence_name(self.plan.zones()[ZONE])
        return parse_fence(self.zones.zones[ZONE][name, "TXT"].values[0])

    def next(self, minutes: int = 5) -> str:
        """Let minutes pass, and a tick of failback come; return its reason."""
        self.settle(minutes)
        return str(self.failback()["reason"])


@pytest.fixture
def world() -> Steps:
    return Steps()


def test_a_failover_is_whole(world: Steps) -> None:
    assert world.weights == (0, 100)
    assert (world.state.active, world.state.share, world.mark()) == (WEST, None, Fence("orders", 1, WEST))


def test_the_traffic_returns_step_by_step(world: Steps) -> None:
    before = len(world.events.of(SWITCH_REQUESTED))
    assert world.failback()["reason"] == "primary-settled"
    assert world.weights == (10, 90)
    assert (world.state.active, world.state.share, world.state.phase) == (WEST, 10, Phase.STEADY)
    assert world.mark() == Fence("orders", 2, WEST)
    assert world.next(4) == "on-trial"
    assert world.next(1) == "primary-settled"
    assert (world.weights, world.state.share) == ((50, 50), 50)
    assert world.parameters.values[WEST, PARAMETER] == WEST  # what knows no share waits for the last step
    assert len(world.events.of(SWITCH_REQUESTED)) == before
    assert world.next() == "primary-settled"
    world.deliver_switch()
    assert world.weights == (100, 0)
    assert (world.state.active, world.state.share, world.state.share_since) == (EAST, None, None)
    assert world.parameters.values[WEST, PARAMETER] == EAST
    assert world.mark() == Fence("orders", 4, EAST)
    assert [t.share for t in world.history()] == [None, 10, 50, None]
    assert world.failback()["reason"] == "at-primary"


def test_it_is_told_what_is_on_trial(world: Steps) -> None:
    world.failback()
    assert world.notifier.about("10 % of the traffic is on trial at us-east-1")
    assert world.notifier.about("step of the failback to us-east-1: 10 % is complete")
    assert not world.notifier.about("traffic is switched to us-east-1")


def test_the_first_bad_sample_takes_it_back(world: Steps) -> None:
    world.failback()
    world.break_region(EAST)
    world.probe(seconds=15)
    event = world.own_event(REGION_UNHEALTHY, world.events.of(REGION_UNHEALTHY)[-1])
    assert event["detail"]["from"] == EAST
    found = world.failover(event)
    assert (found["action"], found["reason"]) == ("move", "trial-failed")
    assert world.weights == (0, 100)
    assert (world.state.active, world.state.share, world.state.phase) == (WEST, None, Phase.STEADY)
    last = world.history()[-1]
    assert (last.direction, last.source, last.target) == (Direction.FAILOVER, EAST, WEST)
    assert world.state.cooldown_until is not None


def test_a_tick_takes_it_back_where_no_event_has_come(world: Steps) -> None:
    world.failback()
    world.break_region(EAST)
    assert world.next(1) == "trial-failed"
    assert world.weights == (0, 100)


def test_i20_an_event_of_before_the_trial_does_not_end_it(world: Steps) -> None:
    old = world.alarm()
    world.clock.advance(30)
    world.failback()
    world.break_region(EAST)
    world.clock.advance(30)
    assert world.failover(old)["reason"] == "active-healthy"
    assert world.weights == (10, 90)
    assert world.failover(world.alarm())["reason"] == "trial-failed"
    assert world.weights == (0, 100)


def test_one_kind_of_evidence_is_enough_to_end_a_trial(world: Steps) -> None:
    world.failback()
    world.endpoints.answers[world.plan.http_checks[0].primary] = 503
    assert world.next(1) == "trial-failed"
    assert world.weights == (0, 100)


def test_our_own_fault_neither_goes_on_nor_takes_it_back(world: Steps) -> None:
    world.failback()
    world.tables.failures[EAST] = DENIED
    assert world.next(6) in {"not-settled", "target-not-verified"}
    assert (world.weights, world.state.share) == ((10, 90), 10)


def test_after_a_trial_that_failed_it_begins_anew_when_all_holds_again(world: Steps) -> None:
    world.failback()
    world.break_region(EAST)
    assert world.next(1) == "trial-failed"
    world.repair_region(EAST)
    assert world.next(10) == "cooldown"
    world.clock.advance(3600)
    assert world.next(25) == "primary-settled"
    assert world.weights == (10, 90)


def test_it_is_not_taken_back_onto_a_standby_that_is_not_verified(world: Steps) -> None:
    world.failback()
    world.endpoints.answers[world.plan.http_checks[0].primary] = 503
    world.endpoints.answers[world.plan.http_checks[0].standby] = 503
    world.next(1)
    assert world.weights == (10, 90)
    assert len(world.notifier.about(f"on trial at {EAST} fails and stays: target-not-verified")) == 1


def test_while_the_standby_dies_all_of_it_goes_to_the_primary(world: Steps) -> None:
    world.failback()
    world.break_region(WEST)
    world.probe(seconds=55)
    world.clock.advance(5)
    world.probe(seconds=55)
    assert world.failover()["reason"] == "region-down"
    world.deliver_switch()
    assert world.weights == (100, 0)
    assert (world.state.active, world.state.share) == (EAST, None)


def test_a_pause_keeps_it_where_it_is(world: Steps) -> None:
    world.failback()
    world.edit_state(paused=True)
    assert world.next() == "paused"
    world.break_region(EAST)
    world.next(1)
    assert world.weights == (10, 90)


def test_whoever_paused_a_trial_is_told_that_it_fails(world: Steps) -> None:
    world.failback()
    world.edit_state(paused=True)
    world.next(1)
    assert world.notifier.about("fails and stays") == []
    world.break_region(EAST)
    for _ in range(3):
        world.next(1)
    assert len(world.notifier.about(f"on trial at {EAST} fails and stays: paused")) == 1
    assert "paused" in world.reasons()


def test_i20_the_tick_that_made_a_step_makes_no_second_one(world: Steps) -> None:
    tick = world.schedule()
    assert world.failback(tick)["reason"] == "primary-settled"
    world.settle(6)
    assert world.failback(tick)["reason"] == "on-trial"  # not 'stale-event': it could be delivered so late
    assert world.weights == (10, 90)


def test_a_humans_failover_takes_it_back_and_a_humans_failback_brings_all_of_it(world: Steps) -> None:
    world.failback()
    assert world.failover(world.manual("failover"))["reason"] == "operator-asked"
    assert (world.weights, world.state.share) == ((0, 100), None)
    assert world.failback(world.manual("failback"))["reason"] == "operator-asked"
    world.deliver_switch()
    assert (world.weights, world.state.active) == ((100, 0), EAST)


def test_a_worker_that_dies_after_its_batch_leaves_a_step_that_a_tick_completes(world: Steps) -> None:
    world.faults.after("zones.submit", Killed())
    with pytest.raises(Killed):
        world.failback()
    assert world.weights == (10, 90)
    assert world.state.phase is Phase.MOVING
    world.clock.advance(121)
    world.settle(1)
    world.failback()
    assert (world.state.phase, world.state.share, world.weights) == (Phase.STEADY, 10, (10, 90))


def test_what_is_owed_is_made_good_though_steps_came_between_and_what_was_on_trial_returned(
    world: Steps,
) -> None:
    world.parameters.failures[EAST] = TIMED_OUT  # the tables and the endpoint are well
    world.failback()
    assert (world.state.share, [step.region for step in world.state.owed]) == (10, [EAST])
    world.endpoints.answers[world.plan.http_checks[0].primary] = 503
    assert world.next(1) == "trial-failed"
    assert [step.region for step in world.state.owed] == [EAST]
    world.parameters.failures.clear()
    world.tick()
    assert (world.parameters.values[EAST, PARAMETER], world.state.owed) == (WEST, ())


def die_in_a_step(world: Steps) -> None:
    """Leave a step of 10 % open, its batch sent."""
    world.faults.after("zones.submit", Killed())
    with pytest.raises(Killed):
        world.failback()
    assert (world.state.phase, world.weights) == (Phase.MOVING, (10, 90))


def test_i2_a_late_writer_corrects_itself_to_where_most_of_the_traffic_is(world: Steps) -> None:
    die_in_a_step(world)
    step = Step(StepKind.SSM, PARAMETER, WEST)
    write_value(world.ports("frozen"), world.plan, step, EAST, world.state.epoch - 1)
    assert world.parameters.values[WEST, PARAMETER] == WEST


def test_i2_a_late_executor_points_linode_to_where_most_of_the_traffic_is(world: Steps) -> None:
    def meanwhile() -> None:
        world.faults.clear()
        world.clock.advance(STEP_LEASE.total_seconds() + 60)
        world.tick()
        world.deliver_switch()
        world.outage()
        world.failover(world.manual("failover"))
        world.deliver_switch()
        world.repair_region(EAST)
        world.clock.advance(3600)
        world.settle(25)
        die_in_a_step(world)

    world.failback(world.manual("failback"))
    world.faults.before("linode.point", meanwhile)
    (late, *_) = world.deliver_switch(seconds=36_000)
    assert late["reason"] == "lost-the-claim"
    assert world.linode.records[123456][0].target == "198.51.100.50"


def test_the_steps_of_a_failback_are_one_move_of_the_days_budget(world: Steps) -> None:
    moved = len(world.state.automatic_moves)
    world.failback()
    assert len(world.state.automatic_moves) == moved + 1
    world.next()
    world.next()
    world.deliver_switch()
    assert world.state.active == EAST
    assert len(world.state.automatic_moves) == moved + 1


def test_what_is_on_trial_returns_at_no_cost_to_the_days_budget(world: Steps) -> None:
    world.failback()
    moved = len(world.state.automatic_moves)
    world.break_region(EAST)
    assert world.next(1) == "trial-failed"
    assert len(world.state.automatic_moves) == moved


def test_i15_a_failover_in_the_middle_of_a_trial_is_a_move_of_the_days_budget(world: Steps) -> None:
    world.failback()
    moved = len(world.state.automatic_moves)
    world.outage(WEST)
    assert world.failover()["reason"] == "region-down"
    assert len(world.state.automatic_moves) == moved + 1


def test_a_failback_that_has_begun_is_not_stranded_by_the_budget() -> None:
    plan = parse_plan(TEXT.replace("[policy]", "[policy]\nautomatic_per_day = 2"), "orders.toml")
    world = Steps(plan)  # its failover was the first
    assert world.failback()["reason"] == "primary-settled"
    assert world.next(6) == "primary-settled"
    assert world.next(6) == "primary-settled"
    world.deliver_switch()
    assert (world.weights, world.state.active) == ((100, 0), EAST)


def test_an_approval_is_for_all_steps(world: Steps) -> None:
    asks = TEXT.replace('failback = "automatic"', 'failback = "approval"')
    world = Steps(parse_plan(asks, "orders.toml"))
    assert world.failback()["reason"] == "awaiting-approval"
    proposal = world.state.proposal
    assert proposal is not None
    answer_proposal(world.ports("operator"), world.plan, proposal.id, Answer.APPROVED, "mia")
    assert world.failback()["reason"] == "approved"
    assert world.weights == (10, 90)
    assert world.next(6) == "primary-settled"
    assert world.weights == (50, 50)


def test_a_set_that_somebody_else_has_changed_is_not_fought(world: Steps) -> None:
    world.zones.put(
        ZONE, RecordSet("api.example.com", "A", 60, ("203.0.113.99",), identifier="primary", weight=0)
    )
    assert world.failback()["reason"] == "drift"
    world.zones.put(
        ZONE, RecordSet("api.example.com", "A", 60, ("192.0.2.10",), False, identifier="primary", weight=0)
    )
    assert world.failback()["reason"] == "not-simple"
