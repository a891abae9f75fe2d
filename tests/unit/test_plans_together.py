"""Several plans in one folder: names and switches are each plan's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from region_failover.adapters.plan_files import plans_in
from region_failover.domain.errors import ConfigurationError, PlanError

EXAMPLE = (Path(__file__).parents[2] / "layers" / "plans" / "orders.toml").read_text()
OTHER = (
    EXAMPLE.replace('name = "orders"', 'name = "payments"', 1)
    .replace("api.example.com", "pay.example.com")
    .replace('name = "app"', 'name = "pay"')
    .replace("/orders/active-region", "/payments/active-region")
)


def put(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / f"{name}.toml").write_text(text)
    return folder


def test_two_plans_with_their_own_switches_are_accepted(tmp_path: Path) -> None:
    assert [plan.name for plan in plans_in(put(tmp_path, a=EXAMPLE, b=OTHER))] == ["orders", "payments"]


@pytest.mark.parametrize(
    ("own", "theirs", "key"),
    [
        ("pay.example.com", "API.example.com", "switch.route53_record"),
        ('name = "pay"', 'name = "APP"', "switch.linode_record"),
        ("/payments/active-region", "/orders/active-region", "switch.ssm_parameter"),
        ('name = "payments"', 'name = "orders"', "name"),
    ],
)
def test_what_two_plans_share_is_refused_by_file_and_key(
    tmp_path: Path, own: str, theirs: str, key: str
) -> None:
    folder = put(tmp_path, a=EXAMPLE, b=OTHER.replace(own, theirs, 1))
    with pytest.raises(PlanError) as caught:
        plans_in(folder)
    assert (caught.value.file, caught.value.key) == ("b.toml", key)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such folder"):
        plans_in(tmp_path / "none")
