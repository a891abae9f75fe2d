"""What scenarios ask of a transition that is under way, and of the batches that Route 53 was sent."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from drill.emulator import RigError
from drill.exchanges import CHANGE_RECORDS, Exchange, changes_in, moves_traffic
from drill.interventions import Hold, Worker, worker_at
from drill.stage import SWITCH_WITHIN_S, Stage
from drill.steady import wait_for
from drill.world import World

LEASE_S = 120.0
"""The product's own constant (`domain/state.py`), not shortened in the rehearsal."""

TICK_S = 60.0


def worker_in(world: World, hold: Hold) -> Worker:
    """Return the worker whose request is held; RigError where none came in time."""
    if not hold.wait_held(SWITCH_WITHIN_S):
        raise RigError(f"no function has changed Route 53 within {SWITCH_WITHIN_S:.0f} s of the outage")
    return worker_at(hold.client, world.emulator.pid)


def await_take_over(stage: Stage) -> float:
    """Assert that a tick takes the open transition over once its lease has expired; return when (wall clock).

    The lease is that of a worker that will do nothing more.
    """
    lease = lease_of(stage.world)
    took = wait_for(lambda: lease_of(stage.world)["owner"] not in {"", lease["owner"]}, LEASE_S + 3 * TICK_S)
    owner, taken = lease_of(stage.world)["owner"], time.time()
    late = taken - wall(lease["until"])
    stage.world.journal.note(f"{owner.split(':')[0]} has taken over")
    stage.check("a tick has taken over, not another failover", took and owner.startswith("failback:"), owner)
    stage.check(
        "not before the lease had expired, and within two ticks of that",
        0 <= late <= 2 * TICK_S,
        f"{late:.1f} s after it",
    )
    stage.wait("it completes the failover", lambda: stage.completed(1), 3 * TICK_S)
    return taken


def lease_of(world: World) -> dict[str, str]:
    """Return who may act on the open transition, and until when; both '' where none is open."""
    transition = (world.state() or {}).get("transition")
    return dict(transition["lease"]) if transition else {"owner": "", "until": ""}


def route53_step(transition: dict[str, Any]) -> dict[str, Any]:
    """Return the transition's step of Route 53."""
    found: dict[str, Any] = next(step for step in transition["steps"] if step["kind"] == "route53")
    return found


def accepted_batches(world: World) -> list[Exchange]:
    """Return the batches of the functions that Route 53 has accepted, oldest first."""
    return [exchange for exchange in world.exchanges.of("route53", CHANGE_RECORDS) if exchange.accepted]


def check_one_batch_each_way(stage: Stage) -> None:
    """Assert that the answer was changed by one batch of each epoch, of failover and failback."""
    epochs = [epoch_of(e) for e in accepted_batches(stage.world) if moves_traffic(changes_in(e.body))]
    stage.check("exactly one batch changed the answer, each way", epochs == [1, 2], f"of epochs {epochs}")


def epoch_of(batch: Exchange) -> int:
    """Return the epoch that a batch's new fence carries; 0 where it carries none."""
    fences = [c.values[0] for c in changes_in(batch.body) if c.type == "TXT" and c.action == "CREATE"]
    words = fences[0].strip('"').split() if fences else []
    return int(dict(word.split("=", 1) for word in words if "=" in word).get("epoch", 0))


def wall(stamp: str) -> float:
    """Return an ISO time as seconds of the wall clock."""
    return datetime.fromisoformat(stamp).timestamp()
