"""`python -m drill SCENARIO...`: rehearse outages on the embedded AWS.

Exit code 0: everything asserted held; 1: something did not, or the rig failed; 2: bad arguments.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from rich.console import Console

from drill.deploy import Project
from drill.layout import BUILD
from drill.rehearsal import rehearse
from drill.runs import in_turn, side_by_side
from drill.scenarios import SCENARIOS
from drill.summary import has_passed, show_summary


def main(arguments: list[str] | None = None) -> int:
    """Run the scenarios asked for, whatever each comes to; return the exit code."""
    options = _options(arguments)
    if "list" in options.scenarios:
        print(_list())
        return 0
    console = Console(width=None if sys.stdout.isatty() else 160)
    if options.built is not None:  # one of several side by side: the run that started it sums up
        return (
            0 if rehearse(options.scenarios[0], console, Project.already_built(options.built)).passed else 1
        )
    started = time.monotonic()
    names = list(SCENARIOS) if "all" in options.scenarios else list(options.scenarios)
    if options.jobs > 1:
        lines = side_by_side(names, options.rounds, options.jobs, console, BUILD)
    else:
        project = Project()
        lines = in_turn(names * options.rounds, lambda name: rehearse(name, console, project), BUILD)
    show_summary(lines, time.monotonic() - started, console)
    console.print(f"{BUILD / 'summary.json'}", soft_wrap=True)
    return 0 if has_passed(lines) else 1


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="drill",
        description=__doc__,
        epilog=f"scenarios:\n{_list()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "scenarios",
        choices=[*SCENARIOS, "all", "list"],
        nargs="+",
        metavar="SCENARIO",
        help="one or several of those below, 'all', or 'list'",
    )
    parser.add_argument("--rounds", type=_at_least_one, default=1, help="how often (default 1)")
    parser.add_argument(
        "--jobs", type=_at_least_one, default=1, help="how many side by side (default 1; times suffer)"
    )
    parser.add_argument("--built", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _at_least_one(text: str) -> int:
    return max(int(text), 1)


def _list() -> str:
    width = max(map(len, SCENARIOS)) + 2
    return "\n".join(f"  {name:{width}}{scenario.about}" for name, scenario in SCENARIOS.items())


if __name__ == "__main__":
    sys.exit(main())
