"""The Linode token, from Secrets Manager; kept in memory only, never logged."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from typing import Any

from region_failover.adapters.symptoms import remote
from region_failover.domain.errors import ConfigurationError

# A token that was rotated, and whose predecessor still works, is in use after so many seconds.
KEPT_S = 300.0
# So long the one that is kept stays in use where the secret cannot be read.
AGAIN_S = 30.0

# What may stand in a header behind 'Bearer ' (RFC 6750, section 2.1).
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")


class Secret:
    """A secret that is read at first use, every few minutes, and again after it has been refused."""

    def __init__(
        self, client: Callable[[], Any], arn: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Read the secret of this ARN; '' where the stack has none."""
        self._client = client
        self._arn = arn
        self._clock = clock
        self._lock = threading.Lock()
        self._kept = ""
        self._until = 0.0

    def forget(self, refused: str) -> None:
        """Forget this value, if it is the one that is kept: it was refused, and may have been rotated since.

        Of several threads that were refused with the same one, the first has it read anew.
        """
        with self._lock:
            if self._kept == refused:
                self._kept = ""

    @remote
    def read(self) -> str:
        """Return the value; raise ConfigurationError, which repeats nothing of it, where it is no token."""
        if not self._arn:
            raise ConfigurationError(
                "LINODE_TOKEN_SECRET_ARN is empty, and a plan asks Linode's API: give the stack's parameter"
                " LinodeTokenSecretArn the ARN of a secret that holds the token"
            )
        with self._lock:
            if not self._kept or self._clock() >= self._until:
                self._refresh()
            return self._kept

    def _refresh(self) -> None:
        """Read the secret; one that cannot be read now is no reason to lose a token that Linode takes."""
        asked = self._clock()
        try:
            self._kept = token_in(self._client().get_secret_value(SecretId=self._arn))
            self._until = asked + KEPT_S
        except Exception:
            if not self._kept:
                raise
            self._until = asked + AGAIN_S


def token_in(answer: dict[str, Any]) -> str:
    """Return the token that a secret holds, without white space around it; never shown, not even in part."""
    text = answer.get("SecretString")
    token = text.strip() if isinstance(text, str) else ""
    if not _TOKEN.fullmatch(token):
        raise ConfigurationError(
            "the secret LinodeTokenSecretArn holds no token: one line of letters, digits and -._~+/ was"
            " expected, as plain text (no JSON)"
        )
    return token
