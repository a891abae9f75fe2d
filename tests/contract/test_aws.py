"""Parameters, tables, the event bus, the topic and the secret: fakes and real adapters alike."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from region_failover.adapters.messages import EventBus, Topic
from region_failover.adapters.parameters import Parameters as Ssm
from region_failover.adapters.sample_queue import DelayQueue
from region_failover.adapters.secret import Secret
from region_failover.adapters.tables import Tables as DynamoDb
from region_failover.domain.errors import ConfigurationError, RemoteFailure
from region_failover.domain.symptom import Blame, Kind, Symptom, blame
from region_failover.domain.trigger import SWITCH_REQUESTED, read_triggers
from region_failover.domain.trigger import Kind as TriggerKind
from region_failover.ports import Parameters, Tables
from tests.cloud import HEARTBEAT_TABLE, TOKEN, client, make_stack, make_table, messages
from tests.fakes import (
    EAST,
    NOON,
    TIMED_OUT,
    WEST,
    FakeClock,
    FakeEvents,
    FakeNotifier,
    FakeParameters,
    FakeTables,
)

S = timedelta(seconds=1)


@pytest.fixture(params=["fake", "moto"])
def parameters(request: pytest.FixtureRequest) -> Iterator[Parameters]:
    if request.param == "fake":
        yield FakeParameters()
        return
    with mock_aws():
        yield Ssm()


def test_a_parameter_is_none_until_written_and_then_reads_back(parameters: Parameters) -> None:
    assert parameters.read(WEST, "/x") is None
    parameters.write(WEST, "/x", EAST)
    parameters.write(WEST, "/x", WEST)
    assert parameters.read(WEST, "/x") == WEST


def test_a_parameter_is_of_its_region_alone(parameters: Parameters) -> None:
    parameters.write(WEST, "/x", "one")
    assert parameters.read(EAST, "/x") is None


def make_tables(*regions: str) -> None:
    for region in regions:
        make_table(region, HEARTBEAT_TABLE, "pk")
        make_table(region, "orders", "id")


@pytest.fixture(params=["fake", "moto"])
def tables(request: pytest.FixtureRequest) -> Iterator[Tables]:
    if request.param == "fake":
        yield FakeTables(FakeClock())
        return
    with mock_aws():
        make_tables(EAST, WEST)
        yield DynamoDb(HEARTBEAT_TABLE)


def test_a_table_that_is_there_reads(tables: Tables) -> None:
    tables.read(EAST, "orders")
    tables.read(WEST, "orders")


def test_a_table_that_is_not_there_is_our_own_fault(tables: Tables) -> None:
    with pytest.raises(RemoteFailure) as caught:
        tables.read(EAST, "ordres")
    assert caught.value.symptom.code == "ResourceNotFoundException"
    assert blame(caught.value.symptom) is Blame.OURS


def test_a_table_says_its_status(tables: Tables) -> None:
    assert tables.status(EAST, "orders").status == "ACTIVE"
    assert EAST not in tables.status(EAST, "orders").replicas


def test_the_status_of_a_table_that_is_not_there_is_our_own_fault() -> None:
    with mock_aws(), pytest.raises(RemoteFailure) as caught:
        DynamoDb(HEARTBEAT_TABLE).status(EAST, "ordres")
    assert blame(caught.value.symptom) is Blame.OURS


def test_a_heartbeat_reads_back_where_it_was_written(tables: Tables) -> None:
    assert tables.read_heartbeat(EAST, "orders#us-east-1") is None
    tables.write_heartbeat(EAST, "orders#us-east-1", NOON)
    assert tables.read_heartbeat(EAST, "orders#us-east-1") == NOON
    tables.write_heartbeat(EAST, "orders#us-east-1", NOON + S)
    assert tables.read_heartbeat(EAST, "orders#us-east-1") == NOON + S


def test_a_heartbeat_is_not_seen_elsewhere_before_it_is_replicated(tables: Tables) -> None:
    tables.write_heartbeat(EAST, "orders#us-east-1", NOON)
    assert tables.read_heartbeat(WEST, "orders#us-east-1") is None  # moto does not replicate; the fake lags


def test_a_worker_that_writes_after_a_newer_one_is_no_wrong_answer_of_theirs(tables: Tables) -> None:
    """Probe, failover and tick write the same item, and may overtake one another."""
    tables.write_heartbeat(EAST, "orders#us-east-1", NOON + S)
    tables.write_heartbeat(EAST, "orders#us-east-1", NOON)
    assert tables.read_heartbeat(EAST, "orders#us-east-1") == NOON + S


def test_the_fakes_replication_lags_stops_and_catches_up() -> None:
    clock = FakeClock()
    tables = FakeTables(clock)
    tables.write_heartbeat(EAST, "k", NOON)
    clock.advance(0.5)
    assert tables.read_heartbeat(WEST, "k") == NOON
    tables.paused = True
    tables.write_heartbeat(EAST, "k", NOON + S)
    clock.advance(600)
    assert tables.read_heartbeat(WEST, "k") == NOON
    tables.resume_replication()
    clock.advance(1)
    assert tables.read_heartbeat(WEST, "k") == NOON + S


def test_a_heartbeat_expires() -> None:
    with mock_aws():
        make_tables(WEST)
        DynamoDb(HEARTBEAT_TABLE).write_heartbeat(WEST, "k", NOON)
        (item,) = client("dynamodb").scan(TableName=HEARTBEAT_TABLE)["Items"]
        assert int(item["expires_at"]["N"]) == int((NOON + timedelta(days=2)).timestamp())


DETAIL = {"plan": "orders", "epoch": 8, "direction": "failover", "from": EAST, "to": WEST, "reason": "x"}


def test_an_event_put_on_the_bus_is_one_that_our_functions_read() -> None:
    with mock_aws():
        events = client("events")
        queue = client("sqs").create_queue(QueueName="caught")["QueueUrl"]
        arn = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
        pattern = json.dumps({"source": ["region-failover"], "detail-type": [SWITCH_REQUESTED]})
        events.put_rule(Name="all", EventPattern=pattern)
        events.put_targets(Rule="all", Targets=[{"Id": "1", "Arn": arn["QueueArn"]}])
        EventBus(events, "default").put(SWITCH_REQUESTED, DETAIL)
        (message,) = client("sqs").receive_message(QueueUrl=queue)["Messages"]
        (trigger,) = read_triggers(json.loads(message["Body"]), "r")
        assert (trigger.plan, trigger.epoch) == ("orders", 8)


def test_an_entry_that_the_bus_refused_is_a_failure_although_the_call_succeeded() -> None:
    session: Any = boto3.session.Session("a", "b", region_name=WEST)
    events = session.client("events")
    entry = {"ErrorCode": "NotAuthorizedForSourceException", "ErrorMessage": "no"}
    with Stubber(events) as stub:
        stub.add_response("put_events", {"FailedEntryCount": 1, "Entries": [entry]})
        with pytest.raises(RemoteFailure) as caught:
            EventBus(events, "default").put(SWITCH_REQUESTED, DETAIL)
    assert caught.value.symptom.code == "NotAuthorizedForSourceException"


def test_an_event_must_be_json() -> None:
    with pytest.raises(TypeError):
        FakeEvents().put(SWITCH_REQUESTED, {"at": NOON})
    with mock_aws(), pytest.raises(RemoteFailure) as caught:
        EventBus(client("events"), "default").put(SWITCH_REQUESTED, {"at": NOON})
    assert caught.value.symptom.kind is Kind.UNKNOWN


def test_a_notification_reaches_the_topic_with_a_subject_that_sns_takes() -> None:
    with mock_aws():
        stack = make_stack()
        Topic(client("sns"), stack.topic_arn).publish("[orders] Störung\n" + "x" * 200, "what happened")
        (message,) = messages(stack)
        found = json.loads(message)
        assert found["Message"] == "what happened"
        assert found["Subject"].startswith("[orders] St?rung x")
        assert len(found["Subject"]) == 99


def test_a_topic_that_is_not_there_is_a_remote_failure() -> None:
    fake = FakeNotifier()
    fake.failure = TIMED_OUT
    with pytest.raises(RemoteFailure):
        fake.publish("s", "t")
    with mock_aws(), pytest.raises(RemoteFailure):
        Topic(client("sns"), f"arn:aws:sns:{WEST}:123456789012:gone").publish("s", "t")


def test_the_secret_is_read_once_at_first_use() -> None:
    with mock_aws():
        stack = make_stack()
        made: list[Any] = []

        def make() -> Any:
            made.append(1)
            return client("secretsmanager")

        secret = Secret(make, stack.secret_arn)
        assert made == []
        assert [secret.read(), secret.read()] == [TOKEN, TOKEN]
        assert made == [1]


def test_a_secret_that_cannot_be_read_is_asked_for_again() -> None:
    with mock_aws():
        secret = Secret(lambda: client("secretsmanager"), "later")
        with pytest.raises(RemoteFailure):
            secret.read()
        client("secretsmanager").create_secret(Name="later", SecretString="token")
        assert secret.read() == "token"


def test_a_secret_that_was_forgotten_is_read_anew() -> None:
    with mock_aws():
        stack = make_stack()
        secret = Secret(lambda: client("secretsmanager"), stack.secret_arn)
        secret.read()
        client("secretsmanager").put_secret_value(SecretId=stack.secret_arn, SecretString="rotated")
        assert secret.read() == TOKEN
        secret.forget("another")
        assert secret.read() == TOKEN
        secret.forget(TOKEN)
        assert secret.read() == "rotated"


def test_a_secret_without_an_arn_is_a_wrong_setting() -> None:
    with pytest.raises(ConfigurationError, match="LINODE_TOKEN_SECRET_ARN is empty"):
        Secret(lambda: client("secretsmanager"), "").read()


def test_an_error_says_what_it_ran_into_in_one_line() -> None:
    assert (
        str(RemoteFailure(Symptom(Kind.API, "AccessDenied", 403, "PutItem")))
        == "api AccessDenied 403 PutItem"
    )


def sample_queue(**attributes: str) -> tuple[str, DelayQueue]:
    url = client("sqs").create_queue(QueueName="samples", Attributes=attributes)["QueueUrl"]
    return url, DelayQueue(lambda: client("sqs"), url)


def delayed(url: str) -> int:
    found = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return int(found["ApproximateNumberOfMessagesDelayed"])


@mock_aws()
def test_a_sample_is_asked_for_so_many_seconds_after_the_tick() -> None:
    url, queue = sample_queue()
    queue.ask(NOON + 15 * S, NOON, [15])
    (message,) = client("sqs").receive_message(QueueUrl=url)["Messages"]
    record = {"eventSource": "aws:sqs", "body": message["Body"]}
    (trigger,) = read_triggers({"Records": [record]}, "request-1")
    assert (trigger.kind, trigger.offset, trigger.at) == (TriggerKind.SAMPLE_DUE, 15, NOON + 15 * S)


def test_a_samples_delay_ends_when_it_is_due() -> None:
    sent: list[dict[str, Any]] = []

    class Recorder:
        def send_message_batch(self, **request: Any) -> dict[str, Any]:
            sent.append(request)
            return {}

    queue = DelayQueue(Recorder, "https://sqs/samples")
    queue.ask(NOON + 1.4 * S, NOON, [15, 30])
    queue.ask(NOON + 20 * S, NOON, [15])
    found = [(e["Id"], e["DelaySeconds"]) for request in sent for e in request["Entries"]]
    assert found == [("15", 14), ("30", 29), ("15", 0)]


@mock_aws()
def test_more_samples_than_a_batch_may_hold_are_asked_for_in_several() -> None:
    url, queue = sample_queue()
    queue.ask(NOON, NOON, range(2, 60, 2))
    assert delayed(url) == 29


def test_a_sample_that_the_queue_refuses_is_an_error() -> None:
    sqs = boto3.session.Session().client("sqs", region_name=WEST)
    failed = {"Id": "15", "SenderFault": False, "Code": "InternalError"}
    with Stubber(sqs) as stub:
        stub.add_response("send_message_batch", {"Successful": [], "Failed": [failed]})
        with pytest.raises(RemoteFailure) as caught:
            DelayQueue(lambda: sqs, "https://sqs/samples").ask(NOON, NOON, [15])
    assert caught.value.symptom.code == "InternalError"
