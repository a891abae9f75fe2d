"""Headers that checks send along, from one secret in Secrets Manager; kept in memory, never logged."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from region_failover.adapters.symptoms import remote
from region_failover.domain.errors import ConfigurationError, RemoteFailure

# A header that was rotated is known after so many seconds.
KEPT_S = 300.0

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")  # RFC 9110, section 5.1
_VALUE = re.compile(r"[!-~]([ -~]{0,2046}[!-~])?")

Headers = Mapping[str, str]


class SecretHeaders:
    """Reads the secret, a JSON object: {"<name>": {"<header>": "<value>", ...}, ...}."""

    def __init__(
        self, client: Callable[[], Any], arn: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Read the secret of this ARN; '' where the stack has none."""
        self._client = client
        self._arn = arn
        self._clock = clock
        self._kept: Mapping[str, Headers] = {}
        self._until = 0.0

    def __call__(self, name: str) -> Headers:
        """Return the headers of this name; those that were read last where the secret cannot be read now."""
        if not self._kept or self._clock() >= self._until:
            try:
                self._kept = self._read()
                self._until = self._clock() + KEPT_S
            except RemoteFailure:
                if not self._kept:
                    raise
        if name not in self._kept:
            raise ConfigurationError(f"the secret CheckHeadersSecretArn has no headers {name!r}")
        return self._kept[name]

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
