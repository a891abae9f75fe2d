"""What was measured, as rows; and the rows as a table for the terminal and as docs/baseline.md."""

from __future__ import annotations

import statistics
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

# Lambda's own default (AWS::Lambda::Function, `Timeout`), which the tutorial's template leaves as it is.
DEFAULT_LAMBDA_TIMEOUT_S = 3.0

# What 'decided' is measured with, as TOML values: with the defaults it would take a minute each.
SHORTENED = {"confirm_for": '"2s"', "quick_every": '"1s"'}

COLUMNS = (
    "Situation",
    "Function",
    "Verdict on the primary",
    "Right?",
    "Seconds",
    "What happens to the record",
)


@dataclass(frozen=True)
class Row:
    """One line: a function in a situation. `seconds` has one value per fresh process; empty: not a time.

    `capped_at_s`: the process was ended then, without a verdict.
    """

    key: str
    situation: str
    function: str
    verdict: str
    right: bool
    effect: str
    seconds: tuple[float, ...] = ()
    capped_at_s: float | None = None
    derived: str = ""
    more: dict[str, Any] = field(default_factory=dict)

    def cells(self) -> tuple[str, ...]:
        """Return the row's cells, in the order of COLUMNS."""
        right = "yes" if self.right else "**no**"
        return (self.situation, self.function, self.verdict, right, self._time(), self.effect)

    def _time(self) -> str:
        if self.derived:
            return self.derived
        if self.capped_at_s is not None:
            return f"> {self.capped_at_s:.0f} s (capped)"
        if not self.seconds:
            return ""
        middle = _seconds(statistics.median(self.seconds))
        if len(self.seconds) == 1:
            return middle
        low, high = min(self.seconds), max(self.seconds)
        return f"{middle} ({_seconds(low)} to {_seconds(high)}, {len(self.seconds)} runs)"


def _seconds(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def killed_row(measured: Row) -> Row:
    """Return what Lambda's default timeout makes of a measured row; derived by comparing, not measured."""
    least = min(measured.seconds, default=measured.capped_at_s or 0.0)
    in_time = least < DEFAULT_LAMBDA_TIMEOUT_S
    return Row(
        key=f"{measured.key}-lambda-default",
        situation=measured.situation,
        function="tutorial, Lambda's default timeout (3 s)",
        verdict=measured.verdict if in_time else "none: killed each time",
        right=in_time,
        effect=measured.effect if in_time else "stays at the primary",
        derived=f"{_seconds(least)} (derived)" if in_time else "never (derived)",
    )


@dataclass(frozen=True)
class Report:
    """A whole run: what it ran on, and its rows."""

    date: str
    quick: bool
    versions: dict[str, Any]
    sdk: dict[str, Any]
    rows: tuple[Row, ...]

    def row(self, key: str) -> Row:
        """Return the row of that key."""
        return next(row for row in self.rows if row.key == key)

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return asdict(self)


def plain_table(rows: Sequence[Row]) -> str:
    """Return the rows as a table for the terminal."""
    cells = [COLUMNS, *(tuple(cell.replace("**", "") for cell in row.cells()) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(COLUMNS))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def markdown(report: Report) -> str:
    """Return docs/baseline.md."""
    lines = [COLUMNS, tuple("---" for _ in COLUMNS), *(row.cells() for row in report.rows)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return _PAGE.format(
        date=report.date,
        python=report.versions["python"],
        boto3=report.versions["boto3"],
        botocore=report.versions["botocore"],
        table=table,
        arithmetic=_arithmetic(report),
        sdk=_sdk(report),
    )


def _sdk(report: Report) -> str:
    tries = report.row("read-tutorial").more.get("tries", 0)
    return _wrapped(
        f"The tutorial's function waits by boto3 {report.versions['boto3']}'s own settings: retry mode"
        f" `{report.sdk['mode']}`, {report.sdk['connect_s']} s to connect, {report.sdk['read_s']} s to read."
        f" The read black hole saw {tries} tries."
    )


def _arithmetic(report: Report) -> str:
    """Return what the defaults make of a decision, and how the same formula fared where it was measured."""
    sampling, short = report.versions["sampling"], report.row("read-decided")
    shown = {key: f'`{key} = "{sampling[key]:.0f}s"`' for key in sampling if key not in {"needed", "window"}}
    default = (
        f"With the plan's defaults (`needed = {sampling['needed']}`, {shown['confirm_for']},"
        f" {shown['quick_every']}, {shown['timeout']}) the decision stands within"
        f" **{report.versions['bound_s']:.0f} s** of the first failed round's beginning (computed):"
        " `confirm_for`, filled up to whole rounds, and one last round of at most two timeouts. That first"
        f" round begins up to {shown['every']} after the outage does. Where one tick of the schedule ends and"
        " the next begins, up to two `quick_every` may come on top."
    )
    shortened = (
        f"For the shortened plan (`confirm_for = {SHORTENED['confirm_for']}`,"
        f" `quick_every = {SHORTENED['quick_every']}`, the rest as above) the same formula gives at most"
        f" {short.more['bound_s']:.0f} s; {_seconds(short.seconds[0])} s were measured, in"
        f" {short.more['rounds']} rounds. A round that ends before its two timeouts makes the difference."
    )
    why = (
        "Most of it is waiting on purpose: from one vantage point a short partition looks just like an"
        " outage."
    )
    return "\n\n".join(map(_wrapped, (default, shortened, why)))


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 105, break_on_hyphens=False, break_long_words=False)


_PAGE = """\
# The baseline: the usual tutorial's function and ours, in the same outages

Generated by `make bench`; do not edit. Measured {date} with Python {python}, boto3 {boto3}, botocore
{botocore}. Each figure comes from a fresh process, on loopback, without a network.

{table}

## What the lines mean

- **Seconds** run from the call of the function to its verdict on the primary. Imports and the clients made
  at a function's start are not counted, the one that the tutorial makes for each event is; what starts the
  function (an alarm, a schedule) is not.
- **Read black hole**: the primary's DynamoDB (and for ours the application's endpoint there too) accepts
  the connection and never answers. **Connect black hole**: its SYNs are dropped. The standby and Route 53
  work. The right verdict is 'unhealthy', at once.
- **Access denied**: the primary's DynamoDB answers 400 `AccessDeniedException` to everything; the
  application there answers well. **Wrong table name**: the functions are told a table that does not exist.
  Both are the observer's own fault. The right verdict is 'unknown', and nothing may move.
- **Control**: nothing is wrong.
- **tutorial**: `bench/tutorial/app.py`, rebuilt from a description of the usual recipe, its faults kept. 'As
  printed' passes the zone's *id* as `DNSName`, so it asks Route 53, finds no zone and moves nothing, and
  still answers status 200 and 'completed'. The other lines give it the zone's name, so that it can act.
- **tutorial, Lambda's default timeout**: derived by comparing the measured seconds with 3 s, the timeout of
  a function that sets none. Not measured.
- **ours, one round**: `service.observe.look` through the real adapters, both Regions at once, default
  sampling: a sample for each Region. One sample moves nothing, and the record is not ours to move here: the
  switch itself is rehearsed by `make drill`.
- **ours, decided**: such rounds, one after another as the probe does it, until `is_down` agrees, with the
  shortened plan of the next section.

{sdk}

## How long ours takes to decide

{arithmetic}

## Caveats

- Loopback and an emulated AWS (moto): what is measured is waiting, which is the same everywhere, not speed.
  Fractions of a second depend on the machine and on what else it does.
- moto does not replicate. With everything well, a round of ours waits in vain for its heartbeat to appear
  on the other side, until the check's deadline; on global tables it ends when both have arrived.
- A full listening queue stands for dropped SYNs; Linux drops them on loopback as a router would.
- The tutorial's waiting is its SDK's: other versions of boto3 wait longer or shorter. Ours sets its own.
- A silent resolver and a server that trickles are not measured here.

## Again

`make bench` measures everything (about five minutes) and writes this page and `build/bench/baseline.json`.
`python -m bench --quick` ends the tutorial's processes after 20 s and writes to `build/bench/` only.
"""
