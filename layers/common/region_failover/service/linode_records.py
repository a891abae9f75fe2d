"""Linode's records: looked at, written, read back, and asked for at the name servers.

One look at a domain serves all of its records: Linode counts GETs of collections apart, and few of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial

from region_failover.domain.errors import RemoteFailure
from region_failover.domain.linode import (
    NAME_SERVERS,
    LinodeDomain,
    LinodeRecordState,
    Question,
    chosen,
    expected_answers,
    is_right,
    label,
    said_targets,
)
from region_failover.domain.plan import LinodeRecord, Role
from region_failover.ports import Ports
from region_failover.service.lanes import in_lanes
from region_failover.service.record import Deadline

# One look at all domains, waits for Linode's limits included: one that hangs leaves time for the others.
LOOK_S = 25.0

# Kept back from the time for writes: one look at the domains afterwards.
READ_BACK_S = 6.0

# The name servers are asked again so often while they lag; one round of questions takes at most so long.
ASK_AGAIN_S = 5.0
ROUND_S = 4.0

Domains = Mapping[int, LinodeDomain | Exception]
Found = LinodeRecordState | str


def survey(ports: Ports, records: Sequence[LinodeRecord], deadline: Deadline) -> Domains:
    """Return what each domain of these records holds, or why it could not be looked at."""
    ids = list(dict.fromkeys(record.domain_id for record in records))
    reserve_s = max(deadline.remaining_s() - LOOK_S, 0.0)
    calls = [partial(see_domain, ports, domain_id, deadline, reserve_s) for domain_id in ids]
    return dict(zip(ids, in_lanes(ports, calls, deadline, reserve_s), strict=True))


def see_domain(ports: Ports, domain_id: int, deadline: Deadline, reserve_s: float = 0.0) -> LinodeDomain:
    """Return a domain with all of its records."""
    name = ports.linode.domain_name(domain_id, _left(deadline, reserve_s))
    return LinodeDomain(name, ports.linode.records_in(domain_id, _left(deadline, reserve_s)))


def _left(deadline: Deadline, reserve_s: float = 0.0) -> timedelta:
    return timedelta(seconds=max(deadline.remaining_s() - reserve_s, 0.0))


def point_records(
    ports: Ports,
    records: Sequence[LinodeRecord],
    role: Role,
    domains: Domains,
    deadline: Deadline,
    may: Callable[[], bool],
) -> tuple[str, Domains]:
    """Point these records at `role`; return what went wrong ('' if nothing), and the domains as read back.

    One failure stops no other. Only what is not right is written, so what was not reached is all that a next
    attempt writes. `may` is asked directly before each write.
    """
    found = chosen(records, domains)
    pairs = list(zip(records, found, strict=True))
    wrong = [
        (wanted, there)
        for wanted, there in pairs
        if isinstance(there, LinodeRecordState) and not is_right(wanted, there, role)
    ]
    calls = [partial(_write, ports, wanted, there, role, deadline, may) for wanted, there in wrong]
    outcomes = in_lanes(ports, calls, deadline, READ_BACK_S)
    problems = [(label(wanted), there) for wanted, there in pairs if isinstance(there, str)]
    problems += [
        (label(wanted), _said(outcome))
        for (wanted, _), outcome in zip(wrong, outcomes, strict=True)
        if isinstance(outcome, Exception)
    ]
    told = {name for name, _ in problems}
    after = survey(ports, records, deadline)
    problems += [
        (label(wanted), why)
        for (wanted, there), why in zip(pairs, _read_back(records, found, role, after), strict=True)
        if why and label(wanted) not in told and isinstance(there, LinodeRecordState)
    ]
    return _grouped(problems), after


def _write(
    ports: Ports,
    wanted: LinodeRecord,
    there: LinodeRecordState,
    role: Role,
    deadline: Deadline,
    may: Callable[[], bool],
) -> None:
    if not may():
        raise TimeoutError("not ours to write any more")
    if deadline.remaining_s() <= 0:  # left behind by its invocation: it must not write any more
        raise TimeoutError("out of time before the write")
    within = _left(deadline, READ_BACK_S)
    ports.linode.point(wanted.domain_id, there.id, wanted.target(role), wanted.ttl_sec, within)


def _read_back(
    records: Sequence[LinodeRecord], before: Sequence[Found], role: Role, after: Domains
) -> list[str]:
    """Return for each record what is wrong with it now, '' where nothing is: its id is the same (I7)."""
    problems: list[str] = []
    for wanted, was, now in zip(records, before, chosen(records, after), strict=True):
        if isinstance(now, str):
            problems.append(now)
        elif isinstance(was, LinodeRecordState) and now.id != was.id:
            problems.append(f"{label(wanted)} has become another record")
        elif not is_right(wanted, now, role):
            problems.append(f"{label(wanted)} reads back as {now.target} with ttl_sec {now.ttl_sec}")
        else:
            problems.append("")
    return problems


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _grouped(problems: Sequence[tuple[str, str]]) -> str:
    """Return the problems in one text, records with the same one together."""
    by_reason: dict[str, list[str]] = {}
    for name, why in problems:
        by_reason.setdefault(why, []).append(name)
    return "; ".join(why if names[0] in why else f"{_some(names)}: {why}" for why, names in by_reason.items())


def _some(names: Sequence[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def await_answers(ports: Ports, records: Sequence[LinodeRecord], domains: Domains, deadline: Deadline) -> str:
    """Return '' once Linode's name servers answer what its API has; at the deadline, what they still say."""
    looked = {key: found for key, found in domains.items() if isinstance(found, LinodeDomain)}
    open_ones = dict(expected_answers(records, looked))
    while True:
        lagging = _lagging(ports, open_ones, deadline)
        open_ones = {question: open_ones[question] for question in lagging}
        if not lagging or deadline.remaining_s() < ASK_AGAIN_S + ROUND_S:
            return _grouped([(f"{name} {kind}", why) for (name, kind), why in lagging.items()])
        ports.clock.sleep(ASK_AGAIN_S)


def _lagging(
    ports: Ports, expected: Mapping[Question, tuple[str, ...]], deadline: Deadline
) -> dict[Question, str]:
    calls = [partial(ports.names.ask, NAME_SERVERS, name, kind) for name, kind in expected]
    answers = in_lanes(ports, calls, deadline)
    problems = {
        question: _lag(question[1], answer, expected[question])
        for question, answer in zip(expected, answers, strict=True)
    }
    return {question: why for question, why in problems.items() if why}


def _lag(kind: str, answer: tuple[str, ...] | Exception, expected: tuple[str, ...]) -> str:
    if isinstance(answer, RemoteFailure | TimeoutError):
        return _said(answer)
    if isinstance(answer, Exception):
        raise answer
    said = said_targets(kind, answer)
    return "" if said == expected else f"Linode's name servers say {', '.join(said) or 'nothing'}"
