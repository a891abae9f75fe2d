"""`python -m drill SCENARIO`: rehearse an outage on the embedded AWS.

Exit code 0: everything asserted held; 1: something did not, or the rig failed; 2: bad arguments.
"""

from __future__ import annotations

import argparse
import sys
import time

from rich.console import Console

from drill import layout
from drill.emulator import RigError
from drill.journal import Journal
from drill.layout import BUILD, TTL_SCALE
from drill.page import Dot, write_page
from drill.report import Check, Report
from drill.scenarios import SCENARIOS
from drill.world import Watcher, World


def main(arguments: list[str] | None = None) -> int:
    """Run the scenarios asked for; return the exit code."""
    parser = argparse.ArgumentParser(prog="drill", description=__doc__)
    parser.add_argument("scenario", choices=[*SCENARIOS, "all"], help="which outage to rehearse")
    parser.add_argument("--rounds", type=int, default=1, help="how often (default 1)")
    options = parser.parse_args(arguments)
    names = list(SCENARIOS) if options.scenario == "all" else [options.scenario]
    console = Console(width=None if sys.stdout.isatty() else 160)
    results = [rehearse(name, console) for _ in range(max(options.rounds, 1)) for name in names]
    return 0 if all(results) else 1


def rehearse(name: str, console: Console) -> bool:
    """Rehearse one scenario; write its report; return whether it passed."""
    folder = BUILD / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").unlink(missing_ok=True)
    journal = Journal(console)
    dots: dict[str, list[Dot]] = {}
    report = Report(name, TTL_SCALE)
    started = time.monotonic()
    console.rule(f"rehearsal: {name}")
    try:
        with World(folder, journal) as world:
            watcher = Watcher(world)
            watcher.start()
            try:
                SCENARIOS[name](world, report)
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
    console.print(f"{path}\n{page}\n({name}: {time.monotonic() - started:.0f} s in all)", soft_wrap=True)
    return report.passed


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
