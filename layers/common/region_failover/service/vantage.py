"""A vantage point: looks at the Regions from a further place, and reports what it sees.

It keeps no record and moves nothing: each round becomes one event on the control Region's bus, where the
probe takes it in (`service/probe.py`). A round that cannot be reported is lost: a silent vantage point is
no evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from region_failover.domain.cadence import SAMPLE_LATE, is_due, is_spread
from region_failover.domain.plan import Plan
from region_failover.domain.state import is_recent
from region_failover.domain.trigger import REGION_SAMPLED, Kind, Trigger, report_of
from region_failover.domain.verdict import Health
from region_failover.ports import Eyes
from region_failover.service.dispatch import all_or_first_error, refuse_others
from region_failover.service.observe import Observation, glance
from region_failover.service.probe import samples_of
from region_failover.service.record import Deadline, Summary


def handle_vantage(
    eyes: Eyes, vantage: str, plans: Sequence[Plan], triggers: Sequence[Trigger], deadline: Deadline
) -> list[Summary]:
    """Take and report a tick's samples, or those that are due between two ticks."""
    refuse_others(triggers, {Kind.SCHEDULE, Kind.SAMPLE_DUE}, "a vantage point")
    summaries: list[Summary] = []
    for trigger in triggers:
        if trigger.kind is Kind.SCHEDULE:
            ask = samples_of(eyes, plans)
            for own_invocations in (True, False):  # who stays for its samples comes last
                some = [plan for plan in plans if is_spread(plan.sampling) is own_invocations]
                try:
                    summaries += _report(eyes, vantage, some, deadline)
                finally:
                    if own_invocations:
                        ask()
        elif trigger.at is None or is_recent(trigger.at, eyes.clock.now(), SAMPLE_LATE):
            due = [plan for plan in plans if is_due(plan.sampling, trigger.offset)]
            summaries += _report(eyes, vantage, due, deadline)
    return summaries


def _report(eyes: Eyes, vantage: str, plans: Sequence[Plan], deadline: Deadline) -> list[Summary]:
    """Look at these plans and report; again and quickly, until as many samples failed as a verdict needs."""
    calls = [lambda plan=plan: _watch(eyes, vantage, plan, deadline) for plan in plans]
    return all_or_first_error(eyes, calls, timedelta(seconds=max(deadline.remaining_s(), 1.0)))


def _watch(eyes: Eyes, vantage: str, plan: Plan, deadline: Deadline) -> Summary:
    failed = 0
    while True:
        began = eyes.clock.now()
        seen = glance(eyes, plan)
        eyes.events.put(REGION_SAMPLED, report_of(plan.name, vantage, seen.samples))
        failed = failed + 1 if _fails(seen) else 0
        enough = failed == 0 or failed >= plan.sampling.needed
        if enough and is_spread(plan.sampling):
            break
        pause = plan.sampling.every if enough else plan.sampling.quick_every
        wait = max((began + pause - eyes.clock.now()).total_seconds(), 0.0)
        if deadline.remaining_s() < wait + plan.sampling.timeout.total_seconds():
            break
        eyes.clock.sleep(wait)
    return {"plan": plan.name, "vantage": vantage, "samples": seen.healths}


def _fails(seen: Observation) -> bool:
    return any(sample.health is Health.UNHEALTHY for sample in seen.samples.values())
