"""What a rehearsal found: checks, times, requests; as JSON, and as a table in the terminal."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

SECONDS = (
    "fault_to_detected",
    "detected_to_claimed",
    "claimed_to_switched",
    "switched_to_insync",
    "fault_to_first_good_answer",
    "client_downtime",
    "repair_to_failback_done",
)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing asserted."""

    name: str
    passed: bool
    detail: str = ""


@dataclass
class Report:
    """The result of one scenario; a time that was not measured is None."""

    scenario: str
    ttl_scale: float
    checks: list[Check] = field(default_factory=list)
    timeline: list[dict[str, object]] = field(default_factory=list)
    seconds: dict[str, float | None] = field(default_factory=lambda: dict.fromkeys(SECONDS))
    requests: dict[str, object] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    transitions: list[dict[str, object]] = field(default_factory=list)
    notifications: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Return whether everything asserted held; a report without a single check has proved nothing."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    def write(self, folder: Path) -> Path:
        """Write report.json into the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "report.json"
        body = {
            "scenario": self.scenario,
            "passed": self.passed,
            "checks": [
                {"name": check.name, "passed": check.passed, "detail": check.detail} for check in self.checks
            ],
            "timeline": self.timeline,
            "seconds": {k: None if v is None else round(v, 3) for k, v in self.seconds.items()},
            "requests": self.requests,
            "ttl_scale": self.ttl_scale,
            "notes": self.notes,
            "transitions": self.transitions,
            "notifications": self.notifications,
        }
        path.write_text(json.dumps(body, indent=2, default=str) + "\n")
        return path

    def show(self, console: Console) -> None:
        """Print checks and times."""
        checks = Table(
            title=f"{self.scenario}: {'passed' if self.passed else 'FAILED'}", title_justify="left"
        )
        for column in ("", "check", "detail"):
            checks.add_column(column)
        for check in self.checks:
            checks.add_row(
                "[green]ok[/]" if check.passed else "[red]FAILED[/]", check.name, escape(check.detail)
            )
        console.print(checks)
        times = Table(title="seconds (measured)", title_justify="left")
        times.add_column("from, to")
        times.add_column("s", justify="right")
        for name, value in self.seconds.items():
            times.add_row(name, "not measured" if value is None else f"{value:.2f}")
        console.print(times)
