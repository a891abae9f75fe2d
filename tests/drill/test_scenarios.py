"""The rehearsal's scenarios, end to end: the real templates, built and deployed by the real SAM CLI."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from drill.layout import BUILD, ROOT, SAM

pytestmark = [pytest.mark.drill, pytest.mark.timeout(540), pytest.mark.xdist_group("drill")]


def rehearse(scenario: str) -> dict[str, Any]:
    """Run a scenario as `make drill` does; return its report."""
    assert SAM.path.exists(), "run `make setup` first (`make test` does)"
    done = subprocess.run(
        [sys.executable, "-m", "drill", scenario],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    report: dict[str, Any] = json.loads((BUILD / scenario / "report.json").read_text())
    failed = [check for check in report["checks"] if not check["passed"]]
    assert done.returncode == 0, f"{failed}\n{done.stdout[-4000:]}\n{done.stderr[-2000:]}"
    assert report["passed"]
    return report


def test_a_region_dies_and_comes_back() -> None:
    report = rehearse("region-outage")
    assert [t["direction"] for t in report["transitions"]] == ["failover", "failback"]
    assert all(value is not None for value in report["seconds"].values())
    by_application = report["requests"]["by_application"]
    for application in ("orders", "legacy"):
        failed = by_application[application]["failed"]
        assert failed["outage"] > 0
        assert {phase: failed[phase] for phase in failed if phase != "outage"} == {
            "before": 0,
            "on-standby": 0,
            "repaired": 0,
            "after": 0,
        }
    moments = [entry["seconds"] for entry in report["timeline"]]
    assert moments == sorted(moments)


def test_our_own_denied_access_moves_nothing() -> None:
    report = rehearse("observer-denied")
    assert report["transitions"] == []
    assert len(report["notifications"]) == 1
