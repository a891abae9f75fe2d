"""One scenario from the making of its world to its report."""

from __future__ import annotations

import time

from rich.console import Console

from drill import layout
from drill.deploy import Project
from drill.emulator import RigError
from drill.journal import Journal
from drill.judgement import judge
from drill.layout import BUILD, TTL_SCALE
from drill.page import Dot, write_page
from drill.report import Check, Report
from drill.scenarios import SCENARIOS
from drill.stage import Stage
from drill.summary import LINE, Line
from drill.world import Watcher, World


def rehearse(name: str, console: Console, project: Project) -> Line:
    """Rehearse one scenario; write its report; return its line of the summary."""
    folder = BUILD / name
    folder.mkdir(parents=True, exist_ok=True)
    for name_of_old in ("report.json", LINE):
        (folder / name_of_old).unlink(missing_ok=True)
    journal = Journal(console)
    dots: dict[str, list[Dot]] = {}
    report = Report(name, TTL_SCALE)
    started = time.monotonic()
    console.rule(f"rehearsal: {name}")
    try:
        with World(folder, journal, project, SCENARIOS[name].policy()) as world:
            watcher = Watcher(world)
            watcher.start()
            try:
                SCENARIOS[name].run(Stage(world, report))
                report.checks.append(judge(world, folder / "history.jsonl"))
            finally:
                watcher.stop()
                dots = _dots(world)
                report.transitions = world.transitions()
                report.notifications = [mail["Subject"] for mail in world.notifications()]
                _check_rig(world, report)
    except (RigError, OSError) as error:
        report.checks.append(Check("the rehearsal's own rig works", False, str(error)))
    except Exception as error:
        report.checks.append(
            Check("the rehearsal runs to its end", False, f"{type(error).__name__}: {error}")
        )
        console.print_exception()
    report.timeline = journal.timeline()
    path = report.write(folder)
    page = write_page(report, dots, folder)
    report.show(console)
    took = time.monotonic() - started
    console.print(f"{path}\n{page}\n({name}: {took:.0f} s in all)", soft_wrap=True)
    line = Line.of(report, took)
    line.write(folder)
    return line


def _dots(world: World) -> dict[str, list[Dot]]:
    """Return every request of every client, in seconds since the fault."""
    shift = time.time() - time.monotonic() - (world.journal.fault_at or time.time())
    served = {layout.PRIMARY: "primary", layout.STANDBY: "standby"}
    return {
        name: [
            Dot(
                answer.at_monotonic + shift,
                served.get(answer.region or "", "failed") if answer.ok else "failed",
            )
            for answer in client.answers()
        ]
        for name, client in world.clients.items()
    }


def _check_rig(world: World, report: Report) -> None:
    report.checks.append(
        Check("the rehearsal's relay met no error", not world.relay.errors, "; ".join(world.relay.errors[:3]))
    )
