"""The function of the usual 'failover with Lambda' tutorial, rebuilt from a description of its behaviour.

Its faults are what is measured, so they stay: clients with the SDK's default patience, a new one for each
event, one control-plane call as the only evidence, any exception taken for an outage, the zone's id passed
where a name belongs, the standby never looked at, every exception swallowed, status 200 always.
"""

from __future__ import annotations

import json
import logging
import os
from typing import Any

import boto3

logger = logging.getLogger()
logger.setLevel(logging.INFO)

PRIMARY_REGION = os.environ.get("PRIMARY_REGION", "us-east-1")
TABLE_NAME = os.environ.get("TABLE_NAME", "orders")
HOSTED_ZONE_ID = os.environ.get("HOSTED_ZONE_ID", "")
RECORD_NAME = os.environ.get("RECORD_NAME", "")
STANDBY_IP = os.environ.get("STANDBY_IP", "192.0.2.100")

route53: Any = boto3.client("route53")
dynamodb: Any = boto3.client("dynamodb", region_name=PRIMARY_REGION)


def lambda_handler(event: Any, context: Any) -> dict[str, Any]:
    """Move the record if the primary Region looks unhealthy; return status 200 whatever happened."""
    logger.info("event: %s", json.dumps(event))
    if primary_is_healthy():
        return {"statusCode": 200, "body": json.dumps("The primary Region is healthy")}
    update_dns()
    # These three are the recipe's own: it stops here, and that is part of what is measured.
    # TODO: send a notification
    # TODO: update the application's configuration
    # TODO: fail back
    return {"statusCode": 200, "body": json.dumps("Failover to the standby Region completed")}


def primary_is_healthy() -> bool:
    """Return whether DescribeTable answers in the primary Region."""
    try:
        client: Any = boto3.client("dynamodb", region_name=PRIMARY_REGION)
        client.describe_table(TableName=TABLE_NAME)
    except Exception as error:
        logger.error("%s is unhealthy: %s", PRIMARY_REGION, error)
        return False
    return True


def update_dns() -> None:
    """Point the record at the standby's address, or log why not."""
    try:
        zones = route53.list_hosted_zones_by_name(DNSName=HOSTED_ZONE_ID, MaxItems="1")
        zone_id = zones["HostedZones"][0]["Id"]
        found = route53.list_resource_record_sets(
            HostedZoneId=zone_id, StartRecordName=RECORD_NAME, StartRecordType="A", MaxItems="1"
        )
        for record in found["ResourceRecordSets"]:
            if record["Name"] == f"{RECORD_NAME}.":
                upsert(zone_id, record)
    except Exception as error:
        logger.error("the record was not updated: %s", error)


def upsert(zone_id: str, record: dict[str, Any]) -> None:
    """Replace the record's values by the one standby address."""
    change = {
        "Action": "UPSERT",
        "ResourceRecordSet": {
            "Name": record["Name"],
            "Type": record["Type"],
            "TTL": record.get("TTL", 300),
            "ResourceRecords": [{"Value": STANDBY_IP}],
        },
    }
    route53.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": [change]})
    logger.info("%s now points at %s", record["Name"], STANDBY_IP)
