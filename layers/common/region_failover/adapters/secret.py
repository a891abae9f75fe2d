"""The Linode token, from Secrets Manager; kept in memory only, never logged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from region_failover.adapters.symptoms import remote
from region_failover.domain.errors import ConfigurationError


class Secret:
    """A secret that is read at first use, and again after it has been forgotten."""

    def __init__(self, client: Callable[[], Any], arn: str) -> None:
        """Read the secret of this ARN; '' where the stack has none."""
        self._client = client
        self._arn = arn
        self._kept = ""

    def forget(self) -> None:
        """Forget the value: it was refused, and may have been rotated since."""
        self._kept = ""

    @remote
    def read(self) -> str:
        """Return the value."""
        if not self._arn:
            raise ConfigurationError(
                "LINODE_TOKEN_SECRET_ARN is empty, and a plan asks Linode's API: give the stack's parameter"
                " LinodeTokenSecretArn the ARN of a secret that holds the token"
            )
        if not self._kept:
            found = self._client().get_secret_value(SecretId=self._arn)
            self._kept = str(found["SecretString"]).strip()
        return self._kept
