"""One value in a secret of Secrets Manager, in whichever Regions the plan names (I24: nothing else gets out).

A version's content never changes. A new one is put under a label of our own, and becomes current by moving
AWSCURRENT from the version that was seen: 'If the label is attached and [...] the version ID does not match,
then the operation fails' (API reference, UpdateSecretVersionStage). A rotation does it in the same way.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from botocore.exceptions import ClientError

from region_failover.adapters.clients import client
from region_failover.adapters.parameters import ONE_TRY
from region_failover.adapters.symptoms import remote
from region_failover.domain.configuration import NotSwitchable, text_at, with_text_at
from region_failover.domain.errors import RemoteFailure
from region_failover.domain.symptom import Kind, Symptom
from region_failover.ports import SecretState

CURRENT = "AWSCURRENT"
# A version without any label may be deleted at any time; this one is on our newest.
OURS = "region-failover"


class SecretValues:
    """Implements ports.Secrets."""

    @remote
    def read(self, region: str, name: str, key: str, known: Collection[str]) -> SecretState | None:
        """Return the current version, and its value at the key if that is one of `known`."""
        try:
            found = self._client(region).get_secret_value(SecretId=name, VersionStage=CURRENT)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return None
            raise
        try:
            value = text_at(_text(found), key)
        except NotSwitchable as error:
            raise _failure(str(error)) from None
        return SecretState(str(found["VersionId"]), value if value in known else "")

    @remote
    def replace(self, region: str, name: str, key: str, value: str, replaced: str, token: str) -> bool:
        """Put a version that differs from `replaced` in this value alone; False if another is current."""
        secrets = self._client(region)
        found = secrets.get_secret_value(SecretId=name, VersionId=replaced)
        try:
            text = with_text_at(_text(found), key, value)
        except NotSwitchable as error:
            raise _failure(str(error)) from None
        _put(secrets, SecretId=name, SecretString=text, ClientRequestToken=token, VersionStages=[OURS])
        try:
            secrets.update_secret_version_stage(
                SecretId=name, VersionStage=CURRENT, MoveToVersionId=token, RemoveFromVersionId=replaced
            )
        except ClientError:
            current = str(secrets.get_secret_value(SecretId=name, VersionStage=CURRENT)["VersionId"])
            if current == replaced:
                raise
            return current == token
        return True

    def _client(self, region: str) -> Any:
        return client("secretsmanager", region, ONE_TRY)


def _put(secrets: Any, **version: Any) -> None:
    try:
        secrets.put_secret_value(**version)
    except ClientError as error:
        if "replica" in error.response["Error"].get("Message", ""):
            raise _failure("it is a replica; its set is written in the primary secret's Region") from None
        raise


def _text(found: dict[str, Any]) -> str:
    if "SecretString" not in found:
        raise NotSwitchable("it is binary, a text was expected")
    return str(found["SecretString"])


def _failure(problem: str) -> RemoteFailure:
    return RemoteFailure(Symptom(Kind.SETTINGS, detail=f"the secret cannot be switched: {problem}"))
