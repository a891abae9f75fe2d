"""A Region that is slow, or fails now and then: told, and left where the plan says so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from region_failover.domain.codec import load_health
from region_failover.domain.plan import DegradationMode, FailbackMode
from region_failover.domain.state import Direction
from region_failover.domain.trigger import REGION_UNHEALTHY
from region_failover.domain.verdict import HealthRecord
from tests.fakes import EAST, PLAN, WEST, World, with_policy

LEAVES = replace(PLAN, degradation=replace(PLAN.degradation, action=DegradationMode.FAILOVER))


class Slow(World):
    """A world whose endpoints take their time: a tenth of a second, unless a test says more."""

    def __init__(self, plan: object = PLAN) -> None:
        super().__init__(plan)  # type: ignore[arg-type]
        self.takes_s = dict.fromkeys(self.plan.regions, 0.1)
        get = self.endpoints.get

        def slow(url: str, *rest: object) -> None:
            get(url, *rest)  # type: ignore[arg-type]
            self.clock.advance(self.takes_s[EAST if "use1" in url else WEST])

        self.endpoints.get = slow  # type: ignore[method-assign, assignment]
        self.tick()
        self.minutes(2)

    def minutes(self, count: int) -> None:
        """Let so many minutes pass, each with its tick and the three samples between."""
        for _ in range(count):
            began = self.clock.at.replace(second=0, microsecond=0)
            self.clock.at = began
            self._probe(self.schedule(), 10)
            for offset in (15, 30, 45):
                self.clock.at = began.replace(second=offset)
                self.sample(offset, seconds=10)
            self.clock.at = began.replace(second=59)
            self.clock.advance(1)

    @property
    def known(self) -> HealthRecord:
        return load_health(self.store.healths[self.plan.name][1])


@pytest.fixture
def world() -> Slow:
    return Slow()


def test_what_is_usual_is_learned(world: Slow) -> None:
    assert world.known.regions[EAST].usual_s == pytest.approx(0.1)
    assert world.known.regions[EAST].minutes == ()


def test_a_slow_region_is_told_once_and_not_left(world: Slow) -> None:
    world.takes_s[EAST] = 1.5
    world.minutes(8)
    assert len(world.notifier.about("us-east-1 is degraded")) == 1
    assert "Nothing is moved for that" in world.notifier.sent[-1][1]
    assert world.events.of(REGION_UNHEALTHY) == []
    assert world.failover()["reason"] == "active-healthy"


def test_a_few_slow_samples_are_not_told(world: Slow) -> None:
    world.takes_s[EAST] = 1.5
    world.minutes(2)
    world.takes_s[EAST] = 0.1
    world.minutes(8)
    assert world.notifier.about("degraded") == []


def test_slow_glances_count_like_slow_rounds(world: Slow) -> None:
    world.takes_s[EAST] = 1.5
    world.minutes(1)
    (minute,) = world.known.regions[EAST].minutes
    assert (minute.slow, minute.seen) == (4, 4)


def test_a_glance_leaves_the_measured_replication_where_it_is(world: Slow) -> None:
    lags = world.known.lags
    world.takes_s[EAST] = 1.5
    world.sample(15)
    assert world.known.regions[EAST].minutes
    assert world.known.lags == lags != {}


def test_a_plan_may_leave_a_degraded_region() -> None:
    world = Slow(LEAVES)
    world.takes_s[EAST] = 1.5
    world.minutes(8)
    announced = world.events.of(REGION_UNHEALTHY)
    assert "degraded: of the samples of the last 10 minutes" in str(announced[0]["reason"])
    assert world.failover(world.unhealthy_event())["reason"] == "region-degraded"
    world.deliver_switch()
    (transition,) = world.history()
    assert (transition.direction, transition.target) == (Direction.FAILOVER, WEST)
    assert transition.reason.startswith("region-degraded")
    assert world.moved_to() == WEST


def test_it_is_announced_when_it_is_decided_and_once_a_tick(world: Slow) -> None:
    world = Slow(LEAVES)
    world.takes_s[EAST] = 1.5
    world.minutes(3)
    first = len(world.events.of(REGION_UNHEALTHY))
    world.minutes(2)
    assert (first, len(world.events.of(REGION_UNHEALTHY))) == (1, 3)


def test_two_slow_regions_are_held_loudly() -> None:
    world = Slow(LEAVES)
    world.takes_s.update({EAST: 1.5, WEST: 1.5})
    world.minutes(8)
    assert world.failover(world.unhealthy_event())["reason"] == "both-degraded"
    assert world.notifier.about("both-degraded")


def test_an_endpoint_that_fails_now_and_then_degrades_its_region() -> None:
    world = Slow(LEAVES)
    url = world.plan.http_checks[0].primary
    for _ in range(4):
        world.endpoints.answers[url] = 503
        world.minutes(1)
        del world.endpoints.answers[url]
        world.minutes(1)
    assert world.failover(world.unhealthy_event())["reason"] == "region-degraded"


def test_no_failback_onto_a_slow_primary() -> None:
    world = Slow(with_policy(failback=FailbackMode.AUTOMATIC))
    world.failover(world.manual("failover", force=True))
    world.deliver_switch()
    world.minutes(70)
    world.takes_s[EAST] = 1.5
    world.minutes(8)
    assert world.tick()["reason"] == "not-settled"
    world.takes_s[EAST] = 0.1
    world.minutes(12)
    assert world.tick()["reason"] == "primary-settled"
