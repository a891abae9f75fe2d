"""Whose fault it is: theirs only where it cannot be ours (I10, I13)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from region_failover.domain.symptom import TRANSPORT, Blame, Kind, Symptom, blame

THEIRS = [
    Symptom(Kind.TIMEOUT),
    Symptom(Kind.TIMEOUT, detail="Connect timeout on endpoint"),
    Symptom(Kind.REFUSED),
    Symptom(Kind.NO_SUCH_NAME),
    Symptom(Kind.WRONG_ANSWER),
    Symptom(Kind.WRONG_ANSWER, status=200),
    Symptom(Kind.HTTP, status=500),
    Symptom(Kind.HTTP, status=502),
    Symptom(Kind.HTTP, status=503),
    Symptom(Kind.HTTP, status=504),
    Symptom(Kind.HTTP, status=599),
    Symptom(Kind.API, "InternalServerError", 500),
    Symptom(Kind.API, "InternalFailure", 500),
    Symptom(Kind.API, "InternalError", 500),
    Symptom(Kind.API, "ServiceUnavailable", 503),
    Symptom(Kind.API, "ServiceUnavailableException", 503),
    Symptom(Kind.API, "InternalServerError", 400),
    Symptom(Kind.API, "ReplicatedWriteConflictException", 400),
    Symptom(Kind.API, "", 500),
]
OURS = [
    Symptom(Kind.API, "AccessDeniedException", 400),
    Symptom(Kind.API, "AccessDenied", 403),
    Symptom(Kind.API, "UnauthorizedOperation", 403),
    Symptom(Kind.API, "UnrecognizedClientException", 400),
    Symptom(Kind.API, "InvalidSignatureException", 400),
    Symptom(Kind.API, "ExpiredTokenException", 400),
    Symptom(Kind.API, "ExpiredToken", 403),
    Symptom(Kind.API, "MissingAuthenticationToken", 403),
    Symptom(Kind.API, "OptInRequired", 403),
    Symptom(Kind.API, "ResourceNotFoundException", 400),
    Symptom(Kind.API, "ValidationException", 400),
    Symptom(Kind.API, "ThrottlingException", 400),
    Symptom(Kind.API, "Throttling", 400),
    Symptom(Kind.API, "Throttling", 503),
    Symptom(Kind.API, "ProvisionedThroughputExceededException", 400),
    Symptom(Kind.API, "RequestLimitExceeded", 503),
    Symptom(Kind.API, "TooManyRequestsException", 429),
    Symptom(Kind.API, "SlowDown", 503),
    Symptom(Kind.API, "KMSAccessDeniedException", 400),
    Symptom(Kind.API, "SomethingNew", 400),
    Symptom(Kind.API, "", 0),
    Symptom(Kind.HTTP, status=429),
    Symptom(Kind.HTTP, status=401),
    Symptom(Kind.HTTP, status=403),
    Symptom(Kind.HTTP, status=404),
    Symptom(Kind.HTTP, status=301),
    Symptom(Kind.HTTP, status=204),
    Symptom(Kind.HTTP, status=600),
    Symptom(Kind.TLS),
    Symptom(Kind.CREDENTIALS),
    Symptom(Kind.SETTINGS),
    Symptom(Kind.SETTINGS, status=500),
    Symptom(Kind.UNKNOWN),
    Symptom(Kind.UNKNOWN, status=503, detail="SomethingNew: never seen"),
    Symptom(Kind.CREDENTIALS, "InternalServerError", 500),
]


@pytest.mark.parametrize("symptom", THEIRS, ids=str)
def test_a_fault_that_cannot_be_ours_is_theirs(symptom: Symptom) -> None:
    assert blame(symptom) is Blame.THEIRS


@pytest.mark.parametrize("symptom", OURS, ids=str)
def test_a_fault_that_may_be_ours_is_ours(symptom: Symptom) -> None:
    assert blame(symptom) is Blame.OURS


@pytest.mark.parametrize("code", ["AccessDeniedException", "AccessDenied", "ExpiredTokenException"])
@pytest.mark.parametrize("status", [400, 403])
def test_own_access_denied_is_not_their_outage(code: str, status: int) -> None:
    assert blame(Symptom(Kind.API, code, status)) is Blame.OURS


@given(code=st.text(max_size=40), status=st.integers(min_value=0, max_value=499))
def test_an_unknown_code_without_a_server_status_is_ours(code: str, status: int) -> None:
    known = {s.code for s in THEIRS if s.code}
    if code not in known:
        assert blame(Symptom(Kind.API, code, status)) is Blame.OURS


@given(kind=st.sampled_from(list(Kind)), code=st.text(max_size=20), status=st.integers(0, 700))
def test_only_transport_wrong_answers_and_server_errors_are_ever_theirs(
    kind: Kind, code: str, status: int
) -> None:
    if blame(Symptom(kind, code, status)) is Blame.THEIRS:
        assert kind in TRANSPORT | {Kind.WRONG_ANSWER, Kind.HTTP, Kind.API}
        assert kind not in {Kind.HTTP, Kind.API} or status >= 500 or code in {s.code for s in THEIRS}


@given(status=st.integers(400, 599), prefix=st.text(max_size=5))
def test_throttling_is_our_own_rate_whatever_the_status(status: int, prefix: str) -> None:
    for word in ("ThrottlingException", "RequestThrottled", "ProvisionedThroughputExceeded", "SlowDown"):
        assert blame(Symptom(Kind.API, prefix + word, status)) is Blame.OURS


def test_a_symptom_reads_as_one_line() -> None:
    assert str(Symptom(Kind.API, "AccessDenied", 403, "PutItem")) == "api AccessDenied 403 PutItem"
    assert str(Symptom(Kind.TIMEOUT)) == "timeout"
