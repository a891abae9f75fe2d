"""The command line: what it asks of the functions, what a human reads, and its exit codes."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from rich.console import Console

from region_failover.domain.drift import checksum
from region_failover.domain.errors import MalformedEvent, NotAnswerable
from region_failover.domain.operation import read_operation
from region_failover.domain.zone import RecordSet
from region_failover.service.operator import handle_operation
from region_failover.service.record import Deadline
from region_failover_cli.main import Context, main
from region_failover_cli.stack import Failed, NotReached
from tests.fakes import EAST, WEST, ZONE, World
from tests.functional.test_approval import ASKING, proposed, settled

ARN = "arn:aws:iam::123456789012:user/mia"


@dataclass
class FakeStack:
    """A stack whose functions work on a world of fakes, as `bootstrap` has them."""

    world: World
    asked: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    error: Exception | None = None
    findings: list[dict[str, Any]] = field(default_factory=list)

    def caller(self) -> str:
        return ARN

    def invoke(self, function: str, event: Mapping[str, Any]) -> Any:
        self.asked.append((function, event))
        if self.error:
            raise self.error
        if function == "readiness":
            return json.loads(json.dumps(self.findings))
        if function != "operator":
            flow = self.world.failover if function == "failover" else self.world.failback
            return [flow(dict(event))]
        ports = self.world.ports("operator")
        try:
            operation = read_operation(json.loads(json.dumps(event)))
            plans = handle_operation(ports, [self.world.plan], operation, Deadline.after(ports, 20))
            return json.loads(json.dumps({"plans": plans}))
        except (MalformedEvent, NotAnswerable) as error:
            return {"refused": str(error)}


@dataclass
class Shell:
    """Runs commands; keeps the exit code and what was printed."""

    stack: FakeStack
    code: int = 0

    def run(self, *arguments: str) -> str:
        out = io.StringIO()
        now = self.stack.world.clock.at
        context = Context(lambda: self.stack, Console(file=out, width=160), as_json=False, now=lambda: now)
        with pytest.raises(SystemExit) as ended:
            main(context, list(arguments))
        self.code = int(ended.value.code or 0)
        return out.getvalue()


@pytest.fixture
def shell() -> Shell:
    world = World()
    world.tick()
    world.probe()
    return Shell(FakeStack(world))


def test_status_shows_the_traffic_both_regions_and_the_brakes(shell: Shell) -> None:
    text = shell.run("status")
    assert shell.code == 0
    assert f"{EAST} (primary), epoch 0, steady" in text
    assert text.count("healthy for") == 2
    assert f"{EAST}>{WEST} 0." in text
    assert "on; 0 of 4 moves of the day used" in text


def test_status_shows_an_open_move_with_its_steps_and_the_reason(shell: Shell) -> None:
    shell.stack.world.outage()
    shell.stack.world.failover()
    text = shell.run("status", "orders")
    assert f"failover to {WEST}, begun 0 s ago: region-down" in text
    assert "linode records" in text
    assert "unhealthy for" in text
    assert "read orders: timeout" in text


def test_status_says_what_holds_automation_back(shell: Shell) -> None:
    world = shell.stack.world
    world.edit_state(automatic_moves=(world.clock.at,) * 4)
    assert "4 of 4 moves of the day used; `acknowledge`" in shell.run("status")
    shell.run("pause", "orders", "--reason", "release")
    assert f"paused by {ARN}" in shell.run("status")


def test_as_json_it_is_the_functions_answer(shell: Shell) -> None:
    [plan] = json.loads(shell.run("--json", "status"))["plans"]
    assert (plan["plan"], plan["active"]) == ("orders", EAST)


def test_a_pause_names_who_and_why(shell: Shell) -> None:
    text = shell.run("pause", "*", "--reason", "maintenance")
    assert (shell.code, shell.stack.asked[-1]) == (
        0,
        ("operator", {"action": "pause", "plan": "*", "by": ARN, "reason": "maintenance"}),
    )
    assert "orders: paused: automation looks, and moves nothing" in text
    assert "orders: resumed" in shell.run("resume", "orders")
    assert "orders: nothing to do: it is so already" in shell.run("resume", "orders")


def test_a_failback_is_approved_by_its_id_once() -> None:
    world = settled(ASKING)
    shell = Shell(FakeStack(world))
    proposal = proposed(world)
    assert f"{proposal.id}: back to {EAST}, pending, expires" in shell.run("status")
    assert f"orders: proposal {proposal.id} is approved" in shell.run("approve", "orders", proposal.id)
    assert shell.code == 0
    assert f"approved by {ARN} already" in shell.run("reject", "orders", proposal.id)
    assert shell.code == 1
    assert world.failback()["reason"] == "approved"


def test_a_move_that_is_carried_out_exits_0_and_one_that_is_held_1(shell: Shell) -> None:
    text = shell.run("failover", "orders", "--reason", "drill")
    assert (shell.code, "orders: hold, active-healthy" in text) == (1, True)
    assert "docs/runbook.md" in text
    text = shell.run("failover", "orders", "--reason", "drill", "--force")
    assert (shell.code, "orders: move, operator-asked" in text) == (0, True)
    assert shell.stack.asked[-1] == (
        "failover",
        {"plan": "orders", "action": "failover", "reason": "drill", "force": True},
    )


def test_a_plan_that_is_not_there_exits_2_with_those_that_are(shell: Shell) -> None:
    assert "refused: there is no plan 'order'; known are: orders" in shell.run("status", "order")
    assert shell.code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("pause", "orders"),
        ("approve", "orders"),
        ("stop",),
        ("failover", "--reason", "x"),
        ("status", "--all"),
    ],
)
def test_what_cannot_be_asked_exits_2(shell: Shell, arguments: tuple[str, ...]) -> None:
    shell.run(*arguments)
    assert shell.code == 2
    assert not shell.stack.asked


def test_a_function_that_was_not_reached_exits_1_and_its_effect_is_not_guessed(
    shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.stack.error = NotReached("region-failover-operator: Read timeout")
    shell.run("status")
    assert shell.code == 1
    assert "What the function did is not known" in capsys.readouterr().err


@pytest.mark.parametrize(("error", "code"), [("MalformedEvent: no plan", 2), ("StateUnavailable: gone", 1)])
def test_a_function_that_fails_is_told_in_one_line(
    shell: Shell, capsys: pytest.CaptureFixture[str], error: str, code: int
) -> None:
    shell.stack.error = Failed(f"region-failover-failover: {error}")
    shell.run("failover", "orders", "--reason", "drill")
    assert shell.code == code
    assert capsys.readouterr().err.count("\n") == 1


FINDING = {
    "severity": "error",
    "subject": "role of failover",
    "problem": "may not ssm:PutParameter on arn",
    "remedy": "deploy the stack with what its plans need",
}


def test_check_prints_what_is_found_and_exits_by_it(shell: Shell) -> None:
    shell.stack.findings = [
        {"plan": "orders", "errors": 1, "warnings": 0, "notes": 0, "findings": [FINDING]},
        {"plan": "payments", "errors": 0, "warnings": 0, "notes": 0, "findings": []},
    ]
    text = shell.run("check")
    assert shell.code == 1
    assert shell.stack.asked == [("readiness", {"action": "check", "plan": "*"})]
    assert "orders: 1 errors, 0 warnings" in text
    assert "error   role of failover: may not ssm:PutParameter on arn" in text
    assert "deploy the stack with what its plans need" in text
    assert "ready: nothing found" in text


def test_check_of_a_plan_that_is_ready_exits_with_0(shell: Shell) -> None:
    shell.stack.findings = [{"plan": "orders", "errors": 0, "warnings": 0, "notes": 0, "findings": []}]
    shell.run("check", "orders")
    assert shell.code == 0
    assert shell.stack.asked[-1][1]["plan"] == "orders"


# drift


def test_status_shows_what_has_drifted_and_how_to_answer(shell: Shell) -> None:
    world = shell.stack.world
    assert "drift" not in shell.run("status")
    world.zones.put(ZONE, RecordSet("api.example.com", "A", 60, ("203.0.113.99",)))
    world.tick()
    text = shell.run("status", "orders")
    found = checksum(world.state.drift)
    assert f"route53 {ZONE} api.example.com A: holds 203.0.113.99; due 192.0.2.10; since" in text
    assert f"frozen: no automatic failback begins; `restore` or `adopt orders --expect {found}`" in text
    shell.run("adopt", "orders", "--reason", "a test")
    assert "left so by arn:aws:iam::" in " ".join(shell.run("status", "orders").replace("│", " ").split())


def test_a_restore_goes_to_the_function_that_may_and_says_who_asks(shell: Shell) -> None:
    world = shell.stack.world
    world.zones.put(ZONE, RecordSet("api.example.com", "A", 60, ("203.0.113.99",)))
    world.tick()
    found = checksum(world.state.drift)
    text = shell.run("restore", "orders", "--expect", found, "--reason", "a slip")
    assert shell.code == 0
    assert "orders: restore, restored" in text
    assert shell.stack.asked[-1] == (
        "failback",
        {"plan": "orders", "action": "restore", "reason": "a slip", "by": ARN, "expect": found},
    )
    assert world.answer() == ("192.0.2.10",)
    text = shell.run("restore", "orders", "--reason", "once more")
    assert (shell.code, "expect" in shell.stack.asked[-1][1]) == (1, False)
    assert "orders: hold, no-drift" in text
    assert "docs/runbook.md, 'Frozen'" in text


def test_what_stands_there_by_now_is_not_overwritten(shell: Shell) -> None:
    world = shell.stack.world
    world.zones.put(ZONE, RecordSet("api.example.com", "A", 60, ("203.0.113.99",)))
    text = shell.run("restore", "orders", "--expect", "0123456789abcdef", "--reason", "a slip")
    assert (shell.code, world.answer()) == (1, ("203.0.113.99",))
    assert "hold, changed-since" in text


def test_an_empty_checksum_is_no_word_for_anything(shell: Shell) -> None:
    world = shell.stack.world
    world.zones.put(ZONE, RecordSet("api.example.com", "A", 60, ("203.0.113.99",)))
    for action in ("restore", "adopt"):
        with pytest.raises(MalformedEvent, match="'expect' is ''; allowed: a checksum, 16 digits"):
            shell.stack.invoke(
                "failback", {"plan": "orders", "action": action, "reason": "r", "by": "mia", "expect": ""}
            )
    assert (world.answer(), world.state.drift) == (("203.0.113.99",), ())


def test_adopt_follows_a_human_who_has_moved_the_records(shell: Shell) -> None:
    world = shell.stack.world
    world.zones.put(ZONE, RecordSet("api.example.com", "A", 60, ("198.51.100.10",)))
    text = shell.run("adopt", "orders", "--reason", "moved by hand in the incident")
    assert (shell.code, world.state.epoch) == (0, 1)
    assert "orders: move, operator-asked" in text
