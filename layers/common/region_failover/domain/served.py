"""What a zone's own name servers have to answer once its change has arrived, and what they do answer.

Only an answer that is the same for everybody is compared: the fence's, and that of a record of which one
record set with values of its own can answer. Whoever asks an alias, or sets that share their name, is told
this or that by where he is, by chance or by somebody's health.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import ip_address

from region_failover.domain.plan import Plan, Role
from region_failover.domain.zone import Fence, RecordSet, answers, canonical, fence_record

# Records of a zone that are asked for beside its fence. A change is taken whole: the fence stands for all.
SAMPLED = 4

# Disagreement after INSYNC is told when it has lasted this long since the change was accepted: twice what a
# change generally takes.
TOLD_AFTER = timedelta(minutes=2)

# Name servers that do not answer us may answer everybody else: they are asked for so long, and not longer.
SILENT_FOR = timedelta(seconds=15)
ASK_AGAIN_S = 3.0

_COMPARED = frozenset({"A", "AAAA", "CNAME"})


@dataclass(frozen=True, slots=True)
class Question:
    """A name and type, and the values that have to be answered, sorted, as `ports.NameServers` has them."""

    name: str
    type: str
    values: tuple[str, ...]


class Served(StrEnum):
    """What the name servers say. SILENT: none of them has answered us."""

    RIGHT = "right"
    WRONG = "wrong"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Finding:
    """What they say together, in a line for humans."""

    served: Served
    what: str


# What one server answered, question by question until it fell silent, and why it did, '' if it did not.
Replies = tuple[Sequence[tuple[str, ...]], str]


def questions(
    plan: Plan, zone_id: str, epoch: int, role: Role, share: int | None = None
) -> tuple[Question, ...]:
    """Return what to ask a zone's name servers after the change of that epoch: its fence, some records."""
    records = plan.zones()[zone_id]
    mark = fence_record(records, Fence(plan.name, epoch, plan.regions.of(role)))
    fence = Question(mark.name, mark.type, tuple(value.strip('"') for value in mark.values))
    sure = [found for r in records if (found := _only(answers(r, role, share))) is not None]
    return (fence, *(_question(found) for found in _spread(sure, SAMPLED)))


def _only(sets: Sequence[RecordSet]) -> RecordSet | None:
    """Return the one record set that answers, None where it is not certain which does, or what it says."""
    heavy = [found for found in sets if found.weight is None or found.weight > 0]
    if len(heavy) != 1 or heavy[0].type not in _COMPARED or not heavy[0].values or not heavy[0].simple:
        return None
    lonely = not heavy[0].identifier or heavy[0].weight is not None
    return heavy[0] if lonely else None


def _spread(found: Sequence[RecordSet], most: int) -> list[RecordSet]:
    """Return up to so many, evenly from the first to the last."""
    if len(found) <= most:
        return list(found)
    return [found[number * (len(found) - 1) // (most - 1)] for number in range(most)]


def _question(record: RecordSet) -> Question:
    name = record.name.replace("*", "_region-failover-looks", 1)  # any name that a wildcard answers
    if record.type == "CNAME":
        return Question(name, record.type, tuple(map(canonical, record.values)))
    return Question(name, record.type, tuple(sorted(str(ip_address(value)) for value in record.values)))


def judge(asked: Sequence[Question], said: Mapping[str, Replies]) -> Finding:
    """Return what the name servers say: RIGHT where at least one has answered, and none otherwise."""
    wrong = [
        f"{server} answers {', '.join(values) or 'nothing'} for {question.name} {question.type},"
        f" not {', '.join(question.values)}"
        for server, (replies, _) in said.items()
        for question, values in zip(asked, replies, strict=False)
        if values != question.values
    ]
    if wrong:
        more = f" (and {len(wrong) - 2} more)" if len(wrong) > 2 else ""
        return Finding(Served.WRONG, "; ".join(wrong[:2]) + more)
    whole = sum(len(replies) == len(asked) for replies, _ in said.values())
    if not whole:
        return Finding(Served.SILENT, next((why for _, why in said.values() if why), "none was asked"))
    return Finding(Served.RIGHT, f"{whole} of {len(said)} name servers answer so")


def is_to_be_told(sent_at: datetime, now: datetime) -> bool:
    """Return whether a disagreement after INSYNC has lasted for long enough to be told."""
    return now - sent_at >= TOLD_AFTER
