"""The plans shipped in the plans layer, or in a folder."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from region_failover.domain.errors import ConfigurationError, PlanError
from region_failover.domain.plan import Plan, Route53Record
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
        between = _shared_name(plan, other)
        if between:
            raise PlanError(file, _SWITCHES[0], between, "each record, or each of its sets, in one plan")
        for key, found, taken in zip(_SWITCHES, _switched(plan), _switched(other), strict=True):
            for shared in found & taken:
                raise PlanError(
                    file,
                    key,
                    f"{shared!r} is also switched by plan {other.name!r}",
                    "each switch in one plan",
                )


def _shared_name(plan: Plan, other: Plan) -> str:
    """Return which record of one plan is the whole of what another switches one set of, '' if none.

    Two plans may each switch a set of their own of one name and type.
    """
    names: dict[tuple[str, str, str], set[bool]] = {}
    for record in (*plan.route53_records, *other.route53_records):
        names.setdefault(_name_of(record), set()).add(bool(record.set_identifier))
    mixed = next((name for name, kinds in names.items() if len(kinds) > 1), None)
    return (
        f"{mixed!r} is a record of one plan and a set of plan {other.name!r}, or the reverse" if mixed else ""
    )


def _name_of(record: Route53Record) -> tuple[str, str, str]:
    return record.zone_id, canonical(record.name), record.type


_SWITCHES = (
    "switch.route53_record",
    "switch.linode_record",
    "switch.ssm_parameter",
    "switch.secret",
    "switch.route53_health_check",
    "switch.arc_routing_control",
)


def _switched(plan: Plan) -> tuple[set[object], ...]:
    fences = {(zone, fence_name(records), "TXT") for zone, records in plan.zones().items()}
    records = {
        (*_name_of(r), r.set_identifier) if r.set_identifier else _name_of(r) for r in plan.route53_records
    }
    pairs = {(r.zone_id, canonical(r.name), r.type) for r in plan.health_checks}
    objects = {(r.bucket, r.key) for r in plan.health_checks if r.bucket}
    return (
        {*records, *fences, *pairs},
        {record.key for record in plan.linode_records},
        {parameter.name for parameter in plan.ssm_parameters},
        {secret.name for secret in plan.secrets},
        {*objects},
        {arn for switch in plan.routing_controls for arn in (switch.primary, switch.standby)},
    )
