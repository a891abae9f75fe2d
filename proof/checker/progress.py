"""Progress (DESIGN §9): I18 rest, I19 no way back, I20 one effect, I22 notices."""

from __future__ import annotations

from typing import Any

from proof.checker.facts import Facts, Save, Worker
from proof.checker.reading import (
    Batch,
    Fence,
    Record,
    Transition,
    contents_of,
    read_fence,
    record_of,
    seconds_between,
)
from proof.checker.rule import SLACK_S, Entry, Rule

# How the line of a notice begins that holds the link to a page.
LINK = "On a page:"


class SteadyAtRest(Rule):
    """I18: where the history says that it has healed and had the time, everything agrees with the record.

    Nothing is open, nothing waits to be sent; every record, every parameter that is not owed and every
    Linode record names the active Region; the fence is that of the last completed epoch. (That this comes
    within a lease and two ticks is for whoever writes the history to allow.)
    """

    invariant = "I18"

    def __init__(self, facts: Facts) -> None:
        """Begin without a completion."""
        super().__init__(facts)
        self.completed: int | None = None
        self.completed_in: dict[str, int] = {}  # by zone: a step of a failback has those with weights alone

    def saved(self, save: Save) -> None:
        """Remember the last completed epoch, and that of each zone."""
        done = save.completed
        if done:
            self.completed = done.epoch
            zones = [step["subject"] for step in done.steps if step["kind"] == "route53"]
            self.completed_in |= dict.fromkeys(zones, done.epoch)

    def edited(self, before: Record | None, after: Record | None) -> None:
        """Begin anew with a human's record that tells another story."""
        same = before and after and (before.epoch, before.active) == (after.epoch, after.active)
        self.completed = self.completed if same else None
        self.completed_in = self.completed_in if same else {}

    def rest(self, entry: Entry) -> None:
        """Judge what is left."""
        if entry.get("expect") != "steady":
            return
        state = record_of(entry["state"])
        if state is None:
            self.blame(entry, "there is no state record")
            return
        for text in (
            *self._record(state),
            *self._zones(entry, state),
            *self._parameters(entry, state),
            *self._linode(entry, state),
        ):
            self.blame(entry, text)

    @staticmethod
    def _record(state: Record) -> list[str]:
        wrong = []
        if state.transition:
            steps = ", ".join(f"{s['kind']} {s['region']} {s['status']}" for s in state.transition.steps)
            wrong.append(f"epoch {state.transition.epoch} is still open ({steps})")
        elif state.phase != "steady":
            wrong.append(f"the phase is {state.phase}, and nothing is open")
        wrong += [f"not sent: {notice['subject']}" for notice in state.outbox]
        return wrong

    def _zones(self, entry: Entry, state: Record) -> list[str]:
        plan, wrong = self.facts.plan, []
        for zone_id, planned in plan.records.items():
            found = contents_of(entry["zones"].get(zone_id, ()))
            wrong += [
                f"zone {zone_id}: {' '.join(key)} holds {found.get(key)}, the active Region is {state.active}"
                for key, both in planned.items()
                if found.get(key) != both.at(state.active, state.share)
            ]
            there = found.get(plan.fences[zone_id])
            fence = read_fence(there[1]) if there else None
            if (there or self.completed is not None) and not self._agrees(zone_id, fence, state):
                wrong.append(
                    f"zone {zone_id}: the fence says {fence}, the record {state.epoch} {state.active}"
                )
        return wrong

    def _agrees(self, zone_id: str, fence: Fence | None, state: Record) -> bool:
        if fence is None or (fence.plan, fence.active) != (self.facts.plan.name, state.active):
            return False
        done = self.completed_in.get(zone_id)
        return fence.epoch <= state.epoch if done is None else fence.epoch == done

    def _parameters(self, entry: Entry, state: Record) -> list[str]:
        found = {(p["region"], p["name"]): p["value"] for p in entry["parameters"]}
        return [
            f"parameter {name} in {region} is {found.get((region, name))}, active is {state.active}"
            for region, name in sorted(self.facts.plan.parameters)
            if not state.owes(region, name) and found.get((region, name)) != state.active
        ]

    def _linode(self, entry: Entry, state: Record) -> list[str]:
        found: dict[tuple[int, str, str], tuple[Any, Any]] = {
            (r["domain_id"], r["name"].lower(), r["type"]): (r["target"], r["ttl_sec"])
            for r in entry["linode"]
        }
        return [
            f"Linode record {key[1]!r} is {found.get(key)}, the active Region is {state.active}"
            for key, both in self.facts.plan.linode.items()
            if found.get(key) != both.get(state.active)
        ]


class NoWayBack(Rule):
    """I19: nothing goes towards a Region that the worker last saw failing, and what has begun is not stopped.

    Judged at the call of every batch. A worker that carries several events at once looks several times at
    once; there, one good look is enough. A transition is only stopped while every step is pending and no
    batch of its epoch was accepted.
    """

    invariant = "I19"

    def __init__(self, facts: Facts) -> None:
        """Begin with no batch accepted."""
        super().__init__(facts)
        self.begun: set[int] = set()

    def submitting(self, entry: Entry, worker: Worker, batch: Batch) -> None:
        """Judge a batch that is asked for."""
        target = None if batch.starts_a_fence else self.facts.goal_of(batch)
        if target not in self.facts.plan.regions or not self.facts.last_round_is_bad(worker, target):
            return
        several = len(worker.events()) > 1 and self.facts.verified(worker, target) is not None
        if not several:
            self.blame(entry, f"{worker.name} sends a batch towards {target}, which it last saw failing")

    def accepted(self, entry: Entry, worker: Worker, batch: Batch) -> None:
        """Remember that an epoch has begun."""
        if batch.fence and not batch.starts_a_fence:
            self.begun.add(batch.fence.epoch)

    def saved(self, save: Save) -> None:
        """Judge a stop."""
        stopped = save.stopped
        if stopped is None:
            return
        begun = [step["kind"] for step in stopped.steps if step["status"] != "pending"]
        if begun or stopped.epoch in self.begun:
            self.blame(
                save.entry,
                f"{save.worker.name} stopped epoch {stopped.epoch}, which had begun: {', '.join(begun)}",
            )


class OneEffect(Rule):
    """I20: one event, one effect.

    In each zone at most one accepted batch of an epoch changes an answer, but for what gives a plan at rest
    its own answers back. An event (its id and time; for a
    human's request the id that the claim must add to the record) opens one transition, unless that one was
    stopped before it began. A worker begun by an event older than its maximum age (clocks' errors allowed
    for) claims and changes nothing.
    """

    invariant = "I20"

    def __init__(self, facts: Facts) -> None:
        """Begin with no effect."""
        super().__init__(facts)
        self.changed: dict[tuple[str, int], int] = {}
        self.opened_by: dict[tuple[str, ...], int] = {}

    def accepted(self, entry: Entry, worker: Worker, batch: Batch) -> None:
        """Judge a batch."""
        if not batch.changes_an_answer or batch.fence is None or self.facts.writes_back(worker, batch):
            return
        what = (batch.zone_id, batch.fence.epoch)
        if what in self.changed:
            self.blame(
                entry,
                f"epoch {what[1]} changes zone {what[0]} a second time, first at entry {self.changed[what]}",
            )
        self.changed.setdefault(what, entry["n"])

    def saved(self, save: Save) -> None:
        """Judge a claim; forget one that was stopped."""
        if save.stopped:
            gone = save.stopped.epoch
            self.opened_by = {key: epoch for key, epoch in self.opened_by.items() if epoch != gone}
        opened = save.opened
        if opened is None:
            return
        self._judge_age(save.entry, save.worker, f"claimed epoch {opened.epoch}")
        if opened.manual and save.before and save.before.requests == save.after.requests:
            self.blame(save.entry, f"{save.worker.name} claimed for a human and noted no new request")
        for key in self._reasons(save, opened):
            if key in self.opened_by:
                self.blame(
                    save.entry,
                    f"{save.worker.name}: event {' '.join(key)} opened epoch {self.opened_by[key]} and now"
                    f" {opened.epoch}",
                )
            self.opened_by.setdefault(key, opened.epoch)

    @staticmethod
    def _reasons(save: Save, opened: Transition) -> list[tuple[str, ...]]:
        if opened.manual:
            return [("request", request) for request in save.after.requests[-1:]]
        events = save.worker.events()
        known = [event for event in events if "id" in event and "time" in event]
        return [(str(known[0]["id"]), str(known[0]["time"]))] if len(events) == 1 == len(known) else []

    def submitting(self, entry: Entry, worker: Worker, batch: Batch) -> None:
        """Judge whether it was late."""
        self._judge_age(entry, worker, "submits a batch")

    def writing(self, entry: Entry, worker: Worker) -> None:
        """Judge whether it was late."""
        self._judge_age(entry, worker, "writes a parameter")

    def pointing(self, entry: Entry, worker: Worker) -> None:
        """Judge whether it was late."""
        self._judge_age(entry, worker, "points a Linode record")

    def _judge_age(self, entry: Entry, worker: Worker, what: str) -> None:
        plan = self.facts.plan
        ages = [seconds_between(worker.clock, e["time"]) if "time" in e else 0.0 for e in worker.events()]
        if ages and min(ages) > plan.maximum_age_s + plan.wide_s + SLACK_S:
            self.blame(
                entry,
                f"{worker.name} {what}, begun by an event of {min(ages):.0f} s ago,"
                f" {plan.maximum_age_s:.0f} s are allowed",
            )


class NoticesKept(Rule):
    """I22: a failed notification neither ends a worker nor is lost.

    A worker does not end with the error of a publication (if nothing else failed with the same), and a
    notice leaves the record only once a publication of its subject and text has got through. (But for the
    line of the link to a page: its secret is in no record, so it is made, or left out, as it is sent.)
    """

    invariant = "I22"

    def __init__(self, facts: Facts) -> None:
        """Begin with nothing published."""
        super().__init__(facts)
        self.sent: dict[tuple[str, str], int] = {}
        self.noted: dict[tuple[str, str], int] = {}  # since when a notice stands in the record, by (key, at)

    def published(self, entry: Entry) -> None:
        """Remember it."""
        self.sent[_words(entry)] = entry["n"]

    def saved(self, save: Save) -> None:
        """Judge what left the outbox."""
        before = save.before.outbox if save.before else []
        if before == save.after.outbox:
            return
        kept = {(notice["key"], notice["at"]) for notice in save.after.outbox}
        for notice in before:
            name = (notice["key"], notice["at"])
            if name in kept:
                continue
            since = self.noted.pop(name, -1)
            if self.sent.get(_words(notice), -1) < max(since, 0):
                self.blame(save.entry, f"{save.worker.name} dropped a notice never sent: {notice['subject']}")
        for name in kept:
            self.noted.setdefault(name, save.entry["n"])

    def ended(self, entry: Entry, worker: Worker) -> None:
        """Judge how a worker ended."""
        outcome = str(entry.get("outcome", ""))
        how = outcome.partition(" ")[2] if outcome.startswith("raised") else ""
        failed = {op for op, error in worker.errors if error == how}
        if how and failed == {"notifier.publish"}:
            self.blame(entry, f"{worker.name} ended with the {how} of a notification")


def _words(notice: Any) -> tuple[str, str]:
    """Return a notice's subject and text, without the line of a link."""
    lines = str(notice["text"]).splitlines()
    return str(notice["subject"]), "\n".join(line for line in lines if not line.startswith(LINK))


RULES: tuple[type[Rule], ...] = (SteadyAtRest, NoWayBack, OneEffect, NoticesKept)
