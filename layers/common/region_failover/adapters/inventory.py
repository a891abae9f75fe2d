"""What readiness looks at: tables, quotas, alarms, roles, clocks, hooks, Linode's token. All of it reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Protocol

from botocore.exceptions import ClientError

from region_failover.adapters.clients import CONTROL, client
from region_failover.adapters.dataplane_inventory import (
    alarm_is_there,
    failover_pair,
    wanted_of_the_data_plane,
)
from region_failover.adapters.environment import function_of, secret_of
from region_failover.adapters.symptoms import remote
from region_failover.domain.configuration_readiness import Function
from region_failover.domain.dataplane_readiness import PairSeen
from region_failover.domain.errors import RemoteFailure
from region_failover.domain.linode_readiness import LinodeToken, LinodeZone
from region_failover.domain.plan import Plan
from region_failover.domain.readiness import Table
from region_failover.domain.symptom import Kind, Symptom
from region_failover.ports import Clock

_OF_A_PARAMETER = ("GetParameter", "GetParameterHistory", "PutParameter")
_OF_A_SECRET = ("GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage")
_QUOTAS = ("AccountMaxReadCapacityUnits", "AccountMaxWriteCapacityUnits")


class LinodeAccount(Protocol):
    """What Linode says of our token, and of a domain."""

    def token(self) -> LinodeToken:
        """Return what the token in use is good for, and until when."""
        ...

    def zone(self, domain_id: int) -> LinodeZone:
        """Return a domain, its records and its zone file."""
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
        linode: Callable[[], LinodeAccount],
        clock: Clock,
        secret_arns: Sequence[str] = (),
        hook_arns: Sequence[str] = (),
    ) -> None:
        """Look from this Region; `roles`: the functions' role ARNs, by the functions' names.

        `secret_arns`, `hook_arns`: what the stack's parameters name of either.
        """
        self._secrets = {secret_of(arn): arn for arn in secret_arns}
        self._hooks = {function_of(arn): arn for arn in hook_arns}
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

    @property
    def control_region(self) -> str:
        """Return the Region that this looks from."""
        return self._region

    def failover_pair(self, zone_id: str, name: str, kind: str) -> PairSeen:
        """Return a failover pair."""
        return failover_pair(self._region, zone_id, name, kind)

    def alarm_is_there(self, name: str) -> bool:
        """Return whether the control Region has an alarm of that name."""
        return alarm_is_there(self._region, name)

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

    @remote
    def function(self, region: str, name: str) -> Function | None:
        """Return how a hook's function is (GetFunctionConfiguration); '': in the control Region."""
        try:
            found = client("lambda", region or self._region, CONTROL).get_function_configuration(
                FunctionName=name
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return None
            raise
        return Function(str(found.get("State", "Active")), int(found["Timeout"]))

    def linode_token(self) -> LinodeToken:
        """Return what Linode says of the token in use."""
        return self._linode().token()

    def linode_zone(self, domain_id: int) -> LinodeZone:
        """Return a domain at Linode, its records and its zone file."""
        return self._linode().zone(domain_id)

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
                switch += [(f"ssm:{action}", arn) for action in _OF_A_PARAMETER]
        switch += self._wanted_for_configuration(plan)
        for checked in plan.dynamodb_checks:
            for region in plan.regions:
                arn = f"arn:{partition}:dynamodb:{region}:{account}:table/{checked.table}"
                switch.append(("dynamodb:Scan", arn))
        switch += wanted_of_the_data_plane(partition, plan)
        linode = [("secretsmanager:GetSecretValue", self._token_secret)] if plan.switches_linode else []
        return {"failover": switch, "failback": switch, **({"linode_dns": linode} if linode else {})}

    def _wanted_for_configuration(self, plan: Plan) -> list[tuple[str, str]]:
        """Return what is wanted of the secrets and functions whose ARNs the stack has been given."""
        secrets = (f"{secret.name} in {region}" for secret in plan.secrets for region in secret.regions)
        functions = {
            f"{hook.function} in {hook.region(region) or self._region}"
            for hook in plan.hooks
            for region in plan.regions
        }
        return [
            *(
                (f"secretsmanager:{action}", self._secrets[name])
                for name in secrets
                if name in self._secrets
                for action in _OF_A_SECRET
            ),
            *(("lambda:InvokeFunction", self._hooks[name]) for name in sorted(functions & set(self._hooks))),
        ]
