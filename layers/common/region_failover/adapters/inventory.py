"""What readiness looks at: tables, quotas, alarms, roles, clocks, Linode's token. All of it reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Protocol

from region_failover.adapters.clients import CONTROL, client
from region_failover.adapters.symptoms import remote
from region_failover.domain.errors import RemoteFailure
from region_failover.domain.plan import Plan
from region_failover.domain.readiness import Table
from region_failover.domain.symptom import Kind, Symptom
from region_failover.ports import Clock

_QUOTAS = ("AccountMaxReadCapacityUnits", "AccountMaxWriteCapacityUnits")


class LinodeTokens(Protocol):
    """Linode's list of the account's tokens."""

    def token_expires_at(self) -> datetime | None:
        """Return when the token in use ends, None for never."""
        ...


class AwsInventory:
    """Implements service.readiness.Inventory."""

    def __init__(
        self,
        *,
        region: str,
        roles: Mapping[str, str],
        state_table: str,
        token_secret: str,
        alarm_prefixes: Sequence[str],
        linode: Callable[[], LinodeTokens],
        clock: Clock,
    ) -> None:
        """Look from this Region; `roles`: the functions' role ARNs, by the functions' names."""
        self._region = region
        self._roles = roles
        self._state_table = state_table
        self._token_secret = token_secret
        self._alarm_prefixes = alarm_prefixes
        self._linode = linode
        self._clock = clock

    @remote
    def describe(self, region: str, table: str) -> Table:
        """Return a table's description (DescribeTable)."""
        found = client("dynamodb", region, CONTROL).describe_table(TableName=table)["Table"]
        mode = found.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
        units = found.get("ProvisionedThroughput", {})
        replicas = {r["RegionName"]: str(r.get("ReplicaStatus", "")) for r in found.get("Replicas", [])}
        replicas.pop(region, None)
        return Table(
            status=str(found["TableStatus"]),
            keys=tuple((key["AttributeName"], key["KeyType"]) for key in found["KeySchema"]),
            replicas=replicas,
            on_demand=mode == "PAY_PER_REQUEST",
            units=(int(units.get("ReadCapacityUnits", 0)), int(units.get("WriteCapacityUnits", 0))),
        )

    @remote
    def limits(self, region: str) -> Mapping[str, int]:
        """Return the account's quotas in a Region (DescribeLimits)."""
        found = client("dynamodb", region, CONTROL).describe_limits()
        return {name: int(found[name]) for name in _QUOTAS if name in found}

    @remote
    def alarms(self) -> Mapping[str, str]:
        """Return the states of the stack's alarms in the control Region (DescribeAlarms)."""
        cloudwatch = client("cloudwatch", self._region, CONTROL)
        found: dict[str, str] = {}
        for prefix in self._alarm_prefixes:
            for page in cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=prefix):
                for kind in ("MetricAlarms", "CompositeAlarms"):
                    found.update({a["AlarmName"]: str(a["StateValue"]) for a in page.get(kind, [])})
        return found

    @remote
    def denied(self, role: str, wanted: Sequence[tuple[str, str]]) -> Sequence[str]:
        """Return what a role is denied (SimulatePrincipalPolicy): identity policies, no conditions."""
        iam = client("iam", self._region, CONTROL)
        denied: list[str] = []
        for action, resource in wanted:
            answer = iam.simulate_principal_policy(
                PolicySourceArn=self._roles[role], ActionNames=[action], ResourceArns=[resource]
            )
            decisions = {str(found["EvalDecision"]) for found in answer["EvaluationResults"]}
            if decisions != {"allowed"}:
                denied.append(f"{action} on {resource}")
        return denied

    @remote
    def skew_s(self, region: str) -> float:
        """Return how many seconds DynamoDB's clock in a Region is ahead of ours, by the Date of an answer."""
        before = self._clock.now()
        answer = client("dynamodb", region, CONTROL).list_tables(Limit=1)
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        after = self._clock.now()
        if "date" not in headers:
            raise RemoteFailure(Symptom(Kind.WRONG_ANSWER, detail="the answer has no Date"))
        theirs = parsedate_to_datetime(headers["date"])
        if theirs < before:
            return min(0.0, (theirs - before).total_seconds() + 1.0)  # Date has whole seconds
        return max(0.0, (theirs - after).total_seconds())

    def token_expires_at(self) -> datetime | None:
        """Return when Linode's token ends."""
        return self._linode().token_expires_at()

    def wanted(self, plan: Plan) -> Mapping[str, Sequence[tuple[str, str]]]:
        """Return what the functions that switch must be allowed for this plan."""
        if not self._roles:
            return {}
        _, partition, _, _, account, _ = self._roles["failover"].split(":", 5)
        here = f"arn:{partition}:dynamodb:{self._region}:{account}:table/{self._state_table}"
        switch = [(action, here) for action in ("dynamodb:GetItem", "dynamodb:PutItem")]
        for zone in plan.zones():
            arn = f"arn:{partition}:route53:::hostedzone/{zone}"
            switch += [("route53:ListResourceRecordSets", arn), ("route53:ChangeResourceRecordSets", arn)]
            switch += [("route53:GetHostedZone", arn)] if plan.policy.check_answers else []
        for parameter in plan.ssm_parameters:
            for region in parameter.regions:
                arn = f"arn:{partition}:ssm:{region}:{account}:parameter{parameter.name}"
                switch += [("ssm:GetParameter", arn), ("ssm:PutParameter", arn)]
        for checked in plan.dynamodb_checks:
            for region in plan.regions:
                arn = f"arn:{partition}:dynamodb:{region}:{account}:table/{checked.table}"
                switch.append(("dynamodb:Scan", arn))
        linode = [("secretsmanager:GetSecretValue", self._token_secret)] if plan.linode_records else []
        return {"failover": switch, "failback": switch, **({"linode_dns": linode} if linode else {})}
