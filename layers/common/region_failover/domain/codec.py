"""The records as JSON text and back: what the state table keeps.

Times are ISO 8601 in UTC; enums their values; a mapping's keys are sorted, so equal records are equal text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, time
from typing import Any

from region_failover.domain.approval import Approval
from region_failover.domain.decision import Situation
from region_failover.domain.degradation import Degraded
from region_failover.domain.drifted import Drifted, DriftKind
from region_failover.domain.packing import packed, unpacked
from region_failover.domain.state import (
    Answer,
    Direction,
    Lease,
    Notice,
    Phase,
    PlanState,
    Proposal,
    Reboot,
    RebootStatus,
    Step,
    StepKind,
    StepStatus,
    Transition,
    Unreplicated,
)
from region_failover.domain.verdict import Health, HealthRecord, Minute, RegionHealth
from region_failover.domain.window import Opening


def dump(record: Any) -> str:
    """Return any of the records (a dataclass) as JSON text."""
    found = flat(record)
    if isinstance(record, PlanState):
        found["was"] = {zone: packed(text) for zone, text in record.was.items()}
    return json.dumps(found, default=_plain, sort_keys=True)


def flat(record: Any) -> dict[str, Any]:
    """Return a record's fields by name, their values as they are (`asdict` would copy them deeply)."""
    return {name: getattr(record, name) for name in _names(type(record))}


_NAMES: dict[Any, tuple[str, ...]] = {}


def _names(kind: Any) -> tuple[str, ...]:
    if kind not in _NAMES:
        _NAMES[kind] = tuple(field.name for field in fields(kind))
    return _NAMES[kind]


def load_state(text: str) -> PlanState:
    """Return the state that `dump` wrote."""
    found = _known(PlanState, json.loads(text))
    return PlanState(
        **{
            **found,
            "phase": Phase(found["phase"]),
            "transition": _transition(found["transition"]),
            "cooldown_until": _time(found["cooldown_until"]),
            "moved_at": _time(found.get("moved_at")),
            "owed": tuple(_step(step) for step in found["owed"]),
            "outbox": tuple(_notice(notice) for notice in found["outbox"]),
            "noticed": {key: datetime.fromisoformat(at) for key, at in found["noticed"].items()},
            "requests": tuple(found.get("requests", ())),
            "automatic_moves": tuple(map(datetime.fromisoformat, found.get("automatic_moves", ()))),
            "proposal": _proposal(found.get("proposal")),
            "unreplicated": _unreplicated(found.get("unreplicated")),
            "share_since": _time(found.get("share_since")),
            "drift": tuple(_drifted(one) for one in found.get("drift", ())),
            "repairs": tuple(map(datetime.fromisoformat, found.get("repairs", ()))),
            "reboots": tuple(map(_reboot, found.get("reboots", ()))),
            "was": {zone: unpacked(text) for zone, text in found.get("was", {}).items()},
        }
    )


def load_health(text: str) -> HealthRecord:
    """Return the health record that `dump` wrote."""
    found = _known(HealthRecord, json.loads(text))
    views = {name: _regions(regions) for name, regions in found.get("views", {}).items()}
    return HealthRecord(**{**found, "regions": _regions(found["regions"]), "views": views})


def _regions(found: dict[str, Any]) -> dict[str, RegionHealth]:
    return {name: _region_health(region) for name, region in found.items()}


def load_transition(text: str) -> Transition:
    """Return the transition that `dump` wrote."""
    found = _transition(json.loads(text))
    if found is None:
        raise ValueError("no transition")
    return found


def load_situation(found: Mapping[str, Any]) -> Situation:
    """Return the situation of a decision on record, so that it can be decided again (I23)."""
    there, back = found["lags_s"]
    return Situation(
        **{
            **_known(Situation, dict(found)),
            "now": datetime.fromisoformat(found["now"]),
            "cooldown_until": _time(found["cooldown_until"]),
            "target_at": datetime.fromisoformat(found["target_at"]),
            "phase": Phase(found["phase"]),
            "source": Health(found["source"]),
            "target": Health(found["target"]),
            "lags_s": (there, back),
            "opening": Opening(found["opening"]),
            "approval": Approval(found["approval"]),
            "degraded": Degraded(found.get("degraded", Degraded.NO)),
            "fleet_percent": found.get("fleet_percent", 0),
            "complete": found.get("complete", True),
            "on_trial": found.get("on_trial", False),
            "trial_lasted": found.get("trial_lasted", False),
            "target_ours": found.get("target_ours", False),
        }
    )


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | time):
        return value.isoformat()
    if isinstance(value, Step):
        return {**flat(value), "before": packed(value.before)}
    if is_dataclass(value):
        return flat(value)
    raise TypeError(f"{type(value).__name__} has no place in a record")


def _known(kind: Any, found: dict[str, Any]) -> dict[str, Any]:
    """Return only the fields this version knows: a rollback must read what a newer version wrote."""
    names = _names(kind)
    return {key: value for key, value in found.items() if key in names}


def _unreplicated(found: dict[str, Any] | None) -> Unreplicated | None:
    if found is None:
        return None
    return Unreplicated(**{**_known(Unreplicated, found), "at": datetime.fromisoformat(found["at"])})


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _transition(found: dict[str, Any] | None) -> Transition | None:
    if found is None:
        return None
    lease = found["lease"]
    return Transition(
        **{
            **_known(Transition, found),
            "direction": Direction(found["direction"]),
            "started_at": datetime.fromisoformat(found["started_at"]),
            "detected_at": _time(found["detected_at"]),
            "verified_at": datetime.fromisoformat(found["verified_at"]),
            "ended_at": _time(found["ended_at"]),
            "lease": Lease(lease["owner"], datetime.fromisoformat(lease["until"])),
            "steps": tuple(_step(step) for step in found["steps"]),
        }
    )


def _step(found: dict[str, Any]) -> Step:
    times = {key: _time(found.get(key)) for key in ("claimed_until", "sent_at", "done_at", "resent_at")}
    return Step(
        **{
            **_known(Step, found),
            **times,
            "kind": StepKind(found["kind"]),
            "status": StepStatus(found["status"]),
            "before": unpacked(found["before"]),
        }
    )


def _proposal(found: dict[str, Any] | str | None) -> Proposal | None:
    if not found or isinstance(found, str):  # a text, always empty, before there were approvals
        return None
    times = {key: _time(found[key]) for key in ("made_at", "expires_at", "answered_at")}
    return Proposal(**{**_known(Proposal, found), **times, "answer": Answer(found["answer"])})


def _reboot(found: dict[str, Any]) -> Reboot:
    return Reboot(
        **{
            **_known(Reboot, found),
            "at": datetime.fromisoformat(found["at"]),
            "status": RebootStatus(found["status"]),
        }
    )


def _notice(found: dict[str, Any]) -> Notice:
    return Notice(**{**_known(Notice, found), "at": datetime.fromisoformat(found["at"])})


def _drifted(found: dict[str, Any]) -> Drifted:
    since = datetime.fromisoformat(found["since"])
    return Drifted(**{**_known(Drifted, found), "kind": DriftKind(found["kind"]), "since": since})


def _region_health(found: dict[str, Any]) -> RegionHealth:
    return RegionHealth(
        health=Health(found["health"]),
        since=datetime.fromisoformat(found["since"]),
        last_at=datetime.fromisoformat(found["last_at"]),
        recent=tuple(Health(health) for health in found["recent"]),
        why=found["why"],
        ours=found.get("ours", False),
        trusted=found.get("trusted", 0),
        usual_s=found.get("usual_s", 0.0),
        minutes=tuple(_minute(minute) for minute in found.get("minutes", ())),
        hidden=found.get("hidden", False),
    )


def _minute(found: dict[str, Any]) -> Minute:
    return Minute(**{**_known(Minute, found), "at": datetime.fromisoformat(found["at"])})
