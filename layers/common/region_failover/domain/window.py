"""When a failback may begin: spans of wall-clock time in the time zones where people work.

Time zones and their changes come from the IANA database (`zoneinfo`; the layer brings `tzdata`, so that no
runtime's own, older copy decides).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

DAY = timedelta(days=1)

# Zones change their offset at quarter hours of UTC (all of the IANA database's since 1972).
QUARTER = timedelta(minutes=15)

# How far ahead an opening is looked for: two weeks hold every weekly window, also one that a change skips.
LOOKED_AHEAD = timedelta(days=15)


class Opening(StrEnum):
    """What the calendar says to a failback now."""

    OPEN = "open"
    OUTSIDE = "outside"
    BLACKOUT = "blackout"


@dataclass(frozen=True, slots=True)
class Weekly:
    """On these days (`DAYS`) from `start` up to `end`, by the wall clocks of `timezone`.

    `end` not after `start`: it ends on the day after. In a night that skips an hour nothing of that hour
    takes place; in one that repeats it, it takes place twice.
    """

    days: tuple[str, ...]
    start: time
    end: time
    timezone: str

    def holds(self, now: datetime) -> bool:
        """Return whether `now` lies in it."""
        local = now.astimezone(ZoneInfo(self.timezone))
        at = local.time()
        today = DAYS[local.weekday()] in self.days
        if self.start < self.end:
            return today and self.start <= at < self.end
        yesterday = DAYS[local.weekday() - 1] in self.days
        return (today and at >= self.start) or (yesterday and at < self.end)

    def edges(self, now: datetime) -> Iterator[datetime]:
        """Yield when it may begin or end within the next days, in UTC and any order."""
        zone = ZoneInfo(self.timezone)
        first = now.astimezone(zone).date()
        for number in range(LOOKED_AHEAD.days + 1):
            for at in (self.start, self.end):
                yield datetime.combine(first + number * DAY, at, zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Once:
    """From `start` up to `end`, by the wall clocks of `timezone` (both without an offset of their own).

    Where an hour is repeated, it begins with the first and ends with the second.
    """

    start: datetime
    end: datetime
    timezone: str

    def holds(self, now: datetime) -> bool:
        """Return whether `now` lies in it."""
        begin, end = self.edges(now)
        return begin <= now < end

    def edges(self, now: datetime) -> Iterator[datetime]:
        """Yield when it begins and when it ends, in UTC."""
        zone = ZoneInfo(self.timezone)
        yield self.start.replace(tzinfo=zone, fold=0).astimezone(UTC)
        yield self.end.replace(tzinfo=zone, fold=1).astimezone(UTC)


Span = Weekly | Once


def opening(windows: Sequence[Weekly], blackouts: Sequence[Span], now: datetime) -> Opening:
    """Return what the calendar says: a blackout beats a window; no window at all means any time."""
    if any(span.holds(now) for span in blackouts):
        return Opening.BLACKOUT
    if windows and not any(span.holds(now) for span in windows):
        return Opening.OUTSIDE
    return Opening.OPEN


def opens_at(windows: Sequence[Weekly], blackouts: Sequence[Span], now: datetime) -> datetime | None:
    """Return the first moment from now on at which a failback may begin; None within LOOKED_AHEAD."""
    edges = sorted({edge for span in (*windows, *blackouts) for edge in span.edges(now) if edge > now})
    utc = now.astimezone(UTC)
    quarter = utc.replace(minute=utc.minute // 15 * 15, second=0, microsecond=0)
    moments = [quarter + number * QUARTER for number in range(1, LOOKED_AHEAD // QUARTER)]
    for moment in sorted({now, *edges, *moments}):
        if opening(windows, blackouts, moment) is Opening.OPEN:
            return moment
    return None
