"""What the record remembers of drift: one finding for each switch that is not as we left it.

How the world is compared with the record stands in `domain/drift.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class DriftKind(StrEnum):
    """In what way a switch is not as we left it. Each value is documented in docs/runbook.md.

    EMPTY: a record of the plan is not there at all, so nobody is answered. FOREIGN: it holds something that
    is in no plan. OTHER_REGION: it holds the answer, or a share, of the Region that is not active. FENCE: the
    fence is missing, another plan's, ahead of the record, or names the other Region. MISSING: something
    beside the answers (a parameter, a record at Linode) is not there.
    """

    EMPTY = "empty"
    FOREIGN = "foreign"
    OTHER_REGION = "other-region"
    FENCE = "fence"
    MISSING = "missing"


# Somebody has changed what we wrote: automation leaves it to a human.
FREEZING = frozenset({DriftKind.FOREIGN, DriftKind.OTHER_REGION, DriftKind.FENCE})


@dataclass(frozen=True, slots=True)
class Drifted:
    """One switch that is not as we left it.

    `subject`: which, such as 'route53 Z… api.example.com A'; `found`: what stands there, in words; `due`:
    what should; `since`: when that was first seen; `left_by`: who said that it is to be left so, '' for
    nobody.
    """

    subject: str
    kind: DriftKind
    found: str
    due: str
    since: datetime
    left_by: str = ""

    @property
    def freezes(self) -> bool:
        """Return whether automation leaves the plan to a human while this stands."""
        return self.kind in FREEZING

    def same(self, other: Drifted) -> bool:
        """Return whether the same thing stands in the same place, whenever it was seen."""
        return (self.subject, self.kind, self.found) == (other.subject, other.kind, other.found)
