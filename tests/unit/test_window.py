"""Windows by the wall clocks of the people concerned, also in the nights that skip or repeat an hour."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from region_failover.domain.window import DAYS, Once, Opening, Span, Weekly, opening, opens_at

BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
NIGHT = Weekly(("sat", "sun"), time(2), time(5), BERLIN)
ACROSS = Weekly(("fri",), time(23), time(1), BERLIN)
MINUTE = timedelta(minutes=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("span", "at", "holds"),
    [
        # Saturday, in winter: 02:00 in Berlin is 01:00 UTC.
        pytest.param(NIGHT, "2026-01-10 00:59:59.999999", False, id="just before"),
        pytest.param(NIGHT, "2026-01-10 01:00", True, id="begins with its first moment"),
        pytest.param(NIGHT, "2026-01-10 03:59:59.999999", True, id="its last moment"),
        pytest.param(NIGHT, "2026-01-10 04:00", False, id="ends before its end"),
        pytest.param(NIGHT, "2026-07-11 00:00", True, id="in summer an hour earlier by UTC"),
        pytest.param(NIGHT, "2026-01-12 02:00", False, id="a Monday"),
        # Sunday, 2026-03-29: 02:00 to 03:00 is skipped at 01:00 UTC.
        pytest.param(NIGHT, "2026-03-29 00:59", False, id="01:59, before the skipped hour"),
        pytest.param(NIGHT, "2026-03-29 01:00", True, id="03:00, what is left of it"),
        pytest.param(NIGHT, "2026-03-29 03:00", False, id="05:00, after two hours"),
        # Sunday, 2026-10-25: 02:00 to 03:00 comes twice, from 00:00 to 02:00 UTC.
        pytest.param(NIGHT, "2026-10-25 00:00", True, id="02:00 for the first time"),
        pytest.param(NIGHT, "2026-10-25 01:30", True, id="02:30 for the second time"),
        pytest.param(NIGHT, "2026-10-25 04:00", False, id="05:00, after four hours"),
        pytest.param(ACROSS, "2026-01-09 22:00", True, id="Friday 23:00"),
        pytest.param(ACROSS, "2026-01-09 23:59", True, id="Saturday 00:59 belongs to Friday"),
        pytest.param(ACROSS, "2026-01-10 00:00", False, id="Saturday 01:00"),
        pytest.param(ACROSS, "2026-01-08 23:30", False, id="Friday 00:30 would belong to Thursday"),
        # Half an hour is skipped on 2026-10-04: 02:00 is followed by 02:30, at 15:30 UTC of the day before.
        pytest.param(Weekly(("sun",), time(2), time(2, 45), LORD_HOWE), "2026-10-03 15:29", False, id="1:59"),
        pytest.param(Weekly(("sun",), time(2), time(2, 45), LORD_HOWE), "2026-10-03 15:30", True, id="2:30"),
        pytest.param(Weekly(("sun",), time(2), time(2, 45), LORD_HOWE), "2026-10-03 15:45", False, id="2:45"),
        pytest.param(
            Weekly(("sun",), time(2, 15), time(2, 45), BERLIN), "2026-03-29 01:15", False, id="skipped"
        ),
        pytest.param(Weekly(("mon",), time(0), time(0), "UTC"), "2026-01-12 23:59", True, id="a whole day"),
        pytest.param(Weekly(("mon",), time(0), time(0), "UTC"), "2026-01-13 00:00", False, id="and no more"),
    ],
)
def test_a_weekly_window_follows_the_wall_clock(span: Weekly, at: str, holds: bool) -> None:
    assert span.holds(utc(at)) is holds


def test_a_blackout_takes_the_first_of_a_repeated_hour_to_begin_and_the_second_to_end() -> None:
    night = Once(datetime(2026, 11, 1, 1, 30), datetime(2026, 11, 1, 1, 30), NEW_YORK)  # noqa: DTZ001
    assert not night.holds(utc("2026-11-01 05:29"))  # 01:29 EDT
    assert night.holds(utc("2026-11-01 05:30"))
    assert night.holds(utc("2026-11-01 06:29"))  # 01:29 EST
    assert not night.holds(utc("2026-11-01 06:30"))


def test_a_blackout_is_stronger_than_a_window_and_no_window_means_any_time() -> None:
    now = utc("2026-01-10 02:00")
    over = Once(datetime(2026, 1, 10), datetime(2026, 1, 11), "UTC")  # noqa: DTZ001
    assert opening((), (), now) is Opening.OPEN
    assert opening((NIGHT,), (), now) is Opening.OPEN
    assert opening((ACROSS,), (), now) is Opening.OUTSIDE
    assert opening((ACROSS, NIGHT), (), now) is Opening.OPEN
    assert opening((NIGHT,), (over,), now) is Opening.BLACKOUT
    assert opening((), (over,), now) is Opening.BLACKOUT
    assert opening((NIGHT,), (NIGHT,), now) is Opening.BLACKOUT


@pytest.mark.parametrize(
    ("windows", "blackouts", "now", "opens"),
    [
        ((), (), "2026-01-12 09:17", "2026-01-12 09:17"),
        ((NIGHT,), (), "2026-01-10 02:33", "2026-01-10 02:33"),
        ((NIGHT,), (), "2026-01-12 09:17", "2026-01-17 01:00"),
        ((Weekly(("sun",), time(2, 30), time(5), BERLIN),), (), "2026-03-28 12:00", "2026-03-29 01:00"),
        ((Weekly(("sun",), time(2, 7), time(5), BERLIN),), (), "2026-03-21 12:00", "2026-03-22 01:07"),
        (
            (NIGHT,),
            (Once(datetime(2026, 1, 17), datetime(2026, 1, 17, 3, 20), BERLIN),),  # noqa: DTZ001
            "2026-01-12 09:17",
            "2026-01-17 02:20",
        ),
    ],
)
def test_the_next_opening_is_told_to_the_minute(
    windows: tuple[Weekly, ...], blackouts: tuple[Span, ...], now: str, opens: str
) -> None:
    assert opens_at(windows, blackouts, utc(now)) == utc(opens)


def test_an_opening_that_does_not_come_is_none() -> None:
    never = Once(datetime(2026, 1, 1), datetime(2027, 1, 1), "UTC")  # noqa: DTZ001
    assert opens_at((NIGHT,), (never,), utc("2026-01-12 09:17")) is None


WALLS = st.times().map(lambda at: at.replace(second=0, microsecond=0, tzinfo=None))
WEEKLY = st.builds(
    Weekly,
    days=st.sets(st.sampled_from(DAYS), min_size=1).map(tuple),
    start=WALLS,
    end=WALLS,
    timezone=st.sampled_from([BERLIN, NEW_YORK, LORD_HOWE, "Asia/Kathmandu", "UTC"]),
)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@given(WEEKLY, MOMENTS)
def test_where_no_clock_changes_a_window_lasts_from_its_start_to_its_end(span: Weekly, now: datetime) -> None:
    """Said in another way: some allowed day's start lies before, and less than the span's length ago."""
    zone = ZoneInfo(span.timezone)
    local = now.astimezone(zone)
    if any((local + timedelta(days=n)).utcoffset() != local.utcoffset() for n in (-2, -1, 1)):
        return
    length = timedelta(hours=span.end.hour - span.start.hour, minutes=span.end.minute - span.start.minute)
    if length <= timedelta(0):
        length += timedelta(days=1)
    starts = [
        datetime.combine(local.date() - timedelta(days=ago), span.start, zone).astimezone(UTC)
        for ago in (0, 1)
        if DAYS[(local.date() - timedelta(days=ago)).weekday()] in span.days
    ]
    assert span.holds(now) is any(start <= now < start + length for start in starts)


@given(WEEKLY, MOMENTS)
def test_the_next_opening_is_open_and_nothing_before_it_is(span: Weekly, now: datetime) -> None:
    opens = opens_at((span,), (), now)
    if opens is None:  # all of it lies in a skipped hour, and it has but this one day
        return
    assert span.holds(opens)
    assert not any(span.holds(now + n * (opens - now) / 97) for n in range(97) if opens > now)
    assert opens == now or not span.holds(opens - timedelta(microseconds=1))
