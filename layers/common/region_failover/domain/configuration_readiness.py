"""Would secrets and hooks work if they had to, now? See domain/readiness.py for all else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from region_failover.domain.configuration import SecretSwitch
from region_failover.domain.hooks import Hook
from region_failover.domain.plan import Plan
from region_failover.domain.readiness import Finding, error, note, warning
from region_failover.domain.state import PlanState


@dataclass(frozen=True, slots=True)
class Function:
    """A Lambda function. `state`: as Lambda says; `timeout_s`: how long it may run."""

    state: str
    timeout_s: int


def of_secret(
    plan: Plan, state: PlanState | None, secret: SecretSwitch, found: Mapping[str, str | None]
) -> Iterator[Finding]:
    """Yield what is wrong with a secret, by Region; a value is '' where it is none of the plan's."""
    for region, value in found.items():
        subject = f"secret {secret.name} in {region}"
        if value is None:
            yield error(subject, "does not exist", "create it with what names the active Region")
        elif not value:
            yield error(
                subject,
                "holds a value that is in no plan" + (f" at {secret.key!r}" if secret.key else ""),
                "put the plan's value there, or correct the plan: a move would leave it alone",
            )
        elif state is not None and value != secret.value(plan.regions, state.active) and not state.owed:
            yield warning(
                subject,
                f"names another Region than {state.active}, where the traffic is",
                "a tick should put it right; look why not",
            )


def of_hook(hook: Hook, found: Mapping[str, Function | None]) -> Iterator[Finding]:
    """Yield what is wrong with a hook's function, by the Regions that it may be called in."""
    for region, function in found.items():
        subject = f"hook {hook.name}: function {hook.function} in {region or 'the control Region'}"
        if function is None:
            yield error(subject, "does not exist", "deploy it there, or take the hook out of the plan")
            continue
        if function.state != "Active":
            yield warning(subject, f"is {function.state}", "its first call may fail; call it once by hand")
        waits_s = hook.timeout.total_seconds()
        if function.timeout_s > waits_s:
            yield note(
                subject,
                f"may run for {function.timeout_s} s, and is waited for {waits_s:g} s",
                "what it answers later is not heard: a hook is asked or told again under the same key",
            )
