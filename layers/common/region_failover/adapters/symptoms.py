"""From an exception of a library to a Symptom; and the decorator that adapters put on their methods."""

from __future__ import annotations

import functools
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

from botocore import exceptions as aws

from region_failover.domain.errors import RegionFailoverError, RemoteFailure
from region_failover.domain.symptom import Kind, Symptom

P = ParamSpec("P")
T = TypeVar("T")

# Order matters: a subclass stands before its parent (ConnectTimeoutError is a ConnectionError of botocore).
_KINDS: tuple[tuple[tuple[type[BaseException], ...], Kind], ...] = (
    ((aws.NoCredentialsError, aws.PartialCredentialsError, aws.TokenRetrievalError), Kind.CREDENTIALS),
    ((aws.CredentialRetrievalError, aws.UnauthorizedSSOTokenError), Kind.CREDENTIALS),
    ((aws.ParamValidationError, aws.UnknownServiceError, aws.InvalidRegionError), Kind.SETTINGS),
    ((aws.NoRegionError, aws.InvalidConfigError), Kind.SETTINGS),
    ((aws.SSLError, ssl.SSLError), Kind.TLS),
    ((aws.ConnectTimeoutError, aws.ReadTimeoutError, TimeoutError), Kind.TIMEOUT),
    ((socket.gaierror,), Kind.NO_SUCH_NAME),
    ((aws.ConnectionClosedError, ConnectionError), Kind.REFUSED),
    ((aws.EndpointConnectionError,), Kind.REFUSED),
)


def symptom_of(error: BaseException) -> Symptom:
    """Return what this exception shows; an exception that nobody has classified is Kind.UNKNOWN."""
    if isinstance(error, aws.ClientError):
        found = error.response.get("Error", {})
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return Symptom(Kind.API, str(found.get("Code", "")), int(status), error.operation_name)
    wrapped = wrapped_symptom(error)
    if wrapped is not None:
        return wrapped
    for types, kind in _KINDS:
        if isinstance(error, types):
            return Symptom(kind, detail=_short(error))
    return Symptom(Kind.UNKNOWN, detail=f"{type(error).__name__}: {_short(error)}")


def wrapped_symptom(error: BaseException) -> Symptom | None:
    """Return what libraries wrap in errors that say less: a name not found, a handshake hung up on."""
    for below in _causes(error):
        if isinstance(below, socket.gaierror) or type(below).__name__ == "NameResolutionError":
            return Symptom(Kind.NO_SUCH_NAME, detail=_short(error))
        if isinstance(below, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return Symptom(Kind.REFUSED, detail=_short(error))
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what is below it, however a library has wrapped it."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        found = waiting.pop(0)
        if not isinstance(found, BaseException) or id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        waiting += [
            found.__cause__,
            found.__context__,
            getattr(found, "kwargs", {}).get("error"),
            *found.args,
        ]


def _short(error: BaseException) -> str:
    return str(error).replace("\n", " ")[:300]


def remote(call: Callable[P, T]) -> Callable[P, T]:
    """Raise RemoteFailure with its Symptom for whatever a library raises; let our own errors through."""

    @functools.wraps(call)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return call(*args, **kwargs)
        except RegionFailoverError:
            raise
        except Exception as error:
            raise RemoteFailure(symptom_of(error)) from error

    return guarded
