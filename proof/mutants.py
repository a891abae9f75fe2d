"""`python -m proof.mutants`: break the product on purpose, one promise at a time, and see who notices.

    --only 7 --only 12          these faults alone (their numbers), without the control and the document
    --seeds 1000                worlds that the simulation plays against each fault
    --jobs 2                    faults side by side

A fault is a small patch in `proof/faults/`: a plausible mistake that breaks one promise of DESIGN §9. Each is
applied to a copy of the working tree, and its copy meets the layer of proof that the patch names, then the
tests and the simulation, so that the table tells which of them notices what. The same layers meet a copy
without any fault first: where that one fails, nothing that follows would mean anything.

Writes build/mutants.json and the table in docs/promises.md. Exit code 0: every fault is caught, by its own
layer too; 1: one is not, or its patch does not apply; 2: the tree itself fails, or bad arguments.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
FAULTS = ROOT / "proof" / "faults"
RESULT = ROOT / "build" / "mutants.json"
DOCUMENT = ROOT / "docs" / "promises.md"
BEGIN, END = "<!-- seeded faults: begin -->", "<!-- seeded faults: end -->"

COPIED = ("layers", "functions", "tests", "proof", "drill", "events", "pyproject.toml")
COPIED_TEMPLATES = ("template.yaml", "signals.yaml", "samconfig.toml", "Makefile")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".pytest_cache", ".hypothesis", "build")

# A layer that has not ended by then hangs. It is no proof of anything, and is reported as a failure of ours.
PATIENCE_S = 1800.0

# The slow ones come last, so that what is caught at all is caught soon; the bench is no part of the product.
SLOW = ("test_handlers.py",)
NOT_THE_PRODUCT = ("test_bench.py",)


class BadFault(Exception):
    """A patch that does not say what it breaks, or does not apply to the present tree."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake. `file`: what it changes, relative to the root; `layer`: who must notice it."""

    number: int
    name: str
    invariant: str
    what: str
    layer: str
    file: str
    patch: Path | None

    @property
    def title(self) -> str:
        """Return '07 upsert-instead-of-compare-and-swap'."""
        return f"{self.number:02d} {self.name}"


# The tree as it is: what the faults are compared with.
CONTROL = Fault(0, "no-fault", "", "The tree as it is.", "", "", None)


@dataclass(frozen=True, slots=True)
class Notice:
    """What one layer came to: `caught` by whom or after how much, '' where it noticed nothing.

    `broken`: why it came to no result at all.
    """

    caught: str = ""
    broken: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one fault, by layer; `problem`: why it was not tried."""

    fault: Fault
    notices: dict[str, Notice] = field(default_factory=dict)
    problem: str = ""
    seconds: float = 0.0

    @property
    def failure(self) -> str:
        """Return what is wrong with the proof, '' if nothing: each fault is caught, by its own layer too."""
        if self.problem:
            return self.problem
        broken = [f"{layer}: {found.broken}" for layer, found in self.notices.items() if found.broken]
        if broken:
            return "; ".join(broken)
        own = self.notices.get(self.fault.layer)
        return "" if own and own.caught else f"not noticed by: {self.fault.layer}"


# Faults and the tree


def read_faults(folder: Path = FAULTS) -> tuple[Fault, ...]:
    """Return every fault, by number; raise BadFault for a patch that is no such."""
    found = tuple(read_fault(path) for path in sorted(folder.glob("*.patch")))
    numbers = [fault.number for fault in found]
    if len(set(numbers)) != len(numbers):
        raise BadFault(f"{folder}: two faults have one number")
    return found


def read_fault(path: Path) -> Fault:
    """Return the fault in a patch whose head says invariant, what and layer, one line each."""
    text = path.read_text()
    head = dict(re.findall(r"^# (invariant|what|layer): (.+)$", text, re.MULTILINE))
    files = re.findall(r"^\+\+\+ b/(\S+)$", text, re.MULTILINE)
    number, _, name = path.stem.partition("-")
    missing = sorted({"invariant", "what", "layer"} - set(head))
    if missing or len(files) != 1 or not number.isdecimal() or not name:
        raise BadFault(
            f"{path.name}: NN-name.patch with '# invariant:', '# what:' and '# layer:' that changes one file"
            f" was expected; missing {missing}, files {files}"
        )
    if head["layer"] not in LAYERS:
        raise BadFault(f"{path.name}: no layer {head['layer']!r}; known are {', '.join(LAYERS)}")
    return Fault(int(number), name, head["invariant"], head["what"], head["layer"], files[0], path)


def copy_tree(folder: Path, root: Path = ROOT) -> None:
    """Copy what the layers need of the working tree into an empty folder."""
    for name in (*COPIED, *COPIED_TEMPLATES):
        there = root / name
        if there.is_dir():
            shutil.copytree(there, folder / name, ignore=LEFT_OUT)
        elif there.exists():
            shutil.copy2(there, folder / name)


def apply(fault: Fault, folder: Path) -> None:
    """Apply a fault to a copy; raise BadFault where the patch does not fit, or changes nothing."""
    if fault.patch is None:
        return
    target = folder / fault.file
    before = target.read_bytes() if target.exists() else b""
    done = subprocess.run(
        ["git", "apply", str(fault.patch)],
        cwd=folder,
        env={
            **os.environ,
            "GIT_CEILING_DIRECTORIES": str(folder.parent),
        },  # the copy is no part of a repository
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode or not target.exists() or target.read_bytes() == before:
        raise BadFault(f"the patch does not apply: {done.stderr.strip() or 'nothing changed'}")


# Layers


Layer = Callable[[Path, int], Notice]


def _run(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run Python in a copy; return its exit code and output; raise TimeoutExpired for what hangs."""
    paths = os.pathsep.join(str(path) for path in (folder, folder / "layers" / "common"))
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths, "NO_COLOR": "1", "COLUMNS": "400"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return done.returncode, done.stdout


def _pytest(folder: Path, *files: str) -> Notice:
    options = (
        "-x",
        "-q",
        "-rfE",
        "--tb=no",
        "-p",
        "no:cacheprovider",
        "--hypothesis-seed=0",
        "--timeout=600",
    )
    code, output = _run(folder, "-m", "pytest", *options, *files)
    failed = re.search(r"^(?:FAILED|ERROR) (\S+?)(?: - .*)?$", output, re.MULTILINE)
    if code == 0:
        return Notice()
    if code == 1 and failed:
        return Notice(caught=failed[1].rpartition("::")[2].removeprefix("test_"))
    return Notice(broken=f"pytest ended with {code}: {output.strip().splitlines()[-1:]}")


def _tests(folder: Path, _: int) -> Notice:
    found = sorted(
        (path for kind in ("functional", "unit") for path in (folder / "tests" / kind).glob("test_*.py")),
        key=lambda path: (path.name in SLOW, path),
    )
    return _pytest(folder, *(str(path) for path in found if path.name not in NOT_THE_PRODUCT))


def _contract(folder: Path, _: int) -> Notice:
    return _pytest(folder, "tests/contract", "--ignore", "tests/contract/test_on_the_embedded_aws.py")


def _files(*names: str) -> Layer:
    return lambda folder, _: _pytest(folder, *names)


def _simulation(folder: Path, seeds: int) -> Notice:
    report = folder / "build" / "found.json"
    wanted = ("--seeds", str(seeds), "--jobs", "1", "--stop", "--stories", "0", "--json", str(report))
    code, output = _run(folder, "-m", "tests.simulation", *wanted)
    if not report.exists():
        return Notice(broken=f"the simulation ended with {code}: {output.strip().splitlines()[-1:]}")
    failed = json.loads(report.read_text())["failed"]
    if not failed:
        return Notice()
    seed, violation = failed[0]
    return Notice(caught=f"{violation.split()[0]} after {seed + 1} seed{'s' if seed else ''}")


LAYERS: dict[str, Layer] = {
    "simulation": _simulation,
    "tests": _tests,
    "crash matrix": _files("tests/simulation/test_crash_matrix.py"),
    "contract": _contract,
    "blame": _files("tests/unit/test_symptom.py"),
    "template": _files("tests/template"),
}
ALWAYS = ("tests", "simulation")


def layers_of(fault: Fault) -> tuple[str, ...]:
    """Return the layers that a fault meets: its own, then the tests and the simulation.

    A fault of the template meets only its own: nothing else reads it.
    """
    return (fault.layer,) if fault.layer == "template" else tuple(dict.fromkeys((fault.layer, *ALWAYS)))


def meet(fault: Fault, layers: Sequence[str], seeds: int) -> Result:
    """Return what these layers notice of a fault, in a copy of the working tree."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fault-") as name:
        folder = Path(name)
        copy_tree(folder)
        try:
            apply(fault, folder)
        except BadFault as error:
            return Result(fault, problem=str(error))
        notices = {layer: _ask(layer, folder, seeds) for layer in layers}
    return Result(fault, notices, seconds=time.monotonic() - started)


def _ask(layer: str, folder: Path, seeds: int) -> Notice:
    try:
        return LAYERS[layer](folder, seeds)
    except subprocess.TimeoutExpired:
        return Notice(broken=f"did not end within {PATIENCE_S:.0f} s")


# Report


def show(results: Sequence[Result], console: Console) -> None:
    """Print the table."""
    table = Table(title="Seeded faults", title_justify="left")
    for heading in ("fault", "invariant", "layer", "tests", "simulation", "own layer", "s"):
        table.add_column(heading, overflow="fold")
    for result in results:
        fault = result.fault
        own = "" if fault.layer in ALWAYS else _words(result, fault.layer)
        cells = (fault.title, fault.invariant, fault.layer, *(_words(result, layer) for layer in ALWAYS), own)
        table.add_row(*cells, f"{result.seconds:.0f}", style="red" if result.failure else "")
    console.print(table)


def _words(result: Result, layer: str) -> str:
    found = result.notices.get(layer)
    if found is None:
        return ""
    return found.broken or found.caught or "–"


def document(results: Sequence[Result], seeds: int) -> str:
    """Return the table for docs/promises.md."""
    by = {layer: sum(bool(r.notices.get(layer, Notice()).caught) for r in results) for layer in ALWAYS}
    missed = [result.fault.title for result in results if result.failure]
    verdict = f"Not caught: {', '.join(missed)}." if missed else "Every one is caught, by the layer it names."
    lines = [
        f"{len(results)} faults; the tests notice {by['tests']}, the simulation {by['simulation']} (at most"
        f" {seeds:,} seeds each). {verdict}",
        "",
        "| Fault | | Tests | Simulation | Other |",
        "|---|---|---|---|---|",
    ]
    for result in results:
        fault = result.fault
        tests, simulation = (_cell(result, layer) for layer in ALWAYS)
        other = "" if fault.layer in ALWAYS else f"{fault.layer}: {_cell(result, fault.layer)}"
        lines.append(f"| {fault.what} | {fault.invariant} | {tests} | {simulation} | {other} |")
    return "\n".join(lines)


def _cell(result: Result, layer: str) -> str:
    found = _words(result, layer)
    return f"`{found}`" if found and layer != "simulation" and found != "–" else found


def rewrite(path: Path, table: str) -> None:
    """Put the table between the document's markers."""
    head, begin, rest = path.read_text().partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise BadFault(f"{path.name}: the markers {BEGIN} and {END} were expected")
    path.write_text(f"{head}{BEGIN}\n\n{table}\n\n{END}{tail}")


def as_json(results: Sequence[Result], seeds: int, seconds: float) -> str:
    """Return the results as JSON."""
    faults = [
        {
            "number": result.fault.number,
            "name": result.fault.name,
            "invariant": result.fault.invariant,
            "what": result.fault.what,
            "layer": result.fault.layer,
            "noticed": {layer: found.broken or found.caught for layer, found in result.notices.items()},
            "failure": result.failure,
            "seconds": round(result.seconds, 1),
        }
        for result in results
    ]
    return json.dumps({"seeds": seeds, "seconds": round(seconds, 1), "faults": faults}, indent=1) + "\n"


# The command


def main(arguments: list[str] | None = None) -> int:
    """Run; return the exit code."""
    parser = argparse.ArgumentParser(prog="proof.mutants", description=__doc__)
    parser.add_argument("--only", type=int, action="append", default=[], help="a fault's number")
    parser.add_argument("--seeds", type=int, default=1000, help="worlds against each fault (default 1000)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="faults side by side")
    options = parser.parse_args(arguments)
    faults = [f for f in read_faults() if not options.only or f.number in options.only]
    if not faults or options.seeds < 1 or options.jobs < 1:
        parser.error("no such fault, or --seeds or --jobs below 1")
    return run(faults, options.seeds, options.jobs, whole=not options.only)


def run(faults: Sequence[Fault], seeds: int, jobs: int, *, whole: bool) -> int:
    """Let each fault meet its layers and report; `whole`: with the control first, and the document after."""
    console, started = Console(), time.monotonic()
    if whole:
        failed = _control(faults, seeds, jobs)
        if failed:
            console.print(f"[red]the tree without any fault fails: {'; '.join(failed)}")
            return 2

    def tried(fault: Fault) -> Result:
        result = meet(fault, layers_of(fault), seeds)
        console.print(
            f"{fault.title}: {result.failure or 'caught'} ({result.seconds:.0f} s)", highlight=False
        )
        return result

    with ThreadPoolExecutor(jobs) as pool:
        results = list(pool.map(tried, faults))
    seconds = time.monotonic() - started
    show(results, console)
    missed = [result for result in results if result.failure]
    for result in missed:
        console.print(f"[red]{result.fault.title}: {result.failure}", highlight=False)
    console.print(
        f"seeded faults: {len(results)}, not caught {len(missed)} ({seconds:.0f} s)", highlight=False
    )
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(as_json(results, seeds, seconds))
    if whole:
        rewrite(DOCUMENT, document(results, seeds))
    return 1 if missed else 0


def _control(faults: Sequence[Fault], seeds: int, jobs: int) -> list[str]:
    """Return what fails in a copy without any fault, '' if nothing."""
    layers = list(dict.fromkeys(layer for fault in faults for layer in layers_of(fault)))
    with ThreadPoolExecutor(jobs) as pool:
        found = list(pool.map(lambda layer: meet(CONTROL, [layer], seeds), layers))
    return [
        f"{layer}: {notice.broken or notice.caught}"
        for result in found
        for layer, notice in result.notices.items()
        if notice.broken or notice.caught
    ]


if __name__ == "__main__":
    sys.exit(main())
