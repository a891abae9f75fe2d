"""Headers that checks send along, from one secret in Secrets Manager; kept in memory, never logged."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from region_failover.adapters.symptoms import remote
from region_failover.adapters.system import aside
from region_failover.domain.errors import ConfigurationError, RegionFailoverError, RemoteFailure
from region_failover.domain.symptom import Kind, Symptom

# A header that was rotated is known after so many seconds.
KEPT_S = 300.0
# A read that failed, or that has not ended, is repeated after so many seconds.
AGAIN_S = 30.0
# So long a function's start waits for the first read: one try of the client's (clients.CONTROL).
START_S = 3.0

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")  # RFC 9110, section 5.1
_VALUE = re.compile(r"[!-~]([ -~]{0,2046}[!-~])?")

Headers = Mapping[str, str]


class SecretHeaders:
    """Keeps what the secret holds, a JSON object: {"<name>": {"<header>": "<value>", ...}, ...}.

    No check ever waits for Secrets Manager: the secret is read in a thread of its own, and a check takes what
    is kept. How long a read takes, and what is wrong with it, is therefore neither the endpoint's time nor
    its fault (I10). Lambda freezes that thread between invocations: what it brings is as old as its question.
    """

    def __init__(
        self,
        client: Callable[[], Any],
        arn: str,
        warn: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        start: Callable[[Callable[[], None]], None] = aside,
    ) -> None:
        """Read the secret of this ARN, '' where the stack has none; tell `warn` why a read failed.

        `start` runs a read without waiting for it.
        """
        self._client = client
        self._arn = arn
        self._warn = warn
        self._clock = clock
        self._start = start
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._kept: Mapping[str, Headers] | None = None
        self._problem = "the secret CheckHeadersSecretArn has not answered yet"
        self._reads = False
        self._until = 0.0

    def fill(self, within_s: float = START_S) -> None:
        """Read the secret, and wait at most so long; a failure is only told, the next check asks again."""
        self._ask()
        self._ended.wait(within_s)

    def __call__(self, name: str) -> Headers:
        """Return at once the headers of this name that were read last; start a new read where one is due.

        Raises RemoteFailure with Kind.SETTINGS where none could be read so far: that is our own fault,
        whatever Secrets Manager says.
        """
        self._ask()
        kept = self._kept
        if kept is None:
            raise RemoteFailure(Symptom(Kind.SETTINGS, detail=f"no headers to send: {self._problem}"))
        if name not in kept:
            raise ConfigurationError(f"the secret CheckHeadersSecretArn has no headers {name!r}")
        return kept[name]

    def _ask(self) -> None:
        """Start a read where one is due: with nothing kept, as soon as none is under way."""
        asked = self._clock()
        with self._lock:
            if asked < self._until and (self._reads or self._kept is not None):
                return
            self._until = asked + AGAIN_S
            self._reads = True
        self._start(partial(self._keep, asked))

    def _keep(self, asked: float) -> None:
        try:
            self._kept = self._read()
            self._until = asked + KEPT_S
        except RegionFailoverError as error:
            self._problem = str(error)
            self._warn(self._problem)
        finally:
            self._reads = False
            self._ended.set()

    @remote
    def _read(self) -> Mapping[str, Headers]:
        found = self._client().get_secret_value(SecretId=self._arn)
        return read_headers(str(found["SecretString"]))


def read_headers(text: str) -> Mapping[str, Headers]:
    """Return what the secret holds; raise ConfigurationError, which repeats nothing of it."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(entry, dict) for entry in found.values()):
        raise ConfigurationError(
            'the secret CheckHeadersSecretArn: a JSON object {"<name>": {"<header>": "<value>"}} was expected'
        )
    for name, entry in found.items():
        for header, value in entry.items():
            if not _TOKEN.fullmatch(header) or not (isinstance(value, str) and _VALUE.fullmatch(value)):
                raise ConfigurationError(
                    f"the secret CheckHeadersSecretArn: {name!r} has a header whose name or value HTTP does"
                    " not allow: printable ASCII, no line break"
                )
    return found
