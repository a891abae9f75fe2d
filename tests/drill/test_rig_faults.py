"""The fault table: which fault strikes, and what waits on it."""

import threading
import time

import pytest

from drill.faults import Call, Fault, FaultKind, FaultTable

PUT = Call("us-east-1", "dynamodb", "PutItem", "AKIDLAMBDA")


def test_a_fault_without_match_fields_strikes_every_call() -> None:
    table = FaultTable()
    table.add(Fault(FaultKind.ERROR))
    struck = table.match(PUT)
    assert struck is not None
    assert struck.kind is FaultKind.ERROR


@pytest.mark.parametrize(
    "other",
    [
        Call("us-west-2", "dynamodb", "PutItem", "AKIDLAMBDA"),
        Call("us-east-1", "route53", "PutItem", "AKIDLAMBDA"),
        Call("us-east-1", "dynamodb", "GetItem", "AKIDLAMBDA"),
        Call("us-east-1", "dynamodb", "PutItem", "AKIDOTHER"),
    ],
)
def test_every_match_field_given_must_agree(other: Call) -> None:
    table = FaultTable()
    table.add(Fault(FaultKind.DENY, "us-east-1", "dynamodb", "PutItem", "AKIDLAMBDA"))
    assert table.match(PUT) is not None
    assert table.match(other) is None


def test_an_operation_may_hold_a_wildcard() -> None:
    table = FaultTable()
    table.add(Fault(FaultKind.ERROR, operation="POST */hostedzone/*/rrset"))
    assert table.match(Call("us-east-1", "route53", "POST /2013-04-01/hostedzone/Z1/rrset")) is not None
    assert table.match(Call("us-east-1", "route53", "GET /2013-04-01/hostedzone/Z1/rrset")) is None


def test_a_fault_on_a_table_strikes_that_table_alone() -> None:
    table = FaultTable()
    table.add(Fault(FaultKind.ERROR, service="dynamodb", resource="orders"))
    assert table.match(Call("eu-west-1", "dynamodb", "PutItem", resource="orders")) is not None
    assert table.match(Call("eu-west-1", "dynamodb", "PutItem", resource="state")) is None
    assert table.match(Call("eu-west-1", "dynamodb", "ListTables")) is None


def test_the_fault_added_first_wins() -> None:
    table = FaultTable()
    first = table.add(Fault(FaultKind.HANG, region="us-east-1"))
    table.add(Fault(FaultKind.ERROR))
    struck = table.match(PUT)
    assert struck is not None
    assert struck.fault_id == first


def test_a_removed_fault_strikes_no_more_and_its_hits_stay_known() -> None:
    table = FaultTable()
    fault_id = table.add(Fault(FaultKind.ERROR))
    table.match(PUT)
    table.remove(fault_id)
    table.remove(fault_id)
    assert table.match(PUT) is None
    assert table.hits(fault_id) == 1


def test_clear_lifts_everything() -> None:
    table = FaultTable()
    table.add(Fault(FaultKind.ERROR))
    table.add(Fault(FaultKind.DENY))
    table.clear()
    assert table.active() == ()


def test_the_same_seed_strikes_the_same_calls() -> None:
    def struck(seed: int) -> list[bool]:
        table = FaultTable(seed)
        table.add(Fault(FaultKind.ERROR, probability=0.5))
        return [table.match(PUT) is not None for _ in range(50)]

    assert struck(7) == struck(7)
    assert 0 < sum(struck(7)) < 50


def test_waiting_ends_when_the_fault_is_lifted() -> None:
    table = FaultTable()
    fault_id = table.add(Fault(FaultKind.HANG))
    threading.Timer(0.05, table.remove, [fault_id]).start()
    began = time.monotonic()
    assert table.wait_lifted(fault_id, timeout_s=1.5)
    assert time.monotonic() - began < 1


def test_waiting_ends_without_the_lift_when_time_is_up_or_when_told_to_stop() -> None:
    table = FaultTable()
    fault_id = table.add(Fault(FaultKind.HANG))
    assert not table.wait_lifted(fault_id, timeout_s=0.05)
    assert not table.wait_lifted(fault_id, should_stop=lambda: True)
