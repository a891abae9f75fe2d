"""What a rule is: a small class that is told what happens, and blames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from proof.checker.facts import Facts, Save, Worker
from proof.checker.reading import Batch, Record

Entry = dict[str, Any]

# Clocks of one machine, read twice: the flow reads its clock, then the recorder does. Zero in a simulation.
SLACK_S = 0.25


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken invariant: which one, the first violating entry's number and time, and what an engineer
    needs to know, in one line."""

    invariant: str
    n: int
    t: float
    text: str

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.invariant} at entry {self.n}, t = {self.t:.3f} s: {self.text}"


class Rule:
    """One invariant, or one side of it.

    A rule overrides those methods that it needs; only those are called. Each is called after the facts
    know what has happened before this entry, and before they know this entry.
    """

    invariant: ClassVar[str]

    def __init__(self, facts: Facts) -> None:
        """Look at these facts."""
        self.facts = facts
        self.violations: list[Violation] = []

    def blame(self, entry: Entry, text: str) -> None:
        """Note a violation."""
        self.violations.append(Violation(self.invariant, entry["n"], entry["t"], text))

    def saved(self, save: Save) -> None:
        """The state record was replaced by a worker."""

    def edited(self, before: Record | None, after: Record | None) -> None:
        """The state record was replaced by a human, or found when the history began."""

    def submitting(self, entry: Entry, worker: Worker, batch: Batch) -> None:
        """A worker asks Route 53 to take a batch."""

    def accepted(self, entry: Entry, worker: Worker, batch: Batch) -> None:
        """Route 53 has taken a batch."""

    def writing(self, entry: Entry, worker: Worker) -> None:
        """A worker asks for a parameter to be written."""

    def pointing(self, entry: Entry, worker: Worker) -> None:
        """A worker asks for a Linode record to be pointed somewhere."""

    def told(self, entry: Entry, call: Entry, worker: Worker) -> None:
        """A worker was told what it had asked: zones.read, zones.is_insync, parameters.read, linode.find."""

    def published(self, entry: Entry) -> None:
        """A notification went out."""

    def ended(self, entry: Entry, worker: Worker) -> None:
        """A worker has ended."""

    def rest(self, entry: Entry) -> None:
        """The history ends."""
