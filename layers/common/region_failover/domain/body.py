"""What an endpoint's answer must say, beside its status: a 200 may come from a portal, or a broken page."""

from __future__ import annotations

import json
from dataclasses import dataclass

SHOWN = 80

JsonValue = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Body:
    """What is expected of a body: `text` stands in it; the JSON field `path` equals `value`.

    Both '' and (): anything will do. A path's parts are keys of objects.
    """

    text: str = ""
    path: tuple[str, ...] = ()
    value: JsonValue = None

    @property
    def matters(self) -> bool:
        """Return whether anything is expected at all."""
        return bool(self.text or self.path)


ANY = Body()


def wrong_with(body: bytes, expected: Body) -> str:
    """Return what is wrong with a body, '' if nothing. Bytes that are no UTF-8 match no text."""
    text = body.decode("utf-8", errors="replace")
    if expected.text and expected.text not in text:
        return f"{expected.text!r} was expected in {_shown(text)}"
    if not expected.path:
        return ""
    name = ".".join(expected.path)
    try:
        found = json.loads(text)
    except ValueError:
        return f"JSON was expected, not {_shown(text)}"
    for key in expected.path:
        if not isinstance(found, dict) or key not in found:
            return f"{name} is missing from {_shown(text)}"
        found = found[key]
    if (type(found), found) != (type(expected.value), expected.value):
        return f"{name} is {_shown(json.dumps(found))}, {json.dumps(expected.value)} was expected"
    return ""


def _shown(text: str) -> str:
    """Return the beginning of a text on one line: it stands in records and notifications."""
    line = " ".join(text.split())
    return repr(line if len(line) <= SHOWN else line[:SHOWN] + "…")
