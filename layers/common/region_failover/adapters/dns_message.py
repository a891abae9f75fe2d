"""Questions to name servers and their answers, as they go over the wire (RFC 1035, section 4).

Only what is asked here: one question, its answers' records of a few types. The SDK brings no DNS, and a
library for it would be the largest import of the layer (dnspython: 106 ms, 24 MB).
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "TXT": 16, "AAAA": 28}

_HEADER = struct.Struct("!6H")
_RECORD = struct.Struct("!HHIH")
_RECURSION_DESIRED, _TRUNCATED, _RESPONSE = 0x0100, 0x0200, 0x8000
_INTERNET = 1
NO_ERROR, NO_SUCH_NAME = 0, 3

# A name has at most 255 bytes, so that a loop of pointers is seen as one.
_MOST_LABELS = 128


class BadMessage(ValueError):
    """What came back is no answer to the question."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. `code`: RCODE; `records`: (type, value) of its answer section, of the types known here."""

    code: int
    truncated: bool
    records: tuple[tuple[str, str], ...]

    def values(self, kind: str) -> frozenset[str]:
        """Return the values of one type."""
        return frozenset(value for found, value in self.records if found == kind)


def question(number: int, name: str, kind: str) -> bytes:
    """Return one question, recursion desired (a name server that does not recurse ignores it)."""
    labels = [
        label.encode("idna" if not label.isascii() else "ascii") for label in name.rstrip(".").split(".")
    ]
    asked = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    return (
        _HEADER.pack(number, _RECURSION_DESIRED, 1, 0, 0, 0)
        + asked
        + struct.pack("!HH", TYPES[kind], _INTERNET)
    )


def read_reply(wire: bytes, number: int) -> Reply:
    """Return the answer to the question with this number; raise BadMessage where it is none."""
    try:
        return _read(wire, number)
    except (struct.error, IndexError, ValueError) as error:
        raise BadMessage(f"no answer: {error}") from error


def _read(wire: bytes, number: int) -> Reply:
    found, flags, questions, answers, _, _ = _HEADER.unpack_from(wire)
    if found != number or not flags & _RESPONSE:
        raise BadMessage("another question's answer")
    at = _HEADER.size
    for _ in range(questions):
        _, at = _name(wire, at)
        at += 4
    records: list[tuple[str, str]] = []
    kinds = {code: kind for kind, code in TYPES.items()}
    for _ in range(answers):
        _, at = _name(wire, at)
        code, _, _, length = _RECORD.unpack_from(wire, at)
        at += _RECORD.size
        if code in kinds:
            records.append((kinds[code], _value(wire, at, length, kinds[code])))
        at += length
    return Reply(flags & 0x0F, bool(flags & _TRUNCATED), tuple(records))


def _value(wire: bytes, at: int, length: int, kind: str) -> str:
    data = wire[at : at + length]
    if len(data) != length:
        raise BadMessage("cut short")
    if kind in {"A", "AAAA"}:
        return str(ipaddress.ip_address(data))
    if kind == "TXT":
        return _strings(data)
    return _name(wire, at)[0]


def _strings(data: bytes) -> str:
    """Return the strings of a TXT record, joined."""
    text, at = b"", 0
    while at < len(data):
        text += data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]
    return text.decode("utf-8", errors="replace")


def _name(wire: bytes, at: int) -> tuple[str, int]:
    """Return the name that begins there, lower case without its last dot, and where what follows begins."""
    labels: list[str] = []
    after = 0
    for _ in range(_MOST_LABELS):
        length = wire[at]
        if length >= 0xC0:  # a pointer to the rest of the name
            after = after or at + 2
            at = (length & 0x3F) << 8 | wire[at + 1]
        elif length:
            labels.append(wire[at + 1 : at + 1 + length].decode("ascii", errors="replace").lower())
            at += 1 + length
        else:
            return ".".join(labels), after or at + 1
    raise BadMessage("a name without end")
