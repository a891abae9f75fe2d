"""The history of a rehearsal, in the format of `proof/history.py`, from what went over the wire.

Who asked: the X-Ray trace in a call's header is the invocation's own; a plain HTTP request is known by its
port (`embedded/functions/sitecustomize.py`). An invocation is called by the owner's name that it wrote into
the record, where it wrote one, else by its function and its trace.

What cannot be known here, and how it is written down:

- The event that started a worker: `event` is empty. So I20 is judged by its effects alone.
- When and how a worker ended: no `end` entries.
- The worker's own clock: it is the machine's; `clock` is the time at which the request came to the proxy.
- Retries within the SDK: each try is a call of its own.
- A look-up of a name that found nothing is the failed check that it was for: of DynamoDB, `tables.read`.
- Linode lists all records of a domain; which of them a worker was after is not said. Each list is a find of
  each planned record.
- A thread that its invocation left behind speaks with the trace of the next one in its process.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from drill.exchanges import Exchange
from drill.scribe import Connection, Entry, Scribe, Setting, Who
from drill.translate import translate

LIMITS = {"lease_s": 120.0, "step_lease_s": 90.0, "verified_within_s": 30.0, "tick_s": 60.0}


def history(
    setting: Setting,
    exchanges: Iterable[Exchange],
    connections: Sequence[Connection],
    began: float,
    edits: Iterable[tuple[float, list[Entry]]] = (),
) -> list[Entry]:
    """Return the entries of all that the functions asked, in order, without the first and the last.

    `edits`: of the zone by humans: when, and its record sets thereafter.
    """
    scribe = Scribe(setting, Who(connections))
    ours = [e for e in exchanges if scribe.who.trace(e) and e.asked_at >= began]
    for exchange in ours:
        if exchange.call.principal in setting.functions:
            scribe.functions[scribe.who.trace(exchange)] = setting.functions[exchange.call.principal]
    translate(scribe, ours, [c for c in connections if not c.port and c.at >= began])
    _in_the_order_of_versions(scribe)
    _find_owners(scribe)
    scribe.begin_all()
    for at, records in edits:
        scribe.add(at, "world", what="human-edit", zone_id=setting.zone_id, records=records)
    return scribe.entries(began)


def _in_the_order_of_versions(scribe: Scribe) -> None:
    """Let accepted saves of the state happen in the order of their versions, which is that of the store.

    Two answers may pass the proxy in another order than the store gave them.
    """
    saves = [
        (json.loads(entry["record"])["version"], index)
        for index, (_, _, entry) in enumerate(scribe.found)
        if entry["kind"] == "effect" and entry["op"] == "store.save_state" and entry["saved"]
    ]
    earliest = 0.0
    for _, index in sorted(saves):
        at, order, entry = scribe.found[index]
        earliest = max(at, earliest + 1e-6)
        scribe.found[index] = (earliest, order, entry)


def _find_owners(scribe: Scribe) -> None:
    """Learn from the accepted saves who is who: a lease or a step is only ever taken for oneself."""
    known: set[str] = set()
    for _, _, entry in sorted(scribe.found, key=lambda item: item[:2]):
        if entry["kind"] != "effect" or entry["op"] != "store.save_state" or not entry["saved"]:
            continue
        transition = json.loads(entry["record"])["transition"]
        steps = transition["steps"] if transition else []
        named = {step["owner"] for step in steps} | ({transition["lease"]["owner"]} if transition else set())
        for owner in named - known - {""}:
            scribe.owners.setdefault(entry["worker"], owner)
        known |= named


# The first entry.


def first_entry(
    text: str, began: float, zones: Mapping[str, Any], fences: Mapping[str, str], secret: str
) -> Entry:
    """Return a history's first entry, from the plan's own file; what the file leaves out is not in it."""
    plan = tomllib.loads(text)
    policy, check, switch = plan["policy"], plan["check"], plan["switch"]
    return {
        "n": 0,
        "t": 0.0,
        "kind": "plan",
        "plan": plan["name"],
        "start": datetime.fromtimestamp(began, UTC).isoformat(),
        "regions": plan["regions"],
        "route53": switch["route53_record"],
        "fences": dict(fences),
        "linode": switch["linode_record"],
        "parameters": switch["ssm_parameter"],
        "checks": {
            "dynamodb": [found["table"] for found in check["dynamodb"]],
            "http": [{"status": 200, **found} for found in check["http"]],
        },
        "policy": {
            "failover": policy["failover"],
            "failback": policy["failback"],
            "healthy_for_s": _seconds(policy["healthy_for"]),
            "cooldown_s": _seconds(policy["cooldown"]),
            "max_lag_s": _seconds(policy["max_replication_lag"]),
            "automatic_per_day": policy.get("automatic_per_day", 0),
            "failback_steps": policy.get("failback_steps", []),
        },
        "degradation": plan.get("degradation", {}).get("action", "notify"),
        "limits": {**LIMITS, "maximum_age_s": 900.0},
        "skew_s": 0.0,
        "zones": dict(zones),
        "secrets": [secret],
    }


def _seconds(text: str) -> float:
    return float(text[:-1]) * {"s": 1, "m": 60, "h": 3600}[text[-1]]
