"""The operator function's page and webhooks: a GET shows, and only a POST acts.

Mail scanners, link previews and browsers that look ahead send GETs; none of them may answer a proposal.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from html import escape
from http import HTTPStatus

from region_failover.domain.approval import why_not_answerable
from region_failover.domain.errors import MalformedEvent, NotAnswerable
from region_failover.domain.operation import Verb, read_operation
from region_failover.domain.plan import Plan
from region_failover.domain.state import Direction, PlanState, Proposal
from region_failover.domain.trigger import REGION_SAMPLED, REGION_UNHEALTHY, move_of, report_of
from region_failover.domain.vantage import MONITOR_PREFIX
from region_failover.domain.verdict import Health, Sample
from region_failover.domain.web import (
    MONITOR,
    PAGE_KEY,
    Report,
    Request,
    Response,
    is_token,
    read_monitors_report,
    signed_at,
    why_not_signed,
)
from region_failover.ports import Ports
from region_failover.service.operator import handle_operation
from region_failover.service.record import Deadline, load_state

# The secret's keys, by name: PAGE_KEY opens the pages, 'webhook-<monitor>' is what a monitor signs with.
Keys = Callable[[], Mapping[str, str]]

WEBHOOK_KEY = "webhook-"
SIGNATURE = "x-region-failover-signature"


def handle_request(
    ports: Ports, plans: Sequence[Plan], request: Request, keys: Keys, deadline: Deadline
) -> Response:
    """Answer one request; what is wrong with it is its sender's, and no error of ours."""
    if request.path == "/proposal":
        return _proposal(ports, plans, request, keys, deadline)
    if request.path.startswith("/webhook/"):
        return _webhook(ports, plans, request, keys)
    return _page(HTTPStatus.NOT_FOUND, "Nothing here", "<p>There is no such page.</p>")


# The page of a proposal


def _proposal(
    ports: Ports, plans: Sequence[Plan], request: Request, keys: Keys, deadline: Deadline
) -> Response:
    if request.method not in {"GET", "HEAD", "POST"}:
        return _page(HTTPStatus.METHOD_NOT_ALLOWED, "Not so", "<p>A GET shows, a POST answers.</p>")
    said = request.form if request.method == "POST" else request.query
    name, number, token = (said.get(key, "") for key in ("plan", "proposal", "token"))
    plan = next((plan for plan in plans if plan.name == name), None)
    if plan is None or not is_token(keys()[PAGE_KEY], name, number, token):
        return _page(HTTPStatus.FORBIDDEN, "Not so", "<p>This address opens nothing.</p>")
    if request.method == "POST":
        return _answer(ports, plans, said, deadline)
    state = load_state(ports, plan)
    why = why_not_answerable(state, number, ports.clock.now()) if state else "the plan has no record yet"
    if state is None or state.proposal is None or why:
        return _page(HTTPStatus.GONE, "Nothing to answer", f"<p>{escape(why)}.</p>")
    return _page(
        HTTPStatus.OK, f"{name}: shall the traffic return?", _form(plan, state, state.proposal, token)
    )


def _answer(ports: Ports, plans: Sequence[Plan], said: Mapping[str, str], deadline: Deadline) -> Response:
    asked = {
        "action": said.get("answer", ""),
        "plan": said["plan"],
        "proposal": said["proposal"],
        "by": said.get("by", ""),
    }
    try:
        if asked["action"] not in {Verb.APPROVE.value, Verb.REJECT.value}:
            raise MalformedEvent("approve or reject was expected")
        operation = read_operation(
            {**asked, "by": f"{asked['by'].strip()} (page)" if asked["by"].strip() else ""}
        )
        (done,) = handle_operation(ports, plans, operation, deadline)
    except MalformedEvent as error:
        return _page(HTTPStatus.BAD_REQUEST, "Not so", f"<p>{escape(str(error))}</p>")
    except NotAnswerable as error:
        return _page(HTTPStatus.CONFLICT, "Nothing to answer", f"<p>{escape(str(error))}.</p>")
    return _page(HTTPStatus.OK, "Answered", f"<p>{escape(said['plan'])}: {escape(str(done['done']))}.</p>")


def _form(plan: Plan, state: PlanState, proposal: Proposal, token: str) -> str:
    hidden = {"plan": plan.name, "proposal": proposal.id, "token": token}
    fields = "".join(
        f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in hidden.items()
    )
    return f"""<dl>
<dt>Plan</dt><dd>{escape(plan.name)}</dd>
<dt>The traffic is in</dt><dd>{escape(state.active)}</dd>
<dt>It would return to</dt><dd>{escape(proposal.target)}</dd>
<dt>Proposal</dt><dd><code>{escape(proposal.id)}</code>, made {proposal.made_at:%Y-%m-%d %H:%M} UTC</dd>
<dt>Expires</dt><dd>{proposal.expires_at:%Y-%m-%d %H:%M} UTC; unanswered, nothing moves</dd>
</dl>
<pre>{escape(proposal.evidence)}</pre>
<form method="post" action="/proposal">{fields}
<label>Your name, for the record <input name="by" required maxlength="100" autocomplete="name"></label>
<p><button name="answer" value="approve">Approve the failback</button>
<button name="answer" value="reject" class="no">Reject it</button></p>
</form>
<p>An answer is given once. What is approved runs at a next tick, if everything still holds then.</p>"""


STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem;color:#1f2328;"
    "background:#fff}h1{font-size:1.4rem}dt{font-weight:600;margin-top:.5rem}dd{margin:0}"
    "pre{white-space:pre-wrap;background:#f6f8fa;padding:1rem;border-radius:6px}"
    "input{font:inherit;padding:.4rem;border:1px solid #59636e;border-radius:6px}label{display:block}"
    "button{font:inherit;padding:.5rem 1rem;border:0;border-radius:6px;background:#1a7f37;color:#fff}"
    "button.no{background:#59636e;margin-left:.5rem}"
    "@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}pre{background:#161b22}"
    "input{color:inherit;background:#161b22}}"
)


def _page(status: HTTPStatus, title: str, body: str) -> Response:
    return Response(
        status,
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body><h1>{escape(title)}</h1>{body}</body></html>",
    )


# Webhooks of external monitors


def _webhook(ports: Ports, plans: Sequence[Plan], request: Request, keys: Keys) -> Response:
    monitor = request.path.removeprefix("/webhook/")
    if request.method != "POST":
        return _json(HTTPStatus.METHOD_NOT_ALLOWED, "a monitor sends its report by POST")
    secret = keys().get(f"{WEBHOOK_KEY}{monitor}", "") if MONITOR.fullmatch(monitor) else ""
    if not secret:
        return _json(HTTPStatus.FORBIDDEN, "no such monitor")
    now, signature = ports.clock.now(), request.headers.get(SIGNATURE, "")
    wrong = why_not_signed(secret, signature, request.body, now)
    if wrong:
        return _json(HTTPStatus.FORBIDDEN, wrong)
    try:
        report = read_monitors_report(request.body)
        plan = _plan_of(plans, report)
    except MalformedEvent as error:
        return _json(HTTPStatus.BAD_REQUEST, str(error))
    _pass_on(ports, plan, monitor, report, signed_at(signature, now))
    return _json(HTTPStatus.ACCEPTED, "taken in")


def _plan_of(plans: Sequence[Plan], report: Report) -> Plan:
    for plan in plans:
        if plan.name == report.plan:
            if report.region not in set(plan.regions):
                raise MalformedEvent(f"'region' is {report.region!r}; the plan's are {list(plan.regions)}")
            return plan
    raise MalformedEvent(f"there is no plan {report.plan!r}")


def _pass_on(ports: Ports, plan: Plan, monitor: str, report: Report, at: datetime) -> None:
    """Put the report where the probe takes it in, and give the failover function a reason to look.

    `at`: when it was signed. By the time of receipt an old report, sent again, would pass for a new one.
    """
    name = f"{MONITOR_PREFIX}{monitor}"
    sample = Sample(report.region, at, report.health, why=report.why)
    ports.events.put(REGION_SAMPLED, report_of(plan.name, name, {report.region: sample}))
    if report.health is Health.UNHEALTHY:
        other, why = plan.regions.other(report.region), f"{name} reports: {report.why}"[:1000]
        detail = move_of(plan.name, 0, Direction.FAILOVER, report.region, other, why, at)
        ports.events.put(REGION_UNHEALTHY, detail)


def _json(status: HTTPStatus, words: str) -> Response:
    key = "done" if status < HTTPStatus.BAD_REQUEST else "refused"
    return Response(status, json.dumps({key: words}), "application/json")
