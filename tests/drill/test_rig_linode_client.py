"""The Linode stand-in, asked by Linode's own client (`linode_api4`): what it takes for Linode's answers."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from linode_api4 import ApiError, LinodeClient
from linode_api4.objects import Domain, DomainRecord, Instance

from drill.linode_api import Limits, LinodeApi

TOKEN = "a-token-of-some-length"
DOMAIN = 123456


@pytest.fixture
def api() -> Iterator[LinodeApi]:
    api = LinodeApi(TOKEN)
    api.add_domain(DOMAIN, "example.com")
    api.start()
    yield api
    api.stop()


@pytest.fixture
def client(api: LinodeApi) -> LinodeClient:
    return LinodeClient(TOKEN, base_url=api.base_url, retry=False)


@pytest.fixture
def domain(client: LinodeClient) -> Any:
    return client.load(Domain, DOMAIN)


def test_domains_are_listed_and_loaded(client: LinodeClient, domain: Any) -> None:
    assert [(d.id, d.domain, d.type, d.status) for d in client.domains()] == [
        (DOMAIN, "example.com", "master", "active")
    ]
    assert domain.domain == "example.com"


def test_a_record_is_made_changed_and_deleted(api: LinodeApi, domain: Any) -> None:
    record = domain.record_create("A", name="app", target="203.0.113.10", ttl_sec=30)
    record.target = "198.51.100.50"
    assert record.save()
    (held,) = api.records(DOMAIN)
    assert (held["id"], held["target"], held["ttl_sec"]) == (record.id, "198.51.100.50", 30)
    record.delete()
    assert api.records(DOMAIN) == ()


@pytest.mark.parametrize(
    ("kind", "fields", "name"),
    [
        ("AAAA", {"name": "app", "target": "2001:db8::1"}, "app"),
        ("CNAME", {"name": "www", "target": "app.example.com"}, "www"),
        ("TXT", {"name": "_region-failover.app", "target": "active=x"}, "_region-failover.app"),
        (
            "SRV",
            {
                "service": "_sip",
                "protocol": "_tcp",
                "target": "sip.example.com",
                "port": 5060,
                "priority": 10,
                "weight": 5,
            },
            "_sip._tcp",
        ),
    ],
)
def test_every_type_comes_back_as_it_was_made(
    client: LinodeClient, domain: Any, kind: str, fields: dict[str, Any], name: str
) -> None:
    made = domain.record_create(kind, **fields)
    found = client.load(DomainRecord, made.id, DOMAIN)
    assert (found.type, found.name) == (kind, name)
    assert {key: getattr(found, key) for key in fields if key != "name"} == {
        key: value for key, value in fields.items() if key != "name"
    }


def test_a_changed_target_leaves_srvs_port_priority_and_weight(api: LinodeApi, domain: Any) -> None:
    made = domain.record_create(
        "SRV", service="_sip", protocol="_tcp", target="a.example.com", port=5060, priority=10, weight=5
    )
    made.target = "b.example.com"
    made.save(force=False)
    (held,) = api.records(DOMAIN)
    assert (held["target"], held["port"], held["priority"], held["weight"]) == ("b.example.com", 5060, 10, 5)


def test_more_records_than_a_page_holds_are_all_listed(api: LinodeApi, domain: Any) -> None:
    for number in range(230):
        api.add_record(DOMAIN, type="A", name=f"h{number}", target="192.0.2.1")
    assert [record.name for record in domain.records] == [f"h{number}" for number in range(230)]


def test_the_clients_filters_are_understood(api: LinodeApi, client: LinodeClient) -> None:
    api.add_domain(7, "example.net")
    assert [d.id for d in client.domains(Domain.domain == "example.net")] == [7]


def test_refusals_are_the_clients_errors(domain: Any) -> None:
    with pytest.raises(ApiError) as caught:
        domain.record_create("A", name="app", target="not-an-address")
    assert caught.value.status == 400
    assert "target" in str(caught.value)


def test_the_zone_file_is_one(domain: Any) -> None:
    domain.record_create("TXT", name="t", target="some text")
    assert domain.zone_file_view()[0] == "; example.com [123456]"


def test_a_limit_is_waited_out_by_the_client(api: LinodeApi) -> None:
    api.limit(Limits(requests=1, window_s=1.2))
    patient = LinodeClient(TOKEN, base_url=api.base_url, retry=True)
    for _ in range(3):
        assert patient.load(Domain, DOMAIN).domain == "example.com"
    assert 429 in [request.status for request in api.requests]
    assert api.early == 0


def test_the_tokens_and_their_end(api: LinodeApi, client: LinodeClient) -> None:
    api.account.expires_at = datetime.now(UTC) + timedelta(days=3)
    (token,) = client.profile.tokens()
    assert token.token == TOKEN[:16]
    api.account.expires_at = datetime.now(UTC) - timedelta(seconds=1)
    with pytest.raises(ApiError) as caught:
        list(client.profile.tokens())
    assert caught.value.status == 401


def test_a_scope_that_is_missing_is_401(api: LinodeApi, client: LinodeClient, domain: Any) -> None:
    api.account.scopes = frozenset({"domains:read_only"})
    assert [d.id for d in client.domains()] == [DOMAIN]
    with pytest.raises(ApiError) as caught:
        domain.record_create("A", name="app", target="203.0.113.10")
    assert caught.value.status == 401


def test_an_instance_is_rebooted_once_at_a_time(api: LinodeApi, client: LinodeClient) -> None:
    api.account.instances[5] = "running"
    instance = client.load(Instance, 5)
    assert instance.status == "running"
    assert instance.reboot()
    with pytest.raises(ApiError, match="busy"):
        instance.reboot()
    (event,) = client.account.events()
    assert (event.action, event.entity.id) == ("linode_reboot", 5)
