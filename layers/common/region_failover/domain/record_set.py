"""A Route 53 record set as this product keeps it: where it points, and all else, so that it can be put back.

Names are compared in one form: lower case, without the trailing dot, Unicode as A-labels ('xn--…'), and
Route 53's octal escapes undone ('\\052' is '*': Developer Guide, "DNS domain name format").
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

# What a set gets where there is none yet, and the plan has no `ttl`.
MADE_TTL_S = 60

# Of these the values are names: equal in any case, with or without the trailing dot.
_NAMES = frozenset({"CNAME", "PTR"})

_ESCAPE = re.compile(r"\\([0-7]{3})")
_PLAIN = re.compile(r"[a-z0-9_.*-]")
_WRITTEN_PLAIN = frozenset(map(chr, range(33, 127))) - set(".\\")  # '.' divides labels


@dataclass(frozen=True, slots=True)
class Alias:
    """What an alias record points at: a name, and the hosted zone that the name is in.

    `evaluate`: EvaluateTargetHealth; None only in a plan that does not say: what is there is kept.
    """

    zone_id: str
    name: str
    evaluate: bool | None = None


@dataclass(frozen=True, slots=True)
class RecordSet:
    """A record set; `name` lower case without trailing dot, `values` sorted.

    `ttl`: 0 for an alias, which has none; `identifier` ('SetIdentifier') and `weight` of one of several sets
    of one name and type, '' and None where it stands alone; `kept`: what else Route 53 has of it (Region,
    Failover, GeoLocation, HealthCheckId …), as (name, JSON), which no switch ever changes; `simple`: nothing
    about it is unknown to us, so it can be deleted and made again as it was.
    """

    name: str
    type: str
    ttl: int
    values: tuple[str, ...]
    simple: bool = True
    identifier: str = ""
    weight: int | None = None
    alias: Alias | None = None
    kept: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """Return where it points, for humans."""
        return f"alias of {self.alias.name}" if self.alias else ", ".join(self.values)


def canonical(name: str) -> str:
    """Return a DNS name in lower case without its trailing dot, Route 53's octal escapes undone."""
    return _ESCAPE.sub(_unescaped, name.rstrip(".").lower())


def _unescaped(found: re.Match[str]) -> str:
    character = chr(int(found[1], 8))
    return character.lower() if character in _WRITTEN_PLAIN else found[0]


def escaped(name: str) -> str:
    """Return a name as Route 53's API takes it: what is not a-z, 0-9, '-', '_', '.' or '*' as octal code."""
    kept = re.split(r"(\\[0-7]{3})", name)  # what `canonical` has left escaped
    return "".join(
        part if part.startswith("\\") else "".join(_octal(character) for character in part) for part in kept
    )


def _octal(character: str) -> str:
    return character if _PLAIN.fullmatch(character) else f"\\{ord(character):03o}"


def a_labels(name: str) -> str:
    """Return a name with its Unicode labels as A-labels; raise ValueError where it has none (RFC 3490).

    The standard library knows IDNA 2003. The four characters that later rules treat otherwise are refused:
    which name is meant is only clear in the 'xn--' form.
    """
    if name.isascii():
        return name
    if any(character in name for character in "\u00df\u03c2\u200c\u200d"):
        raise ValueError("it holds one of the characters on which the standards differ")
    return name.encode("idna").decode("ascii")


def points_alike(one: RecordSet, other: RecordSet) -> bool:
    """Return whether two sets of one name and type give the same answer, whatever their TTL and weight."""
    if one.alias and other.alias:
        return (one.alias.zone_id, canonical(one.alias.name)) == (
            other.alias.zone_id,
            canonical(other.alias.name),
        )
    return one.alias == other.alias and _compared(one) == _compared(other)


def _compared(record: RecordSet) -> tuple[str, ...]:
    if record.type not in _NAMES:
        return tuple(sorted(record.values))
    return tuple(sorted(canonical(value) for value in record.values))


def dump_set(record: RecordSet) -> dict[str, Any]:
    """Return a set as JSON data; a plain one has the form that every version has written."""
    found: dict[str, Any] = {
        "name": record.name,
        "type": record.type,
        "ttl": record.ttl,
        "values": list(record.values),
        "simple": record.simple,
    }
    if record.identifier:
        found |= {"identifier": record.identifier, "weight": record.weight}
    if record.alias:
        found["alias"] = [record.alias.zone_id, record.alias.name, record.alias.evaluate]
    if record.kept:
        found["kept"] = [list(pair) for pair in record.kept]
    return found


def load_set(found: dict[str, Any]) -> RecordSet:
    """Return the set that `dump_set` wrote, in this version or any other."""
    weight, alias = found.get("weight"), found.get("alias")
    return RecordSet(
        str(found["name"]),
        str(found["type"]),
        int(found.get("ttl", 0)),
        tuple(found.get("values", ())),
        bool(found.get("simple", True)),
        str(found.get("identifier", "")),
        None if weight is None else int(weight),
        Alias(*alias) if alias else None,
        tuple((str(name), str(value)) for name, value in found.get("kept", ())),
    )


def kept_of(**attributes: Any) -> tuple[tuple[str, str], ...]:
    """Return what a set keeps, from Route 53's names and values."""
    return tuple(sorted((name, json.dumps(value, sort_keys=True)) for name, value in attributes.items()))
