"""What names the active Region is exchanged, all else of a secret kept; what hooks say is read."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from region_failover.domain.configuration import (
    NotSwitchable,
    SecretSwitch,
    text_at,
    version_token,
    with_text_at,
)
from region_failover.domain.hook_journal import call_failed, claim_call, give_up
from region_failover.domain.hooks import Answer, Hook, IfItFails, Place, When, read_answer
from region_failover.domain.journal import claim_step, has_begun, start_steps
from region_failover.domain.plan import Regions
from region_failover.domain.state import (
    Direction,
    Lease,
    Phase,
    PlanState,
    Step,
    StepKind,
    StepStatus,
    Transition,
    initial_state,
)
from tests.fakes import EAST, NOON, WEST

REGIONS = Regions(EAST, WEST)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
SPACE = st.sampled_from(["", " ", "\n  ", "\t", "\r\n"])


@given(
    before=st.dictionaries(st.text(), JSON, max_size=3),
    after=st.dictionaries(st.text(), JSON, max_size=3),
    old=st.text(),
    new=st.text(),
    space=SPACE,
    ascii_only=st.booleans(),
)
def test_all_but_one_text_of_a_json_object_is_kept_to_the_letter(
    before: dict[str, Any], after: dict[str, Any], old: str, new: str, space: str, ascii_only: bool
) -> None:
    others = [(name, value) for name, value in (*before.items(), *after.items()) if name != "host"]
    place = len([name for name in before if name != "host"])

    def member(name: str, value: object) -> str:
        text = json.dumps(value, ensure_ascii=ascii_only)
        return f"{space}{json.dumps(name, ensure_ascii=ascii_only)}{space}:{space}{text}{space}"

    def document(host: str) -> str:
        members = [member(name, value) for name, value in others]
        members.insert(place, f'{space}"host"{space}:{space}{host}{space}')
        return f"{space}{{{','.join(members)}}}{space}"

    there = document(json.dumps(old, ensure_ascii=ascii_only))
    assert text_at(there, "host") == old
    assert with_text_at(there, "host", new) == document(json.dumps(new))
    assert text_at(with_text_at(there, "host", new), "host") == new


@pytest.mark.parametrize(
    "document",
    [
        "hunter2",
        "",
        "[]",
        '"hunter2"',
        "{",
        '{"host": "a"',
        '{"host": 5}',
        '{"host": null}',
        '{"host": {"a": "b"}}',
        "{}",
        '{"Host": "a"}',
        '{"a": {"host": "b"}}',
        '{"host": "a", "host": "b"}',
        '{"host": "a", "ho\\u0073t": "b"}',
    ],
)
def test_what_is_no_text_at_the_key_is_refused_without_a_word_of_it(document: str) -> None:
    for read in (lambda: text_at(document, "host"), lambda: with_text_at(document, "host", "x")):
        with pytest.raises(NotSwitchable) as caught:
            read()
        assert "hunter2" not in f"{caught.value} {caught.value.__cause__} {caught.value.__context__}" or (
            caught.value.__suppress_context__
        )


def test_without_a_key_the_whole_is_the_value() -> None:
    assert (text_at("us-east-1", ""), with_text_at("us-east-1", "", WEST)) == ("us-east-1", WEST)


def test_a_value_is_the_regions_name_or_what_the_plan_gives_for_its_role() -> None:
    assert SecretSwitch("s", (WEST,)).values(REGIONS) == (EAST, WEST)
    assert SecretSwitch("s", (WEST,), "a", "b").values(REGIONS) == ("a", "b")
    assert SecretSwitch("s", (WEST,), "a", "b").value(REGIONS, WEST) == "b"


def test_a_versions_id_is_the_same_for_the_same_exchange_and_another_for_any_other() -> None:
    secret = SecretSwitch("s", (WEST,), key="host")
    one = version_token("orders", 1, WEST, secret, "x", "v0")
    assert one == version_token("orders", 1, WEST, secret, "x", "v0")
    assert len(one) == 64
    others = {
        version_token("other", 1, WEST, secret, "x", "v0"),
        version_token("orders", 2, WEST, secret, "x", "v0"),
        version_token("orders", 1, EAST, secret, "x", "v0"),
        version_token("orders", 1, WEST, replace(secret, name="t"), "x", "v0"),
        version_token("orders", 1, WEST, replace(secret, key=""), "x", "v0"),
        version_token("orders", 1, WEST, secret, "y", "v0"),
        version_token("orders", 1, WEST, secret, "x", "v1"),
        one,
    }
    assert len(others) == 8


# Hooks


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("null", Answer()),
        ("", Answer()),
        ("{}", Answer()),
        ('{"veto": ""}', Answer()),
        ('{"veto": false}', Answer()),
        ('{"veto": "month end"}', Answer("month end")),
        ('{"veto": " two\\nlines "}', Answer("two lines")),
        ('{"veto": true}', Answer("no reason given")),
        ('{"veto": {"why": 1}}', Answer("no reason given")),
        ('{"veto": "\\u0007"}', Answer("no reason given")),
        (json.dumps({"veto": "x" * 300}), Answer("x" * 200)),
    ],
)
def test_what_a_hook_says(text: str, answer: Answer) -> None:
    assert read_answer(text) == answer


def test_what_is_no_json_says_nothing() -> None:
    with pytest.raises(ValueError, match="Unterminated"):
        read_answer('{"veto": "month en')


@pytest.mark.parametrize(
    ("word", "failover", "failback"),
    [(None, False, True), (IfItFails.STOP, True, True), (IfItFails.GO_ON, False, False)],
)
def test_a_hooks_silence_stops_what_has_time_unless_the_plan_says_otherwise(
    word: IfItFails | None, failover: bool, failback: bool
) -> None:
    hook = Hook("ask", "f", When.BEFORE, if_it_fails=word)
    assert [hook.stops(direction) for direction in Direction] == [failover, failback]


def test_a_hook_is_called_in_the_target_or_in_the_control_region() -> None:
    assert Hook("ask", "f", When.BEFORE).region(WEST) == WEST
    assert Hook("ask", "f", When.BEFORE, Place.CONTROL).region(WEST) == ""


# What hooks bring about in the record

ZONE = Step(StepKind.ROUTE53, "Z1")
LINODE = Step(StepKind.LINODE, "records")
ASK = Step(StepKind.BEFORE, "ask")
TELL = Step(StepKind.AFTER, "tell")


def moving(*steps: Step) -> PlanState:
    transition = Transition(
        epoch=1,
        direction=Direction.FAILOVER,
        source=EAST,
        target=WEST,
        reason="down",
        manual=False,
        started_at=NOON,
        detected_at=None,
        verified_at=NOON,
        lease=Lease("me", NOON.replace(minute=2)),
        steps=steps,
    )
    earlier = NOON.replace(hour=1)
    fresh = initial_state("orders", 1, EAST)
    return replace(fresh, phase=Phase.MOVING, transition=transition, automatic_moves=(earlier, NOON))


def test_no_step_starts_before_every_hook_has_let_it_pass() -> None:
    state = moving(ASK, replace(ASK, subject="too", status=StepStatus.DONE), ZONE, LINODE)
    assert start_steps(state, 1, "me", {ZONE.key: "{}"}, NOON) is None
    assert start_steps(state, 1, "me", {ASK.key: "", ZONE.key: "{}"}, NOON) is None
    assert claim_step(state, 1, LINODE.key, "linode", "", NOON) is None
    asked = start_steps(state, 1, "me", {ASK.key: ""}, NOON)
    assert asked is not None
    assert asked.transition is not None
    assert not has_begun(asked.transition)
    passed = moving(replace(ASK, status=StepStatus.DONE), ZONE, LINODE)
    assert start_steps(passed, 1, "me", {ZONE.key: "{}"}, NOON) is not None
    assert claim_step(passed, 1, LINODE.key, "linode", "", NOON) is not None


def test_a_move_is_given_up_by_its_own_worker_and_only_before_it_has_begun() -> None:
    state = moving(replace(ASK, status=StepStatus.DOING), ZONE)
    found = give_up(state, 1, "me", ASK.key, "vetoed", NOON)
    assert found is not None
    steady, ended = found
    assert (steady.phase, steady.transition, steady.active, steady.epoch) == (Phase.STEADY, None, EAST, 1)
    assert steady.automatic_moves == (NOON.replace(hour=1),)
    assert (ended.outcome, ended.steps[0].detail) == ("stopped: vetoed", "vetoed")
    assert give_up(state, 1, "other", ASK.key, "vetoed", NOON) is None
    assert give_up(state, 2, "me", ASK.key, "vetoed", NOON) is None
    assert give_up(state, 1, "me", "before other", "vetoed", NOON) is None
    begun = moving(ASK, replace(ZONE, status=StepStatus.DOING))
    assert give_up(begun, 1, "me", ASK.key, "vetoed", NOON) is None
    passed = moving(replace(ASK, status=StepStatus.DONE), ZONE)
    assert give_up(passed, 1, "me", ASK.key, "vetoed", NOON) is None


def test_a_call_is_made_by_one_worker_at_a_time_at_rest_and_in_its_epoch() -> None:
    owed = replace(TELL, status=StepStatus.OWED)
    state = replace(initial_state("orders", 1, WEST), owed=(replace(ZONE, status=StepStatus.OWED), owed))
    taken = claim_call(state, 1, TELL.key, "me", NOON)
    assert taken is not None
    assert [step.status for step in taken.owed] == [StepStatus.OWED, StepStatus.DOING]
    assert claim_call(taken, 1, TELL.key, "other", NOON) is None
    assert claim_call(taken, 1, TELL.key, "other", NOON.replace(minute=2)) is not None
    assert claim_call(state, 2, TELL.key, "me", NOON) is None
    assert claim_call(replace(state, paused=True), 1, TELL.key, "me", NOON) is None
    assert claim_call(state, 1, ZONE.key, "me", NOON) is None
    open_again = replace(moving(ZONE), owed=(owed,))
    assert claim_call(open_again, 1, TELL.key, "me", NOON) is None
    assert call_failed(taken, 1, TELL.key, "other", "no") is None
    assert call_failed(taken, 2, TELL.key, "me", "no") is None
    again = call_failed(taken, 1, TELL.key, "me", "no")
    assert again is not None
    assert claim_call(again, 1, TELL.key, "other", NOON) is not None
