"""Rules that the data plane's template must keep, and what the control stack grants for it."""

from __future__ import annotations

from typing import Any

import pytest

from region_failover.adapters.dataplane_grants import read_data_plane_grants
from region_failover.domain.dataplane import (
    HOME,
    SIGNAL_DIMENSION,
    SIGNAL_METRIC,
    SIGNAL_NAMESPACE,
    SIGNAL_PERIOD,
    TAKES_OVER,
    alarm_name,
)
from tests.template.test_template import CONTROL, RESOURCES, listed, load, statements, unconditional

DATA_PLANE = load("dataplane.yaml")["Resources"]
ALARM = DATA_PLANE["TrafficAlarm"]["Properties"]
SWITCHES = {s["Sid"]: s for s in statements(RESOURCES["SwitchPolicy"])}
READS = {s["Sid"]: s for s in statements(RESOURCES["ReadinessRole"])}


def check(name: str) -> dict[str, Any]:
    found: dict[str, Any] = DATA_PLANE[name]["Properties"]["HealthCheckConfig"]
    return found


def test_the_alarm_watches_what_is_published() -> None:
    assert (ALARM["Namespace"], ALARM["MetricName"]) == (SIGNAL_NAMESPACE, SIGNAL_METRIC)
    assert ALARM["Dimensions"] == [{"Name": SIGNAL_DIMENSION, "Value": {"Ref": "PlanName"}}]
    assert ALARM["AlarmName"] == {"Fn::Sub": alarm_name("${PlanName}")}


def test_one_word_for_the_standby_is_an_alarm_at_once_and_route_53_can_follow_it() -> None:
    assert ALARM["Statistic"] == "Maximum"
    assert (ALARM["ComparisonOperator"], ALARM["Threshold"]) == ("GreaterThanOrEqualToThreshold", 1)
    assert (ALARM["Period"], ALARM["EvaluationPeriods"]) == (SIGNAL_PERIOD.total_seconds(), 1)
    assert "DatapointsToAlarm" not in ALARM  # Route 53 knows no 'M out of N'
    assert "Metrics" not in ALARM  # nor metric math
    assert ALARM["TreatMissingData"] == "missing"


def test_the_alarm_is_no_reason_to_look_and_nobodys_page() -> None:
    name = ALARM["AlarmName"]["Fn::Sub"]
    assert not name.startswith(("region-failover-signal-", "region-failover-ops-"))
    assert "AlarmActions" not in ALARM


def test_a_dead_control_region_or_publisher_moves_nothing() -> None:
    assert check("AlarmHealthCheck")["Type"] == "CLOUDWATCH_METRIC"
    assert check("AlarmHealthCheck")["InsufficientDataHealthStatus"] == "LastKnownStatus"
    assert check("AlarmHealthCheck")["AlarmIdentifier"] == {
        "Name": {"Ref": "TrafficAlarm"},
        "Region": {"Ref": "AWS::Region"},
    }


def test_silence_is_somebodys_page() -> None:
    silent = DATA_PLANE["SilentSignalAlarm"]["Properties"]
    assert (silent["Namespace"], silent["MetricName"]) == (SIGNAL_NAMESPACE, SIGNAL_METRIC)
    assert silent["Dimensions"] == ALARM["Dimensions"]
    assert silent["Statistic"] == "SampleCount"
    assert silent["TreatMissingData"] == "breaching"
    assert silent["AlarmActions"] == [{"Ref": "TopicArn"}]


def test_the_objects_text_fails_an_inverted_check() -> None:
    found = check("ObjectHealthCheck")
    assert found["Type"] == "HTTPS_STR_MATCH"
    assert found["Inverted"] is True
    assert found["SearchString"] == TAKES_OVER
    assert found["SearchString"] not in HOME


def test_anybody_reads_one_object_and_nothing_else() -> None:
    policy = DATA_PLANE["SignalBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    allows = [s for s in policy if s["Effect"] == "Allow"]
    assert [(s["Action"], s["Resource"]) for s in allows] == [
        ("s3:GetObject", {"Fn::Sub": "${SignalBucket.Arn}/${ObjectKey}"})
    ]
    block = DATA_PLANE["SignalBucket"]["Properties"]["PublicAccessBlockConfiguration"]
    assert block["BlockPublicAcls"] is block["IgnorePublicAcls"] is True


def test_every_resource_belongs_to_one_kind_of_signal() -> None:
    kinds = {"FollowsAlarm", "FollowsObject", "ChecksAlarm", "ChecksObject", "TellsOfSilence"}
    assert {found["Condition"] for found in DATA_PLANE.values()} == kinds


def test_publishing_is_granted_in_the_signals_namespace_alone() -> None:
    found = SWITCHES["SayWhoseTrafficItIs"]
    assert listed(found["Action"]) == ["cloudwatch:PutMetricData"]
    assert found["Condition"] == {"StringEquals": {"cloudwatch:namespace": SIGNAL_NAMESPACE}}


def test_objects_and_routing_controls_are_granted_by_name() -> None:
    (_, (template, values)) = ("", SWITCHES["ReplaceSignalObjects"]["Resource"]["Fn::Split"][1]["Fn::Sub"])
    assert template == "arn:*:s3:::${Objects}"
    assert values == {"Objects": {"Fn::Join": [",arn:*:s3:::", {"Ref": "SignalObjects"}]}}
    assert set(listed(SWITCHES["ReplaceSignalObjects"]["Action"])) == {"s3:GetObject", "s3:PutObject"}
    assert SWITCHES["SetRoutingControls"]["Resource"] == {"Ref": "RoutingControlArns"}
    assert READS["ReadRoutingControls"]["Action"] == "route53-recovery-cluster:GetRoutingControlState"


def test_nobody_may_change_a_health_check_or_a_failover_pairs_zone() -> None:
    granted = [
        unconditional(s)
        for name, resource in RESOURCES.items()
        if resource["Type"].startswith("AWS::IAM::")
        for s in statements(resource)
    ]
    actions = {action for s in granted if s["Effect"] == "Allow" for action in listed(s["Action"])}
    assert "route53:UpdateHealthCheck" not in actions
    assert READS["ReadFailoverPairs"]["Action"] == "route53:ListResourceRecordSets"


@pytest.mark.parametrize(
    ("variable", "parameter"),
    [
        ("SIGNAL_METRIC", "SignalMetric"),
        ("SIGNAL_OBJECTS", "SignalObjects"),
        ("FAILOVER_ZONE_IDS", "FailoverZoneIds"),
        ("ROUTING_CONTROL_ARNS", "RoutingControlArns"),
    ],
)
def test_the_functions_are_told_what_is_granted(variable: str, parameter: str) -> None:
    told = CONTROL["Globals"]["Function"]["Environment"]["Variables"][variable]
    assert told in ({"Ref": parameter}, {"Fn::Join": [",", {"Ref": parameter}]})
    given = read_data_plane_grants({variable: "ENABLED" if parameter == "SignalMetric" else "a,b"})
    assert given != read_data_plane_grants({})


def test_without_such_switches_nothing_is_granted() -> None:
    for parameter in ("SignalObjects", "FailoverZoneIds", "RoutingControlArns"):
        assert CONTROL["Parameters"][parameter]["Default"] == ""
    assert CONTROL["Parameters"]["SignalMetric"]["Default"] == "DISABLED"
