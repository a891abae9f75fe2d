"""Reads names out of a hosted zone with few calls (`domain/zone_pages.py` says which)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from region_failover.domain.record_set import canonical, escaped
from region_failover.domain.zone_pages import MOST, in_order, page_size, settled

Entry = dict[str, Any]


def read_names(client: Any, zone_id: str, wanted: Iterable[str]) -> dict[str, list[Entry]]:
    """Return every record set of these canonical names, as the API has it; of one not there an empty list."""
    left = in_order(wanted)
    found: dict[str, list[Entry]] = {name: [] for name in left}
    size = page_size(len(left))
    while left:
        answer = client.list_resource_record_sets(
            HostedZoneId=zone_id, StartRecordName=escaped(left[0]), MaxItems=str(size)
        )
        entries, following = answer["ResourceRecordSets"], _following(answer)
        done = settled(left, [canonical(entry["Name"]) for entry in entries], following)
        if not done and size == MOST:  # a name with more record sets than a page holds
            entries, done = [*entries, *_rest(client, zone_id, left[0], answer)], {left[0]}
        for entry in entries:
            if canonical(entry["Name"]) in done:
                found[canonical(entry["Name"])].append(entry)
        left = [name for name in left if name not in done]
        size = page_size(len(done)) if done else MOST
    return found


def _following(answer: Mapping[str, Any]) -> str:
    """Return the name with which the next page begins, '' where there is none."""
    return canonical(answer["NextRecordName"]) if answer.get("IsTruncated") else ""


def _rest(client: Any, zone_id: str, name: str, answer: Mapping[str, Any]) -> list[Entry]:
    """Return the record sets of a name on the pages that follow this one."""
    found: list[Entry] = []
    while _following(answer) == name:
        keys = ("RecordName", "RecordType", "RecordIdentifier")
        start = {f"Start{key}": answer[f"Next{key}"] for key in keys if f"Next{key}" in answer}
        answer = client.list_resource_record_sets(HostedZoneId=zone_id, MaxItems=str(MOST), **start)
        found += [entry for entry in answer["ResourceRecordSets"] if canonical(entry["Name"]) == name]
    return found
