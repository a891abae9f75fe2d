"""What a worker's health checks meet, and the moment at which it dies or freezes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from proof.history import PORTS
from region_failover.domain.errors import RemoteFailure
from region_failover.domain.symptom import Kind, Symptom
from region_failover.ports import Parameters, Ports
from tests.concurrency.clock import Signals

EAST, WEST = "us-east-1", "us-west-2"
EAST_URL = "http://east.test/health"

_DEAD = Symptom(Kind.TIMEOUT, detail="the Region is down")


class Checks:
    """Implements ports.Tables and ports.Endpoints: all is well, but for us-east-1 while it is down."""

    def __init__(self, signals: Signals) -> None:
        """Ask these signals whether it is."""
        self._signals = signals
        self._beats: dict[str, datetime] = {}

    def read(self, region: str, table: str) -> None:
        """Answer, or fail where the Region is down."""
        self._answer(region)

    def write_heartbeat(self, region: str, key: str, at: datetime) -> None:
        """Write a heartbeat, replicated at once."""
        self._answer(region)
        self._beats[key] = at

    def read_heartbeat(self, region: str, key: str) -> datetime | None:
        """Return the heartbeat."""
        self._answer(region)
        return self._beats.get(key)

    def get(self, url: str, status: int, timeout: timedelta, body: object = None, headers: str = "") -> None:
        """Answer as asked, or 503 where the Region is down."""
        if url == EAST_URL and self._signals.east_down:
            raise RemoteFailure(Symptom(Kind.HTTP, status=503, detail=f"{status} was expected"))

    def _answer(self, region: str) -> None:
        if region == EAST and self._signals.east_down:
            raise RemoteFailure(_DEAD)


class DarkParameters:
    """Parameters whose copies in us-east-1 do not answer while it is down."""

    def __init__(self, inner: Parameters, signals: Signals) -> None:
        """Ask these signals whether it is."""
        self._inner = inner
        self._signals = signals

    def read(self, region: str, name: str) -> str | None:
        """Return the value."""
        self._answer(region)
        return self._inner.read(region, name)

    def write(self, region: str, name: str, value: str) -> None:
        """Write the value."""
        self._answer(region)
        self._inner.write(region, name, value)

    def _answer(self, region: str) -> None:
        if region == EAST and self._signals.east_down:
            raise RemoteFailure(_DEAD)


class Quiet:
    """Implements ports.Meter: nothing is emitted."""

    def measure(self, plan: str, values: Mapping[str, float]) -> None:
        """Emit nothing."""

    def log(self, message: str, **fields: object) -> None:
        """Log nothing."""


@dataclass(frozen=True)
class Moment:
    """When a worker ends itself ('SIGKILL') or freezes ('SIGSTOP'): at a call of this name, '' any.

    `skip` calls of that name pass first; `when`: 'before' the call's effect or 'after' it.
    """

    signal: str
    op: str
    skip: int
    when: str


class Fate:
    """Watches a worker's calls for its moment, once."""

    def __init__(self, moment: Moment | None) -> None:
        """Let nothing happen where there is none."""
        self._moment = moment
        self._seen = 0
        self._lock = threading.Lock()

    def ports(self, ports: Ports) -> Ports:
        """Return these ports, watched."""
        if self._moment is None:
            return ports
        watched = {name: _Watched(self, name, getattr(ports, name)) for name in PORTS}
        return replace(ports, **watched)  # type: ignore[arg-type]

    def is_due(self, op: str) -> bool:
        """Return whether this call is the one."""
        moment = self._moment
        if moment is None or moment.op not in {"", op}:
            return False
        with self._lock:
            self._seen += 1
            return self._seen == moment.skip + 1

    def meet(self, when: str, due: bool) -> None:
        """Send ourselves the signal if this is the moment.

        To this very thread: a signal to the process may be taken by another one, and this one would go on.
        """
        if due and self._moment is not None and self._moment.when == when:
            signal.pthread_kill(threading.get_ident(), signal.Signals[self._moment.signal])


class _Watched:
    def __init__(self, fate: Fate, name: str, inner: Any) -> None:
        self._fate = fate
        self._name = name
        self._inner = inner

    def __getattr__(self, method: str) -> Callable[..., Any]:
        inner, fate, op = getattr(self._inner, method), self._fate, f"{self._name}.{method}"

        def call(*arguments: Any, **named: Any) -> Any:
            due = fate.is_due(op)
            fate.meet("before", due)
            answer = inner(*arguments, **named)
            fate.meet("after", due)
            return answer

        return call
