"""The state table: one item per record, written by compare-and-swap on its version.

Items: pk `plan#<name>`; sk `state`, `health`, `transition#<epoch>#<started>` (history, kept for ever; the
time keeps apart the epochs of a record that was lost and made anew) and
`decision#<time>#<n>` (kept 30 days through the TTL attribute `expires_at`). The record itself is JSON in
`body`; `version`, `active`, `epoch` and `phase` stand beside it for whoever reads the table by eye.

A reply can be lost after the write has happened; the SDK's retry then fails its own condition. Every write
therefore carries a `write_id`, and a refusal that shows our own write_id is a success.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, cast

from botocore.exceptions import ClientError

from region_failover.adapters.symptoms import symptom_of
from region_failover.domain.codec import dump, load_health, load_state
from region_failover.domain.errors import StateUnavailable
from region_failover.domain.state import PlanState, Transition
from region_failover.domain.verdict import HealthRecord

DECISIONS_KEPT = timedelta(days=30)

Item = dict[str, Any]


class StateTable:
    """Implements ports.StateStore on DynamoDB."""

    def __init__(self, client: Any, table: str) -> None:
        """Use this table of the control Region."""
        self._client = client
        self._table = table

    def load_state(self, plan: str) -> PlanState | None:
        """Return the newest state."""
        body = self._load(plan, "state")
        return load_state(body) if body else None

    def load_health(self, plan: str) -> HealthRecord | None:
        """Return the newest health record."""
        body = self._load(plan, "health")
        return load_health(body) if body else None

    def save_health(self, record: HealthRecord, expected: int) -> bool:
        """Write the health record if the version is still the expected one."""
        put = self._put(self._item(record.plan, "health", record.version, dump(record)), expected)
        return self._write(put)

    def save_state(self, state: PlanState, expected: int, ended: Transition | None = None) -> bool:
        """Write the state, and the history with it, if the version is still the expected one."""
        item = self._item(state.plan, "state", state.version, dump(state))
        item |= {
            "active": {"S": state.active},
            "epoch": {"N": str(state.epoch)},
            "phase": {"S": state.phase.value},
        }
        put = self._put(item, expected)
        if ended is None:
            return self._write(put)
        history = self._item(
            state.plan, f"transition#{ended.epoch:010d}#{ended.started_at.isoformat()}", 1, dump(ended)
        )
        return self._write_both(put, self._put(history, 0))

    def record_decision(self, plan: str, at: datetime, decision: Mapping[str, object]) -> None:
        """Add a decision to the record."""
        body = json.dumps(decision, default=str, sort_keys=True)
        item = self._item(plan, f"decision#{at.isoformat()}#{uuid.uuid4().hex[:8]}", 1, body)
        item["expires_at"] = {"N": str(int((at + DECISIONS_KEPT).timestamp()))}
        self._call(lambda: self._client.put_item(TableName=self._table, Item=item))

    def _load(self, plan: str, kind: str) -> str | None:
        found = self._call(
            lambda: self._client.get_item(
                TableName=self._table,
                Key={"pk": {"S": f"plan#{plan}"}, "sk": {"S": kind}},
                ConsistentRead=True,
            )
        )
        item = found.get("Item")
        return str(item["body"]["S"]) if item else None

    def _item(self, plan: str, kind: str, version: int, body: str) -> Item:
        return {
            "pk": {"S": f"plan#{plan}"},
            "sk": {"S": kind},
            "version": {"N": str(version)},
            "write_id": {"S": uuid.uuid4().hex},
            "body": {"S": body},
        }

    def _put(self, item: Item, expected: int) -> dict[str, Any]:
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
        if expected:
            condition = {
                "ConditionExpression": "version = :expected",
                "ExpressionAttributeValues": {":expected": {"N": str(expected)}},
            }
        return {
            "TableName": self._table,
            "Item": item,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            **condition,
        }

    def _write(self, put: dict[str, Any]) -> bool:
        try:
            self._call(lambda: self._client.put_item(**put))
        except _Refused as refused:
            return _is_ours(refused.there, put)
        return True

    def _write_both(self, put: dict[str, Any], history: dict[str, Any]) -> bool:
        request = {
            "TransactItems": [{"Put": put}, {"Put": history}],
            "ClientRequestToken": str(put["Item"]["write_id"]["S"])[:36],
        }
        try:
            self._call(lambda: self._client.transact_write_items(**request))
        except _Refused as refused:
            return _is_ours(refused.there, put)
        return True

    def _call(self, call: Any) -> Any:
        try:
            return call()
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ConditionalCheckFailedException":
                raise _Refused(cast(Any, error.response).get("Item")) from error
            if code == "TransactionCanceledException":
                raise self._cancelled(error) from error
            raise self._unavailable(error) from error
        except Exception as error:
            raise self._unavailable(error) from error

    def _cancelled(self, error: ClientError) -> Exception:
        reasons: list[Any] = list(cast(Any, error.response).get("CancellationReasons", []))
        codes = {reason.get("Code") for reason in reasons}
        if codes & {"ConditionalCheckFailed", "TransactionConflict"}:
            return _Refused(reasons[0].get("Item") if reasons else None)
        return self._unavailable(error)

    def _unavailable(self, error: Exception) -> StateUnavailable:
        return StateUnavailable(f"state table {self._table}: {symptom_of(error)}")


class _Refused(Exception):
    """A condition did not hold; `there`: the item as it is, where DynamoDB said."""

    def __init__(self, there: Item | None) -> None:
        super().__init__()
        self.there = there


def _is_ours(there: Item | None, put: dict[str, Any]) -> bool:
    return bool(there) and there is not None and there.get("write_id") == put["Item"]["write_id"]
