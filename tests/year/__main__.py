"""`python -m tests.year`: live years of noise, suffer outages, and say how often judgement was fooled.

    --years 20 --outages 2000 --jobs 2    the last lines say what it came to
    --write                               and write docs/judgement.md with its plot

Exit code 0: at most one false failover a year, no outage missed, all figures kept; 1: not so; 2: bad
arguments.
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from tests.fakes import World
from tests.year.cost import month, month_of_another
from tests.year.report import Findings, markdown, share, svg
from tests.year.weather import Trouble
from tests.year.years import Outage, Year, calm_hours, live, spread, suffer

DOCS = Path(__file__).resolve().parents[2] / "docs"
PLACES = {"one": False, "two": True}

# What the default plan promises, in seconds; of a total outage: one that reads alone show.
SEEN_WITHIN = 30.0
DECIDED_WITHIN = {"one": 90.0, "two": 35.0}
FALSE_A_YEAR = 1.0
USD_A_MONTH = 1.0


def main(arguments: list[str] | None = None) -> int:
    """Run; return the exit code."""
    parser = argparse.ArgumentParser(prog="year", description=__doc__)
    parser.add_argument("--years", type=int, default=20, help="how many to live (default 20)")
    parser.add_argument("--outages", type=int, default=2000, help="how many to suffer (default 2000)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once")
    parser.add_argument("--write", action="store_true", help="write docs/judgement.md and docs/judgement.svg")
    options = parser.parse_args(arguments)
    if min(options.years, options.outages, options.jobs) < 1:
        parser.error("--years, --outages and --jobs: 1 or more")
    found = find(options.years, options.outages, options.jobs)
    if options.write:
        (DOCS / "judgement.md").write_text(markdown(found))
        (DOCS / "judgement.svg").write_text(svg(found))
    problems = broken(found)
    for problem in problems:
        print(f"not kept: {problem}")
    print(closing_line(found))
    return 1 if problems else 0


def find(years: int, outages: int, jobs: int, at_most: int | None = None) -> Findings:
    """Play all of it; of each year at most so many episodes."""
    a_year = partial(live, at_most=at_most)
    lived: dict[str, list[Year]] = {}
    suffered: dict[str, list[Outage]] = {}
    for name, vantage in PLACES.items():
        suffered[name] = spread(suffer, range(outages), vantage, jobs, lambda outage: None)
        lived[name] = spread(a_year, range(years), vantage, jobs, lambda year, name=name: _say(name, year))
    alone, both = calm_hours(6, vantage=False), calm_hours(6, vantage=True)
    bill, another = month(alone, record_bytes()), month_of_another(both, alone, record_bytes())
    today = datetime.now(UTC).date()
    words = f"{years} years and {outages} outages for each number of vantage points, seeds from 0, {today}."
    return Findings(lived, suffered, bill, another, words)


def record_bytes() -> int:
    """Return the size of a calm plan's health record."""
    world = World()
    world.probe()
    return len(world.store.healths[world.plan.name][1])


def broken(found: Findings) -> list[str]:
    """Return which figures were not kept."""
    problems: list[str] = []
    for name in PLACES:
        years, outages = found.years[name], found.outages[name]
        false = sum(year.false for year in years) / len(years)
        total = [o for o in outages if o.trouble is not Trouble.GRAY_WRITES]
        seen, decided = share([o.seen for o in total], 100), share([o.decided for o in total], 100)
        if false > FALSE_A_YEAR:
            problems.append(f"{name}: {false:.2f} false failovers a year")
        if any(o.decided is None for o in outages):
            problems.append(f"{name}: {sum(o.decided is None for o in outages)} outages missed")
        if seen is None or seen > SEEN_WITHIN:
            problems.append(f"{name}: a total outage was seen only after {seen} s")
        if decided is None or decided > DECIDED_WITHIN[name]:
            problems.append(f"{name}: a total outage was decided only after {decided} s")
    usd = sum(item.usd for item in found.bill)
    if usd >= USD_A_MONTH:
        problems.append(f"sampling costs {usd:.2f} USD a month")
    return problems


def closing_line(found: Findings) -> str:
    """Return what it came to, in one line."""
    parts = []
    for name in PLACES:
        false = sum(year.false for year in found.years[name])
        decided = [o.decided for o in found.outages[name]]
        worst = share(decided, 100)
        parts.append(
            f"{name} vantage point{'s' if name == 'two' else ''}: false failovers {false} in"
            f" {len(found.years[name])} years, outages missed {sum(time is None for time in decided)} of"
            f" {len(decided)}, decided within {worst and round(worst)} s"
        )
    return f"judgement: {'; '.join(parts)}; {sum(item.usd for item in found.bill):.2f} USD a month"


def _say(name: str, year: Year) -> None:
    moved = f", moved for {dict(year.moved)}" if year.moved else ""
    print(f"{name}: year {year.seed}: {year.spells} disturbances{moved}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
