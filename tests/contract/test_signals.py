"""What every signal keeps: a value has its time, an object is replaced only over what was seen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.stub import Stubber
from moto import mock_aws

from region_failover.adapters.clients import CONTROL
from region_failover.adapters.clients import client as made
from region_failover.adapters.signals import Signals as AwsSignals
from region_failover.domain.dataplane import SIGNAL_METRIC, SIGNAL_NAMESPACE
from region_failover.domain.errors import FenceRefused, RemoteFailure
from region_failover.ports import Signals
from tests.cloud import client
from tests.fakes import WEST, Faults
from tests.fakes_dataplane import FakeSignals

BUCKET, KEY = "orders-signals", "orders/active"


class Moto:
    """The real adapter over moto, and what can be seen of it."""

    def __init__(self) -> None:
        client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": WEST})
        self.signals: Signals = AwsSignals(WEST)

    def maximum(self, minute: datetime, plan: str) -> float | None:
        found = client("cloudwatch").get_metric_statistics(
            Namespace=SIGNAL_NAMESPACE,
            MetricName=SIGNAL_METRIC,
            Dimensions=[{"Name": "plan", "Value": plan}],
            StartTime=minute,
            EndTime=minute + timedelta(minutes=1),
            Period=60,
            Statistics=["Maximum"],
        )["Datapoints"]
        return found[0]["Maximum"] if found else None

    def open_to_everybody(self) -> None:
        client("s3").put_object_acl(Bucket=BUCKET, Key=KEY, ACL="public-read")


class Fake:
    """The fake, seen in the same way."""

    def __init__(self) -> None:
        self.fake = FakeSignals(Faults())
        self.fake.public = False
        self.signals: Signals = self.fake

    def maximum(self, minute: datetime, plan: str) -> float | None:
        worst = self.fake.maximum(plan, minute)
        return None if worst is None else float(worst)

    def open_to_everybody(self) -> None:
        self.fake.public = True


@pytest.fixture(params=["fake", "moto"])
def world(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "fake":
        yield Fake()
        return
    with mock_aws():
        yield Moto()


def test_a_value_counts_for_the_minute_that_it_was_read_in(world: Any) -> None:
    minute = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=5)
    world.signals.publish("orders", True, minute + timedelta(seconds=59))
    world.signals.publish("orders", False, minute + timedelta(seconds=61))
    assert world.maximum(minute, "orders") == 1.0
    assert world.maximum(minute + timedelta(minutes=1), "orders") == 0.0
    assert world.maximum(minute + timedelta(minutes=2), "orders") is None


def test_plans_have_values_of_their_own_and_the_largest_of_a_minute_counts(world: Any) -> None:
    minute = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=5)
    world.signals.publish("orders", True, minute)
    world.signals.publish("orders", False, minute + timedelta(seconds=1))
    world.signals.publish("other", False, minute)
    assert (world.maximum(minute, "orders"), world.maximum(minute, "other")) == (1.0, 0.0)


def test_an_object_that_is_not_there_is_none_and_made_only_once(world: Any) -> None:
    assert world.signals.read(BUCKET, KEY) is None
    world.signals.write(BUCKET, KEY, "first", "")
    with pytest.raises(FenceRefused):
        world.signals.write(BUCKET, KEY, "second", "")
    assert world.signals.read(BUCKET, KEY).text == "first"


def test_an_object_is_replaced_only_over_the_one_that_was_seen(world: Any) -> None:
    world.signals.write(BUCKET, KEY, "first", "")
    seen = world.signals.read(BUCKET, KEY).tag
    world.signals.write(BUCKET, KEY, "second", seen)
    with pytest.raises(FenceRefused):
        world.signals.write(BUCKET, KEY, "late", seen)
    found = world.signals.read(BUCKET, KEY)
    assert found.text == "second"
    assert found.tag != seen


def test_an_object_that_is_gone_is_not_replaced(world: Any) -> None:
    with pytest.raises(FenceRefused):
        world.signals.write(BUCKET, KEY, "over nothing", '"0123456789abcdef0123456789abcdef"')
    assert world.signals.read(BUCKET, KEY) is None


def test_what_anybody_reads_is_known(world: Any) -> None:
    assert world.signals.public_text(BUCKET, KEY) is None
    world.signals.write(BUCKET, KEY, "the standby has the traffic", "")
    assert world.signals.public_text(BUCKET, KEY) is None
    world.open_to_everybody()
    assert world.signals.public_text(BUCKET, KEY) == "the standby has the traffic"


# what moto does not do


@pytest.mark.parametrize(
    ("code", "status"), [("PreconditionFailed", 412), ("ConditionalRequestConflict", 409), ("NoSuchKey", 404)]
)
def test_whatever_s3_says_of_a_changed_object_it_is_a_refusal(code: str, status: int) -> None:
    with Stubber(made("s3", WEST, CONTROL)) as stub:
        stub.add_client_error("put_object", code, http_status_code=status)
        with pytest.raises(FenceRefused):
            AwsSignals(WEST).write(BUCKET, KEY, "text", '"tag"')


def test_denied_is_no_refusal_but_our_own_failure() -> None:
    with Stubber(made("s3", WEST, CONTROL)) as stub:
        stub.add_client_error("put_object", "AccessDenied", http_status_code=403)
        with pytest.raises(RemoteFailure) as caught:
            AwsSignals(WEST).write(BUCKET, KEY, "text", "")
    assert caught.value.symptom.code == "AccessDenied"


def test_of_an_object_that_is_not_there_s3_may_say_denied() -> None:
    with Stubber(made("s3", WEST, CONTROL)) as stub:
        stub.add_client_error("get_object", "AccessDenied", http_status_code=403)
        assert AwsSignals(WEST).read(BUCKET, KEY) is None


def test_a_server_that_fails_is_not_taken_for_an_object_that_is_not_there() -> None:
    with Stubber(made("s3", WEST, CONTROL)) as stub:
        for _ in range(CONTROL.attempts):
            stub.add_client_error("get_object", "SlowDown", http_status_code=503)
        with pytest.raises(RemoteFailure):
            AwsSignals(WEST).read(BUCKET, KEY)
