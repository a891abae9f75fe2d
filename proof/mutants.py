"""`python -m proof.mutants`: break the product on purpose, one promise at a time, and see who notices.

    --only 7 --only 12          these faults alone, without the control and without writing the document
    --seeds 1000                worlds that the simulation plays against each fault
    --jobs 2                    faults side by side
    --all                       each fault meets the tests and the simulation too: three times as long

Each fault (`proof/faults/`) is applied to a copy of the working tree, and the copy meets the layer of proof
that the fault names. A copy without any fault meets the same layers first: where that one fails, nothing that
follows would mean anything. With --all the table tells what the other layers notice as well.

Writes build/mutants.json and the table in docs/promises.md. Exit code 0: each fault is caught by the layer it
names; 1: one is not, or its patch does not apply; 2: the tree itself fails, or bad arguments.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console

from proof.faults import CONTROL, ROOT, BadFault, Fault, apply, copy_tree, read_faults
from proof.faults.layers import LAYERS, PATIENCE_S, Layer, Notice, layers_of
from proof.faults.report import Result, as_json, document, rewrite, show

RESULT = ROOT / "build" / "mutants.json"
DOCUMENT = ROOT / "docs" / "promises.md"


def main(arguments: list[str] | None = None) -> int:
    """Run; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="proof.mutants", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", type=int, action="append", default=[], metavar="NN")
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args(arguments)
    faults = [fault for fault in read_faults() if not options.only or fault.number in options.only]
    if not faults or options.seeds < 1 or options.jobs < 1:
        parser.error("--only: a fault's number; --seeds, --jobs: 1 or more")
    console = Console(width=None if sys.stdout.isatty() else 180)
    return run(faults, options.seeds, options.jobs, console, whole=not options.only, own=not options.all)


def run(
    faults: Sequence[Fault],
    seeds: int,
    jobs: int,
    console: Console,
    *,
    whole: bool,
    own: bool = False,
    layers: Mapping[str, Layer] = LAYERS,
    result: Path = RESULT,
    written: Path = DOCUMENT,
) -> int:
    """Let each fault meet its layers, and report; `whole`: the control first, and the document after."""
    started = time.monotonic()
    if whole and (wrong := control(faults, seeds, jobs, layers, own)):
        console.print(f"the tree without any fault fails: {'; '.join(wrong)}", style="red", markup=False)
        return 2

    def tried(fault: Fault) -> Result:
        found = meet(fault, layers_of(fault, own), seeds, layers)
        words = found.failure or "caught"
        console.print(f"{fault.title}: {words} ({found.seconds:.0f} s)", highlight=False, markup=False)
        return found

    with ThreadPoolExecutor(jobs) as pool:
        results = list(pool.map(tried, faults))
    seconds = time.monotonic() - started
    show(results, console)
    missed = sum(bool(found.failure) for found in results)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = f"{seconds:.0f} s, {used.ru_utime + used.ru_stime:.0f} s of processor time"
    console.print(f"mutants: faults {len(results)}, not caught {missed} ({spent})", highlight=False)
    result.parent.mkdir(parents=True, exist_ok=True)
    result.write_text(as_json(results, seeds, seconds))
    if whole:
        rewrite(written, document(results, seeds))
    return 1 if missed else 0


def control(
    faults: Sequence[Fault], seeds: int, jobs: int, layers: Mapping[str, Layer], own: bool = False
) -> list[str]:
    """Return what objects to a copy without any fault; nothing, if the layers are to be believed."""
    names = dict.fromkeys(name for fault in faults for name in layers_of(fault, own))
    with ThreadPoolExecutor(jobs) as pool:
        found = list(pool.map(lambda name: meet(CONTROL, [name], seeds, layers), names))
    notices = [(name, notice) for result in found for name, notice in result.notices.items()]
    return [f"{name}: {notice}" for name, notice in notices if notice != Notice()]


def meet(fault: Fault, names: Sequence[str], seeds: int, layers: Mapping[str, Layer] = LAYERS) -> Result:
    """Return what these layers notice of a fault, in a copy of the working tree."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fault-") as name:
        folder = Path(name)
        copy_tree(folder)
        try:
            apply(fault, folder)
        except BadFault as error:
            return Result(fault, problem=str(error))
        notices = {layer: _ask(layers[layer], folder, seeds) for layer in names}
    return Result(fault, notices, seconds=time.monotonic() - started)


def _ask(layer: Layer, folder: Path, seeds: int) -> Notice:
    try:
        return layer(folder, seeds)
    except subprocess.TimeoutExpired:
        return Notice(broken=f"did not end within {PATIENCE_S:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
