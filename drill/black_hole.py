"""Where packets are swallowed: an address at which connections open, and stay silent for ever."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence

BACKLOG = 4096
"""So many connections the kernel opens by itself for a socket that nobody accepts on."""


class BlackHole:
    """Listens on some ports of one loopback address, from start() to stop(), and accepts nothing."""

    def __init__(self, address: str, ports: Sequence[int]) -> None:
        """Swallow what comes to these ports."""
        self._address = address
        self._ports = tuple(ports)
        self._listeners: list[socket.socket] = []

    def start(self) -> None:
        """Open it."""
        for port in self._ports:
            listener = socket.socket()
            self._listeners.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self._address, port))
            listener.listen(BACKLOG)

    def stop(self) -> None:
        """Close it: what hangs is reset. A second stop is no error."""
        for listener in self._listeners:
            with contextlib.suppress(OSError):
                listener.close()
        self._listeners.clear()
