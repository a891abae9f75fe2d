"""Route 53 record sets and change batches (its control plane lives in us-east-1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from region_failover.adapters.symptoms import remote
from region_failover.domain.errors import FenceRefused
from region_failover.domain.zone import Change, RecordSet, ZoneSnapshot, canonical

# A record set with one of these is not simple: its answer depends on more than its values.
_NOT_SIMPLE = (
    "AliasTarget",
    "SetIdentifier",
    "Weight",
    "Region",
    "Failover",
    "GeoLocation",
    "GeoProximityLocation",
    "CidrRoutingConfig",
    "MultiValueAnswer",
    "HealthCheckId",
    "TrafficPolicyInstanceId",
)


class Zones:
    """Implements ports.Zones."""

    def __init__(self, client: Any) -> None:
        """Use this Route 53 client."""
        self._client = client

    @remote
    def read(self, zone_id: str, names: Sequence[tuple[str, str]], fence: str) -> ZoneSnapshot:
        """Return what the zone holds of these names and of the fence."""
        found = [self._find(zone_id, name, kind) for name, kind in names]
        return ZoneSnapshot(
            fence=self._find(zone_id, fence, "TXT"),
            records=tuple(record for record in found if record is not None),
        )

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

    def _find(self, zone_id: str, name: str, kind: str) -> RecordSet | None:
        """Return the record set; where several share name and type, one marked not simple."""
        name = canonical(name)
        answer = self._client.list_resource_record_sets(
            HostedZoneId=zone_id, StartRecordName=name, StartRecordType=kind, MaxItems="2"
        )
        same = [
            record
            for record in answer["ResourceRecordSets"]
            if (canonical(record["Name"]), record["Type"]) == (name, kind)
        ]
        if not same:
            return None
        record = same[0]
        return RecordSet(
            name=name,
            type=kind,
            ttl=int(record.get("TTL", 0)),
            values=tuple(sorted(value["Value"] for value in record.get("ResourceRecords", []))),
            simple=len(same) == 1 and not any(key in record for key in _NOT_SIMPLE),
        )


def _record_set(record: RecordSet) -> dict[str, Any]:
    return {
        "Name": record.name,
        "Type": record.type,
        "TTL": record.ttl,
        "ResourceRecords": [{"Value": value} for value in record.values],
    }
