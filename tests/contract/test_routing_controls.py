"""ARC's cluster, as botocore's own model of it has its requests and answers; no emulator knows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.exceptions import ConnectTimeoutError
from botocore.stub import Stubber

from region_failover.adapters.arc import ENDPOINT, RoutingControls, _client
from region_failover.domain.errors import RemoteFailure, RuleRefused
from region_failover.domain.state import VERIFIED_WITHIN
from region_failover.domain.symptom import Blame, Kind, blame
from region_failover.ports import RoutingControls as Port
from tests.fakes import Faults
from tests.fakes_dataplane import FakeControls
from tests.functional.test_data_plane import BY_ARC, CONTROLS, PANEL

URL = CONTROLS.endpoints[1]
OVER = {CONTROLS.primary: False, CONTROLS.standby: True}
ENTRIES = [
    {"RoutingControlArn": CONTROLS.primary, "RoutingControlState": "Off"},
    {"RoutingControlArn": CONTROLS.standby, "RoutingControlState": "On"},
]


@dataclass
class Cluster:
    """One endpoint, its replies stubbed: each is checked against the service's model."""

    stub: Stubber
    controls: Port
    asked: list[str]


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    asked: list[str] = []
    real: Any = boto3.session.Session("testing", "testing").client(
        "route53-recovery-cluster", region_name="us-west-2", endpoint_url=URL
    )

    def make(endpoint: str) -> Any:
        asked.append(endpoint)
        return real

    with Stubber(real) as stub:
        yield Cluster(stub, RoutingControls(make), asked)
        stub.assert_no_pending_responses()


def state(arn: str, on: bool) -> tuple[dict[str, str], dict[str, str]]:
    reply = {
        "RoutingControlArn": arn,
        "RoutingControlState": "On" if on else "Off",
        "RoutingControlName": "n",
    }
    return reply, {"RoutingControlArn": arn}


def test_all_states_are_set_in_one_call_and_no_safety_rule_is_overridden(cluster: Cluster) -> None:
    cluster.stub.add_response(
        "update_routing_control_states", {}, {"UpdateRoutingControlStateEntries": ENTRIES}
    )
    cluster.controls.write(URL, OVER, ())


def test_safety_rules_that_the_plan_names_are_overridden(cluster: Cluster) -> None:
    rule = f"{PANEL}safetyrule/00000000000000cc"
    asked = {"UpdateRoutingControlStateEntries": ENTRIES, "SafetyRulesToOverride": [rule]}
    cluster.stub.add_response("update_routing_control_states", {}, asked)
    cluster.controls.write(URL, OVER, (rule,))


def test_states_are_read_one_by_one_with_one_client_for_an_endpoint(cluster: Cluster) -> None:
    for arn, on in OVER.items():
        cluster.stub.add_response("get_routing_control_state", *state(arn, on))
    assert cluster.controls.read(URL, tuple(OVER)) == OVER
    assert cluster.asked == [URL]


@pytest.mark.parametrize(
    "code", ["ConflictException", "ValidationException", "ServiceLimitExceededException"]
)
def test_what_arc_refuses_is_said_in_its_own_words(cluster: Cluster, code: str) -> None:
    words = "The requested state would leave fewer than 1 routing control On"
    cluster.stub.add_client_error("update_routing_control_states", code, words, 409)
    with pytest.raises(RuleRefused, match=words):
        cluster.controls.write(URL, OVER, ())


@pytest.mark.parametrize(
    ("code", "status", "whose"),
    [
        ("EndpointTemporarilyUnavailableException", 503, Blame.THEIRS),
        ("InternalServerException", 500, Blame.THEIRS),
        ("ThrottlingException", 429, Blame.OURS),
        ("AccessDeniedException", 403, Blame.OURS),
        ("ResourceNotFoundException", 404, Blame.OURS),
    ],
)
@pytest.mark.parametrize("operation", ["update_routing_control_states", "get_routing_control_state"])
def test_any_other_error_is_one_of_this_endpoint(
    cluster: Cluster, operation: str, code: str, status: int, whose: Blame
) -> None:
    cluster.stub.add_client_error(operation, code, http_status_code=status)
    calls = {
        "get_routing_control_state": lambda: cluster.controls.read(URL, tuple(OVER)),
        "update_routing_control_states": lambda: cluster.controls.write(URL, OVER, ()),
    }
    with pytest.raises(RemoteFailure) as caught:
        calls[operation]()
    assert (caught.value.symptom.code, blame(caught.value.symptom)) == (code, whose)


def test_an_endpoint_that_hangs_is_a_timeout() -> None:
    class Hangs:
        def update_routing_control_states(self, **_: object) -> None:
            raise ConnectTimeoutError(endpoint_url=URL)

    with pytest.raises(RemoteFailure) as caught:
        RoutingControls(lambda _: Hangs()).write(URL, OVER, ())
    assert caught.value.symptom.kind is Kind.TIMEOUT


def test_each_endpoint_is_asked_in_its_own_region_once_and_briefly() -> None:
    client = _client(URL)
    assert client.meta.endpoint_url == URL
    assert client.meta.region_name == "us-west-2"
    config = client.meta.config
    assert (config.connect_timeout, config.read_timeout) == (ENDPOINT.connect_s, ENDPOINT.read_s)
    assert config.retries["total_max_attempts"] == 1
    longest = (ENDPOINT.connect_s + ENDPOINT.read_s) * len(CONTROLS.endpoints)
    assert longest < VERIFIED_WITHIN.total_seconds()


# the fake is alike


def test_the_fake_sets_reads_and_refuses_in_the_same_way() -> None:
    fake: Port = FakeControls(Faults(), BY_ARC)
    fake.write(URL, OVER, ())
    assert fake.read(URL, tuple(OVER)) == OVER
    fake.rule = "no"  # type: ignore[attr-defined]
    with pytest.raises(RuleRefused):
        fake.write(URL, OVER, ())
    fake.down.add(URL)  # type: ignore[attr-defined]
    with pytest.raises(RemoteFailure):
        fake.read(URL, tuple(OVER))
    with pytest.raises(RemoteFailure):
        fake.read(URL, (f"{PANEL}routingcontrol/00000000000000dd",))
