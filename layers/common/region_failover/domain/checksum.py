"""The checksum by which a human's word binds to just what was shown: a proposal's id, and a plan's.

Both are made here, of the plan's switches as they stand in its file and of what else the word is about
(`domain/approval.py`, `domain/preview.py`). Pure.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict

from region_failover.domain.plan import Plan

LENGTH = 16  # hexadecimal digits: 64 bits, short enough to be read out on the telephone

CHECKSUM = re.compile(rf"[0-9a-f]{{{LENGTH}}}")

# What of a plan is no switch. Whatever else it has is bound, also a kind of switch that is new.
NO_SWITCHES = frozenset(
    {
        "name",
        "regions",
        "policy",
        "sampling",
        "degradation",
        "control_targets",
        "dynamodb_checks",
        "http_checks",
        "alarm_checks",
        "balancer_checks",
        "instance_checks",
    }
)


def digest(about: Mapping[str, object]) -> str:
    """Return the checksum of something that JSON can say; the order of its keys does not matter."""
    text = json.dumps(about, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


def switches_of(plan: Plan) -> dict[str, object]:
    """Return every switch of a plan, with all that its file says of it."""
    return {name: value for name, value in asdict(plan).items() if name not in NO_SWITCHES}
