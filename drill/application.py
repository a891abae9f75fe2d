"""The application as its users meet it: one HTTP endpoint per Region, on that Region's own data."""

import json
import socket
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from drill.faults import Call, FaultKind, FaultTable, FaultyHandler, LoopbackServer

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

Json = dict[str, Any]

STATUS = {FaultKind.ERROR: 503, FaultKind.THROTTLE: 429, FaultKind.DENY: 403}


def shared_port(addresses: Sequence[str]) -> int:
    """Return a port that is free on every one of the addresses: a client moves between them by DNS alone."""
    for _attempt in range(50):
        with ExitStack() as stack:
            port = 0
            try:
                for address in addresses:
                    link = stack.enter_context(socket.socket())
                    link.bind((address, port))
                    port = int(link.getsockname()[1])
            except OSError:
                continue
            return port
    raise OSError(f"no port is free on all of {', '.join(addresses)}")


class ApplicationEndpoint(LoopbackServer):
    """Serves GET /health, POST /orders and GET /orders/{id} from one Region's table.

    Nothing but its own Region's data decides what it answers: /health writes one item and reads it back.
    The table's key is the text attribute `key`. Faults are asked for
    Call(region, service, "GET /health" | "POST /orders" | "GET /orders/{id}", ""), before anything else.
    """

    def __init__(
        self,
        region: str,
        address: str,
        port: int,
        *,
        dynamodb_client: "DynamoDBClient",
        table: str,
        faults: FaultTable,
        service: str = "application",
        key: str = "id",
    ) -> None:
        super().__init__(_ApplicationHandler, faults, address, port)
        self.region = region
        self.service = service
        self._client = dynamodb_client
        self._table = table
        self._key = key

    @property
    def url(self) -> str:
        """Return the endpoint's own address, as a plan's check would have it."""
        return f"http://{self.host}:{self.port}"

    def health(self) -> tuple[int, Json]:
        """Write and read one item; whatever the client raises is the application's outage."""
        item_id = f"health#{self.service}#{self.region}"
        self._put(item_id, datetime.now(UTC).isoformat())
        self._get(item_id)
        return 200, {}

    def create(self, order_id: str) -> tuple[int, Json]:
        """Store one order."""
        self._put(order_id, datetime.now(UTC).isoformat())
        return 201, {"id": order_id}

    def read(self, order_id: str) -> tuple[int, Json]:
        """Return one order, or 404 where it has not arrived."""
        item = self._get(order_id)
        if item is None:
            return 404, {"ok": False, "id": order_id, "error": "NotFound"}
        return 200, {"id": order_id, "written_in": item["region"]["S"]}

    def _put(self, item_id: str, at: str) -> None:
        item = {self._key: {"S": item_id}, "region": {"S": self.region}, "at": {"S": at}}
        self._client.put_item(TableName=self._table, Item=item)

    def _get(self, item_id: str) -> Any:
        reply = self._client.get_item(
            TableName=self._table, Key={self._key: {"S": item_id}}, ConsistentRead=True
        )
        return reply.get("Item")


class _ApplicationHandler(FaultyHandler):
    """One client connection to the application."""

    owner: ApplicationEndpoint

    def serve(self) -> None:
        """Answer one request, or let a fault have it."""
        body = self.read_body()
        operation, work = self._route(body)
        call = Call(self.owner.region, self.owner.service, operation)
        exchange = self.keep(call, body)
        fault = self.owner.faults.match(call)
        if self.suffer(fault):
            return
        if fault is not None and fault.kind in STATUS:
            status, reply = fault.status or STATUS[fault.kind], _failed(f"injected: {fault.kind}")
        else:
            status, reply = _done(work)
        if fault is not None and fault.kind is FaultKind.DROP_REPLY:
            self.drop_reply()
            return
        text = json.dumps({"region": self.owner.region, "ok": True, **reply}).encode()
        self.note_told(exchange, status, text)
        self.answer(status, text, [("Content-Type", "application/json")])

    def _route(self, body: bytes) -> tuple[str, Callable[[], tuple[int, Json]]]:
        """Return the operation's name, and what does it."""
        path = urlsplit(self.path).path
        method = "GET" if self.command == "HEAD" else self.command
        if (method, path) == ("GET", "/health"):
            return "GET /health", self.owner.health
        if (method, path) == ("POST", "/orders"):
            return "POST /orders", lambda: self.owner.create(_order_id(body))
        if method == "GET" and path.startswith("/orders/"):
            return "GET /orders/{id}", lambda: self.owner.read(path.removeprefix("/orders/"))
        return f"{method} {path}", lambda: (404, _failed("NoSuchPath"))


def _done(work: Callable[[], tuple[int, Json]]) -> tuple[int, Json]:
    """Return the work's outcome; 503 with the error's class when it raises."""
    try:
        return work()
    except Exception as error:  # whatever it is: the application is down, and says so
        code = getattr(error, "response", None)
        name = code["Error"]["Code"] if isinstance(code, dict) and "Error" in code else type(error).__name__
        return 503, _failed(name)


def _failed(error: str) -> Json:
    return {"ok": False, "error": error}


def _order_id(body: bytes) -> str:
    """Return the id that the client chose, or a new one."""
    try:
        wanted = json.loads(body or b"{}").get("id")
    except (ValueError, AttributeError):
        wanted = None
    return str(wanted or uuid.uuid4())
