"""Read what a plan says of Linode, or refuse it with file, key, problem and what is allowed.

Sources of the limits: Linode API v4 (`ttl_sec` values, all others are rounded; `[remote_addr]` is replaced by
the caller's address, so it is refused as no address; a PUT of `target` alone leaves SRV's port, priority and
weight as they are).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import timedelta

from region_failover.domain.plan import LinodeReboots, LinodeRecord, Regions, Role
from region_failover.domain.toml_table import Table

LINODE_TTLS = (
    30, 120, 300, 3600, 7200, 14400, 28800, 57600, 86400, 172800, 345600, 604800, 1209600, 2419200,
)  # fmt: skip

KINDS = ("A", "AAAA", "CNAME", "TXT", "SRV")

# The last reboot must be due while ticks still look after a move (domain/state.py, LATE_WRITERS_WITHIN).
LAST_REBOOT = timedelta(minutes=10)

_HOST = re.compile(r"|\*|(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?\.?")
# Without quotes and backslashes: Linode's zone file, and what its servers answer, show them escaped.
_TXT = re.compile(r"[!#-\[\]-~]([ !#-\[\]-~]{0,253}[!#-\[\]-~])?")

# Checks one value of a type of record: (table, key, type, value) -> the value.
Target = Callable[[Table, str, str, str], str]


def read_linode_record(table: Table, target: Target) -> LinodeRecord:
    """Return one record; `target` checks addresses and host names."""
    table.only("domain_id", "name", "type", "ttl_sec", "primary", "standby", "record_id")
    kind = table.choice("type", "", {name: name for name in KINDS})
    if not kind:
        table.fail("type", "missing", ", ".join(KINDS))
    targets = [_target_of(table, key, kind, target) for key in ("primary", "standby")]
    if targets[0].rstrip(".").lower() == targets[1].rstrip(".").lower():
        table.fail("standby", "the same target as the primary", "a target in the other Region")
    return LinodeRecord(
        domain_id=table.whole("domain_id", 1, 2**53),
        name=table.text("name", _HOST, "a host name relative to the domain, '' for the apex"),
        type=kind,
        ttl_sec=_ttl(table),
        primary=targets[0],
        standby=targets[1],
        record_id=table.whole("record_id", 1, 2**53) if "record_id" in table.values else 0,
    )


def _target_of(table: Table, key: str, kind: str, target: Target) -> str:
    value = table.required(key, f"one value for {kind}")
    if not isinstance(value, str):
        table.fail(key, f"{value!r} is no text", f"one value for {kind}")
    if kind == "TXT":
        return table.text(key, _TXT, "1 to 255 printable ASCII characters without quote and backslash")
    return target(table, key, "CNAME" if kind == "SRV" else kind, value)


def _ttl(table: Table) -> int | None:
    if "ttl_sec" not in table.values:
        return None
    ttl = table.whole("ttl_sec", 30, LINODE_TTLS[-1])
    if ttl not in LINODE_TTLS:
        table.fail("ttl_sec", f"{ttl} would be rounded by Linode", ", ".join(map(str, LINODE_TTLS)))
    return ttl


def read_active_region(table: Table, plan: str, regions: Regions) -> LinodeRecord:
    """Return the TXT record that names the active Region, for programs without credentials to follow.

    It says what Route 53's fence says, but for the epoch: Linode has no compare-and-swap to hold one.
    """
    table.only("domain_id", "name", "ttl_sec", "record_id")
    name = table.text("name", _HOST, "a host name relative to the domain, '' for the apex")
    texts = {role: active_region_text(plan, regions.of(role)) for role in Role}
    return LinodeRecord(
        domain_id=table.whole("domain_id", 1, 2**53),
        name=f"_region-failover.{name}" if name else "_region-failover",
        type="TXT",
        ttl_sec=_ttl(table),
        primary=texts[Role.PRIMARY],
        standby=texts[Role.STANDBY],
        record_id=table.whole("record_id", 1, 2**53) if "record_id" in table.values else 0,
    )


def active_region_text(plan: str, region: str) -> str:
    """Return what the TXT record says: 'region-failover plan=orders active=us-west-2'."""
    return f"region-failover plan={plan} active={region}"


def read_reboots(table: Table) -> LinodeReboots | None:
    """Return the instances to reboot, None where there are none; one [[switch.linode_reboot]] at most."""
    reboots = table.tables("linode_reboot", _reboots)
    if len(reboots) > 1:
        table.fail("linode_reboot", f"{len(reboots)} of them", "one, with all instances in order")
    return reboots[0] if reboots else None


def _reboots(table: Table) -> LinodeReboots:
    table.only("primary", "standby", "stagger")
    lists = [_instances(table, key) for key in ("primary", "standby")]
    if not any(lists):
        table.fail("primary", "no instance in either list", "ids of instances in one of them at least")
    stagger = table.duration("stagger", timedelta(seconds=60), timedelta(seconds=60), LAST_REBOOT)
    longest = max(map(len, lists))
    if stagger * (longest - 1) > LAST_REBOOT:
        most = f"the last one begun within {LAST_REBOOT} after the move"
        table.fail("stagger", f"{longest} instances, {stagger} apart", most)
    return LinodeReboots(lists[0], lists[1], stagger)


def _instances(table: Table, key: str) -> tuple[int, ...]:
    value = table.values.get(key, [])
    allowed = "a list of instance ids, each once"
    ids = value if isinstance(value, list) else [None]
    if not all(isinstance(i, int) and not isinstance(i, bool) and 0 < i <= 2**53 for i in ids):
        table.fail(key, f"{value!r} is not valid", allowed)
    if len(set(ids)) != len(ids):
        table.fail(key, "the same instance twice", allowed)
    return tuple(ids)


def check_linode_records(table: Table, records: Sequence[LinodeRecord]) -> None:
    """Refuse records that could be one another: all of a name and type by their ids, or one without."""
    by_name: dict[tuple[object, ...], list[LinodeRecord]] = {}
    for record in records:
        by_name.setdefault(record.key[:3], []).append(record)
    for same in by_name.values():
        if len({record.key for record in same}) != len(same):
            table.fail("switch.linode_record", f"{same[0].key!r} stands twice", "each once")
        if len(same) > 1 and not all(record.record_id for record in same):
            allowed = "a record_id in each of them: without one there is no telling them apart"
            table.fail("switch.linode_record", f"{same[0].key[:3]!r} stands {len(same)} times", allowed)
