"""A run of several scenarios: in turn, or some side by side; each in a world of its own."""

from __future__ import annotations

import queue
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console

from drill import layout
from drill.deploy import Project
from drill.summary import LINE, Line, write_summary
from drill.world import USUAL_POLICY

# What a plan needs to be built; each world renews it with its own addresses.
NOWHERE = {
    **USUAL_POLICY,
    "primary": layout.PRIMARY,
    "standby": layout.STANDBY,
    "primary_address": layout.PRIMARY_ADDRESS,
    "standby_address": layout.STANDBY_ADDRESS,
    "primary_endpoint": layout.PRIMARY_ADDRESS,
    "standby_endpoint": layout.STANDBY_ADDRESS,
    "port": 9,
    "zone_id": "Z0000000000000000000",
}


def in_turn(names: Sequence[str], one: Callable[[str], Line], folder: Path) -> list[Line]:
    """Rehearse each in turn, also after a failed one; the summary is written after each."""
    lines: list[Line] = []
    started = time.monotonic()
    for name in names:
        lines.append(one(name))
        write_summary(lines, time.monotonic() - started, folder)
    return lines


def side_by_side(names: Sequence[str], rounds: int, jobs: int, console: Console, folder: Path) -> list[Line]:
    """Rehearse so many at a time, each in a process of its own; what one prints is in its terminal.log."""
    started = time.monotonic()
    project = Project()
    folder.mkdir(parents=True, exist_ok=True)
    console.print(project.build(NOWHERE, folder / "sam-build.log"))
    free: queue.SimpleQueue[Path] = queue.SimpleQueue()
    for number in range(jobs):
        free.put(project.twin(folder / f"project-{number + 1}").folder)

    def one(name: str) -> Line:
        workshop = free.get()
        try:
            line = _in_a_process(name, workshop, folder / name)
        finally:
            free.put(workshop)
        verdict = "[green]passed[/]" if line.passed else "[red]FAILED[/]"
        console.print(f"{name}: {verdict}, {line.seconds:.0f} s")
        return line

    lines: list[Line] = []
    with ThreadPoolExecutor(jobs) as pool:
        for _ in range(rounds):  # a scenario has one folder: no two of its rounds at once
            lines += pool.map(one, names)
            write_summary(lines, time.monotonic() - started, folder)
    return lines


def _in_a_process(name: str, workshop: Path, folder: Path) -> Line:
    """Rehearse in a new process; one that leaves no line has failed."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / LINE).unlink(missing_ok=True)
    started = time.monotonic()
    with (folder / "terminal.log").open("wb") as out:
        subprocess.run(
            [sys.executable, "-m", "drill", name, "--built", str(workshop)],
            cwd=layout.ROOT,
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    return Line.read(folder) or Line(name, False, 0, None, None, round(time.monotonic() - started, 1))
