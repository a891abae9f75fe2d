"""Processes that race, die and freeze on the embedded AWS: what must be true whatever they do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drill.layout import MINISTACK
from proof.history import History
from tests.concurrency import rounds
from tests.concurrency.__main__ import play
from tests.concurrency.cloud import Cloud, running
from tests.concurrency.histories import judge_history
from tests.concurrency.rounds import COUNTS
from tests.concurrency.stand_ins import EAST, WEST

KILLS, FREEZES = 8, 6


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    if not MINISTACK.path.exists():
        pytest.fail("the emulator's virtual environment is missing: run `make setup` (`make test` does)")
    with running(tmp_path_factory.mktemp("concurrency")) as found:
        yield found


@pytest.mark.parametrize(("processes", "threads"), [(2, 1), (8, 1), (1, 32)])
def test_of_many_contenders_one_moves_once_and_the_others_hold(
    cloud: Cloud, processes: int, threads: int
) -> None:
    outcome = rounds.run(rounds.contest, cloud, processes, threads)
    assert (outcome.happened, outcome.violations) == (True, ())


def test_whoever_is_killed_or_frozen_midway_everything_agrees_in_the_end(cloud: Cloud) -> None:
    kills, freezes, refused = COUNTS.kills, COUNTS.freezes, COUNTS.refused
    seen = len(COUNTS.violations)
    play(cloud, KILLS, FREEZES, "make test")
    assert COUNTS.violations[seen:] == []
    assert COUNTS.kills - kills >= KILLS
    assert COUNTS.freezes - freezes >= FREEZES
    assert COUNTS.refused - refused >= 1, "no stale batch ever reached Route 53: the freezes prove nothing"


def test_an_outdated_write_to_linode_is_corrected_by_whoever_made_it(cloud: Cloud) -> None:
    outcome = rounds.freeze_at(cloud, rounds.BEFORE_LINODE, onward=True)
    assert outcome.happened
    assert outcome.violations == ()


def test_a_whole_failover_and_failback_leave_a_history_for_the_checker(cloud: Cloud) -> None:
    found = rounds.Round(cloud, "recorded")
    found.tick()
    found.east(down=True)
    found.move(rounds.fail_over, WEST)
    found.east(down=False)
    found.move(rounds.fail_back, EAST)
    outcome = found.close(EAST, happened=True)
    assert outcome.violations == ()
    entries = History.read(found.world.folder / "history.jsonl").entries
    assert [entries[0]["kind"], entries[-1]["kind"]] == ["plan", "rest"]
    assert [entry["n"] for entry in entries] == list(range(len(entries)))
    workers = {kind: [e["worker"] for e in entries if e["kind"] == kind] for kind in ("begin", "end")}
    assert sorted(workers["begin"]) == sorted(workers["end"])
    calls = {e["n"] for e in entries if e["kind"] == "call"}
    assert calls == {e["call"] for e in entries if e["kind"] == "reply"}
    assert judge_history(entries) == []
