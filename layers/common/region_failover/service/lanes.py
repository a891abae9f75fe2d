"""Many calls, a few at a time: what a service's limits, and a function's memory, have room for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TypeVar

from region_failover.ports import Ports
from region_failover.service.record import Deadline

T = TypeVar("T")

LANES = 8


def in_lanes(
    ports: Ports,
    calls: Sequence[Callable[[], T]],
    deadline: Deadline,
    reserve_s: float = 0.0,
    lanes: int = LANES,
) -> list[T | Exception]:
    """Return each call's result or exception, in order; a TimeoutError for one not ended in time.

    The time ends `reserve_s` before the deadline. A lane that is left behind then begins no further call.
    """
    answers: list[T | Exception] = [TimeoutError("not reached before the deadline") for _ in calls]
    waiting = deque(enumerate(calls))

    def lane() -> None:
        while waiting and deadline.remaining_s() > reserve_s:
            try:
                number, call = waiting.popleft()
            except IndexError:  # another lane was faster
                return
            answers[number] = TimeoutError("still running at the deadline")
            try:
                answers[number] = call()
            except Exception as error:  # handed to the caller as a value
                answers[number] = error

    left = timedelta(seconds=max(deadline.remaining_s() - reserve_s, 0.0))
    ports.together([lane] * min(lanes, len(calls)), left)
    return list(answers)
