"""The comparison's two sides, in process: the tutorial's faults are kept, and ours does not share them."""

import importlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from bench.black_hole import ConnectHole, ReadHole
from bench.ours import ports_of, round_of
from bench.report import Row, killed_row
from bench.rig import PRIMARY, Case, Rig
from drill.faults import Fault, FaultKind
from region_failover.adapters.clients import forget_clients
from region_failover.domain.plan_file import parse_plan
from region_failover.domain.verdict import Health, Sample
from region_failover.ports import Ports

DENIED = Fault(FaultKind.DENY, region=PRIMARY, service="dynamodb", status=400)
BRIEF = {"timeout": '"700ms"'}


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Rig() as started:
        yield started


@pytest.fixture(scope="module")
def ports(rig: Rig) -> Ports:
    """Return the product's own ports; the clients of its checks are made by each test."""
    with pytest.MonkeyPatch.context() as patch:
        environment = rig.case().our_environment()
        for name, value in environment.items():
            patch.setenv(name, value)
        return ports_of(environment)


@pytest.fixture
def live_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[dict[str, str]], None]]:
    """Put this process into a case's environment, with clients of its own."""

    def enter(environment: dict[str, str]) -> None:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        for name, value in environment.items():
            if name not in {"PATH", "PYTHONPATH"}:
                monkeypatch.setenv(name, value)
        forget_clients()

    level = logging.getLogger().level  # the tutorial sets the root logger's
    yield enter
    logging.getLogger().setLevel(level)
    forget_clients()


def fresh_tutorial() -> ModuleType:
    """Return the tutorial's module as a cold start makes it: it reads its variables when imported."""
    from bench.tutorial import app

    return importlib.reload(app)


def samples_of(ports: Ports, case: Case) -> list[Sample]:
    """Return one round's samples, the primary's first."""
    plan = parse_plan(case.plan(), "bench.toml")
    samples = round_of(ports, plan).samples
    return [samples[region] for region in plan.regions]


def call(app: ModuleType) -> tuple[int, str]:
    answer: dict[str, Any] = app.lambda_handler({}, None)
    return answer["statusCode"], json.loads(answer["body"])


COMPLETED = (200, "Failover to the standby Region completed")

LiveIn = Callable[[dict[str, str]], None]


@pytest.mark.parametrize(("by_id", "moved"), [(True, False), (False, True)])
def test_tutorial_takes_its_own_access_denied_for_an_outage(
    rig: Rig, live_in: LiveIn, by_id: bool, moved: bool
) -> None:
    case = rig.case(DENIED)
    live_in(case.tutorial_environment(by_id=by_id))

    assert call(fresh_tutorial()) == COMPLETED
    assert case.route53_calls() > 0
    assert case.has_moved() is moved


def test_tutorial_claims_a_failover_that_route_53_refused(rig: Rig, live_in: LiveIn) -> None:
    case = rig.case(DENIED, Fault(FaultKind.DENY, service="route53"))
    live_in(case.tutorial_environment())

    assert call(fresh_tutorial()) == COMPLETED
    assert not case.has_moved()


def test_tutorial_leaves_a_healthy_region_alone(rig: Rig, live_in: LiveIn) -> None:
    case = rig.case()
    live_in(case.tutorial_environment())

    assert call(fresh_tutorial()) == (200, "The primary Region is healthy")
    assert case.route53_calls() == 0


@pytest.mark.parametrize(
    ("faults", "wrong_table", "other"),
    [((DENIED,), False, Health.HEALTHY), ((), True, Health.UNKNOWN)],
    ids=["access-denied", "wrong-table"],
)
def test_ours_takes_its_own_fault_for_no_verdict(
    rig: Rig, ports: Ports, live_in: LiveIn, faults: tuple[Fault, ...], wrong_table: bool, other: Health
) -> None:
    case = rig.case(*faults, wrong_table=wrong_table, sampling=BRIEF)
    live_in(case.our_environment())

    primary, standby = samples_of(ports, case)

    assert (primary.health, primary.ours, standby.health) == (Health.UNKNOWN, True, other)
    assert case.route53_calls() == 0


@pytest.mark.parametrize("hole", [ReadHole, ConnectHole])
def test_ours_sees_a_black_hole_within_two_timeouts(
    rig: Rig, ports: Ports, live_in: LiveIn, hole: type[ReadHole] | type[ConnectHole]
) -> None:
    with hole() as opened:
        case = rig.case(hole=opened.url, sampling=BRIEF)
        live_in(case.our_environment())
        started = time.monotonic()
        primary, standby = samples_of(ports, case)

    assert (primary.health, standby.health) == (Health.UNHEALTHY, Health.HEALTHY)
    assert time.monotonic() - started < 4.0


@pytest.mark.parametrize(("seconds", "right"), [(240.0, False), (0.1, True)])
def test_lambdas_default_timeout_ends_what_takes_longer(seconds: float, right: bool) -> None:
    row = Row("key", "a situation", "tutorial", "unhealthy", True, "moved", seconds=(seconds,))

    assert killed_row(row).right is right
