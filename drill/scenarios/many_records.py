"""A plan of a thousand records in three zones: one batch a zone each way, all of it within seconds."""

from __future__ import annotations

from collections.abc import Mapping

from drill import layout
from drill.measure import wall
from drill.outages import dead
from drill.stage import Stage

# With the record that clients ask for and two at Linode: the most that a plan may have.
LOTS = "331,333,333"
WITHIN_S = 10.0


def policy() -> Mapping[str, str]:
    """Return what this plan has otherwise."""
    return {"lots": LOTS}


def run(stage: Stage) -> None:
    """Rehearse: outage, three batches, repair, three batches; every record follows."""
    world = stage.world
    stage.begin()
    _all_point_at(stage, "before", layout.PRIMARY_ADDRESS)
    batches, outage = (
        world.batches(),
        stage.strike(f"everything in {layout.PRIMARY} hangs", dead(layout.PRIMARY)),
    )
    if stage.await_failover(outage):
        _as_few_batches_as_zones(stage, "failover", batches)
        _all_point_at(stage, "on-standby", layout.STANDBY_ADDRESS)
        _in_time(stage, "failover", 0)
    batches = world.batches()
    repaired = stage.heal(outage, f"{layout.PRIMARY} is repaired")
    if stage.await_failback(repaired):
        _as_few_batches_as_zones(stage, "failback", batches)
        _all_point_at(stage, "after", layout.PRIMARY_ADDRESS)
        _in_time(stage, "failback", 1)
    stage.finish(["failover", "failback"])


def _as_few_batches_as_zones(stage: Stage, phase: str, before: int) -> None:
    sent, zones = stage.world.batches() - before, len(stage.world.fences)
    stage.check(f"{phase}: one batch was accepted for each of {zones} zones", sent == zones, f"{sent}")


def _all_point_at(stage: Stage, phase: str, address: str) -> None:
    sets = [found for zone in stage.world.zones_now().values() for found in zone if found["type"] == "A"]
    wrong = [found["name"] for found in sets if found["values"] != [address]]
    wanted = 1 + sum(lot.count for lot in stage.world.lots)
    ok = not wrong and len(sets) == wanted
    stage.check(f"{phase}: all {wanted} records answer {address}", ok, f"{len(sets)}; not: {wrong[:3]}")


def _in_time(stage: Stage, phase: str, number: int) -> None:
    """Assert that every zone was sent, INSYNC and read back so soon after the claim; put the times down."""
    found = stage.world.transitions()[number]
    zones = [step for step in found["steps"] if step["kind"] == "route53"]
    claimed = wall(found["started_at"]) or 0.0
    for moment in ("sent_at", "done_at"):
        took = max((wall(step[moment]) or float("inf")) - claimed for step in zones)
        stage.report.seconds[f"{phase}_claimed_to_last_zone_{moment.removesuffix('_at')}"] = took
        what = "sent" if moment == "sent_at" else "INSYNC, read back and answered"
        stage.check(
            f"{phase}: every zone is {what} within {WITHIN_S:.0f} s of the claim",
            took < WITHIN_S,
            f"{took:.1f} s",
        )
