"""Slow, or failing now and then: a Region that is not down, and not well either.

A percentile needs no list of samples: the 75th lies above a limit if more than 25 of 100 samples do. So what
is kept is, minute by minute, how many samples were slow and how many bad. Those that were well need not be
written down, because the plan says how many there must have been.

*Slow* is slower than usual by the plan's factor, and slower than its floor. What is usual is learned from the
samples that were not slow, slowly: a factor of three is never learned, a tenth a week is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from region_failover.domain.plan import Degradation, DegradationMode, Plan
from region_failover.domain.state import is_ahead, is_recent
from region_failover.domain.vantage import is_well_elsewhere
from region_failover.domain.verdict import MAX_GAP, Health, HealthRecord, Minute, RegionHealth, Sample

MINUTE = timedelta(minutes=1)

# Minutes with something to tell that are kept, at most: the longest `over` that a plan may ask for.
KEPT = timedelta(minutes=30)

# How much of a sample's difference from what is usual is learned: half of it within about 35 full rounds.
LEARNED = 0.02


class Degraded(StrEnum):
    """Which Regions are degraded, as far as the plan lets that count. BOTH: then it is no reason to move."""

    NO = "no"
    SOURCE = "source"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Wear:
    """Which share of the samples of the plan's `over` were slow, and which bad, from 0 to 1."""

    slow: float = 0.0
    bad: float = 0.0


def is_slow(usual_s: float, sample: Sample, rule: Degradation) -> bool:
    """Return whether a sample took too long; nothing does before it is known what is usual."""
    if sample.health is not Health.HEALTHY or not usual_s:
        return False
    return sample.latency_s > max(usual_s * rule.slower_than, rule.at_least.total_seconds())


def is_bad(sample: Sample) -> bool:
    """Return whether a sample failed through the Region's own fault, wholly or in part."""
    return sample.health is Health.UNHEALTHY or (
        sample.health is Health.UNKNOWN and bool(sample.why) and not sample.ours
    )


def has_to_be_told(known: RegionHealth | None, sample: Sample, rule: Degradation) -> bool:
    """Return whether a glance saw more than a Region that is well."""
    return sample.health is not Health.HEALTHY or is_slow(known.usual_s if known else 0.0, sample, rule)


def mark(record: HealthRecord, samples: Iterable[Sample], plan: Plan) -> HealthRecord:
    """Return the record with these samples, which were just added to it, counted.

    Those of a decided outage are not: a Region that is down is not degraded, nor is one that is back. Nor are
    failures of a Region that another vantage point sees well all the while: it is our path that is worn.
    """
    regions = dict(record.regions)
    for sample in samples:
        known = regions.get(sample.region)
        if known is not None and known.last_at == sample.at:  # else it came late, and added nothing
            elsewhere_well = is_well_elsewhere(record, sample.region, sample.at)
            regions[sample.region] = _marked(known, sample, plan, elsewhere_well)
    return replace(record, regions=regions)


def _marked(known: RegionHealth, sample: Sample, plan: Plan, elsewhere_well: bool) -> RegionHealth:
    down = sample.health is Health.UNHEALTHY
    not_there = elsewhere_well and not sample.hidden
    accounted = down and (not_there or known.lasted() >= plan.sampling.confirm_for)
    slow, bad = is_slow(known.usual_s, sample, plan.degradation), is_bad(sample) and not accounted
    usual = known.usual_s
    if sample.health is Health.HEALTHY and not slow:
        usual = usual + (sample.latency_s - usual) * LEARNED if usual else sample.latency_s
    this = sample.at.replace(second=0, microsecond=0)
    kept = [minute for minute in known.minutes if this - KEPT < minute.at < this]
    now = next((minute for minute in known.minutes if minute.at == this), Minute(this))
    if slow or bad or now.seen:
        kept.append(Minute(this, now.slow + slow, now.bad + bad, now.seen + 1))
    return replace(known, usual_s=round(usual, 4), minutes=tuple(kept))


def wear(known: RegionHealth, plan: Plan, now: datetime) -> Wear:
    """Return how worn a Region is; where nothing was written down, all was well."""
    rule, every = plan.degradation, plan.sampling.every
    expected = max(MINUTE / every, 1.0)
    of = rule.over / MINUTE
    recent = [m for m in known.minutes if now - rule.over < m.at + MINUTE and not is_ahead(m.at, now)]
    slow = sum(minute.slow / max(minute.seen, expected) for minute in recent)
    bad = sum(minute.bad / max(minute.seen, expected) for minute in recent)
    return Wear(min(slow / of, 1.0), min(bad / of, 1.0))


def is_degraded(known: RegionHealth | None, plan: Plan, now: datetime) -> bool:
    """Return whether too many of a Region's samples were slow or bad, up to now."""
    if known is None or not is_recent(known.last_at, now, MAX_GAP):
        return False
    rule, found = plan.degradation, wear(known, plan, now)
    return found.slow > 1 - rule.percentile / 100 or found.bad >= rule.errors / 100


def degraded(record: HealthRecord, source: str, plan: Plan, now: datetime) -> Degraded:
    """Return what the plan lets count: nothing, unless it says that a degraded Region is left."""
    if plan.degradation.action is not DegradationMode.FAILOVER:
        return Degraded.NO
    if not is_degraded(record.regions.get(source), plan, now):
        return Degraded.NO
    target = record.regions.get(plan.regions.other(source))
    return Degraded.BOTH if is_degraded(target, plan, now) else Degraded.SOURCE


def describe(known: RegionHealth, plan: Plan, now: datetime) -> str:
    """Return in words what a Region's wear is."""
    rule, found = plan.degradation, wear(known, plan, now)
    minutes = rule.over // MINUTE
    return (
        f"of the samples of the last {minutes} minutes {found.slow:.0%} were slow (usual are"
        f" {known.usual_s:.2f} s), {found.bad:.0%} failed"
    )
