"""The plans shipped in the plans layer, or in a folder."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from region_failover.domain.errors import ConfigurationError, PlanError
from region_failover.domain.plan import Plan
from region_failover.domain.plan_file import parse_plan
from region_failover.domain.zone import canonical, fence_name

PACKAGE = "region_failover_plans"


def shipped_plans() -> tuple[Plan, ...]:
    """Return the plans of the plans layer; through importlib.resources, wherever the layer is unpacked."""
    try:
        root = resources.files(PACKAGE)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"the package {PACKAGE} is missing: the plans layer is not attached to this function"
        ) from error
    return read_plans(root.iterdir())


def plans_in(folder: Path) -> tuple[Plan, ...]:
    """Return the plans in a folder's *.toml files."""
    if not folder.is_dir():
        raise ConfigurationError(f"{folder}: no such folder; a folder with *.toml plans was expected")
    return read_plans(folder.iterdir())


def read_plans(files: Iterable[Traversable]) -> tuple[Plan, ...]:
    """Return the plans of these files, by name; raise PlanError at the first one wrong."""
    plans: dict[str, Plan] = {}
    for file in sorted((f for f in files if f.name.endswith(".toml")), key=lambda f: f.name):
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise PlanError(file.name, "(encoding)", str(error), "UTF-8") from error
        plan = parse_plan(text, file.name)
        if plan.name in plans:
            raise PlanError(
                file.name, "name", f"{plan.name!r} is another plan's name too", "a name of its own"
            )
        _refuse_shared(file.name, plan, plans.values())
        plans[plan.name] = plan
    return tuple(plans.values())


def _refuse_shared(file: str, plan: Plan, others: Iterable[Plan]) -> None:
    """Raise PlanError where two plans would switch the same thing: each would undo the other's move."""
    for other in others:
        for key, found, taken in zip(_SWITCHES, _switched(plan), _switched(other), strict=True):
            for shared in found & taken:
                raise PlanError(
                    file,
                    key,
                    f"{shared!r} is also switched by plan {other.name!r}",
                    "each switch in one plan",
                )


_SWITCHES = ("switch.route53_record", "switch.linode_record", "switch.ssm_parameter")


def _switched(plan: Plan) -> tuple[set[object], ...]:
    fences = {(zone, fence_name(records), "TXT") for zone, records in plan.zones().items()}
    records = {(r.zone_id, canonical(r.name), r.type) for r in plan.route53_records}
    return (
        {*records, *fences},
        {record.key for record in plan.linode_records},
        {parameter.name for parameter in plan.ssm_parameters},
    )
