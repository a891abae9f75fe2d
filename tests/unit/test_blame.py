# ruff: noqa: E501  (a table reads better in one line per case)
"""Whose fault it is: real errors, through the real adapters, into a verdict (I10, I11, I13).

Each line of TABLE is one thing that can meet a call: which call, what it meets, what our adapter makes of
it, and who is to blame. Answers are parsed by botocore, urllib3 and requests themselves, from what a service
would really send; exceptions are those that the libraries raise, where they raise them; what only a socket
can do (refuse, reset, hang, cut off, a bad certificate) is done by a socket, on loopback.

THEIRS may move traffic, OURS never. So a case that may be either is OURS.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
import responses
from botocore import exceptions as aws
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from region_failover.adapters.clients import CHECK, client, forget_clients
from region_failover.adapters.endpoints import Endpoints
from region_failover.adapters.linode import Linode
from region_failover.adapters.messages import EventBus, Topic
from region_failover.adapters.parameters import ONE_TRY, Parameters
from region_failover.adapters.route53 import Zones
from region_failover.adapters.secret import Secret
from region_failover.adapters.symptoms import remote, symptom_of
from region_failover.adapters.tables import Tables
from region_failover.domain.errors import RegionFailoverError, RemoteFailure
from region_failover.domain.symptom import TRANSPORT, Blame, Kind, Symptom, blame
from region_failover.domain.verdict import CheckResult, Evidence, Health, assess
from region_failover.domain.zone import Change, ChangeAction, RecordSet
from tests.fakes import EAST, NOON, PLAN, REFUSED, SERVER_ERROR, WEST, FakeClock, World

# What a call may meet.


@dataclass(frozen=True)
class Fault:
    """The service's own error answer, in the protocol that it speaks."""

    code: str
    status: int


@dataclass(frozen=True)
class Answer:
    """Any HTTP answer."""

    status: int
    body: str = ""
    type: str = "text/html"


@dataclass(frozen=True)
class Raises:
    """The library raises this instead of an answer."""

    error: Exception


@dataclass(frozen=True)
class Environment:
    """The credentials that are to be found."""

    variables: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Socket:
    """The server does this, by the name of a method of `Server`; `tls` names its certificate."""

    does: str
    tls: str = ""


HTML = "<html><body>Please sign in</body></html>"
PORTAL = Answer(302, HTML)
NO_NAME = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
NO_ADDRESS = socket.gaierror(socket.EAI_NODATA, "No address associated with hostname")
TRY_AGAIN = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
URL = "https://dynamodb.us-east-1.amazonaws.com/"


def unreachable(cause: Exception | None = None) -> Raises:
    """Return botocore's error for a connection that could not be made."""
    return Raises(aws.EndpointConnectionError(endpoint_url=URL, error=cause))


OK = None  # answered well
API, HTTP, WRONG = Kind.API, Kind.HTTP, Kind.WRONG_ANSWER
TIMEOUT, REFUSAL, NAME, TLS = Kind.TIMEOUT, Kind.REFUSED, Kind.NO_SUCH_NAME, Kind.TLS
CREDENTIALS, SETTINGS, UNKNOWN = Kind.CREDENTIALS, Kind.SETTINGS, Kind.UNKNOWN
THEIRS, OURS = Blame.THEIRS, Blame.OURS

# check, what it meets, kind, code, status, blame
TABLE: tuple[tuple[Any, ...], ...] = (
    # DynamoDB, read: it is their fault
    ("read", Fault("InternalServerError", 500), API, "InternalServerError", 500, THEIRS),
    ("read", Fault("InternalFailure", 500), API, "InternalFailure", 500, THEIRS),
    ("read", Fault("InternalServerError", 400), API, "InternalServerError", 400, THEIRS),
    ("read", Fault("ServiceUnavailable", 503), API, "ServiceUnavailable", 503, THEIRS),
    ("read", Fault("ServiceUnavailableException", 503), API, "ServiceUnavailableException", 503, THEIRS),
    ("read", Fault("SomethingNew", 500), API, "SomethingNew", 500, THEIRS),
    ("read", Answer(500), API, "500", 500, THEIRS),
    ("read", Answer(502, HTML), API, "502", 502, THEIRS),
    ("read", Answer(503, HTML), API, "503", 503, THEIRS),
    ("read", Answer(504, HTML), API, "504", 504, THEIRS),
    ("read", Answer(500, '{"__type":"Intern', "application/x-amz-json-1.0"), API, "500", 500, THEIRS),
    # DynamoDB, read: credentials, permissions, clock
    ("read", Fault("AccessDeniedException", 400), API, "AccessDeniedException", 400, OURS),
    ("read", Fault("AccessDenied", 403), API, "AccessDenied", 403, OURS),
    ("read", Fault("UnrecognizedClientException", 400), API, "UnrecognizedClientException", 400, OURS),
    ("read", Fault("InvalidClientTokenId", 403), API, "InvalidClientTokenId", 403, OURS),
    ("read", Fault("ExpiredTokenException", 400), API, "ExpiredTokenException", 400, OURS),
    ("read", Fault("ExpiredToken", 403), API, "ExpiredToken", 403, OURS),
    ("read", Fault("MissingAuthenticationTokenException", 400), API, "MissingAuthenticationTokenException", 400, OURS),
    ("read", Fault("IncompleteSignatureException", 400), API, "IncompleteSignatureException", 400, OURS),
    ("read", Fault("InvalidSignatureException", 400), API, "InvalidSignatureException", 400, OURS),
    ("read", Fault("SignatureDoesNotMatch", 403), API, "SignatureDoesNotMatch", 403, OURS),
    ("read", Fault("RequestTimeTooSkewed", 403), API, "RequestTimeTooSkewed", 403, OURS),
    ("read", Fault("RequestExpired", 400), API, "RequestExpired", 400, OURS),
    ("read", Fault("OptInRequired", 403), API, "OptInRequired", 403, OURS),
    ("read", Fault("NotAuthorized", 400), API, "NotAuthorized", 400, OURS),
    ("read", Environment(), CREDENTIALS, "", 0, OURS),
    ("read", Environment((("AWS_ACCESS_KEY_ID", "alone"),)), CREDENTIALS, "", 0, OURS),
    ("read", Raises(aws.CredentialRetrievalError(provider="container-role", error_msg="500")), CREDENTIALS, "", 0, OURS),
    ("read", Raises(aws.TokenRetrievalError(provider="sso", error_msg="expired")), CREDENTIALS, "", 0, OURS),
    ("read", Raises(aws.UnauthorizedSSOTokenError()), CREDENTIALS, "", 0, OURS),
    ("read", Raises(aws.MetadataRetrievalError(error_msg="timed out")), UNKNOWN, "", 0, OURS),
    # DynamoDB, read: settings
    ("read", Fault("ResourceNotFoundException", 400), API, "ResourceNotFoundException", 400, OURS),
    ("read", Fault("ValidationException", 400), API, "ValidationException", 400, OURS),
    ("read", Fault("SerializationException", 400), API, "SerializationException", 400, OURS),
    ("read", Fault("UnknownOperationException", 400), API, "UnknownOperationException", 400, OURS),
    ("read", Fault("KMSAccessDeniedException", 400), API, "KMSAccessDeniedException", 400, OURS),
    ("read", Fault("InaccessibleEncryptionCredentialsException", 400), API, "InaccessibleEncryptionCredentialsException", 400, OURS),
    ("read", Fault("SomethingNew", 400), API, "SomethingNew", 400, OURS),
    ("read", Answer(400), API, "400", 400, OURS),
    ("read", Answer(403, HTML), API, "403", 403, OURS),
    ("read", Answer(413), API, "413", 413, OURS),
    ("read", PORTAL, API, "302", 302, OURS),
    ("read", Raises(aws.InvalidRegionError(region_name="us-east")), SETTINGS, "", 0, OURS),
    ("read", Raises(aws.NoRegionError()), SETTINGS, "", 0, OURS),
    ("read", Raises(aws.UnknownServiceError(service_name="dynamo", known_service_names="")), SETTINGS, "", 0, OURS),
    ("read without a table", Answer(200), SETTINGS, "", 0, OURS),
    # DynamoDB, read: our own rate, whatever status carries it
    ("read", Fault("ProvisionedThroughputExceededException", 400), API, "ProvisionedThroughputExceededException", 400, OURS),
    ("read", Fault("ThrottlingException", 400), API, "ThrottlingException", 400, OURS),
    ("read", Fault("ThrottlingException", 503), API, "ThrottlingException", 503, OURS),
    ("read", Fault("Throttling", 400), API, "Throttling", 400, OURS),
    ("read", Fault("RequestLimitExceeded", 400), API, "RequestLimitExceeded", 400, OURS),
    ("read", Fault("RequestLimitExceeded", 503), API, "RequestLimitExceeded", 503, OURS),
    ("read", Fault("RequestThrottled", 503), API, "RequestThrottled", 503, OURS),
    ("read", Fault("TooManyRequestsException", 429), API, "TooManyRequestsException", 429, OURS),
    ("read", Fault("SlowDown", 503), API, "SlowDown", 503, OURS),
    ("read", Fault("ServiceUnavailable", 429), API, "ServiceUnavailable", 429, OURS),
    ("read", Answer(429), API, "429", 429, OURS),
    # DynamoDB, read: on the way there
    ("read", unreachable(NO_NAME), NAME, "", 0, THEIRS),
    ("read", unreachable(NO_ADDRESS), NAME, "", 0, THEIRS),  # 2025-10-20: the name is there, its answer empty
    ("read", unreachable(TRY_AGAIN), NAME, "", 0, THEIRS),
    ("read", unreachable(ConnectionRefusedError(111, "Connection refused")), REFUSAL, "", 0, THEIRS),
    ("read", unreachable(), REFUSAL, "", 0, THEIRS),
    ("read", Raises(aws.ConnectTimeoutError(endpoint_url=URL)), TIMEOUT, "", 0, THEIRS),
    ("read", Raises(aws.ReadTimeoutError(endpoint_url=URL)), TIMEOUT, "", 0, THEIRS),
    ("read", Raises(aws.ConnectionClosedError(endpoint_url=URL)), REFUSAL, "", 0, THEIRS),
    ("read", Raises(ConnectionResetError(104, "Connection reset by peer")), REFUSAL, "", 0, THEIRS),
    ("read", Raises(TimeoutError("timed out")), TIMEOUT, "", 0, THEIRS),
    ("read", Raises(aws.SSLError(endpoint_url=URL, error=ssl.SSLError("certificate verify failed"))), TLS, "", 0, OURS),
    ("read", Raises(aws.ProxyConnectionError(proxy_url="http://proxy:3128")), UNKNOWN, "", 0, OURS),
    ("read", Raises(aws.HTTPClientError(error="something new")), UNKNOWN, "", 0, OURS),
    ("read", Raises(aws.IncompleteReadError(actual_bytes=3, expected_bytes=9)), UNKNOWN, "", 0, OURS),
    ("read", Raises(OSError(24, "Too many open files")), UNKNOWN, "", 0, OURS),
    ("read", Raises(MemoryError()), UNKNOWN, "", 0, OURS),
    # DynamoDB, read: an answer that is none
    ("read", Answer(200, '{"Count":1,"ScannedCount":1}', "application/x-amz-json-1.0"), OK, "", 0, None),
    ("read", Answer(200, "[]", "application/x-amz-json-1.0"), UNKNOWN, "", 0, OURS),
    ("read", Answer(200, HTML), WRONG, "", 0, THEIRS),
    ("read", Answer(200), WRONG, "", 0, THEIRS),
    ("read", Answer(200, '{"Coun', "application/x-amz-json-1.0"), WRONG, "", 0, THEIRS),
    # DynamoDB, heartbeat
    ("write", Fault("InternalServerError", 500), API, "InternalServerError", 500, THEIRS),
    ("write", Fault("ReplicatedWriteConflictException", 400), API, "ReplicatedWriteConflictException", 400, THEIRS),
    ("write", Fault("TransactionConflictException", 400), API, "TransactionConflictException", 400, OURS),
    ("write", Fault("ItemCollectionSizeLimitExceededException", 400), API, "ItemCollectionSizeLimitExceededException", 400, OURS),
    ("write", Fault("AccessDeniedException", 400), API, "AccessDeniedException", 400, OURS),
    ("write", Fault("ProvisionedThroughputExceededException", 400), API, "ProvisionedThroughputExceededException", 400, OURS),
    ("write", Fault("ResourceNotFoundException", 400), API, "ResourceNotFoundException", 400, OURS),
    ("write", Raises(aws.ReadTimeoutError(endpoint_url=URL)), TIMEOUT, "", 0, THEIRS),
    ("write", Answer(200, HTML), WRONG, "", 0, THEIRS),
    ("write, reads back as before", Answer(200), WRONG, "", 0, THEIRS),
    ("write, reads back as nothing", Answer(200), WRONG, "", 0, THEIRS),
    ("write, reads back as garbage", Answer(200), UNKNOWN, "", 0, OURS),
    ("write, overtaken by another worker", Answer(200), OK, "", 0, None),
    ("heartbeat's reading", Fault("InternalServerError", 500), API, "InternalServerError", 500, THEIRS),
    ("heartbeat's reading", unreachable(NO_ADDRESS), NAME, "", 0, THEIRS),
    # DynamoDB, by socket
    ("read", Socket("refuse"), REFUSAL, "", 0, THEIRS),
    ("read", Socket("reset"), REFUSAL, "", 0, THEIRS),
    ("read", Socket("close"), REFUSAL, "", 0, THEIRS),
    ("read", Socket("hang"), TIMEOUT, "", 0, THEIRS),
    ("read", Socket("garbage"), REFUSAL, "", 0, THEIRS),
    ("read", Socket("close", tls="cut off"), REFUSAL, "", 0, THEIRS),
    ("read", Socket("garbage", tls="plain text"), TLS, "", 0, OURS),
    # the application's endpoint: statuses
    ("endpoint", Answer(200), OK, "", 0, None),
    ("endpoint", Answer(200, HTML), OK, "", 0, None),  # the status is all that is looked at
    ("endpoint", Answer(201), HTTP, "", 201, OURS),
    ("endpoint", Answer(204), HTTP, "", 204, OURS),
    ("endpoint", Answer(206), HTTP, "", 206, OURS),
    ("endpoint", Answer(301), HTTP, "", 301, OURS),
    ("endpoint", PORTAL, HTTP, "", 302, OURS),
    ("endpoint", Answer(304), HTTP, "", 304, OURS),
    ("endpoint", Answer(307), HTTP, "", 307, OURS),
    ("endpoint", Answer(400), HTTP, "", 400, OURS),
    ("endpoint", Answer(401), HTTP, "", 401, OURS),
    ("endpoint", Answer(403, HTML), HTTP, "", 403, OURS),
    ("endpoint", Answer(404, HTML), HTTP, "", 404, OURS),
    ("endpoint", Answer(407), HTTP, "", 407, OURS),
    ("endpoint", Answer(408), HTTP, "", 408, OURS),
    ("endpoint", Answer(421), HTTP, "", 421, OURS),
    ("endpoint", Answer(429), HTTP, "", 429, OURS),
    ("endpoint", Answer(451), HTTP, "", 451, OURS),
    ("endpoint", Answer(500, HTML), HTTP, "", 500, THEIRS),
    ("endpoint", Answer(501), HTTP, "", 501, THEIRS),
    ("endpoint", Answer(502, HTML), HTTP, "", 502, THEIRS),
    ("endpoint", Answer(503, HTML), HTTP, "", 503, THEIRS),
    ("endpoint", Answer(504, HTML), HTTP, "", 504, THEIRS),
    ("endpoint", Answer(521, HTML), HTTP, "", 521, THEIRS),
    # the application's endpoint: on the way there
    ("endpoint", Socket("refuse"), REFUSAL, "", 0, THEIRS),
    ("endpoint", Socket("reset"), REFUSAL, "", 0, THEIRS),
    ("endpoint", Socket("close"), REFUSAL, "", 0, THEIRS),
    ("endpoint", Socket("hang"), TIMEOUT, "", 0, THEIRS),
    ("endpoint", Socket("garbage"), REFUSAL, "", 0, THEIRS),
    ("endpoint", Socket("truncate"), REFUSAL, "", 0, THEIRS),
    ("endpoint", Socket("spoil_chunks"), REFUSAL, "", 0, THEIRS),
    ("endpoint", Socket("answer", tls="good"), OK, "", 0, None),
    ("endpoint", Socket("answer", tls="expired"), TLS, "", 0, OURS),
    ("endpoint", Socket("answer", tls="of another host"), TLS, "", 0, OURS),
    ("endpoint", Socket("answer", tls="self-signed"), TLS, "", 0, OURS),
    ("endpoint", Socket("garbage", tls="plain text"), TLS, "", 0, OURS),
    ("endpoint", Socket("hang", tls="plain text"), TIMEOUT, "", 0, THEIRS),
    ("endpoint", Socket("reset", tls="plain text"), REFUSAL, "", 0, THEIRS),
    ("endpoint", Socket("close", tls="cut off"), REFUSAL, "", 0, THEIRS),
    ("endpoint http://no-such-name.invalid/", Answer(200), NAME, "", 0, THEIRS),
    ("endpoint http://exa mple.com/", Answer(200), SETTINGS, "", 0, OURS),
    ("endpoint htp://example.com/", Answer(200), UNKNOWN, "", 0, OURS),
    # Route 53
    ("zone", Fault("ServiceUnavailable", 503), API, "ServiceUnavailable", 503, THEIRS),
    ("zone", Fault("InternalFailure", 500), API, "InternalFailure", 500, THEIRS),
    ("zone", Fault("Throttling", 400), API, "Throttling", 400, OURS),
    ("zone", Fault("AccessDenied", 403), API, "AccessDenied", 403, OURS),
    ("zone", Fault("NoSuchHostedZone", 404), API, "NoSuchHostedZone", 404, OURS),
    ("zone", Fault("InvalidClientTokenId", 403), API, "InvalidClientTokenId", 403, OURS),
    ("zone", Answer(200, HTML), UNKNOWN, "", 0, OURS),
    ("batch", Fault("PriorRequestNotComplete", 400), API, "PriorRequestNotComplete", 400, OURS),
    ("batch", Fault("SignatureDoesNotMatch", 403), API, "SignatureDoesNotMatch", 403, OURS),
    ("batch", Raises(aws.ReadTimeoutError(endpoint_url="https://route53.amazonaws.com")), TIMEOUT, "", 0, THEIRS),
    ("change", Fault("NoSuchChange", 404), API, "NoSuchChange", 404, OURS),
    # SSM, EventBridge, SNS, Secrets Manager, STS
    ("parameter", Fault("InternalServerError", 500), API, "InternalServerError", 500, THEIRS),
    ("parameter", Fault("AccessDeniedException", 400), API, "AccessDeniedException", 400, OURS),
    ("parameter", Fault("TooManyUpdates", 400), API, "TooManyUpdates", 400, OURS),
    ("parameter", unreachable(NO_NAME), NAME, "", 0, THEIRS),
    ("event", Fault("InternalException", 500), API, "InternalException", 500, THEIRS),
    ("event", Fault("ResourceNotFoundException", 400), API, "ResourceNotFoundException", 400, OURS),
    ("event", Answer(200, '{"FailedEntryCount":1,"Entries":[{"ErrorCode":"ThrottlingException"}]}', "application/x-amz-json-1.1"), API, "ThrottlingException", 200, OURS),
    ("topic", Fault("InternalError", 500), API, "InternalError", 500, THEIRS),
    ("topic", Fault("NotFound", 404), API, "NotFound", 404, OURS),
    ("topic", Fault("AuthorizationError", 403), API, "AuthorizationError", 403, OURS),
    ("topic", Fault("Throttled", 429), API, "Throttled", 429, OURS),
    ("secret", Fault("ResourceNotFoundException", 400), API, "ResourceNotFoundException", 400, OURS),
    ("secret", Fault("InternalServiceError", 500), API, "InternalServiceError", 500, THEIRS),
    ("secret", Fault("DecryptionFailure", 400), API, "DecryptionFailure", 400, OURS),
    ("role", Fault("AccessDenied", 403), API, "AccessDenied", 403, OURS),
    ("role", Fault("ExpiredTokenException", 400), API, "ExpiredTokenException", 400, OURS),
    ("role", Fault("RegionDisabledException", 403), API, "RegionDisabledException", 403, OURS),
    # Linode
    ("linode", Answer(500, "{}", "application/json"), HTTP, "", 500, THEIRS),
    ("linode", Answer(503, '{"errors":[{"reason":"maintenance"}]}', "application/json"), HTTP, "", 503, THEIRS),
    ("linode", Answer(401, '{"errors":[{"reason":"Invalid Token"}]}', "application/json"), HTTP, "", 401, OURS),
    ("linode", Answer(403, '{"errors":[{"reason":"Unauthorized"}]}', "application/json"), HTTP, "", 403, OURS),
    ("linode", Answer(404, '{"errors":[{"reason":"Not found"}]}', "application/json"), HTTP, "", 404, OURS),
    ("linode", Answer(408, "{}", "application/json"), HTTP, "", 408, OURS),
    ("linode", Answer(429, '{"errors":[{"reason":"Too many requests"}]}', "application/json"), HTTP, "", 429, OURS),
    ("linode", PORTAL, WRONG, "", 302, THEIRS),
    ("linode", Answer(200, HTML), WRONG, "", 200, THEIRS),
    ("linode", Answer(200, "{}", "application/json"), UNKNOWN, "", 0, OURS),
    ("linode", Raises(requests.ConnectTimeout("timed out")), TIMEOUT, "", 0, THEIRS),
    ("linode", Raises(requests.ReadTimeout("timed out")), TIMEOUT, "", 0, THEIRS),
    ("linode", Raises(requests.ConnectionError("refused")), REFUSAL, "", 0, THEIRS),
    ("linode", Raises(requests.exceptions.SSLError("certificate verify failed")), TLS, "", 0, OURS),
    ("linode", Raises(requests.exceptions.ChunkedEncodingError("cut off")), UNKNOWN, "", 0, OURS),
    ("linode", Raises(requests.exceptions.InvalidURL("no host")), UNKNOWN, "", 0, OURS),
)  # fmt: skip


def title(row: tuple[Any, ...]) -> str:
    """Return a test's name: the call, and what it meets."""
    what = row[1]
    words = {
        Fault: lambda: f"{what.code} {what.status}",
        Answer: lambda: f"{what.status} {what.type if what.body else 'empty'} {len(what.body)}",
        Raises: lambda: f"{type(what.error).__name__} {getattr(what.error, 'kwargs', {}).get('error', '')}",
        Environment: lambda: f"credentials: {[name for name, _ in what.variables]}",
        Socket: lambda: f"socket {what.does} {what.tls}",
    }[type(what)]()
    return f"{row[0]}: {words}"


ROWS = [
    pytest.param(
        *row[:6],
        id=title(row),
    )
    for row in TABLE
]


# Where answers come from.


class Raw(io.BytesIO):
    """A body, as botocore reads it."""

    def stream(self, amount: int = 1024, **_: object) -> Iterator[bytes]:
        while chunk := self.read(amount):
            yield chunk


def body_of(fault: Fault, service: str) -> Answer:
    """Return a service's error answer in its own protocol."""
    if service in {"route53", "sns", "sts"}:
        error = f"<Error><Type>Sender</Type><Code>{fault.code}</Code><Message>no</Message></Error>"
        return Answer(fault.status, f"<ErrorResponse>{error}</ErrorResponse>", "text/xml")
    text = json.dumps({"__type": f"com.amazonaws.{service}#{fault.code}", "message": "no"})
    return Answer(fault.status, text, "application/x-amz-json-1.0")


class Wire:
    """What stands where botocore would send a request, in every client of these tests."""

    def __init__(self) -> None:
        self.meets: object = None
        self.answers: dict[str, Answer] = {}
        self._made: dict[tuple[str, str], Any] = {}

    def client(self, service: str, region: str = EAST, make: Callable[[], Any] | None = None) -> Any:
        """Return a client that sends into this wire: our own, where `make` says how, else one of one try."""
        if (service, region) not in self._made:
            made = make() if make else self._of_one_try(service, region)
            made.meta.events.register("before-send", partial(self._send, service))
            self._made[service, region] = made
        return self._made[service, region]

    def forget(self) -> None:
        """Forget all clients, those of the adapters too."""
        forget_clients()
        self._made.clear()

    def _of_one_try(self, service: str, region: str) -> Any:
        config = Config(retries={"mode": "standard", "total_max_attempts": 1})
        return SESSION.client(service, region_name=region, config=config)

    def _send(self, service: str, request: Any, event_name: str, **_: object) -> Any:
        if isinstance(self.meets, Raises):
            raise self.meets.error
        found = self.answers.get(event_name.rsplit(".", 1)[-1], self.meets)
        answer = body_of(found, service) if isinstance(found, Fault) else found
        assert isinstance(answer, Answer)
        headers: Any = {"content-type": answer.type}
        if 300 <= answer.status < 400:
            headers["location"] = "https://portal.example.com/"
        return AWSResponse(request.url, answer.status, headers, Raw(answer.body.encode()))


class Server:
    """One port on loopback that does one thing to whoever connects."""

    def __init__(self, does: str, tls: ssl.SSLContext | None = None, answer: bytes = b"") -> None:
        self.bytes = answer or b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        self._does = getattr(self, does)
        self._tls = tls
        self._done = threading.Event()
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        if does == "refuse":
            self._socket.close()
            return
        self._socket.listen(5)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: Any) -> None:
        with contextlib.suppress(OSError):
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            connection.recv(65536)
            self._does(connection)
            connection.close()

    def stop(self) -> None:
        self._done.set()
        self._socket.close()

    def refuse(self, connection: Any) -> None:
        raise AssertionError("nobody listens")

    def close(self, connection: Any) -> None:
        connection.close()

    def reset(self, connection: Any) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def hang(self, connection: Any) -> None:
        self._done.wait(30)

    def garbage(self, connection: Any) -> None:
        connection.sendall(b"\x00\x01\x02 what is this\r\n\r\n")

    def truncate(self, connection: Any) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this")

    def spoil_chunks(self, connection: Any) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")

    def answer(self, connection: Any) -> None:
        connection.sendall(self.bytes)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an authority and one certificate of each kind; return their folder."""
    folder = tmp_path_factory.mktemp("certificates")
    now = dt.datetime.now(dt.UTC)
    day = timedelta(days=1)
    authority_key, authority = sign("authority", None, now - day, now + day, "an authority", folder)
    issuer = (authority_key, authority)
    sign("good", issuer, now - day, now + day, "localhost", folder)
    sign("expired", issuer, now - 2 * day, now - day, "localhost", folder)
    sign("of another host", issuer, now - day, now + day, "elsewhere.example.com", folder)
    sign("self-signed", None, now - day, now + day, "localhost", folder)
    return folder


def sign(
    name: str, issuer: tuple[Any, Any] | None, begins: dt.datetime, ends: dt.datetime, host: str, folder: Path
) -> tuple[Any, Any]:
    """Make a key and a certificate for a host, into one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[1].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(issuer[0] if issuer else key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / f"{name}.pem").write_bytes(key.private_bytes(pem, *plain) + made.public_bytes(pem))
    return key, made


# The calls.


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    """Leave nothing of this machine's AWS settings to be found, and no client to another test."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("PROFILE", "ENDPOINT_URL", "SESSION_TOKEN"):
            patch.delenv(f"AWS_{name}", raising=False)
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        patch.setenv("AWS_CONFIG_FILE", "/nonexistent")
        found = Wire()
        found.forget()
        yield found
        found.forget()


def beat(at: str) -> Answer:
    """Return GetItem's answer with a heartbeat."""
    item = json.dumps({"Item": {"pk": {"S": "k"}, "at": {"S": at}}})
    return Answer(200, item, "application/x-amz-json-1.0")


EMPTY = Answer(200, "{}", "application/x-amz-json-1.0")
BEFORE, AFTER = ((NOON + timedelta(seconds=by)).isoformat() for by in (-60, 1))
# What the second of two calls is told, by the words after the comma.
READ_BACK: dict[str, dict[str, Answer]] = {
    "reads back as before": {"PutItem": EMPTY, "GetItem": beat(BEFORE)},
    "reads back as nothing": {"PutItem": EMPTY, "GetItem": EMPTY},
    "reads back as garbage": {"PutItem": EMPTY, "GetItem": beat("yesterday")},
    "overtaken by another worker": {
        "PutItem": body_of(Fault("ConditionalCheckFailedException", 400), "dynamodb"),
        "GetItem": beat(AFTER),
    },
}


CREATION = Change(ChangeAction.CREATE, RecordSet("api.example.com", "A", 60, ("192.0.2.10",)))


def aws_call(wire: Wire, check: str, meets: object) -> Callable[[], object]:
    """Return a call of one of our adapters that meets this."""
    name, _, what = check.partition(", ")
    wire.meets, wire.answers = meets, READ_BACK.get(what, {})
    of = wire.client

    def tables() -> Tables:
        of("dynamodb", make=lambda: client("dynamodb", EAST, CHECK))
        return Tables("heartbeat")

    def parameters() -> Parameters:
        of("ssm", make=lambda: client("ssm", EAST, ONE_TRY))
        return Parameters()

    calls: dict[str, Callable[[], object]] = {
        "read": lambda: tables().read(EAST, "orders"),
        "read without a table": lambda: tables().read(EAST, ""),
        "write": lambda: tables().write_heartbeat(EAST, "k", NOON),
        "heartbeat's reading": lambda: tables().read_heartbeat(EAST, "k"),
        "zone": lambda: Zones(of("route53")).read("Z1", [("api.example.com", "A")], "_f.example.com"),
        "batch": lambda: Zones(of("route53")).submit("Z1", [CREATION], "a comment"),
        "change": lambda: Zones(of("route53")).is_insync("C1"),
        "parameter": lambda: parameters().write(EAST, "/orders/active-region", WEST),
        "event": lambda: EventBus(of("events"), "bus").put("Region Unhealthy", {}),
        "topic": lambda: Topic(of("sns"), "arn:aws:sns:us-west-2:123456789012:topic").publish("a", "b"),
        "secret": lambda: Secret(lambda: of("secretsmanager"), "arn:secret").read(),
        "role": remote(lambda: of("sts").get_caller_identity()),
    }
    return calls[name]


class Token:
    """A token that is never refused by us."""

    def read(self) -> str:
        return "token"

    def forget(self, refused: str) -> None:
        pass


def linode_call(meets: object) -> None:
    """Ask Linode for a record; meet this, however often it is asked."""
    with responses.RequestsMock() as mock:
        url = "https://api.linode.test/v4/domains/1/records"
        if isinstance(meets, Raises):
            mock.get(url, body=meets.error)
        elif isinstance(meets, Answer):
            mock.get(url, body=meets.body, status=meets.status, content_type=meets.type)
        Linode("https://api.linode.test/v4", Token(), FakeClock()).records_in(1, timedelta(seconds=60))


SESSION: Any = boto3.session.Session("testing", "testing", region_name=EAST)


def socket_call(check: str, meets: Socket, certificates: Path, patch: pytest.MonkeyPatch) -> None:
    """Look at a DynamoDB or at an endpoint on loopback that does this to us."""
    tls = None
    if meets.tls in {path.stem for path in certificates.glob("*.pem")}:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificates / f"{meets.tls}.pem")
    patch.setenv("SSL_CERT_FILE", str(certificates / "authority.pem"))
    server = Server(meets.does, tls)
    patience_s = 0.3 if meets.does == "hang" else 10.0  # only where it is to run out: machines are busy
    url = f"{'https' if meets.tls else 'http'}://localhost:{server.port}/"
    try:
        if check == "endpoint":
            Endpoints().get(url, 200, timedelta(seconds=patience_s))
            return
        config = Config(
            connect_timeout=patience_s, read_timeout=patience_s, retries={"total_max_attempts": 1}
        )
        dynamodb = SESSION.client("dynamodb", endpoint_url=url, config=config)
        remote(lambda: dynamodb.scan(TableName="orders"))()
    finally:
        server.stop()


def endpoint_call(check: str, meets: Answer) -> None:
    """Look at an endpoint on loopback that answers this, or at the one that the check names."""
    if check != "endpoint":
        Endpoints().get(check.removeprefix("endpoint "), 200, timedelta(seconds=5))
        return
    head = f"HTTP/1.1 {meets.status} X\r\nContent-Type: {meets.type}\r\nConnection: close\r\n"
    if 300 <= meets.status < 400:
        head += "Location: https://portal.example.com/\r\n"
    body = meets.body.encode()
    if meets.status not in {204, 304}:
        head += f"Content-Length: {len(body)}\r\n"
    server = Server("answer", answer=head.encode() + b"\r\n" + body)
    try:
        Endpoints().get(f"http://127.0.0.1:{server.port}/", 200, timedelta(seconds=10))
    finally:
        server.stop()


def credentials_call(wire: Wire, meets: Environment, patch: pytest.MonkeyPatch) -> None:
    """Read a table with no other credentials than these; nothing is ever sent."""
    wire.forget()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        patch.delenv(name)
    for name, value in meets.variables:
        patch.setenv(name, value)
    try:
        Tables("heartbeat").read(WEST, "orders")
    finally:
        wire.forget()


@pytest.fixture
def symptom_from(
    wire: Wire, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, object], Symptom | None]:
    """Return what makes a call and says what became of it; None where it was answered well."""

    def meet(check: str, meets: object) -> Symptom | None:
        try:
            if isinstance(meets, Environment):
                credentials_call(wire, meets, monkeypatch)
            elif isinstance(meets, Socket):
                socket_call(check, meets, certificates, monkeypatch)
            elif check.startswith("endpoint") and isinstance(meets, Answer):
                endpoint_call(check, meets)
            elif check == "linode":
                linode_call(meets)
            else:
                aws_call(wire, check, meets)()
        except RemoteFailure as error:
            return error.symptom
        return None

    return meet


@pytest.mark.parametrize(("check", "meets", "kind", "code", "status", "whose"), ROWS)
def test_every_error_is_read_blamed_and_judged_as_the_table_says(
    check: str,
    meets: object,
    kind: Kind | None,
    code: str,
    status: int,
    whose: Blame | None,
    symptom_from: Callable[[str, object], Symptom | None],
) -> None:
    found = symptom_from(check, meets)
    if kind is None:
        assert found is None
    else:
        assert found is not None
        assert (found.kind, found.code, found.status) == (kind, code, status)
        assert blame(found) is whose
    assert_judged(check, found, whose)


def assert_judged(check: str, found: Symptom | None, whose: Blame | None) -> None:
    """Hold what a verdict makes of this one check: alone it is no outage; beside another kind of evidence it
    completes one if it is their fault, and only then; whose fault it is is kept."""
    own, other = (
        (Evidence.HTTP, Evidence.DYNAMODB)
        if check.startswith("endpoint")
        else (Evidence.DYNAMODB, Evidence.HTTP)
    )
    one = CheckResult(EAST, own, check, found)
    standby = [CheckResult(WEST, evidence, "well") for evidence in Evidence]

    alone = assess([one, CheckResult(EAST, other, "well"), *standby], NOON)
    assert alone[EAST].health is (Health.UNKNOWN if found else Health.HEALTHY)
    assert alone[EAST].ours == (whose is Blame.OURS)

    beside = assess([one, CheckResult(EAST, other, "failing", SERVER_ERROR), *standby], NOON)
    assert beside[EAST].health is (Health.UNHEALTHY if whose is Blame.THEIRS else Health.UNKNOWN)
    assert beside[EAST].ours == (whose is Blame.OURS)
    assert {alone[WEST].health, beside[WEST].health} == {Health.HEALTHY}


def test_the_table_is_as_long_as_promised_and_says_nothing_twice() -> None:
    assert len({title(row) for row in TABLE}) == len(TABLE) >= 110


def test_the_table_has_every_kind_of_symptom() -> None:
    # REPORTED is not run into but told, by an answer that came: tests/unit/test_reports.py has those.
    assert {row[2] for row in TABLE if row[2]} == set(Kind) - {Kind.REPORTED}


@pytest.mark.parametrize("code", ["AccessDeniedException", "AccessDenied", "ExpiredTokenException"])
@pytest.mark.parametrize("status", [400, 403])
def test_own_access_denied_is_not_their_outage(code: str, status: int) -> None:
    assert blame(Symptom(Kind.API, code, status)) is OURS


# Whatever the spelling.

THEIR_CODES = frozenset(
    {
        "InternalServerError",
        "InternalFailure",
        "InternalError",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "ReplicatedWriteConflictException",
    }
)
codes = st.text(max_size=40) | st.from_regex(r"\A[A-Z][a-zA-Z]{2,30}(Exception|Error|Fault)?\Z")


@given(code=codes, status=st.integers(0, 499))
def test_a_code_that_nobody_knows_is_ours_below_500(code: str, status: int) -> None:
    if code not in THEIR_CODES:
        assert blame(Symptom(Kind.API, code, status)) is OURS


@pytest.mark.parametrize("code", sorted(THEIR_CODES))
def test_a_code_of_a_server_side_fault_is_known_by_its_very_spelling(code: str) -> None:
    assert blame(Symptom(Kind.API, code, 400)) is THEIRS
    for near in (code.lower(), code.upper(), f"{code}s", f"My{code}", f" {code}", code[:-1]):
        if near not in THEIR_CODES:
            assert blame(Symptom(Kind.API, near, 400)) is OURS


@given(status=st.integers(400, 599), before=st.text(max_size=8), after=st.text(max_size=8))
def test_a_rate_is_ours_whatever_status_and_wording_carry_it(status: int, before: str, after: str) -> None:
    for word in ("Throttl", "ThroughputExceeded", "RequestLimitExceeded", "TooManyRequests", "SlowDown"):
        assert blame(Symptom(Kind.API, before + word + after, status)) is OURS


@given(code=codes, status=st.integers(400, 499), operation=st.sampled_from(["Scan", "PutItem"]))
def test_a_client_error_with_an_unknown_code_is_ours_through_the_translation(
    code: str, status: int, operation: str
) -> None:
    error = aws.ClientError(
        {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        operation,
    )
    symptom = symptom_of(error)
    assert (symptom.kind, symptom.code, symptom.status) == (API, code, status)
    assert code in THEIR_CODES or blame(symptom) is OURS


@given(kind=st.sampled_from(list(Kind)), code=st.text(max_size=20), status=st.integers(0, 700))
def test_only_transport_wrong_answers_and_server_errors_are_ever_theirs(
    kind: Kind, code: str, status: int
) -> None:
    if blame(Symptom(kind, code, status)) is THEIRS:
        assert kind in TRANSPORT | {WRONG, HTTP, API, Kind.REPORTED}
        assert kind not in {HTTP, API} or 500 <= status <= 599 or code in THEIR_CODES


@given(kind=st.sampled_from(sorted(TRANSPORT | {WRONG})), code=codes, status=st.integers(0, 700))
def test_no_answer_and_a_wrong_answer_are_theirs_whatever_else_is_said(
    kind: Kind, code: str, status: int
) -> None:
    assert blame(Symptom(kind, code, status)) is THEIRS


@pytest.mark.parametrize("kind", [HTTP, API])
def test_every_status_of_a_server_error_is_theirs(kind: Kind) -> None:
    blamed = {status for status in range(1000) if blame(Symptom(kind, "", status)) is THEIRS}
    assert blamed == set(range(500, 600))


# Types that nobody has seen: of every family that could lend a name or a meaning to them.
FAMILIES = (
    Exception,
    ValueError,
    KeyError,
    RuntimeError,
    OSError,
    aws.BotoCoreError,
    aws.HTTPClientError,
)


@given(
    name=st.from_regex(r"\A[A-Z][A-Za-z]{0,20}\Z"),
    family=st.sampled_from(FAMILIES),
    text=st.text(max_size=400),
)
def test_an_exception_that_nobody_has_seen_is_unknown_and_ours(
    name: str, family: type[Exception], text: str
) -> None:
    if name == "NameResolutionError":
        return
    made = type(name, (family,), {"fmt": "{error}"})
    error = made(error=text) if issubclass(family, aws.BotoCoreError) else made(text)
    found = symptom_of(error)
    assert (found.kind, blame(found)) == (UNKNOWN, OURS)
    assert "\n" not in str(found)


@pytest.mark.parametrize(
    "call",
    [
        lambda broken: Zones(broken).read("Z1", [("a.example.com", "A")], "_f.example.com"),
        lambda broken: Zones(broken).submit("Z1", [], ""),
        lambda broken: Zones(broken).is_insync("C1"),
        lambda broken: EventBus(broken, "bus").put("Region Unhealthy", {}),
        lambda broken: Topic(broken, "arn").publish("a", "b"),
        lambda broken: Secret(lambda: broken, "arn").read(),
    ],
    ids=["zone", "batch", "change", "event", "topic", "secret"],
)
@given(text=st.text(max_size=60))
def test_whatever_an_adapter_meets_that_nobody_has_seen_is_unknown(
    call: Callable[[Any], object], text: str
) -> None:
    class NeverSeen(Exception):
        pass

    class Broken:
        def __getattr__(self, name: str) -> Callable[..., object]:
            def fail(**_: object) -> object:
                raise NeverSeen(text)

            return fail

    with pytest.raises(RemoteFailure) as caught:
        call(Broken())
    assert caught.value.symptom.kind is UNKNOWN
    assert not isinstance(caught.value.__cause__, RegionFailoverError)


# Whatever comes together.

OURS_ONLY = [Symptom(row[2], row[3], row[4]) for row in TABLE if row[5] is OURS]
ANY = [Symptom(row[2], row[3], row[4]) for row in TABLE if row[5] is not None]
results = st.lists(
    st.builds(
        CheckResult,
        region=st.sampled_from([EAST, WEST]),
        evidence=st.sampled_from(list(Evidence)),
        name=st.just("check"),
        symptom=st.none() | st.sampled_from(OURS_ONLY),
    ),
    max_size=40,
)


@given(results)
def test_no_number_of_our_own_faults_is_ever_an_outage(found: list[CheckResult]) -> None:
    for region, sample in assess(found, NOON).items():
        own = [result for result in found if result.region == region]
        assert sample.health is not Health.UNHEALTHY
        assert sample.ours == any(result.symptom for result in own)


@given(results, st.sampled_from([EAST, WEST]), st.sampled_from(list(Evidence)), st.integers(1, 12))
def test_our_own_faults_and_one_kind_of_theirs_are_no_outage_either(
    found: list[CheckResult], region: str, kind: Evidence, count: int
) -> None:
    theirs = [CheckResult(region, kind, f"check {number}", REFUSED) for number in range(count)]
    samples = assess([*found, *theirs], NOON)
    assert all(sample.health is not Health.UNHEALTHY for sample in samples.values())


PLACES = [(region, evidence) for region in (EAST, WEST) for evidence in (*Evidence, Evidence.DYNAMODB)]
OF_EACH_PLACE = {"min_size": len(PLACES), "max_size": len(PLACES)}


@given(st.lists(st.sampled_from([s for s in ANY if s.kind in TRANSPORT]), **OF_EACH_PLACE))
def test_where_nothing_answers_anywhere_nobody_is_blamed_but_ourselves(symptoms: list[Symptom]) -> None:
    checks = [CheckResult(*place, "check", symptom) for place, symptom in zip(PLACES, symptoms, strict=True)]
    assert {(s.health, s.ours) for s in assess(checks, NOON).values()} == {(Health.UNKNOWN, True)}


@given(st.permutations(range(len(PLACES))), st.lists(st.sampled_from([None, *ANY]), **OF_EACH_PLACE))
def test_the_order_of_the_checks_makes_no_difference(
    order: list[int], symptoms: list[Symptom | None]
) -> None:
    checks = [
        CheckResult(region, evidence, f"{evidence} {number}", symptoms[number])
        for number, (region, evidence) in enumerate(PLACES)
    ]
    straight, shuffled = assess(checks, NOON), assess([checks[n] for n in order], NOON)
    assert {r: (s.health, s.ours) for r, s in straight.items()} == {
        r: (s.health, s.ours) for r, s in shuffled.items()
    }


@pytest.mark.parametrize("symptom", OURS_ONLY, ids=str)
def test_through_the_real_flow_our_own_fault_moves_nothing(symptom: Symptom) -> None:
    world = World()
    world.tick()
    world.tables.failures = {EAST: symptom}
    world.endpoints.answers[PLAN.http_checks[0].primary] = 503
    world.probe(seconds=55)
    world.clock.advance(5)
    world.probe(seconds=55)
    assert world.failover()["reason"] == "observer-fault"
    assert world.moved_to() == EAST


def test_a_symptom_reads_as_one_line() -> None:
    assert str(Symptom(Kind.API, "AccessDenied", 403, "PutItem")) == "api AccessDenied 403 PutItem"
    assert str(Symptom(Kind.TIMEOUT)) == "timeout"
