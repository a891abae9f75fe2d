"""Everything of the primary Region hangs (a black hole, not a refusal) until it is repaired."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from drill import layout
from drill.client import Answer, TrafficClient
from drill.faults import Fault, FaultKind
from drill.report import Check, Report
from drill.roles import check_roles
from drill.steady import all_good_from, first_failed, first_good, wait_for
from drill.world import World

STEADY_S = 5.0
ON_STANDBY_S = 4.0
SWITCH_WITHIN_S = 90.0
FAILBACK_WITHIN_S = 200.0
MALFORMED = {"id": "malformed-1", "source": "nobody", "detail-type": "Nothing Known"}


def run(world: World, report: Report) -> None:
    """Rehearse: steady state, outage, failover, repair, failback, steady state again."""
    phases, say = _Phases(world), world.journal.phase
    say(1, 5, "steady state: the primary serves both applications")
    _steady_before(world, report, phases)
    say(2, 5, f"outage: {layout.PRIMARY} becomes a black hole; waiting for the failover")
    fault_id, fault = _break(world, phases)
    _await_failover(world, report, phases, fault)
    say(3, 5, f"{layout.STANDBY} serves; {layout.PRIMARY} is still dead")
    _stay_on_standby(world, report, phases)
    say(4, 5, f"repair of {layout.PRIMARY}; waiting for sustained health and the failback")
    repaired = _repair(world, phases, fault_id)
    world.invoke("Failover", MALFORMED, wait=False)
    roles = check_roles(world)  # meanwhile: each function's role, asked of the embedded AWS's own IAM
    _await_failback(world, report, phases, repaired)
    say(5, 5, "the requests, counted")
    report.requests = phases.requests()
    report.checks += [*roles, _malformed_is_kept(world)]


class _Phases:
    """Cuts the clients' answers into the rehearsal's phases."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._cuts: list[tuple[str, float]] = []

    def enter(self, name: str) -> float:
        now = time.monotonic()
        self._cuts.append((name, now))
        return now

    def answers(self, client: str, phase: str) -> list[Any]:
        names = [name for name, _ in self._cuts]
        index = names.index(phase)
        start = self._cuts[index][1]
        end = self._cuts[index + 1][1] if index + 1 < len(self._cuts) else float("inf")
        return [a for a in self._world.clients[client].answers() if start <= _moment(a) < end]

    def requests(self) -> dict[str, object]:
        return {
            "by_application": {
                client: {
                    "sent": {phase: len(self.answers(client, phase)) for phase, _ in self._cuts},
                    "failed": {
                        phase: sum(not a.ok for a in self.answers(client, phase)) for phase, _ in self._cuts
                    },
                }
                for client in self._world.clients
            },
            "sent": sum(len(c.answers()) for c in self._world.clients.values()),
            "failed": {
                phase: sum(not a.ok for client in self._world.clients for a in self.answers(client, phase))
                for phase, _ in self._cuts
            },
        }


def _moment(answer: Answer) -> float:
    """Return when a request counts: when it began, or, if it failed, when that was seen.

    One that was under way when the Region died failed in the outage, not before it.
    """
    return answer.at_monotonic if answer.ok else answer.at_monotonic + answer.seconds


def _steady_before(world: World, report: Report, phases: _Phases) -> None:
    world.tick("Failback")
    world.tick("HealthProbe", wait=False)
    report.notes.append(
        "The first tick of the schedules was given by hand (as `aws lambda invoke` would); the others are"
        " the rules' own."
    )
    world.start_clients()
    wait_for(lambda: all(client.answers() for client in world.clients.values()), 5)
    phases.enter("before")
    time.sleep(STEADY_S)
    for client in world.clients:
        ok, detail = all_good_from(phases.answers(client, "before"), layout.PRIMARY, 10)
        report.checks.append(Check(f"before: {client} is served by the primary", ok, detail))
    report.checks.append(_points_at(world, "before", layout.PRIMARY, 0))


def _break(world: World, phases: _Phases) -> tuple[int, float]:
    fault = phases.enter("outage")
    fault_id = world.faults.add(Fault(FaultKind.HANG, region=layout.PRIMARY))
    world.journal.fault(f"everything in {layout.PRIMARY} hangs: DynamoDB, SSM, CloudWatch, both applications")
    return fault_id, fault


def _await_failover(world: World, report: Report, phases: _Phases, fault: float) -> None:
    orders, legacy = world.clients["orders"], world.clients["legacy"]
    switched = wait_for(
        lambda: all(first_good(c.answers(), fault, layout.STANDBY) for c in (orders, legacy)),
        SWITCH_WITHIN_S,
    )
    completed = wait_for(lambda: len(world.transitions()) >= 1, 30)
    phases.enter("on-standby")
    report.checks += [
        Check("outage: clients' requests fail", bool(first_failed(orders.answers(), fault))),
        Check("outage: both applications are served by the standby before the repair", switched),
        Check("outage: the failover is complete", completed),
    ]
    _measure_failover(world, report, fault)


def _measure_failover(world: World, report: Report, fault: float) -> None:
    fault_wall = world.journal.fault_at or 0.0
    orders = world.clients["orders"].answers()
    failed, good = first_failed(orders, fault), first_good(orders, fault, layout.STANDBY)
    if good:
        report.seconds["fault_to_first_good_answer"] = good.at_monotonic + good.seconds - fault
    if good and failed:
        report.seconds["client_downtime"] = good.at_monotonic + good.seconds - failed.at_monotonic
    history = world.transitions()
    if not history:
        return
    found = history[0]
    route53 = next(step for step in found["steps"] if step["kind"] == "route53")
    told = (world.state() or {}).get("noticed", {}).get(f"detected {layout.PRIMARY}")
    times = {
        "claimed": _wall(found["started_at"]),
        "switched": _wall(route53["sent_at"]),
        "insync": _wall(route53["done_at"]),
        "detected": _wall(told) if told else None,
    }
    detected, claimed = times["detected"], times["claimed"]
    if detected is not None and claimed is not None:
        world.journal.note("the probe has decided: the primary is down", at=detected)
        report.seconds["fault_to_detected"] = detected - fault_wall
        report.seconds["detected_to_claimed"] = claimed - detected
    switched, insync = times["switched"], times["insync"]
    if claimed is not None and switched is not None and insync is not None:
        report.seconds["claimed_to_switched"] = switched - claimed
        report.seconds["switched_to_insync"] = insync - switched


def _stay_on_standby(world: World, report: Report, phases: _Phases) -> None:
    time.sleep(ON_STANDBY_S)
    for client in world.clients:
        ok, detail = all_good_from(phases.answers(client, "on-standby"), layout.STANDBY, 10)
        report.checks.append(Check(f"during: {client} is served by the standby", ok, detail))
    report.checks.append(_points_at(world, "during", layout.STANDBY, 1))
    state = world.state() or {}
    owed = [f"{step['kind']} {step['region']}" for step in state.get("owed", [])]
    report.checks.append(
        Check(
            "during: the dead Region's parameter is owed, and stopped nothing",
            owed == [f"ssm {layout.PRIMARY}"],
            ", ".join(owed),
        )
    )


def _repair(world: World, phases: _Phases, fault_id: int) -> float:
    world.faults.remove(fault_id)
    world.journal.note(f"{layout.PRIMARY} is repaired", style="bold green")
    phases.enter("repaired")
    return time.time()


def _await_failback(world: World, report: Report, phases: _Phases, repaired: float) -> None:
    done = wait_for(lambda: len(world.transitions()) >= 2, FAILBACK_WITHIN_S)
    report.checks.append(Check("repair: the failback is complete", done))
    if done:
        report.seconds["repair_to_failback_done"] = _seconds_since(
            world.transitions()[1]["ended_at"], repaired
        )
    home = {name: _is_home(client) for name, client in world.clients.items()}
    for client in world.clients:
        failed = [a for a in phases.answers(client, "repaired") if not a.ok]
        report.checks.append(
            Check(f"failback: no request of {client} fails", not failed, f"{len(failed)} failed")
        )
    phases.enter("after")
    time.sleep(STEADY_S)
    for client in world.clients:
        ok, detail = all_good_from(phases.answers(client, "after"), layout.PRIMARY, 10)
        report.checks.append(Check(f"after: {client} is served by the primary", ok and home[client], detail))
    report.checks.append(_points_at(world, "after", layout.PRIMARY, 2))
    report.checks += _told(world)


def _is_home(client: TrafficClient) -> bool:
    return wait_for(lambda: client.answers()[-1].region == layout.PRIMARY, 30)


def _points_at(world: World, phase: str, region: str, epoch: int) -> Check:
    """Check that everything that points somewhere points at this Region."""
    found = world.records()
    address = layout.PRIMARY_ADDRESS if region == layout.PRIMARY else layout.STANDBY_ADDRESS
    fence = f'"region-failover plan={layout.PLAN} epoch={epoch} active={region}"'
    expected: dict[str, object] = {
        "Route 53 A": [address],
        "Route 53 TXT": [fence],
        "Linode A": [address, 30],
        f"SSM {layout.STANDBY}": region,
        f"SSM {layout.PRIMARY}": layout.PRIMARY,  # the dead Region's copy is not asked of while it is dead
    }
    wrong = {key: value for key, value in found.items() if expected[key] != value}
    detail = f"differs: {wrong}" if wrong else ", ".join(f"{k} {v}" for k, v in found.items())
    return Check(f"{phase}: Route 53, TXT, Linode and SSM point at {region}", not wrong, detail)


def _malformed_is_kept(world: World) -> Check:
    """Check that an event that nobody knows has ended in the dead-letter queue, after its retries."""
    found: list[str] = []

    def arrived() -> bool:
        found.extend(world.dead_letters())
        return any(str(MALFORMED["id"]) in body for body in found)

    detail = f"{MALFORMED['id']} after its retries"
    return Check("a malformed event ends in the dead-letter queue", wait_for(arrived, 20), detail)


def _told(world: World) -> list[Check]:
    subjects = [mail["Subject"] for mail in world.notifications()]
    wanted = {
        "detection": f"{layout.PRIMARY} is down",
        "switch": f"traffic is switched to {layout.STANDBY}",
        "completion": f"failover to {layout.STANDBY} is complete",
        "failback": f"failback to {layout.PRIMARY} is complete",
    }
    return [
        Check(f"notified once of {name}", sum(text in s for s in subjects) == 1, text)
        for name, text in wanted.items()
    ]


def _wall(stamp: str | None) -> float | None:
    return datetime.fromisoformat(stamp).timestamp() if stamp else None


def _seconds_since(stamp: str, moment: float) -> float:
    return datetime.fromisoformat(stamp).timestamp() - moment
