"""Seeded faults: plausible mistakes, each a patch beside this file, each breaking one promise of DESIGN §9.

A patch is named NN-name.patch and begins with three lines that `git apply` passes over:

    # invariant: I2
    # what: One sentence: what the product does wrong with it.
    # layer: simulation        who must notice it, a name of `proof.faults.layers.LAYERS`
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).resolve().parent

_HEAD = frozenset({"invariant", "what", "layer"})
_COPIED = ("layers", "functions", "tests", "proof", "drill", "events", "docs")
_FILES = (
    "pyproject.toml",
    "template.yaml",
    "signals.yaml",
    "vantage.yaml",
    "dataplane.yaml",
    "samconfig.toml",
    "Makefile",
)
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".pytest_cache", ".hypothesis", "build")


class BadFault(Exception):
    """A patch that does not say what it breaks, or does not apply to the present tree."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake. `file`: what it changes, below the root; `layer`: who must notice it."""

    number: int
    name: str
    invariant: str
    what: str
    layer: str
    file: str
    patch: Path | None

    @property
    def title(self) -> str:
        """Return '07 upsert-instead-of-compare-and-swap'."""
        return f"{self.number:02d} {self.name}"


# The tree as it is: a layer that objects to this one proves nothing about the others.
CONTROL = Fault(0, "no-fault", "", "The tree as it is.", "", "", None)


def read_faults(folder: Path = FOLDER) -> tuple[Fault, ...]:
    """Return every fault, by number; raise BadFault for a patch that is none."""
    found = tuple(sorted(map(read_fault, folder.glob("*.patch")), key=lambda fault: fault.number))
    numbers = [fault.number for fault in found]
    if len(set(numbers)) != len(numbers):
        raise BadFault(f"{folder}: two faults have one number")
    return found


def read_fault(path: Path) -> Fault:
    """Return the fault in a patch."""
    text = path.read_text()
    head = dict(re.findall(r"^# (\w+): (.+)$", text.partition("\ndiff ")[0], re.MULTILINE))
    files = re.findall(r"^\+\+\+ b/(\S+)$", text, re.MULTILINE)
    number, _, name = path.stem.partition("-")
    if set(head) != _HEAD or len(files) != 1 or not number.isdecimal() or not name:
        raise BadFault(
            f"{path.name}: a patch NN-name of one file, headed by '# invariant:', '# what:' and '# layer:',"
            f" was expected; its head has {sorted(head)}, its files are {files}"
        )
    return Fault(int(number), name, head["invariant"], head["what"], head["layer"], files[0], path)


def copy_tree(folder: Path) -> None:
    """Copy what the layers of proof need of the working tree into a folder."""
    for name in _COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=_LEFT_OUT)
    for name in _FILES:
        shutil.copy2(ROOT / name, folder / name)


def apply(fault: Fault, folder: Path) -> None:
    """Apply a fault to a copy; raise BadFault where the patch does not fit, or changes nothing."""
    if fault.patch is None:
        return
    target = folder / fault.file
    before = target.read_bytes() if target.exists() else b""
    apart = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent)}  # no part of any repository
    command = ["git", "apply", str(fault.patch)]
    done = subprocess.run(command, cwd=folder, env=apart, capture_output=True, text=True, check=False)
    if done.returncode or target.read_bytes() == before:
        why = done.stderr.strip() or "nothing is changed"
        raise BadFault(f"{fault.title}: the patch does not apply to the present tree: {why}")
