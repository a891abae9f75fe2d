"""Route 53's health checkers: they look at what the embedded Route 53's checks say, at the checks' own pace.

A check of an alarm follows the alarm's metric, not its state, as Route 53 does: the minute that has passed
last; the present one counts at once where it is in alarm already. Without a value in the minute that passed
last it is what `InsufficientDataHealthStatus` says. (The embedded CloudWatch's own evaluation ignores
dimensions and missing data.) A check of an endpoint asks it every `RequestInterval`; its status changes after
`FailureThreshold` looks in a row that say otherwise. Both begin healthy.

Not modelled: that there are many checkers and 18 % of them decide, and CloudWatch's own delay.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

ALARM_EVERY_S = 10.0
MINUTE = timedelta(minutes=1)

# Maximum of a metric by the minute; whether an address answers, and what.
Values = Mapping[datetime, float]
ReadAlarm = Callable[[str, str], tuple[Mapping[str, Any], Values]]
Fetch = Callable[[str, str], tuple[int, bytes]]


def is_well_by_alarm(
    alarm: Mapping[str, Any], values: Values, insufficient: str, before: bool, now: datetime
) -> bool:
    """Return whether a check of this alarm is healthy, by the values of the minutes until now."""
    present = now.replace(second=0, microsecond=0)
    if present in values and _breaches(alarm, values[present]):
        return False
    last = values.get(present - MINUTE)
    if last is not None:
        return not _breaches(alarm, last)
    return {"Healthy": True, "Unhealthy": False}.get(insufficient, before)


def _breaches(alarm: Mapping[str, Any], value: float) -> bool:
    if alarm["ComparisonOperator"] != "GreaterThanOrEqualToThreshold":
        raise ValueError(f"{alarm['ComparisonOperator']}: the rig knows no such alarm")
    return bool(value >= alarm["Threshold"])


def is_well_by_answer(check: Mapping[str, Any], status: int, body: bytes) -> bool:
    """Return whether one look at an endpoint finds it healthy, before a check is inverted."""
    found = 200 <= status <= 399
    if str(check["Type"]).endswith("_STR_MATCH"):
        return found and str(check["SearchString"]).encode() in body[:5120]
    return found


@dataclass
class Status:
    """What is known of one health check."""

    well: bool = True
    against: int = 0
    due: float = 0.0
    known: Mapping[str, Any] = field(default_factory=dict)

    def look(self, well: bool, threshold: int) -> None:
        """Take in one look: so many in a row that say otherwise change the status."""
        self.against = 0 if well == self.well else self.against + 1
        if self.against >= threshold:
            self.well, self.against = well, 0


class HealthCheckers:
    """Follows every health check that there is, in a thread of its own; `is_healthy` is what DNS asks.

    What cannot be asked is no data (an alarm in a Region that is dead) or a failed look (an endpoint).
    """

    def __init__(
        self, checks: Callable[[], Sequence[Mapping[str, Any]]], alarm: ReadAlarm, fetch: Fetch
    ) -> None:
        """`checks`: the health checks; `alarm`: an alarm and its values, by Region and name."""
        self._checks, self._alarm, self._fetch = checks, alarm, fetch
        self._statuses: dict[str, Status] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="health checkers", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopping.set()
        self._thread.join(15)

    def is_healthy(self, check_id: str) -> bool:
        """Return a health check's status; one that nobody has looked at yet is healthy."""
        return self._statuses.get(check_id, Status()).well

    def _run(self) -> None:
        while not self._stopping.wait(0.5):
            try:
                self.look(time.monotonic(), datetime.now(UTC))
            except Exception as error:
                logging.getLogger(__name__).warning("health checks not read: %r", error)

    def look(self, moment: float, now: datetime) -> None:
        """Look at every check that is due."""
        for check in self._checks():
            status = self._statuses.setdefault(str(check["Id"]), Status())
            config = check["HealthCheckConfig"]
            if status.due > moment:
                continue
            if config["Type"] == "CLOUDWATCH_METRIC":
                status.due = moment + ALARM_EVERY_S
                status.well = self._by_alarm(config, status.well, now)
            else:
                status.due = moment + float(config["RequestInterval"])
                well = self._by_answer(config) != bool(config.get("Inverted", False))
                status.look(well, int(config["FailureThreshold"]))

    def _by_alarm(self, config: Mapping[str, Any], before: bool, now: datetime) -> bool:
        found = config["AlarmIdentifier"]
        try:
            alarm, values = self._alarm(found["Region"], found["Name"])
        except LookupError:
            alarm, values = {}, {}
        well = is_well_by_alarm(alarm, values, config["InsufficientDataHealthStatus"], before, now)
        return well != bool(config.get("Inverted", False)) if values else well

    def _by_answer(self, config: Mapping[str, Any]) -> bool:
        try:
            status, body = self._fetch(config["FullyQualifiedDomainName"], config["ResourcePath"])
        except OSError:
            return False
        return is_well_by_answer(config, status, body)
