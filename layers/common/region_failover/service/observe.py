"""Take one round of checks in both Regions at once, and add it to what is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from region_failover.domain.degradation import mark
from region_failover.domain.errors import NoEvidence, RemoteFailure
from region_failover.domain.plan import NodeBalancer, Plan
from region_failover.domain.reports import read_alarm, read_instance, read_nodes
from region_failover.domain.state import is_ahead
from region_failover.domain.symptom import Blame, Kind, Symptom, blame
from region_failover.domain.verdict import (
    ELSEWHERE,
    CheckResult,
    Evidence,
    HealthRecord,
    Sample,
    add_round,
    assess,
)
from region_failover.ports import Eyes, Ports

HEARTBEAT = "heartbeat"

# Kinds of evidence that somebody else tells us of.
REPORTED = frozenset({Evidence.ALARM, Evidence.LINODE})

POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Observation:
    """One round: `at` its beginning; `lags` and `ages` in seconds by 'writer>reader'.

    A lag is how long an item written in this round took to be seen on the other side (or, where it was not
    seen in time, the age of the newest that was); an age is that of the newest item seen, also of a Region
    that could not write in this round: at a failover, the estimated loss. `full`: a glance measures neither.
    """

    at: datetime
    samples: Mapping[str, Sample]
    results: tuple[CheckResult, ...]
    lags: Mapping[str, float]
    ages: Mapping[str, float]
    full: bool = True

    @property
    def healths(self) -> dict[str, str]:
        """Return the health that this round alone shows, by Region, for whoever called."""
        return {region: sample.health.value for region, sample in self.samples.items()}


def look(ports: Ports, plan: Plan) -> Observation:
    """Return what both Regions show now; ends within two of the plan's check timeouts."""
    at = ports.clock.now()
    results = _run_checks(
        ports,
        plan,
        lambda region: (_heartbeat_check(ports, plan, region, at), *reported_checks(ports, plan, region)),
    )
    lags, ages = _measure_replication(ports, plan, at, results)
    return Observation(at, assess(results, at), tuple(results), lags, ages)


def glance(eyes: Eyes, plan: Plan) -> Observation:
    """Return what both Regions show now without writing anything there; ends within one check timeout.

    It shows whatever reads and endpoints show, and nothing of writes, of replication, and of what CloudWatch
    and Linode say.
    """
    at = eyes.clock.now()
    results = _run_checks(eyes, plan, lambda _: ())
    return Observation(at, assess(results, at), tuple(results), {}, {}, full=False)


def observe(ports: Ports, plan: Plan) -> tuple[Observation, HealthRecord]:
    """Return a round and what is known with it; the round is added to the record.

    Where others keep winning the race for the record, this round is known to this worker only.
    """
    observation = look(ports, plan)
    return observation, remember(ports, plan, observation)


def remember(ports: Ports, plan: Plan, observation: Observation) -> HealthRecord:
    """Add a round to the plan's health record; raise StateUnavailable where the table is out of reach."""

    def with_round(known: HealthRecord) -> HealthRecord:
        samples = observation.samples.values()
        lags = observation.lags if observation.full else None
        following = add_round(known, samples, lags, plan.sampling.window, ports.clock.now())
        return mark(following, samples, plan)

    return update_health(ports, plan, with_round)


def update_health(
    ports: Ports, plan: Plan, successor: Callable[[HealthRecord], HealthRecord]
) -> HealthRecord:
    """Write what `successor` makes of the newest health record; return it.

    Where others keep winning the race for the record, it is known to this worker only.
    """
    for _ in range(5):
        known = ports.store.load_health(plan.name) or HealthRecord(plan.name)
        following = successor(known)
        if ports.store.save_health(following, known.version):
            break
    return following


def pair(writer: str, reader: str) -> str:
    """Return the name of a direction of replication."""
    return f"{writer}>{reader}"


def heartbeat_key(plan: Plan, region: str) -> str:
    """Return the key of the heartbeat item that is written in a Region."""
    return f"{plan.name}#{region}"


Check = tuple[str, Evidence, str, Callable[[], None]]


def _run_checks(eyes: Eyes, plan: Plan, more: Callable[[str], Iterable[Check]]) -> list[CheckResult]:
    checks = [
        check
        for region in plan.regions
        for check in (
            *_table_checks(eyes, plan, region),
            *more(region),
            *_endpoint_checks(eyes, plan, region),
        )
    ]
    checks += _control_checks(eyes, plan)
    calls = [partial(_timed, eyes, call) for *_, call in checks]
    answers = eyes.together(calls, plan.sampling.timeout)
    return [
        _result(region, evidence, name, answer)
        for (region, evidence, name, _), answer in zip(checks, answers, strict=True)
    ]


def _timed(eyes: Eyes, call: Callable[[], None]) -> float:
    """Make a call; return how many seconds it took."""
    began = eyes.clock.now()
    call()
    return (eyes.clock.now() - began).total_seconds()


def _result(region: str, evidence: Evidence, name: str, answer: object) -> CheckResult:
    if isinstance(answer, NoEvidence):
        return CheckResult(region, evidence, name, silent=str(answer))
    symptom = _symptom(answer)
    if symptom and evidence in REPORTED and _is_only_the_tellers(symptom):
        return CheckResult(region, evidence, name, silent=str(symptom))
    return CheckResult(region, evidence, name, symptom, _took(evidence, name, answer))


def _is_only_the_tellers(symptom: Symptom) -> bool:
    """Return whether whoever would tell us cannot: that says nothing of the Region."""
    return symptom.kind is not Kind.REPORTED and blame(symptom) is Blame.THEIRS


def _took(evidence: Evidence, name: str, answer: object) -> float | None:
    """Return how long a check took; what a glance does not look at does not count."""
    seen_at_a_glance = name != HEARTBEAT and evidence not in REPORTED
    return answer if isinstance(answer, float) and seen_at_a_glance else None


def _table_checks(eyes: Eyes, plan: Plan, region: str) -> Iterator[Check]:
    for check in plan.dynamodb_checks:
        read = partial(eyes.tables.read, region, check.table)
        yield region, Evidence.DYNAMODB, f"read {check.table}", read


def _heartbeat_check(ports: Ports, plan: Plan, region: str, at: datetime) -> Check:
    write = partial(ports.tables.write_heartbeat, region, heartbeat_key(plan, region), at)
    return region, Evidence.DYNAMODB, HEARTBEAT, write


def _endpoint_checks(eyes: Eyes, plan: Plan, region: str) -> Iterator[Check]:
    for check in plan.http_checks:
        url = check.url(plan.regions.role(region))
        get = partial(eyes.endpoints.get, url, check.status, plan.sampling.timeout, check.body)
        yield region, Evidence.HTTP, f"GET {url}", get


def reported_checks(ports: Ports, plan: Plan, region: str) -> Iterator[Check]:
    """Yield the checks of what CloudWatch and Linode say of a Region; readiness asks them, too."""
    role = plan.regions.role(region)
    for name in filter(None, (check.alarm(role) for check in plan.alarm_checks)):
        yield region, Evidence.ALARM, f"alarm {name}", partial(_ask_alarm, ports, region, name)
    for balancer in (check.balancer(role) for check in plan.balancer_checks):
        name = f"NodeBalancer {balancer.id}/{balancer.config_id}"
        yield region, Evidence.LINODE, name, partial(_ask_nodes, ports, balancer)
    for instance in (check.instance(role) for check in plan.instance_checks):
        yield region, Evidence.LINODE, f"Linode {instance}", partial(_ask_instance, ports, instance)


def _ask_alarm(ports: Ports, region: str, name: str) -> None:
    read_alarm(ports.reports.alarm(region, name), ports.clock.now())


def _ask_nodes(ports: Ports, balancer: NodeBalancer) -> None:
    read_nodes(ports.reports.nodes(balancer))


def _ask_instance(ports: Ports, instance: int) -> None:
    read_instance(ports.reports.instance(instance))


def _control_checks(eyes: Eyes, plan: Plan) -> Iterator[Check]:
    for url in plan.control_targets:
        get = partial(eyes.endpoints.get, url, 200, plan.sampling.timeout)
        yield ELSEWHERE, Evidence.HTTP, f"GET {url}", get


def _symptom(answer: object) -> Symptom | None:
    if isinstance(answer, RemoteFailure):
        return answer.symptom
    if isinstance(answer, TimeoutError):
        return Symptom(Kind.TIMEOUT, detail="no answer within the check's deadline")
    if isinstance(answer, Exception):
        return Symptom(Kind.UNKNOWN, detail=f"{type(answer).__name__}: {answer}")
    return None


def _measure_replication(
    eyes: Eyes, plan: Plan, at: datetime, results: list[CheckResult]
) -> tuple[dict[str, float], dict[str, float]]:
    wrote = {r.region for r in results if r.name == HEARTBEAT and r.symptom is None}
    # A Region that does not even answer its own heartbeat is not asked what it sees of the other's.
    pairs = [(plan.regions.other(reader), reader) for reader in plan.regions if reader in wrote]

    latest: dict[str, datetime] = {}  # also of a reader that is still waiting when its time is up

    def measure(writer: str, reader: str) -> Callable[[], float | None]:
        expected = at if writer in wrote else None
        return lambda: _follow(eyes, plan, writer, reader, expected, latest)

    answers = eyes.together([measure(*ends) for ends in pairs], plan.sampling.timeout)
    ages = {
        pair(*ends): answer for ends, answer in zip(pairs, answers, strict=True) if isinstance(answer, float)
    }
    lags = {name: age for name, age in ages.items() if name.split(">")[0] in wrote}
    now = eyes.clock.now()
    seen = {name: max(0.0, (now - beat).total_seconds()) for name, beat in dict(latest).items()}
    return lags, {**seen, **ages}


def _follow(
    eyes: Eyes,
    plan: Plan,
    writer: str,
    reader: str,
    expected: datetime | None,
    latest: dict[str, datetime],
) -> float | None:
    """Return the age of the newest heartbeat seen on the other side; wait for this round's to appear."""
    key = heartbeat_key(plan, writer)
    give_up = eyes.clock.now() + plan.sampling.timeout - timedelta(seconds=3 * POLL_S)
    while True:
        seen = eyes.tables.read_heartbeat(reader, key)
        now = eyes.clock.now()
        if seen is not None and is_ahead(seen, now):  # of a clock far ahead: it would read as no lag
            seen = None
        if seen is not None:
            latest[pair(writer, reader)] = seen
        arrived = seen is not None and (expected is None or seen >= expected)
        if arrived or expected is None or now >= give_up:
            return None if seen is None else max(0.0, (now - seen).total_seconds())
        eyes.clock.sleep(POLL_S)
