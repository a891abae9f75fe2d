"""The application's endpoints: their own Region's data, and nothing else, decides what they answer."""

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from drill.application import ApplicationEndpoint, shared_port
from drill.faults import Fault, FaultKind, FaultTable

REGION = "us-east-1"


class FakeTable:
    """As much of boto3's client as the application uses."""

    def __init__(self) -> None:
        self.items: dict[str, Any] = {}
        self.error: Exception | None = None

    def put_item(self, TableName: str, Item: dict[str, Any]) -> dict[str, Any]:
        if self.error:
            raise self.error
        self.items[Item["id"]["S"]] = Item
        return {}

    def get_item(self, TableName: str, Key: dict[str, Any], ConsistentRead: bool) -> dict[str, Any]:
        if self.error:
            raise self.error
        item = self.items.get(Key["id"]["S"])
        return {"Item": item} if item else {}


@pytest.fixture
def table() -> FakeTable:
    return FakeTable()


@pytest.fixture
def faults() -> FaultTable:
    return FaultTable()


@pytest.fixture
def endpoint(table: FakeTable, faults: FaultTable) -> Iterator[ApplicationEndpoint]:
    port = shared_port(["127.0.0.10", "127.0.0.20"])
    made = ApplicationEndpoint(
        REGION,
        "127.0.0.10",
        port,
        dynamodb_client=table,  # type: ignore[arg-type]
        table="orders",
        faults=faults,
    )
    made.start()
    yield made
    made.stop()


def call(endpoint: ApplicationEndpoint, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=0.3)
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read())
    finally:
        connection.close()


def test_health_writes_and_reads(endpoint: ApplicationEndpoint, table: FakeTable) -> None:
    assert call(endpoint, "GET", "/health") == (200, {"region": REGION, "ok": True})
    assert len(table.items) == 1


def test_an_order_is_stored_and_read_back(endpoint: ApplicationEndpoint) -> None:
    assert call(endpoint, "POST", "/orders", {"id": "o-1"}) == (
        201,
        {"region": REGION, "ok": True, "id": "o-1"},
    )
    status, body = call(endpoint, "GET", "/orders/o-1")
    assert (status, body["id"], body["written_in"]) == (200, "o-1", REGION)


def test_an_order_without_an_id_gets_one(endpoint: ApplicationEndpoint, table: FakeTable) -> None:
    _, body = call(endpoint, "POST", "/orders")
    assert body["id"] in table.items


def test_an_order_that_has_not_arrived_is_404(endpoint: ApplicationEndpoint) -> None:
    assert call(endpoint, "GET", "/orders/none")[0] == 404


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ConnectTimeoutError(endpoint_url="http://127.0.0.1"), "ConnectTimeoutError"),
        (
            ClientError({"Error": {"Code": "InternalServerError", "Message": ""}}, "PutItem"),
            "InternalServerError",
        ),
    ],
)
def test_without_its_data_the_application_is_503_and_names_the_error(
    endpoint: ApplicationEndpoint, table: FakeTable, error: Exception, told: str
) -> None:
    table.error = error
    for method, path in (("GET", "/health"), ("POST", "/orders"), ("GET", "/orders/o-1")):
        assert call(endpoint, method, path) == (503, {"region": REGION, "ok": False, "error": told})


def test_a_hanging_application_accepts_and_stays_silent_until_the_fault_is_lifted(
    endpoint: ApplicationEndpoint, faults: FaultTable
) -> None:
    fault_id = faults.add(Fault(FaultKind.HANG, region=REGION, service="application"))
    with pytest.raises(TimeoutError):
        call(endpoint, "GET", "/health")
    faults.remove(fault_id)
    assert call(endpoint, "GET", "/health")[0] == 200


def test_a_refusing_application_resets(endpoint: ApplicationEndpoint, faults: FaultTable) -> None:
    faults.add(Fault(FaultKind.REFUSE, region=REGION))
    with pytest.raises(ConnectionResetError) as caught:
        call(endpoint, "GET", "/health")
    assert caught.type is ConnectionResetError  # an orderly close would be its subclass RemoteDisconnected


def test_a_failing_application_is_503_without_touching_its_data(
    endpoint: ApplicationEndpoint, faults: FaultTable, table: FakeTable
) -> None:
    faults.add(Fault(FaultKind.ERROR, region=REGION, operation="POST /orders"))
    assert call(endpoint, "POST", "/orders")[0] == 503
    assert table.items == {}
    assert call(endpoint, "GET", "/health")[0] == 200


def test_a_slow_application_answers_later_than_its_client_waits(
    endpoint: ApplicationEndpoint, faults: FaultTable
) -> None:
    faults.add(Fault(FaultKind.SLOW, delay_s=0.5))
    with pytest.raises(TimeoutError):
        call(endpoint, "GET", "/health")


def test_a_fault_of_one_service_leaves_the_other_alone(
    endpoint: ApplicationEndpoint, faults: FaultTable
) -> None:
    faults.add(Fault(FaultKind.ERROR, service="legacy"))
    assert call(endpoint, "GET", "/health")[0] == 200


def test_a_stopped_application_refuses_and_comes_back_on_its_port(endpoint: ApplicationEndpoint) -> None:
    endpoint.stop()
    with pytest.raises(ConnectionRefusedError):
        call(endpoint, "GET", "/health")
    endpoint.start()
    assert call(endpoint, "GET", "/health")[0] == 200
