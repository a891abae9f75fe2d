"""What an endpoint's answer must say, beside its status."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from region_failover.domain.body import ANY, Body, wrong_with

STATUS = Body(path=("status",), value="ok")
DEEP = Body(path=("checks", "database"), value=True)


@pytest.mark.parametrize(
    ("body", "expected", "wrong"),
    [
        (b"", ANY, ""),
        (b"\xff\xfe", ANY, ""),
        (b"all systems go", Body("systems"), ""),
        (b"<h1>hotel</h1>", Body("systems"), "'systems' was expected in '<h1>hotel</h1>'"),
        (b"", Body("systems"), "'systems' was expected in ''"),
        (b"\xff systems", Body("systems"), ""),
        ("grün".encode("latin-1"), Body("grün"), "'grün' was expected in 'gr\ufffdn'"),
        (b'{"status": "ok"}', STATUS, ""),
        (b'{"status": "OK"}', STATUS, "status is '\"OK\"', \"ok\" was expected"),
        (b'{"state": "ok"}', STATUS, "status is missing from '{\"state\": \"ok\"}'"),
        (b'["status"]', STATUS, "status is missing from '[\"status\"]'"),
        (b"ok", STATUS, "JSON was expected, not 'ok'"),
        (b'{"checks": {"database": true}}', DEEP, ""),
        (b'{"checks": {"database": 1}}', DEEP, "checks.database is '1', true was expected"),
        (b'{"checks": "database"}', DEEP, "checks.database is missing from '{\"checks\": \"database\"}'"),
        (b'{"n": 3}', Body(path=("n",), value=3), ""),
        (b'{"n": 3.0}', Body(path=("n",), value=3), "n is '3.0', 3 was expected"),
        (b'{"status": "ok"}', Body("all", ("status",), "ok"), "'all' was expected in '{\"status\": \"ok\"}'"),
    ],
)  # fmt: skip
def test_a_body_says_what_is_expected_or_what_is_wrong_with_it(
    body: bytes, expected: Body, wrong: str
) -> None:
    assert wrong_with(body, expected) == wrong


def test_a_long_page_is_shown_by_its_beginning_on_one_line() -> None:
    wrong = wrong_with(b"line\n" * 1000, Body("x"))
    assert len(wrong) < 120
    assert "\n" not in wrong
    assert wrong.endswith("line …'")


@given(st.binary(max_size=300), st.sampled_from([Body("ok"), STATUS, DEEP]))
def test_no_body_whatever_breaks_the_judgement(body: bytes, expected: Body) -> None:
    assert isinstance(wrong_with(body, expected), str)
