"""What several vantage points together say of a Region.

From one place alone a short partition looks just like an outage, so a failure seen from one place alone
must last for `confirm_for`. Where another place sees the same, it need not; where as many see the Region
well, somebody is cut off from it, and nobody can say who: nothing is decided (I13). A place that says
nothing lately says nothing at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from region_failover.domain.plan import Sampling
from region_failover.domain.state import is_recent
from region_failover.domain.verdict import (
    Health,
    HealthRecord,
    RegionHealth,
    Sample,
    add_sample,
    has_failed,
    is_down,
)

# A vantage point samples every 15 s: what it saw before its last two samples, and the way here, is over.
RECENTLY = timedelta(seconds=45)

# External monitors report by webhook, when something changes and not all the time: what fails is believed for
# longer, what is well is not. They confirm by themselves before they report: one report is enough.
MONITOR_PREFIX = "monitor-"
MONITORS_RECENTLY = timedelta(minutes=5)

# So often a view that says nothing new is written down: well within the time for which it is evidence.
REFRESH = timedelta(seconds=20)

# A plan's record must not grow: the views of those that were heard last are kept.
VIEWS_KEPT = 5


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a Region is decidedly down, and which other vantage points see it down, or well, just now."""

    down: bool
    against: tuple[str, ...] = ()
    well: tuple[str, ...] = ()

    @property
    def disagreed(self) -> bool:
        """Return whether as many places see it well as see it down."""
        return len(self.well) > len(self.against)


def judge(record: HealthRecord, region: str, sampling: Sampling, now: datetime) -> Verdict:
    """Return the verdict on a Region; it is never down on the word of others alone.

    Nor does it count that others see it well, where what fails is hidden from them.
    """
    own = record.regions.get(region)
    views = dict(recent_views(record, region, now))
    against = tuple(name for name, view in views.items() if _is_against(name, view, sampling))
    hidden = own is not None and own.hidden
    well = tuple(name for name, view in views.items() if view.health is Health.HEALTHY and not hidden)
    if own is None or not has_failed(own, sampling):
        return Verdict(False, against, well)
    agreed = bool(against) and len(against) >= len(well)
    alone = not against and not well and is_down(own, sampling)
    return Verdict(agreed or alone, against, well)


def _is_against(name: str, view: RegionHealth, sampling: Sampling) -> bool:
    if name.startswith(MONITOR_PREFIX):
        return view.health is Health.UNHEALTHY
    return has_failed(view, sampling)


def recent_views(record: HealthRecord, region: str, now: datetime) -> Iterator[tuple[str, RegionHealth]]:
    """Yield what other vantage points have seen of a Region just now, by their names."""
    for name, regions in sorted(record.views.items()):
        view = regions.get(region)
        if view is not None and is_recent(view.last_at, now, _limit(name, view)):
            yield name, view


def is_well_elsewhere(record: HealthRecord, region: str, now: datetime) -> bool:
    """Return whether others were heard of a Region just now, and all have seen it well without a break."""
    views = [view for _, view in recent_views(record, region, now)]
    return bool(views) and all(set(view.recent) == {Health.HEALTHY} for view in views)


def _limit(name: str, view: RegionHealth) -> timedelta:
    failed = name.startswith(MONITOR_PREFIX) and view.health is Health.UNHEALTHY
    return MONITORS_RECENTLY if failed else RECENTLY


def is_news(record: HealthRecord | None, vantage: str, samples: Mapping[str, Sample]) -> bool:
    """Return whether a round of another vantage point says more than what it said just before."""
    views = record.views.get(vantage, {}) if record else {}

    def adds(region: str, sample: Sample) -> bool:
        known = views.get(region)
        same = known is not None and known.health is sample.health is Health.HEALTHY
        return not same or known is None or sample.at - known.last_at >= REFRESH

    return any(adds(region, sample) for region, sample in samples.items())


def add_view(
    record: HealthRecord, vantage: str, samples: Mapping[str, Sample], window: int, now: datetime
) -> HealthRecord:
    """Return the record with one more round of another vantage point."""
    seen = dict(record.views.get(vantage, {}))
    for region, sample in samples.items():
        seen[region] = add_sample(seen.get(region), sample, window, now)
    views = {**record.views, vantage: seen}
    newest = sorted(views, key=lambda name: max(view.last_at for view in views[name].values()), reverse=True)
    kept = {name: views[name] for name in newest[:VIEWS_KEPT]}
    return replace(record, version=record.version + 1, views=kept)
