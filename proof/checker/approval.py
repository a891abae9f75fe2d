"""Brakes and approvals (DESIGN §9): I15 the budget of a day, I21 a human's choices."""

from __future__ import annotations

from proof.checker.facts import Facts, Save
from proof.checker.judgement import OnClaim, goes_on
from proof.checker.reading import Proposal, Record, Transition, seconds_between
from proof.checker.rule import SLACK_S, Rule

DAY_S = 86_400.0

# Who may put a human's answer, or acknowledgement, on record.
OPERATOR = "operator"


class LeftToHumans(OnClaim):
    """I21: silence is no: what the plan leaves to humans is never claimed automatically."""

    invariant = "I21"

    def problem(self, save: Save, opened: Transition) -> str:
        """Blame a claim that nobody had allowed."""
        if goes_on(save, opened):
            return ""
        mode = self.facts.plan.modes[opened.direction]
        return f"the plan's {opened.direction} is {mode}" if opened.automatic and mode == "manual" else ""


class ApprovedOnce(OnClaim):
    """I21: where the plan asks first, an automatic failback carries out an approved proposal.

    It stands in the record that the claim replaces, is about this move after this epoch, has not expired by
    the claim's own clock, and none of its kind was claimed before; the claim takes it off the record.
    """

    invariant = "I21"

    def __init__(self, facts: Facts) -> None:
        """Begin with none used."""
        super().__init__(facts)
        self.used: set[str] = set()

    def problem(self, save: Save, opened: Transition) -> str:
        """Blame a claim without a yes."""
        if save.after.proposal is not None:
            return "its proposal stays on record"
        if not opened.automatic or self.facts.plan.modes[opened.direction] != "approval":
            return ""
        if goes_on(save, opened):  # the yes was to all of its steps
            return ""
        found = save.before.proposal if save.before else None
        if found is None or found.answer != "approved":
            return "nobody has approved it"
        late_s = seconds_between(opened.started_at, found.expires_at)
        wrong = (
            ((found.source, found.target) != (opened.source, opened.target), "was about another way"),
            (late_s > -SLACK_S, f"expired {late_s:.0f} s before"),
            (found.id in self.used, "was carried out before"),
        )
        self.used.add(found.id)
        return "; ".join(f"proposal {found.id} {words}" for is_so, words in wrong if is_so)


class AnsweredByHumans(Rule):
    """I21: a proposal begins unanswered, is answered once, by the operator's function, and not changed."""

    invariant = "I21"

    def saved(self, save: Save) -> None:
        """Judge what became of the proposal."""
        was, now = (save.before.proposal if save.before else None), save.after.proposal
        if now is None or now == was:
            return
        problem = self._problem(was, now, save.worker.function)
        if problem:
            self.blame(save.entry, f"{save.worker.name}: proposal {now.id} {problem}")

    def _problem(self, was: Proposal | None, now: Proposal, function: str) -> str:
        if was is None or was.id != now.id:
            return "" if now.answer == "none" else f"begins {now.answer}"
        if was.answer != "none":
            return f"was {was.answer} and is {now.answer}"
        if was.about != now.about:
            return "is about something else now"
        return "" if function == OPERATOR else f"is {now.answer} by the {function} function"


class Budget(OnClaim):
    """I15: no more automatic claims within 24 hours than the plan's budget, unless a human acknowledges."""

    invariant = "I15"

    def __init__(self, facts: Facts) -> None:
        """Begin without a claim."""
        super().__init__(facts)
        self.claimed_t: list[float] = []

    def saved(self, save: Save) -> None:
        """Forget what an operator has acknowledged; judge a claim."""
        if save.worker.function == OPERATOR:
            self._acknowledged(save.before, save.after)
        super().saved(save)

    def edited(self, before: Record | None, after: Record | None) -> None:
        """Take a human's word."""
        self._acknowledged(before, after)

    def _acknowledged(self, before: Record | None, after: Record | None) -> None:
        if before is None or after is None or len(after.automatic_moves) < len(before.automatic_moves):
            self.claimed_t = []

    def problem(self, save: Save, opened: Transition) -> str:
        """Blame a claim beyond the budget, clocks' errors allowed for."""
        if opened.manual or goes_on(save, opened):
            return ""
        plan, now = self.facts.plan, save.entry["t"]
        self.claimed_t = [t for t in self.claimed_t if now - t < DAY_S - plan.wide_s - SLACK_S] + [now]
        if plan.per_day and len(self.claimed_t) > plan.per_day:
            return f"the {len(self.claimed_t)}th automatic one within a day, {plan.per_day} are allowed"
        return ""


RULES: tuple[type[Rule], ...] = (LeftToHumans, ApprovedOnce, AnsweredByHumans, Budget)
