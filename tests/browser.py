"""A headless Chromium, driven through its DevTools pipe: what a person would do on a page.

`--remote-debugging-pipe` speaks the DevTools protocol as JSON texts, each ended by a zero byte, on file
descriptors 3 (to the browser) and 4 (from it): https://chromedevtools.github.io/devtools-protocol/.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
WITHIN_S = 30.0


def installed() -> str | None:
    """Return the browser to use, None where there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Browser:
    """One page. Use as a context manager."""

    def __init__(self, program: str, profile: Path) -> None:
        """Start the browser with an empty profile in this folder."""
        reads, self._to = os.pipe()
        self._from, writes = os.pipe()
        # Out of the way of 3 and 4, where the browser wants them.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (reads, writes)]

        def put_in_place() -> None:
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        self._process = subprocess.Popen(
            [
                program,
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--remote-debugging-pipe",
                "--window-size=800,1000",
                "--force-color-profile=srgb",
                f"--user-data-dir={profile}",
                "about:blank",
            ],
            pass_fds=(3, 4),
            preexec_fn=put_in_place,  # noqa: PLW1509  (two dup2, nothing that could lock)
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (reads, writes, *ends):
            os.close(end)
        self._kept = b""
        self._number = 0
        self._events: list[str] = []
        self._session = ""

    def __enter__(self) -> Browser:
        """Open a page."""
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        found = self._ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = found["sessionId"]
        self._ask("Page.enable")
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._to)
        os.close(self._from)

    def open(self, url: str) -> None:
        """Go to a page; return when it has loaded."""
        self._loaded(lambda: self._ask("Page.navigate", url=url))

    def text(self, selector: str = "body") -> str:
        """Return what a person reads there."""
        return str(self._run(f"document.querySelector({json.dumps(selector)}).innerText"))

    def type(self, selector: str, text: str) -> None:
        """Type into a field."""
        self._run(f"document.querySelector({json.dumps(selector)}).focus()")
        self._ask("Input.insertText", text=text)

    def click(self, selector: str, within_s: float = WITHIN_S) -> None:
        """Click on the middle of something; return when the next page has loaded."""
        box = self._run(
            f"(() => {{ const r = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
            " return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        where = {"x": box[0], "y": box[1], "button": "left", "clickCount": 1}

        def press() -> None:
            for kind in ("mousePressed", "mouseReleased"):
                self._ask("Input.dispatchMouseEvent", type=kind, **where)

        self._loaded(press, within_s)

    def screenshot(self, file: Path) -> bytes:
        """Write a picture of the page; return it."""
        picture = base64.b64decode(self._ask("Page.captureScreenshot", format="png")["data"])
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(picture)
        return picture

    def _run(self, script: str) -> Any:
        found = self._ask("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def _loaded(self, act: Callable[[], object], within_s: float = WITHIN_S) -> None:
        self._events.clear()
        act()
        until = time.monotonic() + within_s
        while "Page.loadEventFired" not in self._events:
            self._take(until)

    def _ask(self, method: str, **parameters: object) -> Any:
        self._number += 1
        message: dict[str, object] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + WITHIN_S
        while True:
            found = self._take(until)
            if found.get("id") == self._number:
                assert "error" not in found, found
                return found["result"]

    def _take(self, until: float) -> dict[str, Any]:
        """Return the browser's next message; an event is also remembered."""
        while b"\0" not in self._kept:
            left = until - time.monotonic()
            ready = left > 0 and select.select([self._from], [], [], left)[0]
            assert ready, "the browser says nothing"
            got = os.read(self._from, 1 << 20)
            assert got, "the browser has ended"
            self._kept += got
        text, self._kept = self._kept.split(b"\0", 1)
        found: dict[str, Any] = json.loads(text)
        if "method" in found:
            self._events.append(str(found["method"]))
        return found
