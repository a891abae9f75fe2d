"""From the files that a round's processes appended to, to one history in one order; and who judges it.

Every process writes an effect when its reply comes. What it changed may have been seen by others before:
such an effect is moved to just before the first sign of it. A worker that was killed may have left a call
without a reply: where others saw what it wrote, the effect is put in before the first of them; where nobody
saw it (and a compare-and-swap would have shown), it did not happen.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from proof.history import Entry, History, describe, record_set
from region_failover.domain.codec import dump
from region_failover.domain.plan import Plan
from region_failover.domain.zone import parse_fence
from tests.concurrency.clock import START
from tests.concurrency.cloud import Holdings, World

MAXIMUM_AGE_S = 900.0
SKEW_S = 0.5  # SPEED times what passes between reading a clock and writing the line, with room
_SAVES = {"store.save_state": "store.load_state", "store.save_health": "store.load_health"}
_JUST_BEFORE = 1e-6


def judge_history(entries: Sequence[Entry]) -> list[str]:
    """Return what the checker finds wrong with a history; nothing where there is no checker yet."""
    try:
        checker = importlib.import_module("proof.checker")
    except ModuleNotFoundError:
        return []
    return [str(violation) for violation in checker.check(list(entries))]


def read_process(path: Path) -> list[Entry]:
    """Return the entries of one process, its name in their numbers; a torn last line is left out."""
    entries: list[Entry] = []
    for line in path.read_text().splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            break
        for key in {"n", "call"} & entry.keys():
            entry[key] = (path.name, entry[key])
        entries.append(entry)
    return entries


def merge(world: World, first: Holdings, expect: str) -> History:
    """Return the one history of a round: its plan, all its processes' entries by time, its rest."""
    entries = [entry for path in sorted(world.folder.glob("*.jsonl")) for entry in read_process(path)]
    began = {entry["worker"] for entry in entries if entry["kind"] == "begin"}
    entries = [
        e for e in entries if e["kind"] != "end" or e["worker"] in began
    ]  # killed before its first line
    entries += unanswered_effects(entries)
    _move_effects(entries)
    entries.sort(key=lambda entry: float(entry["t"]))
    return compose(world.plan, START, {world.zone: _records(first)}, entries, _rest(world, expect))


def compose(
    plan: Plan, start: datetime, zones: dict[str, list[Entry]], entries: Iterable[Entry], rest: Entry
) -> History:
    """Return a whole history: the plan's entry with the zones at t = 0, what happened, and the rest."""
    first = {
        "kind": "plan",
        "t": 0.0,
        **describe(plan, start.isoformat(), MAXIMUM_AGE_S),
        "skew_s": SKEW_S,
        "zones": zones,
    }
    return _numbered([first, *entries, rest])


def _records(found: Holdings) -> list[Entry]:
    return [record_set(record) for record in (*found.records, *([found.fence] if found.fence else []))]


def _rest(world: World, expect: str) -> Entry:
    found = world.holdings()
    state, health = world.store.load_state(world.name), world.store.load_health(world.name)
    record = world.plan.linode_records[0]
    return {
        "kind": "rest",
        "t": world.signals.seconds(),
        "state": dump(state) if state else None,
        "health": dump(health) if health else None,
        "zones": {world.zone: _records(found)},
        "parameters": [
            {"region": region, "name": world.parameter, "value": value}
            for region, value in found.parameters.items()
        ],
        "linode": [
            {
                "domain_id": record.domain_id,
                "name": record.name,
                "type": record.type,
                "target": found.linode,
                "ttl_sec": record.ttl_sec,
            }
        ],
        "history": world.history(),
        "expect": expect,
    }


def _numbered(entries: Iterable[Entry]) -> History:
    history, numbers = History(), dict[Any, int]()
    for entry in entries:
        data = {key: value for key, value in entry.items() if key not in {"n", "t", "kind"}}
        if "call" in data:
            data["call"] = numbers[data["call"]]
        numbers[entry.get("n")] = history.add(entry["kind"], entry["t"], **data)
    return history


def _version(record: str | None) -> int:
    return int(json.loads(record)["version"]) if record else 0


def _move_effects(entries: list[Entry]) -> None:
    """Put each compare-and-swap's effect before the first sign of it, the newest first."""
    calls = {entry["n"]: entry for entry in entries if entry["kind"] == "call"}
    for save, load in _SAVES.items():
        signs = [
            (_version(e["result"]), e["t"])
            for e in entries
            if e["kind"] == "reply" and e["op"] == load and "result" in e
        ]
        effects = [e for e in entries if e["kind"] == "effect" and e["op"] == save]
        signs += [(e["expected"] + 1, e["t"]) for e in effects if not e["saved"]]
        for effect in sorted((e for e in effects if e["saved"]), key=lambda e: -int(e["expected"])):
            version = effect["expected"] + 1
            _move(effect, calls, [t for seen, t in signs if seen >= version])
            signs.append((version, effect["t"]))
    _move_batches(entries, calls)


def _move_batches(entries: list[Entry], calls: dict[Any, Entry]) -> None:
    signs = [
        (_epoch(e["result"]["fence"]), e["t"])
        for e in entries
        if e["kind"] == "reply" and e["op"] == "zones.read" and "result" in e
    ]
    batches = [e for e in entries if e["kind"] == "effect" and e["op"] == "zones.submit"]
    firsts: dict[int, Entry] = {}
    for batch in sorted(batches, key=lambda e: float(e["t"])):
        if created_epoch(batch) != deleted_epoch(batch):
            firsts.setdefault(created_epoch(batch), batch)
    for epoch, batch in sorted(firsts.items(), reverse=True):
        _move(batch, calls, [t for seen, t in signs if seen >= epoch])
        signs.append((epoch, batch["t"]))


def _move(effect: Entry, calls: dict[Any, Entry], signs: list[float]) -> None:
    earliest = min([effect["t"], *(t - _JUST_BEFORE for t in signs)])
    effect["t"] = max(earliest, calls[effect["call"]]["t"])


def _epoch(values: list[str] | None) -> int:
    fence = parse_fence(values[0]) if values else None
    return fence.epoch if fence else -1


def _fence_epoch(batch: Entry, action: str) -> int:
    found = [c["values"] for c in batch["changes"] if (c["action"], c["type"]) == (action, "TXT")]
    return _epoch(found[0]) if found else -1


def created_epoch(batch: Entry) -> int:
    """Return the epoch that a batch's new fence names, -1 if none."""
    return _fence_epoch(batch, "CREATE")


def deleted_epoch(batch: Entry) -> int:
    """Return the epoch of the fence that a batch replaces, -1 if none."""
    return _fence_epoch(batch, "DELETE")


def changes_the_answer(batch: Entry) -> bool:
    """Return whether a batch makes the plan's records answer differently."""
    answers = {
        action: sorted(
            str(c["values"]) for c in batch["changes"] if c["action"] == action and c["type"] != "TXT"
        )
        for action in ("DELETE", "CREATE")
    }
    return answers["DELETE"] != answers["CREATE"]


def unanswered(entries: Iterable[Entry]) -> list[Entry]:
    """Return the calls that have no reply."""
    found = list(entries)
    answered = {e["call"] for e in found if e["kind"] == "reply"}
    return [e for e in found if e["kind"] == "call" and e["n"] not in answered]


def unanswered_effects(entries: list[Entry]) -> list[Entry]:
    """Return the effects of calls without a reply, as far as others saw them or nobody could tell."""
    found: list[Entry] = []
    # A version is written once. Equal texts tell nothing: every worker makes the same first record.
    written = {(e["op"], e["expected"]) for e in entries if e["kind"] == "effect" and e.get("saved")}
    for call in unanswered(entries):
        data = {k: v for k, v in call.items() if k not in {"n", "t", "kind", "clock"}}
        effect = {"kind": "effect", "n": (*call["n"], "effect"), "call": call["n"], "t": call["t"], **data}
        if call["op"] in _SAVES:
            load = _SAVES[call["op"]]
            seen = [e["t"] for e in entries if e["kind"] == "reply" and e.get("op") == load]
            version = (call["op"], call["expected"])
            is_there = any(e.get("result") == call["record"] for e in entries if e["kind"] == "reply")
            if is_there and version not in written:
                written.add(version)
                found.append(effect | {"saved": True, "t": max(seen)})
        elif call["op"] == "zones.submit" and _took_effect(call, entries):
            found.append(effect | {"change_id": "", "t": entries[-1]["t"]})
        elif call["op"] in {"parameters.write", "linode.point"}:
            found.append(effect)
    return found


def _took_effect(call: Entry, entries: list[Entry]) -> bool:
    """Return whether the zone went to this batch's epoch, and no batch with a reply took it there."""
    epoch = created_epoch(call)
    others = [e for e in entries if e["kind"] == "effect" and e["op"] == "zones.submit"]
    if epoch == deleted_epoch(call) or any(
        created_epoch(e) == epoch and deleted_epoch(e) != epoch for e in others
    ):
        return False
    reads = [e for e in entries if e["kind"] == "reply" and e["op"] == "zones.read" and "result" in e]
    return any(_epoch(e["result"]["fence"]) == epoch for e in reads)
