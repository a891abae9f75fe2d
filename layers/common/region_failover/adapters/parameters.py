"""SSM parameters, in whichever Regions the plan names."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from region_failover.adapters.clients import CONTROL, Patience, client
from region_failover.adapters.symptoms import remote

# One try: the copy in a dead Region must not hold up anything, and is made good later.
ONE_TRY = Patience(CONTROL.connect_s, CONTROL.read_s, attempts=1)

# What a new version of a parameter would lose unless it is said again (API reference, PutParameter: without a
# key the account's default encrypts it; without a tier, and of another type, an advanced or encrypted one is
# refused).
KEPT = ("Type", "KeyId", "Tier", "AllowedPattern", "DataType", "Description")


class Parameters:
    """Implements ports.Parameters."""

    @remote
    def read(self, region: str, name: str) -> str | None:
        """Return the value, decrypted where it is encrypted; None where there is no such parameter."""
        try:
            found = self._ssm(region).get_parameter(Name=name, WithDecryption=True)
        except ClientError as error:
            if not _is_missing(error):
                raise
            return None
        return str(found["Parameter"]["Value"])

    @remote
    def write(self, region: str, name: str, value: str) -> None:
        """Write the value, and leave the parameter what it is; makes a plain one where there is none."""
        ssm = self._ssm(region)
        ssm.put_parameter(Name=name, Value=value, Overwrite=True, **_kept(ssm, name))

    def _ssm(self, region: str) -> Any:
        return client("ssm", region, ONE_TRY)


def _kept(ssm: Any, name: str) -> dict[str, Any]:
    """Return what the newest version is; DescribeParameters, which knows it too, takes no resource in IAM."""
    try:
        pages = ssm.get_paginator("get_parameter_history").paginate(Name=name)
        versions = [version for page in pages for version in page["Parameters"]]
    except ClientError as error:
        if not _is_missing(error):
            raise
        versions = []
    newest = max(versions, key=lambda version: int(version["Version"]), default={"Type": "String"})
    return {key: newest[key] for key in KEPT if newest.get(key)}


def _is_missing(error: ClientError) -> bool:
    return bool(error.response["Error"]["Code"] == "ParameterNotFound")
