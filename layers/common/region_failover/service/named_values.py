"""One value that names the active Region, in one Region: a parameter or a secret, read and written alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from region_failover.domain.configuration import NamedValue, SecretSwitch, version_token
from region_failover.domain.errors import LeaseEnded, RemoteFailure
from region_failover.domain.plan import Plan
from region_failover.domain.state import Step, StepKind
from region_failover.domain.symptom import Kind, Symptom
from region_failover.ports import Ports, SecretState

# The kinds of step that write such a value.
VALUES = frozenset({StepKind.SSM, StepKind.SECRET})

# Somebody may have put a version between our look and our exchange; who does so twice is at it himself.
TRIES = 2


class Place(Protocol):
    """Where such a value is kept."""

    def named(self) -> str | None:
        """Return the Region that it names, '' if it names none of the plan's, None if it is not there."""
        ...

    def name(self, active: str) -> str:
        """Have it name this Region; return what is worth knowing of how that went."""
        ...


def place_of(ports: Ports, plan: Plan, step: Step, epoch: int) -> Place:
    """Return where a step's value is; `epoch`: on whose behalf it is written.

    Raises RemoteFailure where the plan has it no more: nobody knows what to write then.
    """
    kind: type[_Parameter | _Secret] = _Parameter if step.kind is StepKind.SSM else _Secret
    found: tuple[NamedValue, ...] = plan.ssm_parameters if step.kind is StepKind.SSM else plan.secrets
    value = next((value for value in found if value.name == step.subject), None)
    if value is None:
        raise _failure("it is not in the plan any more; deploy a plan that has it, to finish this")
    return kind(ports, plan, step.region, value, epoch)


def _failure(detail: str) -> RemoteFailure:
    return RemoteFailure(Symptom(Kind.SETTINGS, detail=detail))


@dataclass(frozen=True, slots=True)
class _Kept:
    ports: Ports
    plan: Plan
    region: str
    what: NamedValue
    epoch: int

    def value(self, active: str) -> str:
        return self.what.value(self.plan.regions, active)

    def region_of(self, value: str) -> str:
        return next((region for region in self.plan.regions if self.value(region) == value), "")


@dataclass(frozen=True, slots=True)
class _Parameter(_Kept):
    """SSM has no compare-and-swap: whatever is there is overwritten."""

    def named(self) -> str | None:
        found = self.ports.parameters.read(self.region, self.what.name)
        return None if found is None else self.region_of(found)

    def name(self, active: str) -> str:
        self.ports.parameters.write(self.region, self.what.name, self.value(active))
        return ""


@dataclass(frozen=True, slots=True)
class _Secret(_Kept):
    """Secrets Manager exchanges one version for another: who has seen an older one is refused."""

    def named(self) -> str | None:
        found = self._read()
        return None if found is None else self.region_of(found.value)

    def name(self, active: str) -> str:
        note, value = "", self.value(active)
        for _ in range(TRIES):
            found = self._read()
            if found is None:
                raise _failure("there is no such secret, or it has no value")
            if found.value == value:
                return note
            if not found.value:
                raise _failure("it holds a value that is in no plan: it is left alone")
            token = version_token(self.plan.name, self.epoch, self.region, self._secret, value, found.version)
            if self.ports.secrets.replace(
                self.region, self.what.name, self._secret.key, value, found.version, token
            ):
                return note or f"in place of version {found.version}"
            note = f"somebody else put a version in place of {found.version}; it is kept"
            self._refuse_if_outdated()
        raise _failure(f"{note}; and another one after that: is it being rotated?")

    @property
    def _secret(self) -> SecretSwitch:
        return self.what if isinstance(self.what, SecretSwitch) else SecretSwitch(self.what.name, ())

    def _read(self) -> SecretState | None:
        known = self.what.values(self.plan.regions)
        return self.ports.secrets.read(self.region, self.what.name, self._secret.key, known)

    def _refuse_if_outdated(self) -> None:
        """Raise LeaseEnded where the version that came between may be a newer epoch's own (I2)."""
        state = self.ports.store.load_state(self.plan.name)
        if state is None or state.epoch != self.epoch:
            raise LeaseEnded(f"epoch {self.epoch} is over: what came between stays")
