"""Judge a rehearsal by the invariants: write its history, and let `proof/checker` read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psutil

from drill import layout
from drill.deploy import plan_text
from drill.exchanges import Exchange
from drill.history import first_entry, history
from drill.names import application_name, dynamodb_name
from drill.report import Check
from drill.scribe import Entry, Setting, read_connections
from drill.world import World
from proof.checker import check

SHORT = {
    "HealthProbe": "probe",
    "Failover": "failover",
    "Failback": "failback",
    "LinodeDns": "linode_dns",
    "Operator": "operator",
}


def judge(world: World, file: Path) -> Check:
    """Write the history of everything so far into a file; return whether it breaks no invariant."""
    entries = record(world)
    file.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    found = check(entries)
    detail = "; ".join(str(violation) for violation in found[:5]) or f"{len(entries)} entries in {file.name}"
    return Check("the history breaks no invariant", not found, detail)


def record(world: World) -> list[Entry]:
    """Return the rehearsal's history: the plan, what the functions did, and what there is now."""
    exchanges = world.exchanges.all()
    first = first_entry(
        plan_text(world.plan_values()), world.began, world.zones_at_first, world.fences, layout.LINODE_TOKEN
    )
    connections = read_connections(world.emulator.connections.read_text())
    setting = _setting(world, first, exchanges)
    found = history(setting, exchanges, connections, world.began, world.edits)
    return [first, *found, _rest(world, len(found) + 1, found[-1]["t"] if found else 0.0)]


def _setting(world: World, first: Entry, exchanges: tuple[Exchange, ...]) -> Setting:
    urls = {first["regions"][role]: first["checks"]["http"][0][role] for role in ("primary", "standby")}
    names = {name(region): region for region in layout.REGIONS for name in (dynamodb_name, application_name)}
    return Setting(
        plan=first,
        zone_id=world.zone_id,
        fence=world.fence_name,
        state_table=world.stack.outputs["StateTableName"],
        heartbeat_table=world.stack.outputs["HeartbeatTableName"],
        urls=urls,
        names=names,
        functions=_functions(world),
    )


def _functions(world: World) -> dict[str, str]:
    """Return the short name of each function by its access key, as its process has it."""
    short = {world.stack.function(name): found for name, found in SHORT.items()}
    keys: dict[str, str] = {}
    for process in psutil.Process(world.emulator.pid).children(recursive=True):
        try:
            environment = process.environ()
        except psutil.Error:
            continue  # it has just ended; another of the function's has the same key
        name = short.get(environment.get("AWS_LAMBDA_FUNCTION_NAME", ""))
        if name:
            keys[environment["AWS_ACCESS_KEY_ID"]] = name
    return keys


def _rest(world: World, number: int, at: float) -> Entry:
    """Return the last entry; it claims rest where the record is steady and has nothing to tell."""
    state, health = world.body("state"), world.body("health")
    found: dict[str, Any] = json.loads(state) if state else {}
    steady = found.get("phase") == "steady" and not found.get("outbox")
    parameters = [
        {"region": region, "name": layout.PARAMETER, "value": world.parameter(region)}
        for region in layout.REGIONS
    ]
    linode = [
        {
            "domain_id": layout.LINODE_DOMAIN_ID,
            **{key: r[key] for key in ("name", "type", "target", "ttl_sec")},
        }
        for r in world.linode.records(layout.LINODE_DOMAIN_ID)
    ]
    return {
        "n": number,
        "t": at,
        "kind": "rest",
        "state": state,
        "health": health,
        "zones": world.zones_now(),
        "parameters": parameters,
        "linode": linode,
        "history": [json.dumps(transition) for transition in world.transitions()],
        "expect": "steady" if steady else "",
    }
