"""A failover pair in the rehearsal's zone, what its health check follows, and who looks at that."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import botocore.exceptions

from drill import layout
from drill.emulator import Emulator, RigError
from drill.faults import Call, FaultTable
from drill.health_checks import Fetch, ReadAlarm, Values

ALARM = f"region-failover-traffic-{layout.PLAN}"
BUCKET, KEY = f"{layout.PLAN}-signals", "region-failover"
STACK = "region-failover-dataplane"
INTERVAL_S, THRESHOLD = 10, 3


def fence_name(record_name: str) -> str:
    """Return the fence's name of a plan with one record."""
    return f"_region-failover.{record_name}"


def make_health_check(route53: Any, follows: str) -> str:
    """Make the health check that dataplane.yaml would; return its id."""
    by_alarm = {
        "Type": "CLOUDWATCH_METRIC",
        "AlarmIdentifier": {"Region": layout.STANDBY, "Name": ALARM},
        "InsufficientDataHealthStatus": "LastKnownStatus",
    }
    by_object = {
        "Type": "HTTPS_STR_MATCH",
        "FullyQualifiedDomainName": f"{BUCKET}.s3.{layout.STANDBY}.amazonaws.com",
        "ResourcePath": f"/{KEY}",
        "SearchString": "the standby has the traffic",
        "Inverted": True,
        "RequestInterval": INTERVAL_S,
        "FailureThreshold": THRESHOLD,
    }
    config = by_alarm if follows == "alarm" else by_object
    made = route53.create_health_check(CallerReference="rehearsal", HealthCheckConfig=config)
    return str(made["HealthCheck"]["Id"])


def failover_pair(check_id: str) -> list[dict[str, Any]]:
    """Return the application's record sets, PRIMARY with this health check, and SECONDARY."""
    addresses = {"PRIMARY": layout.PRIMARY_ADDRESS, "SECONDARY": layout.STANDBY_ADDRESS}
    return [
        {
            "Name": layout.API_NAME,
            "Type": "A",
            "TTL": 30,
            "SetIdentifier": failover,
            "Failover": failover,
            "ResourceRecords": [{"Value": address}],
            **({"HealthCheckId": check_id} if failover == "PRIMARY" else {}),
        }
        for failover, address in addresses.items()
    ]


def parameters_of(follows: str, zone_id: str) -> dict[str, str]:
    """Return the control stack's parameters for the pair."""
    if not follows:
        return {}
    signal = {"alarm": {"SignalMetric": "ENABLED"}, "object": {"SignalObjects": f"{BUCKET}/{KEY}"}}
    return {"FailoverZoneIds": zone_id, **signal[follows]}


def deploy_data_plane(emulator: Emulator, folder: Path, follows: str) -> None:
    """Deploy the real dataplane.yaml, without the health check, which the emulator's CloudFormation lacks."""
    parameters = {"PlanName": layout.PLAN, "Follows": follows, "HealthCheck": "NONE"}
    if follows == "object":
        parameters |= {"BucketName": BUCKET, "ObjectKey": KEY}
    cloudformation = emulator.client("cloudformation", layout.STANDBY)
    cloudformation.create_stack(
        StackName=STACK,
        TemplateBody=(folder / "dataplane.yaml").read_text(),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    status = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"]
    if status != "CREATE_COMPLETE":
        raise RigError(f"stack {STACK} is {status}")


def health_of(emulator: Emulator, faults: FaultTable) -> tuple[Any, ReadAlarm, Fetch]:
    """Return what the health checkers ask: the checks, an alarm with its values, an object as all see it.

    A Region that is dead tells nothing of its alarms, and gives no object.
    """
    route53 = emulator.client("route53", layout.STANDBY)

    def checks() -> Sequence[Mapping[str, Any]]:
        found = route53.list_health_checks()["HealthChecks"]
        for check in found:  # the emulator writes 'True', which the SDK reads as false
            config = check["HealthCheckConfig"]
            config["Inverted"] = config["Type"] == "HTTPS_STR_MATCH"
        return list(found)

    def alarm(region: str, name: str) -> tuple[Mapping[str, Any], Values]:
        if faults.match(Call(region, "monitoring", "health checker")) is not None:
            raise LookupError(f"{region} is dead")
        found = emulator.client("cloudwatch", region).describe_alarms(AlarmNames=[name])["MetricAlarms"]
        if not found:
            raise LookupError(f"{region} has no alarm {name}")
        return found[0], _values(emulator.client("cloudwatch", region), found[0])

    def fetch(host: str, path: str) -> tuple[int, bytes]:
        bucket, _, region = host.split(".")[:3]
        if faults.match(Call(region, "s3", "health checker")) is not None:
            raise OSError(f"{region} is dead")
        return _as_anybody(emulator.client("s3", region), bucket, path.removeprefix("/"))

    return checks, alarm, fetch


def _values(cloudwatch: Any, alarm: Mapping[str, Any]) -> Values:
    now = datetime.now(UTC)
    found = cloudwatch.get_metric_statistics(
        Namespace=alarm["Namespace"],
        MetricName=alarm["MetricName"],
        Dimensions=alarm["Dimensions"],
        StartTime=now - timedelta(minutes=5),
        EndTime=now + timedelta(minutes=1),
        Period=alarm["Period"],
        Statistics=[alarm["Statistic"]],
    )["Datapoints"]
    return {point["Timestamp"].astimezone(UTC): float(point[alarm["Statistic"]]) for point in found}


def _as_anybody(s3: Any, bucket: str, key: str) -> tuple[int, bytes]:
    """Return what a GET without credentials is answered: by the bucket's own policy, read as it stands there.

    (The embedded S3 does not judge requests without credentials by it.)
    """
    try:
        policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
        allowed = [
            statement
            for statement in policy["Statement"]
            if (statement["Effect"], statement["Principal"], statement["Action"])
            == ("Allow", "*", "s3:GetObject")
        ]
        if not any(statement["Resource"] == f"arn:aws:s3:::{bucket}/{key}" for statement in allowed):
            return 403, b""
        return 200, s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except botocore.exceptions.ClientError as error:
        return int(error.response["ResponseMetadata"]["HTTPStatusCode"]), b""
