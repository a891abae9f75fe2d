"""Global tables whose replication can be paused: what is written meanwhile arrives late, or too late.

ministack applies a write to the other replicas in the same call (`services/dynamodb.py`, `_replicate_write`).
While the rig's file (REHEARSAL_REPLICATION) exists, such writes are queued instead, each with the time at
which it was made; when the file is gone they are applied in their order. Of two writes of one item the one
made last wins, as in a table of multi-Region eventual consistency: a late write that is older than what the
replica wrote itself meanwhile is dropped.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

POLL_S = 0.1

ItemKey = tuple[str, ...]
"""Table, and the item's two key values."""


@dataclass(frozen=True)
class Write:
    """One write of a global table's item, made in `region` at `at`. `new` None: a deletion."""

    account: str
    region: str
    table: str
    keys: tuple[str, ...]
    at: float
    event: str
    old: Any
    new: Any


class Replication:
    """Passes writes on at once, or keeps them back while it is paused. For tables of two replicas."""

    def __init__(
        self,
        apply: Callable[[Write], None],
        is_paused: Callable[[], bool],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Apply writes to the other replica with `apply`."""
        self.clock = clock
        self._apply = apply
        self._is_paused = is_paused
        self._queue: deque[Write] = deque()
        self._newest: dict[ItemKey, float] = {}
        self._lock = threading.RLock()

    def write(self, write: Write) -> None:
        """Take a write that has just been made in its own Region."""
        with self._lock:
            self._newest[write.table, *write.keys] = write.at
            self._queue.append(write)
            self.catch_up()

    def catch_up(self) -> None:
        """Apply what is queued, unless paused."""
        with self._lock:
            while self._queue and not self._is_paused():
                write = self._queue.popleft()
                if write.at >= self._newest.get((write.table, *write.keys), 0.0):
                    self._apply(write)
            if not self._queue:
                self._newest.clear()

    def keep_up(self) -> None:
        """Catch up for ever."""
        while True:
            time.sleep(POLL_S)
            self.catch_up()


def install(dynamodb: Any, file: str) -> Replication:
    """Put a Replication between ministack's DynamoDB and its replicas."""
    deliver = dynamodb._replicate_write

    def apply(write: Write) -> None:
        with dynamodb.request_scope(write.account, write.region):
            table = dynamodb._tables.get(write.table)
            if table is not None:
                deliver(table, write.event, write.old, write.new)

    def replicate(table: Any, event: str, old: Any, new: Any) -> None:
        if not dynamodb._replica_group(table):
            return
        item = new if new is not None else old
        names = (table["pk_name"], table["sk_name"])
        keys = tuple(str(dynamodb._extract_key_val(item.get(name))) if name else "" for name in names)
        account, region = dynamodb.get_account_id(), dynamodb.get_region()
        state.write(Write(account, region, table["TableName"], keys, state.clock(), event, old, new))

    state = Replication(apply, lambda: os.path.exists(file))
    dynamodb._replicate_write = replicate
    threading.Thread(target=state.keep_up, name="replication", daemon=True).start()
    return state
