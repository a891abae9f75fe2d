"""The failover function is frozen as its Route 53 change goes out, and comes back with it an epoch later."""

from __future__ import annotations

import time
from typing import Any

from drill import layout
from drill.exchanges import CHANGE_RECORDS, REFUSED_BATCH
from drill.interventions import Hold, Moment, Worker, put_timeout_out_of_action
from drill.midway import (
    LEASE_S,
    await_take_over,
    check_one_batch_each_way,
    epoch_of,
    route53_step,
    worker_in,
)
from drill.outages import dead
from drill.stage import Stage
from drill.steady import all_good_from
from drill.world import World

WATCHED_S = 20.0


def run(stage: Stage) -> None:
    """Rehearse: outage, a frozen worker, take-over, repair, failback, and the frozen one's late change."""
    world = stage.world
    put_timeout_out_of_action(world.aws("lambda"), world.stack.function("Failover"))
    stage.report.notes.append(
        "The failover function's Timeout is out of action: the platform would end a frozen process before its"
        " lease expires. What holds here is the fence at Route 53 alone."
    )
    stage.begin()
    hold = world.proxy.hold("route53", CHANGE_RECORDS, moment=Moment.REQUEST)
    stage.say("outage; the failover function is frozen as its change goes out")
    outage = stage.strike(f"everything in {layout.PRIMARY} hangs", dead(layout.PRIMARY))
    worker = _freeze(stage, hold)
    frozen = time.time()
    stage.say(f"its lease of {LEASE_S:.0f} s must expire, then a tick takes over")
    stage.report.seconds["frozen_to_taken_over"] = await_take_over(stage) - frozen
    stage.await_failover(outage)
    repaired = stage.heal(outage, f"{layout.PRIMARY} is repaired")
    stage.await_failback(repaired)
    stage.say("the frozen worker runs on, and its change goes out")
    _thaw(stage, hold, worker)
    check_one_batch_each_way(stage)
    stage.finish(["failover", "failback"])


def _freeze(stage: Stage, hold: Hold) -> Worker:
    world = stage.world
    worker = worker_in(world, hold)
    worker.freeze()
    function = worker.function
    world.journal.note(f"{function} (process {worker.pid}) is frozen, its change held in the network")
    step = route53_step((world.state() or {})["transition"])
    there = world.records()["Route 53 A"]
    stage.check("the failover function is frozen", function == world.stack.function("Failover"), function)
    stage.check(
        "its step is begun, and Route 53 has seen nothing",
        step["status"] == "doing" and there == [layout.PRIMARY_ADDRESS],
        f"{step['status']}, {there}",
    )
    return worker


def _thaw(stage: Stage, hold: Hold, worker: Worker) -> None:
    """Let the stale change arrive, then its worker run on; assert that nothing comes of either."""
    world = stage.world
    records, record = world.records(), _decisive(world)
    told = len(world.notifications())
    asked = len(world.exchanges.of("route53", CHANGE_RECORDS))
    since = time.monotonic()
    hold.release()
    reply = hold.wait_answered(10)
    worker.thaw()
    world.journal.note("the stale change has gone out, and its worker runs on", style="bold")
    stage.stay(WATCHED_S)
    again = world.exchanges.of("route53", CHANGE_RECORDS)[asked:]
    news = [mail["Subject"] for mail in world.notifications()[told:]]
    ok, detail = all_good_from(world.clients["orders"].since(since), layout.PRIMARY, 20)
    stage.check(
        "Route 53 itself refuses the stale change",
        reply is not None and reply.status == 400 and REFUSED_BATCH in reply.body,
        "" if reply is None else f"{reply.status} {reply.body[:300].decode(errors='replace')}",
    )
    stage.check(
        "its worker is alive, and does not try again", worker.is_alive() and not again, _epochs(again)
    )
    stage.check("all that points somewhere is as it was", world.records() == records, str(world.records()))
    stage.check("the record is as it was", _decisive(world) == record, str(_decisive(world)))
    stage.check("orders is served by the primary throughout", ok, detail)
    stage.check("the stale worker tells nobody what is not so", not news, "; ".join(news))


def _decisive(world: World) -> dict[str, Any]:
    """Return of the state record all that decides where traffic goes."""
    state = world.state() or {}
    return {key: state.get(key) for key in ("epoch", "active", "phase", "transition", "owed", "paused")}


def _epochs(batches: list[Any]) -> str:
    return f"further batches of epochs {[epoch_of(batch) for batch in batches]}"
