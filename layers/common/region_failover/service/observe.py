"""Take one round of checks in both Regions at once, and add it to what is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from region_failover.domain.degradation import mark
from region_failover.domain.plan import Plan
from region_failover.domain.state import is_ahead
from region_failover.domain.verdict import CheckResult, HealthRecord, Sample, add_round, assess
from region_failover.ports import Eyes, Ports
from region_failover.service.checks import HEARTBEAT, full_round, heartbeat_key, run_checks

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
    results = run_checks(ports, plan, full_round(ports, plan, at))
    lags, ages = _measure_replication(ports, plan, at, results)
    return Observation(at, assess(results, at), tuple(results), lags, ages)


def glance(eyes: Eyes, plan: Plan) -> Observation:
    """Return what both Regions show now without writing anything there; ends within one check timeout.

    It shows whatever reads and endpoints show, and nothing of writes, of replication, and of what CloudWatch
    and Linode say.
    """
    at = eyes.clock.now()
    results = run_checks(eyes, plan, lambda _: ())
    return Observation(at, assess(results, at), tuple(results), {}, {}, full=False)


def observe(ports: Ports, plan: Plan) -> tuple[Observation, HealthRecord]:
    """Return a round and what is known with it; the round is added to the record.

    Where others keep winning the race for the record, this round is known to this worker only.
    """
    observation = look(ports, plan)
    return observation, remember(ports, plan, observation)


def remember(ports: Ports, plan: Plan, observation: Observation) -> HealthRecord:
    """Add a round to the plan's health record; raise StateUnavailable where the table is out of reach."""

    return update_health(ports, plan, lambda known: _with_round(ports, plan, known, observation))


def _with_round(ports: Ports, plan: Plan, known: HealthRecord, observation: Observation) -> HealthRecord:
    samples = observation.samples.values()
    lags = observation.lags if observation.full else None
    following = add_round(known, samples, lags, plan.sampling.window, ports.clock.now())
    return mark(following, samples, plan)


def look_aside(ports: Ports, plan: Plan) -> tuple[Observation, HealthRecord]:
    """Return a round and what would be known with it; the round stays out of the record."""
    observation = look(ports, plan)
    known = ports.store.load_health(plan.name) or HealthRecord(plan.name)
    return observation, _with_round(ports, plan, known, observation)


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
