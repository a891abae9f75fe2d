"""What is known at one point of a history: the plan, the record, the zones, and what each worker has seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from proof.checker.reading import (
    OURS,
    PENDING,
    THEIRS,
    WELL,
    Batch,
    Content,
    Key,
    Record,
    Transition,
    content_of,
    contents_of,
    fault_of,
    is_transport,
    key_of,
    seconds_between,
)

Entry = dict[str, Any]
# What one machine's clock may be ahead of another's before its times are not believed.
CLOCKS_AGREE_S = 30.0

# For so long after a move, what a late writer has written is put back.
LATE_WRITERS_S = 900.0

Check = tuple[str, str, str]  # (Region, kind of evidence, name)

PRIMARY, STANDBY = "primary", "standby"

# What these see carries no claim: it is not kept, and a claim of theirs thus stands on nothing.
NEVER_CLAIM = frozenset({"probe", "linode_dns"})


class Planned(dict[str, Content]):
    """What one record set of the plan holds, by the active Region; `role`: of a weighted one, whose it is."""

    def __init__(self, by_region: Mapping[str, Content], role: str = "") -> None:
        """Keep it."""
        super().__init__(by_region)
        self.role = role

    def at(self, active: str, share: int | None) -> Content:
        """Return what it holds while this Region is active, and a share of the traffic at the primary."""
        ttl, values, _ = whole = self[active]
        if not self.role or share is None:
            return whole
        return ttl, values, share if self.role == PRIMARY else 100 - share

    def every(self, steps: list[int]) -> set[Content]:
        """Return all that it may ever hold."""
        return {*self.values(), *(self.at(region, step) for region in self for step in steps)}


class PlanFacts:
    """A history's first entry, read."""

    def __init__(self, entry: Entry) -> None:
        """Read it; KeyError where something is missing."""
        self.name: str = entry["plan"]
        self.primary: str = entry["regions"][PRIMARY]
        self.standby: str = entry["regions"][STANDBY]
        self.records: dict[str, dict[Key, Planned]] = {}
        for found in entry["route53"]:
            zone = self.records.setdefault(found["zone_id"], {})
            zone.update(self._weighted(found) if found.get("weighted") else self._simple(found))
        self.steps: list[int] = [step for step in entry["policy"].get("failback_steps", ()) if step < 100]
        self.fences = {zone: key_of(name, "TXT") for zone, name in entry["fences"].items()}
        self.linode = {
            (found["domain_id"], found["name"].lower(), found["type"]): {
                self.primary: (found[PRIMARY], found["ttl_sec"]),
                self.standby: (found[STANDBY], found["ttl_sec"]),
            }
            for found in entry["linode"]
        }
        self.parameters = {
            (region, found["name"]) for found in entry["parameters"] for region in found["regions"]
        }
        self._read_checks(entry["checks"])
        policy, limits = entry["policy"], entry["limits"]
        self.modes = {"failover": policy["failover"], "failback": policy["failback"]}
        self.healthy_for_s: float = policy["healthy_for_s"]
        self.cooldown_s: float = policy["cooldown_s"]
        self.per_day: int = policy.get("automatic_per_day", 0)  # 0: the history does not say
        self.max_lag_s: float = policy["max_lag_s"]
        self.leaves_degraded: bool = entry.get("degradation") == "failover"
        self.lease_s: float = limits["lease_s"]
        self.step_lease_s: float = limits["step_lease_s"]
        self.verified_within_s: float = limits["verified_within_s"]
        self.tick_s: float = limits["tick_s"]
        self.maximum_age_s: float = limits["maximum_age_s"]
        self.skew_s: float = entry.get("skew_s", 0.0)
        self.wide_s = 2 * self.skew_s  # two clocks may differ by that much
        self.secrets: list[str] = list(entry.get("secrets", ()))

    def _simple(self, found: Entry) -> dict[Key, Planned]:
        by_region = {
            region: content_of({"ttl": found["ttl"], "values": found[role]})
            for region, role in ((self.primary, PRIMARY), (self.standby, STANDBY))
        }
        return {key_of(found["name"], found["type"]): Planned(by_region)}

    def _weighted(self, found: Entry) -> dict[Key, Planned]:
        names = found.get("identifiers") or {PRIMARY: PRIMARY, STANDBY: STANDBY}
        planned = {}
        for role in (PRIMARY, STANDBY):
            ttl, values, _ = content_of({"ttl": found["ttl"], "values": found[role]})
            here = 100 if role == PRIMARY else 0
            by_region = {self.primary: (ttl, values, here), self.standby: (ttl, values, 100 - here)}
            key = key_of(found["name"], found["type"], names[role])
            planned[key] = Planned(by_region, role)
        return planned

    def _read_checks(self, checks: Entry) -> None:
        self.urls: dict[str, str] = {}
        self.checks: dict[str, set[Check]] = {self.primary: set(), self.standby: set()}
        for region, role in ((self.primary, PRIMARY), (self.standby, STANDBY)):
            needed = self.checks[region]
            needed.add((region, "dynamodb", "heartbeat"))
            needed.update((region, "dynamodb", table) for table in checks["dynamodb"])
            for found in checks["http"]:
                self.urls[found[role]] = region
                needed.add((region, "http", found[role]))

    @property
    def regions(self) -> tuple[str, str]:
        """Return primary and standby."""
        return self.primary, self.standby

    def other(self, region: str) -> str:
        """Return the Region that is not this one."""
        return self.standby if region == self.primary else self.primary


class Answer:
    """One check as one worker saw it; `gave_up`: the worker went on before it was answered."""

    __slots__ = ("clock", "gave_up", "how", "t", "transport")

    def __init__(self, call: Entry) -> None:
        """Begin with a call."""
        self.t: float = call["t"]
        self.clock: str = call["clock"]
        self.how = PENDING
        self.gave_up = False
        self.transport = False

    @property
    def theirs(self) -> bool:
        """Return whether it is evidence against the Region; no answer within the deadline is."""
        return self.gave_up or self.how == THEIRS

    @property
    def bad(self) -> bool:
        """Return whether it did not answer well."""
        return self.how != WELL


class Beat:
    """One look for a heartbeat; `age_s`: by the worker's own clock, None = not seen or not answered."""

    __slots__ = ("age_s", "call")

    def __init__(self, call: Entry) -> None:
        """Begin with a call."""
        self.call = call
        self.age_s: float | None = None


class Worker:
    """One invocation, and what it has seen."""

    def __init__(self, entry: Entry) -> None:
        """Begin."""
        self.name: str = entry["worker"]
        self.owner: str = self.name.split("~", 1)[0]  # as the records name it
        self.function: str = entry.get("function", "")
        self.event: Any = entry.get("event")
        self.clock: str = entry["clock"]
        self.looks = self.function not in NEVER_CLAIM
        self.seen: Record | None = None  # the record it last saw
        self.health: tuple[float, str] | None = None  # the health record it last saw or wrote, and when
        self.checks: dict[Check, list[Answer]] = {}
        self.beats: dict[tuple[str, str], list[Beat]] = {}  # by (writer, reader)
        self.pending: list[Answer] = []
        self.move: Entry | None = None  # its last recorded decision to move
        self.wrote: dict[tuple[str, str], int] = {}  # epoch of its last write, by (Region, parameter)
        self.found: dict[tuple[int, int], tuple[int, str, str]] = {}  # Linode's (domain, id) -> the plan's
        self.leased_at: dict[int, float] = {}  # true time of its own lease, by epoch
        self.asked = False  # whether it has noted a human's request as answered, and opened nothing for it
        self.step_epoch: int | None = None  # the newest epoch whose Linode step it claimed
        self.errors: list[tuple[str, str]] = []  # (operation, type) of what failed

    def answers(self, region: str, kinds: tuple[str, ...] = ("dynamodb", "http")) -> Iterator[Answer]:
        """Yield what it has seen of a Region."""
        for (where, kind, _), answers in self.checks.items():
            if where == region and kind in kinds:
                yield from answers

    def events(self) -> list[Entry]:
        """Return what was delivered, one or several at once."""
        found = self.event if isinstance(self.event, list) else [self.event]
        return [event for event in found if isinstance(event, dict)]


class Save:
    """An accepted save of the state record."""

    __slots__ = ("after", "before", "call", "ended", "entry", "worker")

    def __init__(
        self,
        entry: Entry,
        call: Entry,
        worker: Worker,
        before: Record | None,
        after: Record,
        ended: Transition | None,
    ) -> None:
        """Keep what was there and what is there now; `ended`: the transition that went to the history."""
        self.entry, self.call, self.worker = entry, call, worker
        self.before, self.after, self.ended = before, after, ended

    @property
    def was_open(self) -> Transition | None:
        """Return the transition that was open before."""
        return self.before.transition if self.before else None

    @property
    def opened(self) -> Transition | None:
        """Return the transition that this save claimed."""
        now, was = self.after.transition, self.was_open
        return now if now and (was is None or was.epoch != now.epoch) else None

    @property
    def completed(self) -> Transition | None:
        """Return the transition that this save completed: the traffic's place is another, or it says so."""
        if self.ended and self.ended.outcome == "completed":
            return self.ended
        moved = self.before is not None and self.before.active != self.after.active
        return self.was_open if moved else None

    @property
    def stopped(self) -> Transition | None:
        """Return the transition that this save ended without completing it."""
        gone = self.was_open if self.after.transition is None else None
        return None if self.completed else gone


class Facts:
    """All that rules share. Changed by the judge only, after the rules have seen an entry."""

    def __init__(self, plan: PlanFacts, zones: dict[str, list[Entry]]) -> None:
        """Begin with the world as it was at t = 0."""
        self.plan = plan
        self.record: Record | None = None
        self.begun = False  # whether the record's story is known from its beginning, or was found
        self.workers: dict[str, Worker] = {}
        self.zones = {zone: contents_of(found) for zone, found in zones.items()}
        self.by_human: set[tuple[str, Key]] = set()  # record sets that a human wrote last
        self.claims: dict[int, Transition] = {}
        self.change_ids: dict[str, tuple[str, int]] = {}  # Route 53's id -> (zone, epoch)
        self.health: list[Entry] = []  # accepted saves of the health record

    def rests_for(self, worker: Worker) -> Record | None:
        """Return the record that a worker last saw, if the plan rests there with all of its traffic at one
        Region."""
        seen = worker.seen
        if seen is None or seen.transition or seen.phase != "steady" or seen.share is not None:
            return None
        return seen

    def writes_back(self, worker: Worker, batch: Batch) -> bool:
        """Return whether a batch gives a plan at rest its own answers back, and moves nothing.

        Its fence names the active Region, is not ahead of the record, and each answer that it creates is that
        Region's. By itself a worker only creates what is not there (`keeps_the_fence`), and never in a pause;
        what a human has asked for may replace what stands there.
        """
        seen, fence = self.rests_for(worker), batch.fence
        if seen is None or fence is None or (fence.plan, fence.active) != (self.plan.name, seen.active):
            return False
        if fence.epoch > seen.epoch or not (worker.asked or (batch.keeps_the_fence and not seen.paused)):
            return False
        planned = self.plan.records.get(batch.zone_id, {})
        created = {key: content for key, content in batch.creates.items() if key != batch.fence_key}
        return all(key in planned and planned[key].at(seen.active, None) == created[key] for key in created)

    def gives_back(self, worker: Worker, value: str) -> bool:
        """Return whether a human has asked for a parameter to name the active Region of a plan at rest."""
        seen = self.rests_for(worker)
        return worker.asked and seen is not None and seen.active == value

    def apply_batch(self, batch: Batch, change_id: str) -> None:
        """Change the zone as Route 53 did."""
        zone = self.zones.setdefault(batch.zone_id, {})
        for key in batch.deletes:
            zone.pop(key, None)
        zone.update(batch.creates)
        self.by_human -= {(batch.zone_id, key) for key in batch.keys}
        if batch.fence:
            self.change_ids[change_id] = (batch.zone_id, batch.fence.epoch)

    def edit_zone(self, zone_id: str, records: list[Entry]) -> None:
        """Replace a zone's content by what a human made of it."""
        before, after = self.zones.get(zone_id, {}), contents_of(records)
        changed = {key for key in {*before, *after} if before.get(key) != after.get(key)}
        self.by_human |= {(zone_id, key) for key in changed}
        self.zones[zone_id] = after

    def goal_of(self, batch: Batch) -> str | None:
        """Return the Region that a batch sends traffic to: of a step, not the one that its fence names."""
        if batch.fence is None:
            return None
        claim = self.claims.get(batch.fence.epoch)
        stands = claim is not None and claim.active_after == batch.fence.active
        return claim.target if claim and stands else batch.fence.active

    def fence_of(self, zone_id: str) -> Content | None:
        """Return the record set under the fence's name."""
        key = self.plan.fences.get(zone_id)
        return self.zones.get(zone_id, {}).get(key) if key else None

    def is_correction(self, worker: Worker, key: tuple[str, str]) -> bool:
        """Return whether a parameter's write corrects this worker's own, outdated one."""
        earlier = worker.wrote.get(key)
        return earlier is not None and worker.seen is not None and worker.seen.epoch > earlier

    def is_linode_correction(self, worker: Worker) -> bool:
        """Return whether a Linode write follows an epoch that is newer than the one worked on."""
        earlier = worker.step_epoch
        return earlier is not None and worker.seen is not None and worker.seen.epoch > earlier

    def puts_back(self, worker: Worker, entry: Entry, region: str) -> bool:
        """Return whether a write puts back what a late writer may have written: a short time after a move,
        on a steady record, and what it writes is the active Region's."""
        seen = worker.seen
        if seen is None or seen.transition is not None or seen.moved_at is None or seen.active != region:
            return False
        return -CLOCKS_AGREE_S <= seconds_between(entry["clock"], seen.moved_at) <= LATE_WRITERS_S

    def pointed_at(self, worker: Worker, entry: Entry) -> str:
        """Return the Region at which a Linode write points, '' for none of the plan's."""
        planned = worker.found.get((entry["domain_id"], entry["record_id"]))
        by_region = self.plan.linode.get(planned, {}) if planned else {}
        return next((r for r, (target, _) in by_region.items() if target == entry["target"]), "")

    def verified(self, worker: Worker, region: str) -> Answer | None:
        """Return the oldest of the newest good answers of a Region's checks; None unless each has one."""
        newest: list[Answer] = []
        for check in self.plan.checks[region]:
            good = [answer for answer in worker.checks.get(check, ()) if not answer.bad]
            if not good:
                return None
            newest.append(good[-1])
        return min(newest, key=lambda answer: answer.t)

    def last_round_is_bad(self, worker: Worker, region: str) -> bool:
        """Return whether what this worker last saw of a Region had a failure."""
        last = (worker.checks[check][-1] for check in self.plan.checks[region] if check in worker.checks)
        return any(answer.bad for answer in last)


def judge_answer(answer: Answer, entry: Entry) -> None:
    """Note how a check ended."""
    error = entry.get("error")
    answer.how = fault_of(error) if error else WELL
    answer.transport = bool(error) and is_transport(entry["error"])


__all__ = ["OURS", "Answer", "Beat", "Check", "Facts", "PlanFacts", "Save", "Worker", "judge_answer"]
