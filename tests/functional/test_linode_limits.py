"""200 records in one plan, through the real adapter, against a stand-in that counts as Linode does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest

from drill.linode_api import Limits, LinodeApi
from region_failover.adapters.linode import Linode
from region_failover.domain.linode import fqdn
from region_failover.domain.plan import LinodeRecord, Plan
from region_failover.domain.state import Phase
from region_failover.ports import LinodeDns
from tests.cloud import TOKEN
from tests.fakes import PLAN, FakeZones, World

DOMAINS = {1: "one.example", 2: "two.example"}
MANY = tuple(
    LinodeRecord(1 + number % 2, f"h{number}", "A", 30, f"203.0.113.{number + 1}", f"198.51.100.{number + 1}")
    for number in range(200)
)


class Token:
    def read(self) -> str:
        return TOKEN

    def forget(self, refused: str) -> None: ...


class Served:
    """Name servers that answer what the stand-in and Route 53 hold."""

    def __init__(self, api: LinodeApi, zones: FakeZones) -> None:
        self.api = api
        self.zones = zones

    def ask(self, servers: Sequence[str], name: str, kind: str) -> tuple[str, ...]:
        return self.zones.served(name, kind) or tuple(
            str(record["target"])
            for domain_id, domain in DOMAINS.items()
            for record in self.api.records(domain_id)
            if (fqdn(str(record["name"]), domain), record["type"]) == (name, kind)
        )


class LimitedWorld(World):
    """A world whose Linode is the stand-in, with the clock of the world for its limits."""

    def __init__(self, plan: Plan, limits: Limits) -> None:
        super().__init__(plan)
        self.api = LinodeApi(TOKEN, limits=limits, now=lambda: self.clock.now().timestamp())
        for domain_id, name in DOMAINS.items():
            self.api.add_domain(domain_id, name)
        for record in plan.linode_records:
            fields = {"type": record.type, "name": record.name, "target": record.primary, "ttl_sec": 30}
            self.api.add_record(record.domain_id, **fields)
        self.api.start()
        adapter: LinodeDns = Linode(self.api.base_url, Token(), self.clock)
        self.linode = adapter  # type: ignore[assignment]
        self.names = Served(self.api, self.zones)  # type: ignore[assignment]

    def statuses(self, method: str) -> list[int]:
        return [request.status for request in self.api.requests if request.method == method]

    def pointed(self) -> int:
        held = [record["target"] for domain in DOMAINS for record in self.api.records(domain)]
        return sum(str(target).startswith("198.51.100.") for target in held)


@pytest.fixture
def make() -> Iterator[Callable[[Limits], LimitedWorld]]:
    made: list[LimitedWorld] = []

    def begin(limits: Limits) -> LimitedWorld:
        world = LimitedWorld(replace(PLAN, linode_records=MANY), limits)
        made.append(world)
        world.tick()
        world.outage()
        world.failover()
        return world

    yield begin
    for world in made:
        world.api.stop()


def test_200_records_are_switched_in_one_run_within_linodes_limits(
    make: Callable[[Limits], LimitedWorld],
) -> None:
    world = make(Limits())
    (answer,) = world.deliver_switch()
    assert (answer["status"], world.pointed()) == ("done", 200)
    assert world.state.phase is Phase.STEADY
    assert (world.statuses("PUT"), set(world.statuses("GET"))) == ([200] * 200, {200})
    assert len(world.api.requests) == 200 + 2 * 3  # each domain: its name, one look, one look back


@pytest.mark.parametrize("limit", [25, 60])
def test_what_does_not_fit_stays_open_and_the_next_tick_writes_the_rest_alone(
    make: Callable[[Limits], LimitedWorld], limit: int
) -> None:
    """The limit is scaled down: whole windows have to be waited out, and the function's time is short."""
    world = make(Limits(requests=limit, window_s=20.0))
    (answer,) = world.deliver_switch()
    first = world.pointed()
    assert answer["status"] == "failed"
    assert 0 < first < 200
    assert "Linode takes no more requests" in str(answer["detail"])
    for _ in range(12):
        if world.state.phase is Phase.STEADY:
            break
        world.clock.advance(60)
        world.tick()
        world.deliver_switch()
    assert (world.state.phase, world.pointed()) == (Phase.STEADY, 200)
    assert world.statuses("PUT").count(200) == 200  # none was written twice
    assert world.api.early == 0  # and no 429 was ignored


def test_a_limit_of_looks_alone_is_waited_out(make: Callable[[Limits], LimitedWorld]) -> None:
    world = make(Limits(collection_requests=3, collection_window_s=10.0))
    began = world.clock.now()
    (answer,) = world.deliver_switch()
    assert (answer["status"], world.api.early) == ("done", 0)
    assert (world.clock.now() - began).total_seconds() >= 10
