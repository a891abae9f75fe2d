"""Headers that checks send along: from the secret, on the wire, and in no error."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from threading import Timer

import pytest
from botocore.exceptions import ClientError

from region_failover.adapters.endpoints import Endpoints
from region_failover.adapters.headers import AGAIN_S, KEPT_S, SecretHeaders, read_headers
from region_failover.adapters.system import SystemClock, together
from region_failover.domain.errors import ConfigurationError, RemoteFailure
from region_failover.domain.plan import HttpCheck
from region_failover.domain.symptom import Blame, Kind, Symptom, blame
from region_failover.domain.verdict import Health
from region_failover.service.observe import Observation, glance
from tests.cloud import endpoint
from tests.fakes import PLAN, World

SECRET = {"orders-health": {"X-Health-Token": "s3cret-of-the-check", "X-From": "region-failover"}}
ROTATED = {"orders-health": {"X-Health-Token": "rotated"}}


class Manager:
    """Secrets Manager with one secret."""

    def __init__(self, held: object = SECRET) -> None:
        self.held = held
        self.fails = False
        self.asked = 0
        self.goes_on = threading.Event()  # cleared, it hangs
        self.goes_on.set()

    def get_secret_value(self, SecretId: str) -> Mapping[str, str]:
        self.asked += 1
        self.goes_on.wait()
        if self.fails:
            error = {"Error": {"Code": "InternalServiceError"}, "ResponseMetadata": {"HTTPStatusCode": 500}}
            raise ClientError(error, "GetSecretValue")  # type: ignore[arg-type]
        return {"SecretString": self.held if isinstance(self.held, str) else json.dumps(self.held)}


def round_of(endpoints: Endpoints, url: str) -> Observation:
    """Return what a round of one check with headers and a ceiling shows, in real time."""
    check = HttpCheck(url, url, within=timedelta(seconds=1), headers="orders-health")
    plan = replace(PLAN, http_checks=(check,), dynamodb_checks=())
    ports = replace(World(plan).ports(), clock=SystemClock(), together=together, endpoints=endpoints)
    return glance(ports, plan)


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Reader:
    """Headers whose reads begin when they are due, and end when the test says so."""

    def __init__(self, manager: Manager) -> None:
        self.time = Time()
        self.told: list[str] = []
        self.waiting: list[Callable[[], None]] = []
        self.headers = SecretHeaders(lambda: manager, "arn", self.told.append, self.time, self.waiting.append)

    def answer(self) -> None:
        """Let every read that has begun end."""
        while self.waiting:
            self.waiting.pop(0)()

    def failure(self, name: str = "orders-health") -> Symptom:
        with pytest.raises(RemoteFailure) as failure:
            self.headers(name)
        return failure.value.symptom


@pytest.fixture
def manager() -> Iterator[Manager]:
    found = Manager()
    yield found
    found.goes_on.set()


@pytest.fixture
def reader(manager: Manager) -> Reader:
    """Headers that have not been read yet."""
    return Reader(manager)


@pytest.fixture
def kept(manager: Manager) -> Reader:
    """Headers that were read at the start."""
    found = Reader(manager)
    found.headers.fill(0.0)
    found.answer()
    return found


def test_headers_are_read_once_in_a_while(manager: Manager, kept: Reader) -> None:
    for _ in range(3):
        assert kept.headers("orders-health") == SECRET["orders-health"]
    assert not kept.waiting
    manager.held = ROTATED
    kept.time.now = KEPT_S
    kept.headers("orders-health")
    kept.answer()
    assert kept.headers("orders-health") == ROTATED["orders-health"]
    assert manager.asked == 2


def test_a_read_that_hangs_holds_up_no_check(kept: Reader) -> None:
    kept.time.now = KEPT_S
    for _ in range(3):
        assert kept.headers("orders-health") == SECRET["orders-health"]
    assert len(kept.waiting) == 1


def test_a_read_that_never_ends_is_given_up_after_a_while(manager: Manager, kept: Reader) -> None:
    kept.time.now = KEPT_S
    kept.headers("orders-health")
    kept.waiting.clear()
    manager.held = ROTATED
    kept.time.now += AGAIN_S
    kept.headers("orders-health")
    kept.answer()
    assert kept.headers("orders-health") == ROTATED["orders-health"]


@pytest.mark.parametrize("held", ["no JSON: s3cret", None], ids=["a bad rotation", "no answer"])
def test_those_that_were_read_last_are_sent_where_the_secret_cannot_be_read(
    manager: Manager, kept: Reader, held: str | None
) -> None:
    manager.fails, manager.held = held is None, held
    kept.time.now = KEPT_S
    for _ in range(3):
        assert kept.headers("orders-health") == SECRET["orders-health"]
        kept.answer()
    (told,) = kept.told
    assert ("InternalServiceError" if held is None else "a JSON object") in told
    assert "s3cret" not in told
    kept.time.now += AGAIN_S
    kept.headers("orders-health")
    assert len(kept.waiting) == 1


def test_what_was_asked_before_a_freeze_is_as_old_as_the_question(kept: Reader) -> None:
    kept.time.now = KEPT_S
    kept.headers("orders-health")
    kept.time.now = 3 * KEPT_S
    kept.answer()
    kept.headers("orders-health")
    assert len(kept.waiting) == 1


@pytest.mark.parametrize("held", ["no JSON: s3cret", None], ids=["a bad secret", "no answer"])
def test_headers_that_could_never_be_read_are_our_fault(
    manager: Manager, reader: Reader, held: str | None
) -> None:
    manager.fails, manager.held = held is None, held
    for _ in range(2):
        symptom = reader.failure()  # first not answered yet, then whatever Secrets Manager said
        assert (symptom.kind, blame(symptom)) == (Kind.SETTINGS, Blame.OURS)
        assert "s3cret" not in str(symptom)
        reader.answer()
    assert reader.told


def test_with_nothing_kept_each_check_asks_again_but_not_twice_at_once(
    manager: Manager, reader: Reader
) -> None:
    manager.fails = True
    reader.failure()
    reader.failure()
    assert len(reader.waiting) == 1
    reader.answer()
    manager.fails = False
    reader.failure()
    reader.answer()
    assert reader.headers("orders-health") == SECRET["orders-health"]


def test_a_start_waits_for_the_first_read_and_no_longer_than_it_is_told(manager: Manager) -> None:
    headers = SecretHeaders(lambda: manager, "arn", [].append, start=lambda read: Timer(0.1, read).start())
    headers.fill(5.0)
    assert headers("orders-health") == SECRET["orders-health"]
    Reader(manager).headers.fill(0.0)


def test_a_start_goes_on_where_the_secret_cannot_be_read(manager: Manager, reader: Reader) -> None:
    manager.fails = True
    reader.headers.fill(0.0)
    reader.answer()
    assert "InternalServiceError" in str(reader.failure())
    assert len(reader.told) == 1


def test_a_secrets_manager_that_hangs_is_not_the_endpoints_time(manager: Manager) -> None:
    time = Time()
    headers = SecretHeaders(lambda: manager, "arn", [].append, time)
    headers.fill(5.0)
    manager.goes_on.clear()
    time.now = KEPT_S
    with endpoint() as found:
        seen = round_of(Endpoints(headers), found.url)
    assert [result.symptom for result in seen.results] == [None, None]
    assert {sample.health for sample in seen.samples.values()} == {Health.HEALTHY}


def test_a_secrets_manager_that_hangs_from_the_start_is_no_evidence(manager: Manager) -> None:
    manager.goes_on.clear()
    headers = SecretHeaders(lambda: manager, "arn", [].append)
    headers.fill(0.0)
    with endpoint() as found:
        seen = round_of(Endpoints(headers), found.url)
    for result in seen.results:
        assert result.symptom is not None
        assert (result.symptom.kind, blame(result.symptom)) == (Kind.SETTINGS, Blame.OURS)
    assert {sample.health for sample in seen.samples.values()} == {Health.UNKNOWN}


def test_a_name_that_the_secret_does_not_have_is_our_mistake(kept: Reader) -> None:
    with pytest.raises(ConfigurationError, match="has no headers 'payments'"):
        kept.headers("payments")


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
