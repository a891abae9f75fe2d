"""Read a plan's [policy], [sampling] and [degradation]: when traffic may move, and upon which evidence."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from region_failover.domain.brakes import MOVES_KEPT
from region_failover.domain.degradation import KEPT
from region_failover.domain.plan import (
    Degradation,
    DegradationMode,
    FailbackMode,
    FailoverMode,
    Policy,
    Sampling,
)
from region_failover.domain.toml_table import Table
from region_failover.domain.window import DAYS, Once, Span, Weekly

SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)

MOST_STEPS = 10
ORDERS = ("together", "data-plane-first")

MOST_CHANGES = 100_000

_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}")
_ZONE_NAME = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")

CLOCK = 'a time of day such as "02:00"'
MOMENT = 'a date and time such as "2026-11-27 00:00"'


def read_policy(table: Table) -> Policy:
    """Return what [policy] says."""
    table.only(
        "failover",
        "failback",
        "healthy_for",
        "cooldown",
        "max_replication_lag",
        "notify_again",
        "automatic_per_day",
        "fleet_brake",
        "approval_expires",
        "failback_steps",
        "failback_step_for",
        "failback_window",
        "failback_blackout",
        "max_changes",
        "order",
        "check_answers",
        "stranded_after",
    )
    default = Policy()
    return Policy(
        failover=table.choice("failover", default.failover, {mode.value: mode for mode in FailoverMode}),
        failback=table.choice("failback", default.failback, {mode.value: mode for mode in FailbackMode}),
        healthy_for=table.duration("healthy_for", default.healthy_for, SECOND, DAY),
        cooldown=table.duration("cooldown", default.cooldown, SECOND, 7 * DAY),
        max_replication_lag=table.duration("max_replication_lag", default.max_replication_lag, SECOND, DAY),
        notify_again=table.duration("notify_again", default.notify_again, SECOND, 7 * DAY),
        automatic_per_day=table.whole("automatic_per_day", 1, MOVES_KEPT, default.automatic_per_day),
        fleet_brake=table.whole("fleet_brake", 1, 100, default.fleet_brake),
        approval_expires=table.duration("approval_expires", default.approval_expires, MINUTE, 14 * DAY),
        failback_steps=_steps(table),
        failback_step_for=table.duration("failback_step_for", default.failback_step_for, 10 * SECOND, DAY),
        failback_windows=table.tables("failback_window", _weekly),
        failback_blackouts=table.tables("failback_blackout", _blackout),
        max_changes=table.whole("max_changes", 1, MOST_CHANGES) if "max_changes" in table.values else None,
        order=table.choice("order", default.order, {order: order for order in ORDERS}),
        check_answers=table.truth("check_answers", default.check_answers),
        stranded_after=table.duration("stranded_after", default.stranded_after, MINUTE / 2, 60 * MINUTE),
    )


def read_sampling(table: Table) -> Sampling:
    """Return what [sampling] says."""
    table.only("every", "quick_every", "timeout", "needed", "window", "confirm_for")
    default = Sampling()
    window = table.whole("window", 1, 20, default.window)
    return Sampling(
        every=table.duration("every", default.every, SECOND, MINUTE),
        quick_every=table.duration("quick_every", default.quick_every, SECOND, MINUTE),
        timeout=table.duration("timeout", default.timeout, SECOND / 10, 10 * SECOND),
        needed=table.whole("needed", 1, window, min(default.needed, window)),
        window=window,
        confirm_for=table.duration("confirm_for", default.confirm_for, 0 * SECOND, 60 * MINUTE),
    )


def read_degradation(table: Table) -> Degradation:
    """Return what [degradation] says."""
    table.only("action", "over", "percentile", "slower_than", "at_least", "errors")
    default = Degradation()
    return Degradation(
        action=table.choice("action", default.action, {mode.value: mode for mode in DegradationMode}),
        over=table.duration("over", default.over, 2 * MINUTE, KEPT),
        percentile=table.whole("percentile", 50, 99, default.percentile),
        slower_than=table.whole("slower_than", 2, 100, default.slower_than),
        at_least=table.duration("at_least", default.at_least, SECOND / 100, 10 * SECOND),
        errors=table.whole("errors", 1, 100, default.errors),
    )


def _steps(table: Table) -> tuple[int, ...]:
    """Return the percentages of a stepwise failback; none where the plan has no steps."""
    found = table.values.get("failback_steps", [])
    whole = isinstance(found, list) and all(isinstance(step, int) and step is not True for step in found)
    rising = whole and sorted(set(found)) == found
    if not rising or (found and (found[0] < 1 or found[-1] != 100)) or len(found) > MOST_STEPS:
        allowed = f"up to {MOST_STEPS} whole numbers of percent, rising, the last one 100: [10, 50, 100]"
        table.fail("failback_steps", f"{found!r} is not valid", allowed)
    return tuple(found)


def _weekly(table: Table) -> Weekly:
    table.only("days", "from", "to", "timezone")
    allowed = f"a list of {', '.join(DAYS)}"
    days = table.texts("days", allowed) if "days" in table.values else DAYS
    for day in days:
        if day not in DAYS:
            table.fail("days", f"{day!r} is not a day", allowed)
    start, end = (time.fromisoformat(table.text(key, _CLOCK, CLOCK)) for key in ("from", "to"))
    return Weekly(tuple(day for day in DAYS if day in days), start, end, _timezone(table))


def _blackout(table: Table) -> Span:
    """Return a weekly blackout where a time of day stands, else one that takes place once."""
    if isinstance(table.values.get("from"), str) and _CLOCK.fullmatch(table.values["from"]):
        return _weekly(table)
    table.only("from", "to", "timezone")
    start, end = (_moment(table, key) for key in ("from", "to"))
    if end <= start:
        table.fail("to", f"{table.values['to']!r} is not after 'from'", f"{MOMENT}, after 'from'")
    return Once(start, end, _timezone(table))


def _moment(table: Table, key: str) -> datetime:
    text = table.text(key, _MOMENT, f"{MOMENT}, or {CLOCK}")
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        table.fail(key, f"{text!r} is no date and time", MOMENT)


def _timezone(table: Table) -> str:
    allowed = 'a time zone of the IANA database such as "Europe/Berlin" or "UTC"'
    name = table.text("timezone", _ZONE_NAME, allowed)
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError):
        table.fail("timezone", f"{name!r} is not known", allowed)
    return name
