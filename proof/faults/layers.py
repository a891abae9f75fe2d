"""The layers of proof that a fault meets: each runs in a copy of the tree and says what it has noticed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from proof.faults import Fault

# A layer that has not ended by then hangs: it proves nothing, and that is reported.
PATIENCE_S = 1800.0

# The slow ones come last, so that what is caught is caught soon; the bench is no part of the product.
_SLOW = frozenset({"test_handlers.py", "test_blame.py", "test_every_decision.py"})
_NOT_THE_PRODUCT = frozenset({"test_bench.py"})

_PYTEST = ("-m", "pytest", "-x", "-q", "-rfE", "--tb=no", "--hypothesis-seed=0", "--timeout=600")


@dataclass(frozen=True, slots=True)
class Notice:
    """What one layer came to.

    `caught`: the test that failed first, or after how many worlds the checker objected; '' if nothing did.
    `broken`: why it came to no result; '' if it came to one.
    """

    caught: str = ""
    broken: str = ""

    def __str__(self) -> str:
        """Return what a table shows."""
        return self.broken or self.caught or "–"


# Asks a layer in a copy of the tree; the number is that of the simulation's seeds.
Layer = Callable[[Path, int], Notice]


def layers_of(fault: Fault, own: bool = False) -> tuple[str, ...]:
    """Return the layers that a fault meets: its own, then the tests and the simulation; `own`: its own alone.

    What stands in a template is of no concern to the simulation.
    """
    if own:
        return (fault.layer,)
    met = (fault.layer, *ALWAYS) if fault.file.endswith(".py") else (fault.layer, "tests")
    return tuple(dict.fromkeys(met))


def _run(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run Python in a copy; return its exit code and what it said."""
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
    """Return the first test that fails; one that cannot even be collected is no catch."""
    code, output = _run(folder, *_PYTEST, "-p", "no:cacheprovider", *files)
    failed = re.search(r"^(?:FAILED|ERROR) (\S+?(?:\[.*?\])?)(?: - .*)?$", output, re.MULTILINE)
    if code == 0:
        return Notice()
    if code == 1 and failed:
        return Notice(caught=failed[1].partition("::")[2].removeprefix("test_"))
    return Notice(broken=f"pytest ended with {code}: {_last_line(output)}")


def _last_line(output: str) -> str:
    return (output.strip().splitlines() or ["without a word"])[-1]


def _tests(folder: Path, _: int) -> Notice:
    found = [path for kind in ("functional", "unit") for path in (folder / "tests" / kind).glob("test_*.py")]
    files = sorted(found, key=lambda path: (path.name in _SLOW, path))
    return _pytest(folder, *(str(path) for path in files if path.name not in _NOT_THE_PRODUCT))


def _contract(folder: Path, _: int) -> Notice:
    """Run the contract tests but those that need the embedded AWS, which a copy of the tree has not."""
    return _pytest(folder, "tests/contract", "-k", "not embedded_aws")


def _file(name: str) -> Layer:
    return lambda folder, _: _pytest(folder, name)


def _simulation(folder: Path, seeds: int) -> Notice:
    report = folder / "build" / "found.json"
    wanted = ("--seeds", str(seeds), "--jobs", "1", "--stop", "--stories", "0", "--json", str(report))
    code, output = _run(folder, "-m", "tests.simulation", *wanted)
    if not report.exists():
        return Notice(broken=f"the simulation ended with {code}: {_last_line(output)}")
    failed: list[tuple[int, str]] = json.loads(report.read_text())["failed"]
    if not failed:
        return Notice()
    first = failed[0][0]
    broken = dict.fromkeys(violation.split()[0] for seed, violation in failed if seed == first)
    return Notice(caught=f"{', '.join(broken)} after {first + 1}")


LAYERS: dict[str, Layer] = {
    "simulation": _simulation,
    "tests": _tests,
    "crash matrix": _file("tests/simulation/test_crash_matrix.py"),
    "contract": _contract,
    "blame": _file("tests/unit/test_blame.py"),
    "situations": _file("tests/unit/test_situations.py"),
    "orders": _file("tests/simulation/test_orders.py"),
    "template": _file("tests/template"),
}
ALWAYS = ("tests", "simulation")
