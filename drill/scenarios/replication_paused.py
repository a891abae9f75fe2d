"""After an outage the primary is well again, but its data is not: replication has not caught up."""

from __future__ import annotations

import time
from typing import Any

from drill import layout
from drill.faults import Fault, FaultKind
from drill.midway import ONE_EACH_WAY, outcomes, wall
from drill.report import Check, Report
from drill.steady import all_good_from, first_good, wait_for
from drill.world import World

STEADY_S = 3.0
LAST_WRITES_S = 1.5
HELD_S = 75.0  # 'healthy_for' of the rehearsal's plan is 10 s
LOOK_EVERY_S = 15.0
HOLDS = frozenset({"lag-unknown", "lag-too-high"})


def run(world: World, report: Report) -> None:
    """Rehearse: outage with replication cut, failover, repair without it, and then with it."""
    say = world.journal.phase
    say(1, 4, "steady state")
    world.tick("Failback")
    world.tick("HealthProbe", wait=False)
    world.start_clients()
    time.sleep(STEADY_S)
    say(2, 4, f"{layout.PRIMARY} is cut off: its last writes stay there; waiting for the failover")
    world.emulator.pause_replication()
    time.sleep(LAST_WRITES_S)
    fault_id = world.faults.add(Fault(FaultKind.HANG, region=layout.PRIMARY))
    world.journal.fault(f"everything in {layout.PRIMARY} hangs; nothing is replicated")
    _await_failover(world, report)
    say(3, 4, f"{layout.PRIMARY} answers again, but nothing is replicated: nothing may go back")
    world.faults.remove(fault_id)
    world.journal.note(f"{layout.PRIMARY} answers again; replication stays paused", style="bold green")
    _hold(world, report)
    say(4, 4, "replication goes on; waiting for the late writes and the failback")
    _catch_up(world, report)


def _await_failover(world: World, report: Report) -> None:
    fault = time.monotonic()
    clients = world.clients.values()
    switched = wait_for(lambda: all(first_good(c.answers(), fault, layout.STANDBY) for c in clients), 90)
    completed = wait_for(lambda: len(world.transitions()) >= 1, 30)
    time.sleep(STEADY_S)  # writes on the standby that the primary does not get
    loss = world.transitions()[0]["loss_s"] if completed else None
    report.checks += [
        Check("both applications are served by the standby", switched),
        Check("the failover is complete", completed),
        Check(
            "it has recorded about how much is lost",
            loss is not None and loss >= LAST_WRITES_S,
            f"{loss} s" if loss is not None else "not measured",
        ),
    ]


def _hold(world: World, report: Report) -> None:
    since, started = time.monotonic(), time.time()
    while time.monotonic() - since < HELD_S:
        world.tick("Failback")  # by hand, between those of the schedule
        time.sleep(LOOK_EVERY_S)
    settled = [d for d in _failback_decisions(world, started) if d["situation"]["settled"]]
    reasons = sorted({str(decision["reason"]) for decision in settled})
    report.notes.append(f"The failback function was also started by hand, every {LOOK_EVERY_S:.0f} s.")
    report.checks += [
        Check(
            "the primary has been healthy for long enough, and only the replication holds",
            len(settled) >= 3 and set(reasons) <= HOLDS,
            f"{len(settled)} decisions: {', '.join(reasons)}",
        ),
        Check("nothing has moved", outcomes(world) == ONE_EACH_WAY[:1], str(outcomes(world))),
    ]
    for name, client in world.clients.items():
        ok, detail = all_good_from(client.since(since), layout.STANDBY, 20)
        report.checks.append(Check(f"meanwhile: {name} is served by the standby", ok, detail))


def _failback_decisions(world: World, since: float) -> list[dict[str, Any]]:
    """Return the decisions with a situation, which are those that looked, since then; oldest first."""
    return [
        decision
        for decision in world.decisions()
        if decision["situation"] and wall(decision["situation"]["now"]) >= since
    ]


def _catch_up(world: World, report: Report) -> None:
    primary, standby = (_orders(world, region) for region in layout.REGIONS)
    missing = {region: len(there) for region, there in _missing(primary, standby).items()}
    known = primary | standby
    resumed = time.time()
    world.emulator.resume_replication()
    world.journal.note(f"replication goes on; not yet there: {missing}", style="bold green")
    arrived = wait_for(lambda: all(known <= _orders(world, region) for region in layout.REGIONS), 15)
    done = wait_for(lambda: len(world.transitions()) >= 2, 200)
    home = wait_for(lambda: world.clients["orders"].answers()[-1].region == layout.PRIMARY, 30)
    if done:
        report.seconds["replication_to_failback_done"] = wall(world.transitions()[1]["ended_at"]) - resumed
    report.checks += [
        Check("each Region had writes that the other had not", all(missing.values()), str(missing)),
        Check("the late writes arrive, both ways", arrived),
        Check("the failback goes on by itself, and clients are home", done and home),
        Check("one failover, one failback, nothing else", outcomes(world) == ONE_EACH_WAY),
    ]
    answers = [answer for client in world.clients.values() for answer in client.answers()]
    report.requests = {"sent": len(answers), "failed": {"in all": sum(not a.ok for a in answers)}}


def _missing(primary: set[str], standby: set[str]) -> dict[str, set[str]]:
    return {layout.PRIMARY: standby - primary, layout.STANDBY: primary - standby}


def _orders(world: World, region: str) -> set[str]:
    """Return the ids of all orders that a Region's replica holds."""
    pages = world.aws("dynamodb", region).get_paginator("scan").paginate(TableName=layout.TABLE)
    ids = {str(item["id"]["S"]) for page in pages for item in page["Items"]}
    return {order for order in ids if not order.startswith("health#")}
