"""The machine's AWS settings hidden, and the adapters' clients forgotten, before and after each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from region_failover.adapters.clients import forget_clients
from tests.cloud import isolate


@pytest.fixture(autouse=True)
def _isolated(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    isolate(monkeypatch)
    yield
    forget_clients()
