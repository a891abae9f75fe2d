"""The usual tutorial's alarms in the same outages, computed: 3 periods of 300 s, then its function looks.

As printed they watch `SuccessfulRequestLatency` of scans, ignore missing data (as every alarm on
AWS/DynamoDB does), and have a threshold of half a millisecond: always in ALARM, so never going there. With
the threshold repaired they need successful scans that are slow: an outage has none, or, where only writes
hang, quick ones. So a third one is computed that nobody prints: a canary's own metric, missing data
breaching, of which half a period must be bad.
"""

from __future__ import annotations

import random

from tests.year.weather import Trouble

PERIOD_S = 300.0
PERIODS = 3
EVALUATION_S = 60.0  # at most, after the period's end

# How long its function looks before it believes: docs/baseline.md, boto3 1.44.
HANDLER_S = {Trouble.BLACK_HOLE: 240.0, Trouble.EMPTY_DNS: 1.0, Trouble.REFUSES: 0.2}


def printed(trouble: Trouble) -> float | None:
    """Return when the printed alarm decides, its threshold repaired or not: never, in any of these."""
    del trouble
    return None


def canary(trouble: Trouble, number: int) -> float | None:
    """Return when the best alarm of that shape decides, the function's own look included.

    Its function looks by DescribeTable, which answers while only writes hang or errors come from the data
    plane alone.
    """
    if trouble in {Trouble.GRAY_WRITES}:
        return None
    rng = random.Random(f"tutorial {number}")
    into = rng.uniform(0.0, PERIOD_S)
    first = PERIOD_S - into if into <= PERIOD_S / 2 else 2 * PERIOD_S - into
    alarm = first + (PERIODS - 1) * PERIOD_S + rng.uniform(0.0, EVALUATION_S)
    return alarm + HANDLER_S.get(trouble, 1.0)
