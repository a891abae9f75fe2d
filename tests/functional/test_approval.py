"""A failback that a human has to approve: proposed, answered once, carried out if it still holds (I21)."""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta

import pytest

from region_failover.domain.errors import NotAnswerable
from region_failover.domain.journal import LONGEST_TEXT
from region_failover.domain.plan import FailbackMode, Plan
from region_failover.domain.state import Answer, PlanState, Proposal
from region_failover.domain.web import answer_marker
from region_failover.domain.window import DAYS, Once, Weekly
from region_failover.service.proposal import answer_proposal
from tests.fakes import EAST, NOON, PLAN, WEST, Killed, World, with_policy
from tests.functional.test_failback import EAST_URL, at_the_standby

ASKING = with_policy(failback=FailbackMode.APPROVAL, approval_expires=timedelta(hours=2))
BY = "arn:aws:sts::123456789012:assumed-role/oncall/mia"


def settled(plan: Plan = ASKING) -> World:
    """Return a world on its standby, whose primary has been well for long enough."""
    world = at_the_standby(World(plan))
    world.settle(25)
    world.notifier.sent.clear()
    return world


def proposed(world: World) -> Proposal:
    """Let a tick propose; return the proposal."""
    assert world.failback()["reason"] == "awaiting-approval"
    found = world.state.proposal
    assert found is not None
    return found


def say(world: World, proposal_id: str, answer: Answer = Answer.APPROVED) -> PlanState:
    """Answer as a human does."""
    return answer_proposal(world.ports("operator"), world.plan, proposal_id, answer, BY)


@pytest.fixture
def world() -> World:
    return settled()


def test_what_only_lacks_a_humans_word_is_proposed_once_with_its_evidence(world: World) -> None:
    proposal = proposed(world)
    [(subject, text)] = world.notifier.sent
    assert subject == f"[orders] shall the traffic return to us-east-1? proposal {proposal.id}"
    assert f"region-failover approve orders {proposal.id}" in text
    assert "healthy without a break since" in text
    assert "us-west-2>us-east-1 0.4 s" in text
    world.clock.advance(60)
    assert world.failback()["reason"] == "awaiting-approval"
    assert world.state.proposal == proposal
    assert len(world.notifier.sent) == 1
    assert world.moved_to() == WEST


def test_of_many_checks_so_many_are_named_as_leave_room_for_what_to_do() -> None:
    check = PLAN.http_checks[0]
    many = tuple(replace(check, primary=f"{check.primary}/{'x' * 60}/{number}") for number in range(40))
    world = settled(replace(ASKING, http_checks=many))
    proposal = proposed(world)
    [(_, text)] = world.notifier.sent
    assert len(text) == LONGEST_TEXT
    evidence, rest = text.split("…\n")
    assert "healthy without a break since" in evidence
    assert "us-west-2>us-east-1 0.4 s" in evidence
    assert f"region-failover approve orders {proposal.id}\n" in rest
    assert f"region-failover reject orders {proposal.id}\n" in rest
    assert f"{answer_marker('orders', proposal.id)}\n" in rest
    assert f"expires at {proposal.expires_at:%Y-%m-%d %H:%M} UTC" in rest
    assert rest.endswith("fails a single sample before.")
    assert many[-1].primary in proposal.evidence  # the page shows all of it


def test_i22_a_proposal_whose_worker_dies_is_told_all_the_same(world: World) -> None:
    def die_once_it_stands() -> None:
        if world.state.proposal is not None:
            world.faults.clear()
            raise Killed

    world.faults.after("store.save_state", die_once_it_stands, times=10)
    with pytest.raises(Killed):
        world.failback()
    assert world.state.proposal is not None
    assert world.notifier.sent == []
    world.clock.advance(61)
    world.failback()
    assert len(world.notifier.about(f"proposal {world.state.proposal.id}")) == 1


def test_i22_an_answer_whose_worker_dies_is_told_all_the_same(world: World) -> None:
    proposal = proposed(world)
    world.faults.after("store.save_state", Killed())
    with pytest.raises(Killed):
        say(world, proposal.id, Answer.REJECTED)
    assert world.notifier.about("is rejected") == []
    world.clock.advance(61)
    world.failback()
    assert len(world.notifier.about(f"proposal {proposal.id} is rejected")) == 1


def test_i21_an_approved_proposal_is_carried_out_once(world: World) -> None:
    proposal = proposed(world)
    say(world, proposal.id)
    assert world.moved_to() == WEST
    answer = world.failback()
    assert (answer["action"], answer["reason"]) == ("move", "approved")
    world.deliver_switch()
    assert (world.moved_to(), world.state.active) == (EAST, EAST)
    assert world.state.proposal is None
    with pytest.raises(NotAnswerable, match="none waits"):
        say(world, proposal.id)


def test_i21_an_approval_works_once(world: World) -> None:
    proposal = proposed(world)
    say(world, proposal.id)
    world.failback()
    world.deliver_switch()
    world.clock.advance(3600)
    world.outage()
    world.failover()
    world.deliver_switch()
    world.repair_region(EAST)
    world.clock.advance(3600)
    world.settle(25)
    assert world.failback()["reason"] == "awaiting-approval"
    assert world.state.proposal is not None
    assert world.state.proposal.id != proposal.id
    assert world.moved_to() == WEST


def test_i21_silence_is_no_and_an_expired_proposal_is_made_anew(world: World) -> None:
    first = proposed(world)
    world.settle(121)
    with pytest.raises(NotAnswerable, match="expired at"):
        say(world, first.id)
    second = proposed(world)
    assert second.id != first.id
    assert len(world.notifier.about("shall the traffic return")) == 2
    assert world.moved_to() == WEST


def test_an_approval_that_was_not_used_in_time_expires(world: World) -> None:
    proposal = proposed(world)
    say(world, proposal.id)
    world.settle(121)
    assert world.failback()["reason"] == "awaiting-approval"
    assert world.moved_to() == WEST


def test_a_rejected_proposal_holds_and_is_not_made_again_before_it_would_have_expired(world: World) -> None:
    proposal = proposed(world)
    say(world, proposal.id, Answer.REJECTED)
    assert world.failback()["reason"] == "rejected"
    with pytest.raises(NotAnswerable, match=f"rejected by {BY} already"):
        say(world, proposal.id)
    world.settle(121)
    assert proposed(world).id != proposal.id


@pytest.mark.parametrize("approved", [False, True], ids=["unanswered", "approved"])
def test_a_relapse_withdraws_a_proposal_whatever_was_answered(world: World, *, approved: bool) -> None:
    proposal = proposed(world)
    if approved:
        say(world, proposal.id)
    world.endpoints.answers[EAST_URL] = 500
    assert world.failback()["reason"] == "not-settled"
    del world.endpoints.answers[EAST_URL]
    assert world.state.proposal is None
    assert world.notifier.about(f"proposal {proposal.id} is withdrawn")
    with pytest.raises(NotAnswerable, match="withdrawn, replaced or carried out"):
        say(world, proposal.id)
    world.settle(25)
    assert proposed(world).id != proposal.id
    assert world.moved_to() == WEST


def test_a_relapse_while_the_plan_is_paused_withdraws_it_too(world: World) -> None:
    proposal = proposed(world)
    say(world, proposal.id)
    world.edit_state(paused=True)
    world.endpoints.answers[EAST_URL] = 500
    assert world.failback()["reason"] == "paused"
    del world.endpoints.answers[EAST_URL]
    world.settle(25)
    world.edit_state(paused=False)
    assert world.failback()["reason"] == "awaiting-approval"
    assert world.notifier.about(f"proposal {proposal.id} is withdrawn")
    assert world.moved_to() == WEST


def test_an_approved_proposal_waits_for_the_window(world: World) -> None:
    night = Weekly(DAYS, time(2), time(5), "Europe/Berlin")
    world = settled(replace(ASKING, policy=replace(ASKING.policy, failback_windows=(night,))))
    proposal = proposed(world)
    assert "window is open from" in world.notifier.sent[0][1]
    say(world, proposal.id)
    assert world.failback()["reason"] == "outside-window"
    assert world.moved_to() == WEST


def test_a_yes_given_long_before_the_window_is_good_for_it_and_the_notices_say_until_when() -> None:
    opens = NOON + timedelta(hours=6)
    window = Weekly(DAYS, opens.time(), (opens + timedelta(hours=2)).time(), "UTC")
    world = settled(replace(ASKING, policy=replace(ASKING.policy, failback_windows=(window,))))
    proposal = proposed(world)
    assert proposal.expires_at == opens + timedelta(hours=1)  # the policy says two hours from now
    assert "It expires at 2025-10-20 19:00 UTC" in world.notifier.sent[-1][1]
    say(world, proposal.id)
    assert "open from 2025-10-20 18:00 UTC" in world.notifier.sent[-1][1]
    assert "good until 2025-10-20 19:00 UTC" in world.notifier.sent[-1][1]
    while world.clock.at < opens:
        world.settle(5)
    assert world.failback()["reason"] == "approved"


def test_a_no_says_when_the_humans_are_asked_again(world: World) -> None:
    proposal = proposed(world)
    say(world, proposal.id, Answer.REJECTED)
    assert f"after {proposal.expires_at:%Y-%m-%d %H:%M} UTC" in world.notifier.sent[-1][1]


def test_a_blackout_holds_an_approved_proposal(world: World) -> None:
    today = Once(NOON.replace(tzinfo=None), NOON.replace(tzinfo=None) + timedelta(days=1), "UTC")
    world = settled(replace(ASKING, policy=replace(ASKING.policy, failback_blackouts=(today,))))
    say(world, proposed(world).id)
    assert world.failback()["reason"] == "blackout"
    assert world.moved_to() == WEST


def test_an_automatic_failback_moves_when_its_window_opens() -> None:
    opens = (NOON + timedelta(hours=3)).time()
    window = Weekly(DAYS, opens, (NOON + timedelta(hours=5)).time(), "UTC")
    plan = with_policy(failback=FailbackMode.AUTOMATIC, failback_windows=(window,))
    world = settled(plan)
    assert world.failback()["reason"] == "outside-window"
    while world.clock.at.time() < opens:
        world.settle(5)
    assert world.failback()["reason"] == "primary-settled"


def test_i21_a_proposal_binds_to_the_plan_as_it_was(world: World) -> None:
    proposal = proposed(world)
    say(world, proposal.id)
    record = replace(PLAN.route53_records[0], primary=("192.0.2.99",))
    world.plan = replace(world.plan, route53_records=(record, *PLAN.route53_records[1:]))
    assert world.failback()["reason"] == "awaiting-approval"
    assert world.state.proposal is not None
    assert world.state.proposal.id != proposal.id
    assert world.moved_to() == WEST


def test_i21_the_claim_looks_once_more_whether_the_approval_stands(world: World) -> None:
    say(world, proposed(world).id)
    world.faults.before("store.record_decision", lambda: world.edit_state(proposal=None))
    world.failback()
    assert world.reasons()[-1] == "lost-the-claim"
    assert world.moved_to() == WEST


def test_an_answer_to_another_proposal_has_no_effect(world: World) -> None:
    proposal = proposed(world)
    with pytest.raises(NotAnswerable, match=f"the one that waits is {proposal.id}"):
        say(world, "0123456789abcdef")
    assert world.state.proposal == proposal


def test_of_two_humans_who_answer_at_once_one_is_heard(world: World) -> None:
    proposal = proposed(world)
    world.faults.before("store.save_state", lambda: say(world, proposal.id, Answer.REJECTED))
    with pytest.raises(NotAnswerable, match="rejected by"):
        say(world, proposal.id)
    assert world.failback()["reason"] == "rejected"


def test_a_paused_plan_proposes_nothing_and_carries_nothing_out(world: World) -> None:
    world.edit_state(paused=True)
    assert world.failback()["reason"] == "paused"
    assert world.state.proposal is None
    world.edit_state(paused=False)
    say(world, proposed(world).id)
    world.edit_state(paused=True)
    assert world.failback()["reason"] == "paused"
    assert world.moved_to() == WEST


def test_a_human_who_asks_for_the_failback_needs_no_proposal(world: World) -> None:
    assert world.failback(world.manual("failback"))["reason"] == "operator-asked"
    world.deliver_switch()
    assert world.moved_to() == EAST
