"""`python -m drill SCENARIO...`: rehearse outages on the embedded AWS.

Exit code 0: everything asserted held; 1: something did not, or the rig failed; 2: bad arguments.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from drill import layout
from drill.deploy import Project
from drill.emulator import RigError
from drill.journal import Journal
from drill.layout import BUILD, TTL_SCALE
from drill.page import Dot, write_page
from drill.report import Check, Report
from drill.scenarios import SCENARIOS
from drill.stage import Stage
from drill.summary import Line, has_passed, show_summary, write_summary
from drill.world import Watcher, World


def main(arguments: list[str] | None = None) -> int:
    """Run the scenarios asked for, one after the other whatever each comes to; return the exit code."""
    options = _options(arguments)
    if "list" in options.scenarios:
        print(_list())
        return 0
    names = list(SCENARIOS) if "all" in options.scenarios else list(options.scenarios)
    console = Console(width=None if sys.stdout.isatty() else 160)
    project = Project()
    lines = rehearse_all(names * options.rounds, lambda name: rehearse(name, console, project), BUILD)
    show_summary(lines, console)
    console.print(f"{BUILD / 'summary.json'}", soft_wrap=True)
    return 0 if has_passed(lines) else 1


def rehearse_all(names: Sequence[str], one: Callable[[str], Line], folder: Path) -> list[Line]:
    """Rehearse each in turn, also after a failed one; the summary is written after each."""
    lines: list[Line] = []
    for name in names:
        lines.append(one(name))
        write_summary(lines, folder)
    return lines


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="drill",
        description=__doc__,
        epilog=f"scenarios:\n{_list()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    choices = [*SCENARIOS, "all", "list"]
    parser.add_argument(
        "scenarios",
        choices=choices,
        nargs="+",
        metavar="SCENARIO",
        help="one or several of those below, 'all', or 'list'",
    )
    parser.add_argument("--rounds", type=_at_least_one, default=1, help="how often (default 1)")
    return parser.parse_args(arguments)


def _at_least_one(text: str) -> int:
    return max(int(text), 1)


def _list() -> str:
    width = max(map(len, SCENARIOS)) + 2
    return "\n".join(f"  {name:{width}}{scenario.about}" for name, scenario in SCENARIOS.items())


def rehearse(name: str, console: Console, project: Project) -> Line:
    """Rehearse one scenario; write its report; return its line of the summary."""
    folder = BUILD / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").unlink(missing_ok=True)
    journal = Journal(console)
    dots: dict[str, list[Dot]] = {}
    report = Report(name, TTL_SCALE)
    started = time.monotonic()
    console.rule(f"rehearsal: {name}")
    try:
        with World(folder, journal, project) as world:
            watcher = Watcher(world)
            watcher.start()
            try:
                SCENARIOS[name].run(Stage(world, report))
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
    return Line.of(report, took)


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


if __name__ == "__main__":
    sys.exit(main())
