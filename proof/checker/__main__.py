"""Judge a recorded history: `python -m proof.checker HISTORY.jsonl`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from proof.checker import BadHistory, check


def main(arguments: list[str]) -> int:
    """Print the violations; return 0 for none, 1 for some, 2 for what is no history."""
    if len(arguments) != 1:
        print("usage: python -m proof.checker HISTORY.jsonl", file=sys.stderr)
        return 2
    try:
        entries = read(Path(arguments[0]))
        violations = check(entries)
    except (OSError, UnicodeDecodeError, BadHistory) as error:
        print(f"{arguments[0]}: {error}", file=sys.stderr)
        return 2
    for violation in violations:
        print(violation)
    print(f"{len(entries)} entries, {len(violations)} violations")
    return 1 if violations else 0


def read(path: Path) -> list[dict[str, Any]]:
    """Return a file's entries; raise BadHistory for a line that is no JSON object."""
    entries: list[dict[str, Any]] = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise BadHistory(f"line {number}: no JSON: {error}") from error
        if not isinstance(entry, dict):
            raise BadHistory(f"line {number}: a JSON object was expected")
        entries.append(entry)
    return entries


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
