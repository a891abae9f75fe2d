"""The soak: `python -m tests.concurrency --kills 500 --freezes 100 --seed 1`; exits 1 on any violation."""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.concurrency import rounds
from tests.concurrency.cloud import Cloud, running

AT_ONCE = 4


def play(
    cloud: Cloud, kills: int, freezes: int, seed: str, tell: Callable[[str], None] = lambda line: None
) -> None:
    """Play rounds, several at once, until so many kills and freezes have come about."""
    lock, began = threading.Lock(), time.monotonic()
    wanted = {rounds.kill: kills, rounds.freeze: freezes}
    done = dict.fromkeys(wanted, 0)
    numbers = dict.fromkeys(wanted, 0)

    def next_round() -> Callable[..., rounds.Outcome] | None:
        """Return the kind of round that is furthest behind, None where all has been done or is under way."""
        missing = {kind: wanted[kind] - done[kind] for kind in wanted if done[kind] < wanted[kind]}
        return max(missing, key=lambda kind: missing[kind] / wanted[kind]) if missing else None

    def work() -> None:
        while True:
            with lock:
                kind = next_round()
                if kind is None:
                    return
                done[kind] += 1
                numbers[kind] += 1
                name = f"{seed}/{numbers[kind]}"
            outcome = rounds.run(kind, cloud, name)
            with lock:
                done[kind] -= not outcome.happened
            for violation in outcome.violations:
                tell(f"VIOLATION {kind.__name__} {name}: {violation}")
            if sum(done.values()) % 20 == 0:
                tell(f"{time.monotonic() - began:.0f} s: {rounds.COUNTS.line()}")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for future in [pool.submit(work) for _ in range(AT_ONCE)]:
            future.result()


def main() -> int:
    """Run the soak; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.concurrency", description=__doc__)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--freezes", type=int, default=100)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--only", help="play one round again: 'kill 1/17' or 'freeze 1/3'")
    parser.add_argument("--keep", type=Path, help="keep the histories in this folder")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running(wanted.keep or Path(folder)) as cloud:
        if wanted.only:
            kind, seed = wanted.only.split()
            rounds.run({"kill": rounds.kill, "freeze": rounds.freeze}[kind], cloud, seed)
            print("\n".join(rounds.COUNTS.violations))
        else:
            play(cloud, wanted.kills, wanted.freezes, wanted.seed, lambda line: print(line, flush=True))
    print(rounds.COUNTS.line())
    return 1 if rounds.COUNTS.violations else 0


if __name__ == "__main__":
    sys.exit(main())
