"""Crashes at every port call: which calls there are is found by a recorded run, never typed in.

A case: a flow runs; at one of its calls it dies before the effect, dies after it, is refused, or its reply
is lost; then the flow is resumed by the same worker (Lambda retries under the same name), by another one,
or by two at once. Or the worker does not die but hangs inside the call, and goes on when others have
finished for it, died in its place, or moved the traffic elsewhere. The time that I18 allows passes: a lease
and two ticks. What is left is judged twice: by what must be there (`left_wrong`), and the whole history by
the checker. With `--double` the resumption dies too, at each of its own calls.

    PYTHONPATH=layers/common python -m tests.simulation.crash [--double] [--stride N]

The last line counts ("crash points" are cases: a call, what happens at it, who goes on); exit 1 where
anything is violated.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import pickle
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from region_failover.domain.errors import RegionFailoverError, RemoteFailure, StateUnavailable
from region_failover.domain.plan import FailbackMode
from region_failover.domain.state import LEASE, Phase
from region_failover.domain.trigger import SWITCH_REQUESTED
from region_failover.domain.zone import Fence
from tests.fakes import EAST, PARAMETER, PLAN, TIMED_OUT, WEST, Killed, World, with_policy
from tests.proof.recording import RecordedWorld

LINODE = {EAST: "203.0.113.10", WEST: "198.51.100.50"}
WAYS = ("dead before", "dead after", "refused", "reply lost")
FREEZES = ("frozen before", "frozen after", "outlived before", "outlived after", "delayed", "overlapped")
FIRST, SECOND, THIRD = "worker-of-the-run", "another", "a-third"
RESUMED_BY = ("the same worker", "another", "two at once")
FINISHED_BY = ("another", "one that dies")
DELAY_S = 45.0  # longer than a Region stays verified, shorter than a lease

# What each way is combined with.
COMBINED = [
    *itertools.product(WAYS, RESUMED_BY),
    *itertools.product(("frozen before", "frozen after"), FINISHED_BY),
    *((way, "another") for way in FREEZES[2:]),
]

# What has been run so far, for whoever reports it.
COUNTS = {"crash points": 0, "double crashes": 0, "violations": 0}


@dataclass(frozen=True)
class Flow:
    """What is run and killed. `meets`: the call at which a second resumption begins beside the first."""

    name: str
    prepare: Callable[[], RecordedWorld]
    run: Callable[[RecordedWorld, str], None]
    resume: Callable[[RecordedWorld, str], None]
    meets: str
    source: str
    target: str


def before_failover() -> RecordedWorld:
    """A world whose primary is decidedly down."""
    world = RecordedWorld(PLAN)
    world.tick()
    world.outage()
    world.begin_anew()
    return world


def before_failback() -> RecordedWorld:
    """A world on its standby, whose primary has been well for long enough."""
    world = RecordedWorld(with_policy(failback=FailbackMode.AUTOMATIC))
    world.tick()
    world.outage()
    world.failover()
    world.deliver_switch()
    world.repair_region(EAST)
    world.tick()
    settled = world.clock.now()
    world.settle(25)
    world.edit_state(cooldown_until=settled)
    world.begin_anew()
    return world


def before_linode() -> RecordedWorld:
    """A world in mid-failover: all is done but Linode, whose request has just been put."""
    world = before_failover()
    world.failover()
    return world


def run_failover(world: RecordedWorld, owner: str) -> None:
    """An alarm arrives."""
    world.failover(ports=world.ports(owner))


def run_tick(world: RecordedWorld, owner: str) -> None:
    """The schedule's tick."""
    world.tick(ports=world.ports(owner))


def run_linode(world: RecordedWorld, owner: str) -> None:
    """The newest switch request is delivered; again, where it has been before."""
    world.linode_dns(world.events.of(SWITCH_REQUESTED)[-1], ports=world.ports(owner))


FLOWS = {
    flow.name: flow
    for flow in (
        Flow("failover", before_failover, run_failover, run_tick, "zones.submit", EAST, WEST),
        Flow("failback", before_failback, run_tick, run_tick, "zones.submit", WEST, EAST),
        Flow("linode", before_linode, run_linode, run_linode, "linode.point", EAST, WEST),
    )
}


@lru_cache
def prepared(name: str) -> bytes:
    """Return the flow's world, made once; its history begins just before the transition."""
    return pickle.dumps(FLOWS[name].prepare())


def copy_of(world: bytes) -> RecordedWorld:
    """Return a world of one's own."""
    found: RecordedWorld = pickle.loads(world)
    return found


@lru_cache
def recorded(name: str) -> tuple[str, ...]:
    """Return every port call of an undisturbed run, in order."""
    world = copy_of(prepared(name))
    FLOWS[name].run(world, FIRST)
    return tuple(calls_of(world, FIRST))


def calls_of(world: RecordedWorld, worker: str, since: int = 0) -> list[str]:
    """Return the operations that a worker has called, from an entry on."""
    return [
        entry["op"]
        for entry in world.entries[since:]
        if entry["kind"] == "call" and entry["worker"] == worker
    ]


class Crash:
    """Lets one call of one worker end badly: its `number`th, from 0.

    `meanwhile`: what happens while the worker is frozen inside its call.
    """

    def __init__(
        self, worker: str, way: str, number: int, meanwhile: Callable[[], None] | None = None
    ) -> None:
        self.worker, self.way, self.left, self.meanwhile = worker, way, number, meanwhile
        self.when = "after" if way.endswith("after") or way == "reply lost" else "before"

    def __call__(self, when: str, worker: str, operation: str) -> None:
        """Meet a call."""
        if (worker, when) != (self.worker, self.when):
            return
        self.left -= 1
        if self.left != -1:
            return
        if self.meanwhile is None:
            raise Killed if self.way.startswith("dead") else refusal(operation)
        self.meanwhile()


def refusal(operation: str) -> Exception:
    """Return what a call of no answer raises."""
    return StateUnavailable("no answer") if operation.startswith("store.") else RemoteFailure(TIMED_OUT)


def crash(world: RecordedWorld, flow: Flow, way: str, number: int) -> None:
    """Run the flow, and let that happen at its `number`th call."""
    world.tape.hook = Crash(FIRST, way, number)
    with contextlib.suppress(Killed, RegionFailoverError):
        flow.run(world, FIRST)
    world.tape.hook = None


def freeze(world: RecordedWorld, flow: Flow, way: str, number: int, by: str) -> None:
    """Run the flow, and let its `number`th call take long; then the worker wakes up and goes on.

    Frozen: until its lease is over and another has finished for it, or has died having taken the lease.
    Outlived: until, beyond that, a human has moved the traffic back, so that its epoch is over. Delayed: for
    DELAY_S only. Overlapped: no longer than a tick, and the same event delivered again, take beside it.
    """

    def meanwhile() -> None:
        if way == "delayed":
            world.clock.advance(DELAY_S)
        elif way == "overlapped":
            run_tick(world, SECOND)
            flow.run(world, THIRD)
        else:
            world.clock.advance(LEASE.total_seconds())
            resume(world, flow, by)
            world.deliver_switch()
        if way.startswith("outlived"):
            move_back(world)

    world.tape.hook = Crash(FIRST, way, number, meanwhile)
    with contextlib.suppress(RegionFailoverError):
        flow.run(world, FIRST)
    world.tape.hook = None


def move_back(world: RecordedWorld) -> None:
    """All is well again, a tick has paid what is owed, and a human asks for the other Region."""
    world.repair_region(EAST)
    world.clock.advance(LEASE.total_seconds())
    world.tick()
    world.deliver_switch()
    action = "failover" if world.state.active == EAST else "failback"
    getattr(world, action)(world.manual(action, force=True))
    world.deliver_switch()


def resume(world: RecordedWorld, flow: Flow, by: str) -> None:
    """Resume it once: a tick when the lease is over, or the same request delivered again."""
    _wait(world, flow)
    if by == "one that dies":
        world.tape.hook = dies_having_saved
        with contextlib.suppress(Killed):
            flow.resume(world, SECOND)
        world.tape.hook = None
        return
    if by != "two at once":
        flow.resume(world, FIRST if by == "the same worker" else SECOND)
        return
    met: list[str] = []

    def meet(when: str, worker: str, operation: str) -> None:
        if not met and (when, worker, operation) == ("before", SECOND, flow.meets):
            met.append(operation)
            flow.resume(world, THIRD)

    world.tape.hook = meet
    flow.resume(world, SECOND)
    world.tape.hook = None
    if not met:
        flow.resume(world, THIRD)


def dies_having_saved(when: str, worker: str, operation: str) -> None:
    """Kill the second worker once it has changed the state record."""
    if (when, worker, operation) == ("after", SECOND, "store.save_state"):
        raise Killed


def _wait(world: RecordedWorld, flow: Flow) -> None:
    if flow.name != "linode":
        world.deliver_switch()
        world.clock.advance(LEASE.total_seconds())


def go_on(world: RecordedWorld, flow: Flow) -> None:
    """Let come what comes by itself: requests are delivered, and two ticks pass, a lease later."""
    world.deliver_switch()
    if flow.name == "linode":
        world.clock.advance(LEASE.total_seconds())
        world.tick()
        world.deliver_switch()
    world.clock.advance(60)
    world.tick()
    world.deliver_switch()


def left_wrong(world: World) -> list[str]:
    """Return what is not as it must be: steady, and everything where the history says that the traffic is.

    In these flows no transition is stopped: each epoch claimed is in the history, completed.
    """
    state, history = world.state, world.history()
    active = history[-1].target if history else EAST
    owed = {step.region for step in state.owed}
    parameters = {region: world.parameters.values[region, PARAMETER] for region in (EAST, WEST)}
    due = {
        "phase": (state.phase, Phase.STEADY),
        "transition": (state.transition, None),
        "active": (state.active, active),
        "answer": (world.moved_to(), active),
        "fence": (world.fence(), Fence("orders", state.epoch, active)),
        "linode": (world.linode.records[123456][0].target, LINODE[active]),
        "parameters": (
            {region: value for region, value in parameters.items() if region not in owed},
            dict.fromkeys((region for region in (EAST, WEST) if region not in owed), active),
        ),
        "history": (
            [(t.epoch, t.outcome) for t in history],
            [(number, "completed") for number in range(1, state.epoch + 1)],
        ),
    }
    return [f"{what} is {found}, {wanted} is due" for what, (found, wanted) in due.items() if found != wanted]


def judged(world: RecordedWorld) -> list[str]:
    """Return everything wrong with a world and with its history."""
    return [*left_wrong(world), *(str(violation) for violation in world.judge("steady"))]


def asked_again(world: RecordedWorld, flow: Flow, epoch: int) -> list[str]:
    """Return what is wrong after the next event, where the crash came before anything had begun."""
    if flow.name != "failover" or world.state.epoch != epoch:
        return []
    for _ in range(2):
        world.probe(seconds=55)
        world.clock.advance(5)
    world.failover()
    go_on(world, flow)
    wrong = judged(world)
    return wrong if world.state.active == flow.target else [*wrong, "the next event did not move the traffic"]


def run_case(name: str, way: str, number: int, by: str) -> list[str]:
    """Run one case; return what is wrong."""
    flow, world = FLOWS[name], copy_of(prepared(name))
    epoch = world.state.epoch
    if way in FREEZES:
        freeze(world, flow, way, number, by)
        _wait(world, flow)
        flow.resume(world, SECOND)
    else:
        crash(world, flow, way, number)
        resume(world, flow, by)
    go_on(world, flow)
    wrong = judged(world)
    if by == "another" and not wrong:
        wrong = asked_again(world, flow, epoch)
    COUNTS["crash points"] += 1
    COUNTS["violations"] += bool(wrong)
    return wrong


def cases(name: str, way: str, by: str) -> Iterator[tuple[str, list[str]]]:
    """Yield (what was done, what is wrong) for every call of a flow's run."""
    operations = recorded(name)
    for number, operation in enumerate(operations):
        nth = operations[:number].count(operation) + 1
        yield f"{name}: {way} {operation} number {nth}, resumed by {by}", run_case(name, way, number, by)


@dataclass(frozen=True)
class Resumed:
    """A world after its first crash, when the resumption begins, and the calls of an undisturbed one."""

    name: str
    first: str
    world: bytes
    operations: list[str]


def once_crashed(name: str, number: int, operation: str) -> Resumed:
    """Crash at a call, and find what the resumption calls."""
    flow, world = FLOWS[name], copy_of(prepared(name))
    crash(world, flow, "dead after", number)
    _wait(world, flow)
    kept, since = pickle.dumps(world), len(world.entries)
    flow.resume(world, SECOND)
    return Resumed(name, operation, kept, calls_of(world, SECOND, since))


def run_double(found: Resumed, number: int) -> list[str]:
    """Crash the resumption too, at its `number`th call; return what is wrong in the end."""
    flow, world = FLOWS[found.name], copy_of(found.world)
    world.tape.hook = Crash(SECOND, "dead after", number)
    with contextlib.suppress(Killed):
        flow.resume(world, SECOND)
    world.tape.hook = None
    _wait(world, flow)
    flow.resume(world, THIRD)
    go_on(world, flow)
    wrong = judged(world)
    COUNTS["double crashes"] += 1
    COUNTS["violations"] += bool(wrong)
    return wrong


def doubles(stride: int) -> Iterator[tuple[str, list[str]]]:
    """Yield (what was done, what is wrong) for every `stride`th ordered pair of crashes."""
    turn = itertools.count()
    for name in FLOWS:
        for number, operation in enumerate(recorded(name)):
            found = once_crashed(name, number, operation)
            for second, again in enumerate(found.operations):
                if next(turn) % stride == 0:
                    what = (
                        f"{name}: dead after {operation} (call {number}), then after {again} (call {second})"
                    )
                    yield what, run_double(found, second)


def main(arguments: list[str]) -> int:
    """Run the matrix, or the double crashes; print what is wrong, and the counts last."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.crash", description=__doc__)
    parser.add_argument("--double", action="store_true", help="two crashes, one after the other")
    parser.add_argument("--stride", type=int, default=1, help="only every so many pairs of crashes")
    chosen = parser.parse_args(arguments)
    for what, wrong in doubles(chosen.stride) if chosen.double else singles():
        for text in wrong:
            print(f"{what}: {text}")
    print(", ".join(f"{what}: {count}" for what, count in COUNTS.items()))
    return 1 if COUNTS["violations"] else 0


def singles() -> Iterator[tuple[str, list[str]]]:
    """Yield every case of the matrix."""
    for name, (way, by) in itertools.product(FLOWS, COMBINED):
        yield from cases(name, way, by)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
