"""Judgement (DESIGN §9): what a worker had seen when it claimed by itself. I10 to I14."""

from __future__ import annotations

from proof.checker.facts import Beat, Save, Worker
from proof.checker.reading import OURS, Transition, read_health, seconds_between
from proof.checker.rule import SLACK_S, Rule


class OnClaim(Rule):
    """Something that is judged when a transition is opened."""

    def saved(self, save: Save) -> None:
        """Judge a claim."""
        opened = save.opened
        text = self.problem(save, opened) if opened else ""
        if opened and text:
            whose = "a human's" if opened.manual else "an automatic"
            self.blame(
                save.entry, f"{save.worker.name} claimed {whose} {opened.direction} {opened.epoch}: {text}"
            )

    def problem(self, save: Save, opened: Transition) -> str:
        """Return what is wrong with this claim, '' if nothing."""
        raise NotImplementedError


def automatic_failover(opened: Transition) -> bool:
    """Return whether no human asked for this, and evidence alone must carry it."""
    return opened.automatic and opened.direction == "failover"


def kinds_against(worker: Worker, region: str) -> set[str]:
    """Return the kinds of evidence that failed in a Region by its own fault."""
    return {kind for kind in ("dynamodb", "http") if any(a.theirs for a in worker.answers(region, (kind,)))}


def goes_on(save: Save, opened: Transition) -> bool:
    """Return whether a claim belongs to a failback that is under way: a further step, or its taking back."""
    on_trial = save.before is not None and save.before.share is not None
    return on_trial and (opened.direction == "failback" or opened.is_return)


def kinds_needed(opened: Transition) -> int:
    """Return how many kinds of evidence a failover needs: what was on trial returns upon one."""
    return 1 if opened.is_return else 2


def left_as_degraded(worker: Worker) -> bool:
    """Return whether a worker had decided to leave a Region that is degraded, not one that is down."""
    situation = (worker.move or {}).get("situation") or {}
    down = situation.get("source") == "unhealthy" and situation.get("source_down")
    return situation.get("degraded") == "source" and not down


class OwnFailureIsUnknown(OnClaim):
    """I10: what failed by our own fault is no evidence: not denied, not throttled, not cut off everywhere."""

    invariant = "I10"

    def problem(self, save: Save, opened: Transition) -> str:
        """Blame a claim that our own failures carry."""
        if not automatic_failover(opened):
            return ""
        worker, plan = save.worker, self.facts.plan
        everywhere = [a for region in plan.regions for a in worker.answers(region)]
        if everywhere and all(a.gave_up or a.transport for a in everywhere):
            return "nothing answered in any Region: it was cut off itself"
        ours = any(a.how == OURS for a in worker.answers(opened.source))
        if ours and len(kinds_against(worker, opened.source)) < kinds_needed(opened):
            return f"checks of {opened.source} failed by our own fault, which is no evidence"
        return ""


class UnknownMovesNothing(OnClaim):
    """I11: a Region that nothing failed in, or that was not looked at, is not left automatically."""

    invariant = "I11"

    def problem(self, save: Save, opened: Transition) -> str:
        """Blame a claim without any evidence."""
        if not automatic_failover(opened) or left_as_degraded(save.worker):
            return ""  # what a degraded Region needs, I13 asks
        bad = any(answer.bad for answer in save.worker.answers(opened.source))
        return "" if bad else f"no check of {opened.source} had failed"


class BothDownHolds(OnClaim):
    """I12: the target of an automatic failover had answered well in every check of the same worker."""

    invariant = "I12"

    def problem(self, save: Save, opened: Transition) -> str:
        """Blame a claim whose target had failed."""
        if not automatic_failover(opened):
            return ""
        bad = [a for a in save.worker.answers(opened.target) if a.bad]
        if bad and self.facts.verified(save.worker, opened.target) is None:
            return f"{len(bad)} checks of the target {opened.target} had failed too"
        return ""


class TwoKindsOfEvidence(OnClaim):
    """I13: two independent kinds of evidence, DynamoDB's and the endpoints', failed by the Region's fault.

    Of a share of the traffic that is on trial at the primary, one: it returns at the first bad sample.
    How many samples must agree, and for how long, stands in the plan's sampling, which a history does not
    carry: not judged. A Region that is degraded needs a plan that says so, and slow or failed samples on
    record.
    """

    invariant = "I13"

    def problem(self, save: Save, opened: Transition) -> str:
        """Blame a claim on one kind alone."""
        if not automatic_failover(opened):
            return ""
        if left_as_degraded(save.worker):
            return self._not_degraded(opened.source)
        kinds = kinds_against(save.worker, opened.source)
        enough = len(kinds) >= kinds_needed(opened)
        return "" if enough else f"evidence against {opened.source}: {sorted(kinds) or 'none'}"

    def _not_degraded(self, region: str) -> str:
        if not self.facts.plan.leaves_degraded:
            return f"{region} is left as degraded, which the plan does not say"
        known = read_health(self.facts.health[-1]["record"]).get(region) if self.facts.health else None
        return "" if known and known.get("minutes") else f"no slow or failed sample of {region} is on record"


class ReplicationMeasured(OnClaim):
    """I14: an automatic failback has replication measured both ways, below the limit, by the same worker,
    which wrote both heartbeats; a failover records the loss wherever it was to be measured."""

    invariant = "I14"

    def problem(self, save: Save, opened: Transition) -> str:
        """Blame a failback on unknown replication, or a loss not recorded."""
        if opened.direction == "failover":
            beats = save.worker.beats.get((opened.source, opened.target), [])
            unrecorded = opened.loss_s is None and beats and all(b.age_s is not None for b in beats)
            return "the loss was measured and is not recorded" if unrecorded else ""
        if opened.manual:
            return ""
        pairs = ((opened.source, opened.target), (opened.target, opened.source))
        return next((text for pair in pairs if (text := self._unmeasured(save.worker, *pair))), "")

    def _unmeasured(self, worker: Worker, writer: str, reader: str) -> str:
        plan = self.facts.plan
        wrote = worker.checks.get((writer, "dynamodb", "heartbeat"), [])
        if all(answer.bad for answer in wrote):
            return f"no heartbeat was written in {writer}"
        beats: list[Beat] = worker.beats.get((writer, reader), [])
        ages = [beat.age_s for beat in beats if beat.age_s is not None]
        if not ages:
            return f"replication from {writer} to {reader} was not measured"
        if min(ages) > plan.max_lag_s + plan.wide_s + SLACK_S:
            return f"replication from {writer} to {reader} took {min(ages):.1f} s"
        return ""


def age_at_reply(call_clock: str, call_t: float, reply_t: float, seen: str) -> float:
    """Return how old a heartbeat was when it was seen, by the worker's own clock."""
    return seconds_between(call_clock, seen) + (reply_t - call_t)


RULES: tuple[type[Rule], ...] = (
    OwnFailureIsUnknown,
    UnknownMovesNothing,
    BothDownHolds,
    TwoKindsOfEvidence,
    ReplicationMeasured,
)
