"""Evidence (DESIGN §9): I23 recorded decisions, I24 secrets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from proof.checker.facts import PlanFacts, Save
from proof.checker.judgement import OnClaim
from proof.checker.reading import Transition, when
from proof.checker.rule import SLACK_S, Entry, Rule, Violation


class DecidedOnRecord(OnClaim):
    """I23: a claim follows a recorded decision of the same worker to move, which its own inputs justify.

    The decision carries situation and policy. Made again here, from nothing else, it comes out as 'move':
    nothing open, no brake on for an automatic one, the target healthy, and the source down (failover) or
    the target settled and replication known and below the limit (failback).
    """

    invariant = "I23"

    def problem(self, save: Save, opened: Transition) -> str:
        """Blame a claim without a decision, or with one that does not follow."""
        decision = save.worker.move
        if decision is None:
            return "no decision to move was recorded by it before"
        situation, policy = decision.get("situation"), decision.get("policy")
        if not situation or not policy:
            return "its recorded decision carries no situation or no policy"
        if situation["manual"] != opened.manual:
            return "its recorded decision is another's"
        why = _why_not(situation, opened, self.facts.plan)
        return f"the situation on record does not justify it: {why}" if why else ""


def _why_not(situation: Entry, opened: Transition, plan: PlanFacts) -> str:
    """Return why this situation does not justify this move, '' if it does."""
    if opened.is_return or (situation.get("on_trial") and opened.direction == "failback"):
        return _why_not_on_trial(situation, opened, plan)
    manual, forced = situation["manual"], situation["manual"] and situation["force"]
    cooling = situation["cooldown_until"]
    if cooling:
        cooling = (when(cooling) - when(situation["now"])).total_seconds() > SLACK_S
    reasons = [
        (situation["phase"] != "steady", f"the phase is {situation['phase']}"),
        (not manual and situation["paused"], "paused"),
        (not manual and cooling, "cooling down"),
        (
            not manual and 0 < plan.per_day <= situation.get("moves_of_the_day", 0),
            "the day's budget is spent",
        ),
        (situation["target"] != "healthy", f"the target is {situation['target']}"),
    ]
    if opened.direction == "failover":
        down = situation["source"] == "unhealthy" and situation["source_down"]
        down = down or (plan.leaves_degraded and situation.get("degraded") == "source")
        reasons.append((not forced and not down, "the source is not decidedly down"))
    else:
        known = [lag for lag in situation["lags_s"] if lag is not None]
        measured = len(known) == 2 and max(known) <= plan.max_lag_s
        reasons.append((not forced and not measured, f"replication is {situation['lags_s']}"))
        reasons.append((not manual and not situation["settled"], "the target is not settled"))
        asked = plan.modes["failback"] == "approval" and situation.get("approval") != "approved"
        closed = situation.get("opening", "open") != "open"
        reasons.append((not manual and asked, f"a human's word is {situation.get('approval')}"))
        reasons.append((not manual and closed, f"the calendar says {situation.get('opening')}"))
    return ", ".join(text for wrong, text in reasons if wrong)


def _why_not_on_trial(situation: Entry, opened: Transition, plan: PlanFacts) -> str:
    """Return why this situation, with a share on trial, justifies neither the next step nor the return."""
    manual = situation["manual"]
    reasons = [
        (not situation.get("on_trial"), "nothing is on trial"),
        (situation["phase"] != "steady", f"the phase is {situation['phase']}"),
        (not manual and situation["paused"], "paused"),
    ]
    if opened.is_return:
        hidden = situation["target"] == "unknown" and situation.get("target_ours")
        reasons += [
            (situation["source"] != "healthy", f"the standby is {situation['source']}"),
            (not manual and situation["target"] == "healthy", "the primary is healthy"),
            (not manual and bool(hidden), "our own fault hides the primary"),
        ]
    else:
        known = [lag for lag in situation["lags_s"] if lag is not None]
        measured = len(known) == 2 and max(known) <= plan.max_lag_s
        forced = manual and situation["force"]
        reasons += [
            (situation["target"] != "healthy", f"the target is {situation['target']}"),
            (not forced and not measured, f"replication is {situation['lags_s']}"),
            (not manual and not situation["settled"], "the target is not settled"),
            (not manual and not situation.get("trial_lasted"), "the trial has not lasted"),
        ]
    return ", ".join(text for wrong, text in reasons if wrong)


def find_secrets(entries: Iterable[Entry], secrets: list[str]) -> list[Violation]:
    """I24: return a violation for each entry, after the plan's own, in which a secret stands."""
    found = []
    for entry in entries:
        if entry["kind"] == "plan":
            continue
        texts = list(_texts(entry))
        for number, secret in enumerate(secrets, start=1):
            if any(secret in text for text in texts):
                what = f"{entry['kind']} {entry.get('op', '')}".rstrip()
                found.append(
                    Violation("I24", entry["n"], entry["t"], f"secret number {number} stands in a {what}")
                )
    return found


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


RULES: tuple[type[Rule], ...] = (DecidedOnRecord,)
