"""`python -m tests.simulation`: judge many worlds, or look at one.

    --seeds 10000 --from 0 --jobs 2     play and judge these; the last line counts
    --seeds 1000 --stop                 the same, no further than the first failing seed
    --seed 37                           replay one seed; of a failing one print the shortest story

Exit code 0: no violation; 1: some; 2: bad arguments.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from tests.simulation.script import draw
from tests.simulation.sweep import closing_line, explain, judge, timed

FOLDER = Path(__file__).resolve().parents[2] / "build" / "simulation"
EXPLAINED = 3


def main(arguments: list[str] | None = None) -> int:
    """Run; return the exit code."""
    parser = argparse.ArgumentParser(prog="simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many (default 1000)")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once")
    parser.add_argument("--stop", action="store_true", help="end at the first failing seed")
    parser.add_argument("--seed", type=int, help="replay this one")
    parser.add_argument("--stories", type=int, default=EXPLAINED, help="failing seeds to explain (default 3)")
    parser.add_argument("--json", type=Path, help="write totals and failures here")
    options = parser.parse_args(arguments)
    if options.seeds < 1 or options.jobs < 1:
        parser.error("--seeds and --jobs: 1 or more")
    if options.seed is not None:
        return _replay(options.seed)
    stop_at = int(options.stop)
    totals, failed, seconds = timed(options.first, options.seeds, options.jobs, stop_at, _say)
    for seed in list(dict.fromkeys(seed for seed, _ in failed))[: options.stories]:
        print(explain(seed, FOLDER))
    print(closing_line(totals, seconds))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps({"totals": totals, "failed": failed, "seconds": seconds}) + "\n")
    return 1 if failed else 0


def _say(line: str) -> None:
    print(line, flush=True)


def _replay(seed: int) -> int:
    found = judge(draw(seed))
    path = FOLDER / f"seed-{seed}.jsonl"
    found.outcome.history.write(path)
    print(f"seed {seed}: {len(found.outcome.history.entries)} entries in {path}")
    if found.violations:
        print(explain(seed, FOLDER))
    return 1 if found.violations else 0


if __name__ == "__main__":
    sys.exit(main())
