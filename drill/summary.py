"""The end of a run: every scenario in a line, in the terminal and as summary.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from drill.report import Report

LINE = "line.json"  # a scenario's own line, in its folder


@dataclass(frozen=True, slots=True)
class Line:
    """What one scenario came to. Seconds; None where it was not measured, or did not happen.

    `client_downtime`: the longest that a client waited from a first failed request (reads and writes each
    for themselves) to the end of the next good one; `seconds`: the whole scenario, its set-up included.
    """

    scenario: str
    passed: bool
    transitions: int
    fault_to_detected: float | None
    client_downtime: float | None
    seconds: float

    @classmethod
    def of(cls, report: Report, seconds: float) -> Line:
        """Return the line of a report."""
        return cls(
            report.scenario,
            report.passed,
            len(report.transitions),
            _rounded(report.seconds["fault_to_detected"]),
            _rounded(report.seconds["client_downtime"]),
            round(seconds, 1),
        )

    @classmethod
    def read(cls, folder: Path) -> Line | None:
        """Return the line that a scenario has left in its folder, None where it left none."""
        path = folder / LINE
        return cls(**json.loads(path.read_text())) if path.exists() else None

    def write(self, folder: Path) -> None:
        """Leave the line in the scenario's folder."""
        (folder / LINE).write_text(json.dumps(self.as_json()) + "\n")

    def as_json(self) -> dict[str, object]:
        """Return the line as summary.json has it."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def has_passed(lines: Sequence[Line]) -> bool:
    """Return whether every scenario passed; none at all proves nothing."""
    return bool(lines) and all(line.passed for line in lines)


def write_summary(lines: Sequence[Line], seconds: float, folder: Path) -> Path:
    """Write summary.json into the folder; return its path. `seconds`: that the run has taken so far."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "summary.json"
    body = {
        "passed": has_passed(lines),
        "seconds": round(seconds, 1),
        "scenarios": [line.as_json() for line in lines],
    }
    path.write_text(json.dumps(body, indent=2) + "\n")
    return path


def show_summary(lines: Sequence[Line], seconds: float, console: Console) -> None:
    """Print every scenario in a line."""
    failed = sum(not line.passed for line in lines)
    verdict = f"{failed} FAILED" if failed else "all passed"
    table = Table(title=f"{len(lines)} scenarios, {verdict}, {seconds:.0f} s", title_justify="left")
    table.add_column("scenario")
    table.add_column("")
    for column in ("transitions", "detected after (s)", "longest downtime (s)", "took (s)"):
        table.add_column(column, justify="right")
    for line in lines:
        table.add_row(
            line.scenario,
            "[green]passed[/]" if line.passed else "[red]FAILED[/]",
            str(line.transitions),
            _shown(line.fault_to_detected),
            _shown(line.client_downtime),
            f"{line.seconds:.0f}",
        )
    console.print(table)


def _shown(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.1f}"


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
