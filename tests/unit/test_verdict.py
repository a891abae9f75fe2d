"""From checks to a sample, from samples to a verdict (I10, I11, I13, I16)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from region_failover.domain.plan import Sampling
from region_failover.domain.symptom import Kind, Symptom
from region_failover.domain.verdict import (
    ELSEWHERE,
    MAX_GAP,
    CheckResult,
    Evidence,
    Health,
    HealthRecord,
    RegionHealth,
    Sample,
    add_round,
    add_sample,
    assess,
    fails_in_part,
    is_blind,
    is_down,
    is_settled,
)
from tests.fakes import DENIED, EAST, NOON, REFUSED, SERVER_ERROR, TIMED_OUT, WEST, health

DB, HTTP = Evidence.DYNAMODB, Evidence.HTTP
S = timedelta(seconds=1)
NEW = Symptom(Kind.UNKNOWN, detail="never seen before")
THROTTLED = Symptom(Kind.API, "ThrottlingException", 400)


def checks(
    east: tuple[Symptom | None, Symptom | None], west: tuple[Symptom | None, Symptom | None] = (None, None)
) -> list[CheckResult]:
    return [
        CheckResult(region, kind, f"{kind.value} check", symptom)
        for region, symptoms in ((EAST, east), (WEST, west))
        for kind, symptom in zip((DB, HTTP), symptoms, strict=True)
    ]


def east(results: list[CheckResult]) -> Sample:
    return assess(results, NOON)[EAST]


@pytest.mark.parametrize(
    ("dynamodb", "http", "expected", "ours"),
    [
        (None, None, Health.HEALTHY, False),
        (TIMED_OUT, REFUSED, Health.UNHEALTHY, False),
        (SERVER_ERROR, SERVER_ERROR, Health.UNHEALTHY, False),
        (TIMED_OUT, None, Health.UNKNOWN, False),
        (None, REFUSED, Health.UNKNOWN, False),
        (DENIED, None, Health.UNKNOWN, True),
        (DENIED, DENIED, Health.UNKNOWN, True),
        (DENIED, REFUSED, Health.UNKNOWN, True),
        (TIMED_OUT, NEW, Health.UNKNOWN, True),
        (NEW, NEW, Health.UNKNOWN, True),
        (THROTTLED, REFUSED, Health.UNKNOWN, True),
        (TIMED_OUT, Symptom(Kind.HTTP, status=404), Health.UNKNOWN, True),
        (TIMED_OUT, Symptom(Kind.TLS), Health.UNKNOWN, True),
        (Symptom(Kind.CREDENTIALS), Symptom(Kind.CREDENTIALS), Health.UNKNOWN, True),
    ],
)
def test_a_region_is_unhealthy_only_where_two_kinds_of_evidence_fail_by_its_own_fault(
    dynamodb: Symptom | None, http: Symptom | None, expected: Health, ours: bool
) -> None:
    sample = east(checks((dynamodb, http)))
    assert (sample.health, sample.ours) == (expected, ours)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ((None, None), Sample(EAST, NOON, Health.HEALTHY)),
        ((TIMED_OUT, None), Sample(EAST, NOON, Health.UNKNOWN, False, "dynamodb check: timeout no answer")),
        (
            (DENIED, REFUSED),
            Sample(
                EAST,
                NOON,
                Health.UNKNOWN,
                True,
                "dynamodb check: api AccessDeniedException 400; http check: refused connection refused",
            ),
        ),
        (
            (SERVER_ERROR, TIMED_OUT),
            Sample(
                EAST,
                NOON,
                Health.UNHEALTHY,
                False,
                "dynamodb check: api InternalServerError 500; http check: timeout no answer",
                hidden=True,
            ),
        ),
    ],
)
def test_a_sample_says_of_which_region_when_and_why(
    found: tuple[Symptom | None, Symptom | None], expected: Sample
) -> None:
    assert assess(checks(found), NOON) == {EAST: expected, WEST: Sample(WEST, NOON, Health.HEALTHY)}


def test_a_sample_says_where_we_are_cut_off_and_from_what() -> None:
    cut_off = assess(checks((TIMED_OUT, REFUSED), (REFUSED, TIMED_OUT)), NOON)
    assert cut_off[WEST] == Sample(
        WEST,
        NOON,
        Health.UNKNOWN,
        True,
        "nothing answers in any Region: "
        "dynamodb check: refused connection refused; http check: timeout no answer",
    )


def test_an_outage_is_an_outage_although_a_third_check_fails_by_our_own_fault() -> None:
    results = [*checks((TIMED_OUT, REFUSED)), CheckResult(EAST, DB, "read carts", DENIED)]
    assert (east(results).health, east(results).ours) == (Health.UNHEALTHY, True)


def test_a_check_reads_as_its_name_and_what_it_ran_into() -> None:
    assert str(CheckResult(EAST, DB, "read orders")) == "read orders: well"
    assert str(CheckResult(EAST, DB, "read orders", DENIED)) == "read orders: api AccessDeniedException 400"
    muted = CheckResult(EAST, Evidence.ALARM, "alarm errors", silent="muted: a deploy")
    assert str(muted) == "alarm errors: no evidence, muted: a deploy"


def test_two_checks_of_one_kind_are_one_observer() -> None:
    results = [
        CheckResult(EAST, DB, "read orders", TIMED_OUT),
        CheckResult(EAST, DB, "heartbeat", TIMED_OUT),
        CheckResult(EAST, HTTP, "GET", None),
        CheckResult(WEST, DB, "read orders", None),
    ]
    assert east(results).health is Health.UNKNOWN


def test_when_nothing_answers_anywhere_it_is_we_who_are_cut_off() -> None:
    samples = assess(checks((TIMED_OUT, REFUSED), (TIMED_OUT, Symptom(Kind.NO_SUCH_NAME))), NOON)
    assert {s.health for s in samples.values()} == {Health.UNKNOWN}
    assert all(sample.ours for sample in samples.values())


def test_both_regions_answering_with_errors_are_both_unhealthy() -> None:
    samples = assess(checks((SERVER_ERROR, SERVER_ERROR), (TIMED_OUT, SERVER_ERROR)), NOON)
    assert {s.health for s in samples.values()} == {Health.UNHEALTHY}


def control(*symptoms: Symptom | None) -> list[CheckResult]:
    return [CheckResult(ELSEWHERE, HTTP, f"GET https://control-{n}", s) for n, s in enumerate(symptoms)]


@pytest.mark.parametrize(
    ("east_checks", "west_checks", "controls", "expected"),
    [
        pytest.param((TIMED_OUT, REFUSED), (None, None), (None,), "unhealthy healthy", id="it answers: gone"),
        pytest.param(
            (TIMED_OUT, REFUSED), (None, None), (TIMED_OUT,), "unknown healthy", id="it does not: cut off"
        ),
        pytest.param(
            (TIMED_OUT, REFUSED), (REFUSED, REFUSED), (None,), "unhealthy unhealthy", id="both are gone"
        ),
        pytest.param(
            (TIMED_OUT, REFUSED), (REFUSED, REFUSED), (REFUSED,), "unknown unknown", id="we are alone"
        ),
        pytest.param(
            (TIMED_OUT, REFUSED), (None, None), (REFUSED, None), "unhealthy healthy", id="one of two answers"
        ),
        pytest.param((None, None), (None, None), (TIMED_OUT,), "healthy healthy", id="what is well is well"),
        pytest.param(
            (TIMED_OUT, REFUSED),
            (None, None),
            (Symptom(Kind.HTTP, status=503),),
            "unhealthy healthy",
            id="any answer",
        ),
        pytest.param(
            (TIMED_OUT, REFUSED),
            (None, None),
            (Symptom(Kind.TLS),),
            "unknown healthy",
            id="another's certificate",
        ),
    ],
)
def test_a_control_target_tells_gone_from_cut_off(
    east_checks: tuple[Symptom | None, Symptom | None],
    west_checks: tuple[Symptom | None, Symptom | None],
    controls: tuple[Symptom | None, ...],
    expected: str,
) -> None:
    found = assess([*checks(east_checks, west_checks), *control(*controls)], NOON)
    assert f"{found[EAST].health.value} {found[WEST].health.value}" == expected
    assert set(found) == {EAST, WEST}


def test_a_sample_says_that_no_control_target_answers() -> None:
    found = assess([*checks((TIMED_OUT, REFUSED)), *control(TIMED_OUT)], NOON)[EAST]
    assert found.ours
    assert found.why.startswith("no control target answers: ")


def test_one_answer_from_anywhere_shows_that_we_are_not_cut_off() -> None:
    samples = assess(checks((TIMED_OUT, REFUSED), (TIMED_OUT, None)), NOON)
    assert samples[EAST].health is Health.UNHEALTHY
    assert samples[WEST].health is Health.UNKNOWN


def test_no_checks_at_all_are_no_evidence() -> None:
    assert assess([], NOON) == {}


@given(
    st.lists(
        st.builds(
            CheckResult,
            region=st.sampled_from([EAST, WEST]),
            evidence=st.sampled_from(list(Evidence)),
            name=st.just("check"),
            symptom=st.none()
            | st.builds(
                Symptom, kind=st.sampled_from(list(Kind)), status=st.sampled_from([0, 200, 403, 500])
            ),
        ),
        max_size=8,
    ),
    st.sampled_from([0, 1, 2]),
)
def test_healthy_needs_every_check_and_unhealthy_two_kinds(results: list[CheckResult], silent: int) -> None:
    without = assess(results, NOON)
    told = {result.region for result in results}
    mute = [CheckResult(region, Evidence.ALARM, "mute", silent="muted") for region in told] * silent
    assert assess([*mute, *results], NOON) == without  # who says nothing changes nothing
    for region, sample in without.items():
        own = [result for result in results if result.region == region]
        assert (sample.health is Health.HEALTHY) == all(r.symptom is None for r in own)
        if sample.health is Health.UNHEALTHY:
            assert len({r.evidence for r in own if r.symptom}) >= 2


def run(*healths: Health, every: timedelta = 20 * S, window: int = 5) -> RegionHealth:
    known: RegionHealth | None = None
    for number, found in enumerate(healths):
        known = add_sample(known, Sample(EAST, NOON + number * every, found), window, NOON + number * every)
    assert known is not None
    return known


H, U, X = Health.HEALTHY, Health.UNHEALTHY, Health.UNKNOWN


@pytest.mark.parametrize(
    ("samples", "down"),
    [
        ([U], False),
        ([U, U], False),
        ([U, U, U], False),  # three of five, but only 40 s
        ([U, U, U, U], True),  # 60 s without a break
        ([H, U, U, U, U], True),
        ([U, U, U, U, H], False),  # the newest must have failed
        ([U, U, U, U, X], False),
        ([U, U, U, X, U], False),  # a break restarts the clock of confirm_for
        ([U, U, X, U, U, U, U], True),
        ([X, X, X, X, X], False),
        ([H, H, H, H, H], False),
    ],
)
def test_a_failure_is_decided_by_k_of_n_samples_unbroken_for_long_enough(
    samples: list[Health], down: bool
) -> None:
    sampling = Sampling(needed=3, window=5, confirm_for=timedelta(seconds=60))
    assert is_down(run(*samples), sampling) is down


def test_too_few_samples_decide_nothing_however_far_apart() -> None:
    sampling = Sampling(needed=3, window=5, confirm_for=timedelta(seconds=60))
    assert not is_down(run(U, U, every=120 * S), sampling)
    assert is_down(run(U, U, U, every=120 * S), sampling)


def test_a_region_never_looked_at_is_neither_down_nor_settled() -> None:
    assert not is_down(None, Sampling())
    assert not is_settled(None, NOON, timedelta(0))


def test_a_hole_in_the_samples_restarts_the_run_and_the_count() -> None:
    known = run(U, U, U, U)
    after = add_sample(known, Sample(EAST, known.last_at + MAX_GAP + S, U), 5, known.last_at + 600 * S)
    assert (after.since, after.recent) == (after.last_at, (U,))
    assert not is_down(after, Sampling())


def test_a_gap_of_just_the_maximum_is_no_hole() -> None:
    known = run(U, U)
    after = add_sample(known, Sample(EAST, known.last_at + MAX_GAP, U), 5, known.last_at + 600 * S)
    assert after.since == known.since
    assert after.recent == (U, U, U)


def test_what_is_known_says_what_the_newest_sample_said() -> None:
    first = add_sample(None, Sample(EAST, NOON, X, True, "read orders: denied"), 5, NOON)
    assert first == RegionHealth(X, NOON, NOON, (X,), "read orders: denied", True)
    second = add_sample(first, Sample(EAST, NOON + S, X, False, "GET: refused"), 5, NOON + S)
    assert second == RegionHealth(X, NOON, NOON + S, (X, X), "GET: refused", False, trusted=1)
    third = add_sample(second, Sample(EAST, NOON + 2 * S, X, True, "read orders: denied"), 5, NOON + 2 * S)
    assert (third.why, third.ours) == ("read orders: denied", True)


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        pytest.param("xxx", "in part", id="one kind of evidence fails, three times"),
        pytest.param("xhxhx", "in part", id="now and then"),
        pytest.param("xx", "", id="too few"),
        pytest.param("ooo", "blind", id="we cannot see"),
        pytest.param("xxo", "blind", id="we cannot see any more"),
        pytest.param("ooox", "", id="our path mends, and half of it is there"),
        pytest.param("oooxx", "", id="what was seen before does not count"),
        pytest.param("oooxxx", "in part", id="our path is there, and half of the Region is not"),
        pytest.param("ooohhh", "", id="all is well again"),
        pytest.param("xxohh", "", id="nor does what was seen while it began"),
        pytest.param("uuu", "", id="down is a verdict"),
    ],
)
def test_who_is_at_fault_where_there_is_no_verdict(samples: str, expected: str) -> None:
    known, at = None, NOON
    for letter in samples:
        health = {"x": X, "o": X, "h": H, "u": U}[letter]
        known = add_sample(known, Sample(EAST, at, health, ours=letter == "o"), 5, at)
        at += 5 * S
    assert known
    found = [is_blind(known, Sampling()) and "blind", fails_in_part(known, Sampling()) and "in part"]
    assert "".join(word for word in found if word) == expected


@pytest.mark.parametrize("late", [0, 1, 1000])
def test_a_late_or_repeated_sample_adds_nothing(late: int) -> None:
    known = run(U, U, U)
    assert add_sample(known, Sample(EAST, known.last_at - late * S, H), 5, known.last_at) == known


@given(st.lists(st.sampled_from(list(Health)), min_size=1, max_size=60), st.integers(1, 20))
def test_what_is_known_stays_bounded(samples: list[Health], window: int) -> None:
    known = run(*samples, window=window)
    assert known.recent == tuple(samples[-window:])
    assert known.health is samples[-1]


@given(st.lists(st.sampled_from(list(Health)), min_size=1, max_size=30))
def test_since_is_the_beginning_of_the_present_run(samples: list[Health]) -> None:
    length = next((n for n, found in enumerate(reversed(samples)) if found is not samples[-1]), len(samples))
    assert run(*samples).lasted() == (length - 1) * 20 * S


def test_healthy_for_must_be_continuous_and_seen_to_the_end() -> None:
    twenty = timedelta(minutes=20)
    known = health(H, NOON - twenty, NOON)
    assert is_settled(known, NOON, twenty)
    assert is_settled(known, NOON + MAX_GAP, twenty)
    assert not is_settled(known, NOON + MAX_GAP + S, twenty)
    assert not is_settled(known, NOON, twenty + S)


def test_a_relapse_restarts_the_clock_of_healthy_for() -> None:
    known = health(H, NOON - timedelta(hours=3), NOON)
    relapsed = add_sample(known, Sample(EAST, NOON + 60 * S, X), 5, NOON + 60 * S)
    again = add_sample(relapsed, Sample(EAST, NOON + 120 * S, H), 5, NOON + 120 * S)
    assert not is_settled(relapsed, NOON + 60 * S, timedelta(minutes=20))
    assert not is_settled(again, NOON + 120 * S, timedelta(minutes=20))


def test_a_round_replaces_the_lags_so_that_absent_means_unknown() -> None:
    record = HealthRecord("orders", 4, {}, {f"{EAST}>{WEST}": 0.5})
    following = add_round(record, [Sample(EAST, NOON, H)], {}, 5, NOON)
    assert (following.version, following.lags) == (5, {})
    assert following.regions[EAST].health is H


def test_a_round_continues_the_run_of_each_region_and_keeps_the_window() -> None:
    record = HealthRecord("orders")
    for number in range(4):
        at = NOON + number * S
        samples = [Sample(EAST, at, U), Sample(WEST, at, H)]
        record = add_round(record, samples, {f"{EAST}>{WEST}": 0.1}, 3, at)
    assert (record.version, record.lags) == (4, {f"{EAST}>{WEST}": 0.1})
    assert record.regions[EAST] == RegionHealth(U, NOON, NOON + 3 * S, (U, U, U), trusted=3)
    assert record.regions[WEST] == RegionHealth(H, NOON, NOON + 3 * S, (H, H, H), trusted=3)


def test_a_round_forgets_what_a_clock_far_ahead_has_left() -> None:
    ahead = NOON + timedelta(hours=1)
    record = HealthRecord("orders", 1, {EAST: health(H, ahead, ahead)})
    after = add_round(record, [Sample(EAST, NOON, U)], {}, 5, NOON)
    assert after.regions[EAST] == RegionHealth(U, NOON, NOON, (U,), trusted=1)
