"""One way to Linode's API for all threads: token, rate limit, retries, and an end to every call.

Rules taken from its OpenAPI document: 429 carries `Retry-After` in seconds; 408, 429, 502, 503 and 504 are
worth a retry; collections are paged (25 to 500 a page).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

import requests

from region_failover.adapters.rate_limit import RateLimit
from region_failover.domain.errors import RemoteFailure
from region_failover.domain.symptom import Kind, Symptom
from region_failover.ports import Clock

CONNECT_S, READ_S = 2.0, 5.0
ATTEMPTS = 4
PAGE_SIZE = 500
LEAST_WAIT_S = 0.5
_WORTH_A_RETRY = frozenset({408, 502, 503, 504})

COLLECTION, SINGLE = "collection", "single"


class Token(Protocol):
    """Where the API's token comes from."""

    def read(self) -> str:
        """Return the token."""
        ...

    def forget(self, refused: str) -> None:
        """Read it anew next time, if this is the one that is kept."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """A success: its body, and its headers."""

    body: Any
    headers: Mapping[str, str]


class LinodeHttp:
    """Sends requests. The token is asked for at first use, and once again after a 401."""

    def __init__(self, base_url: str, token: Token, clock: Clock) -> None:
        """Talk to the API at this base URL, such as https://api.linode.com/v4."""
        self._base_url = base_url.rstrip("/")
        self._token = token
        self._clock = clock
        self._limit = RateLimit(clock)

    def pages(self, path: str, within: timedelta, wanted: str = "") -> Iterator[Any]:
        """Yield every item of a collection, from all pages; `wanted`: the X-Filter."""
        for answer in self.answers(path, within, wanted):
            yield from answer.body["data"]

    def answers(self, path: str, within: timedelta, wanted: str = "") -> Iterator[Answer]:
        """Yield the answer with each page of a collection."""
        until, headers = self._until(within), {"X-Filter": wanted} if wanted else {}
        page = pages = 1
        while page <= pages:
            query = f"{path}?page={page}&page_size={PAGE_SIZE}"
            answer = self._call("GET", query, None, COLLECTION, until, headers)
            yield answer
            pages = int(answer.body["pages"])
            page += 1

    def scopes_of(self, path: str, within: timedelta) -> frozenset[str] | None:
        """Return the scopes of the token that asks this, None where Linode does not say.

        Linode answers 401 to a token without the scope that a path needs, too; it names the token's scopes
        then. Raises RemoteFailure where it refuses the token itself.
        """
        response = self._admitted("GET", path, None, COLLECTION, self._until(within), {})
        scopes = scopes_in(response.headers.get("X-OAuth-Scopes", ""))
        if scopes is None:
            try:
                answered(response)
            except RequestRefused as refused:
                raise refused.failure() from None
        return scopes

    def call(
        self, method: str, path: str, body: dict[str, Any] | None, within: timedelta, attempts: int = ATTEMPTS
    ) -> Answer:
        """Return the answer to a request, tried again where that is worth it, all within this time."""
        return self._call(method, path, body, SINGLE, self._until(within), {}, attempts)

    def look(self, path: str) -> Any:
        """Return one answer for a check, which neither waits nor is tried again: its round has no time."""
        until = self._until(timedelta(seconds=CONNECT_S + READ_S))
        response = self._admitted("GET", path, None, SINGLE, until, {}, patient=False)
        try:
            return answered(response).body
        except RequestRefused as refused:
            if refused.status == 429:
                self._limit.close(SINGLE, refused.wait_s(1))
            raise refused.failure() from None

    def _until(self, within: timedelta) -> float:
        return self._clock.now().timestamp() + within.total_seconds()

    def _left(self, until: float) -> float:
        return until - self._clock.now().timestamp()

    def _call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        kind: str,
        until: float,
        headers: Mapping[str, str],
        attempts: int = ATTEMPTS,
    ) -> Answer:
        tried = 0
        while True:
            tried += 1
            try:
                return answered(self._admitted(method, path, body, kind, until, headers))
            except RequestRefused as refused:
                if refused.status == 429:  # waited out as long as there is time: nothing was done
                    self._limit.close(kind, refused.wait_s(tried))
                    tried = 0
                elif refused.status not in _WORTH_A_RETRY or tried >= attempts:
                    raise refused.failure() from None
                else:
                    self._pause(refused.wait_s(tried), until, refused.failure())
            except RemoteFailure as failure:
                if tried >= attempts or failure.symptom.status or failure.symptom.kind is Kind.SETTINGS:
                    raise
                self._pause(0.2 * 2**tried, until, failure)

    def _pause(self, seconds: float, until: float, failure: RemoteFailure) -> None:
        if seconds >= self._left(until):
            raise failure
        self._clock.sleep(seconds)

    def _admitted(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        kind: str,
        until: float,
        headers: Mapping[str, str],
        patient: bool = True,
    ) -> requests.Response:
        """Send a request once the limit lets it through, and once more with a new token after a 401."""
        for again in (True, False):
            while (wait := self._limit.take(kind)) > 0:
                if not patient or wait >= self._left(until):
                    raise RemoteFailure(_asked_to_wait(wait))
                self._clock.sleep(wait)
            token = self._token.read()
            response = self._send(method, path, body, token, until, headers)
            self._limit.note(kind, response.headers)
            if response.status_code != 401 or not again:
                return response
            self._token.forget(token)  # rotated since it was read?
        raise AssertionError("unreachable")

    def _send(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        token: str,
        until: float,
        headers: Mapping[str, str],
    ) -> requests.Response:
        left = self._left(until)
        if left <= 0:
            raise RemoteFailure(Symptom(Kind.TIMEOUT, detail="no time was left to ask Linode"))
        try:
            return requests.request(
                method,
                self._base_url + path,
                json=body,
                timeout=(min(CONNECT_S, left), min(READ_S, left)),
                allow_redirects=False,
                headers={**headers, "Authorization": f"Bearer {token}"},
            )
        except (requests.RequestException, ValueError) as error:
            raise RemoteFailure(_symptom(error)) from None  # its text may repeat the header, and so the token


class RequestRefused(Exception):
    """Any answer but a success."""

    def __init__(self, status: int, reasons: str, headers: Mapping[str, str]) -> None:
        """Keep what Linode says."""
        super().__init__(reasons)
        self.status = status
        self.reasons = reasons
        self.headers = headers

    def wait_s(self, tried: int) -> float:
        """Return for how many seconds nothing may be asked; where Linode does not say, ever longer."""
        asked = self.headers.get("Retry-After", "")
        return max(float(asked), LEAST_WAIT_S) if asked.isdecimal() else LEAST_WAIT_S * 2**tried

    def failure(self) -> RemoteFailure:
        """Return it as the flows know it."""
        return RemoteFailure(Symptom(Kind.HTTP, status=self.status, detail=f"Linode: {self.reasons}"[:300]))


def answered(response: requests.Response) -> Answer:
    """Return a success (200, or 202 with warnings); raise RequestRefused with Linode's reasons."""
    try:
        body = response.json()
    except ValueError:
        if response.status_code < 400:
            symptom = Symptom(Kind.WRONG_ANSWER, status=response.status_code, detail="the body is no JSON")
            raise RemoteFailure(symptom) from None
        body = None
    if response.status_code in {200, 202}:
        return Answer(body, response.headers)
    raise RequestRefused(response.status_code, _reasons(body), response.headers)


def scopes_in(text: str) -> frozenset[str] | None:
    """Return the scopes that a header or a token's entry names, None for none."""
    return frozenset(text.replace(",", " ").split()) or None


def _reasons(body: Any) -> str:
    errors = body.get("errors") if isinstance(body, dict) else None
    if not isinstance(errors, list):
        return "the body is no JSON" if body is None else ""
    told = [error for error in errors if isinstance(error, dict)]
    return "; ".join(f"{error.get('field') or ''} {error.get('reason') or ''}".strip() for error in told)


def _asked_to_wait(seconds: float) -> Symptom:
    return Symptom(Kind.HTTP, status=429, detail=f"Linode takes no more requests for {seconds:.0f} s")


def _symptom(error: Exception) -> Symptom:
    """Return what an error of the transport shows; never its text, which may repeat a header."""
    kinds: tuple[tuple[type[Exception], Kind], ...] = (
        (requests.Timeout, Kind.TIMEOUT),
        (requests.exceptions.SSLError, Kind.TLS),
        (requests.ConnectionError, Kind.REFUSED),
    )
    kind = next((kind for kind_of_error, kind in kinds if isinstance(error, kind_of_error)), Kind.UNKNOWN)
    return Symptom(kind, detail=type(error).__name__)
