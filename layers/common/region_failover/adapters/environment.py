"""The functions' environment, read once into a typed value; a wrong one stops the start."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from region_failover.domain.errors import ConfigurationError
from region_failover.domain.plan import Plan
from region_failover.domain.trigger import VANTAGE

_REQUIRED = (
    "AWS_REGION",
    "STATE_TABLE",
    "HEARTBEAT_TABLE",
    "TOPIC_ARN",
    "PRIMARY_REGION",
    "STANDBY_REGION",
    "TABLE_NAMES",
)
_REQUIRED_OF_A_VANTAGE_POINT = (
    "AWS_REGION",
    "CONTROL_REGION",
    "PRIMARY_REGION",
    "STANDBY_REGION",
    "TABLE_NAMES",
    "VANTAGE_POINT",
    "SAMPLE_QUEUE_URL",
)
_URL = re.compile(r"https?://[^\s]+")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the template tells a function."""

    region: str
    state_table: str
    heartbeat_table: str
    topic_arn: str
    primary_region: str
    standby_region: str
    tables: frozenset[str]
    zones: frozenset[str]
    parameters: frozenset[str]
    event_bus: str
    linode_token_arn: str
    linode_url: str
    linode_checks: bool
    headers_secret_arn: str
    maximum_event_age: timedelta
    sample_queue: str = ""
    operator_url: str = ""
    operator_secret_arn: str = ""
    stack: str = ""
    roles: tuple[tuple[str, str], ...] = ()
    name_servers: str = ""


@dataclass(frozen=True, slots=True)
class VantageSettings:
    """What `vantage.yaml` tells the one function in it. `name`: how its samples are signed."""

    region: str
    control_region: str
    primary_region: str
    standby_region: str
    tables: frozenset[str]
    name: str
    event_bus: str
    sample_queue: str
    headers_secret_arn: str


def read_settings(environ: Mapping[str, str] | None = None, more: Sequence[str] = ()) -> Settings:
    """Return the settings; raise ConfigurationError naming every variable that is missing or wrong.

    `more`: variables that this function needs and the others do not.
    """
    found = os.environ if environ is None else environ
    _require(found, (*_REQUIRED, *more))
    url = found.get("LINODE_API_URL") or "https://api.linode.com/v4"
    age = found.get("MAXIMUM_EVENT_AGE_SECONDS") or "900"
    if not _URL.fullmatch(url):
        raise ConfigurationError(f"environment: LINODE_API_URL is {url!r}; an http(s) URL was expected")
    if not age.isdigit() or not 60 <= int(age) <= 21600:
        raise ConfigurationError(
            f"environment: MAXIMUM_EVENT_AGE_SECONDS is {age!r}; a whole number from 60 to 21600 was expected"
        )
    return Settings(
        region=found["AWS_REGION"],
        state_table=found["STATE_TABLE"],
        heartbeat_table=found["HEARTBEAT_TABLE"],
        topic_arn=found["TOPIC_ARN"],
        primary_region=found["PRIMARY_REGION"],
        standby_region=found["STANDBY_REGION"],
        tables=_names(found["TABLE_NAMES"]),
        zones=_names(found.get("HOSTED_ZONE_IDS", "")),
        parameters=_names(found.get("SSM_PARAMETER_NAMES", "")),
        event_bus=found.get("EVENT_BUS_NAME") or "default",
        linode_token_arn=found.get("LINODE_TOKEN_SECRET_ARN", ""),
        linode_url=url,
        linode_checks=found.get("LINODE_CHECKS") == "ENABLED",
        headers_secret_arn=found.get("CHECK_HEADERS_SECRET_ARN", ""),
        maximum_event_age=timedelta(seconds=int(age)),
        sample_queue=found.get("SAMPLE_QUEUE_URL", ""),
        operator_url=found.get("OPERATOR_URL", ""),
        operator_secret_arn=found.get("OPERATOR_SECRET_ARN", ""),
        stack=found.get("STACK_NAME", ""),
        roles=tuple(
            (name, arn) for name, _, arn in (pair.partition("=") for pair in _listed(found.get("ROLES", "")))
        ),
        name_servers=found.get("NAME_SERVERS", ""),
    )


def read_vantage_settings(environ: Mapping[str, str] | None = None) -> VantageSettings:
    """Return a vantage point's settings; raise ConfigurationError naming every variable missing or wrong."""
    found = os.environ if environ is None else environ
    _require(found, _REQUIRED_OF_A_VANTAGE_POINT)
    if not VANTAGE.fullmatch(found["VANTAGE_POINT"]):
        raise ConfigurationError(
            f"environment: VANTAGE_POINT is {found['VANTAGE_POINT']!r}; up to 40 lower-case letters, digits"
            " and hyphens were expected"
        )
    return VantageSettings(
        region=found["AWS_REGION"],
        control_region=found["CONTROL_REGION"],
        primary_region=found["PRIMARY_REGION"],
        standby_region=found["STANDBY_REGION"],
        tables=_names(found["TABLE_NAMES"]),
        name=found["VANTAGE_POINT"],
        event_bus=found.get("EVENT_BUS_NAME") or "default",
        sample_queue=found["SAMPLE_QUEUE_URL"],
        headers_secret_arn=found.get("CHECK_HEADERS_SECRET_ARN", ""),
    )


def _require(found: Mapping[str, str], names: Iterable[str]) -> None:
    missing = [name for name in names if not found.get(name)]
    if missing:
        raise ConfigurationError(
            f"environment: {', '.join(missing)} missing; the stack's template sets them: deploy it unchanged"
        )


def region_of(arn: str) -> str:
    """Return the Region that an ARN names (its fourth part), '' for none."""
    return "".join(arn.split(":")[3:4])


def check_grants(settings: Settings, plans: Sequence[Plan]) -> list[str]:
    """Refuse plans that need what the stack does not grant; return what it grants and no plan needs.

    Raises ConfigurationError with every gap at once. A function does not start in a plan's primary Region.
    """
    problems, spare = _gaps(settings, plans, _grants(settings, plans))
    if any(plan.asks_linode for plan in plans) and not settings.linode_token_arn:
        problems.append("a plan asks Linode's API, and LinodeTokenSecretArn is empty")
    if any(plan.checks_linode for plan in plans) and not settings.linode_checks:
        problems.append("a plan checks NodeBalancers or instances, and LinodeChecks is not ENABLED")
    _refuse(problems)
    return spare


def check_vantage(settings: VantageSettings, plans: Sequence[Plan]) -> list[str]:
    """Refuse plans that a vantage point cannot look at; return what it is granted and no plan needs.

    Raises ConfigurationError. From the control Region it would say what the probe there says already: that
    is no further place.
    """
    problems, spare = _gaps(settings, plans, [_tables(settings, plans)])
    if settings.region == settings.control_region:
        problems.append(
            f"this vantage point runs in {settings.region}, the control Region, where the probe looks"
            " already; deploy it in a further Region"
        )
    _refuse(problems)
    return spare


_Grant = tuple[str, frozenset[str], frozenset[str]]


def _gaps(
    settings: Settings | VantageSettings, plans: Sequence[Plan], grants: Iterable[_Grant]
) -> tuple[list[str], list[str]]:
    """Return what plans need and do not have, and what is granted and not needed."""
    problems = [problem for plan in plans for problem in _region_problems(settings, plan)]
    if any(plan.sends_headers for plan in plans) and not settings.headers_secret_arn:
        problems.append("a plan's check sends headers along, and CheckHeadersSecretArn is empty")
    if not plans:
        problems.append("no plan: put at least one *.toml into layers/plans/")
    spare: list[str] = []
    for parameter, granted, needed in grants:
        problems += [f"{item} stands in a plan, not in {parameter}" for item in sorted(needed - granted)]
        spare += [f"{item} stands in {parameter}, in no plan" for item in sorted(granted - needed)]
    return problems, spare


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        raise ConfigurationError("plans and stack do not fit: " + "; ".join(problems))


def _region_problems(settings: Settings | VantageSettings, plan: Plan) -> Iterable[str]:
    if settings.region == plan.regions.primary:
        yield (
            f"plan {plan.name}: this function runs in {settings.region}, the plan's primary Region, and would"
            " die with it; deploy the stack in the standby or a third Region"
        )
    granted = {settings.primary_region, settings.standby_region}
    if set(plan.regions) != granted:
        yield (
            f"plan {plan.name} has the Regions {', '.join(plan.regions)}; the stack's PrimaryRegion and"
            f" StandbyRegion are {settings.primary_region}, {settings.standby_region}"
        )
    if plan.sends_headers and region_of(settings.headers_secret_arn) == plan.regions.primary:
        yield (
            f"plan {plan.name}: CheckHeadersSecretArn names a secret in {plan.regions.primary}, the plan's"
            " primary Region, and it would be out of reach with it; replicate the secret to the standby or a"
            " third Region, and give the replica's ARN"
        )


def _tables(settings: Settings | VantageSettings, plans: Sequence[Plan]) -> _Grant:
    return "TableNames", settings.tables, frozenset(c.table for p in plans for c in p.dynamodb_checks)


def _grants(settings: Settings, plans: Sequence[Plan]) -> tuple[_Grant, ...]:
    parameters = frozenset(s.name for p in plans for s in p.ssm_parameters)
    return (
        _tables(settings, plans),
        ("HostedZoneIds", settings.zones, frozenset(zone for p in plans for zone in p.zones())),
        ("SsmParameterNames", settings.parameters, parameters),
    )


def _names(text: str) -> frozenset[str]:
    return frozenset(_listed(text))


def _listed(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
