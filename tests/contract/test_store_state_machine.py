"""Any sequence of loads, saves, races, lost replies and outages, on every state store, against a plain dict.

The same machine runs on the tests' own fake, on moto and on the embedded AWS. Its model knows what a store
promises: a save holds only on the version it expects, a refused or unsent one leaves everything as it was
(the history too), a lost reply that the SDK answers by sending again counts as ours, and what is loaded is
what was saved, through the codec, for arbitrary records.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError
from hypothesis import HealthCheck, settings
from hypothesis import Phase as Stage
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from moto import mock_aws

from drill.emulator import Emulator
from region_failover.adapters.state_table import StateTable
from region_failover.domain.codec import dump
from region_failover.domain.errors import StateUnavailable
from region_failover.domain.state import PlanState, Transition
from region_failover.domain.verdict import HealthRecord
from region_failover.ports import StateStore
from tests.cloud import STATE_TABLE, client, make_table
from tests.fakes import WEST, MemoryStore
from tests.strategies import HEALTHS, STATES, TEXT, TIMES, TRANSITIONS

T = TypeVar("T")

PLANS = ("orders", "payments")
WRITES = ("put_item", "transact_write_items")

# A way for one save or decision to go wrong. 'lost': the write is done, its reply is lost, and the SDK sends
# the same request again. 'unsent', 'unanswered': the caller learns only that the store is out of reach.
MISHAPS = ("none", "none", "none", "lost", "unsent", "unanswered")

# What another worker may expect, relative to the version that is there: right, stale, future.
EXPECTATIONS = (0, 0, 0, -1, 1, 7)

# Few epochs and moments, so that the same transition ends twice.
transitions = st.builds(
    replace,
    TRANSITIONS,
    epoch=st.integers(1, 3),
    started_at=st.sampled_from([datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)]),
)
states = st.builds(
    replace,
    STATES,
    plan=st.sampled_from(PLANS),
    version=st.just(0),
    transition=st.none() | transitions,
)
healths = st.builds(replace, HEALTHS, plan=st.sampled_from(PLANS), version=st.just(0))


class Subject:
    """A store under test: it can be made to fail once, and looked into past its own methods."""

    store: StateStore

    def arm(self, mishap: str) -> None:
        """Let the next write go wrong that way."""
        raise NotImplementedError

    def history(self, plan: str) -> list[str]:
        """Return every ended transition of a plan as it is kept (JSON), in any order."""
        raise NotImplementedError

    def decisions(self) -> list[tuple[str, object]]:
        """Return (plan, decision) for each on record, in any order."""
        raise NotImplementedError


class Memory(Subject):
    """The tests' own fake. It has no SDK that would send again: a lost reply is an ordinary save."""

    def __init__(self) -> None:
        self.store = self.memory = MemoryStore()

    def arm(self, mishap: str) -> None:
        self.memory.faults.clear()
        place = {"unsent": self.memory.faults.before, "unanswered": self.memory.faults.after}.get(mishap)
        for operation in ("save_state", "save_health", "record_decision") if place else ():
            assert place is not None
            place(f"store.{operation}", StateUnavailable("made unavailable"))

    def history(self, plan: str) -> list[str]:
        return [body for (of, _, _), body in self.memory.history.items() if of == plan]

    def decisions(self) -> list[tuple[str, object]]:
        return [(plan, decision) for plan, _, decision in self.memory.decisions]


class Clumsy:
    """A DynamoDB client whose next write goes wrong."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.mishap = "none"
        self.sent_again = 0

    def __getattr__(self, name: str) -> Any:
        return self._write(name) if name in WRITES else getattr(self._inner, name)

    def _write(self, name: str) -> Callable[..., Any]:
        inner = getattr(self._inner, name)

        def write(**request: Any) -> Any:
            mishap, self.mishap = self.mishap, "none"
            if mishap == "unsent":
                raise ConnectTimeoutError(endpoint_url="https://dynamodb")
            if mishap == "lost":
                self._whatever_it_answers(inner, request)
                self.sent_again += 1
            if mishap == "unanswered":
                self._whatever_it_answers(inner, request)
                raise ReadTimeoutError(endpoint_url="https://dynamodb")
            return inner(**request)

        return write

    @staticmethod
    def _whatever_it_answers(inner: Callable[..., Any], request: dict[str, Any]) -> None:
        with contextlib.suppress(ClientError):  # the reply that is lost may also be a refusal
            inner(**request)


class Table(Subject):
    """The real adapter on a DynamoDB, emptied at first."""

    def __init__(self, dynamodb: Any) -> None:
        self._dynamodb = dynamodb
        for item in self._items():
            dynamodb.delete_item(TableName=STATE_TABLE, Key={"pk": item["pk"], "sk": item["sk"]})
        self.clumsy = Clumsy(dynamodb)
        self.store = StateTable(self.clumsy, STATE_TABLE)

    def arm(self, mishap: str) -> None:
        self.clumsy.mishap = mishap

    def history(self, plan: str) -> list[str]:
        found = self._dynamodb.query(
            TableName=STATE_TABLE,
            ConsistentRead=True,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues={":pk": {"S": f"plan#{plan}"}, ":sk": {"S": "transition#"}},
        )
        return [item["body"]["S"] for item in found["Items"]]

    def decisions(self) -> list[tuple[str, object]]:
        found = [item for item in self._items() if item["sk"]["S"].startswith("decision#")]
        return [(item["pk"]["S"].removeprefix("plan#"), json.loads(item["body"]["S"])) for item in found]

    def _items(self) -> list[Any]:
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=STATE_TABLE, ConsistentRead=True)
        return [item for page in pages for item in page["Items"]]


class StoreMachine(RuleBasedStateMachine):
    """The rules, and the model that says what must come of each."""

    make: Callable[[], Subject]

    def __init__(self) -> None:
        super().__init__()
        self.subject = type(self).make()
        self.store = self.subject.store
        self.state: dict[str, PlanState] = {}
        self.health: dict[str, HealthRecord] = {}
        self.ended: dict[tuple[str, int, datetime], Transition] = {}
        self.decided: list[tuple[str, object]] = []
        self.versions: dict[str, list[int]] = {plan: [0] for plan in PLANS}
        self.touched = PLANS[0]
        self.writers = 1

    def version(self, plan: str) -> int:
        return self.state[plan].version if plan in self.state else 0

    @rule(
        state=states,
        off=st.sampled_from(EXPECTATIONS),
        ended=st.none() | transitions,
        how=st.sampled_from(MISHAPS),
    )
    def save_state(self, state: PlanState, off: int, ended: Transition | None, how: str) -> None:
        self.touched, self.writers = state.plan, 1
        expected = max(0, self.version(state.plan) + off)
        self._save_state(replace(state, version=expected + 1), expected, ended, how)

    @precondition(lambda self: bool(self.ended))
    @rule(state=states, how=st.sampled_from(MISHAPS), data=st.data())
    def end_the_same_transition_again(self, state: PlanState, how: str, data: st.DataObject) -> None:
        plan, epoch, started = data.draw(st.sampled_from(sorted(self.ended)))
        self.touched, self.writers = plan, 1
        again = replace(self.ended[plan, epoch, started], outcome="again")
        expected = self.version(plan)
        self._save_state(replace(state, plan=plan, version=expected + 1), expected, again, how)

    @rule(first=states, second=states, ended=st.none() | transitions)
    def two_writers_read_the_same_version(
        self, first: PlanState, second: PlanState, ended: Transition | None
    ) -> None:
        self.touched, self.writers = first.plan, 2
        expected = self.version(first.plan)
        found = [self.store.load_state(first.plan) for _ in range(2)]
        assert [state.version if state else 0 for state in found] == [expected, expected]
        self._save_state(replace(first, version=expected + 1), expected, None, "none")
        late = replace(second, plan=first.plan, version=expected + 1)
        self._save_state(late, expected, ended, "none")

    @rule(record=healths, off=st.sampled_from(EXPECTATIONS), how=st.sampled_from(MISHAPS))
    def save_health(self, record: HealthRecord, off: int, how: str) -> None:
        self.touched, self.writers = record.plan, 0
        there = self.health.get(record.plan)
        expected = max(0, (there.version if there else 0) + off)
        record = replace(record, version=expected + 1)
        allowed = expected == (there.version if there else 0)
        saved = self._attempt(lambda: self.store.save_health(record, expected), how)
        assert saved is None or saved is allowed
        if allowed and how != "unsent":
            self.health[record.plan] = record

    @rule(plan=st.sampled_from(PLANS), reason=TEXT, at=TIMES, how=st.sampled_from(MISHAPS))
    def record_a_decision(self, plan: str, reason: str, at: datetime, how: str) -> None:
        self.touched, self.writers = plan, 0
        self._attempt(lambda: self.store.record_decision(plan, at, {"reason": reason, "at": at}), how)
        if how != "unsent":
            self.decided.append((plan, {"reason": reason, "at": str(at)}))

    @invariant()
    def what_is_loaded_is_what_was_saved_and_versions_grow_by_one(self) -> None:
        plan, known = self.touched, self.state.get(self.touched)
        assert self.store.load_state(plan) == known
        assert self.store.load_health(plan) == self.health.get(plan)
        seen = self.versions[plan]
        assert (known.version if known else 0) - seen[-1] in range(self.writers + 1)
        seen.append(known.version if known else 0)

    @invariant()
    def the_history_holds_each_end_once_and_for_ever(self) -> None:
        kept = sorted(self.subject.history(self.touched))
        assert kept == sorted(dump(t) for (plan, _, _), t in self.ended.items() if plan == self.touched)

    def teardown(self) -> None:
        def order(found: list[tuple[str, object]]) -> list[str]:
            return sorted(json.dumps(item, sort_keys=True) for item in found)

        assert order(self.subject.decisions()) == order(self.decided)

    def _save_state(self, state: PlanState, expected: int, ended: Transition | None, how: str) -> None:
        key = (state.plan, ended.epoch, ended.started_at) if ended else None
        allowed = expected == self.version(state.plan) and key not in self.ended
        saved = self._attempt(lambda: self.store.save_state(state, expected, ended), how)
        assert saved is None or saved is allowed
        if allowed and how != "unsent":
            self.state[state.plan] = state
            if key is not None and ended is not None:
                self.ended[key] = ended

    def _attempt(self, call: Callable[[], T], how: str) -> T | None:
        """Return what the store answered, None where it said that it is out of reach."""
        self.subject.arm(how)
        try:
            answer = call()
        except StateUnavailable:
            assert how in {"unsent", "unanswered"}
            return None
        finally:
            self.subject.arm("none")
        assert how not in {"unsent", "unanswered"}
        return answer


def run(make: Callable[[], Subject], examples: int, steps: int) -> None:
    """Run the machine. A failure is not shrunk: that would take minutes, and the sequences are short."""
    machine = type("Machine", (StoreMachine,), {"make": staticmethod(make)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            phases=[Stage.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_fake_keeps_what_a_state_store_promises() -> None:
    run(Memory, examples=30, steps=20)


def test_the_table_keeps_it_on_moto() -> None:
    with mock_aws():
        make_table(WEST, STATE_TABLE, "pk", "sk")
        run(lambda: Table(client("dynamodb")), examples=12, steps=15)


@contextlib.contextmanager
def emulated(emulator: Emulator) -> Iterator[Any]:
    emulator.start()
    try:
        dynamodb = emulator.client("dynamodb", WEST)
        keys = [("pk", "HASH"), ("sk", "RANGE")]
        dynamodb.create_table(
            TableName=STATE_TABLE,
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
            BillingMode="PAY_PER_REQUEST",
        )
        yield dynamodb
    finally:
        emulator.stop()


def test_the_table_keeps_it_on_the_embedded_aws(tmp_path_factory: pytest.TempPathFactory) -> None:
    with emulated(Emulator(tmp_path_factory.mktemp("emulator") / "emulator.log")) as dynamodb:
        run(lambda: Table(dynamodb), examples=8, steps=12)
