"""Secrets, parameters that must stay what they are, and hooks: fakes and real adapters alike."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.stub import Stubber
from moto import mock_aws

from region_failover.adapters.clients import Patience
from region_failover.adapters.clients import client as own_client
from region_failover.adapters.hooks import LambdaHooks
from region_failover.adapters.parameters import ONE_TRY
from region_failover.adapters.parameters import Parameters as Ssm
from region_failover.adapters.secret_values import SecretValues
from region_failover.domain.errors import RemoteFailure
from region_failover.domain.symptom import Blame, Kind, blame
from region_failover.ports import Secrets
from tests.cloud import client
from tests.fakes import EAST, WEST, FakeSecrets

NAME = "orders/database"
CONTENT = '{ "host" : "a.example",\n  "password": "s3cr\\u0065t",  "port": 5.0e3 }'
KNOWN = ("a.example", "b.example")
TOKENS = ["0" * 40, "1" * 40, "2" * 40]


class Account:
    """A secret as its owner sees it, in moto or in the fake."""

    def __init__(self, fake: FakeSecrets | None) -> None:
        self.fake = fake
        self.secrets: Secrets = fake or SecretValues()

    def put(self, text: str, name: str = NAME) -> None:
        if self.fake:
            self.fake.put(WEST, name, text)
            return
        owner = client("secretsmanager")
        try:
            owner.create_secret(Name=name, SecretString=text)
        except owner.exceptions.ResourceExistsException:
            owner.put_secret_value(SecretId=name, SecretString=text)

    def text(self, name: str = NAME) -> str:
        if self.fake:
            return self.fake.text(WEST, name)
        return str(
            client("secretsmanager").get_secret_value(SecretId=name, VersionStage="AWSCURRENT")[
                "SecretString"
            ]
        )

    def version(self, key: str = "host") -> str:
        found = self.secrets.read(WEST, NAME, key, KNOWN)
        assert found is not None
        return found.version


@pytest.fixture(params=["fake", "moto"])
def account(request: pytest.FixtureRequest) -> Iterator[Account]:
    with mock_aws():
        found = Account(FakeSecrets() if request.param == "fake" else None)
        found.put(CONTENT)
        yield found


def test_a_secret_that_is_not_there_reads_as_none(account: Account) -> None:
    assert account.secrets.read(WEST, "orders/other", "", KNOWN) is None
    assert account.secrets.read(EAST, NAME, "host", KNOWN) is None


def test_one_value_is_exchanged_and_every_other_character_kept(account: Account) -> None:
    seen = account.version()
    assert account.secrets.replace(WEST, NAME, "host", "b.example", seen, TOKENS[0])
    assert account.text() == CONTENT.replace("a.example", "b.example")
    after = account.secrets.read(WEST, NAME, "host", KNOWN)
    assert after is not None
    assert (after.version, after.value) == (TOKENS[0], "b.example")


def test_the_whole_is_exchanged_where_there_is_no_key(account: Account) -> None:
    account.put(EAST, "orders/region")
    found = account.secrets.read(WEST, "orders/region", "", (EAST, WEST))
    assert found is not None
    assert found.value == EAST
    assert account.secrets.replace(WEST, "orders/region", "", WEST, found.version, TOKENS[0])
    assert account.text("orders/region") == WEST


def test_a_value_that_is_in_no_plan_does_not_leave_the_adapter(account: Account) -> None:
    found = account.secrets.read(WEST, NAME, "password", KNOWN)
    assert found is not None
    assert found.value == ""
    whole = account.secrets.read(WEST, NAME, "", KNOWN)
    assert whole is not None
    assert whole.value == ""


def test_i2_who_has_seen_an_older_version_is_refused(account: Account) -> None:
    seen = account.version()
    rotated = CONTENT.replace("s3cr", "n3w")
    account.put(rotated)
    assert not account.secrets.replace(WEST, NAME, "host", "b.example", seen, TOKENS[0])
    assert account.text() == rotated


def test_an_exchange_tried_again_is_the_same_one(account: Account) -> None:
    seen = account.version()
    assert account.secrets.replace(WEST, NAME, "host", "b.example", seen, TOKENS[0])
    assert account.secrets.replace(WEST, NAME, "host", "b.example", seen, TOKENS[0])
    assert account.version() == TOKENS[0]


def test_an_exchange_tried_again_after_a_newer_one_changes_nothing(account: Account) -> None:
    seen = account.version()
    assert account.secrets.replace(WEST, NAME, "host", "b.example", seen, TOKENS[0])
    assert account.secrets.replace(WEST, NAME, "host", "a.example", TOKENS[0], TOKENS[1])
    assert not account.secrets.replace(WEST, NAME, "host", "b.example", seen, TOKENS[0])
    assert account.version() == TOKENS[1]


@pytest.mark.parametrize("text", ["hunter2", '{"port": "hunter2"}', '{"host": ["hunter2"]}'])
def test_a_secret_of_another_shape_is_refused_without_a_word_of_it(account: Account, text: str) -> None:
    account.put(text)
    with pytest.raises(RemoteFailure) as caught:
        account.secrets.read(WEST, NAME, "host", KNOWN)
    assert blame(caught.value.symptom) is Blame.OURS
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_binary_secret_is_refused() -> None:
    with mock_aws():
        client("secretsmanager").create_secret(Name=NAME, SecretBinary=b"\x00hunter2")
        with pytest.raises(RemoteFailure, match="it is binary"):
            SecretValues().read(WEST, NAME, "", KNOWN)


def test_a_replica_cannot_be_written_and_says_so() -> None:
    with mock_aws():
        client("secretsmanager", EAST).create_secret(
            Name=NAME, SecretString=CONTENT, AddReplicaRegions=[{"Region": WEST}]
        )
        found = SecretValues().read(WEST, NAME, "host", KNOWN)
        assert found is not None
        with pytest.raises(RemoteFailure, match="replica"):
            SecretValues().replace(WEST, NAME, "host", "b.example", found.version, TOKENS[0])


def test_a_label_that_is_refused_for_another_reason_is_no_exchange_that_was_lost() -> None:
    stub = Stubber(own_client("secretsmanager", WEST, ONE_TRY))
    value = {"VersionId": "v" * 32, "SecretString": CONTENT}
    stub.add_response("get_secret_value", value)
    stub.add_response("put_secret_value", {"VersionId": TOKENS[0]})
    stub.add_client_error("update_secret_version_stage", "AccessDeniedException", http_status_code=400)
    stub.add_response("get_secret_value", value)
    with stub, pytest.raises(RemoteFailure) as caught:
        SecretValues().replace(WEST, NAME, "host", "b.example", "v" * 32, TOKENS[0])
    assert caught.value.symptom.code == "AccessDeniedException"


# Parameters


def test_an_encrypted_parameter_stays_what_it_is() -> None:
    with mock_aws():
        ssm = client("ssm")
        key = client("kms").create_key()["KeyMetadata"]["KeyId"]
        ssm.put_parameter(Name="/x", Value=EAST, Type="SecureString", KeyId=key, Tier="Advanced")
        for number in range(60):  # more than one page of its history
            ssm.put_parameter(
                Name="/x",
                Value=f"{EAST}{number}",
                KeyId=key,
                Tier="Advanced",
                Type="SecureString",
                Overwrite=True,
            )
        Ssm().write(WEST, "/x", WEST)
        assert Ssm().read(WEST, "/x") == WEST
        (found,) = ssm.describe_parameters()["Parameters"]
        assert (found["Type"], found["KeyId"], found["Tier"]) == ("SecureString", key, "Advanced")


def test_what_a_plain_parameter_was_said_to_be_is_said_again() -> None:
    with mock_aws():
        ssm = client("ssm")
        ssm.put_parameter(
            Name="/x",
            Value=EAST,
            Type="String",
            Description="active",
            AllowedPattern="us-.*",
            Tier="Standard",
        )
        Ssm().write(WEST, "/x", WEST)
        (found,) = ssm.describe_parameters()["Parameters"]
        assert (found["Type"], found["Description"]) == ("String", "active")
        assert found["AllowedPattern"] == "us-.*"


def test_a_history_that_may_not_be_read_is_no_parameter_that_is_not_there() -> None:
    stub = Stubber(own_client("ssm", WEST, ONE_TRY))
    stub.add_client_error("get_parameter_history", "AccessDeniedException", http_status_code=400)
    with stub, pytest.raises(RemoteFailure) as caught:
        Ssm().write(WEST, "/x", WEST)
    assert caught.value.symptom.code == "AccessDeniedException"


# Hooks

FIVE_S = timedelta(seconds=5)


def stubbed(region: str = WEST, seconds: float = 5.0) -> tuple[Stubber, Any]:
    made = own_client("lambda", region, Patience(1.0, seconds, 1))
    return Stubber(made), made


def answer(text: str, **more: object) -> dict[str, object]:
    return {"StatusCode": 200, "Payload": io.BytesIO(text.encode()), **more}


@pytest.mark.parametrize(("asked", "called"), [(EAST, EAST), ("", WEST)])
def test_a_hook_is_called_and_waited_for_in_its_region(asked: str, called: str) -> None:
    stub, _ = stubbed(called)
    expected = {"FunctionName": "may-we:live", "InvocationType": "RequestResponse", "Payload": b'{"a": 1}'}
    stub.add_response("invoke", answer('{"veto": "no"}'), expected)
    with stub:
        assert LambdaHooks(WEST).call(asked, "may-we:live", '{"a": 1}', FIVE_S) == '{"veto": "no"}'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"errorMessage": "hunter2", "errorType": "ValueError", "stackTrace": ["hunter2"]}', "ValueError"),
        ("hunter2", "unknown"),
        ("[]", "unknown"),
    ],
)
def test_a_function_that_raised_has_failed_and_its_words_are_not_repeated(text: str, told: str) -> None:
    stub, _ = stubbed()
    stub.add_response("invoke", answer(text, FunctionError="Unhandled"))
    with stub, pytest.raises(RemoteFailure, match=told) as caught:
        LambdaHooks(WEST).call(WEST, "may-we", "{}", FIVE_S)
    assert (caught.value.symptom.kind, "hunter2" in str(caught.value)) == (Kind.WRONG_ANSWER, False)


@pytest.mark.parametrize(
    "code", ["AccessDeniedException", "TooManyRequestsException", "ResourceNotFoundException"]
)
def test_what_lambda_refuses_is_our_own_fault(code: str) -> None:
    stub, _ = stubbed()
    stub.add_client_error("invoke", code, http_status_code=429 if "TooMany" in code else 403)
    with stub, pytest.raises(RemoteFailure) as caught:
        LambdaHooks(WEST).call(WEST, "may-we", "{}", FIVE_S)
    assert blame(caught.value.symptom) is Blame.OURS


def test_a_hook_is_called_once_and_has_its_own_time() -> None:
    made = stubbed(seconds=2.0)[1]
    config = made.meta.config
    assert (config.read_timeout, config.retries["total_max_attempts"]) == (2.0, 1)
    stub = Stubber(made)
    stub.add_response("invoke", answer("null"))
    with stub:
        assert LambdaHooks(WEST).call(WEST, "may-we", "{}", timedelta(seconds=2)) == "null"
    stub.assert_no_pending_responses()
