"""Exclusion (DESIGN §9): I1 one open transition, I2 epochs, I3 what only grows, I4 leases."""

from __future__ import annotations

import json
from typing import Any

from proof.checker.facts import CLOCKS_AGREE_S, Facts, Save, Worker
from proof.checker.reading import (
    Batch,
    Record,
    Transition,
    read_fence,
    read_transition,
    seconds_between,
)
from proof.checker.rule import SLACK_S, Entry, Rule


class OneOpenTransition(Rule):
    """I1: at most one open transition per plan.

    An open transition is followed by itself or by none, and stays what it is (direction, Regions, whose it
    is, since when); an epoch is claimed once. An older record put there by a human, or a record made anew
    after the old one was lost, gives the later epochs free again.
    """

    invariant = "I1"

    def __init__(self, facts: Facts) -> None:
        """Begin without any claim."""
        super().__init__(facts)
        self.claimed: set[int] = set()

    def saved(self, save: Save) -> None:
        """Judge a save."""
        if save.before is None:
            self._give_free(save.after.epoch)
        was, now = save.was_open, save.after.transition
        if was and now and was.epoch != now.epoch:
            self.blame(save.entry, f"{save.worker.name} opened epoch {now.epoch} while {was.epoch} was open")
        elif was and now and was.what_it_is != now.what_it_is:
            self.blame(
                save.entry,
                f"{save.worker.name} made of epoch {was.epoch} another transition:"
                f" {was.what_it_is} became {now.what_it_is}",
            )
        opened = save.opened
        if opened is None:
            return
        if opened.epoch in self.claimed:
            self.blame(save.entry, f"{save.worker.name} claimed epoch {opened.epoch} a second time")
        self.claimed.add(opened.epoch)

    def edited(self, before: Record | None, after: Record | None) -> None:
        """Take a human's word."""
        if after:
            self._give_free(after.epoch)
            self.claimed |= {after.transition.epoch} if after.transition else set()

    def _give_free(self, beyond: int) -> None:
        self.claimed = {epoch for epoch in self.claimed if epoch <= beyond}


class FenceOfItsEpoch(Rule):
    """I2: an accepted batch carries the fence of a claimed epoch, and a lower one changes nothing.

    The batch deletes the fence that was there and creates one of an epoch that was claimed before, which
    names the claim's target; the records that it leaves behind are that target's (but for what a human
    wrote and the batch did not touch). Its epoch is not below that of the fence that it deletes: so it never
    goes down in a zone, unless a human makes it. The first fence, put alone where none was, says what a
    stored record said. A batch that changes something is never of an epoch below the record's; one that
    changes nothing may come late. What gives a plan at rest its own answers back belongs to no claim: the
    fence that it keeps says that nothing has moved there since.
    """

    invariant = "I2"

    def __init__(self, facts: Facts) -> None:
        """Begin with nothing said."""
        super().__init__(facts)
        self.said: set[tuple[int, str]] = set()

    def saved(self, save: Save) -> None:
        """Remember where a record said that the traffic is."""
        self.said.add((save.after.epoch, save.after.active))

    def edited(self, before: Record | None, after: Record | None) -> None:
        """Remember what a human's record says."""
        if after:
            self.said.add((after.epoch, after.active))

    def accepted(self, entry: Entry, worker: Worker, batch: Batch) -> None:
        """Judge a batch."""
        text = self._problem(batch, worker)
        if text:
            self.blame(entry, f"{worker.name}'s batch in zone {batch.zone_id} {text}")

    def _problem(self, batch: Batch, worker: Worker) -> str:
        plan, fence = self.facts.plan, batch.fence
        if batch.odd:
            return f"is no compare-and-swap: {', '.join(batch.odd)}"
        if fence is None or fence.plan != plan.name or fence.active not in plan.regions:
            return "carries no fence of the plan"
        there = self.facts.fence_of(batch.zone_id)
        if there is not None and batch.deletes.get(batch.fence_key) != there:  # type: ignore[arg-type]
            return "does not delete the fence that was there"
        older = read_fence(there[1]) if there else None
        if older and older.plan == plan.name and fence.epoch < older.epoch:
            return f"is of epoch {fence.epoch}, after one of epoch {older.epoch}"
        first = batch.starts_a_fence and (fence.epoch, fence.active) in self.said
        if first or self.facts.writes_back(worker, batch):
            return ""
        return self._problem_with_claim(batch, fence.epoch, fence.active)

    def _problem_with_claim(self, batch: Batch, epoch: int, active: str) -> str:
        claim, record = self.facts.claims.get(epoch), self.facts.record
        if claim is None:
            return f"is of epoch {epoch}, which nobody has claimed"
        if active != claim.active_after:
            return f"names {active}, but epoch {epoch} goes to {claim.active_after}"
        if record and record.epoch > epoch and not batch.reasserts:
            return f"changes something for epoch {epoch}, while the record is at {record.epoch}"
        zone = self.facts.zones.get(batch.zone_id, {})
        for key, both in self.facts.plan.records.get(batch.zone_id, {}).items():
            after = batch.creates.get(key, zone.get(key))
            human = (batch.zone_id, key) in self.facts.by_human and key not in batch.keys
            due = both.at(active, claim.share)
            if after != due and not human:
                return f"leaves {' '.join(key)} at {after}, not at {active}'s {due}"
        return ""


class NewestWord(Rule):
    """I2: a parameter or a Linode record is only ever given what the record that its writer last saw says.

    Neither service can refuse an outdated writer, so the rule is about what the writer itself knew: never a
    write for an epoch that it has seen to be over.
    """

    invariant = "I2"

    def writing(self, entry: Entry, worker: Worker) -> None:
        """Judge a parameter's write."""
        self._judge(entry, worker, f"{entry['name']} in {entry['region']}", entry["value"])

    def pointing(self, entry: Entry, worker: Worker) -> None:
        """Judge a Linode write."""
        planned = worker.found.get((entry["domain_id"], entry["record_id"]))
        if planned is None:
            return  # I8 blames it
        goal = (entry["target"], entry["ttl_sec"])
        both = self.facts.plan.linode[planned]
        meant = next((region for region, content in both.items() if content == goal), f"{goal}")
        self._judge(entry, worker, f"Linode record {planned[1]!r}", meant)

    def _judge(self, entry: Entry, worker: Worker, what: str, value: str) -> None:
        seen = worker.seen
        if seen is None:
            self.blame(entry, f"{worker.name} writes {what} without having seen the record")
        elif value != seen.heading:
            self.blame(
                entry,
                f"{worker.name} sets {what} to {value}, but the record that it last saw (epoch {seen.epoch})"
                f" heads for {seen.heading}",
            )


class OnlyGrows(Rule):
    """I3: versions and epochs go up one by one; what has ended is written to the history once, for good.

    A save replaces the version that it expected by the next one; the epoch rises by one with a claim and
    never otherwise; a transition leaves the record only for the history, as it was. At rest the history
    holds every claimed epoch that is not open, as it was written. Excepted: a transition that a human took
    out of the record, and epochs above that of an older record put there.
    """

    invariant = "I3"

    def __init__(self, facts: Facts) -> None:
        """Begin with an empty history."""
        super().__init__(facts)
        self.written: dict[int, dict[str, Any]] = {}
        self.removed: set[int] = set()

    def saved(self, save: Save) -> None:
        """Judge a save."""
        if save.before is None:
            self._excuse(save.after.epoch)
        text = self._problem_with_numbers(save) or self._problem_with_end(save)
        if text:
            self.blame(save.entry, f"{save.worker.name} {text}")
        if save.ended:
            self.written.setdefault(save.ended.epoch, save.ended.found)

    def _problem_with_numbers(self, save: Save) -> str:
        before, after = save.before, save.after
        version = before.version if before else 0
        if (save.entry["expected"], after.version) != (version, version + 1):
            return f"replaced version {version} by {after.version}, expecting {save.entry['expected']}"
        if before is None:
            return "" if after.transition is None else "made the first record with a transition in it"
        epoch = before.epoch + (save.opened is not None)
        if after.epoch != epoch or (save.opened and save.opened.epoch != epoch):
            return f"set the epoch from {before.epoch} to {after.epoch}, {epoch} was due"
        return ""

    def _problem_with_end(self, save: Save) -> str:
        was, ended = save.was_open, save.ended
        if ended is None:
            vanished = was is not None and save.after.transition is None
            return f"let epoch {was.epoch} vanish without a history" if was and vanished else ""
        if was is None or (was.epoch, was.what_it_is) != (ended.epoch, ended.what_it_is):
            return f"wrote epoch {ended.epoch} to the history, which was not open"
        if save.after.transition is not None:
            return f"wrote epoch {ended.epoch} to the history and left it open"
        if ended.epoch in self.written:
            return f"wrote epoch {ended.epoch} to the history a second time"
        return ""

    def edited(self, before: Record | None, after: Record | None) -> None:
        """Excuse what a human took out, and what is to come again after an older record."""
        if after:
            self._excuse(after.epoch)
        gone = before.transition if before else None
        if gone and not (after and after.transition and after.transition.epoch == gone.epoch):
            self.removed.add(gone.epoch)

    def _excuse(self, beyond: int) -> None:
        again = {epoch for epoch in self.written if epoch > beyond}
        self.removed |= again
        for epoch in again:
            del self.written[epoch]

    def rest(self, entry: Entry) -> None:
        """Judge the history that is left."""
        found: dict[int, list[dict[str, Any]]] = {}
        for text in entry["history"]:
            ended = read_transition(text) if isinstance(text, str) else Transition(text)
            found.setdefault(ended.epoch, []).append(ended.found)
        still_open = self.facts.record.transition.epoch if self._is_open() else None  # type: ignore[union-attr]
        for epoch in sorted(self.facts.claims):
            times = len(found.get(epoch, ()))
            due = 0 if epoch == still_open else 1
            if times != due and epoch not in self.removed:
                self.blame(entry, f"epoch {epoch} was claimed and stands in the history {times} times")
        for epoch, ended_as in self.written.items():
            if ended_as not in found.get(epoch, ()):
                self.blame(entry, f"what ended epoch {epoch} is not in the history as it was written")

    def _is_open(self) -> bool:
        return self.facts.record is not None and self.facts.record.transition is not None


class LeaseHeld(Rule):
    """I4: a worker starts no effect unless the record that it last saw leases the transition to it now.

    Now is the worker's own clock at the call; in true time, its lease was written no longer ago than a
    lease lasts, clocks' errors allowed for. `linode_dns` goes by its own claim of the step. Not bound to a
    lease: the first fence, where there is no transition; what is owed (steady, still owed, to the active
    Region); the correction of one's own write after a newer epoch was seen; for a while after a move, on a
    steady record, what points at the active Region: it puts back what a late writer has written; on a steady
    record, what gives the plan its own answers back (`Facts.writes_back`).
    """

    invariant = "I4"

    def submitting(self, entry: Entry, worker: Worker, batch: Batch) -> None:
        """Judge a batch that is asked for."""
        if batch.starts_a_fence and not (worker.seen and worker.seen.transition):
            return
        if self.facts.writes_back(worker, batch):
            return
        epoch = batch.fence.epoch if batch.fence else None
        text = self._problem(entry, worker, epoch)
        if text:
            self.blame(entry, f"{worker.name} submits to zone {batch.zone_id}, but {text}")

    def writing(self, entry: Entry, worker: Worker) -> None:
        """Judge a parameter's write."""
        key, seen = (entry["region"], entry["name"]), worker.seen
        if self.facts.is_correction(worker, key):
            return
        if seen and seen.transition is None and seen.owes(*key) and entry["value"] == seen.active:
            return
        if self.facts.puts_back(worker, entry, entry["value"]):
            return
        if self.facts.gives_back(worker, entry["value"]):
            return
        text = self._problem(entry, worker, None)
        if text:
            self.blame(entry, f"{worker.name} writes {key[1]} in {key[0]}, but {text}")

    def _problem(self, entry: Entry, worker: Worker, epoch: int | None) -> str:
        found = worker.seen.transition if worker.seen else None
        if worker.seen is None or found is None:
            return "the record that it last saw has no open transition"
        if epoch is not None and found.epoch != epoch:
            return f"the record that it last saw has epoch {found.epoch} open, not {epoch}"
        if worker.seen.phase != "moving":
            return f"the record that it last saw is {worker.seen.phase}"
        if found.lease_owner != worker.owner:
            return f"the lease of epoch {found.epoch} is {found.lease_owner}'s"
        late = seconds_between(entry["clock"], found.lease_until)
        if late >= 0:
            return f"its lease of epoch {found.epoch} ended {late:.3f} s ago by its own clock"
        return self._problem_in_true_time(entry, worker, found)

    def _problem_in_true_time(self, entry: Entry, worker: Worker, found: Transition) -> str:
        since = worker.leased_at.get(found.epoch, entry["t"])
        plan = self.facts.plan
        if entry["t"] - since > plan.lease_s + plan.wide_s + SLACK_S:
            return f"its lease of epoch {found.epoch} was written {entry['t'] - since:.1f} s ago"
        return ""

    def pointing(self, entry: Entry, worker: Worker) -> None:
        """Judge a Linode write."""
        if self.facts.is_linode_correction(worker):
            return
        if self.facts.puts_back(worker, entry, self.facts.pointed_at(worker, entry)):
            return
        text = self._problem_with_step(entry, worker)
        if text:
            self.blame(entry, f"{worker.name} points Linode record {entry['record_id']}, but {text}")

    @staticmethod
    def _problem_with_step(entry: Entry, worker: Worker) -> str:
        found = worker.seen.transition if worker.seen else None
        step = found.step("linode") if found else None
        if worker.seen is None or found is None or step is None or worker.seen.phase != "moving":
            return "the record that it last saw has no such step open"
        if step["owner"] != worker.owner or step["status"] != "doing" or not step["claimed_until"]:
            return f"the step of epoch {found.epoch} is not claimed by it: {step['status']} {step['owner']}"
        late = seconds_between(entry["clock"], step["claimed_until"])
        return f"its claim of the step ended {late:.3f} s ago by its own clock" if late >= 0 else ""


class LeaseTaken(Rule):
    """I4: a lease, or a claim of a step, is taken for oneself only, not before the other's has ended, and
    lasts no longer than a lease does.

    All by the taker's own clock. An end that lies further ahead than a lease lasts, and more than
    CLOCKS_AGREE_S beyond, comes from a clock that was wrong and counts as past.
    """

    invariant = "I4"

    def saved(self, save: Save) -> None:
        """Judge a save that leases."""
        now, was = save.after.transition, save.was_open
        if now is None:
            return
        if was is None or was.epoch != now.epoch:
            was = None
        text = self._problem(save, was, now) or self._problem_with_steps(save, was, now)
        if text:
            self.blame(save.entry, f"{save.worker.name} {text}")

    def _problem(self, save: Save, was: Transition | None, now: Transition) -> str:
        before = (was.lease_owner, was.lease_until) if was else ("", "")
        return self._taken(
            save, f"epoch {now.epoch}", before, (now.lease_owner, now.lease_until), self.facts.plan.lease_s
        )

    def _problem_with_steps(self, save: Save, was: Transition | None, now: Transition) -> str:
        for step in now.steps:
            old = was.step(step["kind"], step["subject"], step["region"]) if was else None
            until, until_before = step["claimed_until"], old["claimed_until"] if old else None
            if until and until != until_before:
                held = (old["owner"], until_before or "") if old else ("", "")
                what = f"step {step['kind']} {step['subject']} of epoch {now.epoch}"
                text = self._taken(save, what, held, (step["owner"], until), self.facts.plan.step_lease_s)
                if text:
                    return text
        return ""

    @staticmethod
    def _taken(save: Save, what: str, was: tuple[str, str], now: tuple[str, str], lasts_s: float) -> str:
        if was == now:
            return ""
        clock, owner = save.call["clock"], save.worker.owner
        if now[0] != owner:
            return f"leased {what} to {now[0]}"
        if seconds_between(now[1], clock) > lasts_s + SLACK_S:
            return f"leased {what} for {seconds_between(now[1], clock):.1f} s, {lasts_s:.0f} s are due"
        if was[0] in {"", owner} or not was[1]:
            return ""
        left = seconds_between(was[1], clock)
        if SLACK_S < left <= lasts_s + CLOCKS_AGREE_S:
            return f"took {what} from {was[0]}, who had it for {left:.1f} s more"
        return ""


class Journal(Rule):
    """I3: the record tells of steps before and after their effects, and settled ones stay as they are.

    Within an epoch the list of steps does not change, and a step that is done or owed is never opened again.
    """

    invariant = "I3"

    def saved(self, save: Save) -> None:
        """Judge what became of the steps."""
        was, now = save.was_open, save.after.transition or save.ended
        if was is None or now is None or was.epoch != now.epoch:
            return
        names = [(step["kind"], step["region"], step["subject"]) for step in was.steps]
        if names != [(step["kind"], step["region"], step["subject"]) for step in now.steps]:
            self.blame(save.entry, f"{save.worker.name} changed the list of steps of epoch {now.epoch}")
            return
        for old, new in zip(was.steps, now.steps, strict=True):
            if old["status"] in {"done", "owed"} and old != new:
                self.blame(
                    save.entry,
                    f"{save.worker.name} changed the settled step {old['kind']} {old['subject']}:"
                    f" {json.dumps(old)} became {json.dumps(new)}",
                )


RULES: tuple[type[Rule], ...] = (
    OneOpenTransition,
    FenceOfItsEpoch,
    NewestWord,
    OnlyGrows,
    Journal,
    LeaseHeld,
    LeaseTaken,
)
