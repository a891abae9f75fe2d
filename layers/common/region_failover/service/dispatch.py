"""From triggers to plans: which flow starts for which, all plans at the same time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from typing import TypeVar

from region_failover.domain.decision import Action
from region_failover.domain.errors import MalformedEvent
from region_failover.domain.journal import remember_request
from region_failover.domain.plan import Plan
from region_failover.domain.state import Direction
from region_failover.domain.trigger import CHOICES, Kind, Trigger
from region_failover.ports import Eyes, Ports
from region_failover.service.record import Deadline, Summary, change

T = TypeVar("T")


def refuse_others(
    triggers: Sequence[Trigger], starts: Collection[Kind], what: str, but_not: Direction | None = None
) -> None:
    """Raise MalformedEvent where a trigger's kind, or the direction it asks for, does not start this."""
    for trigger in triggers:
        if trigger.kind not in starts or (but_not is not None and trigger.direction is but_not):
            where = "; send it to the failback function" if trigger.kind in CHOICES else ""
            raise MalformedEvent(f"event {trigger.id}: {trigger.kind.value} does not start {what}{where}")


def for_each_plan(
    ports: Ports,
    plans: Sequence[Plan],
    triggers: Sequence[Trigger],
    deadline: Deadline,
    flow: Callable[[Plan, Trigger], Summary],
) -> list[Summary]:
    """Run a flow for every plan that a trigger speaks of, until the deadline; return what each came to."""

    def run(plan: Plan, trigger: Trigger) -> Summary:
        summary = flow(plan, trigger)
        if trigger.manual and summary["action"] == Action.HOLD:  # no later delivery may carry it out (I20)
            change(ports, plan.name, lambda state: remember_request(state, trigger.id))
        return summary

    work = [(plan, trigger) for trigger in triggers for plan in _plans_of(trigger, plans)]
    calls = [lambda plan=plan, trigger=trigger: run(plan, trigger) for plan, trigger in work]
    return all_or_first_error(ports, calls, timedelta(seconds=max(deadline.remaining_s(), 1.0)))


def all_or_first_error(ports: Eyes, calls: Sequence[Callable[[], T]], timeout: timedelta) -> list[T]:
    """Run calls at the same time; raise the first error, once every call has had its turn.

    So that one plan's trouble is not another's.
    """
    done: list[T] = []
    for answer in ports.together(calls, timeout):
        if isinstance(answer, Exception):
            raise answer
        done.append(answer)
    return done


def _plans_of(trigger: Trigger, plans: Sequence[Plan]) -> list[Plan]:
    """Return the plans that a trigger speaks of: the one it names, or all; raise MalformedEvent for none."""
    found = [plan for plan in plans if trigger.plan in {"", plan.name}]
    if not found:
        known = ", ".join(plan.name for plan in plans)
        raise MalformedEvent(f"event {trigger.id}: there is no plan {trigger.plan!r}; known are: {known}")
    return found
