"""Read a plan's data-plane switches, or refuse them with file, key, problem and what is allowed.

Sources of the limits: Route 53 API reference (RequestInterval 10 or 30, FailureThreshold 1 to 10), S3 user
guide (bucket names; a name with a dot has no certificate of its own), ARC's API reference (ARNs; a cluster
has five endpoints, in five Regions).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

from region_failover.domain.dataplane import CLUSTER_ENDPOINTS, Follows, region_of_endpoint, subject_of
from region_failover.domain.plan import HealthCheck, Plan, RoutingControl
from region_failover.domain.toml_table import Table
from region_failover.domain.zone import canonical

_TYPES = ("A", "AAAA", "CNAME", "TXT")
_INTERVALS = (timedelta(seconds=10), timedelta(seconds=30))

_ZONE = re.compile(r"[A-Z0-9]{1,32}")
_NAME = re.compile(r"([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)+[A-Za-z0-9-]{2,63}\.?")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,254}")
_STRING = re.compile(r"[ !#-\[\]-~]{1,255}")
_PANEL = r"arn:aws(-[a-z]+)*:route53-recovery-control::[0-9]{12}:controlpanel/[0-9a-f]{32}/"
_CONTROL = re.compile(_PANEL + r"routingcontrol/[0-9a-f]{16}")
_RULE = re.compile(_PANEL + r"safetyrule/[0-9a-f]{16}")
_ENDPOINT = re.compile(r"https://[a-z0-9-]+\.route53-recovery-cluster\.[a-z0-9-]+\.amazonaws\.com(/v1)?")

Targets = Callable[[Table, str, str], tuple[str, ...]]


def read_health_check(table: Table, targets: Targets) -> HealthCheck:
    """Return a [[switch.route53_health_check]]; `targets`: reads the values of a record of addresses."""
    table.only(
        "zone_id", "name", "type", "primary", "standby", "follows", "bucket", "key", "interval", "threshold"
    )
    kind = table.choice("type", "", {name: name for name in _TYPES})
    if not kind:
        table.fail("type", "missing", ", ".join(_TYPES))
    read = _strings if kind == "TXT" else targets
    primary, standby = (read(table, key, kind) for key in ("primary", "standby"))
    if set(primary) == set(standby):
        table.fail("standby", "the same values as the primary", "values that point at the other Region")
    follows = table.choice("follows", Follows.ALARM, {found.value: found for found in Follows})
    bucket, key, interval_s, threshold = _object(table, follows)
    return HealthCheck(
        zone_id=table.text("zone_id", _ZONE, "a hosted zone's id such as Z0123456789ABCDEFGHIJ"),
        name=table.text("name", _NAME, "a fully qualified domain name without '*'"),
        type=kind,
        primary=primary,
        standby=standby,
        follows=follows.value,
        bucket=bucket,
        key=key,
        interval_s=interval_s,
        threshold=threshold,
    )


def _object(table: Table, follows: Follows) -> tuple[str, str, int, int]:
    """Return bucket, key, interval in seconds and threshold; nobody looks at an interval for an alarm."""
    if follows is Follows.ALARM:
        for key in ("bucket", "key", "interval", "threshold"):
            if key in table.values:
                table.fail(key, "only a check that follows an object has it", 'follows = "object"')
        return "", "", 30, 3
    interval = table.duration("interval", _INTERVALS[1], *_INTERVALS)
    if interval not in _INTERVALS:
        table.fail("interval", f"{table.values['interval']!r} is not valid", '"10s", "30s"')
    bucket = table.text("bucket", _BUCKET, "a bucket's name: 3 to 63 of a-z, 0-9 and '-', no dot")
    key = table.text("key", _KEY, "an object's key: 1 to 255 of a-z, A-Z, 0-9, '_', '.', '/', '-'")
    return bucket, key, int(interval.total_seconds()), table.whole("threshold", 1, 10, 3)


def _strings(table: Table, key: str, kind: str) -> tuple[str, ...]:
    allowed = f"a list of texts for {kind}, without quotes and backslashes, of 1 to 255 characters"
    for value in table.texts(key, allowed):
        if not _STRING.fullmatch(value):
            table.fail(key, f"{value!r} is not valid", allowed)
    return table.texts(key, allowed)


def read_routing_control(table: Table) -> RoutingControl:
    """Return a [[switch.arc_routing_control]]."""
    table.only("primary", "standby", "endpoints", "safety_rules_to_override")
    allowed = "the ARN of a routing control"
    primary, standby = (table.text(key, _CONTROL, allowed) for key in ("primary", "standby"))
    if primary == standby:
        table.fail("standby", "the same as the primary", "each Region's own routing control")
    override: tuple[str, ...] = ()
    if "safety_rules_to_override" in table.values:
        override = _all(table, "safety_rules_to_override", _RULE, "a list of ARNs of safety rules")
    return RoutingControl(primary, standby, _endpoints(table), override)


def _endpoints(table: Table) -> tuple[str, ...]:
    allowed = (
        f"the cluster's {CLUSTER_ENDPOINTS} endpoints, such as"
        ' "https://abcd1234.route53-recovery-cluster.us-west-2.amazonaws.com/v1"'
    )
    found = _all(table, "endpoints", _ENDPOINT, allowed)
    if len(found) > CLUSTER_ENDPOINTS or len({region_of_endpoint(url) for url in found}) != len(found):
        table.fail("endpoints", "more than one in a Region", allowed)
    return found


def _all(table: Table, key: str, pattern: re.Pattern[str], allowed: str) -> tuple[str, ...]:
    found = table.texts(key, allowed)
    for value in found:
        if not pattern.fullmatch(value):
            table.fail(key, f"{value!r} is not valid", allowed)
    return found


def check_data_plane(top: Table, plan: Plan) -> None:
    """Raise PlanError where a plan's data-plane switches do not go together with each other or the rest."""
    checks = [subject_of(switch) for switch in plan.health_checks]
    controls = [arn for switch in plan.routing_controls for arn in (switch.primary, switch.standby)]
    for key, found in (("route53_health_check", checks), ("arc_routing_control", controls)):
        for item in found:
            if found.count(item) > 1:
                top.fail(f"switch.{key}", f"{item!r} stands twice", "each once")
    records = {f"{canonical(record.name)} {record.type}" for record in plan.route53_records}
    for item in sorted(records & set(checks)):
        top.fail(
            "switch.route53_health_check",
            f"{item!r} is also a route53_record",
            "one or the other: a failover pair is never changed, its health check moves it",
        )
    if plan.policy.order == "data-plane-first" and not (checks or controls):
        top.fail(
            "policy.order", "there is no data-plane switch", "a route53_health_check or arc_routing_control"
        )
