"""A transition before it is made: every switch, what is asked of it, and the checksum that binds it all.

A human who has seen a preview can ask for just that move (`expect`): the flow makes the preview anew,
directly before the claim, and holds where its checksum is another one. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from region_failover.domain.batches import (
    Batches,
    Intent,
    Safety,
    batches_of,
    count_changes,
    unsafe,
)
from region_failover.domain.checksum import digest, switches_of
from region_failover.domain.entries import NOTHING, Entry, There, What, entries_of, linode_key
from region_failover.domain.linode import plain_target
from region_failover.domain.plan import Plan, Role
from region_failover.domain.state import Step


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing asked of a transition, whether it is so, and in words."""

    safety: Safety
    ok: bool
    words: str


@dataclass(frozen=True, slots=True)
class Preview:
    """A transition, switch by switch. `epoch`: the one that it would have."""

    plan: Plan
    epoch: int
    intent: Intent
    steps: tuple[Step, ...]
    batches: Batches
    entries: tuple[Entry, ...]

    @property
    def count(self) -> int:
        """Return how many changes count against the plan's cap."""
        return count_changes(self.plan, self.intent, self.steps, self.batches)

    @property
    def unread(self) -> tuple[str, ...]:
        """Return what could not be read, and why."""
        return tuple(f"{e.what.value} {e.region} {e.subject}: {e.unread}" for e in self.entries if e.unread)

    @property
    def checksum(self) -> str:
        """Return what a human may ask for; '' where a zone was not read: then nobody knows what is there.

        It binds direction, epoch, both Regions, and of every switch what is there and what would be, with all
        that is known of it. Of Linode's records and parameters that could not be read, it binds that they
        were not: a Region that is lost answers nothing.
        """
        if any(entry.unread and entry.what in {What.RECORD, What.FENCE} for entry in self.entries):
            return ""
        about = {
            "plan": self.plan.name,
            "epoch": self.epoch,
            **asdict(self.intent),
            "entries": [
                [e.what, e.subject, e.region, e.becomes, "unread" if e.unread else [e.was]]
                for e in self.entries
            ],
            "switches": switches_of(self.plan),
        }
        return digest(about)


def preview_of(plan: Plan, epoch: int, intent: Intent, steps: Sequence[Step], there: There) -> Preview:
    """Return the preview of a transition with these steps, from what was read."""
    batches = batches_of(plan, epoch, intent, steps, there.zones)
    entries = [entry for step in steps for entry in entries_of(plan, epoch, intent, step, there, batches)]
    return Preview(plan, epoch, intent, tuple(steps), batches, tuple(entries))


def findings_of(preview: Preview, verified: bool, target_why: str) -> Iterator[Finding]:
    """Yield what is asked of a transition. `verified`: the target was seen healthy just now, else why not."""
    yield from _of_batches(preview)
    cap, count = preview.plan.policy.max_changes, preview.count
    allowed = (
        f"{count} changes, at most {cap} are allowed" if cap else f"{count} changes, the plan has no limit"
    )
    yield Finding(Safety.WITHIN_CAP, cap is None or count <= cap, allowed)
    target = preview.intent.target
    words = f"{target} answers every check just now" if verified else f"{target} does not: {target_why}"
    yield Finding(Safety.TARGET_VERIFIED, verified, words)
    unread = preview.unread
    yield Finding(Safety.ALL_READ, not unread, "; ".join(unread) or "all that would be switched was read")
    yield from _of_linode(preview)


def _of_batches(preview: Preview) -> Iterator[Finding]:
    found = [wrong for zone, batch in preview.batches.items() for wrong in unsafe(preview.plan, zone, batch)]
    empty = [e.subject for e in preview.entries if e.what is What.RECORD and e.before == NOTHING]
    well = {
        Safety.OUTSIDE_UNTOUCHED: "the batches hold names of the plan and its fences, no others",
        Safety.NO_EMPTY_ANSWER: f"empty now, and repaired: {', '.join(empty)}"
        if empty
        else "every name has an answer, before and after",
    }
    for safety, words in well.items():
        wrong = "; ".join(said for kind, said in found if kind is safety)
        yield Finding(safety, not wrong, wrong or words)


def _of_linode(preview: Preview) -> Iterator[Finding]:
    """Yield whether Linode's step would take what is there: it refuses what is in no plan."""
    known = {
        linode_key(record): (record.type, [record.target(role) for role in Role])
        for record in preview.plan.linode_records
    }
    read = [entry for entry in preview.entries if entry.what is What.LINODE and not entry.unread]
    wrong = [f"{e.subject} is {e.before}" for e in read if not _is_ours(e, *known.get(e.subject, ("", [])))]
    if read:
        words = f"the step would fail: {'; '.join(wrong)}, one record that the plan knows was expected"
        yield Finding(
            Safety.LINODE_AS_PLANNED, not wrong, words if wrong else "each is there once, as planned"
        )


def _is_ours(entry: Entry, kind: str, targets: Sequence[str]) -> bool:
    found = entry.was if isinstance(entry.was, list) else []
    ours = {plain_target(kind, target) for target in targets}
    return len(found) == 1 and plain_target(kind, found[0]["target"]) in ours


def said(preview: Preview) -> dict[str, object]:
    """Return a preview as JSON can say it."""
    intent = preview.intent
    return {
        "direction": intent.direction.value,
        "from": intent.source,
        "to": intent.target,
        "epoch": preview.epoch,
        "share": intent.share,
        "switches": [_said(entry) for entry in preview.entries],
        "batches": {
            zone: {"changes": len(batch), "values": sum(len(change.record.values) for change in batch)}
            for zone, batch in preview.batches.items()
        },
        "changes": preview.count,
        "max_changes": preview.plan.policy.max_changes,
        "checksum": preview.checksum,
    }


def _said(entry: Entry) -> dict[str, object]:
    return {
        "switch": entry.what.value,
        "subject": entry.subject,
        "region": entry.region,
        "before": entry.before,
        "after": entry.after,
        "was": entry.was,
        "becomes": entry.becomes,
        "changes": entry.changes,
        "not_read": entry.unread,
    }
