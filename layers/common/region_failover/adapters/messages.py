"""Our own events on the control Region's bus, and the notification topic."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from region_failover.adapters.symptoms import remote
from region_failover.domain.errors import RemoteFailure
from region_failover.domain.symptom import Kind, Symptom
from region_failover.domain.trigger import OWN_SOURCE

# SNS: a subject has fewer than 100 characters, printable ASCII, no line breaks (API reference, Publish).
SUBJECT_LENGTH = 99


class EventBus:
    """Implements ports.Events."""

    def __init__(self, client: Any, bus: str) -> None:
        """Use this bus."""
        self._client = client
        self._bus = bus

    @remote
    def put(self, detail_type: str, detail: Mapping[str, object]) -> None:
        """Put one event; PutEvents answers 200 also for an entry that it refused, so the entry is read."""
        entry = {
            "Source": OWN_SOURCE,
            "DetailType": detail_type,
            "Detail": json.dumps(detail),
            "EventBusName": self._bus,
        }
        answer = self._client.put_events(Entries=[entry])
        if answer.get("FailedEntryCount"):
            code = str(answer["Entries"][0].get("ErrorCode", ""))
            raise RemoteFailure(Symptom(Kind.API, code, 200, f"event {detail_type} refused"))


class Topic:
    """Implements ports.Notifier."""

    def __init__(self, client: Any, arn: str, complete: Callable[[str], str] = lambda text: text) -> None:
        """Publish to this topic; `complete` puts in what the record must not hold: a page's address."""
        self._client = client
        self._arn = arn
        self._complete = complete

    @remote
    def publish(self, subject: str, text: str) -> None:
        """Publish a notification."""
        plain = subject.encode("ascii", "replace").decode().replace("\n", " ")[:SUBJECT_LENGTH]
        self._client.publish(TopicArn=self._arn, Subject=plain, Message=self._complete(text))
