"""What a human reads of a plan: switch by switch what is there and what would be, and what would hold it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

# By whether it changes; None: nobody can tell.
MARKS = {True: ("changes", "bold"), False: ("unchanged", "dim"), None: ("not read", "yellow")}


def show_plan(console: Console, found: Mapping[str, Any], forced: bool) -> None:
    """Print a plan: its switches, its findings, what holds it, its checksum."""
    _say(console, _heading(found), "bold")
    console.print(_switches(found["switches"]))
    for zone, batch in found["batches"].items():
        _say(console, f"{zone}: one batch of {batch['changes']} changes with {batch['values']} values")
    for finding in found["findings"]:
        mark, style = ("ok", "") if finding["ok"] else ("NO", "red")
        _say(console, f"{mark}  {finding['safety']}: {finding['words']}", style)
    for region, seen in found["regions"].items():
        _say(console, f"{region} is {seen['health']} {seen['why']}".rstrip())
    _say(console, "")
    asked = "with --force " if forced else ""
    if found["held_by"]:
        _say(console, f"asked for by you {asked}now, it would be held:", "bold red")
        _holds(console, found["held_by"])
    else:
        _say(console, f"asked for by you {asked}now, it would go: {found['reason']}", "bold green")
    if found["automation_held_by"]:
        _say(console, "automation would be held:")
        _holds(console, found["automation_held_by"])
    else:
        _say(console, "automation would move now, too")
    _say(console, f"checksum: {found['checksum'] or 'none, as a zone could not be read'}", "bold")


def _heading(found: Mapping[str, Any]) -> str:
    way = f"{found['direction']} from {found['from']} to {found['to']}"
    back = ", of what is on trial at the primary" if found["share"] == 0 else ""
    return f"{found['plan']}: {way}{back}, epoch {found['epoch']}; nothing was changed"


def _switches(switches: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(show_header=True, title_justify="left")
    for name in ("switch", "what", "before", "after", ""):
        table.add_column(name, overflow="fold")
    for entry in switches:
        mark, style = MARKS[entry["changes"]]
        what = " ".join(word for word in (entry["region"], entry["subject"]) if word)
        before = f"not read: {entry['not_read']}" if entry["not_read"] else entry["before"]
        cells = (entry["switch"], what, before, entry["after"], mark)
        table.add_row(*(Text(str(cell), style=style) for cell in cells))
    return table


def _holds(console: Console, holds: Sequence[Mapping[str, Any]]) -> None:
    for held in holds:
        detail = f": {held['detail']}" if held["detail"] else ""
        _say(console, f"  {held['reason']}{detail}")


def _say(console: Console, words: str, style: str = "") -> None:
    console.print(Text(words, style=style), soft_wrap=True)
