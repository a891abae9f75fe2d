"""Which pages of a hosted zone have to be read so that nothing wanted is missed, and none more.

Route 53 lists a zone's record sets in pages of up to 300, ordered by name with its labels reversed, then by
type; a page begins at any name and type that is asked for (API reference, ListResourceRecordSets). One call
for each record would ask 1,000 times for 1,000 records, a hundred seconds' worth of the account's whole rate;
reading a zone from its beginning would read 10,000 records for a plan that has five of them. So a page is
asked for at the first record that nothing is known of yet, and whatever else it shows is taken along: never
more calls than records, nor more than the pages in which they stand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from region_failover.domain.zone import canonical

# A record's name, canonical, and its type.
Key = tuple[str, str]

LEAST = 8
MOST = 300
# A page is made so many times as large as what the last one had of use: records that stand together are read
# together, and those that stand alone cost little more than themselves.
ROOM = 8

# Names whose place in the order is certain; an escaped character's is not.
_PLAIN = re.compile(r"[a-z0-9_.-]*")


def place(key: Key) -> Key:
    """Return what the order of a zone compares: 'com.example.www.' and the type."""
    name, kind = key
    return ".".join(reversed(canonical(name).split("."))) + ".", kind


def in_order(wanted: Iterable[Key]) -> list[Key]:
    """Return each once, in the zone's order."""
    return sorted({(canonical(name), kind) for name, kind in wanted}, key=place)


def page_size(useful: int) -> int:
    """Return how many record sets to ask for, where the last page had so many of use."""
    return min(MOST, max(LEAST, ROOM * useful))


def _by_labels(key: Key) -> tuple[list[str], str]:
    """Return the place of a record where names are compared label by label, as the emulators do."""
    return canonical(key[0]).split(".")[::-1], key[1]


def settled(left: Sequence[Key], page: Sequence[Key], following: Key | None) -> set[Key]:
    """Return which of the wanted a page says all of: it shows all their record sets, or that none are there.

    `left`: in the zone's order; the page was asked for at the first of them. `page`: the record sets on it,
    in its order; `following`: what the next one begins with, None at the zone's end. That something is not
    there is believed of what the page was asked for; of another record only where its place is within the
    page however the order is read, and the page itself is in that order. Names with a '-' are where readings
    differ: by the documentation 'com.example.a-b.' stands before 'com.example.a.z.'.
    """
    shown = set(page)
    complete = {key for key in left if key in shown and key != following}
    if left[0] not in shown:
        complete.add(left[0])
    absent = [key for key in left if key not in shown and _PLAIN.fullmatch(key[0])]
    ends = [following] if following else []
    for order in (place, _by_labels):
        absent = _within(absent, [left[0], *page, *ends], not following, order)
    return complete | set(absent)


def _within(keys: list[Key], bounds: Sequence[Key], is_last: bool, order: Callable[[Key], Any]) -> list[Key]:
    """Return the keys between the first and the last of these; none where these are in another order."""
    places = [order(key) for key in bounds]
    if places != sorted(places):
        return []
    return [key for key in keys if places[0] <= order(key) and (is_last or order(key) < places[-1])]
