"""The functions' real handlers, from the event to the table, with moto as AWS and endpoints on loopback."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from drill.dns import AuthoritativeDns, LinodeDomain
from drill.linode_api import LinodeApi
from region_failover.adapters.clients import forget_clients, made_clients
from region_failover.adapters.state_table import StateTable
from region_failover.domain.errors import ConfigurationError, MalformedEvent, OutOfTime, PlanError
from region_failover.domain.state import Phase
from tests.cloud import (
    PLAN,
    ROOT,
    STATE_TABLE,
    TOKEN,
    Context,
    Endpoint,
    Stack,
    client,
    endpoint,
    environment,
    isolate,
    load_function,
    make_stack,
    messages,
)
from tests.fakes import EAST, WEST

EVENTS = ROOT / "events"
SHIPPED = PLAN.format(primary="http://127.0.0.1:1/a", standby="http://127.0.0.1:1/b", zone="ZEXAMPLE")
STARTED_BY_EVENTS = ("health_probe", "failover", "failback", "linode_dns")
FUNCTIONS = (*STARTED_BY_EVENTS, "operator", "readiness")
THIRD = "eu-central-1"


class World:
    """A deployed stack and the application's two endpoints."""

    def __init__(self, stack: Stack, primary: Endpoint, standby: Endpoint) -> None:
        self.stack = stack
        self.primary = primary
        self.standby = standby
        self.table = StateTable(client("dynamodb"), STATE_TABLE)

    def plan(self) -> str:
        return PLAN.format(primary=self.primary.url, standby=self.standby.url, zone=self.stack.zone)

    def items(self, kind: str) -> list[dict[str, Any]]:
        found = client("dynamodb").scan(TableName=STATE_TABLE)["Items"]
        return [json.loads(item["body"]["S"]) for item in found if item["sk"]["S"].startswith(kind)]

    def answer(self) -> str:
        sets = client("route53").list_resource_record_sets(HostedZoneId=self.stack.zone)["ResourceRecordSets"]
        (record,) = [r for r in sets if r["Name"] == "api.example.com." and r["Type"] == "A"]
        return str(record["ResourceRecords"][0]["Value"])


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """An environment and a plan, as the layer ships it; nothing of AWS yet."""
    isolate(monkeypatch)
    folder = tmp_path / "region_failover_plans"
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("region_failover_plans", None)
    for name, value in environment("ZEXAMPLE", "arn:aws:sns:us-west-2:123456789012:alerts").items():
        monkeypatch.setenv(name, value)
    (folder / "orders.toml").write_text(SHIPPED)
    yield folder
    forget_clients()
    sys.modules.pop("region_failover_plans", None)


@pytest.fixture
def world(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A deployed stack in us-west-2, all healthy."""
    with mock_aws(), endpoint() as primary, endpoint() as standby:
        stack = make_stack()
        for name, value in stack.environment.items():
            monkeypatch.setenv(name, value)
        world = World(stack, primary, standby)
        (folder / "orders.toml").write_text(world.plan())
        yield world


def event(name: str, *, now: bool = True) -> Any:
    """Return a shipped sample event, its time set to now."""
    found = json.loads((EVENTS / f"{name}.json").read_text())
    if now and "time" in found:
        found["time"] = datetime.now(UTC).isoformat()
    return found


@pytest.fixture
def vantage(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """What `vantage.yaml` tells its function, in a third Region."""
    for name, value in {
        "AWS_REGION": THIRD,
        "CONTROL_REGION": WEST,
        "VANTAGE_POINT": "eu-central",
        "STATE_TABLE": "",
    }.items():
        monkeypatch.setenv(name, value)
    return world


@pytest.fixture(params=["failover", "vantage_point"])
def looks(world: World, request: pytest.FixtureRequest) -> str:
    """A function that makes checks, in the environment of its stack."""
    if request.param == "vantage_point":
        request.getfixturevalue("vantage")
    return str(request.param)


# starting


def test_a_missing_environment_refuses_to_start_naming_every_variable(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STATE_TABLE")
    monkeypatch.setenv("TOPIC_ARN", "")
    for name in FUNCTIONS:
        with pytest.raises(ConfigurationError, match="STATE_TABLE, TOPIC_ARN missing"):
            load_function(name)


def test_a_wrong_plan_refuses_to_start_naming_file_and_key(folder: Path) -> None:
    (folder / "orders.toml").write_text(SHIPPED.replace("ttl = 60", "ttl = -1"))
    with pytest.raises(PlanError) as caught:
        load_function("failover")
    assert (caught.value.file, caught.value.key) == ("orders.toml", "switch.route53_record[0].ttl")


def test_two_plans_of_one_name_refuse_to_start(folder: Path) -> None:
    (folder / "second.toml").write_text(SHIPPED)
    with pytest.raises(PlanError, match=r"second\.toml: name"):
        load_function("failover")


def test_no_plan_refuses_to_start(folder: Path) -> None:
    (folder / "orders.toml").unlink()
    with pytest.raises(ConfigurationError, match="no plan"):
        load_function("failover")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_refuses_to_start_in_the_primary_region(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", EAST)
    with pytest.raises(ConfigurationError, match="primary Region, and would die with it"):
        load_function(name)


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("TABLE_NAMES", "customers", "orders stands in a plan, not in TableNames"),
        ("HOSTED_ZONE_IDS", "", "stands in a plan, not in HostedZoneIds"),
        ("SSM_PARAMETER_NAMES", "/x", "/orders/active-region stands in a plan, not in SsmParameterNames"),
        ("STANDBY_REGION", "eu-west-1", "the stack's PrimaryRegion and StandbyRegion"),
        ("LINODE_API_URL", "ftp://x", "LINODE_API_URL"),
        ("MAXIMUM_EVENT_AGE_SECONDS", "soon", "MAXIMUM_EVENT_AGE_SECONDS"),
        ("MAXIMUM_EVENT_AGE_SECONDS", "21601", "MAXIMUM_EVENT_AGE_SECONDS"),
    ],
)
def test_what_a_plan_needs_and_the_stack_does_not_grant_refuses_to_start(
    folder: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=words):
        load_function("failover")


SECRET_ARN = "arn:aws:secretsmanager:%s:123456789012:secret:orders/database-AbC123"
HOOK_ARN = "arn:aws:lambda:%s:123456789012:function:may-we:live"


def test_a_plan_with_secrets_and_hooks_needs_their_arns_each_in_its_region(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = '[[switch.hook]]\nname = "%s"\nfunction = "may-we:live"\nwhen = "before"\n'
    (folder / "orders.toml").write_text(
        SHIPPED
        + '[[switch.secret]]\nname = "orders/database"\nregions = ["us-west-2", "us-east-1"]\n'
        + hook % "ask"
        + hook % "ask-too"
        + 'region = "control"\n'
    )
    monkeypatch.setenv("SECRET_ARNS", SECRET_ARN % WEST)
    monkeypatch.setenv("HOOK_FUNCTION_ARNS", HOOK_ARN % WEST)
    with pytest.raises(ConfigurationError) as caught:
        load_function("failover")
    assert str(caught.value).removeprefix("plans and stack do not fit: ").split("; ") == [
        "orders/database in us-east-1 stands in a plan, not in SecretArns",
        "may-we:live in us-east-1 stands in a plan, not in HookFunctionArns",
    ]
    monkeypatch.setenv("SECRET_ARNS", f"{SECRET_ARN % WEST},{SECRET_ARN % EAST}")
    monkeypatch.setenv("HOOK_FUNCTION_ARNS", f"{HOOK_ARN % WEST},{HOOK_ARN % EAST}")
    load_function("failover")


def test_a_plan_with_linode_records_needs_the_tokens_secret(folder: Path) -> None:
    linode = (
        '[[switch.linode_record]]\ndomain_id = 1\nname = "app"\ntype = "A"\nttl_sec = 30\n'
        'primary = "203.0.113.10"\nstandby = "198.51.100.50"\n'
    )
    (folder / "orders.toml").write_text(SHIPPED + linode)
    with pytest.raises(ConfigurationError, match="LinodeTokenSecretArn is empty"):
        load_function("linode_dns")


def test_a_plan_that_checks_instances_needs_to_be_let(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "orders.toml").write_text(SHIPPED + "[[check.linode_instance]]\nprimary = 1\nstandby = 2\n")
    with pytest.raises(ConfigurationError, match="LinodeTokenSecretArn is empty"):
        load_function("health_probe")
    monkeypatch.setenv("LINODE_TOKEN_SECRET_ARN", "arn:aws:secretsmanager:us-west-2:123456789012:secret:x")
    with pytest.raises(ConfigurationError, match="LinodeChecks is not ENABLED"):
        load_function("health_probe")
    monkeypatch.setenv("LINODE_CHECKS", "ENABLED")
    load_function("health_probe")


def with_headers(text: str) -> str:
    """Return the plan, its endpoint asked with headers."""
    return text.replace("[[check.http]]\n", '[[check.http]]\nheaders = "orders-health"\n')


def test_a_plan_that_sends_headers_needs_their_secret(folder: Path) -> None:
    (folder / "orders.toml").write_text(with_headers(SHIPPED))
    with pytest.raises(ConfigurationError, match="CheckHeadersSecretArn is empty"):
        load_function("failover")


def test_a_secret_that_would_die_with_the_primary_is_refused(
    world: World, folder: Path, monkeypatch: pytest.MonkeyPatch, looks: str
) -> None:
    monkeypatch.setenv("CHECK_HEADERS_SECRET_ARN", f"arn:aws:secretsmanager:{EAST}:123456789012:secret:x")
    load_function(looks)  # no plan sends headers
    (folder / "orders.toml").write_text(with_headers(world.plan()))
    with pytest.raises(ConfigurationError, match="CheckHeadersSecretArn names a secret in us-east-1"):
        load_function(looks)


def test_headers_are_read_at_the_start_and_not_by_the_first_check(
    world: World, folder: Path, monkeypatch: pytest.MonkeyPatch, looks: str
) -> None:
    held = json.dumps({"orders-health": {"x-token": TOKEN}})
    arn = client("secretsmanager").create_secret(Name="headers", SecretString=held)["ARN"]
    monkeypatch.setenv("CHECK_HEADERS_SECRET_ARN", arn)
    (folder / "orders.toml").write_text(with_headers(world.plan()))
    app = load_function(looks)
    client("secretsmanager").delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
    app.handler(event("schedule" if looks == "vantage_point" else "metric-alarm"), Context())
    assert {sent.get("x-token") for sent in (*world.primary.headers, *world.standby.headers)} == {TOKEN}


def test_a_function_starts_where_its_headers_cannot_be_read(
    world: World, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    arn = f"arn:aws:secretsmanager:{WEST}:123456789012:secret:headers"
    monkeypatch.setenv("CHECK_HEADERS_SECRET_ARN", arn)
    (folder / "orders.toml").write_text(with_headers(world.plan()))
    app = load_function("failover")
    (line,) = [record for record in caplog.records if record.message == "headers of the checks not read"]
    assert "ResourceNotFoundException" in line.__dict__["error"]
    (answer,) = app.handler(event("metric-alarm"), Context())
    assert answer["action"] == "hold"
    assert world.primary.requests == world.standby.requests == 0


TOLD = """
[[check.alarm]]
primary = "orders-errors"
[[check.linode_instance]]
primary = 1
standby = 2
"""
LINODE_ADAPTER = "region_failover.adapters.linode"


@pytest.mark.parametrize("name", ["health_probe", "failover", "failback"])
def test_what_the_plans_ask_is_made_at_the_start(
    world: World, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("LINODE_TOKEN_SECRET_ARN", world.stack.secret_arn)
    monkeypatch.setenv("LINODE_CHECKS", "ENABLED")
    monkeypatch.delitem(sys.modules, LINODE_ADAPTER, raising=False)
    load_function(name)
    assert {("dynamodb", EAST), ("dynamodb", WEST)} <= made_clients()
    assert not {"cloudwatch", "secretsmanager"} & {service for service, _ in made_clients()}
    assert LINODE_ADAPTER not in sys.modules
    (folder / "orders.toml").write_text(world.plan() + TOLD)
    load_function(name)
    assert ("cloudwatch", EAST) in made_clients()
    assert ("cloudwatch", WEST) not in made_clients()  # the plan has no alarm there
    assert ("secretsmanager", WEST) in made_clients()
    assert LINODE_ADAPTER in sys.modules  # and requests with it


def test_what_is_granted_and_not_needed_is_only_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TABLE_NAMES", "orders,customers")
    load_function("failover")
    (line,) = [record for record in caplog.records if record.message == "granted and not needed"]
    assert line.__dict__["spare"] == ["customers stands in TableNames, in no plan"]


# events


@pytest.mark.parametrize("name", STARTED_BY_EVENTS)
def test_a_malformed_event_is_raised_and_logged_with_its_id(
    folder: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with mock_aws():
        app = load_function(name)
        for malformed in ({}, "text", {"source": "aws.ec2", "detail-type": "x", "id": "event-9"}):
            with pytest.raises(MalformedEvent):
                app.handler(malformed, Context())
    assert [record.levelname for record in caplog.records] == ["ERROR"] * 3
    assert caplog.records[-1].__dict__["event_id"] == "event-9"


def test_an_operators_malformed_request_is_refused_and_no_error_of_ours(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with mock_aws():
        answer = load_function("operator").handler({"action": "stop"}, Context())
    assert "'action' is 'stop'; allowed are" in answer["refused"]
    assert not caplog.records


def test_an_operator_looks_and_pauses_with_the_shipped_sample_events(world: World) -> None:
    operator = load_function("operator")
    assert "no record yet" in operator.handler(event("operator-status"), Context())["refused"]
    load_function("failback").handler(event("schedule"), Context())
    (status,) = operator.handler(event("operator-status"), Context())["plans"]
    assert (status["active"], status["paused"]) == (EAST, False)
    (paused,) = operator.handler(event("operator-pause"), Context())["plans"]
    assert paused["paused"]
    assert world.table.load_state("orders").paused
    assert (
        "there is no proposal 3f6c0d2a9b1e4c57"
        in operator.handler(event("operator-approve"), Context())["refused"]
    )
    assert json.loads(json.dumps(paused)) == paused


def test_a_vantage_point_reports_a_tick_to_the_control_regions_bus(
    vantage: World, capfd: pytest.CaptureFixture[str]
) -> None:
    (answer,) = load_function("vantage_point").handler(event("schedule"), Context())
    assert answer == {
        "plan": "orders",
        "vantage": "eu-central",
        "samples": {EAST: "healthy", WEST: "healthy"},
    }


def test_a_vantage_point_takes_the_samples_between(vantage: World) -> None:
    found = event("sample-due")
    body = json.loads(found["Records"][0]["body"])
    body["time"] = datetime.now(UTC).isoformat()
    found["Records"][0]["body"] = json.dumps(body)
    vantage.primary.status = 503
    (answer,) = load_function("vantage_point").handler(found, Context(remaining_ms=8_000))
    assert answer["samples"] == {EAST: "unknown", WEST: "healthy"}  # one kind of evidence


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("AWS_REGION", WEST, "runs in us-west-2, the control Region"),
        ("AWS_REGION", EAST, "primary Region, and would die with it"),
        ("TABLE_NAMES", "customers", "orders stands in a plan, not in TableNames"),
        ("VANTAGE_POINT", "EU", "VANTAGE_POINT is 'EU'"),
        ("SAMPLE_QUEUE_URL", "", "SAMPLE_QUEUE_URL missing"),
    ],
)
def test_a_vantage_point_refuses_to_start_where_it_would_be_none(
    vantage: World, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=words):
        load_function("vantage_point")


def test_the_probe_refuses_to_start_without_its_queue(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLE_QUEUE_URL", "")
    with pytest.raises(ConfigurationError, match="SAMPLE_QUEUE_URL missing"):
        load_function("health_probe")


def test_readiness_says_what_is_missing(world: World) -> None:
    client("ssm", EAST).delete_parameter(Name="/orders/active-region")
    load_function("failback").handler(event("schedule"), Context())
    load_function("health_probe").handler(event("schedule"), Context(remaining_ms=9000))
    (found,) = load_function("readiness").handler(
        {"action": "check", "plan": "orders"}, Context(remaining_ms=60_000)
    )
    told = {(f["severity"], f["subject"]): f["problem"] for f in found["findings"]}
    assert told["error", "parameter /orders/active-region in us-east-1"] == "does not exist"
    assert told["error", "table orders in us-east-1"] == "has no replica in us-west-2"
    assert not any(subject.startswith(("record ", "fence ", "Region ")) for _, subject in told)
    assert json.loads(json.dumps(found)) == found


def test_the_probe_takes_a_vantage_points_report(world: World) -> None:
    found = event("region-sampled")
    for sample in found["detail"]["samples"].values():
        sample["at"] = datetime.now(UTC).isoformat()
    (answer,) = load_function("health_probe").handler(found, Context())
    assert (answer["vantage"], answer["heard"]) == ("eu-central", 2)
    known = world.table.load_health("orders")
    assert known is not None
    assert set(known.views["eu-central"]) == {EAST, WEST}


def test_a_healthy_primary_holds_and_is_recorded_in_the_table(world: World) -> None:
    (answer,) = load_function("failover").handler(event("metric-alarm"), Context())
    assert (answer["action"], answer["reason"]) == ("hold", "active-healthy")
    (decision,) = world.items("decision")
    assert (decision["reason"], decision["event"]) == ("active-healthy", event("metric-alarm")["id"])
    assert decision["situation"]["source"] == "healthy"
    assert world.answer() == "192.0.2.10"
    state = world.table.load_state("orders")
    assert state is not None
    assert (state.active, state.epoch) == (EAST, 0)


@pytest.mark.parametrize(
    "name", ["metric-alarm", "composite-alarm", "forwarded-native-alarm", "region-unhealthy"]
)
def test_a_sample_event_as_shipped_is_stale_by_now(world: World, name: str) -> None:
    (answer,) = load_function("failover").handler(event(name, now=False), Context())
    assert answer["reason"] == "stale-event"


def test_a_suppressed_alarm_is_no_reason_to_look(world: World) -> None:
    (answer,) = load_function("failover").handler(event("suppressed-composite-alarm"), Context())
    assert answer["reason"] == "suppressed"
    assert world.primary.requests == 0


def outage(world: World) -> None:
    """Take the primary's endpoint and tables away: two kinds of evidence."""
    world.primary.status = 503
    for name in ("orders", "heartbeat"):
        client("dynamodb", EAST).delete_table(TableName=name)


def test_our_own_missing_table_beside_a_failing_endpoint_holds(world: World) -> None:
    outage(world)
    (answer,) = load_function("failover").handler(event("metric-alarm"), Context())
    assert answer["reason"] == "observer-fault"
    assert world.answer() == "192.0.2.10"
    (message,) = messages(world.stack)
    assert "cannot judge" in message


def test_a_human_moves_traffic_through_the_real_adapters(world: World) -> None:
    app = load_function("failover")
    (answer,) = app.handler({**event("manual-failover"), "force": True}, Context())
    assert (answer["action"], answer["reason"]) == ("move", "operator-asked")
    assert world.answer() == "198.51.100.10"
    for region in (EAST, WEST):
        value = client("ssm", region).get_parameter(Name="/orders/active-region")["Parameter"]["Value"]
        assert value == WEST
    state = world.table.load_state("orders")
    assert state is not None
    assert (state.active, state.phase, state.epoch) == (WEST, Phase.STEADY, 1)
    (ended,) = world.items("transition#")
    assert ended["outcome"] == "completed"
    assert any("failover to us-west-2 is complete" in message for message in messages(world.stack))

    # Lambda delivers an asynchronous invocation again under the same request id.
    (again,) = app.handler({**event("manual-failover"), "force": True}, Context())
    assert again["reason"] == "lost-the-claim"
    assert world.answer() == "198.51.100.10"


def test_the_probe_takes_a_round_and_emits_its_metrics(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    (summary,) = load_function("health_probe").handler(event("schedule"), Context(remaining_ms=9000))
    assert summary["samples"] == {EAST: "healthy", WEST: "healthy"}
    (record,) = world.items("health")
    assert set(record["regions"]) == {EAST, WEST}
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    emitted = [line for line in lines if "_aws" in line]
    of_the_stack, of_the_plan = emitted
    names = {"Samples", "ActiveRegionUnhealthy", "ObserverFault", "StandbyNotVerified"}
    assert [line.get("plan") for line in emitted] == [None, "orders"]
    assert names & set(of_the_stack) == {"Samples", "ActiveRegionUnhealthy"}
    assert names <= set(of_the_plan)
    assert emitted[0]["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "RegionFailover"


def test_the_tick_at_the_primary_holds(world: World) -> None:
    (answer,) = load_function("failback").handler(event("schedule"), Context())
    assert answer["reason"] == "at-primary"


def test_the_events_of_one_function_are_refused_by_another(world: World) -> None:
    wrong = {
        "failover": "schedule",
        "failback": "metric-alarm",
        "health_probe": "metric-alarm",
        "linode_dns": "schedule",
    }
    for function, name in wrong.items():
        with pytest.raises(MalformedEvent):
            load_function(function).handler(event(name), Context())


def test_a_switch_request_of_an_epoch_that_is_not_open_has_no_effect(world: World) -> None:
    load_function("failback").handler(event("schedule"), Context())
    (answer,) = load_function("linode_dns").handler(event("traffic-switch-requested"), Context())
    assert answer["reason"] == "lost-the-claim"


def test_an_array_of_events_is_taken_as_it_comes(world: World) -> None:
    answers = load_function("failover").handler([event("metric-alarm")], Context())
    assert [answer["reason"] for answer in answers] == ["active-healthy"]


def test_an_invocation_out_of_time_raises_before_lambda_ends_it(world: World) -> None:
    app = load_function("failover")
    with pytest.raises(OutOfTime, match="failover: not done"):
        app.handler(event("metric-alarm"), Context(remaining_ms=2_050))


LINODE_RECORD = """
[[switch.linode_record]]
domain_id = 1
name = "app"
type = "A"
ttl_sec = 30
primary = "203.0.113.10"
standby = "198.51.100.50"
"""


@pytest.fixture(params=[TOKEN, "another-token"], ids=["token accepted", "token refused"])
def linode(
    world: World, folder: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[LinodeApi]:
    """The world with an application on Linode, whose API takes the stack's token or another one."""
    api = LinodeApi(request.param)
    api.add_domain(1, "legacy.example")
    api.add_record(1, type="A", name="app", target="203.0.113.10", ttl_sec=30)
    api.start()
    dns = AuthoritativeDns([LinodeDomain(api, 1, "legacy.example")])
    dns.start()
    monkeypatch.setenv("NAME_SERVERS", "{}:{}".format(*dns.address))
    monkeypatch.setenv("LINODE_API_URL", api.base_url)
    monkeypatch.setenv("LINODE_TOKEN_SECRET_ARN", world.stack.secret_arn)
    (folder / "orders.toml").write_text(world.plan() + LINODE_RECORD)
    yield api
    dns.stop()
    api.stop()


def test_no_secret_reaches_the_table_the_log_or_a_notification(
    world: World, linode: LinodeApi, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    load_function("failover").handler({**event("manual-failover"), "force": True}, Context())
    asked = event("traffic-switch-requested")
    asked["detail"]["epoch"] = 1
    load_function("linode_dns").handler(asked, Context())
    assert linode.requests, "Linode was not asked: the test proves nothing"
    printed = capfd.readouterr()
    logged = [record.__dict__ for record in caplog.records if not record.name.startswith("botocore")]
    text = repr(logged) + printed.out + printed.err
    text += json.dumps(world.items("")) + "".join(messages(world.stack))
    assert "claimed" in text
    assert TOKEN not in text


def test_a_decision_expires_after_thirty_days(world: World) -> None:
    load_function("failover").handler(event("metric-alarm"), Context())
    found = client("dynamodb").scan(TableName=STATE_TABLE)["Items"]
    (item,) = [item for item in found if item["sk"]["S"].startswith("decision#")]
    expires = datetime.fromtimestamp(int(item["expires_at"]["N"]), UTC)
    assert timedelta(days=29) < expires - datetime.now(UTC) <= timedelta(days=30)
