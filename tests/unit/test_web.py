"""What comes in by the function's URL: read, opened by a token, believed by a signature."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from region_failover.domain.errors import MalformedEvent
from region_failover.domain.verdict import Health
from region_failover.domain.web import (
    HEADERS,
    LONGEST_BODY,
    SIGNED_WITHIN,
    Report,
    Request,
    Response,
    answer_marker,
    is_request,
    is_token,
    read_monitors_report,
    read_request,
    sign,
    signed_at,
    token_of,
    why_not_signed,
    with_links,
    write_response,
)
from tests.fakes import NOON

S = timedelta(seconds=1)
KEY = "k" * 48
URL = "https://abc.lambda-url.us-west-2.on.aws/"


def url_event(
    method: str = "GET", path: str = "/proposal", query: str = "", body: str | None = None, **more: Any
) -> dict[str, Any]:
    """The event of a function URL, as in AWS's developer guide."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"X-Forwarded-Proto": "https", "Host": "abc.lambda-url.us-west-2.on.aws"},
        "requestContext": {
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7"},
            "requestId": "id",
            "timeEpoch": 1,
        },
        "body": body,
        "isBase64Encoded": False,
        **more,
    }


# requests and answers


def test_a_request_is_read_from_the_urls_event() -> None:
    found = read_request(url_event(query="plan=orders&token=a%2Bb&plan=other"))
    assert (found.method, found.path) == ("GET", "/proposal")
    assert found.query == {"plan": "orders", "token": "a+b"}
    assert found.headers["x-forwarded-proto"] == "https"
    assert (found.body, found.form) == (b"", {})


def test_a_form_is_read_plain_or_in_base64() -> None:
    text = "answer=approve&by=Mia+M."
    plain = read_request(url_event("POST", body=text))
    packed = base64.b64encode(text.encode()).decode()
    coded = read_request(url_event("POST", body=packed, isBase64Encoded=True))
    assert plain.form == coded.form == {"answer": "approve", "by": "Mia M."}


def test_a_body_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(MalformedEvent, match="no base64"):
        read_request(url_event("POST", body="%%%", isBase64Encoded=True))
    with pytest.raises(MalformedEvent, match="at most 16384"):
        read_request(url_event("POST", body="x" * (LONGEST_BODY + 1)))
    assert read_request(url_event("POST", body="x" * LONGEST_BODY)).body


def test_a_form_that_is_none_is_empty() -> None:
    assert Request("POST", "/", body=b"\xff").form == {}
    assert Request("POST", "/", body=b"&".join(b"a=1" for _ in range(30))).form == {}


@pytest.mark.parametrize(
    ("event", "found"),
    [
        (url_event(), True),
        ({"action": "status", "plan": "*", "by": "mia"}, False),
        ({"requestContext": "x"}, False),
        ({"requestContext": {}}, False),
        ([], False),
        (None, False),
    ],
)
def test_a_request_is_told_from_an_invocation(event: Any, found: bool) -> None:
    assert is_request(event) is found


def test_an_answer_is_kept_by_nobody_framed_by_nobody_and_loads_nothing() -> None:
    made = write_response(Response(HTTPStatus.GONE, "<p>"))
    assert (made["statusCode"], made["body"]) == (410, "<p>")
    assert made["headers"]["Content-Type"] == "text/html; charset=utf-8"
    assert made["headers"]["Cache-Control"] == "no-store"
    assert "default-src 'none'" in HEADERS["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in HEADERS["Content-Security-Policy"]
    assert HEADERS["Referrer-Policy"] == "no-referrer"


# tokens


def test_a_token_opens_its_own_proposal_only() -> None:
    token = token_of(KEY, "orders", "3f6c0d2a9b1e4c57")
    assert is_token(KEY, "orders", "3f6c0d2a9b1e4c57", token)
    assert not is_token(KEY, "orders", "3f6c0d2a9b1e4c58", token)
    assert not is_token(KEY, "payments", "3f6c0d2a9b1e4c57", token)
    assert not is_token("another", "orders", "3f6c0d2a9b1e4c57", token)
    assert not is_token(KEY, "orders", "3f6c0d2a9b1e4c57", "")
    assert len(token) == 43


@given(st.text(), st.text(), st.text())
def test_no_other_text_is_the_token(plan: str, proposal: str, guess: str) -> None:
    assert is_token(KEY, plan, proposal, guess) is (guess == token_of(KEY, plan, proposal))


def test_a_notice_gets_its_link_when_it_is_sent() -> None:
    text = f"To approve: x\nOn a page:   {answer_marker('orders', '3f6c')}\nUnanswered it expires.\n"
    found = with_links(text, URL, KEY)
    assert answer_marker("orders", "3f6c") not in found
    assert f"{URL}proposal?plan=orders&proposal=3f6c&token={token_of(KEY, 'orders', '3f6c')}\n" in found


@pytest.mark.parametrize(("url", "key"), [("", KEY), (URL, ""), ("", "")])
def test_without_a_page_its_line_is_left_out(url: str, key: str) -> None:
    text = f"To approve: x\nOn a page:   {answer_marker('orders', '3f6c')}\nUnanswered it expires.\n"
    assert with_links(text, url, key) == "To approve: x\nUnanswered it expires.\n"


def test_other_notices_stay_as_they_are() -> None:
    assert with_links("us-east-1 {is} down\n", URL, KEY) == "us-east-1 {is} down\n"


# signatures

BODY = b'{"plan": "orders"}'


def test_a_signed_report_is_believed_for_some_minutes() -> None:
    header = sign("secret", BODY, NOON)
    for now in (NOON, NOON + SIGNED_WITHIN, NOON - SIGNED_WITHIN):
        assert why_not_signed("secret", header, BODY, now) == ""
    assert "last 5 minutes" in why_not_signed("secret", header, BODY, NOON + SIGNED_WITHIN + S)
    assert "last 5 minutes" in why_not_signed("secret", header, BODY, NOON - SIGNED_WITHIN - S)


@pytest.mark.parametrize(
    ("secret", "header", "body", "words"),
    [
        ("other", sign("secret", BODY, NOON), BODY, "not of this body by this monitor"),
        ("secret", sign("secret", BODY, NOON), BODY + b" ", "not of this body by this monitor"),
        ("secret", sign("secret", BODY, NOON).replace("t=17", "t=18"), BODY, "not of this body"),
        ("secret", "", BODY, "was expected"),
        ("secret", "t=1,v1=x", BODY, "was expected"),
        ("secret", sign("secret", BODY, NOON) + "\n", BODY, "was expected"),
    ],
)
def test_what_is_not_signed_is_refused(secret: str, header: str, body: bytes, words: str) -> None:
    assert words in why_not_signed(secret, header, body, NOON)


@pytest.mark.parametrize(
    ("signed", "expected"),
    [
        (NOON, NOON),
        (NOON - SIGNED_WITHIN, NOON - SIGNED_WITHIN),
        (NOON + S, NOON),
        (NOON + SIGNED_WITHIN, NOON),
    ],
)
def test_a_report_is_of_when_it_was_signed_and_never_of_the_future(
    signed: datetime, expected: datetime
) -> None:
    assert signed_at(sign("secret", BODY, signed), NOON) == expected


def test_a_time_that_no_calendar_has_is_refused() -> None:
    import hashlib
    import hmac

    mac = hmac.new(b"secret", b"999999999999." + BODY, hashlib.sha256).hexdigest()
    assert why_not_signed("secret", f"t=999999999999,v1={mac}", BODY, NOON)


# a monitor's report


def test_a_monitors_report_is_read() -> None:
    body = json.dumps({"plan": "orders", "region": "us-east-1", "health": "unhealthy", "why": "503" * 200})
    found = read_monitors_report(body.encode())
    assert found == Report("orders", "us-east-1", Health.UNHEALTHY, ("503" * 200)[:300])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[]", "a JSON object"),
        (b'{"plan": "orders", "region": "x", "health": "unhealthy", "who": "me"}', "unknown keys"),
        (b'{"region": "x", "health": "unhealthy"}', "'plan' and 'region'"),
        (b'{"plan": "orders", "region": 5, "health": "unhealthy"}', "'plan' and 'region'"),
        (b'{"plan": "orders", "region": "x", "health": "down"}', "allowed are"),
        (b'{"plan": "orders", "region": "x", "health": []}', "allowed are"),
    ],
)
def test_a_report_that_is_none_is_refused_with_what_is_allowed(body: bytes, words: str) -> None:
    with pytest.raises(MalformedEvent, match=words):
        read_monitors_report(body)
