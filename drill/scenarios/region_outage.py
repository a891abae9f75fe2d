"""Everything of the primary Region hangs (a black hole, not a refusal) until it is repaired."""

from __future__ import annotations

from drill import expect, layout
from drill.outages import dead
from drill.report import Check
from drill.roles import check_roles
from drill.stage import Stage
from drill.steady import wait_for
from drill.world import World

ALL_SWITCHES = ("route53_record", "fence", "linode_record", "ssm_parameter")

MALFORMED = {"id": "malformed-1", "source": "nobody", "detail-type": "Nothing Known"}


def run(stage: Stage) -> None:
    """Rehearse: steady state, outage, failover, repair, failback, steady state again."""
    world = stage.world
    stage.begin()
    stage.checks(*_plan_is_shown(world))
    stage.say(f"outage: {layout.PRIMARY} becomes a black hole; waiting for the failover")
    outage = stage.strike(
        f"everything in {layout.PRIMARY} hangs: DynamoDB, SSM, CloudWatch, both applications",
        dead(layout.PRIMARY),
    )
    stage.await_failover(outage)
    repaired = stage.heal(outage, f"{layout.PRIMARY} is repaired")
    world.invoke("Failover", MALFORMED, wait=False)
    roles = check_roles(world)  # meanwhile: each function's role, asked of the embedded AWS's own IAM
    stage.await_failback(repaired)
    stage.checks(
        *expect.told(
            world,
            {
                "detection": f"{layout.PRIMARY} is down",
                "switch": f"traffic is switched to {layout.STANDBY}",
                "completion": f"failover to {layout.STANDBY} is complete",
                "failback": f"failback to {layout.PRIMARY} is complete",
            },
        ),
        *roles,
        _malformed_is_kept(world),
    )
    stage.finish(["failover", "failback"], dead_letters=[str(MALFORMED["id"])])


def _plan_is_shown(world: World) -> list[Check]:
    """Check that a plan is shown and changes nothing, and that only the one that is expected is made."""
    wish = {"plan": layout.PLAN, "action": "plan", "to": "standby"}
    [shown] = world.invoke("Failover", wish) or [{}]
    switches = {entry["switch"]: entry for entry in shown.get("switches", [])}
    record = switches.get("route53_record", {})
    held = [reason["reason"] for reason in shown.get("held_by", [])]
    forced = {"plan": layout.PLAN, "action": "failover", "reason": "another plan", "force": True}
    [asked] = world.invoke("Failover", {**forced, "expect": "0" * 16}) or [{}]
    return [
        Check(
            "before: the plan of a failover is shown, switch by switch, with what would hold it",
            held == ["active-healthy"] and bool(record.get("changes")) and len(switches) == len(ALL_SWITCHES),
            f"{record.get('before')} -> {record.get('after')}; held by {held}; {sorted(switches)}",
        ),
        Check(
            "before: a failover that expects another plan is held, also with force",
            asked.get("reason") == "plan-changed" and str(shown.get("checksum")) in str(asked.get("detail")),
            str(asked.get("detail")),
        ),
        *expect.nothing_moved(world, "before, the plan shown"),
    ]


def _malformed_is_kept(world: World) -> Check:
    """Check that an event that nobody knows has ended in the dead-letter queue, after its retries."""

    def arrived() -> bool:
        return any(str(MALFORMED["id"]) in body for body in world.dead_letters())

    detail = f"{MALFORMED['id']} after its retries"
    return Check("a malformed event ends in the dead-letter queue", wait_for(arrived, 20), detail)
