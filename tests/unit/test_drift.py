"""What is drift and what is not, what is remembered of it, and what may be written back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from region_failover.domain.codec import dump, load_state
from region_failover.domain.decision import Reason
from region_failover.domain.drift import (
    FEW,
    KEPT,
    LONGEST,
    RARELY,
    REPAIRS_ALLOWED,
    REPAIRS_WITHIN,
    astray,
    checksum,
    count_repair,
    is_due,
    is_frozen,
    leave,
    merged,
    of_linode,
    of_value,
    of_zone,
    remember,
    repair_batch,
    restore_batch,
    untold,
    why_not_repaired,
    why_not_restored,
)
from region_failover.domain.drifted import FREEZING, Drifted, DriftKind
from region_failover.domain.linode import LinodeRecordState
from region_failover.domain.plan import Plan, Role
from region_failover.domain.state import Phase, PlanState, Step, StepKind, initial_state
from region_failover.domain.zone import (
    Change,
    ChangeAction,
    Fence,
    RecordSet,
    ZoneSnapshot,
    answers,
    fence_record,
)
from tests.fakes import EAST, NOON, PARAMETER, PLAN, WEST, ZONE

S = timedelta(seconds=1)
RECORD = PLAN.route53_records[0]
API = f"route53 {ZONE} api.example.com A"
FENCE = f"route53 {ZONE} fence"
OURS = RecordSet("api.example.com", "A", 60, ("192.0.2.10",))
THEIRS = replace(OURS, values=("198.51.100.10",))
STRANGE = replace(OURS, values=("203.0.113.99",))
MORE = replace(OURS, values=("192.0.2.10", "192.0.2.11"))
WEIGHTED = replace(PLAN, route53_records=(replace(RECORD, weighted=True),))


def state(**changes: object) -> PlanState:
    return replace(initial_state("orders", 7, EAST), version=3, **changes)  # type: ignore[arg-type]


def fence(epoch: int = 7, active: str = EAST, plan: str = "orders", of: Plan = PLAN) -> RecordSet:
    return fence_record(of.zones()[ZONE], Fence(plan, epoch, active))


def zone(*records: RecordSet, there: RecordSet | None = None) -> ZoneSnapshot:
    return ZoneSnapshot(there, tuple(records))


RIGHT = zone(OURS, there=fence())


def kinds(found: Sequence[Drifted]) -> dict[str, DriftKind]:
    return {one.subject: one.kind for one in found}


def weighted(primary: int, standby: int) -> tuple[RecordSet, ...]:
    return tuple(
        replace(one, weight=weight)
        for one, weight in zip(
            answers(WEIGHTED.route53_records[0], Role.PRIMARY), (primary, standby), strict=True
        )
    )


K = DriftKind
FOUND: list[tuple[str, ZoneSnapshot, dict[str, DriftKind]]] = [
    ("as we left it", RIGHT, {}),
    ("another TTL is no drift", zone(replace(OURS, ttl=300), there=fence()), {}),
    ("the record is gone", zone(there=fence()), {API: K.EMPTY}),
    ("in no plan", zone(STRANGE, there=fence()), {API: K.FOREIGN}),
    ("one value more", zone(MORE, there=fence()), {API: K.FOREIGN}),
    ("another routing policy", zone(replace(OURS, simple=False), there=fence()), {API: K.FOREIGN}),
    ("of the other Region", zone(THEIRS, there=fence()), {API: K.OTHER_REGION}),
    ("the fence is gone", zone(OURS), {FENCE: K.FENCE}),
    ("another plan's fence", zone(OURS, there=fence(plan="payments")), {FENCE: K.FENCE}),
    ("no fence at all", zone(OURS, there=replace(fence(), values=('"v=spf1"',))), {FENCE: K.FENCE}),
    ("a fence ahead", zone(OURS, there=fence(8)), {FENCE: K.FENCE}),
    ("a fence of before a stopped transition", zone(OURS, there=fence(6)), {}),
    ("a fence that names the other Region", zone(OURS, there=fence(7, WEST)), {FENCE: K.FENCE}),
    ("all of it", zone(), {FENCE: K.FENCE, API: K.EMPTY}),
]  # fmt: skip


@pytest.mark.parametrize(("found", "expected"), [c[1:] for c in FOUND], ids=[c[0] for c in FOUND])
def test_what_is_drift_in_a_zone(found: ZoneSnapshot, expected: dict[str, DriftKind]) -> None:
    assert kinds(of_zone(PLAN, state(), ZONE, found, NOON)) == expected


CANARY = replace(weighted(1, 0)[0], identifier="canary")
SHARED: list[tuple[str, tuple[RecordSet, ...], int | None, dict[str, DriftKind]]] = [
    ("all at the primary", weighted(100, 0), None, {}),
    ("other weights", weighted(60, 40), None, {API: K.OTHER_REGION}),
    ("all at the standby", weighted(0, 100), None, {API: K.OTHER_REGION}),
    ("one set of the pair", weighted(100, 0)[:1], None, {API: K.EMPTY}),
    ("a simple set instead", (OURS,), None, {API: K.FOREIGN}),
    ("a third set", (*weighted(100, 0), CANARY), None, {API: K.FOREIGN}),
]  # fmt: skip


@pytest.mark.parametrize(("sets", "share", "expected"), [c[1:] for c in SHARED], ids=[c[0] for c in SHARED])
def test_what_is_drift_of_weighted_records(
    sets: tuple[RecordSet, ...], share: int | None, expected: dict[str, DriftKind]
) -> None:
    found = zone(*sets, there=fence(of=WEIGHTED))
    assert kinds(of_zone(WEIGHTED, state(share=share), ZONE, found, NOON)) == expected


def test_a_share_on_trial_is_as_we_left_it() -> None:
    on_trial = state(active=WEST, share=10)
    found = zone(*weighted(10, 90), there=fence(7, WEST))
    assert of_zone(WEIGHTED, on_trial, ZONE, found, NOON) == []
    assert kinds(of_zone(WEIGHTED, replace(on_trial, share=50), ZONE, found, NOON)) == {API: K.OTHER_REGION}


def test_a_finding_says_what_stands_there_and_what_is_due() -> None:
    (one,) = of_zone(PLAN, state(), ZONE, zone(STRANGE, there=fence()), NOON)
    assert one == Drifted(API, K.FOREIGN, "203.0.113.99", "192.0.2.10", NOON)
    (one,) = of_zone(PLAN, state(), ZONE, zone(OURS), NOON)
    assert (one.found, one.due) == ("nothing", fence().values[0])
    long = replace(OURS, type="TXT", values=("x" * 4000,))
    plan = replace(PLAN, route53_records=(replace(RECORD, type="TXT"),))
    (one,) = of_zone(plan, state(), ZONE, zone(long, there=fence()), NOON)
    assert len(one.found) == LONGEST


@pytest.mark.parametrize(
    ("value", "owed", "kind"),
    [
        (EAST, False, None),
        (None, False, K.MISSING),
        ("eu-west-1", False, K.FOREIGN),
        (WEST, False, K.OTHER_REGION),
        (WEST, True, None),
    ],
)
def test_what_is_drift_of_a_parameter(value: str | None, owed: bool, kind: DriftKind | None) -> None:
    step = Step(StepKind.SSM, PARAMETER, WEST)
    found = list(
        of_value(PLAN, state(owed=(step,) if owed else ()), step, PLAN.ssm_parameters[0], value, NOON)
    )
    assert [one.kind for one in found] == ([kind] if kind else [])
    assert all(one.subject == step.key for one in found)


@pytest.mark.parametrize(
    ("targets", "kind"),
    [
        (["203.0.113.10"], None),
        ([], K.MISSING),
        (["198.51.100.50"], K.OTHER_REGION),
        (["203.0.113.99"], K.FOREIGN),
        (["203.0.113.10", "203.0.113.10"], K.FOREIGN),
    ],
)
def test_what_is_drift_at_linode(targets: list[str], kind: DriftKind | None) -> None:
    there = [LinodeRecordState(number, "app", "A", target, 30) for number, target in enumerate(targets)]
    found = list(of_linode(PLAN, state(), PLAN.linode_records[0], there, NOON))
    assert [(one.subject, one.kind) for one in found] == ([("linode 123456 app A", kind)] if kind else [])


def one(subject: str = API, kind: DriftKind = K.FOREIGN, found: str = "x", **more: object) -> Drifted:
    return Drifted(subject, kind, found, "due", **{"since": NOON, **more})  # type: ignore[arg-type]


# what is remembered


def test_what_stands_keeps_since_when_and_who_let_it_stand() -> None:
    known = one(left_by="mia")
    assert merged([known], [one(since=NOON + S)], [API]) == (known,)
    other = one(found="y", since=NOON + S)
    assert merged([known], [other], [API]) == (other,)  # it is another: told again
    assert merged([known], [], [API]) == ()
    assert merged([known], [], []) == (known,)  # what could not be looked at


def test_what_was_looked_at_while_the_plan_moved_is_no_drift() -> None:
    found = [one()]
    assert remember(state(), 7, found, [API]) == state(drift=(one(),))
    assert remember(state(drift=(one(),)), 7, found, [API]) is None
    assert remember(state(), 6, found, [API]) is None
    assert remember(state(phase=Phase.NEEDS_OPERATOR), 7, found, [API]) is None


def test_the_record_keeps_no_more_than_it_has_room_for() -> None:
    found = [one(f"ssm us-east-1 /p{number:04}") for number in range(500)]
    assert len(merged([], found, [])) == KEPT
    left = leave(state(), 7, found, "x" * 4000)
    assert left is not None
    assert (len(left.drift), len(left.drift[0].left_by)) == (KEPT, LONGEST)


def test_what_is_left_is_told_no_more_and_freezes_still() -> None:
    left = leave(state(drift=(one(), one(FENCE, K.FENCE))), 7, [one(since=NOON + S)], "mia")
    assert left is not None
    assert left.drift == (one(left_by="mia"), one(FENCE, K.FENCE))
    assert untold(left.drift) == (one(FENCE, K.FENCE),)
    assert is_frozen(replace(left, drift=left.drift[:1]))
    assert leave(state(), 6, [one()], "mia") is None


@pytest.mark.parametrize("kind", DriftKind)
def test_what_somebody_has_changed_freezes_and_what_is_gone_does_not(kind: DriftKind) -> None:
    assert is_frozen(state(drift=(one(kind=kind),))) is (kind in FREEZING)
    assert kind in FREEZING or kind in {K.EMPTY, K.MISSING}
    assert not is_frozen(state())


def test_the_checksum_is_of_what_stands_there_and_of_nothing_else() -> None:
    assert checksum([one(), one(FENCE)]) == checksum([one(FENCE, since=NOON + S, left_by="mia"), one()])
    others = [[], [one(found="y")], [one(kind=K.EMPTY)], [one(FENCE)], [one(), one(FENCE)]]
    assert len({checksum(other) for other in [[one()], *others]}) == 6


def test_the_record_of_before_there_was_drift_is_read_and_drift_is_kept() -> None:
    known = state(drift=(one(left_by="mia"),), repairs=(NOON,), last_change="epoch 7")
    assert load_state(dump(known)) == known
    text = dump(state())
    for name in ('"drift": [], ', '"repairs": [], ', '"last_change": "", '):
        assert name in text
        text = text.replace(name, "")
    assert load_state(text) == state()


# what it holds


def test_an_automatic_failback_waits_where_a_human_has_moved_something_by_hand() -> None:
    there = state(active=WEST)
    assert astray(PLAN, there, {ZONE: zone(THEIRS)}) is None
    assert astray(PLAN, there, {ZONE: zone()}) is None
    found = astray(PLAN, there, {ZONE: zone(OURS)})
    assert found is not None
    assert found[0] is Reason.DRIFT
    beside = one("linode 123456 app A")
    for drift, held in [((beside,), True), ((one(),), False), ((replace(beside, kind=K.MISSING),), False)]:
        assert (astray(PLAN, replace(there, drift=drift), {ZONE: zone(THEIRS)}) is not None) is held


# what is written back


def test_a_repair_keeps_the_fence_and_only_creates_what_is_not_there() -> None:
    found = zone(there=fence(6))
    assert repair_batch(PLAN, state(), ZONE, found) == (
        Change(ChangeAction.DELETE, fence(6)),
        Change(ChangeAction.CREATE, fence(6)),
        Change(ChangeAction.CREATE, OURS),
    )
    assert repair_batch(PLAN, state(), ZONE, RIGHT) == ()
    assert repair_batch(PLAN, state(), ZONE, zone()) == ()  # without a fence nothing would refuse a late one


def test_a_repair_touches_nothing_beside_the_hole() -> None:
    plan = replace(PLAN, route53_records=(RECORD, replace(RECORD, name="www.example.com")))
    www = replace(STRANGE, name="www.example.com")
    batch = repair_batch(plan, state(), ZONE, zone(www, there=fence()))
    assert [change.record.name for change in batch][2:] == ["api.example.com"]
    (kept, lost) = weighted(100, 0)
    found = zone(replace(kept, weight=7), there=fence())
    assert [change.record for change in repair_batch(WEIGHTED, state(), ZONE, found)][2:] == [lost]


@pytest.mark.parametrize(
    ("found", "at"),
    [
        (state(phase=Phase.NEEDS_OPERATOR), zone(there=fence())),
        (state(paused=True), zone(there=fence())),
        (state(share=10), zone(there=fence())),
        (state(), zone()),
        (state(), zone(there=fence(8))),
        (state(), zone(there=fence(7, WEST))),
        (state(), zone(there=fence(plan="payments"))),
        (state(repairs=(NOON,) * REPAIRS_ALLOWED), zone(there=fence())),
    ],
)
def test_why_an_empty_answer_is_not_written_back(found: PlanState, at: ZoneSnapshot) -> None:
    assert why_not_repaired(PLAN, found, at, NOON)
    assert why_not_repaired(PLAN, state(), zone(there=fence()), NOON) == ""


def test_whoever_deletes_it_again_and_again_is_not_fought() -> None:
    found = state()
    for number in range(REPAIRS_ALLOWED):
        assert why_not_repaired(PLAN, found, zone(there=fence()), NOON + number * S) == ""
        found = count_repair(found, NOON + number * S)
    assert (found.epoch, found.cooldown_until, found.automatic_moves) == (7, None, ())
    assert why_not_repaired(PLAN, found, zone(there=fence()), NOON + REPAIRS_WITHIN - S)
    assert why_not_repaired(PLAN, found, zone(there=fence()), NOON + REPAIRS_WITHIN) == ""


def test_a_human_restores_what_stands_there_to_the_letter() -> None:
    odd = replace(STRANGE, ttl=7)
    assert restore_batch(PLAN, state(), ZONE, zone(odd, there=fence(6))) == (
        Change(ChangeAction.DELETE, fence(6)),
        Change(ChangeAction.CREATE, fence(6)),
        Change(ChangeAction.DELETE, odd),
        Change(ChangeAction.CREATE, OURS),
    )
    assert restore_batch(PLAN, state(), ZONE, RIGHT) == ()
    assert restore_batch(PLAN, state(), ZONE, zone(OURS)) == (Change(ChangeAction.CREATE, fence()),)
    astray_fence = fence(5, WEST)
    assert restore_batch(PLAN, state(), ZONE, zone(OURS, there=astray_fence)) == (
        Change(ChangeAction.DELETE, astray_fence),
        Change(ChangeAction.CREATE, fence()),
    )


@pytest.mark.parametrize(
    "found",
    [
        zone(replace(OURS, simple=False), there=fence()),
        zone(OURS, there=fence(8)),
        zone(OURS, there=fence(plan="payments")),
    ],
)
def test_what_is_not_ours_to_replace_is_not_restored(found: ZoneSnapshot) -> None:
    assert why_not_restored(PLAN, state(), ZONE, found)
    for fine in (RIGHT, zone(), zone(STRANGE, there=fence(5, WEST)), zone(THEIRS)):
        assert why_not_restored(PLAN, state(), ZONE, fine) == ""


def test_a_set_that_is_in_no_plan_is_not_ours_to_delete() -> None:
    assert "canary" in why_not_restored(WEIGHTED, state(), ZONE, zone(*weighted(0, 100), CANARY))
    assert why_not_restored(WEIGHTED, state(), ZONE, zone(*weighted(0, 100))) == ""


# when


def test_a_plan_of_many_records_is_looked_at_in_a_minute_of_its_own() -> None:
    minutes = [NOON + timedelta(minutes=number) for number in range(10)]
    assert all(is_due(PLAN, at) for at in minutes)
    few = replace(PLAN, route53_records=(RECORD,) * (FEW - 1))
    assert all(is_due(few, at) for at in minutes)
    many = replace(PLAN, route53_records=(RECORD,) * FEW)
    assert [is_due(many, at) for at in minutes].count(True) == 10 // RARELY
    assert [is_due(many, at + 59 * S) for at in minutes] == [is_due(many, at) for at in minutes]
