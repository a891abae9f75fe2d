"""Propose a failback to the humans, withdraw it when it does not hold any more, and take their answer."""

from __future__ import annotations

from datetime import datetime, timedelta

from region_failover.domain.approval import (
    Approval,
    approval_of,
    give_answer,
    propose,
    why_not_answerable,
    withdraw,
)
from region_failover.domain.decision import Decision, Reason, Situation
from region_failover.domain.errors import NotAnswerable
from region_failover.domain.journal import LONGEST_TEXT, shortened
from region_failover.domain.plan import Plan
from region_failover.domain.state import Answer, PlanState, Proposal
from region_failover.domain.verdict import HealthRecord
from region_failover.domain.web import answer_marker
from region_failover.domain.window import opens_at
from region_failover.ports import Ports
from region_failover.service.observe import Observation
from region_failover.service.record import Words, change_and_tell


def follow_proposal(
    ports: Ports,
    plan: Plan,
    state: PlanState,
    situation: Situation,
    decision: Decision,
    seen: Observation,
    known: HealthRecord,
) -> None:
    """Propose where only a human's word is missing; withdraw what stands where the primary has relapsed.

    Whatever else holds meanwhile, a pause for one: what was proposed or approved is not true any more.
    """
    standing = approval_of(plan, state, ports.clock.now())
    if decision.reason is Reason.AWAITING_APPROVAL and standing is Approval.NONE:
        _propose(ports, plan, _evidence(plan, state, seen, known))
    elif state.proposal is not None and not situation.settled and not decision.moves:
        _withdraw(ports, plan, state.proposal, known)


def _propose(ports: Ports, plan: Plan, evidence: str) -> None:
    now = ports.clock.now()
    change_and_tell(
        ports,
        plan,
        lambda state: propose(plan, state, evidence, now),
        lambda state: _question(plan, state.proposal, now) if state.proposal else None,
    )


def _question(plan: Plan, proposal: Proposal, now: datetime) -> Words:
    """Return what to ask: of the evidence as much as leaves room for how to answer, and until when."""
    answering = (
        f"\n{_opening(plan, now)}\n\n"
        f"To approve:  region-failover approve {plan.name} {proposal.id}\n"
        f"To reject:   region-failover reject {plan.name} {proposal.id}\n"
        f"On a page:   {answer_marker(plan.name, proposal.id)}\n"
        f"It expires at {_text(proposal.expires_at)}, answered or not; nothing moves without a yes. It is"
        f" withdrawn if {proposal.target} fails a single sample before."
    )
    return (
        f"proposal {proposal.id}",
        f"[{plan.name}] shall the traffic return to {proposal.target}? proposal {proposal.id}",
        shortened(proposal.evidence, LONGEST_TEXT - len(answering)) + answering,
    )


def _withdraw(ports: Ports, plan: Plan, proposal: Proposal, known: HealthRecord) -> None:
    health = known.regions.get(proposal.target)
    words = (
        f"withdrawn {proposal.id}",
        f"[{plan.name}] proposal {proposal.id} is withdrawn",
        f"{proposal.target} is no longer settled: {health.why if health else 'it was not seen'}\nThe traffic"
        f" stays in {proposal.source}. A new proposal follows when {proposal.target} has been healthy for"
        f" {plan.policy.healthy_for} again.",
    )
    change_and_tell(ports, plan, lambda state: withdraw(state, proposal.id), lambda _: words)


def answer_proposal(ports: Ports, plan: Plan, proposal_id: str, answer: Answer, by: str) -> PlanState:
    """Put a human's answer on record; raise NotAnswerable where it can have no effect."""
    now = ports.clock.now()
    saved = change_and_tell(
        ports,
        plan,
        lambda state: give_answer(state, proposal_id, answer, by, now),
        lambda state: _answered(plan, state.proposal, now) if state.proposal else None,
    )
    if saved is None:
        state = ports.store.load_state(plan.name)
        why = why_not_answerable(state, proposal_id, now) if state else "the plan has no record yet"
        raise NotAnswerable(f"plan {plan.name}: {why or 'the record has just changed: ask again'}")
    return saved


def _answered(plan: Plan, proposal: Proposal, now: datetime) -> Words:
    return (
        f"answered {proposal.id}",
        f"[{plan.name}] proposal {proposal.id} is {proposal.answer.value}",
        f"By {proposal.answered_by}. {_follows(plan, proposal, now)}",
    )


def _follows(plan: Plan, proposal: Proposal, now: datetime) -> str:
    expires = _text(proposal.expires_at)
    if proposal.answer is Answer.REJECTED:
        return f"Nothing moves. A new proposal follows after {expires}, or after a relapse."
    return (
        f"The next tick fails back, if everything still holds. {_opening(plan, now)}\n"
        f"The yes is good until {expires}; what has not begun by then is proposed anew."
    )


def _evidence(plan: Plan, state: PlanState, seen: Observation, known: HealthRecord) -> str:
    """Return what was seen, for whoever has to decide; last what may be long, and is cut in a notice."""
    primary = plan.regions.primary
    health = known.regions.get(primary)
    lags = ", ".join(f"{name} {lag:.1f} s" for name, lag in sorted(seen.lags.items()))
    checks = ", ".join(result.name for result in seen.results if result.region == primary)
    lasted = health.lasted() if health else timedelta(0)
    since = _text(health.since) if health else "never"
    return (
        f"{plan.name}: the traffic is in {state.active} (epoch {state.epoch}), it could return to {primary}."
        f"\n{primary} has been healthy without a break since {since} ({lasted}).\n"
        f"Replication: {lags}.\nAll answer: {checks}."
    )


def _opening(plan: Plan, now: datetime) -> str:
    windows, blackouts = plan.policy.failback_windows, plan.policy.failback_blackouts
    if not (windows or blackouts):
        return "The plan has no failback window: it would move within a minute of the approval."
    opens = opens_at(windows, blackouts, now)
    if opens is None:
        return "No failback window opens within the next 15 days."
    return (
        f"The plan's failback window is open from {_text(opens)}." if opens > now else "The window is open."
    )


def _text(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
