"""A preview: what it says of each switch, what a batch must never do, and all that its checksum binds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import pytest

from region_failover.domain.batches import Intent, Safety, batches_of, count_changes, count_of_all, unsafe
from region_failover.domain.checksum import CHECKSUM, NO_SWITCHES, digest, switches_of
from region_failover.domain.entries import There, What, linode_key, parameter_key, render, zone_key
from region_failover.domain.plan import Plan, Role
from region_failover.domain.preview import Preview, findings_of, preview_of
from region_failover.domain.readiness import Severity, of_cap
from region_failover.domain.record_set import Alias, kept_of
from region_failover.domain.state import Direction, Step
from region_failover.domain.zone import (
    Change,
    ChangeAction,
    Fence,
    RecordSet,
    ZoneSnapshot,
    answers,
    fence_record,
)
from region_failover.service.switches import plan_steps
from tests.fakes import EAST, PARAMETER, PLAN, WEST, ZONE, with_policy
from tests.functional.test_stepwise import STEPWISE

RECORD = PLAN.route53_records[0]
LINODE = PLAN.linode_records[0]
AWAY = Intent(Direction.FAILOVER, EAST, WEST)


def zone(plan: Plan = PLAN, epoch: int = 6) -> ZoneSnapshot:
    """Return what is there while all is at the primary."""
    records = plan.zones()[ZONE]
    fence = fence_record(records, Fence(plan.name, epoch, EAST))
    return ZoneSnapshot(fence, tuple(a for r in records for a in answers(r, Role.PRIMARY)))


THERE = There(
    zones={ZONE: zone()},
    linode={linode_key(LINODE): [("203.0.113.10", 30)]},
    parameters={parameter_key(WEST, PARAMETER): EAST, parameter_key(EAST, PARAMETER): EAST},
)


@dataclass(frozen=True)
class Case:
    """All that a preview is made from."""

    plan: Plan = PLAN
    epoch: int = 7
    intent: Intent = AWAY
    there: There = THERE

    @property
    def preview(self) -> Preview:
        steps = plan_steps(self.plan, self.intent.share)
        return preview_of(self.plan, self.epoch, self.intent, steps, self.there)


BASE = Case()


def with_record(**changes: Any) -> Case:
    """Return the case in which the record there is another one."""
    [record] = zone().records
    return with_zone(records=(replace(record, **changes),))


def with_zone(**changes: Any) -> Case:
    return replace(BASE, there=replace(THERE, zones={ZONE: replace(zone(), **changes)}))


def with_plan(**changes: Any) -> Case:
    return replace(BASE, plan=replace(PLAN, **changes))


def with_there(**changes: Any) -> Case:
    return replace(BASE, there=replace(THERE, **changes))


OTHERS: dict[str, Case] = {
    "direction": replace(BASE, intent=replace(AWAY, direction=Direction.FAILBACK)),
    "source": replace(BASE, intent=replace(AWAY, source="eu-west-1")),
    "target": replace(BASE, intent=replace(AWAY, target=EAST)),
    "epoch": replace(BASE, epoch=8),
    "plan's name": with_plan(name="payments"),
    "value before": with_record(values=("192.0.2.11",)),
    "one value more before": with_record(values=("192.0.2.10", "192.0.2.11")),
    "TTL before": with_record(ttl=61),
    "another kind of record before": with_record(simple=False),
    "set identifier before": with_record(identifier="blue"),
    "weight before": with_record(identifier="blue", weight=1),
    "no record before": with_zone(records=()),
    "fence before": with_zone(fence=zone(epoch=5).fence),
    "no fence before": with_zone(fence=None),
    "value after": with_plan(route53_records=(replace(RECORD, standby=("198.51.100.11",)),)),
    "value of the other way": with_plan(route53_records=(replace(RECORD, primary=("192.0.2.12",)),)),
    "TTL after": with_plan(route53_records=(replace(RECORD, ttl=61),)),
    "one record more": with_plan(route53_records=(RECORD, replace(RECORD, name="b.example.com"))),
    "Linode's target before": with_there(linode={linode_key(LINODE): [("203.0.113.11", 30)]}),
    "Linode's TTL before": with_there(linode={linode_key(LINODE): [("203.0.113.10", 120)]}),
    "two at Linode before": with_there(linode={linode_key(LINODE): [("203.0.113.10", 30)] * 2}),
    "none at Linode before": with_there(linode={linode_key(LINODE): []}),
    "Linode not read": with_there(linode={}),
    "Linode's target after": with_plan(linode_records=(replace(LINODE, standby="198.51.100.51"),)),
    "Linode's TTL after": with_plan(linode_records=(replace(LINODE, ttl_sec=120),)),
    "no Linode record": with_plan(linode_records=()),
    "parameter before": with_there(parameters={**THERE.parameters, parameter_key(WEST, PARAMETER): WEST}),
    "no parameter before": with_there(parameters={**THERE.parameters, parameter_key(WEST, PARAMETER): None}),
    "parameter not read": with_there(parameters={parameter_key(WEST, PARAMETER): EAST}),
    "one parameter less": with_plan(ssm_parameters=()),
}


@pytest.mark.parametrize("what", OTHERS)
def test_i21_the_checksum_is_another_one_for_another(what: str) -> None:
    assert CHECKSUM.fullmatch(BASE.preview.checksum)
    assert OTHERS[what].preview.checksum not in {BASE.preview.checksum, ""}


def test_no_two_of_these_have_one_checksum() -> None:
    found = [case.preview.checksum for case in (BASE, *OTHERS.values())]
    assert len(set(found)) == len(found)


OTHER_VALUES: Mapping[type, Callable[[Any], Any]] = {
    str: lambda value: f"{value}x",
    bool: lambda value: not value,
    int: lambda value: value + 1,
    tuple: lambda value: (*value, "x"),
    type(None): lambda _: 1,
}


@pytest.mark.parametrize(
    "name", [field.name for field in fields(RecordSet) if field.name not in {"name", "type"}]
)
def test_i21_whatever_is_known_of_a_record_set_is_bound(name: str) -> None:
    """Also what a later version knows of one."""
    value = getattr(zone().records[0], name)
    odd = {"alias": Alias("Z1", "b.example.com"), "kept": kept_of(Region="us-east-1")}
    other = odd.get(name) or OTHER_VALUES.get(type(value), lambda _: "another")(value)
    assert with_record(**{name: other}).preview.checksum != BASE.preview.checksum


def test_i21_whatever_a_plan_has_is_bound_unless_it_is_no_switch() -> None:
    known = {field.name for field in fields(Plan)}
    assert known >= NO_SWITCHES
    assert not [
        name
        for name in known - NO_SWITCHES
        if name.endswith(("_checks", "policy")) and name != "health_checks"
    ]
    for name in known - NO_SWITCHES:
        if getattr(PLAN, name):
            assert digest(switches_of(replace(PLAN, **{name: ()}))) != digest(switches_of(PLAN))
    policy = with_policy(max_changes=1)
    assert switches_of(policy) == switches_of(PLAN)  # when it may move is not what it switches


def test_why_something_could_not_be_read_is_not_bound() -> None:
    late = with_there(linode={}, unread={linode_key(LINODE): "late"})
    assert late.preview.checksum == OTHERS["Linode not read"].preview.checksum
    assert late.preview.unread == ("linode_record  123456 app A: late",)


def test_a_zone_that_was_not_read_has_its_records_shown_and_no_checksum() -> None:
    case = with_there(zones={}, unread={zone_key(ZONE): "late"})
    found = case.preview
    assert found.checksum == ""
    assert [(e.what, e.after, e.unread, e.changes) for e in found.entries[:2]] == [
        (What.RECORD, "198.51.100.10 (TTL 60 s)", "late", None),
        (What.FENCE, '"region-failover plan=orders epoch=7 active=us-west-2" (TTL 30 s)', "late", None),
    ]


def test_a_step_of_a_kind_that_nobody_reads_is_shown_and_bound() -> None:
    class Later(str):
        """A StepKind of a later version."""

        value = "health-check"

    step = Step(Later("health-check"), "x")  # type: ignore[arg-type]
    found = preview_of(PLAN, 7, AWAY, (*plan_steps(PLAN), step), THERE)
    assert (found.entries[-1].what, found.entries[-1].subject) == (What.OTHER, "health-check x")
    assert found.entries[-1].unread
    assert found.checksum not in {"", BASE.preview.checksum}


def test_a_weighted_record_is_two_entries_and_its_return_binds_as_such() -> None:
    there = There(zones={ZONE: zone(STEPWISE)})
    whole = Case(STEPWISE, there=there)
    back = Case(STEPWISE, intent=Intent(Direction.FAILOVER, EAST, WEST, 0), there=there)
    records = [e for e in whole.preview.entries if e.what is What.RECORD]
    assert [e.after for e in records] == [
        "192.0.2.10 (TTL 60 s, weight 0)",
        "198.51.100.10 (TTL 60 s, weight 100)",
    ]
    assert [e.subject.split()[-1] for e in records] == ["'primary'", "'standby'"]
    assert {e.what for e in back.preview.entries} == {What.RECORD, What.FENCE}
    assert back.preview.checksum != whole.preview.checksum


def test_a_record_set_in_words() -> None:
    assert render(None) == "nothing"
    assert render(RecordSet("a", "A", 30, ("192.0.2.1", "192.0.2.2"))) == "192.0.2.1, 192.0.2.2 (TTL 30 s)"
    strange = RecordSet("a", "A", 30, ("192.0.2.1",), simple=False)
    assert render(strange) == "192.0.2.1 (TTL 30 s), with more that is not known here"
    there = RecordSet("a", "A", 0, (), alias=Alias("Z1", "b.example.com", True))
    assert render(there) == "alias of b.example.com"
    latency = RecordSet("a", "A", 30, ("192.0.2.1",), identifier="east", kept=kept_of(Region="us-east-1"))
    assert render(latency) == '192.0.2.1 (TTL 30 s, Region "us-east-1")'


# what a batch must never do


def batch() -> list[Change]:
    return list(batches_of(PLAN, 7, AWAY, plan_steps(PLAN), THERE.zones)[ZONE])


def test_a_batch_as_it_is_made_is_safe() -> None:
    assert list(unsafe(PLAN, ZONE, batch())) == []


@pytest.mark.parametrize("action", list(ChangeAction))
def test_i8_a_batch_with_a_name_that_is_not_in_the_plan_is_not(action: ChangeAction) -> None:
    other = Change(action, RecordSet("mail.example.com", "A", 60, ("192.0.2.25",)))
    found = list(unsafe(PLAN, ZONE, [*batch(), other]))
    assert (
        Safety.OUTSIDE_UNTOUCHED,
        f"zone {ZONE}: mail.example.com A is not in the plan, and would change",
    ) in found


def test_i8_another_type_of_a_plans_name_is_not_the_plans() -> None:
    other = Change(ChangeAction.CREATE, RecordSet("api.example.com", "AAAA", 60, ("2001:db8::1",)))
    assert [safety for safety, _ in unsafe(PLAN, ZONE, [*batch(), other])] == [Safety.OUTSIDE_UNTOUCHED]


@pytest.mark.parametrize("kind", ["A", "TXT"])
def test_i6_a_batch_that_takes_an_answer_away_is_not(kind: str) -> None:
    found = batch()
    without = [c for c in found if (c.action, c.record.type) != (ChangeAction.CREATE, kind)]
    assert [safety for safety, _ in unsafe(PLAN, ZONE, without)] == [Safety.NO_EMPTY_ANSWER]


def test_i6_a_batch_that_creates_a_record_without_values_is_not() -> None:
    found = [replace(c, record=replace(c.record, values=())) if c.record.type == "A" else c for c in batch()]
    assert [safety for safety, _ in unsafe(PLAN, ZONE, found)] == [Safety.NO_EMPTY_ANSWER]


def test_what_is_wrong_with_a_batch_is_found_in_the_preview() -> None:
    wrong = Change(ChangeAction.CREATE, RecordSet("mail.example.com", "A", 60, ()))
    found = replace(BASE.preview, batches={ZONE: (*batch(), wrong)})
    bad = {f.safety for f in findings_of(found, True, "") if not f.ok}
    assert bad == {Safety.OUTSIDE_UNTOUCHED, Safety.NO_EMPTY_ANSWER}


# counting


def test_changes_are_counted_without_the_fence() -> None:
    steps = plan_steps(PLAN)
    assert count_changes(PLAN, AWAY, steps, batches_of(PLAN, 7, AWAY, steps, THERE.zones)) == 4
    assert count_changes(PLAN, AWAY, steps, {}) == count_of_all(PLAN, steps) == 4
    home = replace(AWAY, target=EAST)
    assert count_changes(PLAN, home, steps, batches_of(PLAN, 7, home, steps, THERE.zones)) == 3


def test_a_weighted_pair_is_two_changes() -> None:
    assert count_of_all(STEPWISE, plan_steps(STEPWISE)) == 5
    step = plan_steps(STEPWISE, 10)
    zones = {ZONE: zone(STEPWISE)}
    trial = Intent(Direction.FAILBACK, WEST, EAST, 10)
    assert count_changes(STEPWISE, trial, step, batches_of(STEPWISE, 7, trial, step, zones)) == 2


@pytest.mark.parametrize(("cap", "ok"), [(None, True), (4, True), (3, False)])
def test_the_cap_is_among_the_findings(cap: int | None, ok: bool) -> None:
    found = Case(with_policy(max_changes=cap)).preview
    [finding] = [f for f in findings_of(found, True, "") if f.safety is Safety.WITHIN_CAP]
    assert finding.ok is ok


def test_readiness_knows_beforehand_that_the_cap_would_hold() -> None:
    capped = with_policy(max_changes=3)
    assert not [*of_cap(PLAN, 4), *of_cap(capped, 3)]
    [finding] = of_cap(capped, 4)
    assert finding.severity is Severity.ERROR  # it is told, before the outage
    assert "too-many-changes" in finding.problem
