"""Pausing the replication of a global table: late writes arrive in order, and the newest of an item wins."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from drill.embedded.replication import Replication, Write


@dataclass
class Table:
    """Two replicas of a global table whose writes go through a Replication."""

    paused: bool = False
    now: float = 0.0
    replicas: dict[str, dict[str, Any]] = field(default_factory=lambda: {"east": {}, "west": {}})

    def __post_init__(self) -> None:
        self.replication = Replication(self._apply, lambda: self.paused, lambda: self.now)

    def _apply(self, write: Write) -> None:
        other = {"east": "west", "west": "east"}[write.region]
        self._store(other, write.keys[0], write.new)

    def _store(self, region: str, key: str, new: Any) -> None:
        if new is None:
            self.replicas[region].pop(key, None)
        else:
            self.replicas[region][key] = new

    def put(self, region: str, key: str, new: Any) -> None:
        self.now += 1
        self._store(region, key, new)
        event = "MODIFY" if new is not None else "REMOVE"
        self.replication.write(Write("1", region, "t", (key, ""), self.now, event, None, new))


@pytest.fixture
def table() -> Table:
    return Table()


def test_a_write_reaches_the_other_replica_at_once(table: Table) -> None:
    table.put("east", "k", 1)
    table.put("west", "k", 2)
    assert table.replicas["east"] == table.replicas["west"] == {"k": 2}


def test_paused_nothing_arrives_until_it_goes_on_and_then_in_order(table: Table) -> None:
    table.paused = True
    table.put("east", "a", 1)
    table.put("east", "a", 2)
    table.put("west", "b", 3)
    table.replication.catch_up()
    assert table.replicas == {"east": {"a": 2}, "west": {"b": 3}}
    table.paused = False
    table.replication.catch_up()
    assert table.replicas["east"] == table.replicas["west"] == {"a": 2, "b": 3}


def of_two_regions(first: str, second: str) -> Callable[[Table], None]:
    def write(table: Table) -> None:
        table.put(first, "k", "older")
        table.put(second, "k", "newer")

    return write


@pytest.mark.parametrize("write", [of_two_regions("east", "west"), of_two_regions("west", "east")])
def test_of_two_writes_of_one_item_the_newer_wins_on_both_sides(
    table: Table, write: Callable[[Table], None]
) -> None:
    table.paused = True
    write(table)
    table.paused = False
    table.replication.catch_up()
    assert table.replicas["east"] == table.replicas["west"] == {"k": "newer"}


def test_a_late_write_does_not_overwrite_what_was_written_just_after_it_went_on(table: Table) -> None:
    table.paused = True
    table.put("east", "k", "late")
    table.paused = False
    table.put("west", "k", "newer")  # before anybody has caught up
    assert table.replicas["east"] == table.replicas["west"] == {"k": "newer"}


def test_a_late_deletion_arrives_too(table: Table) -> None:
    table.put("east", "k", 1)
    table.paused = True
    table.put("east", "k", None)
    assert table.replicas["west"] == {"k": 1}
    table.paused = False
    table.replication.catch_up()
    assert table.replicas["west"] == {}


def test_what_has_arrived_is_forgotten(table: Table) -> None:
    for number in range(3):
        table.put("east", str(number), number)
    assert table.replication._newest == {}
