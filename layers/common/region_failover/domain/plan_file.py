"""Read a plan's TOML text, or refuse it with file, key, problem and what is allowed.

Sources of the limits: Route 53 API reference (TTL 0 to 2147483647, zone id up to 32 characters), Linode
API v4 (`ttl_sec` values; `[remote_addr]` is replaced by the caller's address, so it is refused), SSM
(parameter names of up to 1011 characters of `a-zA-Z0-9_.-/`).
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from region_failover.domain.body import Body
from region_failover.domain.errors import PlanError
from region_failover.domain.linode_file import (
    check_linode_records,
    read_active_region,
    read_linode_record,
    read_reboots,
)
from region_failover.domain.plan import (
    AlarmCheck,
    DynamoDbCheck,
    HttpCheck,
    InstanceCheck,
    NodeBalancer,
    NodeBalancerCheck,
    Plan,
    Regions,
    Route53Record,
    SsmParameter,
)
from region_failover.domain.policy_file import read_degradation, read_policy, read_sampling
from region_failover.domain.toml_table import Table
from region_failover.domain.zone import canonical

# A change batch holds 1,000 ResourceRecord elements and 32,000 characters of values (API reference); a record
# is deleted and created, and so is the fence, whose value has at most some 120 characters.
BATCH_ELEMENTS = 1000
BATCH_CHARACTERS = 32_000
FENCE_ELEMENTS = 2
FENCE_CHARACTERS = 2 * 120

# So that the record of a transition, with what was there before, stays far below DynamoDB's 400 KB an item.
MOST_RECORDS = 1000

# Each is one more request a sample.
MOST_CONTROL_TARGETS = 3

# Each is one or two more requests in each of the tick's full rounds; Linode allows 800 a minute in all.
MOST_REPORTED_CHECKS = 10

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,38}")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")
_ZONE = re.compile(r"[A-Z0-9]{1,32}")
_TABLE = re.compile(r"[A-Za-z0-9_.-]{3,255}")
_PARAMETER = re.compile(r"/[A-Za-z0-9_.\-/]{1,1010}")
_LABELS = re.compile(r"(\*\.)?([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)+[A-Za-z0-9-]{2,63}\.?")
_TEXT = re.compile(r"[ -~\u00a0-\uffff]{1,200}")
_ALARM = re.compile(r"[!-~]([ -~]{0,253}[!-~])?")
_JSON_PATH = re.compile(r"[^.\s]+(\.[^.\s]+)*")
_IDENTIFIER = re.compile(r"[!-~]([ -~]{0,126}[!-~])?")
_PRINTABLE = re.compile(r"[!-~]+")


def parse_plan(text: str, file: str) -> Plan:
    """Return the plan that this TOML text describes; raise PlanError at the first thing wrong.

    `file` is only named in errors.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PlanError(file, "(syntax)", str(error), "TOML 1.0") from error
    return _plan(Table(file, "", document))


def _plan(top: Table) -> Plan:
    top.only("name", "regions", "policy", "sampling", "degradation", "check", "switch")
    regions = _regions(top.table("regions"))
    checks, switches = top.table("check"), top.table("switch")
    checks.only("dynamodb", "http", "control", "alarm", "linode_nodebalancer", "linode_instance")
    switches.only("route53_record", "linode_record", "ssm_parameter", "linode_active_region", "linode_reboot")
    name = top.text("name", _NAME, "1 to 39 of a-z, 0-9 and '-', beginning with a letter or digit")
    plan = Plan(
        name=name,
        regions=regions,
        policy=read_policy(top.table("policy")),
        sampling=read_sampling(top.table("sampling")),
        degradation=read_degradation(top.table("degradation")),
        dynamodb_checks=checks.tables("dynamodb", _dynamodb_check),
        http_checks=checks.tables("http", _http_check),
        control_targets=checks.tables("control", _control_target),
        alarm_checks=checks.tables("alarm", _alarm_check),
        balancer_checks=checks.tables("linode_nodebalancer", _balancer_check),
        instance_checks=checks.tables("linode_instance", _instance_check),
        route53_records=switches.tables("route53_record", _route53_record),
        linode_records=(
            *switches.tables("linode_record", lambda table: read_linode_record(table, _target)),
            *switches.tables("linode_active_region", lambda table: read_active_region(table, name, regions)),
        ),
        linode_reboots=read_reboots(switches),
        ssm_parameters=switches.tables("ssm_parameter", lambda table: _ssm_parameter(table, regions)),
    )
    _check_whole(top, plan)
    return plan


def _check_whole(top: Table, plan: Plan) -> None:
    if not plan.dynamodb_checks:
        top.fail("check.dynamodb", "missing", "at least one [[check.dynamodb]]")
    if not plan.http_checks:
        top.fail(
            "check.http",
            "missing: one kind of evidence alone never moves traffic",
            "at least one [[check.http]] beside [[check.dynamodb]]",
        )
    if plan.policy.failback_steps and not any(record.weighted for record in plan.route53_records):
        top.fail(
            "policy.failback_steps", "no record is weighted", "at least one route53_record, weighted = true"
        )
    if not (plan.route53_records or plan.linode_records):
        top.fail("switch", "nothing would move traffic", "at least one route53_record or linode_record")
    _check_checks(top, plan)
    for zone_id, records in plan.zones().items():
        _check_batch(top, zone_id, records)
    weighted = sum(record.weighted for record in plan.route53_records)  # each is two record sets
    count = len(plan.route53_records) + weighted + len(plan.linode_records)
    if count > MOST_RECORDS:
        top.fail("switch", f"{count} records", f"at most {MOST_RECORDS} in one plan: split it")
    route53 = [(r.zone_id, canonical(r.name), r.type) for r in plan.route53_records]
    _unique(top, "switch.route53_record", route53)
    check_linode_records(top, plan.linode_records)
    _unique(top, "switch.ssm_parameter", [parameter.name for parameter in plan.ssm_parameters])
    _unique(top, "check.dynamodb", [check.table for check in plan.dynamodb_checks])


def _check_checks(top: Table, plan: Plan) -> None:
    for number, check in enumerate(plan.http_checks):
        if check.within is not None and check.within >= plan.sampling.timeout:
            allowed = f"less than sampling.timeout, {plan.sampling.timeout.total_seconds():g} s"
            top.fail(f"check.http[{number}].within", "never reached", allowed)
    if len(plan.control_targets) > MOST_CONTROL_TARGETS:
        allowed = f"at most {MOST_CONTROL_TARGETS}"
        top.fail("check.control", f"{len(plan.control_targets)} control targets", allowed)
    reported = len(plan.alarm_checks) + len(plan.balancer_checks) + len(plan.instance_checks)
    if reported > MOST_REPORTED_CHECKS:
        allowed = f"at most {MOST_REPORTED_CHECKS} of alarm, linode_nodebalancer and linode_instance"
        top.fail("check", f"{reported} checks of what CloudWatch and Linode say", allowed)


def _check_batch(top: Table, zone_id: str, records: Sequence[Route53Record]) -> None:
    """Check that a zone's records and its fence fit into one change batch, which is all or nothing."""
    # Of a simple record one Region's values are deleted, the other's created; of a weighted one both, twice.
    values = [
        value
        for record in records
        for value in (*record.primary, *record.standby) * (2 if record.weighted else 1)
    ]
    elements, characters = len(values) + FENCE_ELEMENTS, sum(map(len, values)) + FENCE_CHARACTERS
    if elements > BATCH_ELEMENTS or characters > BATCH_CHARACTERS:
        top.fail(
            "switch.route53_record",
            f"zone {zone_id}: a change of all its records has {elements} values of {characters} characters",
            f"at most {BATCH_ELEMENTS} values of {BATCH_CHARACTERS} characters in one batch of Route 53:"
            " fewer records of one zone in one plan",
        )


def _unique(top: Table, key: str, found: list[Any]) -> None:
    for item in found:
        if found.count(item) > 1:
            top.fail(key, f"{item!r} stands twice", "each once")


def _regions(table: Table) -> Regions:
    table.only("primary", "standby")
    names = [table.text(key, _REGION, 'a Region name such as "us-east-1"') for key in ("primary", "standby")]
    if names[0] == names[1]:
        table.fail("standby", f"{names[1]!r} is also the primary", "another Region than the primary")
    return Regions(*names)


def _dynamodb_check(table: Table) -> DynamoDbCheck:
    table.only("table", "replicas")
    name = table.text("table", _TABLE, "a table name: 3 to 255 of a-z, A-Z, 0-9, '_', '-', '.'")
    return DynamoDbCheck(name, table.truth("replicas"))


def _http_check(table: Table) -> HttpCheck:
    table.only("primary", "standby", "status", "text", "json", "equals", "within", "headers")
    urls = [_url(table, key) for key in ("primary", "standby")]
    if urls[0] == urls[1]:
        table.fail("standby", "the same URL as the primary", "each Region's own endpoint")
    within = None
    if "within" in table.values:
        within = table.duration("within", timedelta(0), timedelta(milliseconds=10), timedelta(seconds=10))
    headers = ""
    if "headers" in table.values:
        headers = table.text("headers", _NAME, "the name of an entry of the secret CheckHeadersSecretArn")
    return HttpCheck(
        urls[0], urls[1], table.whole("status", 200, 299, 200), _body(table), within=within, headers=headers
    )


def _control_target(table: Table) -> str:
    table.only("url")
    return _url(table, "url")


def _alarm_check(table: Table) -> AlarmCheck:
    table.only("primary", "standby")
    allowed = "the name of an alarm in that Region, 1 to 255 characters"
    primary = table.text("primary", _ALARM, allowed)
    return AlarmCheck(primary, table.text("standby", _ALARM, allowed) if "standby" in table.values else "")


def _balancer_check(table: Table) -> NodeBalancerCheck:
    table.only("primary", "standby")
    found = [_balancer(table, key) for key in ("primary", "standby")]
    if found[0] == found[1]:
        table.fail("standby", "the same as the primary", "each Region's own NodeBalancer and configuration")
    return NodeBalancerCheck(*found)


def _balancer(table: Table, key: str) -> NodeBalancer:
    table.required(key, "{ id = 12345, config_id = 67890 }")
    inner = table.table(key)
    inner.only("id", "config_id")
    return NodeBalancer(inner.whole("id", 1, 2**53), inner.whole("config_id", 1, 2**53))


def _instance_check(table: Table) -> InstanceCheck:
    table.only("primary", "standby")
    found = [table.whole(key, 1, 2**53) for key in ("primary", "standby")]
    if found[0] == found[1]:
        table.fail("standby", "the same instance as the primary", "the instance in each Region")
    return InstanceCheck(*found)


def _body(table: Table) -> Body:
    text = path = ""
    if "text" in table.values:
        text = table.text("text", _TEXT, "1 to 200 printable characters that the answer contains")
    if ("json" in table.values) != ("equals" in table.values):
        missing = "equals" if "json" in table.values else "json"
        table.fail(missing, "missing", 'both, such as json = "status" and equals = "ok"')
    if "json" in table.values:
        path = table.text("json", _JSON_PATH, 'names of fields joined by dots, such as "checks.database"')
    value = table.values.get("equals")
    if path and not isinstance(value, str | int | float | bool):
        table.fail("equals", f"{value!r} is not valid", "a text, a number, true or false")
    return Body(text, tuple(path.split(".")) if path else (), value)


def _url(table: Table, key: str) -> str:
    allowed = 'a URL such as "https://use1.orders.example.com/health", without user or password'
    value = table.required(key, allowed)
    try:
        url = urlsplit(value if isinstance(value, str) and _PRINTABLE.fullmatch(value) else "")
        valid = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:
        valid = False
    if not valid or url.username or url.password:
        secret = "@" in str(value)  # what stands before it may be a password: it is not repeated (I24)
        table.fail(key, "user or password in a URL" if secret else f"{value!r} is not valid", allowed)
    return str(value)


def _route53_record(table: Table) -> Route53Record:
    table.only("zone_id", "name", "type", "ttl", "primary", "standby", "weighted", "identifiers")
    kind = table.choice("type", "", {name: name for name in _ADDRESS_FAMILIES})
    if not kind:
        table.fail("type", "missing", ", ".join(_ADDRESS_FAMILIES))
    values = [_targets(table, key, kind) for key in ("primary", "standby")]
    if set(values[0]) == set(values[1]):
        table.fail("standby", "the same values as the primary", "values that point at the other Region")
    return Route53Record(
        zone_id=table.text("zone_id", _ZONE, "a hosted zone's id such as Z0123456789ABCDEFGHIJ"),
        name=table.text("name", _LABELS, "a fully qualified domain name"),
        type=kind,
        ttl=table.whole("ttl", 0, 2147483647),
        primary=values[0],
        standby=values[1],
        weighted=table.truth("weighted"),
        identifiers=_identifiers(table),
    )


def _identifiers(table: Table) -> tuple[str, str]:
    """Return the set identifiers of a weighted record's two sets (1 to 128 characters: API reference)."""
    if "identifiers" not in table.values:
        return ("primary", "standby")
    if table.values.get("weighted") is not True:
        table.fail("identifiers", "only weighted records have them", "weighted = true")
    inner = table.table("identifiers")
    inner.only("primary", "standby")
    allowed = "a set identifier of 1 to 128 printable characters"
    primary, standby = (inner.text(key, _IDENTIFIER, allowed) for key in ("primary", "standby"))
    if primary == standby:
        inner.fail("standby", f"{standby!r} is also the primary's", "another one")
    return primary, standby


_ADDRESS_FAMILIES = {"A": 4, "AAAA": 6, "CNAME": 0}


def _targets(table: Table, key: str, kind: str) -> tuple[str, ...]:
    allowed = f"a list of values for {kind}" + (", exactly one" if kind == "CNAME" else "")
    values = table.texts(key, allowed)
    if kind == "CNAME" and len(values) != 1:
        table.fail(key, "several values", allowed)
    for value in values:
        _target(table, key, kind, value)
    return values


def _target(table: Table, key: str, kind: str, value: str) -> str:
    family = _ADDRESS_FAMILIES[kind]
    if not family:
        if not _LABELS.fullmatch(value) or value.rstrip(".").rsplit(".", 1)[-1].isdecimal():
            table.fail(key, f"{value!r} is not valid", "a fully qualified domain name")
        return value
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        address = None
    if address is None or address.version != family or address.is_unspecified:
        table.fail(key, f"{value!r} is not valid", f"an IPv{family} address (no placeholder)")
    if str(address) != value:
        table.fail(key, f"{value!r} would read back differently", str(address))
    return value


def _ssm_parameter(table: Table, regions: Regions) -> SsmParameter:
    table.only("name", "regions")
    found = table.texts("regions", "a list of the plan's Regions")
    for region in found:
        if region not in tuple(regions):
            table.fail("regions", f"{region!r} is not a Region of this plan", ", ".join(regions))
    return SsmParameter(
        name=table.text("name", _PARAMETER, "a parameter name beginning with '/'"),
        regions=found,
    )
