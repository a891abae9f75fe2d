# ruff: noqa: E501  (a table reads better in one line per case)
"""Every event that starts us is read into one shape; anything else is refused by its id (I20)."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from region_failover.domain.errors import MalformedEvent
from region_failover.domain.plan import Role
from region_failover.domain.state import Direction
from region_failover.domain.trigger import Kind, Trigger, is_stale, read_triggers, report_of, sample_due
from region_failover.domain.verdict import Health, Sample
from tests.fakes import NOON

EVENTS = Path(__file__).parents[2] / "events"
FILES = sorted(set(EVENTS.glob("*.json")) - set(EVENTS.glob("operator-*.json")))
SENT = ("metric-alarm", "composite-alarm", "suppressed-composite-alarm", "forwarded-native-alarm")


def event(name: str) -> Any:
    return json.loads((EVENTS / f"{name}.json").read_text())


def read(found: Any) -> Trigger:
    (trigger,) = read_triggers(found, "request-1")
    return trigger


def _id_of(found: Any) -> str:
    if isinstance(found, list):
        return str(found[0]["id"])
    if "Records" in found:
        return str(json.loads(found["Records"][0]["body"])["id"])
    return str(found.get("id", "request-1"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_shipped_sample_is_read(file: Path) -> None:
    found = json.loads(file.read_text())
    for trigger in read_triggers(found, "request-1"):
        assert trigger.id == _id_of(found)
        assert trigger.at is None or trigger.at.tzinfo is not None


def test_the_samples_cover_every_kind_of_trigger() -> None:
    kinds = {t.kind for file in FILES for t in read_triggers(json.loads(file.read_text()), "r")}
    assert kinds == set(Kind)


@pytest.mark.parametrize("name", SENT)
def test_an_alarm_is_a_reason_to_look_at_every_plan(name: str) -> None:
    trigger = read(event(name))
    assert (trigger.kind, trigger.plan, trigger.in_alarm) == (Kind.ALARM, "", True)
    assert trigger.suppressed is (name == "suppressed-composite-alarm")
    assert trigger.at == datetime.fromisoformat(event(name)["time"])


@pytest.mark.parametrize("value", ["OK", "INSUFFICIENT_DATA"])
def test_an_alarm_that_is_not_in_alarm_is_read_as_such(value: str) -> None:
    found = event("metric-alarm")
    found["detail"]["state"]["value"] = value
    assert read(found).in_alarm is False


def test_a_muted_alarm_is_suppressed() -> None:
    found = event("composite-alarm")
    found["detail"]["muteDetail"] = {"mutedByArn": "arn:aws:cloudwatch:us-west-2:123456789012:alarm-mute:x"}
    assert read(found).suppressed is True


def test_reason_data_may_be_absent() -> None:
    found = event("metric-alarm")
    del found["detail"]["state"]["reasonData"]
    del found["detail"]["previousState"]
    assert read(found).kind is Kind.ALARM


def test_our_own_events_name_plan_epoch_and_direction() -> None:
    unhealthy = read(event("region-unhealthy"))
    requested = read(event("traffic-switch-requested"))
    assert (unhealthy.kind, unhealthy.plan, unhealthy.epoch) == (Kind.REGION_UNHEALTHY, "orders", 7)
    assert (requested.kind, requested.epoch) == (Kind.SWITCH_REQUESTED, 8)
    assert requested.direction is Direction.FAILOVER


@pytest.mark.parametrize(
    ("name", "direction"), [("manual-failover", "failover"), ("manual-failback", "failback")]
)
def test_a_manual_request_takes_its_id_from_the_invocation(name: str, direction: str) -> None:
    trigger = read(event(name))
    assert (trigger.kind, trigger.id, trigger.at) == (Kind.MANUAL, "request-1", None)
    assert (trigger.direction, trigger.force, trigger.manual) == (Direction(direction), False, True)
    assert read({**event(name), "force": True}).force is True


def test_an_array_of_events_is_as_many_triggers() -> None:
    found = read_triggers([event("metric-alarm"), event("region-unhealthy")], "request-1")
    assert [trigger.kind for trigger in found] == [Kind.ALARM, Kind.REGION_UNHEALTHY]
    assert read_triggers([event("metric-alarm")], "request-1")[0].kind is Kind.ALARM


def spoiled(name: str, path: str, value: Any = None) -> Any:
    found = copy.deepcopy(event(name))
    *parents, last = path.split(".")
    inner = found
    for key in parents:
        inner = inner[key]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return found


def test_a_wish_to_see_a_plan_says_where_to_and_is_no_request_to_move() -> None:
    found = read(event("plan-to-standby"))
    assert (found.kind, found.plan, found.to) == (Kind.PLAN, "orders", Role.STANDBY)
    assert (found.manual, found.direction, found.force) == (False, None, False)
    assert read(spoiled("plan-to-standby", "to", "primary")).to is Role.PRIMARY


def test_a_manual_request_expects_any_plan_or_just_one() -> None:
    assert read(event("manual-failover")).expect is None
    assert read(spoiled("manual-failover", "expect", "0123456789abcdef")).expect == "0123456789abcdef"


def test_a_sample_that_is_due_is_read_from_the_queues_message() -> None:
    found = read(event("sample-due"))
    assert (found.kind, found.offset, found.plan) == (Kind.SAMPLE_DUE, 15, "")
    assert found.at == datetime(2025, 10, 20, 6, 59, 15, tzinfo=UTC)
    assert read(sample_due("id-1", NOON, 30)) == Trigger(
        kind=Kind.SAMPLE_DUE, id="id-1", at=NOON, offset=30, reason="30 s after the tick"
    )


def test_a_report_says_who_saw_what_and_when() -> None:
    found = read(event("region-sampled"))
    assert (found.kind, found.plan, found.vantage) == (Kind.REGION_SAMPLED, "orders", "eu-central")
    assert found.samples["us-east-1"].health is Health.UNHEALTHY
    assert found.samples["us-west-2"] == Sample(
        "us-west-2", datetime(2025, 10, 20, 6, 49, 30, 412000, tzinfo=UTC), Health.HEALTHY
    )


def test_a_report_is_read_as_it_was_made() -> None:
    samples = {"us-east-1": Sample("us-east-1", NOON, Health.UNKNOWN, ours=True, why="x" * 1000)}
    made = json.loads(json.dumps(report_of("orders", "eu", samples)))
    found = read({**event("region-sampled"), "detail": made})
    assert found.samples == {"us-east-1": Sample("us-east-1", NOON, Health.UNKNOWN, ours=True, why="x" * 300)}


MALFORMED = [
    ("no object", "text", "request-1"),
    ("nothing", None, "request-1"),
    ("an array of text", ["text"], "request-1"),
    ("empty", {}, "request-1"),
    ("another source", spoiled("metric-alarm", "source", "aws.ec2"), "c4c1c1c9"),
    ("a contributor's state change", spoiled("metric-alarm", "detail-type", "CloudWatch Alarm Contributor State Change"), "c4c1c1c9"),
    ("source is an array", spoiled("metric-alarm", "source", ["aws.cloudwatch"]), "c4c1c1c9"),
    ("detail-type is an object", spoiled("metric-alarm", "detail-type", {"a": 1}), "c4c1c1c9"),
    ("no time", spoiled("metric-alarm", "time"), "c4c1c1c9"),
    ("time is no time", spoiled("metric-alarm", "time", "yesterday"), "c4c1c1c9"),
    ("no detail", spoiled("metric-alarm", "detail"), "c4c1c1c9"),
    ("detail is text", spoiled("metric-alarm", "detail", "text"), "c4c1c1c9"),
    ("no alarm name", spoiled("metric-alarm", "detail.alarmName"), "c4c1c1c9"),
    ("no state", spoiled("metric-alarm", "detail.state"), "c4c1c1c9"),
    ("state is text", spoiled("metric-alarm", "detail.state", "ALARM"), "c4c1c1c9"),
    ("no state value", spoiled("metric-alarm", "detail.state.value"), "c4c1c1c9"),
    ("report of nobody", spoiled("region-sampled", "detail.vantage"), "2f0c8e1d"),
    ("report of a wrong name", spoiled("region-sampled", "detail.vantage", "EU Central"), "2f0c8e1d"),
    ("report of nothing", spoiled("region-sampled", "detail.samples", {}), "2f0c8e1d"),
    ("report with text for samples", spoiled("region-sampled", "detail.samples", "well"), "2f0c8e1d"),
    ("report of no plan", spoiled("region-sampled", "detail.plan"), "2f0c8e1d"),
    ("report without a time", spoiled("region-sampled", "detail.samples.us-east-1.at"), "2f0c8e1d"),
    ("report with a time of no zone", spoiled("region-sampled", "detail.samples.us-east-1.at", "2025-10-20T06:49:30"), "2f0c8e1d"),
    ("report without health", spoiled("region-sampled", "detail.samples.us-east-1.health"), "2f0c8e1d"),
    ("report of an unknown health", spoiled("region-sampled", "detail.samples.us-east-1.health", "poorly"), "2f0c8e1d"),
    ("report whose blame is text", spoiled("region-sampled", "detail.samples.us-east-1.ours", "no"), "2f0c8e1d"),
    ("report whose reason is a number", spoiled("region-sampled", "detail.samples.us-east-1.why", 7), "2f0c8e1d"),
    ("report of a Region in text", spoiled("region-sampled", "detail.samples.us-east-1", "well"), "2f0c8e1d"),
    ("records of a stream", {"Records": [{"eventSource": "aws:dynamodb"}]}, "request-1"),
    ("a message of text", {"Records": [{"eventSource": "aws:sqs", "messageId": "m-1", "body": "x"}]}, "m-1"),
    ("a message of nothing", {"Records": [{"eventSource": "aws:sqs", "messageId": "m-1"}]}, "m-1"),
    ("a message without an offset", {"Records": [{"eventSource": "aws:sqs", "body": json.dumps(
        {"id": "s-1", "source": "region-failover", "detail-type": "Sample Due", "time": "2025-10-20T06:59:15Z", "detail": {}})}]}, "s-1"),
    ("own event without plan", spoiled("region-unhealthy", "detail.plan"), "7bf73129"),
    ("own event with an empty plan", spoiled("region-unhealthy", "detail.plan", ""), "7bf73129"),
    ("own event without epoch", spoiled("traffic-switch-requested", "detail.epoch"), "0a5c2a53"),
    ("own event with a text epoch", spoiled("traffic-switch-requested", "detail.epoch", "8"), "0a5c2a53"),
    ("own event with a boolean epoch", spoiled("traffic-switch-requested", "detail.epoch", True), "0a5c2a53"),
    ("own event with another direction", spoiled("region-unhealthy", "detail.direction", "sideways"), "7bf73129"),
    ("own event without direction", spoiled("region-unhealthy", "detail.direction"), "7bf73129"),
    ("schedule without time", spoiled("schedule", "time"), "53dc4d37"),
    ("manual without plan", spoiled("manual-failover", "plan"), "request-1"),
    ("manual for an empty plan", spoiled("manual-failover", "plan", ""), "request-1"),
    ("manual with another action", spoiled("manual-failover", "action", "restart"), "request-1"),
    ("manual with an action that is an array", spoiled("manual-failover", "action", ["failover"]), "request-1"),
    ("manual without a reason", spoiled("manual-failover", "reason"), "request-1"),
    ("manual with a blank reason", spoiled("manual-failover", "reason", "  "), "request-1"),
    ("manual with a text force", spoiled("manual-failover", "force", "true"), "request-1"),
    ("manual with an unknown key", spoiled("manual-failover", "target", "us-west-2"), "request-1"),
    ("manual with an empty expectation", spoiled("manual-failover", "expect", ""), "request-1"),
    ("manual with an expectation of none", {**event("manual-failover"), "expect": None}, "request-1"),
    ("manual with a blank expectation", spoiled("manual-failover", "expect", " " * 16), "request-1"),
    ("manual with an expectation cut short", spoiled("manual-failover", "expect", "0123456789abcde"), "request-1"),
    ("manual with an expectation in capitals", spoiled("manual-failover", "expect", "0123456789ABCDEF"), "request-1"),
    ("manual with a longer expectation", spoiled("manual-failover", "expect", "0123456789abcdef0"), "request-1"),
    ("manual with an expectation and a line's end", spoiled("manual-failover", "expect", "0123456789abcdef\n"), "request-1"),
    ("manual with an expectation that is no text", spoiled("manual-failover", "expect", 0), "request-1"),
    ("plan to nowhere", spoiled("plan-to-standby", "to"), "request-1"),
    ("plan to a Region's name", spoiled("plan-to-standby", "to", "us-west-2"), "request-1"),
    ("plan to a list", spoiled("plan-to-standby", "to", ["standby"]), "request-1"),
    ("plan of no plan", spoiled("plan-to-standby", "plan", ""), "request-1"),
    ("plan with a text force", spoiled("plan-to-standby", "force", "true"), "request-1"),
    ("plan with an unknown key", spoiled("plan-to-standby", "reason", "why"), "request-1"),
    ("restore of everything", spoiled("manual-restore", "plan", ""), "request-1"),
    ("restore by nobody", spoiled("manual-restore", "by"), "request-1"),
    ("restore of what a number says", spoiled("manual-restore", "expect", 1234567890123456), "request-1"),
    ("restore of nothing in particular", {**event("manual-restore"), "expect": None}, "request-1"),
    ("restore of a part of a checksum", spoiled("manual-restore", "expect", "0123456789abcde"), "request-1"),
    ("restore of a checksum and more", spoiled("manual-restore", "expect", "0123456789abcdef\n"), "request-1"),
    ("adopt without a reason", spoiled("manual-adopt", "reason"), "request-1"),
]  # fmt: skip


@pytest.mark.parametrize(("found", "event_id"), [c[1:] for c in MALFORMED], ids=[c[0] for c in MALFORMED])
def test_what_is_no_event_of_ours_is_refused_with_its_id(found: Any, event_id: str) -> None:
    with pytest.raises(MalformedEvent) as caught:
        read_triggers(found, "request-1")
    assert event_id in str(caught.value)


CHOICE = {"action": "restore", "plan": "orders", "reason": "it was a mistake", "by": "mia"}
WORDS = [
    ("text", "event request-1: a JSON object was expected, not str"),
    (
        {"source": "aws.ec2", "detail-type": "State"},
        "event request-1: source 'aws.ec2', detail-type 'State': unknown; known are [('aws.cloudwatch', 'CloudWatch Alarm State Change'), ('aws.events', 'Scheduled Event'), ('region-failover', 'Region Sampled'), ('region-failover', 'Region Unhealthy'),"
        " ('region-failover', 'Sample Due'), ('region-failover', 'Traffic Switch Requested')] and manual requests with 'plan' and 'action'",
    ),
    ({**spoiled("schedule", "id"), "time": "yesterday"}, "event request-1: 'time' 'yesterday' is no ISO 8601 time"),
    ({**spoiled("schedule", "id"), "detail": []}, "event request-1: 'detail' is not an object"),
    ({**spoiled("metric-alarm", "detail.alarmName"), "id": "a1"}, "event a1: detail.alarmName is missing or no text"),
    ({**spoiled("metric-alarm", "detail.state.value"), "id": "a1"}, "event a1: detail.state.value is missing"),
    ({**spoiled("region-unhealthy", "detail.plan"), "id": "a1"}, "event a1: detail.plan is missing or no text"),
    ({**spoiled("region-unhealthy", "detail.epoch"), "id": "a1"}, "event a1: detail.epoch is missing or no whole number"),
    (
        {**spoiled("region-unhealthy", "detail.direction", "sideways"), "id": "a1"},
        "event a1: 'sideways' is no direction; known are ['failover', 'failback']",
    ),
    (
        {"action": "restart", "plan": "orders", "reason": "why"},
        "manual request request-1: 'action' is 'restart'; allowed are ['failover', 'failback', 'adopt', 'restore']",
    ),
    (
        {**CHOICE, "expect": ""},
        "restore request-1: 'expect' is ''; allowed: a checksum, 16 digits of 0-9 and a-f, as"
        " `region-failover plan` prints that of a move, and the notification and `region-failover status`"
        " that of a drift; without the key: any",
    ),
    ({**CHOICE, "force": True}, "restore request-1: unknown keys: ['force']"),
    (
        {"action": "adopt", "plan": "orders", "reason": " "},
        "adopt request-1: 'plan', 'reason' and 'by' (who asks) were expected, each a text that goes on record;"
        " missing or no text: ['by', 'reason']",
    ),
    (
        {"action": "failover", "plan": "orders", "reason": "why", "to": "x", "from": "y"},
        "manual request request-1: 'plan' (text), 'action', 'reason' (text), 'force' (true|false) and 'expect' (a plan's checksum) were expected; unknown keys: ['from', 'to']",
    ),
    ({"action": "failover", "plan": "orders"}, "manual request request-1: say why in 'reason': it goes on record"),
]  # fmt: skip


@pytest.mark.parametrize(("found", "words"), WORDS)
def test_what_is_no_event_of_ours_is_refused_in_words_that_say_what_is_missing(
    found: Any, words: str
) -> None:
    with pytest.raises(MalformedEvent) as caught:
        read_triggers(found, "request-1")
    assert str(caught.value) == words


AT = datetime(2025, 10, 20, 6, 50, tzinfo=UTC)
OWN = {"plan": "orders", "epoch": 8, "direction": "failback", "reason": "primary-settled"}


def eventbridge(source: str, detail_type: str, detail: Any = None) -> dict[str, Any]:
    found = {"id": "e1", "source": source, "detail-type": detail_type, "time": "2025-10-20T06:50:00Z"}
    return found if detail is None else {**found, "detail": detail}


READ = [
    (
        {**CHOICE, "expect": "0123456789abcdef"},
        Trigger(
            Kind.RESTORE, "request-1", None, "orders", reason="it was a mistake", expect="0123456789abcdef", by="mia"
        ),
    ),
    (
        {**CHOICE, "action": "adopt"},
        Trigger(Kind.ADOPT, "request-1", None, "orders", reason="it was a mistake", by="mia"),
    ),
    (
        eventbridge("aws.cloudwatch", "CloudWatch Alarm State Change", {"alarmName": "a", "state": {"value": "ALARM"}}),
        Trigger(Kind.ALARM, "e1", AT, reason="alarm a"),
    ),
    (eventbridge("aws.events", "Scheduled Event"), Trigger(Kind.SCHEDULE, "e1", AT, reason="schedule")),
    (
        eventbridge("region-failover", "Region Unhealthy", OWN),
        Trigger(Kind.REGION_UNHEALTHY, "e1", AT, "orders", 8, Direction.FAILBACK, "primary-settled"),
    ),
    (
        eventbridge("region-failover", "Traffic Switch Requested", {**OWN, "direction": "failover"}),
        Trigger(Kind.SWITCH_REQUESTED, "e1", AT, "orders", 8, Direction.FAILOVER, "primary-settled"),
    ),
    (
        eventbridge("region-failover", "Region Unhealthy", {k: v for k, v in OWN.items() if k != "reason"}),
        Trigger(Kind.REGION_UNHEALTHY, "e1", AT, "orders", 8, Direction.FAILBACK, ""),
    ),
    (
        {"plan": "orders", "action": "failback", "reason": "a rehearsal"},
        Trigger(Kind.MANUAL, "request-1", None, "orders", 0, Direction.FAILBACK, "a rehearsal", force=False),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("found", "expected"), READ, ids=lambda part: getattr(part, "kind", ""))
def test_each_kind_of_event_is_read_into_exactly_this(found: Any, expected: Trigger) -> None:
    assert read(found) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = ("id", "source", "detail-type", "time", "detail", "plan", "action", "reason", "force", "by", "expect")


@given(JSON | st.dictionaries(st.sampled_from(KEYS), JSON))
def test_no_json_whatever_ends_in_another_error_than_a_malformed_event(found: Any) -> None:
    try:
        read_triggers(found, "request-1")
    except MalformedEvent as error:
        assert str(error)  # noqa: PT017


@given(name=st.sampled_from([f.stem for f in FILES]), key=st.sampled_from(KEYS), value=JSON)
def test_no_spoiled_sample_ends_in_another_error_than_a_malformed_event(
    name: str, key: str, value: Any
) -> None:
    try:
        read_triggers({**event(name), key: value}, "request-1")
    except MalformedEvent as error:
        assert str(error)  # noqa: PT017


@pytest.mark.parametrize(("age_s", "stale"), [(-5, False), (0, False), (900, False), (901, True)])
def test_an_event_older_than_its_maximum_age_is_stale(age_s: int, stale: bool) -> None:
    trigger = Trigger(Kind.ALARM, "1", NOON - timedelta(seconds=age_s))
    assert is_stale(trigger, NOON, timedelta(seconds=900)) is stale


def test_an_event_without_a_time_of_its_own_is_never_stale() -> None:
    assert is_stale(Trigger(Kind.MANUAL, "1", None), NOON, timedelta(0)) is False


def test_a_time_with_an_offset_is_that_instant() -> None:
    found = {**event("schedule"), "time": "2025-10-20T08:50:00+02:00"}
    assert read(found).at == datetime(2025, 10, 20, 6, 50, tzinfo=UTC)


def test_a_time_without_an_offset_is_taken_as_utc() -> None:
    found = {**event("schedule"), "time": "2025-10-20T06:50:00"}
    assert read(found).at == datetime(2025, 10, 20, 6, 50, tzinfo=UTC)
