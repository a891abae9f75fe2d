"""Reads record sets out of a hosted zone with few calls (`domain/zone_pages.py` says which)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from region_failover.domain.zone import canonical
from region_failover.domain.zone_pages import MOST, Key, in_order, page_size, settled


def read_sets(client: Any, zone_id: str, wanted: Iterable[Key]) -> dict[Key, list[dict[str, Any]]]:
    """Return the record sets of these (name, type), as the API has them; what is not there has no entry.

    Of a name and type with more record sets than a page holds, one page.
    """
    left = in_order(wanted)
    size = page_size(len(left))
    found: dict[Key, list[dict[str, Any]]] = {}
    while left:
        name, kind = left[0]
        answer = client.list_resource_record_sets(
            HostedZoneId=zone_id, StartRecordName=name, StartRecordType=kind, MaxItems=str(size)
        )
        page = [((canonical(r["Name"]), str(r["Type"])), r) for r in answer["ResourceRecordSets"]]
        done = settled(left, [key for key, _ in page], _following(answer))
        if not done and size == MOST:
            done = {left[0]}
        for key, record in page:
            if key in done:
                found.setdefault(key, []).append(record)
        left = [key for key in left if key not in done]
        size = page_size(len(done)) if done else MOST
    return found


def _following(answer: dict[str, Any]) -> Key | None:
    if not answer.get("IsTruncated"):
        return None
    return canonical(answer["NextRecordName"]), str(answer["NextRecordType"])
