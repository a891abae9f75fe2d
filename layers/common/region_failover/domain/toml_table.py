"""A TOML table being read: every value is asked for with what is allowed, and refused with file and key."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn, TypeVar

from region_failover.domain.errors import PlanError

T = TypeVar("T")

_DURATION = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)")
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass
class Table:
    """A TOML table being read: knows where it stands, and which of its keys were asked for."""

    file: str
    path: str
    values: Mapping[str, Any]

    def fail(self, key: str, problem: str, allowed: str) -> NoReturn:
        raise PlanError(self.file, f"{self.path}{key}", problem, allowed)

    def only(self, *allowed: str) -> None:
        for key in self.values:
            if key not in allowed:
                self.fail(key, "unknown key", ", ".join(allowed))

    def required(self, key: str, allowed: str) -> Any:
        if key not in self.values:
            self.fail(key, "missing", allowed)
        return self.values[key]

    def text(self, key: str, pattern: re.Pattern[str], allowed: str) -> str:
        value = self.required(key, allowed)
        if not isinstance(value, str) or not pattern.fullmatch(value):
            self.fail(key, f"{value!r} is not valid", allowed)
        return str(value)

    def choice(self, key: str, default: T, choices: Mapping[str, T]) -> T:
        value = self.values.get(key)
        if value is None:
            return default
        if not isinstance(value, str) or value not in choices:
            self.fail(key, f"{value!r} is not valid", ", ".join(f'"{choice}"' for choice in choices))
        return choices[value]

    def truth(self, key: str, default: bool = False) -> bool:
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            self.fail(key, f"{value!r} is not valid", "true, false")
        return value

    def whole(self, key: str, low: int, high: int, default: int | None = None) -> int:
        allowed = f"a whole number from {low} to {high}"
        value = self.values.get(key, default)
        if value is None:
            self.fail(key, "missing", allowed)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            self.fail(key, f"{value!r} is not valid", allowed)
        return value

    def duration(self, key: str, default: timedelta, low: timedelta, high: timedelta) -> timedelta:
        if key not in self.values:
            return default
        value = self.values[key]
        allowed = f'a duration such as "30s", "20m", "1h", from {low} to {high}'
        match = _DURATION.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            self.fail(key, f"{value!r} is not a duration", allowed)
        found = timedelta(seconds=int(match[1]) * _UNITS_S[match[2]])
        if not low <= found <= high:
            self.fail(key, f"{value!r} is out of range", allowed)
        return found

    def texts(self, key: str, allowed: str) -> tuple[str, ...]:
        value = self.required(key, allowed)
        if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
            self.fail(key, f"{value!r} is not valid", allowed)
        if len(set(value)) != len(value):
            self.fail(key, "the same value twice", allowed)
        return tuple(value)

    def table(self, key: str) -> Table:
        value = self.values.get(key, {})
        if not isinstance(value, dict):
            self.fail(key, "not a table", f"[{self.path}{key}]")
        return Table(self.file, f"{self.path}{key}.", value)

    def tables(self, key: str, read: Callable[[Table], T]) -> tuple[T, ...]:
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.fail(key, "not an array of tables", f"[[{self.path}{key}]]")
        return tuple(
            read(Table(self.file, f"{self.path}{key}[{number}].", item)) for number, item in enumerate(value)
        )
