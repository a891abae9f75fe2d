"""Hypothesis strategies for the records that are kept in the state table: anything that the types allow."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st

from region_failover.domain.state import (
    Answer,
    Direction,
    Lease,
    Notice,
    Phase,
    PlanState,
    Proposal,
    Step,
    StepKind,
    StepStatus,
    Transition,
)
from region_failover.domain.verdict import Health, HealthRecord, RegionHealth

TIMES = st.datetimes(
    min_value=datetime(2020, 1, 1),  # noqa: DTZ001 (the strategy adds the zone)
    max_value=datetime(2060, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
MAYBE_TIMES = st.none() | TIMES
TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
SECONDS = st.floats(0, 1e9, allow_nan=False)
REGIONS = st.sampled_from(["us-east-1", "us-west-2", "eu-central-1"])

STEPS = st.builds(
    Step,
    kind=st.sampled_from(StepKind),
    subject=TEXT,
    region=REGIONS | st.just(""),
    status=st.sampled_from(StepStatus),
    attempts=st.integers(0, 50),
    owner=TEXT,
    claimed_until=MAYBE_TIMES,
    before=TEXT,
    change_id=TEXT,
    detail=TEXT,
    sent_at=MAYBE_TIMES,
    done_at=MAYBE_TIMES,
)
TRANSITIONS = st.builds(
    Transition,
    epoch=st.integers(0, 2**40),
    direction=st.sampled_from(Direction),
    source=REGIONS,
    target=REGIONS,
    reason=TEXT,
    manual=st.booleans(),
    started_at=TIMES,
    detected_at=MAYBE_TIMES,
    verified_at=TIMES,
    lease=st.builds(Lease, owner=TEXT, until=TIMES),
    steps=st.lists(STEPS, max_size=3).map(tuple),
    loss_s=st.none() | SECONDS,
    ended_at=MAYBE_TIMES,
    outcome=TEXT,
)
PROPOSALS = st.builds(
    Proposal,
    id=TEXT,
    source=REGIONS,
    target=REGIONS,
    made_at=TIMES,
    expires_at=TIMES,
    evidence=TEXT,
    answer=st.sampled_from(Answer),
    answered_by=TEXT,
    answered_at=MAYBE_TIMES,
)
STATES = st.builds(
    PlanState,
    plan=TEXT,
    version=st.integers(0, 2**40),
    epoch=st.integers(0, 2**40),
    active=REGIONS,
    phase=st.sampled_from(Phase),
    transition=st.none() | TRANSITIONS,
    cooldown_until=MAYBE_TIMES,
    paused=st.booleans(),
    owed=st.lists(STEPS, max_size=2).map(tuple),
    outbox=st.lists(st.builds(Notice, key=TEXT, subject=TEXT, text=TEXT, at=TIMES), max_size=2).map(tuple),
    noticed=st.dictionaries(TEXT, TIMES, max_size=2),
    proposal=st.none() | PROPOSALS,
    pause_note=TEXT,
    automatic_moves=st.lists(TIMES, max_size=2).map(tuple),
    requests=st.lists(TEXT, max_size=2).map(tuple),
    moved_at=MAYBE_TIMES,
)
REGION_HEALTHS = st.dictionaries(
    REGIONS,
    st.builds(
        RegionHealth,
        health=st.sampled_from(Health),
        since=TIMES,
        last_at=TIMES,
        recent=st.lists(st.sampled_from(Health), max_size=3).map(tuple),
        why=TEXT,
        ours=st.booleans(),
    ),
    max_size=2,
)
HEALTHS = st.builds(
    HealthRecord,
    plan=TEXT,
    version=st.integers(0, 2**40),
    regions=REGION_HEALTHS,
    lags=st.dictionaries(TEXT, SECONDS, max_size=2),
    views=st.dictionaries(TEXT, REGION_HEALTHS, max_size=2),
)
