"""The application's own endpoints, by HTTP(S), with urllib3 (botocore brings it: no further import)."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import urllib3

from region_failover.adapters.symptoms import symptom_of, wrapped_symptom
from region_failover.domain.body import ANY, Body, wrong_with
from region_failover.domain.errors import RemoteFailure
from region_failover.domain.symptom import Kind, Symptom

MAXIMUM_BODY_BYTES = 64 * 1024

OWN = {"user-agent": "region-failover"}
CLOSE = {"connection": "close"}


class Endpoints:
    """Implements ports.Endpoints; one try, no redirects (a captive portal answers with one)."""

    def __init__(self, headers: Callable[[str], Mapping[str, str]] = lambda _: {}) -> None:
        """Keep the trust store (slow to load), and no connection: a fresh one sees what a new client sees.

        `headers`: what is sent along, by the name that a plan gives it.
        """
        self._tls = ssl.create_default_context()
        self._headers = headers

    def get(self, url: str, status: int, timeout: timedelta, body: Body = ANY, headers: str = "") -> None:
        """Return if the endpoint answers so; raise RemoteFailure otherwise. 64 KB of a body are looked at."""
        more = self._headers(headers) if headers else {}
        answer, said = self._answer(url, timeout.total_seconds(), more)
        if answer != status:
            raise RemoteFailure(Symptom(Kind.HTTP, status=answer, detail=f"{status} was expected"))
        wrong = wrong_with(said, body)
        if wrong:
            raise RemoteFailure(Symptom(Kind.WRONG_ANSWER, status=answer, detail=wrong))

    def _answer(self, url: str, timeout_s: float, more: Mapping[str, str]) -> tuple[int, bytes]:
        limits = urllib3.Timeout(connect=timeout_s, read=timeout_s)
        try:
            with urllib3.PoolManager(num_pools=1, retries=False, ssl_context=self._tls) as pool:
                response: Any = pool.request(
                    "GET",
                    url,
                    timeout=limits,
                    redirect=False,
                    preload_content=False,
                    headers={**OWN, **{name.lower(): value for name, value in more.items()}, **CLOSE},
                )
                said = response.read(MAXIMUM_BODY_BYTES)
                response.close()
        except Exception as error:
            raise RemoteFailure(_symptom(error)) from error
        return int(response.status), said


def _symptom(error: Exception) -> Symptom:
    """Return what a urllib3 error shows (its tree: urllib3.exceptions)."""
    kinds = (
        (urllib3.exceptions.NewConnectionError, Kind.REFUSED),  # of the TimeoutErrors, in urllib3's tree
        (urllib3.exceptions.TimeoutError, Kind.TIMEOUT),
        (urllib3.exceptions.SSLError, Kind.TLS),
        (urllib3.exceptions.LocationParseError, Kind.SETTINGS),
        (urllib3.exceptions.ProtocolError, Kind.REFUSED),
    )
    wrapped = wrapped_symptom(error)
    if wrapped is not None:
        return wrapped
    for kind_of_error, kind in kinds:
        if isinstance(error, kind_of_error):
            return Symptom(kind, detail=str(error)[:300])
    return symptom_of(error)
