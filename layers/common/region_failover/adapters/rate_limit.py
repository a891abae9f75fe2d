"""How many more requests a service takes, by what it says in its answers; shared by all threads.

Linode counts GETs of collections apart from all others, and says in each answer how many are left
(`X-RateLimit-Remaining`) until when (`X-RateLimit-Reset`, Unix time); a 429 says for how long to ask nothing
(`Retry-After`, seconds).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from region_failover.ports import Clock

# No window of Linode's is longer; a Reset further ahead comes from clocks that differ.
LONGEST_WINDOW_S = 120.0


@dataclass
class _Window:
    """One count: `left` requests until `ends_at` (None: not known), and none at all before `closed_until`."""

    left: int | None = None
    ends_at: float = 0.0
    closed_until: float = 0.0


class RateLimit:
    """Gives out requests. Whoever is told to wait has not got one, and asks again then."""

    def __init__(self, clock: Clock) -> None:
        """Know nothing yet: the first answers say what is left."""
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[str, _Window] = {}

    def take(self, kind: str) -> float:
        """Take one request of a kind, and return 0; or return for how many seconds none is to be had."""
        with self._lock:
            now = self._clock.now().timestamp()
            window = self._windows.setdefault(kind, _Window())
            if now < window.closed_until:
                return window.closed_until - now
            if window.left is None or now >= window.ends_at:
                window.left = None
                return 0.0
            if window.left <= 0:
                return window.ends_at - now
            window.left -= 1
            return 0.0

    def note(self, kind: str, headers: Mapping[str, str]) -> None:
        """Note what an answer says is left. Answers overtake each other: within a window the least counts."""
        left, reset = _whole(headers.get("X-RateLimit-Remaining")), _whole(headers.get("X-RateLimit-Reset"))
        if left is None or reset is None:
            return
        with self._lock:
            now = self._clock.now().timestamp()
            window = self._windows.setdefault(kind, _Window())
            ends_at = min(float(reset), now + LONGEST_WINDOW_S)
            same = window.left is not None and abs(window.ends_at - ends_at) <= 1.0
            window.left = min(window.left or 0, left) if same else left
            window.ends_at = ends_at

    def close(self, kind: str, seconds: float) -> None:
        """Give out no request of this kind for so long: a 429 has said so."""
        with self._lock:
            window = self._windows.setdefault(kind, _Window())
            window.closed_until = max(window.closed_until, self._clock.now().timestamp() + seconds)


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None
