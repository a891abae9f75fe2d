"""A plan's Regions by role, and what each switch and check points at for a role."""

from __future__ import annotations

from region_failover.domain.plan import Regions, Role
from tests.fakes import EAST, PLAN, WEST

REGIONS = Regions(EAST, WEST)


def test_each_role_has_its_region_and_each_region_its_role() -> None:
    assert (REGIONS.of(Role.PRIMARY), REGIONS.of(Role.STANDBY)) == (EAST, WEST)
    assert (REGIONS.role(EAST), REGIONS.role(WEST)) == (Role.PRIMARY, Role.STANDBY)
    assert tuple(REGIONS) == (EAST, WEST)


def test_the_other_region_is_the_one_to_go_to() -> None:
    assert (REGIONS.other(EAST), REGIONS.other(WEST)) == (WEST, EAST)


def test_a_check_and_a_record_point_at_the_roles_own_place() -> None:
    check, record, linode = PLAN.http_checks[0], PLAN.route53_records[0], PLAN.linode_records[0]
    assert [check.url(role) for role in Role] == [
        "https://use1.orders.example.com/health",
        "https://usw2.orders.example.com/health",
    ]
    assert [record.values(role) for role in Role] == [("192.0.2.10",), ("198.51.100.10",)]
    assert [linode.target(role) for role in Role] == ["203.0.113.10", "198.51.100.50"]
