"""What the embedded AWS lacks, supplied here or where this says. Nothing in the product knows of it.

1. `AWS::DynamoDB::GlobalTable` makes only its own Region's replica: `add_replica` adds one.
2. Functions' EMF log lines are not turned into metrics: `Relay` reads the log groups and puts metrics. (Lines
   appear when an invocation has ended, a minute late for the probe: alarms come late here, the probe's own
   events in time.)
3. A CloudWatch alarm's change emits no EventBridge event: `Relay` polls the alarms, composes the event in
   AWS's shape, asks the emulator's own `TestEventPattern` which rules match, and starts their targets as
   EventBridge would (asynchronously).
4. An event bus in another Region is not reached as a rule's target: `Relay` delivers there in the same way.
5. IAM asks for `route53:GetChange` on `*`, AWS on `change/<id>`: `allow_get_change` grants it.
6. Every Region's DynamoDB has one and the same address, which cannot fail to resolve: `drill/names.py` gives
   each a name (a rule set for the SDK, a file of names for the resolver).
7. A global table's replicas get every write at once, and nothing can hold it up:
   `drill/embedded/replication.py` stands between, and can be paused.

8. IAM asks for `sqs:SendMessageBatch`, which AWS does not know (`sqs:SendMessage` grants both):
   `allow_send_batch` grants it on the queue of a function's own samples.

9. IAM evaluates no condition keys: `allow_publishing` grants `cloudwatch:PutMetricData` without the one on
   its namespace.
10. CloudFormation knows no `AWS::Route53::HealthCheck`, alarms ignore dimensions and missing data, and nobody
   looks at a health check: `drill/data_plane.py` makes the check by Route 53's own API, and
   `drill/health_checks.py` looks, by the alarms' metrics and at the objects.

A Region that is hung by the fault table relays nothing: its alarms are as dead as the rest of it.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from drill.emulator import Emulator
from drill.faults import Call, FaultTable

POLL_S = 1.0
ACCOUNT = "000000000000"


def add_replica(emulator: Emulator, table: str, region: str, replica: str) -> None:
    """Add a replica to a table, and wait until it is active there."""
    dynamodb = emulator.client("dynamodb", region)
    dynamodb.update_table(TableName=table, ReplicaUpdates=[{"Create": {"RegionName": replica}}])
    emulator.client("dynamodb", replica).get_waiter("table_exists").wait(
        TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )


def allow_get_change(emulator: Emulator, region: str, functions: tuple[str, ...]) -> None:
    """Let the functions' roles read the state of a change, as their policy on `change/*` does on AWS."""
    for name in functions:
        _allow(emulator, region, _configuration(emulator, region, name), "route53:GetChange", "*")


def allow_send_batch(emulator: Emulator, region: str, function: str) -> None:
    """Let a function's role send messages together, as the permission to send one does on AWS."""
    configuration = _configuration(emulator, region, function)
    queue = configuration["Environment"]["Variables"]["SAMPLE_QUEUE_URL"].rsplit("/", 1)[-1]
    arn = f"arn:aws:sqs:{region}:{ACCOUNT}:{queue}"
    _allow(emulator, region, configuration, "sqs:SendMessageBatch", arn)


def allow_publishing(emulator: Emulator, region: str, functions: tuple[str, ...]) -> None:
    """Let functions' roles publish metrics, as their policy, with its condition, does on AWS."""
    for name in functions:
        _allow(emulator, region, _configuration(emulator, region, name), "cloudwatch:PutMetricData", "*")


def _configuration(emulator: Emulator, region: str, function: str) -> dict[str, Any]:
    client = emulator.client("lambda", region)
    found: dict[str, Any] = client.get_function_configuration(FunctionName=function)
    return found


def _allow(
    emulator: Emulator, region: str, configuration: dict[str, Any], action: str, resource: str
) -> None:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    emulator.client("iam", region).put_role_policy(
        RoleName=configuration["Role"].rsplit("/", 1)[-1],
        PolicyName=f"rehearsal-{action.rsplit(':', 1)[-1]}",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )


class Relay:
    """Polls alarms and function logs, and delivers what the real services would."""

    def __init__(
        self,
        emulator: Emulator,
        faults: FaultTable,
        regions: tuple[str, ...],
        log_groups: tuple[str, ...],
        control_region: str,
        told: Callable[[str], None],
    ) -> None:
        """Relay in these Regions; `told` hears of each alarm's change."""
        self._emulator = emulator
        self._faults = faults
        self._regions = regions
        self._log_groups = log_groups
        self._control = control_region
        self._told = told
        self._states: dict[tuple[str, str], str] = {}
        self._seen_logs: dict[str, int] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
        self.delivered: list[dict[str, Any]] = []
        self.errors: list[str] = []

    def start(self) -> None:
        """Begin; alarms as they are now are no change."""
        for region in self._regions:
            self._changes(region)
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopping.set()
        self._thread.join(15)

    def _run(self) -> None:
        while not self._stopping.wait(POLL_S):
            try:
                self._feed_metrics()
                for region in self._regions:
                    if not self._is_dead(region):
                        for event in self._changes(region):
                            self._tell(event)
                            self._deliver(region, event)
            except Exception as error:
                self.errors.append(f"{type(error).__name__}: {error}")

    def _tell(self, event: dict[str, Any]) -> None:
        """Tell of an alarm that begins or ends; one that has its first data is no news."""
        states = {event["detail"]["state"]["value"], event["detail"]["previousState"]["value"]}
        if "ALARM" in states:
            self._told(_headline(event))

    def _is_dead(self, region: str) -> bool:
        return self._faults.match(Call(region, "monitoring", "relay")) is not None

    def _feed_metrics(self) -> None:
        logs = self._emulator.client("logs", self._control)
        metrics = self._emulator.client("cloudwatch", self._control)
        for group in self._log_groups:
            start = self._seen_logs.get(group, int((time.time() - 5) * 1000))
            try:
                found = logs.filter_log_events(logGroupName=group, startTime=start)["events"]
            except logs.exceptions.ResourceNotFoundException:
                continue
            for event in found:
                self._seen_logs[group] = max(self._seen_logs.get(group, 0), event["timestamp"] + 1)
                for namespace, data in _metrics_in(event["message"]):
                    metrics.put_metric_data(Namespace=namespace, MetricData=data)

    def _changes(self, region: str) -> list[dict[str, Any]]:
        cloudwatch = self._emulator.client("cloudwatch", region)
        events = []
        for alarm in cloudwatch.describe_alarms()["MetricAlarms"]:
            key, state = (region, alarm["AlarmName"]), alarm["StateValue"]
            before = self._states.get(key)
            self._states[key] = state
            if before not in {None, state}:
                events.append(_alarm_event(region, alarm, str(before)))
        return events

    def _deliver(self, region: str, event: dict[str, Any], bus: str = "default") -> None:
        events = self._emulator.client("events", region)
        for rule in events.list_rules(EventBusName=bus)["Rules"]:
            pattern = rule.get("EventPattern")
            if not pattern or rule["State"] != "ENABLED":
                continue
            if not events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"]:
                continue
            for target in events.list_targets_by_rule(Rule=rule["Name"], EventBusName=bus)["Targets"]:
                self._start(target["Arn"], event)

    def _start(self, arn: str, event: dict[str, Any]) -> None:
        _, _, service, region, _, resource = arn.split(":", 5)
        if service == "lambda":
            self._emulator.client("lambda", region).invoke(
                FunctionName=arn, InvocationType="Event", Payload=json.dumps(event)
            )
            self.delivered.append(event)
        elif service == "events":
            self._deliver(region, event, resource.split("/", 1)[1])


def _metrics_in(line: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield (namespace, metric data) of an EMF line; nothing for any other line."""
    try:
        found = json.loads(line)
        directives = found["_aws"]["CloudWatchMetrics"]
    except (ValueError, KeyError, TypeError):
        return
    at = datetime.fromtimestamp(found["_aws"]["Timestamp"] / 1000, UTC)
    for directive in directives:
        for names in directive["Dimensions"]:
            dimensions = [{"Name": name, "Value": str(found[name])} for name in names]
            data = []
            for metric in directive["Metrics"]:
                value = found[metric["Name"]]
                values = [float(v) for v in (value if isinstance(value, list) else [value])]
                data.append(
                    {
                        "MetricName": metric["Name"],
                        "Dimensions": dimensions,
                        "Timestamp": at,
                        "Values": values,
                    }
                )
            yield directive["Namespace"], data


def _alarm_event(region: str, alarm: dict[str, Any], before: str) -> dict[str, Any]:
    """Return the event that EventBridge delivers for a metric alarm's change (AWS's own sample)."""
    now = datetime.now(UTC)
    stamp = now.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    metric = {"namespace": alarm.get("Namespace", ""), "name": alarm.get("MetricName", ""), "dimensions": {}}
    stat = {"metric": metric, "period": alarm.get("Period", 60), "stat": alarm.get("Statistic", "Average")}
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "CloudWatch Alarm State Change",
        "source": "aws.cloudwatch",
        "account": ACCOUNT,
        "time": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": [alarm["AlarmArn"]],
        "detail": {
            "alarmName": alarm["AlarmName"],
            "configuration": {
                "description": alarm.get("AlarmDescription", ""),
                "metrics": [{"id": "m1", "metricStat": stat, "returnData": True}],
            },
            "previousState": {"value": before, "timestamp": stamp, "reason": ""},
            "state": {
                "value": alarm["StateValue"],
                "timestamp": stamp,
                "reason": alarm.get("StateReason", ""),
            },
        },
    }


def _headline(event: dict[str, Any]) -> str:
    detail = event["detail"]
    return f"alarm {detail['alarmName']} in {event['region']}: {detail['state']['value']}"
