"""The summary of a run: what it says; a failed scenario stops no other, and fails the run."""

import json
from pathlib import Path

import pytest

from drill.__main__ import main
from drill.report import Check, Report
from drill.runs import in_turn
from drill.scenarios import SCENARIOS
from drill.summary import Line, has_passed, write_summary


def line(name: str, passed: bool) -> Line:
    return Line(name, passed, 2, 8.25, None, 100.0)


def test_a_line_is_what_the_report_says() -> None:
    report = Report("region-outage", 0.2, checks=[Check("a", True)], transitions=[{"epoch": 1}])
    report.seconds["fault_to_detected"] = 8.12345
    assert Line.of(report, 99.96).as_json() == {
        "scenario": "region-outage",
        "passed": True,
        "transitions": 1,
        "fault_to_detected": 8.123,
        "client_downtime": None,
        "seconds": 100.0,
    }


def test_the_file_holds_every_scenario_and_how_long_the_run_took(tmp_path: Path) -> None:
    path = write_summary([line("a", True), line("b", True)], 150.04, tmp_path)
    found = json.loads(path.read_text())
    assert path.name == "summary.json"
    assert (found["passed"], found["seconds"]) == (True, 150.0)
    assert [scenario["scenario"] for scenario in found["scenarios"]] == ["a", "b"]


def test_one_failed_scenario_fails_the_run_and_none_at_all_proves_nothing() -> None:
    assert has_passed([line("a", True)])
    assert not has_passed([line("a", True), line("b", False), line("c", True)])
    assert not has_passed([])


def test_after_a_failed_scenario_the_next_ones_are_rehearsed(tmp_path: Path) -> None:
    lines = in_turn(["a", "b", "c"], lambda name: line(name, name != "a"), tmp_path)
    assert [found.scenario for found in lines] == ["a", "b", "c"]
    assert json.loads((tmp_path / "summary.json").read_text())["passed"] is False


def test_a_line_left_in_a_folder_is_read_back(tmp_path: Path) -> None:
    assert Line.read(tmp_path) is None
    line("a", False).write(tmp_path)
    assert Line.read(tmp_path) == line("a", False)


def test_the_list_says_in_a_line_what_each_scenario_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    printed = capsys.readouterr().out
    for name, scenario in SCENARIOS.items():
        assert f"  {name} " in printed
        assert scenario.about in printed


def test_an_unknown_scenario_is_a_bad_argument() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["no-such-outage"])
    assert ended.value.code == 2
