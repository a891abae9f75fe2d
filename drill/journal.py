"""The rehearsal's timeline, live in the terminal and kept for the report."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened; `at` is seconds of the wall clock."""

    at: float
    event: str


class Journal:
    """Collects what happens; thread-safe. Before the fault, times count from the rehearsal's start."""

    def __init__(self, console: Console) -> None:
        """Print to this console."""
        self._console = console
        self._lock = threading.Lock()
        self._entries: list[Entry] = []
        self._started = time.time()
        self._phases = 0
        self.fault_at: float | None = None

    def fault(self, event: str) -> None:
        """Note a fault; from the first one on, times count from it."""
        if self.fault_at is None:
            self.fault_at = time.time()
        self._console.rule(style="red")
        self.note(event, style="bold red")

    def phase(self, doing: str) -> None:
        """Print where the rehearsal stands."""
        self._phases += 1
        self._console.print(f"[bold cyan]({self._phases})[/] {escape(doing)}", highlight=False)

    def note(self, event: str, *, at: float | None = None, style: str = "") -> None:
        """Note and print an event, now or at a time of the wall clock."""
        at = time.time() if at is None else at
        with self._lock:
            self._entries.append(Entry(at, event))
        since_start = f"start {at - self._started:+7.1f} s"
        label = since_start if self.fault_at is None else f"fault {at - self.fault_at:+7.1f} s"
        self._console.print(f"[dim]{label}[/]  {escape(event)}", style=style, highlight=False)

    def timeline(self) -> list[dict[str, object]]:
        """Return all entries in order, in seconds since the fault (negative before it; null without one)."""
        with self._lock:
            entries = sorted(self._entries, key=lambda entry: entry.at)
        base = self.fault_at
        return [
            {"seconds": round(entry.at - base, 3) if base is not None else None, "event": entry.event}
            for entry in entries
        ]
