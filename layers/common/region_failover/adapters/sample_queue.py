"""The delay queue that starts the probe between two ticks of the schedule."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from region_failover.adapters.symptoms import remote
from region_failover.domain.errors import RemoteFailure
from region_failover.domain.symptom import Kind, Symptom
from region_failover.domain.trigger import sample_due

# SQS: SendMessageBatch takes at most ten entries (API reference).
ENTRIES = 10


class DelayQueue:
    """Implements ports.SampleQueue. Its client is made at first use: one function alone needs it."""

    def __init__(self, client: Callable[[], Any], url: str) -> None:
        """Use this queue."""
        self._client = client
        self._url = url

    @remote
    def ask(self, now: datetime, tick: datetime, offsets: Sequence[int]) -> None:
        """Send a message for each, delayed; SendMessageBatch answers 200 also for entries it refused."""
        for start in range(0, len(offsets), ENTRIES):
            entries = [_entry(now, tick, offset) for offset in offsets[start : start + ENTRIES]]
            answer = self._client().send_message_batch(QueueUrl=self._url, Entries=entries)
            if answer.get("Failed"):
                code = str(answer["Failed"][0].get("Code", ""))
                raise RemoteFailure(Symptom(Kind.API, code, 200, "a message of the sample queue refused"))


def _entry(now: datetime, tick: datetime, offset: int) -> dict[str, object]:
    at = tick + timedelta(seconds=offset)
    body = json.dumps(sample_due(f"sample-{at:%Y%m%dT%H%M%S}", at, offset))
    delay = max(0, math.ceil((at - now).total_seconds()))
    return {"Id": str(offset), "DelaySeconds": delay, "MessageBody": body}
