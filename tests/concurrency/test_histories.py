"""What a killed worker left without a reply: it happened where others saw it, and nowhere else."""

from __future__ import annotations

from proof.history import Entry
from tests.concurrency.histories import unanswered_effects

FIRST = '{"epoch": 0, "version": 1}'


def call(worker: str, number: int, t: float, record: str = FIRST) -> Entry:
    save = {"op": "store.save_state", "plan": "p", "expected": 0, "record": record, "ended": None}
    return {"kind": "call", "n": (worker, number), "t": t, "worker": worker, "clock": "", **save}


def answered(asked: Entry, t: float, saved: bool) -> list[Entry]:
    number = {"call": asked["n"], "worker": asked["worker"], "op": asked["op"], "t": t}
    data = {key: asked[key] for key in ("plan", "expected", "record", "ended")}
    effect = {"kind": "effect", "n": (*asked["n"], "effect"), **number, **data, "saved": saved}
    return [effect, {"kind": "reply", "n": (*asked["n"], "reply"), **number, "result": saved}]


def load(worker: str, number: int, t: float, result: str | None) -> list[Entry]:
    asked = {"n": (worker, number), "worker": worker, "op": "store.load_state", "t": t}
    reply = {**asked, "kind": "reply", "n": (worker, number, "reply"), "call": asked["n"], "result": result}
    return [{**asked, "kind": "call", "plan": "p"}, reply]


def test_what_others_have_seen_did_happen() -> None:
    dead = call("dead", 1, 1.0)
    (effect,) = unanswered_effects([dead, *load("b", 1, 5.0, FIRST)])
    assert (effect["call"], effect["saved"]) == (dead["n"], True)


def test_what_nobody_has_seen_did_not_happen() -> None:
    assert unanswered_effects([call("dead", 1, 1.0), *load("b", 1, 5.0, None)]) == []


def test_a_version_that_another_worker_wrote_is_not_the_dead_ones_though_the_text_is_the_same() -> None:
    second = call("b", 2, 5.0)
    entries = [call("dead", 1, 1.0), *load("b", 1, 4.0, None), second, *answered(second, 6.0, True)]
    assert unanswered_effects([*entries, *load("b", 3, 7.0, FIRST)]) == []


def test_of_two_dead_workers_with_the_same_text_one_has_written_it() -> None:
    entries = [call("dead", 1, 1.0), call("dead-too", 1, 2.0), *load("b", 1, 5.0, FIRST)]
    assert [effect["worker"] for effect in unanswered_effects(entries)] == ["dead"]


def test_a_save_that_was_refused_is_no_proof_against_the_dead_one() -> None:
    second = call("b", 2, 5.0)
    entries = [call("dead", 1, 1.0), second, *answered(second, 6.0, False), *load("b", 3, 7.0, FIRST)]
    assert [effect["worker"] for effect in unanswered_effects(entries)] == ["dead"]
