"""A plan's Route 53 records: what may be said, how it is read, and what is refused by file and key."""

from __future__ import annotations

import pytest

from region_failover.adapters.plan_files import read_plans
from region_failover.domain.errors import PlanError
from region_failover.domain.plan import Role, Route53Record
from region_failover.domain.plan_file import MOST_RECORDED, parse_plan
from region_failover.domain.record_set import Alias
from region_failover.domain.zone import canonical, fence_name
from tests.fakes import PLAN_TEXT, ZONE

HEAD, _, TAIL = PLAN_TEXT.partition("[[switch.route53_record]]")
REST = TAIL[TAIL.index("[[switch.linode_record]]") :]
KEY = "switch.route53_record[0]."


def plan_of(*bodies: str, name: str = "orders") -> str:
    records = "".join(f'[[switch.route53_record]]\nzone_id = "{ZONE}"\n{body}\n' for body in bodies)
    return (HEAD + records + REST).replace('name = "orders"', f'name = "{name}"', 1)


def read(*bodies: str) -> Route53Record:
    return parse_plan(plan_of(*bodies), "orders.toml").route53_records[0]


def refused(*bodies: str) -> PlanError:
    with pytest.raises(PlanError) as caught:
        parse_plan(plan_of(*bodies), "orders.toml")
    assert caught.value.file == "orders.toml"
    return caught.value


def body(kind: str = "A", name: str = "api.example.com", **keys: str) -> str:
    said = {"primary": '["192.0.2.10"]', "standby": '["198.51.100.10"]', **keys}
    lines = [f"{key} = {value}" for key, value in said.items() if value]
    return "\n".join([f"name = '{name}'", f'type = "{kind}"', *lines])


EAST_LB = '{ alias = "Use1.elb.example.net.", zone_id = "Z1" }'
WEST_LB = '{ alias = "usw2.elb.example.net", zone_id = "Z2", evaluate_target_health = true }'
CDN = '{ alias = "d1.cloudfront.net", zone_id = "Z2FDTNDATAQYW2" }'


def test_without_a_ttl_the_one_that_is_there_is_kept() -> None:
    assert read(body()).ttl is None
    assert read(body(ttl="0")).ttl == 0


def test_an_alias_is_read_with_zone_and_evaluation() -> None:
    record = read(body(primary=EAST_LB, standby=WEST_LB))
    assert record.alias(Role.PRIMARY) == Alias("Z1", "use1.elb.example.net", None)
    assert record.alias(Role.STANDBY) == Alias("Z2", "usw2.elb.example.net", True)
    assert (record.primary, record.standby, record.ttl) == ((), (), None)


def test_an_alias_in_one_region_and_values_in_the_other_leave_nothing_to_guess() -> None:
    record = read(body(standby=WEST_LB, ttl="60"))
    assert (record.primary, record.aliases) == (
        ("192.0.2.10",),
        (None, Alias("Z2", "usw2.elb.example.net", True)),
    )
    assert read(body(standby=EAST_LB, weighted="true")).weighted  # each of a pair keeps what it is


def test_a_set_of_a_routing_policy_is_named_by_its_identifier() -> None:
    assert read(body(set_identifier='"use1 latency"')).set_identifier == "use1 latency"
    assert read(body()).set_identifier == ""


@pytest.mark.parametrize(
    ("kind", "primary", "standby"),
    [
        ("AAAA", '["2001:db8::1", "2001:db8::2"]', '["2001:db8::9"]'),
        ("CNAME", '["use1.example.net"]', '["usw2.example.net."]'),
        ("PTR", '["use1.example.net"]', '["usw2.example.net"]'),
        ("TXT", "['\"region=us-east-1\"']", '[\'"a" "b c"\', \'"say \\"hi\\" \\303\\274"\']'),
        ("MX", '["10 mail1.example.com", "20 mail2.example.com"]', '["10 mail.example.net"]'),
        ("SRV", '["1 10 5269 use1.example.com"]', '["1 10 5269 usw2.example.com"]'),
        ("CAA", "['0 issue \"ca.example.com\"']", "['128 issuewild \";\"']"),
    ],
)
def test_values_of_every_type_are_read_as_they_stand(kind: str, primary: str, standby: str) -> None:
    record = read(body(kind, primary=primary, standby=standby))
    assert record.type == kind
    assert record.primary
    assert record.standby
    assert set(record.primary).isdisjoint(record.standby)


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("bücher.example", "xn--bcher-kva.example"),
        ("XN--bcher-KVA.example", "xn--bcher-kva.example"),
        ("api.例え.テスト", "api.xn--r8jz45g.xn--zckzah"),
        ("*.example.com", "*.example.com"),
        (r"\052.example.com", "*.example.com"),
        (r"a\100b.example.com", "a@b.example.com"),
        ("example.com", "example.com"),
    ],
)
def test_names_are_compared_in_one_form_however_they_are_written(written: str, read_as: str) -> None:
    record = read(body(name=written))
    assert canonical(record.name) == read_as
    assert fence_name([record]) == f"_region-failover.{read_as.removeprefix('*.')}"


def test_a_unicode_name_and_its_xn_form_are_one_record() -> None:
    error = refused(body(name="bücher.example"), body(name="xn--bcher-kva.example"))
    assert error.problem == f"zone {ZONE}: xn--bcher-kva.example A stands twice"


def test_a_unicode_target_is_stored_in_its_xn_form() -> None:
    record = read(body("CNAME", primary='["bücher.example"]', standby='["usw2.example.net"]'))
    assert record.primary == ("xn--bcher-kva.example",)


@pytest.mark.parametrize(
    ("said", "key", "allowed"),
    [
        (body(name="straße.example"), "name", "'xn--' form"),
        (body(name="a..example.com"), "name", "fully qualified"),
        (body(name=".".join(["a" * 60] * 5) + ".com"), "name", "fully qualified"),
        (body(primary=EAST_LB, standby=EAST_LB.replace("Use1", "USE1")), "standby", "the other Region"),
        (
            body("CNAME", primary='["a.example.net"]', standby='["A.example.net."]'),
            "standby",
            "the other Region",
        ),
        (body(primary=EAST_LB, standby=WEST_LB, ttl="60"), "ttl", "no ttl"),
        (body(standby=WEST_LB), "ttl", "seconds"),
        (body(standby=EAST_LB, ttl="60"), "standby.evaluate_target_health", "true, false"),
        (body(primary=EAST_LB, ttl="60"), "primary.evaluate_target_health", "true, false"),
        (body(primary='{ alias = "x.example.net" }'), "primary.zone_id", "hosted zone's id"),
        (body(primary='{ zone_id = "Z1" }'), "primary.alias", "fully qualified"),
        (body(primary='{ alias = "x.example.net", zone_id = "z" }'), "primary.zone_id", "hosted zone's id"),
        (body(primary=EAST_LB.replace("zone_id", "zone")), "primary.zone", "alias, zone_id"),
        (body(primary=CDN.replace("Z2FD", "Z1")), "primary.zone_id", "Z2FDTNDATAQYW2"),
        (
            body(primary=CDN.replace(" }", ", evaluate_target_health = true }"), standby=WEST_LB),
            "primary.evaluate_target_health",
            "false",
        ),
        (body(standby=f'{{ alias = "API.example.com", zone_id = "{ZONE}" }}'), "standby", "another record"),
        (body(weighted="true", set_identifier='"x"'), "set_identifier", "identifiers = "),
        (body(set_identifier='""'), "set_identifier", "1 to 128"),
        (body(set_identifier='"' + "x" * 129 + '"'), "set_identifier", "1 to 128"),
        (body("TXT", primary='["plain"]', standby="['\"x\"']"), "primary", "double quotes"),
        (body("TXT", primary="['\"" + "x" * 256 + "\"']", standby="['\"x\"']"), "primary", "double quotes"),
        (body("TXT", primary="['\"ü\"']", standby="['\"x\"']"), "primary", "double quotes"),
        (body("MX", primary='["mail.example.com"]', standby='["1 m.example.com"]'), "primary", "a priority"),
        (body("MX", primary='["10 192.0.2.1"]', standby='["1 m.example.com"]'), "primary", "domain name"),
        (body("SRV", primary='["1 2 x.example.com"]', standby='["1 1 1 y.example.com"]'), "primary", "port"),
        (body("CAA", primary='["0 issue ca"]', standby="['0 issue \";\"']"), "primary", "issue"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_key(said: str, key: str, allowed: str) -> None:
    error = refused(said)
    assert error.key == KEY + key
    assert allowed in error.allowed


def test_sets_of_one_name_are_different_records_and_a_whole_one_beside_them_is_not() -> None:
    use1, usw2 = (body(set_identifier=f'"{name}"') for name in ("use1", "usw2"))
    assert len(parse_plan(plan_of(use1, usw2), "orders.toml").route53_records) == 2
    for bodies in ((use1, use1), (use1, body()), (body(), use1), (body(weighted="true"), use1)):
        assert "stands twice" in refused(*bodies).problem


def test_a_cname_stands_alone() -> None:
    cname = body("CNAME", primary='["a.example.net"]', standby='["b.example.net"]')
    for bodies in ((cname, body()), (body(), cname)):
        assert refused(*bodies).problem == f"zone {ZONE}: api.example.com is a CNAME and has another type"


def values(count: int, first: int) -> str:
    return "[" + ", ".join(f'"192.0.{first}.{n}"' for n in range(count)) + "]"


def test_the_batch_that_reasserts_must_fit_as_well_as_the_one_that_switches() -> None:
    """Few values in one Region and many in the other: the switch would fit, what proves it would not."""
    bodies = [body(name=f"n{n}.example.com", standby=values(100, 9)) for n in range(4)]
    assert parse_plan(plan_of(*bodies), "orders.toml")
    assert "has 1002 values" in refused(*bodies, body(name="x.example.com", standby=values(100, 9))).problem


def test_aliases_count_too() -> None:
    bodies = [body(name=f"n{n}.example.com", primary=EAST_LB, standby=WEST_LB) for n in range(500)]
    assert parse_plan(plan_of(*bodies[:499]), "orders.toml")
    assert "has 1002 values" in refused(*bodies).problem


def test_a_plan_whose_snapshots_would_not_fit_into_its_record_is_refused() -> None:
    long = f"{'a' * 60}.{'b' * 60}.{'c' * 60}.example.com"
    text = HEAD + REST.join(
        [
            "".join(
                f'[[switch.route53_record]]\nzone_id = "Z{n % 3}"\n'
                + body(name=f"n{n}.{long}", primary=EAST_LB.replace("Use1", long), standby=WEST_LB)
                + "\n"
                for n in range(990)
            ),
            "",
        ]
    )
    with pytest.raises(PlanError) as caught:
        parse_plan(text + REST, "orders.toml")
    assert caught.value.allowed.startswith(f"at most {MOST_RECORDED // 1000} KB")


class _File:
    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text

    def read_text(self, encoding: str) -> str:
        return self.text


def both(one: str, other: str) -> None:
    texts = [plan_of(one), plan_of(other, name="payments").replace(REST, "")]
    read_plans([_File("a.toml", texts[0]), _File("b.toml", texts[1])])  # type: ignore[list-item]


def test_two_plans_may_switch_a_set_each_of_one_name_only_with_a_fence_each() -> None:
    use1, usw2 = (body(set_identifier=f'"{name}"') for name in ("use1", "usw2"))
    with pytest.raises(PlanError, match=r"_region-failover\.api\.example\.com"):
        both(use1, usw2)  # the fence bears the first name of each plan


def test_a_plan_that_has_a_record_excludes_another_that_has_a_set_of_it() -> None:
    with pytest.raises(PlanError, match=r"a set of plan 'orders', or the reverse"):
        both(body(), body(set_identifier='"use1"'))
