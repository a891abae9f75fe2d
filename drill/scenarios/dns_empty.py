"""The primary's names resolve to nothing, as `dynamodb.us-east-1` did on 2025-10-20; what serves is well."""

from __future__ import annotations

import time

from drill import layout
from drill.names import application_name, dynamodb_name
from drill.report import Check, Report
from drill.steady import all_good_from, first_good, wait_for
from drill.world import World

STEADY_S = 3.0
ON_STANDBY_S = 4.0


def run(world: World, report: Report) -> None:
    """Rehearse: steady state, names gone, failover, names back, failback."""
    say = world.journal.phase
    say(1, 4, "steady state")
    world.tick("Failback")
    world.tick("HealthProbe", wait=False)
    world.start_clients()
    time.sleep(STEADY_S)
    say(2, 4, f"the names of {layout.PRIMARY} resolve to nothing; waiting for the failover")
    names = (dynamodb_name(layout.PRIMARY), application_name(layout.PRIMARY))
    fault = time.monotonic()
    world.emulator.names.vanish(*names)
    world.journal.fault(f"{' and '.join(names)} resolve to nothing")
    closed = world.proxy.end_connections(layout.PRIMARY, "dynamodb")
    world.journal.note(f"{closed} open connections to DynamoDB there are closed, as its servers do by and by")
    _await_failover(world, report, fault)
    say(3, 4, f"{layout.STANDBY} serves")
    _stay(world, report)
    say(4, 4, "the names are back; waiting for the failback")
    world.emulator.names.come_back(*names)
    world.journal.note("the names resolve again", style="bold green")
    _await_failback(world, report)


def _await_failover(world: World, report: Report, fault: float) -> None:
    clients = world.clients.values()
    switched = wait_for(lambda: all(first_good(c.answers(), fault, layout.STANDBY) for c in clients), 90)
    completed = wait_for(lambda: len(world.transitions()) >= 1, 30)
    moves = [d for d in world.decisions() if d["action"] == "move"]
    said = [c for c in (moves[0]["checks"] if moves else []) if c.startswith(layout.PRIMARY)]
    report.checks += [
        Check("both applications are served by the standby before the repair", switched),
        Check("the failover is complete", completed),
        Check(
            "the recorded evidence says, of every check of the primary, that there is no such name",
            len(said) >= 3 and all("no-such-name" in check for check in said),
            "; ".join(said),
        ),
    ]


def _stay(world: World, report: Report) -> None:
    since = time.monotonic()
    time.sleep(ON_STANDBY_S)
    for name, client in world.clients.items():
        ok, detail = all_good_from(client.since(since), layout.STANDBY, 10)
        report.checks.append(Check(f"during: {name} is served by the standby", ok, detail))


def _await_failback(world: World, report: Report) -> None:
    done = wait_for(lambda: len(world.transitions()) >= 2, 200)
    clients = world.clients.values()
    home = wait_for(lambda: all(c.answers()[-1].region == layout.PRIMARY for c in clients), 30)
    found = [(t["epoch"], t["direction"], t["outcome"]) for t in world.transitions()]
    wanted = [(1, "failover", "completed"), (2, "failback", "completed")]
    report.checks += [
        Check("the failback is complete, and clients are home", done and home),
        Check("one failover, one failback, nothing else", found == wanted, str(found)),
    ]
    answers = [answer for client in clients for answer in client.answers()]
    report.requests = {"sent": len(answers), "failed": {"in all": sum(not a.ok for a in answers)}}
