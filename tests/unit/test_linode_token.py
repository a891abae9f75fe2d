"""The Linode token: kept for a while, read anew when it is refused, and never shown."""

from __future__ import annotations

from typing import Any

import pytest

from region_failover.adapters.secret import AGAIN_S, KEPT_S, Secret, token_in
from region_failover.domain.errors import ConfigurationError, RemoteFailure
from tests.cloud import TOKEN

ARN = "arn:aws:secretsmanager:us-west-2:123456789012:secret:linode"


class Manager:
    """Secrets Manager: what it holds, and how often it was asked."""

    def __init__(self, text: str = TOKEN) -> None:
        self.text = text
        self.reads = 0
        self.down = False
        self.at = 0.0

    def get_secret_value(self, SecretId: str) -> dict[str, Any]:
        self.reads += 1
        if self.down:
            raise TimeoutError("no answer")
        return {"SecretString": self.text}


@pytest.fixture
def manager() -> Manager:
    return Manager()


@pytest.fixture
def secret(manager: Manager) -> Secret:
    return Secret(lambda: manager, ARN, lambda: manager.at)


def test_it_is_read_once_for_a_while(manager: Manager, secret: Secret) -> None:
    assert [secret.read(), secret.read()] == [TOKEN, TOKEN]
    assert manager.reads == 1
    manager.text, manager.at = "rotated", KEPT_S
    assert secret.read() == "rotated"


def test_a_refused_one_is_read_anew_once_however_many_threads_were_refused(
    manager: Manager, secret: Secret
) -> None:
    refused = secret.read()
    manager.text = "rotated"
    for _ in range(8):
        secret.forget(refused)
        assert secret.read() == "rotated"
    assert manager.reads == 2


def test_what_is_kept_stays_in_use_where_the_secret_cannot_be_read(manager: Manager, secret: Secret) -> None:
    secret.read()
    manager.down, manager.at = True, KEPT_S
    assert [secret.read(), secret.read()] == [TOKEN, TOKEN]
    assert manager.reads == 2
    manager.down, manager.at = False, KEPT_S + AGAIN_S
    manager.text = "rotated"
    assert secret.read() == "rotated"


def test_a_refused_one_is_not_used_again_where_the_secret_cannot_be_read(
    manager: Manager, secret: Secret
) -> None:
    secret.forget(secret.read())
    manager.down = True
    with pytest.raises(RemoteFailure):
        secret.read()


@pytest.mark.parametrize("around", ["{}\n", " {} ", "\r\n{}\r\n", "{}"])
def test_white_space_around_it_is_not_part_of_it(around: str) -> None:
    assert token_in({"SecretString": around.format(TOKEN)}) == TOKEN


@pytest.mark.parametrize("text", ["", " ", "{0}\n{0}", '{{"token": "{0}"}}', "{0} x", "{0}\u20ac", "{0}\x00"])
def test_what_is_no_token_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ConfigurationError, match="holds no token") as caught:
        token_in({"SecretString": text.format(TOKEN)})
    assert TOKEN not in repr(caught.value)


def test_a_binary_secret_is_no_token() -> None:
    with pytest.raises(ConfigurationError, match="holds no token"):
        token_in({"SecretBinary": b"x"})


def test_a_stack_without_a_secret_says_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match="LinodeTokenSecretArn"):
        Secret(Manager, "").read()
