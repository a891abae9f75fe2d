"""Two endpoints on loopback that swallow a caller: one answers nothing, one does not even connect."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from types import TracebackType
from typing import Self

# More connects than this into a queue of length 0 mean that this system never drops a SYN.
FILLERS = 16
SETTLE_S = 0.2


class _Hole:
    """A listening socket on loopback, open for the length of a `with`."""

    def __init__(self, backlog: int) -> None:
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(backlog)
        self._held: list[socket.socket] = []

    @property
    def url(self) -> str:
        """Return the endpoint's URL."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        """Open the hole."""
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        """Close everything that was held open."""
        with contextlib.suppress(OSError):  # ends a waiting accept(); one that never accepted may refuse it
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for held in self._held:
            held.close()


class ReadHole(_Hole):
    """Accepts every connection and never answers: the caller waits for its read timeout."""

    def __init__(self) -> None:
        super().__init__(backlog=128)

    @property
    def accepted(self) -> int:
        """Return how many connections have come in: an SDK's tries."""
        return len(self._held)

    def __enter__(self) -> Self:
        """Begin to accept."""
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._held.append(self._listener.accept()[0])


class ConnectHole(_Hole):
    """Listens with a full queue, so the kernel drops each SYN: the caller waits for its connect timeout.

    Linux does this on loopback too; raises OSError where a system answers instead.
    """

    def __init__(self) -> None:
        super().__init__(backlog=0)

    def __enter__(self) -> Self:
        """Fill the queue, and make sure that the next connect hangs."""
        for _ in range(FILLERS):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(self._listener.getsockname())
            self._held.append(filler)
            if not select.select([], [filler], [], SETTLE_S)[1]:
                return self
        raise OSError("connects to a full listening queue do not hang on this system; Linux was expected")
