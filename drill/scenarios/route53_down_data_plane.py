"""Route 53's control plane refuses, and the traffic moves without it; records follow as clean-up."""

from __future__ import annotations

from collections.abc import Mapping

from drill import layout
from drill.outages import dead, failing_route53
from drill.stage import Stage
from drill.steady import first_good, wait_for

CLEAN_UP = "console.orders.example"
PAIR = """[[switch.route53_health_check]]
zone_id = "$zone_id"
name = "api.orders.example"
type = "A"
primary = ["$primary_address"]
standby = ["$standby_address"]
"""


def policy() -> Mapping[str, str]:
    """Return the plan: the application's name is a pair that follows an alarm, another name is clean-up."""
    return {
        "follows": "alarm",
        "record_name": CLEAN_UP,
        "more_switches": PAIR,
        "more_policy": 'order = "data-plane-first"',
    }


def run(stage: Stage) -> None:
    """Rehearse: clients are on the standby while the control plane refuses; then records follow."""
    world = stage.world
    stage.begin()
    batches = world.batches()
    refusing = stage.disturb("Route 53's control plane answers 503", failing_route53())
    outage = stage.strike(f"everything in {layout.PRIMARY} hangs", dead(layout.PRIMARY))
    moved_while_refused(stage, outage.at)
    stage.wait("refused: somebody is told of the zone", lambda: stage.told("is not switched yet"), 180)
    steps = {key: step["status"] for key, step in stage.open_steps().items()}
    stage.check(
        "refused: the data plane's step is done, the zone's is open",
        steps.get("health-check") == "done" and steps.get("route53") in {"failed", "doing"},
        f"{steps}",
    )
    asked = stage.hits(refusing)
    stage.wait("refused: a tick tries the zone again", lambda: stage.hits(refusing) > asked, 120)
    stage.check("refused: no batch was accepted", world.batches() == batches)
    stage.lift(refusing, "Route 53's control plane answers again")
    stage.await_failover(outage, within_s=180)
    stage.check(
        "exactly one batch was accepted", world.batches() == batches + 1, f"{world.batches() - batches}"
    )
    repaired = stage.heal(outage, f"{layout.PRIMARY} is repaired")
    stage.await_failback(repaired, within_s=480)
    stage.finish(["failover", "failback"], told=[f"zone {world.zone_id} is not switched yet"])
    changed = world.exchanges.of("route53", "POST *healthcheck*")
    stage.check("nobody has changed the health check", not changed, f"{len(changed)} calls")


def moved_while_refused(stage: Stage, struck: float) -> None:
    """Assert that both applications are served by the standby while Route 53's control plane refuses."""
    clients = stage.world.clients.values()
    stage.wait(
        "refused: both applications are served by the standby",
        lambda: all(first_good(client.answers(), struck, layout.STANDBY) for client in clients),
        180,
    )
    stage.wait(
        "refused: it is told that the traffic is switched", lambda: stage.told("traffic is switched"), 90
    )
    wait_for(lambda: stage.is_step("health-check", "done"), 30)
