"""Linode's API v4, to the letter: paging, limits, retries, bodies, errors (FACTS.md section 5)."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests
import responses
from responses import matchers

from region_failover.adapters.linode import Linode
from region_failover.adapters.linode_http import ATTEMPTS, PAGE_SIZE
from region_failover.adapters.rate_limit import LONGEST_WINDOW_S
from region_failover.domain.errors import ConfigurationError, RemoteFailure
from region_failover.domain.linode import LinodeRecordState
from region_failover.domain.symptom import Blame, Kind, Symptom, blame
from region_failover.ports import LinodeDns
from tests.cloud import TOKEN
from tests.fakes import NOON, FakeClock, FakeLinode

BASE = "https://api.linode.com/v4"
RECORDS = f"{BASE}/domains/7/records"
APP = {
    "id": 1,
    "name": "app",
    "type": "A",
    "target": "203.0.113.10",
    "ttl_sec": 30,
    "priority": 0,
    "tag": None,
}
WITHIN = timedelta(seconds=30)
STATE = LinodeRecordState(1, "app", "A", "203.0.113.10", 30)


class FakeToken:
    """The token, rotated each time it is forgotten."""

    def __init__(self) -> None:
        self.forgotten = 0

    def read(self) -> str:
        return TOKEN + "-rotated" * self.forgotten

    def forget(self, refused: str) -> None:
        if refused == self.read():
            self.forgotten += 1


@pytest.fixture
def api() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def linode(clock: FakeClock) -> Linode:
    return Linode(BASE + "/", FakeToken(), clock)


def page(items: list[dict[str, Any]], number: int = 1, pages: int = 1) -> dict[str, Any]:
    return {"data": items, "page": number, "pages": pages, "results": len(items)}


def waited(clock: FakeClock) -> float:
    return (clock.now() - NOON).total_seconds()


# the same for the fake and the real one


@pytest.fixture(params=["fake", "responses"])
def dns(request: pytest.FixtureRequest, clock: FakeClock) -> Iterator[LinodeDns]:
    records = [
        APP,
        {**APP, "id": 2, "type": "AAAA"},
        {**APP, "id": 3, "name": ""},
        {**APP, "id": 4, "name": "application"},
    ]
    if request.param == "fake":
        fake = FakeLinode()
        keys = ("id", "name", "type", "target", "ttl_sec")
        fake.records[7] = [LinodeRecordState(*(record[key] for key in keys)) for record in records]
        yield fake
        return
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.get(RECORDS, json=page(records))
        mock.get(f"{BASE}/domains/7", json={"id": 7, "domain": "Legacy.example"})

        def put(sent: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
            body = json.loads(str(sent.body.decode() if isinstance(sent.body, bytes) else sent.body))
            return 200, {}, json.dumps({**APP, **body})

        mock.add_callback("PUT", f"{RECORDS}/1", callback=put)
        mock.put(f"{RECORDS}/99", status=404, json={"errors": [{"reason": "Not found"}]})
        yield Linode(BASE, FakeToken(), clock)


def test_every_record_of_a_domain_is_listed(dns: LinodeDns) -> None:
    found = dns.records_in(7, WITHIN)
    assert found[0] == STATE
    assert [(record.id, record.name, record.type) for record in found] == [
        (1, "app", "A"),
        (2, "app", "AAAA"),
        (3, "", "A"),
        (4, "application", "A"),
    ]


def test_a_domains_name_is_known_by_its_id(dns: LinodeDns) -> None:
    assert dns.domain_name(7, WITHIN) == "legacy.example"


def test_a_ttl_that_is_not_given_is_kept(dns: LinodeDns) -> None:
    after = dns.point(7, 1, "198.51.100.50", None, WITHIN)
    assert (after.target, after.ttl_sec) == ("198.51.100.50", 30)


def test_a_record_is_returned_as_it_is_afterwards(dns: LinodeDns) -> None:
    after = dns.point(7, 1, "198.51.100.50", 30, WITHIN)
    assert (after.id, after.target, after.ttl_sec) == (1, "198.51.100.50", 30)


def test_a_record_that_is_gone_is_a_remote_failure(dns: LinodeDns) -> None:
    with pytest.raises(RemoteFailure) as caught:
        dns.point(7, 99, "198.51.100.50", 30, WITHIN)
    assert (caught.value.symptom.kind, caught.value.symptom.status) == (Kind.HTTP, 404)


# the real one alone


def test_all_pages_are_read(api: responses.RequestsMock, linode: Linode) -> None:
    for number in (1, 2, 3):
        query = {"page": str(number), "page_size": str(PAGE_SIZE)}
        api.get(
            RECORDS,
            match=[matchers.query_param_matcher(query)],
            json=page([{**APP, "id": number}], number, pages=3),
        )
    assert [record.id for record in linode.records_in(7, WITHIN)] == [1, 2, 3]
    assert 25 <= PAGE_SIZE <= 500


def test_the_body_of_a_put_is_target_and_ttl_and_nothing_else(
    api: responses.RequestsMock, linode: Linode
) -> None:
    body = {"target": "198.51.100.50", "ttl_sec": 30}
    api.put(f"{RECORDS}/1", match=[matchers.json_params_matcher(body)], json={**APP, **body})
    linode.point(7, 1, "198.51.100.50", 30, WITHIN)
    assert json.loads(api.calls[0].request.body or "") == body


def test_the_token_goes_out_as_a_bearer(api: responses.RequestsMock, linode: Linode) -> None:
    api.get(RECORDS, json=page([]))
    linode.records_in(7, WITHIN)
    assert api.calls[0].request.headers["Authorization"] == f"Bearer {TOKEN}"


def test_a_rate_limit_is_waited_out_as_long_as_linode_asks(
    api: responses.RequestsMock, linode: Linode, clock: FakeClock
) -> None:
    api.get(
        RECORDS, status=429, headers={"Retry-After": "7"}, json={"errors": [{"reason": "Too many requests"}]}
    )
    api.get(RECORDS, json=page([APP]))
    assert linode.records_in(7, WITHIN) == (STATE,)
    assert waited(clock) == 7


@pytest.mark.parametrize("asked", ["soon", "", "0"])
def test_a_limit_without_a_time_is_waited_out_for_a_while(
    api: responses.RequestsMock, linode: Linode, clock: FakeClock, asked: str
) -> None:
    api.get(RECORDS, status=429, headers={"Retry-After": asked}, json={"errors": []})
    api.get(RECORDS, json=page([]))
    linode.records_in(7, WITHIN)
    assert 0 < waited(clock) < 3


def test_a_wait_that_does_not_fit_is_said_at_once_and_nobody_asks_sooner(
    api: responses.RequestsMock, linode: Linode, clock: FakeClock
) -> None:
    api.get(RECORDS, status=429, headers={"Retry-After": "45"}, json={"errors": []})
    symptom = failure(lambda: linode.records_in(7, WITHIN))
    assert (symptom.status, symptom.detail) == (429, "Linode takes no more requests for 45 s")
    assert waited(clock) == 0
    clock.advance(44)
    failure(lambda: linode.records_in(7, timedelta(seconds=1)))
    assert len(api.calls) == 1
    clock.advance(1)
    api.get(RECORDS, json=page([APP]))
    assert linode.records_in(7, WITHIN) == (STATE,)


def test_a_limit_of_collections_is_none_of_writes(api: responses.RequestsMock, linode: Linode) -> None:
    api.get(RECORDS, status=429, headers={"Retry-After": "45"}, json={"errors": []})
    api.put(f"{RECORDS}/1", json=APP)
    failure(lambda: linode.records_in(7, WITHIN))
    linode.point(7, 1, "203.0.113.10", 30, WITHIN)


def test_what_is_left_is_given_out_and_no_more(
    api: responses.RequestsMock, linode: Linode, clock: FakeClock
) -> None:
    reset = str(int(clock.now().timestamp()) + 9)
    for left in ("1", "0", "799"):
        headers = {"X-RateLimit-Remaining": left, "X-RateLimit-Reset": reset}
        api.put(f"{RECORDS}/1", json=APP, headers=headers)
    for expected in (0, 0, 9):
        linode.point(7, 1, "203.0.113.10", 30, WITHIN)
        assert waited(clock) == expected
    assert len(api.calls) == 3  # and none was refused


def test_a_reset_far_ahead_is_a_clock_that_differs(
    api: responses.RequestsMock, linode: Linode, clock: FakeClock
) -> None:
    far = str(int(clock.now().timestamp()) + 7200)
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": far}
    api.put(f"{RECORDS}/1", json=APP, headers=headers)
    linode.point(7, 1, "203.0.113.10", 30, WITHIN)
    linode.point(7, 1, "203.0.113.10", 30, timedelta(seconds=200))
    assert waited(clock) == LONGEST_WINDOW_S


def test_no_call_outlasts_its_time_whatever_fails(
    api: responses.RequestsMock, linode: Linode, clock: FakeClock
) -> None:
    api.get(RECORDS, status=503, json={"errors": []})
    failure(lambda: linode.records_in(7, timedelta(seconds=2)))
    assert waited(clock) <= 2
    assert failure(lambda: linode.records_in(7, timedelta(0))).kind is Kind.TIMEOUT


def test_a_reboot_is_sent_once_whatever_becomes_of_it(api: responses.RequestsMock, linode: Linode) -> None:
    api.post(f"{BASE}/linode/instances/5/reboot", status=503, json={"errors": []})
    assert failure(lambda: linode.reboot(5, WITHIN)).status == 503
    assert len(api.calls) == 1


def test_a_reboot_is_looked_for_among_the_instances_own_events(
    api: responses.RequestsMock, linode: Linode
) -> None:
    api.get(f"{BASE}/account/events", json=page([{"id": 1}]))
    assert linode.rebooted_since(5, NOON, WITHIN)
    api.get(f"{BASE}/account/events", json=page([]))
    assert not linode.rebooted_since(5, NOON, WITHIN)
    assert json.loads(api.calls[0].request.headers["X-Filter"]) == {
        "action": "linode_reboot",
        "entity.id": 5,
        "entity.type": "linode",
        "created": {"+gte": "2025-10-20T12:00:00"},
    }


@pytest.mark.parametrize("status", [408, 502, 503, 504])
def test_an_error_that_passes_is_tried_again(
    api: responses.RequestsMock, linode: Linode, clock: FakeClock, status: int
) -> None:
    api.get(RECORDS, status=status, body="<html>busy</html>")
    api.get(RECORDS, json=page([APP]))
    assert linode.records_in(7, WITHIN) == (STATE,)
    assert waited(clock) > 0


def test_an_error_that_stays_is_given_up(api: responses.RequestsMock, linode: Linode) -> None:
    api.get(RECORDS, status=503, json={"errors": [{"reason": "Service unavailable"}]})
    symptom = failure(lambda: linode.records_in(7, WITHIN))
    assert (symptom.kind, symptom.status, blame(symptom)) == (Kind.HTTP, 503, Blame.THEIRS)
    assert len(api.calls) == ATTEMPTS


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
def test_an_error_that_does_not_pass_is_not_tried_again(
    api: responses.RequestsMock, linode: Linode, status: int
) -> None:
    errors = [{"field": "target", "reason": "Invalid"}, {"reason": "No"}]
    api.get(RECORDS, status=status, json={"errors": errors})
    symptom = failure(lambda: linode.records_in(7, WITHIN))
    assert (symptom.kind, symptom.status) == (Kind.HTTP, status)
    assert symptom.detail == "Linode: target Invalid; No"
    assert len(api.calls) == (2 if status == 401 else 1)  # 401: once more, with the token read anew


def test_a_rotated_token_is_read_anew_after_a_401(api: responses.RequestsMock, linode: Linode) -> None:
    api.get(RECORDS, status=401, json={"errors": [{"reason": "Invalid Token"}]})
    api.get(RECORDS, json=page([APP]))
    assert linode.records_in(7, WITHIN) == (STATE,)
    sent = [call.request.headers["Authorization"] for call in api.calls]
    assert sent == [f"Bearer {TOKEN}", f"Bearer {TOKEN}-rotated"]


def test_an_invalid_token_is_our_own_fault_and_is_not_shown(
    api: responses.RequestsMock, linode: Linode
) -> None:
    api.get(RECORDS, status=401, json={"errors": [{"reason": "Invalid Token"}]})
    symptom = failure(lambda: linode.records_in(7, WITHIN))
    assert blame(symptom) is Blame.OURS
    assert TOKEN not in str(symptom)


def test_a_success_with_warnings_is_a_success(api: responses.RequestsMock, linode: Linode) -> None:
    api.put(f"{RECORDS}/1", status=202, json={**APP, "warnings": [{"title": "x"}]})
    assert linode.point(7, 1, "203.0.113.10", 30, WITHIN) == STATE


@pytest.mark.parametrize(
    "body", ["", "<html>", "{", "[]", "null", "7", '{"data": 5}', '{"data": [{}], "pages": 1}']
)
def test_a_malformed_body_is_a_remote_failure(api: responses.RequestsMock, linode: Linode, body: str) -> None:
    api.get(RECORDS, body=body)
    failure(lambda: linode.records_in(7, WITHIN))


@pytest.mark.parametrize("body", ["[]", '{"errors": null}', '{"errors": ["text"]}', '"text"'])
def test_a_malformed_error_is_a_remote_failure(
    api: responses.RequestsMock, linode: Linode, body: str
) -> None:
    api.get(RECORDS, status=400, body=body)
    failure(lambda: linode.records_in(7, WITHIN))


def test_a_redirect_is_not_followed_with_the_token(api: responses.RequestsMock, linode: Linode) -> None:
    api.get(RECORDS, status=302, headers={"Location": "https://evil.example/"}, json={})
    assert failure(lambda: linode.records_in(7, WITHIN)).status == 302
    assert len(api.calls) == 1


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (requests.ConnectTimeout("slow"), Kind.TIMEOUT),
        (requests.ReadTimeout("slow"), Kind.TIMEOUT),
        (requests.exceptions.SSLError("certificate"), Kind.TLS),
        (requests.ConnectionError("refused"), Kind.REFUSED),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_transport_error_is_tried_again_and_then_named(
    api: responses.RequestsMock, linode: Linode, clock: FakeClock, error: Exception, kind: Kind
) -> None:
    api.get(RECORDS, body=error)
    symptom = failure(lambda: linode.records_in(7, WITHIN))
    assert symptom.kind is kind
    assert len(api.calls) == ATTEMPTS
    assert waited(clock) > 0
    assert TOKEN not in str(symptom)


@pytest.mark.parametrize("spoiled", [TOKEN + "\n", TOKEN + "\u20ac"], ids=["line break", "no latin letter"])
def test_a_token_that_no_header_takes_is_not_shown_by_the_error(clock: FakeClock, spoiled: str) -> None:
    class Spoiled(FakeToken):
        def read(self) -> str:
            return spoiled

    with pytest.raises(RemoteFailure) as caught:
        Linode(BASE, Spoiled(), clock).point(7, 1, "203.0.113.10", 30, timedelta(seconds=1))
    told = "".join(traceback.format_exception(caught.value))
    assert TOKEN not in str(caught.value) + repr(caught.value.symptom)
    assert TOKEN not in told.split("The above exception", 1)[-1].split("RemoteFailure", 1)[-1]


def test_a_token_that_cannot_be_had_is_said_and_not_retried(clock: FakeClock) -> None:
    class NoToken(FakeToken):
        def read(self) -> str:
            raise ConfigurationError("LINODE_TOKEN_SECRET_ARN is empty")

    with pytest.raises(ConfigurationError):
        Linode(BASE, NoToken(), clock).records_in(7, WITHIN)
    assert waited(clock) == 0


def failure(call: Callable[[], object]) -> Symptom:
    with pytest.raises(RemoteFailure) as caught:
        call()
    return caught.value.symptom
