"""What a human reads of a plan's status, and of a decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

COLOURS = {"healthy": "green", "unhealthy": "red", "unknown": "yellow"}


def show_plans(console: Console, plans: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """Print each plan: where the traffic is, what is seen, and what holds automation back."""
    for number, plan in enumerate(plans):
        if number:
            console.print()
        table = Table(title=Text(str(plan["plan"]), style="bold"), show_header=False, title_justify="left")
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in _rows(plan, now):
            table.add_row(name, value)
        console.print(table)


SEVERITIES = {"error": "red", "warning": "yellow", "note": "dim"}


def show_findings(console: Console, plans: Sequence[Mapping[str, Any]]) -> None:
    """Print what readiness has found, plan by plan, the gravest first."""
    for number, plan in enumerate(plans):
        if number:
            console.print()
        title = Text(f"{plan['plan']}: {plan['errors']} errors, {plan['warnings']} warnings", style="bold")
        console.print(title)
        for found in plan["findings"]:
            words = Text(f"{found['severity']:8}", style=SEVERITIES.get(found["severity"], ""))
            words.append(f"{found['subject']}: {found['problem']}", style="default")
            words.append(f"\n        {found['remedy']}", style="dim")
            console.print(words)
        if not plan["findings"]:
            console.print(Text("ready: nothing found that would keep a move from working", style="green"))


def _rows(plan: Mapping[str, Any], now: datetime) -> list[tuple[str, Text]]:
    rows = [("traffic", Text(f"{plan['active']} ({plan['role']}), epoch {plan['epoch']}, {plan['phase']}"))]
    if plan.get("on_trial_percent"):
        words = f"{plan['on_trial_percent']} % of the traffic, at the primary; the rest is here"
        rows.append(("on trial", Text(words, style="yellow")))
    for region, seen in plan["health"].items():
        lasted, seen_ago = _long(seen["since"], now), _long(seen["last_at"], now)
        words = f"{seen['health']} for {lasted}, looked at {seen_ago} ago"
        rows.append((region, Text(f"{words}  {seen['why']}".strip(), style=COLOURS.get(seen["health"], ""))))
    lags = ", ".join(f"{pair} {lag:.1f} s" for pair, lag in sorted(plan["lags_s"].items()))
    rows.append(("replication", Text(lags or "not measured", style="" if lags else "yellow")))
    if plan["transition"]:
        moving = plan["transition"]
        begun = _long(moving["since"], now)
        what = f"{moving['direction']} to {moving['to']}, begun {begun} ago: {moving['reason']}"
        rows.append(("moving", Text(what, style="bold")))
        rows += [(f"  {key}", Text(status)) for key, status in moving["steps"].items()]
    rows += [("owed", Text(key, style="yellow")) for key in plan["owed"]]
    if plan["proposal"]:
        asked = plan["proposal"]
        by = f" by {asked['answered_by']}" if asked["answered_by"] else ""
        words = f"{asked['id']}: back to {asked['to']}, {asked['stands']}{by}, expires {asked['expires_at']}"
        rows.append(("proposal", Text(words, style="bold")))
    rows += _drift(plan)
    rows.append(("automation", _brakes(plan, now)))
    return rows


def _drift(plan: Mapping[str, Any]) -> list[tuple[str, Text]]:
    """Return a row for each switch that is not as it was left, and what to answer with."""
    rows = []
    for one in plan.get("drift", ()):
        words = f"{one['subject']}: holds {one['found']}; due {one['due']}; since {one['since']}"
        left = f"; left so by {one['left_by']}" if one["left_by"] else ""
        rows.append((one["kind"], Text(words + left, style="dim" if left else "yellow")))
    if rows:
        what = "frozen: no automatic failback begins" if plan["frozen"] else "not as it was left"
        answer = f"`restore` or `adopt {plan['plan']} --expect {plan['drift_checksum']}`"
        rows.append(("drift", Text(f"{what}; {answer}", style="bold")))
    return rows


def _brakes(plan: Mapping[str, Any], now: datetime) -> Text:
    if plan["paused"]:
        return Text(f"paused by {plan['pause_note'] or 'hand'}", style="yellow")
    until = plan["cooldown_until"]
    if until and datetime.fromisoformat(until) > now:
        return Text(f"cooling down until {until}; `acknowledge` ends it", style="yellow")
    spent, allowed = plan["moves_of_the_day"], plan["moves_allowed"]
    if spent >= allowed:
        words = f"{spent} of {allowed} moves of the day used; `acknowledge` restores them"
        return Text(words, style="yellow")
    return Text(f"on; {spent} of {allowed} moves of the day used")


def _long(at: str, now: datetime) -> str:
    """Return how long ago that was."""
    seconds = int((now - datetime.fromisoformat(at)).total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{max(seconds, 0)} s"


def utc_now() -> datetime:
    """Return the present time."""
    return datetime.now(UTC)
