"""From checks to a sample, from samples to a verdict: HEALTHY, UNHEALTHY or UNKNOWN."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from region_failover.domain.plan import Sampling
from region_failover.domain.state import is_ahead, is_recent
from region_failover.domain.symptom import TRANSPORT, Blame, Kind, Symptom, blame


class Evidence(StrEnum):
    """Independent kinds of evidence: they share neither code, credentials nor path."""

    DYNAMODB = "dynamodb"
    HTTP = "http"
    ALARM = "alarm"
    LINODE = "linode"


class Health(StrEnum):
    """What is known of a Region."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"


# Two kinds must agree: one broken check, or one broken client library, is no outage (I13).
KINDS_NEEDED = 2

# A run of samples is broken by a hole of more than two of the schedule's ticks of one minute.
MAX_GAP = timedelta(seconds=150)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check in one Region: `symptom` None means answered well, within `took_s` where measured.

    `silent`: why the check says nothing, neither good nor bad; '' if it does; `told`: somebody else was asked
    about the Region; `at_a_glance`: every sample asks it, and every vantage point.
    """

    region: str
    evidence: Evidence
    name: str
    symptom: Symptom | None = None
    took_s: float | None = None
    silent: str = ""
    told: bool = False
    at_a_glance: bool = False

    def __str__(self) -> str:
        """Return 'name: symptom' for humans."""
        word = f"no evidence, {self.silent}" if self.silent else self.symptom or "well"
        return f"{self.name}: {word}"


@dataclass(frozen=True, slots=True)
class Sample:
    """One round of checks in one Region.

    `ours`: at least one check failed through our own fault; `latency_s`: the slowest answer, 0 where none was
    measured; `hidden`: UNHEALTHY by what a glance does not ask, so that other vantage points cannot see it.
    """

    region: str
    at: datetime
    health: Health
    ours: bool = False
    why: str = ""
    latency_s: float = 0.0
    hidden: bool = False


# Where a control target is: in neither of a plan's Regions.
ELSEWHERE = ""


def assess(results: Sequence[CheckResult], at: datetime) -> dict[str, Sample]:
    """Return a sample for each Region; UNKNOWN unless the evidence is complete.

    HEALTHY: every check answered well. UNHEALTHY: two independent kinds of evidence failed through the
    Region's own fault. Where no control target answers (or, without any, nothing in any Region), it is we
    who are cut off: what fails then is UNKNOWN.
    """
    own = [result for result in results if result.region != ELSEWHERE and not result.silent]
    control = [result for result in results if result.region == ELSEWHERE]
    cut_off = _why_cut_off(own, control)
    regions = dict.fromkeys(result.region for result in own)
    return {
        region: _sample(region, [r for r in own if r.region == region], at, cut_off) for region in regions
    }


def _why_cut_off(own: Sequence[CheckResult], control: Sequence[CheckResult]) -> str:
    """Return why it is we who are cut off, '' where we are not; a control target's 404 is an answer, too."""
    if control:
        answers = any(r.symptom is None or r.symptom.kind is Kind.HTTP for r in control)
        return "" if answers else "no control target answers"
    nothing = bool(own) and all(r.symptom and r.symptom.kind in TRANSPORT for r in own)
    return "nothing answers in any Region" if nothing else ""


def _sample(region: str, results: Sequence[CheckResult], at: datetime, cut_off: str) -> Sample:
    bad = [result for result in results if result.symptom]
    theirs = [r for r in bad if r.symptom and blame(r.symptom) is Blame.THEIRS]
    ours = bool(cut_off) or any(r.symptom and blame(r.symptom) is Blame.OURS for r in bad)
    why = "; ".join(str(result) for result in bad)
    if not bad:
        slowest = max((r.took_s for r in results if r.took_s is not None), default=0.0)
        return Sample(region, at, Health.HEALTHY, latency_s=slowest)
    if cut_off:
        return Sample(region, at, Health.UNKNOWN, ours=True, why=f"{cut_off}: {why}")
    if len({r.evidence for r in theirs}) >= KINDS_NEEDED:
        hidden = len({r.evidence for r in theirs if r.at_a_glance}) < KINDS_NEEDED
        return Sample(region, at, Health.UNHEALTHY, ours=ours, why=why, hidden=hidden)
    return Sample(region, at, Health.UNKNOWN, ours=ours, why=why)


@dataclass(frozen=True, slots=True)
class Minute:
    """A minute in which samples were slow or bad, of those written down (`domain/degradation.py`)."""

    at: datetime
    slow: int = 0
    bad: int = 0
    seen: int = 0


@dataclass(frozen=True, slots=True)
class RegionHealth:
    """What the samples of one Region add up to; bounded, however long it runs.

    `since`: when the present unbroken run of equal samples began; `last_at`: the newest sample;
    `recent`: the newest samples' health, at most the plan's window, oldest first;
    `ours`: a check of the newest sample failed through our own fault; `trusted`: how many of the newest of
    `recent` there are without such a fault; `usual_s`: what a sample usually takes; `minutes`: those in which
    samples were slow or bad; `hidden`: the newest sample's.
    """

    health: Health
    since: datetime
    last_at: datetime
    recent: tuple[Health, ...]
    why: str = ""
    ours: bool = False
    trusted: int = 0
    usual_s: float = 0.0
    minutes: tuple[Minute, ...] = ()
    hidden: bool = False

    def lasted(self) -> timedelta:
        """Return for how long the present run has been seen to last."""
        return self.last_at - self.since


def add_sample(known: RegionHealth | None, sample: Sample, window: int, now: datetime) -> RegionHealth:
    """Return what is known with one more sample; a change or a hole in the samples starts a new run.

    A sample older than the newest one known (a late or duplicated worker) adds nothing. What a clock ahead
    of ours has left is forgotten: else nothing could be added until that time has come.
    """
    if known is None or is_ahead(known.last_at, now):
        return RegionHealth(
            sample.health,
            sample.at,
            sample.at,
            (sample.health,),
            sample.why,
            ours=sample.ours,
            trusted=int(not sample.ours),
            hidden=sample.hidden,
        )
    if sample.at <= known.last_at:
        return known
    unbroken = sample.health is known.health and sample.at - known.last_at <= MAX_GAP
    hole = sample.at - known.last_at > MAX_GAP
    recent = (*(() if hole else known.recent), sample.health)[-window:]
    return replace(
        known,
        health=sample.health,
        since=known.since if unbroken else sample.at,
        last_at=sample.at,
        recent=recent,
        why=sample.why,
        ours=sample.ours,
        trusted=0 if sample.ours else min(known.trusted + 1, len(recent)),
        hidden=sample.hidden,
    )


def has_failed(known: RegionHealth, sampling: Sampling) -> bool:
    """Return whether K of N samples failed, the newest among them."""
    failed = sum(health is Health.UNHEALTHY for health in known.recent)
    return known.health is Health.UNHEALTHY and failed >= sampling.needed


def is_blind(known: RegionHealth, sampling: Sampling) -> bool:
    """Return whether K of N samples gave no verdict, the newest through our own fault."""
    return known.ours and known.recent.count(Health.UNKNOWN) >= sampling.needed


def fails_in_part(known: RegionHealth, sampling: Sampling) -> bool:
    """Return whether K of N samples gave no verdict, and none of them through our own fault.

    What was seen before or while we were at fault does not count: as our path mends, a Region half seen
    looks like one that half works.
    """
    trusted = known.recent[len(known.recent) - known.trusted :]
    return trusted.count(Health.UNKNOWN) >= sampling.needed


def is_down(known: RegionHealth | None, sampling: Sampling) -> bool:
    """Return whether one vantage point alone has decided: K of N failed, unbroken for long enough."""
    return known is not None and has_failed(known, sampling) and known.lasted() >= sampling.confirm_for


def is_settled(known: RegionHealth | None, now: datetime, healthy_for: timedelta) -> bool:
    """Return whether a Region has been continuously healthy for that long and was seen to be just now."""
    if known is None or known.health is not Health.HEALTHY:
        return False
    return known.lasted() >= healthy_for and is_recent(known.last_at, now, MAX_GAP)


@dataclass(frozen=True, slots=True)
class HealthRecord:
    """What is known of both Regions of a plan, and of the replication between them.

    `lags`: seconds from writing to seeing an item on the other side, by 'writer>reader'; a pair that was
    not measured in the newest full round is absent, and absent means unknown; `views`: what other vantage
    points see, by their names and by Region (`domain/vantage.py`).
    """

    plan: str
    version: int = 0
    regions: Mapping[str, RegionHealth] = field(default_factory=dict)
    lags: Mapping[str, float] = field(default_factory=dict)
    views: Mapping[str, Mapping[str, RegionHealth]] = field(default_factory=dict)


def add_round(
    record: HealthRecord,
    samples: Iterable[Sample],
    lags: Mapping[str, float] | None,
    window: int,
    now: datetime,
) -> HealthRecord:
    """Return the record with one more round of samples, and with the lags that this round measured.

    `lags` None: this round was a glance, which measures none; those of the last full round stay.
    """
    regions = dict(record.regions)
    for sample in samples:
        regions[sample.region] = add_sample(regions.get(sample.region), sample, window, now)
    following = replace(record, version=record.version + 1, regions=regions)
    return following if lags is None else replace(following, lags=dict(lags))
