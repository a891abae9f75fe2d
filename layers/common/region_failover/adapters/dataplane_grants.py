"""What the template grants for switches without a control plane, beside what the plans need of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from region_failover.domain.dataplane import follows_alarm
from region_failover.domain.plan import Plan


@dataclass(frozen=True, slots=True)
class DataPlaneGrants:
    """What the template's parameters SignalMetric, SignalObjects, FailoverZoneIds, RoutingControlArns say."""

    metric: bool = False
    objects: frozenset[str] = frozenset()
    zones: frozenset[str] = frozenset()
    controls: frozenset[str] = frozenset()


def read_data_plane_grants(environ: Mapping[str, str]) -> DataPlaneGrants:
    """Return what the environment says of them; nothing where it says nothing."""
    return DataPlaneGrants(
        metric=environ.get("SIGNAL_METRIC") == "ENABLED",
        objects=_names(environ.get("SIGNAL_OBJECTS", "")),
        zones=_names(environ.get("FAILOVER_ZONE_IDS", "")),
        controls=_names(environ.get("ROUTING_CONTROL_ARNS", "")),
    )


def data_plane_problems(granted: DataPlaneGrants, plans: Sequence[Plan]) -> Iterator[str]:
    """Yield what plans need and no list grants."""
    if any(follows_alarm(plan) for plan in plans) and not granted.metric:
        yield "a plan's health check follows an alarm, and SignalMetric is not ENABLED"


def data_plane_grants(
    granted: DataPlaneGrants, plans: Sequence[Plan]
) -> tuple[tuple[str, frozenset[str], frozenset[str]], ...]:
    """Return parameter, what it grants, and what the plans need of it."""
    checks = [switch for plan in plans for switch in plan.health_checks]
    controls = [switch for plan in plans for switch in plan.routing_controls]
    return (
        (
            "SignalObjects",
            granted.objects,
            frozenset(f"{switch.bucket}/{switch.key}" for switch in checks if switch.bucket),
        ),
        ("FailoverZoneIds", granted.zones, frozenset(switch.zone_id for switch in checks)),
        (
            "RoutingControlArns",
            granted.controls,
            frozenset(arn for switch in controls for arn in (switch.primary, switch.standby)),
        ),
    )


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(",") if name.strip())
