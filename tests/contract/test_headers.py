"""Headers that checks send along: from the secret, on the wire, and in no error."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from botocore.exceptions import ClientError

from region_failover.adapters.headers import KEPT_S, SecretHeaders, read_headers
from region_failover.domain.errors import ConfigurationError, RemoteFailure

SECRET = {"orders-health": {"X-Health-Token": "s3cret-of-the-check", "X-From": "region-failover"}}


class Manager:
    """Secrets Manager with one secret."""

    def __init__(self, held: object = SECRET) -> None:
        self.held = held
        self.fails = False
        self.asked = 0

    def get_secret_value(self, SecretId: str) -> Mapping[str, str]:
        self.asked += 1
        if self.fails:
            error = {"Error": {"Code": "InternalServiceError"}, "ResponseMetadata": {"HTTPStatusCode": 500}}
            raise ClientError(error, "GetSecretValue")  # type: ignore[arg-type]
        return {"SecretString": self.held if isinstance(self.held, str) else json.dumps(self.held)}


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_headers_are_read_once_in_a_while() -> None:
    manager, time = Manager(), Time()
    headers = SecretHeaders(lambda: manager, "arn", time)
    for _ in range(3):
        assert headers("orders-health") == SECRET["orders-health"]
    assert manager.asked == 1
    manager.held = {"orders-health": {"X-Health-Token": "rotated"}}
    time.now = KEPT_S
    assert headers("orders-health") == {"X-Health-Token": "rotated"}


def test_those_that_were_read_last_are_sent_where_the_secret_cannot_be_read() -> None:
    manager, time = Manager(), Time()
    headers = SecretHeaders(lambda: manager, "arn", time)
    manager.fails = True
    with pytest.raises(RemoteFailure):
        headers("orders-health")
    manager.fails = False
    headers("orders-health")
    manager.fails, time.now = True, KEPT_S
    assert headers("orders-health") == SECRET["orders-health"]


def test_a_name_that_the_secret_does_not_have_is_our_mistake() -> None:
    with pytest.raises(ConfigurationError, match="has no headers 'payments'"):
        SecretHeaders(Manager, "arn")("payments")


@pytest.mark.parametrize(
    "held",
    [
        "no JSON: s3cret",
        "[]",
        json.dumps({"a": "s3cret"}),
        json.dumps({"a": {"X": 5}}),
        json.dumps({"a": {"X": ""}}),
        json.dumps({"a": {"X Y": "s3cret"}}),
        json.dumps({"a": {"X": "s3cret\r\nHost: elsewhere"}}),
        json.dumps({"a": {"X": "s3cret-ü"}}),
        json.dumps({"a": {"": "s3cret"}}),
    ],
)
def test_a_secret_of_another_shape_is_refused_without_a_word_of_it(held: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        read_headers(held)
    assert "s3cret" not in str(refusal.value)
