"""Our own credentials lose access to DynamoDB while both Regions are well: nothing may move."""

from __future__ import annotations

import json

from drill import events, expect, layout
from drill.gaps import ACCOUNT
from drill.stage import Stage
from drill.world import World

WATCHED_S = 20.0


def run(stage: Stage) -> None:
    """Rehearse: steady state, access taken away, an alarm on top of it, still the same steady state."""
    world = stage.world
    stage.begin()
    before = world.records()
    _deny(world)
    stage.strike(
        "the functions' roles lose access to the application's and the heartbeat table", phase="throughout"
    )
    blind = stage.wait("blind: somebody is told", lambda: stage.told("cannot judge"), 90)
    answer = world.invoke("Failover", events.alarm())
    stage.stay(WATCHED_S)
    after = world.records()
    subjects = [mail["Subject"] for mail in world.notifications()]
    stage.check("no record has changed", before == after, json.dumps(after, default=str))
    stage.check("no transition was opened", not world.transitions() and (world.state() or {})["epoch"] == 0)
    stage.check(
        "the failover function, started by an alarm, holds: observer-fault",
        bool(answer) and answer[0].get("reason") == "observer-fault",
        json.dumps(answer),
    )
    stage.check(
        "exactly one notification, and it says that we are blind",
        blind and len(subjects) == 1 and "cannot judge" in subjects[0],
        "; ".join(subjects),
    )
    stage.served_steadily("throughout", layout.PRIMARY)
    stage.checks(
        expect.is_at_rest(world, "throughout", layout.PRIMARY, 0),
        expect.no_dead_letters(world),
    )
    stage.count_requests(fail_only_in=())


def _deny(world: World) -> None:
    tables = [layout.TABLE, world.stack.outputs["HeartbeatTableName"]]
    statement = {
        "Effect": "Deny",
        "Action": "dynamodb:*",
        "Resource": [f"arn:aws:dynamodb:*:{ACCOUNT}:table/{table}" for table in tables],
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    resources = world.aws("cloudformation").list_stack_resources(StackName=layout.STACK)
    for resource in resources["StackResourceSummaries"]:
        if resource["ResourceType"] == "AWS::IAM::Role":
            world.aws("iam").put_role_policy(
                RoleName=resource["PhysicalResourceId"], PolicyName="denied", PolicyDocument=policy
            )
