"""The functions' environment, read once into a typed value; a wrong one stops the start."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from region_failover.domain.errors import ConfigurationError
from region_failover.domain.plan import Plan

_REQUIRED = (
    "AWS_REGION",
    "STATE_TABLE",
    "HEARTBEAT_TABLE",
    "TOPIC_ARN",
    "PRIMARY_REGION",
    "STANDBY_REGION",
    "TABLE_NAMES",
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
    maximum_event_age: timedelta


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings; raise ConfigurationError naming every variable that is missing or wrong."""
    found = os.environ if environ is None else environ
    missing = [name for name in _REQUIRED if not found.get(name)]
    if missing:
        raise ConfigurationError(
            f"environment: {', '.join(missing)} missing; the stack's template sets them: deploy it unchanged"
        )
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
        maximum_event_age=timedelta(seconds=int(age)),
    )


def check_grants(settings: Settings, plans: Sequence[Plan]) -> list[str]:
    """Refuse plans that need what the stack does not grant; return what it grants and no plan needs.

    Raises ConfigurationError with every gap at once. A function does not start in a plan's primary Region.
    """
    problems = [problem for plan in plans for problem in _region_problems(settings, plan)]
    if not plans:
        problems.append("no plan: put at least one *.toml into layers/plans/")
    spare: list[str] = []
    for parameter, granted, needed in _grants(settings, plans):
        problems += [f"{item} stands in a plan, not in {parameter}" for item in sorted(needed - granted)]
        spare += [f"{item} stands in {parameter}, in no plan" for item in sorted(granted - needed)]
    if any(plan.linode_records for plan in plans) and not settings.linode_token_arn:
        problems.append("a plan has Linode records, and LinodeTokenSecretArn is empty")
    if problems:
        raise ConfigurationError("plans and stack do not fit: " + "; ".join(problems))
    return spare


def _region_problems(settings: Settings, plan: Plan) -> Iterable[str]:
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


def _grants(
    settings: Settings, plans: Sequence[Plan]
) -> tuple[tuple[str, frozenset[str], frozenset[str]], ...]:
    return (
        ("TableNames", settings.tables, frozenset(c.table for p in plans for c in p.dynamodb_checks)),
        ("HostedZoneIds", settings.zones, frozenset(zone for p in plans for zone in p.zones())),
        (
            "SsmParameterNames",
            settings.parameters,
            frozenset(s.name for p in plans for s in p.ssm_parameters),
        ),
    )


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(",") if name.strip())
