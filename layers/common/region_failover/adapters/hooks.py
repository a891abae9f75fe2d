"""The user's own Lambda functions, called and waited for."""

from __future__ import annotations

import json
from datetime import timedelta

from region_failover.adapters.clients import CONTROL, Patience, client
from region_failover.adapters.symptoms import remote
from region_failover.domain.errors import RemoteFailure
from region_failover.domain.symptom import Kind, Symptom

# An answer is some words; what is longer is not read to its end.
LONGEST_ANSWER = 64 * 1024


class LambdaHooks:
    """Implements ports.Hooks."""

    def __init__(self, control_region: str) -> None:
        """Call in this Region what is to be called in the control Region."""
        self._control_region = control_region

    @remote
    def call(self, region: str, function: str, payload: str, timeout: timedelta) -> str:
        """Call a function once, and return its answer as JSON text.

        A function that raised has failed (Lambda answers 200 then, with FunctionError); of its error only the
        type is told: its words and its stack may hold anything (I24).
        """
        patience = Patience(CONTROL.connect_s, timeout.total_seconds(), attempts=1)
        found = client("lambda", region or self._control_region, patience).invoke(
            FunctionName=function, InvocationType="RequestResponse", Payload=payload.encode()
        )
        text = found["Payload"].read(LONGEST_ANSWER).decode("utf-8", "replace")
        if found.get("FunctionError"):
            detail = f"{function} ended in an error: {_type_of(text)}"
            raise RemoteFailure(Symptom(Kind.WRONG_ANSWER, str(found["FunctionError"]), detail=detail))
        return str(text)


def _type_of(text: str) -> str:
    try:
        found = json.loads(text)
    except ValueError:
        return "unknown"
    return str(found.get("errorType", "unknown"))[:100] if isinstance(found, dict) else "unknown"
