"""One clock and one set of signals for all processes of a round, in a file that each of them maps.

The clock runs SPEED times faster than the wall, and the round's driver can let it jump: a lease of 120 s
then expires at once, as it would for a worker that did nothing in the meantime. All processes of a machine
share CLOCK_MONOTONIC, so they agree on the time to within a few microseconds.
"""

from __future__ import annotations

import mmap
import struct
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from region_failover.adapters import system

T = TypeVar("T")

# Not more: a target must have been verified within 30 s when traffic is sent there, which is 10 s of a
# machine that may be busy with other things. What takes long, a lease of 120 s, is jumped over.
SPEED = 3.0
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

_SIZE = 64
_BEGAN, _JUMPED, _EAST_DOWN, _GO = 0, 8, 16, 24  # offsets of doubles; one writer (the driver), many readers


class Signals:
    """What the driver tells the workers of its round: the time, whether a Region is down, and when to go."""

    def __init__(self, path: Path) -> None:
        """Map the file; the first to do so (the driver) begins the time."""
        fresh = not path.exists()
        if fresh:
            path.write_bytes(bytes(_SIZE))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _SIZE)
        self._lock = threading.Lock()
        if fresh:
            self._put(_BEGAN, time.monotonic())

    def seconds(self) -> float:
        """Return the round's time in seconds since it began."""
        return (time.monotonic() - self._get(_BEGAN)) * SPEED + self._get(_JUMPED)

    def jump(self, by: timedelta) -> None:
        """Let so much time pass at once."""
        with self._lock:
            self._put(_JUMPED, self._get(_JUMPED) + by.total_seconds())

    @property
    def east_down(self) -> bool:
        """Return whether us-east-1 is down."""
        return bool(self._get(_EAST_DOWN))

    @east_down.setter
    def east_down(self, down: bool) -> None:
        self._put(_EAST_DOWN, float(down))

    def go(self) -> None:
        """Let every worker that waits begin at once."""
        self._put(_GO, 1.0)

    def wait_for_go(self) -> None:
        """Return when the driver says go."""
        while not self._get(_GO):
            time.sleep(0.001)

    def _get(self, offset: int) -> float:
        return float(struct.unpack_from("d", self._map, offset)[0])

    def _put(self, offset: int, value: float) -> None:
        struct.pack_into("d", self._map, offset, value)


class RoundClock:
    """Implements ports.Clock on the round's time."""

    def __init__(self, signals: Signals) -> None:
        """Read the time from these signals."""
        self._signals = signals

    def now(self) -> datetime:
        """Return the present time of the round."""
        return START + timedelta(seconds=self._signals.seconds())

    def sleep(self, seconds: float) -> None:
        """Sleep for so many seconds of the round."""
        time.sleep(seconds / SPEED)


def together(calls: Sequence[Callable[[], T]], timeout: timedelta) -> list[T | Exception]:
    """Run calls as the product does, the deadline in the round's time."""
    return system.together(calls, timeout / SPEED)
