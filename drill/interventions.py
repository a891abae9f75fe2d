"""Interventions between two steps of a function: hold one of its requests, and kill or freeze it meanwhile.

A fault strikes every call of a kind; an intervention strikes one moment of one worker. The proxy holds the
nth request that matches, before it is forwarded (as a packet in the network would be) or before its reply is
given back (it has had its effect, and nobody knows yet); meanwhile a scenario acts on the process that sent
it.

What the embedded AWS does to its workers (ministack 1.5.33, `core/lambda_runtime.py`, tried by hand):

- A worker that dies ends its invocation with 'Worker process died'. An asynchronous event is then delivered
  again after 1 s and once more after 2 s (AWS: 1 and 2 minutes), to a new process, as many times as the
  function's MaximumRetryAttempts says; after that it goes to the OnFailure destination.
- The function's Timeout runs outside of the worker. A stopped process is sent SIGTERM (which stays pending
  while it is stopped) and, 2 s later, SIGKILL: it never comes back. A request that the proxy holds survives
  it, and is forwarded when it is released.
- A worker that is ended in either way is replaced at the next invocation, with a cold start.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

import psutil

from drill.emulator import RigError
from drill.faults import POLL_S, Call
from drill.processes import is_alive

Address = tuple[str, int]


class Moment(StrEnum):
    """Where a request is held."""

    REQUEST = "request"  # it has come as far as the proxy, and no further
    REPLY = "reply"  # it is done, and its sender does not know


@dataclass(frozen=True, slots=True)
class Reply:
    """What a held request was answered."""

    status: int
    body: bytes


class Hold:
    """One request to be held: the `nth` (from 1) that matches; patterns are shell-style, as a Fault's are."""

    def __init__(
        self, service: str, operation: str, *, moment: Moment, region: str = "*", nth: int = 1
    ) -> None:
        """Hold nothing yet: the proxy's `hold` puts it in force."""
        self.moment = moment
        self.client: Address = ("", 0)
        self.call: Call | None = None
        self.reply: Reply | None = None
        self._patterns = (region, service, operation)
        self._left = nth
        self._held = threading.Event()
        self._released = threading.Event()
        self._answered = threading.Event()

    def concerns(self, call: Call) -> bool:
        """Return whether this is the call to hold; counts those that match, and is true of one only."""
        actual = (call.region, call.service, call.operation)
        if self._left <= 0 or not all(map(fnmatchcase, actual, self._patterns)):
            return False
        self._left -= 1
        return self._left == 0

    def keep(self, call: Call, client: Address, should_stop: Callable[[], bool]) -> None:
        """Keep the calling thread until the request is released, also when its sender has gone meanwhile."""
        self.call, self.client = call, client
        self._held.set()
        while not self._released.wait(POLL_S) and not should_stop():
            pass

    def answered(self, status: int, body: bytes) -> None:
        """Note what the embedded cloud has answered."""
        self.reply = Reply(status, body)
        self._answered.set()

    def wait_held(self, within_s: float) -> bool:
        """Return True as soon as the request is held, False when time is up."""
        return self._held.wait(within_s)

    def release(self) -> None:
        """Let it go on."""
        self._released.set()

    def wait_answered(self, within_s: float) -> Reply | None:
        """Return what it was answered, None where nothing has come in time."""
        self._answered.wait(within_s)
        return self.reply


class Holds:
    """The holds in force. Thread-safe."""

    def __init__(self) -> None:
        """Hold nothing."""
        self._lock = threading.Lock()
        self._holds: list[Hold] = []

    def add(self, hold: Hold) -> Hold:
        """Put a hold in force."""
        with self._lock:
            self._holds.append(hold)
        return hold

    def match(self, call: Call) -> Hold | None:
        """Return the hold that keeps this call, or None; each hold keeps one call in its life."""
        with self._lock:
            return next((hold for hold in self._holds if hold.concerns(call)), None)

    def release_all(self) -> None:
        """Let everything go on."""
        with self._lock:
            for hold in self._holds:
                hold.release()


class Worker:
    """The process of one function, as the embedded cloud runs it."""

    def __init__(self, process: psutil.Process) -> None:
        """Act on this process, and no other that may get its number later."""
        self._process = process

    @property
    def function(self) -> str:
        """Return the function's name."""
        return str(self._process.environ().get("AWS_LAMBDA_FUNCTION_NAME", ""))

    @property
    def pid(self) -> int:
        """Return the process's number."""
        return int(self._process.pid)

    def kill(self, within_s: float = 5.0) -> None:
        """End it as the kernel does when memory runs out: at once, with nothing said."""
        self._process.kill()
        _until(lambda: not self.is_alive(), within_s, f"worker {self.pid} lives on after SIGKILL")

    def freeze(self, within_s: float = 5.0) -> None:
        """Stop it where it stands."""
        self._process.suspend()
        _until(self.is_frozen, within_s, f"worker {self.pid} runs on after SIGSTOP")

    def thaw(self) -> None:
        """Let it run on."""
        self._process.resume()

    def is_alive(self) -> bool:
        """Return whether it is there, running or frozen."""
        return is_alive(self._process)

    def is_frozen(self) -> bool:
        """Return whether it is stopped."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return bool(self._process.status() == psutil.STATUS_STOPPED)
        return False


def put_timeout_out_of_action(aws_lambda: Any, function: str) -> None:
    """Let a function's invocations run for 15 minutes, so that a frozen one lives to be thawed.

    It stands for all that outlives a timeout: a thread that Lambda freezes with its environment once the
    handler has returned, and thaws with the next invocation. Before the function's first invocation.
    """
    aws_lambda.update_function_configuration(FunctionName=function, Timeout=900)


def worker_at(client: Address, ancestor: int) -> Worker:
    """Return the worker that owns the client's end of a connection.

    `ancestor`: the embedded cloud's process; RigError where the owner is none of its descendants, so that
    nothing else on the machine is ever killed.
    """
    for connection in psutil.net_connections(kind="tcp4"):
        if connection.laddr and tuple(connection.laddr) == client and connection.pid:
            process = psutil.Process(connection.pid)
            if ancestor in _ancestors(process):
                return Worker(process)
            raise RigError(f"{client} belongs to process {connection.pid}, which is no worker")
    raise RigError(f"no process owns {client}; its connection is gone")


def _ancestors(process: psutil.Process) -> Iterator[int]:
    return (parent.pid for parent in process.parents())


def _until(claim: Callable[[], bool], within_s: float, complaint: str) -> None:
    deadline = time.monotonic() + within_s
    while not claim():
        if time.monotonic() > deadline:
            raise RigError(complaint)
        time.sleep(0.01)
