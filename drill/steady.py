"""Questions to a running world, asked until they are answered or time is up."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from drill.client import Answer


def wait_for(question: Callable[[], bool], within_s: float, every_s: float = 0.2) -> bool:
    """Return True as soon as the question is answered so, False when time is up."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if question():
            return True
        time.sleep(every_s)
    return question()


def all_good_from(answers: Sequence[Answer], region: str, at_least: int) -> tuple[bool, str]:
    """Return whether there are enough answers, all good and all from that Region; and in words."""
    good = sum(answer.ok and answer.region == region for answer in answers)
    return good == len(answers) >= at_least, f"{good} of {len(answers)} requests answered by {region}"


def first_good(answers: Sequence[Answer], after: float, region: str) -> Answer | None:
    """Return the first good answer of a Region at or after a moment of the monotonic clock."""
    return next((a for a in answers if a.at_monotonic >= after and a.ok and a.region == region), None)


def first_failed(answers: Sequence[Answer], after: float) -> Answer | None:
    """Return the first failed request at or after a moment of the monotonic clock."""
    return next((a for a in answers if a.at_monotonic >= after and not a.ok), None)
