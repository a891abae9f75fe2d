"""What a plan makes of a record set: it says where the set points; all else stays as it is there.

The plan's `ttl` and `evaluate_target_health`, where it has them, go before what is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from region_failover.domain.plan import Role, Route53Record
from region_failover.domain.record_set import MADE_TTL_S, Alias, RecordSet, canonical, points_alike

# The percent of the traffic that is at the primary when all of it is in that role's Region.
WHOLE = {Role.PRIMARY: 100, Role.STANDBY: 0}


def wanted(record: Route53Record, role: Role, there: RecordSet | None = None) -> RecordSet:
    """Return the set that points at that role's Region; `there`: the set that it will replace."""
    target = RecordSet(
        canonical(record.name),
        record.type,
        _ttl(record, role, there),
        tuple(sorted(record.values(role))),
        identifier=record.set_identifier,
        alias=_alias(record, role, there),
    )
    if there is None:
        return target
    target = replace(target, weight=there.weight, kept=there.kept)
    if not points_alike(there, target):
        return target
    spelt = replace(there.alias, evaluate=target.alias.evaluate) if there.alias and target.alias else None
    return replace(target, values=there.values, alias=spelt)


def _ttl(record: Route53Record, role: Role, there: RecordSet | None) -> int:
    if record.alias(role):
        return 0
    if record.ttl is not None:
        return record.ttl
    return there.ttl if there and not there.alias else MADE_TTL_S


def _alias(record: Route53Record, role: Role, there: RecordSet | None) -> Alias | None:
    alias = record.alias(role)
    if alias is None or alias.evaluate is not None:
        return alias
    return replace(alias, evaluate=bool(there.alias.evaluate) if there and there.alias else False)


def answers(
    record: Route53Record, role: Role, share: int | None = None, there: Sequence[RecordSet] = ()
) -> tuple[RecordSet, ...]:
    """Return the record sets that point at that role's Region: one, or a weighted one for each role.

    `share`: how many percent of the traffic weighted records send to the primary; None: all or nothing, as
    the role says. Other records know no share. `there`: the sets that these will replace.
    """
    found = {each.identifier: each for each in there}
    if not record.weighted:
        return (wanted(record, role, found.get(record.set_identifier)),)
    percent = WHOLE[role] if share is None else share
    weights = {Role.PRIMARY: percent, Role.STANDBY: 100 - percent}
    return tuple(
        replace(
            wanted(record, each, found.get(record.identifier(each))),
            identifier=record.identifier(each),
            weight=weights[each],
        )
        for each in Role
    )


def sends_to(record: Route53Record, role: Role, there: Sequence[RecordSet], share: int | None = None) -> bool:
    """Return whether these sets point where the plan has that role's Region, whatever their TTL.

    Of a whole move any weights will do that send all of the traffic there: 1 and 0 are as good as 100 and 0.
    """
    targets = {target.identifier: target for target in answers(record, role, share, there)}
    if {each.identifier for each in there} != set(targets):
        return False
    return all(
        points_alike(each, targets[each.identifier])
        and _weighs(each.weight, targets[each.identifier].weight, exactly=share is not None)
        for each in there
    )


def _weighs(there: int | None, target: int | None, *, exactly: bool) -> bool:
    return there == target if exactly else bool(there) == bool(target)
