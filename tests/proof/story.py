"""Hand-made histories: a small builder that tells a failover (or failback) call by call.

Without any argument each method tells what a correct worker does next, so that a test changes one thing.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from proof.checker import check

EAST, WEST = "us-east-1", "us-west-2"
ZONE, NAME, FENCE = "Z1", "api.example.com", "_region-failover.api.example.com"
PARAMETER = "/orders/active-region"
URLS = {EAST: "https://east.example.com/health", WEST: "https://west.example.com/health"}
ANSWERS = {EAST: "192.0.2.10", WEST: "198.51.100.10"}
LINODE = {EAST: "203.0.113.10", WEST: "198.51.100.50"}
START = datetime(2025, 10, 20, 12, 0, tzinfo=UTC)

TIMED_OUT = {"type": "RemoteFailure", "symptom": {"kind": "timeout", "code": "", "status": 0}}
REFUSED = {"type": "RemoteFailure", "symptom": {"kind": "refused", "code": "", "status": 0}}
Entry = dict[str, Any]


def api_error(code: str, status: int, kind: str = "api") -> Entry:
    """Return the error of a service's answer."""
    return {"type": "RemoteFailure", "symptom": {"kind": kind, "code": code, "status": status}}


def answer(region: str) -> Entry:
    """Return the plan's record set as it points at a Region."""
    return {"name": NAME, "type": "A", "ttl": 60, "values": [ANSWERS[region]]}


def fence(epoch: int, active: str, plan: str = "orders") -> Entry:
    """Return a fence's record set."""
    value = f'"region-failover plan={plan} epoch={epoch} active={active}"'
    return {"name": FENCE, "type": "TXT", "ttl": 30, "values": [value]}


def swap(old: Entry | None, new: Entry | None) -> list[Entry]:
    """Return the changes that put one record set in another's place."""
    found = [("DELETE", old), ("CREATE", new)]
    return [{"action": action, **record} for action, record in found if record]


def at(t: float) -> str:
    """Return the ISO time of t."""
    return (START + timedelta(seconds=t)).isoformat()


PLAN: Entry = {
    "plan": "orders",
    "start": START.isoformat(),
    "regions": {"primary": EAST, "standby": WEST},
    "route53": [
        {
            "zone_id": ZONE,
            "name": NAME,
            "type": "A",
            "ttl": 60,
            "primary": [ANSWERS[EAST]],
            "standby": [ANSWERS[WEST]],
        }
    ],
    "fences": {ZONE: FENCE},
    "linode": [
        {
            "domain_id": 7,
            "name": "app",
            "type": "A",
            "ttl_sec": 30,
            "primary": LINODE[EAST],
            "standby": LINODE[WEST],
        }
    ],
    "parameters": [{"name": PARAMETER, "regions": [WEST, EAST]}],
    "checks": {
        "dynamodb": ["orders"],
        "http": [{"primary": URLS[EAST], "standby": URLS[WEST], "status": 200}],
    },
    "policy": {
        "failover": "automatic",
        "failback": "automatic",
        "healthy_for_s": 1200.0,
        "cooldown_s": 3600.0,
        "max_lag_s": 30.0,
    },
    "limits": {
        "lease_s": 120.0,
        "step_lease_s": 90.0,
        "verified_within_s": 30.0,
        "tick_s": 60.0,
        "maximum_age_s": 900.0,
    },
    "skew_s": 0.0,
}


class Story:
    """A history in the making; begins steady, with a record at epoch 3 in the primary and its fence."""

    def __init__(self, active: str = EAST, skew_s: float = 0.0, **plan: Any) -> None:
        self.entries: list[Entry] = []
        self.t = 0.0
        self.offset: dict[str, float] = {}  # how far a worker's clock is ahead
        self.zone: dict[tuple[str, str], Entry] = {}
        self.active = active
        self._put(answer(active), fence(3, active))
        self.parameters = {WEST: active, EAST: active}
        self.linode = LINODE[active]
        self.history: list[str] = []
        self.record: Entry = {
            "plan": "orders",
            "version": 5,
            "epoch": 3,
            "active": active,
            "phase": "steady",
            "transition": None,
            "cooldown_until": None,
            "paused": False,
            "owed": [],
            "outbox": [],
            "noticed": {},
            "proposal": None,
            "requests": [],
        }
        self.add("plan", **{**PLAN, "skew_s": skew_s, **plan}, zones={ZONE: list(self.zone.values())})
        self.edit()

    def _put(self, *records: Entry) -> None:
        for record in records:
            self.zone[record["name"], record["type"]] = record

    # entries

    def add(self, kind: str, **data: Any) -> int:
        self.entries.append({"n": len(self.entries), "t": self.t, "kind": kind, **data})
        return len(self.entries) - 1

    def after(self, seconds: float) -> Story:
        self.t += seconds
        return self

    def clock(self, worker: str) -> str:
        return at(self.t + self.offset.get(worker, 0.0))

    def call(self, worker: str, op: str, **data: Any) -> int:
        return self.add("call", worker=worker, op=op, clock=self.clock(worker), **data)

    def ask(self, worker: str, op: str, result: Any = None, error: Entry | None = None, **data: Any) -> int:
        """Tell a call and its reply."""
        number = self.call(worker, op, **data)
        self.reply(worker, op, number, result, error)
        return number

    def reply(
        self, worker: str, op: str, number: int, result: Any = None, error: Entry | None = None
    ) -> None:
        told = {"error": error} if error else {"result": result}
        self.add("reply", call=number, worker=worker, op=op, **told)

    def do(self, worker: str, op: str, result: Any = None, **data: Any) -> int:
        """Tell a call that has an effect."""
        number = self.call(worker, op, **data)
        more = {"change_id": result} if op == "zones.submit" else {}
        self.add("effect", call=number, worker=worker, op=op, **data, **more)
        self.reply(worker, op, number, result)
        return number

    def begin(self, worker: str = "a", function: str = "failover", event: Any = None) -> Story:
        event = event or {"id": f"event-{len(self.entries)}", "time": at(self.t)}
        self.add("begin", worker=worker, function=function, event=event, clock=self.clock(worker))
        return self

    def end(self, worker: str = "a", outcome: str = "returned") -> Story:
        self.add("end", worker=worker, outcome=outcome)
        return self

    # the record

    def edit(self, **changes: Any) -> Story:
        """Let a human change the record."""
        self.record = {**self.record, **changes}
        self.add("world", what="human-edit", record=json.dumps(self.record))
        return self

    def edit_zone(self, *records: Entry, without: tuple[tuple[str, str], ...] = ()) -> Story:
        """Let a human change the zone."""
        self._put(*records)
        for key in without:
            del self.zone[key]
        self.add("world", what="human-edit", zone_id=ZONE, records=list(self.zone.values()))
        return self

    def lose(self, epoch: int) -> Story:
        """Let the record be lost, and made anew from the fence at this epoch, by worker 'new'."""
        self.add("world", what="human-edit", record=None)
        self.record = {**self.record, "version": 0, "epoch": epoch, "transition": None, "phase": "steady"}
        return self.begin("new").save("new")

    def load(self, worker: str = "a") -> Story:
        there = json.dumps(self.record) if self.record["version"] else None
        self.ask(worker, "store.load_state", there, plan="orders")
        return self

    def save(self, worker: str = "a", ended: Entry | None = None, **changes: Any) -> Story:
        """Load, then save the record with these changes."""
        self.load(worker)
        expected = self.record["version"]
        self.record = {**self.record, "version": expected + 1, **changes}
        data = {
            "plan": "orders",
            "expected": expected,
            "record": json.dumps(self.record),
            "ended": json.dumps(ended) if ended else None,
        }
        if ended:
            self.history.append(json.dumps(ended))
        number = self.call(worker, "store.save_state", **data)
        self.add("effect", call=number, worker=worker, op="store.save_state", **data, saved=True)
        self.reply(worker, "store.save_state", number, True)
        return self

    @property
    def open(self) -> Entry:
        found: Entry = self.record["transition"]
        return found

    def change(self, worker: str = "a", **changes: Any) -> Story:
        """Save the record with its open transition changed."""
        return self.save(worker, transition={**self.open, **changes})

    def change_step(self, index: int, worker: str = "a", **changes: Any) -> Story:
        steps = [dict(step) for step in self.open["steps"]]
        steps[index].update(changes)
        return self.change(worker, steps=steps)

    # a transition, as it goes

    def look(
        self,
        worker: str = "a",
        east: Entry | None = TIMED_OUT,
        west: Entry | None = None,
        **single: Entry | None,
    ) -> Story:
        """Check both Regions; `east_http=...` or `west_read=...` lets one check end differently."""
        for region, error in ((EAST, east), (WEST, west)):
            short = "east" if region == EAST else "west"
            read, beat, http = (single.get(f"{short}_{what}", error) for what in ("read", "beat", "http"))
            self.ask(worker, "tables.read", error=read, region=region, table="orders")
            key = f"orders#{region}"
            if beat is None:
                self.do(worker, "tables.write_heartbeat", region=region, key=key)
            else:
                self.ask(worker, "tables.write_heartbeat", error=beat, region=region, key=key)
            self.ask(worker, "endpoints.get", error=http, url=URLS[region], status=200)
        return self

    def beats(self, worker: str = "a", **lags: float | None) -> Story:
        """Look for the heartbeats: `to_east=0.5` is the age of the standby's in the primary."""
        for reader, writer in (("east", WEST), ("west", EAST)):
            region = EAST if reader == "east" else WEST
            lag = lags.get(f"to_{reader}", 0.5)
            seen = None if lag is None else at(self.t + self.offset.get(worker, 0.0) - lag)
            self.ask(worker, "tables.read_heartbeat", seen, region=region, key=f"orders#{writer}")
        return self

    def decide(self, worker: str = "a", manual: bool = False, **situation: Any) -> Story:
        base = {
            "now": self.clock(worker),
            "phase": "steady",
            "paused": False,
            "cooldown_until": None,
            "manual": manual,
            "force": False,
            "source": "unhealthy",
            "source_down": True,
            "target": "healthy",
            "settled": True,
            "lags_s": [0.5, 0.5],
        }
        decision = {"action": "move", "situation": {**base, **situation}, "policy": {"cooldown": "1:00:00"}}
        self.do(worker, "store.record_decision", plan="orders", decision=decision)
        return self

    def claim(self, worker: str = "a", proposal: Entry | None = None, **changes: Any) -> Story:
        """Claim the next epoch; `proposal`: what stays of it on record."""
        source = self.record["active"]
        target = WEST if source == EAST else EAST
        steps = [("route53", ZONE, ""), ("linode", "records", ""), ("ssm", PARAMETER, WEST)]
        steps.append(("ssm", PARAMETER, EAST))
        epoch = self.record["epoch"] + 1
        transition = {
            "epoch": epoch,
            "direction": "failover" if source == EAST else "failback",
            "source": source,
            "target": target,
            "reason": "region-down: alarm",
            "manual": False,
            "started_at": self.clock(worker),
            "detected_at": None,
            "verified_at": self.clock(worker),
            "lease": {"owner": worker, "until": at(self.t + self.offset.get(worker, 0.0) + 120)},
            "steps": [self._step(*step) for step in steps],
            "loss_s": 0.5,
            "ended_at": None,
            "outcome": "",
            **changes,
        }
        requests = [*self.record["requests"], f"request-{worker}"] if transition["manual"] else []
        return self.save(
            worker,
            transition=transition,
            epoch=transition["epoch"],
            phase="moving",
            requests=requests,
            proposal=proposal,
        )

    @staticmethod
    def _step(kind: str, subject: str, region: str) -> Entry:
        return {
            "kind": kind,
            "subject": subject,
            "region": region,
            "status": "pending",
            "attempts": 0,
            "owner": "",
            "claimed_until": None,
            "before": "",
            "change_id": "",
            "detail": "",
            "sent_at": None,
            "done_at": None,
        }

    def start(self, worker: str = "a") -> Story:
        """Record the snapshot."""
        there = [{**record, "simple": True} for record in self.zone.values()]
        before = {
            "fence": next((record for record in there if record["type"] == "TXT"), None),
            "records": [record for record in there if record["type"] == "A"],
        }
        return self.change_step(0, worker, status="doing", owner=worker, before=json.dumps(before))

    def batch(self, epoch: int | None = None, target: str | None = None) -> list[Entry]:
        """Return the batch of the open transition."""
        found = self.record["transition"] or {"epoch": self.record["epoch"], "target": self.record["active"]}
        epoch, target = epoch or found["epoch"], target or found["target"]
        there = self.zone.get((NAME, "A"))
        changes = swap(self.zone.get((FENCE, "TXT")), fence(epoch, target))
        return changes if there == answer(target) else changes + swap(there, answer(target))

    def submit(self, worker: str = "a", changes: list[Entry] | None = None, refused: bool = False) -> Story:
        changes = self.batch() if changes is None else changes
        data = {"zone_id": ZONE, "changes": changes, "comment": "region-failover"}
        if refused:
            self.ask(worker, "zones.submit", error={"type": "FenceRefused"}, **data)
            return self
        self.do(worker, "zones.submit", f"C{len(self.entries)}", **data)
        for change in changes:
            record = {key: value for key, value in change.items() if key != "action"}
            key = (record["name"], record["type"])
            if change["action"] == "DELETE":
                self.zone.pop(key, None)
            else:
                self.zone[key] = record
        return self

    @property
    def change_id(self) -> str:
        found: str = [e["change_id"] for e in self.entries if e.get("change_id") and e["kind"] == "effect"][
            -1
        ]
        return found

    def insync(self, worker: str = "a", change_id: str | None = None, yes: bool = True) -> Story:
        self.ask(worker, "zones.is_insync", yes, change_id=change_id or self.change_id)
        return self

    def read_zone(self, worker: str = "a") -> Story:
        found = {
            "fence": self.zone[FENCE, "TXT"]["values"] if (FENCE, "TXT") in self.zone else None,
            "records": [record for key, record in self.zone.items() if key[1] == "A"],
        }
        self.ask(worker, "zones.read", found, zone_id=ZONE)
        return self

    def write(self, worker: str = "a", region: str = WEST, value: str | None = None) -> Story:
        value = value or self.open["target"]
        self.do(worker, "parameters.write", region=region, name=PARAMETER, value=value)
        self.parameters[region] = value
        return self

    def read_parameter(self, worker: str = "a", region: str = WEST) -> Story:
        self.ask(worker, "parameters.read", self.parameters[region], region=region, name=PARAMETER)
        return self

    def claim_linode(self, worker: str = "l") -> Story:
        until = at(self.t + self.offset.get(worker, 0.0) + 90)
        return self.change_step(1, worker, status="doing", owner=worker, claimed_until=until)

    def find(self, worker: str = "l", identity: int = 1) -> Story:
        found = [{"id": identity, "target": self.linode, "ttl_sec": 30}]
        self.ask(worker, "linode.find", found, domain_id=7, name="app", type="A")
        return self

    def point(self, worker: str = "l", target: str | None = None, identity: int = 1) -> Story:
        target = target or LINODE[self.open["target"]]
        self.linode = target
        data = {"domain_id": 7, "record_id": identity, "target": target, "ttl_sec": 30}
        self.do(worker, "linode.point", {"id": identity, "target": target, "ttl_sec": 30}, **data)
        return self

    def settle_steps(self, worker: str = "a", **status: str) -> Story:
        """Record every step as done; `east="owed"` lets the parameter in the primary be owed."""
        steps = [{**step, "status": "done", "claimed_until": None} for step in self.open["steps"]]
        for step in steps:
            step["status"] = status.get({EAST: "east", WEST: "west"}.get(step["region"], ""), "done")
        return self.change(worker, steps=steps)

    def complete(self, worker: str = "a", **changes: Any) -> Story:
        ended = {**self.open, "ended_at": self.clock(worker), "outcome": "completed"}
        owed = [step for step in self.open["steps"] if step["status"] == "owed"]
        until = at(self.t + self.offset.get(worker, 0.0) + 3600)
        done: Entry = {"active": self.open["target"], "transition": None, "phase": "steady", "owed": owed}
        return self.save(worker, ended, **{**done, "cooldown_until": until, **changes})

    def stop(self, worker: str = "a") -> Story:
        ended = {**self.open, "ended_at": self.clock(worker), "outcome": "stopped: the source is well"}
        return self.save(worker, ended, transition=None, phase="steady")

    # whole pieces

    def claimed(self, worker: str = "a", **changes: Any) -> Story:
        """Tell a worker up to its claim."""
        self.begin(worker).load(worker)
        if self.record["active"] == WEST:
            return self.look(worker, east=None).beats(worker).decide(worker).claim(worker, **changes)
        return self.look(worker).decide(worker).claim(worker, **changes)

    def started(self, worker: str = "a", **changes: Any) -> Story:
        """Tell a worker up to its snapshot."""
        return self.claimed(worker, **changes).start(worker)

    def switched(self, worker: str = "a") -> Story:
        """Tell a worker up to the read-back of all its switches; Linode's by 'l'."""
        self.started(worker).submit(worker).insync(worker).read_zone(worker)
        for region in (WEST, EAST):
            self.write(worker, region).read_parameter(worker, region)
        self.begin("l", "linode_dns").find().claim_linode().find().point().find()
        return self

    def completed(self, worker: str = "a") -> Story:
        """Tell a whole transition."""
        return self.switched(worker).settle_steps(worker).complete(worker)

    def healthy(self, minutes: int = 25, worn: bool = False, **different: str) -> Story:
        """Tell a probe's samples of the primary, one a minute; `at_5="unhealthy"` lets the fifth differ.

        `worn`: slow samples stand on record.
        """
        self.begin("p", "probe")
        since = self.t
        for minute in range(minutes + 1):
            health = different.get(f"at_{minute}", "healthy")
            since = since if health == "healthy" else self.t + 60
            sample: Entry = {"health": health, "since": at(since), "last_at": at(self.t), "minutes": []}
            if worn:
                sample["minutes"] = [{"at": at(self.t), "slow": 4, "bad": 0, "seen": 4}]
            data = {
                "plan": "orders",
                "expected": minute,
                "record": json.dumps({"regions": {EAST: sample}, "version": minute + 1}),
            }
            number = self.call("p", "store.save_health", **data)
            self.add("effect", call=number, worker="p", op="store.save_health", **data, saved=True)
            self.after(60)
        return self

    def rest(self, expect: str = "steady", **different: Any) -> Story:
        found = {
            "state": json.dumps(self.record),
            "health": None,
            "zones": {ZONE: list(self.zone.values())},
            "parameters": [
                {"region": region, "name": PARAMETER, "value": value}
                for region, value in self.parameters.items()
            ],
            "linode": [{"domain_id": 7, "name": "app", "type": "A", "target": self.linode, "ttl_sec": 30}],
            "history": self.history,
        }
        self.add("rest", **{**found, **different}, expect=expect)
        return self

    @property
    def broken(self) -> set[str]:
        """Return the invariants that the checker finds broken."""
        return {violation.invariant for violation in check(self.entries)}
