"""From what there is at Linode to findings: each rule by what it finds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from region_failover.domain.linode import LinodeDomain, LinodeRecordState
from region_failover.domain.linode_readiness import (
    LinodeToken,
    LinodeZone,
    has_scope,
    needed_scopes,
    of_linode_zone,
    of_token,
)
from region_failover.domain.plan import InstanceCheck, LinodeReboots, NodeBalancer, NodeBalancerCheck
from region_failover.domain.readiness import Finding
from region_failover.domain.state import initial_state
from tests.fakes import EAST, NOON, PLAN

STATE = initial_state("orders", 7, EAST)
APP = LinodeRecordState(1, "app", "A", "203.0.113.10", 30)
KEY = ("app.legacy.example", "A")
DAY, S = timedelta(days=1), timedelta(seconds=1)
REBOOTING = replace(PLAN, linode_reboots=LinodeReboots((1,), (2,)))


def zone(*records: LinodeRecordState, **changes: Any) -> LinodeZone:
    says = {KEY: ("203.0.113.10",)}
    return replace(
        LinodeZone(LinodeDomain("legacy.example", records or (APP,)), "active", "master", says, says),
        **changes,
    )


def found(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    return [(f.severity.value, f.problem) for f in findings]


def of(what: LinodeZone, state: Any = STATE) -> list[tuple[str, str]]:
    return found(of_linode_zone(PLAN, state, 123456, what))


def test_a_domain_that_is_as_the_plan_has_it() -> None:
    assert of(zone()) == []
    assert of(zone(), None) == []
    assert list(of_linode_zone(PLAN, STATE, 7, zone())) == []


@pytest.mark.parametrize(
    ("what", "severity", "problem"),
    [
        (zone(replace(APP, name="other")), "error", "0 records 'app' A"),
        (zone(APP, replace(APP, id=2)), "error", "2 records 'app' A"),
        (zone(replace(APP, target="192.0.2.77")), "error", "192.0.2.77, which is in no plan"),
        (zone(replace(APP, target="198.51.100.50")), "error", "points at 198.51.100.50"),
        (zone(replace(APP, ttl_sec=300)), "warning", "has a TTL of 300 s, the plan says 30 s"),
        (zone(replace(APP, ttl_sec=0)), "warning", "has a TTL of the domain's default"),
        (zone(rendered={}), "warning", "is not in the zone file that Linode rendered last"),
        (zone(answers={KEY: ("192.0.2.1",)}), "warning", "name servers say 192.0.2.1"),
        (zone(answers={KEY: ()}), "warning", "name servers say nothing"),
        (zone(answers={KEY: "timeout"}), "warning", "name servers have no answer: timeout"),
        (zone(status="disabled"), "error", "is disabled"),
        (zone(kind="slave"), "error", "is a slave domain"),
    ],
)
def test_what_would_stop_a_move_or_make_it_worse(what: LinodeZone, severity: str, problem: str) -> None:
    findings = of(what)
    assert [s for s, text in findings if problem in text] == [severity], findings


def test_a_ttl_that_is_kept_is_never_too_long() -> None:
    kept = replace(PLAN, linode_records=(replace(PLAN.linode_records[0], ttl_sec=None),))
    assert list(of_linode_zone(kept, STATE, 123456, zone(replace(APP, ttl_sec=0)))) == []


def test_one_record_under_two_names_is_found() -> None:
    twice = replace(
        PLAN,
        linode_records=(*PLAN.linode_records, replace(PLAN.linode_records[0], name="app.legacy.example")),
    )
    (finding,) = of_linode_zone(twice, STATE, 123456, zone())
    assert "is also Linode record app A" in finding.problem


ALL = frozenset({"*"})


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (LinodeToken(None, ALL), []),
        (LinodeToken(NOON + 14 * DAY, ALL), []),
        (LinodeToken(NOON + 14 * DAY - S, ALL), [("warning", "expires at 2025-11-03 11:59 UTC")]),
        (LinodeToken(NOON, ALL), [("error", "expired at 2025-10-20 12:00 UTC")]),
        (
            LinodeToken(None, ALL, expiry_known=False),
            [("warning", "nobody can tell when it expires: it lacks the scope account:read_only")],
        ),
        (LinodeToken(None, None), [("note", "its scopes are not known")]),
        (
            LinodeToken(None, frozenset({"domains:read_only"})),
            [("error", "lacks the scope domains:read_write")],
        ),
        (
            "Linode: Invalid Token",
            [("error", "is refused, so it has expired, was revoked, or is another's: Linode: Invalid Token")],
        ),
    ],
)
def test_a_tokens_end_and_scopes(token: LinodeToken | str, expected: list[tuple[str, str]]) -> None:
    assert found(of_token(PLAN, token, NOON)) == expected


def test_what_became_of_a_reboot_needs_a_scope_too() -> None:
    scopes = frozenset({"domains:read_write", "linodes:read_write"})
    (finding,) = of_token(REBOOTING, LinodeToken(None, scopes), NOON)
    assert (finding.severity.value, "events:read_only" in finding.problem) == ("warning", True)


def test_the_scopes_that_a_plan_needs() -> None:
    nothing = replace(PLAN, linode_records=())
    assert needed_scopes(nothing) == ()
    assert needed_scopes(PLAN) == ("domains:read_write",)
    assert needed_scopes(REBOOTING) == ("domains:read_write", "linodes:read_write")
    checking = replace(
        nothing,
        instance_checks=(InstanceCheck(1, 2),),
        balancer_checks=(NodeBalancerCheck(NodeBalancer(1, 1), NodeBalancer(2, 2)),),
    )
    assert needed_scopes(checking) == ("linodes:read_only", "nodebalancers:read_only")


@pytest.mark.parametrize(
    ("scopes", "wanted", "has"),
    [
        ({"*"}, "domains:read_write", True),
        ({"domains:read_write"}, "domains:read_only", True),
        ({"domains:read_only"}, "domains:read_write", False),
        ({"linodes:read_write"}, "domains:read_only", False),
    ],
)
def test_a_scope_includes_the_lesser_one(scopes: set[str], wanted: str, has: bool) -> None:
    assert has_scope(frozenset(scopes), wanted) is has
