"""Traffic (DESIGN §9): I5 verified target, I6 answers, I7 completion, I8 strangers' records, I9 snapshots."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

from proof.checker.facts import Facts, Save, Worker
from proof.checker.reading import (
    Batch,
    Content,
    Key,
    Transition,
    contents_of,
    read_fence,
    seconds_between,
)
from proof.checker.rule import SLACK_S, Entry, Rule


class TargetVerified(Rule):
    """I5: traffic is only sent to a Region that the same worker has just seen well in every check.

    At the call of a batch that changes an answer: within `verified_within_s` of true time (clocks' errors
    allowed for) each check of the target was asked by this worker and answered well. The record's
    `verified_at` is never later than such a round of whoever writes it; a claim, and the claim of a step by
    another executor (Linode), is made within `verified_within_s` of it: what was decided on is what is done.
    """

    invariant = "I5"

    def submitting(self, entry: Entry, worker: Worker, batch: Batch) -> None:
        """Judge a batch that is asked for."""
        if not batch.changes_an_answer:
            return
        target = self.facts.goal_of(batch)
        text = self._not_seen_well(entry["t"], worker, target)
        if text:
            self.blame(entry, f"{worker.name} sends traffic to {target}: {text}")

    def _not_seen_well(self, t: float, worker: Worker, target: str | None) -> str:
        plan = self.facts.plan
        if target not in plan.regions:
            return "no Region of the plan"
        oldest = self.facts.verified(worker, target)
        if oldest is None:
            return "it has not seen every check of it answer well"
        age = t - oldest.t
        if age > plan.verified_within_s + plan.wide_s + SLACK_S:
            return f"it was last seen well {age:.1f} s ago, {plan.verified_within_s:.0f} s are allowed"
        return ""

    def saved(self, save: Save) -> None:
        """Judge a save that says when the target was verified, or claims a step upon it."""
        now, was = save.after.transition, save.was_open
        if now is None:
            return
        same = was is not None and was.epoch == now.epoch
        age = 0.0 if same else seconds_between(now.started_at, now.verified_at)
        if age > self.facts.plan.verified_within_s + SLACK_S:
            self.blame(
                save.entry,
                f"{save.worker.name} claimed epoch {now.epoch} upon what it had seen {age:.1f} s before",
            )
        if not (same and was and was.verified_at == now.verified_at):
            self._judge_claimed(save, now)
        if same and was:
            self._judge_step(save, was, now)

    def _judge_claimed(self, save: Save, now: Transition) -> None:
        oldest = self.facts.verified(save.worker, now.target) if self._knows(now.target) else None
        if oldest is None:
            self.blame(
                save.entry,
                f"{save.worker.name} wrote that {now.target} is verified, and has not seen every check of it"
                " answer well",
            )
        elif seconds_between(now.verified_at, oldest.clock) > SLACK_S:
            self.blame(
                save.entry,
                f"{save.worker.name} wrote that {now.target} was verified at {now.verified_at}, its checks"
                f" are of {oldest.clock}",
            )

    def _knows(self, region: str) -> bool:
        return region in self.facts.plan.regions

    def _judge_step(self, save: Save, was: Transition, now: Transition) -> None:
        old, new = was.step("linode"), now.step("linode")
        claimed = old and new and new["claimed_until"] and new["claimed_until"] != old["claimed_until"]
        age = seconds_between(save.call["clock"], now.verified_at) if claimed else 0.0
        if age > self.facts.plan.verified_within_s + SLACK_S:
            self.blame(
                save.entry,
                f"{save.worker.name} claims the Linode step, its target was verified {age:.1f} s ago",
            )


class AnswerWithinPlan(Rule):
    """I6: no batch leaves a record of the plan without an answer, or with one outside the plan.

    Judged on what the batch itself touches: humans may do what they like with the rest.
    """

    invariant = "I6"

    def accepted(self, entry: Entry, worker: Worker, batch: Batch) -> None:
        """Judge a batch."""
        planned = self.facts.plan.records.get(batch.zone_id, {})
        for key in batch.touched:
            after = batch.creates.get(key)
            if after is None:
                self.blame(entry, f"{worker.name}'s batch deletes {' '.join(key)} and creates nothing there")
            elif key in planned and after not in planned[key].every(self.facts.plan.steps):
                self.blame(entry, f"{worker.name}'s batch lets {' '.join(key)} answer {after}")
        fence = batch.fence_key
        if fence in batch.deletes and fence not in batch.creates:
            self.blame(entry, f"{worker.name}'s batch deletes the fence and creates none")


class DoneMeansDone(Rule):
    """I7: complete only after INSYNC and a matching read-back of everything.

    Before the save that completes an epoch: for each zone an `is_insync` that said yes to a change of this
    epoch, and after that a read that showed fence and records of this epoch, by whichever worker; for each
    parameter done, a read since the claim that showed the target; for Linode done, a find since the claim
    that showed each record at the target. Every step is done, or owed: a parameter of a failover outside
    the target Region.
    """

    invariant = "I7"

    def __init__(self, facts: Facts) -> None:
        """Begin with nothing confirmed."""
        super().__init__(facts)
        self.insync: dict[tuple[str, int], int] = {}
        self.read_back: set[tuple[str, int]] = set()
        self.parameters: set[tuple[str, str, str | None]] = (
            set()
        )  # (Region, name, value) read since the claim
        self.linode: set[tuple[tuple[int, str, str], tuple[str, int]]] = set()

    def told(self, entry: Entry, call: Entry, worker: Worker) -> None:
        """Note what was confirmed."""
        if "error" in entry:
            return
        result, op = entry["result"], entry["op"]
        if op == "zones.is_insync":
            change = self.facts.change_ids.get(call["change_id"])
            if result and change:
                self.insync.setdefault(change, entry["n"])
        elif op == "zones.read":
            self._read_zone(call, result)
        elif op == "parameters.read":
            self.parameters.add((call["region"], call["name"], result))
        elif op == "linode.find" and len(result) == 1:
            key = (call["domain_id"], call["name"].lower(), call["type"])
            self.linode.add((key, (result[0]["target"], result[0]["ttl_sec"])))

    def _read_zone(self, call: Entry, result: Entry) -> None:
        fence = read_fence(result["fence"])
        seen = (call["zone_id"], fence.epoch) if fence else None
        if seen is None or fence is None or self.insync.get(seen, call["n"]) >= call["n"]:
            return
        planned = self.facts.plan.records.get(call["zone_id"], {})
        found = contents_of(result["records"])
        claim = self.facts.claims.get(fence.epoch)
        share = claim.share if claim else None
        if fence.active not in self.facts.plan.regions:
            return
        if all(found.get(key) == both.at(fence.active, share) for key, both in planned.items()):
            self.read_back.add(seen)

    def saved(self, save: Save) -> None:
        """Judge a completion; begin to look again with each claim."""
        if save.opened:
            self.parameters.clear()
            self.linode.clear()
        ended = save.completed
        for text in self._missing(save, ended) if ended else ():
            self.blame(save.entry, f"{save.worker.name} completed epoch {ended.epoch}, but {text}")  # type: ignore[union-attr]

    def _missing(self, save: Save, ended: Transition) -> list[str]:
        plan, epoch = self.facts.plan, ended.epoch
        missing = [
            f"no change of zone {zone} was INSYNC"
            if (zone, epoch) not in self.insync
            else f"zone {zone} was not read back after INSYNC"
            for zone in plan.records
            if (zone, epoch) not in self.read_back and (ended.share is None or ended.step("route53", zone))
        ]
        if save.after.active != ended.active_after:
            missing.append(f"the record's active Region is {save.after.active}, not {ended.active_after}")
        return missing + [text for step in ended.steps if (text := self._missing_step(step, ended))]

    def _missing_step(self, step: dict[str, Any], ended: Transition) -> str:
        kind, status, region, subject = step["kind"], step["status"], step["region"], step["subject"]
        name = " ".join(part for part in (kind, region, subject) if part)
        if status == "owed":
            may = kind == "ssm" and ended.direction == "failover" and region != ended.target
            return "" if may else f"{name} is owed"
        if status != "done":
            return f"{name} is {status}"
        if kind == "ssm" and (region, subject, ended.target) not in self.parameters:
            return f"{name} was never read back as {ended.target}"
        if kind == "linode":
            for key, both in self.facts.plan.linode.items():
                if (key, both[ended.target]) not in self.linode:
                    return f"Linode record {key[1]!r} was never read back as {both[ended.target]}"
        return ""


class OnlyPlanned(Rule):
    """I8: nothing outside the plan is touched, and Linode's ids are those that were just looked up."""

    invariant = "I8"

    def submitting(self, entry: Entry, worker: Worker, batch: Batch) -> None:
        """Judge a batch that is asked for, also one that is refused."""
        planned: set[Key | None] = {*self.facts.plan.records.get(batch.zone_id, ()), batch.fence_key}
        for name, kind in sorted(key for key in batch.keys if key not in planned):
            self.blame(entry, f"{worker.name}'s batch in zone {batch.zone_id} touches {name} {kind}")

    def writing(self, entry: Entry, worker: Worker) -> None:
        """Judge a parameter's write."""
        if (entry["region"], entry["name"]) not in self.facts.plan.parameters:
            self.blame(entry, f"{worker.name} writes parameter {entry['name']} in {entry['region']}")

    def pointing(self, entry: Entry, worker: Worker) -> None:
        """Judge a Linode write."""
        what = f"{worker.name} points Linode record {entry['record_id']} of domain {entry['domain_id']}"
        planned = worker.found.get((entry["domain_id"], entry["record_id"]))
        if planned is None:
            self.blame(entry, f"{what}, which no look-up of a planned name has returned to it")
        elif entry["target"] not in {target for target, _ in self.facts.plan.linode[planned].values()}:
            self.blame(entry, f"{what} at {entry['target']}, which is in no plan")


class AsTheSnapshotSaw(Rule):
    """I9: a batch deletes exactly what the step's snapshot saw; one is replaced only by a harmless one.

    At the call: the record that the worker last saw holds the step's `before`; each record set that the
    batch deletes is as `before` has it, one that it only creates is absent there. A batch that deletes and
    creates the same needs no snapshot if all of it is the plan's: it proves what is there. A zone's snapshot
    may be taken again while no batch of the epoch has been accepted there, if what it saw is the plan's
    alone: answers of the plan (or none), and no fence but the plan's own of an older epoch. What gives a plan
    at rest its own answers back has no step: it deletes the fence alone, or what a human has said to replace.
    """

    invariant = "I9"

    def submitting(self, entry: Entry, worker: Worker, batch: Batch) -> None:
        """Judge a batch that is asked for."""
        if batch.reasserts or (batch.starts_a_fence and not (worker.seen and worker.seen.transition)):
            return
        if self.facts.writes_back(worker, batch):
            return
        found = worker.seen.transition if worker.seen else None
        step = found.step("route53", batch.zone_id) if found else None
        if step is None or not step["before"]:
            self.blame(
                entry, f"{worker.name} submits to zone {batch.zone_id} without a snapshot in the record"
            )
            return
        before = _contents_of_snapshot(step["before"])
        for key in sorted(batch.keys):
            if batch.deletes.get(key) != before.get(key):
                self.blame(
                    entry,
                    f"{worker.name} takes {' '.join(key)} for {batch.deletes.get(key)}, the snapshot saw"
                    f" {before.get(key)}",
                )

    def saved(self, save: Save) -> None:
        """Judge a save that touches a snapshot."""
        was, now = save.was_open, save.after.transition
        if was is None or now is None or was.epoch != now.epoch:
            return
        for old, new in zip(was.steps, now.steps, strict=False):
            changed = old["before"] and new["before"] != old["before"]
            if changed and not _grew(old, new) and not self._harmless(now.epoch, new, now.forced):
                self.blame(
                    save.entry, f"{save.worker.name} replaced the snapshot of {old['kind']} {old['subject']}"
                )

    def _harmless(self, epoch: int, step: dict[str, Any], forced: bool) -> bool:
        """Return whether nothing of this epoch has happened there, and nothing foreign is taken for known.

        Of a forced move a human has said that whatever stands in the plan's records shall be overwritten.
        """
        zone_id = step["subject"]
        if step["kind"] != "route53" or (zone_id, epoch) in self.facts.change_ids.values():
            return False
        planned = self.facts.plan.records.get(zone_id, {})
        fence_key = self.facts.plan.fences.get(zone_id)
        for key, content in _contents_of_snapshot(step["before"]).items():
            if key == fence_key:
                fence = read_fence(content[1])
                if fence is None or fence.plan != self.facts.plan.name or fence.epoch >= epoch:
                    return False
            elif not forced and content[1] not in {values for _, values, _ in planned.get(key, {}).values()}:
                return False
        return True


def _contents_of_snapshot(text: str) -> dict[Key, Content]:
    if text.startswith("zlib:"):  # how the record keeps a long one
        text = zlib.decompress(base64.b85decode(text[5:])).decode()
    found = json.loads(text)
    there = [*found["records"], *([found["fence"]] if found["fence"] else [])]
    return contents_of(there)


RULES: tuple[type[Rule], ...] = (
    TargetVerified,
    AnswerWithinPlan,
    DoneMeansDone,
    OnlyPlanned,
    AsTheSnapshotSaw,
)


def _grew(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Return whether a snapshot of Linode's records has but gained what could not be looked at before."""
    if old["kind"] != "linode":
        return False
    return all(seen in json.loads(new["before"]) for seen in json.loads(old["before"]))
