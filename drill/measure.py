"""The times of a failover and a return, from the records and from what the clients saw."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from drill.client import Answer
from drill.phases import longest_downtime
from drill.report import Report
from drill.steady import first_good
from drill.world import World


def measure_failover(world: World, report: Report, fault: float) -> None:
    """Fill in the seconds of the first transition; `fault`: its cause, on the monotonic clock."""
    history = world.transitions()
    orders = world.clients["orders"].answers()
    if not history:
        return
    found = history[0]
    good = first_good(orders, fault, found["target"])
    if good:
        report.seconds["fault_to_first_good_answer"] = good.at_monotonic + good.seconds - fault
    route53 = next(step for step in found["steps"] if step["kind"] == "route53")
    told = (world.state() or {}).get("noticed", {}).get(f"detected {found['source']}")
    detected, claimed = wall(told), wall(found["started_at"])
    switched, insync = wall(route53["sent_at"]), wall(route53["done_at"])
    fault_wall = world.wall(fault)
    if detected is not None and claimed is not None and detected >= fault_wall:
        world.journal.note(f"the probe has decided: {found['source']} is down", at=detected)
        report.seconds["fault_to_detected"] = detected - fault_wall
        report.seconds["detected_to_claimed"] = claimed - detected
    if claimed is not None and switched is not None and insync is not None:
        report.seconds["claimed_to_switched"] = switched - claimed
        report.seconds["switched_to_insync"] = insync - switched


def measure_return(report: Report, transition: dict[str, Any], repaired_wall: float) -> None:
    """Fill in the time from the repair to the end of a transition."""
    ended = wall(transition["ended_at"])
    if ended is not None:
        report.seconds["repair_to_failback_done"] = ended - repaired_wall


def measure_downtime(world: World, report: Report) -> None:
    """Fill in the longest downtime that a client saw."""
    found = [longest_downtime(client.answers()) for client in world.clients.values()]
    seen = [seconds for seconds in found if seconds is not None]
    report.seconds["client_downtime"] = max(seen) if seen else None


def served_by(answers: tuple[Answer, ...]) -> str | None:
    """Return the Region that answered last, None if the last request failed."""
    return answers[-1].region if answers and answers[-1].ok else None


def wall(stamp: str | None) -> float | None:
    """Return an ISO time in seconds of the wall clock."""
    return datetime.fromisoformat(stamp).timestamp() if stamp else None
