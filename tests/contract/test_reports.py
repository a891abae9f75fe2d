"""What CloudWatch and Linode say, as moto's CloudWatch and Linode's documented answers have it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import responses
from botocore.stub import Stubber
from moto import mock_aws

from region_failover.adapters.clients import CHECK, forget_clients
from region_failover.adapters.clients import client as made
from region_failover.adapters.linode import Linode
from region_failover.adapters.reports import Reports
from region_failover.domain.errors import RemoteFailure
from region_failover.domain.plan import NodeBalancer
from region_failover.domain.reports import Alarm, Nodes
from region_failover.domain.symptom import Blame, Kind, blame
from tests.cloud import TOKEN, client, isolate
from tests.fakes import EAST, WEST, FakeClock

BASE = "https://api.linode.com/v4"
SINCE = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MUTE_RULE = "arn:aws:cloudwatch:us-east-1:123456789012:alarm-mute-rule:deploys"


class Token:
    """A token that is rotated when it is forgotten."""

    forgotten = 0

    def read(self) -> str:
        return TOKEN + "-rotated" * self.forgotten

    def forget(self, refused: str) -> None:
        self.forgotten += refused == self.read()


@pytest.fixture
def reports() -> Reports:
    return Reports(lambda: Linode(BASE, Token(), FakeClock()))


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    isolate(monkeypatch)
    forget_clients()
    with mock_aws():
        yield
    forget_clients()


@pytest.fixture
def api() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


def put_alarm(region: str, **more: Any) -> None:
    client("cloudwatch", region).put_metric_alarm(
        AlarmName="errors",
        Namespace="App",
        MetricName="Errors",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold",
        **more,
    )


def test_an_alarm_is_read_in_its_own_region(aws: None, reports: Reports) -> None:
    put_alarm(EAST)
    client("cloudwatch", EAST).set_alarm_state(AlarmName="errors", StateValue="OK", StateReason="few errors")
    found = reports.alarm(EAST, "errors")
    assert (found.state, found.muted, found.impaired, found.reason) == ("OK", "", "", "few errors")
    with pytest.raises(RemoteFailure, match="us-west-2 has no alarm 'errors'") as missing:
        reports.alarm(WEST, "errors")
    assert missing.value.symptom.kind is Kind.SETTINGS
    assert blame(missing.value.symptom) is Blame.OURS


def test_an_alarm_whose_actions_are_disabled_is_muted(aws: None, reports: Reports) -> None:
    put_alarm(EAST, ActionsEnabled=False)
    assert reports.alarm(EAST, "errors").muted == "its actions are disabled"


def answer(**more: Any) -> dict[str, Any]:
    """Return one alarm as CloudWatch describes it (API reference, MetricAlarm and CompositeAlarm)."""
    return {
        "AlarmName": "errors",
        "ActionsEnabled": True,
        "StateValue": "ALARM",
        "StateReason": "many errors",
        "StateTransitionedTimestamp": SINCE,
        **more,
    }


def described(stub: Stubber, **lists: list[dict[str, Any]]) -> None:
    wanted = {"AlarmNames": ["errors"], "AlarmTypes": ["MetricAlarm", "CompositeAlarm"]}
    stub.add_response("describe_alarms", lists, wanted)


def rules(stub: Stubber, *arns: str) -> None:
    found = [{"AlarmMuteRuleArn": arn, "Status": "ACTIVE"} for arn in arns]
    wanted = {"AlarmName": "errors", "Statuses": ["ACTIVE"]}
    stub.add_response("list_alarm_mute_rules", {"AlarmMuteRuleSummaries": found}, wanted)


def test_a_firing_alarm_says_since_when_and_why(aws: None, reports: Reports) -> None:
    with Stubber(made("cloudwatch", EAST, CHECK)) as stub:
        described(stub, MetricAlarms=[answer(EvaluationState="PARTIAL_DATA")])
        rules(stub)
        found = reports.alarm(EAST, "errors")
    assert found == Alarm("ALARM", SINCE, "", "PARTIAL_DATA", "many errors")
    stub.assert_no_pending_responses()


def test_a_mute_rule_that_is_active_mutes_it(aws: None, reports: Reports) -> None:
    with Stubber(made("cloudwatch", EAST, CHECK)) as stub:
        described(stub, MetricAlarms=[answer()])
        rules(stub, MUTE_RULE)
        assert reports.alarm(EAST, "errors").muted == MUTE_RULE


@pytest.mark.parametrize(
    ("says", "muted"),
    [
        (
            {"ActionsSuppressedBy": "ALARM", "ActionsSuppressedReason": "deploy is in ALARM"},
            "deploy is in ALARM",
        ),
        ({"ActionsSuppressedBy": "WaitPeriod"}, "WaitPeriod"),
    ],
    ids=str,
)
def test_a_composite_alarm_may_be_suppressed(
    aws: None, reports: Reports, says: dict[str, str], muted: str
) -> None:
    with Stubber(made("cloudwatch", EAST, CHECK)) as stub:
        described(stub, CompositeAlarms=[answer(**says)])
        assert reports.alarm(EAST, "errors").muted == muted


def test_whoever_may_not_list_mute_rules_does_not_know_whether_it_is_muted(
    aws: None, reports: Reports
) -> None:
    with Stubber(made("cloudwatch", EAST, CHECK)) as stub:
        described(stub, MetricAlarms=[answer()])
        stub.add_client_error("list_alarm_mute_rules", "AccessDenied", http_status_code=403)
        with pytest.raises(RemoteFailure) as failure:
            reports.alarm(EAST, "errors")
    assert blame(failure.value.symptom) is Blame.OURS


def test_nodes_and_instances_are_read_by_their_ids(reports: Reports, api: responses.RequestsMock) -> None:
    balancer = {"id": 67890, "check": "http", "nodes_status": {"up": 4, "down": 1}, "port": 80}
    api.get(f"{BASE}/nodebalancers/12345/configs/67890", json=balancer)
    api.get(f"{BASE}/linode/instances/77", json={"id": 77, "status": "running"})
    assert reports.nodes(NodeBalancer(12345, 67890)) == Nodes(4, 1, "http")
    assert reports.instance(77) == "running"


def test_a_token_that_was_rotated_is_read_anew(reports: Reports, api: responses.RequestsMock) -> None:
    token = Token()
    mine = Reports(lambda: Linode(BASE, token, FakeClock()))
    api.get(f"{BASE}/linode/instances/77", status=401, json={"errors": [{"reason": "Invalid Token"}]})
    api.get(f"{BASE}/linode/instances/77", json={"id": 77, "status": "offline"})
    assert mine.instance(77) == "offline"
    assert token.forgotten == 1


@pytest.mark.parametrize(("status", "whose"), [(401, Blame.OURS), (404, Blame.OURS), (503, Blame.THEIRS)])
def test_a_refusal_is_not_tried_again(
    reports: Reports, api: responses.RequestsMock, status: int, whose: Blame
) -> None:
    api.get(f"{BASE}/linode/instances/77", status=status, json={"errors": [{"reason": "no"}]})
    with pytest.raises(RemoteFailure) as failure:
        reports.instance(77)
    assert blame(failure.value.symptom) is whose
    assert len(api.calls) <= 2
