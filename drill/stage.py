"""What all scenarios share: steady before, a fault, what must hold during it, a repair, steady after.

    stage.begin()                                   the primary serves, all that points somewhere agrees
    outage = stage.strike("it dies", dead(PRIMARY)) the fault; the report's times count from the first one
    stage.await_failover(outage)                    the traffic is on the standby, and the record says so
    stage.heal(outage)                              the repair
    stage.await_failback()                          the traffic is home, without one failed request
    stage.finish(["failover", "failback"])          all at rest: records, history, queues, mail, requests

Waits are generous and conditions exact: a slow machine makes a scenario slower, not different.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from drill import expect, layout
from drill.faults import Fault
from drill.measure import measure_downtime, measure_failover, measure_return, served_by
from drill.phases import Phases
from drill.report import Check, Report
from drill.steady import all_good_from, first_failed, first_good, wait_for
from drill.world import World

STEADY_S = 5.0
ON_STANDBY_S = 4.0
AT_LEAST = 10
LET_GO_S = 1.0  # a request that hung fails right after the repair: it belongs to the outage
BEGIN_WITHIN_S = 60.0
SWITCH_WITHIN_S = 120.0
FAILBACK_WITHIN_S = 240.0
CONFIRM_S = 5.0  # the plan's confirm_for
NEEDED = 3  # the plan's `needed`


@dataclass(frozen=True, slots=True)
class Strike:
    """Faults in force, the phase they began, and when they struck: on the monotonic clock."""

    event: str
    phase: str
    fault_ids: tuple[int, ...]
    at: float


class Stage:
    """A world, its report, its phases: what a scenario acts on."""

    def __init__(self, world: World, report: Report) -> None:
        """Act on this world; write what is found into this report."""
        self.world = world
        self.report = report
        self.phases = Phases(world.clients)
        self._strikes: list[Strike] = []

    def check(self, name: str, passed: bool, detail: str = "") -> bool:
        """Assert something; return whether it holds."""
        self.report.checks.append(Check(name, passed, detail))
        return passed

    def checks(self, *found: Check) -> None:
        """Add assertions made elsewhere."""
        self.report.checks += found

    def say(self, doing: str) -> None:
        """Tell whoever watches where the rehearsal stands."""
        self.world.journal.phase(doing)

    def wait(self, name: str, question: Callable[[], bool], within_s: float, detail: str = "") -> bool:
        """Assert that something comes true in time."""
        return self.check(name, wait_for(question, within_s), detail)

    def stay(self, seconds: float) -> None:
        """Let time pass in which something must not happen."""
        time.sleep(seconds)

    # Steady state.

    def begin(self) -> None:
        """Assert the steady state before: the primary serves, the probe finds both Regions healthy."""
        self.say("steady state: the primary serves both applications")
        self.world.tick("Failback")
        self.world.tick("HealthProbe", wait=False)
        self.report.notes.append(
            "The first tick of the schedules was given by hand (as `aws lambda invoke` would); the others are"
            " the rules' own."
        )
        self.world.start_clients()
        self.wait(
            "before: the probe finds both Regions healthy",
            lambda: all(self.seen(region) == "healthy" for region in layout.REGIONS),
            BEGIN_WITHIN_S,
        )
        wait_for(lambda: all(client.answers() for client in self.world.clients.values()), 5)
        self.phases.enter("before")
        self.served_steadily("before", layout.PRIMARY)
        self.checks(
            expect.points_at(self.world, "before", layout.PRIMARY, 0),
            expect.is_at_rest(self.world, "before", layout.PRIMARY, 0),
        )

    def served_steadily(self, phase: str, region: str, seconds: float = STEADY_S) -> None:
        """Assert that for some time every request of this phase is answered well by this Region."""
        enough = (seconds / 0.25) / 2  # a busy machine's clients are slower

        def is_enough() -> bool:
            counts = [len(self.phases.answers(client, phase)) for client in self.world.clients]
            return min(counts) >= max(enough, AT_LEAST)

        time.sleep(seconds)
        wait_for(is_enough, 30)
        role = "primary" if region == layout.PRIMARY else "standby"
        for client in self.world.clients:
            ok, detail = all_good_from(self.phases.answers(client, phase), region, AT_LEAST)
            self.check(f"{phase}: {client} is served by the {role}", ok, detail)

    # Faults and repairs.

    def strike(self, event: str, *faults: Fault, phase: str = "outage") -> Strike:
        """Put faults in force, begin a phase; the first strike is the moment that times count from."""
        at = self.phases.enter(phase)
        found = self._put_in_force(event, faults, phase, at)
        self.world.journal.fault(event)
        return found

    def disturb(self, event: str, *faults: Fault) -> Strike:
        """Put faults in force that no client should feel: no phase of their own, no moment to count from."""
        found = self._put_in_force(event, faults, "", time.monotonic())
        self.world.journal.note(event, style="bold yellow")
        return found

    def _put_in_force(self, event: str, faults: Sequence[Fault], phase: str, at: float) -> Strike:
        found = Strike(event, phase, tuple(self.world.faults.add(fault) for fault in faults), at)
        self._strikes.append(found)
        return found

    def heal(self, strike: Strike, event: str, phase: str = "repaired") -> float:
        """Lift the faults; begin a phase once what hung is let go; return the repair's monotonic moment."""
        at = time.monotonic()
        self.lift(strike, event)
        time.sleep(LET_GO_S)
        self.phases.enter(phase)
        return at

    def lift(self, strike: Strike, event: str) -> None:
        """Lift faults, in the order in which they were put in force; no phase begins."""
        for fault_id in strike.fault_ids:
            self.world.faults.remove(fault_id)
        self.world.journal.note(event, style="bold green")

    def hits(self, strike: Strike) -> int:
        """Return how many calls the faults have struck: none means that nothing was rehearsed."""
        return sum(self.world.faults.hits(fault_id) for fault_id in strike.fault_ids)

    # What the product knows.

    def seen(self, region: str) -> str:
        """Return the newest sample's health of a Region: healthy, unhealthy, unknown; '' before the first."""
        return str(self.world.health().get(region, {}).get("health", ""))

    def is_decided(self, region: str) -> bool:
        """Return whether the recorded samples decide that a Region is down: K of N, for confirm_for."""
        found = self.world.health().get(region)
        if not found or found["health"] != "unhealthy":
            return False
        return list(found["recent"]).count("unhealthy") >= NEEDED and _lasted(found) >= CONFIRM_S

    def told(self, text: str) -> bool:
        """Return whether a notification's subject holds this text."""
        return any(text in mail["Subject"] for mail in self.world.notifications())

    def completed(self, number: int) -> bool:
        """Return whether that many transitions are complete."""
        return len(self.world.transitions()) >= number

    def open_steps(self) -> dict[str, dict[str, Any]]:
        """Return the steps of the open transition by kind (ssm: by kind and Region); none if none is open."""
        found = (self.world.state() or {}).get("transition") or {"steps": []}
        return {f"{step['kind']} {step['region']}".strip(): step for step in found["steps"]}

    def is_step(self, key: str, status: str) -> bool:
        """Return whether a step of the open transition has this status."""
        return bool(self.open_steps().get(key, {}).get("status") == status)

    def ask(
        self, function: str, event: dict[str, Any], reason: str, phase: str, what: str = "an alarm"
    ) -> None:
        """Start a function by hand with an event; assert that it holds for this reason."""
        answer = self.world.invoke(function, event)
        ok = isinstance(answer, list) and [d["reason"] for d in answer] == [reason]
        self.check(f"{phase}: {what} makes {function} look, and it holds: {reason}", ok, json.dumps(answer))

    # Humans.

    def operate(self, action: str, what: str, *, refused: str = "", **more: str) -> None:
        """Ask the operator function; assert that it does so, or refuses with these words."""
        answer = self.world.invoke("Operator", {"action": action, "plan": layout.PLAN, **more})
        said = str((answer or {}).get("refused", ""))
        ok = refused in said if refused else bool(answer) and not said
        words = f"refused: {refused}" if refused else "taken"
        self.check(f"{action}: {what} is {words}", ok and bool(said) == bool(refused), json.dumps(answer))

    def await_proposal(self, other_than: str = "", within_s: float = 240.0) -> str:
        """Assert that a failback is proposed and told; return the proposal's id."""

        def waiting() -> str:
            found = (self.world.state() or {}).get("proposal") or {}
            return str(found.get("id", "")) if found.get("id") != other_than else ""

        again = " anew" if other_than else ""
        self.wait(f"the failback is proposed{again}", lambda: bool(waiting()), within_s)
        proposal = waiting()
        self.wait(f"the proposal{again} is told", lambda: self.told(f"proposal {proposal}"), 30)
        return proposal

    def stays_at_standby(self, phase: str, epoch: int) -> None:
        """Assert that no transition is open or was made since this epoch, and the standby serves."""
        self.checks(*expect.nothing_moved(self.world, phase, epoch, layout.STANDBY))

    def proposal_mails(self, proposal: str, then: str = "") -> list[str]:
        """Return the subjects that are to be told of a proposal, and of what became of it."""
        asked = f"shall the traffic return to {layout.PRIMARY}? proposal {proposal}"
        return [asked, *([f"proposal {proposal} is {then}"] if then else [])]

    # Moves.

    def await_failover(
        self,
        strike: Strike,
        *,
        to: str = layout.STANDBY,
        number: int = 1,
        phase: str = "on-standby",
        stale: Sequence[str] = (layout.PRIMARY,),
        within_s: float = SWITCH_WITHIN_S,
    ) -> bool:
        """Assert that clients fail, then are served by the other Region, then that all points there.

        `stale`: Regions whose parameter is owed, because they are dead.
        """
        role = "standby" if to == layout.STANDBY else "primary"
        clients = self.world.clients.values()
        switched = wait_for(lambda: all(first_good(c.answers(), strike.at, to) for c in clients), within_s)
        completed = wait_for(lambda: self.completed(number), 60)
        self.phases.enter(phase)
        orders = self.world.clients["orders"].answers()
        self.check(f"{strike.phase}: clients' requests fail", bool(first_failed(orders, strike.at)))
        self.check(f"{strike.phase}: both applications are served by the {role} before the repair", switched)
        self.check(f"{strike.phase}: the failover is complete", completed)
        if number == 1:  # the report's times are those of the first
            measure_failover(self.world, self.report, strike.at)
        self.say(f"{to} serves; {expect.other(to)} is still dead")
        during = "during" if phase == "on-standby" else phase
        self.served_steadily(phase, to, ON_STANDBY_S)
        self.checks(expect.points_at(self.world, during, to, number, stale))
        self._owes(during, stale)
        return switched and completed

    def _owes(self, phase: str, stale: Sequence[str]) -> None:
        owed = [f"{step['kind']} {step['region']}" for step in (self.world.state() or {}).get("owed", [])]
        name = "the dead Region's parameter is owed, and stopped nothing" if stale else "nothing is owed"
        self.check(f"{phase}: {name}", owed == [f"ssm {region}" for region in stale], ", ".join(owed))

    def await_failback(
        self, repaired: float, *, number: int = 2, within_s: float = FAILBACK_WITHIN_S
    ) -> bool:
        """Assert that the traffic comes home by itself, without one failed request since the repair."""
        self.say("waiting for sustained health and the failback")
        done = self.wait("repair: the failback is complete", lambda: self.completed(number), within_s)
        if done:
            measure_return(self.report, self.world.transitions()[number - 1], self.world.wall(repaired))
        for name, client in self.world.clients.items():
            self.wait(
                f"failback: {name} comes home",
                lambda client=client: served_by(client.answers()) == layout.PRIMARY,  # type: ignore[misc]
                60,
            )
            failed = self.phases.failed(name, self.phases.names()[-1])
            self.check(f"failback: no request of {name} fails", not failed, f"{len(failed)} failed")
        return done

    # The end.

    def finish(
        self,
        directions: Sequence[str],
        *,
        region: str = layout.PRIMARY,
        fail_only_in: Collection[str] = ("outage",),
        dead_letters: Sequence[str] = (),
        told: Sequence[str] = (),
    ) -> None:
        """Assert that all is steady again, and count the requests.

        `directions`: of the transitions expected, oldest first; `dead_letters`: texts of those expected;
        `told`: subjects of what was to be told beside the transitions themselves.
        """
        self.say("steady again; the requests, counted")
        wait_for(lambda: expect.is_at_rest(self.world, "", region, len(directions)).passed, 90)
        self.phases.enter("after")
        self.served_steadily("after", region)
        self.checks(
            expect.points_at(self.world, "after", region, len(directions)),
            expect.is_at_rest(self.world, "after", region, len(directions)),
            expect.transitions_are(self.world, "after", directions),
            expect.no_dead_letters(self.world, dead_letters),
            expect.only_told(self.world, told),
            self._struck(),
            expect.nothing_told_twice(self.world),
        )
        self.count_requests(fail_only_in)

    def _struck(self) -> Check:
        # A strike without faults is a scenario's own doing (names, roles): it proves that by itself.
        missed = [strike.event for strike in self._strikes if strike.fault_ids and not self.hits(strike)]
        return Check("every fault has struck", not missed, "; ".join(missed))

    def count_requests(self, fail_only_in: Collection[str]) -> None:
        """Put the requests into the report, and assert in which phases alone one may have failed."""
        self.report.requests = self.phases.requests()
        failed: dict[str, int] = dict(self.report.requests["failed"])  # type: ignore[call-overload]
        elsewhere = {phase: n for phase, n in failed.items() if n and phase not in fail_only_in}
        name = f"requests fail in no phase but: {', '.join(fail_only_in) or 'none'}"
        self.check(name, not elsewhere, json.dumps(failed))
        measure_downtime(self.world, self.report)


def _lasted(found: dict[str, Any]) -> float:
    from drill.measure import wall

    since, last = wall(found["since"]), wall(found["last_at"])
    return 0.0 if since is None or last is None else last - since
