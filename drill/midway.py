"""What scenarios ask of a transition that is under way, and of the batches that Route 53 was sent."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from drill.exchanges import CHANGE_RECORDS, Exchange, changes_in, moves_traffic
from drill.world import World

LEASE_S = 120.0
"""The product's own constant (`domain/state.py`), and not shortened in the rehearsal."""

TICK_S = 60.0


def lease_of(world: World) -> dict[str, str]:
    """Return who may act on the open transition, and until when; both '' where none is open."""
    transition = (world.state() or {}).get("transition")
    return dict(transition["lease"]) if transition else {"owner": "", "until": ""}


def route53_step(transition: dict[str, Any]) -> dict[str, Any]:
    """Return the transition's step of Route 53."""
    found: dict[str, Any] = next(step for step in transition["steps"] if step["kind"] == "route53")
    return found


def outcomes(world: World) -> list[tuple[int, str, str]]:
    """Return epoch, direction and outcome of every transition that has ended."""
    return [(t["epoch"], t["direction"], t["outcome"]) for t in world.transitions()]


ONE_EACH_WAY = [(1, "failover", "completed"), (2, "failback", "completed")]


def accepted_batches(world: World) -> list[Exchange]:
    """Return the batches of the functions that Route 53 has accepted, oldest first."""
    return [exchange for exchange in world.proxy.exchanges.of("route53", CHANGE_RECORDS) if exchange.accepted]


def moving_epochs(world: World) -> list[int]:
    """Return the epochs of the accepted batches that changed an answer, oldest first."""
    return [epoch_of(e) for e in accepted_batches(world) if moves_traffic(changes_in(e.body))]


def epoch_of(batch: Exchange) -> int:
    """Return the epoch that a batch's new fence carries; 0 where it carries none."""
    fences = [c.values[0] for c in changes_in(batch.body) if c.type == "TXT" and c.action == "CREATE"]
    words = fences[0].strip('"').split() if fences else []
    return int(dict(word.split("=", 1) for word in words if "=" in word).get("epoch", 0))


def wall(stamp: str) -> float:
    """Return an ISO time as seconds of the wall clock."""
    return datetime.fromisoformat(stamp).timestamp()
