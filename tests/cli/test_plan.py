"""`region-failover plan`, and a move that expects it: what is asked, what is read, and the exit codes."""

from __future__ import annotations

import json

import pytest

from tests.cli.test_cli import FakeStack, Shell
from tests.fakes import EAST, WEST, World
from tests.functional.test_approval import settled
from tests.functional.test_plan_ahead import everything, unreadable

LINES = ("route53_record", "fence", "linode_record", "ssm_parameter")


@pytest.fixture
def shell() -> Shell:
    world = World()
    world.tick()
    world.probe()
    return Shell(FakeStack(world))


@pytest.fixture
def outage(shell: Shell) -> Shell:
    shell.stack.world.outage()
    return shell


def checksum(shell: Shell, *more: str) -> str:
    return str(json.loads(shell.run("plan", "orders", "--to", "standby", "--json", *more))["checksum"])


def test_a_plan_that_would_go_exits_0_and_changes_nothing(outage: Shell) -> None:
    before = everything(outage.stack.world)
    text = outage.run("plan", "orders", "--to", "standby")
    assert outage.code == 0
    assert outage.stack.asked == [
        ("failover", {"action": "plan", "plan": "orders", "to": "standby", "force": False})
    ]
    assert f"orders: failover from {EAST} to {WEST}, epoch 1; nothing was changed" in text
    assert "would go: operator-asked" in text
    assert everything(outage.stack.world) == before


def test_each_switch_is_a_row_with_before_and_after(outage: Shell) -> None:
    text = outage.run("plan", "orders", "--to", "standby")
    rows = {line: next(row for row in text.splitlines() if f"│ {line}" in row) for line in LINES}
    assert "192.0.2.10 (TTL 60 s)" in rows["route53_record"]
    assert "198.51.100.10 (TTL 60 s)" in rows["route53_record"]
    assert all("changes" in row for row in rows.values())
    assert "203.0.113.10" in rows["linode_record"]
    assert "not read: timeout no answer" in text
    assert "one batch of 4 changes with 4 values" in text


def test_what_stays_as_it_is_is_marked(outage: Shell) -> None:
    text = outage.run("plan", "orders", "--to", "primary")
    rows = [row for row in text.splitlines() if "│ route53_record" in row or "│ linode_record" in row]
    assert len(rows) == 2
    assert all("unchanged" in row for row in rows)


def test_a_plan_that_would_be_held_exits_1_with_every_reason(shell: Shell) -> None:
    shell.run("pause", "orders", "--reason", "release")
    text = shell.run("plan", "orders", "--to", "standby")
    assert shell.code == 1
    by_hand, by_itself = text.split("automation would be held:")
    assert "it would be held:\n  active-healthy" in by_hand
    assert "paused: " in by_itself
    text = shell.run("plan", "orders", "--to", "standby", "--force")
    assert (shell.code, "with --force now, it would go" in text) == (0, True)


def test_what_is_asked_of_a_plan_and_is_not_so_is_marked(shell: Shell) -> None:
    shell.stack.world.break_region(WEST)
    text = shell.run("plan", "orders", "--to", "standby")
    assert "ok  no-empty-answer: " in text
    assert f"NO  target-verified: {WEST} does not: unhealthy: " in text


def test_to_the_primary_it_is_a_failback_or_by_a_word_a_failover() -> None:
    shell = Shell(FakeStack(settled()))
    text = shell.run("plan", "orders", "--to", "primary")
    assert (shell.code, shell.stack.asked[-1][0]) == (0, "failback")
    assert f"failback from {WEST} to {EAST}" in text
    assert "awaiting-approval" in text
    text = shell.run("plan", "orders", "--to", "primary", "--failover")
    assert (shell.code, shell.stack.asked[-1][0]) == (1, "failover")
    assert f"failover from {WEST} to {EAST}" in text


@pytest.mark.parametrize("arguments", [("--json", "plan", "orders"), ("plan", "orders", "--json")])
def test_as_json_it_is_the_functions_answer(outage: Shell, arguments: tuple[str, ...]) -> None:
    found = json.loads(outage.run(*arguments, "--to", "standby"))
    assert outage.code == 0
    assert set(found) == {
        "plan", "action", "would", "reason", "held_by", "automation_held_by", "active", "phase", "direction",
        "from", "to", "epoch", "share", "switches", "batches", "changes", "max_changes", "checksum",
        "findings", "regions", "checks",
    }  # fmt: skip
    assert set(found["switches"][0]) == {
        "switch", "subject", "region", "before", "after", "was", "becomes", "changes", "not_read",
    }  # fmt: skip
    assert found["switches"][0]["was"]["values"] == ["192.0.2.10"]


def test_a_plan_without_a_checksum_says_why() -> None:
    shell = Shell(FakeStack(unreadable()))
    assert "checksum: none, as a zone could not be read" in shell.run("plan", "orders", "--to", "standby")


@pytest.mark.parametrize(
    "arguments",
    [
        ("plan", "orders"),
        ("plan", "orders", "--to", "us-west-2"),
        ("plan", "--to", "standby"),
        ("plan", "orders", "--to", ""),
    ],
)
def test_a_wish_that_cannot_be_asked_exits_2(shell: Shell, arguments: tuple[str, ...]) -> None:
    shell.run(*arguments)
    assert (shell.code, shell.stack.asked) == (2, [])


def test_the_plan_that_was_shown_is_made_and_no_other(outage: Shell) -> None:
    shown = checksum(outage)
    text = outage.run("failover", "orders", "--reason", "drill", "--expect", "0" * 16)
    assert (outage.code, "hold, plan-changed" in text, shown in text) == (1, True, True)
    assert outage.stack.world.state.epoch == 0
    text = outage.run("failover", "orders", "--reason", "drill", "--expect", shown)
    assert (outage.code, "orders: move, operator-asked" in text) == (0, True)
    assert outage.stack.asked[-1][1]["expect"] == shown


@pytest.mark.parametrize(
    "wrong", ["", " ", "any", "0123456789abcde", "0123456789abcdef0", "0123456789ABCDEF"]
)
@pytest.mark.parametrize("action", ["failover", "failback"])
def test_an_expectation_that_is_no_checksum_is_refused_and_not_taken_for_any(
    outage: Shell, action: str, wrong: str
) -> None:
    outage.run(action, "orders", "--reason", "drill", "--expect", wrong)
    assert (outage.code, outage.stack.asked) == (2, [])


def test_without_an_expectation_none_is_sent(outage: Shell) -> None:
    outage.run("failover", "orders", "--reason", "drill")
    assert "expect" not in outage.stack.asked[-1][1]
