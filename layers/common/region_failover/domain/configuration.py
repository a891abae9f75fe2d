"""What names the active Region in an application's own configuration: SSM parameters and secrets.

A value is a Region's name, or a plan-given text for each role, such as a host name. It is no secret: it
stands in the plan. What else a secret holds passes through as text that is kept, character by character.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from json import JSONDecoder
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from region_failover.domain.plan import Regions


@dataclass(frozen=True, slots=True)
class NamedValue:
    """A value that names the active Region, kept in one or several Regions.

    `primary`, `standby`: what it is where that role's Region is active; '': the Region's name.
    """

    name: str
    regions: tuple[str, ...]
    primary: str = ""
    standby: str = ""

    def value(self, regions: Regions, active: str) -> str:
        """Return what it is while this Region is active."""
        return (self.primary if active == regions.primary else self.standby) or active

    def values(self, regions: Regions) -> tuple[str, str]:
        """Return what it may be: the primary's value, the standby's."""
        return self.value(regions, regions.primary), self.value(regions, regions.standby)


@dataclass(frozen=True, slots=True)
class SecretSwitch(NamedValue):
    """A secret in Secrets Manager: the whole of it, or the text at one key of the JSON object that it is."""

    key: str = ""


class NotSwitchable(ValueError):
    """A secret has no such text at that key; says what, and nothing of what is there."""


def version_token(plan: str, epoch: int, region: str, secret: SecretSwitch, value: str, replaced: str) -> str:
    """Return the id of the version that an epoch puts in the place of another one, the same at each try.

    A version's content never changes, so whoever puts the same value in place of the same one asks for the
    same content: Secrets Manager ignores the second request (PutSecretValue, ClientRequestToken of 32 to 64
    characters).
    """
    about = json.dumps([plan, epoch, region, secret.name, secret.key, value, replaced])
    return hashlib.sha256(about.encode()).hexdigest()


def text_at(document: str, key: str) -> str:
    """Return the text at a key of a JSON object; the whole document for ''. Raises NotSwitchable."""
    if not key:
        return document
    start, end = _span(document, key)
    return str(json.loads(document[start:end]))


def with_text_at(document: str, key: str, value: str) -> str:
    """Return the document with the text at one key replaced, and every other character as it was."""
    if not key:
        return value
    start, end = _span(document, key)
    return document[:start] + json.dumps(value) + document[end:]


def _span(document: str, key: str) -> tuple[int, int]:
    """Return where the text at a key stands, its quotes included; the key must be there exactly once."""
    try:
        found = [(start, end) for name, start, end in _members(document) if name == key]
    except (ValueError, IndexError):
        raise NotSwitchable("it is no JSON object") from None  # the cause would hold the document
    if len(found) != 1:
        raise NotSwitchable(f"its JSON has {len(found)} keys {key!r}, exactly one was expected")
    start, end = found[0]
    if document[start] != '"':
        raise NotSwitchable(f"what its JSON has at {key!r} is no text")
    return start, end


_SPACE = " \t\n\r"


def _members(document: str) -> Iterator[tuple[str, int, int]]:
    """Yield each member of a JSON object: its name, and where its value begins and ends."""
    if not isinstance(json.loads(document), dict):
        raise ValueError("no object")
    decoder = JSONDecoder()
    at = _skip(document, 0, "{")
    while document[at] != "}":
        name, at = decoder.raw_decode(document, at)
        start = _skip(document, at, ":")
        _, end = decoder.raw_decode(document, start)
        yield name, start, end
        at = _skip(document, end, ",")


def _skip(document: str, at: int, mark: str) -> int:
    """Return where the next thing begins after white space, this mark, and white space again."""
    while document[at] in _SPACE or document[at] == mark:
        at += 1
    return at
