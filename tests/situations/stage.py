"""Read a situation's file, and play it: set the world up as it says, start the real flow, see what comes.

A file says only what is not as usual. As usual means: the traffic is at the primary and nothing is under way,
everything has answered well for half an hour, replication takes 0.4 s, the plan is that of `tests/fakes.py`
(automatic failover, failback by hand), and an alarm of this moment starts the failover function.

    what                     one or two sentences: what is the matter
    [start]                  what started us
      by                     'alarm', 'unhealthy event', 'schedule', 'manual failover', 'manual failback'
      age                    how old the event is
      alarm                  the state it tells of: 'ALARM', 'OK', 'INSUFFICIENT_DATA'
      suppressed, muted      true where CloudWatch says so
      force                  true where the human insists
      expect                 'this plan', as it would be shown just before; 'another plan'
      again                  true where the same request has been delivered, and carried out, before
    [policy]                 failover, failback, healthy_for, cooldown, max_replication_lag, approval_expires,
                             automatic_per_day, max_changes
    [degradation]            action, over, percentile, slower_than, at_least, errors
    [[window]], [[blackout]] of the plan: days, from, to, timezone. Now it is noon, UTC, on Monday, 2025-10-20
    [record]                 what the state record says
      active                 'primary' or 'standby'
      paused                 true or false
      cooldown               how much is left of it
      moves                  how many automatic transitions were begun within the last day
      phase                  'needs-operator' (with [open])
      lost, unreachable      true: the table is empty, or does not answer
    [trial]                  the records are weighted, a failback by steps of 10, 50 and 100 % is under way
      share                  how many percent are on trial at the primary
      for                    for how long
    [proposal]               a failback has been proposed
      made                   how long ago; now, where the file does not say
      answer                 'approved' or 'rejected', where a human has answered
      about                  'another epoch', 'other records', where it is not about what would be done now
    [open]                   a transition was begun, and its worker died just before [now]; its lease is 120 s
      died                   'after the claim', 'before its batch', 'after its batch', 'waiting for Linode'
      by                     'alarm' or 'human'
    [[earlier]], [now]       what the checks showed, oldest first; `for`: how long; `unseen`: nobody looked
      primary, standby       read, write, endpoint: an answer, by check; all: the whole Region; takes: how
                             long a read takes (0.1 s, where the file does not say and any part of it does);
                             alarm, linode, table: what CloudWatch, Linode and DynamoDB's control plane say (a
                             plan that asks them, where any part of the file says so)
    [[elsewhere]]            what another vantage point has reported, every 5 s
      place                  its name
      primary, standby       'down', 'well' or 'unknown'; 'well' where the file does not say
      for                    for how long; a minute, where the file does not say
      silent                 for how long nothing has been heard of it
    [fleet]                  other plans of the same stack (with it, [start] must name this one)
      others                 how many there are
      wanting                how many of them see the primary as we do
    [control]                targets outside both Regions, to tell 'gone' from 'cut off'
      target, another        an answer; there is one target, or there are two, where they stand here
    [replication]            lag; stopped = true; unseen_by = the Region that cannot tell what it sees;
                             clock_ahead = by how much the writer of the newest heartbeats was ahead of us
    [dns]                    what Route 53 holds: record, fence; api = an answer of its control plane
    [linode], [topic]        api = an answer
    [meanwhile]              happens = what, just between our decision and our claim ('half a minute passes':
                             between our look and our decision)
    [expect]
      decision, reason       of the newest decision on record; or error: the flow raises it and nothing moves
      told                   a piece of each notification's subject, in order; the list is complete
      traffic                'primary', 'standby', 'nowhere', 'elsewhere'; a hold leaves it, a move moves it
      phase                  of the record, once linode_dns has done what it was asked to: 'steady' where the
                             file does not say, 'none' where there is no record
      not_yet                why the product does not do this yet: the test is expected to fail until it does
"""

from __future__ import annotations

import contextlib
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from region_failover.domain.approval import propose
from region_failover.domain.codec import dump, load_health
from region_failover.domain.errors import RegionFailoverError, RemoteFailure
from region_failover.domain.plan import (
    AlarmCheck,
    DynamoDbCheck,
    FailbackMode,
    FailoverMode,
    NodeBalancer,
    NodeBalancerCheck,
    Plan,
    Role,
)
from region_failover.domain.policy_file import read_degradation, read_policy
from region_failover.domain.reports import Alarm, Nodes, TableStatus
from region_failover.domain.state import Answer as Answered
from region_failover.domain.state import Phase
from region_failover.domain.symptom import Kind, Symptom
from region_failover.domain.toml_table import Table
from region_failover.domain.trigger import SWITCH_REQUESTED
from region_failover.domain.vantage import add_view
from region_failover.domain.verdict import Health, Sample
from region_failover.domain.zone import Fence, RecordSet, answers, canonical, fence_name, fence_record, wanted
from region_failover.service.checks import heartbeat_key
from region_failover.service.observe import observe, update_health
from tests.fakes import (
    DENIED,
    EAST,
    NOON,
    PLAN,
    REFUSED,
    SERVER_ERROR,
    TIMED_OUT,
    WEST,
    ZONE,
    FakeTables,
    Killed,
    World,
    with_policy,
)

FOLDER = Path(__file__).parent

ANSWERS: dict[str, Symptom | None] = {
    "well": None,
    # theirs
    "timeout": TIMED_OUT,
    "refused": REFUSED,
    "no such name": Symptom(Kind.NO_SUCH_NAME, detail="Name or service not known"),
    "server error": SERVER_ERROR,
    "unavailable": Symptom(Kind.API, "ServiceUnavailable", 503),
    "wrong answer": Symptom(Kind.WRONG_ANSWER, detail="heartbeat reads back as None"),
    # ours
    "access denied": DENIED,
    "expired token": Symptom(Kind.API, "ExpiredTokenException", 400),
    "no credentials": Symptom(Kind.CREDENTIALS, detail="Unable to locate credentials"),
    "clock skewed": Symptom(Kind.API, "InvalidSignatureException", 400),
    "throttled": Symptom(Kind.API, "ProvisionedThroughputExceededException", 400),
    "rate exceeded": Symptom(Kind.API, "Throttling", 400),
    "no such table": Symptom(Kind.API, "ResourceNotFoundException", 400),
    "key not allowed": Symptom(Kind.API, "KMSAccessDeniedException", 400),
    "bad certificate": Symptom(Kind.TLS, detail="certificate has expired"),
    "bad parameters": Symptom(Kind.SETTINGS, detail="Parameter validation failed"),
    "never seen": Symptom(Kind.UNKNOWN, detail="SomethingNew: never seen"),
}

MINUTE = timedelta(minutes=1)
USUAL = timedelta(minutes=30)
SIDES = {"primary": EAST, "standby": WEST}
ALARM_CHECK = AlarmCheck("errors", "errors")
BALANCER_CHECK = NodeBalancerCheck(NodeBalancer(1, 11), NodeBalancer(2, 22))


class BadFile(Exception):
    """A situation's file is wrong: says where, what, and what is allowed."""


# The format. A value is a kind of value, or the words that are allowed, or a table of such.


@dataclass(frozen=True)
class Words:
    """One of these."""

    allowed: tuple[str, ...]

    def read(self, where: str, value: object) -> object:
        """Return the word."""
        if value not in self.allowed:
            raise BadFile(f"{where}: {value!r}; allowed are {', '.join(self.allowed)}")
        return value


class Text:
    """Any text but none."""

    def read(self, where: str, value: object) -> object:
        """Return the text."""
        if not isinstance(value, str) or not value.strip():
            raise BadFile(f"{where}: a text was expected, not {value!r}")
        return value


class Truth:
    """True or false."""

    def read(self, where: str, value: object) -> object:
        """Return it."""
        if not isinstance(value, bool):
            raise BadFile(f"{where}: true or false was expected, not {value!r}")
        return value


class Span:
    """A number and s, m or h: '0.4s', '20m', '6h'."""

    def read(self, where: str, value: object) -> object:
        """Return it as a timedelta."""
        units = {"s": "seconds", "m": "minutes", "h": "hours"}
        try:
            assert isinstance(value, str)
            return timedelta(**{units[value[-1]]: float(value[:-1])})
        except (AssertionError, KeyError, ValueError, IndexError) as error:
            raise BadFile(
                f"{where}: a time such as '90s', '20m' or '6h' was expected, not {value!r}"
            ) from error


class Count:
    """A whole number."""

    def read(self, where: str, value: object) -> object:
        """Return the number."""
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise BadFile(f"{where}: a whole number was expected, not {value!r}")
        return value


class Subjects:
    """A list of texts."""

    def read(self, where: str, value: object) -> object:
        """Return the list."""
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise BadFile(f"{where}: a list of texts was expected, not {value!r}")
        return value


class Answer:
    """One of ANSWERS, or an endpoint's HTTP status."""

    def read(self, where: str, value: object) -> object:
        """Return the symptom, the status, or None for a good answer."""
        if isinstance(value, int) and not isinstance(value, bool) and where.endswith("endpoint"):
            return value
        if not isinstance(value, str) or value not in ANSWERS:
            raise BadFile(f"{where}: {value!r}; allowed are {', '.join(ANSWERS)}, and an endpoint's status")
        return ANSWERS[value]


class Endpoint(Answer):
    """An endpoint's answer, its HTTP status or one of ANSWERS."""

    def read(self, where: str, value: object) -> object:
        """Return the symptom, the status, or None for a good answer."""
        return super().read(f"{where} endpoint", value)


ALARMS: dict[str, Alarm | Symptom] = {
    "quiet": Alarm("OK"),
    "firing": Alarm("ALARM", NOON - timedelta(minutes=3), reason="5 datapoints were above the threshold"),
    "firing since last week": Alarm("ALARM", NOON - timedelta(days=7)),
    "muted": Alarm("ALARM", NOON - timedelta(minutes=3), muted="its actions are disabled"),
    "without data": Alarm("INSUFFICIENT_DATA", NOON),
    "out of reach": TIMED_OUT,
    "not there": Symptom(Kind.SETTINGS, detail="us-east-1 has no alarm 'errors'"),
}
LINODE: dict[str, Nodes | Symptom] = {
    "up": Nodes(1, 1, "http"),
    "down": Nodes(0, 2, "http"),
    "unchecked": Nodes(0, 2, "none"),
    "out of reach": Symptom(Kind.HTTP, status=503),
    "not allowed": Symptom(Kind.HTTP, status=401, detail="Linode: Invalid Token"),
}
CHECKS = {
    **dict.fromkeys(("read", "write", "endpoint", "all"), Answer()),
    "takes": Span(),
    "alarm": Words(tuple(ALARMS)),
    "linode": Words(tuple(LINODE)),
    "table": Words(("ACTIVE", "UPDATING", "CREATING", "INACCESSIBLE_ENCRYPTION_CREDENTIALS")),
}
ROUNDS = {"for": Span(), "unseen": Span(), "primary": CHECKS, "standby": CHECKS}
ROLE = Words(tuple(SIDES))
VIEWS = {"down": Health.UNHEALTHY, "well": Health.HEALTHY, "unknown": Health.UNKNOWN}
VIEW = Words(tuple(VIEWS))
WEEKLY = {"days": Subjects(), "from": Text(), "to": Text(), "timezone": Text()}
FORMAT: dict[str, Any] = {
    "what": Text(),
    "start": {
        "by": Words(("alarm", "unhealthy event", "schedule", "manual failover", "manual failback")),
        "age": Span(),
        "alarm": Words(("ALARM", "OK", "INSUFFICIENT_DATA")),
        "suppressed": Truth(),
        "muted": Truth(),
        "force": Truth(),
        "expect": Words(("this plan", "another plan")),
        "again": Truth(),
    },
    "policy": {
        "failover": Words(("automatic", "manual")),
        "failback": Words(("automatic", "approval", "manual")),
        "healthy_for": Span(),
        "cooldown": Span(),
        "max_replication_lag": Span(),
        "approval_expires": Span(),
        "automatic_per_day": Count(),
        "max_changes": Count(),
    },
    "degradation": {
        "action": Words(("notify", "failover")),
        "over": Text(),
        "percentile": Count(),
        "slower_than": Count(),
        "at_least": Text(),
        "errors": Count(),
    },
    "window": [WEEKLY],
    "blackout": [WEEKLY],
    "record": {
        "active": ROLE,
        "paused": Truth(),
        "cooldown": Span(),
        "moves": Count(),
        "phase": Words(("needs-operator",)),
        "lost": Truth(),
        "unreachable": Truth(),
    },
    "trial": {"share": Count(), "for": Span()},
    "proposal": {
        "made": Span(),
        "answer": Words(("approved", "rejected")),
        "about": Words(("another epoch", "other records")),
    },
    "open": {
        "died": Words(("after the claim", "before its batch", "after its batch", "waiting for Linode")),
        "by": Words(("alarm", "human")),
    },
    "earlier": [ROUNDS],
    "now": ROUNDS,
    "elsewhere": [{"place": Text(), "primary": VIEW, "standby": VIEW, "for": Span(), "silent": Span()}],
    "control": {"target": Endpoint(), "another": Endpoint()},
    "fleet": {"others": Count(), "wanting": Count()},
    "replication": {"lag": Span(), "stopped": Truth(), "unseen_by": ROLE, "clock_ahead": Span()},
    "dns": {
        "record": Words(("edited by hand", "another TTL", "weighted", "missing", "at the standby already")),
        "fence": Words(("ahead", "behind", "of another plan", "unreadable", "missing")),
        "api": Answer(),
    },
    "linode": {"api": Answer(), "record": Words(("edited by hand", "missing", "twice"))},
    "topic": {"api": Answer()},
    "meanwhile": {
        "happens": Words(("another failover", "a pause", "an edit of the record set", "half a minute passes"))
    },
    "expect": {
        "decision": Words(("move", "hold")),
        "reason": Text(),
        "error": Text(),
        "told": Subjects(),
        "traffic": Words(("primary", "standby", "nowhere", "elsewhere")),
        "phase": Words((*Phase, "none")),
        "not_yet": Text(),
    },
}


def read(where: str, allowed: Any, found: Any) -> Any:
    """Return what is found with every value read; raise BadFile for what is not allowed."""
    if isinstance(allowed, list):
        if not isinstance(found, list):
            raise BadFile(f"{where}: [[{where.rsplit(maxsplit=1)[-1]}]] was expected")
        return [read(f"{where}[{number}]", allowed[0], item) for number, item in enumerate(found)]
    if not isinstance(allowed, Mapping):
        return allowed.read(where, found)
    if not isinstance(found, dict):
        raise BadFile(f"{where}: a table was expected, not {found!r}")
    for key in found:
        if key not in allowed:
            raise BadFile(f"{where}: {key!r} is unknown; known are {', '.join(allowed)}")
    return {key: read(f"{where}: {key}", allowed[key], value) for key, value in found.items()}


@dataclass(frozen=True, eq=False)
class Case:
    """One situation: its file's name, and what it says."""

    name: str
    says: Mapping[str, Any]

    def of(self, table: str) -> Mapping[str, Any]:
        """Return a table of the file, empty where there is none."""
        found: Mapping[str, Any] = self.says.get(table, {})
        return found


def load(path: Path) -> Case:
    """Return what a file says; raise BadFile where it is wrong."""
    says = read(path.name, FORMAT, tomllib.loads(path.read_text()))
    expect = says.get("expect", {})
    if "what" not in says:
        raise BadFile(f"{path.name}: 'what' is missing: say what is the matter")
    if ("error" in expect) == ("reason" in expect) or ("decision" in expect) != ("reason" in expect):
        raise BadFile(f"{path.name}: expect: 'decision' and 'reason' were expected, or 'error'")
    return Case(path.stem, says)


def every_case() -> list[Case]:
    """Return all situations, in the order of their names."""
    return [load(path) for path in sorted(FOLDER.glob("*.toml"))]


# The play.


class Tables(FakeTables):
    """Tables whose reads and writes may answer differently in one Region."""

    def __init__(self, world: World) -> None:
        super().__init__(world.clock, world.faults)
        self.answers: dict[tuple[str, str], Symptom] = {}
        self.takes: dict[str, timedelta] = {}

    def _around(self, operation: str, region: str, effect: Callable[[], Any]) -> Any:
        if operation == "tables.read":
            self.clock.at += self.takes.get(region, timedelta(0))
        symptom = self.answers.get((region, operation))
        if symptom is not None:
            raise RemoteFailure(symptom)
        return super()._around(operation, region, effect)


OPERATIONS = {"read": ("tables.read", "tables.read_heartbeat"), "write": ("tables.write_heartbeat",)}


@dataclass(frozen=True)
class Outcome:
    """What came of it: the newest decision on record, or the error; where the traffic went; what was told."""

    decision: Mapping[str, Any]
    error: str
    traffic: str
    phase: str
    told: list[str]
    untouched: bool


class Stage:
    """A world as a file says, and the flow that the file starts."""

    def __init__(self, case: Case) -> None:
        """Set the world up."""
        self.case = case
        self.world = World(plan_of(case))
        self.tables = self.world.tables = Tables(self.world)
        rounds = [*case.says.get("earlier", []), case.of("now")]
        self.usual = timedelta(seconds=0.1) if any("takes" in repr(part) for part in rounds) else timedelta(0)
        self.tables.takes = dict.fromkeys(self.world.plan.regions, self.usual)
        length = sum((lasts(part) + part.get("unseen", timedelta(0)) for part in rounds), USUAL)
        self.world.clock.at = NOON - length - (2 * MINUTE if "open" in case.says else timedelta(0))
        for name, answer in case.of("control").items():
            if answer is not None:
                self.world.endpoints.answers[f"https://{name}.example.net/"] = answer
        self._begin()
        if "open" in case.says:
            self._leave_open()
        for part in rounds:
            self._play(part, newest=part is rounds[-1])
        self._let_others_report()
        self._set_fleet()
        self._set_record()
        self._set_switches()

    def _begin(self) -> None:
        """Half an hour in which all is well, beginning with no record: it is made from the fence."""
        if self.case.of("record").get("active") == "standby":
            point_at_the_standby(self.world)
        self.world.tick()
        self._look_for(USUAL)

    def _play(self, part: Mapping[str, Any], *, newest: bool) -> None:
        self.world.clock.at += part.get("unseen", timedelta(0))
        for side, region in SIDES.items():
            self._let_answer(region, part.get(side, {}))
        if newest:
            self._set_replication()
        self._look_for(lasts(part))

    def _let_answer(self, region: str, answers: Mapping[str, Any]) -> None:
        self.tables.takes[region] = answers.get("takes", self.usual)
        whole = answers.get("all")
        self.tables.answers.pop((region, "tables.status"), None)
        if whole is not None:
            self.tables.answers[region, "tables.status"] = whole
        for check, operations in OPERATIONS.items():
            for operation in operations:
                self.tables.answers.pop((region, operation), None)
                if answers.get(check, whole) is not None:
                    self.tables.answers[region, operation] = answers.get(check, whole)
        self._let_be_said(region, answers)
        plan = self.world.plan
        url = plan.http_checks[0].url(plan.regions.role(region))
        self.world.endpoints.answers.pop(url, None)
        self.world.parameters.failures.pop(region, None)
        if answers.get("endpoint", whole) is not None:
            self.world.endpoints.answers[url] = answers.get("endpoint", whole)
        if whole is not None:
            self.world.parameters.failures[region] = whole

    def _let_be_said(self, region: str, answers: Mapping[str, Any]) -> None:
        role = self.world.plan.regions.role(region)
        reports = self.world.reports
        reports.alarms[region, ALARM_CHECK.alarm(role)] = ALARMS[answers.get("alarm", "quiet")]
        well = {self.world.plan.regions.other(region): "ACTIVE"}
        self.tables.statuses[region, "orders"] = TableStatus(answers.get("table", "ACTIVE"), well)
        reports.balancers[BALANCER_CHECK.balancer(role)] = LINODE[answers.get("linode", "up")]

    def _look_for(self, time: timedelta) -> None:
        """Look as the probe does, so often that the last look is a few seconds before the end."""
        clock = self.world.clock
        end = clock.at + time
        every = MINUTE if time > 5 * MINUTE else timedelta(seconds=5)
        while clock.at + every <= end:
            began = clock.at
            observe(self.world.ports(), self.world.plan)
            clock.at = max(began + every, clock.at)
        clock.at = max(end, clock.at)

    def _leave_open(self) -> None:
        """Begin a transition whose worker dies where the file says."""
        world, said = self.world, self.case.of("open")
        at_standby = self.case.of("record").get("active") == "standby"
        if not at_standby:
            self._let_answer(EAST, {"all": TIMED_OUT})
        self._look_for(2 * MINUTE)
        arms = {
            "after the claim": lambda: world.faults.after("store.save_state", Killed()),
            "before its batch": lambda: world.faults.before("zones.submit", Killed()),
            "after its batch": lambda: world.faults.after("zones.submit", Killed()),
            "waiting for Linode": lambda: None,
        }
        arms[said["died"]]()
        human = world.manual("failback" if at_standby else "failover")
        with contextlib.suppress(Killed):
            if at_standby:
                world.failback(human if said.get("by") == "human" else world.schedule())
            else:
                world.failover(human if said.get("by") == "human" else world.alarm())
        assert world.state.transition is not None, "the transition was not begun"
        world.faults.clear()
        world._delivered = len(world.events.of(SWITCH_REQUESTED))

    def _set_replication(self) -> None:
        said, world = self.case.of("replication"), self.world
        world.tables.lag = said.get("lag", world.tables.lag)
        world.tables.paused = said.get("stopped", False)
        if "unseen_by" in said:
            self.tables.answers[SIDES[said["unseen_by"]], "tables.read_heartbeat"] = TIMED_OUT
        if "clock_ahead" in said:
            world.tables.paused = False
            for region in world.plan.regions:
                key = heartbeat_key(world.plan, region)
                ahead = world.clock.at + lasts(self.case.of("now")) + said["clock_ahead"]
                world.tables.write_heartbeat(region, key, ahead)
            world.clock.advance(5)
            world.tables.paused = said.get("stopped", False)

    def _let_others_report(self) -> None:
        plan, every = self.world.plan, timedelta(seconds=5)
        for said in self.case.says.get("elsewhere", []):
            end = self.world.clock.at - said.get("silent", timedelta(0))
            at = end - said.get("for", MINUTE)
            while at <= end:
                samples = {
                    region: Sample(region, at, VIEWS[said.get(side, "well")])
                    for side, region in SIDES.items()
                }
                add = partial(add_view, vantage=said["place"], samples=samples, window=5, now=at)
                update_health(self.world.ports(), plan, add)
                at += every

    def _set_fleet(self) -> None:
        said, world = self.case.of("fleet"), self.world
        known = load_health(world.store.healths[world.plan.name][1])
        well = dict.fromkeys(world.plan.regions, known.regions[WEST])
        for number in range(said.get("others", 0)):
            other = replace(world.plan, name=f"other-{number}")
            regions = known.regions if number < said.get("wanting", 0) else well
            state = replace(world.state, plan=other.name)
            world.others.append(other)
            world.store.states[other.name] = (state.version, dump(state))
            world.store.healths[other.name] = (1, dump(replace(known, plan=other.name, regions=regions)))

    def _set_record(self) -> None:
        said, world = self.case.of("record"), self.world
        if "paused" in said:
            world.edit_state(paused=said["paused"])
        if "cooldown" in said:
            world.edit_state(cooldown_until=world.clock.at + said["cooldown"])
        if "phase" in said:
            world.edit_state(phase=Phase(said["phase"]))
        if "moves" in said:
            world.edit_state(automatic_moves=(world.clock.at - USUAL,) * said["moves"])
        if "trial" in self.case.says:
            self._set_trial()
        if "proposal" in self.case.says:
            self._set_proposal()

    def _set_trial(self) -> None:
        said, world = self.case.of("trial"), self.world
        since = world.clock.at - said.get("for", timedelta(0))
        world.edit_state(share=said["share"], share_since=since)
        for record in world.plan.route53_records:
            world.zones.put(ZONE, *answers(record, Role.STANDBY, said["share"]))

    def _set_proposal(self) -> None:
        said, world = self.case.of("proposal"), self.world
        made_at = world.clock.at - said.get("made", timedelta(0))
        plan, state = world.plan, world.state
        if said.get("about") == "other records":
            plan = replace(plan, route53_records=plan.route53_records[:0])
        if said.get("about") == "another epoch":
            state = replace(state, epoch=state.epoch - 1)
        made = propose(plan, state, "all well", made_at)
        assert made is not None
        assert made.proposal is not None
        answer = Answered(said["answer"]) if "answer" in said else Answered.NONE
        world.edit_state(proposal=replace(made.proposal, answer=answer))

    def _set_switches(self) -> None:
        said, world = self.case.of("dns"), self.world
        records = world.plan.zones()[ZONE]
        name, state = fence_name(records), world.state
        sets: dict[str, Callable[[], object]] = {
            "edited by hand": lambda: world.zones.put(
                ZONE, RecordSet("api.example.com", "A", 60, ("203.0.113.99",))
            ),
            "another TTL": lambda: world.zones.put(ZONE, replace(wanted(records[0], Role.PRIMARY), ttl=300)),
            "weighted": lambda: world.zones.put(
                ZONE, replace(wanted(records[0], Role.PRIMARY), simple=False)
            ),
            "missing": lambda: world.zones.zones[ZONE].pop((canonical("api.example.com"), "A")),
            "at the standby already": lambda: world.zones.put(ZONE, wanted(records[0], Role.STANDBY)),
        }
        fences: dict[str, Callable[[], object]] = {
            "ahead": lambda: world.put_fence(state.epoch + 6, state.active),
            "behind": lambda: world.put_fence(state.epoch - 1, state.active),
            "of another plan": lambda: world.put_fence(state.epoch, state.active, plan="payments"),
            "unreadable": lambda: world.zones.put(
                ZONE, replace(fence_record(records, Fence("", 0, "")), values=('"v=spf1 -all"',))
            ),
            "missing": lambda: world.zones.zones[ZONE].pop((canonical(name), "TXT")),
        }
        if "record" in said:
            sets[said["record"]]()
        if "fence" in said:
            fences[said["fence"]]()
        if said.get("api"):
            for operation in ("zones.read", "zones.submit"):
                world.faults.before(operation, RemoteFailure(said["api"]), times=1000)
        self._set_linode()
        world.notifier.failure = self.case.of("topic").get("api")

    def _set_linode(self) -> None:
        said, linode = self.case.of("linode"), self.world.linode
        records = linode.records[PLAN.linode_records[0].domain_id]
        linode.failure = said.get("api")
        if said.get("record") == "edited by hand":
            records[0] = replace(records[0], target="192.0.2.77")
        elif said.get("record") == "missing":
            records.clear()
        elif said.get("record") == "twice":
            records.append(replace(records[0], id=2))

    def run(self) -> Outcome:
        """Start the flow, let linode_dns do what it is asked to, and return what came of it."""
        world, start = self.world, self.case.of("start")
        world.notifier.sent.clear()
        if start.get("again"):
            world.edit_state(requests=("request-the-same",))
        if self.case.of("record").get("lost"):
            world.store.states.clear()
        world.store.available = not self.case.of("record").get("unreachable", False)
        happens = self.case.of("meanwhile").get("happens")
        if happens == "half a minute passes":
            world.faults.after("store.save_health", lambda: world.clock.advance(31))
        elif happens:
            world.faults.before("store.record_decision", self._meanwhile)
        before, error = self._what_there_is(), ""
        flow = world.failback if start.get("by") in {"schedule", "manual failback"} else world.failover
        try:
            flow(self._event(), ports=world.ports("the-same" if start.get("again") else ""))
            world.deliver_switch()
        except RegionFailoverError as raised:
            error = type(raised).__name__
        world.store.available = True
        decision = world.store.decisions[-1][2] if world.store.decisions else {}
        return Outcome(
            decision=decision,
            error=error,
            traffic=self._traffic(),
            phase=world.state.phase.value if world.store.states else "none",
            told=[subject for subject, _ in world.notifier.sent],
            untouched=self._what_there_is() == before,
        )

    def _expected(self) -> dict[str, str]:
        """Return the checksum that a human expects, where the file says that he does."""
        start = self.case.of("start")
        if "expect" not in start:
            return {}
        back = start["by"] == "manual failback"
        to = "primary" if back or self.world.state.active == WEST else "standby"
        wish = {"plan": self.world.plan.name, "action": "plan", "to": to}
        shown = (self.world.failback if back else self.world.failover)(wish)
        return {"expect": shown["checksum"] if start["expect"] == "this plan" else "0" * 16}

    def _event(self) -> object:
        world, start = self.world, self.case.of("start")
        at = world.clock.at - start.get("age", timedelta(0))
        by = start.get("by", "alarm")
        if by.startswith("manual"):
            return {**world.manual(by.split()[1], force=start.get("force", False)), **self._expected()}
        if by == "schedule":
            return {**world.schedule(), "time": at.isoformat()}
        if by == "unhealthy event":
            return world.unhealthy_event(at)
        event = world.alarm(at, start.get("alarm", "ALARM"))
        if start.get("suppressed"):
            event["detail"]["state"]["actionsSuppressedBy"] = "Alarm"
        if start.get("muted"):
            event["detail"]["muteDetail"] = {"mutedByArn": "arn:aws:cloudwatch:us-west-2:1:mute:deploy"}
        return event

    def _meanwhile(self) -> None:
        happens = self.case.of("meanwhile")["happens"]
        if happens == "another failover":
            self.world.failover(ports=self.world.ports("another"))
        elif happens == "a pause":
            self.world.edit_state(paused=True)
        else:
            self.world.zones.put(ZONE, RecordSet("api.example.com", "A", 60, ("203.0.113.99",)))

    def _traffic(self) -> str:
        record = self.world.plan.route53_records[0]
        names = {record.primary: "primary", record.standby: "standby", (): "nowhere"}
        return names.get(self.world.answer(), "elsewhere")

    def _what_there_is(self) -> str:
        """Return all that a move could touch: records, fences, parameters, Linode's, requests, the epoch."""
        world = self.world
        return repr(
            (
                sorted((key, found) for key, found in world.zones.zones[ZONE].items()),
                sorted(world.parameters.values.items()),
                world.linode.records,
                world.events.put_events,
                [dump(world.state.transition) if world.state.transition else "", world.state.epoch]
                if world.store.states
                else [],
            )
        )


def lasts(part: Mapping[str, Any]) -> timedelta:
    """Return how long something was so; two minutes where the file does not say."""
    found: timedelta = part.get("for", 2 * MINUTE)
    return found


def plan_of(case: Case) -> Plan:
    """Return the plan of `tests/fakes.py` with the file's policy."""
    said = dict(case.of("policy"))
    if "failover" in said:
        said["failover"] = FailoverMode(said["failover"])
    if "failback" in said:
        said["failback"] = FailbackMode(said["failback"])
    spans = {f"failback_{name}": case.says.get(name, []) for name in ("window", "blackout")}
    calendar = read_policy(Table(case.name, "policy.", spans))
    said["failback_windows"] = calendar.failback_windows
    said["failback_blackouts"] = calendar.failback_blackouts
    targets = tuple(f"https://{name}.example.net/" for name in case.of("control"))
    rule = read_degradation(Table(case.name, "degradation.", case.of("degradation")))
    if "trial" in case.says:
        said["failback_steps"] = (10, 50, 100)
    rounds = [*case.says.get("earlier", []), case.of("now")]
    sides = [part.get(side, {}) for part in rounds for side in SIDES]
    plan = with_policy(**said)
    weighted = tuple(replace(record, weighted="trial" in case.says) for record in plan.route53_records)
    return replace(
        plan,
        route53_records=weighted,
        degradation=rule,
        control_targets=targets,
        dynamodb_checks=(DynamoDbCheck("orders", replicas=any("table" in side for side in sides)),),
        alarm_checks=(ALARM_CHECK,) if any("alarm" in side for side in sides) else (),
        balancer_checks=(BALANCER_CHECK,) if any("linode" in side for side in sides) else (),
    )


def point_at_the_standby(world: World) -> None:
    """Leave the world as a completed failover does: records, fence (epoch 1), parameters, Linode's."""
    records = world.plan.zones()[ZONE]
    world.zones.put(ZONE, *(found for record in records for found in answers(record, Role.STANDBY)))
    world.put_fence(1, WEST)
    for region, name in world.parameters.values:
        world.parameters.values[region, name] = WEST
    for record in world.plan.linode_records:
        records = world.linode.records[record.domain_id]
        records[0] = replace(records[0], target=record.standby)
