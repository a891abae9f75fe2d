"""Each rule of the checker: a minimal history that breaks it is blamed for it; a near miss is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from proof.checker.judge import RULES, Judge
from proof.checker.rule import Rule
from tests.proof.story import (
    ANSWERS,
    EAST,
    FENCE,
    LINODE,
    NAME,
    PARAMETER,
    PLAN,
    REFUSED,
    TIMED_OUT,
    WEST,
    ZONE,
    Entry,
    Story,
    answer,
    api_error,
    at,
    fence,
    swap,
)

Told = Callable[[], Story]


@dataclass(frozen=True)
class Case:
    """A rule's side, a history that breaks it, and one that just does not; `also`: what breaks with it."""

    name: str
    broken: str
    violation: Told
    near_miss: Told
    also: frozenset[str] = frozenset()


def case(name: str, broken: str, violation: Told, near_miss: Told, *also: str) -> Case:
    return Case(name, broken, violation, near_miss, frozenset(also))


def stranger(value: str = "203.0.113.99", name: str = NAME) -> Entry:
    return {"name": name, "type": "A", "ttl": 60, "values": [value]}


def steady_requests(*events: tuple[str, str]) -> Story:
    """Two claims of automatic failovers, each by a worker with that event; the first completed or stopped."""
    (first, how), (second, _) = events
    story = Story()
    event = {"id": first, "time": at(0)}
    story.begin("a", event=event).load("a").look("a").decide("a").claim("a")
    if how == "stopped":
        story.stop("a")
    else:
        story.start("a").submit("a").insync("a").read_zone("a")
        for region in (WEST, EAST):
            story.write("a", region).read_parameter("a", region)
        story.begin("l", "linode_dns").find().claim_linode().find().point().find()
        story.settle_steps("a").complete("a").edit(active=EAST, cooldown_until=None)
    again = {"id": second, "time": at(0)}
    return story.begin("b", event=again).load("b").look("b").decide("b").claim("b")


def debt(value: str = EAST, paused: bool = False, owed: bool = True) -> Story:
    """A tick that writes the parameter which the last failover owes."""
    story = Story()
    step = {"kind": "ssm", "subject": PARAMETER, "region": WEST, "status": "owed"}
    story.edit(owed=[step] if owed else [], paused=paused)
    return story.begin("a", "failback").load("a").write("a", WEST, value)


def next_epoch(worker: str) -> Story:
    """Epoch 4 is over, and `worker` has claimed 5, the way back."""
    story = Story().completed("a").edit(cooldown_until=None)
    story.begin(worker).load(worker).look(worker, east=None).beats(worker).decide(worker, manual=True)
    return story.claim(worker, manual=True).start(worker)


def late_batch(*, refused: bool) -> Story:
    """A worker of epoch 4 sends its batch after that of epoch 5; Route 53 refuses it, or does not."""
    story = next_epoch("b").submit("b")
    changes = swap(fence(5, EAST), fence(4, WEST)) + swap(answer(EAST), answer(WEST))
    return story.submit("a", changes, refused=refused)


def corrected(*, seen: bool) -> Story:
    """A worker of epoch 4 writes again after epoch 5 has begun: what 5 wants, having seen it, or its own."""
    story = next_epoch("b")
    return story.load("a").write("a", WEST, EAST) if seen else story.load("a").write("a", WEST, WEST)


def late_linode(*, sees: bool) -> Story:
    """`linode_dns` of epoch 4 writes after epoch 5 has begun: what the newer record says, or its own."""
    return next_epoch("b").load("l").find("l").point("l", LINODE[EAST if sees else WEST])


def taken_over(after_s: float, skew_s: float = 0.0, look: bool = True) -> Story:
    """Another worker takes the lease that many seconds after the claim."""
    story = Story(skew_s=skew_s).started("a").after(after_s).begin("b", "failback").load("b")
    if look:
        story.look("b")
    until = at(story.t + 120)
    verified = {"verified_at": story.clock("b")} if look else {}
    return story.change("b", lease={"owner": "b", "until": until}, **verified)


def ahead(seconds: float) -> Story:
    """The claimer's clock is ahead; another worker looks at its lease at once."""
    story = Story(skew_s=seconds)
    story.offset["a"] = seconds
    story.started("a").begin("b", "failback").load("b").look("b")
    return story.change("b", lease={"owner": "b", "until": at(120)}, verified_at=story.clock("b"))


def lease_of(seconds: float) -> Story:
    return Story().claimed("a", lease={"owner": "a", "until": at(seconds)})


def completed_without(*left_out: str, **status: str) -> Story:
    """A whole failover, with pieces left out."""
    story = Story().started()
    if "submit" not in left_out:
        story.submit()
    if "insync" not in left_out:
        story.insync(yes="no" not in left_out)
    if "read" not in left_out:
        story.read_zone()
    if "insync first" in left_out:
        story.insync()
    story.write("a", WEST)
    if "parameter" not in left_out:
        story.read_parameter("a", WEST)
    if "east" not in status:
        story.write("a", EAST).read_parameter("a", EAST)
    story.begin("l", "linode_dns").find().claim_linode().find().point()
    if "linode" not in left_out:
        story.find()
    return story.settle_steps(**status).complete()


def failback(minutes: int = 25, **different: str) -> Story:
    return Story(active=WEST).healthy(minutes, **different).claimed()


def measured(to_east: float | None = 0.5, to_west: float | None = 0.5) -> Story:
    story = Story(active=WEST).healthy().begin().load().look(east=None)
    return story.beats(to_east=to_east, to_west=to_west).decide().claim()


def failover_seen(**look: Entry | None) -> Story:
    return Story().begin().load().look(**look).decide().claim()


def left_degraded(says: str = "failover", worn: bool = True) -> Story:
    """A Region that answers, slowly, is left."""
    story = Story(degradation=says).healthy(2, worn).begin().load().look(east=None)
    return story.decide(source="healthy", source_down=False, degraded="source").claim()


def cooled(seconds: float, skew_s: float = 0.0) -> Story:
    """A failover, and an automatic one back that many seconds later; the primary has long been well."""
    story = Story(skew_s=skew_s, policy={**PLAN["policy"], "healthy_for_s": 0.0}).completed()
    story.edit(paused=False)
    story.after(seconds - 60).healthy(0)
    return story.claimed("b", started_at=at(story.t + story.offset.get("b", 0.0)))


def cooled_by_record(seconds: float) -> Story:
    """The record's own cooldown ends that many seconds after the claim begins."""
    return Story().edit(cooldown_until=at(seconds)).claimed()


def paused_before(effect: str, manual: bool = False) -> Story:
    """A pause comes after the snapshot; the worker sees it, or it comes too late to be seen."""
    story = Story()
    if manual:
        story.begin().load().look(east=None).decide(manual=True, force=True).claim(manual=True).start()
    else:
        story.started()
    if effect == "linode":
        story.begin("l", "linode_dns").find().claim_linode().find()
        return story.edit(paused=True).load("l").point("l")
    story.edit(paused=True)
    if effect != "unseen":
        story.load()
    return story.write() if effect == "parameter" else story.submit()


def aged(seconds: float, skew_s: float = 0.0) -> Story:
    story = Story(skew_s=skew_s).after(2000)
    story.begin(event={"id": "old", "time": at(story.t - seconds)})
    return story.load().look().decide().claim()


def published(got_through: bool, noted: str = "to us-west-2", text: str = "to us-west-2") -> Story:
    notice = {"key": "k", "subject": "switched", "text": noted, "at": at(0)}
    story = Story().begin().save(outbox=[notice])
    if got_through:
        story.do("a", "notifier.publish", subject="switched", text=text)
    else:
        story.ask("a", "notifier.publish", error=TIMED_OUT, subject="switched", text="to us-west-2")
    return story.save(outbox=[])


def ended_with(other: bool) -> Story:
    story = Story().begin()
    if other:
        story.ask("a", "events.put", error=TIMED_OUT, detail_type="x", detail={})
    story.ask("a", "notifier.publish", error=TIMED_OUT, subject="s", text="t")
    return story.end(outcome="raised RemoteFailure")


def first_fence(epoch: int, active: str) -> Story:
    story = Story().edit_zone(without=((FENCE, "TXT"),)).begin("a", "failback").load()
    return story.submit(changes=swap(None, fence(epoch, active)))


def batch_of(changes: Callable[[Story], list[Entry]]) -> Told:
    """Return a story whose one batch is this."""

    def told() -> Story:
        story = Story().started()
        return story.submit(changes=changes(story))

    return told


def good_batch() -> Story:
    return Story().started().submit()


def second_batch() -> Story:
    """The zone is put back by a human, and the worker changes it once more for the same epoch."""
    story = Story().started().submit().edit_zone(fence(3, EAST), answer(EAST))
    return story.submit()


def reasserted() -> Story:
    story = Story().started().submit()
    here = [fence(4, WEST), answer(WEST)]
    return story.submit(changes=[change for record in here for change in swap(record, record)])


def at_rest(**different: object) -> Story:
    return Story().completed().rest(**different)


def not_open_at_rest() -> Story:
    return Story().completed().rest()


def silent() -> Story:
    return Story()


def with_policy(**policy: object) -> Story:
    return Story(policy={**PLAN["policy"], **policy}).claimed()


def secret_in(text: str) -> Story:
    story = Story(secrets=["s3cr3t-token"]).begin()
    story.do("a", "notifier.publish", subject="failed", text=text)
    return story


def stopped(*, begun: bool) -> Story:
    return (Story().started() if begun else Story().claimed()).stop()


def claimed_late(seconds: float) -> Story:
    """A worker freezes between its decision and its claim."""
    return Story().begin().load().look().decide().after(seconds).claim(verified_at=at(0))


def again_after(how: str) -> Story:
    """Epoch 4 is stopped; then comes a record at 3, put there or made anew, and 4 is claimed and stopped."""
    story = Story().claimed().stop()
    story = story.lose(3) if how == "lost" else story.edit(epoch=3 if how == "restored" else 4)
    story.begin("b").load("b").look("b").decide("b")
    return story.claim("b", epoch=4, started_at=at(0.001)).stop("b")


def made_anew(**changes: object) -> Story:
    """The record is lost and made anew, with more in it than there should be."""
    story = Story().claimed()
    was_open = story.open
    story.add("world", what="human-edit", record=None)
    story.record = {**story.record, "version": 0, "transition": None, "phase": "steady", "epoch": 3}
    return story.begin("new").save("new", **({"transition": was_open, "epoch": 4} if changes else {}))


def ended_as(epoch: int = 4, *, left_open: bool = False, twice: bool = False) -> Story:
    """A transition is stopped, with something wrong in how."""
    story = Story().claimed()
    was_open = story.open
    ended = {**was_open, "epoch": epoch, "ended_at": at(0), "outcome": "stopped: it is well"}
    if left_open:
        return story.save(ended=ended)
    story.save(ended=ended, transition=None, phase="steady")
    if twice:
        story.edit(transition=was_open, phase="moving").save(ended=ended, transition=None, phase="steady")
    return story


def steps_changed(*, shorter: bool) -> Story:
    story = Story().started()
    return story.change(steps=story.open["steps"][: 2 if shorter else 4])


def fence_ahead(epoch: int) -> Story:
    """A human's fence is there when the snapshot is taken, and the batch of epoch 4 replaces it."""
    return Story().claimed().edit_zone(fence(epoch, EAST)).start().submit()


def of_the_old_epoch(*, changes: bool) -> Story:
    """Epoch 5 is claimed, its batch not sent yet; a batch of epoch 4 is accepted, which changes something."""
    story = next_epoch("b")
    if changes:
        story.edit_zone(answer(EAST))
    now = answer(EAST if changes else WEST)
    return story.submit("a", swap(fence(4, WEST), fence(4, WEST)) + swap(now, answer(WEST)))


def unseen(*, loads: bool) -> Story:
    story = Story().started("a").begin("a~2")
    return (story.load("a~2") if loads else story).write("a~2")


def with_upsert(story: Story) -> list[Entry]:
    return [*swap(fence(3, EAST), fence(4, WEST)), {"action": "UPSERT", **answer(WEST)}]


def put_back(seconds: float, value: str = EAST, paused: bool = False) -> Story:
    """On a steady record, that long after a move, a tick writes what a late writer may have changed."""
    story = Story().edit(moved_at=at(0), paused=paused).begin("a", "failback").after(seconds)
    return story.load("a").write("a", WEST, value)


def linode_put_back(seconds: float, region: str = EAST) -> Story:
    """The same for Linode."""
    story = Story().edit(moved_at=at(0)).begin("l", "linode_dns").after(seconds).find("l")
    return story.load("l").point("l", LINODE[region])


def snapshot_retaken(*, foreign: bool = False, sent: bool = False, ahead: bool = False) -> Story:
    """A human changes the zone after the snapshot, which is then taken again."""
    story = Story().started()
    if sent:
        story.submit()
    story.edit_zone(*([stranger()] if foreign else [fence(9 if ahead else 2, EAST)]))
    return story.start()


def second_attempt(name: str) -> Story:
    """The invocation is tried again; records go on naming it as they did."""
    return Story().started("a").begin(name).load(name).write(name)


def snapshot_replaced(kept: bool) -> Story:
    story = Story().started()
    before = story.open["steps"][0]["before"]
    return story.change_step(0, before=before if kept else before.replace("192.0.2.10", "192.0.2.11"))


def drifted(seen: bool) -> Story:
    """A human changes the record set before, or after, the snapshot; the batch deletes what is there."""
    story = Story().claimed()
    if seen:
        return story.edit_zone(stranger()).start().submit()
    return story.start().edit_zone(stranger()).submit()


def linode_seen(identity: int) -> Story:
    return Story().started().begin("l", "linode_dns").find().claim_linode().find().point(identity=identity)


def linode_at(target: str) -> Story:
    return Story().started().begin("l", "linode_dns").find().claim_linode().find().point(target=target)


def linode_claimed(after_claim_s: float, before_claim_s: float = 0.0) -> Story:
    story = Story().started().begin("l", "linode_dns").find().after(before_claim_s).claim_linode()
    return story.find().after(after_claim_s).point()


def verified_ago(seconds: float, skew_s: float = 0.0) -> Story:
    return Story(skew_s=skew_s).started().after(seconds).submit()


def backward_clock(skew_s: float) -> Story:
    """The worker's clock has been set back after its claim; in true time its lease is long over."""
    story = Story(skew_s=skew_s).started().after(150)
    story.offset["a"] = -150.0
    return story.write()


def claim_numbers(**changes: object) -> Story:
    return Story().begin().load().look().decide().claim(**changes)


def vanished(excused: bool) -> Story:
    story = Story().claimed()
    if excused:
        return story.edit(transition=None, phase="steady").rest(expect="")
    return story.save(transition=None, phase="steady")


def version_of(number: int) -> Story:
    story = Story().begin()
    story.record = {**story.record, "version": number - 1}
    return story.save()


def version_jumps() -> Story:
    return Story().begin().save(version=7)


YES = {
    "id": "f00d",
    "source": WEST,
    "target": EAST,
    "made_at": at(1500),
    "expires_at": at(9000),
    "evidence": "",
    "answer": "approved",
    "answered_by": "mia",
    "answered_at": at(1500),
}


def approved(
    *, answered_by: str = "operator", after_s: float = 0.0, keep: bool = False, **proposal: object
) -> Story:
    """A settled primary, a proposal, an operator's answer, and the failback that carries it out."""
    story = Story(active=WEST, policy={**PLAN["policy"], "failback": "approval"}).healthy()
    asked = {
        **YES,
        "answer": "none",
        "answered_by": "",
        **{k: v for k, v in proposal.items() if k != "answer"},
    }
    story.begin("f", "failback").save("f", proposal=asked)
    if proposal.get("answer") != "none":
        story.begin("o", answered_by).save("o", proposal={**YES, **proposal})
    story.after(after_s)
    if after_s:
        story.healthy(0)
    story.begin("c").load("c").look("c", east=None).beats("c").decide("c", approval="approved")
    return story.claim("c", proposal=story.record["proposal"] if keep else None)


def answered_twice(second: str) -> Story:
    story = Story(active=WEST).begin("f", "failback").save("f", proposal={**YES, "answer": "none"})
    story.begin("o", "operator").save("o", proposal=YES)
    return story.begin("x", "operator").save("x", proposal={**YES, "answer": second, "answered_by": "mia"})


def proposed_as(answer: str) -> Story:
    return Story(active=WEST).begin("f", "failback").save("f", proposal={**YES, "answer": answer})


def changed_while_asked(**changes: str) -> Story:
    story = Story(active=WEST).begin("f", "failback").save("f", proposal={**YES, "answer": "none"})
    return story.begin("o", "operator").save("o", proposal={**YES, **changes})


def claims_of_a_day(acknowledged: bool = False, hours: float = 1.0) -> Story:
    """Three automatic claims, each stopped before it began; two are allowed within a day."""
    story = Story(policy={**PLAN["policy"], "automatic_per_day": 2})
    for number in range(3):
        if number == 2:
            story.after(hours * 3600)
            if acknowledged:
                story.edit(automatic_moves=[])
        name = f"w{number}"
        story.begin(name).load(name).look(name).decide(name).claim(name)
        story.save(name, automatic_moves=[*story.record.get("automatic_moves", []), at(story.t)])
        story.stop(name)
    return story


def decided(**situation: object) -> Story:
    return Story().begin().load().look().decide(**situation).claim()


def decided_of(**situation: object) -> Story:
    story = Story(policy={**PLAN["policy"], "automatic_per_day": 4})
    return story.begin().load().look().decide(**situation).claim()


def back_decided(**situation: object) -> Story:
    story = Story(active=WEST, policy={**PLAN["policy"], "failback": "approval"}).healthy().edit(proposal=YES)
    story.begin().load().look(east=None).beats().decide(**{"approval": "approved", **situation})
    return story.claim()


def failback_of(mode: str) -> Story:
    story = Story(active=WEST, policy={**PLAN["policy"], "failback": mode}).healthy()
    story.begin().load().look(east=None).beats().decide(approval="approved")
    return story.claim()


def undecided(worker: str) -> Story:
    return Story().begin("b").begin("a").load().look().decide(worker).claim()


def opened_while_open(then: str) -> Story:
    story = Story().claimed()
    if then == "another":
        return story.save(transition={**story.open, "epoch": 5}, epoch=5)
    if then == "itself, elsewhere":
        return story.change(reason="another word", target=EAST)
    return story.change(reason="another word")


def claimed_again(epoch: int) -> Story:
    """A transition is stopped, then one of that epoch is claimed."""
    story = Story().claimed().stop()
    story.begin("b").load("b").look("b").decide("b")
    return story.claim("b", epoch=epoch, started_at=at(0.001))


def history_left(*, complete: bool) -> Story:
    story = Story().completed()
    return story.rest() if complete else story.rest(history=[])


def restored(epoch: int) -> Story:
    """A human puts a record of that epoch back; the epoch after it is claimed."""
    story = Story().claimed().stop().edit(epoch=epoch)
    story.begin("b").load("b").look("b").decide("b")
    return story.claim("b", started_at=at(0.001))


def history_changed() -> Story:
    story = Story().completed()
    return story.rest(history=[story.history[0].replace("completed", "stopped")])


def settled_step(status: str) -> Story:
    return Story().started().change_step(2, status=status).change_step(2, status="doing")


def still_open_at_rest() -> Story:
    return Story().started().rest(expect="")


def target_also_down(**look: Entry | None) -> Story:
    return failover_seen(**look)


def sent_towards(*, failing: bool) -> Story:
    """A worker that has switched looks again; then it reasserts, towards a Region that fails or not."""
    story = Story().started().submit().look(west=TIMED_OUT if failing else None)
    here = [fence(4, WEST), answer(WEST)]
    return story.submit(changes=[change for record in here for change in swap(record, record)])


CUT_OFF = {"east": TIMED_OUT, "west": REFUSED}
DENIED = api_error("AccessDeniedException", 400)
THROTTLED = api_error("ThrottlingException", 503)
SERVER = api_error("InternalServerError", 500)
BAD_GATEWAY = api_error("", 502, "http")
NOT_FOUND = api_error("", 404, "http")
TLS: Entry = {"type": "RemoteFailure", "symptom": {"kind": "tls", "code": "", "status": 0}}


def upsert(story: Story) -> list[Entry]:
    found = story.batch()
    return [{**change, "action": "UPSERT"} for change in found if change["action"] == "CREATE"]


def still_open_in_history() -> Story:
    story = Story().started()
    return story.rest(expect="", history=[json.dumps(story.open)])


def late_write(seconds: float) -> Story:
    return Story().started().after(seconds).write()


def write_by(worker: str) -> Story:
    story = Story().begin("b").started("a")
    return story.load(worker).write(worker)


def halted(is_so: bool) -> Story:
    return Story().started().save(phase="needs-operator" if is_so else "moving").write()


def linode_unclaimed(is_so: bool) -> Story:
    story = Story().started().begin("l", "linode_dns").load("l").find()
    return (story if is_so else story.claim_linode()).point()


def leased_to(worker: str) -> Story:
    return Story().claimed("a", lease={"owner": worker, "until": at(120)})


def writes_when_over() -> Story:
    """The late worker writes for its own, ended epoch after it has seen that the epoch is over."""
    story = Story().started("a").write("a", WEST)
    return story.edit(transition=None, phase="steady").begin("a").load("a").write("a", EAST, EAST)


def sent_unseen(looked: bool) -> Story:
    return taken_over(121, look=looked).submit("b")


def completed_elsewhere(region: str) -> Story:
    return Story().switched().settle_steps().complete(active=region)


def parameter_named(name: str) -> Story:
    story = Story().started()
    story.do("a", "parameters.write", region=WEST, name=name, value=WEST)
    return story


def lost(loss_s: float | None, measured: bool) -> Story:
    story = Story().begin().load().look()
    story.beats(to_west=5.0 if measured else None)
    return story.decide().claim(loss_s=loss_s)


def lost_late(*, went_on: bool) -> Story:
    """The heartbeat is answered; before, or after the worker has gone on without it."""
    story = Story().begin().load().look()
    number = story.call("a", "tables.read_heartbeat", region=WEST, key=f"orders#{EAST}")
    if went_on:
        story.ask("a", "store.load_health", plan="orders")
    story.reply("a", "tables.read_heartbeat", number, at(-5.0))
    return story.decide().claim(loss_s=None)


def healthy_then(seconds: float) -> Story:
    return Story(active=WEST).healthy().after(seconds - 60).claimed()


def relapsed(*, seen: bool, then: float = 0.0) -> Story:
    """The newest sample is bad; the worker has looked at the record after it, or before; then claims."""
    story = Story(active=WEST).healthy(25, at_25="unknown")
    saves = [e for e in story.entries if e["kind"] == "effect" and e["op"] == "store.save_health"]
    story.begin().load()
    story.ask("a", "store.load_health", plan="orders", result=saves[-1 if seen else -2]["record"])
    return story.after(then).look(east=None).beats().decide().claim()


def parameters(value: str) -> list[Entry]:
    return [
        {"region": WEST, "name": PARAMETER, "value": WEST},
        {"region": EAST, "name": PARAMETER, "value": value},
    ]


def linode_at_rest(region: str) -> Story:
    found = {"domain_id": 7, "name": "app", "type": "A", "target": LINODE[region], "ttl_sec": 30}
    return at_rest(linode=[found])


def unsent(expect: str) -> Story:
    notice = {"key": "k", "subject": "switched", "text": "to us-west-2", "at": at(0)}
    return Story().begin().save(outbox=[notice]).rest(expect)


def two_requests(first: str, second: str) -> Story:
    story = Story()
    for worker, request in (("a", first), ("b", second)):
        story.begin(worker, event={"plan": "orders", "action": "failover"}).load(worker)
        story.look(worker).decide(worker, manual=True)
        story.claim(worker, manual=True, started_at=at(story.t))
        last = story.entries[-2]  # the claim's effect: put the request's id into it
        story.record = {**story.record, "requests": [*story.record["requests"][:-1], request]}
        for entry in (story.entries[-3], last):
            entry["record"] = json.dumps(story.record)
        if worker == "a":
            story.edit(transition=None, phase="steady")
    return story


def unnoted(request: str) -> Story:
    """A human's claim adds that request to the record, which already holds 'r1'."""
    story = Story().edit(requests=["r1"]).begin().load().look().decide(manual=True)
    story.claim(manual=True)
    for entry in story.entries[-3:-1]:
        record = json.loads(entry["record"])
        entry["record"] = json.dumps({**record, "requests": ["r1", *([request] if request else [])]})
    return story


def without_situation() -> Story:
    story = Story().begin().load().look()
    story.do("a", "store.record_decision", plan="orders", decision={"action": "move", "situation": None})
    return story.claim()


CASES = [
    # I1
    case(
        "a second one opened over an open one",
        "I1",
        lambda: opened_while_open("another"),
        lambda: opened_while_open("itself"),
        "I20",
    ),
    case(
        "an open one becomes another",
        "I1",
        lambda: opened_while_open("itself, elsewhere"),
        lambda: opened_while_open("itself"),
    ),
    case("an epoch claimed twice", "I1", lambda: claimed_again(4), lambda: claimed_again(5), "I3"),
    case(
        "an epoch claimed twice, no older record put there",
        "I1",
        lambda: claimed_again(4),
        lambda: restored(3),
        "I3",
    ),
    # I2
    case(
        "a batch without a fence",
        "I2",
        batch_of(lambda s: swap(answer(EAST), answer(WEST))),
        good_batch,
        "I5",
    ),
    case(
        "an epoch that nobody claimed",
        "I2",
        batch_of(lambda s: s.batch(epoch=5)),
        good_batch,
        "I4",
    ),
    case(
        "an epoch below one accepted",
        "I2",
        lambda: late_batch(refused=False),
        lambda: late_batch(refused=True),
        "I4",
        "I9",
        "I20",
    ),
    case(
        "records left elsewhere than the claim says",
        "I2",
        batch_of(lambda s: swap(fence(3, EAST), fence(4, WEST))),
        good_batch,
    ),
    case("an unconditional change", "I2", batch_of(upsert), good_batch, "I9"),
    case(
        "a first fence that no record said",
        "I2",
        lambda: first_fence(4, EAST),
        lambda: first_fence(3, EAST),
    ),
    case("a first fence of another Region", "I2", lambda: first_fence(3, WEST), lambda: first_fence(3, EAST)),
    case(
        "a parameter written for what is over",
        "I2",
        lambda: debt(WEST),
        lambda: debt(EAST),
        "I4",
    ),
    case(
        "Linode pointed where the record does not head",
        "I2",
        lambda: late_linode(sees=False),
        lambda: late_linode(sees=True),
    ),
    case("Linode pointed back", "I2", lambda: linode_at(LINODE[EAST]), lambda: linode_at(LINODE[WEST])),
    case("an answer changed unconditionally", "I2", batch_of(with_upsert), good_batch, "I9"),
    case(
        "another plan's fence",
        "I2",
        batch_of(lambda s: swap(fence(3, EAST), fence(4, WEST, "other")) + swap(answer(EAST), answer(WEST))),
        good_batch,
    ),
    case(
        "a fence of no Region of the plan",
        "I2",
        batch_of(lambda s: swap(fence(3, EAST), fence(4, "eu-west-1"))),
        good_batch,
    ),
    case(
        "the fence not deleted",
        "I2",
        batch_of(lambda s: swap(None, fence(4, WEST)) + swap(answer(EAST), answer(WEST))),
        good_batch,
        "I9",
    ),
    case("an epoch below a fence ahead", "I2", lambda: fence_ahead(5), lambda: fence_ahead(4)),
    case(
        "a fence that does not name the claim's target",
        "I2",
        batch_of(lambda s: swap(fence(3, EAST), fence(4, EAST))),
        good_batch,
        "I19",
    ),
    case(
        "a change for an epoch that is over",
        "I2",
        lambda: of_the_old_epoch(changes=True),
        lambda: of_the_old_epoch(changes=False),
        "I4",
        "I9",
        "I20",
    ),
    case("a write without a look", "I2", lambda: unseen(loads=False), lambda: unseen(loads=True), "I4"),
    # I3
    case(
        "a record made anew with a move in it",
        "I3",
        lambda: made_anew(open=True),
        made_anew,
        *("I1", "I4", "I5", "I11", "I13", "I23"),
    ),
    case("ended under another epoch", "I3", lambda: ended_as(5), ended_as),
    case("ended and left open", "I3", lambda: ended_as(left_open=True), ended_as),
    case("ended twice", "I3", lambda: ended_as(twice=True), ended_as),
    case(
        "ended again, no record put there",
        "I3",
        lambda: again_after("nothing"),
        lambda: again_after("lost"),
        "I1",
    ),
    case(
        "ended again, no older record put there",
        "I3",
        lambda: again_after("nothing"),
        lambda: again_after("restored"),
        "I1",
    ),
    case(
        "an epoch claimed twice, no record lost",
        "I1",
        lambda: again_after("nothing"),
        lambda: again_after("lost"),
        "I3",
    ),
    case("a step left out", "I3", lambda: steps_changed(shorter=True), lambda: steps_changed(shorter=False)),
    case("a version skipped", "I3", version_jumps, lambda: version_of(6)),
    case("an epoch skipped", "I3", lambda: claim_numbers(epoch=6), claim_numbers),
    case("a transition gone without a history", "I3", lambda: vanished(False), lambda: vanished(True)),
    case("history lost", "I3", lambda: history_left(complete=False), lambda: history_left(complete=True)),
    case("history changed", "I3", history_changed, lambda: history_left(complete=True)),
    case("history of what is still open", "I3", still_open_in_history, still_open_at_rest),
    case("a settled step opened", "I3", lambda: settled_step("done"), lambda: settled_step("failed")),
    # I4
    case("an effect after the lease", "I4", lambda: late_write(120), lambda: late_write(119.9)),
    case("an effect on another's lease", "I4", lambda: write_by("b"), lambda: write_by("a")),
    case("an effect when the record says halted", "I4", lambda: halted(True), lambda: halted(False)),
    case("a clock that stands still", "I4", lambda: backward_clock(0), lambda: backward_clock(15.1)),
    case("nothing is owed", "I4", lambda: debt(owed=False), debt),
    case("a step claim that has ended", "I4", lambda: linode_claimed(90), lambda: linode_claimed(89.9)),
    case("a step not claimed", "I4", lambda: linode_unclaimed(True), lambda: linode_unclaimed(False)),
    case("a lease taken too early", "I4", lambda: taken_over(119), lambda: taken_over(120)),
    case("a lease of a clock ahead", "I4", lambda: ahead(30), lambda: ahead(30.1)),
    case("a lease longer than a lease", "I4", lambda: lease_of(121), lambda: lease_of(120)),
    case("a lease given to another", "I4", lambda: leased_to("b"), lambda: leased_to("a")),
    case("a write that corrects nothing", "I4", writes_when_over, lambda: corrected(seen=True)),
    case("put back too late", "I4", lambda: put_back(901), lambda: put_back(900)),
    case("put back to the other Region", "I4", lambda: put_back(60, WEST), lambda: put_back(60), "I2"),
    case("Linode put back too late", "I4", lambda: linode_put_back(901), lambda: linode_put_back(900)),
    case(
        "Linode put back to the other Region",
        "I4",
        lambda: linode_put_back(60, WEST),
        lambda: linode_put_back(60),
        "I2",
    ),
    case("an attempt of another", "I4", lambda: second_attempt("b~2"), lambda: second_attempt("a~2")),
    # I5
    case("verified too long ago", "I5", lambda: verified_ago(31), lambda: verified_ago(30)),
    case(
        "verified too long ago, clocks allowed for",
        "I5",
        lambda: verified_ago(33, skew_s=1),
        lambda: verified_ago(32, skew_s=1),
    ),
    case("taken over and not looked", "I5", lambda: sent_unseen(False), lambda: sent_unseen(True)),
    case("decided long before the claim", "I5", lambda: claimed_late(31), lambda: claimed_late(30)),
    case("verified_at invented", "I5", lambda: claim_numbers(verified_at=at(5)), claim_numbers),
    case(
        "a Linode step claimed on an old look",
        "I5",
        lambda: linode_claimed(0, before_claim_s=31),
        lambda: linode_claimed(0, before_claim_s=30),
    ),
    # I6
    case(
        "an answer deleted",
        "I6",
        batch_of(lambda s: swap(fence(3, EAST), fence(4, WEST)) + swap(answer(EAST), None)),
        good_batch,
        "I2",
    ),
    case(
        "an answer outside the plan",
        "I6",
        batch_of(lambda s: swap(fence(3, EAST), fence(4, WEST)) + swap(answer(EAST), stranger())),
        good_batch,
        "I2",
    ),
    # I7
    case("not INSYNC", "I7", lambda: completed_without("no"), completed_without),
    case("INSYNC not asked", "I7", lambda: completed_without("insync"), completed_without),
    case("not read back", "I7", lambda: completed_without("read"), completed_without),
    case(
        "read back before INSYNC",
        "I7",
        lambda: completed_without("insync", "insync first"),
        completed_without,
    ),
    case("a parameter not read back", "I7", lambda: completed_without("parameter"), completed_without),
    case("Linode not read back", "I7", lambda: completed_without("linode"), completed_without),
    case(
        "the target's own parameter owed",
        "I7",
        lambda: completed_without(west="owed"),
        lambda: completed_without(east="owed"),
    ),
    case("a step failed", "I7", lambda: completed_without(west="failed"), completed_without),
    case(
        "the record moved elsewhere",
        "I7",
        lambda: completed_elsewhere(EAST),
        lambda: completed_elsewhere(WEST),
    ),
    # I8
    case(
        "a stranger's record",
        "I8",
        batch_of(lambda s: s.batch() + swap(None, stranger(name="b.example.com"))),
        good_batch,
    ),
    case("a Linode id never looked up", "I8", lambda: linode_seen(2), lambda: linode_seen(1)),
    case(
        "a Linode target in no plan",
        "I8",
        lambda: linode_at("203.0.113.99"),
        lambda: linode_at(LINODE[WEST]),
        "I2",
    ),
    case(
        "a stranger's parameter", "I8", lambda: parameter_named("/other"), lambda: parameter_named(PARAMETER)
    ),
    # I9
    case("deletes what the snapshot did not see", "I9", lambda: drifted(False), lambda: drifted(True)),
    case("no snapshot", "I9", lambda: Story().claimed().submit(), good_batch),
    case("a snapshot replaced", "I9", lambda: snapshot_replaced(False), lambda: snapshot_replaced(True)),
    case("a foreign snapshot taken again", "I9", lambda: snapshot_retaken(foreign=True), snapshot_retaken),
    case(
        "a snapshot taken again after the batch", "I9", lambda: snapshot_retaken(sent=True), snapshot_retaken
    ),
    case("a snapshot of a fence ahead", "I9", lambda: snapshot_retaken(ahead=True), snapshot_retaken),
    # I10 to I13
    case(
        "denied is no evidence",
        "I10",
        lambda: failover_seen(east_read=DENIED, east_beat=DENIED),
        lambda: failover_seen(east_read=DENIED),
        "I13",
    ),
    case(
        "throttled is no evidence",
        "I10",
        lambda: failover_seen(east=THROTTLED),
        lambda: failover_seen(east=SERVER),
        "I13",
    ),
    case(
        "our TLS is no evidence",
        "I10",
        lambda: failover_seen(east_http=TLS),
        lambda: failover_seen(east_http=BAD_GATEWAY),
        "I13",
    ),
    case(
        "their 404 is no evidence",
        "I10",
        lambda: failover_seen(east_http=NOT_FOUND),
        lambda: failover_seen(east_http=REFUSED),
        "I13",
    ),
    case("cut off", "I10", lambda: failover_seen(**CUT_OFF), failover_seen, "I5", "I12"),
    case("nothing failed", "I11", lambda: failover_seen(east=None), failover_seen, "I13"),
    case("never looked", "I11", lambda: Story().begin().load().decide().claim(), failover_seen, "I5", "I13"),
    case("both down", "I12", lambda: failover_seen(west_http=BAD_GATEWAY), failover_seen, "I5"),
    case(
        "one kind alone", "I13", lambda: failover_seen(east_http=None), lambda: failover_seen(east_read=None)
    ),
    case("degraded, and the plan only tells", "I13", lambda: left_degraded("notify"), left_degraded, "I23"),
    case("degraded without a slow sample", "I13", lambda: left_degraded(worn=False), left_degraded),
    # I14
    case("replication unknown one way", "I14", lambda: measured(to_east=None), measured),
    case("replication unknown the other way", "I14", lambda: measured(to_west=None), measured),
    case("replication slow", "I14", lambda: measured(to_west=31), lambda: measured(to_west=30)),
    case("a loss not recorded", "I14", lambda: lost(None, measured=True), lambda: lost(None, measured=False)),
    case(
        "a loss seen while its round lasted",
        "I14",
        lambda: lost_late(went_on=False),
        lambda: lost_late(went_on=True),
    ),
    case(
        "a heartbeat of a clock far ahead measured",
        "I14",
        lambda: measured(to_west=-31),
        lambda: measured(to_west=-30),
    ),
    # I15
    case("within the cooldown", "I15", lambda: cooled(3590), lambda: cooled(3660)),
    case("within the record's cooldown", "I15", lambda: cooled_by_record(1), lambda: cooled_by_record(0)),
    case("beyond the budget", "I15", claims_of_a_day, lambda: claims_of_a_day(acknowledged=True)),
    case(
        "beyond the budget, a day later",
        "I15",
        lambda: claims_of_a_day(hours=23.9),
        lambda: claims_of_a_day(hours=24.1),
    ),
    # I16
    case("not healthy for long", "I16", lambda: failback(19), lambda: failback(20)),
    case("a relapse", "I16", lambda: failback(at_6="unhealthy"), lambda: failback(at_5="unhealthy")),
    case("a relapse to unknown", "I16", lambda: failback(at_20="unknown"), lambda: failback(at_3="unknown")),
    case("samples long ago", "I16", lambda: healthy_then(181), lambda: healthy_then(119)),
    case("a relapse that it has seen", "I16", lambda: relapsed(seen=True), lambda: relapsed(seen=False)),
    case(
        "a look long ago", "I16", lambda: relapsed(seen=False, then=35), lambda: relapsed(seen=False, then=9)
    ),
    case("no samples", "I16", lambda: Story(active=WEST).claimed(), failback),
    # I17
    case("a batch in a pause", "I17", lambda: paused_before("batch"), lambda: paused_before("unseen")),
    case(
        "a parameter in a pause",
        "I17",
        lambda: paused_before("parameter"),
        lambda: paused_before("parameter", manual=True),
    ),
    case(
        "Linode in a pause",
        "I17",
        lambda: paused_before("linode"),
        lambda: paused_before("linode", manual=True),
    ),
    case("a debt in a pause", "I17", lambda: debt(paused=True), debt),
    case(
        "a claim in a pause",
        "I17",
        lambda: Story().edit(paused=True).claimed(),
        lambda: Story().edit(paused=False).claimed(),
    ),
    case("put back in a pause", "I17", lambda: put_back(60, paused=True), lambda: put_back(60)),
    # I18
    case("open at rest", "I18", lambda: Story().started().rest(), still_open_at_rest),
    case(
        "a record set elsewhere at rest",
        "I18",
        lambda: at_rest(zones={ZONE: [answer(EAST), fence(4, WEST)]}),
        at_rest,
    ),
    case(
        "a fence elsewhere at rest",
        "I18",
        lambda: at_rest(zones={ZONE: [answer(WEST), fence(3, EAST)]}),
        at_rest,
    ),
    case(
        "a parameter elsewhere at rest",
        "I18",
        lambda: at_rest(parameters=parameters(EAST)),
        lambda: at_rest(parameters=parameters(WEST)),
    ),
    case("Linode elsewhere at rest", "I18", lambda: linode_at_rest(EAST), lambda: linode_at_rest(WEST)),
    case("a notice unsent at rest", "I18", lambda: unsent("steady"), lambda: unsent("")),
    # I19
    case(
        "towards a failing Region",
        "I19",
        lambda: sent_towards(failing=True),
        lambda: sent_towards(failing=False),
    ),
    case("stopped midway", "I19", lambda: stopped(begun=True), lambda: stopped(begun=False)),
    # I20
    case("a zone changed twice in one epoch", "I20", second_batch, reasserted),
    case(
        "an event with two effects",
        "I20",
        lambda: steady_requests(("e", "completed"), ("e", "")),
        lambda: steady_requests(("e", "stopped"), ("e", "")),
    ),
    case(
        "a request with two effects",
        "I20",
        lambda: two_requests("r1", "r1"),
        lambda: two_requests("r1", "r2"),
    ),
    case("a stale event", "I20", lambda: aged(901), lambda: aged(900)),
    case(
        "a stale event, clocks allowed for", "I20", lambda: aged(921, skew_s=10), lambda: aged(919, skew_s=10)
    ),
    case("a request not noted", "I20", lambda: unnoted(""), lambda: unnoted("r2")),
    # I21
    case(
        "left to humans",
        "I21",
        lambda: with_policy(failover="manual"),
        lambda: with_policy(failback="manual"),
    ),
    case("nobody was asked", "I21", lambda: failback_of("approval"), lambda: failback_of("automatic")),
    case("nobody has answered", "I21", lambda: approved(answer="none"), approved),
    case("a human said no", "I21", lambda: approved(answer="rejected"), approved),
    case("an approval of another way", "I21", lambda: approved(target="eu-west-1"), approved),
    case(
        "an expired approval",
        "I21",
        lambda: approved(expires_at=at(1715), after_s=100.0),
        lambda: approved(expires_at=at(1725), after_s=100.0),
    ),
    case("a proposal left after its claim", "I21", lambda: approved(keep=True), approved),
    case(
        "a proposal made with its answer", "I21", lambda: proposed_as("approved"), lambda: proposed_as("none")
    ),
    case("an answer changed", "I21", lambda: answered_twice("rejected"), lambda: answered_twice("approved")),
    case(
        "a proposal changed with its answer",
        "I21",
        lambda: changed_while_asked(target="eu-west-1"),
        lambda: changed_while_asked(evidence="more"),
    ),
    case(
        "an answer that no operator gave",
        "I21",
        lambda: approved(answered_by="failback"),
        lambda: approved(answered_by="operator"),
    ),
    # I22
    case("a notice dropped unsent", "I22", lambda: published(False), lambda: published(True)),
    case(
        "a notice sent with other words",
        "I22",
        lambda: published(True, "a\nOn a page: {x}\nb", "a\nOn a page: https://x"),
        lambda: published(True, "a\nOn a page: {x}\nb", "a\nOn a page: https://x\nb"),
    ),
    case(
        "a notice sent without its last line",
        "I22",
        lambda: published(True, "a\nOn a page: {x}\nb", "a"),
        lambda: published(True, "a\nOn a page: {x}\nb", "a\nb"),
    ),
    case(
        "a notification's error ends a worker",
        "I22",
        lambda: ended_with(other=False),
        lambda: ended_with(other=True),
    ),
    # I23
    case("no decision", "I23", lambda: Story().begin().load().look().claim(), decided),
    case("another worker's decision", "I23", lambda: undecided("b"), lambda: undecided("a")),
    case("a decision that does not follow: paused", "I23", lambda: decided(paused=True), decided),
    case("a decision that does not follow: healthy", "I23", lambda: decided(source="healthy"), decided),
    case("a decision that does not follow: target", "I23", lambda: decided(target="unknown"), decided),
    case(
        "a decision that does not follow: budget",
        "I23",
        lambda: decided_of(moves_of_the_day=4),
        lambda: decided_of(moves_of_the_day=3),
    ),
    case(
        "a decision that does not follow: no yes",
        "I23",
        lambda: back_decided(approval="pending"),
        lambda: back_decided(approval="approved"),
    ),
    case(
        "a decision that does not follow: closed",
        "I23",
        lambda: back_decided(opening="blackout"),
        lambda: back_decided(opening="open"),
    ),
    case("a decision without its inputs", "I23", without_situation, decided),
    # I24
    case("a secret", "I24", lambda: secret_in("Bearer s3cr3t-token"), lambda: secret_in("Bearer ***")),
]


@pytest.mark.parametrize("found", CASES, ids=lambda found: f"{found.broken} {found.name}")
def test_a_history_that_breaks_a_rule_is_blamed_for_it(found: Case) -> None:
    assert found.violation().broken == {found.broken} | found.also


@pytest.mark.parametrize("found", CASES, ids=lambda found: f"{found.broken} {found.name}")
def test_a_near_miss_is_not_blamed(found: Case) -> None:
    assert found.broken not in found.near_miss().broken


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_no_rule_is_idle(rule: type[Rule]) -> None:
    """Without it, some case is not blamed for what it breaks."""
    others = [other for other in RULES if other is not rule]
    stories = (found.violation().entries for found in CASES if found.broken == rule.invariant)
    assert any(
        rule.invariant not in {violation.invariant for violation in Judge(entries, others).run()}
        for entries in stories
    )


def test_every_invariant_has_a_case() -> None:
    assert {found.broken for found in CASES} == {f"I{number}" for number in range(1, 25)}


def test_the_stories_without_a_fault_are_blamed_for_nothing() -> None:
    assert Story().completed().rest().broken == set()
    assert Story(active=WEST).healthy().completed().rest().broken == set()
    assert ANSWERS[EAST] != ANSWERS[WEST]
