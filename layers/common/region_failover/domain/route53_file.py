"""Read a plan's [[switch.route53_record]]: values or aliases, one set of a routing policy, a weighted pair.

Sources of the limits: Route 53 API reference (TTL 0 to 2147483647, ids of hosted zones up to 32 characters,
set identifiers 1 to 128) and Developer Guide ("Supported DNS record types"; "Values specific for alias
records": CloudFront's zone id, and no evaluation of its health; "DNS domain name format").
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from region_failover.domain.plan import Role, Route53Record
from region_failover.domain.record_set import Alias, RecordSet, a_labels, canonical, points_alike
from region_failover.domain.toml_table import Table

TYPES = ("A", "AAAA", "CAA", "CNAME", "MX", "PTR", "SRV", "TXT")
LONGEST_NAME = 255

_ZONE = re.compile(r"[A-Z0-9]{1,32}")
_SIGN, _EDGE = r"(?:[A-Za-z0-9_-]|\\[0-7]{3})", r"(?:[A-Za-z0-9_]|\\[0-7]{3})"
_LABELS = re.compile(rf"((\*|\\052)\.)?({_EDGE}({_SIGN}{{0,61}}{_EDGE})?\.)+[A-Za-z0-9-]{{2,63}}\.?")
_IDENTIFIER = re.compile(r"[!-~]([ -~]{0,126}[!-~])?")
_STRING = r'"(?:[ !#-\[\]-~]|\\[0-7]{3}|\\["\\]){0,255}"'

# What a value of these types is, and how it is said; '{host}' stands for a name that is checked as one.
_NUMBER = r"[0-9]{1,5}"
_FORMS = {
    "CAA": (rf"[0-9]{{1,3}} [a-z0-9]{{1,15}} {_STRING}", 'such as 0 issue "ca.example.com"'),
    "MX": (rf"{_NUMBER} (?P<host>\S+)", "a priority and a name, such as 10 mail.example.com"),
    "SRV": (
        rf"{_NUMBER} {_NUMBER} {_NUMBER} (?P<host>\S+)",
        "priority, weight, port and name, such as 1 10 5269 app.example.com",
    ),
    "TXT": (rf"{_STRING}( {_STRING})*", 'text in double quotes, as Route 53 has it: "…", up to 255 each'),
}

CLOUDFRONT = ".cloudfront.net"
CLOUDFRONT_ZONE = "Z2FDTNDATAQYW2"


def read_route53_record(table: Table) -> Route53Record:
    """Return the record that this table describes; raise PlanError at the first thing wrong."""
    table.only(
        "zone_id",
        "name",
        "type",
        "ttl",
        "primary",
        "standby",
        "weighted",
        "identifiers",
        "set_identifier",
    )
    kind = table.choice("type", "", {name: name for name in TYPES})
    if not kind:
        table.fail("type", "missing", ", ".join(TYPES))
    zone_id = table.text("zone_id", _ZONE, "a hosted zone's id such as Z0123456789ABCDEFGHIJ")
    found = [_end(table, key, kind) for key in ("primary", "standby")]
    record = Route53Record(
        zone_id=zone_id,
        name=_name(table, "name"),
        type=kind,
        ttl=table.whole("ttl", 0, 2147483647) if "ttl" in table.values else None,
        primary=found[0] if isinstance(found[0], tuple) else (),
        standby=found[1] if isinstance(found[1], tuple) else (),
        weighted=table.truth("weighted"),
        identifiers=_identifiers(table),
        set_identifier=_set_identifier(table),
        aliases=(_alias_of(found[0]), _alias_of(found[1])),
    )
    _check(table, record)
    return record


def _end(table: Table, key: str, kind: str) -> tuple[str, ...] | Alias:
    """Return what one role's answer is: values, or what the record is an alias of."""
    if isinstance(table.values.get(key), dict):
        return _alias(table.table(key))
    return read_values(table, key, kind)


def _alias_of(found: tuple[str, ...] | Alias) -> Alias | None:
    return found if isinstance(found, Alias) else None


def _check(table: Table, record: Route53Record) -> None:
    ends = [RecordSet("", record.type, 0, record.values(role), alias=record.alias(role)) for role in Role]
    if points_alike(*ends):
        table.fail("standby", "the same values as the primary", "values that point at the other Region")
    aliases = [record.alias(role) for role in Role]
    for role, alias in zip(Role, aliases, strict=True):
        itself = (record.zone_id, canonical(record.name))
        if alias and (alias.zone_id, canonical(alias.name)) == itself:
            table.fail(role.value, "an alias of itself", "another record, or another name")
    if all(aliases) and record.ttl is not None:
        table.fail("ttl", "an alias has the TTL of what it points at", "no ttl")
    if any(aliases) and not all(aliases) and not record.weighted:
        _check_mixed(table, record)


def _check_mixed(table: Table, record: Route53Record) -> None:
    """Check that nothing has to be guessed where a record is an alias in one role, with values in the other.

    What is there cannot be kept then: an alias has no TTL, and values do not evaluate any health.
    """
    if record.ttl is None:
        table.fail("ttl", "missing: one Region's answer is an alias, which has none", "seconds")
    for role in Role:
        alias = record.alias(role)
        if alias and alias.evaluate is None:
            key = f"{role.value}.evaluate_target_health"
            table.fail(key, "missing: the other Region's values have none", "true, false")


def _alias(table: Table) -> Alias:
    table.only("alias", "zone_id", "evaluate_target_health")
    name = _name(table, "alias")
    zone_id = table.text("zone_id", _ZONE, "the hosted zone's id of the alias's target, as AWS documents it")
    said = "evaluate_target_health" in table.values
    evaluate = table.truth("evaluate_target_health") if said else None
    if canonical(name).endswith(CLOUDFRONT):
        if zone_id != CLOUDFRONT_ZONE:
            table.fail("zone_id", f"{zone_id!r} is not CloudFront's", CLOUDFRONT_ZONE)
        if evaluate:
            table.fail("evaluate_target_health", "CloudFront has none to evaluate", "false")
    return Alias(zone_id, canonical(name), evaluate)


def _name(table: Table, key: str) -> str:
    allowed = "a fully qualified domain name"
    return host_name(table, key, table.required(key, allowed))


def host_name(table: Table, key: str, value: Any) -> str:
    """Return a domain name, Unicode in its 'xn--' form; raise PlanError where it is none."""
    allowed = "a fully qualified domain name"
    try:
        name = a_labels(value) if isinstance(value, str) else ""
    except ValueError as error:
        table.fail(key, f"{value!r} has no single form: {error}", f"{allowed} in its 'xn--' form")
    if not _LABELS.fullmatch(name) or len(name) > LONGEST_NAME:
        table.fail(key, f"{value!r} is not valid", allowed)
    return name


def read_values(table: Table, key: str, kind: str) -> tuple[str, ...]:
    alone = kind == "CNAME"
    allowed = f"a list of values for {kind}" + (", exactly one" if alone else "")
    values = table.texts(key, allowed)
    if alone and len(values) != 1:
        table.fail(key, "several values", allowed)
    return tuple(_value(table, key, kind, value) for value in values)


def _value(table: Table, key: str, kind: str, value: str) -> str:
    if kind in {"A", "AAAA"}:
        return address(table, key, kind, value)
    if kind in {"CNAME", "PTR"}:
        return target_name(table, key, value)
    form, said = _FORMS[kind]
    match = re.fullmatch(form, value)
    if match is None or len(value) > 4000:
        table.fail(key, f"{value!r} is not valid", said)
    host = match.groupdict().get("host")
    return value[: -len(host)] + target_name(table, key, host) if host else value


def target_name(table: Table, key: str, value: str) -> str:
    """Return a name that a record points at; raise PlanError for none, and for an address."""
    name = host_name(table, key, value)
    if name.rstrip(".").rsplit(".", 1)[-1].isdecimal():
        table.fail(key, f"{value!r} is not valid", "a fully qualified domain name")
    return name


def address(table: Table, key: str, kind: str, value: str) -> str:
    """Return an IP address of the type's family, in the form in which it reads back."""
    family = {"A": 4, "AAAA": 6}[kind]
    try:
        found = ipaddress.ip_address(value)
    except ValueError:
        found = None
    if found is None or found.version != family or found.is_unspecified:
        table.fail(key, f"{value!r} is not valid", f"an IPv{family} address (no placeholder)")
    if str(found) != value:
        table.fail(key, f"{value!r} would read back differently", str(found))
    return value


def _set_identifier(table: Table) -> str:
    if "set_identifier" not in table.values:
        return ""
    if table.values.get("weighted") is True:
        table.fail("set_identifier", "a weighted pair has two", "identifiers = { primary = …, standby = … }")
    return table.text("set_identifier", _IDENTIFIER, "a set identifier of 1 to 128 printable characters")


def _identifiers(table: Table) -> tuple[str, str]:
    """Return the set identifiers of a weighted record's two sets."""
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


def clash(records: list[Route53Record]) -> str:
    """Return what of a zone's records cannot stand together, '' if all can.

    A record twice; a whole record beside one of its sets; a CNAME beside anything.
    """
    seen: dict[str, dict[str, set[str]]] = {}
    for record in records:
        types = seen.setdefault(canonical(record.name), {})
        sets = types.setdefault(record.type, set())
        if record.set_identifier in sets or (sets and "" in {record.set_identifier, *sets}):
            return (
                f"{canonical(record.name)} {record.type} {record.set_identifier}".rstrip() + " stands twice"
            )
        sets.add(record.set_identifier)
        if "CNAME" in types and len(types) > 1:
            return f"{canonical(record.name)} is a CNAME and has another type"
    return ""
