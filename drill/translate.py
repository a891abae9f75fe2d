"""From what went over the wire to the calls of the ports, as `proof/history.py` writes them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from drill import wire
from drill.exchanges import CHANGE_RECORDS, Exchange, RecordChange, changes_in
from drill.scribe import Connection, Entry, Scribe, symptom
from region_failover.domain.zone_pages import in_order, settled

READ_RECORDS = "GET */hostedzone/*/rrset"
REFUSED_CONDITION = frozenset({"ConditionalCheckFailedException", "TransactionCanceledException"})


def translate(scribe: Scribe, exchanges: Sequence[Exchange], look_ups: Iterable[Connection]) -> None:
    """Note everything that the functions asked, and was answered."""
    for exchange in exchanges:
        _translate(scribe, exchange)
    _ZoneReads(scribe).translate(exchanges)
    _Heartbeats(scribe).translate(exchanges)
    for look_up in look_ups:
        _failed_look_up(scribe, look_up)


def _translate(scribe: Scribe, exchange: Exchange) -> None:
    for service, operation, translate in _TRANSLATORS:
        if exchange.call.service == service and fnmatchcase(exchange.call.operation, operation):
            translate(scribe, exchange)
            return


# The state table.


def _get_item(scribe: Scribe, exchange: Exchange) -> None:
    asked = wire.asked(exchange)
    key = {name: wire.text_of(asked["Key"], name) for name in asked["Key"]}
    if asked["TableName"] == scribe.setting.state_table and key["sk"] in {"state", "health"}:
        item = wire.answered(exchange).get("Item") if exchange.status == 200 else None
        plan = key["pk"].removeprefix("plan#")
        scribe.simple(
            exchange, f"store.load_{key['sk']}", wire.text_of(item, "body") if item else None, plan=plan
        )
    elif asked["TableName"] == scribe.setting.heartbeat_table and not asked.get("ConsistentRead"):
        item = wire.answered(exchange).get("Item") if exchange.status == 200 else None
        found = wire.text_of(item, "at") if item else None
        scribe.simple(exchange, "tables.read_heartbeat", found, region=exchange.call.region, key=key["pk"])


def _put_item(scribe: Scribe, exchange: Exchange) -> None:
    asked = wire.asked(exchange)
    if asked["TableName"] != scribe.setting.state_table:
        return
    kind = wire.text_of(asked["Item"], "sk")
    if kind == "state":
        _save(scribe, exchange, "store.save_state", asked, ended=None)
    elif kind == "health":
        _save(scribe, exchange, "store.save_health", asked)
    elif kind.startswith("decision#"):
        plan, body = _plan_and_body(asked["Item"])
        scribe.effective(exchange, "store.record_decision", plan=plan, decision=json.loads(body))


def _transact(scribe: Scribe, exchange: Exchange) -> None:
    puts = [item["Put"] for item in wire.asked(exchange)["TransactItems"]]
    state = next(put for put in puts if wire.text_of(put["Item"], "sk") == "state")
    ended = next(put for put in puts if put is not state)
    _save(scribe, exchange, "store.save_state", state, ended=wire.text_of(ended["Item"], "body"))


def _save(scribe: Scribe, exchange: Exchange, operation: str, put: Entry, **more: Any) -> None:
    plan, body = _plan_and_body(put["Item"])
    expected = int(wire.text_of(put.get("ExpressionAttributeValues", {}), ":expected") or 0)
    data = {"plan": plan, "expected": expected, "record": body, **more}
    number = scribe.call(exchange, operation, **data)
    refused = exchange.status == 400 and wire.error_code(exchange) in REFUSED_CONDITION
    if exchange.accepted or refused:
        scribe.effect(exchange, number, operation, **data, saved=exchange.accepted)
    if refused and exchange.told_at is not None:
        ours = wire.text_of(put["Item"], "write_id").encode() in exchange.reply
        who = scribe.who.trace(exchange)
        scribe.add(exchange.told_at, "reply", call=number, worker=who, op=operation, result=ours)
    else:
        scribe.reply(exchange, number, operation, True)


def _plan_and_body(item: Entry) -> tuple[str, str]:
    return wire.text_of(item, "pk").removeprefix("plan#"), wire.text_of(item, "body")


# DynamoDB's checks.


def _scan(scribe: Scribe, exchange: Exchange) -> None:
    table = wire.asked(exchange)["TableName"]
    scribe.simple(exchange, "tables.read", region=exchange.call.region, table=table)


class _Heartbeats:
    """A heartbeat is written and then read consistently: together they are one call of the port."""

    def __init__(self, scribe: Scribe) -> None:
        self._scribe = scribe
        self._open: dict[tuple[str, str, str], int] = {}

    def translate(self, exchanges: Iterable[Exchange]) -> None:
        """Translate every write of a heartbeat."""
        for exchange in exchanges:
            if exchange.call.service != "dynamodb":
                continue
            asked = wire.asked(exchange)
            if asked.get("TableName") != self._scribe.setting.heartbeat_table:
                continue
            if exchange.call.operation == "PutItem":
                self._write(exchange, wire.text_of(asked["Item"], "pk"))
            elif asked.get("ConsistentRead"):
                self._read(exchange, wire.text_of(asked["Key"], "pk"))

    def _write(self, exchange: Exchange, key: str) -> None:
        operation, where = "tables.write_heartbeat", {"region": exchange.call.region, "key": key}
        number = self._scribe.call(exchange, operation, **where)
        if exchange.accepted:
            self._scribe.effect(exchange, number, operation, **where)
        if exchange.accepted or wire.error_code(exchange) in REFUSED_CONDITION:
            self._open[self._scribe.who.trace(exchange), exchange.call.region, key] = number
        else:
            self._scribe.reply(exchange, number, operation)

    def _read(self, exchange: Exchange, key: str) -> None:
        number = self._open.pop((self._scribe.who.trace(exchange), exchange.call.region, key), None)
        if number is not None:
            self._scribe.reply(exchange, number, "tables.write_heartbeat")


def _failed_look_up(scribe: Scribe, look_up: Connection) -> None:
    """Note a check that ended at a name without an address: of DynamoDB's two, the read."""
    region = scribe.setting.names.get(look_up.name)
    if region is None:
        return
    data: Entry = {"url": scribe.setting.urls[region], "status": 200}
    operation = "endpoints.get"
    if look_up.name.startswith("dynamodb."):
        data = {"region": region, "table": scribe.setting.plan["checks"]["dynamodb"][0]}
        operation = "tables.read"
    scribe.calls += 1
    stamp = datetime.fromtimestamp(look_up.at, UTC).isoformat()
    who = {"worker": look_up.trace, "op": operation}
    scribe.add(look_up.at, "call", _id=scribe.calls, **who, clock=stamp, **data)
    scribe.add(look_up.at, "reply", call=scribe.calls, **who, error=symptom("no-such-name"))


def _health(scribe: Scribe, exchange: Exchange) -> None:
    number = scribe.call(exchange, "endpoints.get", url=scribe.setting.urls[exchange.call.region], status=200)
    if exchange.told_at is not None and exchange.status != 200:
        error = symptom("http", status=exchange.status)
        who = scribe.who.trace(exchange)
        scribe.add(exchange.told_at, "reply", call=number, worker=who, op="endpoints.get", error=error)
    else:
        scribe.reply(exchange, number, "endpoints.get")


# Route 53.


@dataclass(slots=True)
class _ZoneRead:
    """A read of a zone under way: its call's number, the names not settled yet, and what was found."""

    number: int
    left: list[str]
    found: list[RecordChange] = field(default_factory=list)


class _ZoneReads:
    """A zone is read page by page until nothing of it is open: together the pages are one call of the port.

    Where the first name is asked for again, a read that failed has begun anew. What a page settles is what
    the product itself takes it to settle (`domain/zone_pages.py`).
    """

    def __init__(self, scribe: Scribe) -> None:
        self._scribe = scribe
        self._open: dict[tuple[str, str], _ZoneRead] = {}
        self._planned: dict[str, set[tuple[str, str]]] = {}
        for record in scribe.setting.plan["route53"]:
            key = (record["name"].rstrip(".").lower(), record["type"])
            self._planned.setdefault(record["zone_id"], set()).add(key)

    def translate(self, exchanges: Iterable[Exchange]) -> None:
        """Translate every read."""
        for exchange in exchanges:
            if exchange.call.service == "route53" and fnmatchcase(exchange.call.operation, READ_RECORDS):
                self._read(exchange)

    def _read(self, exchange: Exchange) -> None:
        zone, worker = wire.path(exchange)[2], self._scribe.who.trace(exchange)
        name = wire.query(exchange)["name"].rstrip(".").lower()
        wanted = in_order([name for name, _ in self._planned[zone]] + [self._fence(zone)])
        if (worker, zone) not in self._open or name == wanted[0]:
            number = self._scribe.call(exchange, "zones.read", zone_id=zone)
            self._open[worker, zone] = _ZoneRead(number, wanted)
        read = self._open[worker, zone]
        if exchange.status != 200:
            return
        sets, following = wire.record_sets(exchange), wire.next_name(exchange)
        done = settled(read.left, [record.name for record in sets], following)
        read.found += [record for record in sets if record.name in done]
        read.left = [name for name in read.left if name not in done]
        if not read.left:
            self._scribe.reply(exchange, read.number, "zones.read", self._result(zone, read))
            del self._open[worker, zone]

    def _fence(self, zone: str) -> str:
        return str(self._scribe.setting.plan["fences"][zone])

    def _result(self, zone: str, read: _ZoneRead) -> Entry:
        mark = (self._fence(zone), "TXT")
        fences = [list(record.values) for record in read.found if (record.name, record.type) == mark]
        records = [_record_set(r) for r in read.found if (r.name, r.type) in self._planned[zone]]
        return {"fence": fences[0] if fences else None, "records": records}


def _submit(scribe: Scribe, exchange: Exchange) -> None:
    changes = [{"action": c.action, **_record_set(c)} for c in changes_in(exchange.body)]
    data = {"zone_id": wire.path(exchange)[2], "changes": changes, "comment": ""}
    number = scribe.call(exchange, "zones.submit", **data)
    change_id = wire.change_info(exchange)[0] if exchange.accepted else ""
    if exchange.accepted:
        scribe.effect(exchange, number, "zones.submit", **data, change_id=change_id)
    scribe.reply(exchange, number, "zones.submit", change_id)


def _get_change(scribe: Scribe, exchange: Exchange) -> None:
    insync = exchange.status == 200 and wire.change_info(exchange)[1] == "INSYNC"
    scribe.simple(exchange, "zones.is_insync", insync, change_id=wire.path(exchange)[-1])


def _record_set(record: RecordChange) -> Entry:
    weighted = {"identifier": record.identifier, "weight": record.weight} if record.identifier else {}
    values = list(record.values)
    return {"name": record.name, "type": record.type, "ttl": record.ttl, "values": values, **weighted}


# Parameters, events, notifications, Linode.


def _get_parameter(scribe: Scribe, exchange: Exchange) -> None:
    where = {"region": exchange.call.region, "name": wire.asked(exchange)["Name"]}
    number = scribe.call(exchange, "parameters.read", **where)
    if exchange.status == 200:
        value = wire.answered(exchange)["Parameter"]["Value"]
        scribe.reply(exchange, number, "parameters.read", value)
    else:
        scribe.reply(exchange, number, "parameters.read")


def _put_parameter(scribe: Scribe, exchange: Exchange) -> None:
    asked = wire.asked(exchange)
    where = {"region": exchange.call.region, "name": asked["Name"], "value": asked["Value"]}
    scribe.effective(exchange, "parameters.write", **where)


def _put_events(scribe: Scribe, exchange: Exchange) -> None:
    for event in wire.asked(exchange)["Entries"]:
        scribe.effective(
            exchange, "events.put", detail_type=event["DetailType"], detail=json.loads(event["Detail"])
        )


def _publish(scribe: Scribe, exchange: Exchange) -> None:
    asked = wire.form(exchange)
    scribe.effective(exchange, "notifier.publish", subject=asked["Subject"], text=asked["Message"])


def _linode_find(scribe: Scribe, exchange: Exchange) -> None:
    domain = int(wire.path(exchange)[-2])
    there = wire.answered(exchange).get("data", []) if exchange.status == 200 else []
    for wanted in scribe.setting.plan["linode"]:
        result = [
            {"id": r["id"], "target": r["target"], "ttl_sec": r["ttl_sec"]}
            for r in there
            if (r["name"], r["type"]) == (wanted["name"], wanted["type"])
        ]
        scribe.simple(
            exchange, "linode.find", result, domain_id=domain, name=wanted["name"], type=wanted["type"]
        )


def _linode_point(scribe: Scribe, exchange: Exchange) -> None:
    *_, domain, _, record = wire.path(exchange)
    result = wire.answered(exchange) if exchange.status == 200 else {}
    scribe.effective(
        exchange,
        "linode.point",
        {key: result.get(key) for key in ("id", "target", "ttl_sec")},
        domain_id=int(domain),
        record_id=int(record),
        **wire.asked(exchange),
    )


_TRANSLATORS: tuple[tuple[str, str, Callable[[Scribe, Exchange], None]], ...] = (
    ("dynamodb", "GetItem", _get_item),
    ("dynamodb", "PutItem", _put_item),
    ("dynamodb", "TransactWriteItems", _transact),
    ("dynamodb", "Scan", _scan),
    ("route53", CHANGE_RECORDS, _submit),
    ("route53", "GET */change/*", _get_change),
    ("ssm", "GetParameter", _get_parameter),
    ("ssm", "PutParameter", _put_parameter),
    ("events", "PutEvents", _put_events),
    ("sns", "Publish", _publish),
    ("linode", "GET */records", _linode_find),
    ("linode", "PUT */records/*", _linode_point),
    ("application", "GET /health", _health),
)
