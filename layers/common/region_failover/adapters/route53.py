"""Route 53 record sets and change batches (its control plane lives in us-east-1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from zlib import crc32

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from region_failover.adapters.record_sets import chosen, find_sets, write_set
from region_failover.adapters.symptoms import remote
from region_failover.adapters.system import SystemClock
from region_failover.domain.errors import FenceRefused
from region_failover.domain.record_set import canonical
from region_failover.domain.zone import Change, ZoneSnapshot
from region_failover.ports import Clock

# A batch is tried again for so long, and not later: a worker that was frozen meanwhile has to look at the
# record first, for its lease may have ended (I4). (The SDK's own retries know no such end.)
TRIED_WITHIN = timedelta(seconds=15)
TRIES = 6
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 4.0
_THROTTLED = frozenset({"Throttling", "ThrottlingException", "PriorRequestNotComplete"})


class Zones:
    """Implements ports.Zones."""

    def __init__(self, client: Any, once: Any = None, clock: Callable[[], Clock] = SystemClock) -> None:
        """Use this client; `once`: one that tries each call once, for changes; `clock`: makes a clock."""
        self._client = client
        self._once = once or client
        self._clock = clock

    @remote
    def read(self, zone_id: str, names: Sequence[tuple[str, str]], fence: str) -> ZoneSnapshot:
        """Return what the zone holds of these names and of the fence."""
        there = find_sets(self._client, zone_id, [*(name for name, _ in names), fence])
        found = [record for name, kind in names for record in chosen(there[canonical(name)], kind)]
        fences = there[canonical(fence)]
        marks = [record for record in fences if record.type == "TXT"]
        found += [record for record in fences if record.type == "CNAME"]  # the fence could not be made there
        return ZoneSnapshot(marks[0] if marks else None, tuple(dict.fromkeys(found)))

    @remote
    def submit(self, zone_id: str, changes: Sequence[Change], comment: str) -> str:
        """Submit one batch; return its change id.

        Where it was throttled, an earlier request is not complete, Route 53 has an error or nobody answers,
        it is tried again after growing pauses. A try whose reply was lost makes the next one be refused, for
        what it deletes is gone: whoever asks finds that out by reading the fence.
        """
        batch = {
            "Comment": comment[:256],
            "Changes": [
                {"Action": c.action.value, "ResourceRecordSet": write_set(c.record)} for c in changes
            ],
        }
        clock = self._clock()
        began = clock.now()
        for attempt in range(1, TRIES + 1):
            try:
                answer = self._once.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch=batch)
            except (ClientError, HTTPClientError, NoConnection) as error:
                _raise_if_refused(zone_id, error)
                pause = pause_s(attempt, f"{zone_id} {comment}")
                too_late = clock.now() - began >= TRIED_WITHIN - timedelta(seconds=pause)
                if attempt == TRIES or too_late or not _is_worth_a_retry(error):
                    raise
                clock.sleep(pause)
            else:
                return str(answer["ChangeInfo"]["Id"]).rsplit("/", 1)[-1]
        raise AssertionError("unreachable")

    @remote
    def is_insync(self, change_id: str) -> bool:
        """Return whether the change has reached all authoritative servers."""
        return bool(self._client.get_change(Id=change_id)["ChangeInfo"]["Status"] == "INSYNC")

    @remote
    def name_servers(self, zone_id: str) -> tuple[str, ...]:
        """Return the names of the zone's delegation set; none for a private zone."""
        found = self._client.get_hosted_zone(Id=zone_id)
        if found["HostedZone"].get("Config", {}).get("PrivateZone"):
            return ()
        return tuple(found.get("DelegationSet", {}).get("NameServers", ()))


def _raise_if_refused(zone_id: str, error: Exception) -> None:
    found = error.response["Error"] if isinstance(error, ClientError) else {}
    if found.get("Code") == "InvalidChangeBatch":
        raise FenceRefused(f"zone {zone_id}: {found.get('Message', '')}") from error


def pause_s(attempt: int, what: str) -> float:
    """Return for how long to wait after so many tries: doubling, and between half and all of that.

    Which part, follows from what is tried: many plans that are throttled at once do not come again at once,
    and a run can be repeated.
    """
    full = min(FIRST_PAUSE_S * 2.0 ** (attempt - 1), LONGEST_PAUSE_S)
    return full * (0.5 + 0.5 * crc32(f"{what} {attempt}".encode()) / 2**32)


def _is_worth_a_retry(error: Exception) -> bool:
    """Return whether the same batch may go through a moment later: throttled, a server's error, no answer."""
    if not isinstance(error, ClientError):
        return True
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return error.response["Error"]["Code"] in _THROTTLED or status >= 500
