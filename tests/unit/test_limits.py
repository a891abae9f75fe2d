"""The limits on which safety rests: what may be changed freely is left open, what may not is held here.

mutmut changes no constant of a module (see proof/mutation.py), so these have tests of their own.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from region_failover.domain.decision import LOUD, Reason
from region_failover.domain.errors import PlanError
from region_failover.domain.journal import REQUESTS_KEPT
from region_failover.domain.linode_file import LINODE_TTLS
from region_failover.domain.plan_file import parse_plan
from region_failover.domain.state import (
    CLOCKS_AGREE,
    LATE_WRITERS_WITHIN,
    LEASE,
    SETTLED,
    STEP_LEASE,
    VERIFIED_WITHIN,
    StepStatus,
)
from region_failover.domain.symptom import TRANSPORT, Kind
from region_failover.domain.verdict import KINDS_NEEDED, MAX_GAP, Evidence
from region_failover.domain.zone import FENCE_TTL_S
from tests.fakes import MAXIMUM_AGE, PLAN_TEXT
from tests.unit.test_plan_file import changed

TICK = timedelta(minutes=1)


def test_a_target_verified_is_one_verified_within_seconds() -> None:
    assert VERIFIED_WITHIN.total_seconds() <= 30


def test_a_steps_claim_ends_before_its_transitions_lease_and_both_before_the_second_tick_after() -> None:
    assert STEP_LEASE < LEASE <= 2 * TICK


def test_a_clock_is_trusted_less_than_any_lease_lasts() -> None:
    assert CLOCKS_AGREE <= VERIFIED_WITHIN < STEP_LEASE


def test_late_writers_are_looked_for_as_long_as_an_event_may_start_one() -> None:
    assert LATE_WRITERS_WITHIN >= MAXIMUM_AGE


def test_a_run_of_samples_survives_two_missed_ticks_and_not_three() -> None:
    assert 2 * TICK < MAX_GAP < 3 * TICK


def test_no_kind_of_evidence_is_enough_alone() -> None:
    assert 2 <= KINDS_NEEDED <= len(Evidence)


def test_requests_delivered_again_within_lambdas_six_hours_are_still_known() -> None:
    assert REQUESTS_KEPT >= 20


def test_the_fence_is_not_read_from_a_cache_for_longer_than_half_a_minute() -> None:
    assert FENCE_TTL_S <= 30


def test_a_step_is_settled_where_it_is_done_or_owed() -> None:
    assert {StepStatus.DONE, StepStatus.OWED} == SETTLED


def test_being_cut_off_looks_like_no_answer_and_like_nothing_else() -> None:
    assert {Kind.TIMEOUT, Kind.REFUSED, Kind.NO_SUCH_NAME} == TRANSPORT


# Holds that end by themselves or that somebody asked for: nobody is told.
QUIET = {
    Reason.PAUSED, Reason.IN_PROGRESS, Reason.COOLDOWN, Reason.LOST_THE_CLAIM, Reason.ACTIVE_HEALTHY,
    Reason.VETOED,  # told by the hook's own notice
    Reason.NOT_CONFIRMED, Reason.EVIDENCE_INCOMPLETE, Reason.AT_PRIMARY, Reason.NOT_SETTLED,
    Reason.LAG_UNKNOWN, Reason.LAG_TOO_HIGH, Reason.FAILBACK_IS_MANUAL, Reason.STALE_EVENT,
    Reason.NOT_IN_ALARM, Reason.SUPPRESSED, Reason.REJECTED, Reason.OUTSIDE_WINDOW, Reason.BLACKOUT,
    Reason.ON_TRIAL, Reason.AWAITING_APPROVAL,  # told by the proposal itself
    Reason.PLAN_CHANGED, Reason.ALREADY_THERE,  # answers to whoever asked
}  # fmt: skip
MOVES = {
    Reason.REGION_DOWN,
    Reason.REGION_DEGRADED,
    Reason.OPERATOR_ASKED,
    Reason.PRIMARY_SETTLED,
    Reason.APPROVED,
    Reason.TRIAL_FAILED,
}


def test_every_hold_is_told_unless_it_ends_by_itself() -> None:
    assert set(Reason) - QUIET - MOVES == LOUD


def test_linodes_ttls_are_those_of_its_api() -> None:
    day = 86400
    hours = [3600 * n for n in (1, 2, 4, 8, 16)]
    assert list(LINODE_TTLS) == [30, 120, 300, *hours, day, 2 * day, 4 * day, 7 * day, 14 * day, 28 * day]


LABEL = "a" * 63
# (what stands in the example, the longest or least usual that is allowed, what is just not)
FORMS = [
    ('name = "orders"\n[', 'name = "{}"\n[', "a" * 39, "a" * 40),
    ('name = "orders"\n[', 'name = "{}"\n[', "0-a", "-a"),
    ('"Z0123456789ABCDEFGHIJ"', '"{}"', "Z" * 32, "Z" * 33),
    ('table = "orders"', 'table = "{}"', "t" * 255, "t" * 256),
    ('table = "orders"', 'table = "{}"', "t_.", "t/t"),
    ('"/orders/active-region"', '"{}"', "/" + "p" * 1010, "/" + "p" * 1011),
    ('"/orders/active-region"', '"{}"', "/a/b_c.d-E", "/a b"),
    ('"api.example.com"', '"{}"', f"{LABEL}.example.com", f"{LABEL}a.example.com"),
    ('"api.example.com"', '"{}"', "*._tcp.example.com.", "a.*.example.com"),
    ('"api.example.com"', '"{}"', "a-b.example.com", "a-.example.com"),
    ('name = "app"', 'name = "{}"', "a" * 253, "a" * 254),
    ('name = "app"', 'name = "{}"', "a.b_c-d", "a.b-"),
    ('"20m"', '"{}"', "24h", "25h"),
    ('"20m"', '"{}"', "1d", "2d"),
    ('"20m"', '"{}"', "000086400s", "0000086400s"),
    ('"20m"', '"{}"', "1440m", "1441m"),
]


@pytest.mark.parametrize(("old", "new", "allowed", "refused"), FORMS)
def test_a_name_is_accepted_up_to_its_services_limit(old: str, new: str, allowed: str, refused: str) -> None:
    assert parse_plan(changed(old, new.format(allowed)), "orders.toml")
    with pytest.raises(PlanError):
        parse_plan(changed(old, new.format(refused)), "orders.toml")


@pytest.mark.parametrize(
    ("region", "allowed"), [("us-gov-east-1", True), ("us-gov-east-10", False), ("eu-1", False)]
)
def test_a_region_is_named_as_aws_names_it(region: str, allowed: bool) -> None:
    text = PLAN_TEXT.replace("us-east-1", region)
    if allowed:
        assert parse_plan(text, "orders.toml").regions.primary == region
    else:
        with pytest.raises(PlanError):
            parse_plan(text, "orders.toml")
