"""What every state store keeps: exact compare-and-swap, history with the end, own writes recognised."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError
from botocore.stub import Stubber
from moto import mock_aws

from region_failover.adapters.state_table import StateTable
from region_failover.domain.errors import StateUnavailable
from region_failover.domain.journal import Claim, claim
from region_failover.domain.state import Direction, PlanState, Step, StepKind, Transition, initial_state
from region_failover.domain.verdict import Health, HealthRecord
from region_failover.ports import StateStore
from tests.cloud import STATE_TABLE, client, make_table
from tests.fakes import EAST, NOON, WEST, MemoryStore, health


@pytest.fixture(params=["fake", "moto"])
def store(request: pytest.FixtureRequest) -> Iterator[StateStore]:
    if request.param == "fake":
        yield MemoryStore()
        return
    with mock_aws():
        make_table(WEST, STATE_TABLE, "pk", "sk")
        yield StateTable(client("dynamodb"), STATE_TABLE)


def state(version: int = 1, **changes: Any) -> PlanState:
    return replace(initial_state("orders", 7, EAST), version=version, **changes)


def ended() -> Transition:
    request = Claim(
        Direction.FAILOVER, EAST, WEST, "why", False, "a", (Step(StepKind.SSM, "/x", EAST),), NOON
    )
    found = claim(state(), request, NOON)
    assert found is not None
    assert found.transition is not None
    return replace(found.transition, ended_at=NOON, outcome="completed")


def test_what_is_not_there_is_none(store: StateStore) -> None:
    assert store.load_state("orders") is None
    assert store.load_health("orders") is None


def test_what_was_saved_is_loaded(store: StateStore) -> None:
    assert store.save_state(state(), 0)
    assert store.load_state("orders") == state()
    assert store.load_state("payments") is None


@pytest.mark.parametrize("expected", [0, 2, 7])
def test_a_save_that_expects_another_version_is_refused_and_changes_nothing(
    store: StateStore, expected: int
) -> None:
    assert store.save_state(state(), 0)
    assert not store.save_state(state(version=9, active=WEST), expected)
    assert store.load_state("orders") == state()


def test_of_two_saves_on_one_version_the_first_wins(store: StateStore) -> None:
    assert store.save_state(state(), 0)
    assert store.save_state(state(version=2, active=WEST), 1)
    assert not store.save_state(state(version=2, paused=True), 1)
    assert store.load_state("orders") == state(version=2, active=WEST)


def test_an_end_goes_into_the_history_with_the_state_or_not_at_all(store: StateStore) -> None:
    assert store.save_state(state(), 0)
    assert not store.save_state(state(version=5), 4, ended())
    assert store.save_state(state(version=2), 1, ended())
    assert not store.save_state(state(version=3), 2, ended())  # an epoch ends once
    assert store.load_state("orders") == state(version=2)
    again = replace(ended(), started_at=NOON + timedelta(days=1))  # of a record lost and made anew
    assert store.save_state(state(version=3), 2, again)


def test_a_health_record_is_saved_by_compare_and_swap_too(store: StateStore) -> None:
    record = HealthRecord("orders", 1, {EAST: health(Health.HEALTHY, NOON, NOON)}, {"a>b": 0.25})
    assert store.save_health(record, 0)
    assert not store.save_health(replace(record, lags={}), 0)
    assert store.save_health(replace(record, version=2), 1)
    assert store.load_health("orders") == replace(record, version=2)


def test_state_and_health_do_not_share_a_version(store: StateStore) -> None:
    assert store.save_state(state(), 0)
    assert store.save_health(HealthRecord("orders", 1), 0)


def test_two_decisions_of_one_moment_are_both_kept(store: StateStore) -> None:
    for reason in ("drift", "paused"):
        store.record_decision("orders", NOON, {"reason": reason, "situation": {"now": NOON}})
    if isinstance(store, MemoryStore):
        kept = [decision for _, _, decision in store.decisions]
    else:
        kept = [json.loads(i["body"]["S"]) for i in client("dynamodb").scan(TableName=STATE_TABLE)["Items"]]
    assert sorted(decision["reason"] for decision in kept) == ["drift", "paused"]


def test_a_store_out_of_reach_says_so_and_nothing_else() -> None:
    with mock_aws():
        table = StateTable(client("dynamodb"), "no-such-table")
        calls = (
            lambda: table.load_state("orders"),
            lambda: table.save_state(state(), 0),
            lambda: table.save_state(state(), 0, ended()),
            lambda: table.load_health("orders"),
            lambda: table.save_health(HealthRecord("orders", 1), 0),
            lambda: table.record_decision("orders", NOON, {}),
        )
        for call in calls:
            with pytest.raises(StateUnavailable, match="state table no-such-table"):
                call()


class LosesTheReply:
    """A DynamoDB client whose first write takes effect and is then sent again, as the SDK's retry does."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def put_item(self, **request: Any) -> Any:
        self._inner.put_item(**request)
        return self._inner.put_item(**request)


def test_a_reply_lost_and_retried_by_the_sdk_counts_as_ours() -> None:
    with mock_aws():
        make_table(WEST, STATE_TABLE, "pk", "sk")
        table = StateTable(LosesTheReply(client("dynamodb")), STATE_TABLE)
        assert table.save_state(state(), 0)
        assert table.save_state(state(version=2), 1)
        assert not table.save_state(state(version=2, active=WEST), 1)
        assert table.load_state("orders") == state(version=2)


def stubbed() -> tuple[StateTable, Stubber]:
    session: Any = boto3.session.Session("a", "b", region_name=WEST)
    dynamodb = session.client("dynamodb")
    return StateTable(dynamodb, STATE_TABLE), Stubber(dynamodb)


@pytest.mark.parametrize("code", ["ConditionalCheckFailed", "TransactionConflict"])
def test_a_transaction_cancelled_by_a_race_is_a_lost_race(code: str) -> None:
    table, stub = stubbed()
    reasons = {"CancellationReasons": [{"Code": code}, {"Code": "None"}]}
    stub.add_client_error("transact_write_items", "TransactionCanceledException", modeled_fields=reasons)
    with stub:
        assert not table.save_state(state(version=2), 1, ended())


def test_a_transaction_cancelled_for_another_reason_is_an_unavailable_table() -> None:
    table, stub = stubbed()
    reasons = {"CancellationReasons": [{"Code": "ThrottlingError"}, {"Code": "None"}]}
    stub.add_client_error("transact_write_items", "TransactionCanceledException", modeled_fields=reasons)
    with stub, pytest.raises(StateUnavailable):
        table.save_state(state(version=2), 1, ended())


@pytest.mark.parametrize(
    "error",
    [
        ConnectTimeoutError(endpoint_url="https://dynamodb"),
        ReadTimeoutError(endpoint_url="https://dynamodb"),
        ClientError({"Error": {"Code": "InternalServerError"}}, "PutItem"),
        ClientError({"Error": {"Code": "AccessDeniedException"}}, "PutItem"),
        OSError("network is down"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_goes_wrong_is_an_unavailable_table(error: Exception) -> None:
    class Broken:
        def __getattr__(self, name: str) -> Any:
            def call(**_: Any) -> Any:
                raise error

            return call

    with pytest.raises(StateUnavailable):
        StateTable(Broken(), STATE_TABLE).save_state(state(), 0)


def test_the_table_shows_active_epoch_and_phase_to_the_eye() -> None:
    with mock_aws():
        make_table(WEST, STATE_TABLE, "pk", "sk")
        StateTable(client("dynamodb"), STATE_TABLE).save_state(state(), 0)
        (item,) = client("dynamodb").scan(TableName=STATE_TABLE)["Items"]
        assert (item["pk"]["S"], item["sk"]["S"]) == ("plan#orders", "state")
        assert (item["active"]["S"], item["epoch"]["N"], item["phase"]["S"]) == (EAST, "7", "steady")
