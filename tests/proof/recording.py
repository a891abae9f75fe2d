"""A `World` of fakes whose every call is written down as a history that the checker can judge.

An effect is noted by the fake that has it, so a lost reply or a worker that dies after its effect leaves
the effect in the history, as in the world.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

from proof.checker import Violation, check
from proof.history import (
    EFFECTS,
    PORTS,
    Entry,
    History,
    data_of,
    describe,
    effect_of,
    error_of,
    record_set,
    result_of,
)
from region_failover.domain.codec import dump, load_health, load_state
from region_failover.domain.plan import Plan
from region_failover.domain.state import PlanState
from region_failover.domain.verdict import HealthRecord
from region_failover.domain.zone import RecordSet
from region_failover.ports import Ports
from region_failover.service.failback import handle_failback
from region_failover.service.failover import handle_failover
from region_failover.service.linode import handle_linode
from region_failover.service.probe import run_probe
from region_failover.service.record import Deadline
from tests.fakes import MAXIMUM_AGE, NOON, PLAN, FakeClock, Faults, Killed, MemoryStore, World

T = TypeVar("T")

FUNCTIONS: dict[Callable[..., Any], str] = {
    handle_failover: "failover",
    handle_failback: "failback",
    handle_linode: "linode_dns",
}


# What may happen 'before' or 'after' a call's effect: told when, which worker, which operation.
Hook = Callable[[str, str, str], None]


_texts: dict[int, tuple[Any, str]] = {}  # by identity, with the record itself, so that none is reused


def text_of(record: Any) -> str:
    """Return the record as the state table keeps it, dumped once: thousands of runs are judged."""
    known = _texts.get(id(record))
    if known is not None:
        return known[1]
    if len(_texts) > 2000:
        _texts.clear()
    text = dump(record)
    _texts[id(record)] = (record, text)
    return text


class TextStore(MemoryStore):
    """The fake of the state table, made fast: records are frozen, so equal texts may share one."""

    dump = staticmethod(text_of)
    load_state_text = staticmethod(lru_cache(maxsize=1024)(load_state))
    load_health_text = staticmethod(lru_cache(maxsize=1024)(load_health))


def _asked(operation: str, arguments: Any, named: Any) -> Entry:
    """Return a call's data; records by `text_of`."""
    if operation == "store.save_state":
        state, expected, *rest = arguments
        ended = rest[0] if rest else named.get("ended")
        text = None if ended is None else text_of(ended)
        return {"plan": state.plan, "expected": expected, "record": text_of(state), "ended": text}
    if operation == "store.save_health":
        record, expected = arguments
        return {"plan": record.plan, "expected": expected, "record": text_of(record)}
    return data_of(operation, arguments, named)


def _answered(result: Any) -> Any:
    return text_of(result) if isinstance(result, PlanState | HealthRecord) else result_of(result)


class Tape:
    """Writes a world's history; knows which call is under way, so that a fake's effect finds its call."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.history = History()
        self.under_way: list[tuple[int, str, str, Entry]] = []  # (call, worker, operation, data)
        self.hook: Hook | None = None
        self._read: tuple[datetime, float, str] = (NOON, 0.0, NOON.isoformat())

    def add(self, kind: str, **data: Any) -> int:
        """Add an entry now."""
        return self.history.add(kind, self._now()[1], **data)

    def _now(self) -> tuple[datetime, float, str]:
        """Return the clock's time, the seconds since noon, and the time as text."""
        if self.clock.at is not self._read[0]:
            at = self.clock.at
            self._read = (at, (at - NOON).total_seconds(), at.isoformat())
        return self._read

    def run(self, worker: str, operation: str, call: Callable[..., T], arguments: Any, named: Any) -> T:
        """Make a call and write it down with its reply; a worker that is killed has none."""
        data = _asked(operation, arguments, named)
        who = {"worker": worker, "op": operation}
        number = self.add("call", **who, clock=self._now()[2], **data)
        self.under_way.append((number, worker, operation, data))
        try:
            self._meet("before", worker, operation)
            try:
                result = call(*arguments, **named)
            finally:
                self._meet("after", worker, operation)
        except Exception as error:
            self.add("reply", call=number, **who, error=error_of(error))
            raise
        finally:
            self.under_way.pop()
        self.add("reply", call=number, **who, result=_answered(result))
        return result

    def _meet(self, when: str, worker: str, operation: str) -> None:
        if self.hook is not None:
            self.hook(when, worker, operation)

    def note_effect(self, operation: str, result: Any) -> None:
        """Write down what the call under way has just done."""
        number, worker, asked, data = self.under_way[-1]
        if operation == asked and operation in EFFECTS:
            self.add("effect", call=number, worker=worker, op=operation, **effect_of(operation, data, result))


class RecordingFaults(Faults):
    """The fakes' faults, which every effect passes."""

    def __init__(self, tape: Tape) -> None:
        super().__init__()
        self.tape = tape

    def around(self, operation: str, effect: Callable[[], T]) -> T:
        def noted() -> T:
            answer = effect()
            if self.tape.under_way:
                self.tape.note_effect(operation, answer)
            return answer

        return super().around(operation, noted)


class _Port:
    """One port of one worker, every call written down."""

    def __init__(self, tape: Tape, owner: str, name: str, inner: Any) -> None:
        self._tape, self._owner, self._name, self._inner = tape, owner, name, inner

    def __getattr__(self, method: str) -> Callable[..., Any]:
        inner, operation = getattr(self._inner, method), f"{self._name}.{method}"
        return lambda *arguments, **named: self._tape.run(self._owner, operation, inner, arguments, named)


class RecordedWorld(World):
    """A world that writes down its history: flows, probes, and what `edit_state` and `edit_zone` change.

    Not written down, so not to be used here: `zones.sends_twice`, and edits of the fakes behind its back.
    """

    def __init__(self, plan: Plan = PLAN, **more: Any) -> None:
        """Begin; `more` goes into the history's first entry (`secrets`, `skew_s`)."""
        super().__init__(plan)
        self.tape = Tape(self.clock)
        self.faults = RecordingFaults(self.tape)
        self.store = TextStore(self.faults)
        for fake in self._fakes():
            fake.faults = self.faults
        self._about = {**describe(plan, NOON.isoformat(), MAXIMUM_AGE.total_seconds()), "skew_s": 0.0, **more}
        self.tape.add("plan", **self._about, zones=self._zones())

    def begin_anew(self) -> None:
        """Forget the history so far; the new one begins with the world, and the record, as they are."""
        self.tape.history = History()
        self.tape.add("plan", **self._about, zones=self._zones())
        self.tape.add("world", what="found", record=self.store.states.get(self.plan.name, (0, None))[1])

    def _fakes(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in PORTS)

    def _zones(self) -> dict[str, list[Entry]]:
        return {
            zone: [record_set(found) for found in records.values()]
            for zone, records in self.zones.zones.items()
        }

    def ports(self, owner: str = "") -> Ports:
        """Return the ports of a new worker, recorded."""
        ports = super().ports(owner)
        recorded = {name: _Port(self.tape, ports.owner, name, getattr(ports, name)) for name in PORTS}
        return replace(ports, **recorded)  # type: ignore[arg-type]

    def probe(self, seconds: float = 50) -> list[dict[str, object]]:
        ports = self.ports()
        run = lambda: run_probe(ports, [self.plan], Deadline.after(ports, seconds))  # noqa: E731
        return self._lived(ports.owner, "probe", self.schedule(), run)

    def _deliver(self, flow: Callable[..., Any], event: object, ports: Ports | None, seconds: float) -> Any:
        mine = ports or self.ports()
        run = lambda: super(RecordedWorld, self)._deliver(flow, event, mine, seconds)  # noqa: E731
        return self._lived(mine.owner, FUNCTIONS[flow], event, run)

    def _lived(self, worker: str, function: str, event: object, run: Callable[[], T]) -> T:
        self.tape.add("begin", worker=worker, function=function, event=event, clock=self.clock.at.isoformat())
        outcome = "returned"
        try:
            return run()
        except Killed:
            outcome = "killed"
            raise
        except Exception as error:
            outcome = f"raised {type(error).__name__}"
            raise
        finally:
            self.tape.add("end", worker=worker, outcome=outcome)

    # what humans do

    def edit_state(self, **changes: Any) -> None:
        super().edit_state(**changes)
        self.tape.add("world", what="human-edit", record=self.store.states[self.plan.name][1])

    def edit_zone(self, zone_id: str, *records: RecordSet) -> None:
        """Put records into a zone as a human at the console would."""
        self.zones.put(zone_id, *records)
        self.tape.add("world", what="human-edit", zone_id=zone_id, records=self._zones()[zone_id])

    def lose_state(self) -> None:
        """Lose the state record; what a human then does is `docs/runbook.md`'s."""
        del self.store.states[self.plan.name]
        self.tape.add("world", what="human-edit", record=None)

    def put_fence(self, epoch: int, active: str, plan: str = "orders") -> None:
        super().put_fence(epoch, active, plan)
        for zone_id, records in self._zones().items():
            self.tape.add("world", what="human-edit", zone_id=zone_id, records=records)

    # the end

    def rest(self, expect: str = "") -> None:
        """End the history with what is there now."""
        name = self.plan.name
        self.tape.add(
            "rest",
            state=self.store.states.get(name, (0, None))[1],
            health=self.store.healths.get(name, (0, None))[1],
            zones=self._zones(),
            parameters=[
                {"region": region, "name": parameter, "value": value}
                for (region, parameter), value in self.parameters.values.items()
            ],
            linode=[
                {
                    "domain_id": domain,
                    "name": r.name,
                    "type": r.type,
                    "target": r.target,
                    "ttl_sec": r.ttl_sec,
                }
                for domain, records in self.linode.records.items()
                for r in records
            ],
            history=[text for _, text in sorted(self.store.history.items())],
            expect=expect,
        )

    @property
    def entries(self) -> list[Entry]:
        """Return the history so far."""
        return self.tape.history.entries

    def judge(self, expect: str = "steady") -> list[Violation]:
        """End the history, and return what the checker says."""
        self.rest(expect)
        return check(self.entries)
