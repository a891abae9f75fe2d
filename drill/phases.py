"""The clients' answers, cut into the rehearsal's phases, and what they say of the downtime."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from drill.client import Answer, TrafficClient


class Phases:
    """Cuts the clients' answers into phases: each lasts until the next is entered."""

    def __init__(self, clients: Mapping[str, TrafficClient]) -> None:
        """Watch these clients, those that are added later too."""
        self._clients = clients
        self._cuts: list[tuple[str, float]] = []

    def enter(self, name: str) -> float:
        """Begin a phase; return its beginning on the monotonic clock."""
        now = time.monotonic()
        self._cuts.append((name, now))
        return now

    def names(self) -> tuple[str, ...]:
        """Return the phases so far."""
        return tuple(name for name, _ in self._cuts)

    def answers(self, client: str, phase: str) -> list[Answer]:
        """Return a client's answers that count in a phase."""
        index = self.names().index(phase)
        start = self._cuts[index][1]
        end = self._cuts[index + 1][1] if index + 1 < len(self._cuts) else float("inf")
        return [a for a in self._clients[client].answers() if start <= moment(a) < end]

    def requests(self) -> dict[str, object]:
        """Return the requests sent and failed, by phase and application, for the report."""
        return {
            "by_application": {
                client: {
                    "sent": {phase: len(self.answers(client, phase)) for phase in self.names()},
                    "failed": {phase: len(self.failed(client, phase)) for phase in self.names()},
                }
                for client in self._clients
            },
            "sent": sum(len(c.answers()) for c in self._clients.values()),
            "failed": {
                phase: sum(len(self.failed(client, phase)) for client in self._clients)
                for phase in self.names()
            },
        }

    def failed(self, client: str, phase: str) -> list[Answer]:
        """Return a client's failed requests of a phase."""
        return [a for a in self.answers(client, phase) if not a.ok]


def moment(answer: Answer) -> float:
    """Return when a request counts: when it began, or, if it failed, when that was seen.

    One that was under way when the Region died failed in the outage, not before it.
    """
    return answer.at_monotonic if answer.ok else answer.at_monotonic + answer.seconds


def longest_downtime(answers: Sequence[Answer]) -> float | None:
    """Return the longest time from a first failed request to the next good one's end; None if none failed.

    Reads and writes each for themselves: who cannot write is down, whatever he reads meanwhile. A downtime
    that has not ended counts up to the end of the last answer.
    """
    operations = {answer.operation for answer in answers}
    found = [_longest([a for a in answers if a.operation == operation]) for operation in operations]
    return max((seconds for seconds in found if seconds is not None), default=None)


def _longest(answers: Sequence[Answer]) -> float | None:
    longest: float | None = None
    since: float | None = None
    for answer in answers:
        if since is None and not answer.ok:
            since = answer.at_monotonic
        if since is not None:
            longest = max(longest or 0.0, answer.at_monotonic + answer.seconds - since)
        if answer.ok:
            since = None
    return longest


def spoken_service(answers: Sequence[Answer]) -> str | None:
    """Return in words who serves a client, from its last four answers; None while that is changing."""
    said = [(f"served by {a.region}" if a.ok else "fail", a.operation) for a in answers[-4:]]
    last = [what for what, _ in said[-2:]]
    if len(set(last)) == 1 and len(last) == 2:
        return "requests fail" if last[0] == "fail" else last[0]
    kinds = sorted({operation for _, operation in said})
    by_kind = {kind: {what for what, operation in said if operation == kind} for kind in kinds}
    if len(said) < 4 or len(kinds) < 2 or any(len(found) > 1 for found in by_kind.values()):
        return None
    return ", ".join(f"{kind}s {by_kind[kind].pop()}" for kind in kinds)
