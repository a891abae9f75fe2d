"""What readiness looks at of data-plane switches; it asks Route 53's control plane, a move never does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from region_failover.adapters.clients import CONTROL, ROUTE53, client
from region_failover.adapters.symptoms import remote
from region_failover.domain.dataplane_readiness import CheckSeen, Metric, PairSeen
from region_failover.domain.plan import Plan, Role
from region_failover.domain.zone import canonical

_ROLES = {"PRIMARY": Role.PRIMARY, "SECONDARY": Role.STANDBY}

# Both of a pair, and what may stand beside them.
_SETS = "10"


@remote
def failover_pair(region: str, zone_id: str, name: str, kind: str) -> PairSeen:
    """Return a failover pair as its zone has it, with the health check of its PRIMARY."""
    route53 = client("route53", region, ROUTE53)
    name = canonical(name)
    answer = route53.list_resource_record_sets(
        HostedZoneId=zone_id, StartRecordName=name, StartRecordType=kind, MaxItems=_SETS
    )
    pair = {
        _ROLES[found["Failover"]]: found
        for found in answer["ResourceRecordSets"]
        if (canonical(found["Name"]), found["Type"]) == (name, kind) and found.get("Failover") in _ROLES
    }
    ids = {role: str(found.get("HealthCheckId", "")) for role, found in pair.items()}
    values = {role: _values(found) for role, found in pair.items()}
    check_id = ids.get(Role.PRIMARY, "")
    seen = _check(route53.get_health_check(HealthCheckId=check_id)["HealthCheck"]) if check_id else None
    return PairSeen({**dict.fromkeys(Role), **values}, ids, seen)


@remote
def alarm_is_there(region: str, name: str) -> bool:
    """Return whether a Region has a metric alarm of that name."""
    found = client("cloudwatch", region, CONTROL).describe_alarms(
        AlarmNames=[name], AlarmTypes=["MetricAlarm"]
    )
    return bool(found["MetricAlarms"])


def wanted_of_the_data_plane(partition: str, plan: Plan) -> list[tuple[str, str]]:
    """Return what a switching role must be allowed; not PutMetricData, whose condition is not simulated."""
    objects = {f"arn:{partition}:s3:::{s.bucket}/{s.key}": None for s in plan.health_checks if s.bucket}
    controls = [arn for switch in plan.routing_controls for arn in (switch.primary, switch.standby)]
    return [
        *((action, arn) for arn in objects for action in ("s3:GetObject", "s3:PutObject")),
        *(("route53-recovery-cluster:UpdateRoutingControlStates", arn) for arn in controls),
    ]


def _values(found: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(sorted(value["Value"].strip('"') for value in found.get("ResourceRecords", [])))


def _check(found: Mapping[str, Any]) -> CheckSeen:
    config: Mapping[str, Any] = found["HealthCheckConfig"]
    alarm = config.get("AlarmIdentifier", {})
    return CheckSeen(
        type=str(config["Type"]),
        alarm=str(alarm.get("Name", "")),
        alarm_region=str(alarm.get("Region", "")),
        insufficient=str(config.get("InsufficientDataHealthStatus", "")),
        inverted=bool(config.get("Inverted", False)),
        disabled=bool(config.get("Disabled", False)),
        host=str(config.get("FullyQualifiedDomainName", "")),
        path=str(config.get("ResourcePath", "")),
        search=str(config.get("SearchString", "")),
        interval_s=int(config.get("RequestInterval", 0)),
        threshold=int(config.get("FailureThreshold", 0)),
        metric=_metric(found.get("CloudWatchAlarmConfiguration")),
    )


def _metric(found: Mapping[str, Any] | None) -> Metric | None:
    if not found:
        return None
    return Metric(
        namespace=str(found["Namespace"]),
        name=str(found["MetricName"]),
        dimensions=tuple((str(d["Name"]), str(d["Value"])) for d in found.get("Dimensions", [])),
        statistic=str(found["Statistic"]),
        period_s=int(found["Period"]),
        periods=int(found["EvaluationPeriods"]),
        comparison=str(found["ComparisonOperator"]),
        threshold=float(found["Threshold"]),
    )
