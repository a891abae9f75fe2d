"""The checker as a whole: its own reading, no share in the product, recorded runs without a violation."""

from __future__ import annotations

import ast
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from proof.checker import BadHistory, check
from proof.checker.__main__ import main
from proof.checker.reading import fault_of, read_fence
from region_failover.domain.codec import dump, load_health, load_state, load_transition
from region_failover.domain.errors import RegionFailoverError, RemoteFailure
from region_failover.domain.state import LEASE
from region_failover.domain.symptom import Kind, Symptom
from region_failover.domain.zone import RecordSet
from tests.fakes import (
    AUTOMATIC_FAILBACK,
    DENIED,
    EAST,
    PARAMETER,
    PLAN,
    TIMED_OUT,
    WEST,
    ZONE,
    Killed,
    with_policy,
)
from tests.proof.recording import RecordedWorld
from tests.proof.story import Story

CHECKER = Path(__file__).parents[2] / "proof" / "checker"


@pytest.mark.parametrize("file", sorted(CHECKER.glob("*.py")), ids=lambda file: file.name)
def test_the_checker_shares_no_code_with_the_product(file: Path) -> None:
    allowed = set(sys.stdlib_module_names)
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            continue
        for name in names:
            assert name.startswith("proof.checker") or name.split(".")[0] in allowed, f"imports {name}"


def test_importing_the_checker_imports_nothing_of_the_product() -> None:
    code = "import sys, proof.checker; print([m for m in sys.modules if m.startswith('region_failover')])"
    root = CHECKER.parents[1]
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert found.stdout.strip() == "[]"


# recorded runs of the real flows


def failed_over(plan: object = None) -> RecordedWorld:
    world = RecordedWorld(plan or PLAN)  # type: ignore[arg-type]
    world.tick()
    world.outage()
    world.failover()
    world.deliver_switch()
    return world


def failover() -> RecordedWorld:
    return failed_over()


def failback() -> RecordedWorld:
    world = failed_over(with_policy(AUTOMATIC_FAILBACK, cooldown=timedelta(minutes=10)))
    world.repair_region(EAST)
    world.tick()
    world.settle(25)
    world.tick()
    world.deliver_switch()
    assert (world.state.active, world.state.epoch) == (EAST, 2)
    return world


def manual_there_and_back() -> RecordedWorld:
    world = RecordedWorld()
    world.tick()
    world.failover(world.manual("failover", force=True))
    world.deliver_switch()
    world.clock.advance(30)
    world.failback(world.manual("failback"))
    world.deliver_switch()
    assert (world.state.active, world.state.epoch) == (EAST, 2)
    return world


def observer_fault() -> RecordedWorld:
    world = RecordedWorld()
    world.tick()
    world.tables.failures = {EAST: DENIED, WEST: DENIED}
    world.probe()
    world.failover()
    assert world.state.epoch == 0
    return world


def both_down() -> RecordedWorld:
    world = RecordedWorld()
    world.tick()
    world.outage()
    world.break_region(WEST)
    world.failover()
    assert world.state.epoch == 0
    return world


def weak_evidence() -> RecordedWorld:
    """The endpoint is down; DynamoDB answers, and then refuses us: neither moves anything."""
    world = RecordedWorld()
    world.tick()
    world.endpoints.answers[PLAN.http_checks[0].primary] = 503
    for failures in ({}, {EAST: DENIED}):
        world.tables.failures = failures
        world.probe(seconds=55)
        world.clock.advance(5)
        world.probe(seconds=55)
        world.failover()
    return world


def target_unknown() -> RecordedWorld:
    """The primary is down, and one kind of evidence fails at the standby: it is not verified."""
    world = RecordedWorld()
    world.tick()
    world.outage()
    world.endpoints.answers[PLAN.http_checks[0].standby] = 503
    world.failover()
    return world


def human_drift() -> RecordedWorld:
    """A record set is changed to what is in no plan: held; a forced request by hand overwrites it."""
    world = RecordedWorld()
    world.tick()
    world.edit_zone(ZONE, RecordSet("api.example.com", "A", 60, ("203.0.113.99",)))
    world.outage()
    world.failover()
    assert world.state.epoch == 0
    world.failover(world.manual("failover", force=True))
    world.deliver_switch()
    assert world.moved_to() == WEST
    return world


def drift_between_snapshot_and_batch() -> RecordedWorld:
    world = RecordedWorld()
    world.tick()
    world.outage()
    stranger = RecordSet("api.example.com", "A", 60, ("203.0.113.99",))
    world.faults.before("zones.submit", lambda: world.edit_zone(ZONE, stranger))
    world.failover()
    assert world.zones.refused
    return world


def edited_before_the_read_back() -> RecordedWorld:
    """A human puts the old answer back between INSYNC and the read-back: not done, and not completed."""
    world = RecordedWorld()
    world.tick()
    world.outage()
    old = RecordSet("api.example.com", "A", 60, ("192.0.2.10",))
    world.faults.after("zones.is_insync", lambda: world.edit_zone(ZONE, old))
    world.failover()
    world.deliver_switch()
    assert world.state.transition is not None
    return world


def paused_midway() -> RecordedWorld:
    world = RecordedWorld()
    world.tick()
    world.outage()
    world.faults.after("store.save_state", lambda: world.edit_state(paused=True), skip=2)
    world.failover()
    world.clock.advance(LEASE.total_seconds())
    world.tick()
    world.edit_state(paused=False)
    world.outage()
    world.tick()
    world.deliver_switch()
    return world


def crash_and_resume() -> RecordedWorld:
    world = RecordedWorld()
    world.tick()
    world.outage()
    world.faults.after("zones.submit", Killed())
    with contextlib.suppress(Killed):
        world.failover()
    world.clock.advance(LEASE.total_seconds())
    world.tick()
    world.deliver_switch()
    return world


def frozen_worker() -> RecordedWorld:
    """It freezes inside its submission, while another worker finishes for it."""
    world = RecordedWorld()
    world.tick()
    world.outage()

    def meanwhile() -> None:
        world.faults.clear()
        world.clock.advance(LEASE.total_seconds())
        world.tick()
        world.deliver_switch()

    world.faults.before("zones.submit", meanwhile)
    with contextlib.suppress(RegionFailoverError):
        world.failover()
    world.clock.advance(60)
    world.tick()
    return world


def debts_paid() -> RecordedWorld:
    world = failed_over()
    assert world.state.owed
    world.repair_region(EAST)
    world.clock.advance(60)
    world.tick()
    assert not world.state.owed
    return world


def frozen_in_a_parameter() -> RecordedWorld:
    """A runner freezes inside a parameter's write until a whole way back is over, and then corrects it."""
    world = RecordedWorld()
    world.tick()
    world.outage()

    def meanwhile() -> None:
        world.faults.clear()
        world.repair_region(EAST)
        world.clock.advance(LEASE.total_seconds())
        world.tick()
        world.deliver_switch()
        world.clock.advance(60)
        world.failback(world.manual("failback", force=True))
        world.deliver_switch()

    world.faults.before("parameters.write", meanwhile)
    with contextlib.suppress(RegionFailoverError):
        world.failover()
    assert (world.state.epoch, world.parameters.values[WEST, PARAMETER]) == (2, EAST)
    return world


def notification_fails() -> RecordedWorld:
    world = RecordedWorld()
    world.tick()
    world.notifier.failure = TIMED_OUT
    world.outage()
    world.failover()
    world.deliver_switch()
    world.notifier.failure = None
    world.clock.advance(61)
    world.tick()
    return world


def lost_replies() -> RecordedWorld:
    world = RecordedWorld()
    world.tick()
    world.outage()
    world.faults.after("zones.submit", RemoteFailure(TIMED_OUT))
    world.faults.after("linode.point", RemoteFailure(TIMED_OUT))
    world.failover()
    world.deliver_switch()
    for _ in range(2):
        world.clock.advance(60)
        world.tick()
        world.deliver_switch()
    return world


def stopped() -> RecordedWorld:
    """A worker dies after its claim; when a tick takes over, the source is well again."""
    world = RecordedWorld()
    world.tick()
    world.outage()
    world.faults.after("store.save_state", Killed())
    with contextlib.suppress(Killed):
        world.failover()
    world.repair_region(EAST)
    world.clock.advance(LEASE.total_seconds())
    world.tick()
    assert [t.outcome for t in world.history()] == ["stopped: the source is healthy again"]
    return world


def state_lost() -> RecordedWorld:
    world = failed_over()
    world.lose_state()
    world.tick()
    assert (world.state.epoch, world.state.active) == (1, WEST)
    world.repair_region(EAST)
    world.parameters.values[EAST, PARAMETER] = WEST
    return world


def stale_and_duplicated_events() -> RecordedWorld:
    world = RecordedWorld()
    world.tick()
    world.outage()
    old, alarm = world.alarm(world.clock.now() - timedelta(hours=1)), world.alarm()
    for event in (old, alarm, alarm):
        world.failover(event)
    for _ in range(2):
        world.linode_dns(world.events.of("Traffic Switch Requested")[0])
    return world


RUNS: dict[str, tuple[Callable[[], RecordedWorld], str]] = {
    run.__name__: (run, expect)
    for run, expect in (
        (failover, "steady"),
        (failback, "steady"),
        (manual_there_and_back, "steady"),
        (observer_fault, "steady"),
        (both_down, "steady"),
        (weak_evidence, "steady"),
        (target_unknown, "steady"),
        (human_drift, "steady"),
        (drift_between_snapshot_and_batch, ""),
        (edited_before_the_read_back, ""),
        (paused_midway, "steady"),
        (crash_and_resume, "steady"),
        (frozen_worker, "steady"),
        (debts_paid, "steady"),
        (frozen_in_a_parameter, "steady"),
        (notification_fails, "steady"),
        (lost_replies, "steady"),
        (stopped, "steady"),
        (state_lost, "steady"),
        (stale_and_duplicated_events, "steady"),
    )
}


@pytest.mark.parametrize("name", RUNS)
def test_a_recorded_run_of_the_product_is_blamed_for_nothing(name: str) -> None:
    run, expect = RUNS[name]
    assert [str(violation) for violation in run().judge(expect)] == []


def test_what_is_recorded_is_what_the_product_stores() -> None:
    world = failed_over()
    stored = [*world.store.states.values(), *world.store.healths.values()]
    texts = [text for _, text in stored] + list(world.store.history.values())
    loads = (load_state, load_health, load_transition)
    assert [dump(load(text)) for load, text in zip(loads, texts, strict=True)] == texts


def test_a_recorded_run_survives_being_written_and_read(tmp_path: Path) -> None:
    world = failback()
    world.rest("steady")
    world.tape.history.write(tmp_path / "history.jsonl")
    assert main([str(tmp_path / "history.jsonl")]) == 0


# the command


def test_the_command_prints_what_is_violated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    story = Story().started().after(121).write()
    file = tmp_path / "history.jsonl"
    file.write_text("".join(json.dumps(entry) + "\n" for entry in story.entries))
    assert main([str(file)]) == 1
    assert "I4 at entry" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "begins with its plan"),
        ("nonsense\n", "line 1: no JSON"),
        ("[]\n", "line 1: a JSON object"),
        ('{"n": 0, "t": 0, "kind": "rest"}\n', "begins with its plan"),
        ('{"n": 0, "t": 0, "kind": "plan"}\n', "entry 0 (plan): KeyError: 'plan'"),
    ],
)
def test_the_command_says_what_is_no_history(
    text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "history.jsonl"
    file.write_text(text)
    assert main([str(file)]) == 2
    assert says in capsys.readouterr().err


def test_the_command_says_that_a_file_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nowhere.jsonl"]) == 2
    assert "nowhere.jsonl" in capsys.readouterr().err


def test_a_broken_entry_is_named() -> None:
    entries = Story().begin().load().entries
    del entries[-1]["worker"]
    with pytest.raises(BadHistory, match=r"entry 4 \(reply store.load_state\)"):
        check(entries)


# its own reading agrees with the product's documents


@pytest.mark.parametrize(
    ("kind", "code", "status", "whose"),
    [
        (Kind.TIMEOUT, "", 0, "theirs"),
        (Kind.REFUSED, "", 0, "theirs"),
        (Kind.NO_SUCH_NAME, "", 0, "theirs"),
        (Kind.WRONG_ANSWER, "", 0, "theirs"),
        (Kind.HTTP, "", 503, "theirs"),
        (Kind.API, "InternalServerError", 500, "theirs"),
        (Kind.API, "ReplicatedWriteConflictException", 400, "theirs"),
        (Kind.HTTP, "", 404, "ours"),
        (Kind.HTTP, "", 429, "ours"),
        (Kind.API, "AccessDeniedException", 400, "ours"),
        (Kind.API, "ThrottlingException", 503, "ours"),
        (Kind.API, "ResourceNotFoundException", 400, "ours"),
        (Kind.TLS, "", 0, "ours"),
        (Kind.CREDENTIALS, "", 0, "ours"),
        (Kind.SETTINGS, "", 0, "ours"),
        (Kind.UNKNOWN, "", 0, "ours"),
    ],
)
def test_whose_fault_an_error_is(kind: Kind, code: str, status: int, whose: str) -> None:
    found = Symptom(kind, code, status)
    symptom = {"kind": found.kind.value, "code": found.code, "status": found.status}
    assert fault_of({"type": "RemoteFailure", "symptom": symptom}) == whose


def test_an_error_without_a_symptom_is_ours() -> None:
    assert fault_of({"type": "KeyError"}) == "ours"


@pytest.mark.parametrize(
    ("values", "readable"),
    [
        (['"region-failover plan=orders epoch=7 active=us-west-2"'], True),
        (['"v=spf1 -all"'], False),
        (['"region-failover plan=orders epoch=x active=us-west-2"'], False),
        (['"region-failover plan=orders epoch=7"'], False),
        ([], False),
        (None, False),
        (['"region-failover plan=orders epoch=7 active=us-west-2"', '"another"'], False),
    ],
)
def test_what_is_a_fence(values: list[str] | None, readable: bool) -> None:
    found = read_fence(values)
    assert (found is not None) == readable
    assert found is None or found == ("orders", 7, "us-west-2")


def test_it_is_fast_enough_to_judge_ten_thousand_histories() -> None:
    world = failback()
    world.rest("steady")
    entries = world.entries
    assert len(entries) > 1000
    best = min(_seconds_for(lambda: check(entries)) for _ in range(20))
    assert best / len(entries) < 4e-6  # 1,500 entries in 6 ms on a machine three times slower than ours


def _seconds_for(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start
