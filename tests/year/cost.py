"""What sampling costs a month, from what a calm hour uses and the list prices."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

HOURS = 730.0

# USD, us-west-2, on demand, no free tier; written down from memory of the price lists in November 2026.
LAMBDA_GB_S = 0.0000133334  # arm64
LAMBDA_REQUEST = 0.20e-6
SQS_REQUEST = 0.40e-6
DYNAMODB_READ = 0.125e-6  # one unit: 4 KB consistent
DYNAMODB_WRITE = 0.625e-6  # one unit: 1 KB, also replicated
EVENT = 1.00e-6
LOG_GB = 0.50

MEMORY_GB = 0.25
LOG_BYTES = 900  # of one invocation: Lambda's three lines and ours
KEYS_BYTES = 150  # of the record's item, beside the record itself
REPLICAS = 2
POLLS_A_MONTH = 5 * 3 * 60 * HOURS  # Lambda keeps five long polls of 20 s open on an idle queue


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the bill: how much a month, and what it costs (USD)."""

    name: str
    amount: str
    usd: float


def month(hour: Mapping[str, float], record_bytes: int) -> list[Item]:
    """Return the bill of the control Region's probe for one plan.

    `hour`: what a calm hour uses with one vantage point; `record_bytes`: the size of the health record, paid
    by the KB.
    """
    invocations = hour["control probe invocations"] * HOURS
    seconds = hour["control probe ms"] / 1000 * HOURS
    writes = hour["write"] * REPLICAS + hour["save health"] * _kb(record_bytes)
    # consistent: a heartbeat read back, and the records; not so: the tables, and the other side's heartbeat
    halves = hour["read"] + hour["read heartbeat"]
    whole = hour["write"] + hour["load health"] + hour["load state"]
    return [
        *_invoked(invocations, seconds),
        _queue(hour["sample due"] * HOURS),
        Item(
            "DynamoDB, writes: heartbeats (both replicas), the record",
            *_units(writes * HOURS, DYNAMODB_WRITE),
        ),
        Item("DynamoDB, reads", *_units((halves / 2 + whole) * HOURS, DYNAMODB_READ)),
    ]


def month_of_another(hour: Mapping[str, float], alone: Mapping[str, float], record_bytes: int) -> list[Item]:
    """Return what a further vantage point adds: its function, its reports, the probe's taking them in.

    `hour`: what a calm hour uses with both; `alone`: without it.
    """

    def more(name: str) -> float:
        return (hour.get(name, 0.0) - alone.get(name, 0.0)) * HOURS

    invocations = more("further probe invocations") + more("control probe invocations")
    seconds = (more("further probe ms") + more("control probe ms")) / 1000
    return [
        *_invoked(invocations, seconds),
        _queue(more("sample due")),
        Item("EventBridge, its reports", *_units(more("Region Sampled"), EVENT)),
        Item(
            "DynamoDB, writes: the record", *_units(more("save health") * _kb(record_bytes), DYNAMODB_WRITE)
        ),
        Item(
            "DynamoDB, reads",
            *_units(more("read") / 2 + more("load health") + more("load state"), DYNAMODB_READ),
        ),
    ]


def _invoked(invocations: float, seconds: float) -> list[Item]:
    gigabytes = invocations * LOG_BYTES / 1e9
    return [
        Item("Lambda, requests", *_units(invocations, LAMBDA_REQUEST)),
        Item(f"Lambda, {MEMORY_GB:g} GB arm64", f"{seconds:,.0f} s", seconds * MEMORY_GB * LAMBDA_GB_S),
        Item("logs", f"{gigabytes:.2f} GB", gigabytes * LOG_GB),
    ]


def _queue(messages: float) -> Item:
    """One SendMessageBatch a tick, one ReceiveMessage and one DeleteMessage a message, and Lambda's polls."""
    requests = messages / 3 + 2 * messages + POLLS_A_MONTH
    return Item("SQS, requests and Lambda's polls", *_units(requests, SQS_REQUEST))


def _units(count: float, usd: float) -> tuple[str, float]:
    return f"{count:,.0f}", count * usd


def _kb(record_bytes: int) -> int:
    return math.ceil((record_bytes + KEYS_BYTES) / 1024)
