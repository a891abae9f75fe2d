"""Each seeded fault is one small plausible change that fits the present tree; and the runner tells the truth.

The whole run is `make mutants` (minutes). Here each patch is applied, and two really meet the simulation.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from proof.faults import CONTROL, FOLDER, ROOT, BadFault, Fault, apply, copy_tree, read_fault, read_faults
from proof.faults.layers import LAYERS, Notice, layers_of
from proof.faults.report import BEGIN, END, Result, document, rewrite
from proof.mutants import meet, run

FAULTS = read_faults()
BY_NAME = {fault.name: fault for fault in FAULTS}
PROMISES = (ROOT / "docs" / "promises.md").read_text()
MOST_LINES = 16
FEW_SEEDS = 12


def copied(fault: Fault, folder: Path) -> Path:
    """Return the file that a fault changes, copied into a folder, as it is."""
    target = folder / fault.file
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text((ROOT / fault.file).read_text())
    return target


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_one_small_change_of_the_product_that_fits_the_present_tree(
    fault: Fault, tmp_path: Path
) -> None:
    target = copied(fault, tmp_path)
    apply(fault, tmp_path)
    changed = re.findall(r"^[-+](?![-+]{2} )", fault.patch.read_text() if fault.patch else "", re.MULTILINE)
    assert 0 < len(changed) <= MOST_LINES
    assert fault.file == "template.yaml" or fault.file.startswith("layers/common/region_failover/")
    if target.suffix == ".py":
        compile(target.read_text(), str(target), "exec")


def test_no_fault_is_a_slip_that_any_linter_would_have_found(tmp_path: Path) -> None:
    for fault in FAULTS:
        folder = tmp_path / fault.name
        copied(fault, folder)
        apply(fault, folder)
    undefined = ["check", "--isolated", "--quiet", "--select", "F821,F811,E9", str(tmp_path)]
    done = subprocess.run(
        [Path(sys.executable).with_name("ruff"), *undefined], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_says_what_it_breaks_and_who_must_notice(fault: Fault) -> None:
    assert f"| **{fault.invariant}** |" in PROMISES
    assert fault.layer in LAYERS
    assert fault.what.endswith(".")
    assert fault.what[0].isupper()


def test_every_invariant_is_broken_by_some_fault() -> None:
    promised = set(re.findall(r"^\| \*\*(I\d+)\*\* \|", PROMISES, re.MULTILINE))
    assert len(promised) == 24
    assert {fault.invariant for fault in FAULTS} == promised


def test_no_two_faults_are_the_same_change() -> None:
    changes = [fault.patch.read_text().partition("\n+++ ")[2] for fault in FAULTS if fault.patch]
    assert len(set(changes)) == len(changes) == len(FAULTS) == len(BY_NAME)


@pytest.mark.parametrize("name", ["batch-without-fence", "pending-taken-for-done"])
def test_the_simulation_notices(name: str) -> None:
    found = meet(BY_NAME[name], ["simulation"], seeds=FEW_SEEDS).notices["simulation"]
    assert found.caught
    assert not found.broken


def test_the_simulation_has_nothing_against_the_tree_as_it_is() -> None:
    assert meet(CONTROL, ["simulation"], seeds=FEW_SEEDS).notices == {"simulation": Notice()}


# The runner


def a_fault(folder: Path, patch: str, layer: str = "tests") -> Fault:
    path = folder / "01-a-fault.patch"
    path.write_text(f"# invariant: I1\n# what: A fault.\n# layer: {layer}\n{patch}")
    return read_fault(path)


PATCH = """diff --git a/pyproject.toml b/pyproject.toml
--- a/pyproject.toml
+++ b/pyproject.toml
@@ -5,3 +5,3 @@
 [project]
-name = "region-failover"
+name = "another"
 version = "0.1.0"
"""


def test_a_patch_that_does_not_fit_is_no_catch(tmp_path: Path) -> None:
    fault = a_fault(tmp_path, PATCH.replace('-name = "region-failover"', '-name = "something else"'))
    assert "does not apply" in meet(fault, ["tests"], 1, {"tests": lambda *_: Notice(caught="x")}).failure


@pytest.mark.parametrize("line", ["# invariant: I1\n", "# what: A fault.\n", "# layer: tests\n", "--- "])
def test_a_patch_that_does_not_say_what_it_is_is_refused(line: str, tmp_path: Path) -> None:
    fault = a_fault(tmp_path, PATCH)
    assert fault.patch
    text = fault.patch.read_text()
    fault.patch.write_text(text.replace(line, "") if line.startswith("#") else text + text)
    with pytest.raises(BadFault, match="was expected"):
        read_fault(fault.patch)


def test_the_copy_is_broken_and_the_tree_is_not(tmp_path: Path) -> None:
    fault, copy = a_fault(tmp_path, PATCH), tmp_path / "copy"
    copy.mkdir()
    copy_tree(copy)
    apply(fault, copy)
    assert 'name = "another"' in (copy / "pyproject.toml").read_text()
    assert 'name = "another"' not in (ROOT / "pyproject.toml").read_text()


def test_a_fault_of_the_product_meets_tests_and_simulation_and_one_of_a_template_its_own(
    tmp_path: Path,
) -> None:
    met = {layer: layers_of(replace(a_fault(tmp_path, PATCH, layer), file="a.py")) for layer in LAYERS}
    assert met["contract"] == ("contract", "tests", "simulation")
    assert met["simulation"] == ("simulation", "tests")
    assert layers_of(a_fault(tmp_path, PATCH, "template")) == ("template", "tests")


NOTICED, NOTHING, BROKEN = Notice(caught="I1 after 3"), Notice(), Notice(broken="pytest ended with 4")


@pytest.mark.parametrize(
    ("own", "tests", "code"),
    [(NOTICED, NOTHING, 0), (NOTHING, NOTICED, 1), (NOTHING, NOTHING, 1), (NOTICED, BROKEN, 1)],
    ids=["caught", "by another layer only", "not caught", "broken beside"],
)
def test_only_what_the_layer_named_has_caught_counts(
    own: Notice, tests: Notice, code: int, tmp_path: Path
) -> None:
    layers = {"template": lambda *_: own, "tests": lambda *_: tests}
    result = tmp_path / "mutants.json"
    console = Console(file=(tmp_path / "said").open("w"))
    faults = [a_fault(tmp_path, PATCH, "template")]
    assert run(faults, 1, 1, console, whole=False, layers=layers, result=result) == code
    (written,) = json.loads(result.read_text())["faults"]
    assert bool(written["failure"]) == bool(code)


def test_where_the_tree_itself_fails_nothing_is_claimed(tmp_path: Path) -> None:
    layers = dict.fromkeys(("tests", "simulation"), lambda *_: NOTICED)
    result, said = tmp_path / "mutants.json", tmp_path / "said"
    faults = [a_fault(tmp_path, PATCH)]
    with said.open("w") as file:
        assert run(faults, 1, 1, Console(file=file), whole=True, layers=layers, result=result) == 2
    assert not result.exists()
    assert "without any fault" in said.read_text()


def test_the_table_stands_between_its_markers_and_nothing_else_is_changed(tmp_path: Path) -> None:
    written = tmp_path / "promises.md"
    written.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    result = Result(a_fault(tmp_path, PATCH), {"tests": Notice(caught="a|b"), "simulation": Notice()})
    rewrite(written, document([result], 1000))
    text = written.read_text()
    assert text.startswith(f"before\n{BEGIN}\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text
    assert "| A fault. | **I1** | `a\\|b` | – |  |" in text
    written.write_text("no markers")
    with pytest.raises(BadFault, match="markers"):
        rewrite(written, "")


def test_the_faults_stand_where_they_are_looked_for() -> None:
    assert FOLDER == ROOT / "proof" / "faults"
    assert len(FAULTS) >= 34
