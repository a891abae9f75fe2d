"""Our own credentials lose access to DynamoDB while both Regions are well: nothing may move."""

from __future__ import annotations

import json
import time

from drill import layout
from drill.gaps import ACCOUNT
from drill.report import Check, Report
from drill.steady import all_good_from, wait_for
from drill.world import World

WATCHED_S = 20.0


def run(world: World, report: Report) -> None:
    """Rehearse: steady state, access taken away, an alarm on top of it, still the same steady state."""
    world.tick("Failback")
    world.start_clients()
    time.sleep(4)
    before = world.records()
    _deny(world)
    world.journal.fault("the functions' roles lose access to the application's and the heartbeat table")
    started = time.monotonic()
    world.tick("HealthProbe", wait=False)
    blind = wait_for(lambda: bool(world.notifications()), 40)
    answer = world.invoke("Failover", _alarm())
    time.sleep(WATCHED_S)
    _conclude(world, report, before, started, blind, answer)


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


def _alarm() -> dict[str, object]:
    event: dict[str, object] = json.loads((layout.ROOT / "events" / "metric-alarm.json").read_text())
    event["time"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return event


def _conclude(
    world: World,
    report: Report,
    before: dict[str, object],
    started: float,
    blind: bool,
    answer: list[dict[str, object]],
) -> None:
    subjects = [mail["Subject"] for mail in world.notifications()]
    after = world.records()
    report.checks += [
        Check("no record has changed", before == after, json.dumps(after, default=str)),
        Check("no transition was opened", not world.transitions() and (world.state() or {})["epoch"] == 0),
        Check(
            "the failover function, started by an alarm, holds: observer-fault",
            bool(answer) and answer[0].get("reason") == "observer-fault",
            json.dumps(answer),
        ),
        Check(
            "exactly one notification, and it says that we are blind",
            blind and len(subjects) == 1 and "cannot judge" in subjects[0],
            "; ".join(subjects),
        ),
    ]
    for name, client in world.clients.items():
        ok, detail = all_good_from(client.since(started), layout.PRIMARY, 20)
        report.checks.append(Check(f"{name} is served by the primary throughout", ok, detail))
    answers = [answer for client in world.clients.values() for answer in client.answers()]
    report.requests = {"sent": len(answers), "failed": {"throughout": sum(not a.ok for a in answers)}}
