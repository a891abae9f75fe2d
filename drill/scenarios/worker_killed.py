"""The failover function dies between the Route 53 change and the record of it; nobody repeats it by hand."""

from __future__ import annotations

import time

from drill import layout
from drill.exchanges import CHANGE_RECORDS, changes_in, moves_traffic
from drill.interventions import Hold, Moment
from drill.midway import (
    LEASE_S,
    accepted_batches,
    await_take_over,
    check_one_batch_each_way,
    epoch_of,
    route53_step,
    wall,
    worker_in,
)
from drill.outages import dead
from drill.stage import Stage, Strike
from drill.steady import all_good_from, first_good, wait_for


def run(stage: Stage) -> None:
    """Rehearse: outage, a worker that dies in mid-failover, take-over by a tick, repair, failback."""
    stage.begin()
    hold = stage.world.proxy.hold("route53", CHANGE_RECORDS, moment=Moment.REPLY)
    stage.say("outage; the failover function dies once Route 53 has accepted its change")
    outage = stage.strike(f"everything in {layout.PRIMARY} hangs", dead(layout.PRIMARY))
    killed = _kill(stage, hold)
    stage.say(f"nobody repeats it; the lease of {LEASE_S:.0f} s must expire, then a tick goes on with it")
    _await_completion(stage, outage, killed)
    stage.await_failover(outage)
    repaired = stage.heal(outage, f"{layout.PRIMARY} is repaired")
    stage.await_failback(repaired)
    check_one_batch_each_way(stage)
    stage.finish(["failover", "failback"])


def _kill(stage: Stage, hold: Hold) -> float:
    """Kill the worker whose change is accepted and not yet recorded; return when (wall clock)."""
    world = stage.world
    worker = worker_in(world, hold)
    function = worker.function
    worker.kill()
    killed = time.time()
    hold.release()
    world.journal.note(f"{function} (process {worker.pid}) is killed: change accepted, not recorded")
    step = route53_step((world.state() or {})["transition"])
    stage.check("the failover function is what died", function == world.stack.function("Failover"), function)
    stage.check(
        "the change is accepted, and the record does not know it",
        hold.reply is not None and hold.reply.status == 200 and not step["change_id"],
        f"step {step['status']}, sent_at {step['sent_at']}",
    )
    return killed


def _await_completion(stage: Stage, outage: Strike, killed: float) -> None:
    orders = stage.world.clients["orders"]
    switched = wait_for(lambda: first_good(orders.answers(), outage.at, layout.STANDBY) is not None, 60)
    since = time.monotonic()
    stage.report.seconds["killed_to_taken_over"] = await_take_over(stage) - killed
    ok, detail = all_good_from(orders.since(since), layout.STANDBY, 20)
    stage.check("orders is served by the standby from the change on", switched and ok, detail)
    for found in stage.world.transitions():
        stage.report.seconds["killed_to_completed"] = wall(found["ended_at"]) - killed
    after = [e for e in accepted_batches(stage.world) if epoch_of(e) == 1 and e.asked_at > killed]
    stage.check(
        "whoever took over proved the zone with a batch that changes nothing",
        len(after) == 1 and not moves_traffic(changes_in(after[0].body)),
        f"{len(after)} batches",
    )
