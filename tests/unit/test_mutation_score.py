"""The mutation score counts every mutant, and believes no list of equivalents that the run contradicts."""

from __future__ import annotations

from pathlib import Path

import pytest

from proof.mutation import EQUIVALENTS, Equivalent, Mutant, differing, mutants_of, read_equivalents, score

KILLED, SURVIVED, TIMED_OUT, NO_TESTS = 1, 0, 36, 33


def mutant(number: int, exit_code: int | None, becomes: str = "") -> Mutant:
    name = f"region_failover.domain.zone.x_canonical__mutmut_{number}"
    return Mutant(name, "return name.lower()", becomes or f"return {number}", exit_code)


def argued(becomes: str, function: str = "zone.canonical") -> Equivalent:
    return Equivalent(function, "return name.lower()", becomes, "why")


def many(killed: int, survived: int) -> list[Mutant]:
    codes = [KILLED] * killed + [SURVIVED] * survived
    return [mutant(number, code) for number, code in enumerate(codes)]


def test_a_mutant_is_named_by_its_module_and_function_or_method() -> None:
    method = Mutant("region_failover.domain.toml_table.xǁTableǁwhole__mutmut_7", "", "", KILLED)
    assert (mutant(1, KILLED).module, mutant(1, KILLED).function) == ("zone", "zone.canonical")
    assert (method.module, method.function) == ("toml_table", "toml_table.Table.whole")


@pytest.mark.parametrize(
    ("code", "killed"),
    [
        (KILLED, True),
        (3, True),
        (TIMED_OUT, True),
        (SURVIVED, False),
        (NO_TESTS, False),
        (35, False),
        (-11, False),
    ],
)
def test_only_a_failed_test_or_the_time_limit_is_a_kill(code: int, killed: bool) -> None:
    assert mutant(1, code).killed is killed


@pytest.mark.parametrize(
    ("killed", "survived", "passed"), [(95, 5, True), (949, 51, False), (100, 0, True), (0, 1, False)]
)
def test_the_score_must_reach_95_percent(killed: int, survived: int, passed: bool) -> None:
    outcome = score(many(killed, survived), [])
    assert outcome.percent == pytest.approx(100 * killed / (killed + survived))
    assert outcome.passed is passed


def test_an_argued_equivalent_is_left_out_of_the_score_and_shown_in_the_other_one() -> None:
    outcome = score([*many(18, 1), mutant(99, SURVIVED, "same")], [argued("same")])
    *_, both, last = outcome.table().splitlines()
    assert both == "with the equivalents as survivors: 90.0 % (18 of 20)"
    assert last == "mutation score of domain/: 94.7 % (18 of 19; 1 argued equivalent)"
    assert [m.becomes for m in outcome.survivors] == ["return 18"]


def test_an_argued_equivalent_that_does_not_exist_or_not_once_fails() -> None:
    for entry in (argued("gone"), argued("return 1", "zone.other"), argued("twice")):
        outcome = score([*many(100, 0), *(mutant(n, SURVIVED, "twice") for n in (201, 202))], [entry])
        assert not outcome.passed
        assert outcome.equivalent == []


def test_an_argued_equivalent_that_a_test_notices_fails() -> None:
    outcome = score(many(100, 0), [argued("return 1")])
    assert not outcome.passed
    assert "noticed by a test" in outcome.table()


def test_what_differs_is_said_in_the_lines_that_differ() -> None:
    assert differing(["def f():", "a = 1", "return a"], ["def f():", "a = 2", "return a"]) == (
        "a = 1",
        "a = 2",
    )
    assert differing(["f(", "a,", "b,", ")"], ["f(", "b,", ")"]) == ("a,", "")


def test_mutants_are_read_from_what_mutmut_leaves_behind(tmp_path: Path) -> None:
    folder = tmp_path / "mutants" / "region_failover" / "domain"
    folder.mkdir(parents=True)
    lines = [
        "def x_f__mutmut_orig(a: int) -> bool:",
        "    return a < 1",
        "def x_f__mutmut_1(a: int) -> bool:",
        "    return a <= 1",
    ]
    (folder / "m.py").write_text("\n".join(lines))
    (folder / "m.py.meta").write_text('{"exit_code_by_key": {"region_failover.domain.m.x_f__mutmut_1": 0}}')
    (folder / "m.py.spans").write_text('{"spans": {"x_f__mutmut_orig": [1, 2], "x_f__mutmut_1": [3, 4]}}')
    assert mutants_of(tmp_path) == [
        Mutant("region_failover.domain.m.x_f__mutmut_1", "return a < 1", "return a <= 1", SURVIVED)
    ]


def test_every_argued_equivalent_gives_its_reason() -> None:
    for entry in read_equivalents(EQUIVALENTS.read_text()):
        assert entry.reason.strip()
