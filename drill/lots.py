"""Lots of records: what a plan has beside the one that clients ask for, there and in further zones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from drill import layout

AT_ONCE = 400  # of the 1,000 elements that a batch may have


@dataclass(frozen=True, slots=True)
class Lot:
    """So many records in a zone."""

    zone_id: str
    zone: str
    count: int

    @property
    def names(self) -> list[str]:
        """Return the names of its records."""
        return [f"r{number:04d}.{self.zone}" for number in range(self.count)]

    @property
    def fence(self) -> str:
        """Return the fence's name, where these are all of the plan's records in the zone."""
        return f"_region-failover.{self.names[0]}"


def make_lots(route53: Any, zone_id: str, counts: str) -> tuple[Lot, ...]:
    """Make '332,333,333': so many records in this zone, and in a further zone each; '' for none."""
    lots = []
    for number, count in enumerate(int(text) for text in counts.split(",") if text):
        zone = layout.ZONE if number == 0 else f"lot{number}.example"
        lot = Lot(zone_id if number == 0 else _make_zone(route53, zone), zone, count)
        _fill(route53, lot)
        lots.append(lot)
    return tuple(lots)


def _make_zone(route53: Any, name: str) -> str:
    made = route53.create_hosted_zone(Name=name, CallerReference=name)["HostedZone"]
    return str(made["Id"]).rsplit("/", 1)[-1]


def _fill(route53: Any, lot: Lot) -> None:
    changes = [
        {
            "Action": "CREATE",
            "ResourceRecordSet": {
                "Name": name,
                "Type": "A",
                "TTL": 30,
                "ResourceRecords": [{"Value": layout.PRIMARY_ADDRESS}],
            },
        }
        for name in lot.names
    ]
    for start in range(0, len(changes), AT_ONCE):
        batch = {"Changes": changes[start : start + AT_ONCE]}
        route53.change_resource_record_sets(HostedZoneId=lot.zone_id, ChangeBatch=batch)


def plan_tables(lots: Sequence[Lot]) -> str:
    """Return the tables of the plan that switch them."""
    return "\n".join(_table(lot.zone_id, name) for lot in lots for name in lot.names)


def _table(zone_id: str, name: str) -> str:
    return "\n".join(
        (
            "[[switch.route53_record]]",
            f'zone_id = "{zone_id}"',
            f'name = "{name}"',
            'type = "A"',
            "ttl = 30",
            f'primary = ["{layout.PRIMARY_ADDRESS}"]',
            f'standby = ["{layout.STANDBY_ADDRESS}"]',
        )
    )
