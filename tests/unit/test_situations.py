"""Situations that an on-call engineer may meet: what is there, and what shall come of it.

Each is a file of `tests/situations/`, played on the fakes through the real flow; `stage.py` there explains
the format.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from region_failover.domain.codec import load_situation
from region_failover.domain.decision import Reason, decide_failback, decide_failover, decide_return
from tests.situations.stage import BadFile, Case, Outcome, Stage, every_case, load, plan_of

CASES = every_case()
# Reasons that the flow gives for what it meets on the way, not the rules for what they are asked.
OF_THE_WAY = frozenset(
    {
        Reason.STALE_EVENT,
        Reason.NOT_IN_ALARM,
        Reason.SUPPRESSED,
        Reason.LOST_THE_CLAIM,
        Reason.VETOED,
        Reason.DRIFT,
        Reason.NOT_SIMPLE,
        Reason.FENCE_AHEAD,
        Reason.FENCE_FOREIGN,
        Reason.TOO_MANY_CHANGES,
        Reason.PLAN_CHANGED,
    }
)

# Not on record, only in a plan that is shown; and what no plan's file can bring about: both are held in
# tests/functional/test_plan_ahead.py. What a user's own hook says is held in tests/functional/test_hooks.py.
NO_SITUATION = frozenset({Reason.ALREADY_THERE, Reason.UNSAFE_BATCH, Reason.VETOED})


@cache
def play(case: Case) -> tuple[Stage, str, Outcome]:
    """Play a case, once for all tests; return its stage, the Region active before, and what came of it."""
    stage = Stage(case)
    active = stage.world.state.active
    return stage, active, stage.run()


def as_parameter(case: Case) -> Any:
    """Return the case as a test's parameter; one that the product does not do yet must fail."""
    why = case.of("expect").get("not_yet")
    marks = [pytest.mark.xfail(reason=why, strict=True, raises=AssertionError)] if why else []
    return pytest.param(case, id=case.name, marks=marks)


@pytest.mark.parametrize("case", [as_parameter(case) for case in CASES])
def test_what_is_decided_and_told_is_what_the_situation_asks_for(case: Case) -> None:
    stage, active, found = play(case)
    expect = case.of("expect")
    assert found.error == expect.get("error", "")
    if "reason" in expect:
        assert (found.decision["action"], found.decision["reason"]) == (expect["decision"], expect["reason"])
    assert_told(found.told, told_by(case))
    moves = expect.get("decision") == "move"
    sides = {stage.world.plan.regions.primary: "primary", stage.world.plan.regions.standby: "standby"}
    there = sides[stage.world.plan.regions.other(active) if moves else active]
    assert found.traffic == expect.get("traffic", there)
    assert found.phase == expect.get("phase", "steady")
    if not moves and not touches(case):
        assert found.untouched


def told_by(case: Case) -> list[str]:
    """Return what shall be told: what the file says, else nothing of a hold, and both messages of a move."""
    usual = ["traffic is switched to", "is complete"] if case.of("expect").get("decision") == "move" else []
    found: list[str] = case.of("expect").get("told", usual)
    return found


def touches(case: Case) -> bool:
    """Return whether a hold may touch something: a tick goes on with an open transition; a first start
    publishes the fence; somebody else is at work meanwhile."""
    return any(
        (
            "open" in case.says and case.of("start").get("by") == "schedule",
            case.of("record").get("lost"),
            "meanwhile" in case.says,
        )
    )


def assert_told(found: list[str], expected: list[str]) -> None:
    assert len(found) == len(expected), f"told: {found}"
    for subject, piece in zip(found, expected, strict=True):
        assert piece in subject, f"told: {found}"


def test_there_are_as_many_as_promised_and_each_says_something_of_its_own() -> None:
    assert len(CASES) >= 80
    assert len({case.says["what"] for case in CASES}) == len(CASES)


@pytest.mark.parametrize("reason", sorted(set(Reason) - NO_SITUATION), ids=lambda reason: reason.value)
def test_every_reason_is_expected_by_a_situation(reason: Reason) -> None:
    assert any(case.of("expect").get("reason") == reason.value for case in CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_i23_what_is_on_record_decides_the_same_again(case: Case) -> None:
    stage, _, _ = play(case)
    for _, _, decision in stage.world.store.decisions:
        if decision["situation"] is None or Reason(decision["reason"]) in OF_THE_WAY:
            continue
        situation = load_situation(decision["situation"])
        decide = decide_failback if decision["trigger"] == "schedule" else decide_failover
        if case.of("start").get("by") == "manual failback" and decision["trigger"] == "manual":
            decide = decide_failback
        again = decide(situation, plan_of(case).policy)
        if decision["reason"] == Reason.TRIAL_FAILED:
            again = decide_return(situation)
        assert again.reason == decision["reason"]


# A file that is wrong.

GOOD = 'what = "it"\n[expect]\ndecision = "hold"\nreason = "paused"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('what = "it"\nwhere = "here"', "x.toml: 'where' is unknown; known are what, start"),
        (GOOD + "[now]\nfro = '2m'", "x.toml: now: 'fro' is unknown; known are for, unseen"),
        (GOOD + "[now]\nfor = '2 minutes'", "x.toml: now: for: a time such as '90s'"),
        (GOOD + "[now]\nprimary.raed = 'timeout'", "x.toml: now: primary: 'raed' is unknown"),
        (GOOD + "[now]\nprimary.read = 'timed out'", "x.toml: now: primary: read: 'timed out'; allowed are"),
        (GOOD + "[now]\nprimary.read = 503", "x.toml: now: primary: read: 503; allowed are well, timeout"),
        (GOOD + "[now]\nprimary = 'down'", "x.toml: now: primary: a table was expected, not 'down'"),
        (GOOD + "[earlier]\nfor = '2m'", "x.toml: earlier: [[earlier]] was expected"),
        (GOOD + "[[earlier]]\nform = '2m'", "x.toml: earlier[0]: 'form' is unknown"),
        (GOOD + "[record]\npaused = 'yes'", "x.toml: record: paused: true or false was expected"),
        (GOOD + "told = 'all'", "x.toml: expect: told: a list of texts was expected"),
        (GOOD.replace("hold", "wait"), "x.toml: expect: decision: 'wait'; allowed are move, hold"),
        (GOOD.replace('"it"', '" "'), "x.toml: what: a text was expected, not ' '"),
        (GOOD.replace('what = "it"\n', ""), "x.toml: 'what' is missing"),
        ('what = "it"', "x.toml: expect: 'decision' and 'reason' were expected, or 'error'"),
        (GOOD + "error = 'OutOfTime'", "x.toml: expect: 'decision' and 'reason' were expected, or 'error'"),
    ],
    ids=str,
)
def test_a_file_that_is_wrong_is_refused_with_the_place_and_what_is_allowed(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "x.toml"
    path.write_text(text)
    with pytest.raises(BadFile, match=re.escape(message)):
        load(path)


def test_a_file_that_is_right_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(GOOD)
    assert load(path).of("expect") == {"decision": "hold", "reason": "paused"}
