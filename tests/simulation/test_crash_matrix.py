"""At every port call of a failover, a failback and a Linode switch: dead, refused, or the reply lost.

`tests/simulation/crash.py` says what a case is. Whatever happens at one call, and whoever resumes: finished
or stopped within a lease and two ticks (I18), with one effect (I20), everything where the record says; and
the checker finds no invariant violated on the way.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulation.crash import (
    COMBINED,
    FIRST,
    FLOWS,
    cases,
    copy_of,
    doubles,
    go_on,
    judged,
    prepared,
    recorded,
)


@pytest.mark.parametrize("name", FLOWS)
def test_an_undisturbed_run_moves_everything_once(name: str) -> None:
    flow, world = FLOWS[name], copy_of(prepared(name))
    flow.run(world, FIRST)
    go_on(world, flow)
    assert judged(world) == []
    assert world.state.active == flow.target


def matrix() -> list[Any]:
    """Return every flow with everything that may happen to it."""
    return [pytest.param(name, way, by, id=f"{name}-{way}-{by}") for name in FLOWS for way, by in COMBINED]


@pytest.mark.parametrize(("name", "way", "by"), matrix())
def test_whatever_happens_at_one_call_the_transition_is_finished_or_stopped(
    name: str, way: str, by: str
) -> None:
    wrong = [f"{what}: {text}" for what, found in cases(name, way, by) for text in found]
    assert wrong == []


def test_two_crashes_one_after_the_other_leave_nothing_behind() -> None:
    """A sample of the ordered pairs; `python -m tests.simulation.crash --double` runs them all."""
    wrong = [f"{what}: {text}" for what, found in doubles(stride=97) for text in found]
    assert wrong == []


def test_the_matrix_covers_every_port_that_has_effects() -> None:
    operations = {operation for name in FLOWS for operation in recorded(name)}
    assert {
        "store.save_state",
        "store.save_health",
        "store.record_decision",
        "tables.write_heartbeat",
        "zones.submit",
        "zones.is_insync",
        "parameters.write",
        "linode.point",
        "events.put",
        "notifier.publish",
    } <= operations
