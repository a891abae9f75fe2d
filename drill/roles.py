"""Each function's role is refused what only another function needs; asked of the embedded AWS's own IAM."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import ClientError

from drill import layout
from drill.gaps import ACCOUNT
from drill.report import Check
from drill.world import World

REFUSED = frozenset({"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"})


def check_roles(world: World) -> list[Check]:
    """Return, for each role, whether it may do its own work and may not do another's."""
    calls: dict[str, Callable[[Any], object]] = {
        "route53:ListResourceRecordSets": lambda s: s("route53").list_resource_record_sets(
            HostedZoneId=world.zone_id
        ),
        "ssm:GetParameter": lambda s: s("ssm").get_parameter(Name=layout.PARAMETER),
        "secretsmanager:GetSecretValue": lambda s: s("secretsmanager").get_secret_value(
            SecretId=world.secret_arn
        ),
        "dynamodb:Scan on the application's table": lambda s: s("dynamodb").scan(
            TableName=layout.TABLE, Limit=1, Select="COUNT"
        ),
        "dynamodb:GetItem on the state table": lambda s: s("dynamodb").get_item(
            TableName=world.stack.outputs["StateTableName"],
            Key={"pk": {"S": "plan#none"}, "sk": {"S": "state"}},
        ),
    }
    route53, ssm, secret, scan, state = calls
    allowed = {
        "HealthProbe": {scan, state},
        "Failover": {route53, ssm, scan, state},
        "Failback": {route53, ssm, scan, state},
        "LinodeDns": {secret, state},
    }
    return [_check(world, name, calls, may) for name, may in allowed.items()]


def _check(world: World, function: str, calls: dict[str, Callable[[Any], object]], may: set[str]) -> Check:
    session = _session(world, function)
    found = {name for name, call in calls.items() if _is_allowed(call, session)}
    refused = ", ".join(sorted(set(calls) - found))
    return Check(f"IAM: {function} may do its own work and no other's", found == may, f"refused: {refused}")


def _is_allowed(call: Callable[[Any], object], session: Any) -> bool:
    try:
        call(session)
    except ClientError as error:
        if error.response["Error"]["Code"] in REFUSED:
            return False
        raise
    return True


def _session(world: World, function: str) -> Callable[[str], Any]:
    """Return a maker of clients that act as a function's role.

    The role trusts Lambda alone; for the length of this check the rehearsal lets the account assume it.
    """
    name = world.stack.function(function)
    config = world.aws("lambda").get_function_configuration(FunctionName=name)
    role = config["Role"].rsplit("/", 1)[-1]
    iam = world.aws("iam")
    trust = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    opened = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(opened))
    keys = world.aws("sts").assume_role(RoleArn=config["Role"], RoleSessionName="rehearsal")["Credentials"]
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(trust))
    session: Any = boto3.session.Session(
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
        region_name=layout.STANDBY,
    )
    return lambda service: session.client(service, endpoint_url=world.emulator.url)
