"""What Route 53's health checks follow: a metric and objects, in the control Region.

The metric is put by `PutMetricData`, not as a line of the log (EMF): the answer says whether CloudWatch has
taken it, it is there at once, and it carries the time at which the record was read (docs/adr/0027).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from region_failover.adapters.clients import CONTROL, client
from region_failover.adapters.symptoms import remote
from region_failover.domain.dataplane import (
    SIGNAL_DIMENSION,
    SIGNAL_METRIC,
    SIGNAL_NAMESPACE,
    SignalObject,
)
from region_failover.domain.errors import FenceRefused

# S3 says 'denied' of an object that is not there to whoever may not list the bucket.
_NOT_TO_BE_SEEN = frozenset({"NoSuchKey", "404", "AccessDenied", "403"})
_CHANGED = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict", "409", "NoSuchKey", "404"})

# Route 53 looks for the text in so many bytes of the answer.
READ_BYTES = 5120


class Signals:
    """Implements ports.Signals."""

    def __init__(self, region: str) -> None:
        """Signal from this Region, the control Region."""
        self._region = region

    @remote
    def publish(self, plan: str, standby: bool, at: datetime) -> None:
        """Put one value of the plan's metric, for that time."""
        client("cloudwatch", self._region, CONTROL).put_metric_data(
            Namespace=SIGNAL_NAMESPACE,
            MetricData=[
                {
                    "MetricName": SIGNAL_METRIC,
                    "Dimensions": [{"Name": SIGNAL_DIMENSION, "Value": plan}],
                    "Timestamp": at,
                    "Value": float(standby),
                }
            ],
        )

    @remote
    def read(self, bucket: str, key: str) -> SignalObject | None:
        """Return the object, None where none is to be seen."""
        try:
            found = client("s3", self._region, CONTROL).get_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in _NOT_TO_BE_SEEN:
                return None
            raise
        return SignalObject(str(found["ETag"]), _text(found["Body"]))

    @remote
    def write(self, bucket: str, key: str, text: str, replacing: str) -> None:
        """Put the object over the one with this ETag, or where there is none (conditional writes of S3).

        A reply that is lost, and the SDK's second try, end as FenceRefused: whoever asks again reads what
        is there.
        """
        condition = {"IfMatch": replacing} if replacing else {"IfNoneMatch": "*"}
        try:
            client("s3", self._region, CONTROL).put_object(
                Bucket=bucket, Key=key, Body=text.encode(), ContentType="text/plain", **condition
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in _CHANGED:
                raise FenceRefused(f"s3://{bucket}/{key}: something else is there by now") from error
            raise

    @remote
    def public_text(self, bucket: str, key: str) -> str | None:
        """Return what a GET without credentials reads, as Route 53's health checkers send it."""
        anybody: Any = boto3.session.Session().client(
            "s3",
            region_name=self._region,
            config=Config(
                signature_version=UNSIGNED,
                connect_timeout=CONTROL.connect_s,
                read_timeout=CONTROL.read_s,
                retries={"mode": "standard", "total_max_attempts": CONTROL.attempts},
            ),
        )
        try:
            return _text(anybody.get_object(Bucket=bucket, Key=key)["Body"])
        except ClientError as error:
            if error.response["Error"]["Code"] in _NOT_TO_BE_SEEN:
                return None
            raise


def _text(body: Any) -> str:
    return bytes(body.read(READ_BYTES)).decode("utf-8", errors="replace")
