"""Our side of the comparison: the product's own rounds of checks, through its real adapters."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aws_lambda_powertools import Logger

from region_failover.adapters.clients import CHECK, client
from region_failover.adapters.environment import read_settings
from region_failover.bootstrap import real_ports
from region_failover.domain.plan import Plan, Sampling
from region_failover.domain.verdict import HealthRecord, add_round, is_down
from region_failover.ports import Ports
from region_failover.service.observe import Observation, look

ONE_SERVICE = "AWS_ENDPOINT_URL_DYNAMODB"


@dataclass(frozen=True, slots=True)
class Decided:
    """How long it took from the first round's beginning until the primary counted as down."""

    seconds: float
    rounds: int
    down: bool
    last: Observation


def ports_of(environ: Mapping[str, str]) -> Ports:
    """Return the product's own ports for these variables, the checks' clients made as at a start."""
    settings = read_settings(environ)
    make_clients((settings.primary_region, settings.standby_region))
    return real_ports("bench", settings, Logger(service="bench"))


def make_clients(regions: Iterable[str]) -> None:
    """Make the clients of the checks where there are none yet, primary first.

    The SDK's endpoint variable speaks of a service, not of a Region: the primary's client is made while it
    is there, the standby's after it has gone.
    """
    for region in regions:
        client("dynamodb", region, CHECK)
        os.environ.pop(ONE_SERVICE, None)


def round_of(ports: Ports, plan: Plan) -> Observation:
    """Return a round of both Regions."""
    make_clients(plan.regions)
    return look(ports, plan)


def decide(ports: Ports, plan: Plan, limit_s: float) -> Decided:
    """Sample as the probe does after a failed round, until the primary is down or the limit has passed."""
    known, rounds = HealthRecord(plan.name), 0
    started = time.monotonic()
    while True:
        due = time.monotonic() + plan.sampling.quick_every.total_seconds()
        seen = round_of(ports, plan)
        rounds += 1
        known = add_round(known, seen.samples.values(), seen.lags, plan.sampling.window, seen.at)
        down = is_down(known.regions.get(plan.regions.primary), plan.sampling)
        passed = time.monotonic() - started
        if down or passed > limit_s:
            return Decided(passed, rounds, down, seen)
        time.sleep(max(0.0, due - time.monotonic()))


def bound_s(sampling: Sampling) -> float:
    """Return the seconds from the first failed round's beginning to the decision, every check timing out.

    A round ends within two timeouts (`look`); the next begins `quick_every` after it began, or at once.
    """
    round_s = 2 * sampling.timeout.total_seconds()
    gap_s = max(sampling.quick_every.total_seconds(), round_s)
    gaps = max(sampling.needed - 1, math.ceil(sampling.confirm_for.total_seconds() / gap_s))
    return gaps * gap_s + round_s
