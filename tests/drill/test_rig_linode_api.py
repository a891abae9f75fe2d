"""The Linode stand-in: as strict as the real API."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from drill.faults import Fault, FaultKind, FaultTable
from drill.linode_api import Limits, LinodeApi

TOKEN = "a-token"
DOMAIN = 123456
RECORD_KEYS = {
    "id", "type", "name", "target", "priority", "weight", "port", "service", "protocol", "ttl_sec", "tag",
    "created", "updated",
}  # fmt: skip


@pytest.fixture
def faults() -> FaultTable:
    return FaultTable()


@pytest.fixture
def api(faults: FaultTable) -> Iterator[LinodeApi]:
    api = LinodeApi(TOKEN, faults, propagation_s=0.2)
    api.add_domain(DOMAIN, "example.com")
    api.start()
    yield api
    api.stop()


def call(api: LinodeApi, method: str, path: str, token: str = TOKEN, **more: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}", **more.pop("headers", {})}
    return requests.request(method, api.base_url + path, headers=headers, timeout=1, **more)


def records_path(record_id: int | None = None) -> str:
    return f"/domains/{DOMAIN}/records" + (f"/{record_id}" if record_id else "")


def put(api: LinodeApi, record_id: int, **changes: Any) -> requests.Response:
    return call(api, "PUT", records_path(record_id), json=changes)


def add_app(api: LinodeApi) -> int:
    return api.add_record(DOMAIN, type="A", name="app", target="203.0.113.10", ttl_sec=30)


def test_a_wrong_token_is_401(api: LinodeApi) -> None:
    reply = call(api, "GET", "/domains", token="another")
    assert (reply.status_code, reply.json()) == (401, {"errors": [{"reason": "Invalid Token"}]})


def test_a_record_lives_from_post_to_delete(api: LinodeApi) -> None:
    wanted = {"type": "A", "name": "app", "target": "203.0.113.10", "ttl_sec": 30}
    made = call(api, "POST", records_path(), json=wanted)
    assert made.status_code == 200
    assert set(made.json()) == RECORD_KEYS
    one = records_path(made.json()["id"])
    assert call(api, "GET", one).json() == made.json()
    assert call(api, "PUT", one, json={"target": "198.51.100.50"}).json()["target"] == "198.51.100.50"
    assert call(api, "GET", one).json()["ttl_sec"] == 30
    assert call(api, "DELETE", one).json() == {}
    assert call(api, "GET", one).status_code == 404


@pytest.mark.parametrize("key", ["type", "id", "ttl", "zone"])
def test_an_update_with_a_key_that_linode_does_not_know_is_refused(api: LinodeApi, key: str) -> None:
    record_id = add_app(api)
    reply = put(api, record_id, **{"target": "198.51.100.50", key: "A"})
    assert reply.status_code == 400
    assert reply.json()["errors"][0]["field"] == key
    assert api.records(DOMAIN)[0]["target"] == "203.0.113.10"


@pytest.mark.parametrize(
    ("asked", "given"),
    [(30, 30), (1, 30), (60, 30), (75, 120), (100, 120), (4000, 3600), (9_999_999, 2_419_200), (0, 0)],
)
def test_a_ttl_becomes_the_nearest_listed_one(api: LinodeApi, asked: int, given: int) -> None:
    assert put(api, add_app(api), ttl_sec=asked).json()["ttl_sec"] == given


@pytest.mark.parametrize(
    ("asked", "given"),
    [("www", "www"), ("www.example.com", "www"), ("WWW.Example.com.", "www"), ("example.com", ""), ("", "")],
)
def test_a_name_is_relative_in_replies_whatever_was_sent(api: LinodeApi, asked: str, given: str) -> None:
    assert put(api, add_app(api), name=asked).json()["name"] == given


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("target", "host.example.com"),
        ("target", "2001:db8::1"),
        ("target", ""),
        ("target", None),
        ("name", "no good"),
        ("ttl_sec", -1),
        ("ttl_sec", "30"),
        ("port", 70_000),
    ],
)
def test_a_bad_value_is_refused_with_its_field(api: LinodeApi, field: str, value: Any) -> None:
    reply = put(api, add_app(api), **{field: value})
    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (400, field)


def test_remote_addr_becomes_the_caller(api: LinodeApi) -> None:
    assert put(api, add_app(api), target="[remote_addr]").json()["target"] == "127.0.0.1"


def test_pages_hold_100_unless_told_and_no_fewer_than_25(api: LinodeApi) -> None:
    for number in range(120):
        api.add_record(DOMAIN, type="A", name=f"h{number}", target="192.0.2.1")
    first = call(api, "GET", records_path()).json()
    assert (len(first["data"]), first["page"], first["pages"], first["results"]) == (100, 1, 2, 120)
    last = call(api, "GET", records_path() + "?page=5&page_size=25").json()
    assert (len(last["data"]), last["pages"]) == (20, 5)
    for size in (24, 501):
        refused = call(api, "GET", records_path() + f"?page_size={size}")
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "page_size")


def test_x_filter_selects_by_equality_and_refuses_what_it_does_not_know(api: LinodeApi) -> None:
    record_id = add_app(api)
    api.add_record(DOMAIN, type="TXT", name="app", target="text")
    found = call(api, "GET", records_path(), headers={"X-Filter": '{"name": "app", "type": "A"}'})
    assert [record["id"] for record in found.json()["data"]] == [record_id]
    assert call(api, "GET", records_path(), headers={"X-Filter": '{"+or": []}'}).status_code == 400


def test_the_request_limit_is_429_with_retry_after(faults: FaultTable) -> None:
    api = LinodeApi(TOKEN, faults, limits=Limits(requests=3, window_s=30, collection_requests=2))
    api.add_domain(DOMAIN, "example.com")
    api.start()
    first = call(api, "GET", "/domains")
    assert (first.headers["X-RateLimit-Limit"], first.headers["X-RateLimit-Remaining"]) == ("2", "1")
    call(api, "GET", "/domains")
    over = call(api, "GET", "/domains")
    assert over.status_code == 429
    assert 1 <= int(over.headers["Retry-After"]) <= 60
    assert over.headers["X-RateLimit-Remaining"] == "0"
    assert int(over.headers["X-RateLimit-Reset"]) >= time.time()
    api.stop()


def test_the_limit_ends_with_its_window(faults: FaultTable) -> None:
    api = LinodeApi(TOKEN, faults, limits=Limits(requests=1, window_s=0.2))
    api.add_domain(DOMAIN, "example.com")
    api.start()
    statuses = [call(api, "GET", f"/domains/{DOMAIN}").status_code for _ in range(2)]
    time.sleep(0.25)
    statuses.append(call(api, "GET", f"/domains/{DOMAIN}").status_code)
    assert statuses == [200, 429, 200]
    api.stop()


def test_scripted_failures_have_no_effect_and_run_out(api: LinodeApi) -> None:
    record_id = add_app(api)
    api.fail_next(2, 503, retry_after=7)
    first, second, third = (put(api, record_id, target="198.51.100.50") for _ in range(3))
    assert [first.status_code, second.status_code, third.status_code] == [503, 503, 200]
    assert first.headers["Retry-After"] == "7"
    assert [entry.status for entry in api.requests] == [503, 503, 200]


def test_dns_sees_a_change_only_after_the_propagation(api: LinodeApi) -> None:
    record_id = add_app(api)
    assert api.published_records(DOMAIN)[0]["target"] == "203.0.113.10"
    put(api, record_id, target="198.51.100.50")
    assert api.records(DOMAIN)[0]["target"] == "198.51.100.50"
    assert api.published_records(DOMAIN)[0]["target"] == "203.0.113.10"
    time.sleep(0.25)
    assert api.published_records(DOMAIN)[0]["target"] == "198.51.100.50"


def test_the_zone_file_is_the_last_one_rendered(api: LinodeApi) -> None:
    record_id = add_app(api)
    put(api, record_id, target="198.51.100.50")
    zone = call(api, "GET", f"/domains/{DOMAIN}/zone-file").json()["zone_file"]
    assert any("203.0.113.10" in line for line in zone)


def test_a_lost_reply_had_its_effect(api: LinodeApi, faults: FaultTable) -> None:
    record_id = add_app(api)
    faults.add(Fault(FaultKind.DROP_REPLY, service="linode", operation="PUT /domains/*"))
    with pytest.raises(requests.ConnectionError):
        put(api, record_id, target="198.51.100.50")
    assert api.records(DOMAIN)[0]["target"] == "198.51.100.50"
    assert api.requests[-1].status == 0


@pytest.mark.parametrize(
    ("kind", "status"), [(FaultKind.ERROR, 500), (FaultKind.THROTTLE, 429), (FaultKind.DENY, 403)]
)
def test_a_fault_answers_in_linodes_words(
    api: LinodeApi, faults: FaultTable, kind: FaultKind, status: int
) -> None:
    faults.add(Fault(kind, region="linode"))
    reply = call(api, "GET", "/domains")
    assert reply.status_code == status
    assert reply.json()["errors"][0]["reason"]
    assert ("Retry-After" in reply.headers) == (status == 429)


def test_the_log_has_the_body_and_no_token(api: LinodeApi) -> None:
    record_id = add_app(api)
    put(api, record_id, ttl_sec=120)
    entry = api.requests[-1]
    assert (entry.method, entry.path, entry.json) == (
        "PUT",
        f"/v4{records_path(record_id)}",
        {"ttl_sec": 120},
    )
    assert TOKEN not in repr(api.requests)
