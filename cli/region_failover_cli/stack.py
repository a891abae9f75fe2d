"""The stack's functions, invoked with the caller's AWS credentials."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

import boto3
from botocore import exceptions as aws
from botocore.config import Config

# A function's own timeout is 90 s at most. One try: a second one would be a second request.
INVOKED = Config(connect_timeout=5, read_timeout=120, retries={"total_max_attempts": 1})
ASKED = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 2})


class NotSent(Exception):
    """Nothing was asked of the stack, so nothing was done."""


class NotReached(Exception):
    """The function's answer did not come: what it did is not known."""


class Failed(Exception):
    """The function ended in an error."""


class Stack(Protocol):
    """What the commands need of a deployed stack."""

    def invoke(self, function: str, event: Mapping[str, object]) -> Any:
        """Return a function's answer; raise NotSent, NotReached or Failed. `function`: such as 'operator'."""
        ...

    def caller(self) -> str:
        """Return who asks, as AWS knows them."""
        ...


# Lambda may have begun before it said this (its API reference: 500).
_PERHAPS_BEGUN = frozenset({"ServiceException"})
# No connection, or no request to send.
_NOTHING_SENT = (
    aws.NoCredentialsError,
    aws.PartialCredentialsError,
    aws.CredentialRetrievalError,
    aws.TokenRetrievalError,
    aws.UnauthorizedSSOTokenError,
    aws.NoRegionError,
    aws.ProfileNotFound,
    aws.InvalidRegionError,
    aws.ConnectTimeoutError,
    aws.EndpointConnectionError,
)


def _not_answered(what: str, error: Exception) -> NotSent | NotReached:
    """Return whether nothing was done, or nobody knows."""
    if isinstance(error, aws.ClientError):
        code = error.response.get("Error", {}).get("Code", "")
        if code == "ResourceNotFoundException":
            return NotSent(f"{what}: no such function; are --stack and --region the control stack's?")
        if code not in _PERHAPS_BEGUN:
            return NotSent(f"{what}: {error}")
    if isinstance(error, aws.NoRegionError):
        return NotSent("no Region: give --region, or set AWS_REGION, to the control stack's")
    return NotSent(f"{what}: {error}") if isinstance(error, _NOTHING_SENT) else NotReached(f"{what}: {error}")


class AwsStack:
    """A stack in an account."""

    def __init__(self, name: str, region: str | None, profile: str | None, endpoint: str | None) -> None:
        """Take a stack's name and its (control) Region; `endpoint`: an AWS that is not AWS's own."""
        try:
            self._session = boto3.Session(region_name=region, profile_name=profile)
        except aws.BotoCoreError as error:
            raise _not_answered("AWS settings", error) from error
        self._name = name
        self._endpoint = endpoint

    def invoke(self, function: str, event: Mapping[str, object]) -> Any:
        """Return a function's answer."""
        name = f"{self._name}-{function}"
        try:
            client = self._session.client("lambda", config=INVOKED, endpoint_url=self._endpoint)
            reply = client.invoke(FunctionName=name, Payload=json.dumps(event).encode())
            answer = json.loads(reply["Payload"].read())
        except (aws.ClientError, aws.BotoCoreError, ValueError) as error:
            raise _not_answered(name, error) from error
        if reply.get("FunctionError"):
            raise Failed(f"{name}: {answer.get('errorType', '')}: {answer.get('errorMessage', answer)}")
        return answer

    def caller(self) -> str:
        """Return the caller's ARN."""
        try:
            client = self._session.client("sts", config=ASKED, endpoint_url=self._endpoint)
            return str(client.get_caller_identity()["Arn"])
        except (aws.ClientError, aws.BotoCoreError) as error:
            raise NotSent(f"who you are: {_not_answered('STS', error)}") from error
