"""Whose fault is it? What a remote call showed, and who is to blame.

A check that failed because of *them* is evidence; one that failed because of *us* (our credentials, our
settings, our rate) is none. An error never seen before is ours until somebody has looked at it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What the call ran into."""

    TIMEOUT = "timeout"  # no answer within the deadline, connecting or reading
    REFUSED = "refused"  # connection refused or reset
    NO_SUCH_NAME = "no-such-name"  # the name resolves to nothing
    TLS = "tls"
    HTTP = "http"  # an HTTP answer with an error status
    API = "api"  # an AWS or Linode error answer with a code
    WRONG_ANSWER = "wrong-answer"  # an answer, but not the one expected
    REPORTED = "reported"  # CloudWatch or Linode itself says that it fails
    CREDENTIALS = "credentials"  # none, incomplete, expired before anything was sent
    SETTINGS = "settings"  # the call could not be made as configured
    UNKNOWN = "unknown"


class Blame(StrEnum):
    """Who is at fault."""

    THEIRS = "theirs"
    OURS = "ours"


@dataclass(frozen=True, slots=True)
class Symptom:
    """What one call ran into: kind, service's code, HTTP status (0 = none), one line for humans."""

    kind: Kind
    code: str = ""
    status: int = 0
    detail: str = ""

    def __str__(self) -> str:
        """Return one line without secrets."""
        parts = [self.kind.value, self.code, str(self.status) if self.status else "", self.detail]
        return " ".join(part for part in parts if part)


TRANSPORT = frozenset({Kind.TIMEOUT, Kind.REFUSED, Kind.NO_SUCH_NAME})

# Server-side faults by their code, whatever HTTP status carries them (common errors of the AWS API
# reference, and DynamoDB's own list of errors).
_THEIR_CODES = frozenset(
    {
        "InternalServerError",
        "InternalFailure",
        "InternalError",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "ReplicatedWriteConflictException",
    }
)


def blame(symptom: Symptom) -> Blame:
    """Return THEIRS only for faults that cannot come from our own credentials, settings or rate.

    HTTP 5xx, timeouts, refusals, missing names, wrong answers and what their own provider says of them are
    theirs. Access denied, missing table, throttling, TLS (our own trust store may be the cause), redirects
    and every other 4xx are ours, and so is what nobody has classified yet.
    """
    if symptom.kind in TRANSPORT or symptom.kind in {Kind.WRONG_ANSWER, Kind.REPORTED}:
        return Blame.THEIRS
    if symptom.kind in {Kind.HTTP, Kind.API} and _is_server_side(symptom):
        return Blame.THEIRS
    return Blame.OURS


def _is_server_side(symptom: Symptom) -> bool:
    if _is_throttle(symptom):
        return False
    return symptom.code in _THEIR_CODES or 500 <= symptom.status <= 599


def _is_throttle(symptom: Symptom) -> bool:
    """Return whether it speaks of a rate, also where it comes as a 503 (`SlowDown`, `Throttling`)."""
    return symptom.status == 429 or any(
        word in symptom.code
        for word in ("Throttl", "ThroughputExceeded", "RequestLimitExceeded", "TooManyRequests", "SlowDown")
    )
