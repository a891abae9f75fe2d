"""What readiness looks at, as moto's AWS and a stand-in of Linode's API answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import responses
from botocore.stub import Stubber
from moto import mock_aws

from region_failover.adapters.clients import CONTROL, forget_clients
from region_failover.adapters.clients import client as made
from region_failover.adapters.inventory import AwsInventory
from region_failover.adapters.linode import Linode
from region_failover.domain.errors import RemoteFailure
from tests.cloud import client, isolate, make_table
from tests.fakes import EAST, NOON, PLAN, WEST, FakeClock

ROLE = "arn:aws:iam::123456789012:role/failover"
SECRET = "arn:aws:secretsmanager:us-west-2:123456789012:secret:linode"


class Token:
    """A token that is known."""

    def read(self) -> str:
        return "abcdefgh12345678" + "x" * 48

    def forget(self) -> None:
        pass


def inventory(roles: dict[str, str] | None = None, clock: Any = None) -> AwsInventory:
    return AwsInventory(
        region=WEST,
        roles={"failover": ROLE, "failback": ROLE, "linode_dns": ROLE} if roles is None else roles,
        state_table="state",
        token_secret=SECRET,
        alarm_prefixes=["region-failover-signal-x", "region-failover-ops-x"],
        linode=lambda: Linode("https://linode.example/v4", Token(), FakeClock()),
        clock=clock or FakeClock(),
    )


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    isolate(monkeypatch)
    forget_clients()
    with mock_aws():
        yield
    forget_clients()


def test_a_table_is_described(aws: None) -> None:
    make_table(WEST, "orders", "id")
    found = inventory().describe(WEST, "orders")
    assert (found.status, found.keys, found.on_demand) == ("ACTIVE", (("id", "HASH"),), True)
    assert found.replicas == {}


def test_a_global_table_names_its_replicas_in_other_regions() -> None:
    dynamodb = made("dynamodb", WEST, CONTROL)
    table = {
        "TableName": "orders",
        "TableStatus": "ACTIVE",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 6},
        "Replicas": [
            {"RegionName": WEST, "ReplicaStatus": "ACTIVE"},
            {"RegionName": EAST, "ReplicaStatus": "CREATING"},
        ],
    }
    with Stubber(dynamodb) as stub:
        stub.add_response("describe_table", {"Table": table})
        found = inventory().describe(WEST, "orders")
    assert (dict(found.replicas), found.on_demand, found.units) == ({EAST: "CREATING"}, False, (5, 6))


def test_a_table_that_is_not_there_is_a_failure(aws: None) -> None:
    with pytest.raises(RemoteFailure, match="ResourceNotFoundException"):
        inventory().describe(WEST, "orders")


def test_quotas_are_read() -> None:
    dynamodb = made("dynamodb", EAST, CONTROL)
    with Stubber(dynamodb) as stub:
        stub.add_response(
            "describe_limits",
            {
                "AccountMaxReadCapacityUnits": 80_000,
                "AccountMaxWriteCapacityUnits": 40_000,
                "TableMaxReadCapacityUnits": 1,
            },
        )
        found = inventory().limits(EAST)
    assert found == {"AccountMaxReadCapacityUnits": 80_000, "AccountMaxWriteCapacityUnits": 40_000}


def test_the_stacks_alarms_are_found_by_their_names(aws: None) -> None:
    cloudwatch = client("cloudwatch")
    for name in (
        "region-failover-signal-x-down",
        "region-failover-ops-x-errors",
        "region-failover-ops-y-errors",
    ):
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            MetricName="m",
            Namespace="n",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
            Statistic="Sum",
        )
    cloudwatch.set_alarm_state(AlarmName="region-failover-ops-x-errors", StateValue="ALARM", StateReason="x")
    found = inventory().alarms()
    assert set(found) == {"region-failover-signal-x-down", "region-failover-ops-x-errors"}
    assert found["region-failover-ops-x-errors"] == "ALARM"


def test_a_role_is_asked_action_by_action() -> None:
    iam = made("iam", WEST, CONTROL)
    wanted = [("ssm:PutParameter", "arn:a"), ("ssm:GetParameter", "arn:b")]
    with Stubber(iam) as stub:
        for (action, resource), decision in zip(wanted, ("implicitDeny", "allowed"), strict=True):
            stub.add_response(
                "simulate_principal_policy",
                {"EvaluationResults": [{"EvalActionName": action, "EvalDecision": decision}]},
                {"PolicySourceArn": ROLE, "ActionNames": [action], "ResourceArns": [resource]},
            )
        assert inventory().denied("failover", wanted) == ["ssm:PutParameter on arn:a"]
        stub.assert_no_pending_responses()


def test_what_a_plan_needs_is_asked_of_the_roles_that_do_it() -> None:
    wanted = inventory().wanted(PLAN)
    assert set(wanted) == {"failover", "failback", "linode_dns"}
    assert wanted["linode_dns"] == [("secretsmanager:GetSecretValue", SECRET)]
    assert set(wanted["failover"]) >= {
        ("route53:ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ"),
        ("route53:GetHostedZone", "arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ"),
        ("ssm:PutParameter", "arn:aws:ssm:us-east-1:123456789012:parameter/orders/active-region"),
        ("ssm:PutParameter", "arn:aws:ssm:us-west-2:123456789012:parameter/orders/active-region"),
        ("dynamodb:PutItem", "arn:aws:dynamodb:us-west-2:123456789012:table/state"),
        ("dynamodb:Scan", "arn:aws:dynamodb:us-east-1:123456789012:table/orders"),
    }
    assert inventory(roles={}).wanted(PLAN) == {}


@pytest.mark.parametrize(
    ("date", "skew_s"),
    [
        ("Mon, 20 Oct 2025 12:00:00 GMT", 0.0),
        ("Mon, 20 Oct 2025 11:59:59 GMT", 0.0),
        ("Mon, 20 Oct 2025 12:01:00 GMT", 60.0),
        ("Mon, 20 Oct 2025 11:59:00 GMT", -59.0),
    ],
)
def test_a_regions_clock_is_read_off_an_answer(date: str, skew_s: float) -> None:
    with answering({"date": date}):
        assert inventory().skew_s(EAST) == skew_s


def test_an_answer_without_a_date_is_a_failure() -> None:
    with answering({}), pytest.raises(RemoteFailure, match="no Date"):
        inventory().skew_s(EAST)


@contextmanager
def answering(headers: dict[str, str]) -> Iterator[None]:
    with Stubber(made("dynamodb", EAST, CONTROL)) as stub:
        metadata = {"HTTPStatusCode": 200, "HTTPHeaders": headers}
        stub.add_response("list_tables", {"TableNames": [], "ResponseMetadata": metadata})
        yield


def tokens(*items: dict[str, Any], pages: int = 1, status: int = 200) -> None:
    body = {"data": list(items), "page": 1, "pages": pages, "results": len(items)}
    responses.add(responses.GET, "https://linode.example/v4/profile/tokens", json=body, status=status)


@responses.activate
def test_the_tokens_end_is_found_by_its_beginning() -> None:
    tokens({"token": "zzzzzzzz12345678", "expiry": None}, pages=2)
    tokens({"token": "abcdefgh12345678", "expiry": "2025-11-01T00:00:00"}, pages=2)
    assert inventory().token_expires_at() == datetime(2025, 11, 1, tzinfo=UTC)
    assert NOON < datetime(2025, 11, 1, tzinfo=UTC) < NOON + timedelta(days=14)


@responses.activate
def test_a_token_that_never_ends_and_one_that_is_not_listed() -> None:
    tokens({"token": "abcdefgh12345678", "expiry": None})
    assert inventory().token_expires_at() is None
    responses.reset()
    tokens({"token": "zzzzzzzz12345678", "expiry": None})
    with pytest.raises(RemoteFailure, match="not in the account's list"):
        inventory().token_expires_at()


@responses.activate
def test_a_token_that_may_not_list_tokens_is_a_failure() -> None:
    responses.add(
        responses.GET,
        "https://linode.example/v4/profile/tokens",
        json={"errors": [{"reason": "Your OAuth token is not authorized"}]},
        status=401,
    )
    with pytest.raises(RemoteFailure, match="not authorized"):
        inventory().token_expires_at()
