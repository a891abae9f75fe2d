"""Long texts of a record, packed: what a zone held before a move of a thousand records is 200 KB of JSON.

DynamoDB keeps 400 KB an item, and every change of a transition writes the whole record: at 1 KB a write unit
(Amazon DynamoDB Developer Guide, "Read/write capacity"). Such a text repeats itself; packed it is a tenth.
"""

from __future__ import annotations

import zlib
from base64 import b85decode, b85encode

# What is shorter stays as it is: readable by whoever looks at the record, and by any older version.
PACKED_FROM = 4096

_MARK = "zlib:"
# No text is read back longer than this, whatever a record says: far above what an item could have held.
LONGEST = 8 * 1024 * 1024


def packed(text: str) -> str:
    """Return a text as it is kept: packed, if it is long (or looks as if it were)."""
    if len(text) < PACKED_FROM and not text.startswith(_MARK):
        return text
    return _MARK + b85encode(zlib.compress(text.encode(), 6)).decode()


def unpacked(text: str) -> str:
    """Return the text that `packed` was given; one that was kept as it is, too."""
    if not text.startswith(_MARK):
        return text
    unzip = zlib.decompressobj()
    found = unzip.decompress(b85decode(text.removeprefix(_MARK)), LONGEST)
    if not unzip.eof:
        raise ValueError(f"a packed text of the record is longer than {LONGEST} characters, or cut off")
    return found.decode()
