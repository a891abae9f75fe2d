"""From what went over the wire to a history: each request, who made it, in which order it took effect."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest

from drill.exchanges import Exchange
from drill.faults import Call
from drill.history import first_entry, history
from drill.scribe import Entry, Setting, read_connections
from proof.checker import check

BEGAN = 1_000_000.0
PLAN_FILE = """
name = "orders"
[regions]
primary = "east"
standby = "west"
[policy]
failover = "automatic"
failback = "automatic"
healthy_for = "10s"
cooldown = "2m"
max_replication_lag = "5s"
[[check.dynamodb]]
table = "orders"
[[check.http]]
primary = "http://east.app/health"
standby = "http://west.app/health"
[[switch.route53_record]]
zone_id = "Z1"
name = "api.example"
type = "A"
ttl = 30
primary = ["192.0.2.1"]
standby = ["192.0.2.2"]
[[switch.linode_record]]
domain_id = 7
name = "app"
type = "A"
ttl_sec = 30
primary = "192.0.2.1"
standby = "192.0.2.2"
[[switch.ssm_parameter]]
name = "/active"
regions = ["west", "east"]
"""
OLD = {"name": "api.example", "type": "A", "ttl": 30, "values": ["192.0.2.1"]}
FIRST = first_entry(PLAN_FILE, BEGAN, {"Z1": [OLD]}, {"Z1": "_f.api.example"}, "secret")
SETTING = Setting(
    plan=FIRST,
    zone_id="Z1",
    fence="_f.api.example",
    state_table="state",
    heartbeat_table="beats",
    urls={"east": "http://east.app/health", "west": "http://west.app/health"},
    names={"dynamodb.east.test": "east", "east.app": "east"},
    functions={"ASIA1": "failover", "ASIA2": "failback"},
)
REFUSED = {"__type": "com.amazonaws#ConditionalCheckFailedException", "Item": {}}


@dataclass
class Wire:
    """Makes exchanges, a second apart, each answered within a third of it."""

    kept: list[Exchange] = field(default_factory=list)

    def ask(
        self,
        service: str,
        operation: str,
        body: Any = b"",
        reply: Any = None,
        *,
        status: int = 200,
        trace: str = "T1",
        key: str = "ASIA1",
        region: str = "west",
        path: str = "/",
        done: bool = True,
        told: bool = True,
        port: int = 1,
    ) -> Exchange:
        at = BEGAN + 1.0 + len(self.kept)
        text = reply if isinstance(reply, bytes) else json.dumps(reply or {}).encode()
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        exchange = Exchange(Call(region, service, operation, key), path, sent, ("127.0.0.1", port), trace, at)
        if done:
            exchange.status, exchange.reply, exchange.done_at = status, text, at + 0.1
        if told:
            exchange.status, exchange.reply, exchange.told_at = status, text, at + 0.3
        self.kept.append(exchange)
        return exchange

    def save(self, record: Entry, expected: int, write_id: str = "4f1c", **more: Any) -> Exchange:
        put = {
            "TableName": "state",
            "Item": item("state", json.dumps(record), write_id),
            "ExpressionAttributeValues": {":expected": {"N": str(expected)}},
        }
        return self.ask("dynamodb", "PutItem", put, **more)

    def submit(self, *changes: Entry, **more: Any) -> Exchange:
        path = "/2013-04-01/hostedzone/Z1/rrset"
        more.setdefault("reply", change_xml("C1", "PENDING"))
        return self.ask("route53", f"POST {path}", batch_xml(*changes), path=path, **more)

    def look(self, name: str, kind: str, *there: Entry, status: int = 200, following: str = "") -> Exchange:
        path = "/2013-04-01/hostedzone/Z1/rrset"
        asked = f"{path}?{urlencode({'name': name, 'type': kind, 'maxitems': 2})}"
        return self.ask(
            "route53", f"GET {path}", b"", sets_xml(*there, following=following), path=asked, status=status
        )

    def entries(self, connections: str = "") -> list[Entry]:
        return history(SETTING, self.kept, read_connections(connections), BEGAN)

    def of(self, operation: str, connections: str = "") -> list[Entry]:
        return [e for e in self.entries(connections) if e.get("op") == operation]


@pytest.fixture
def wire() -> Wire:
    return Wire()


def item(kind: str, body: str, write_id: str = "4f1c") -> Entry:
    return {
        "pk": {"S": "plan#orders"},
        "sk": {"S": kind},
        "body": {"S": body},
        "write_id": {"S": write_id},
    }


def batch_xml(*changes: Entry) -> bytes:
    parts = "".join(
        f"<Change><Action>{c['action']}</Action><ResourceRecordSet><Name>{c['name']}.</Name>"
        f"<Type>{c['type']}</Type><TTL>{c['ttl']}</TTL><ResourceRecords>"
        + "".join(f"<ResourceRecord><Value>{v}</Value></ResourceRecord>" for v in c["values"])
        + "</ResourceRecords></ResourceRecordSet></Change>"
        for c in changes
    )
    return f'<Request xmlns="https://route53"><ChangeBatch>{parts}</ChangeBatch></Request>'.encode()


def sets_xml(*records: Entry, following: str = "") -> bytes:
    parts = "".join(
        f"<ResourceRecordSet><Name>{r['name']}.</Name><Type>{r['type']}</Type><TTL>{r['ttl']}</TTL>"
        "<ResourceRecords>"
        + "".join(f"<ResourceRecord><Value>{v}</Value></ResourceRecord>" for v in r["values"])
        + "</ResourceRecords></ResourceRecordSet>"
        for r in records
    )
    more = (
        f"<IsTruncated>true</IsTruncated><NextRecordName>{following}.</NextRecordName>" if following else ""
    )
    sets = f"<ResourceRecordSets>{parts}</ResourceRecordSets>"
    return f'<Reply xmlns="https://route53">{sets}{more}</Reply>'.encode()


def change_xml(change_id: str, status: str) -> bytes:
    return (
        f'<Reply xmlns="https://route53"><ChangeInfo><Id>/change/{change_id}</Id><Status>{status}</Status>'
        "</ChangeInfo></Reply>"
    ).encode()


def fence(epoch: int, active: str) -> Entry:
    value = f'"region-failover plan=orders epoch={epoch} active={active}"'
    return {"name": "_f.api.example", "type": "TXT", "ttl": 30, "values": [value]}


def state(version: int, epoch: int, **more: Any) -> Entry:
    return {
        "plan": "orders",
        "version": version,
        "epoch": epoch,
        "active": "east",
        "phase": "steady",
        "transition": None,
        "cooldown_until": None,
        "paused": False,
        "owed": [],
        "outbox": [],
        "noticed": {},
        "proposal": "",
        "requests": [],
        **more,
    }


def kinds(entries: list[Entry]) -> list[str]:
    return [entry["kind"] for entry in entries]


def test_a_load_is_a_call_and_a_reply_of_the_record_as_it_stands(wire: Wire) -> None:
    key = {"pk": {"S": "plan#orders"}, "sk": {"S": "state"}}
    wire.ask("dynamodb", "GetItem", {"TableName": "state", "Key": key}, {"Item": item("state", "{}")})
    wire.ask("dynamodb", "GetItem", {"TableName": "state", "Key": key}, {})
    call, reply, _, empty = wire.of("store.load_state")
    assert (call["plan"], call["t"], call["worker"]) == ("orders", 1.0, "failover:T1")
    assert (reply["result"], reply["call"], reply["t"]) == ("{}", call["n"], pytest.approx(1.3))
    assert empty["result"] is None


def test_an_accepted_save_has_its_effect_before_its_worker_knows(wire: Wire) -> None:
    wire.save(state(2, 0), 1)
    call, effect, reply = wire.of("store.save_state")
    assert (call["expected"], json.loads(call["record"])["version"], call["ended"]) == (1, 2, None)
    assert (effect["saved"], effect["call"]) == (True, call["n"])
    assert reply["result"] is True
    assert call["t"] < effect["t"] < reply["t"]


def test_a_refused_save_was_lost_to_another_unless_it_shows_our_own_write(wire: Wire) -> None:
    wire.save(state(2, 0), 1, reply=REFUSED, status=400)
    wire.save(state(2, 0), 1, "mine", reply={**REFUSED, "Item": item("state", "{}", "mine")}, status=400)
    _, lost, refused, _, again, ours = wire.of("store.save_state")
    assert (lost["saved"], refused["result"], again["saved"], ours["result"]) == (False, False, False, True)


def test_a_lost_reply_is_an_effect_that_nobody_was_told_of(wire: Wire) -> None:
    wire.save(state(2, 0), 1, told=False)
    assert kinds(wire.of("store.save_state")) == ["call", "effect"]


def test_a_request_that_hangs_is_a_call_and_nothing_else(wire: Wire) -> None:
    wire.ask("dynamodb", "Scan", {"TableName": "orders"}, done=False, told=False)
    assert kinds(wire.of("tables.read")) == ["call"]


def test_a_transaction_is_a_save_with_what_has_ended(wire: Wire) -> None:
    puts = [{"Put": {"Item": item("state", json.dumps(state(3, 1)))}}]
    puts += [{"Put": {"Item": item("transition#1#x", '{"epoch": 1}')}}]
    wire.ask("dynamodb", "TransactWriteItems", {"TransactItems": puts})
    assert wire.of("store.save_state")[0]["ended"] == '{"epoch": 1}'


def test_the_claim_tells_the_workers_name_for_all_that_it_did(wire: Wire) -> None:
    lease = {"owner": "failover:request-1", "until": "2026-01-01T00:00:00+00:00"}
    wire.ask("dynamodb", "Scan", {"TableName": "orders"})
    wire.save(state(2, 1, transition={"lease": lease, "steps": []}), 1)
    wire.save(state(3, 1, transition={"lease": lease, "steps": []}), 2, trace="T2", key="ASIA2")
    entries = wire.entries()
    assert {e["worker"] for e in entries if e["t"] < 3} == {"failover:request-1"}
    assert {e["worker"] for e in entries if e["t"] >= 3} == {"failback:T2"}
    assert [(e["worker"], e["function"]) for e in entries if e["kind"] == "begin"] == [
        ("failover:request-1", "failover"),
        ("failback:T2", "failback"),
    ]


def test_saves_take_effect_in_the_order_of_their_versions(wire: Wire) -> None:
    first, second = wire.save(state(2, 0), 1), wire.save(state(3, 0), 2, trace="T2")
    first.done_at = first.told_at = BEGAN + 9  # its answer was slower on its way through the proxy
    effects = [e for e in wire.of("store.save_state") if e["kind"] == "effect"]
    assert [json.loads(e["record"])["version"] for e in effects] == [2, 3]
    assert second.done_at is not None


def test_a_heartbeat_is_well_only_once_it_has_been_read_back(wire: Wire) -> None:
    beat = {"pk": {"S": "orders#west"}, "at": {"S": "2026-01-01T00:00:00+00:00"}}
    wire.ask("dynamodb", "PutItem", {"TableName": "beats", "Item": beat})
    assert kinds(wire.of("tables.write_heartbeat")) == ["call", "effect"]
    read = {"TableName": "beats", "Key": {"pk": beat["pk"]}, "ConsistentRead": False}
    wire.ask("dynamodb", "GetItem", read, {"Item": beat})
    assert [e.get("result") for e in wire.of("tables.read_heartbeat")] == [None, beat["at"]["S"]]
    assert kinds(wire.of("tables.write_heartbeat")) == ["call", "effect"]
    wire.ask("dynamodb", "GetItem", {**read, "ConsistentRead": True}, {"Item": beat})
    assert kinds(wire.of("tables.write_heartbeat")) == ["call", "effect", "reply"]


def test_a_zones_records_and_its_fence_are_one_read(wire: Wire) -> None:
    wire.look("api.example", "A", OLD, following="_f.api.example")
    wire.look("_f.api.example", "TXT")
    call, reply = wire.of("zones.read")
    assert call["zone_id"] == "Z1"
    assert reply["result"] == {"fence": None, "records": [OLD]}


def test_a_zones_read_that_failed_begins_anew(wire: Wire) -> None:
    wire.look("api.example", "A", OLD, following="_f.api.example")
    wire.look("_f.api.example", "TXT", status=503)
    wire.look("api.example", "A", OLD, following="_f.api.example")
    wire.look("_f.api.example", "TXT", fence(0, "east"))
    failed, again, reply = wire.of("zones.read")
    assert (failed["t"], again["t"], reply["call"]) == (1.0, 3.0, again["n"])
    assert reply["result"] == {"fence": fence(0, "east")["values"], "records": [OLD]}


def test_a_batch_and_what_became_of_it(wire: Wire) -> None:
    wire.submit({"action": "DELETE", **OLD}, {"action": "CREATE", **fence(1, "west")})
    refused = b'<E xmlns="https://route53"><Error><Code>InvalidChangeBatch</Code></Error></E>'
    wire.submit({"action": "DELETE", **OLD}, status=400, reply=refused)
    call, effect, reply, _, error = wire.of("zones.submit")
    assert call["changes"][0] == {"action": "DELETE", **OLD}
    assert (effect["change_id"], reply["result"]) == ("C1", "C1")
    assert error["error"] == {"type": "FenceRefused"}
    path = "/2013-04-01/change/C1"
    wire.ask("route53", f"GET {path}", b"", change_xml("C1", "INSYNC"), path=path)
    assert [e.get("result") for e in wire.of("zones.is_insync")] == [None, True]


def test_parameters_events_and_notifications(wire: Wire) -> None:
    wire.ask("ssm", "PutParameter", {"Name": "/active", "Value": "west"})
    wire.ask("ssm", "GetParameter", {"Name": "/active"}, {"Parameter": {"Value": "west"}})
    wire.ask("ssm", "PutParameter", {"Name": "/active", "Value": "west"}, done=False, told=False)
    event = {"DetailType": "Region Unhealthy", "Detail": '{"plan": "orders"}'}
    wire.ask("events", "PutEvents", {"Entries": [event]})
    wire.ask("sns", "Publish", urlencode({"Subject": "s", "Message": "m"}).encode())
    assert kinds(wire.of("parameters.write")) == ["call", "effect", "reply", "call"]
    assert wire.of("parameters.read")[1]["result"] == "west"
    assert wire.of("events.put")[0]["detail"] == {"plan": "orders"}
    assert (wire.of("notifier.publish")[1]["subject"], wire.of("notifier.publish")[1]["text"]) == ("s", "m")


def test_plain_http_is_known_by_its_port_and_the_moment_it_was_opened(wire: Wire) -> None:
    path = "/v4/domains/7/records"
    there = {"data": [{"id": 5, "name": "app", "type": "A", "target": "192.0.2.1", "ttl_sec": 30}]}
    wire.ask("linode", "GET /domains/7/records", b"", there, trace="", key="", path=path, port=4000)
    change = {"target": "192.0.2.2", "ttl_sec": 30}
    wire.ask(
        "linode", "PUT /domains/7/records/5", change, {"id": 5, **change}, trace="", key="",
        path=f"{path}/5", port=4001,
    )  # fmt: skip
    wire.ask("application", "GET /health", b"", trace="", key="", region="east", port=4002, status=503)
    wire.ask("application", "GET /health", b"", trace="", key="", region="east", port=4009)  # a stranger's
    opened = f"{BEGAN} 4000 T0\n{BEGAN + 0.9} 4000 T1\n{BEGAN + 1.9} 4001 T1\n{BEGAN + 2.9} 4002 T1\n"
    assert wire.of("linode.find", opened)[1]["result"] == [{"id": 5, "target": "192.0.2.1", "ttl_sec": 30}]
    call, effect, reply = wire.of("linode.point", opened)
    assert (call["domain_id"], call["record_id"], call["target"]) == (7, 5, "192.0.2.2")
    assert kinds([call, effect, reply]) == ["call", "effect", "reply"]
    asked, failed = wire.of("endpoints.get", opened)
    assert asked["url"] == "http://east.app/health"
    assert failed["error"]["symptom"] == {"kind": "http", "code": "", "status": 503}
    assert {e["worker"] for e in wire.entries(opened)} == {"unknown:T1"}


def test_a_look_up_that_found_nothing_is_the_check_that_failed(wire: Wire) -> None:
    looked = f"{BEGAN + 1} dynamodb.east.test T1\n{BEGAN + 2} east.app T1\n{BEGAN + 3} elsewhere.test T1\n"
    table, http = wire.of("tables.read", looked), wire.of("endpoints.get", looked)
    assert (table[0]["region"], table[0]["table"]) == ("east", "orders")
    assert http[0]["url"] == "http://east.app/health"
    assert {e["error"]["symptom"]["kind"] for e in (table[1], http[1])} == {"no-such-name"}


def test_what_no_function_asked_is_no_part_of_it(wire: Wire) -> None:
    wire.ask("dynamodb", "PutItem", {"TableName": "orders", "Item": {}}, trace="", key="test")
    wire.kept[0].asked_at = BEGAN - 1
    assert wire.entries() == []


def test_the_first_entry_is_the_plans_own_file(wire: Wire) -> None:
    assert FIRST["policy"]["cooldown_s"] == 120
    assert FIRST["checks"] == {
        "dynamodb": ["orders"],
        "http": [{"status": 200, "primary": "http://east.app/health", "standby": "http://west.app/health"}],
    }
    assert FIRST["zones"] == {"Z1": [OLD]}


def test_the_checker_finds_in_it_what_must_not_be(wire: Wire) -> None:
    wire.save(state(1, 0), 0)
    wire.submit({"action": "CREATE", **fence(0, "east")})
    assert check([FIRST, *wire.entries()]) == []
    wire.submit({"action": "DELETE", **OLD})
    found = {violation.invariant for violation in check([FIRST, *wire.entries()])}
    assert {"I2", "I6"} <= found  # no fence, and the answer is empty
