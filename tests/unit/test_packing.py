"""A long text of a record is packed and read back; a short one stays readable."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from region_failover.domain.codec import dump, load_state
from region_failover.domain.packing import LONGEST, PACKED_FROM, packed, unpacked
from region_failover.domain.state import PlanState
from tests.fakes import EAST


@given(st.text(max_size=200), st.integers(1, 200))
def test_whatever_is_packed_reads_back(text: str, times: int) -> None:
    assert unpacked(packed(text * times)) == text * times


def test_a_short_text_stays_as_it_is() -> None:
    assert packed("x" * (PACKED_FROM - 1)) == "x" * (PACKED_FROM - 1)


def test_a_long_one_is_far_shorter_and_needs_no_escapes_in_json() -> None:
    records = [{"name": f"r{n:04d}.example.com", "values": [f"192.0.2.{n % 256}"]} for n in range(500)]
    found = packed(json.dumps(records))
    assert len(json.dumps(found)) == len(found) + 2 < len(json.dumps(records)) / 5


def test_a_text_that_looks_packed_is_packed_itself() -> None:
    assert unpacked(packed("zlib:no")) == "zlib:no"


def test_what_no_record_can_have_held_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than"):
        unpacked(packed("x" * (LONGEST + 1)))


def test_what_the_last_move_changed_is_packed_too() -> None:
    state = PlanState("orders", 1, 1, EAST, was={"Z1": "long " * PACKED_FROM, "Z2": "short"})
    text = dump(state)
    assert len(text) < PACKED_FROM
    assert json.loads(text)["was"]["Z2"] == "short"
    assert load_state(text) == state


def test_a_record_of_before_there_was_packing_reads_back() -> None:
    state = PlanState("orders", 1, 1, EAST, was={"Z1": "long " * PACKED_FROM})
    old = json.loads(dump(state))
    old["was"] = dict(state.was)
    assert load_state(json.dumps(old)) == state
