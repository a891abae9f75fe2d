"""A zone is read in few calls, and nothing wanted is missed: whatever its order, whatever is not there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from region_failover.adapters.zone_listing import read_names
from region_failover.domain.zone_pages import LEAST, MOST, in_order, page_size, place, settled

Order = Callable[[str], Any]
Set = tuple[str, str, str]  # name, type, set identifier


def by_labels(name: str) -> Any:
    """As the emulators sort: label by label, so that 'a.b' stands before 'a-c'. Not as Route 53 does."""
    return tuple(reversed(name.split(".")))


class Listing:
    """A hosted zone that answers ListResourceRecordSets, in an order of its own."""

    def __init__(self, sets: list[Set], order: Order = place, most: int = MOST) -> None:
        self._order = order
        self._sets = sorted(sets, key=self._key)
        self._most = most
        self.calls: list[int] = []

    def _key(self, found: Set) -> Any:
        return self._order(found[0]), found[1], found[2]

    def list_resource_record_sets(
        self,
        *,
        HostedZoneId: str,
        StartRecordName: str,
        MaxItems: str,
        StartRecordType: str = "",
        StartRecordIdentifier: str = "",
    ) -> dict[str, Any]:
        start = self._key((StartRecordName.rstrip("."), StartRecordType, StartRecordIdentifier))
        rest = [found for found in self._sets if self._key(found) >= start]
        size = min(int(MaxItems), self._most)
        page, more = rest[:size], rest[size:]
        self.calls.append(len(page))
        keys = ("NextRecordName", "NextRecordType", "NextRecordIdentifier")
        following = dict(zip(keys, (f"{more[0][0]}.", *more[0][1:]), strict=True)) if more else {}
        return {
            "ResourceRecordSets": [
                {"Name": f"{name}.".replace("*", "\\052"), "Type": kind, "SetIdentifier": which}
                for name, kind, which in page
            ],
            "IsTruncated": bool(more),
            **following,
        }


def read(zone: Listing, wanted: list[str]) -> dict[str, list[tuple[str, str]]]:
    found = read_names(zone, "Z1", wanted)
    return {name: [(r["Type"], r["SetIdentifier"]) for r in sets] for name, sets in found.items()}


def held(zone: Listing, wanted: list[str]) -> set[str]:
    return {name for name, sets in read(zone, wanted).items() if sets}


def names(count: int, of: str = "r") -> list[str]:
    return [f"{of}{number:05d}.example.com" for number in range(count)]


def simple(*found: str) -> list[Set]:
    return [(name, "A", "") for name in found]


def test_a_plan_of_one_record_is_read_in_one_call_with_its_fence() -> None:
    wanted = ["api.example.com", "_region-failover.api.example.com"]
    zone = Listing(simple(*wanted))
    assert held(zone, wanted) == set(wanted)
    assert len(zone.calls) == 1


def test_a_whole_zone_is_read_in_pages() -> None:
    zone = Listing(simple(*names(1000)))
    assert held(zone, names(1000)) == set(names(1000))
    assert len(zone.calls) == 4


def test_few_records_of_a_large_zone_do_not_read_all_of_it() -> None:
    zone = Listing(simple(*names(10_000)))
    wanted = names(10_000)[::2000]
    assert held(zone, wanted) == set(wanted)
    assert len(zone.calls) == 5
    assert sum(zone.calls) <= 5 * page_size(5)


def test_many_records_far_apart_cost_little_more_than_themselves() -> None:
    zone = Listing(simple(*names(10_000)))
    wanted = names(10_000)[::100]
    assert held(zone, wanted) == set(wanted)
    assert len(zone.calls) <= 100
    assert sum(zone.calls) <= MOST + 100 * page_size(1)


def test_an_emptied_zone_is_seen_to_be_empty_in_one_call() -> None:
    zone = Listing([("example.com", "NS", ""), ("example.com", "SOA", "")])
    assert read(zone, names(500)) == {name: [] for name in names(500)}
    assert len(zone.calls) == 1


def test_what_is_not_there_is_asked_for_by_itself_where_the_order_is_another() -> None:
    zone = Listing(simple("z.a.example.com", "a-b.example.com"), by_labels)
    wanted = ["a-b.example.com", "a-a.example.com", "z.a.example.com"]
    assert held(zone, wanted) == {"a-b.example.com", "z.a.example.com"}
    assert len(zone.calls) > 1


def test_a_name_that_a_page_cuts_off_is_read_again_whole() -> None:
    sets = [("b.example.com", "A", f"set{number:02d}") for number in range(20)]
    zone = Listing([*simple(*names(LEAST - 1, "a")), *sets])
    found = read(zone, ["a00000.example.com", "b.example.com"])
    assert found["b.example.com"] == [found[1:] for found in sets]


def test_a_name_with_more_sets_than_a_page_holds_is_read_to_its_end() -> None:
    sets = [("b.example.com", "A", f"set{number:04d}") for number in range(1000)]
    zone = Listing([*sets, *simple("c.example.com")])
    assert read(zone, ["b.example.com"])["b.example.com"] == [found[1:] for found in sets]


def test_a_wildcard_is_found_by_its_own_name_and_never_inferred_to_be_missing() -> None:
    assert held(Listing(simple("*.example.com", "a.example.com")), ["*.example.com"]) == {"*.example.com"}
    absent = "*.x.example.com"
    assert absent not in settled(in_order(["a.example.com", absent]), [], "")


def test_what_a_page_shows_last_and_the_next_begins_with_is_not_complete() -> None:
    a, b = "a.example.com", "b.example.com"
    assert settled([a, b], [a, b], b) == {a}
    assert settled([a, b], [a, b], "c.example.com") == {a, b}


labels = st.text("ab-_", min_size=1, max_size=2)
some_name = st.lists(labels, min_size=1, max_size=2).map(lambda found: ".".join([*found, "example", "com"]))


@settings(max_examples=200, deadline=None)
@given(
    st.sets(st.tuples(some_name, st.sampled_from(["A", "TXT"])), max_size=25),
    st.sets(some_name, min_size=1, max_size=12),
    st.integers(1, 9),
    st.sampled_from([place, by_labels]),
    st.data(),
)
def test_whatever_is_there_is_found_and_nothing_else(
    there: set[tuple[str, str]], wanted: set[str], most: int, order: Order, data: st.DataObject
) -> None:
    counts = {key: data.draw(st.integers(1, 5)) for key in sorted(there)}
    sets = [(*key, str(number)) for key, count in counts.items() for number in range(count)]
    found = read(Listing(sets, order, most), sorted(wanted))
    expected = {name: [each[1:] for each in sorted(sets) if each[0] == name] for name in wanted}
    assert found == expected


@pytest.mark.parametrize(("useful", "size"), [(0, LEAST), (1, 8), (5, 40), (1000, MOST)])
def test_a_page_is_as_large_as_what_the_last_one_had_of_use(useful: int, size: int) -> None:
    assert page_size(useful) == size
