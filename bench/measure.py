"""One measurement, in a process of its own: `python -m bench.measure tutorial|round|decide|versions`.

Prints one line of JSON. The clock starts when the handler is called: imports and start-up are not counted.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict
from datetime import timedelta
from typing import Any

DECIDE_LIMIT_S = 60.0


def tutorial() -> dict[str, Any]:
    """Return what the tutorial's function found, after how long, and what it answered."""
    from bench.tutorial import app

    found: dict[str, Any] = {}
    judge = app.primary_is_healthy
    started = time.monotonic()

    def timed() -> bool:
        healthy = judge()
        found.update(verdict="healthy" if healthy else "unhealthy", seconds=time.monotonic() - started)
        return healthy

    app.primary_is_healthy = timed
    answer = app.lambda_handler({"source": "bench"}, None)
    config = app.dynamodb.meta.config
    return {
        **found,
        "total_s": time.monotonic() - started,
        "status": answer["statusCode"],
        "body": json.loads(answer["body"]),
        "sdk": {
            "mode": config.retries["mode"],
            "connect_s": config.connect_timeout,
            "read_s": config.read_timeout,
        },
    }


def one_round() -> dict[str, Any]:
    """Return what one round of our checks says of both Regions, and after how long."""
    from bench.ours import ports_of, round_of
    from region_failover.domain.plan_file import parse_plan

    plan = parse_plan(os.environ["BENCH_PLAN"], "bench.toml")
    ports = ports_of(os.environ)
    started = time.monotonic()
    seen = round_of(ports, plan)
    passed = time.monotonic() - started
    primary, standby = (seen.samples[region] for region in plan.regions)
    return {
        "verdict": primary.health.value,
        "standby": standby.health.value,
        "ours": primary.ours,
        "why": primary.why,
        "seconds": passed,
    }


def decide() -> dict[str, Any]:
    """Return after how long our probe's rounds add up to 'the primary is down'."""
    from bench.ours import bound_s, decide, ports_of
    from region_failover.domain.plan_file import parse_plan

    plan = parse_plan(os.environ["BENCH_PLAN"], "bench.toml")
    decided = decide(ports_of(os.environ), plan, DECIDE_LIMIT_S)
    primary, standby = (decided.last.samples[region] for region in plan.regions)
    return {
        "verdict": primary.health.value,
        "standby": standby.health.value,
        "down": decided.down,
        "rounds": decided.rounds,
        "seconds": decided.seconds,
        "bound_s": bound_s(plan.sampling),
    }


def versions() -> dict[str, Any]:
    """Return the versions in use, and our default sampling with the bound that follows from it."""
    import platform

    import boto3
    import botocore

    from bench.ours import bound_s
    from region_failover.domain.plan import Sampling

    sampling = {
        key: value.total_seconds() if isinstance(value, timedelta) else value
        for key, value in asdict(Sampling()).items()
    }
    return {
        "python": platform.python_version(),
        "boto3": boto3.__version__,
        "botocore": botocore.__version__,
        "sampling": sampling,
        "bound_s": bound_s(Sampling()),
    }


if __name__ == "__main__":
    kinds = {"tutorial": tutorial, "round": one_round, "decide": decide, "versions": versions}
    print(json.dumps(kinds[sys.argv[1]]()))
