"""The workers' nursery: a process that has imported everything and forks one process for each worker.

Run as `python -m tests.concurrency.worker`, it reads one JSON object a line: {"start": job} or
{"signal": name, "pid": pid}; and writes {"pid": pid} for each start, {"stopped": pid} and
{"ended": pid, "code": code} (minus the signal's number where one ended it). A fork takes milliseconds where
an interpreter with the SDK takes a second; the workers are processes all the same, and die as such.

A worker does what a function does: `Application.run`'s outer deadline, then the flow, through the adapters
that `bootstrap.real_ports` wires; only clock, health checks and metrics are stand-ins. Threads that are left
behind at the deadline go on until they are done, as they do when Lambda thaws an execution environment.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from aws_lambda_powertools import Logger

from proof.history import History, Recorder
from region_failover import bootstrap
from region_failover.adapters import linode, parameters
from region_failover.adapters.clients import CONTROL, client
from region_failover.adapters.environment import Settings, read_settings
from region_failover.domain.plan_file import parse_plan
from region_failover.domain.trigger import read_triggers
from region_failover.ports import Ports
from region_failover.service.failback import handle_failback
from region_failover.service.failover import handle_failover
from region_failover.service.linode import handle_linode
from region_failover.service.record import Deadline
from tests.concurrency.clock import RoundClock, Signals, together
from tests.concurrency.stand_ins import EAST, WEST, Checks, DarkParameters, Fate, Moment, Quiet

assert linode  # imported before the fork

FLOWS: dict[str, Callable[..., Any]] = {
    "failover": handle_failover,
    "failback": handle_failback,
    "linode_dns": handle_linode,
}

# The functions' own timeouts, from the template, less the margin that `Application.run` keeps back.
TIMEOUTS_S = {"failover": 88.0, "failback": 88.0, "linode_dns": 58.0}

# How long (real seconds) the threads left behind by a worker may go on.
LINGER_S = 15.0


@dataclass(frozen=True)
class Job:
    """One worker, or a crowd of them in threads: what it is started with, and what shall become of it."""

    owner: str
    function: str
    event: Any
    plan_text: str
    signals: str
    history: str
    moment: Moment | None = None
    dark: bool = False
    crowd: int = 1
    wait: bool = False

    @classmethod
    def read(cls, data: dict[str, Any]) -> Job:
        """Return the job of this JSON object."""
        moment = Moment(**data["moment"]) if data.get("moment") else None
        return cls(**{**data, "moment": moment})


class FileHistory(History):
    """A history of one process: each entry is appended to its file at once, so that a kill loses none."""

    def __init__(self, path: str) -> None:
        """Append to this file."""
        super().__init__()
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._lock = threading.Lock()
        self._numbers = 0

    def add(self, kind: str, t: float, **data: Any) -> int:
        """Append an entry; return its number within this process."""
        with self._lock:
            number, self._numbers = self._numbers, self._numbers + 1
            entry = {"n": number, "t": t, "kind": kind, **data}
            os.write(self._file, (json.dumps(entry, default=str) + "\n").encode())
            return number


def warm() -> Settings:
    """Make every client that a worker needs, before the first fork; none of them has a connection yet."""
    settings = read_settings()
    bootstrap.real_ports("failover", settings, Logger(service="worker"))
    for region in (EAST, WEST):
        client("ssm", region, parameters.ONE_TRY)
    client("secretsmanager", WEST, CONTROL)
    return settings


def work(job: Job, settings: Settings) -> None:
    """Be that worker, or that crowd."""
    signals = Signals(Path(job.signals))
    history = FileHistory(job.history)
    if job.wait:
        signals.wait_for_go()
    calls = [
        threading.Thread(target=_be_one, args=(job, owner, settings, signals, history))
        for owner in ([job.owner] if job.crowd == 1 else [f"{job.owner}-{n}" for n in range(job.crowd)])
    ]
    for call in calls:
        call.start()
    for call in calls:
        call.join()
    for left_behind in threading.enumerate():
        if left_behind is not threading.current_thread():
            left_behind.join(LINGER_S)


def _be_one(job: Job, owner: str, settings: Settings, signals: Signals, history: History) -> None:
    plan = parse_plan(job.plan_text, "plan.toml")
    recorder = Recorder(history, signals.seconds)
    ports = recorder.ports(Fate(job.moment).ports(_ports(job, owner, settings, signals)))
    seconds = TIMEOUTS_S[job.function]
    recorder.begin(ports, job.function, job.event)

    def flow() -> Any:
        triggers = read_triggers(job.event, f"request-{job.owner}")
        deadline = Deadline.after(ports, seconds)
        return FLOWS[job.function](ports, [plan], triggers, deadline, settings.maximum_event_age)

    answer = ports.together([flow], timedelta(seconds=seconds))[0]
    failed = isinstance(answer, Exception)
    recorder.end(ports, f"raised {type(answer).__name__}" if failed else "returned")
    with Path(f"{job.history}.answers").open("a") as file:
        file.write(json.dumps({"owner": owner, "answer": repr(answer) if failed else answer}) + "\n")


def _ports(job: Job, owner: str, settings: Settings, signals: Signals) -> Ports:
    real = bootstrap.real_ports("linode_dns", settings, Logger(service="worker"))
    checks = Checks(signals)
    return replace(
        real,
        owner=owner,
        clock=RoundClock(signals),
        together=together,
        tables=checks,
        endpoints=checks,
        parameters=DarkParameters(real.parameters, signals) if job.dark else real.parameters,
        meter=Quiet(),
    )


def main() -> None:
    """Fork a worker for each job until the input ends."""
    settings, alive, rest = warm(), set[int](), b""
    while True:
        ready, _, _ = select.select([0], [], [], 0.005 if alive else 1.0)
        if ready:
            chunk = os.read(0, 1 << 20)
            if not chunk:
                break
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                _obey(json.loads(line), settings, alive)
        _report(alive)
    for pid in alive:
        os.kill(pid, signal.SIGKILL)


def _obey(request: dict[str, Any], settings: Settings, alive: set[int]) -> None:
    if "signal" in request:
        if request["pid"] in alive:  # not yet waited for, so the number is still this worker's
            os.kill(request["pid"], signal.Signals[request["signal"]])
        return
    pid = os.fork()
    if pid == 0:
        _child(Job.read(request["start"]), settings)
    alive.add(pid)
    _say({"pid": pid})


def _child(job: Job, settings: Settings) -> None:
    code = 1
    try:
        log = os.open(f"{job.history}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for here, there in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(here, there)
        random.seed()  # the SDK's retries shall not wait in step
        work(job, settings)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _report(alive: set[int]) -> None:
    while alive:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
        except ChildProcessError:
            return
        if pid == 0:
            return
        if os.WIFSTOPPED(status):
            _say({"stopped": pid})
            continue
        alive.discard(pid)
        _say({"ended": pid, "code": os.waitstatus_to_exitcode(status)})


def _say(fact: dict[str, Any]) -> None:
    os.write(1, (json.dumps(fact) + "\n").encode())


if __name__ == "__main__":
    main()
