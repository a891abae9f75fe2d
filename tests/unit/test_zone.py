"""A zone's batch is a compare-and-swap that touches the plan's records only (I2, I6 to I9)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from region_failover.domain.errors import FenceRefused
from region_failover.domain.plan import Plan, Role
from region_failover.domain.plan_file import parse_plan
from region_failover.domain.zone import (
    FENCE_TTL_S,
    Change,
    ChangeAction,
    Fence,
    RecordSet,
    ZoneSnapshot,
    answers,
    canonical,
    fence_name,
    fence_record,
    foreign,
    is_switched,
    not_simple,
    parse_fence,
    reassert_batch,
    snapshot_from_json,
    switch_batch,
    wanted,
)
from tests.fakes import EAST, PLAN, PLAN_TEXT, WEST, ZONE, FakeZones

TWO = parse_plan(
    PLAN_TEXT.replace(
        "[[switch.linode_record]]",
        f'[[switch.route53_record]]\nzone_id = "{ZONE}"\nname = "WWW.example.com."\ntype = "AAAA"\nttl = 30\n'
        'primary = ["2001:db8::2", "2001:db8::1"]\nstandby = ["2001:db8::9"]\n[[switch.linode_record]]',
    ),
    "two.toml",
)
NAMES = [("api.example.com", "A"), ("www.example.com", "AAAA")]
FENCE = "_region-failover.api.example.com"


def zone(plan: Plan = TWO, role: Role = Role.PRIMARY, epoch: int | None = 3) -> FakeZones:
    zones = FakeZones()
    records = plan.zones()[ZONE]
    zones.put(ZONE, *(wanted(record, role) for record in records))
    if epoch is not None:
        zones.put(ZONE, fence_record(records, Fence(plan.name, epoch, plan.regions.of(role))))
    return zones


def seen(zones: FakeZones) -> ZoneSnapshot:
    return zones.read(ZONE, NAMES, FENCE)


WEIGHTED = parse_plan(PLAN_TEXT.replace("ttl = 60", "ttl = 60\nweighted = true"), "weighted.toml")
RECORD = WEIGHTED.route53_records[0]
HOME = RecordSet("api.example.com", "A", 60, ("192.0.2.10",), identifier="primary", weight=100)
AWAY = RecordSet("api.example.com", "A", 60, ("198.51.100.10",), identifier="standby", weight=0)


@pytest.mark.parametrize(
    ("role", "share", "weights"),
    [
        (Role.PRIMARY, None, (100, 0)),
        (Role.STANDBY, None, (0, 100)),
        (Role.STANDBY, 10, (10, 90)),
        (Role.STANDBY, 0, (0, 100)),
    ],
)
def test_weights_move_the_traffic_between_two_sets(
    role: Role, share: int | None, weights: tuple[int, int]
) -> None:
    found = answers(RECORD, role, share)
    assert found == (replace(HOME, weight=weights[0]), replace(AWAY, weight=weights[1]))


def test_a_simple_record_knows_no_share() -> None:
    simple = TWO.route53_records[0]
    assert answers(simple, Role.STANDBY, 10) == (wanted(simple, Role.STANDBY),)


def test_a_share_is_moved_by_replacing_both_sets_and_the_fence() -> None:
    fence = fence_record(WEIGHTED.zones()[ZONE], Fence("orders", 1, WEST))
    before = ZoneSnapshot(fence, (replace(HOME, weight=0), replace(AWAY, weight=100)))
    batch = switch_batch(WEIGHTED, ZONE, 2, Role.STANDBY, before, 10)
    assert [(c.action.value, c.record.identifier, c.record.weight) for c in batch] == [
        ("DELETE", "", None),
        ("CREATE", "", None),
        ("DELETE", "primary", 0),
        ("CREATE", "primary", 10),
        ("DELETE", "standby", 100),
        ("CREATE", "standby", 90),
    ]
    assert batch[1].record.values == (Fence("orders", 2, WEST).render(),)
    after = ZoneSnapshot(batch[1].record, (batch[3].record, batch[5].record))
    assert is_switched(after, WEIGHTED, ZONE, 2, Role.STANDBY, 10)
    assert not is_switched(after, WEIGHTED, ZONE, 2, Role.STANDBY)
    assert not is_switched(replace(after, records=after.records[:1]), WEIGHTED, ZONE, 2, Role.STANDBY, 10)
    assert [c.record for c in reassert_batch(WEIGHTED, ZONE, 2, Role.STANDBY, 10)[2::2]] == list(
        after.records
    )
    assert snapshot_from_json(after.to_json()) == after


def test_a_set_that_is_missing_is_made() -> None:
    batch = switch_batch(WEIGHTED, ZONE, 2, Role.PRIMARY, ZoneSnapshot(None, (HOME,)))
    assert [(c.action.value, c.record.identifier) for c in batch] == [("CREATE", ""), ("CREATE", "standby")]


@pytest.mark.parametrize(
    ("records", "strange"),
    [
        ((HOME, AWAY), ""),
        ((replace(HOME, weight=33), replace(AWAY, weight=66)), ""),
        ((HOME,), ""),
        ((replace(HOME, values=AWAY.values), AWAY), "api.example.com A 'primary' holds 198.51.100.10"),
        ((HOME, AWAY, replace(HOME, identifier="third")), "api.example.com A 'third' holds 192.0.2.10"),
    ],
)
def test_what_is_foreign_among_weighted_sets(records: tuple[RecordSet, ...], strange: str) -> None:
    assert foreign(ZoneSnapshot(None, records), [RECORD]) == strange


@pytest.mark.parametrize(
    ("plan", "records", "special"),
    [
        (WEIGHTED, (HOME, AWAY), False),
        (WEIGHTED, (), False),
        (WEIGHTED, (replace(HOME, identifier="", weight=None),), True),
        (WEIGHTED, (HOME, replace(AWAY, simple=False)), True),
        (TWO, (replace(HOME, identifier="", weight=None),), False),
        (TWO, (HOME,), True),
        (TWO, (HOME, AWAY), True),
    ],
)
def test_what_is_of_another_kind_than_the_plans(
    plan: Plan, records: tuple[RecordSet, ...], special: bool
) -> None:
    found = not_simple(ZoneSnapshot(None, records), plan.route53_records[:1])
    assert found == ("api.example.com A" if special else "")


def test_a_new_order_of_the_records_is_no_new_fence() -> None:
    records = TWO.zones()[ZONE]
    assert fence_name(records) == fence_name(records[::-1]) == FENCE


def test_the_fence_says_plan_epoch_and_active_region_in_one_txt_record() -> None:
    record = fence_record(TWO.zones()[ZONE], Fence("orders", 7, WEST))
    text = '"region-failover plan=orders epoch=7 active=us-west-2"'
    assert record == RecordSet(FENCE, "TXT", FENCE_TTL_S, (text,))


@given(
    st.from_regex(r"\A[a-z0-9][a-z0-9-]{0,38}\Z"),
    st.integers(0, 10**12),
    st.sampled_from([EAST, WEST, "eu-west-1"]),
)
def test_a_fence_reads_back_as_it_was_written(plan: str, epoch: int, active: str) -> None:
    fence = Fence(plan, epoch, active)
    assert parse_fence(fence.render()) == fence


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"region-failover plan=orders epoch=7 active=us-west-2"', Fence("orders", 7, WEST)),
        ('"region-failover epoch=7 by=hand plan=orders active=us-west-2 note"', Fence("orders", 7, WEST)),
        ('"region-failover plan=a=b epoch=7 active=c=d=e"', Fence("a=b", 7, "c=d=e")),
        ('"region-failover epoch=7"', Fence("", 7, "")),
    ],
)
def test_a_fence_is_read_word_by_word_whatever_else_stands_there(text: str, expected: Fence) -> None:
    assert parse_fence(text) == expected


@example('"region-failover epoch=²"')
@given(st.text() | st.text().map(lambda text: f'"region-failover plan=x epoch={text} active=y"'))
def test_a_text_of_somebody_else_is_no_fence_and_no_error(text: str) -> None:
    found = parse_fence(text)
    assert found is None or found.epoch >= 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        '""',
        '"v=spf1 -all"',
        '"region-failover"',
        '"region-failover epoch=x"',
        '"region-failover epoch=-1"',
        '"Xregion-failover epoch=1"',
    ],
)
def test_what_is_no_fence_reads_as_none(text: str) -> None:
    assert parse_fence(text) is None


def test_one_batch_swaps_fence_and_records_together() -> None:
    zones = zone()
    zones.submit(ZONE, switch_batch(TWO, ZONE, 4, Role.STANDBY, seen(zones)), "")
    after = seen(zones)
    assert is_switched(after, TWO, ZONE, 4, Role.STANDBY)
    assert after.find("api.example.com", "A") == RecordSet("api.example.com", "A", 60, ("198.51.100.10",))
    assert len(zones.batches) == 1


@pytest.mark.parametrize("role", list(Role))
def test_a_batch_writes_that_roles_values_and_names_its_region(role: Role) -> None:
    away = Role.STANDBY if role is Role.PRIMARY else Role.PRIMARY
    zones = zone(role=away)
    zones.submit(ZONE, switch_batch(TWO, ZONE, 4, role, seen(zones)), "")
    found = seen(zones)
    records = TWO.zones()[ZONE]
    assert found.read_fence() == Fence("orders", 4, EAST if role is Role.PRIMARY else WEST)
    assert [found.find(*name) for name in NAMES] == [wanted(record, role) for record in records]
    assert is_switched(found, TWO, ZONE, 4, role)
    assert not is_switched(found, TWO, ZONE, 4, away)
    batch = reassert_batch(TWO, ZONE, 4, role)
    assert {change.record for change in batch} == {found.fence, *found.records}
    zones.submit(ZONE, batch, "")


def test_a_batch_only_ever_deletes_and_creates() -> None:
    for epoch in (None, 3):
        batch = switch_batch(TWO, ZONE, 4, Role.STANDBY, seen(zone(epoch=epoch)))
        assert {change.action for change in batch} <= {ChangeAction.DELETE, ChangeAction.CREATE}


def test_a_batch_touches_the_plans_records_and_the_fence_only() -> None:
    batch = switch_batch(TWO, ZONE, 4, Role.STANDBY, seen(zone()))
    assert {(c.record.name, c.record.type) for c in batch} == {*NAMES, (FENCE, "TXT")}


def test_a_batch_never_leaves_a_name_without_an_answer() -> None:
    for role in Role:
        for start in Role:
            batch = switch_batch(TWO, ZONE, 4, role, seen(zone(role=start)))
            deleted = {(c.record.name, c.record.type) for c in batch if c.action is ChangeAction.DELETE}
            created = {(c.record.name, c.record.type) for c in batch if c.action is ChangeAction.CREATE}
            assert deleted <= created
            assert all(c.record.values for c in batch)


def test_a_record_that_is_right_already_is_left_alone() -> None:
    batch = switch_batch(TWO, ZONE, 4, Role.PRIMARY, seen(zone()))
    assert {c.record.type for c in batch} == {"TXT"}


@pytest.mark.parametrize(
    "edit",
    [
        lambda zones: zones.put(ZONE, fence_record(TWO.zones()[ZONE], Fence("orders", 5, WEST))),
        lambda zones: zones.put(ZONE, RecordSet("api.example.com", "A", 60, ("203.0.113.99",))),
        lambda zones: zones.put(ZONE, RecordSet("api.example.com", "A", 61, ("192.0.2.10",))),
        lambda zones: zones.zones[ZONE].pop(("www.example.com", "AAAA")),
    ],
    ids=["a newer fence", "another value", "another TTL", "a record gone"],
)
def test_a_batch_of_an_outdated_snapshot_is_refused_whole(edit: object) -> None:
    zones = zone()
    batch = switch_batch(TWO, ZONE, 4, Role.STANDBY, seen(zones))
    edit(zones)  # type: ignore[operator]
    before = dict(zones.zones[ZONE])
    with pytest.raises(FenceRefused):
        zones.submit(ZONE, batch, "")
    assert zones.zones[ZONE] == before


def test_a_first_batch_is_refused_where_a_fence_has_appeared_meanwhile() -> None:
    zones = zone(epoch=None)
    batch = switch_batch(TWO, ZONE, 1, Role.STANDBY, seen(zones))
    zones.put(ZONE, fence_record(TWO.zones()[ZONE], Fence("orders", 1, WEST)))
    with pytest.raises(FenceRefused):
        zones.submit(ZONE, batch, "")


def test_an_empty_answer_is_repaired_by_writing() -> None:
    zones = zone()
    del zones.zones[ZONE]["api.example.com", "A"]
    zones.submit(ZONE, switch_batch(TWO, ZONE, 4, Role.STANDBY, seen(zones)), "")
    assert is_switched(seen(zones), TWO, ZONE, 4, Role.STANDBY)


def test_a_reasserting_batch_changes_nothing_and_is_refused_where_anything_differs() -> None:
    zones = zone(role=Role.STANDBY, epoch=4)
    before = dict(zones.zones[ZONE])
    zones.submit(ZONE, reassert_batch(TWO, ZONE, 4, Role.STANDBY), "")
    assert zones.zones[ZONE] == before
    for epoch, role in ((3, Role.STANDBY), (5, Role.STANDBY), (4, Role.PRIMARY)):
        with pytest.raises(FenceRefused):
            zones.submit(ZONE, reassert_batch(TWO, ZONE, epoch, role), "")
    assert zones.zones[ZONE] == before


def test_only_the_plans_two_answers_are_not_foreign() -> None:
    records = TWO.zones()[ZONE]
    for role in Role:
        assert foreign(seen(zone(role=role)), records) == ""
    mixed = zone()
    mixed.put(ZONE, wanted(records[0], Role.STANDBY))
    assert foreign(seen(mixed), records) == ""
    empty = zone()
    del empty.zones[ZONE]["www.example.com", "AAAA"]
    assert foreign(seen(empty), records) == ""


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (RecordSet("api.example.com", "A", 60, ("203.0.113.99",)), "203.0.113.99"),
        (RecordSet("api.example.com", "A", 60, ("192.0.2.10", "203.0.113.99")), "203.0.113.99"),
    ],
)
def test_what_stands_in_no_plan_is_foreign_and_named(record: RecordSet, words: str) -> None:
    zones = zone()
    zones.put(ZONE, record)
    found = foreign(seen(zones), TWO.zones()[ZONE])
    assert words in found
    assert "api.example.com A" in found


def test_a_foreign_record_is_found_behind_one_that_is_not_there() -> None:
    zones = zone()
    del zones.zones[ZONE]["api.example.com", "A"]
    zones.put(ZONE, RecordSet("www.example.com", "AAAA", 30, ("2001:db8::66", "2001:db8::99")))
    found = foreign(seen(zones), TWO.zones()[ZONE])
    assert found == "www.example.com AAAA holds 2001:db8::66, 2001:db8::99"


@pytest.mark.parametrize("values", [("192.0.2.10",), ("203.0.113.99",), ()])
def test_a_record_set_that_is_not_simple_is_named_whatever_it_holds(values: tuple[str, ...]) -> None:
    zones = zone()
    assert not_simple(seen(zones), TWO.zones()[ZONE]) == ""
    zones.put(ZONE, RecordSet("www.example.com", "AAAA", 60, values, simple=False))
    assert not_simple(seen(zones), TWO.zones()[ZONE]) == "www.example.com AAAA"


def test_another_ttl_alone_is_not_foreign_but_not_switched_either() -> None:
    zones = zone(role=Role.STANDBY, epoch=4)
    zones.put(ZONE, RecordSet("api.example.com", "A", 300, ("198.51.100.10",)))
    assert foreign(seen(zones), TWO.zones()[ZONE]) == ""
    assert not is_switched(seen(zones), TWO, ZONE, 4, Role.STANDBY)


@pytest.mark.parametrize("spoil", ["epoch", "role", "fence", "plan", "record"])
def test_a_zone_is_switched_only_if_fence_and_every_record_read_back(spoil: str) -> None:
    zones = zone(role=Role.STANDBY, epoch=4)
    assert is_switched(seen(zones), TWO, ZONE, 4, Role.STANDBY)
    found, epoch, role, plan = seen(zones), 4, Role.STANDBY, TWO
    if spoil == "epoch":
        epoch = 5
    if spoil == "role":
        role = Role.PRIMARY
    if spoil == "fence":
        found = replace(found, fence=None)
    if spoil == "plan":
        plan = replace(TWO, name="other")
    if spoil == "record":
        found = replace(found, records=found.records[:1])
    assert not is_switched(found, plan, ZONE, epoch, role)


RECORDS = st.builds(
    RecordSet,
    name=st.text(min_size=1, max_size=20),
    type=st.sampled_from(["A", "AAAA", "CNAME", "TXT"]),
    ttl=st.integers(0, 2**31 - 1),
    values=st.lists(st.text(max_size=20), max_size=3).map(tuple),
    simple=st.booleans(),
)


@given(st.builds(ZoneSnapshot, fence=st.none() | RECORDS, records=st.lists(RECORDS, max_size=4).map(tuple)))
def test_a_snapshot_survives_the_record(found: ZoneSnapshot) -> None:
    assert snapshot_from_json(found.to_json()) == found


def test_a_snapshot_is_kept_in_the_record_in_one_form() -> None:
    record = RecordSet("api.example.com", "A", 60, ("192.0.2.10",))
    text = (
        '{"fence": null, "records": [{"name": "api.example.com", "simple": true, "ttl": 60,'
        ' "type": "A", "values": ["192.0.2.10"]}]}'
    )
    assert ZoneSnapshot(None, (record,)).to_json() == text
    assert snapshot_from_json(text) == ZoneSnapshot(None, (record,))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("WWW.EXAMPLE.LUX", "www.example.lux"),
        ("API.example.com.", "api.example.com"),
        ("\\052.example.com.", "*.example.com"),
        ("*.example.com", "*.example.com"),
    ],
)
def test_names_compare_in_one_form(name: str, expected: str) -> None:
    assert canonical(name) == expected


def test_the_fence_of_a_wildcard_stands_beside_it() -> None:
    record = replace(PLAN.route53_records[0], name="*.Example.com.")
    assert fence_name([record]) == "_region-failover.example.com"


def test_the_plans_targets_are_the_only_values_ever_written() -> None:
    allowed = {v for record in TWO.route53_records for role in Role for v in record.values(role)}
    changes: list[Change] = []
    for role in Role:
        for epoch in (1, 9):
            changes += switch_batch(TWO, ZONE, epoch, role, seen(zone(role=Role.PRIMARY, epoch=None)))
            changes += reassert_batch(TWO, ZONE, epoch, role)
    created = [c.record for c in changes if c.action is ChangeAction.CREATE and c.record.type != "TXT"]
    assert created
    assert {value for record in created for value in record.values} <= allowed
