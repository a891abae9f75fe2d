"""The stack's functions, invoked with the caller's AWS credentials."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

# A function's own timeout is 90 s at most. One try: a second one would be a second request.
INVOKED = Config(connect_timeout=5, read_timeout=120, retries={"total_max_attempts": 1})
ASKED = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 2})


class NotReached(Exception):
    """The function was not reached, or its answer was not: what it did is not known."""


class Failed(Exception):
    """The function ended in an error."""


class Stack(Protocol):
    """What the commands need of a deployed stack."""

    def invoke(self, function: str, event: Mapping[str, object]) -> Any:
        """Return a function's answer; raise NotReached or Failed. `function`: 'operator', 'failover', ..."""
        ...

    def caller(self) -> str:
        """Return who asks, as AWS knows them."""
        ...


class AwsStack:
    """A stack in an account."""

    def __init__(self, name: str, region: str | None, profile: str | None, endpoint: str | None) -> None:
        """Take a stack's name and its (control) Region; `endpoint`: an AWS that is not AWS's own."""
        try:
            self._session = boto3.Session(region_name=region, profile_name=profile)
        except BotoCoreError as error:
            raise NotReached(str(error)) from error
        self._name = name
        self._endpoint = endpoint

    def invoke(self, function: str, event: Mapping[str, object]) -> Any:
        """Return a function's answer."""
        name = f"{self._name}-{function}"
        try:
            client = self._session.client("lambda", config=INVOKED, endpoint_url=self._endpoint)
            reply = client.invoke(FunctionName=name, Payload=json.dumps(event).encode())
            answer = json.loads(reply["Payload"].read())
        except (ClientError, BotoCoreError, ValueError) as error:
            raise NotReached(f"{name}: {error}") from error
        if reply.get("FunctionError"):
            raise Failed(f"{name}: {answer.get('errorType', '')}: {answer.get('errorMessage', answer)}")
        return answer

    def caller(self) -> str:
        """Return the caller's ARN."""
        try:
            client = self._session.client("sts", config=ASKED, endpoint_url=self._endpoint)
            return str(client.get_caller_identity()["Arn"])
        except (ClientError, BotoCoreError) as error:
            raise NotReached(f"who you are: {error}") from error
