"""The operator's keys, from one secret in Secrets Manager; kept in memory for minutes, never logged."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from region_failover.adapters.symptoms import remote
from region_failover.domain.errors import ConfigurationError

# A key that was rotated, or a monitor that was added, is known after so many seconds.
KEPT_S = 300.0


class OperatorKeys:
    """Reads the secret, a JSON object of texts: 'page', and 'webhook-<monitor>' for each external monitor."""

    def __init__(
        self, client: Callable[[], Any], arn: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Read the secret of this ARN."""
        self._client = client
        self._arn = arn
        self._clock = clock
        self._kept: Mapping[str, str] = {}
        self._until = 0.0

    @remote
    def __call__(self) -> Mapping[str, str]:
        """Return the keys by name."""
        if not self._kept or self._clock() >= self._until:
            found = self._client().get_secret_value(SecretId=self._arn)
            self._kept = _read(str(found["SecretString"]))
            self._until = self._clock() + KEPT_S
        return self._kept


def _read(text: str) -> Mapping[str, str]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) and value for value in found.values()):
        raise ConfigurationError("the operator's secret: a JSON object of texts was expected")
    if "page" not in found:
        raise ConfigurationError("the operator's secret has no key 'page'; the stack's template makes it")
    return found
