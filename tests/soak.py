"""`python -m tests.soak`: the long proofs, one after the other; goes on after one that fails.

Its last lines say what each came to. Exit code 0: all held; 1: something did not.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# `make test` plays the seeds from 0 on; the soak goes on where it ends.
FIRST_SEED = 10_000


def main(arguments: list[str] | None = None) -> int:
    """Run every part; return the exit code."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200_000, help="worlds to simulate")
    parser.add_argument("--kills", type=int, default=500, help="real processes to kill")
    parser.add_argument("--days", type=int, default=90, help="days of one-minute ticks")
    parser.add_argument("--years", type=int, default=4, help="years of noise, and 2,000 outages")
    parser.add_argument("--stride", type=int, default=1, help="of the double crashes: every n-th pair")
    parser.add_argument("--rounds", type=int, default=1, help="of all scenarios of the rehearsal")
    parser.add_argument("--jobs", type=int, default=1, help="rehearsals side by side")
    options = parser.parse_args(arguments)
    freezes = max(options.kills // 5, 1)
    parts: dict[str, list[str]] = {
        "simulation": ["tests.simulation", "--seeds", str(options.seeds), "--from", str(FIRST_SEED)],
        "crash matrix": ["tests.simulation.crash", "--double", "--stride", str(options.stride)],
        "ninety days": ["tests.simulation.ninety_days", "--days", str(options.days)],
        "judgement": ["tests.year", "--years", str(options.years)],
        "real workers": [
            "tests.concurrency", "--kills", str(options.kills), "--freezes", str(freezes), "--seed", "1",
        ],
        "rehearsals": ["drill", "all", "--rounds", str(options.rounds), "--jobs", str(options.jobs)],
    }  # fmt: skip
    if options.rounds < 1:
        del parts["rehearsals"]
    results = {name: _run(name, command) for name, command in parts.items()}
    print("\nsoak:")
    for name, (code, line) in results.items():
        print(f"  {'held' if code == 0 else 'FAILED'}: {name}: {line}")
    return 1 if any(code for code, _ in results.values()) else 0


def _run(name: str, command: list[str]) -> tuple[int, str]:
    """Run one part, its output shown as it comes; return its exit code and its last line."""
    print(f"== {name}: python -m {' '.join(command)}", flush=True)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/layers/common", "PYTHONUNBUFFERED": "1"}
    last = ""
    with subprocess.Popen(
        [sys.executable, "-m", *command], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            last = line.strip() or last
        code = process.wait()
    return code, last


if __name__ == "__main__":
    sys.exit(main())
