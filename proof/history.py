"""A history: everything that a run of flows asked, was told, changed and remembered, in one order.

It is the only thing that the checker (`proof/checker.py`) reads. One entry is one JSON object; `n` numbers
the entries from 0, `t` is the true time in seconds since the history's beginning, `kind` says what it is:

plan    first entry: `plan` (name), `regions` {primary, standby}, `start` (ISO time of t = 0), `route53`
        [{zone_id, name, type, ttl, primary: [..], standby: [..], weighted?, identifiers? {primary,
        standby}}], `fences` {zone_id: name of the TXT},
        `linode` [{domain_id, name, type, ttl_sec, primary, standby}], `parameters` [{name, regions}],
        `checks` {dynamodb: [table], http: [{primary, standby, status}]}, `policy` {failover, failback,
        healthy_for_s, cooldown_s, max_lag_s, failback_steps?}, `limits` {lease_s, step_lease_s,
        verified_within_s, tick_s, maximum_age_s}, `skew_s` (the most that a worker's clock may be wrong),
        `zones` {zone_id: [record sets at t = 0]}.
begin   a worker starts: `worker` (its owner name, unique; `~2` after it: the second attempt of the same
        invocation, whose name in records is the first's), `function` (probe, failover, failback,
        linode_dns), `event` (what was delivered), `clock` (the worker's own ISO time).
end     the worker has ended: `worker`, `outcome` ('returned', 'raised <Error>', 'killed').
call    a worker asks something: `worker`, `op` ('zones.submit'), `clock`, and the operation's data, below.
effect  what a call did, at the moment it was done: `call` (the call's n), `worker`, `op`, data, and for
        zones.submit `change_id`, for store.save_state and store.save_health `saved`: did the condition
        hold? Only operations that change something have one. It may come without a reply, or after it
        was given up.
reply   what the worker was told: `call`, `worker`, `op`, and either `result` or `error` {type, symptom?
        {kind, code, status}}. A call without a reply: the worker died or was left behind.
world   what happened around: `what` (region-down, region-up, human-edit, pause, ...) and its data. A
        human's edit of DNS has `zone_id` and `records` (all record sets afterwards); one of the state
        record has `record`.
rest    the end: `state`, `health` (records as JSON text), `zones` {zone_id: [record sets]}, `parameters`
        [{region, name, value}], `linode` [{domain_id, name, type, target, ttl_sec}], `history` [ended
        transitions as JSON text], `expect` ('steady': healed and given the time of I18; '': no claim).

Data by operation (`record`, `ended`, `health` are the stored JSON texts, as in the state table's `body`):

store.load_state {plan} -> text or null            store.save_state {plan, expected, record, ended}
store.load_health {plan} -> text or null           store.save_health {plan, expected, record}
store.record_decision {plan, decision}             tables.read {region, table}
tables.write_heartbeat {region, key}               tables.read_heartbeat {region, key} -> ISO time or null
endpoints.get {url, status}                        zones.read {zone_id} -> {fence: [values] or null, records}
zones.submit {zone_id, changes: [{action, name, type, ttl, values}], comment} -> change id
                                                   (a weighted record set also has identifier and weight)
zones.is_insync {change_id} -> bool                parameters.read {region, name} -> text or null
zones.name_servers {zone_id} -> [host]             names.ask {servers, name, type} -> [values]
parameters.write {region, name, value}             linode.find {domain_id, name, type} ->
                                                   [{id, target, ttl_sec}]
linode.records_in {domain_id} -> [{id, name, type, target, ttl_sec}]: it finds each of the plan's records
linode.point {domain_id, record_id, target, ttl_sec} -> the same
linode.domain_name {domain_id} -> text             linode.reboot {instance}
linode.rebooted_since {instance} -> bool
events.put {detail_type, detail}                   notifier.publish {subject, text}
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from region_failover.domain.codec import dump
from region_failover.domain.errors import RemoteFailure
from region_failover.domain.linode import LinodeRecordState
from region_failover.domain.plan import Plan, Role, Route53Record
from region_failover.domain.state import LEASE, STEP_LEASE, VERIFIED_WITHIN
from region_failover.domain.zone import RecordSet, ZoneSnapshot, fence_name
from region_failover.ports import Ports

Entry = dict[str, Any]

PORTS = ("store", "tables", "endpoints", "zones", "parameters", "linode", "names", "events", "notifier")


class History:
    """Entries in the order in which they happened."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        """Begin with these."""
        self.entries: list[Entry] = list(entries)
        self._lock = threading.Lock()  # real workers have threads

    def __getstate__(self) -> list[Entry]:
        """Return the entries: a copied world takes its history along."""
        return self.entries

    def __setstate__(self, entries: list[Entry]) -> None:
        """Begin with these."""
        self.__init__(entries)  # type: ignore[misc]

    def add(self, kind: str, t: float, **data: Any) -> int:
        """Add an entry; return its number."""
        with self._lock:
            n = len(self.entries)
            self.entries.append({"n": n, "t": t, "kind": kind, **data})
        return n

    def write(self, path: Path) -> None:
        """Write one JSON object a line."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(entry, default=str) + "\n" for entry in self.entries))

    @classmethod
    def read(cls, path: Path) -> History:
        """Read what `write` wrote."""
        return cls(json.loads(line) for line in path.read_text().splitlines())


def describe(plan: Plan, start: str, maximum_age_s: float, tick_s: float = 60.0) -> Entry:
    """Return the data of a history's first entry, without `skew_s` and `zones`."""
    policy = plan.policy
    return {
        "plan": plan.name,
        "start": start,
        "regions": {"primary": plan.regions.primary, "standby": plan.regions.standby},
        "route53": [
            {
                "zone_id": r.zone_id,
                "name": r.name,
                "type": r.type,
                "ttl": r.ttl,
                "primary": list(r.primary),
                "standby": list(r.standby),
                **({"weighted": True, "identifiers": _identifiers(r)} if r.weighted else {}),
            }
            for r in plan.route53_records
        ],
        "fences": {zone: fence_name(records) for zone, records in plan.zones().items()},
        "linode": [
            {
                "domain_id": r.domain_id,
                "name": r.name,
                "type": r.type,
                "ttl_sec": r.ttl_sec,
                "primary": r.primary,
                "standby": r.standby,
            }
            for r in plan.linode_records
        ],
        "parameters": [{"name": p.name, "regions": list(p.regions)} for p in plan.ssm_parameters],
        "checks": {
            "dynamodb": [c.table for c in plan.dynamodb_checks],
            "http": [
                {"primary": c.primary, "standby": c.standby, "status": c.status} for c in plan.http_checks
            ],
        },
        "policy": {
            "failover": policy.failover.value,
            "failback": policy.failback.value,
            "healthy_for_s": policy.healthy_for.total_seconds(),
            "cooldown_s": policy.cooldown.total_seconds(),
            "automatic_per_day": policy.automatic_per_day,
            "max_lag_s": policy.max_replication_lag.total_seconds(),
            "failback_steps": list(policy.failback_steps),
        },
        "degradation": plan.degradation.action.value,
        "limits": {
            "lease_s": LEASE.total_seconds(),
            "step_lease_s": STEP_LEASE.total_seconds(),
            "verified_within_s": VERIFIED_WITHIN.total_seconds(),
            "tick_s": tick_s,
            "maximum_age_s": maximum_age_s,
        },
    }


def _identifiers(record: Route53Record) -> dict[str, str]:
    return {role.value: record.identifier(role) for role in Role}


def record_set(record: RecordSet) -> Entry:
    """Return a record set as data."""
    weighted = {"identifier": record.identifier, "weight": record.weight} if record.identifier else {}
    values = list(record.values)
    return {"name": record.name, "type": record.type, "ttl": record.ttl, "values": values, **weighted}


# What a call's arguments are in the history, by operation: positional arguments in the port's order.
_DATA: dict[str, Callable[..., Entry]] = {
    "store.load_state": lambda plan: {"plan": plan},
    "store.load_health": lambda plan: {"plan": plan},
    "store.save_state": lambda state, expected, ended=None: {
        "plan": state.plan,
        "expected": expected,
        "record": dump(state),
        "ended": None if ended is None else dump(ended),
    },
    "store.save_health": lambda record, expected: {
        "plan": record.plan,
        "expected": expected,
        "record": dump(record),
    },
    "store.record_decision": lambda plan, at, decision: {"plan": plan, "decision": dict(decision)},
    "tables.read": lambda region, table: {"region": region, "table": table},
    "tables.write_heartbeat": lambda region, key, at: {"region": region, "key": key},
    "tables.read_heartbeat": lambda region, key: {"region": region, "key": key},
    "endpoints.get": lambda url, status, timeout, body=None, headers="": {"url": url, "status": status},
    "zones.read": lambda zone_id, names, fence: {"zone_id": zone_id},
    "zones.submit": lambda zone_id, changes, comment: {
        "zone_id": zone_id,
        "changes": [{"action": c.action.value, **record_set(c.record)} for c in changes],
        "comment": comment,
    },
    "zones.is_insync": lambda change_id: {"change_id": change_id},
    "zones.name_servers": lambda zone_id: {"zone_id": zone_id},
    "names.ask": lambda servers, name, kind: {"servers": list(servers), "name": name, "type": kind},
    "parameters.read": lambda region, name: {"region": region, "name": name},
    "parameters.write": lambda region, name, value: {"region": region, "name": name, "value": value},
    "linode.domain_name": lambda domain_id, within: {"domain_id": domain_id},
    "linode.records_in": lambda domain_id, within: {"domain_id": domain_id},
    "linode.reboot": lambda instance, within: {"instance": instance},
    "linode.rebooted_since": lambda instance, at, within: {"instance": instance},
    "linode.point": lambda domain_id, record_id, target, ttl_sec, within: {
        "domain_id": domain_id,
        "record_id": record_id,
        "target": target,
        "ttl_sec": ttl_sec,
    },
    "events.put": lambda detail_type, detail: {"detail_type": detail_type, "detail": dict(detail)},
    "notifier.publish": lambda subject, text: {"subject": subject, "text": text},
}

EFFECTS = frozenset(
    {
        "store.save_state",
        "store.save_health",
        "store.record_decision",
        "tables.write_heartbeat",
        "zones.submit",
        "parameters.write",
        "linode.point",
        "linode.reboot",
        "events.put",
        "notifier.publish",
    }
)


def data_of(operation: str, arguments: tuple[Any, ...], named: dict[str, Any] | None = None) -> Entry:
    """Return the data of a call."""
    return _DATA[operation](*arguments, **(named or {}))


def effect_of(operation: str, data: Entry, result: Any) -> Entry:
    """Return the data of what a call did."""
    if operation == "zones.submit":
        return {**data, "change_id": result}
    if operation in {"store.save_state", "store.save_health"}:
        return {**data, "saved": result}
    return data


def result_of(result: Any) -> Any:
    """Return a port's answer as data."""
    if isinstance(result, ZoneSnapshot):
        fence = list(result.fence.values) if result.fence else None
        return {"fence": fence, "records": [record_set(record) for record in result.records]}
    if isinstance(result, LinodeRecordState):
        return {
            "id": result.id,
            "name": result.name,
            "type": result.type,
            "target": result.target,
            "ttl_sec": result.ttl_sec,
        }
    if isinstance(result, tuple):
        return [result_of(item) for item in result]
    if result is None or isinstance(result, bool | str | int | float):
        return result
    return result.isoformat() if hasattr(result, "isoformat") else dump(result)


def error_of(error: BaseException) -> Entry:
    """Return an error as data."""
    if isinstance(error, RemoteFailure):
        s = error.symptom
        return {
            "type": type(error).__name__,
            "symptom": {"kind": s.kind.value, "code": s.code, "status": s.status},
        }
    return {"type": type(error).__name__}


class Recorder:
    """Writes down what workers ask through real adapters or fakes; an effect is what a good reply says."""

    def __init__(self, history: History, true_time: Callable[[], float]) -> None:
        """Write into this history; `true_time` in seconds since its beginning."""
        self.history = history
        self.true_time = true_time

    def ports(self, ports: Ports) -> Ports:
        """Return these ports, recorded."""
        wrapped = {name: _RecordedPort(self, ports, name) for name in PORTS}
        return replace(ports, **wrapped)  # type: ignore[arg-type]

    def begin(self, ports: Ports, function: str, event: Any) -> None:
        """Note that a worker starts."""
        self.history.add(
            "begin",
            self.true_time(),
            worker=ports.owner,
            function=function,
            event=event,
            clock=ports.clock.now().isoformat(),
        )

    def end(self, ports: Ports, outcome: str) -> None:
        """Note that a worker has ended."""
        self.history.add("end", self.true_time(), worker=ports.owner, outcome=outcome)


class _RecordedPort:
    """One port, every call written down."""

    def __init__(self, recorder: Recorder, ports: Ports, name: str) -> None:
        self._recorder = recorder
        self._ports = ports
        self._name = name
        self._inner = getattr(ports, name)

    def __getattr__(self, method: str) -> Callable[..., Any]:
        inner = getattr(self._inner, method)
        operation = f"{self._name}.{method}"
        history, true_time, ports = self._recorder.history, self._recorder.true_time, self._ports

        def call(*arguments: Any, **named: Any) -> Any:
            data = data_of(operation, arguments, named)
            who = {"worker": ports.owner, "op": operation}
            number = history.add("call", true_time(), **who, clock=ports.clock.now().isoformat(), **data)
            try:
                result = inner(*arguments, **named)
            except Exception as error:
                history.add("reply", true_time(), call=number, **who, error=error_of(error))
                raise
            if operation in EFFECTS:
                history.add("effect", true_time(), call=number, **who, **effect_of(operation, data, result))
            history.add("reply", true_time(), call=number, **who, result=result_of(result))
            return result

        return call
