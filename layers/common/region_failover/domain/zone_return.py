"""What a move to the standby changes beside where records point, so that the return can undo it.

A plan's `ttl` replaces the one that was there, a name loses its capital letters, weights of 1 and 0 become 0
and 100. The plan says where the traffic goes; what was there says everything else. So the move leaves in
the plan's state, zone by zone, each such field as it was and as it became; the return puts back those that
still are as they became. What a human has changed meanwhile stays as he left it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from region_failover.domain.plan import Role, Route53Record
from region_failover.domain.record_set import RecordSet, dump_set, load_set, points_alike
from region_failover.domain.zone_snapshot import ZoneSnapshot
from region_failover.domain.zone_target import answers, sends_to

_FIELDS = ("alias", "values", "ttl", "weight")


def to_put_back(records: Sequence[Route53Record], before: ZoneSnapshot) -> str:
    """Return as JSON what a whole move to the standby changes here for longer than it lasts, '' for nothing.

    {record: {field: [as it was, as it became]}}; only what the way back would not come to by itself, so
    mostly nothing, and always far less than the snapshot.
    """
    found: dict[str, dict[str, list[Any]]] = {}
    for record in records:
        there = {each.identifier: each for each in before.of(record)}
        left = answers(record, Role.STANDBY, None, tuple(there.values()))
        back = answers(record, Role.PRIMARY, None, left)
        whole = sends_to(record, Role.PRIMARY, tuple(there.values()))
        for away, home in zip(left, back, strict=True):
            was = there.get(away.identifier)
            fields = _changed(was, away, home, whole) if was else {}
            if fields:
                found[_key(away)] = fields
    return json.dumps(found, sort_keys=True, separators=(",", ":")) if found else ""


def _changed(was: RecordSet, away: RecordSet, home: RecordSet, whole: bool) -> dict[str, list[Any]]:
    old, became, new = dump_set(was), dump_set(away), dump_set(home)
    fields = [field for field in _FIELDS if old.get(field) != new.get(field)]
    if not points_alike(was, home):  # a human's own word has overruled what stood there
        fields = [field for field in fields if field == "ttl" and not (was.alias or home.alias)]
    if not whole:  # weights say where the traffic goes, and that is the plan's to say
        fields = [field for field in fields if field != "weight"]
    return {field: [old.get(field), became.get(field)] for field in fields}


def put_back(target: RecordSet, there: RecordSet | None, was: str) -> RecordSet:
    """Return the target with what the move away had changed as it was; `there`: what is to be replaced."""
    fields = json.loads(was).get(_key(target), {}) if was and there else {}
    now = dump_set(there) if there else {}
    for field, (old, became) in fields.items():
        undone = load_set({**dump_set(target), field: old})
        kept_by_hand = field != "weight" and now.get(field) != became  # weights change with every step
        if points_alike(undone, target) and not kept_by_hand and not (field == "ttl" and target.alias):
            target = undone
    return target


def _key(record: RecordSet) -> str:
    return " ".join(part for part in (record.name, record.type, record.identifier) if part)
