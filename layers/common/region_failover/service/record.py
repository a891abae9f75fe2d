"""Change the state record by compare-and-swap, and tell what has to be told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from region_failover.domain.errors import ConfigurationError, RemoteFailure, StateConflict, StateUnavailable
from region_failover.domain.journal import add_notice, drop_notice, notice_of
from region_failover.domain.plan import Plan, Role
from region_failover.domain.state import Notice, PlanState, Transition, initial_state, is_recent
from region_failover.domain.zone import (
    Change,
    ChangeAction,
    Fence,
    ZoneSnapshot,
    fence_name,
    fence_record,
    names_of,
    sends_to,
)
from region_failover.ports import Eyes, Ports

# Writers of one record: the runner, its steps, linode_dns and a tick. Each round of conflicts has a winner.
ATTEMPTS = 20

# What a flow came to for one plan, for whoever called: 'plan', and where it judged 'action' and 'reason'.
Summary = dict[str, object]

# A notice is sent by whoever added it; a tick sends those that were left behind.
LEFT_BEHIND = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Deadline:
    """The outer deadline of an invocation."""

    eyes: Eyes
    seconds_from_now: float
    margin_s: float = 3.0

    @classmethod
    def after(cls, eyes: Eyes, seconds: float) -> Deadline:
        """Return the deadline that many seconds from now."""
        return cls(eyes, eyes.clock.now().timestamp() + seconds)

    def remaining_s(self) -> float:
        """Return the seconds left for work, the margin kept back for the last writes."""
        return self.seconds_from_now - self.margin_s - self.eyes.clock.now().timestamp()


Successor = Callable[[PlanState], PlanState | tuple[PlanState, Transition] | None]


def change(ports: Ports, plan: str, successor: Successor) -> PlanState | None:
    """Write what `successor` makes of the newest record; return it, or None where it allows no change.

    `successor` is asked again after each lost race, so its conditions always hold on what is replaced.
    """
    for _ in range(ATTEMPTS):
        state = ports.store.load_state(plan)
        if state is None:
            return None
        found = successor(state)
        if found is None:
            return None
        following, ended = found if isinstance(found, tuple) else (found, None)
        following = replace(following, version=state.version + 1)
        if ports.store.save_state(following, state.version, ended):
            return following
    raise StateConflict(f"the state of plan {plan} changed {ATTEMPTS} times while one change was tried")


def ensure_state(ports: Ports, plan: Plan) -> PlanState:
    """Return the plan's state; where there is none yet, make it from what the fences say, and publish them.

    A state table that was lost or restored empty thus learns from Route 53 which epoch was reached and
    which Region is active, instead of starting at 0 and being refused.
    """
    state = load_state(ports, plan)
    if state is not None:
        return state
    zones = _read_zones(ports, plan)
    ours = [f for f in (zone.read_fence() for zone in zones.values()) if f and f.plan == plan.name]
    newest = max(ours, key=lambda fence: fence.epoch, default=None)
    active = newest.active if newest and newest.active in tuple(plan.regions) else _pointed_at(plan, zones)
    fresh = initial_state(plan.name, newest.epoch if newest else 0, active)
    ports.store.save_state(replace(fresh, version=1), 0)
    for zone_id, zone in zones.items():
        if zone.fence is None:
            _publish_fence(ports, plan, zone_id, fresh)
    found = ports.store.load_state(plan.name)
    if found is None:
        raise StateUnavailable(f"the state of plan {plan.name} was written and is not there")
    return found


def load_state(ports: Ports, plan: Plan) -> PlanState | None:
    """Return the plan's state, None where there is none yet.

    Raises ConfigurationError where the traffic is in a Region that the plan does not name any more: what it
    would compare and move is not what is there.
    """
    state = ports.store.load_state(plan.name)
    if state is not None and state.active not in tuple(plan.regions):
        raise ConfigurationError(
            f"plan {plan.name}: the traffic is in {state.active}, the plan names {', '.join(plan.regions)};"
            " deploy the plan as it was, move the traffic, then change the plan's Regions"
        )
    return state


def _pointed_at(plan: Plan, zones: Mapping[str, ZoneSnapshot]) -> str:
    """Return the standby if every record there points at it already, else the primary."""
    pairs = [(zones[record.zone_id], record) for record in plan.route53_records]
    standby = [sends_to(r, Role.STANDBY, found.of(r)) for found, r in pairs]
    return plan.regions.standby if standby and all(standby) else plan.regions.primary


def _read_zones(ports: Ports, plan: Plan) -> dict[str, ZoneSnapshot]:
    found: dict[str, ZoneSnapshot] = {}
    for zone_id, records in plan.zones().items():
        try:
            found[zone_id] = ports.zones.read(zone_id, names_of(records), fence_name(records))
        except RemoteFailure as error:
            raise StateUnavailable(
                f"plan {plan.name} has no state yet, and zone {zone_id} cannot say what was: {error}"
            ) from error
    return found


def _publish_fence(ports: Ports, plan: Plan, zone_id: str, state: PlanState) -> None:
    fence = Fence(plan.name, state.epoch, state.active)
    creation = Change(ChangeAction.CREATE, fence_record(plan.zones()[zone_id], fence))
    try:
        ports.zones.submit(zone_id, (creation,), f"region-failover: {plan.name} starts at {state.active}")
    except Exception as error:  # the switch does without: it creates the fence itself
        ports.meter.log("fence not published", plan=plan.name, zone=zone_id, error=str(error))


def tell(ports: Ports, plan: Plan, key: str, subject: str, text: str) -> None:
    """Send a notice once within the plan's `notify_again`; what cannot be sent now stays on record (I22)."""
    notice = notice_of(key, subject, text, ports.clock.now())
    added = change(ports, plan.name, lambda state: add_notice(state, notice, plan.policy.notify_again))
    if added is not None:
        send(ports, plan.name, [notice])


# A notice's key, subject and text.
Words = tuple[str, str, str]


def change_and_tell(
    ports: Ports,
    plan: Plan,
    successor: Callable[[PlanState], PlanState | None],
    words: Callable[[PlanState], Words | None],
) -> PlanState | None:
    """Change the record, and put word of it into the same write (I22); return the new state, None if none.

    Whoever dies after the change has not kept it to himself: the next tick sends what stands there.
    `words`: what to tell of the changed state, None for nothing.
    """
    added: list[Notice] = []

    def with_notice(state: PlanState) -> PlanState | None:
        following = successor(state)
        said = words(following) if following else None
        added[:] = [notice_of(*said, ports.clock.now())] if said else []
        if following is None or not added:
            return following
        return add_notice(following, added[0], plan.policy.notify_again) or following

    saved = change(ports, plan.name, with_notice)
    if saved is not None:
        send(ports, plan.name, [notice for notice in added if notice in saved.outbox])
    return saved


def send(ports: Ports, plan: str, notices: Sequence[Notice]) -> None:
    """Send notices and take them off the record; after a failure the rest is left for the next tick too."""
    for notice in notices:
        try:
            ports.notifier.publish(notice.subject, notice.text)
        except RemoteFailure as error:
            ports.meter.log("notification not sent; it stays on record", key=notice.key, error=str(error))
            return
        change(ports, plan, partial(_without, notice))


def _without(notice: Notice, state: PlanState) -> PlanState | None:
    return drop_notice(state, notice)


def send_left_behind(ports: Ports, state: PlanState) -> None:
    """Send the notices whose sender did not manage to."""
    now = ports.clock.now()
    left = [notice for notice in state.outbox if not is_recent(notice.at, now, LEFT_BEHIND)]
    send(ports, state.plan, left)
