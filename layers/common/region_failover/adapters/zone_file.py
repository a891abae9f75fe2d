"""A zone file, as records by name and type in the form of ports.NameServers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dns.rdatatype
import dns.zone

from region_failover.adapters.name_servers import value_of


def rendered_records(lines: Sequence[str], domain: str) -> Mapping[tuple[str, str], tuple[str, ...]]:
    """Return what a zone file holds, by (fully qualified name, type); a file that is none raises."""
    origin = domain.rstrip(".") + "."
    zone = dns.zone.from_text("\n".join(lines), origin=origin, relativize=False, check_origin=False)
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for name, records in zone.iterate_rdatasets():
        key = (name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(records.rdtype))
        found[key] = tuple(sorted(value_of(item) for item in records))
    return found
