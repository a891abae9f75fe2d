"""The Linode token, from Secrets Manager; kept in memory only, never logged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from region_failover.adapters.symptoms import remote
from region_failover.domain.errors import ConfigurationError


def secret_reader(client: Callable[[], Any], arn: str) -> Callable[[], str]:
    """Return a function that reads the secret once, at first use."""
    kept: list[str] = []

    @remote
    def read() -> str:
        if not arn:
            raise ConfigurationError(
                "LINODE_TOKEN_SECRET_ARN is empty, and a plan has Linode records: give the stack's parameter"
                " LinodeTokenSecretArn the ARN of a secret that holds the token"
            )
        if not kept:
            kept.append(str(client().get_secret_value(SecretId=arn)["SecretString"]).strip())
        return kept[0]

    return read
