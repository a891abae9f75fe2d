"""`linode_dns` dies with half of the records written; nobody repeats it by hand."""

from __future__ import annotations

from drill import layout
from drill.emulator import RigError
from drill.interventions import Moment, worker_at
from drill.outages import dead
from drill.stage import SWITCH_WITHIN_S, Stage

STEP_LEASE_S = 90.0
"""The product's own constant (`domain/state.py`), not shortened in the rehearsal."""


def run(stage: Stage) -> None:
    """Rehearse: one record is written, the worker dies; once its claim has ended a tick writes the other."""
    world = stage.world
    stage.begin()
    shop = f"/domains/{layout.LINODE_DOMAIN_ID}/records/{world.linode_ids['shop']}"
    hold = world.linode.hold("linode", f"PUT {shop}", moment=Moment.REQUEST)
    stage.say("outage; linode_dns dies while it writes the second record")
    outage = stage.strike(f"everything in {layout.PRIMARY} hangs", dead(layout.PRIMARY))
    if not hold.wait_held(SWITCH_WITHIN_S):
        raise RigError(f"linode_dns has not written within {SWITCH_WITHIN_S:.0f} s of the outage")
    worker = worker_at(hold.client, world.emulator.pid)
    stage.wait("half: the first record is written", lambda: _targets(stage)[0] == layout.STANDBY_ADDRESS, 10)
    function = worker.function
    worker.kill()
    hold.release()
    world.journal.note(f"{function} (process {worker.pid}) is killed: one record written, one not")
    stage.check("half: linode_dns is what died", function == world.stack.function("LinodeDns"), function)
    half = [layout.STANDBY_ADDRESS, layout.PRIMARY_ADDRESS]
    stage.check("half: the other record is as it was", _targets(stage) == half, f"{_targets(stage)}")
    stage.check("half: the step is open", stage.is_step("linode", "doing"), f"{stage.open_steps()}")
    stage.say(f"nobody repeats it; its claim of {STEP_LEASE_S:.0f} s must end, then a tick's request goes on")
    stage.wait("a tick finishes it", lambda: stage.completed(1), STEP_LEASE_S + 150)
    stage.await_failover(outage, within_s=240)
    puts = [r.path for r in world.linode.requests if r.method == "PUT" and r.status == 200]
    written = [path.rsplit("/", 1)[-1] for path in puts]
    wanted = [str(world.linode_ids[name]) for name in layout.LINODE_RECORDS]
    stage.check("each record was written once", sorted(written) == sorted(wanted), f"{written}")
    repaired = stage.heal(outage, f"{layout.PRIMARY} is repaired")
    stage.await_failback(repaired)
    stage.finish(["failover", "failback"])


def _targets(stage: Stage) -> list[str]:
    records = stage.world.records()
    return [str(records[f"Linode A {name}"][0]) for name in layout.LINODE_RECORDS]
