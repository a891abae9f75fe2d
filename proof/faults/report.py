"""What became of the faults: on the terminal, as JSON, and as the table in docs/promises.md."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from proof.faults import BadFault, Fault
from proof.faults.layers import ALWAYS, Notice

BEGIN, END = "<!-- seeded faults: begin -->", "<!-- seeded faults: end -->"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one fault, by layer; `problem`: why it was not tried."""

    fault: Fault
    notices: dict[str, Notice] = field(default_factory=dict)
    problem: str = ""
    seconds: float = 0.0

    @property
    def failure(self) -> str:
        """Return what is wrong with the proof, '' if nothing: the fault is caught by the layer it names."""
        broken = [f"{layer}: {found.broken}" for layer, found in self.notices.items() if found.broken]
        own = self.notices.get(self.fault.layer, Notice())
        missed = "" if own.caught else f"not noticed by: {self.fault.layer}"
        return self.problem or "; ".join(broken) or missed

    def words(self, layer: str) -> str:
        """Return what a layer noticed, '' where it was not asked."""
        return str(self.notices[layer]) if layer in self.notices else ""

    def others(self) -> list[str]:
        """Return the layers beside the tests and the simulation that were asked."""
        return [layer for layer in self.notices if layer not in ALWAYS]


def show(results: Sequence[Result], console: Console) -> None:
    """Print the table, and below it what is wrong."""
    table = Table(title="Seeded faults", title_justify="left")
    for heading in ("fault", "breaks", "tests", "simulation (seeds)", "other", "s"):
        table.add_column(heading, overflow="fold")
    for result in results:
        other = "; ".join(f"{layer}: {result.words(layer)}" for layer in result.others())
        cells = [result.fault.title, result.fault.invariant, *map(result.words, ALWAYS), other]
        table.add_row(*cells, f"{result.seconds:.0f}", style="red" if result.failure else "")
    console.print(table)
    for result in results:
        if result.failure:
            console.print(f"{result.fault.title}: {result.failure}", style="red", markup=False)


def document(results: Sequence[Result], seeds: int) -> str:
    """Return the table for docs/promises.md."""
    noticed = {layer: sum(bool(r.notices.get(layer, Notice()).caught) for r in results) for layer in ALWAYS}
    missed = [result.fault.title for result in results if result.failure]
    verdict = f"Not caught: {', '.join(missed)}." if missed else "Each is caught by the layer it names."
    asked = {layer: sum(layer in result.notices for result in results) for layer in ALWAYS}
    lines = [
        f"{len(results)} faults: the tests notice {noticed['tests']} of {asked['tests']} that they met, the"
        f" simulation {noticed['simulation']} of {asked['simulation']} (within {seeds:,} seeds). {verdict}",
        "",
        "| Fault | Breaks | Tests | Simulation: invariants, seeds | Other |",
        "|---|---|---|---|---|",
        *(_row(result) for result in results),
    ]
    return "\n".join(lines)


def _row(result: Result) -> str:
    fault = result.fault
    tests = result.words("tests")
    tests = f"`{tests}`" if result.notices.get("tests", Notice()).caught else tests
    other = "; ".join(f"{layer}: `{result.words(layer)}`" for layer in result.others())
    cells = (fault.what, f"**{fault.invariant}**", tests, result.words("simulation"), other)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def rewrite(path: Path, table: str) -> None:
    """Put the table between a document's markers; raise BadFault where they are not."""
    head, begin, rest = path.read_text().partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise BadFault(f"{path.name}: the markers {BEGIN} and {END} were expected")
    path.write_text(f"{head}{BEGIN}\n\n{table}\n\n{END}{tail}")


def as_json(results: Sequence[Result], seeds: int, seconds: float) -> str:
    """Return the results as JSON; times in seconds."""
    faults = [
        {
            "fault": result.fault.title,
            "invariant": result.fault.invariant,
            "what": result.fault.what,
            "layer": result.fault.layer,
            "file": result.fault.file,
            "noticed": {layer: found.caught for layer, found in result.notices.items()},
            "failure": result.failure,
            "seconds": round(result.seconds, 1),
        }
        for result in results
    ]
    return json.dumps({"seeds": seeds, "seconds": round(seconds, 1), "faults": faults}, indent=1) + "\n"
