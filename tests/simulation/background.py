"""The sweep of a test run: a process of its own, of low priority, beside the other tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Found:
    """What a sweep came to: totals, (seed, violation) of what failed, all that it printed."""

    totals: Counter[str]
    failed: list[tuple[int, str]]
    text: str


class Sweep:
    """`python -m tests.simulation --seeds N`, started now, asked for later."""

    def __init__(self, seeds: int, folder: Path) -> None:
        self.seeds = seeds
        self._json = folder / "sweep.json"
        self._log = folder / "sweep.log"
        self._json.unlink(missing_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/layers/common"}
        command = ["-m", "tests.simulation", "--seeds", str(seeds), "--json", str(self._json)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["nice", "-n", "15", sys.executable, *command],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def result(self) -> Found:
        """Wait for the end; return what was found."""
        self._process.wait()
        text = self._log.read_text()
        if not self._json.exists():
            raise RuntimeError(f"the sweep did not come to its end:\n{text[-4000:]}")
        found = json.loads(self._json.read_text())
        failed = [(int(seed), str(words)) for seed, words in found["failed"]]
        return Found(Counter(found["totals"]), failed, text)

    def closing_line(self) -> str:
        """Return the sweep's last line."""
        lines = self._log.read_text().strip().splitlines()
        return lines[-1] if self._process.poll() is not None and lines else ""

    def stop(self) -> None:
        """End it, if it still runs."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait()
