"""A zone is read in few calls, and nothing wanted is missed: whatever its order, whatever is not there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from region_failover.adapters.zone_listing import read_sets
from region_failover.domain.zone_pages import LEAST, MOST, Key, in_order, page_size, place, settled

Order = Callable[[Key], Any]


def by_labels(key: Key) -> Any:
    """As the emulators sort: label by label, so that 'a.b' stands before 'a-c'. Not as Route 53 does."""
    return tuple(reversed(key[0].split("."))), key[1]


class Listing:
    """A hosted zone that answers ListResourceRecordSets, in an order of its own."""

    def __init__(self, sets: list[tuple[str, str, str]], order: Order = place, most: int = MOST) -> None:
        self._sets = sorted(sets, key=lambda found: (order(found[:2]), found[2]))
        self._order = order
        self._most = most
        self.calls: list[int] = []

    def list_resource_record_sets(
        self, *, HostedZoneId: str, StartRecordName: str, StartRecordType: str, MaxItems: str
    ) -> dict[str, Any]:
        start = self._order((StartRecordName, StartRecordType))
        rest = [found for found in self._sets if self._order(found[:2]) >= start]
        size = min(int(MaxItems), self._most)
        page, more = rest[:size], rest[size:]
        self.calls.append(len(page))
        return {
            "ResourceRecordSets": [
                {"Name": f"{name}.".replace("*", "\\052"), "Type": kind, "SetIdentifier": which}
                for name, kind, which in page
            ],
            "IsTruncated": bool(more),
            **({"NextRecordName": f"{more[0][0]}.", "NextRecordType": more[0][1]} if more else {}),
        }


def read(zone: Listing, wanted: list[Key]) -> dict[Key, list[str]]:
    found = read_sets(zone, "Z1", wanted)
    return {key: [record["SetIdentifier"] for record in sets] for key, sets in found.items()}


def names(count: int, of: str = "r") -> list[str]:
    return [f"{of}{number:05d}.example.com" for number in range(count)]


def test_a_plan_of_one_record_is_read_in_one_call_with_its_fence() -> None:
    zone = Listing([("api.example.com", "A", ""), ("_region-failover.api.example.com", "TXT", "")])
    wanted = [("api.example.com", "A"), ("_region-failover.api.example.com", "TXT")]
    assert read(zone, wanted).keys() == set(wanted)
    assert len(zone.calls) == 1


def test_a_whole_zone_is_read_in_pages() -> None:
    zone = Listing([(name, "A", "") for name in names(1000)])
    assert len(read(zone, [(name, "A") for name in names(1000)])) == 1000
    assert len(zone.calls) == 4


def test_few_records_of_a_large_zone_do_not_read_all_of_it() -> None:
    zone = Listing([(name, "A", "") for name in names(10_000)])
    wanted = [(name, "A") for name in names(10_000)[::2000]]
    assert len(read(zone, wanted)) == 5
    assert len(zone.calls) == 5
    assert sum(zone.calls) <= 5 * page_size(5)


def test_many_records_far_apart_cost_little_more_than_themselves() -> None:
    zone = Listing([(name, "A", "") for name in names(10_000)])
    wanted = [(name, "A") for name in names(10_000)[::100]]
    assert len(read(zone, wanted)) == 100
    assert len(zone.calls) <= 100
    assert sum(zone.calls) <= MOST + 100 * ROOM_OF_ONE


ROOM_OF_ONE = page_size(1)


def test_an_emptied_zone_is_seen_to_be_empty_in_one_call() -> None:
    zone = Listing([("example.com", "NS", ""), ("example.com", "SOA", "")])
    assert read(zone, [(name, "A") for name in names(500)]) == {}
    assert len(zone.calls) == 1


def test_what_is_not_there_is_asked_for_by_itself_where_the_order_is_another() -> None:
    there = [("z.a.example.com", "A", ""), ("a-b.example.com", "A", "")]
    zone = Listing(there, by_labels)
    wanted: list[Key] = [("a-b.example.com", "A"), ("a-a.example.com", "A"), ("z.a.example.com", "A")]
    assert read(zone, wanted).keys() == {wanted[0], wanted[2]}
    assert len(zone.calls) > 1


def test_a_group_that_a_page_cuts_off_is_read_again_whole() -> None:
    before = [(name, "A", "") for name in names(LEAST - 1, "a")]
    zone = Listing([*before, *(("b.example.com", "A", f"set{n}") for n in range(20))])
    wanted = [("a00000.example.com", "A"), ("b.example.com", "A")]
    assert read(zone, wanted)["b.example.com", "A"] == sorted(f"set{n}" for n in range(20))


def test_of_more_sets_than_a_page_holds_one_page_is_enough() -> None:
    zone = Listing([("b.example.com", "A", f"set{n:04d}") for n in range(1000)])
    assert len(read(zone, [("b.example.com", "A")])["b.example.com", "A"]) == MOST


def test_a_wildcard_is_found_by_its_own_name_and_never_inferred_to_be_missing() -> None:
    zone = Listing([("*.example.com", "A", ""), ("a.example.com", "A", "")])
    assert read(zone, [("*.example.com", "A")]) == {("*.example.com", "A"): [""]}
    absent = ("*.x.example.com", "A")
    assert absent not in settled(in_order([("a.example.com", "A"), absent]), [], None)


def test_what_a_page_shows_last_and_the_next_begins_with_is_not_complete() -> None:
    a, b = ("a.example.com", "A"), ("b.example.com", "A")
    assert settled([a, b], [a, b], b) == {a}
    assert settled([a, b], [a, b], ("b.example.com", "AAAA")) == {a, b}


labels = st.text("ab-_", min_size=1, max_size=2)
keys = st.tuples(
    st.lists(labels, min_size=1, max_size=2).map(lambda found: ".".join([*found, "example", "com"])),
    st.sampled_from(["A", "TXT"]),
)


@settings(max_examples=300, deadline=None)
@given(
    st.sets(keys, max_size=25),
    st.sets(keys, min_size=1, max_size=12),
    st.integers(1, 9),
    st.sampled_from([place, by_labels]),
    st.data(),
)
def test_whatever_is_there_is_found_and_nothing_else(
    there: set[Key], wanted: set[Key], most: int, order: Order, data: st.DataObject
) -> None:
    copies = {key: data.draw(st.integers(1, most)) for key in sorted(there)}
    zone = Listing([(*key, str(n)) for key, count in copies.items() for n in range(count)], order, most)
    found = read(zone, sorted(wanted))
    assert found == {key: [str(n) for n in range(copies[key])] for key in there & wanted}
    assert len(zone.calls) <= 2 * len(wanted)


@pytest.mark.parametrize(("useful", "size"), [(0, LEAST), (1, 8), (5, 40), (1000, MOST)])
def test_a_page_is_as_large_as_what_the_last_one_had_of_use(useful: int, size: int) -> None:
    assert page_size(useful) == size
