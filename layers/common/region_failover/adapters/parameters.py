"""SSM parameters, in whichever Regions the plan names."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from region_failover.adapters.clients import CONTROL, Patience, client
from region_failover.adapters.symptoms import remote

# One try: the copy in a dead Region must not hold up anything, and is made good later.
ONE_TRY = Patience(CONTROL.connect_s, CONTROL.read_s, attempts=1)


class Parameters:
    """Implements ports.Parameters."""

    @remote
    def read(self, region: str, name: str) -> str | None:
        """Return the value, None where there is no such parameter."""
        try:
            return str(self._ssm(region).get_parameter(Name=name)["Parameter"]["Value"])
        except ClientError as error:
            if error.response["Error"]["Code"] == "ParameterNotFound":
                return None
            raise

    @remote
    def write(self, region: str, name: str, value: str) -> None:
        """Write the value; makes the parameter where there is none."""
        self._ssm(region).put_parameter(Name=name, Value=value, Type="String", Overwrite=True)

    def _ssm(self, region: str) -> Any:
        return client("ssm", region, ONE_TRY)
