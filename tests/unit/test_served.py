"""Name servers are held only to what they must answer to everybody; what they say is judged as a whole."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from region_failover.domain.plan import Plan, Role
from region_failover.domain.served import (
    SAMPLED,
    TOLD_AFTER,
    Question,
    Replies,
    Served,
    is_to_be_told,
    judge,
    questions,
)
from tests.fakes import NOON, PLAN, ZONE

ONE = PLAN.route53_records[0]
FENCE = Question(
    "_region-failover.api.example.com", "TXT", ("region-failover plan=orders epoch=7 active=us-west-2",)
)
API = Question("api.example.com", "A", ("198.51.100.10",))
WELL: Replies = ([FENCE.values, API.values], "")
OLD: Replies = ([FENCE.values, ("192.0.2.10",)], "")
EMPTY: Replies = ([FENCE.values, ()], "")
SILENT: Replies = ([], "timeout")
HALF: Replies = ([FENCE.values], "timeout")


def asked(*changes: dict[str, object], share: int | None = None) -> tuple[Question, ...]:
    records = tuple(replace(ONE, **change) for change in changes)  # type: ignore[arg-type]
    plan: Plan = replace(PLAN, route53_records=records)
    return questions(plan, ZONE, 7, Role.STANDBY, share)


def test_the_fence_and_the_record_are_asked_for() -> None:
    assert asked({}) == (FENCE, API)


def test_addresses_and_names_are_compared_in_their_usual_form() -> None:
    _, v6 = asked({"type": "AAAA", "standby": ("2001:DB8:0::1",)})
    _, cname = asked({"type": "CNAME", "standby": ("USW2.Example.com.",)})
    assert (v6.values, cname.values) == (("2001:db8::1",), ("usw2.example.com",))


def test_several_values_are_compared_whatever_their_order() -> None:
    assert asked({"standby": ("198.51.100.11", "198.51.100.10")})[1].values == (
        "198.51.100.10",
        "198.51.100.11",
    )


def test_a_wildcard_is_asked_for_by_a_name_that_it_answers() -> None:
    assert asked({"name": "*.example.com"})[1].name == "_region-failover-looks.example.com"


def test_of_weighted_sets_the_one_with_all_of_the_weight_is_compared() -> None:
    weighted = {"weighted": True}
    assert asked(weighted)[1:] == (API,)
    assert asked(weighted, share=100)[1:] == (replace(API, values=("192.0.2.10",)),)
    assert asked(weighted, share=10)[1:] == ()  # this one or that one: the fence is asked for alone


def test_of_many_records_some_are_asked_for_from_the_first_to_the_last() -> None:
    found = asked(*({"name": f"r{number:03d}.example.com"} for number in range(500)))
    names = [question.name for question in found[1:]]
    assert names == [f"r{number:03d}.example.com" for number in (0, 166, 332, 499)]
    assert len(names) == SAMPLED


@pytest.mark.parametrize(
    ("said", "served"),
    [
        ({"a": WELL, "b": WELL}, Served.RIGHT),
        ({"a": WELL, "b": SILENT}, Served.RIGHT),
        ({"a": WELL, "b": HALF}, Served.RIGHT),
        ({"a": WELL, "b": OLD}, Served.WRONG),
        ({"a": WELL, "b": EMPTY}, Served.WRONG),
        ({"a": OLD, "b": SILENT}, Served.WRONG),
        ({"a": SILENT, "b": SILENT}, Served.SILENT),
        ({"a": HALF, "b": SILENT}, Served.SILENT),
        ({}, Served.SILENT),
    ],
)
def test_all_that_answer_must_agree_and_at_least_one_must_answer(
    said: dict[str, Replies], served: Served
) -> None:
    assert judge((FENCE, API), said).served is served


def test_it_is_said_who_answers_what() -> None:
    assert judge((FENCE, API), {"a": WELL, "b": OLD}).what == (
        "b answers 192.0.2.10 for api.example.com A, not 198.51.100.10"
    )
    assert "answers nothing for api.example.com A" in judge((FENCE, API), {"b": EMPTY}).what
    assert judge((FENCE, API), {"a": WELL, "b": SILENT}).what == "1 of 2 name servers answer so"
    assert judge((FENCE, API), {"a": SILENT}).what == "timeout"


def test_of_many_that_are_wrong_two_are_named() -> None:
    what = judge((FENCE, API), {name: OLD for name in "abcd"}).what
    assert what.endswith("(and 2 more)")


def test_a_disagreement_is_told_when_it_has_lasted() -> None:
    assert not is_to_be_told(NOON, NOON + TOLD_AFTER - timedelta(seconds=1))
    assert is_to_be_told(NOON, NOON + TOLD_AFTER)
