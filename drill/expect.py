"""What every scenario asserts of the world: where everything points, what is on record, who was told."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from drill import layout
from drill.report import Check
from drill.world import World


def points_at(world: World, phase: str, region: str, epoch: int, stale: Sequence[str] = ()) -> Check:
    """Check that everything that points somewhere points at this Region, the fence with this epoch.

    `stale`: Regions whose copy of the parameter names the other Region still, because they are dead.
    """
    found = world.records()
    address = layout.PRIMARY_ADDRESS if region == layout.PRIMARY else layout.STANDBY_ADDRESS
    fence = f'"region-failover plan={layout.PLAN} epoch={epoch} active={region}"'
    parameters = {name: other(region) if name in stale else region for name in layout.REGIONS}
    expected: dict[str, object] = {
        "Route 53 A": [address],
        "Route 53 TXT": [fence],
        **{f"Linode A {name}": [address, 30] for name in layout.LINODE_RECORDS},
        **{f"SSM {name}": value for name, value in parameters.items()},
    }
    wrong = {key: found.get(key) for key in expected | found if expected.get(key) != found.get(key)}
    detail = f"differs: {wrong}" if wrong else ", ".join(f"{k} {v}" for k, v in found.items())
    return Check(f"{phase}: Route 53, TXT, Linode and SSM point at {region}", not wrong, detail)


def is_at_rest(world: World, phase: str, region: str, epoch: int) -> Check:
    """Check the state record: steady, at this Region and epoch, nothing open, owed or waiting to be told."""
    state = world.state() or {}
    expected = {
        "active": region,
        "epoch": epoch,
        "phase": "steady",
        "transition": None,
        "owed": [],
        "outbox": [],
        "paused": False,
    }
    wrong = {key: state.get(key) for key, value in expected.items() if state.get(key) != value}
    detail = f"differs: {wrong}" if wrong else f"active {region}, epoch {epoch}, nothing open or owed"
    return Check(f"{phase}: the state record is at rest", not wrong, detail)


def transitions_are(world: World, phase: str, directions: Sequence[str]) -> Check:
    """Check that the history holds exactly these transitions, all completed, epochs without a gap."""
    history = world.transitions()
    wanted = [(number, direction, "completed") for number, direction in enumerate(directions, start=1)]
    found = [(t["epoch"], t["direction"], t["outcome"]) for t in history]
    name = f"{phase}: exactly these transitions: {', '.join(directions) or 'none'}"
    return Check(name, found == wanted, "; ".join(f"epoch {e}: {d} {o}" for e, d, o in found))


def nothing_moved(world: World, phase: str, epoch: int = 0, region: str = layout.PRIMARY) -> list[Check]:
    """Check that no transition was opened since `epoch`, and that everything points where it pointed."""
    state = world.state() or {}
    still = state.get("epoch") == epoch and state.get("transition") is None and state.get("active") == region
    detail = f"epoch {state.get('epoch')}, active {state.get('active')}"
    return [
        Check(f"{phase}: no transition is opened", still, detail),
        points_at(world, phase, region, epoch),
    ]


def told(world: World, wanted: dict[str, str], times: int = 1) -> list[Check]:
    """Check that the notification with each of these texts in its subject came exactly so often."""
    subjects = [mail["Subject"] for mail in world.notifications()]
    often = "once" if times == 1 else f"{times} times"
    return [
        Check(f"notified {often} of {name}", sum(text in s for s in subjects) == times, text)
        for name, text in wanted.items()
    ]


def nothing_told_twice(world: World, but: Sequence[str] = ()) -> Check:
    """Check that no two of our own notifications are equal; `but`: parts of those that may repeat."""
    ours = [mail for mail in world.notifications() if mail["Subject"].startswith(f"[{layout.PLAN}]")]
    texts = [f"{mail['Subject']}\n{mail['Message']}" for mail in ours]
    twice = sorted({text.splitlines()[0] for text in texts if texts.count(text) > 1})
    twice = [subject for subject in twice if not any(part in subject for part in but)]
    return Check("no notification came twice", not twice, "; ".join(twice) or f"{len(ours)} in all")


def only_told(world: World, also: Sequence[str] = ()) -> Check:
    """Check that our own notifications are those of the transitions in the history, and these subjects.

    Of a failover: that its source is down (once within `notify_again`, however often it fails), that
    the traffic is switched, that it is complete; of a failback the last two. After a failover it may be
    told once that late writes arrive: how much was left behind depends on the moment. Nothing else may page.
    """
    history = world.transitions()
    left = [t for t in history if t["direction"] == "failover" and t.get("share") is None]
    left = [t for t in left if not t.get("manual")]  # of a human's own nobody says that its source is down
    down = {f"{t['source']} is {_state_of(t)}" for t in left}
    switched = [_switched(t) for t in history]
    complete = [f"{_what(t)} is complete" for t in history]
    wanted = Counter([*down, *switched, *complete, *also])
    prefix = f"[{layout.PLAN}] "
    subjects = [mail["Subject"] for mail in world.notifications()]
    found = Counter(s.removeprefix(prefix) for s in subjects if s.startswith(prefix))
    late = {
        f"{t['source']} replicates again: late writes arrive" for t in history if t["direction"] == "failover"
    }
    found -= Counter(late)
    strange, missing = sorted((found - wanted).elements()), sorted((wanted - found).elements())
    detail = (
        f"not expected: {strange}; missing: {missing}" if strange or missing else f"{len(subjects)} in all"
    )
    return Check("notified of exactly what there was to tell", not strange and not missing, detail)


def _switched(transition: dict[str, Any]) -> str:
    """Return what is told when a transition's records are switched."""
    if transition.get("share"):
        return f"{transition['share']} % of the traffic is on trial at {transition['target']}"
    return f"traffic is switched to {transition['target']}"


def _what(transition: dict[str, Any]) -> str:
    """Return what a transition is called at its end."""
    if transition.get("share"):
        return f"step of the failback to {transition['target']}: {transition['share']} %"
    return f"{transition['direction']} to {transition['target']}"


def _state_of(failover: dict[str, Any]) -> str:
    """Return what was told of the Region that a failover left."""
    return "degraded" if str(failover["reason"]).startswith("region-degraded") else "down"


def no_dead_letters(world: World, but: Sequence[str] = ()) -> Check:
    """Check that the dead-letter queues hold nothing; `but`: texts, each of at least one expected."""
    letters = world.dead_letters()
    strange = [letter for letter in letters if not any(text in letter for text in but)]
    missing = [text for text in but if not any(text in letter for letter in letters)]
    name = f"dead letters: only {', '.join(but)}" if but else "no dead letters"
    detail = "; ".join([*(s[:300] for s in strange), *(f"none with {text}" for text in missing)])
    return Check(name, not strange and not missing, detail or f"{len(letters)} in all")


def decisions(world: World, **wanted: object) -> list[dict[str, Any]]:
    """Return the recorded decisions that have all of these values, oldest first."""
    return [d for d in world.decisions() if all(d.get(key) == value for key, value in wanted.items())]


def held(world: World, reason: str, phase: str) -> Check:
    """Check that a decision to hold with this reason is on record, and with what it was made from."""
    found = decisions(world, action="hold", reason=reason)
    complete = [d for d in found if d.get("situation") and d.get("checks")]
    return Check(f"{phase}: it is on record that we hold: {reason}", bool(complete), _summary(found))


def _summary(found: Sequence[dict[str, Any]]) -> str:
    return f"{len(found)} decisions" + (f"; last: {json.dumps(found[-1]['checks'])[:300]}" if found else "")


def other(region: str) -> str:
    """Return the other Region."""
    return layout.STANDBY if region == layout.PRIMARY else layout.PRIMARY
