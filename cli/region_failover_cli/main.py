"""The commands. Exit codes: 0 done; 1 held, refused, or the function failed; 2 what was asked is wrong.

Every command is one invocation of a function of the stack: nothing is decided here, and whoever may invoke
that function may do what it does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console

from region_failover_cli.show import show_findings, show_plans, utc_now
from region_failover_cli.show_plan import show_plan
from region_failover_cli.stack import AwsStack, Failed, NotReached, NotSent, Stack

HELD, WRONG = 1, 2

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Look at, and steer, a Region Failover stack. Every command invokes one of its functions.",
)


@dataclass
class Context:
    """What every command knows: the stack, and how to print."""

    stack: Callable[[], Stack]
    console: Console
    as_json: bool
    now: Callable[[], datetime] = utc_now


@app.callback()
def options(
    context: typer.Context,
    stack: Annotated[str, typer.Option(help="The control stack's name.")] = "region-failover",
    region: Annotated[
        str | None, typer.Option(help="Its Region; else that of your AWS settings.", envvar="AWS_REGION")
    ] = None,
    profile: Annotated[str | None, typer.Option(help="A profile of your AWS settings.")] = None,
    endpoint_url: Annotated[str | None, typer.Option(help="An AWS that is not AWS's own.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the function's answer as JSON.")] = False,
) -> None:
    """Take what all commands share."""
    if context.obj is None:
        context.obj = Context(
            lambda: AwsStack(stack, region, profile, endpoint_url), Console(soft_wrap=False), as_json
        )
    context.obj.as_json = as_json


Plan = Annotated[str, typer.Argument(help="The plan's name.")]
SomePlan = Annotated[str, typer.Argument(help="The plan's name, or '*' for all.")]
Proposal = Annotated[str, typer.Argument(help="The proposal's id, as the notification says it.")]
Why = Annotated[str, typer.Option("--reason", help="Why; it goes on record.", prompt=False)]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Although the source is not seen to be down, or replication is behind, or a record has drifted;"
        " never onto a Region that was not verified just now.",
    ),
]
Expect = Annotated[
    str | None,
    typer.Option(
        "--expect",
        help="Only if what is there still has this checksum: of a move as `plan` printed it, of a drift as"
        " `status` and the notification show it.",
        metavar="CHECKSUM",
    ),
]
CHECKSUM = re.compile(r"[0-9a-f]{16}")


class Place(StrEnum):
    """Where traffic can go."""

    STANDBY = "standby"
    PRIMARY = "primary"


@app.command()
def status(context: typer.Context, plan: SomePlan = "*") -> None:
    """Show the traffic, what is seen, what holds back."""
    _operate(context, "status", plan)


@app.command()
def approve(context: typer.Context, plan: Plan, proposal: Proposal) -> None:
    """Say yes to a proposed failback.

    The next tick carries it out, if everything still holds and the plan's window is open.
    """
    _operate(context, "approve", plan, proposal=proposal)


@app.command()
def reject(context: typer.Context, plan: Plan, proposal: Proposal) -> None:
    """Say no to a proposed failback."""
    _operate(context, "reject", plan, proposal=proposal)


@app.command()
def pause(context: typer.Context, plan: SomePlan, reason: Why) -> None:
    """Stop automatic moves.

    Observation goes on, and your own requests are still carried out.
    """
    _operate(context, "pause", plan, reason=reason)


@app.command()
def resume(context: typer.Context, plan: SomePlan) -> None:
    """End a pause."""
    _operate(context, "resume", plan)


@app.command()
def acknowledge(context: typer.Context, plan: SomePlan) -> None:
    """End the cooldown, restore the day's budget.

    You have looked at what happened: automation may act again.
    """
    _operate(context, "acknowledge", plan)


@app.command()
def check(context: typer.Context, plan: SomePlan = "*") -> None:
    """Look whether a move would work, now; change nothing.

    Exit code 1 where one would not.
    """
    known: Context = context.obj
    found = known.stack().invoke("readiness", {"action": "check", "plan": plan})
    if known.as_json:
        known.console.print_json(json.dumps(found))
    else:
        show_findings(known.console, found)
    if any(checked["errors"] for checked in found):
        raise typer.Exit(HELD)


@app.command()
def plan(
    context: typer.Context,
    plan: Plan,
    to: Annotated[Place, typer.Option("--to", help="Where the traffic would go.")],
    as_failover: Annotated[
        bool,
        typer.Option(
            "--failover", help="As a failover also to the primary: away from a standby that is down."
        ),
    ] = False,
    force: Force = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the function's answer as JSON.")] = False,
) -> None:
    """Show what a move would do now, and what would hold it; change nothing.

    Switch by switch: what is there, what would be. The checksum at its end is for --expect of failover and
    failback. Exit code 1 where the move would be held.
    """
    known: Context = context.obj
    function = "failover" if as_failover or to is Place.STANDBY else "failback"
    event = {"action": "plan", "plan": plan, "to": to.value, "force": force}
    [found] = known.stack().invoke(function, event)
    if known.as_json or as_json:
        known.console.print_json(json.dumps(found))
    else:
        show_plan(known.console, found, force)
    if found["would"] != "move":
        raise typer.Exit(HELD)


@app.command()
def failover(
    context: typer.Context, plan: Plan, reason: Why, force: Force = False, expect: Expect = None
) -> None:
    """Move the traffic out of the active Region.

    Onto the other one, if that is verified just now.
    """
    _move(context, "failover", plan, reason, force, expect)


@app.command()
def failback(
    context: typer.Context, plan: Plan, reason: Why, force: Force = False, expect: Expect = None
) -> None:
    """Move the traffic back to the primary.

    If that is verified just now, and replication is measured both ways.
    """
    _move(context, "failback", plan, reason, force, expect)


@app.command()
def restore(context: typer.Context, plan: Plan, reason: Why, expect: Expect = None) -> None:
    """Put back what somebody has changed of what the plan switches.

    The active Region's answers, if that Region is verified just now. What was changed since you looked stays.
    """
    _choose(context, "restore", plan, reason, expect)


@app.command()
def adopt(context: typer.Context, plan: Plan, reason: Why, expect: Expect = None) -> None:
    """Let stand what somebody has changed of what the plan switches.

    Where all records point at the other Region the plan follows, with all that it switches beside them; what
    is in no plan is left as it is, and told no more until it is another.
    """
    _choose(context, "adopt", plan, reason, expect)


def _choose(context: typer.Context, action: str, plan: str, reason: str, expect: str | None) -> None:
    known: Context = context.obj
    stack = known.stack()
    event = {"plan": plan, "action": action, "reason": reason, "by": stack.caller()}
    [found] = stack.invoke("failback", event if expect is None else {**event, "expect": expect})
    detail = f": {found['detail']}" if found.get("detail") else ""
    _say(known, found, f"{plan}: {found['action']}, {found['reason']}{detail}")
    if found["action"] == "hold":
        known.console.print("docs/runbook.md, 'Frozen', says what each answer means, and what to do.")
        raise typer.Exit(HELD)


def _operate(context: typer.Context, action: str, plan: str, **more: str) -> None:
    known: Context = context.obj
    stack = known.stack()
    answer = stack.invoke("operator", {"action": action, "plan": plan, "by": stack.caller(), **more})
    if "refused" in answer:
        _say(known, answer, f"refused: {answer['refused']}")
        raise typer.Exit(HELD if more.get("proposal") else WRONG)
    if known.as_json:
        known.console.print_json(json.dumps(answer))
        return
    show_plans(known.console, answer["plans"], known.now())
    for found in answer["plans"]:
        if action != "status":
            known.console.print(f"{found['plan']}: {found['done'] or 'nothing to do: it is so already'}")


def _move(
    context: typer.Context, action: str, plan: str, reason: str, force: bool, expect: str | None
) -> None:
    known: Context = context.obj
    event: dict[str, object] = {"plan": plan, "action": action, "reason": reason, "force": force}
    if expect is not None:  # an empty one too: it is no 'any'
        if not CHECKSUM.fullmatch(expect):
            raise typer.BadParameter(f"{expect!r} is no checksum of a plan: 16 digits of 0-9 and a-f")
        event["expect"] = expect
    [found] = known.stack().invoke(action, event)
    detail = f": {found['detail']}" if found.get("detail") else ""
    _say(known, found, f"{plan}: {found['action']}, {found['reason']}{detail}")
    if found["action"] != "move":
        known.console.print("docs/runbook.md says what each reason means, and what to do.")
        raise typer.Exit(HELD)


def _say(known: Context, answer: Any, words: str) -> None:
    if known.as_json:
        known.console.print_json(json.dumps(answer))
    else:
        known.console.print(words, markup=False, highlight=False)


def main(context: Context | None = None, arguments: list[str] | None = None) -> None:
    """Run a command, and say what went wrong in one line."""
    try:
        app(arguments, obj=context)
    except NotSent as error:
        _complain(f"nothing was done: {error}", WRONG)
    except NotReached as error:
        _complain(f"no answer: {error}\nWhat the function did is not known: ask for the status.", HELD)
    except Failed as error:
        wrong = "MalformedEvent" in str(error)
        _complain(f"failed: {error}", WRONG if wrong else HELD)


def _complain(words: str, code: int) -> None:
    Console(stderr=True).print(words, markup=False, highlight=False)
    raise SystemExit(code)
