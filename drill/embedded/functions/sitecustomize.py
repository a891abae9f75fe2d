"""Imported first by every process of the embedded AWS; does what its environment asks for.

REHEARSAL_NAMES: a JSON file, name -> address, read at each look-up, that `*.rehearsal.test` is resolved from.
An entry 'name@function' is for that function alone, and comes before the name's own. A name that the file
does not hold resolves to nothing, as an answer without addresses does: `getaddrinfo` raises EAI_NODATA,
glibc's code for that.

REHEARSAL_CONNECTIONS: a file that gets a line 'time port trace' for each connection that an invocation opens,
and 'time name trace' for each look-up of its that finds nothing.
Its calls of AWS carry the X-Ray trace, which is the invocation's own, in a header; plain HTTP carries
nothing, and is known by its port.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable
from typing import Any

SUFFIX = ".rehearsal.test"


def look_up(file: str, name: str) -> str:
    """Return the address of a name for this process, '' where it has none."""
    name = name.rstrip(".").lower()
    own = f"{name}@{os.environ.get('AWS_LAMBDA_FUNCTION_NAME', '')}"
    with open(file, encoding="utf-8") as lines:
        found = json.load(lines)
    return str(found.get(own, found.get(name, "")))


def resolving(file: str, real: Callable[..., Any]) -> Callable[..., Any]:
    """Return `getaddrinfo` with the rig's names in front of the system's."""

    def getaddrinfo(host: Any, *arguments: Any, **named: Any) -> Any:
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
        if isinstance(name, str) and name.rstrip(".").lower().endswith(SUFFIX):
            host = look_up(file, name)
            if not host:
                note_as_invocation(name)
                raise socket.gaierror(socket.EAI_NODATA, "No address associated with hostname")
        return real(host, *arguments, **named)

    return getaddrinfo


def noting(real: Callable[..., Any]) -> Callable[..., Any]:
    """Return `connect` that notes which invocation has opened which port."""

    def connect(link: Any, address: Any) -> Any:
        done = real(link, address)
        if link.family == socket.AF_INET and link.type == socket.SOCK_STREAM:
            note_as_invocation(str(link.getsockname()[1]))
        return done

    return connect


def note_as_invocation(what: str) -> None:
    """Append 'time what trace' to the file of connections, in an invocation; whole, among many processes."""
    file, trace = os.environ.get("REHEARSAL_CONNECTIONS"), os.environ.get("_X_AMZN_TRACE_ID")
    if not file or not trace:
        return
    out = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(out, f"{time.time()} {what} {trace}\n".encode())
    finally:
        os.close(out)


if "REHEARSAL_NAMES" in os.environ:
    socket.getaddrinfo = resolving(os.environ["REHEARSAL_NAMES"], socket.getaddrinfo)
if "REHEARSAL_CONNECTIONS" in os.environ:
    socket.socket.connect = noting(socket.socket.connect)  # type: ignore[method-assign]
