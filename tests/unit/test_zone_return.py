"""What a move changes beside where records point is remembered, and undone where nobody has changed it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from region_failover.domain.approval import checksum
from region_failover.domain.plan import Plan, Role
from region_failover.domain.record_set import Alias, RecordSet, canonical, dump_set, escaped, load_set
from region_failover.domain.zone import (
    BATCH_ELEMENTS,
    ZoneSnapshot,
    answers,
    fence_name,
    is_switched,
    names_of,
    reassert_batch,
    sends_to,
    size_of,
    snapshot_from_json,
    switch_batch,
)
from region_failover.domain.zone_fit import LONGEST_DIFFERENCE, differences
from region_failover.domain.zone_return import put_back, to_put_back
from region_failover.domain.zone_snapshot import only_of
from tests.fakes import EAST, NOON, PLAN, WEST, ZONE, FakeZones
from tests.record_kinds import content, mixtures

RECORD = PLAN.route53_records[0]
HOME = RecordSet("api.example.com", "A", 300, ("192.0.2.10",))


def seen(zones: FakeZones, plan: Plan, zone_id: str, was: str = "") -> ZoneSnapshot:
    """What a worker knows of a zone: read, put into a transition's record, and taken out again."""
    records = plan.zones()[zone_id]
    found = only_of(zones.read(zone_id, names_of(records), fence_name(records)), records)
    return replace(snapshot_from_json(found.to_json()), was=was)


@settings(max_examples=100, deadline=None)
@given(mixtures())
def test_the_way_back_leaves_every_mixture_of_records_as_it_was(mixture: Any) -> None:
    plan, there = mixture
    zones = FakeZones()
    zones.zones = {zone_id: {} for zone_id in plan.zones()}
    for zone_id, record in there:
        zones.put(zone_id, record)
    before = content(zones, plan)
    was: dict[str, str] = {}
    for epoch, role in ((1, Role.STANDBY), (2, Role.PRIMARY)):
        for zone_id in plan.zones():
            snapshot = seen(zones, plan, zone_id, was.get(zone_id, ""))
            zones.submit(zone_id, switch_batch(plan, zone_id, epoch, role, snapshot), "")
            zones.submit(zone_id, reassert_batch(plan, zone_id, epoch, role, None, snapshot), "")
            found = seen(zones, plan, zone_id)
            assert is_switched(found, plan, zone_id, epoch, role, None, snapshot)
            assert all(sends_to(record, role, found.of(record)) for record in plan.zones()[zone_id])
            was[zone_id] = to_put_back(plan.zones()[zone_id], snapshot) if role is Role.STANDBY else ""
    assert content(zones, plan) == before


def test_only_what_would_not_come_back_by_itself_is_remembered() -> None:
    assert to_put_back([RECORD], ZoneSnapshot(None, (replace(HOME, ttl=60),))) == ""
    assert to_put_back([replace(RECORD, ttl=None)], ZoneSnapshot(None, (HOME,))) == ""
    assert to_put_back([RECORD], ZoneSnapshot(None, ())) == ""
    found = to_put_back([RECORD], ZoneSnapshot(None, (HOME,)))
    assert json.loads(found) == {"api.example.com A": {"ttl": [300, 60]}}


def test_what_has_been_changed_by_hand_meanwhile_is_not_undone() -> None:
    was = to_put_back([RECORD], ZoneSnapshot(None, (HOME,)))
    (home,) = answers(RECORD, Role.PRIMARY)
    (away,) = answers(RECORD, Role.STANDBY)
    assert put_back(home, away, was) == HOME
    assert put_back(home, replace(away, ttl=120), was) == home
    assert put_back(home, None, was) == home
    assert put_back(home, away, "") == home


def test_a_foreign_answer_is_never_put_back() -> None:
    """A human had forced the move over it: the plan says where the traffic goes."""
    strange = replace(HOME, values=("203.0.113.99",))
    was = to_put_back([RECORD], ZoneSnapshot(None, (strange,)))
    (home,) = answers(RECORD, Role.PRIMARY)
    (away,) = answers(RECORD, Role.STANDBY)
    assert put_back(home, away, was) == HOME


def test_a_plan_that_was_changed_meanwhile_goes_before_what_was_there() -> None:
    named = replace(
        RECORD, type="CNAME", ttl=None, primary=("use1.example.net",), standby=("usw2.example.net",)
    )
    there = RecordSet("api.example.com", "CNAME", 60, ("Use1.Example.NET.",))
    was = to_put_back([named], ZoneSnapshot(None, (there,)))
    (away,) = answers(named, Role.STANDBY, None, [there])
    (home,) = answers(named, Role.PRIMARY, None, [away])
    assert put_back(home, away, was) == there
    (moved,) = answers(replace(named, primary=("use1b.example.net",)), Role.PRIMARY, None, [away])
    assert put_back(moved, away, was) == moved


def test_weights_that_shared_the_traffic_are_not_put_back_and_others_are() -> None:
    pair = replace(RECORD, weighted=True)
    for weights, back in (((1, 0), (1, 0)), ((33, 66), (100, 0)), ((0, 9), (100, 0))):
        there = tuple(replace(s, weight=w) for s, w in zip(answers(pair, Role.PRIMARY), weights, strict=True))
        was = to_put_back([pair], ZoneSnapshot(None, there))
        away = answers(pair, Role.STANDBY, None, there)
        home = answers(pair, Role.PRIMARY, None, away)
        assert tuple(put_back(h, a, was).weight for h, a in zip(home, away, strict=True)) == back


@pytest.mark.parametrize(
    "text",
    [
        '{"fence": null, "records": [{"name": "a.example.com", "simple": true, "ttl": 60, "type": "A",'
        ' "values": ["192.0.2.1"]}]}',
        '{"fence": null, "records": [{"name": "a.example.com", "ttl": 60, "type": "A",'
        ' "values": ["192.0.2.1"]}]}',
    ],
    ids=["as it was", "as it may become"],
)
def test_a_snapshot_of_another_version_is_read(text: str) -> None:
    """An open transition is gone on with after a deploy, and after its rollback."""
    record = RecordSet("a.example.com", "A", 60, ("192.0.2.1",))
    assert snapshot_from_json(text) == ZoneSnapshot(None, (record,))


def test_what_is_written_can_be_read_by_the_version_before() -> None:
    record = replace(
        HOME, identifier="one", alias=Alias("Z1", "lb.example.net", True), kept=(("Region", '"x"'),)
    )
    assert {"name", "type", "ttl", "values", "simple", "weight"} <= set(dump_set(record))
    assert load_set(json.loads(json.dumps(dump_set(record)))) == record


@pytest.mark.parametrize(
    "name", ["*.example.com", "a@b.example.com", r"a\056b.example.com", r"\303\274.example.com"]
)
def test_a_name_survives_the_way_to_route53_and_back(name: str) -> None:
    assert canonical(escaped(name) + ".") == name


def test_the_checksum_of_a_proposal_covers_all_that_a_record_says() -> None:
    def of(**changes: Any) -> str:
        plan = replace(PLAN, route53_records=(replace(RECORD, **changes),))
        return checksum(plan, 1, WEST, EAST, NOON)

    lb = Alias("Z1", "lb.example.net", None)
    said = [
        {},
        {"ttl": None},
        {"set_identifier": "one"},
        {"set_identifier": "two"},
        {"weighted": True},
        {"weighted": True, "identifiers": ("a", "b")},
        {"weighted": True, "standby": ("198.51.100.11",)},
        {"primary": (), "aliases": (lb, None)},
        {"primary": (), "aliases": (replace(lb, zone_id="Z2"), None)},
        {"primary": (), "aliases": (replace(lb, name="lb2.example.net"), None)},
        {"primary": (), "aliases": (replace(lb, evaluate=True), None)},
        {"primary": (), "aliases": (replace(lb, evaluate=False), None)},
    ]
    assert len({of(**changes) for changes in said}) == len(said)


def test_what_differs_is_told_by_name_and_never_at_length() -> None:
    records = tuple(replace(HOME, name=f"n{n}.example.com") for n in range(500))
    told = differences(ZoneSnapshot(None, ()), ZoneSnapshot(None, records))
    assert told.startswith("n0.example.com A : none, expected 192.0.2.10 ttl 300")
    assert len(told) == LONGEST_DIFFERENCE
    assert differences(ZoneSnapshot(None, records), ZoneSnapshot(None, records)) == ""


def test_the_largest_plan_fits_in_one_batch_both_to_switch_and_to_prove() -> None:
    records = tuple(replace(RECORD, name=f"n{n}.example.com") for n in range(499))
    plan = replace(PLAN, route53_records=records)
    fence = RecordSet(
        fence_name(records), "TXT", 30, ('"region-failover plan=orders epoch=1 active=us-east-1"',)
    )
    before = ZoneSnapshot(fence, tuple(s for record in records for s in answers(record, Role.PRIMARY)))
    for batch in (
        switch_batch(plan, ZONE, 2, Role.STANDBY, before),
        reassert_batch(plan, ZONE, 2, Role.STANDBY, None, before),
    ):
        assert size_of(batch)[0] == BATCH_ELEMENTS
