"""Rules that the three templates must keep, read from their source (no account, no emulator).

They cover what a deploy on an emulator cannot show: IAM conditions, missing-data treatment, dead letters of
paths that did not fail today, and the margin between a timeout and the lease.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from region_failover.adapters.meter import NAMESPACE, OF_THE_STACK
from region_failover.domain.state import LEASE, STEP_LEASE

ROOT = Path(__file__).resolve().parents[2]
MARGIN = timedelta(seconds=20)
FUNCTIONS = (
    "HealthProbeFunction",
    "FailoverFunction",
    "FailbackFunction",
    "LinodeDnsFunction",
    "OperatorFunction",
    "ReadinessFunction",
)
SWITCHING = ("FailoverFunction", "FailbackFunction")

# Managed actions that know no resource: the only ones that may be granted on '*'.
WITHOUT_RESOURCE = {
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "dynamodb:DescribeLimits",
    "dynamodb:ListTables",
    # With resources, DescribeAlarms leaves composite alarms out (CloudWatch API reference).
    "cloudwatch:DescribeAlarms",
    "cloudwatch:ListAlarmMuteRules",
    "cloudwatch:PutMetricData",  # in one namespace: test_dataplane.py
}

Tree = dict[str, Any]


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as their long ones."""


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> Tree:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    raise TypeError(f"!{suffix} over {type(node).__name__}")


_Loader.add_multi_constructor("!", _short_form)


def load(name: str) -> Tree:
    tree = yaml.load((ROOT / name).read_text(), Loader=_Loader)
    assert isinstance(tree, dict)
    return tree


CONTROL = load("template.yaml")
SIGNALS = load("signals.yaml")
VANTAGE = load("vantage.yaml")
RESOURCES: Tree = CONTROL["Resources"]
EVENTS: dict[str, Any] = {
    path.name: json.loads(path.read_text()) for path in sorted((ROOT / "events").glob("*.json"))
}


def of_type(template: Tree, kind: str) -> Tree:
    return {name: r["Properties"] for name, r in template["Resources"].items() if r["Type"] == kind}


def merged(function: str, key: str) -> Any:
    """Return the function's property over that of Globals, maps merged as SAM does."""
    general = CONTROL["Globals"]["Function"].get(key)
    own = RESOURCES[function]["Properties"].get(key)
    if isinstance(general, dict) and isinstance(own, dict):
        return {**general, **own}
    return general if own is None else own


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def unconditional(statement: Tree) -> Tree:
    """Return the statement inside `!If [condition, statement, no value]`, or the statement itself."""
    if "Fn::If" not in statement:
        return statement
    _, then, otherwise = statement["Fn::If"]
    assert otherwise == {"Ref": "AWS::NoValue"}
    assert isinstance(then, dict)
    return then


def statements(resource: Tree) -> list[Tree]:
    """Return the statements written in the resource itself."""
    properties = resource.get("Properties", {})
    documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
    if "PolicyDocument" in properties:
        documents.append(properties["PolicyDocument"])
    return [unconditional(s) for document in documents for s in document["Statement"]]


def every_statement() -> list[tuple[str, Tree]]:
    return [
        (f"{where}:{name}:{s.get('Sid')}", s)
        for where, template in (("template", CONTROL), ("signals", SIGNALS), ("vantage", VANTAGE))
        for name, resource in template["Resources"].items()
        for s in statements(resource)
    ]


def role_of(function: str) -> Tree:
    role = RESOURCES[RESOURCES[function]["Properties"]["Role"]["Fn::GetAtt"].removesuffix(".Arn")]
    assert isinstance(role, dict)
    return role


def allowed(function: str) -> set[str]:
    """Return the actions that the function's role allows, its managed policies included."""
    role = role_of(function)
    policies = [RESOURCES[managed["Ref"]] for managed in role["Properties"]["ManagedPolicyArns"]]
    found = [s for resource in (role, *policies) for s in statements(resource)]
    return {action for s in found if s["Effect"] == "Allow" for action in listed(s["Action"])}


def matches(pattern: Tree, event: Any) -> bool:
    """Return whether EventBridge would match: every key, any of its values, by equality or prefix."""
    return isinstance(event, dict) and all(
        _key_matches(want, event.get(key)) for key, want in pattern.items()
    )


def _key_matches(want: Any, value: Any) -> bool:
    if isinstance(want, dict):
        return matches(want, value)
    return any(_value_matches(option, value) for option in want)


def _value_matches(option: Any, value: Any) -> bool:
    if isinstance(option, dict):
        assert set(option) == {"prefix"}, f"teach this matcher {option}"
        return isinstance(value, str) and value.startswith(option["prefix"])
    return bool(option == value)


def starts(function: str, event: Any) -> bool:
    rules = RESOURCES[function]["Properties"].get("Events", {}).values()
    return any(matches(r["Properties"]["Pattern"], event) for r in rules if r["Type"] == "EventBridgeRule")


def triggers() -> list[tuple[str, Tree]]:
    return [
        (f"{function}.{name}", event["Properties"])
        for function in FUNCTIONS
        for name, event in RESOURCES[function]["Properties"].get("Events", {}).items()
        if event["Type"] != "SQS"
    ]


TRIGGERS = triggers()
STATEMENTS = every_statement()


# Time


@pytest.mark.parametrize("function", ["FailoverFunction", "FailbackFunction", "LinodeDnsFunction"])
def test_a_worker_has_ended_before_its_lease_expires(function: str) -> None:
    assert timedelta(seconds=merged(function, "Timeout")) + MARGIN < LEASE


def test_the_linode_worker_has_ended_before_its_step_lease_expires() -> None:
    assert timedelta(seconds=merged("LinodeDnsFunction", "Timeout")) + MARGIN < STEP_LEASE


def test_a_probe_has_ended_before_the_second_next_tick() -> None:
    assert merged("HealthProbeFunction", "Timeout") <= 60


# Functions


def test_the_stack_has_exactly_the_functions_that_these_rules_cover() -> None:
    assert set(of_type(CONTROL, "AWS::Serverless::Function")) == set(FUNCTIONS)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_runs_the_supported_runtime_on_arm64_traced_with_both_layers(function: str) -> None:
    assert merged(function, "Runtime") == "python3.13"
    assert merged(function, "Architectures") == ["arm64"]
    probe = function == "HealthProbeFunction"
    assert merged(function, "Tracing") == ({"Ref": "ProbeTracing"} if probe else "Active")
    assert merged(function, "Layers") == [{"Ref": "CommonLayer"}, {"Ref": "PlansLayer"}]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_writes_to_a_log_group_of_the_stack_with_retention(function: str) -> None:
    group = RESOURCES[function]["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]
    assert RESOURCES[group]["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_the_probe_emits_under_the_service_name_that_the_alarms_watch() -> None:
    own = RESOURCES["HealthProbeFunction"]["Properties"]["Environment"]["Variables"]
    general = CONTROL["Globals"]["Function"]["Environment"]["Variables"]
    for alarm in ("RegionUnhealthySignal", "ProbeSilentAlarm"):
        properties = RESOURCES[alarm]["Properties"]
        assert properties["Dimensions"] == [{"Name": "service", "Value": own["POWERTOOLS_SERVICE_NAME"]}]
        assert properties["Namespace"] == general["POWERTOOLS_METRICS_NAMESPACE"]


def test_the_metrics_without_a_plans_name_are_those_that_the_alarms_watch() -> None:
    own = [a for a in of_type(CONTROL, "AWS::CloudWatch::Alarm").values() if a["Namespace"] == NAMESPACE]
    assert {alarm["MetricName"] for alarm in own} == OF_THE_STACK


# Delivery


def queue_of(arn: Tree) -> str:
    return str(arn["Fn::GetAtt"]).removesuffix(".Arn")


@pytest.mark.parametrize(("name", "trigger"), TRIGGERS, ids=[name for name, _ in TRIGGERS])
def test_every_rule_and_schedule_retries_gives_up_and_keeps_what_it_gave_up_on(
    name: str, trigger: Tree
) -> None:
    queue = queue_of(trigger["DeadLetterConfig"]["Arn"])
    assert RESOURCES[queue]["Type"] == "AWS::SQS::Queue"
    assert set(trigger["RetryPolicy"]) == {"MaximumEventAgeInSeconds", "MaximumRetryAttempts"}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_retries_gives_up_and_keeps_what_it_gave_up_on(function: str) -> None:
    config = merged(function, "EventInvokeConfig")
    assert config["MaximumRetryAttempts"] in (1, 2)
    assert config["MaximumEventAgeInSeconds"] in (120, {"Ref": "MaximumEventAgeSeconds"})
    target = config["DestinationConfig"]["OnFailure"]
    assert target["Type"] == "SQS"
    assert RESOURCES[queue_of(target["Destination"])]["Type"] == "AWS::SQS::Queue"
    assert "sqs:SendMessage" in allowed(function)


def test_every_rule_may_write_to_its_dead_letter_queue_and_no_other_sender() -> None:
    (statement,) = statements(RESOURCES["RuleDeadLetterQueuePolicy"])
    senders = {arn["Fn::GetAtt"] for arn in statement["Condition"]["ArnEquals"]["aws:SourceArn"]}
    assert senders == {f"{name.replace('.', '')}.Arn" for name, _ in TRIGGERS}


def test_every_forwarding_rule_retries_gives_up_and_keeps_what_it_gave_up_on() -> None:
    for rule in of_type(SIGNALS, "AWS::Events::Rule").values():
        for target in rule["Targets"]:
            assert (
                SIGNALS["Resources"][queue_of(target["DeadLetterConfig"]["Arn"])]["Type"] == "AWS::SQS::Queue"
            )
            assert set(target["RetryPolicy"]) == {"MaximumEventAgeInSeconds", "MaximumRetryAttempts"}
            assert target["Arn"] == {"Ref": "ControlEventBusArn"}


@pytest.mark.parametrize("template", [CONTROL, SIGNALS, VANTAGE], ids=["control", "signals", "vantage"])
def test_every_queue_keeps_letters_for_14_days_encrypted(template: Tree) -> None:
    queues = of_type(template, "AWS::SQS::Queue")
    assert set(queues) - {"SampleQueue"}
    for name, queue in queues.items():
        kept = 60 if name == "SampleQueue" else timedelta(days=14).total_seconds()
        assert queue["MessageRetentionPeriod"] == kept
        assert queue["SqsManagedSseEnabled"] is True


@pytest.mark.parametrize(
    ("template", "function"), [(CONTROL, "HealthProbeFunction"), (VANTAGE, "VantagePointFunction")]
)
def test_a_sample_is_taken_once_or_never(template: Tree, function: str) -> None:
    """A message lives as long as a tick, is handed over alone, and is never handed over again."""
    queue = template["Resources"]["SampleQueue"]["Properties"]
    found = template["Resources"][function]["Properties"]
    source = found["Events"]["SampleDue"]
    assert (source["Type"], source["Properties"]["BatchSize"]) == ("SQS", 1)
    assert source["Properties"]["Queue"] == {"Fn::GetAtt": "SampleQueue.Arn"}
    assert queue["VisibilityTimeout"] >= 6 * found["Timeout"]
    assert found["Environment"]["Variables"]["SAMPLE_QUEUE_URL"] == {"Ref": "SampleQueue"}


# A vantage point


def test_a_vantage_point_is_in_a_further_region() -> None:
    asserted = [a["Assert"] for a in VANTAGE["Rules"]["AFurtherRegion"]["Assertions"]]
    assert asserted == [
        {"Fn::Not": [{"Fn::Equals": [{"Ref": "AWS::Region"}, {"Ref": region}]}]}
        for region in ("PrimaryRegion", "ControlRegion")
    ]


def test_a_vantage_point_reads_tables_reports_and_nothing_else() -> None:
    found = statements(VANTAGE["Resources"]["VantagePointRole"])
    may = {action for s in found if s["Effect"] == "Allow" for action in listed(s["Action"])}
    assert {action for action in may if action.split(":")[0] in {"dynamodb", "events"}} == {
        "dynamodb:Scan",
        "events:PutEvents",
    }
    assert {action.split(":")[0] for action in may} == {"dynamodb", "events", "logs", "secretsmanager", "sqs"}
    (secret,) = (s for s in found if s["Sid"] == "ReadCheckHeaders")
    assert secret["Resource"] == {"Ref": "CheckHeadersSecretArn"}
    (report,) = (s for s in found if s["Sid"] == "Report")
    assert "${ControlRegion}" in report["Resource"]["Fn::Sub"]
    (deny,) = (s for s in found if s["Effect"] == "Deny")
    assert deny["Action"] == "dynamodb:Scan"


def test_a_vantage_point_runs_what_the_control_stack_runs() -> None:
    own, general = VANTAGE["Resources"]["VantagePointFunction"]["Properties"], CONTROL["Globals"]["Function"]
    for key in ("Runtime", "Architectures", "Handler", "Layers"):
        assert own[key] == general[key]
    for layer in ("CommonLayer", "PlansLayer"):
        theirs = RESOURCES[layer]["Properties"]
        assert VANTAGE["Resources"][layer]["Properties"]["ContentUri"] == theirs["ContentUri"]
    assert own["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]["Type"] == "SQS"


def test_only_its_own_schedule_may_write_to_a_vantage_points_dead_letters() -> None:
    (statement,) = statements(VANTAGE["Resources"]["DeadLetterQueuePolicy"])
    assert statement["Condition"] == {
        "ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": "VantagePointFunctionEveryMinute.Arn"}}
    }


def test_an_alarm_pages_for_a_letter_in_any_dead_letter_queue() -> None:
    watched = {
        a["Dimensions"][0]["Value"]["Fn::GetAtt"].removesuffix(".QueueName")
        for a in of_type(CONTROL, "AWS::CloudWatch::Alarm").values()
        if a["Namespace"] == "AWS/SQS" and a["AlarmActions"] == [{"Ref": "NotificationTopic"}]
    }
    assert watched == set(of_type(CONTROL, "AWS::SQS::Queue")) - {"SampleQueue"}


def test_an_alarm_pages_for_an_error_of_any_function() -> None:
    watched = {
        a["Dimensions"][0]["Value"]["Ref"]
        for a in of_type(CONTROL, "AWS::CloudWatch::Alarm").values()
        if a["Namespace"] == "AWS/Lambda" and a["AlarmActions"] == [{"Ref": "NotificationTopic"}]
    }
    assert watched == set(FUNCTIONS)


# Permissions


@pytest.mark.parametrize(("where", "statement"), STATEMENTS, ids=[where for where, _ in STATEMENTS])
def test_every_statement_names_its_actions(where: str, statement: Tree) -> None:
    assert "NotAction" not in statement
    assert all("*" not in action for action in listed(statement["Action"]))


@pytest.mark.parametrize(("where", "statement"), STATEMENTS, ids=[where for where, _ in STATEMENTS])
def test_only_actions_without_resources_are_allowed_on_everything(where: str, statement: Tree) -> None:
    if statement["Effect"] == "Deny":
        return  # a Deny takes away; its NotResource names what it leaves
    assert "NotResource" not in statement
    if "*" in listed(statement["Resource"]):
        assert set(listed(statement["Action"])) <= WITHOUT_RESOURCE


def test_what_is_allowed_by_name_in_any_region_is_denied_outside_the_two() -> None:
    here = "arn:${AWS::Partition}:%s:${%s}:${AWS::AccountId}:%s/*"
    for policy, service, kind in (
        ("ObservePolicy", "dynamodb", "table"),
        ("SwitchPolicy", "ssm", "parameter"),
    ):
        found = statements(RESOURCES[policy])
        wide = {
            action
            for s in found
            if s["Effect"] == "Allow" and ":*:*:" in json.dumps(s["Resource"])
            for action in listed(s["Action"])
        }
        (deny,) = (s for s in found if s["Effect"] == "Deny")
        assert wide == set(listed(deny["Action"]))
        left = [arn["Fn::Sub"] for arn in deny["NotResource"]]
        assert left == [here % (service, region, kind) for region in ("PrimaryRegion", "StandbyRegion")]


def test_roles_are_written_out_and_assumed_by_lambda_only() -> None:
    for name in FUNCTIONS:
        role = RESOURCES[RESOURCES[name]["Properties"]["Role"]["Fn::GetAtt"].removesuffix(".Arn")][
            "Properties"
        ]
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}
        assert all(set(managed) == {"Ref"} for managed in role["ManagedPolicyArns"]), "no AWS-managed policy"


def test_no_two_functions_share_a_role() -> None:
    roles = {RESOURCES[name]["Properties"]["Role"]["Fn::GetAtt"] for name in FUNCTIONS}
    assert len(roles) == len(FUNCTIONS)


def test_only_the_switching_functions_may_change_records_and_parameters() -> None:
    for name in FUNCTIONS:
        changing = {"route53:ChangeResourceRecordSets", "ssm:PutParameter"} & allowed(name)
        assert len(changing) == (2 if name in SWITCHING else 0)
        looking = {"route53:ListResourceRecordSets", "ssm:GetParameter"} & allowed(name)
        assert len(looking) == (2 if name in (*SWITCHING, "ReadinessFunction") else 0)


def test_only_the_switching_functions_may_write_secrets_and_call_hooks() -> None:
    changing = {
        "secretsmanager:PutSecretValue",
        "secretsmanager:UpdateSecretVersionStage",
        "lambda:InvokeFunction",
        "kms:Encrypt",
        "kms:GenerateDataKey",
    }
    for name in FUNCTIONS:
        assert changing & allowed(name) == (changing if name in SWITCHING else set())


@pytest.mark.parametrize(
    ("sid", "condition", "parameter"),
    [
        ("SwitchSecrets", "HasSecrets", "SecretArns"),
        ("ReadSecrets", "HasSecrets", "SecretArns"),
        ("CallHooks", "HasHooks", "HookFunctionArns"),
        ("AskAboutHooks", "HasHooks", "HookFunctionArns"),
        ("UseKeys", "HasKmsKeys", "KmsKeyArns"),
        ("Decrypt", "HasKmsKeys", "KmsKeyArns"),
    ],
)
def test_secrets_hooks_and_keys_are_granted_by_arn_and_only_where_there_are_any(
    sid: str, condition: str, parameter: str
) -> None:
    documents = [
        policy
        for resource in RESOURCES.values()
        for policy in (
            resource.get("Properties", {}).get("PolicyDocument"),
            *(p["PolicyDocument"] for p in resource.get("Properties", {}).get("Policies", [])),
        )
        if policy
    ]
    (found,) = (
        s["Fn::If"]
        for d in documents
        for s in d["Statement"]
        if "Fn::If" in s and s["Fn::If"][1]["Sid"] == sid
    )
    assert (found[0], found[1]["Resource"]) == (condition, {"Ref": parameter})
    assert CONTROL["Conditions"][condition] == {
        "Fn::Not": [{"Fn::Equals": [{"Fn::Join": ["", {"Ref": parameter}]}, ""]}]
    }
    assert CONTROL["Parameters"][parameter]["Default"] == ""


@pytest.mark.parametrize(
    ("parameter", "arn", "taken"),
    [
        ("SecretArns", "arn:aws:secretsmanager:us-west-2:123456789012:secret:orders/database-AbC123", True),
        ("SecretArns", "arn:aws:secretsmanager:us-west-2:123456789012:secret:orders/database", False),
        ("SecretArns", "arn:aws:secretsmanager:us-west-2:123456789012:secret:*-AbC123", False),
        ("SecretArns", "orders/database", False),
        ("HookFunctionArns", "arn:aws:lambda:us-west-2:123456789012:function:may-we:live", True),
        ("HookFunctionArns", "arn:aws:lambda:us-west-2:123456789012:function:may-we", True),
        ("HookFunctionArns", "arn:aws:lambda:us-west-2:123456789012:function:*", False),
        ("KmsKeyArns", "arn:aws:kms:us-west-2:123456789012:key/mrk-0a1b", True),
        ("KmsKeyArns", "arn:aws:kms:us-west-2:123456789012:alias/x", False),
    ],
)
def test_a_list_of_arns_takes_exact_ones_alone(parameter: str, arn: str, taken: bool) -> None:
    pattern = CONTROL["Parameters"][parameter]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, arn)) == taken
    assert re.fullmatch(pattern, "")


def test_readiness_reads_and_writes_nothing_but_its_own_word() -> None:
    changing = ("Put", "Update", "Delete", "Create", "Change", "Send", "Publish")
    found = {action for action in allowed("ReadinessFunction") if action.split(":")[1].startswith(changing)}
    assert found == {
        "dynamodb:PutItem",  # the state table: notices on record
        "events:PutEvents",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sns:Publish",
        "sqs:SendMessage",  # its dead letters
        "xray:PutTelemetryRecords",
        "xray:PutTraceSegments",
    }


def test_readiness_asks_of_the_roles_that_switch() -> None:
    (asks,) = (
        s for s in statements(role_of("ReadinessFunction")) if s["Action"] == "iam:SimulatePrincipalPolicy"
    )
    named = [arn["Fn::GetAtt"].removesuffix(".Arn") for arn in asks["Resource"]]
    roles = RESOURCES["ReadinessFunction"]["Properties"]["Environment"]["Variables"]["ROLES"]["Fn::Sub"]
    assert named == [pair.split("=")[1][2:].removesuffix(".Arn}") for pair in roles.split(",")]


def readers_of(secret: str) -> set[str]:
    """Return the functions that may read this secret."""
    return {
        name
        for name in FUNCTIONS
        for s in statements(role_of(name))
        if "secretsmanager:GetSecretValue" in listed(s["Action"]) and s["Resource"] == {"Ref": secret}
    }


def test_only_who_switches_at_linode_or_looks_whether_it_could_may_read_the_token() -> None:
    assert readers_of("LinodeTokenSecretArn") == {"LinodeDnsFunction", "ReadinessFunction"}


def test_only_who_links_to_the_page_or_serves_it_may_read_its_key() -> None:
    linking = {"HealthProbeFunction", "FailbackFunction"}
    assert readers_of("OperatorSecret") == {*linking, "OperatorFunction"}
    for name in FUNCTIONS:
        own = RESOURCES[name]["Properties"]["Environment"]["Variables"]
        assert ("OPERATOR_URL" in own) == (name in linking)


def test_nothing_is_public_unless_the_page_is_wanted() -> None:
    public = {name for name, r in RESOURCES.items() if r.get("Properties", {}).get("Principal") == "*"}
    assert public == {"OperatorUrlPermission", "OperatorUrlInvokePermission"}
    for name in (*public, "OperatorUrl", "OperatorSecret"):
        assert RESOURCES[name]["Condition"] == "HasOperatorPage"
    assert RESOURCES["OperatorUrlInvokePermission"]["Properties"]["InvokedViaFunctionUrl"] is True
    assert CONTROL["Parameters"]["OperatorPage"]["Default"] == "DISABLED"


def test_the_operators_function_reads_and_writes_records_and_tells_and_nothing_else() -> None:
    assert allowed("OperatorFunction") - allowed("HealthProbeFunction") == set()
    assert {action.split(":")[0] for action in allowed("OperatorFunction")} == {
        "dynamodb", "events", "logs", "secretsmanager", "sns", "sqs", "xray",
    }  # fmt: skip
    (records,) = (s for s in statements(role_of("OperatorFunction")) if s["Sid"] == "ReadAndAnswer")
    assert records["Resource"] == {"Fn::GetAtt": "StateTable.Arn"}


def test_a_flood_of_the_public_url_takes_no_concurrency_from_the_functions_that_switch() -> None:
    limits = {name: RESOURCES[name]["Properties"].get("ReservedConcurrentExecutions") for name in FUNCTIONS}
    assert limits.pop("OperatorFunction") == {"Fn::If": ["HasOperatorPage", 5, {"Ref": "AWS::NoValue"}]}
    assert set(limits.values()) == {None}


def test_no_event_starts_the_operators_function() -> None:
    assert "Events" not in RESOURCES["OperatorFunction"]["Properties"]


def test_the_token_statement_is_absent_without_a_token() -> None:
    role = RESOURCES["LinodeDnsRole"]["Properties"]
    conditional = [
        s["Fn::If"] for p in role["Policies"] for s in p["PolicyDocument"]["Statement"] if "Fn::If" in s
    ]
    assert [c[0] for c in conditional] == ["HasLinode"]
    assert conditional[0][1]["Resource"] == {"Ref": "LinodeTokenSecretArn"}


def test_who_looks_reads_the_token_only_where_checks_ask_linode() -> None:
    found = RESOURCES["ObservePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    conditional = [s["Fn::If"] for s in found if "Fn::If" in s]
    assert [(c[0], c[1]["Resource"]) for c in conditional] == [
        ("HasCheckHeaders", {"Ref": "CheckHeadersSecretArn"}),
        ("HasLinodeChecks", {"Ref": "LinodeTokenSecretArn"}),
    ]
    assert CONTROL["Parameters"]["LinodeChecks"]["Default"] == "DISABLED"


def test_nobody_may_delete_state_or_scan_it() -> None:
    everything = set().union(*(allowed(name) for name in FUNCTIONS))
    assert {action for action in everything if action.startswith("dynamodb:")} == {
        "dynamodb:Scan",  # application tables only: the statement's resource
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:ConditionCheckItem",
        "dynamodb:DescribeTable",  # readiness, application tables only
        "dynamodb:DescribeLimits",
        "dynamodb:ListTables",
    }
    for where, s in STATEMENTS:
        if s["Effect"] == "Allow" and "dynamodb:Scan" in listed(s["Action"]):
            assert {"Ref": "TableNames"} in json_nodes(s["Resource"]), where
            assert "StateTable" not in json.dumps(s), where


def json_nodes(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [value, *(node for item in inner for node in json_nodes(item))]


def test_only_alarms_of_this_account_publish_to_the_topic() -> None:
    (statement,) = statements(RESOURCES["NotificationTopicPolicy"])
    assert statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_the_forwarding_role_may_put_events_on_the_control_bus_and_nothing_else() -> None:
    (statement,) = statements(SIGNALS["Resources"]["ForwardRole"])
    assert listed(statement["Action"]) == ["events:PutEvents"]
    assert statement["Resource"] == {"Ref": "ControlEventBusArn"}


# State


def test_the_state_survives_a_deleted_stack_a_wrong_delete_and_a_wrong_write() -> None:
    table = RESOURCES["StateTable"]
    assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain"
    assert table["Properties"]["DeletionProtectionEnabled"] is True
    assert table["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["Properties"]["SSESpecification"] == {"SSEEnabled": True}


def test_the_lock_is_in_one_region_and_the_heartbeat_in_all() -> None:
    assert RESOURCES["StateTable"]["Type"] == "AWS::DynamoDB::Table"
    heartbeat = RESOURCES["HeartbeatTable"]
    assert heartbeat["Type"] == "AWS::DynamoDB::GlobalTable"
    assert heartbeat["Properties"]["Replicas"] == [
        {"Region": {"Ref": "AWS::Region"}},
        {"Region": {"Ref": "PrimaryRegion"}},
        {"Fn::If": ["ControlRegionIsThird", {"Region": {"Ref": "StandbyRegion"}}, {"Ref": "AWS::NoValue"}]},
    ]


def test_the_control_stack_refuses_the_primary_region() -> None:
    asserted = [a["Assert"] for a in CONTROL["Rules"]["ControlRegionIsNotThePrimary"]["Assertions"]]
    assert asserted == [{"Fn::Not": [{"Fn::Equals": [{"Ref": "AWS::Region"}, {"Ref": "PrimaryRegion"}]}]}]


# Signals


def test_silence_of_our_own_probe_is_breaching() -> None:
    own = {
        name: alarm["TreatMissingData"]
        for name, alarm in of_type(CONTROL, "AWS::CloudWatch::Alarm").items()
        if alarm["Namespace"] == "RegionFailover"
    }
    assert own == {"RegionUnhealthySignal": "breaching", "ProbeSilentAlarm": "breaching"}


def alarm_names(template: Tree) -> dict[str, str]:
    return {
        name: alarm["AlarmName"]["Fn::Sub"].replace("${AWS::StackName}", "region-failover")
        for name, alarm in of_type(template, "AWS::CloudWatch::Alarm").items()
    }


def alarm_event(name: str, state: str = "ALARM") -> Tree:
    event: Tree = json.loads(json.dumps(EVENTS["metric-alarm.json"]))
    event["detail"]["alarmName"] = name
    event["detail"]["state"]["value"] = state
    return event


def test_every_signal_alarm_and_no_operations_alarm_starts_the_failover_function() -> None:
    for template in (CONTROL, SIGNALS):
        for logical, name in alarm_names(template).items():
            assert starts("FailoverFunction", alarm_event(name)) == logical.endswith("Signal"), logical


@pytest.mark.parametrize("state", ["OK", "INSUFFICIENT_DATA"])
def test_a_signal_alarm_that_is_not_in_alarm_starts_nothing(state: str) -> None:
    event = alarm_event(alarm_names(CONTROL)["RegionUnhealthySignal"], state)
    assert not any(starts(function, event) for function in FUNCTIONS)


STARTS = {
    "metric-alarm.json": {"FailoverFunction"},
    "composite-alarm.json": {"FailoverFunction"},
    "suppressed-composite-alarm.json": {"FailoverFunction"},  # sent all the same: the function must refuse it
    "forwarded-native-alarm.json": {"FailoverFunction"},
    "region-unhealthy.json": {"FailoverFunction"},
    "region-sampled.json": {"HealthProbeFunction"},
    "sample-due.json": set(),  # a queue's message
    "traffic-switch-requested.json": {"LinodeDnsFunction"},
    "schedule.json": set(),  # schedules have targets, no pattern
    "manual-failover.json": set(),  # invoked directly
    "manual-failback.json": set(),
    "plan-to-standby.json": set(),
    "manual-restore.json": set(),
    "manual-adopt.json": set(),
    "operator-approve.json": set(),
    "operator-pause.json": set(),
    "operator-status.json": set(),
    "readiness-check.json": set(),
}


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_every_sample_event_starts_the_function_that_is_meant_and_no_other(name: str) -> None:
    assert {function for function in FUNCTIONS if starts(function, EVENTS[name])} == STARTS[name]


def test_the_sample_events_name_alarms_that_the_templates_make() -> None:
    own, native = EVENTS["metric-alarm.json"]["detail"], EVENTS["forwarded-native-alarm.json"]["detail"]
    assert own["alarmName"] in alarm_names(CONTROL).values()
    made = SIGNALS["Resources"]["ReadLatencySignal"]["Properties"]["AlarmName"]["Fn::Sub"]
    assert native["alarmName"] == made.replace("${AWS::StackName}", "region-failover-signals-orders")


def test_every_signal_of_the_primary_region_is_forwarded() -> None:
    pattern = SIGNALS["Resources"]["ForwardRule"]["Properties"]["EventPattern"]
    assert pattern["source"] == ["aws.cloudwatch"]
    assert pattern["detail-type"] == ["CloudWatch Alarm State Change"]
    forwarded = {alarm["Ref"] for alarm in pattern["detail"]["alarmName"]}
    assert forwarded == set(of_type(SIGNALS, "AWS::CloudWatch::Alarm"))


def test_latency_thresholds_are_whole_milliseconds() -> None:
    latency = [
        alarm
        for alarm in of_type(SIGNALS, "AWS::CloudWatch::Alarm").values()
        if alarm["MetricName"] == "SuccessfulRequestLatency"
    ]
    assert len(latency) == 2
    for alarm in latency:
        parameter = alarm["Threshold"]["Ref"]
        assert parameter.endswith("Milliseconds")
        limits = SIGNALS["Parameters"][parameter]
        assert "milliseconds" in limits["Description"]
        assert limits["MinValue"] >= 1
        assert limits["Default"] >= limits["MinValue"]


def test_native_alarms_want_three_bad_minutes_of_five() -> None:
    for alarm in of_type(SIGNALS, "AWS::CloudWatch::Alarm").values():
        assert (alarm["Period"], alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"]) == (60, 3, 5)
