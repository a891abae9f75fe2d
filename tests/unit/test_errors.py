"""An error says what went wrong in one line, and a remote one keeps its symptom."""

from __future__ import annotations

import pytest

from region_failover.domain.errors import PlanError, RemoteFailure
from region_failover.domain.symptom import Blame, Kind, Symptom, blame
from tests.fakes import DENIED


def test_a_remote_failure_reads_as_its_symptom_and_keeps_it() -> None:
    failure = RemoteFailure(DENIED)
    assert str(failure) == "api AccessDeniedException 400"
    assert failure.symptom is DENIED


def test_a_plan_error_reads_as_file_key_problem_and_what_is_allowed() -> None:
    error = PlanError("orders.toml", "name", "missing", "a name")
    assert str(error) == "orders.toml: name: missing; allowed: a name"


@pytest.mark.parametrize(
    "symptom",
    [
        Symptom(Kind.API, "TooManyRequestsException", 503),
        Symptom(Kind.API, "RequestLimitExceeded", 500),
        Symptom(Kind.API, "ServiceUnavailable", 429),
    ],
    ids=str,
)
def test_a_rate_is_ours_by_its_code_or_by_its_status(symptom: Symptom) -> None:
    assert blame(symptom) is Blame.OURS
