"""DynamoDB's data plane, looked at through reads and writes (a DescribeTable says little of either)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from region_failover.adapters.clients import CHECK, client
from region_failover.adapters.symptoms import remote
from region_failover.domain.errors import RemoteFailure
from region_failover.domain.reports import TableStatus
from region_failover.domain.symptom import Kind, Symptom

HEARTBEATS_KEPT = timedelta(days=2)


class Tables:
    """Implements ports.Tables."""

    def __init__(self, heartbeat_table: str) -> None:
        """Write heartbeats to this global table."""
        self._heartbeat_table = heartbeat_table

    @remote
    def read(self, region: str, table: str) -> None:
        """Count at most one item: a read of the data plane that returns no data and needs no key schema."""
        answer = _fresh(region).scan(TableName=table, Limit=1, Select="COUNT")
        if "Count" not in answer:  # a body that is no DynamoDB answer reads as an empty one
            raise RemoteFailure(Symptom(Kind.WRONG_ANSWER, detail=f"{table}: the answer has no count"))

    @remote
    def status(self, region: str, table: str) -> TableStatus:
        """Return a table's status and those of its replicas elsewhere (DescribeTable)."""
        found = client("dynamodb", region, CHECK).describe_table(TableName=table)["Table"]
        replicas = {r["RegionName"]: str(r.get("ReplicaStatus", "")) for r in found.get("Replicas", [])}
        return TableStatus(str(found["TableStatus"]), replicas)

    @remote
    def write_heartbeat(self, region: str, key: str, at: datetime) -> None:
        """Write a heartbeat, and read it back consistently in the same Region.

        Probe, failover and tick write the same item and may overtake one another: a newer one that stands
        is left there, or the worker that wrote it would read back an older one and call that their fault.
        """
        dynamodb = _fresh(region)
        item = {
            "pk": {"S": key},
            "at": {"S": at.isoformat()},
            "expires_at": {"N": str(int((at + HEARTBEATS_KEPT).timestamp()))},
        }
        try:
            dynamodb.put_item(
                TableName=self._heartbeat_table,
                Item=item,
                ConditionExpression="attribute_not_exists(pk) OR #at < :at",
                ExpressionAttributeNames={"#at": "at"},
                ExpressionAttributeValues={":at": item["at"]},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
        found = self._read(dynamodb, key, consistent=True)
        if found is None or found < at:
            raise RemoteFailure(Symptom(Kind.WRONG_ANSWER, detail=f"heartbeat reads back as {found}"))

    @remote
    def read_heartbeat(self, region: str, key: str) -> datetime | None:
        """Return the time in a heartbeat as this Region sees it."""
        return self._read(client("dynamodb", region, CHECK), key, consistent=False)

    def _read(self, dynamodb: Any, key: str, *, consistent: bool) -> datetime | None:
        found = dynamodb.get_item(
            TableName=self._heartbeat_table, Key={"pk": {"S": key}}, ConsistentRead=consistent
        )
        item = found.get("Item")
        return datetime.fromisoformat(item["at"]["S"]) if item else None


def _fresh(region: str) -> Any:
    """Return the Region's client without its idle connections: a fresh one sees what a new client sees.

    On 2025-10-20 the name resolved to nothing, and whoever kept a connection did not notice.
    """
    found = client("dynamodb", region, CHECK)
    found.close()
    return found
