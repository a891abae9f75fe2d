"""Every kind of Linode record: found as the plan means it, pointed, served, and restored at the failback."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from region_failover.domain.errors import RemoteFailure
from region_failover.domain.linode import NAME_SERVERS, LinodeRecordState
from region_failover.domain.linode_file import active_region_text
from region_failover.domain.linode_step import OPEN_FOR, SERVED_WITHIN
from region_failover.domain.plan import LinodeRecord, Role
from region_failover.domain.state import STEP_LEASE, Phase, StepStatus
from tests.fakes import EAST, PLAN, TIMED_OUT, WEST, World

KEY = "linode records"
D = 123456
A = LinodeRecord(D, "app", "A", None, "203.0.113.10", "198.51.100.50")
RECORDS = (
    A,
    LinodeRecord(D, "app", "AAAA", 300, "2001:db8::1", "2001:db8::2"),
    LinodeRecord(D, "www.legacy.example.", "CNAME", None, "East.example.com.", "west.example.com"),
    LinodeRecord(
        D,
        "_region-failover.app",
        "TXT",
        30,
        active_region_text("orders", EAST),
        active_region_text("orders", WEST),
    ),
    LinodeRecord(D, "_sip._tcp", "SRV", None, "sip-e.example.com", "sip-w.example.com"),
    LinodeRecord(D, "two", "A", None, "203.0.113.21", "198.51.100.61", record_id=21),
    LinodeRecord(D, "two", "A", None, "203.0.113.22", "198.51.100.62", record_id=22),
    LinodeRecord(7, "", "A", 30, "203.0.113.31", "198.51.100.71"),
)


def moving(records: tuple[LinodeRecord, ...] = RECORDS) -> World:
    """Return a world in which a failover has done all but Linode."""
    world = World(replace(PLAN, linode_records=records))
    world.linode.names = {D: "legacy.example", 7: "other.example"}
    world.tick()
    world.outage()
    world.failover()
    return world


def home_again(world: World) -> None:
    world.repair_region(EAST)
    world.settle(2)
    world.failback(world.manual("failback", force=True))
    world.deliver_switch()


def held(world: World, record: LinodeRecord) -> list[str]:
    name = "www" if record.type == "CNAME" else record.name
    return [
        r.target
        for r in world.linode.records[record.domain_id]
        if (r.name, r.type) == (name, record.type) and record.record_id in {0, r.id}
    ]


def named_as_linode_does(world: World) -> World:
    """Linode's own names are relative, whatever a plan calls them."""
    records = world.linode.records[D]
    records[:] = [replace(r, name=r.name.removesuffix(".legacy.example.")) for r in records]
    return world


def test_every_type_in_several_domains_by_name_and_by_id() -> None:
    world = named_as_linode_does(moving())
    (answer,) = world.deliver_switch()
    assert (answer["status"], answer["detail"]) == ("done", "")
    assert world.state.phase is Phase.STEADY
    for record in RECORDS:
        assert held(world, record) == [record.standby], record
    listed = world.faults.calls.count("linode.records_in")
    assert listed == 2 * 2  # one look at each domain before, one after


def test_what_was_there_is_restored_byte_for_byte_at_the_failback() -> None:
    world = named_as_linode_does(moving())
    before = copy.deepcopy(world.linode.records)
    world.deliver_switch()
    assert world.linode.records != before
    home_again(world)
    assert world.linode.records == before


hosts = st.sampled_from(["a.example.com", "B.example.com", "c.example.net."])


@st.composite
def mixtures(draw: st.DrawFn) -> tuple[LinodeRecord, ...]:
    """Any records of a plan; those with a TTL in the plan have it at Linode already."""
    records: list[LinodeRecord] = []
    for number in range(draw(st.integers(1, 8))):
        kind = draw(st.sampled_from(["A", "AAAA", "CNAME", "TXT", "SRV"]))
        form = {"A": "203.0.113.{}", "AAAA": "2001:db8::{:x}", "TXT": "text {}"}.get(kind, "h{}.Example.com.")
        shared = draw(st.booleans())
        records.append(
            LinodeRecord(
                draw(st.sampled_from([D, 7])),
                "shared" if shared else draw(st.sampled_from(["", "Www", "*"])) + f"n{number}",
                kind,
                draw(st.sampled_from([None, 30, 300])),
                form.format(number + 1),
                form.format(number + 101),
                record_id=500 + number if shared else 0,
            )
        )
    return tuple(records)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(mixtures())
def test_any_mixture_is_restored_byte_for_byte(records: tuple[LinodeRecord, ...]) -> None:
    world = moving(records)
    bystander = LinodeRecordState(9999, "bystander", "A", "192.0.2.99", 0)
    world.linode.records.setdefault(D, []).append(bystander)
    before = copy.deepcopy(world.linode.records)
    (answer,) = world.deliver_switch()
    assert answer["status"] == "done", answer
    home_again(world)
    assert world.linode.records == before


def test_an_id_that_stands_for_another_record_is_refused() -> None:
    world = moving((replace(A, record_id=5),))
    world.linode.records[D] = [LinodeRecordState(5, "mail", "A", A.primary, 300)]
    (answer,) = world.deliver_switch()
    assert "record 5 is 'mail' A, 'app' A expected" in str(answer["detail"])
    world.linode.records[D] = [LinodeRecordState(6, "app", "A", A.primary, 300)]
    world.clock.advance(60)
    world.tick()
    (answer,) = world.deliver_switch()
    assert "record 5 is not there" in str(answer["detail"])
    assert world.linode.writes == []


def test_one_record_under_two_names_is_refused() -> None:
    world = moving((A, replace(A, name="app.legacy.example")))
    world.linode.records[D].pop()
    (answer,) = world.deliver_switch()
    assert "the plan has under another name, too" in str(answer["detail"])


# the name servers


def lagging(world: World, *servers: str) -> None:
    old = {("app.legacy.example", "A"): (A.primary,)}
    world.names.lagging = dict.fromkeys(servers or NAME_SERVERS, old)


@pytest.mark.parametrize("servers", [NAME_SERVERS, NAME_SERVERS[3:4]], ids=["all", "one of five"])
def test_the_step_is_open_while_a_name_server_lags_and_nothing_is_written_twice(
    servers: tuple[str, ...],
) -> None:
    world = moving((A,))
    lagging(world, *servers)
    (answer,) = world.deliver_switch()
    assert answer["status"] == "doing"
    step = world.step(KEY)
    assert (step.status, step.claimed_until, step.sent_at is not None) == (StepStatus.DOING, None, True)
    assert world.state.phase is Phase.MOVING
    world.clock.advance(30)
    world.tick()
    (answer,) = world.deliver_switch()
    assert answer["status"] == "doing"
    world.names.lagging = {}
    world.clock.advance(30)
    world.tick()
    (answer,) = world.deliver_switch()
    assert (answer["status"], world.state.phase) == ("done", Phase.STEADY)
    assert len(world.linode.writes) == 1


def test_name_servers_that_follow_within_the_run_are_waited_for() -> None:
    world = moving((A,))
    lagging(world)
    world.names.asked.clear()
    world.faults.before("names.ask", world.names.lagging.clear, skip=2)
    (answer,) = world.deliver_switch()
    assert (answer["status"], len(world.names.asked)) == ("done", 3)


def test_a_lag_is_told_once_it_is_unusual() -> None:
    world = moving((A,))
    lagging(world)
    world.deliver_switch()
    assert world.notifier.about("name servers lag") == []
    world.clock.advance(SERVED_WITHIN.total_seconds())
    world.tick()
    world.deliver_switch()
    assert len(world.notifier.about("name servers lag")) == 1
    assert world.notifier.about("not switched yet") == []


def test_name_servers_out_of_reach_leave_the_step_open() -> None:
    world = moving((A,))
    world.names.silent = set(NAME_SERVERS)
    (answer,) = world.deliver_switch()
    assert answer["status"] == "doing"
    assert "timeout" in str(answer["detail"])
    assert world.linode.records[D][0].target == A.standby


def test_records_beside_the_plans_are_part_of_the_answer_and_stay() -> None:
    world = moving((replace(A, record_id=1),))
    other = LinodeRecordState(77, "app", "A", "192.0.2.9", 300)
    world.linode.records[D].append(other)
    (answer,) = world.deliver_switch()
    assert answer["status"] == "done"
    assert other in world.linode.records[D]


# Linode hangs


def test_a_linode_that_hangs_is_told() -> None:
    world = moving((A,))
    world.faults.before(
        "linode.domain_name", lambda: world.clock.advance(70), times=99
    )  # each call outlasts the function
    world.faults.before("linode.records_in", RemoteFailure(TIMED_OUT), times=99)
    (answer,) = world.deliver_switch()
    assert answer["status"] == "failed"
    assert world.notifier.about("Linode's records are not switched yet")
    assert world.linode.writes == []


def test_an_executor_that_never_comes_to_an_end_is_told_by_the_ticks() -> None:
    world = moving((A,))
    for _ in range(int(OPEN_FOR / timedelta(seconds=60)) + 3):
        world.clock.advance(max(60.0, STEP_LEASE.total_seconds()))
        world.tick()  # its requests are never delivered
    assert len(world.notifier.about("Linode's step is still open")) == 1


def test_a_pause_stops_the_writes_that_have_not_begun() -> None:
    world = moving((A, replace(A, name="b", primary="203.0.113.12", standby="198.51.100.52")))
    world.faults.after("linode.point", lambda: world.edit_state(paused=True))
    world.deliver_switch()
    assert len(world.linode.writes) == 1


def test_targets_are_the_plans_of_the_role() -> None:
    assert [A.target(role) for role in Role] == [A.primary, A.standby]
