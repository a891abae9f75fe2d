"""Read a plan's TOML text, or refuse it with file, key, problem and what is allowed.

Sources of the limits: Route 53 API reference (TTL 0 to 2147483647, zone id up to 32 characters), Linode
API v4 (`ttl_sec` values; `[remote_addr]` is replaced by the caller's address, so it is refused).
Configuration (parameters, secrets, hooks) is read by `domain/configuration_file.py`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from region_failover.domain.body import Body
from region_failover.domain.configuration_file import (
    check_configuration,
    read_hook,
    read_parameter,
    read_secret,
)
from region_failover.domain.dataplane_file import check_data_plane, read_health_check, read_routing_control
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
    Role,
    Route53Record,
)
from region_failover.domain.policy_file import read_degradation, read_policy, read_sampling
from region_failover.domain.route53_file import address, clash, read_route53_record, read_values, target_name
from region_failover.domain.toml_table import Table
from region_failover.domain.zone import BATCH_CHARACTERS, BATCH_ELEMENTS

# The fence is deleted and created with every batch; its value has at most some 120 characters.
FENCE_ELEMENTS = 2
FENCE_CHARACTERS = 2 * 120

# So that the record of a transition, with what was there before, stays far below DynamoDB's 400 KB an item.
MOST_RECORDS = 1000
MOST_RECORDED = 350_000

# Each is one more request a sample.
MOST_CONTROL_TARGETS = 3

# Each is one or two more requests in each of the tick's full rounds; Linode allows 800 a minute in all.
MOST_REPORTED_CHECKS = 10

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,38}")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")
_ZONE = re.compile(r"[A-Z0-9]{1,32}")
_TABLE = re.compile(r"[A-Za-z0-9_.-]{3,255}")
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
    switches.only(
        "route53_record", "linode_record", "ssm_parameter", "secret", "hook",
        "route53_health_check", "arc_routing_control", "linode_active_region", "linode_reboot",
    )  # fmt: skip
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
        route53_records=switches.tables("route53_record", read_route53_record),
        linode_records=(
            *switches.tables("linode_record", lambda table: read_linode_record(table, _target)),
            *switches.tables("linode_active_region", lambda table: read_active_region(table, name, regions)),
        ),
        linode_reboots=read_reboots(switches),
        ssm_parameters=switches.tables("ssm_parameter", lambda table: read_parameter(table, regions)),
        secrets=switches.tables("secret", lambda table: read_secret(table, regions)),
        hooks=switches.tables("hook", read_hook),
        health_checks=switches.tables(
            "route53_health_check", lambda table: read_health_check(table, read_values)
        ),
        routing_controls=switches.tables("arc_routing_control", read_routing_control),
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
    check_data_plane(top, plan)
    if not (plan.route53_records or plan.linode_records or plan.health_checks or plan.routing_controls):
        top.fail(
            "switch",
            "nothing would move traffic",
            "at least one route53_record, linode_record, route53_health_check or arc_routing_control",
        )
    _check_checks(top, plan)
    weighted = sum(record.weighted for record in plan.route53_records)  # each is two record sets
    count = len(plan.route53_records) + weighted + len(plan.linode_records)
    if count > MOST_RECORDS:
        top.fail("switch", f"{count} records", f"at most {MOST_RECORDS} in one plan: split it")
    _check_zones(top, plan)
    check_linode_records(top, plan.linode_records)
    _unique(top, "switch.ssm_parameter", [parameter.name for parameter in plan.ssm_parameters])
    check_configuration(top, plan)
    _unique(top, "check.dynamodb", [check.table for check in plan.dynamodb_checks])


def _check_zones(top: Table, plan: Plan) -> None:
    """Check that each zone's records can stand and be changed together, and all into the record of a move.

    DynamoDB takes 400 KB an item, what was there before the move included.
    """
    for zone_id, records in plan.zones().items():
        twice = clash([*records])
        if twice:
            top.fail("switch.route53_record", f"zone {zone_id}: {twice}", "each record, or each set, once")
        _check_batch(top, zone_id, records)
    size = sum(map(_recorded, plan.route53_records))
    if size > MOST_RECORDED:
        top.fail(
            "switch.route53_record",
            f"what is there before a move would take about {size // 1000} KB of the plan's record",
            f"at most {MOST_RECORDED // 1000} KB: shorter names and values, or several plans",
        )


def _recorded(record: Route53Record) -> int:
    """Return about how many characters a record takes at most in the record of a move."""
    ends = [sum(len(v) + 6 for v in record.values(role)) for role in Role]
    ends += [len(alias.name) + len(alias.zone_id) + 40 for alias in record.aliases if alias]
    sets = 2 if record.weighted else 1
    routed = 200 if record.weighted or record.set_identifier else 0
    undone = 0 if record.ttl is None else len(record.name) + 40
    return sets * (100 + len(record.name) + max(ends) + routed + undone)


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
    sizes = [_most_in_a_batch(record) for record in records]
    elements = sum(size[0] for size in sizes) + FENCE_ELEMENTS
    characters = sum(size[1] for size in sizes) + FENCE_CHARACTERS
    if elements > BATCH_ELEMENTS or characters > BATCH_CHARACTERS:
        top.fail(
            "switch.route53_record",
            f"zone {zone_id}: a change of all its records has {elements} values of {characters} characters",
            f"at most {BATCH_ELEMENTS} values of {BATCH_CHARACTERS} characters in one batch of Route 53:"
            " fewer records of one zone in one plan",
        )


def _most_in_a_batch(record: Route53Record) -> tuple[int, int]:
    """Return how many values, of how many characters, a record takes in the larger of its batches.

    A switch deletes one Region's values and creates the other's, of a weighted pair both, twice. A batch that
    only proves that all is as it was left (`reassert_batch`) deletes and creates the same.
    """
    sizes = [(max(1, len(v)), sum(map(len, v))) for v in (record.primary, record.standby)]
    elements, characters = zip(*sizes, strict=True)
    if record.weighted:
        return 2 * sum(elements), 2 * sum(characters)
    return 2 * max(elements), 2 * max(characters)


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


_ADDRESS_FAMILIES = {"A": 4, "AAAA": 6, "CNAME": 0}


def _target(table: Table, key: str, kind: str, value: str) -> str:
    return target_name(table, key, value) if kind == "CNAME" else address(table, key, kind, value)
