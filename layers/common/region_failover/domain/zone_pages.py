"""Which pages of a hosted zone have to be read so that nothing wanted is missed, and none more.

Route 53 lists a zone's record sets in pages of up to 300, ordered by name with its labels reversed; a page
begins at any name that is asked for (API reference, ListResourceRecordSets). One call for each name would ask
1,000 times for 1,000 records, a hundred seconds' worth of the account's whole rate; reading a zone from its
beginning would read 10,000 records for a plan that has five of them. So a page is asked for at the first name
that nothing is known of yet, and whatever else it shows is taken along: never more calls than names, nor more
than the pages in which they stand. Names are canonical here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

LEAST = 8
MOST = 300
# A page is made so many times as large as what the last one had of use: records that stand together are read
# together, and those that stand alone cost little more than themselves.
ROOM = 8

# Names whose place in the order is certain; an escaped character's is not.
_PLAIN = re.compile(r"[a-z0-9_.-]*")


def place(name: str) -> str:
    """Return what the order of a zone compares: 'com.example.www.'."""
    return ".".join(_by_labels(name)) + "."


def _by_labels(name: str) -> list[str]:
    """Return what is compared where names are compared label by label, as the emulators do."""
    return name.split(".")[::-1]


def in_order(wanted: Iterable[str]) -> list[str]:
    """Return each name once, in the zone's order."""
    return sorted(set(wanted), key=place)


def page_size(useful: int) -> int:
    """Return how many record sets to ask for, where the last page had so many names of use."""
    return min(MOST, max(LEAST, ROOM * useful))


def settled(left: Sequence[str], page: Sequence[str], following: str) -> set[str]:
    """Return which of the wanted names a page says all of: it shows all their sets, or that none are there.

    `left`: in the zone's order; the page was asked for at the first of them. `page`: the names of its record
    sets, in its order; `following`: the name with which the next one begins, '' at the zone's end. That
    something is not there is believed of what the page was asked for; of another name only where its place
    is within the page however the order is read, and the page itself is in that order. Names with a '-' are
    where readings differ: by the documentation 'com.example.a-b.' stands before 'com.example.a.z.'.
    """
    shown = set(page)
    complete = {name for name in left if name in shown and name != following}
    if left[0] not in shown:
        complete.add(left[0])
    absent = [name for name in left if name not in shown and _PLAIN.fullmatch(name)]
    ends = [following] if following else []
    for order in (place, _by_labels):
        absent = _within(absent, [left[0], *page, *ends], not following, order)
    return complete | set(absent)


def _within(names: list[str], bounds: Sequence[str], is_last: bool, order: Callable[[str], Any]) -> list[str]:
    """Return the names between the first and the last of these; none where these are in another order."""
    places = [order(name) for name in bounds]
    if places != sorted(places):
        return []
    return [name for name in names if places[0] <= order(name) and (is_last or order(name) < places[-1])]
