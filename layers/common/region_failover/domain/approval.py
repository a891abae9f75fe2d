"""A failback that waits for a human's word: made, answered once, and gone as soon as it does not hold (I21).

A proposal's id is the checksum of all that it is about, so an answer binds to just that: not to what the
plan says after the next deploy, nor to another epoch. Silence is no: it expires. Pure; the flows save what
these functions return by compare-and-swap on the record.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from region_failover.domain.plan import Plan, Policy, Role, Route53Record
from region_failover.domain.state import Answer, Phase, PlanState, Proposal
from region_failover.domain.window import opens_at

ID_LENGTH = 16  # hexadecimal digits: 64 bits, short enough to be read out on the telephone

# For so long into the window that it waits for a proposal stands at least: ticks come every minute, and a
# hold of the moment, or a worker that dies, may cost some of them.
ROOM_IN_THE_WINDOW = timedelta(hours=1)


class Approval(StrEnum):
    """Where the word of a human stands."""

    NONE = "none"
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"


def checksum(plan: Plan, epoch: int, source: str, target: str, made_at: datetime) -> str:
    """Return the id of a proposal to move this plan, as it is now, from there to there after this epoch."""
    role = plan.regions.role(target)
    about = {
        "plan": plan.name,
        "epoch": epoch,
        "from": source,
        "to": target,
        "made_at": made_at.isoformat(),
        "route53": [_switched(record, role) for record in plan.route53_records],
        "linode": [[r.domain_id, r.name, r.type, r.ttl_sec, r.target(role)] for r in plan.linode_records],
        "ssm": [[p.name, *p.regions] for p in plan.ssm_parameters],
    }
    text = json.dumps(about, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:ID_LENGTH]


def _switched(record: Route53Record, role: Role) -> list[object]:
    """Return all that a plan says of a record; of a plain one what every version has said."""
    found: list[object] = [record.zone_id, record.name, record.type, record.ttl, *record.values(role)]
    alias = record.alias(role)
    if alias:
        found.append({"alias": [alias.zone_id, alias.name, alias.evaluate]})
    if record.set_identifier:
        found.append({"set": record.set_identifier})
    if record.weighted:
        other = [_switched(replace(record, weighted=False), each) for each in Role if each is not role]
        found.append({"weighted": list(record.identifiers), "and": other})
    return found


def expiry(policy: Policy, now: datetime) -> datetime:
    """Return when a proposal made now expires: not before the window that its failback waits for has opened.

    A yes that was given in time for a window must be good for it. Where a failback may begin now, or no
    window opens in sight, the proposal has the policy's time and no more.
    """
    after_its_time = now + policy.approval_expires
    opens = opens_at(policy.failback_windows, policy.failback_blackouts, now)
    if opens is None or opens <= now:
        return after_its_time
    return max(after_its_time, opens + ROOM_IN_THE_WINDOW)


def propose(plan: Plan, state: PlanState, evidence: str, now: datetime) -> PlanState | None:
    """Return the state with a failback proposed; None where nothing can be, or one stands already."""
    if state.phase is not Phase.STEADY or state.paused or state.active == plan.regions.primary:
        return None
    if approval_of(plan, state, now) is not Approval.NONE:
        return None
    source, target = state.active, plan.regions.primary
    proposal = Proposal(
        id=checksum(plan, state.epoch, source, target, now),
        source=source,
        target=target,
        made_at=now,
        expires_at=expiry(plan.policy, now),
        evidence=evidence,
    )
    return replace(state, proposal=proposal)


def approval_of(plan: Plan, state: PlanState, now: datetime) -> Approval:
    """Return where the proposal on record stands now; NONE where it is about anything but what is."""
    found = state.proposal
    if found is None or not found.made_at <= now < found.expires_at:
        return Approval.NONE
    if found.id != checksum(plan, state.epoch, state.active, plan.regions.primary, found.made_at):
        return Approval.NONE
    return {
        Answer.NONE: Approval.PENDING,
        Answer.APPROVED: Approval.APPROVED,
        Answer.REJECTED: Approval.REJECTED,
    }[found.answer]


def why_not_answerable(state: PlanState, proposal_id: str, now: datetime) -> str:
    """Return why this proposal cannot be answered now, '' if it can."""
    found = state.proposal
    if found is None or found.id != proposal_id:
        standing = f"the one that waits is {found.id}" if found else "none waits"
        return f"there is no proposal {proposal_id} (withdrawn, replaced or carried out): {standing}"
    if now >= found.expires_at:
        return f"proposal {proposal_id} expired at {found.expires_at.isoformat(timespec='seconds')}"
    if found.answer is not Answer.NONE:
        return f"proposal {proposal_id} was {found.answer.value} by {found.answered_by} already"
    return ""


def give_answer(
    state: PlanState, proposal_id: str, answer: Answer, by: str, now: datetime
) -> PlanState | None:
    """Return the state with the proposal answered; None where it cannot be: an answer is given once."""
    found = state.proposal
    if found is None or why_not_answerable(state, proposal_id, now):
        return None
    return replace(state, proposal=replace(found, answer=answer, answered_by=by, answered_at=now))


def withdraw(state: PlanState, proposal_id: str) -> PlanState | None:
    """Return the state without this proposal, whatever was answered; None if it is gone already."""
    if state.proposal is None or state.proposal.id != proposal_id:
        return None
    return replace(state, proposal=None)
