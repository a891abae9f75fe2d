"""Record sets on Route 53's wire: which requests find them, how they are read, and written back as they were.

Listing costs a request of the account's few (10/s for all tools together, `FACTS.md` section 3), so a page is
used for all it holds: a plan of 300 records in one zone takes two or three requests, not 300.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from region_failover.domain.record_set import Alias, RecordSet, canonical, escaped, kept_of

# The most that Route 53 returns at once (API reference, ListResourceRecordSets, MaxItems).
PAGE = 300
# So many sets are asked for by name that is still to be found: a name has few, and strangers stand between.
ROOM = 4

# What is kept of a set and written back as it was. With any further attribute, one that a later version of
# Route 53 may have, or TrafficPolicyInstanceId, a set could not be made again: it is not simple.
KEPT = frozenset(
    {
        "Region",
        "Failover",
        "GeoLocation",
        "GeoProximityLocation",
        "CidrRoutingConfig",
        "MultiValueAnswer",
        "HealthCheckId",
    }
)
_KNOWN = KEPT | {"Name", "Type", "TTL", "ResourceRecords", "AliasTarget", "SetIdentifier", "Weight"}


def find_sets(client: Any, zone_id: str, names: Iterable[str]) -> dict[str, list[RecordSet]]:
    """Return every set of every type of these names, by canonical name; one that is not there has none.

    Nothing rests on the order in which Route 53 sorts: a name is absent only if a page that began at it does
    not hold it.
    """
    left = dict.fromkeys(sorted(set(map(canonical, names)), key=_reversed))
    found: dict[str, list[RecordSet]] = {}
    while left:
        name = next(iter(left))
        page = client.list_resource_record_sets(
            HostedZoneId=zone_id,
            StartRecordName=escaped(name),
            MaxItems=str(min(PAGE, max(10, ROOM * len(left)))),
        )
        cut = _cut_off(page)
        held: dict[str, list[RecordSet]] = {}
        for entry in page["ResourceRecordSets"]:
            held.setdefault(canonical(entry["Name"]), []).append(read_set(entry))
        if cut == name:
            held[name] += _rest(client, zone_id, name, page)
        for each in [name, *(other for other in left if other in held and other not in (name, cut))]:
            found[each] = held.get(each, [])
            del left[each]
    return found


def _reversed(name: str) -> list[str]:
    return name.split(".")[::-1]


def _cut_off(page: Mapping[str, Any]) -> str:
    """Return the name whose further sets stand on the next page, '' if none do."""
    return canonical(page["NextRecordName"]) if page["IsTruncated"] else ""


def _rest(client: Any, zone_id: str, name: str, page: Mapping[str, Any]) -> list[RecordSet]:
    """Return the sets of a name that did not find room on the page."""
    found: list[RecordSet] = []
    while _cut_off(page) == name:
        keys = ("RecordName", "RecordType", "RecordIdentifier")
        start = {f"Start{key}": page[f"Next{key}"] for key in keys if f"Next{key}" in page}
        page = client.list_resource_record_sets(HostedZoneId=zone_id, MaxItems=str(PAGE), **start)
        found += [read_set(e) for e in page["ResourceRecordSets"] if canonical(e["Name"]) == name]
    return found


def chosen(sets: Sequence[RecordSet], kind: str) -> list[RecordSet]:
    """Return of a name's sets those of one type, and those that keep it from being there: CNAMEs exclude."""
    return [there for there in sets if there.type == kind or "CNAME" in (there.type, kind)]


def read_set(entry: Mapping[str, Any]) -> RecordSet:
    """Return a record set as Route 53 lists it."""
    weight, alias = entry.get("Weight"), entry.get("AliasTarget")
    return RecordSet(
        name=canonical(entry["Name"]),
        type=str(entry["Type"]),
        ttl=int(entry.get("TTL", 0)),
        values=tuple(sorted(value["Value"] for value in entry.get("ResourceRecords", []))),
        simple=set(entry) <= _KNOWN,
        identifier=str(entry.get("SetIdentifier", "")),
        weight=None if weight is None else int(weight),
        alias=Alias(alias["HostedZoneId"], canonical(alias["DNSName"]), alias["EvaluateTargetHealth"])
        if alias
        else None,
        kept=kept_of(**{name: entry[name] for name in KEPT & set(entry)}),
    )


def write_set(record: RecordSet) -> dict[str, Any]:
    """Return a record set as a change of Route 53 takes it."""
    found: dict[str, Any] = {"Name": escaped(record.name), "Type": record.type}
    if record.identifier:
        found["SetIdentifier"] = record.identifier
    if record.weight is not None:
        found["Weight"] = record.weight
    found |= {name: json.loads(value) for name, value in record.kept}
    if record.alias:
        found["AliasTarget"] = {
            "HostedZoneId": record.alias.zone_id,
            "DNSName": escaped(canonical(record.alias.name)),
            "EvaluateTargetHealth": bool(record.alias.evaluate),
        }
        return found
    return found | {"TTL": record.ttl, "ResourceRecords": [{"Value": value} for value in record.values]}
