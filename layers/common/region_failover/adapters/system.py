"""The machine itself: its clock and its threads."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

T = TypeVar("T")


def _wall() -> datetime:
    return datetime.now(UTC)


class SystemClock:
    """The wall clock of one invocation, in UTC: it may be wrong, but it never runs back.

    A lease, a deadline or a Region's verification must not become younger because somebody set the clock
    back. What has passed is what the wall clock or the monotonic clock says, whichever is more: the wall
    clock can be set back, the monotonic clock stands still while a machine is suspended.
    """

    def __init__(
        self, wall: Callable[[], datetime] = _wall, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin now; make one for each invocation."""
        self._wall = wall
        self._monotonic = monotonic
        self._started = self._latest = wall()
        self._started_s = monotonic()

    def now(self) -> datetime:
        """Return the present time, never earlier than one returned before."""
        passed = timedelta(seconds=self._monotonic() - self._started_s)
        self._latest = max(self._latest, self._wall(), self._started + passed)
        return self._latest

    def sleep(self, seconds: float) -> None:
        """Sleep."""
        time.sleep(seconds)


def aside(work: Callable[[], None]) -> None:
    """Run it in a daemon thread, and do not wait for it."""
    threading.Thread(target=work, daemon=True).start()


def together(calls: Sequence[Callable[[], T]], timeout: timedelta) -> list[T | Exception]:
    """Run calls in daemon threads; a TimeoutError stands for one still running at the deadline.

    Daemon threads, because a call that hangs in name resolution cannot be interrupted, only left behind;
    a pool's threads would be joined at exit.
    """
    answers: list[T | Exception] = [TimeoutError("still running at the deadline") for _ in calls]
    done: queue.SimpleQueue[tuple[int, T | Exception]] = queue.SimpleQueue()

    def run(number: int, call: Callable[[], T]) -> None:
        try:
            done.put((number, call()))
        except Exception as error:  # handed to the caller as a value
            done.put((number, error))

    for number, call in enumerate(calls):
        threading.Thread(target=run, args=(number, call), daemon=True).start()
    deadline = time.monotonic() + timeout.total_seconds()
    for _ in calls:
        try:
            number, answer = done.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        answers[number] = answer
    return answers
