"""When a proposal expires: after its time, and never before the window that its failback waits for (I21)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta

import pytest

from region_failover.domain.approval import ROOM_IN_THE_WINDOW, expiry, propose
from region_failover.domain.plan import Policy
from region_failover.domain.state import initial_state
from region_failover.domain.window import DAYS, Once, Span, Weekly
from tests.fakes import NOON, PLAN, WEST

HOUR, DAY = timedelta(hours=1), timedelta(days=1)  # NOON is a Monday's
WEEKEND = Weekly(("sat", "sun"), time(2), time(5), "UTC")
SATURDAY = datetime.combine(NOON.date() + 5 * DAY, time(2), NOON.tzinfo)


def policy(*windows: Weekly, expires: timedelta = DAY, blackout: Span | None = None) -> Policy:
    blackouts = (blackout,) if blackout else ()
    return Policy(approval_expires=expires, failback_windows=windows, failback_blackouts=blackouts)


def test_a_proposal_expires_after_its_time_where_it_may_move_at_any() -> None:
    assert expiry(policy(), NOON) == NOON + DAY
    assert expiry(policy(expires=timedelta(minutes=1)), NOON) == NOON + timedelta(minutes=1)


def test_i21_a_proposal_does_not_expire_before_the_window_that_it_waits_for() -> None:
    assert expiry(policy(WEEKEND), NOON) == SATURDAY + ROOM_IN_THE_WINDOW
    assert expiry(policy(WEEKEND, expires=14 * DAY), NOON) == NOON + 14 * DAY
    local = NOON.replace(tzinfo=None)
    frozen = Once(local, local + 30 * DAY, "UTC")
    assert expiry(policy(blackout=frozen), NOON) == NOON + 30 * DAY + ROOM_IN_THE_WINDOW


def test_whichever_is_later_is_its_expiry() -> None:
    opens_in_time = SATURDAY - NOON + ROOM_IN_THE_WINDOW
    assert expiry(policy(WEEKEND, expires=opens_in_time + HOUR), NOON) == SATURDAY + ROOM_IN_THE_WINDOW + HOUR
    assert expiry(policy(WEEKEND, expires=opens_in_time - HOUR), NOON) == SATURDAY + ROOM_IN_THE_WINDOW


@pytest.mark.parametrize("expires", [timedelta(minutes=1), DAY])
def test_in_an_open_window_it_has_its_time_and_no_more(expires: timedelta) -> None:
    today = Weekly(DAYS, time(11), time(13), "UTC")
    assert expiry(policy(today, expires=expires), NOON) == NOON + expires


def test_where_no_window_opens_in_sight_it_has_its_time() -> None:
    assert expiry(policy(WEEKEND, blackout=WEEKEND), NOON) == NOON + DAY


def test_what_is_proposed_says_when_it_expires() -> None:
    plan = replace(PLAN, policy=policy(WEEKEND))
    found = propose(plan, initial_state("orders", 7, WEST), "all well", NOON)
    assert found is not None
    assert found.proposal is not None
    assert found.proposal.expires_at == SATURDAY + ROOM_IN_THE_WINDOW
