"""Fakes of what switches need that have no control plane: signals, name servers, routing controls, Route 53.

`Route53DataPlane` is what the health checks and the name servers make of the signals, in fake time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from region_failover.domain.dataplane import TAKES_OVER, SignalObject
from region_failover.domain.errors import FenceRefused, RemoteFailure, RuleRefused
from region_failover.domain.plan import HealthCheck, Plan, Role
from region_failover.domain.symptom import Kind, Symptom

if TYPE_CHECKING:
    from tests.fakes import FakeClock, Faults

MINUTE = timedelta(minutes=1)


class FakeSignals:
    """CloudWatch and S3 of the control Region: the values of each minute, and objects with their tags."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.published: list[tuple[str, bool, datetime]] = []
        self.objects: dict[tuple[str, str], SignalObject] = {}
        self.public = True
        self._written = 0

    def publish(self, plan: str, standby: bool, at: datetime) -> None:
        self.faults.around("signals.publish", lambda: self.published.append((plan, standby, at)))

    def read(self, bucket: str, key: str) -> SignalObject | None:
        return self.faults.around("signals.read", lambda: self.objects.get((bucket, key)))

    def write(self, bucket: str, key: str, text: str, replacing: str) -> None:
        def effect() -> None:
            there = self.objects.get((bucket, key))
            if (there.tag if there else "") != replacing:
                raise FenceRefused(f"s3://{bucket}/{key}: something else is there by now")
            self._written += 1
            self.objects[bucket, key] = SignalObject(f'"{self._written}"', text)

        self.faults.around("signals.write", effect)

    def public_text(self, bucket: str, key: str) -> str | None:
        def effect() -> str | None:
            found = self.objects.get((bucket, key))
            return found.text if found and self.public else None

        return self.faults.around("signals.public_text", effect)

    def maximum(self, plan: str, minute: datetime) -> bool | None:
        """Return the largest value of a minute, None where there is none: what the alarm looks at."""
        values = [s for p, s, at in self.published if p == plan and minute <= at < minute + MINUTE]
        return max(values, default=None)


class Route53DataPlane:
    """Answers as Route 53's name servers would, from what the health checks have seen until now.

    A check of the alarm takes the newest minute that has passed and holds a value, and keeps its last status
    while there is none; the present minute counts at once where it is in alarm. One of an object looks now.
    """

    def __init__(self, clock: FakeClock, signals: FakeSignals, faults: Faults, plan: Plan) -> None:
        self.clock = clock
        self.signals = signals
        self.faults = faults
        self.plan = plan
        self.stuck: set[str] = set()  # pairs whose health check follows nothing, by name
        self.servers = 4

    def role(self, switch: HealthCheck) -> Role:
        if switch.name in self.stuck:
            return Role.PRIMARY
        if switch.bucket:
            found = self.signals.objects.get((switch.bucket, switch.key))
            return Role.STANDBY if found and TAKES_OVER in found.text else Role.PRIMARY
        return Role.STANDBY if self._is_in_alarm() else Role.PRIMARY

    def _is_in_alarm(self) -> bool:
        now = self.clock.now()
        minutes = {at.replace(second=0, microsecond=0) for _, _, at in self.signals.published if at <= now}
        for minute in sorted(minutes, reverse=True):
            worst = self.signals.maximum(self.plan.name, minute)
            if worst or minute + MINUTE <= now:
                return bool(worst)
        return False

    def answers(self, name: str, kind: str) -> Sequence[frozenset[str]]:
        def effect() -> Sequence[frozenset[str]]:
            for switch in self.plan.health_checks:
                if (switch.name, switch.type) == (name, kind):
                    return (frozenset(switch.values(self.role(switch))),) * self.servers
            raise RemoteFailure(Symptom(Kind.SETTINGS, detail=f"no name servers are known for {name}"))

        return self.faults.around("names.answers", effect)


class FakeControls:
    """A cluster of ARC: five endpoints over one set of states; `down` do not answer; `rule` refuses."""

    def __init__(self, faults: Faults, plan: Plan) -> None:
        self.faults = faults
        self.states = {
            arn: on for s in plan.routing_controls for arn, on in ((s.primary, True), (s.standby, False))
        }
        self.down: set[str] = set()
        self.rule = ""
        self.writes: list[tuple[str, dict[str, bool], tuple[str, ...]]] = []
        self.tried: list[str] = []

    def read(self, endpoint: str, controls: Sequence[str]) -> Mapping[str, bool]:
        def effect() -> Mapping[str, bool]:
            self._reach(endpoint)
            missing = [arn for arn in controls if arn not in self.states]
            if missing:
                raise RemoteFailure(Symptom(Kind.API, "ResourceNotFoundException", 404))
            return {arn: self.states[arn] for arn in controls}

        return self.faults.around("controls.read", effect)

    def write(self, endpoint: str, states: Mapping[str, bool], override: Sequence[str]) -> None:
        def effect() -> None:
            self.tried.append(endpoint)
            self._reach(endpoint)
            if self.rule:
                raise RuleRefused(f"ARC refuses (ConflictException): {self.rule}")
            self.writes.append((endpoint, dict(states), tuple(override)))
            self.states.update(states)

        self.faults.around("controls.write", effect)

    def _reach(self, endpoint: str) -> None:
        if endpoint in self.down:
            raise RemoteFailure(Symptom(Kind.TIMEOUT, detail="no answer"))


def no_data_plane(plan: Plan) -> dict[str, Any]:
    """Return the ports for a plan that has none of these switches: whoever asks them has made a mistake."""
    assert not plan.health_checks
    assert not plan.routing_controls
    return {"signals": _Nobody(), "zone_answers": _Nobody(), "controls": _Nobody()}


class _Nobody:
    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name}: no plan here has a data-plane switch")
