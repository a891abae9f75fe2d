"""Records of every kind that Route 53 has, in any mixture: what a plan says of them, and what is there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from region_failover.domain.plan import Plan, Role, Route53Record
from region_failover.domain.record_set import Alias, RecordSet
from region_failover.domain.zone import answers, fence_name
from tests.fakes import PLAN, ZONE, FakeZones

OTHER = "Z2"
HEALTH = ("HealthCheckId", '"a1b2"')
POLICIES: list[tuple[tuple[str, str], ...]] = [
    (("Region", '"us-east-1"'),),
    (("Region", '"us-east-1"'), HEALTH),
    (("Failover", '"PRIMARY"'), HEALTH),
    (("GeoLocation", '{"CountryCode": "US", "SubdivisionCode": "NY"}'),),
    (("MultiValueAnswer", "true"), HEALTH),
    (("CidrRoutingConfig", '{"CollectionId": "c", "LocationName": "l"}'),),
]
LB_EAST, LB_WEST = Alias("Z35", "use1.elb.example.net"), Alias("Z1H", "usw2.elb.example.net")

TTLS = st.sampled_from([0, 30, 60, 300, 86400])
MAYBE_TTL = st.none() | TTLS
EVALUATED = st.none() | st.booleans()


@st.composite
def kinds(draw: st.DrawFn, number: int) -> tuple[Route53Record, tuple[RecordSet, ...]]:
    """A record of a plan, and the sets that a human has made for it, pointing at the primary."""
    name = draw(
        st.sampled_from([f"n{number}.example.com", f"*.n{number}.example.com", f"xn--{number}a.example.com"])
    )
    kind = draw(st.sampled_from(["A", "CNAME", "TXT"]))
    primary, standby = {
        "A": (("192.0.2.1", "192.0.2.2"), ("198.51.100.1",)),
        "CNAME": (("use1.example.net",), ("usw2.example.net",)),
        "TXT": (('"east"',), ('"west"',)),
    }[kind]
    ends: list[Any] = [primary, standby]
    form = draw(st.sampled_from(["values", "values", "alias", "to alias", "from alias"]))
    if form in {"alias", "from alias"}:
        ends[0] = replace(LB_EAST, evaluate=draw(EVALUATED if form == "alias" else st.booleans()))
    if form in {"alias", "to alias"}:
        ends[1] = replace(LB_WEST, evaluate=draw(EVALUATED if form == "alias" else st.booleans()))
    ttl = {"values": draw(MAYBE_TTL), "alias": None}.get(form, draw(TTLS))
    record = Route53Record(
        ZONE if number % 2 else OTHER,
        name,
        kind,
        ttl,
        ends[0] if isinstance(ends[0], tuple) else (),
        ends[1] if isinstance(ends[1], tuple) else (),
        aliases=tuple(end if isinstance(end, Alias) else None for end in ends),  # type: ignore[arg-type]
    )
    policy = draw(st.sampled_from(["simple", "set", "weighted set", "pair"]))
    kept = draw(st.sampled_from([(), (HEALTH,)]))
    if policy in {"set", "weighted set"}:
        record = replace(record, set_identifier="one")
        kept = draw(st.sampled_from(POLICIES)) if policy == "set" else kept
    if policy == "pair":
        record = replace(record, weighted=True)
    there = tuple(_as_a_human_made_it(draw, one, kept, policy) for one in answers(record, Role.PRIMARY))
    strangers: tuple[RecordSet, ...] = ()
    if policy in {"set", "weighted set"}:
        strangers = (replace(there[0], identifier="another", values=("192.0.2.77",), alias=None, ttl=7),)
    return record, (*there, *strangers)


def _as_a_human_made_it(
    draw: st.DrawFn, made: RecordSet, kept: tuple[tuple[str, str], ...], policy: str
) -> RecordSet:
    """Any TTL, any health check, any capital letters: whatever a plan does not speak of."""
    if policy == "pair":
        made = replace(made, weight=draw(st.integers(1, 255)) if made.weight else 0)
    if policy == "weighted set":
        made = replace(made, weight=draw(st.integers(0, 255)))
    if made.alias:
        return replace(made, kept=kept, alias=replace(made.alias, evaluate=draw(st.booleans())))
    values = made.values
    if made.type == "CNAME" and draw(st.booleans()):
        values = (values[0].title() + ".",)
    return replace(made, kept=kept, ttl=draw(TTLS), values=values)


@st.composite
def mixtures(draw: st.DrawFn) -> tuple[Plan, list[tuple[str, RecordSet]]]:
    """A plan with records of any kinds in two zones, and what is in these."""
    found = [draw(kinds(number)) for number in range(draw(st.integers(1, 6)))]
    records = tuple(record for record, _ in found)
    return replace(PLAN, route53_records=records, linode_records=()), [
        (record.zone_id, there) for record, sets in found for there in sets
    ]


def content(zones: FakeZones, plan: Plan) -> dict[str, set[RecordSet]]:
    """Everything in the zones but the plan's fences, to the letter."""
    fences = {zone_id: fence_name(records) for zone_id, records in plan.zones().items()}
    return {
        zone_id: {record for record in zone.values() if record.name != fences[zone_id]}
        for zone_id, zone in zones.zones.items()
    }
