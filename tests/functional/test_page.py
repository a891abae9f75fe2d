"""The operator's page and webhooks: a GET shows, only a POST acts; a monitor is heard, and moves nothing."""

from __future__ import annotations

import json
from datetime import timedelta
from http import HTTPStatus
from urllib.parse import urlencode

import pytest

from region_failover.domain.codec import load_health
from region_failover.domain.plan import FailbackMode
from region_failover.domain.state import Answer
from region_failover.domain.trigger import REGION_SAMPLED, REGION_UNHEALTHY
from region_failover.domain.vantage import MONITORS_RECENTLY, RECENTLY
from region_failover.domain.verdict import Health, RegionHealth
from region_failover.domain.web import Request, Response, sign, token_of
from region_failover.service.page import SIGNATURE, handle_request
from region_failover.service.record import Deadline
from tests.fakes import EAST, WEST, World, with_policy

KEYS = {"page": "p" * 48, "webhook-pingdom": "w" * 48}


class Site(World):
    """A world at the standby in which a failback has been proposed."""

    def __init__(self) -> None:
        super().__init__(with_policy(failback=FailbackMode.APPROVAL))
        self.tick()
        self.failover(self.manual("failover", force=True))
        self.deliver_switch()
        self.settle(80)
        assert self.tick()["reason"] == "awaiting-approval"
        assert self.state.proposal is not None
        self.number = self.state.proposal.id

    def request(self, method: str, path: str, said: dict[str, str] | None = None, **more: object) -> Response:
        text = urlencode(said or {})
        request = (
            Request(method, path, body=text.encode(), **more)  # type: ignore[arg-type]
            if method == "POST"
            else Request(method, path, query=said or {})
        )
        ports = self.ports()
        return handle_request(ports, [self.plan], request, lambda: KEYS, Deadline.after(ports, 20))

    def said(self, **more: str) -> dict[str, str]:
        token = token_of(KEYS["page"], "orders", self.number)
        return {"plan": "orders", "proposal": self.number, "token": token, **more}

    def report(self, health: str = "unhealthy", monitor: str = "pingdom", **different: str) -> Response:  # type: ignore[override]
        return self.send(self.signed(health, monitor, **different))

    def signed(self, health: str = "unhealthy", monitor: str = "pingdom", **different: str) -> Request:
        body = json.dumps({"plan": "orders", "region": EAST, "health": health, **different}).encode()
        signature = sign(KEYS.get(f"webhook-{monitor}", "x"), body, self.clock.now())
        return Request("POST", f"/webhook/{monitor}", headers={SIGNATURE: signature}, body=body)

    def send(self, request: Request) -> Response:
        """Deliver a monitor's request, and what it puts on the bus to the probe."""
        ports, known = self.ports(), len(self.events.of(REGION_SAMPLED))
        found = handle_request(ports, [self.plan], request, lambda: KEYS, Deadline.after(ports, 20))
        for sampled in self.events.of(REGION_SAMPLED)[known:]:
            self._probe(self.own_event(REGION_SAMPLED, sampled))
        return found

    def view(self) -> RegionHealth:
        """Return what the probe has on record of what the monitor says."""
        return load_health(self.store.healths["orders"][1]).views["monitor-pingdom"][EAST]


@pytest.fixture
def site() -> Site:
    return Site()


# the page


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_get_shows_and_changes_nothing(site: Site, method: str) -> None:
    before = dict(site.store.states), len(site.notifier.sent), len(site.store.decisions)
    for _ in range(3):
        found = site.request(method, "/proposal", site.said(answer="approve", by="a mail scanner"))
    assert found.status is HTTPStatus.OK
    assert (dict(site.store.states), len(site.notifier.sent), len(site.store.decisions)) == before


def test_the_page_shows_the_evidence_and_asks_by_post(site: Site) -> None:
    page = site.request("GET", "/proposal", site.said()).body
    assert "us-east-1 has been healthy without a break since" in page
    assert site.number in page
    assert '<form method="post" action="/proposal">' in page
    assert "<script" not in page


@pytest.mark.parametrize(
    ("answer", "expected", "reason"),
    [("approve", Answer.APPROVED, "approved"), ("reject", Answer.REJECTED, "rejected")],
)
def test_a_post_answers_once(site: Site, answer: str, expected: Answer, reason: str) -> None:
    found = site.request("POST", "/proposal", site.said(answer=answer, by="Mia"))
    assert found.status is HTTPStatus.OK
    assert site.state.proposal is not None
    assert (site.state.proposal.answer, site.state.proposal.answered_by) == (expected, "Mia (page)")
    again = site.request("POST", "/proposal", site.said(answer="approve", by="Max"))
    assert again.status is HTTPStatus.CONFLICT
    assert "already" in again.body
    assert site.request("GET", "/proposal", site.said()).status is HTTPStatus.GONE
    assert site.tick()["reason"] == reason


def test_an_expired_page_answers_nothing(site: Site) -> None:
    site.clock.at += timedelta(hours=24)
    assert site.request("GET", "/proposal", site.said()).status is HTTPStatus.GONE
    found = site.request("POST", "/proposal", site.said(answer="approve", by="Mia"))
    assert (found.status, "expired" in found.body) == (HTTPStatus.CONFLICT, True)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "different",
    [{"token": "x"}, {"token": ""}, {"proposal": "0000000000000000"}, {"plan": "payments"}, {"plan": ""}],
)
def test_another_address_opens_nothing_and_looks_at_no_record(
    site: Site, method: str, different: dict[str, str]
) -> None:
    site.faults.calls.clear()
    said = {**site.said(answer="approve", by="Mia"), **different}
    assert site.request(method, "/proposal", said).status is HTTPStatus.FORBIDDEN
    assert site.faults.calls == []


@pytest.mark.parametrize(
    "different", [{"answer": "pause"}, {"answer": ""}, {"by": ""}, {"by": "x" * 201}, {"by": "a\nb"}]
)
def test_a_form_filled_in_wrongly_is_refused_and_can_be_sent_again(
    site: Site, different: dict[str, str]
) -> None:
    said = {**site.said(answer="approve", by="Mia"), **different}
    assert site.request("POST", "/proposal", said).status is HTTPStatus.BAD_REQUEST
    assert site.request("POST", "/proposal", site.said(answer="approve", by="Mia")).status is HTTPStatus.OK


def test_what_stands_on_record_is_shown_as_text(site: Site) -> None:
    state = site.state
    assert state.proposal is not None
    from dataclasses import replace

    site.edit_state(proposal=replace(state.proposal, evidence="<script>alert(1)</script>"))
    page = site.request("GET", "/proposal", site.said()).body
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_there_is_no_other_page(site: Site) -> None:
    assert site.request("GET", "/").status is HTTPStatus.NOT_FOUND
    assert site.request("GET", "/status", site.said()).status is HTTPStatus.NOT_FOUND
    assert site.request("DELETE", "/proposal", site.said()).status is HTTPStatus.METHOD_NOT_ALLOWED


def test_the_record_and_its_notices_hold_no_token(site: Site) -> None:
    token = token_of(KEYS["page"], "orders", site.number)
    subject, text = site.notifier.sent[-1]
    assert site.number in subject
    assert f"{{answer-page orders {site.number}}}" in text  # the topic's adapter puts the address in
    assert token not in str(site.store.states) + str(site.store.decisions) + text


# webhooks


def test_a_monitors_report_is_passed_on_as_a_view_and_a_reason_to_look(site: Site) -> None:
    assert site.report(why="503 from Frankfurt").status is HTTPStatus.ACCEPTED
    (sampled,) = site.events.of(REGION_SAMPLED)
    (unhealthy,) = site.events.of(REGION_UNHEALTHY)
    assert sampled["vantage"] == "monitor-pingdom"
    assert (unhealthy["from"], unhealthy["reason"]) == (EAST, "monitor-pingdom reports: 503 from Frankfurt")
    assert site.view().why == "503 from Frankfurt"
    site.failover(site.own_event(REGION_UNHEALTHY, unhealthy))
    assert site.reasons()[-1] == "active-healthy"


def test_i20_a_report_that_is_sent_again_overrides_no_newer_one(site: Site) -> None:
    unhealthy = site.signed()
    assert site.send(unhealthy).status is HTTPStatus.ACCEPTED
    site.clock.advance(60)
    assert site.report("healthy").status is HTTPStatus.ACCEPTED
    before = site.view()
    site.clock.advance(60)
    assert site.send(unhealthy).status is HTTPStatus.ACCEPTED  # its signature is believed for five minutes
    assert site.view() == before
    assert before.health is Health.HEALTHY


def test_a_report_that_was_held_up_on_its_way_is_of_when_it_was_signed(site: Site) -> None:
    signed, unhealthy = site.clock.now().replace(microsecond=0), site.signed()
    site.clock.advance(240)
    assert site.send(unhealthy).status is HTTPStatus.ACCEPTED
    assert (site.view().health, site.view().last_at) == (Health.UNHEALTHY, signed)
    assert site.events.of(REGION_UNHEALTHY)[-1]["at"] == signed.isoformat()


@pytest.mark.parametrize(
    ("vantage", "age", "heard"),
    [
        ("monitor-pingdom", MONITORS_RECENTLY, 1),
        ("monitor-pingdom", MONITORS_RECENTLY + timedelta(seconds=1), 0),
        ("eu-central-1", RECENTLY, 1),
        ("eu-central-1", RECENTLY + timedelta(seconds=1), 0),
    ],
)
def test_a_monitors_report_is_heard_for_as_long_as_it_is_believed(
    site: Site, vantage: str, age: timedelta, heard: int
) -> None:
    (summary,) = World.report(site, vantage, Health.UNHEALTHY, at=site.clock.now() - age)
    assert summary["heard"] == heard


def test_a_monitor_that_sees_it_well_is_no_reason_to_look(site: Site) -> None:
    assert site.report("healthy").status is HTTPStatus.ACCEPTED
    assert site.events.of(REGION_UNHEALTHY) == []


def test_a_monitor_that_agrees_takes_the_place_of_the_wait() -> None:
    world = World()
    world.tick()
    world._probe(world.schedule())
    site_report = {"plan": "orders", "vantage": "monitor-pingdom", "samples": {
        EAST: {"at": world.clock.now().isoformat(), "health": "unhealthy"}}}  # fmt: skip
    world._probe(world.own_event(REGION_SAMPLED, site_report))
    world.clock.advance(200)  # it reports when something changes, not all the time
    world.break_region(EAST)
    world._probe(world.schedule(), 18)
    assert len(world.events.of(REGION_UNHEALTHY)) == 1
    assert world.failover(world.unhealthy_event())["reason"] == "region-down"


def test_what_a_monitor_saw_well_minutes_ago_is_no_evidence() -> None:
    world = World()
    world.tick()
    report = {"plan": "orders", "vantage": "monitor-pingdom", "samples": {
        EAST: {"at": world.clock.now().isoformat(), "health": "healthy"}}}  # fmt: skip
    world._probe(world.own_event(REGION_SAMPLED, report))
    world.clock.advance(46)
    world.outage()
    assert world.failover(world.unhealthy_event())["reason"] == "region-down"


@pytest.mark.parametrize(
    ("monitor", "different", "status"),
    [
        ("unknown", {}, HTTPStatus.FORBIDDEN),
        ("../page", {}, HTTPStatus.FORBIDDEN),
        ("", {}, HTTPStatus.FORBIDDEN),
        ("pingdom", {"plan": "payments"}, HTTPStatus.BAD_REQUEST),
        ("pingdom", {"region": "eu-west-1"}, HTTPStatus.BAD_REQUEST),
        ("pingdom", {"health": "down"}, HTTPStatus.BAD_REQUEST),
    ],
)
def test_a_report_that_is_not_one_is_refused_and_nothing_is_passed_on(
    site: Site, monitor: str, different: dict[str, str], status: HTTPStatus
) -> None:
    assert site.report(monitor=monitor, **different).status is status
    assert site.events.of(REGION_SAMPLED) + site.events.of(REGION_UNHEALTHY) == []


def test_an_old_signature_and_none_are_refused(site: Site) -> None:
    body = json.dumps({"plan": "orders", "region": EAST, "health": "unhealthy"}).encode()
    old = sign(KEYS["webhook-pingdom"], body, site.clock.now() - timedelta(minutes=6))
    for headers in ({SIGNATURE: old}, {}):
        request = Request("POST", "/webhook/pingdom", headers=headers, body=body)
        ports = site.ports()
        found = handle_request(ports, [site.plan], request, lambda: KEYS, Deadline.after(ports, 20))
        assert found.status is HTTPStatus.FORBIDDEN
    assert site.request("GET", "/webhook/pingdom").status is HTTPStatus.METHOD_NOT_ALLOWED


def test_the_page_key_signs_no_report(site: Site) -> None:
    """'webhook-' stands before a monitor's name: no monitor can be called 'page'."""
    assert site.report(monitor="page").status is HTTPStatus.FORBIDDEN


def test_after_the_yes_the_failback_runs(site: Site) -> None:
    site.request("POST", "/proposal", site.said(answer="approve", by="Mia"))
    site.tick()
    site.deliver_switch()
    assert site.moved_to() == EAST
    assert site.state.active == EAST != WEST
