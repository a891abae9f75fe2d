"""The failover function dies between the Route 53 change and the record of it; nobody repeats it by hand."""

from __future__ import annotations

import time

from drill import layout
from drill.emulator import RigError
from drill.exchanges import CHANGE_RECORDS, changes_in, moves_traffic
from drill.faults import Fault, FaultKind
from drill.interventions import Hold, Moment, worker_at
from drill.midway import (
    LEASE_S,
    ONE_EACH_WAY,
    TICK_S,
    accepted_batches,
    epoch_of,
    lease_of,
    moving_epochs,
    outcomes,
    route53_step,
    wall,
)
from drill.report import Check, Report
from drill.steady import all_good_from, first_good, wait_for
from drill.world import World

STEADY_S = 3.0


def run(world: World, report: Report) -> None:
    """Rehearse: outage, a worker that dies in mid-failover, take-over by a tick, repair, failback."""
    say = world.journal.phase
    say(1, 4, "steady state")
    world.tick("Failback")
    world.tick("HealthProbe", wait=False)
    world.start_clients()
    time.sleep(STEADY_S)
    hold = world.proxy.hold("route53", CHANGE_RECORDS, moment=Moment.REPLY)
    say(2, 4, f"outage of {layout.PRIMARY}; the failover function dies once Route 53 has accepted its change")
    fault_id = world.faults.add(Fault(FaultKind.HANG, region=layout.PRIMARY))
    world.journal.fault(f"everything in {layout.PRIMARY} hangs")
    fault = time.monotonic()
    killed = _kill(world, report, hold)
    say(3, 4, f"nobody repeats it; the lease of {LEASE_S:.0f} s must expire, then a tick goes on with it")
    _await_take_over(world, report, fault, killed)
    say(4, 4, f"repair of {layout.PRIMARY}; waiting for the failback")
    _await_failback(world, report, fault_id)
    _count(world, report, killed)


def _kill(world: World, report: Report, hold: Hold) -> float:
    if not hold.wait_held(90):
        raise RigError("no function has changed Route 53 within 90 s of the outage")
    worker = worker_at(hold.client, world.emulator.pid)
    function = worker.function
    worker.kill()
    killed = time.time()
    hold.release()
    world.journal.note(f"{function} (process {worker.pid}) is killed: change accepted, not recorded")
    step = route53_step((world.state() or {})["transition"])
    report.checks += [
        Check("the failover function is what died", function == world.stack.function("Failover"), function),
        Check(
            "the change is accepted, and the record does not know it",
            hold.reply is not None and hold.reply.status == 200 and not step["change_id"],
            f"step {step['status']}, sent_at {step['sent_at']}",
        ),
    ]
    return killed


def _await_take_over(world: World, report: Report, fault: float, killed: float) -> None:
    lease = lease_of(world)
    orders = world.clients["orders"]
    switched = wait_for(lambda: first_good(orders.answers(), fault, layout.STANDBY) is not None, 30)
    since = time.monotonic()
    took = wait_for(lambda: lease_of(world)["owner"] not in {"", lease["owner"]}, LEASE_S + 2 * TICK_S)
    owner, taken = lease_of(world)["owner"], time.time()
    world.journal.note(f"{owner.split(':')[0]} has taken over")
    completed = wait_for(lambda: len(world.transitions()) >= 1, 2 * TICK_S)
    ok, detail = all_good_from(orders.since(since), layout.STANDBY, 20)
    late = taken - wall(lease["until"])
    report.checks += [
        Check("clients are served by the standby from the change on", switched and ok, detail),
        Check("a tick has taken over, not the function that died", took and owner.startswith("failback:")),
        Check(
            "not before the dead worker's lease had expired, and within two ticks of that",
            0 <= late <= 2 * TICK_S,
            f"{late:.1f} s after it",
        ),
        Check("the failover is complete", completed),
    ]
    report.seconds["killed_to_taken_over"] = taken - killed
    if completed:
        found = world.transitions()[0]
        step = route53_step(found)
        report.seconds["killed_to_completed"] = wall(found["ended_at"]) - killed
        report.checks.append(
            Check(
                "Route 53's step is done: INSYNC and read back by whoever took over",
                step["status"] == "done",
                f"{step['detail']}, change {step['change_id']}",
            )
        )


def _await_failback(world: World, report: Report, fault_id: int) -> None:
    world.faults.remove(fault_id)
    world.journal.note(f"{layout.PRIMARY} is repaired", style="bold green")
    done = wait_for(lambda: len(world.transitions()) >= 2, 200)
    home = wait_for(lambda: world.clients["orders"].answers()[-1].region == layout.PRIMARY, 30)
    found = outcomes(world)
    report.checks += [
        Check("the failback is complete, and clients are home", done and home),
        Check("one failover, one failback, nothing else", found == ONE_EACH_WAY, str(found)),
    ]


def _count(world: World, report: Report, killed: float) -> None:
    epochs = moving_epochs(world)
    after = [e for e in accepted_batches(world) if epoch_of(e) == 1 and e.asked_at > killed]
    report.checks += [
        Check("exactly one batch changed the answer, each way", epochs == [1, 2], f"of epochs {epochs}"),
        Check(
            "whoever took over proved the zone with a batch that changes nothing",
            len(after) == 1 and not moves_traffic(changes_in(after[0].body)),
        ),
    ]
    answers = [answer for client in world.clients.values() for answer in client.answers()]
    report.requests = {"sent": len(answers), "failed": {"in all": sum(not a.ok for a in answers)}}
