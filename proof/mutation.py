"""How many small mistakes in domain/ would the tests notice? Run: `make mutation`.

mutmut (https://mutmut.readthedocs.io) makes one mutant per small change of a function (a comparison, a
constant, an argument, a word) and runs for each the tests that reach that function. A mutant that no test
fails on has survived: the tests would not notice that mistake.

The sources and tests are copied to build/mutation, with `region_failover` at the top: mutmut names a mutant
by its path, and finds its tests only where the path is the module's name. What mutmut is told stands in
pyproject.toml, [tool.mutmut]. Two things are done here:

* mutmut's workers are forked, and inherit what was called while the modules were imported and what they
  remember. So each mutant that no test noticed there is run again in a process of its own.
* hypothesis runs with fixed seeds and fewer examples, so that the score is the same on every run.

Counted is every mutant. 'killed' are those that a test failed on and those that ran into mutmut's time
limit; a mutant no test reaches counts as survived. Mutants that no test can tell from the original are
argued one by one in proof/equivalent_mutants.toml; the score is given with them and without them. mutmut
changes bodies and plain defaults of functions only: constants, tables and enums of a module, decorated
functions (properties) and the fields of a dataclass are not changed.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).parents[1]
STAGE = ROOT / "build" / "mutation"
EQUIVALENTS = ROOT / "proof" / "equivalent_mutants.toml"
NEEDED_PERCENT = 95.0

# What the tests of the domain need of this repository, and where it goes below STAGE.
COPIED = {
    "layers/common/region_failover": "region_failover",
    "layers/plans": "layers/plans",
    "events": "events",
    "tests": "tests",
    "pyproject.toml": "pyproject.toml",
}
# Fewer examples, the same ones every time, and none made smaller: a failure is all that is asked for. The
# tests that take longest come last: most mutants are noticed before.
CONFTEST = """from hypothesis import Phase, settings
from mutmut.state import state

settings.register_profile(
    "mutation",
    deadline=None,
    database=None,
    derandomize=True,
    max_examples=25,
    phases=(Phase.explicit, Phase.generate),
)


def pytest_collection_modifyitems(items):
    durations = state().duration_by_test
    items.sort(key=lambda item: durations.get(item.nodeid, 0))
"""

# mutmut's record of how a mutant's tests ended: pytest's exit code, or the signal of its time limit.
KILLED = {1, 3}
TIMED_OUT = {36, 24, -24, 152, 255}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mutant: `was` and `becomes` are the lines that differ; `exit_code` None means it was not run."""

    name: str
    was: str
    becomes: str
    exit_code: int | None

    @property
    def module(self) -> str:
        """Return the module, such as 'zone'."""
        return self.name.rpartition(".")[0].rpartition(".")[2]

    @property
    def function(self) -> str:
        """Return module and function or method, such as 'toml_table.Table.whole'."""
        mangled = self.name.rpartition(".")[2].partition("__mutmut_")[0]
        plain = mangled[2:] if mangled.startswith("x_") else mangled[2:].replace("ǁ", ".")
        return f"{self.module}.{plain}"

    @property
    def killed(self) -> bool:
        """Return whether the tests noticed it."""
        return self.exit_code in KILLED or self.exit_code in TIMED_OUT


@dataclass(frozen=True, slots=True)
class Equivalent:
    """A mutant argued to be no mistake: found by function and by the lines that differ."""

    function: str
    was: str
    becomes: str
    reason: str

    def names(self, mutant: Mutant) -> bool:
        """Return whether this is the mutant meant."""
        return (self.function, self.was, self.becomes) == (mutant.function, mutant.was, mutant.becomes)


def read_equivalents(text: str) -> list[Equivalent]:
    """Return what equivalent_mutants.toml argues; raise TypeError where an entry is not complete."""
    return [Equivalent(**entry) for entry in tomllib.loads(text).get("mutant", [])]


def stage(target: Path) -> None:
    """Copy what is tested and what tests it."""
    for source, name in COPIED.items():
        place = target / name
        if (ROOT / source).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / source, place, ignore=ignored, dirs_exist_ok=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / source, place)
    (target / "conftest.py").write_text(CONFTEST)


def run_mutmut(stage_: Path, children: int, names: Iterable[str] = ()) -> None:
    """Let mutmut make the mutants and run them (`names`: these only, again); raise where it cannot."""
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(children), *names]
    log = stage_ / "mutmut.log"
    with log.open("w") as out:
        ended = subprocess.run(command, cwd=stage_, stdout=out, stderr=subprocess.STDOUT, check=False)
    if ended.returncode:
        raise RuntimeError(f"mutmut ended with {ended.returncode}:\n{log.read_text()[-3000:]}")


def mutants_of(stage_: Path) -> list[Mutant]:
    """Return every mutant that mutmut made, with how its tests ended."""
    found: list[Mutant] = []
    for record in sorted((stage_ / "mutants" / "region_failover" / "domain").glob("*.py.meta")):
        source = record.with_suffix("")
        lines = source.read_text().splitlines()
        spans = json.loads(source.with_suffix(".py.spans").read_text())["spans"]
        codes: Mapping[str, int | None] = json.loads(record.read_text())["exit_code_by_key"]
        for name, code in codes.items():
            mangled = name.rpartition(".")[2]
            original = mangled.partition("__mutmut_")[0] + "__mutmut_orig"
            was, becomes = differing(_body(lines, spans[original]), _body(lines, spans[mangled]))
            found.append(Mutant(name, was, becomes, code))
    return found


def _body(lines: Sequence[str], span: Sequence[int]) -> list[str]:
    """Return a function's lines without its name, which is the mutant's."""
    body = [line.strip() for line in lines[span[0] - 1 : span[1]] if line.strip()]
    return [re.sub(r"__mutmut_(orig|[0-9]+)\(", "(", line) for line in body]


def differing(original: Sequence[str], mutated: Sequence[str]) -> tuple[str, str]:
    """Return the lines that only the one has, and those that only the other has, each as one line."""
    diff = list(difflib.ndiff(original, mutated))
    was, becomes = ([line[2:] for line in diff if line.startswith(sign)] for sign in ("- ", "+ "))
    return " ".join(was), " ".join(becomes)


def run_alone(stage_: Path, mutant: str) -> bool:
    """Return whether the tests fail on a mutant ('' none) in a process of its own, its module's first."""
    settings = tomllib.loads((stage_ / "pyproject.toml").read_text())["tool"]["mutmut"]
    first = f"tests/unit/test_{mutant.rpartition('.')[0].rpartition('.')[2]}.py"
    tests = sorted(settings["pytest_add_cli_args_test_selection"], key=lambda file: file != first)
    command = [sys.executable, "-m", "pytest", "-x", "-q", *settings["pytest_add_cli_args"], *tests]
    environment = {**os.environ, "MUTANT_UNDER_TEST": mutant}
    ended = subprocess.run(command, cwd=stage_ / "mutants", env=environment, capture_output=True, check=False)
    return ended.returncode != 0


def rerun_alone(stage_: Path, mutants: Iterable[Mutant], children: int) -> list[Mutant]:
    """Return the mutants, each that no test noticed run again in a process of its own."""
    known = list(mutants)
    if run_alone(stage_, ""):
        raise RuntimeError("the tests fail without any mutant")
    alone = [mutant.name for mutant in known if not mutant.killed and mutant.exit_code is not None]
    with ThreadPoolExecutor(children) as pool:
        codes = dict(zip(alone, pool.map(lambda name: int(run_alone(stage_, name)), alone), strict=True))
    return [replace(mutant, exit_code=codes.get(mutant.name, mutant.exit_code)) for mutant in known]


@dataclass(frozen=True, slots=True)
class Score:
    """The outcome: `equivalent` are the survivors argued equivalent, `wrong` what is wrong with the list."""

    mutants: Sequence[Mutant]
    equivalent: Sequence[Mutant]
    wrong: Sequence[str]

    @property
    def killed(self) -> int:
        """Return how many mutants the tests noticed."""
        return sum(mutant.killed for mutant in self.mutants)

    @property
    def survivors(self) -> list[Mutant]:
        """Return the mutants that no test noticed and nobody argued equivalent."""
        return [m for m in self.mutants if not m.killed and m not in self.equivalent]

    @property
    def percent(self) -> float:
        """Return the score in percent of the mutants not argued equivalent."""
        return 100 * self.killed / (len(self.mutants) - len(self.equivalent))

    @property
    def passed(self) -> bool:
        """Return whether the score suffices and every argued equivalent is one that survives."""
        return self.percent >= NEEDED_PERCENT and not self.wrong

    def table(self) -> str:
        """Return the table by module, the score of all mutants, and the score, one line each."""
        lines = [f"{'module':12} {'mutants':>8} {'killed':>8} {'(timeout)':>10} {'survived':>9} {'score':>8}"]
        for module in sorted({mutant.module for mutant in self.mutants}):
            own = [mutant for mutant in self.mutants if mutant.module == module]
            killed, late = sum(m.killed for m in own), sum(m.exit_code in TIMED_OUT for m in own)
            share = f"{100 * killed / len(own):.1f} %"
            lines.append(f"{module:12} {len(own):8} {killed:8} {late:10} {len(own) - killed:9} {share:>8}")
        count, argued = len(self.mutants), len(self.equivalent)
        lines += [f"wrong in {EQUIVALENTS.name}: {what}" for what in self.wrong]
        lines.append(
            f"with the equivalents as survivors: {100 * self.killed / count:.1f} % ({self.killed} of {count})"
        )
        lines.append(
            f"mutation score of domain/: {self.percent:.1f} %"
            f" ({self.killed} of {count - argued}; {argued} argued equivalent)"
        )
        return "\n".join(lines)


def score(mutants: Sequence[Mutant], argued: Sequence[Equivalent]) -> Score:
    """Return the score; an argued equivalent must be exactly one mutant, and no test may notice it."""
    equivalent: list[Mutant] = []
    wrong: list[str] = []
    for entry in argued:
        found = [mutant for mutant in mutants if entry.names(mutant)]
        if len(found) != 1:
            wrong.append(f"{len(found)} mutants are '{entry.becomes}' in {entry.function}")
        elif found[0].killed:
            wrong.append(f"{found[0].name} is noticed by a test, so it is not equivalent")
        else:
            equivalent.append(found[0])
    return Score(mutants, equivalent, wrong)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make and run the mutants, print the table, and return 0 if the score suffices."""
    parser = argparse.ArgumentParser(description="How many small mistakes in domain/ would the tests notice?")
    parser.add_argument("--children", type=int, default=2, help="tests run at the same time")
    parser.add_argument("--again", action="store_true", help="run only the last run's survivors again")
    options = parser.parse_args(arguments)
    if not options.again:
        shutil.rmtree(STAGE, ignore_errors=True)
    stage(STAGE)
    run_mutmut(STAGE, options.children)
    if options.again:
        run_mutmut(STAGE, options.children, [m.name for m in mutants_of(STAGE) if not m.killed])
    mutants = rerun_alone(STAGE, mutants_of(STAGE), options.children)
    unknown = [mutant.name for mutant in mutants if mutant.exit_code is None]
    if unknown:
        print(f"{len(unknown)} mutants were not run, the first is {unknown[0]}")
        return 2
    outcome = score(mutants, read_equivalents(EQUIVALENTS.read_text()))
    survivors = [f"{m.name}\n  - {m.was}\n  + {m.becomes}\n" for m in outcome.survivors]
    (STAGE / "survivors.txt").write_text("".join(survivors))
    print(outcome.table())
    return 0 if outcome.passed else 1


if __name__ == "__main__":
    sys.exit(main())
