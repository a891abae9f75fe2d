"""Stability (DESIGN §9): I15 cooldown, I16 health before a failback, I17 pause."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from proof.checker.facts import Facts, Save, Worker
from proof.checker.judgement import OnClaim, goes_on
from proof.checker.reading import Batch, Record, Transition, read_health, seconds_between, version_of, when
from proof.checker.rule import SLACK_S, Entry, Rule


class Cooldown(OnClaim):
    """I15: an automatic claim comes no earlier than the cooldown after the last completion, either way.

    The further steps of a failback, and its taking back, belong to the first one.

    In true time, clocks' errors allowed for; and by the record's own words exactly: it never begins before
    the `cooldown_until` that it replaces. A transition that was stopped before it began cools nothing down;
    a human who changes `cooldown_until` ends or extends it.
    """

    invariant = "I15"

    def __init__(self, facts: Facts) -> None:
        """Begin without a completion."""
        super().__init__(facts)
        self.completed_t: float | None = None

    def saved(self, save: Save) -> None:
        """Judge a claim; remember a completion."""
        super().saved(save)
        if save.completed:
            self.completed_t = save.call["t"]

    def edited(self, before: Record | None, after: Record | None) -> None:
        """Take a human's word for the cooldown."""
        if before is None or after is None or before.cooldown_until != after.cooldown_until:
            self.completed_t = None

    def problem(self, save: Save, opened: Transition) -> str:
        """Blame a claim that comes too early."""
        if opened.manual or goes_on(save, opened):
            return ""
        plan = self.facts.plan
        until = save.before.cooldown_until if save.before else None
        if until and seconds_between(until, opened.started_at) > SLACK_S:
            return f"begun at {opened.started_at}, within the record's cooldown until {until}"
        if self.completed_t is None:
            return ""
        since = save.entry["t"] - self.completed_t
        if since < plan.cooldown_s - plan.wide_s - SLACK_S:
            return f"{since:.1f} s after the last completion, the cooldown is {plan.cooldown_s:.0f} s"
        return ""


class HealthyForLong(OnClaim):
    """I16: before an automatic failback the saved samples of the primary are healthy for `healthy_for_s`.

    Each accepted save of the health record shows the newest sample of the primary. Back from the newest
    before the claim's `started_at` there is none but healthy ones, they reach back that far (or the oldest
    that the history has says that they do, in `since`), no hole is longer than three ticks, and the newest
    is no older than that.

    A sample that somebody saved after the worker's last look at the health record it cannot know: the two
    records are not written together. But that look is no older than what a claim may rest on (I5).
    """

    invariant = "I16"

    def problem(self, save: Save, opened: Transition) -> str:
        """Blame a failback onto a Region that was not healthy for long."""
        if opened.manual or opened.direction != "failback":
            return ""
        looked = save.worker.health
        limit_s = self.facts.plan.verified_within_s + self.facts.plan.wide_s + SLACK_S
        if looked and save.call["t"] - looked[0] > limit_s:
            return f"its last look at the health record was {save.call['t'] - looked[0]:.0f} s ago"
        samples = self._samples(opened.target, opened.started_at, looked[1] if looked else "")
        hole_s = 3 * self.facts.plan.tick_s + self.facts.plan.wide_s
        if not samples or seconds_between(opened.started_at, samples[0]["last_at"]) > hole_s:
            return f"no fresh sample of {opened.target} stands in the health record"
        return self._problem_with(samples, hole_s)

    def _problem_with(self, samples: list[dict[str, Any]], hole_s: float) -> str:
        plan, newest = self.facts.plan, when(samples[0]["last_at"])
        due_s = plan.healthy_for_s - plan.wide_s - SLACK_S
        later = newest
        for sample in samples:
            at = when(sample["last_at"])
            if (newest - at).total_seconds() >= due_s:
                return ""
            if sample["health"] != "healthy":
                ago = (newest - at).total_seconds()
                return f"{ago:.0f} s before the newest sample of the primary one was {sample['health']}"
            if (later - at).total_seconds() > hole_s:
                return f"no sample of the primary for {(later - at).total_seconds():.0f} s"
            later = at
        reach = (newest - when(samples[-1]["since"])).total_seconds()
        return "" if reach >= due_s else f"the samples of the primary reach back {reach:.0f} s only"

    def _samples(self, region: str, before: str, seen: str) -> list[dict[str, Any]]:
        """Return the saved samples of a Region until then, newest first, as far back as could matter.

        `seen`: the health record that the worker last saw; newer ones are left out.
        """
        version = version_of(seen)
        plan = self.facts.plan
        enough_s = plan.healthy_for_s + 4 * plan.tick_s + 4 * plan.skew_s
        latest = when(before) + timedelta(seconds=plan.wide_s + SLACK_S)
        found: list[dict[str, Any]] = []
        newest_t = 0.0
        for entry in reversed(self.facts.health):
            if found and newest_t - entry["t"] > enough_s:
                break
            if version is not None and (version_of(entry["record"]) or 0) > version:
                continue
            sample = read_health(entry["record"]).get(region)
            if sample and when(sample["last_at"]) <= latest:
                newest_t = newest_t if found else entry["t"]
                found.append(sample)
        return found


class PausedMeansNoEffects(Rule):
    """I17: no effect of an automatic transition, and no debt paid, by a worker that last saw a pause.

    Nor is an automatic transition opened on a paused record. Correcting one's own outdated write is no new
    effect, and a human's own transition goes on; so does what a human asks to be written back.
    """

    invariant = "I17"

    def saved(self, save: Save) -> None:
        """Judge a claim."""
        opened = save.opened
        if opened and opened.automatic and save.before and save.before.paused:
            self.blame(save.entry, f"{save.worker.name} claimed {opened.epoch} on a paused record")

    def submitting(self, entry: Entry, worker: Worker, batch: Batch) -> None:
        """Judge a batch that is asked for."""
        if not batch.starts_a_fence:
            self._judge(entry, worker, f"submits to zone {batch.zone_id}")

    def writing(self, entry: Entry, worker: Worker) -> None:
        """Judge a parameter's write."""
        if not self.facts.is_correction(worker, (entry["region"], entry["name"])):
            self._judge(entry, worker, f"writes {entry['name']} in {entry['region']}")

    def pointing(self, entry: Entry, worker: Worker) -> None:
        """Judge a Linode write."""
        if not self.facts.is_linode_correction(worker):
            self._judge(entry, worker, f"points Linode record {entry['record_id']}")

    def _judge(self, entry: Entry, worker: Worker, what: str) -> None:
        seen = worker.seen
        if worker.asked and seen and seen.transition is None:
            return
        if seen and seen.paused and not (seen.transition and seen.transition.manual):
            self.blame(entry, f"{worker.name} {what}, although the record that it last saw is paused")


RULES: tuple[type[Rule], ...] = (Cooldown, HealthyForLong, PausedMeansNoEffects)
