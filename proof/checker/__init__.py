"""The checker: judges a history (`proof/history.py`) by the invariants of DESIGN §9.

It shares no code with the product: its reading of records, fences, errors and evidence is its own, so that
a mistake in the product's is not repeated here. It goes through a history once; each rule is a small class.

    python -m proof.checker HISTORY.jsonl      exit 0: no violation; 1: some, printed; 2: no history

What a history can show, and is judged:

I1  one open transition; an epoch is claimed once          I2  fences, epochs, newest word
I3  versions, epochs, history, settled steps               I4  lease at every effect's call; leases taken
I5  target seen well by the same worker, just now          I6  no batch empties or strays
I7  INSYNC, then read back, before completion              I8  only what the plan names
I9  deletes what the snapshot saw                          I10 our own failures carry no claim
I11 nothing failed: no claim                               I12 target failed too: no claim
I13 two kinds of evidence                                  I14 lag known before failback; loss recorded
I15 cooldown; the budget of a day                          I16 healthy for long before failback
I17 paused: no effects, no automatic claim                 I18 all agrees at rest, where that is due
I19 never towards a failing Region; never stopped midway   I20 one event, one effect; stale: none
I21 left to humans; approved by one, once                  I22 notices are neither lost nor in the way
I23 claims follow a recorded decision that holds again     I24 no secret

What it cannot show, and is not judged: that K of N samples and `confirm_for` were waited for (I13: the
plan entry carries no sampling); that 'both down' was said aloud (I12) and observation went on in a pause
(I17): absences, which the functional tests hold; the time of I18, which whoever writes the history allows
for before it says 'steady'; failback windows (the situation on record says what the calendar said); what was
put into logs (I24: logs are no part of a history).

Where workers' clocks are wrong (`skew_s`), rules that compare clocks of two machines, or a clock with true
time, allow twice that; those that look at one clock or at a record's content allow nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from proof.checker.judge import RULES, Judge
from proof.checker.reading import BadHistory
from proof.checker.rule import Violation

__all__ = ["RULES", "BadHistory", "Violation", "check"]


def check(entries: Sequence[dict[str, Any]]) -> list[Violation]:
    """Return the violations in a history, in its order; raise BadHistory where it is none."""
    return Judge(entries).run()
