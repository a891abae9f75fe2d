"""What CloudWatch and Linode say: an alarm's state and whether it is muted, nodes, instances."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from region_failover.adapters.clients import CHECK, client
from region_failover.adapters.symptoms import remote
from region_failover.domain.errors import RemoteFailure
from region_failover.domain.plan import NodeBalancer
from region_failover.domain.reports import Alarm, Nodes
from region_failover.domain.symptom import Kind, Symptom


class LinodeStatus(Protocol):
    """What Linode says of its NodeBalancers and instances."""

    def nodes(self, balancer: NodeBalancer) -> Nodes:
        """Return how many nodes behind a NodeBalancer are up."""
        ...

    def instance(self, instance: int) -> str:
        """Return an instance's status."""
        ...


class Reports:
    """Implements ports.Reports."""

    def __init__(self, linode: Callable[[], LinodeStatus]) -> None:
        """Ask Linode through this, which is made at first use."""
        self._linode = linode

    @remote
    def alarm(self, region: str, name: str) -> Alarm:
        """Return an alarm (DescribeAlarms), and the rule that mutes it, if any (ListAlarmMuteRules).

        Raises RemoteFailure with Kind.SETTINGS where that Region has no such alarm.
        """
        cloudwatch = client("cloudwatch", region, CHECK)
        found = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        alarms = [*found.get("MetricAlarms", []), *found.get("CompositeAlarms", [])]
        if not alarms:
            raise RemoteFailure(Symptom(Kind.SETTINGS, detail=f"{region} has no alarm {name!r}"))
        (alarm,) = alarms
        muted = _muted(alarm)
        if not muted and alarm["StateValue"] == "ALARM":  # asked only where it matters
            rules = cloudwatch.list_alarm_mute_rules(AlarmName=name, Statuses=["ACTIVE"])
            muted = ", ".join(str(r["AlarmMuteRuleArn"]) for r in rules.get("AlarmMuteRuleSummaries", []))
        return Alarm(
            state=str(alarm["StateValue"]),
            since=alarm.get("StateTransitionedTimestamp"),
            muted=muted,
            impaired=str(alarm.get("EvaluationState", "")),
            reason=str(alarm.get("StateReason", "")),
        )

    def nodes(self, balancer: NodeBalancer) -> Nodes:
        """Return how many nodes of a NodeBalancer's configuration are up."""
        return self._linode().nodes(balancer)

    def instance(self, instance: int) -> str:
        """Return an instance's status."""
        return self._linode().instance(instance)


def _muted(alarm: Mapping[str, Any]) -> str:
    if not alarm.get("ActionsEnabled", True):
        return "its actions are disabled"
    return str(alarm.get("ActionsSuppressedReason") or alarm.get("ActionsSuppressedBy") or "")
