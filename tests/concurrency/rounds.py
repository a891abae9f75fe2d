"""The rounds: many contenders for one claim, a worker killed midway, a worker frozen past its lease.

Every choice of a round comes from its seed. What a machine does in between does not, so a seed gives the
same kind of trouble at the same call, or after the same time, and not the same run to the letter.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

from region_failover.domain.state import LEASE
from region_failover.domain.trigger import OWN_SOURCE, SWITCH_REQUESTED
from tests.concurrency.clock import START
from tests.concurrency.cloud import WORKER_ENDS_WITHIN_S, Child, Cloud, Holdings
from tests.concurrency.end_state import Violation, judge, refusals
from tests.concurrency.histories import judge_history, merge, read_process
from tests.concurrency.stand_ins import EAST, WEST, Moment
from tests.concurrency.worker import FileHistory, Job

TICK = timedelta(seconds=60)
MOST_TICKS = 4  # a machine under load loses one now and then to a call that timed out
AN_UNDISTURBED_RUN_S = 1.6  # real seconds, of which Route 53's INSYNC takes one on the embedded AWS
CALLS_OF_A_RUN = 55


@dataclass
class Counts:
    """What a run has done so far."""

    contests: int = 0
    kills: int = 0
    freezes: int = 0
    refused: int = 0
    violations: list[str] = field(default_factory=list)

    def line(self) -> str:
        """Return the summary."""
        return (
            f"kills: {self.kills}, freezes: {self.freezes}, refused by Route 53: {self.refused},"
            f" violations: {len(self.violations)}"
        )


COUNTS = Counts()
_counting = threading.Lock()


@dataclass(frozen=True)
class Outcome:
    """How a round ended: whether its kill or freeze came about at all, and what was wrong at its end."""

    happened: bool
    refused: int
    violations: tuple[str, ...]


Begin = Callable[["Round", Moment | None], Child]


class Round:
    """One application, and the workers that are let loose on it."""

    def __init__(self, cloud: Cloud, what: str, active: str = EAST, dark: bool = False) -> None:
        """Begin with the traffic in that Region; `dark`: while down, us-east-1 takes no parameter."""
        self._dark = dark
        self.world = cloud.world(what, active)
        self.first: Holdings = self.world.holdings()
        self.log = FileHistory(str(self.world.folder / "driver.jsonl"))
        self.violations: list[Violation] = []
        self.children: list[Child] = []
        self._delivered: set[tuple[str, str]] = set()
        self._dead: set[str] = set()
        self._numbers = itertools.count(1)

    # what happens to the world

    def east(self, down: bool) -> None:
        """Break or repair us-east-1."""
        self.world.signals.east_down = down
        self.log.add("world", self._now(), what="region-down" if down else "region-up", region=EAST)

    def pass_time(self, by: timedelta) -> None:
        """Let the clock jump."""
        self.world.signals.jump(by)

    # workers

    def start(self, function: str, event: Any, moment: Moment | None = None, **job: Any) -> Child:
        """Start a worker on an event."""
        owner = f"{function}-{next(self._numbers)}"
        child = self.world.cloud.nursery.start(
            Job(
                owner=owner,
                function=function,
                event=event,
                plan_text=self.world.plan_text,
                signals=str(self.world.folder / "signals"),
                history=str(self.world.folder / f"{owner}.jsonl"),
                moment=moment,
                dark=self._dark,
                **job,
            )
        )
        self.children.append(child)
        return child

    def alarm(self) -> dict[str, Any]:
        """Return an alarm of now."""
        detail = {"alarmName": "down", "state": {"value": "ALARM"}}
        return self._event("aws.cloudwatch", "CloudWatch Alarm State Change", detail)

    def schedule(self) -> dict[str, Any]:
        """Return the schedule's event."""
        return self._event("aws.events", "Scheduled Event", {})

    def by_hand(self, action: str) -> dict[str, Any]:
        """Return a human's request."""
        return {"plan": self.world.name, "action": action, "reason": "a rehearsal"}

    def _event(self, source: str, kind: str, detail: dict[str, Any]) -> dict[str, Any]:
        at = (START + timedelta(seconds=self._now())).isoformat()
        name = f"event-{next(self._numbers)}"
        return {"id": name, "source": source, "detail-type": kind, "time": at, "detail": detail}

    def _now(self) -> float:
        return self.world.signals.seconds()

    def settle(self, *, but: Child | None = None, moment: Moment | None = None) -> None:
        """Wait until every worker has ended or is frozen, delivering what they ask of linode_dns.

        `but`: a worker that is not waited for; `moment`: for the first worker of linode_dns.
        """
        deadline = time.monotonic() + WORKER_ENDS_WITHIN_S
        while True:
            busy = [c for c in self.children if not (c.ended.is_set() or c.stopped.is_set() or c is but)]
            self._bury()
            started = [self._start_linode(detail, moment) for detail in self._requests()]
            moment = None if started else moment
            if not busy and not started:
                return
            if time.monotonic() > deadline:
                self.violations.append(Violation("every worker ends", f"{[c.job.owner for c in busy]}"))
                for child in busy:
                    child.send("SIGKILL")
                return
            time.sleep(0.01)

    def _bury(self) -> None:
        for child in self.children:
            if child.was_killed and child.job.owner not in self._dead:
                self._dead.add(child.job.owner)
                self.log.add("end", self._now(), worker=child.job.owner, outcome="killed")

    def _start_linode(self, detail: dict[str, Any], moment: Moment | None) -> Child:
        return self.start("linode_dns", self._event(OWN_SOURCE, SWITCH_REQUESTED, detail), moment)

    def _requests(self) -> list[dict[str, Any]]:
        """Return the requests to linode_dns that went out since this was last asked."""
        found: list[dict[str, Any]] = []
        for child in self.children:
            path = self.world.folder / f"{child.job.owner}.jsonl"
            if child.job.function == "linode_dns" or not path.exists():
                continue
            for entry in read_process(path):
                key = (child.job.owner, str(entry["n"]))
                if entry["kind"] == "effect" and entry["op"] == "events.put" and key not in self._delivered:
                    self._delivered.add(key)
                    found.append(entry["detail"])
        return found

    def tick(self, workers: int = 1, but: Child | None = None) -> None:
        """Let the schedule start the failback function, so many at once, and wait for what comes of it."""
        for _ in range(workers):
            self.start("failback", self.schedule())
        self.settle(but=but)

    def ticks_until_steady(self, workers: int, but: Child | None = None) -> None:
        """Let ticks come until no transition is open; more than a few of them are a violation (I18)."""
        for _ in range(MOST_TICKS):
            self.tick(workers, but)
            state = self.world.store.load_state(self.world.name)
            if state is not None and state.transition is None:
                return
            self.pass_time(TICK)
        open_steps = (
            [f"{s.key} {s.status.value}" for s in state.transition.steps]
            if state and state.transition
            else []
        )
        self.violations.append(
            Violation("an open transition is finished within a few ticks", str(open_steps))
        )

    def move(self, begin: Begin, target: str, but: Child | None = None) -> None:
        """See to it that the traffic is in that Region, by asking again where a busy machine needs it."""
        for _ in range(3):
            state = self.world.store.load_state(self.world.name)
            if state is not None and state.active == target:
                return
            begin(self, None)
            self.settle(but=but)
            self.ticks_until_steady(1, but)

    # the end

    def close(self, active: str, happened: bool) -> Outcome:
        """Let one more tick come with all well, then judge: the traffic shall be in that Region."""
        self.east(down=False)
        self.pass_time(TICK)
        self.tick()
        history = merge(self.world, self.first, "steady")
        history.write(self.world.folder / "history.jsonl")
        found = [str(v) for v in (*self.violations, *judge(self.world, active, history.entries))]
        found += judge_history(history.entries)
        crashed = [c.job.owner for c in self.children if c.code not in {0, -9}]
        found += [f"a worker crashed: {owner}" for owner in crashed]
        return Outcome(happened, refusals(history.entries), tuple(found))

    def answers(self) -> list[Any]:
        """Return what each worker that has ended returned."""
        lines = [
            line for path in self.world.folder.glob("*.answers") for line in path.read_text().splitlines()
        ]
        return [json.loads(line)["answer"] for line in lines]


def fail_over(found: Round, moment: Moment | None) -> Child:
    """Start a failover by an alarm."""
    return found.start("failover", found.alarm(), moment)


def fail_back(found: Round, moment: Moment | None) -> Child:
    """Start a failback by hand."""
    return found.start("failback", found.by_hand("failback"), moment)


def contest(cloud: Cloud, processes: int, crowd: int = 1) -> Outcome:
    """Let so many workers (processes, or a crowd of threads in each) fail over at once."""
    found = Round(cloud, f"contest{processes}x{crowd}")
    found.tick()
    found.east(down=True)
    event = found.alarm()
    children = [found.start("failover", event, crowd=crowd, wait=True) for _ in range(processes)]
    time.sleep(0.1)
    found.world.signals.go()
    found.settle()
    actions = [
        a["action"] for answer in found.answers() if isinstance(answer, list) for a in answer if "action" in a
    ]
    if actions.count("move") != 1:
        found.violations.append(Violation("one contender moves, the others hold", str(found.answers())))
    epochs = [json.loads(body)["epoch"] for body in found.world.history()]
    if epochs != [1]:
        found.violations.append(Violation("one transition comes of one outage", f"history {epochs}"))
    return found.close(WEST, happened=all(c.ended.is_set() for c in children))


def kill(cloud: Cloud, seed: str) -> Outcome:
    """Kill a worker anywhere in its transition; one or two others go on, after its lease has expired."""
    rng = Random(seed)
    direction = rng.choice(["failover", "failback"])
    source, target = (EAST, WEST) if direction == "failover" else (WEST, EAST)
    begin = fail_over if direction == "failover" else fail_back
    victim = rng.choice(["runner", "runner", "runner", "linode"])
    at_a_call = Moment(
        "SIGKILL",
        "",
        rng.randrange(8 if victim == "linode" else CALLS_OF_A_RUN),
        rng.choice(["before", "after"]),
    )
    moment = at_a_call if rng.random() < 0.5 or victim == "linode" else None
    delay = rng.uniform(0.0, AN_UNDISTURBED_RUN_S)
    resumers = rng.choice([1, 2])
    dark = direction == "failover" and rng.random() < 0.5

    found = Round(cloud, f"kill-{direction}", source, dark)
    found.east(down=direction == "failover")
    runner = begin(found, moment if victim == "runner" else None)
    if moment is None:
        runner.ended.wait(delay)
        runner.send("SIGKILL")
    found.settle(moment=moment if victim == "linode" else None)
    happened = any(child.was_killed for child in found.children)
    found.pass_time(LEASE + timedelta(seconds=1))
    found.ticks_until_steady(resumers)
    found.move(begin, target)  # killed before its claim, or stopped before any effect
    return found.close(target, happened)


# Where a frozen worker's next call would be one too late. The second batch of a failover on a new record is
# the one that moves the traffic (the first publishes the fence); Linode and SSM refuse nothing.
_BETWEEN_SNAPSHOT_AND_BATCH = Moment("SIGSTOP", "zones.submit", 1, "before")
BEFORE_LINODE = Moment("SIGSTOP", "linode.point", 0, "before")
_FREEZES = (
    _BETWEEN_SNAPSHOT_AND_BATCH,
    _BETWEEN_SNAPSHOT_AND_BATCH,
    _BETWEEN_SNAPSHOT_AND_BATCH,
    Moment("SIGSTOP", "zones.submit", 0, "before"),
    Moment("SIGSTOP", "parameters.write", 0, "before"),
    BEFORE_LINODE,
    None,
)


def freeze(cloud: Cloud, seed: str) -> Outcome:
    """Freeze a worker past its lease; others finish, and in some rounds go back; then it goes on."""
    rng = Random(seed)
    moment = rng.choice(_FREEZES) or Moment("SIGSTOP", "", rng.randrange(CALLS_OF_A_RUN), "before")
    return freeze_at(cloud, moment, onward=rng.random() < 0.6, resumers=rng.choice([1, 2]))


def freeze_at(cloud: Cloud, moment: Moment, onward: bool, resumers: int = 1) -> Outcome:
    """Freeze a worker at this moment; `onward`: the traffic has gone back before it goes on."""
    on_linode = moment.op.startswith("linode.")

    found = Round(cloud, "freeze")
    found.east(down=True)
    fail_over(found, None if on_linode else moment)
    found.settle(moment=moment if on_linode else None)
    frozen = next((child for child in found.children if child.stopped.is_set()), None)
    found.pass_time(LEASE + timedelta(seconds=1))
    found.ticks_until_steady(resumers, but=frozen)
    found.move(fail_over, WEST, frozen)  # frozen before its claim: the next event does it
    if onward:
        found.east(down=False)
        found.move(fail_back, EAST, frozen)
    before = found.world.record_sets()
    if frozen is not None:
        frozen.stopped.clear()
        frozen.send("SIGCONT")
    found.settle()
    after = found.world.record_sets()
    if before != after:
        found.violations.append(
            Violation("a thawed worker changes nothing in the zone", f"{before} -> {after}")
        )
    return found.close(EAST if onward else WEST, happened=frozen is not None)


def run(play: Callable[..., Outcome], *arguments: Any) -> Outcome:
    """Play a round and count it; what goes wrong in the round itself is a violation too."""
    try:
        outcome = play(*arguments)
    except Exception as error:
        outcome = Outcome(False, 0, (f"the round broke: {type(error).__name__}: {error}",))
    name = f"{play.__name__} {' '.join(str(a) for a in arguments[1:])}"
    with _counting:
        COUNTS.kills += outcome.happened and play is kill
        COUNTS.freezes += outcome.happened and play is freeze
        COUNTS.contests += play is contest
        COUNTS.refused += outcome.refused
        COUNTS.violations += [f"{name}: {violation}" for violation in outcome.violations]
    return outcome
