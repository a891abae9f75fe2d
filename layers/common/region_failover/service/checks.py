"""The checks of a plan: what is asked in each Region, and what an answer, or none, comes to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from region_failover.domain.errors import NoEvidence, RemoteFailure
from region_failover.domain.plan import HttpCheck, NodeBalancer, Plan
from region_failover.domain.reports import read_alarm, read_instance, read_nodes, read_replica, read_status
from region_failover.domain.symptom import Kind, Symptom
from region_failover.domain.verdict import ELSEWHERE, CheckResult, Evidence
from region_failover.ports import Eyes, Ports

HEARTBEAT = "heartbeat"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to ask in one Region.

    `told`: it asks somebody else about the Region; `at_a_glance`: each sample asks it, so that its time
    counts as the application's.
    """

    region: str
    evidence: Evidence
    name: str
    ask: Callable[[], None]
    told: bool = False
    at_a_glance: bool = False

    def result(self, answer: object) -> CheckResult:
        """Return what an answer (seconds taken, or an exception) comes to."""
        if isinstance(answer, NoEvidence):
            return self._result(silent=str(answer))
        symptom = _symptom(answer)
        if symptom and self.told and symptom.kind is not Kind.REPORTED:
            return self._result(silent=str(symptom))  # whoever would tell us cannot, or will not
        took = answer if isinstance(answer, float) and self.at_a_glance else None
        return self._result(symptom, took)

    def _result(
        self, symptom: Symptom | None = None, took_s: float | None = None, silent: str = ""
    ) -> CheckResult:
        return CheckResult(
            self.region, self.evidence, self.name, symptom, took_s, silent, self.told, self.at_a_glance
        )


def run_checks(eyes: Eyes, plan: Plan, more: Callable[[str], Iterable[Check]]) -> list[CheckResult]:
    """Make all checks of both Regions at once; `more`: those of a full round, by Region."""
    checks = [
        check
        for region in plan.regions
        for check in (
            *_table_checks(eyes, plan, region),
            *more(region),
            *_endpoint_checks(eyes, plan, region),
        )
    ]
    checks += _control_checks(eyes, plan)
    calls = [partial(_timed, eyes, check.ask) for check in checks]
    answers = eyes.together(calls, plan.sampling.timeout)
    return [check.result(answer) for check, answer in zip(checks, answers, strict=True)]


def full_round(ports: Ports, plan: Plan, at: datetime) -> Callable[[str], Iterable[Check]]:
    """Return the checks that only a full round makes, by Region: they write, or they cost more."""
    return lambda region: (_heartbeat_check(ports, plan, region, at), *told_checks(ports, plan, region))


def heartbeat_key(plan: Plan, region: str) -> str:
    """Return the key of the heartbeat item that is written in a Region."""
    return f"{plan.name}#{region}"


def told_checks(ports: Ports, plan: Plan, region: str) -> Iterator[Check]:
    """Yield the checks of what DynamoDB, CloudWatch and Linode say of a Region; readiness asks them, too."""
    yield from _replica_checks(ports, plan, region)
    role = plan.regions.role(region)
    for name in filter(None, (check.alarm(role) for check in plan.alarm_checks)):
        ask = partial(_ask_alarm, ports, region, name)
        yield Check(region, Evidence.ALARM, f"alarm {name}", ask, told=True)
    for balancer in (check.balancer(role) for check in plan.balancer_checks):
        name = f"NodeBalancer {balancer.id}/{balancer.config_id}"
        yield Check(region, Evidence.LINODE, name, partial(_ask_nodes, ports, balancer), told=True)
    for instance in (check.instance(role) for check in plan.instance_checks):
        ask = partial(_ask_instance, ports, instance)
        yield Check(region, Evidence.LINODE, f"Linode {instance}", ask, told=True)


def _table_checks(eyes: Eyes, plan: Plan, region: str) -> Iterator[Check]:
    for check in plan.dynamodb_checks:
        read = partial(eyes.tables.read, region, check.table)
        yield Check(region, Evidence.DYNAMODB, f"read {check.table}", read, at_a_glance=True)


def _heartbeat_check(ports: Ports, plan: Plan, region: str, at: datetime) -> Check:
    write = partial(ports.tables.write_heartbeat, region, heartbeat_key(plan, region), at)
    return Check(region, Evidence.DYNAMODB, HEARTBEAT, write)


def _replica_checks(ports: Ports, plan: Plan, region: str) -> Iterator[Check]:
    """Yield what each Region says of its own replica, and the other one of it."""
    other = plan.regions.other(region)
    for table in (check.table for check in plan.dynamodb_checks if check.replicas):
        ask = partial(_ask_status, ports, region, table)
        yield Check(region, Evidence.DYNAMODB, f"status of {table}", ask, told=True)
        ask = partial(_ask_replica, ports, other, table, region)
        yield Check(region, Evidence.DYNAMODB, f"replica of {table}, by {other}", ask, told=True)


def _endpoint_checks(eyes: Eyes, plan: Plan, region: str) -> Iterator[Check]:
    for check in plan.http_checks:
        url = check.url(plan.regions.role(region))
        get = partial(_get, eyes, check, url, plan.sampling.timeout)
        yield Check(region, Evidence.HTTP, f"GET {url}", get, at_a_glance=True)


def _control_checks(eyes: Eyes, plan: Plan) -> Iterator[Check]:
    for url in plan.control_targets:
        get = partial(eyes.endpoints.get, url, 200, plan.sampling.timeout)
        yield Check(ELSEWHERE, Evidence.HTTP, f"GET {url}", get)


def _get(eyes: Eyes, check: HttpCheck, url: str, timeout: timedelta) -> None:
    """Ask an endpoint; one that answers later than the plan allows has answered wrongly."""
    began = eyes.clock.now()
    eyes.endpoints.get(url, check.status, timeout, check.body, check.headers)
    took = eyes.clock.now() - began
    if check.within is not None and took > check.within:
        late = f"it took {took.total_seconds():.2f} s, more than {check.within.total_seconds():.2f} s"
        raise RemoteFailure(Symptom(Kind.WRONG_ANSWER, status=check.status, detail=late))


def _ask_status(ports: Ports, region: str, table: str) -> None:
    read_status(ports.tables.status(region, table))


def _ask_replica(ports: Ports, asked: str, table: str, region: str) -> None:
    read_replica(ports.tables.status(asked, table), region)


def _ask_alarm(ports: Ports, region: str, name: str) -> None:
    read_alarm(ports.reports.alarm(region, name), ports.clock.now())


def _ask_nodes(ports: Ports, balancer: NodeBalancer) -> None:
    read_nodes(ports.reports.nodes(balancer))


def _ask_instance(ports: Ports, instance: int) -> None:
    read_instance(ports.reports.instance(instance))


def _timed(eyes: Eyes, ask: Callable[[], None]) -> float:
    """Make a call; return how many seconds it took."""
    began = eyes.clock.now()
    ask()
    return (eyes.clock.now() - began).total_seconds()


def _symptom(answer: object) -> Symptom | None:
    if isinstance(answer, RemoteFailure):
        return answer.symptom
    if isinstance(answer, TimeoutError):
        return Symptom(Kind.TIMEOUT, detail="no answer within the check's deadline")
    if isinstance(answer, Exception):
        return Symptom(Kind.UNKNOWN, detail=f"{type(answer).__name__}: {answer}")
    return None
