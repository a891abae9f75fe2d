"""Readiness looks at everything at once, says what it found, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from region_failover.domain.configuration_readiness import Function
from region_failover.domain.dataplane_readiness import PairSeen
from region_failover.domain.errors import MalformedEvent, RemoteFailure
from region_failover.domain.linode import NAME_SERVERS, LinodeDomain, fqdn
from region_failover.domain.linode_readiness import LinodeToken, LinodeZone
from region_failover.domain.plan import AlarmCheck, NodeBalancer, NodeBalancerCheck, Plan
from region_failover.domain.plan_file import parse_plan
from region_failover.domain.readiness import Table
from region_failover.domain.reports import Alarm, Nodes
from region_failover.domain.state import Phase
from region_failover.domain.symptom import Kind, Symptom
from region_failover.domain.trigger import read_triggers
from region_failover.service.readiness import READINESS_CHECKED, handle_readiness
from region_failover.service.record import Deadline
from tests.fakes import DENIED, EAST, NOON, PARAMETER, PLAN, PLAN_TEXT, TIMED_OUT, WEST, World


@dataclass
class FakeInventory:
    """An account in which everything is as it should be, unless a test says otherwise."""

    world: World
    failures: dict[str, Exception] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    expires_at: datetime | None = None
    functions: dict[tuple[str, str], Function | None] = field(default_factory=dict)
    scopes: frozenset[str] | None = frozenset({"domains:read_write"})
    domain_status: str = "active"
    states: dict[str, str] = field(default_factory=lambda: {"region-failover-signal-x": "OK"})

    def _look(self, what: str) -> None:
        if what in self.failures:
            raise self.failures[what]

    def describe(self, region: str, table: str) -> Table:
        self._look(f"describe {region}")
        return Table(
            "ACTIVE", (("id", "HASH"),), {EAST if region == WEST else WEST: "ACTIVE"}, on_demand=True
        )

    def limits(self, region: str) -> Mapping[str, int]:
        self._look("limits")
        return {"AccountMaxReadCapacityUnits": 80_000}

    control_region = WEST
    pair = PairSeen({}, {})
    has_alarm = True

    def failover_pair(self, zone_id: str, name: str, kind: str) -> PairSeen:
        self._look("pair")
        return self.pair

    def alarm_is_there(self, name: str) -> bool:
        self._look("alarm")
        return self.has_alarm

    def alarms(self) -> Mapping[str, str]:
        self._look("alarms")
        return self.states

    def denied(self, role: str, wanted: Sequence[tuple[str, str]]) -> Sequence[str]:
        self._look("denied")
        return [action for action, _ in wanted if action in self.missing]

    def skew_s(self, region: str) -> float:
        self._look("skew_s")
        return 0.0

    def function(self, region: str, name: str) -> Function | None:
        self._look("function")
        return self.functions.get((region, name), Function("Active", 3))

    def linode_token(self) -> LinodeToken:
        self._look("token")
        return LinodeToken(self.expires_at, self.scopes)

    def linode_zone(self, domain_id: int) -> LinodeZone:
        self._look("domain")
        linode = self.world.linode
        held = linode.records.get(domain_id, [])
        domain = LinodeDomain(linode.names.get(domain_id, "legacy.example"), tuple(held))
        rendered = {(fqdn(r.name, domain.name), r.type): (r.target,) for r in held}
        return LinodeZone(domain, self.domain_status, "master", rendered, {})

    def wanted(self, plan: Plan) -> Mapping[str, Sequence[tuple[str, str]]]:
        return {"failover": [("ssm:PutParameter", "arn")], "failback": []}


class Account(World):
    """A world that has been running, and its account."""

    def __init__(self, plan: Plan = PLAN) -> None:
        super().__init__(plan)
        self.tick()
        self._probe(self.schedule())
        self.inventory = FakeInventory(self)

    def check(self, event: object | None = None) -> dict[str, Any]:
        ports = self.ports()
        triggers = read_triggers(event or self.schedule(), "request-1")
        found = handle_readiness(ports, self.inventory, [self.plan], triggers, Deadline.after(ports, 60))
        return json.loads(json.dumps(found[0]))  # type: ignore[no-any-return]


@pytest.fixture
def account() -> Account:
    return Account()


def problems(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(f["severity"], f["subject"]) for f in found["findings"]]


def test_an_account_that_is_ready(account: Account) -> None:
    found = account.check()
    assert (found["errors"], found["warnings"], found["findings"]) == (0, 0, [])
    assert account.events.of(READINESS_CHECKED)[0]["plan"] == "orders"
    assert account.meter.measured[-1] == ("orders", {"ReadinessErrors": 0, "ReadinessWarnings": 0})
    assert account.notifier.sent == []


def test_it_changes_nothing(account: Account) -> None:
    before = repr(account.zones.zones)
    account.faults.calls.clear()
    account.check()
    assert repr(account.zones.zones) == before
    written = {call for call in account.faults.calls if call.split(".")[1] in {"submit", "write", "point"}}
    assert written == set()
    assert "store.save_state" not in account.faults.calls


def test_an_error_is_told_once_and_again_when_it_is_another(account: Account) -> None:
    account.zones.zones[account.plan.route53_records[0].zone_id].pop(("api.example.com.", "A"), None)
    account.inventory.missing = ["ssm:PutParameter"]
    found = account.check()
    assert found["errors"] == len(problems(found)) >= 1
    account.check()
    assert len(account.notifier.about("is not ready")) == 1
    account.inventory.missing = []
    account.edit_state(phase=Phase.NEEDS_OPERATOR)
    account.check()
    assert len(account.notifier.about("is not ready")) == 2
    assert "the last transition was halted" in account.notifier.sent[-1][1]


def test_a_cap_that_would_hold_a_whole_switch_is_told_before_it_does(account: Account) -> None:
    account.plan = replace(account.plan, policy=replace(account.plan.policy, max_changes=3))
    found = account.check()
    assert problems(found) == [("error", "policy max_changes")]
    assert account.notifier.about("is not ready: 1 errors")
    account.plan = replace(account.plan, policy=replace(account.plan.policy, max_changes=4))
    assert account.check()["errors"] == 0


def test_warnings_are_counted_and_not_told(account: Account) -> None:
    account.inventory.states = {"region-failover-ops-x": "INSUFFICIENT_DATA"}
    found = account.check()
    assert (found["errors"], found["warnings"]) == (0, 1)
    assert account.notifier.sent == []
    assert account.meter.measured[-1][1]["ReadinessWarnings"] == 1


def test_what_cannot_be_looked_at_is_found_and_hides_nothing_else(account: Account) -> None:
    refused = RemoteFailure(DENIED)
    account.inventory.failures = {"describe us-east-1": refused, "alarms": refused, "token": refused}
    account.parameters.failures[EAST] = TIMED_OUT
    account.inventory.missing = ["ssm:PutParameter"]
    assert problems(account.check()) == [
        ("error", "role of failover"),
        ("warning", "Linode token"),
        ("warning", "alarms"),
        ("warning", "parameter /orders/active-region in us-east-1"),
        ("warning", "table orders in us-east-1"),
    ]


def test_the_gravest_comes_first(account: Account) -> None:
    account.edit_state(paused=True, pause_note="mia")
    account.inventory.missing = ["ssm:PutParameter"]
    account.inventory.expires_at = account.clock.now() + timedelta(days=3)
    assert [severity for severity, _ in problems(account.check())] == ["error", "warning", "note"]


def test_an_unreachable_state_table_is_a_finding(account: Account) -> None:
    account.store.available = False
    assert ("warning", "record") in problems(account.check())


def test_a_mistake_of_ours_is_no_finding(account: Account) -> None:
    account.inventory.failures = {"limits": KeyError("x")}
    with pytest.raises(KeyError):
        account.check()


def test_a_human_may_ask_for_one_plan_or_all(account: Account) -> None:
    assert account.check({"action": "check", "plan": "orders"})["plan"] == "orders"
    assert account.check({"action": "check", "plan": "*"})["plan"] == "orders"
    with pytest.raises(MalformedEvent, match="there is no plan payments; known are: orders"):
        account.check({"action": "check", "plan": "payments"})
    for wrong in (
        {"action": "check"},
        {"action": "check", "plan": ""},
        {"action": "check", "plan": "x", "y": 1},
    ):
        with pytest.raises(MalformedEvent, match="'action' and 'plan'"):
            account.check(wrong)
    with pytest.raises(MalformedEvent, match="does not start readiness"):
        account.check(account.alarm())


def test_what_has_drifted_is_told_as_drift_and_found_all_the_same(account: Account) -> None:
    account.linode.records[123456].clear()
    account.parameters.values.pop((EAST, PARAMETER))
    account.tick()  # what the failback function may read, readiness leaves to it
    found = account.check()
    assert problems(found) == [
        ("error", "Linode record app A in domain 123456"),
        ("error", f"parameter {PARAMETER} in {EAST}"),
    ]
    assert account.notifier.about("is not ready") == []
    assert len(account.notifier.about("misses something that it switches")) == 2
    assert [one.subject for one in account.state.drift] == [
        "linode 123456 app A",
        f"ssm {EAST} {PARAMETER}",
    ]


def test_each_domain_at_linode_is_asked_for_once(account: Account) -> None:
    """Linode's limit is 200 collections a minute, for all of a customer's tools."""
    account.faults.calls.clear()
    account.check()
    assert account.faults.calls.count("linode.records_in") == 1


def test_linode_out_of_reach_is_no_drift_and_ends_none(account: Account) -> None:
    account.linode.failure = TIMED_OUT
    account.check()
    assert account.state.drift == ()
    account.linode.failure = None
    account.linode.records[123456].clear()
    account.check()
    account.linode.failure = TIMED_OUT
    account.check()
    assert [one.subject for one in account.state.drift] == ["linode 123456 app A"]


def test_plans_without_linode_ask_nothing_of_linode(account: Account) -> None:
    account.plan = replace(account.plan, linode_records=())
    account.inventory.failures = {"token": RemoteFailure(DENIED)}
    assert problems(account.check()) == []


@pytest.mark.parametrize("why", ["refused", "expired", "scope"])
def test_a_token_that_would_be_refused_in_an_outage_is_an_error_before_it(account: Account, why: str) -> None:
    if why == "refused":
        refused = Symptom(Kind.HTTP, status=401, detail="Linode: Invalid Token")
        account.inventory.failures = {"token": RemoteFailure(refused)}
    elif why == "expired":
        account.inventory.expires_at = account.clock.now()
    else:
        account.inventory.scopes = frozenset({"domains:read_only", "linodes:read_write"})
    assert problems(account.check()) == [("error", "Linode token")]
    assert account.notifier.about("is not ready")


def test_name_servers_that_do_not_answer_are_found_before_a_move_waits_for_them(account: Account) -> None:
    account.names.silent = set(NAME_SERVERS)
    assert problems(account.check()) == [("warning", "Linode record app A in domain 123456")]
    account.names.silent = set()
    account.names.lagging = {server: {("app.legacy.example", "A"): ("192.0.2.9",)} for server in NAME_SERVERS}
    assert problems(account.check()) == [("warning", "Linode record app A in domain 123456")]


def test_a_domain_that_is_not_served_is_found(account: Account) -> None:
    account.inventory.domain_status = "disabled"
    assert problems(account.check()) == [("error", "Linode domain legacy.example (123456)")]


def test_alarms_and_nodebalancers_of_the_plan_that_say_nothing_are_found(account: Account) -> None:
    account.plan = replace(
        account.plan,
        alarm_checks=(AlarmCheck("errors", "errors"), AlarmCheck("latency")),
        balancer_checks=(NodeBalancerCheck(NodeBalancer(1, 11), NodeBalancer(2, 22)),),
    )
    account.inventory.scopes = frozenset({"*"})
    assert account.check()["findings"] == []
    account.reports.alarms[EAST, "errors"] = Alarm("ALARM", NOON)  # it fires: it speaks
    account.reports.alarms[WEST, "errors"] = Alarm("INSUFFICIENT_DATA")
    account.reports.alarms[EAST, "latency"] = Symptom(
        Kind.SETTINGS, detail="us-east-1 has no alarm 'latency'"
    )
    account.reports.balancers[NodeBalancer(1, 11)] = Nodes(0, 2, "none")
    account.reports.balancers[NodeBalancer(2, 22)] = TIMED_OUT
    found = account.check()
    assert [(f["severity"], f["subject"], f["problem"]) for f in found["findings"]] == [
        (
            "warning",
            "NodeBalancer 1/11 in us-east-1",
            "says nothing: the NodeBalancer does not check its nodes",
        ),
        ("warning", "NodeBalancer 2/22 in us-west-2", "could not be looked at: timeout no answer"),
        ("warning", "alarm errors in us-west-2", "says nothing: its state is INSUFFICIENT_DATA"),
        ("warning", "alarm latency in us-east-1", "says nothing: us-east-1 has no alarm 'latency'"),
    ]


CONFIGURATION = """
[[switch.secret]]
name = "orders/database"
regions = ["us-west-2", "us-east-1"]
key = "host"
[[switch.hook]]
name = "ask"
function = "may-we"
when = "before"
[[switch.hook]]
name = "tell"
function = "we-have"
when = "after"
region = "control"
"""


@pytest.fixture
def configured() -> Account:
    return Account(parse_plan(PLAN_TEXT + CONFIGURATION, "orders.toml"))


def test_secrets_and_hooks_that_are_ready(configured: Account) -> None:
    assert configured.check()["findings"] == []


def test_what_is_wrong_with_a_secret_is_found_without_a_word_of_it(configured: Account) -> None:
    configured.secrets.put(WEST, "orders/database", '{"host": "hunter2"}')
    del configured.secrets.current[EAST, "orders/database"]
    found = configured.check()
    assert problems(found) == [
        ("error", f"secret orders/database in {EAST}"),
        ("error", f"secret orders/database in {WEST}"),
    ]
    assert "hunter2" not in json.dumps(found)
    assert "'host'" in found["findings"][1]["problem"]


def test_a_secret_that_names_the_other_region_or_cannot_be_read_is_found(configured: Account) -> None:
    configured.secrets.put(WEST, "orders/database", f'{{"host": "{WEST}"}}')
    configured.secrets.failures[EAST] = DENIED
    assert problems(configured.check()) == [
        ("warning", f"secret orders/database in {EAST}"),
        ("warning", f"secret orders/database in {WEST}"),
    ]


def test_a_function_that_is_not_there_or_sleeps_or_runs_too_long_is_found(configured: Account) -> None:
    configured.inventory.functions[EAST, "may-we"] = None
    configured.inventory.functions[WEST, "may-we"] = Function("Inactive", 5)
    configured.inventory.functions["", "we-have"] = Function("Active", 6)
    assert [f[0] for f in problems(configured.check())] == ["error", "warning", "note"]


def test_a_parameter_that_is_in_no_plan_may_be_a_secret_and_is_not_shown(account: Account) -> None:
    account.parameters.values[WEST, "/orders/active-region"] = "hunter2"
    found = account.check()
    assert problems(found) == [("warning", f"parameter /orders/active-region in {WEST}")]
    assert "hunter2" not in json.dumps(found)
