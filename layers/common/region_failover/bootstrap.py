"""The one place that wires: environment and plans in, a function's handler out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from aws_lambda_powertools import Logger

from region_failover.adapters.clients import CHECK, CONTROL, ROUTE53, ROUTE53_CHANGE, client
from region_failover.adapters.endpoints import Endpoints
from region_failover.adapters.environment import (
    Settings,
    VantageSettings,
    check_grants,
    check_vantage,
    read_settings,
    read_vantage_settings,
    region_of,
)
from region_failover.adapters.headers import SecretHeaders
from region_failover.adapters.keys import OperatorKeys
from region_failover.adapters.messages import EventBus, Topic
from region_failover.adapters.meter import PowertoolsMeter
from region_failover.adapters.parameters import Parameters
from region_failover.adapters.plan_files import shipped_plans
from region_failover.adapters.reports import Reports
from region_failover.adapters.route53 import Zones
from region_failover.adapters.sample_queue import DelayQueue
from region_failover.adapters.secret import Secret
from region_failover.adapters.state_table import StateTable
from region_failover.adapters.system import SystemClock, together
from region_failover.adapters.tables import Tables
from region_failover.domain.errors import MalformedEvent, NotAnswerable, OutOfTime, RegionFailoverError
from region_failover.domain.operation import read_operation
from region_failover.domain.plan import Plan
from region_failover.domain.trigger import Trigger, read_triggers
from region_failover.domain.web import (
    PAGE_KEY,
    Response,
    is_request,
    read_request,
    with_links,
    write_response,
)
from region_failover.ports import Eyes, LinodeRecordState, Ports
from region_failover.service.operator import handle_operation
from region_failover.service.record import Deadline
from region_failover.service.vantage import handle_vantage

if TYPE_CHECKING:
    from region_failover.adapters.inventory import AwsInventory
    from region_failover.adapters.linode import Linode

# Kept back from the function's own timeout, for raising an error that says what happened.
OUTER_MARGIN_S = 2.0

VANTAGE_SERVICE = "vantage_point"

# The variables that one function needs and the others do not.
NEEDED = {"health_probe": ("SAMPLE_QUEUE_URL",), "readiness": ("STACK_NAME", "ROLES")}

Answer = list[dict[str, object]]
Flow = Callable[[Ports, Sequence[Plan], Sequence[Trigger], Deadline, timedelta], Answer]


class Context(Protocol):
    """What is used of Lambda's context object."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds left before Lambda ends the invocation."""
        ...


@dataclass(frozen=True)
class Application:
    """A function's settings, plans and ports, made once per execution environment."""

    service: str
    settings: Settings
    plans: tuple[Plan, ...]
    ports: Ports
    logger: Logger

    def run(self, flow: Flow, event: Any, context: Context) -> Answer:
        """Read the event and run a flow on it, within the outer deadline; errors are logged and raised.

        An error means that the event is delivered again and in the end goes to the dead-letter queue.
        """

        def work(ports: Ports, deadline: Deadline) -> Answer:
            triggers = read_triggers(event, context.aws_request_id)
            return flow(ports, self.plans, triggers, deadline, self.settings.maximum_event_age)

        return self._within(work, event, context)

    def inspect(self, event: Any, context: Context) -> Answer:
        """Check whether the plans are ready; return the findings."""
        from region_failover.service.readiness import handle_readiness  # no other function needs it

        def work(ports: Ports, deadline: Deadline) -> Answer:
            triggers = read_triggers(event, context.aws_request_id)
            return handle_readiness(ports, self.inventory(), self.plans, triggers, deadline)

        return self._within(work, event, context)

    def inventory(self) -> AwsInventory:
        """Return what readiness looks at, beside the ports."""
        from region_failover.adapters.inventory import AwsInventory  # no other function needs it

        settings = self.settings
        return AwsInventory(
            region=settings.region,
            roles=dict(settings.roles),
            state_table=settings.state_table,
            token_secret=settings.linode_token_arn,
            alarm_prefixes=[f"region-failover-{kind}-{settings.stack}" for kind in ("signal", "ops")],
            linode=lambda: make_linode(settings, SystemClock()),
            clock=SystemClock(),
        )

    def operate(self, event: Any, context: Context) -> dict[str, object]:
        """Do what a human asks; return {'plans': how each stands then}, or {'refused': why}.

        A request that nothing answers to is the human's to correct: it is no error of this function.
        """

        refused: list[str] = []

        def work(ports: Ports, deadline: Deadline) -> Answer:
            try:
                return handle_operation(ports, self.plans, read_operation(event), deadline)
            except (MalformedEvent, NotAnswerable) as error:
                refused.append(str(error))
                return []

        plans = self._within(work, event, context)
        return {"refused": refused[0]} if refused else {"plans": plans}

    def answer(self, event: Any, context: Context) -> dict[str, object]:
        """Answer an invocation by a human, or a request to the function's URL."""
        return self._serve(event, context) if is_request(event) else self.operate(event, context)

    def _serve(self, event: Any, context: Context) -> dict[str, object]:
        from region_failover.service.page import handle_request  # no other function needs it

        def work(ports: Ports, deadline: Deadline) -> Answer:
            try:
                request = read_request(event)
                response = handle_request(ports, self.plans, request, _keys(self.settings), deadline)
            except MalformedEvent as error:
                response = Response(HTTPStatus.BAD_REQUEST, str(error), "text/plain; charset=utf-8")
            return [write_response(response)]

        return self._within(work, event, context)[0]

    def _within(self, work: Callable[[Ports, Deadline], Answer], event: Any, context: Context) -> Answer:
        return _within(self.service, self.logger, self.ports, work, event, context)


@dataclass(frozen=True)
class VantagePoint:
    """What `vantage.yaml` runs: its settings, plans and eyes, made once per execution environment."""

    settings: VantageSettings
    plans: tuple[Plan, ...]
    eyes: Eyes
    logger: Logger

    def run(self, event: Any, context: Context) -> Answer:
        """Look, and report, within the outer deadline; errors are logged and raised."""

        def work(eyes: Eyes, deadline: Deadline) -> Answer:
            triggers = read_triggers(event, context.aws_request_id)
            return handle_vantage(eyes, self.settings.name, self.plans, triggers, deadline)

        return _within(VANTAGE_SERVICE, self.logger, self.eyes, work, event, context)


E = TypeVar("E", bound=Eyes)


def _within(
    service: str, logger: Logger, eyes: E, work: Callable[[E, Deadline], Answer], event: Any, context: Context
) -> Answer:
    """Work within the outer deadline, with ports of this invocation."""
    mine = replace(eyes, owner=f"{service}:{context.aws_request_id}", clock=SystemClock())
    seconds = context.get_remaining_time_in_millis() / 1000 - OUTER_MARGIN_S
    calls = [lambda: work(mine, Deadline.after(mine, seconds))]
    answer = mine.together(calls, timedelta(seconds=seconds))[0]
    if isinstance(answer, Exception):
        event_id = event.get("id", "") if isinstance(event, Mapping) else ""
        logger.error("failed", extra={"event_id": event_id, "error": str(answer)}, exc_info=answer)
        if type(answer) is TimeoutError:
            raise OutOfTime(f"{service}: not done within {seconds:.0f} s") from answer
        raise answer
    return answer


def application(service: str, environ: Mapping[str, str] | None = None) -> Application:
    """Return a function's application; raise ConfigurationError where settings or plans are wrong."""
    settings = read_settings(os.environ if environ is None else environ, NEEDED.get(service, ()))
    plans = shipped_plans()
    logger = Logger(service=service)
    spare = check_grants(settings, plans)
    if spare:
        logger.warning("granted and not needed", extra={"spare": spare})
    return Application(service, settings, plans, real_ports(service, settings, logger, plans), logger)


def vantage_point(environ: Mapping[str, str] | None = None) -> VantagePoint:
    """Return the vantage point; raise ConfigurationError where settings or plans are wrong."""
    settings = read_vantage_settings(os.environ if environ is None else environ)
    plans = shipped_plans()
    logger = Logger(service=VANTAGE_SERVICE)
    spare = check_vantage(settings, plans)
    if spare:
        logger.warning("granted and not needed", extra={"spare": spare})
    headers = _headers(settings, logger)
    _warm_up(settings, plans, headers)
    eyes = Eyes(
        owner=VANTAGE_SERVICE,
        clock=SystemClock(),
        together=together,
        tables=Tables(heartbeat_table=""),
        endpoints=Endpoints(headers),
        events=EventBus(client("events", settings.control_region, CONTROL), settings.event_bus),
        samples=DelayQueue(lambda: client("sqs", settings.region, CONTROL), settings.sample_queue),
        meter=PowertoolsMeter(VANTAGE_SERVICE, logger),
    )
    return VantagePoint(settings, plans, eyes, logger)


def _headers(settings: Settings | VantageSettings, logger: Logger) -> SecretHeaders:
    """Return what reads the secret of a check's headers, in the Region that its ARN names."""
    arn = settings.headers_secret_arn

    def warn(problem: str) -> None:
        logger.warning("headers of the checks not read", extra={"error": problem})

    return SecretHeaders(lambda: client("secretsmanager", region_of(arn), CONTROL), arn, warn)


def _warm_up(settings: Settings | VantageSettings, plans: Sequence[Plan], headers: SecretHeaders) -> None:
    """Make now what every round needs: the first one's deadline is for the checks alone."""
    for region in (settings.primary_region, settings.standby_region):
        client("dynamodb", region, CHECK)
    if any(plan.sends_headers for plan in plans):
        headers.fill()


def _warm_up_reports(settings: Settings, plans: Sequence[Plan], linode: _LazyLinode) -> None:
    """Make now what asks CloudWatch and Linode, where a plan asks them."""
    for plan in plans:
        for region in plan.regions:
            if any(check.alarm(plan.regions.role(region)) for check in plan.alarm_checks):
                client("cloudwatch", region, CHECK)
    if any(plan.checks_linode for plan in plans):
        client("secretsmanager", settings.region, CONTROL)
        linode.real()


def real_ports(service: str, settings: Settings, logger: Logger, plans: Sequence[Plan] = ()) -> Ports:
    """Return the ports with the real adapters behind them, ready for the checks of these plans."""
    clock = SystemClock()
    linode = _LazyLinode(settings, clock)
    headers = _headers(settings, logger)
    if service not in {"linode_dns", "operator", "readiness"}:
        _warm_up_reports(settings, plans, linode)
        _warm_up(settings, plans, headers)
    return Ports(
        owner=service,
        clock=clock,
        together=together,
        store=StateTable(client("dynamodb", settings.region, CONTROL), settings.state_table),
        tables=Tables(settings.heartbeat_table),
        endpoints=Endpoints(headers),
        zones=Zones(
            client("route53", settings.region, ROUTE53), client("route53", settings.region, ROUTE53_CHANGE)
        ),
        parameters=Parameters(),
        linode=linode,
        names=_LazyNameServers(settings.name_servers),
        reports=Reports(linode.real),
        events=EventBus(client("events", settings.region, CONTROL), settings.event_bus),
        samples=DelayQueue(lambda: client("sqs", settings.region, CONTROL), settings.sample_queue),
        notifier=Topic(client("sns", settings.region, CONTROL), settings.topic_arn, _links(settings)),
        meter=PowertoolsMeter(service, logger),
    )


@lru_cache
def _keys(settings: Settings) -> OperatorKeys:
    return OperatorKeys(
        lambda: client("secretsmanager", settings.region, CONTROL), settings.operator_secret_arn
    )


def _links(settings: Settings) -> Callable[[str], str]:
    """Return what completes a notice's text: a page's address, where there is a page.

    A notice goes out also where the key cannot be read (I22): without the page's line.
    """

    def complete(text: str) -> str:
        if not settings.operator_url or with_links(text, "", "") == text:
            return with_links(text, "", "")
        try:
            return with_links(text, settings.operator_url, _keys(settings)()[PAGE_KEY])
        except RegionFailoverError:
            return with_links(text, "", "")

    return complete


def make_linode(settings: Settings, clock: SystemClock) -> Linode:
    """Return Linode's adapter; requests is imported here, at first use."""
    from region_failover.adapters.linode import Linode

    token = Secret(lambda: client("secretsmanager", settings.region, CONTROL), settings.linode_token_arn)
    return Linode(settings.linode_url, token, clock)


class _LazyLinode:
    """Linode's adapter, imported at first use: requests belongs to the cold start only where it is needed."""

    def __init__(self, settings: Settings, clock: SystemClock) -> None:
        self._settings = settings
        self._clock = clock
        self._made: Linode | None = None

    def real(self) -> Linode:
        if self._made is None:
            self._made = make_linode(self._settings, self._clock)
        return self._made

    def find(self, domain_id: int, name: str, kind: str) -> tuple[LinodeRecordState, ...]:
        return self.real().find(domain_id, name, kind)

    def point(self, domain_id: int, record_id: int, target: str, ttl_sec: int) -> LinodeRecordState:
        return self.real().point(domain_id, record_id, target, ttl_sec)


class _LazyNameServers:
    """Asks name servers; dnspython is imported at the first question."""

    def __init__(self, instead: str) -> None:
        self._instead = instead

    def ask(self, servers: Sequence[str], name: str, kind: str) -> tuple[str, ...]:
        from region_failover.adapters.name_servers import NameServers

        return NameServers(self._instead).ask(servers, name, kind)
