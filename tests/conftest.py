"""Settings for every test, the sweep of the simulation beside them, and what the proof came to at the end."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import settings

from tests.simulation.background import Sweep

settings.register_profile("region-failover", deadline=None, max_examples=80)
settings.load_profile("region-failover")  # without hypothesis's time limit, which a busy machine breaks

BUILD = Path(__file__).resolve().parent.parent / "build" / "simulation"
SWEEP = pytest.StashKey[Sweep]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--seeds`."""
    parser.addoption("--seeds", type=int, default=200, help="how many worlds to simulate (default 200)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Start the sweep if a test asks for it, and let those tests come last."""
    asking = [item for item in items if "sweep" in getattr(item, "fixturenames", ())]
    if not asking:
        return
    items[:] = [item for item in items if item not in asking] + asking
    if not config.getoption("collectonly"):
        config.stash[SWEEP] = Sweep(config.getoption("seeds"), BUILD)


@pytest.fixture(scope="session")
def sweep(pytestconfig: pytest.Config) -> Sweep:
    """The simulation's sweep, which has been running beside the tests before this one."""
    return pytestconfig.stash[SWEEP]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Leave nothing running."""
    if SWEEP in session.config.stash:
        session.config.stash[SWEEP].stop()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what the proof came to."""
    lines = [config.stash[SWEEP].closing_line()] if SWEEP in config.stash else []
    for module, words in (
        ("tests.simulation.crash", "crash matrix"),
        ("tests.simulation.orders", "orders"),
        ("tests.concurrency.rounds", "real workers"),
    ):
        counts = getattr(sys.modules.get(module), "COUNTS", None)
        if counts:
            lines.append(f"{words}: {_said(counts)}")
    for line in filter(None, lines):
        terminalreporter.write_line(line)


def _said(counts: object) -> str:
    line = getattr(counts, "line", None)
    if line is not None:
        return str(line())
    return ", ".join(f"{name} {count}" for name, count in counts.items())  # type: ignore[attr-defined]
