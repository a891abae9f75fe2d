"""Failover pairs and their health checks as Route 53's own model has them, and the alarm, in moto."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from region_failover.adapters.clients import forget_clients
from region_failover.adapters.dataplane_inventory import (
    alarm_is_there,
    failover_pair,
    wanted_of_the_data_plane,
)
from region_failover.domain.dataplane_readiness import PairSeen
from region_failover.domain.errors import RemoteFailure
from region_failover.domain.plan import Role
from tests.cloud import client, make_zone
from tests.fakes import WEST
from tests.functional.test_data_plane import BY_ARC, BY_OBJECT, CONTROLS


@pytest.fixture
def zone() -> Iterator[str]:
    with mock_aws():
        forget_clients()
        yield make_zone()


def make_check() -> str:
    config = {
        "Type": "HTTPS_STR_MATCH",
        "FullyQualifiedDomainName": "signals.s3.us-west-2.amazonaws.com",
        "ResourcePath": "/orders",
        "SearchString": "the standby has the traffic",
        "Inverted": True,
        "RequestInterval": 10,
        "FailureThreshold": 2,
    }
    made = client("route53").create_health_check(CallerReference="1", HealthCheckConfig=config)
    return str(made["HealthCheck"]["Id"])


def make_pair(zone: str, check: str, **more: Any) -> None:
    sets = [
        {
            "Name": "www.example.com",
            "Type": "A",
            "TTL": 60,
            "SetIdentifier": failover,
            "Failover": failover,
            "ResourceRecords": [{"Value": value}],
            **({"HealthCheckId": check} if failover == "PRIMARY" else {}),
        }
        for failover, value in (("PRIMARY", "192.0.2.20"), ("SECONDARY", "198.51.100.20"))
    ]
    client("route53").change_resource_record_sets(
        HostedZoneId=zone,
        ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": found} for found in sets]},
    )


def test_a_pair_is_read_with_the_check_of_its_primary(zone: str) -> None:
    check = make_check()
    make_pair(zone, check)
    seen = failover_pair(WEST, zone, "WWW.example.com.", "A")
    assert seen.values == {Role.PRIMARY: ("192.0.2.20",), Role.STANDBY: ("198.51.100.20",)}
    assert seen.ids[Role.PRIMARY] == check
    assert seen.check is not None
    assert (seen.check.type, seen.check.inverted, seen.check.disabled) == ("HTTPS_STR_MATCH", True, False)
    assert (seen.check.host, seen.check.path) == ("signals.s3.us-west-2.amazonaws.com", "/orders")
    assert (seen.check.search, seen.check.interval_s, seen.check.threshold) == (
        "the standby has the traffic",
        10,
        2,
    )
    assert seen.check.metric is None


def test_a_simple_record_is_no_pair(zone: str) -> None:
    assert failover_pair(WEST, zone, "api.example.com", "A") == PairSeen(dict.fromkeys(Role), {})


def test_a_zone_that_is_not_there_is_told(zone: str) -> None:
    with pytest.raises(RemoteFailure) as caught:
        failover_pair(WEST, "Z0000000000000000000", "www.example.com", "A")
    assert caught.value.symptom.code == "NoSuchHostedZone"


def test_an_alarm_is_there_or_not(zone: str) -> None:
    assert not alarm_is_there(WEST, "region-failover-traffic-orders")
    client("cloudwatch").put_metric_alarm(
        AlarmName="region-failover-traffic-orders",
        Namespace="RegionFailover/Signals",
        MetricName="StandbyHasTraffic",
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )
    assert alarm_is_there(WEST, "region-failover-traffic-orders")
    assert not alarm_is_there(WEST, "region-failover-traffic")


def test_what_the_roles_need_is_asked_by_name() -> None:
    assert wanted_of_the_data_plane("aws", BY_OBJECT) == [
        ("s3:GetObject", "arn:aws:s3:::signals/orders"),
        ("s3:PutObject", "arn:aws:s3:::signals/orders"),
    ]
    update = "route53-recovery-cluster:UpdateRoutingControlStates"
    assert wanted_of_the_data_plane("aws", BY_ARC) == [(update, CONTROLS.primary), (update, CONTROLS.standby)]
