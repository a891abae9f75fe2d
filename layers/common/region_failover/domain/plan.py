"""A plan: one application's Regions, checks, switches and policy, as the flows see it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from region_failover.domain.body import ANY, Body
from region_failover.domain.configuration import NamedValue, SecretSwitch
from region_failover.domain.hooks import Hook
from region_failover.domain.record_set import Alias
from region_failover.domain.window import Span, Weekly


class Role(StrEnum):
    """A Region's fixed role in a plan."""

    PRIMARY = "primary"
    STANDBY = "standby"


class FailoverMode(StrEnum):
    """Who may start a failover."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"


class FailbackMode(StrEnum):
    """Who may start a failback. APPROVAL: it is proposed, and run when a human has said yes."""

    AUTOMATIC = "automatic"
    APPROVAL = "approval"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Regions:
    """The two Regions between which traffic moves."""

    primary: str
    standby: str

    def of(self, role: Role) -> str:
        """Return the Region that has this role."""
        return self.primary if role is Role.PRIMARY else self.standby

    def other(self, region: str) -> str:
        """Return the Region that is not this one."""
        return self.standby if region == self.primary else self.primary

    def role(self, region: str) -> Role:
        """Return the role of one of the two Regions."""
        return Role.PRIMARY if region == self.primary else Role.STANDBY

    def __iter__(self) -> Iterator[str]:
        """Yield primary, then standby."""
        yield self.primary
        yield self.standby


@dataclass(frozen=True, slots=True)
class Policy:
    """When traffic may move.

    `automatic_per_day`: how many automatic transitions, either way, may begin within 24 hours;
    `fleet_brake`: where more percent of the stack's plans want to move at once, this one waits for a human,
    unless its own evidence is complete;
    `approval_expires`: for how long a proposed failback may be answered and, approved, be carried out;
    `failback_steps`: how many percent of the traffic of weighted records return at a time, rising to 100,
    none = all at once; `failback_step_for`: how long each must have gone well before the next;
    `failback_windows`: when a failback may begin without a human's own word, none = at any time;
    `failback_blackouts`: when it may not, whatever the windows say;
    `max_changes`: how many records and parameters one transition may change (`domain/preview.py`), None for
    no limit;
    `order`: 'together', or 'data-plane-first': records are changed once the data plane has moved;
    `check_answers`: a zone's step is done when its own name servers, too, answer as switched;
    `stranded_after`: a change that Route 53 has not brought everywhere by then is submitted again.
    """

    failover: FailoverMode = FailoverMode.AUTOMATIC
    failback: FailbackMode = FailbackMode.MANUAL
    healthy_for: timedelta = timedelta(minutes=20)
    cooldown: timedelta = timedelta(minutes=60)
    max_replication_lag: timedelta = timedelta(seconds=30)
    notify_again: timedelta = timedelta(minutes=60)
    automatic_per_day: int = 4
    fleet_brake: int = 50
    approval_expires: timedelta = timedelta(hours=24)
    failback_steps: tuple[int, ...] = ()
    failback_step_for: timedelta = timedelta(minutes=5)
    failback_windows: tuple[Weekly, ...] = ()
    failback_blackouts: tuple[Span, ...] = ()
    max_changes: int | None = None
    order: str = "together"
    check_answers: bool = True
    stranded_after: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How evidence is gathered and when it is enough.

    `every`: between rounds while all is well; `quick_every`: after a failed round, until it is decided;
    `timeout`: total deadline of one check, name resolution and a trickling server included; `needed` of the
    last `window` samples must have failed, the newest among them; `confirm_for`: how long the failure must
    have been unbroken, because from one vantage point a short partition looks just like an outage.
    """

    every: timedelta = timedelta(seconds=15)
    quick_every: timedelta = timedelta(seconds=5)
    timeout: timedelta = timedelta(seconds=2)
    needed: int = 3
    window: int = 5
    confirm_for: timedelta = timedelta(seconds=60)


class DegradationMode(StrEnum):
    """What follows when the active Region is degraded (`domain/degradation.py`)."""

    NOTIFY = "notify"
    FAILOVER = "failover"


@dataclass(frozen=True, slots=True)
class Degradation:
    """When a Region that is not down counts as degraded, and what follows then.

    `over`: the time that is looked at; the samples' `percentile` of that time must not take more than
    `slower_than` times as long as is usual, nor less than `at_least`; `errors`: percent of the samples of
    that time that fail, wholly or in part.
    """

    action: DegradationMode = DegradationMode.NOTIFY
    over: timedelta = timedelta(minutes=10)
    percentile: int = 75
    slower_than: int = 3
    at_least: timedelta = timedelta(milliseconds=500)
    errors: int = 25


@dataclass(frozen=True, slots=True)
class DynamoDbCheck:
    """The table answers a data-plane read in a Region.

    `replicas`: DynamoDB is also asked whether the replica there serves, by both Regions.
    """

    table: str
    replicas: bool = False


@dataclass(frozen=True, slots=True)
class HttpCheck:
    """The application's own endpoint answers with the expected status in a Region, and says what it shall.

    `within`: an answer that takes longer is a wrong one; `headers`: the name, in the stack's secret, of those
    that are sent along, '' for none.
    """

    primary: str
    standby: str
    status: int = 200
    body: Body = ANY
    within: timedelta | None = None
    headers: str = ""

    def url(self, role: Role) -> str:
        """Return the URL to look at for that role."""
        return self.primary if role is Role.PRIMARY else self.standby


@dataclass(frozen=True, slots=True)
class AlarmCheck:
    """What a CloudWatch alarm in each Region says of it. `standby` '': there is none to ask."""

    primary: str
    standby: str = ""

    def alarm(self, role: Role) -> str:
        """Return the alarm to ask in that role's Region, '' for none."""
        return self.primary if role is Role.PRIMARY else self.standby


@dataclass(frozen=True, slots=True)
class NodeBalancer:
    """One configuration (port) of a Linode NodeBalancer."""

    id: int
    config_id: int


@dataclass(frozen=True, slots=True)
class NodeBalancerCheck:
    """What Linode says of the NodeBalancers through which the application there is reached."""

    primary: NodeBalancer
    standby: NodeBalancer

    def balancer(self, role: Role) -> NodeBalancer:
        """Return the NodeBalancer to ask about for that role."""
        return self.primary if role is Role.PRIMARY else self.standby


@dataclass(frozen=True, slots=True)
class InstanceCheck:
    """What Linode says of the instances on which the application there runs; their ids."""

    primary: int
    standby: int

    def instance(self, role: Role) -> int:
        """Return the instance to ask about for that role."""
        return self.primary if role is Role.PRIMARY else self.standby


@dataclass(frozen=True, slots=True)
class Route53Record:
    """A record whose values point at one Region or the other.

    `ttl`: in seconds; None: the TTL that is there is kept;
    `weighted`: two weighted record sets, one for each role, between which the weights move the traffic;
    `identifiers`: their set identifiers, primary and standby;
    `set_identifier`: of the one set of a routing policy that is switched, '' for a simple record;
    `aliases`: what the record is an alias of, primary and standby, in place of values.
    """

    zone_id: str
    name: str
    type: str
    ttl: int | None
    primary: tuple[str, ...]
    standby: tuple[str, ...]
    weighted: bool = False
    identifiers: tuple[str, str] = ("primary", "standby")
    set_identifier: str = ""
    aliases: tuple[Alias | None, Alias | None] = (None, None)

    def identifier(self, role: Role) -> str:
        """Return the set identifier of that role's weighted record set."""
        return self.identifiers[0] if role is Role.PRIMARY else self.identifiers[1]

    def values(self, role: Role) -> tuple[str, ...]:
        """Return the values that point at that role's Region."""
        return self.primary if role is Role.PRIMARY else self.standby

    def alias(self, role: Role) -> Alias | None:
        """Return what the record is an alias of in that role, None where it has values."""
        return self.aliases[0] if role is Role.PRIMARY else self.aliases[1]


@dataclass(frozen=True, slots=True)
class LinodeRecord:
    """A record in Linode's DNS. `name` relative to the domain or fully qualified, '' the apex.

    `ttl_sec` from Linode's list, None = what is there is kept; `record_id`: which of several of that name and
    type, 0 = there is only one.
    """

    domain_id: int
    name: str
    type: str
    ttl_sec: int | None
    primary: str
    standby: str
    record_id: int = 0

    @property
    def key(self) -> tuple[object, ...]:
        """Return what no other record of a stack may have: domain, name, type, and the id if it has one."""
        named = (self.domain_id, self.name.rstrip(".").lower(), self.type)
        return (*named, self.record_id) if self.record_id else named

    def target(self, role: Role) -> str:
        """Return the target that points at that role's Region."""
        return self.primary if role is Role.PRIMARY else self.standby


@dataclass(frozen=True, slots=True)
class LinodeReboots:
    """Instances to reboot once the traffic has moved to a role's Region, `stagger` apart; their ids."""

    primary: tuple[int, ...]
    standby: tuple[int, ...]
    stagger: timedelta = timedelta(seconds=60)

    def instances(self, role: Role) -> tuple[int, ...]:
        """Return the instances to reboot after a move to that role's Region, in order."""
        return self.primary if role is Role.PRIMARY else self.standby


@dataclass(frozen=True, slots=True)
class SsmParameter(NamedValue):
    """A parameter that names the active Region, kept in one or several Regions."""


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """A PRIMARY/SECONDARY pair in Route 53 whose PRIMARY's health check follows a signal of ours.

    `follows`: 'alarm' (on a metric) or 'object' (`bucket`, `key`), in the control Region; `interval_s`
    between the looks of a check that follows an object, of which `threshold` in a row must agree
    (`domain/dataplane.py`).
    """

    zone_id: str
    name: str
    type: str
    primary: tuple[str, ...]
    standby: tuple[str, ...]
    follows: str = "alarm"
    bucket: str = ""
    key: str = ""
    interval_s: int = 30
    threshold: int = 3

    def values(self, role: Role) -> tuple[str, ...]:
        """Return the values that point at that role's Region."""
        return self.primary if role is Role.PRIMARY else self.standby


@dataclass(frozen=True, slots=True)
class RoutingControl:
    """Two routing controls of ARC, one for each role: their ARNs, and the cluster's endpoints as URLs.

    `override`: the ARNs of safety rules that may be overridden; none unless the plan names them.
    """

    primary: str
    standby: str
    endpoints: tuple[str, ...]
    override: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """One application's description. `control_targets`: URLs outside both Regions; any answer will do."""

    name: str
    regions: Regions
    policy: Policy
    sampling: Sampling
    dynamodb_checks: tuple[DynamoDbCheck, ...]
    http_checks: tuple[HttpCheck, ...]
    route53_records: tuple[Route53Record, ...]
    linode_records: tuple[LinodeRecord, ...]
    ssm_parameters: tuple[SsmParameter, ...]
    degradation: Degradation = Degradation()
    control_targets: tuple[str, ...] = ()
    alarm_checks: tuple[AlarmCheck, ...] = ()
    balancer_checks: tuple[NodeBalancerCheck, ...] = ()
    instance_checks: tuple[InstanceCheck, ...] = ()
    secrets: tuple[SecretSwitch, ...] = ()
    hooks: tuple[Hook, ...] = ()
    health_checks: tuple[HealthCheck, ...] = ()
    routing_controls: tuple[RoutingControl, ...] = ()
    linode_reboots: LinodeReboots | None = None

    @property
    def sends_headers(self) -> bool:
        """Return whether a check of this plan sends secret headers along."""
        return any(check.headers for check in self.http_checks)

    @property
    def checks_linode(self) -> bool:
        """Return whether a check of this plan asks Linode's API."""
        return bool(self.balancer_checks or self.instance_checks)

    @property
    def asks_linode(self) -> bool:
        """Return whether anything of this plan needs Linode's API, and so its token."""
        return self.switches_linode or self.checks_linode

    @property
    def switches_linode(self) -> bool:
        """Return whether a move of this plan changes anything at Linode."""
        return bool(self.linode_records or self.linode_reboots)

    def zones(self) -> dict[str, tuple[Route53Record, ...]]:
        """Return the records by hosted zone, in the plan's order."""
        zone_ids = dict.fromkeys(record.zone_id for record in self.route53_records)
        return {
            zone: tuple(record for record in self.route53_records if record.zone_id == zone)
            for zone in zone_ids
        }
