"""What scenarios assert of a world: each check holds on a sound world and fails on a broken one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from drill import expect, layout
from drill.world import World

P, S = layout.PRIMARY, layout.STANDBY


def records(region: str, epoch: int) -> dict[str, Any]:
    address = layout.PRIMARY_ADDRESS if region == P else layout.STANDBY_ADDRESS
    return {
        "Route 53 A": [address],
        "Route 53 TXT": [f'"region-failover plan=orders epoch={epoch} active={region}"'],
        "Linode A app": [address, 30],
        "Linode A shop": [address, 30],
        f"SSM {P}": region,
        f"SSM {S}": region,
    }


def state(**changed: object) -> dict[str, Any]:
    sound: dict[str, Any] = {
        "active": P,
        "epoch": 2,
        "phase": "steady",
        "transition": None,
        "owed": [],
        "outbox": [],
        "paused": False,
    }
    return sound | changed


def transition(epoch: int, direction: str, outcome: str = "completed") -> dict[str, Any]:
    return {"epoch": epoch, "direction": direction, "outcome": outcome}


def mail(subject: str, text: str = "") -> dict[str, str]:
    return {"Subject": subject, "Message": text}


@dataclass
class Sound:
    """A world after a failover and a failback, as far as the checks ask it."""

    points: dict[str, Any] = field(default_factory=lambda: records(P, 2))
    kept: dict[str, Any] = field(default_factory=state)
    history: list[dict[str, Any]] = field(
        default_factory=lambda: [transition(1, "failover"), transition(2, "failback")]
    )
    mails: list[dict[str, str]] = field(default_factory=lambda: [mail("[orders] it is down")])
    letters: list[str] = field(default_factory=list)
    decided: list[dict[str, Any]] = field(default_factory=list)

    def records(self) -> dict[str, Any]:
        return self.points

    def state(self) -> dict[str, Any]:
        return self.kept

    def transitions(self) -> list[dict[str, Any]]:
        return self.history

    def notifications(self) -> list[dict[str, str]]:
        return self.mails

    def dead_letters(self) -> list[str]:
        return self.letters

    def decisions(self) -> list[dict[str, Any]]:
        return self.decided

    @property
    def world(self) -> World:
        return cast(World, self)


def test_a_sound_world_passes_every_check() -> None:
    world = Sound().world
    assert expect.points_at(world, "after", P, 2).passed
    assert expect.is_at_rest(world, "after", P, 2).passed
    assert expect.transitions_are(world, "after", ["failover", "failback"]).passed
    assert all(check.passed for check in expect.nothing_moved(world, "after", epoch=2))
    assert expect.no_dead_letters(world).passed
    assert expect.nothing_told_twice(world).passed
    assert all(check.passed for check in expect.told(world, {"it": "is down"}))


@pytest.mark.parametrize("where", records(P, 2))
def test_one_thing_that_points_elsewhere_is_found(where: str) -> None:
    world = Sound(points=records(P, 2) | {where: records(S, 2)[where]}).world
    found = expect.points_at(world, "after", P, 2)
    assert not found.passed
    assert where in found.detail


def test_a_record_that_is_gone_and_one_too_many_are_found() -> None:
    gone = {key: value for key, value in records(P, 2).items() if key != "Linode A shop"}
    assert not expect.points_at(Sound(points=gone).world, "after", P, 2).passed
    assert not expect.points_at(Sound(points=records(P, 2) | {"Linode A x": 1}).world, "after", P, 2).passed


def test_a_dead_regions_parameter_is_expected_to_be_stale() -> None:
    world = Sound(points=records(S, 1) | {f"SSM {P}": P}).world
    assert expect.points_at(world, "during", S, 1, stale=[P]).passed
    assert not expect.points_at(world, "during", S, 1).passed


@pytest.mark.parametrize(
    "changed",
    [
        {"active": S},
        {"epoch": 3},
        {"phase": "moving"},
        {"transition": {"epoch": 3}},
        {"owed": [{"kind": "ssm"}]},
        {"outbox": [{"key": "x"}]},
        {"paused": True},
    ],
)
def test_whatever_is_not_at_rest_is_found(changed: dict[str, Any]) -> None:
    assert not expect.is_at_rest(Sound(kept=state(**changed)).world, "after", P, 2).passed


@pytest.mark.parametrize(
    "history",
    [
        [],
        [transition(1, "failover")],
        [transition(1, "failover"), transition(2, "failback"), transition(3, "failover")],
        [transition(1, "failover"), transition(3, "failback")],
        [transition(1, "failover"), transition(2, "failover")],
        [transition(1, "failover"), transition(2, "failback", "stopped: the source is healthy again")],
    ],
)
def test_another_history_is_found(history: list[dict[str, Any]]) -> None:
    world = Sound(history=history).world
    assert not expect.transitions_are(world, "after", ["failover", "failback"]).passed


def test_a_transition_that_was_opened_is_a_move() -> None:
    opened = Sound(kept=state(epoch=3, transition={"epoch": 3})).world
    assert not all(check.passed for check in expect.nothing_moved(opened, "outage", epoch=2))


def moved(epoch: int, direction: str, source: str, target: str) -> dict[str, Any]:
    more = {"source": source, "target": target, "reason": "region-down: seen"}
    return transition(epoch, direction) | more


ROUND_TRIP = [
    f"[orders] {P} is down",
    f"[orders] traffic is switched to {S}",
    f"[orders] failover to {S} is complete",
    f"[orders] traffic is switched to {P}",
    f"[orders] failback to {P} is complete",
]


@pytest.mark.parametrize(
    ("subjects", "also", "passes"),
    [
        (ROUND_TRIP, [], True),
        ([*ROUND_TRIP, "OK: an alarm of CloudWatch"], [], True),
        ([*ROUND_TRIP, "[orders] holds: fence-ahead"], [], False),
        ([*ROUND_TRIP, "[orders] holds: drift"], ["holds: drift"], True),
        (ROUND_TRIP, ["holds: drift"], False),
        (ROUND_TRIP[1:], [], False),
        ([*ROUND_TRIP, ROUND_TRIP[1]], [], False),
        ([*ROUND_TRIP, f"[orders] {P} replicates again: late writes arrive"], [], True),
        ([*ROUND_TRIP, f"[orders] {S} replicates again: late writes arrive"], [], False),
        ([*ROUND_TRIP, *[f"[orders] {P} replicates again: late writes arrive"] * 2], [], False),
    ],
)
def test_nothing_may_be_told_but_what_there_was_to_tell(
    subjects: list[str], also: list[str], passes: bool
) -> None:
    history = [moved(1, "failover", P, S), moved(2, "failback", S, P)]
    world = Sound(history=history, mails=[mail(subject) for subject in subjects]).world
    assert expect.only_told(world, also).passed is passes


def test_of_a_region_that_was_left_because_it_was_degraded_that_is_told() -> None:
    history = [moved(1, "failover", P, S) | {"reason": "region-degraded: slow"}]
    told = [f"[orders] {P} is degraded", *ROUND_TRIP[1:3]]
    world = Sound(history=history, mails=[mail(subject) for subject in told]).world
    assert expect.only_told(world).passed
    world = Sound(history=history, mails=[mail(subject) for subject in ROUND_TRIP[:3]]).world
    assert not expect.only_told(world).passed


def test_a_notification_that_came_twice_or_never_is_found() -> None:
    twice = Sound(mails=[mail("[orders] it is down", "a"), mail("[orders] it is down", "a")]).world
    assert not expect.nothing_told_twice(twice).passed
    assert not expect.told(twice, {"it": "is down"})[0].passed
    assert not expect.told(Sound(mails=[]).world, {"it": "is down"})[0].passed


def test_two_notifications_that_differ_in_their_text_and_alarms_that_repeat_are_none_twice() -> None:
    mails = [mail("[orders] a", "1"), mail("[orders] a", "2"), mail("OK: alarm"), mail("OK: alarm")]
    assert expect.nothing_told_twice(Sound(mails=mails).world).passed


def test_a_strange_dead_letter_and_a_missing_one_are_found() -> None:
    world = Sound(letters=["StateUnavailable: ..."]).world
    assert expect.no_dead_letters(world, ["StateUnavailable"]).passed
    assert not expect.no_dead_letters(world).passed
    assert not expect.no_dead_letters(world, ["StateUnavailable", "malformed"]).passed


def test_a_hold_counts_as_recorded_only_with_what_it_was_made_from() -> None:
    whole = {"action": "hold", "reason": "both-unhealthy", "situation": {"paused": False}, "checks": ["x"]}
    assert expect.held(Sound(decided=[whole]).world, "both-unhealthy", "outage").passed
    assert not expect.held(Sound(decided=[whole | {"checks": []}]).world, "both-unhealthy", "outage").passed
    assert not expect.held(Sound(decided=[whole]).world, "drift", "outage").passed
