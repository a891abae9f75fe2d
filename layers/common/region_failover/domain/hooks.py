"""The user's own functions around a move: asked before its first effect, told after its last.

A before-hook may veto; an after-hook may not stop anything. Both are called with the detail of our own event,
and with a key (plan, epoch, hook) that is the same at every call of the same thing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from region_failover.domain.state import SETTLED, Direction, Step, StepKind, StepStatus, Transition

# What is kept and told of a hook's own words.
WORDS_LENGTH = 200
_UNPRINTABLE = re.compile(r"[^ -~\u00a0-\uffff]+")


class When(StrEnum):
    """When a hook is called."""

    BEFORE = "before"
    AFTER = "after"


class Place(StrEnum):
    """In which Region the hook's function is called."""

    TARGET = "target"
    CONTROL = "control"


class IfItFails(StrEnum):
    """What becomes of the move if a before-hook fails, or does not answer in time."""

    STOP = "stop"
    GO_ON = "go on"


@dataclass(frozen=True, slots=True)
class Hook:
    """A Lambda function of the user's. `if_it_fails` None: a failover goes on, a failback stops."""

    name: str
    function: str
    when: When
    place: Place = Place.TARGET
    timeout: timedelta = timedelta(seconds=5)
    if_it_fails: IfItFails | None = None

    @property
    def step(self) -> Step:
        """Return its step within a transition, not begun."""
        kind = StepKind.BEFORE if self.when is When.BEFORE else StepKind.AFTER
        return Step(kind, self.name)

    def region(self, target: str) -> str:
        """Return the Region to call it in, '' for the control Region."""
        return target if self.place is Place.TARGET else ""

    def stops(self, direction: Direction) -> bool:
        """Return whether its failure stops a move in that direction."""
        if self.if_it_fails is not None:
            return self.if_it_fails is IfItFails.STOP
        return direction is Direction.FAILBACK


@dataclass(frozen=True, slots=True)
class Answer:
    """What a before-hook said. `veto` None: go."""

    veto: str | None = None


def read_answer(text: str) -> Answer:
    """Return what a function's answer means: {"veto": "reason"} is a veto; other JSON, or nothing, is none.

    Raises ValueError where it is no JSON: a veto may be what it would have been.
    """
    found = json.loads(text) if text.strip() else None
    veto = found.get("veto") if isinstance(found, dict) else None
    if not veto:
        return Answer()
    return Answer(_words(veto) if isinstance(veto, str) else "no reason given")


def _words(text: str) -> str:
    return _UNPRINTABLE.sub(" ", text).strip()[:WORDS_LENGTH] or "no reason given"


def hook_of(hooks: Sequence[Hook], step: Step) -> Hook | None:
    """Return the plan's hook that a step is about, None where the plan has it no more."""
    return next((hook for hook in hooks if hook.step.key == step.key), None)


def payload(plan: str, transition: Transition, step: Step, at: datetime) -> str:
    """Return what a hook is told, as JSON: the detail of our own event, and the key of this call."""
    share = {} if transition.share is None else {"share": transition.share}
    detail = {
        "plan": plan,
        "epoch": transition.epoch,
        "direction": transition.direction.value,
        "from": transition.source,
        "to": transition.target,
        "reason": transition.reason,
        "at": at.isoformat(),
        "when": step.kind.value,
        "hook": step.subject,
        "manual": transition.manual,
        "key": f"{plan}/{transition.epoch}/{step.subject}",
        **share,
    }
    return json.dumps(detail, sort_keys=True)


def unanswered(transition: Transition) -> tuple[Step, ...]:
    """Return the steps of before-hooks that have not said 'go' yet."""
    return tuple(s for s in transition.steps if s.kind is StepKind.BEFORE and s.status not in SETTLED)


def is_cleared(transition: Transition) -> bool:
    """Return whether every before-hook has let it pass: only then may it have an effect."""
    return not unanswered(transition)


def with_calls_owed(plan: str, ended: Transition, at: datetime) -> Transition:
    """Return a transition whose after-hooks are owed from its end on, each with what it shall be told."""
    return replace(
        ended,
        steps=tuple(
            replace(step, status=StepStatus.OWED, before=payload(plan, ended, step, at))
            if step.kind is StepKind.AFTER and step.status not in SETTLED
            else step
            for step in ended.steps
        ),
    )
