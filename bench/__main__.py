"""`python -m bench`: measure, print the table, write build/bench/baseline.json and docs/baseline.md."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from bench.black_hole import ConnectHole, ReadHole
from bench.report import SHORTENED, Report, Row, killed_row, markdown, plain_table
from bench.rig import PRIMARY, ROOT, Case, Rig
from drill.faults import Fault, FaultKind

FULL_CAP_S, QUICK_CAP_S = 300.0, 20.0
OURS_CAP_S = 90.0
RUNS = 5

DENIED = Fault(FaultKind.DENY, region=PRIMARY, service="dynamodb", status=400)

Found = dict[str, Any]


def main() -> int:
    """Measure and write; return 1 where ours is wrong about a situation."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="cap the tutorial at 20 s; leave docs/ alone")
    quick = parser.parse_args().quick
    report = measure(quick)
    print(plain_table(report.rows))
    write(report)
    wrong = [row.key for row in report.rows if row.function.startswith("ours") and not row.right]
    if wrong:
        print(f"ours is wrong in: {', '.join(wrong)}", file=sys.stderr)
    return 1 if wrong else 0


def write(report: Report) -> None:
    """Write the figures; a quick run's stay in build/."""
    folder = ROOT / "build" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    stem = "baseline-quick" if report.quick else "baseline"
    page = (folder if report.quick else ROOT / "docs") / f"{stem}.md"
    (folder / f"{stem}.json").write_text(json.dumps(report.as_json(), indent=2) + "\n", encoding="utf-8")
    page.write_text(markdown(report), encoding="utf-8")
    print(f"\nwritten: build/bench/{stem}.json, {page.relative_to(ROOT)}")


def measure(quick: bool) -> Report:
    """Return a run: the tutorial waits in both black holes while everything else is measured."""
    cap_s = QUICK_CAP_S if quick else FULL_CAP_S
    with Rig() as rig, ReadHole() as silent, ReadHole() as ours_silent, ConnectHole() as full:
        with ThreadPoolExecutor(2) as pool:
            waiting = {
                "read": pool.submit(tutorial_in, rig.case(hole=silent.url), cap_s),
                "connect": pool.submit(tutorial_in, rig.case(hole=full.url), cap_s),
            }
            quick_rows = list(misjudgements(rig))
            our_rows = {
                "read": list(ours_in_hole(rig, "read", ours_silent.url)),
                "connect": list(ours_in_hole(rig, "connect", full.url)),
            }
            rows = [row for name in waiting for row in hole_rows(name, waiting[name], cap_s, our_rows[name])]
        rows[0].more["tries"] = silent.accepted
        sdk, versions = tutorial_in(rig.case(), cap_s), run("versions", rig.case().our_environment(), 60)
    return Report(
        date=datetime.now(UTC).date().isoformat(),
        quick=quick,
        versions=must(versions),
        sdk=must(sdk)["sdk"],
        rows=(*rows, *quick_rows),
    )


def run(kind: str, environment: dict[str, str], cap_s: float) -> Found | None:
    """Return what a fresh process measured, None where it had to be ended at the cap."""
    command = [sys.executable, "-m", "bench.measure", kind]
    try:
        ended = subprocess.run(
            command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=cap_s, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    if ended.returncode:
        raise RuntimeError(f"bench.measure {kind} failed:\n{ended.stderr}")
    found: Found = json.loads(ended.stdout.splitlines()[-1])
    return found


def must(found: Found | None) -> Found:
    """Return what was found; raise where the process was ended at a cap that it should never reach."""
    if found is None:
        raise RuntimeError("a measurement that ends within seconds did not end")
    return found


def tutorial_in(case: Case, cap_s: float, *, by_id: bool = False) -> Found | None:
    """Return what the tutorial's function did in this case."""
    found = run("tutorial", case.tutorial_environment(by_id=by_id), cap_s)
    return found and {**found, "effect": effect(case)}


def effect(case: Case) -> str:
    """Return what has become of the case's record, and whether Route 53 was asked at all."""
    calls = case.route53_calls()
    if case.has_moved():
        return f"moved to the standby ({calls} calls of Route 53)"
    if calls:
        plural = "call" if calls == 1 else "calls"
        return f"a switch was tried and came to nothing ({calls} {plural} of Route 53)"
    return "stays at the primary"


def hole_rows(name: str, waiting: Future[Found | None], cap_s: float, ours: list[Row]) -> Iterator[Row]:
    """Yield the rows of one black hole, once the tutorial's function has returned or was ended."""
    found, situation = waiting.result(), f"{name} black hole"
    row = Row(
        key=f"{name}-tutorial",
        situation=situation,
        function="tutorial, no time limit",
        verdict=found["verdict"] if found else "none yet",
        right=found is not None and found["verdict"] == "unhealthy",
        effect=found["effect"] if found else "stays at the primary",
        seconds=(found["seconds"],) if found else (),
        capped_at_s=None if found else cap_s,
    )
    yield row
    yield killed_row(row)
    yield from ours


def ours_in_hole(rig: Rig, name: str, hole: str) -> Iterator[Row]:
    """Yield our rows of one black hole: single rounds, and rounds until it is decided."""
    case = rig.case(hole=hole)
    rounds = [must(run("round", case.our_environment(), OURS_CAP_S)) for _ in range(RUNS)]
    yield our_row(f"{name}-round", f"{name} black hole", "ours, one round", "unhealthy", rounds, case)
    case = rig.case(hole=hole, sampling=SHORTENED)
    decided = must(run("decide", case.our_environment(), OURS_CAP_S))
    row = our_row(
        f"{name}-decided", f"{name} black hole", "ours, decided (shortened)", "unhealthy", [decided], case
    )
    row.more.update({key: decided[key] for key in ("rounds", "down", "bound_s")})
    yield row


def our_row(key: str, situation: str, function: str, right: str, found: list[Found], case: Case) -> Row:
    """Return a row of ours; right where every process agrees on both Regions (`right`: the primary's)."""
    verdicts = sorted({f"{item['verdict']}, standby {item['standby']}" for item in found})
    standby = "unknown" if case.wrong_table else "healthy"
    return Row(
        key=key,
        situation=situation,
        function=function,
        verdict=" or ".join(verdicts),
        right=verdicts == [f"{right}, standby {standby}"] and all(item.get("down", True) for item in found),
        effect="only looked" if case.route53_calls() == 0 else effect(case),
        seconds=tuple(item["seconds"] for item in found),
    )


def misjudgements(rig: Rig) -> Iterator[Row]:
    """Yield the rows in which the observer itself is at fault, and those in which nothing is wrong."""
    for name, right, faults, wrong_table in (
        ("access denied", "unknown", (DENIED,), False),
        ("wrong table name", "unknown", (), True),
        ("control", "healthy", (), False),
    ):
        for function, by_id in (("tutorial, as printed", True), ("tutorial, zone by name", False)):
            case = rig.case(*faults, wrong_table=wrong_table)
            found = must(tutorial_in(case, OURS_CAP_S, by_id=by_id))
            yield Row(
                key=f"{name} {function}",
                situation=name,
                function=function,
                verdict=found["verdict"],
                right=found["verdict"] == right,
                effect=found["effect"],
                seconds=(found["seconds"],),
                more={"status": found["status"], "body": found["body"]},
            )
        case = rig.case(*faults, wrong_table=wrong_table)
        rounds = [must(run("round", case.our_environment(), OURS_CAP_S))]
        yield our_row(f"{name} ours", name, "ours, one round", right, rounds, case)


if __name__ == "__main__":
    sys.exit(main())
