"""Route 53 record sets and change batches (its control plane lives in us-east-1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from region_failover.adapters.symptoms import remote
from region_failover.domain.errors import FenceRefused
from region_failover.domain.zone import Change, RecordSet, ZoneSnapshot, canonical

# A record set with one of these is not simple: its answer depends on more than its values, and a weight.
_NOT_SIMPLE = (
    "AliasTarget",
    "Region",
    "Failover",
    "GeoLocation",
    "GeoProximityLocation",
    "CidrRoutingConfig",
    "MultiValueAnswer",
    "HealthCheckId",
    "TrafficPolicyInstanceId",
)


# More sets of one name and type than a plan has are of another kind, however many they are.
SETS = 4


class Zones:
    """Implements ports.Zones."""

    def __init__(self, client: Any) -> None:
        """Use this Route 53 client."""
        self._client = client

    @remote
    def read(self, zone_id: str, names: Sequence[tuple[str, str]], fence: str) -> ZoneSnapshot:
        """Return what the zone holds of these names and of the fence."""
        found = [record for name, kind in names for record in self._sets(zone_id, name, kind)]
        fences = self._sets(zone_id, fence, "TXT")
        return ZoneSnapshot(fence=fences[0] if fences else None, records=tuple(found))

    @remote
    def submit(self, zone_id: str, changes: Sequence[Change], comment: str) -> str:
        """Submit one batch; return its change id."""
        batch = {
            "Comment": comment[:256],
            "Changes": [
                {"Action": c.action.value, "ResourceRecordSet": _record_set(c.record)} for c in changes
            ],
        }
        try:
            answer = self._client.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch=batch)
        except ClientError as error:
            if error.response["Error"]["Code"] == "InvalidChangeBatch":
                raise FenceRefused(f"zone {zone_id}: {error.response['Error']['Message']}") from error
            raise
        return str(answer["ChangeInfo"]["Id"]).rsplit("/", 1)[-1]

    @remote
    def is_insync(self, change_id: str) -> bool:
        """Return whether the change has reached all authoritative servers."""
        return bool(self._client.get_change(Id=change_id)["ChangeInfo"]["Status"] == "INSYNC")

    def _sets(self, zone_id: str, name: str, kind: str) -> list[RecordSet]:
        """Return the record sets of that name and type; of more than SETS only so many."""
        name = canonical(name)
        answer = self._client.list_resource_record_sets(
            HostedZoneId=zone_id, StartRecordName=name, StartRecordType=kind, MaxItems=str(SETS)
        )
        return [
            _read(record)
            for record in answer["ResourceRecordSets"]
            if (canonical(record["Name"]), record["Type"]) == (name, kind)
        ]


def _read(record: Mapping[str, Any]) -> RecordSet:
    identifier = str(record.get("SetIdentifier", ""))
    weight = record.get("Weight")
    return RecordSet(
        name=canonical(record["Name"]),
        type=str(record["Type"]),
        ttl=int(record.get("TTL", 0)),
        values=tuple(sorted(value["Value"] for value in record.get("ResourceRecords", []))),
        simple=not any(key in record for key in _NOT_SIMPLE) and bool(identifier) == (weight is not None),
        identifier=identifier,
        weight=None if weight is None else int(weight),
    )


def _record_set(record: RecordSet) -> dict[str, Any]:
    weighted = {"SetIdentifier": record.identifier, "Weight": record.weight} if record.identifier else {}
    return {
        **weighted,
        "Name": record.name,
        "Type": record.type,
        "TTL": record.ttl,
        "ResourceRecords": [{"Value": value} for value in record.values],
    }
