"""The operator's page as a person meets it: a real browser, the function URL's own events, a picture.

Skipped where no Chromium is installed (Debian: `apt-get install chromium`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from region_failover.domain.state import Answer
from region_failover.domain.web import read_request, token_of, write_response
from region_failover.service.page import handle_request
from region_failover.service.record import Deadline
from tests.browser import Browser, installed
from tests.functional.test_page import KEYS, Site

PICTURES = Path(__file__).parents[2] / "build" / "page"

pytestmark = [
    pytest.mark.skipif(installed() is None, reason="no Chromium is installed"),
    pytest.mark.timeout(120),
]


def event(method: str, target: str, headers: dict[str, str], body: str) -> dict[str, Any]:
    """Return a request as a function URL gives it to its function (payload format version 2.0)."""
    url = urlsplit(target)
    return {
        "version": "2.0",
        "rawPath": url.path,
        "rawQueryString": url.query,
        "headers": headers,
        "requestContext": {"http": {"method": method, "path": url.path}},
        "body": body,
        "isBase64Encoded": False,
    }


@contextmanager
def served(site: Site) -> Iterator[str]:
    """Serve a site's function on loopback; yield its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            request = read_request(event(self.command, self.path, dict(self.headers), body))
            ports = site.ports()
            found = handle_request(ports, [site.plan], request, lambda: KEYS, Deadline.after(ports, 20))
            answer = write_response(found)
            self.send_response(answer["statusCode"])
            for name, value in answer["headers"].items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(str(answer["body"]).encode())

        do_POST = do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_a_person_reads_the_proposal_and_approves_it(tmp_path: Path) -> None:
    site, program = Site(), installed()
    assert program is not None
    token = token_of(KEYS["page"], "orders", site.number)
    query = urlencode({"plan": "orders", "proposal": site.number, "token": token})
    before = dict(site.store.states), len(site.store.decisions), len(site.notifier.sent)
    with served(site) as url, Browser(program, tmp_path / "profile") as browser:
        page = f"{url}/proposal?{query}"
        browser.open(page)
        first = browser.screenshot(PICTURES / "proposal.png")
        assert "orders: shall the traffic return?" in browser.text("h1")
        assert "us-east-1 has been healthy without a break since" in browser.text("pre")
        browser.open(page)
        assert browser.screenshot(PICTURES / "proposal.png") == first  # a GET has changed nothing to see
        assert (dict(site.store.states), len(site.store.decisions), len(site.notifier.sent)) == before

        browser.type("input[name=by]", "Mia")
        browser.click("button[value=approve]")
        browser.screenshot(PICTURES / "answered.png")
        assert browser.text("h1") == "Answered"
        assert site.state.proposal is not None
        assert (site.state.proposal.answer, site.state.proposal.answered_by) == (
            Answer.APPROVED,
            "Mia (page)",
        )

        browser.open(page)
        assert browser.text("h1") == "Nothing to answer"
    assert site.tick()["reason"] == "approved"


def test_without_a_name_nothing_is_sent(tmp_path: Path) -> None:
    site, program = Site(), installed()
    assert program is not None
    query = urlencode(site.said())
    with served(site) as url, Browser(program, tmp_path / "profile") as browser:
        browser.open(f"{url}/proposal?{query}")
        with pytest.raises(AssertionError, match="the browser says nothing"):
            browser.click("button[value=approve]", within_s=2)
        assert "shall the traffic return?" in browser.text("h1")
    assert site.state.proposal is not None
    assert site.state.proposal.answer is Answer.NONE
