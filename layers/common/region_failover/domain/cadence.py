"""When a plan is sampled within a minute, and how closely.

EventBridge's finest schedule is one minute (a rate, or a cron expression). A plan that wants a sample each
15 to 59 s is looked at by short invocations that delayed queue messages start, so that nobody pays for a
function that sleeps; one that wants them closer is looked at by the minute's own invocation, which stays:
a start each few seconds would cost more than the sleep.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from region_failover.domain.plan import Regions, Sampling
from region_failover.domain.state import is_recent
from region_failover.domain.verdict import Health, HealthRecord

MINUTE = timedelta(seconds=60)

# From this distance on, samples are spread over invocations of their own.
SPREAD_FROM = timedelta(seconds=15)

# A sample that comes later than this is not taken: the next ones are due.
SAMPLE_LATE = timedelta(seconds=20)

# While both Regions have been found well by a full round of the last ticks, a glance will do.
FULL_ROUND_WITHIN = timedelta(seconds=75)


def is_spread(sampling: Sampling) -> bool:
    """Return whether the plan's further samples of a minute are invocations of their own."""
    return SPREAD_FROM <= sampling.every < MINUTE


def offsets(samplings: Iterable[Sampling]) -> tuple[int, ...]:
    """Return how many whole seconds after a tick of one minute further samples are due, rising."""
    spread = {int(sampling.every.total_seconds()) for sampling in samplings if is_spread(sampling)}
    minute = int(MINUTE.total_seconds())
    return tuple(sorted({offset for every in spread for offset in range(every, minute, every)}))


def is_due(sampling: Sampling, offset: int) -> bool:
    """Return whether a plan wants a sample so many seconds after the tick."""
    return is_spread(sampling) and offset % int(sampling.every.total_seconds()) == 0


def is_calm(record: HealthRecord | None, regions: Regions, now: datetime) -> bool:
    """Return whether both Regions were last found well, lately: then a glance (no write) will do.

    What only a write can show, the next tick's full round shows.
    """
    known = [record.regions.get(region) if record else None for region in regions]
    return all(
        found is not None
        and found.health is Health.HEALTHY
        and is_recent(found.last_at, now, FULL_ROUND_WITHIN)
        for found in known
    )


def is_decided(record: HealthRecord | None, regions: Regions, sampling: Sampling) -> bool:
    """Return whether quick samples would tell no more: each Region is well, or has failed for long enough."""
    known = [record.regions.get(region) if record else None for region in regions]
    return all(
        found is not None and (found.health is Health.HEALTHY or found.lasted() >= sampling.confirm_for)
        for found in known
    )


def is_watched(record: HealthRecord | None, regions: Regions, sampling: Sampling, now: datetime) -> bool:
    """Return whether another invocation is taking quick samples of the plan at this moment.

    It has recorded one so lately that its next is under way.
    """
    if record is None or is_decided(record, regions, sampling):
        return False
    lately = sampling.quick_every + 2 * sampling.timeout
    known = [record.regions.get(region) for region in regions]
    return any(found is not None and is_recent(found.last_at, now, lately) for found in known)
