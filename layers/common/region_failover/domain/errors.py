"""Every error that this product raises on purpose.

RegionFailoverError
├── ConfigurationError      settings of ours are wrong: nothing starts
│   └── PlanError           a plan file is wrong (file, key, problem, allowed)
├── MalformedEvent          what started us is no event that we know: retried, then the DLQ
├── StateUnavailable        the state table did not answer: hold, raise, be retried
├── StateConflict           the record kept changing under us: raise, be retried
├── LeaseEnded             our lease ended before an effect: nothing is done, another worker goes on
├── FenceRefused            Route 53 refused the batch: the world is not what the snapshot saw
├── RuleRefused             ARC refused routing controls' states, such as by a safety rule: told in its words
├── NoEvidence              a check has nothing to say: neither well nor unwell
├── NotAnswerable           a human's request that nothing there answers to: said back to whoever asked
├── RemoteFailure           a remote call failed; carries a Symptom
└── OutOfTime               the outer deadline passed: raise, be retried
"""

from __future__ import annotations

from dataclasses import dataclass

from region_failover.domain.symptom import Symptom


class RegionFailoverError(Exception):
    """Base of the errors raised on purpose."""


class ConfigurationError(RegionFailoverError):
    """Settings of ours are wrong; says what, where, what is allowed and what to do."""


@dataclass
class PlanError(ConfigurationError):
    """A plan file is wrong."""

    file: str
    key: str
    problem: str
    allowed: str

    def __str__(self) -> str:
        """Return one line: file, key, problem, what is allowed."""
        return f"{self.file}: {self.key}: {self.problem}; allowed: {self.allowed}"


class MalformedEvent(RegionFailoverError):
    """What started us is no event that we know."""


class StateUnavailable(RegionFailoverError):
    """The state table did not answer."""


class StateConflict(RegionFailoverError):
    """The record kept changing under us."""


class LeaseEnded(RegionFailoverError):
    """Our lease ended before an effect; nothing was done, and another worker goes on."""


class FenceRefused(RegionFailoverError):
    """Route 53 refused the batch whole: what is there is not what the snapshot saw."""


class RuleRefused(RegionFailoverError):
    """ARC refused to set routing controls, such as by a safety rule; says so in its own words."""


class NoEvidence(RegionFailoverError):
    """A check has nothing to say, and why: it counts neither for nor against a Region."""


class NotAnswerable(RegionFailoverError):
    """A human's request that nothing there answers to: no such proposal (any more), no record yet."""


class RemoteFailure(RegionFailoverError):
    """A remote call failed."""

    def __init__(self, symptom: Symptom) -> None:
        """Keep the symptom, so that the domain can say whose fault it is."""
        super().__init__(str(symptom))
        self.symptom = symptom


class OutOfTime(RegionFailoverError):
    """The outer deadline passed."""
