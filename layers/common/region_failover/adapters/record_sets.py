"""Record sets on Route 53's wire: how they are found, read, and written back as they were."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from region_failover.adapters.zone_listing import read_names
from region_failover.domain.record_set import Alias, RecordSet, canonical, escaped, kept_of

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
    """Return every set of every type of these names, by canonical name; one that is not there has none."""
    found = read_names(client, zone_id, map(canonical, names))
    return {name: [read_set(entry) for entry in entries] for name, entries in found.items()}


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
