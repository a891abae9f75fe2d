"""Reboot instances at Linode after a move, one after the other, where the plan says so. It blocks nothing."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from region_failover.domain.errors import ConfigurationError, RemoteFailure
from region_failover.domain.plan import Plan
from region_failover.domain.reboots import (
    UNKNOWN_AFTER,
    begin_reboot,
    end_reboot,
    look_since,
    next_reboot,
    unsettled,
)
from region_failover.domain.state import PlanState, Reboot, RebootStatus
from region_failover.ports import Ports
from region_failover.service.lanes import in_lanes
from region_failover.service.record import Deadline, change, tell

# One request and its answer.
WITHIN = timedelta(seconds=15)


def reboot_instances(ports: Ports, plan: Plan, state: PlanState, deadline: Deadline) -> None:
    """Reboot what is due after this epoch's move, and find out what became of earlier requests.

    Each is on record before it is asked for, so it is asked for once: a reply that was lost is settled by
    the instance's own events, never by asking again. A failure is told, and is a human's to make good.
    """
    if plan.linode_reboots is None:
        return
    now, role = ports.clock.now(), plan.regions.role(state.active)
    calls = [partial(_settle, ports, plan, reboot) for reboot in unsettled(state, now)]
    due = next_reboot(plan.linode_reboots, state, role, now)
    if due is not None:
        calls.append(partial(_reboot, ports, plan, state.epoch, due, plan.linode_reboots.stagger))
    for answer in in_lanes(ports, calls, deadline):
        if isinstance(answer, Exception):
            ports.meter.log("reboot not settled yet", plan=plan.name, error=str(answer))


def _reboot(ports: Ports, plan: Plan, epoch: int, instance: int, stagger: timedelta) -> None:
    begun = change(
        ports, plan.name, lambda state: begin_reboot(state, epoch, instance, stagger, ports.clock.now())
    )
    if begun is None:
        return
    try:
        ports.linode.reboot(instance, WITHIN)
    except ConfigurationError as error:
        _end(ports, plan, epoch, instance, RebootStatus.FAILED, str(error))
    except RemoteFailure as failure:
        if not _is_refusal(failure):
            raise  # it may have been carried out: the next tick asks the instance's events
        _end(ports, plan, epoch, instance, RebootStatus.FAILED, str(failure))
    else:
        _end(ports, plan, epoch, instance, RebootStatus.DONE, "")


def _is_refusal(failure: RemoteFailure) -> bool:
    """Return whether Linode has said no: then nothing was done."""
    return 400 <= failure.symptom.status < 500 and failure.symptom.status != 408


def _settle(ports: Ports, plan: Plan, reboot: Reboot) -> None:
    try:
        happened = ports.linode.rebooted_since(reboot.instance, look_since(reboot), WITHIN)
    except (RemoteFailure, ConfigurationError) as error:
        if ports.clock.now() - reboot.at < UNKNOWN_AFTER:
            raise
        why = f"no reply, and its events cannot be read: {error}"
        _end(ports, plan, reboot.epoch, reboot.instance, RebootStatus.FAILED, why)
        return
    status = RebootStatus.DONE if happened else RebootStatus.FAILED
    why = "no reply; its events show the reboot" if happened else "no reply, and its events show no reboot"
    _end(ports, plan, reboot.epoch, reboot.instance, status, why)


def _end(ports: Ports, plan: Plan, epoch: int, instance: int, status: RebootStatus, detail: str) -> None:
    ended = change(ports, plan.name, lambda state: end_reboot(state, epoch, instance, status, detail))
    ports.meter.log("reboot", plan=plan.name, instance=instance, status=status.value, detail=detail)
    if ended is not None and status is RebootStatus.FAILED:
        tell(
            ports,
            plan,
            f"reboot failed {epoch} {instance}",
            f"[{plan.name}] Linode instance {instance} was not rebooted",
            f"Epoch {epoch}: {detail}\nIt is not tried again; nothing waits for it. Reboot it by hand if it"
            " needs it (docs/runbook.md, 'Linode instances').",
        )
