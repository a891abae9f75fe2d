"""Goes through a history once, in order, and tells the rules and the facts what happened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from proof.checker import approval, evidence, exclusion, judgement, progress, stability, traffic
from proof.checker.facts import (
    CLOCKS_AGREE_S,
    Answer,
    Beat,
    Check,
    Facts,
    PlanFacts,
    Save,
    Worker,
    judge_answer,
)
from proof.checker.reading import BadHistory, Batch, Record, read_record, read_transition, record_of
from proof.checker.rule import Entry, Rule, Violation

RULES = tuple(
    rule
    for module in (exclusion, traffic, judgement, stability, approval, progress, evidence)
    for rule in module.RULES
)
HOOKS = (
    "saved",
    "edited",
    "submitting",
    "accepted",
    "writing",
    "pointing",
    "told",
    "published",
    "ended",
    "rest",
)
Handler = Callable[[Entry], None]

# What reading a history that is none runs into.
WRONG = (KeyError, TypeError, AttributeError, IndexError, ValueError)


class Judge:
    """One history under judgement."""

    def __init__(self, entries: Sequence[Entry], rules: Sequence[type[Rule]] = RULES) -> None:
        """Read the first entry, and gather the rules."""
        if not entries or entries[0].get("kind") != "plan":
            raise BadHistory("entry 0: a history begins with its plan")
        self.entries = entries
        try:
            self.facts = Facts(PlanFacts(entries[0]), entries[0].get("zones", {}))
        except WRONG as error:
            raise _bad(entries[0], error) from error
        self.rules = [rule(self.facts) for rule in rules]
        self.hooks: dict[str, list[Callable[..., None]]] = {
            hook: [getattr(rule, hook) for rule in self.rules if _overrides(rule, hook)] for hook in HOOKS
        }
        self.batches: dict[int, Batch] = {}
        self.asked: dict[int, Answer] = {}
        self.looked: dict[int, Beat] = {}
        self.handlers: dict[tuple[str, str | None], Handler] = {
            ("begin", None): self._begin,
            ("end", None): self._end,
            ("world", None): self._world,
            ("rest", None): self._rest,
            ("call", "tables.read"): self._check,
            ("call", "tables.write_heartbeat"): self._check,
            ("call", "endpoints.get"): self._check,
            ("call", "tables.read_heartbeat"): self._look,
            ("call", "store.load_health"): self._go_on,
            ("call", "zones.submit"): self._submit,
            ("call", "parameters.write"): self._write,
            ("call", "linode.point"): self._point,
            ("effect", "zones.submit"): self._accepted,
            ("effect", "store.save_state"): self._saved,
            ("effect", "store.save_health"): self._saved_health,
            ("effect", "store.record_decision"): self._decided,
            ("effect", "notifier.publish"): self._published,
            ("reply", "tables.read"): self._checked,
            ("reply", "tables.write_heartbeat"): self._checked,
            ("reply", "endpoints.get"): self._checked,
            ("reply", "tables.read_heartbeat"): self._beat_seen,
            ("reply", "store.load_state"): self._loaded,
            ("reply", "store.load_health"): self._loaded_health,
            ("reply", "store.save_state"): self._replied_to_save,
            ("reply", "linode.find"): self._told,
            ("reply", "linode.records_in"): self._listed,
            ("reply", "zones.read"): self._told,
            ("reply", "zones.is_insync"): self._told,
            ("reply", "parameters.read"): self._told,
        }

    def run(self) -> list[Violation]:
        """Return every violation, in the order of the entries."""
        handlers, workers, entry = self.handlers, self.facts.workers, self.entries[0]
        try:
            for entry in self.entries:
                kind = entry["kind"]
                handler = handlers.get((kind, entry.get("op")))
                if handler is not None:
                    handler(entry)
                if kind == "reply" and "error" in entry:
                    workers[entry["worker"]].errors.append((entry["op"], entry["error"]["type"]))
        except WRONG as error:
            raise _bad(entry, error) from error
        found = [violation for rule in self.rules for violation in rule.violations]
        if self.facts.plan.secrets:
            found += evidence.find_secrets(self.entries, self.facts.plan.secrets)
        return sorted(found, key=lambda violation: (violation.n, int(violation.invariant[1:])))

    def _tell(self, hook: str, *what: Any) -> None:
        for told in self.hooks[hook]:
            told(*what)

    def _call_of(self, entry: Entry) -> Entry:
        call = self.entries[entry["call"]]
        if call["n"] != entry["call"] or call["kind"] != "call":
            raise BadHistory(f"'call' {entry['call']} is no call of this history")
        return call

    # workers and the world

    def _begin(self, entry: Entry) -> None:
        self.facts.workers[entry["worker"]] = Worker(entry)

    def _end(self, entry: Entry) -> None:
        self._tell("ended", entry, self.facts.workers[entry["worker"]])

    def _world(self, entry: Entry) -> None:
        if "record" in entry:
            self._edit(record_of(entry["record"]))
        if "zone_id" in entry:
            self.facts.edit_zone(entry["zone_id"], entry["records"])

    def _edit(self, after: Record | None) -> None:
        before, self.facts.record = self.facts.record, after
        self.facts.begun = True
        if after and after.transition:
            self.facts.claims[after.transition.epoch] = after.transition
        self._tell("edited", before, after)

    def _rest(self, entry: Entry) -> None:
        self._tell("rest", entry)

    # checks

    def _check(self, entry: Entry) -> None:
        worker, op = self.facts.workers[entry["worker"]], entry["op"]
        if not worker.looks:
            return
        check: Check
        if op == "endpoints.get":
            region = self.facts.plan.urls.get(entry["url"])
            if region is None:
                return
            check = (region, "http", entry["url"])
        else:
            check = (entry["region"], "dynamodb", entry["table"] if op == "tables.read" else "heartbeat")
        answer = Answer(entry)
        worker.checks.setdefault(check, []).append(answer)
        worker.pending.append(answer)
        self.asked[entry["n"]] = answer

    def _checked(self, entry: Entry) -> None:
        answer = self.asked.pop(entry["call"], None)
        if answer is not None:
            judge_answer(answer, entry)

    def _give_up(self, entry: Entry) -> None:
        worker = self.facts.workers[entry["worker"]]
        for answer in worker.pending:
            answer.gave_up = answer.how == "pending"
        worker.pending.clear()

    def _go_on(self, entry: Entry) -> None:
        """Note that a worker has ended its round: what is answered later, it has not seen."""
        self._give_up(entry)
        worker = entry["worker"]
        self.looked = {n: beat for n, beat in self.looked.items() if beat.call["worker"] != worker}

    def _look(self, entry: Entry) -> None:
        worker = self.facts.workers[entry["worker"]]
        if not worker.looks:
            return
        self._give_up(entry)
        writer, beat = entry["key"].rpartition("#")[2], Beat(entry)
        pair = (writer, entry["region"])
        worker.beats.setdefault(pair, []).append(beat)
        self.looked[entry["n"]] = beat

    def _beat_seen(self, entry: Entry) -> None:
        beat = self.looked.pop(entry["call"], None)
        if beat is not None and entry.get("result"):
            call = beat.call
            age_s = judgement.age_at_reply(call["clock"], call["t"], entry["t"], entry["result"])
            beat.age_s = age_s if age_s >= -CLOCKS_AGREE_S else None  # a clock far ahead measures nothing

    # the state record

    def _loaded(self, entry: Entry) -> None:
        if "error" in entry:
            return
        record = read_record(entry["result"]) if entry["result"] else None
        if record and not self.facts.begun:
            self._edit(record)  # the history begins with a record that is there already
        self.facts.workers[entry["worker"]].seen = record

    def _replied_to_save(self, entry: Entry) -> None:
        if entry.get("result") is True:
            self.facts.workers[entry["worker"]].seen = read_record(self._call_of(entry)["record"])

    def _saved(self, entry: Entry) -> None:
        if not entry["saved"]:
            return
        facts, worker = self.facts, self.facts.workers[entry["worker"]]
        ended = read_transition(entry["ended"]) if entry.get("ended") else None
        save = Save(entry, self._call_of(entry), worker, facts.record, read_record(entry["record"]), ended)
        self._tell("saved", save)
        noted = save.before is not None and save.before.requests != save.after.requests
        worker.asked = worker.asked or (noted and not save.opened)
        facts.record, facts.begun = save.after, True
        if save.opened:
            facts.claims[save.opened.epoch] = save.opened
        self._note_lease(save)

    @staticmethod
    def _note_lease(save: Save) -> None:
        """Note what the worker has leased for itself, in true time."""
        worker, now, was = save.worker, save.after.transition, save.was_open
        if now is None:
            return
        if now.lease_owner == worker.owner and not (was and was.lease_until == now.lease_until):
            worker.leased_at[now.epoch] = save.call["t"]
        step = now.step("linode")
        if step and step["owner"] == worker.owner and step["claimed_until"]:
            worker.step_epoch = now.epoch

    def _saved_health(self, entry: Entry) -> None:
        if entry["saved"]:
            self.facts.health.append(entry)
            self.facts.workers[entry["worker"]].health = (entry["t"], entry["record"])

    def _loaded_health(self, entry: Entry) -> None:
        if entry.get("result"):
            self.facts.workers[entry["worker"]].health = (entry["t"], entry["result"])

    def _decided(self, entry: Entry) -> None:
        if entry["decision"].get("action") == "move":
            self.facts.workers[entry["worker"]].move = entry["decision"]

    def _published(self, entry: Entry) -> None:
        self._tell("published", entry)

    # effects

    def _submit(self, entry: Entry) -> None:
        zone_id = entry["zone_id"]
        batch = Batch(zone_id, entry["changes"], self.facts.plan.fences.get(zone_id))
        self.batches[entry["n"]] = batch
        self._tell("submitting", entry, self.facts.workers[entry["worker"]], batch)

    def _accepted(self, entry: Entry) -> None:
        batch = self.batches[entry["call"]]
        self._tell("accepted", entry, self.facts.workers[entry["worker"]], batch)
        self.facts.apply_batch(batch, entry["change_id"])

    def _write(self, entry: Entry) -> None:
        worker = self.facts.workers[entry["worker"]]
        self._tell("writing", entry, worker)
        if worker.seen:
            worker.wrote.setdefault((entry["region"], entry["name"]), worker.seen.epoch)

    def _point(self, entry: Entry) -> None:
        self._tell("pointing", entry, self.facts.workers[entry["worker"]])

    def _listed(self, entry: Entry) -> None:
        """A list of a domain is a find of each of the plan's records there."""
        if "error" in entry:
            return
        call, worker = self._call_of(entry), self.facts.workers[entry["worker"]]
        for key in self.facts.plan.linode:
            if key[0] != call["domain_id"]:
                continue
            there = [r for r in entry["result"] if (r["name"].lower(), r["type"]) == key[1:]]
            worker.found.update({(key[0], record["id"]): key for record in there})
            found = {**entry, "op": "linode.find", "result": there}
            asked = {**call, "op": "linode.find", "name": key[1], "type": key[2]}
            self._tell("told", found, asked, worker)

    def _told(self, entry: Entry) -> None:
        call, worker = self._call_of(entry), self.facts.workers[entry["worker"]]
        if entry["op"] == "linode.find" and "error" not in entry:
            key = (call["domain_id"], call["name"].lower(), call["type"])
            if key in self.facts.plan.linode:
                worker.found.update({(key[0], record["id"]): key for record in entry["result"]})
        self._tell("told", entry, call, worker)


def _bad(entry: Entry, error: Exception) -> BadHistory:
    if isinstance(error, BadHistory):
        return error
    what = f"{entry.get('kind')} {entry.get('op', '')}".rstrip()
    return BadHistory(f"entry {entry.get('n')} ({what}): {type(error).__name__}: {error}")


def _overrides(rule: Rule, hook: str) -> bool:
    return getattr(type(rule), hook) is not getattr(Rule, hook)
