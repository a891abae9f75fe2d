"""What humans do through the operator function: look, answer, pause, resume, acknowledge."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from region_failover.domain.errors import MalformedEvent, NotAnswerable
from region_failover.domain.operation import Operation, Verb, read_operation
from region_failover.service.operator import handle_operation
from region_failover.service.record import Deadline, Summary, ensure_state
from tests.cloud import ROOT
from tests.fakes import EAST, PLAN, WEST, ZONE, World
from tests.functional.test_approval import ASKING, proposed, settled

BY = "mia"


def ask(world: World, action: str, **more: str) -> Summary:
    """Ask for one plan, as the command line does."""
    event = {"action": action, "plan": "orders", "by": BY, **more}
    ports = world.ports("operator")
    [found] = handle_operation(ports, [world.plan], read_operation(event), Deadline.after(ports, 20))
    return found


@pytest.fixture
def world() -> World:
    world = World(PLAN)
    world.tick()
    world.notifier.sent.clear()
    return world


def test_status_says_how_a_plan_stands_and_changes_nothing(world: World) -> None:
    world.probe()
    before = world.state
    found = ask(world, "status")
    assert world.state == before
    assert [found[key] for key in ("plan", "active", "role", "phase")] == [
        "orders",
        EAST,
        "primary",
        "steady",
    ]
    health: Any = found["health"]
    assert {name: region["health"] for name, region in health.items()} == {EAST: "healthy", WEST: "healthy"}
    lags: Any = found["lags_s"]
    assert set(lags) == {f"{EAST}>{WEST}", f"{WEST}>{EAST}"}
    assert (found["transition"], found["proposal"], found["done"]) == (None, None, "")
    assert world.reasons() == ["at-primary"]


def test_status_shows_an_open_transition_and_its_steps(world: World) -> None:
    world.outage()
    world.failover()
    moving: Any = ask(world, "status")["transition"]
    assert (moving["from"], moving["to"], moving["direction"]) == (EAST, WEST, "failover")
    assert moving["steps"]["linode records"] == "pending"
    assert moving["steps"][f"route53 {ZONE}"] == ("done INSYNC and read back; 4 of 4 name servers answer so")


def test_i17_a_paused_plan_moves_nothing_until_it_is_resumed(world: World) -> None:
    found = ask(world, "pause", reason="maintenance of the network")
    assert found["paused"]
    assert found["pause_note"] == f"mia, {world.clock.at:%Y-%m-%d %H:%M} UTC: maintenance of the network"
    world.outage()
    assert world.failover()["reason"] == "paused"
    assert ask(world, "resume")["paused"] is False
    assert world.failover()["reason"] == "region-down"
    subjects = [subject for subject, _ in world.notifier.sent]
    assert subjects[0] == "[orders] paused by mia"
    assert "[orders] resumed by mia" in subjects


def test_an_acknowledgement_ends_the_cooldown(world: World) -> None:
    world.outage()
    world.failover()
    world.deliver_switch()
    world.repair_region(EAST)
    world.outage(WEST)
    assert world.failover()["reason"] == "cooldown"
    assert ask(world, "acknowledge")["cooldown_until"] is None
    assert world.failover()["reason"] == "region-down"


def test_what_has_been_done_already_is_not_done_or_told_again(world: World) -> None:
    assert ask(world, "resume")["done"] == ""
    assert ask(world, "acknowledge")["done"] == ""
    ask(world, "pause", reason="release")
    assert ask(world, "pause", reason="release")["done"] == ""
    assert len(world.notifier.sent) == 1


def test_an_answer_goes_on_record_and_is_told() -> None:
    world = settled(ASKING)
    proposal = proposed(world)
    found: Any = ask(world, "approve", proposal=proposal.id)
    assert found["done"] == f"proposal {proposal.id} is approved"
    assert (found["proposal"]["stands"], found["proposal"]["answered_by"]) == ("approved", BY)
    assert world.notifier.about(f"proposal {proposal.id} is approved")
    decision = world.store.decisions[-1][2]
    assert (decision["verb"], decision["by"], decision["proposal"]) == ("approve", BY, proposal.id)
    with pytest.raises(NotAnswerable, match="was approved by mia already"):
        ask(world, "reject", proposal=proposal.id)


def test_all_plans_are_paused_at_once() -> None:
    world = World(PLAN)
    other = replace(PLAN, name="payments", route53_records=(), ssm_parameters=())
    for plan in (PLAN, other):
        ensure_state(world.ports(), plan)
    ports = world.ports("operator")
    operation = Operation(Verb.PAUSE, "*", BY, reason="stop everything")
    found = handle_operation(ports, [PLAN, other], operation, Deadline.after(ports, 20))
    assert [(one["plan"], one["paused"]) for one in found] == [("orders", True), ("payments", True)]


def test_a_plan_without_a_record_is_left_to_the_first_tick() -> None:
    world = World(PLAN)
    with pytest.raises(NotAnswerable, match="orders has no record yet; the first tick"):
        ask(world, "pause", reason="too early")
    assert not world.store.states


def test_a_plan_that_is_not_there_is_refused_with_those_that_are(world: World) -> None:
    ports = world.ports("operator")
    with pytest.raises(MalformedEvent, match="no plan 'order'; known are: orders"):
        handle_operation(ports, [PLAN], Operation(Verb.STATUS, "order", BY), Deadline.after(ports, 20))


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ([], "a JSON object was expected, not list"),
        ({"action": "stop"}, "'action' is 'stop'; allowed are ['status', 'approve'"),
        (
            {"action": "status", "plan": "orders"},
            "'by': one line of 1 to 200 characters was expected",
        ),
        ({"action": "status", "by": BY, "plan": " "}, "'plan': one line"),
        ({"action": "pause", "plan": "orders", "by": BY}, "'reason': one line"),
        ({"action": "pause", "plan": "orders", "by": BY, "reason": "a\nb"}, "'reason': one line"),
        ({"action": "pause", "plan": "orders", "by": "m" * 201, "reason": "a"}, "'by': one line"),
        ({"action": "approve", "plan": "orders", "by": BY}, "'proposal': one line"),
        ({"action": "approve", "plan": "*", "by": BY, "proposal": "f00d"}, "name the plan"),
        (
            {"action": "status", "plan": "orders", "by": BY, "force": True},
            "unknown keys ['force']",
        ),
    ],
)
def test_a_request_that_is_none_is_refused_with_what_is_allowed(event: object, message: str) -> None:
    with pytest.raises(MalformedEvent) as caught:
        read_operation(event)
    assert message in str(caught.value)


def test_nothing_that_an_operation_does_moves_traffic(world: World) -> None:
    answer, fence = world.answer(), world.fence()
    for action, more in (("pause", {"reason": "x"}), ("resume", {}), ("acknowledge", {}), ("status", {})):
        ask(world, action, **more)
    assert (world.answer(), world.fence()) == (answer, fence)


@pytest.mark.parametrize("name", ["status", "approve", "pause"])
def test_every_shipped_sample_is_read(name: str) -> None:
    found = json.loads((ROOT / "events" / f"operator-{name}.json").read_text())
    assert read_operation(found).verb == name
