"""The machine itself: its clock and its threads."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

T = TypeVar("T")


class SystemClock:
    """The wall clock, in UTC."""

    def now(self) -> datetime:
        """Return the present time."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Sleep."""
        time.sleep(seconds)


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
