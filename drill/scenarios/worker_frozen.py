"""The failover function is frozen as its Route 53 change goes out, and comes back with it an epoch later."""

from __future__ import annotations

import time
from typing import Any

from drill import layout
from drill.emulator import RigError
from drill.exchanges import CHANGE_RECORDS, REFUSED_BATCH
from drill.faults import Fault, FaultKind
from drill.interventions import Hold, Moment, Worker, put_timeout_out_of_action, worker_at
from drill.midway import (
    LEASE_S,
    ONE_EACH_WAY,
    TICK_S,
    epoch_of,
    lease_of,
    moving_epochs,
    outcomes,
    route53_step,
)
from drill.report import Check, Report
from drill.steady import all_good_from, wait_for
from drill.world import World

STEADY_S = 3.0
WATCHED_S = 20.0


def run(world: World, report: Report) -> None:
    """Rehearse: outage, a frozen worker, take-over, repair, failback, and the frozen one's late change."""
    say = world.journal.phase
    say(1, 5, "steady state")
    put_timeout_out_of_action(world.aws("lambda"), world.stack.function("Failover"))
    report.notes.append(
        "The failover function's Timeout is out of action: the platform would end a frozen process before its"
        " lease expires. What holds here is the fence at Route 53 alone."
    )
    world.tick("Failback")
    world.tick("HealthProbe", wait=False)
    world.start_clients()
    time.sleep(STEADY_S)
    hold = world.proxy.hold("route53", CHANGE_RECORDS, moment=Moment.REQUEST)
    say(2, 5, f"outage of {layout.PRIMARY}; the failover function is frozen as its change goes out")
    fault_id = world.faults.add(Fault(FaultKind.HANG, region=layout.PRIMARY))
    world.journal.fault(f"everything in {layout.PRIMARY} hangs")
    worker = _freeze(world, report, hold)
    say(3, 5, f"its lease of {LEASE_S:.0f} s must expire, then a tick takes over")
    _await_take_over(world, report)
    say(4, 5, f"repair of {layout.PRIMARY}; waiting for the failback, which is the next epoch")
    world.faults.remove(fault_id)
    world.journal.note(f"{layout.PRIMARY} is repaired", style="bold green")
    done = wait_for(lambda: len(world.transitions()) >= 2, 200)
    home = wait_for(lambda: world.clients["orders"].answers()[-1].region == layout.PRIMARY, 30)
    report.checks.append(Check("the failback is complete, and clients are home", done and home))
    say(5, 5, "the frozen worker runs on, and its change goes out")
    _thaw(world, report, hold, worker)


def _freeze(world: World, report: Report, hold: Hold) -> Worker:
    if not hold.wait_held(90):
        raise RigError("no function has changed Route 53 within 90 s of the outage")
    worker = worker_at(hold.client, world.emulator.pid)
    worker.freeze()
    world.journal.note(f"{worker.function} (process {worker.pid}) is frozen, its change held in the network")
    step = route53_step((world.state() or {})["transition"])
    before = world.records()["Route 53 A"]
    report.checks += [
        Check("the failover function is what is frozen", worker.function == world.stack.function("Failover")),
        Check(
            "its step is begun, and Route 53 has seen nothing",
            step["status"] == "doing" and before == [layout.PRIMARY_ADDRESS],
            f"{step['status']}, {before}",
        ),
    ]
    return worker


def _await_take_over(world: World, report: Report) -> None:
    frozen = lease_of(world)["owner"]
    began = time.time()
    took = wait_for(lambda: lease_of(world)["owner"] not in {"", frozen}, LEASE_S + 2 * TICK_S)
    owner = lease_of(world)["owner"]
    report.seconds["frozen_to_taken_over"] = time.time() - began
    world.journal.note(f"{owner.split(':')[0]} has taken over")
    completed = wait_for(lambda: len(world.transitions()) >= 1, 2 * TICK_S)
    served = wait_for(lambda: world.clients["orders"].answers()[-1].region == layout.STANDBY, 30)
    report.checks += [
        Check("a tick takes over after the lease", took and owner.startswith("failback:"), owner),
        Check("it completes the failover, and the standby serves", completed and served),
    ]


def _thaw(world: World, report: Report, hold: Hold, worker: Worker) -> None:
    zone, plan = world.records(), _plan(world)
    told = len(world.notifications())
    asked = len(world.proxy.exchanges.of("route53", CHANGE_RECORDS))
    since = time.monotonic()
    hold.release()
    reply = hold.wait_answered(10)
    worker.thaw()
    world.journal.note("the stale change has gone out, and its worker runs on", style="bold")
    time.sleep(WATCHED_S)
    again = world.proxy.exchanges.of("route53", CHANGE_RECORDS)[asked:]
    news = [mail["Subject"] for mail in world.notifications()[told:]]
    ok, detail = all_good_from(world.clients["orders"].since(since), layout.PRIMARY, 20)
    epochs = moving_epochs(world)
    report.checks += [
        Check(
            "Route 53 itself refuses the stale change",
            reply is not None and reply.status == 400 and REFUSED_BATCH in reply.body,
            "" if reply is None else f"{reply.status} {reply.body[:300].decode(errors='replace')}",
        ),
        Check("its worker does not try again", not again, f"epochs {[epoch_of(e) for e in again]}"),
        Check("what points traffic somewhere is as it was", world.records() == zone, str(world.records())),
        Check("the record is as it was", _plan(world) == plan, str(_plan(world))),
        Check("one failover, one failback, nothing else", outcomes(world) == ONE_EACH_WAY),
        Check("exactly one batch changed the answer, each way", epochs == [1, 2], f"of epochs {epochs}"),
        Check("clients are served by the primary throughout", ok, detail),
        Check("the stale worker tells nobody what is not so", not news, "; ".join(news)),
    ]
    answers = [answer for client in world.clients.values() for answer in client.answers()]
    report.requests = {"sent": len(answers), "failed": {"in all": sum(not a.ok for a in answers)}}


def _plan(world: World) -> dict[str, Any]:
    """Return of the state record all that decides where traffic goes."""
    state = world.state() or {}
    return {key: state.get(key) for key in ("epoch", "active", "phase", "transition", "owed", "paused")}
