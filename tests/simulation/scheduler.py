"""Virtual time and cooperative workers: who goes on next is decided by the clock and the order of asking.

A worker's code is ordinary blocking code in a greenlet; it stops only in `sleep`, so a run is the same
every time. Nothing here knows of the product.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TypeVar

from greenlet import GreenletExit, getcurrent, greenlet

T = TypeVar("T")

# A bound on a whole flow, not on a call.
LONG = timedelta(seconds=20)


class Died(GreenletExit):
    """This worker is dead; whatever its code still tries ends here."""


class Process:
    """Something that can be frozen and killed as a whole: every greenlet of one worker belongs to it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.frozen_until = 0.0
        self.dead = False


class Scheduler:
    """A heap of moments; `now` is the true time in seconds since the beginning."""

    def __init__(self) -> None:
        self.now = 0.0
        self._heap: list[tuple[float, int, Callable[[], object]]] = []
        self._count = 0
        self._hub = getcurrent()
        self._until = 0.0
        self._process: dict[greenlet, Process] = {}
        self._ticket: dict[greenlet, int] = {}

    def at(self, moment: float, what: Callable[[], object]) -> None:
        """Do something then, or now if that is past."""
        self._count += 1
        heapq.heappush(self._heap, (max(moment, self.now), self._count, what))

    def run(self, until: float) -> None:
        """Let time pass until then."""
        self._hub, self._until = getcurrent(), until
        while self._heap and self._heap[0][0] <= until:
            self.now, _, what = heapq.heappop(self._heap)
            what()
        self.now = until

    def process(self) -> Process:
        """Return the process that is running now."""
        return self._process[getcurrent()]

    def threads(self, process: Process | None = None) -> int:
        """Return how many threads (of one process, or all) have begun and not ended."""
        return sum(process in {None, found} for found in self._process.values())

    def start(self, process: Process, work: Callable[[], object]) -> None:
        """Let a process do this from now on, as one of its threads."""
        thread = greenlet(lambda: self._end_quietly(work), parent=self._hub)
        self._process[thread] = process
        ticket = self._ticket[thread] = self._next()
        self.at(self.now, lambda: self._resume(thread, ticket))

    def sleep(self, seconds: float) -> None:
        """Return that much later; never if the process dies before."""
        thread = getcurrent()
        process = self._process[thread]
        moment = self.now + seconds
        if process.dead:
            raise Died
        alone = not self._heap or moment < self._heap[0][0]
        if alone and moment <= self._until and process.frozen_until <= self.now:
            self.now = moment  # nobody else has anything to do before
            return
        ticket = self._ticket[thread] = self._next()
        self.at(moment, lambda: self._resume(thread, ticket))
        self._wait(process)

    def within(self, calls: Sequence[Callable[[], T]], timeout: timedelta) -> list[T | Exception]:
        """Do as `together` does; one call alone that has all the time of an invocation needs no thread."""
        if len(calls) != 1 or timeout < LONG:
            return self.together(calls, timeout)
        over = self.now + timeout.total_seconds()
        try:
            answer: T | Exception = calls[0]()
        except Exception as error:
            answer = error
        return [answer if self.now <= over else TimeoutError("still running at the deadline")]

    def together(self, calls: Sequence[Callable[[], T]], timeout: timedelta) -> list[T | Exception]:
        """Run calls as threads of this process, as `adapters.system.together` does: what hangs is left."""
        waiting = getcurrent()
        process = self._process[waiting]
        answers: list[T | Exception] = [TimeoutError("still running at the deadline") for _ in calls]
        left = len(calls)
        if not left:
            return answers
        ticket = self._ticket[waiting] = self._next()

        def run(number: int, call: Callable[[], T]) -> None:
            nonlocal left
            try:
                answers[number] = call()
            except Exception as error:
                answers[number] = error
            left -= 1
            if left == 0:
                self.at(self.now, lambda: self._resume(waiting, ticket))

        for number, call in enumerate(calls):
            self.start(process, lambda number=number, call=call: run(number, call))
        self.at(self.now + timeout.total_seconds(), lambda: self._resume(waiting, ticket))
        self._wait(process)
        return list(answers)

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _wait(self, process: Process) -> None:
        self._hub.switch()
        if process.dead:
            raise Died

    def _resume(self, thread: greenlet, ticket: int) -> None:
        """Let a thread go on, if it still waits for just this; a frozen one when it thaws."""
        if self._ticket.get(thread) != ticket:
            return
        thaws = self._process[thread].frozen_until
        if thaws > self.now and not self._process[thread].dead:
            self.at(thaws, lambda: self._resume(thread, ticket))
            return
        del self._ticket[thread]
        thread.switch()

    def _end_quietly(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Died:
            pass
        finally:
            self._process.pop(getcurrent(), None)
