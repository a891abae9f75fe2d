"""What readiness looks at, as moto's AWS and a stand-in of Linode's API answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
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
from region_failover.domain.configuration import SecretSwitch
from region_failover.domain.configuration_readiness import Function
from region_failover.domain.errors import RemoteFailure
from region_failover.domain.hooks import Hook, Place, When
from region_failover.domain.linode_readiness import LinodeToken
from tests.cloud import client, isolate, make_table
from tests.fakes import EAST, NOON, PLAN, WEST, FakeClock

ROLE = "arn:aws:iam::123456789012:role/failover"
SECRET = "arn:aws:secretsmanager:us-west-2:123456789012:secret:linode"


class Token:
    """A token that is known."""

    def read(self) -> str:
        return "abcdefgh12345678" + "x" * 48

    def forget(self, refused: str) -> None:
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


SECRET_ARN = f"arn:aws:secretsmanager:{WEST}:123456789012:secret:orders/database-AbC123"
HOOK_ARN = f"arn:aws:lambda:{WEST}:123456789012:function:may-we"


def test_what_secrets_and_hooks_need_is_asked_by_the_arns_that_the_stack_was_given() -> None:
    plan = replace(
        PLAN,
        secrets=(SecretSwitch("orders/database", (WEST, EAST)),),
        hooks=(Hook("ask", "may-we", When.BEFORE, Place.CONTROL),),
    )
    found = AwsInventory(
        region=WEST,
        roles={"failover": ROLE},
        state_table="state",
        token_secret=SECRET,
        alarm_prefixes=[],
        linode=lambda: Linode("https://linode.example/v4", Token(), FakeClock()),
        clock=FakeClock(),
        secret_arns=[SECRET_ARN],
        hook_arns=[HOOK_ARN],
    ).wanted(plan)["failover"]
    assert [action for action, arn in found if arn == SECRET_ARN] == [
        "secretsmanager:GetSecretValue",
        "secretsmanager:PutSecretValue",
        "secretsmanager:UpdateSecretVersionStage",
    ]
    assert ("lambda:InvokeFunction", HOOK_ARN) in found


def test_a_hooks_function_says_how_it_is() -> None:
    aws = made("lambda", WEST, CONTROL)
    with Stubber(aws) as stub:
        expected = {"FunctionName": "may-we"}
        secret = {"Variables": {"PASSWORD": "hunter2"}}
        stub.add_response(
            "get_function_configuration",
            {"State": "Inactive", "Timeout": 60, "Environment": secret},
            expected,
        )
        stub.add_client_error("get_function_configuration", "ResourceNotFoundException")
        stub.add_client_error("get_function_configuration", "AccessDeniedException")
        assert inventory().function("", "may-we") == Function("Inactive", 60)
        assert inventory().function(WEST, "may-we") is None
        with pytest.raises(RemoteFailure, match="AccessDenied"):
            inventory().function(WEST, "may-we")


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
    assert inventory().linode_token().expires_at == datetime(2025, 11, 1, tzinfo=UTC)
    assert NOON < datetime(2025, 11, 1, tzinfo=UTC) < NOON + timedelta(days=14)


@responses.activate
def test_a_token_that_never_ends_and_one_that_is_not_listed() -> None:
    tokens({"token": "abcdefgh12345678", "expiry": None})
    assert inventory().linode_token() == LinodeToken(None, None)
    responses.reset()
    tokens({"token": "zzzzzzzz12345678", "expiry": None})
    with pytest.raises(RemoteFailure, match="not in the account's list"):
        inventory().linode_token()


UNAUTHORIZED = {"errors": [{"reason": "Your OAuth token is not authorized to use this endpoint."}]}
DOMAINS = "https://linode.example/v4/domains"


def refused_list(headers: dict[str, str] | None = None) -> None:
    url = "https://linode.example/v4/profile/tokens"
    responses.add(responses.GET, url, json=UNAUTHORIZED, status=401, headers=headers)


@responses.activate
def test_the_tokens_scopes_are_those_of_the_header() -> None:
    responses.add(
        responses.GET,
        "https://linode.example/v4/profile/tokens",
        json={"data": [{"token": "abcdefgh12345678", "expiry": None}], "page": 1, "pages": 1},
        headers={"X-OAuth-Scopes": "domains:read_write account:read_only"},
    )
    assert inventory().linode_token().scopes == {"domains:read_write", "account:read_only"}


@responses.activate
def test_a_token_that_may_not_list_tokens_is_no_refused_one() -> None:
    refused_list()
    headers = {"X-OAuth-Scopes": "domains:read_write"}
    responses.add(responses.GET, DOMAINS, json={"data": [], "page": 1, "pages": 1}, headers=headers)
    found = inventory().linode_token()
    assert found == LinodeToken(None, frozenset({"domains:read_write"}), expiry_known=False)


@responses.activate
def test_a_token_without_a_scope_is_told_by_the_scopes_it_has() -> None:
    refused_list()
    headers = {"X-OAuth-Scopes": "linodes:read_only"}
    responses.add(responses.GET, DOMAINS, json=UNAUTHORIZED, status=401, headers=headers)
    assert inventory().linode_token().scopes == {"linodes:read_only"}


@responses.activate
def test_a_token_that_is_refused_everywhere_is_a_failure_with_401() -> None:
    refused_list()
    responses.add(responses.GET, DOMAINS, json={"errors": [{"reason": "Invalid Token"}]}, status=401)
    with pytest.raises(RemoteFailure, match="Invalid Token") as caught:
        inventory().linode_token()
    assert caught.value.symptom.status == 401


@responses.activate
def test_a_domain_is_read_with_its_records_and_its_zone_file() -> None:
    where = f"{DOMAINS}/7"
    record = {"id": 1, "name": "app", "type": "A", "target": "203.0.113.10", "ttl_sec": 30}
    lines = [
        "; example.com [7]",
        "$TTL 86400",
        "@\tIN\tSOA\tns1.linode.com. a.example.com. 2021000066 14400 14400 1209600 86400",
        "@\t\tNS\tns1.linode.com.",
        "app\t30\tIN\tA\t203.0.113.10",
        "_sip._tcp\t30\tIN\tSRV\t10 5 5060 Sip.example.com.",
        'txt\t30\tIN\tTXT\t"region-failover plan=orders"',
    ]
    responses.add(responses.GET, where, json={"domain": "example.com", "status": "active", "type": "master"})
    responses.add(responses.GET, f"{where}/records", json={"data": [record], "page": 1, "pages": 1})
    responses.add(responses.GET, f"{where}/zone-file", json={"zone_file": lines})
    zone = inventory().linode_zone(7)
    assert (zone.domain.name, zone.status, zone.kind) == ("example.com", "active", "master")
    assert [r.name for r in zone.domain.records] == ["app"]
    assert zone.rendered["app.example.com", "A"] == ("203.0.113.10",)
    assert zone.rendered["_sip._tcp.example.com", "SRV"] == ("10 5 5060 sip.example.com",)
    assert zone.rendered["txt.example.com", "TXT"] == ("region-failover plan=orders",)
