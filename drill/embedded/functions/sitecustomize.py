"""Imported first by every process of the embedded AWS: `*.rehearsal.test` comes from the rig's file of names.

The file (REHEARSAL_NAMES) is JSON, name -> address, read at each look-up. A name that it does not hold
resolves to nothing, as an answer without addresses does: `getaddrinfo` raises EAI_NODATA, glibc's code for
that.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from typing import Any

SUFFIX = ".rehearsal.test"


def look_up(file: str, name: str) -> str:
    """Return the address of a name, '' where it has none."""
    with open(file, encoding="utf-8") as lines:
        return str(json.load(lines).get(name.rstrip(".").lower(), ""))


def resolving(file: str, real: Callable[..., Any]) -> Callable[..., Any]:
    """Return `getaddrinfo` with the rig's names in front of the system's."""

    def getaddrinfo(host: Any, *arguments: Any, **named: Any) -> Any:
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
        if isinstance(name, str) and name.rstrip(".").lower().endswith(SUFFIX):
            host = look_up(file, name)
            if not host:
                raise socket.gaierror(socket.EAI_NODATA, "No address associated with hostname")
        return real(host, *arguments, **named)

    return getaddrinfo


if "REHEARSAL_NAMES" in os.environ:
    socket.getaddrinfo = resolving(os.environ["REHEARSAL_NAMES"], socket.getaddrinfo)
