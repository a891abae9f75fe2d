"""The user's own functions: asked before a move's first effect, told after its last."""

from __future__ import annotations

from datetime import timedelta

import pytest

from region_failover.domain.decision import Reason
from region_failover.domain.errors import RemoteFailure
from region_failover.domain.plan import FailbackMode
from region_failover.domain.plan_file import parse_plan
from region_failover.domain.state import LEASE, STEP_LEASE, Phase, Step, StepKind, StepStatus
from region_failover.domain.symptom import Kind, Symptom
from region_failover.service.parameters import write_value
from tests.fakes import DENIED, EAST, PARAMETER, PLAN_TEXT, TIMED_OUT, WEST, Killed, World, with_policy

BEFORE = """
[[switch.hook]]
name = "ask"
function = "may-we"
when = "before"
"""
AFTER = """
[[switch.hook]]
name = "tell"
function = "we-have"
when = "after"
region = "control"
"""
PLAN = parse_plan(PLAN_TEXT + BEFORE + AFTER, "orders.toml")
STRICT = parse_plan(PLAN_TEXT + BEFORE + 'if_it_fails = "stop"\n', "orders.toml")
VETO = '{"veto": "month end"}'
RAISED = Symptom(Kind.WRONG_ANSWER, "Unhandled", detail="may-we ended in an error: ValueError")


def down(plan: object = PLAN) -> World:
    """Return a world whose primary is decidedly down, and whose state is there."""
    world = World(plan)  # type: ignore[arg-type]
    world.tick()
    world.outage()
    return world


@pytest.fixture
def world() -> World:
    return down()


def later(world: World, seconds: float = 60) -> str:
    world.clock.advance(seconds)
    reason = str(world.tick()["reason"])
    world.deliver_switch()
    return reason


def called(world: World, function: str) -> list[str]:
    """Return the keys under which a function was called."""
    return [told["key"] for _, name, told in world.hooks.calls if name == function]


def untouched(world: World) -> bool:
    """Return whether nothing of the plan's is other than it was."""
    there = (world.moved_to(), world.parameters.values[WEST, PARAMETER])
    return there == (EAST, EAST) and not world.zones.batches[1:] and not world.linode.writes


# before


def test_a_hook_is_asked_before_any_effect_and_told_what_is_to_happen(world: World) -> None:
    moved: list[str] = []
    world.faults.before("hooks.call", lambda: moved.append(world.moved_to()))
    world.failover()
    ((region, function, told), *_) = world.hooks.calls
    assert (moved, region, function) == ([EAST], WEST, "may-we")
    assert told == {
        "plan": "orders",
        "epoch": 1,
        "direction": "failover",
        "from": EAST,
        "to": WEST,
        "reason": told["reason"],
        "at": world.state.transition.started_at.isoformat() if world.state.transition else "",
        "when": "before",
        "hook": "ask",
        "manual": False,
        "key": "orders/1/ask",
    }
    assert str(told["reason"]).startswith("region-down: ")
    assert world.moved_to() == WEST


def test_a_veto_gives_the_move_up_with_nothing_touched_and_nothing_used(world: World) -> None:
    world.hooks.answers["may-we"] = VETO
    assert world.failover()["reason"] == Reason.VETOED
    state = world.state
    assert untouched(world)
    assert (state.phase, state.active, state.epoch) == (Phase.STEADY, EAST, 1)
    assert (state.cooldown_until, state.automatic_moves, state.moved_at) == (None, (), None)
    (ended,) = world.history()
    assert ended.outcome == "stopped: hook ask vetoes it: month end"
    assert world.notifier.about("failover to us-west-2 is stopped by a hook")
    assert world.reasons()[-1] == "vetoed"


def test_after_a_veto_the_next_reason_to_look_asks_again_and_people_are_told_once(world: World) -> None:
    world.hooks.answers["may-we"] = VETO
    for _ in range(6):  # more often than the budget of a day
        world.probe(seconds=55)
        world.clock.advance(5)
        assert world.failover()["reason"] == Reason.VETOED
    assert len(world.notifier.about("stopped by a hook")) == 1
    world.hooks.answers.clear()
    world.probe(seconds=55)
    world.clock.advance(5)
    world.failover()
    assert world.moved_to() == WEST


@pytest.mark.parametrize("answer", ["null", "", "{}", '{"veto": ""}', '{"veto": null}', '"no"', "[1]"])
def test_whatever_is_no_veto_lets_it_pass(world: World, answer: str) -> None:
    world.hooks.answers["may-we"] = answer
    world.failover()
    assert world.moved_to() == WEST


@pytest.mark.parametrize("failure", [TIMED_OUT, DENIED, RAISED, Symptom(Kind.API, "TooManyRequests", 429)])
def test_a_hook_that_fails_holds_up_no_failover_and_is_told(world: World, failure: Symptom) -> None:
    world.hooks.answers["may-we"] = failure
    world.failover()
    assert world.moved_to() == WEST
    assert world.notifier.about("hook ask gave no answer; the failover goes on")
    assert "went on without an answer" in world.step("before ask").detail


def test_an_answer_that_cannot_be_read_is_no_go() -> None:
    world = down(STRICT)
    world.hooks.answers["may-we"] = '{"veto": "month en'
    assert world.failover()["reason"] == Reason.VETOED
    assert untouched(world)


def test_where_the_plan_says_so_a_hook_that_fails_stops_a_failover() -> None:
    world = down(STRICT)
    world.hooks.answers["may-we"] = TIMED_OUT
    assert world.failover()["reason"] == Reason.VETOED
    assert untouched(world)
    assert world.notifier.about("is stopped by a hook")


def test_a_hook_that_fails_stops_a_failback(world: World) -> None:
    world.failover()
    world.deliver_switch()
    world.repair_region(EAST)
    later(world, 120)
    world.hooks.answers["may-we"] = TIMED_OUT
    assert world.failback(world.manual("failback", force=True))["reason"] == Reason.VETOED
    assert (world.state.active, world.moved_to()) == (WEST, WEST)
    world.hooks.answers.clear()
    world.failback(world.manual("failback", force=True))
    assert world.moved_to() == EAST


def test_one_veto_among_several_answers_is_enough() -> None:
    second = BEFORE.replace('"ask"', '"ask-too"').replace("may-we", "may-we-too")
    world = down(parse_plan(PLAN_TEXT + BEFORE + second, "orders.toml"))
    world.hooks.answers["may-we-too"] = VETO
    assert world.failover()["reason"] == Reason.VETOED
    assert untouched(world)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_resumed_transition_asks_a_hook_that_has_not_answered(world: World, when: str) -> None:
    getattr(world.faults, when)("hooks.call", Killed())
    with pytest.raises(Killed):
        world.failover()
    world.faults.clear()
    assert untouched(world)
    for _ in range(2):
        later(world, LEASE.total_seconds())
    assert set(called(world, "may-we")) == {"orders/1/ask"}
    assert (world.moved_to(), world.state.phase) == (WEST, Phase.STEADY)


def test_a_resumed_transition_may_be_vetoed_still(world: World) -> None:
    world.faults.after("hooks.call", Killed())
    with pytest.raises(Killed):
        world.failover()
    world.hooks.answers["may-we"] = VETO
    assert later(world, LEASE.total_seconds()) == "vetoed"
    assert untouched(world)


def test_a_go_on_record_is_not_asked_for_again(world: World) -> None:
    world.faults.before("zones.submit", Killed())
    with pytest.raises(Killed):
        world.failover()
    world.faults.clear()
    world.hooks.answers["may-we"] = VETO
    for _ in range(2):
        later(world, LEASE.total_seconds())
    assert called(world, "may-we") == ["orders/1/ask"]
    assert (world.moved_to(), world.state.phase) == (WEST, Phase.STEADY)


def test_a_transition_that_a_hook_has_not_let_pass_is_stopped_where_the_source_is_back(world: World) -> None:
    world.faults.before("hooks.call", Killed())
    with pytest.raises(Killed):
        world.failover()
    world.repair_region(EAST)
    assert later(world, LEASE.total_seconds()) == "active-healthy"
    assert (world.state.phase, world.history()[0].outcome[:7]) == (Phase.STEADY, "stopped")


def test_i4_a_worker_whose_lease_has_ended_asks_nobody(world: World) -> None:
    world.faults.after("store.save_state", lambda: world.clock.advance(LEASE.total_seconds()), skip=1)
    world.failover()
    assert not world.hooks.calls
    assert untouched(world)


def test_i4_an_answer_that_comes_after_the_lease_has_no_effect(world: World) -> None:
    def meanwhile() -> None:
        world.faults.clear()
        for _ in range(2):
            later(world, LEASE.total_seconds())

    world.faults.after("hooks.call", meanwhile)
    world.hooks.answers["may-we"] = "null"
    world.failover(ports=world.ports("frozen"))
    assert (world.state.phase, world.moved_to(), len(world.history())) == (Phase.STEADY, WEST, 1)


def test_i2_a_late_writer_does_not_follow_a_move_that_a_hook_may_still_stop(world: World) -> None:
    world.failover()
    world.deliver_switch()
    world.repair_region(EAST)
    later(world, 120)
    world.faults.before("hooks.call", Killed())
    with pytest.raises(Killed):
        world.failback(world.manual("failback", force=True))
    step = Step(StepKind.SSM, PARAMETER, WEST)
    write_value(world.ports("frozen"), PLAN, step, WEST, 1)
    assert world.parameters.values[WEST, PARAMETER] == WEST


def test_the_linode_executor_does_nothing_before_the_hooks_have_answered(world: World) -> None:
    world.faults.before("hooks.call", Killed())
    with pytest.raises(Killed):
        world.failover()
    detail = {"plan": "orders", "epoch": 1, "direction": "failover", "from": EAST, "to": WEST}
    answer = world.linode_dns({**detail, "reason": "", "at": world.clock.now().isoformat()})
    assert (answer["reason"], world.linode.writes) == ("lost-the-claim", [])


def test_a_hook_that_the_plan_has_no_more_is_not_waited_for(world: World) -> None:
    world.faults.before("hooks.call", Killed())
    with pytest.raises(Killed):
        world.failover()
    world.plan = parse_plan(PLAN_TEXT, "orders.toml")
    for _ in range(2):
        later(world, LEASE.total_seconds())
    assert (world.moved_to(), world.hooks.calls) == (WEST, [])


# after


def complete(world: World) -> None:
    world.failover()
    world.deliver_switch()
    later(world)


def test_an_after_hook_is_told_once_the_move_is_complete_in_the_region_it_asks_for(world: World) -> None:
    world.failover()
    assert called(world, "we-have") == []  # Linode's records are still to come
    world.deliver_switch()
    later(world)
    region, _, told = world.hooks.calls[-1]
    assert (region, told["when"], told["key"]) == ("", "after", "orders/1/tell")
    assert (told["direction"], told["from"], told["to"]) == ("failover", EAST, WEST)
    assert [step.kind for step in world.state.owed] == [StepKind.SSM]
    for _ in range(3):
        later(world)
    assert called(world, "we-have") == ["orders/1/tell"]


def test_who_completes_a_move_calls_its_after_hooks_at_once() -> None:
    text = PLAN_TEXT[: PLAN_TEXT.index("[[switch.linode_record]]")] + AFTER
    world = down(parse_plan(text, "orders.toml"))
    world.failover()
    assert called(world, "we-have") == ["orders/1/tell"]


@pytest.mark.parametrize("failure", [TIMED_OUT, DENIED, RAISED])
def test_an_after_hook_that_fails_stops_nothing_is_told_and_called_again(
    world: World, failure: Symptom
) -> None:
    world.hooks.answers["we-have"] = failure
    complete(world)
    assert (world.state.phase, world.state.active) == (Phase.STEADY, WEST)
    later(world)
    assert len(world.notifier.about("hook tell failed after the move")) == 1
    world.hooks.answers.clear()
    later(world)
    assert called(world, "we-have") == ["orders/1/tell"] * 3
    assert all(step.kind is not StepKind.AFTER for step in world.state.owed)


def test_a_lost_answer_is_asked_for_again_under_the_same_key(world: World) -> None:
    world.faults.after("hooks.call", RemoteFailure(TIMED_OUT), skip=1)
    complete(world)
    later(world)
    assert called(world, "we-have") == ["orders/1/tell"] * 2
    assert all(step.kind is not StepKind.AFTER for step in world.state.owed)


def test_two_ticks_at_once_call_an_after_hook_once(world: World) -> None:
    world.failover()
    world.deliver_switch()
    world.faults.before("hooks.call", lambda: world.tick(ports=world.ports("other")))
    later(world)
    assert called(world, "we-have") == ["orders/1/tell"]


def test_a_worker_killed_at_an_after_hook_is_followed_by_a_tick(world: World) -> None:
    world.failover()
    world.deliver_switch()
    world.faults.after("hooks.call", Killed())
    with pytest.raises(Killed):
        later(world)
    later(world)
    assert called(world, "we-have") == ["orders/1/tell"]  # somebody may be at it still
    later(world, STEP_LEASE.total_seconds())
    assert called(world, "we-have") == ["orders/1/tell"] * 2


def test_i2_an_after_hook_of_an_older_epoch_is_not_called(world: World) -> None:
    world.hooks.answers["we-have"] = TIMED_OUT
    complete(world)
    world.repair_region(EAST)
    later(world, 120)
    world.failback(world.manual("failback", force=True))
    world.hooks.calls.clear()
    world.hooks.answers.clear()
    world.deliver_switch()
    later(world)
    assert called(world, "we-have") == ["orders/2/tell"]


def test_i2_the_record_is_asked_directly_before_an_after_hook_is_called(world: World) -> None:
    world.hooks.answers["we-have"] = TIMED_OUT
    complete(world)
    world.repair_region(EAST)
    world.clock.advance(120)
    world.hooks.calls.clear()

    def a_move_begins() -> None:
        world.faults.clear()
        world.failover(world.manual("failover", force=True), ports=world.ports("other"))
        assert world.state.epoch == 2

    world.faults.after("store.load_state", a_move_begins)  # what the tick knows is of before
    world.tick()
    assert called(world, "we-have") == []


def test_i17_paused_no_after_hook_is_called(world: World) -> None:
    world.failover()
    world.deliver_switch()
    world.edit_state(paused=True)
    later(world)
    assert called(world, "we-have") == []
    world.edit_state(paused=False)
    later(world)
    assert called(world, "we-have") == ["orders/1/tell"]


def test_a_call_that_a_clock_ahead_of_all_others_has_taken_is_made_all_the_same(world: World) -> None:
    world.failover()
    world.deliver_switch()
    owed = Step(
        StepKind.AFTER,
        "tell",
        status=StepStatus.DOING,
        owner="gone",
        before='{"key": "orders/1/tell"}',
        claimed_until=world.clock.now() + STEP_LEASE + timedelta(hours=9),
    )
    world.edit_state(owed=(owed,))
    later(world)
    assert called(world, "we-have") == ["orders/1/tell"]


# a stepwise failback

STEPWISE = with_policy(
    parse_plan(PLAN_TEXT.replace("ttl = 60", "ttl = 60\nweighted = true") + BEFORE + AFTER, "orders.toml"),
    failback=FailbackMode.AUTOMATIC,
    failback_steps=(10, 100),
)


def test_every_step_of_a_failback_is_asked_for_and_its_end_alone_is_told() -> None:
    world = down(STEPWISE)
    complete(world)
    world.repair_region(EAST)
    world.clock.advance(3600)
    world.settle(25)
    world.hooks.calls.clear()
    world.tick()
    assert (world.state.share, called(world, "may-we")) == (10, ["orders/2/ask"])
    assert world.hooks.calls[-1][2]["share"] == 10
    world.settle(6)
    world.tick()
    world.deliver_switch()
    later(world)
    assert called(world, "may-we") == ["orders/2/ask", "orders/3/ask"]
    assert called(world, "we-have") == ["orders/3/tell"]


def test_the_return_of_what_is_on_trial_waits_for_nobodys_word() -> None:
    world = down(STEPWISE)
    complete(world)
    world.repair_region(EAST)
    world.clock.advance(3600)
    world.settle(25)
    world.tick()
    assert world.state.share == 10
    world.hooks.answers["may-we"] = VETO
    world.endpoints.answers[world.plan.http_checks[0].primary] = 503
    world.settle(1)
    assert later(world) == "trial-failed"
    assert world.state.share is None
