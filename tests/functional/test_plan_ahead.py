"""A plan before it is applied: shown without a change, true of the move, binding for whoever asks for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from region_failover.domain.decision import Reason
from region_failover.domain.errors import MalformedEvent
from region_failover.domain.plan import FailbackMode, FailoverMode, Plan
from region_failover.domain.zone import ChangeAction, RecordSet
from tests.fakes import DENIED, EAST, NOON, PARAMETER, PLAN, WEST, ZONE, Killed, World, with_policy
from tests.functional.test_approval import ASKING, settled
from tests.functional.test_failback import at_the_standby
from tests.functional.test_stepwise import STEPWISE, Steps

NAME = "api.example.com"


def wish(to: str = "standby", *, force: bool = False) -> dict[str, Any]:
    return {"plan": "orders", "action": "plan", "to": to, "force": force}


def shown(world: World, to: str = "standby", *, force: bool = False, by: str = "") -> Any:
    """Return the plan that the function answers with, as JSON; `by`: the function, else that of `to`."""
    flow = world.failback if (by or ("failback" if to == "primary" else "failover")) == "failback" else None
    found = (flow or world.failover)(wish(to, force=force))
    return json.loads(json.dumps(found))


def asking(world: World, action: str, checksum: str, *, force: bool = False) -> dict[str, Any]:
    return {**world.manual(action, force=force), "expect": checksum}


def reasons(found: Any, who: str = "held_by") -> list[str]:
    return [held["reason"] for held in found[who]]


def everything(world: World) -> str:
    """Return all that there is in the world, byte for byte; not the heartbeats that checks write."""
    return repr(
        (
            world.store.states,
            world.store.healths,
            world.store.history,
            world.store.decisions,
            world.zones.zones,
            world.zones.batches,
            world.parameters.values,
            world.parameters.writes,
            world.linode.records,
            world.linode.writes,
            world.events.put_events,
            world.notifier.sent,
            world.samples.asked,
        )
    )


def steady(plan: Plan = PLAN) -> World:
    world = World(plan)
    world.tick()
    world.probe()
    return world


def down(plan: Plan = PLAN) -> World:
    world = steady(plan)
    world.outage()
    return world


def halfway() -> World:
    world = down()
    world.faults.before("zones.submit", Killed())
    with pytest.raises(Killed):
        world.failover()
    return world


def paused() -> World:
    world = down()
    world.edit_state(paused=True, pause_note="mia")
    return world


def unreadable() -> World:
    world = down()
    world.zones.zones.clear()
    world.linode.failure = DENIED
    return world


def on_trial() -> World:
    world = Steps()
    assert world.failback()["reason"] == "primary-settled"
    return world


def owing() -> World:
    world = down()
    world.failover()
    world.deliver_switch()
    assert world.state.owed
    return world


def edited() -> World:
    world = down()
    world.zones.put(ZONE, RecordSet(NAME, "A", 60, ("203.0.113.99",)))
    return world


SITUATIONS: dict[str, Callable[[], World]] = {
    "before any record": World,
    "steady": steady,
    "down": down,
    "halfway": halfway,
    "paused": paused,
    "unreadable": unreadable,
    "on trial": on_trial,
    "owing": owing,
    "edited": edited,
    "settled": lambda: settled(ASKING),
}


@pytest.mark.parametrize("to", ["standby", "primary"])
@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("name", SITUATIONS)
def test_showing_a_plan_changes_nothing(name: str, to: str, force: bool) -> None:
    world = SITUATIONS[name]()
    before = everything(world)
    shown(world, to, force=force)
    shown(world, to, force=force, by="failover")
    assert everything(world) == before


REQUESTS = [
    (name, to, force)
    for name in SITUATIONS
    for to in ("standby", "primary")
    for force in (False, True)
    if (name, to) not in {("owing", "standby"), ("settled", "standby")}  # a failover leaves the standby
]


@pytest.mark.parametrize(("name", "to", "force"), REQUESTS)
def test_what_is_shown_is_what_a_request_then_meets(name: str, to: str, force: bool) -> None:
    world = SITUATIONS[name]()
    found = shown(world, to, force=force)
    action = "failback" if to == "primary" else "failover"
    answer = (world.failback if to == "primary" else world.failover)(world.manual(action, force=force))
    if name == "halfway" and to == "primary":  # a tick of failback goes on with what is open
        assert found["would"] == "hold"
        return
    assert (found["would"], found["reason"]) == (answer["action"], answer["reason"])
    assert (found["would"] == "hold") == bool(found["held_by"])


def test_the_move_makes_of_each_switch_what_was_shown() -> None:
    world = down()
    found = shown(world)
    assert [entry["switch"] for entry in found["switches"]] == [
        "route53_record", "fence", "linode_record", "ssm_parameter", "ssm_parameter",
    ]  # fmt: skip
    world.repair_region(EAST)  # so that its copy of the parameter can be written, too
    assert world.failover(asking(world, "failover", shown(world, force=True)["checksum"], force=True))[
        "action"
    ] == ("move")
    world.deliver_switch()
    assert world.state.epoch == found["epoch"] == 1
    after = shown(world, "standby")
    assert [entry["was"] for entry in after["switches"]] == [e["becomes"] for e in found["switches"]]
    [(zone_id, batch, _)] = world.zones.batches[1:]  # the first published the fence
    assert found["batches"] == {zone_id: {"changes": len(batch), "values": len(batch)}}


def test_each_switch_says_what_is_there_and_what_would_be() -> None:
    world = down()
    record, fence, linode, here, there = shown(world)["switches"]
    assert (record["subject"], record["before"], record["after"], record["changes"]) == (
        f"{ZONE} {NAME} A",
        "192.0.2.10 (TTL 60 s)",
        "198.51.100.10 (TTL 60 s)",
        True,
    )
    assert (record["was"]["values"], record["becomes"]["values"]) == (["192.0.2.10"], ["198.51.100.10"])
    assert "epoch=0 active=us-east-1" in fence["before"]
    assert "epoch=1 active=us-west-2" in fence["after"]
    assert (linode["subject"], linode["before"]) == ("123456 app A", "203.0.113.10 (TTL 30 s)")
    assert linode["becomes"] == [{"target": "198.51.100.50", "ttl_sec": 30}]
    assert (here["region"], here["subject"], here["before"], here["after"]) == (WEST, PARAMETER, EAST, WEST)
    assert (there["region"], there["not_read"], there["changes"]) == (EAST, "timeout no answer", None)


def test_what_is_there_already_is_unchanged() -> None:
    world = down()
    world.zones.put(ZONE, RecordSet(NAME, "A", 60, ("198.51.100.10",)))
    record, fence, *_ = shown(world)["switches"]
    assert (record["changes"], fence["changes"]) == (False, True)


def test_what_cannot_be_read_is_said_and_leaves_no_checksum_to_ask_for() -> None:
    world = unreadable()
    found = shown(world)
    assert found["checksum"] == ""
    assert [entry["not_read"] for entry in found["switches"]] == [
        "api NoSuchHostedZone 404",
        "api NoSuchHostedZone 404",
        "api AccessDeniedException 400",
        "",
        "timeout no answer",
    ]
    assert found["switches"][0]["after"] == "198.51.100.10 (TTL 60 s)"


def test_linodes_records_that_may_not_be_read_leave_the_rest_to_be_asked_for() -> None:
    world = down()
    world.linode.failure = DENIED
    checksum = shown(world)["checksum"]
    assert checksum
    assert world.failover(asking(world, "failover", checksum))["action"] == "move"


def test_an_empty_answer_is_shown_as_repaired() -> None:
    world = down()
    del world.zones.zones[ZONE][NAME, "A"]
    found = shown(world)
    assert (found["would"], found["switches"][0]["before"]) == ("move", "nothing")
    words = {f["safety"]: f["words"] for f in found["findings"]}
    assert words["no-empty-answer"] == f"empty now, and repaired: {ZONE} {NAME} A"


@pytest.mark.parametrize("spoil", [lambda w: w.linode.records[123456].clear(), None])
def test_what_linodes_step_would_refuse_is_found(spoil: Callable[[World], None] | None) -> None:
    world = down()
    if spoil:
        spoil(world)
    else:
        record = world.linode.records[123456][0]
        world.linode.records[123456][0] = replace(record, target="203.0.113.99")
    found = {f["safety"]: f["ok"] for f in shown(world)["findings"]}
    assert not found["linode-as-planned"]
    assert found["outside-the-plan-untouched"]


# every reason


def test_every_reason_that_holds_is_said_not_the_first_alone() -> None:
    plan = with_policy(failover=FailoverMode.MANUAL, max_changes=3)
    world = steady(plan)
    world.zones.put(ZONE, RecordSet(NAME, "A", 60, ("203.0.113.99",)))
    world.put_fence(7, WEST)
    world.break_region(WEST)
    world.edit_state(paused=True, pause_note="mia", cooldown_until=NOON.replace(hour=20))
    found = shown(world)
    assert reasons(found) == [
        "active-healthy", "target-not-verified", "fence-ahead", "drift", "too-many-changes",
    ]  # fmt: skip
    assert reasons(found, "automation_held_by") == [
        "active-healthy", "paused", "failover-is-manual", "cooldown", "target-not-verified", "fence-ahead",
        "drift", "too-many-changes",
    ]  # fmt: skip
    details = {held["reason"]: held["detail"] for held in found["automation_held_by"]}
    assert (details["paused"], details["cooldown"]) == ("mia", "until 2025-10-20 20:00:00 UTC")
    assert "203.0.113.99" in details["drift"]
    assert reasons(shown(world, force=True)) == ["target-not-verified", "fence-ahead"]


def test_an_open_transition_is_said_with_its_lease() -> None:
    world = halfway()
    [held] = shown(world)["held_by"]
    assert held["reason"] == "in-progress"
    assert held["detail"].startswith(f"epoch 1, failover to {WEST}, leased to worker-")


def test_what_automation_waits_for_is_said_beside_what_a_human_may_do() -> None:
    world = settled(ASKING)
    world.tick()
    found = shown(world, "primary")
    assert (found["would"], found["direction"], found["to"]) == ("move", "failback", EAST)
    assert found["automation_held_by"] == [
        {"reason": "awaiting-approval", "detail": f"proposal {world.state.proposal.id}"}  # type: ignore[union-attr]
    ]


def test_where_the_traffic_is_already_nothing_would_move() -> None:
    world = at_the_standby(World())
    found = shown(world, "standby")
    assert reasons(found) == ["already-there"]
    assert {entry["changes"] for entry in found["switches"] if entry["switch"] == "route53_record"} == {False}


def test_a_standby_that_is_down_is_left_for_the_primary_as_a_failover() -> None:
    world = at_the_standby(World())
    world.clock.advance(3600)
    world.outage(WEST)
    found = shown(world, "primary", by="failover")
    assert (found["would"], found["direction"], found["from"], found["to"]) == (
        "move", "failover", WEST, EAST,
    )  # fmt: skip
    assert world.failover(asking(world, "failover", found["checksum"]))["action"] == "move"


def test_what_is_on_trial_is_shown_as_taken_back() -> None:
    world = on_trial()
    found = shown(world, "standby")
    assert (found["would"], found["share"], found["from"], found["to"]) == ("move", 0, EAST, WEST)
    assert {entry["switch"] for entry in found["switches"]} == {"route53_record", "fence"}
    assert world.failover(asking(world, "failover", found["checksum"]))["action"] == "move"
    assert world.state.share is None
    assert shown(world, "primary")["share"] is None


def test_a_failback_goes_to_the_primary_alone() -> None:
    with pytest.raises(MalformedEvent, match="a failback goes to the primary"):
        steady().failback(wish("standby"))


# just this plan


def test_a_move_that_expects_the_plan_as_it_is_is_made() -> None:
    world = down()
    checksum = shown(world)["checksum"]
    assert world.failover(asking(world, "failover", checksum))["action"] == "move"
    world.deliver_switch()
    assert (world.moved_to(), world.state.active) == (WEST, WEST)


CHANGED: dict[str, Callable[[World], object]] = {
    "a record's value": lambda w: w.zones.put(ZONE, RecordSet(NAME, "A", 60, ("198.51.100.10",))),
    "a record's TTL": lambda w: w.zones.put(ZONE, RecordSet(NAME, "A", 61, ("192.0.2.10",))),
    "a record is gone": lambda w: w.zones.zones[ZONE].pop((NAME, "A")),
    "the fence": lambda w: w.zones.zones[ZONE].pop((f"_region-failover.{NAME}", "TXT")),
    "a parameter": lambda w: w.parameters.values.update({(WEST, PARAMETER): WEST}),
    "a parameter that answers again": lambda w: w.parameters.failures.clear(),
    "a Linode record": lambda w: w.linode.point(123456, 1, "198.51.100.50", 30),
    "a Linode record's TTL": lambda w: w.linode.point(123456, 1, "203.0.113.10", 120),
    "the epoch": lambda w: w.edit_state(epoch=1),
    "the plan": lambda w: setattr(
        w, "plan", replace(w.plan, route53_records=(replace(w.plan.route53_records[0], ttl=30),))
    ),
    "a zone that cannot be read": lambda w: w.faults.before("zones.read", TimeoutError("late")),
}


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("what", CHANGED)
def test_i21_a_move_that_expects_another_plan_is_held(what: str, force: bool) -> None:
    world = down()
    checksum = shown(world)["checksum"]
    CHANGED[what](world)
    before = world.zones.zones[ZONE].copy()
    answer = world.failover(asking(world, "failover", checksum, force=force))
    assert (answer["action"], answer["reason"]) == ("hold", Reason.PLAN_CHANGED.value)
    assert checksum in answer["detail"]
    assert (world.state.transition, world.zones.zones[ZONE]) == (None, before)


def test_i21_a_failover_does_not_carry_out_a_failbacks_plan() -> None:
    world = at_the_standby(World())
    world.settle(25)
    back = shown(world, "primary")["checksum"]
    away = shown(world, "primary", force=True, by="failover")["checksum"]
    assert back != away
    assert world.failover(asking(world, "failover", back, force=True))["reason"] == "plan-changed"
    assert world.failback(asking(world, "failback", away, force=True))["reason"] == "plan-changed"
    assert world.failback(asking(world, "failback", back))["action"] == "move"


def test_a_plan_is_the_same_while_nothing_changes() -> None:
    world = down()
    first = shown(world)["checksum"]
    world.clock.advance(30)
    assert shown(world, force=True)["checksum"] == first


def test_i21_the_plan_is_looked_at_after_the_zones_and_before_the_claim() -> None:
    world = down()
    checksum = shown(world)["checksum"]
    world.faults.calls.clear()
    world.failover(asking(world, "failover", checksum))
    calls = world.faults.calls
    claimed = calls.index("store.save_state")
    assert calls.index("zones.read") < calls.index("linode.records_in") < claimed
    assert calls.index("parameters.read") < claimed


def test_i21_the_claim_is_for_the_epoch_that_was_expected() -> None:
    world = down()
    checksum = shown(world)["checksum"]
    # the traffic goes and comes back by another worker, between the last look and the claim
    world.faults.before("store.record_decision", lambda: world.edit_state(epoch=2))
    assert world.failover(asking(world, "failover", checksum))["reason"] == "lost-the-claim"
    assert world.state.transition is None


def test_who_expects_a_plan_has_no_other_transition_gone_on_with() -> None:
    world = at_the_standby(World())
    world.clock.advance(3600)
    world.outage(WEST)
    world.faults.before("zones.submit", Killed())
    with pytest.raises(Killed):
        world.failover()
    world.clock.advance(300)
    before = world.state.transition
    answer = world.failback(asking(world, "failback", "0" * 16))
    assert answer["reason"] == "in-progress"
    assert world.state.transition == before
    assert world.failback(world.manual("failback"))["reason"] == "in-progress"
    assert world.state.transition != before  # any other tick goes on with it


def test_who_expects_a_plan_has_no_debts_paid_before_it_is_looked_at() -> None:
    world = owing()
    world.clock.advance(3600)
    world.repair_region(EAST)
    world.settle(1)
    checksum = shown(world, "primary")["checksum"]
    assert world.failback(asking(world, "failback", checksum))["action"] == "move"


def test_an_ordinary_move_reads_neither_linode_nor_parameters_first() -> None:
    world = down()
    world.faults.calls.clear()
    world.failover()
    before_the_claim = world.faults.calls[: world.faults.calls.index("store.save_state")]
    assert not {"linode.records_in", "parameters.read"} & set(before_the_claim)


# the cap


def test_a_failover_beyond_the_cap_is_held_and_told() -> None:
    world = down(with_policy(max_changes=3))
    answer = world.failover()
    assert (answer["action"], answer["reason"]) == ("hold", "too-many-changes")
    assert "4 changes, the plan's max_changes is 3" in answer["detail"]
    assert world.notifier.about("holds: too-many-changes")
    assert world.state.transition is None
    assert world.failover(world.manual("failover"))["reason"] == "too-many-changes"
    assert world.failover(world.manual("failover", force=True))["action"] == "move"


def test_a_failover_within_the_cap_moves() -> None:
    assert down(with_policy(max_changes=4)).failover()["action"] == "move"


def test_what_is_there_already_does_not_count_against_the_cap() -> None:
    world = down(with_policy(max_changes=3))
    world.zones.put(ZONE, RecordSet(NAME, "A", 60, ("198.51.100.10",)))
    assert world.failover()["action"] == "move"


def test_a_zone_that_cannot_be_read_counts_in_full() -> None:
    world = down(with_policy(max_changes=3))
    world.zones.put(ZONE, RecordSet(NAME, "A", 60, ("198.51.100.10",)))
    world.faults.before("zones.read", TimeoutError("late"))
    assert world.failover()["reason"] == "too-many-changes"


def test_the_cap_holds_a_failback_too() -> None:
    plan = with_policy(failback=FailbackMode.AUTOMATIC, max_changes=4)
    world = at_the_standby(World(plan))
    world.settle(65)
    world.plan = with_policy(plan, max_changes=3)
    assert world.failback()["reason"] == "too-many-changes"
    world.plan = plan
    assert world.failback()["action"] == "move"


def test_a_step_of_a_failback_counts_its_weighted_records_alone() -> None:
    world = Steps(with_policy(STEPWISE, max_changes=5))
    world.plan = with_policy(STEPWISE, max_changes=2)
    assert world.failback()["reason"] == "primary-settled"
    assert world.state.share == 10


# what a batch must never do


def test_i6_a_batch_that_would_leave_a_name_without_an_answer_is_held() -> None:
    plan = replace(PLAN, route53_records=(replace(PLAN.route53_records[0], standby=()),))
    world = down(plan)
    answer = world.failover(world.manual("failover", force=True))
    assert (answer["action"], answer["reason"]) == ("hold", "unsafe-batch")
    assert f"{NAME} A would be left without an answer" in answer["detail"]
    assert world.moved_to() == EAST
    finding = {f["safety"]: f["ok"] for f in shown(world)["findings"]}
    assert not finding["no-empty-answer"]


def test_i2_a_humans_word_over_a_drift_does_not_hide_a_fence_ahead() -> None:
    world = down()
    world.zones.put(ZONE, RecordSet(NAME, "A", 60, ("203.0.113.99",)))
    world.put_fence(7, WEST)
    answer = world.failover(world.manual("failover", force=True))
    assert (answer["action"], answer["reason"]) == ("hold", "fence-ahead")
    assert all(
        change.record.type == "TXT" and change.action is ChangeAction.CREATE
        for _, batch, _ in world.zones.batches
        for change in batch
    )
