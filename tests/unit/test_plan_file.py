# ruff: noqa: E501  (a table reads better in one line per case)
"""A plan is refused with the exact key that is wrong, or accepted as it stands."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from region_failover.domain.errors import ConfigurationError, PlanError
from region_failover.domain.linode_file import LINODE_TTLS
from region_failover.domain.plan import FailbackMode, FailoverMode, Role
from region_failover.domain.plan_file import parse_plan
from tests.fakes import EAST, PLAN_TEXT, WEST, ZONE

HTTP = """[[check.http]]
primary = "https://use1.orders.example.com/health"
standby = "https://usw2.orders.example.com/health"
"""
DYNAMODB = """[[check.dynamodb]]
table = "orders"
"""
RECORD = PLAN_TEXT[PLAN_TEXT.index("[[switch.route53_record]]") : PLAN_TEXT.index("[[switch.linode_record]]")]
LINODE = PLAN_TEXT[PLAN_TEXT.index("[[switch.linode_record]]") : PLAN_TEXT.index("[[switch.ssm_parameter]]")]
SSM = PLAN_TEXT[PLAN_TEXT.index("[[switch.ssm_parameter]]") :]

R53, LIN, PAR = "switch.route53_record[0].", "switch.linode_record[0].", "switch.ssm_parameter[0]."

# (name, text to replace, its replacement, the key that the error must name)
WRONG = [
    ("no name", 'name = "orders"\n[regions]', "[regions]", "name"),
    ("upper-case name", 'name = "orders"\n[regions]', 'name = "Orders"\n[regions]', "name"),
    ("name too long", 'name = "orders"\n[regions]', f'name = "{"a" * 40}"\n[regions]', "name"),
    ("name is a number", 'name = "orders"\n[regions]', "name = 7\n[regions]", "name"),
    ("name with a space", 'name = "orders"\n[regions]', 'name = "or ders"\n[regions]', "name"),
    ("unknown key at the top", 'name = "orders"\n[regions]', 'nmae = "x"\nname = "orders"\n[regions]', "nmae"),
    ("unknown table at the top", "[policy]", "[polocy]", "polocy"),
    ("regions missing", '[regions]\nprimary = "us-east-1"\nstandby = "us-west-2"\n', "", "regions.primary"),
    ("primary missing", 'primary = "us-east-1"\n', "", "regions.primary"),
    ("standby missing", 'standby = "us-west-2"\n', "", "regions.standby"),
    ("no Region name", '"us-east-1"\nstandby', '"useast1"\nstandby', "regions.primary"),
    ("an availability zone", '"us-east-1"\nstandby', '"us-east-1a"\nstandby', "regions.primary"),
    ("one Region twice", 'standby = "us-west-2"', 'standby = "us-east-1"', "regions.standby"),
    ("unknown key in regions", "[policy]", 'third = "eu-west-1"\n[policy]', "regions.third"),
    ("regions is no table", '[regions]\nprimary = "us-east-1"\nstandby = "us-west-2"\n', 'regions = "x"\n', "regions"),
    ("unknown failover mode", 'failover = "automatic"', 'failover = "auto"', "policy.failover"),
    ("failover mode is a boolean", 'failover = "automatic"', "failover = true", "policy.failover"),
    ("unknown failback mode", 'failback = "manual"', 'failback = "asked"', "policy.failback"),
    ("unknown key in policy", "[[check.dynamodb]]", "cool = 1\n[[check.dynamodb]]", "policy.cool"),
    ("duration is a number", 'healthy_for = "20m"', "healthy_for = 20", "policy.healthy_for"),
    ("duration without a unit", 'healthy_for = "20m"', 'healthy_for = "20"', "policy.healthy_for"),
    ("duration with an unknown unit", 'healthy_for = "20m"', 'healthy_for = "20 min"', "policy.healthy_for"),
    ("negative duration", 'healthy_for = "20m"', 'healthy_for = "-20m"', "policy.healthy_for"),
    ("duration too long", 'healthy_for = "20m"', 'healthy_for = "2d"', "policy.healthy_for"),
    ("endless duration", 'healthy_for = "20m"', f'healthy_for = "{"9" * 30}d"', "policy.healthy_for"),
    ("cooldown of nothing", 'cooldown = "60m"', 'cooldown = "0s"', "policy.cooldown"),
    ("lag of nothing", 'max_replication_lag = "30s"', 'max_replication_lag = "1ms"', "policy.max_replication_lag"),
    ("notify_again", 'cooldown = "60m"', 'notify_again = "8d"', "policy.notify_again"),
    ("policy is no table", PLAN_TEXT[PLAN_TEXT.index("[policy]") : PLAN_TEXT.index("[[check.dyn")], "", "ok"),
    ("needed above the window", "[[check.dynamodb]]", "[sampling]\nneeded = 6\n[[check.dynamodb]]", "sampling.needed"),
    ("window of zero", "[[check.dynamodb]]", "[sampling]\nwindow = 0\n[[check.dynamodb]]", "sampling.window"),
    ("window is a boolean", "[[check.dynamodb]]", "[sampling]\nwindow = true\n[[check.dynamodb]]", "sampling.window"),
    ("window is a fraction", "[[check.dynamodb]]", "[sampling]\nwindow = 2.5\n[[check.dynamodb]]", "sampling.window"),
    ("every too long", "[[check.dynamodb]]", '[sampling]\nevery = "2m"\n[[check.dynamodb]]', "sampling.every"),
    ("timeout too long", "[[check.dynamodb]]", '[sampling]\ntimeout = "11s"\n[[check.dynamodb]]', "sampling.timeout"),
    ("confirm_for", "[[check.dynamodb]]", '[sampling]\nconfirm_for = "2h"\n[[check.dynamodb]]', "sampling.confirm_for"),
    ("unknown key in sampling", "[[check.dynamodb]]", "[sampling]\nfast = 1\n[[check.dynamodb]]", "sampling.fast"),
    ("no DynamoDB check", DYNAMODB, "", "check.dynamodb"),
    ("table missing", 'table = "orders"', "", "check.dynamodb[0].table"),
    ("table name too short", 'table = "orders"', 'table = "or"', "check.dynamodb[0].table"),
    ("table ARN", 'table = "orders"', 'table = "arn:aws:dynamodb:x"', "check.dynamodb[0].table"),
    ("table twice", DYNAMODB, DYNAMODB * 2, "check.dynamodb"),
    ("unknown key in a check", 'table = "orders"', 'table = "orders"\nkey = "x"', "check.dynamodb[0].key"),
    ("unknown kind of check", "[[check.http]]", "[[check.tcp]]", "check.tcp"),
    ("one kind of evidence only", HTTP, "", "check.http"),
    ("check is no array", DYNAMODB, '[check.dynamodb]\ntable = "orders"\n', "check.dynamodb"),
    ("the same URL twice", "usw2.orders", "use1.orders", "check.http[0].standby"),
    ("no URL", '"https://use1.orders.example.com/health"', '"use1.orders.example.com"', "check.http[0].primary"),
    ("another scheme", '"https://use1', '"ftp://use1', "check.http[0].primary"),
    ("password in a URL", '"https://use1', '"https://me:secret@use1', "check.http[0].primary"),
    ("port out of range", "use1.orders.example.com/", "use1.orders.example.com:70000/", "check.http[0].primary"),
    ("space in a URL", "use1.orders.example.com/health", "use1.orders.example.com/he alth", "check.http[0].primary"),
    ("line break in a URL", "use1.orders.example.com/health", "use1.example.com/\\nhealth", "check.http[0].primary"),
    ("URL is a number", '"https://use1.orders.example.com/health"', "5", "check.http[0].primary"),
    ("URL missing", 'standby = "https://usw2.orders.example.com/health"\n', "", "check.http[0].standby"),
    ("a redirect as success", HTTP, HTTP + "status = 301\n", "check.http[0].status"),
    ("nothing moves traffic", RECORD + LINODE, "", "switch"),
    ("unknown kind of switch", "[[switch.ssm_parameter]]", "[[switch.ssm]]", "switch.ssm"),
    ("zone id missing", f'zone_id = "{ZONE}"\n', "", R53 + "zone_id"),
    ("zone id with a path", f'"{ZONE}"', f'"/hostedzone/{ZONE}"', R53 + "zone_id"),
    ("bare host name", '"api.example.com"', '"api"', R53 + "name"),
    ("name with a space", '"api.example.com"', '"a pi.example.com"', R53 + "name"),
    ("record type missing", 'type = "A"\nttl = 60', "ttl = 60", R53 + "type"),
    ("record type unknown", 'type = "A"\nttl = 60', 'type = "NS"\nttl = 60', R53 + "type"),
    ("TTL negative", "ttl = 60", "ttl = -1", R53 + "ttl"),
    ("TTL is text", "ttl = 60", 'ttl = "60"', R53 + "ttl"),
    ("values are text", '["192.0.2.10"]', '"192.0.2.10"', R53 + "primary"),
    ("no values", '["192.0.2.10"]', "[]", R53 + "primary"),
    ("no address", '["192.0.2.10"]', '["192.0.2.256"]', R53 + "primary"),
    ("an IPv6 address in an A record", '["192.0.2.10"]', '["2001:db8::1"]', R53 + "primary"),
    ("a placeholder address", '["192.0.2.10"]', '["0.0.0.0"]', R53 + "primary"),
    ("a value twice", '["192.0.2.10"]', '["192.0.2.10", "192.0.2.10"]', R53 + "primary"),
    ("both Regions alike", '["198.51.100.10"]', '["192.0.2.10"]', R53 + "standby"),
    ("standby values missing", 'standby = ["198.51.100.10"]\n', "", R53 + "standby"),
    ("unknown key in a record", "ttl = 60", "ttl = 60\nweight = 5", R53 + "weight"),
    ("a record twice", RECORD, RECORD + RECORD.replace("api.ex", "API.ex"), "switch.route53_record"),
    ("domain id missing", "domain_id = 123456\n", "", LIN + "domain_id"),
    ("domain id of zero", "domain_id = 123456", "domain_id = 0", LIN + "domain_id"),
    ("TTL that Linode would round", "ttl_sec = 30", "ttl_sec = 60", LIN + "ttl_sec"),
    ("Linode's default TTL", "ttl_sec = 30", "ttl_sec = 0", LIN + "ttl_sec"),
    ("the caller's address", '"203.0.113.10"', '"[remote_addr]"', LIN + "primary"),
    ("a list for Linode", '"203.0.113.10"', '["203.0.113.10"]', LIN + "primary"),
    ("both Linode targets alike", '"198.51.100.50"', '"203.0.113.10"', LIN + "standby"),
    ("Linode type unknown", 'type = "A"\nttl_sec', 'type = "MX"\nttl_sec', LIN + "type"),
    ("Linode name with a slash", 'name = "app"', 'name = "a/pp"', LIN + "name"),
    ("unknown key at Linode", "ttl_sec = 30", "ttl_sec = 30\nttl = 30", LIN + "ttl"),
    ("a Linode record twice", LINODE, LINODE * 2, "switch.linode_record"),
    ("parameter without a slash", '"/orders/active-region"', '"orders"', PAR + "name"),
    ("parameter in a third Region", '["us-west-2", "us-east-1"]', '["eu-west-1"]', PAR + "regions"),
    ("parameter without Regions", '["us-west-2", "us-east-1"]', "[]", PAR + "regions"),
    ("parameter in one Region twice", '["us-west-2", "us-east-1"]', '["us-west-2", "us-west-2"]', PAR + "regions"),
    ("a parameter twice", SSM, SSM * 2, "switch.ssm_parameter"),
    ("no TOML", "[regions]", "[regions", "(syntax)"),
    ("a key twice", 'standby = "us-west-2"', 'standby = "us-west-2"\nstandby = "us-west-2"', "(syntax)"),
]  # fmt: skip
WRONG = [case for case in WRONG if case[3] != "ok"]


def changed(old: str, new: str) -> str:
    assert old in PLAN_TEXT, f"{old!r} is not in the example"
    return PLAN_TEXT.replace(old, new, 1)


@pytest.mark.parametrize(("old", "new", "key"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_wrong_plan_is_refused_naming_file_key_and_what_is_allowed(old: str, new: str, key: str) -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan(changed(old, new), "orders.toml")
    assert (caught.value.file, caught.value.key) == ("orders.toml", key)
    assert caught.value.problem
    assert caught.value.allowed
    assert str(caught.value).startswith(f"orders.toml: {key}: ")


def test_the_design_example_is_accepted_as_it_stands() -> None:
    plan = parse_plan(PLAN_TEXT, "orders.toml")
    assert (plan.name, tuple(plan.regions)) == ("orders", (EAST, WEST))
    assert plan.policy.failover is FailoverMode.AUTOMATIC
    assert plan.policy.failback is FailbackMode.MANUAL
    assert plan.policy.healthy_for == timedelta(minutes=20)
    assert plan.policy.cooldown == timedelta(minutes=60)
    assert [check.table for check in plan.dynamodb_checks] == ["orders"]
    assert plan.http_checks[0].url(Role.STANDBY) == "https://usw2.orders.example.com/health"
    assert plan.route53_records[0].values(Role.STANDBY) == ("198.51.100.10",)
    assert plan.linode_records[0].target(Role.PRIMARY) == "203.0.113.10"
    assert plan.ssm_parameters[0].regions == (WEST, EAST)
    assert list(plan.zones()) == [ZONE]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ttl = 60", "ttl = 0"),
        ('name = "app"', 'name = ""'),
        ('"api.example.com"', '"*.example.com"'),
        ('"api.example.com"', '"api.example.com."'),
        ("ttl_sec = 30", "ttl_sec = 2419200"),
        (RECORD, ""),
        (LINODE, ""),
        (SSM, ""),
        (HTTP, HTTP + "status = 204\n"),
        ("[[check.dynamodb]]", '[sampling]\nwindow = 2\nconfirm_for = "0s"\n[[check.dynamodb]]'),
        ('max_replication_lag = "30s"', 'max_replication_lag = "1500ms"'),
    ],
)
def test_what_is_allowed_is_accepted(old: str, new: str) -> None:
    assert parse_plan(changed(old, new), "orders.toml").name == "orders"


def test_a_cname_record_has_exactly_one_value() -> None:
    cname = changed('type = "A"\nttl = 60', 'type = "CNAME"\nttl = 60')
    one = cname.replace('["192.0.2.10"]', '["a.example.net"]').replace(
        '["198.51.100.10"]', '["b.example.net"]'
    )
    assert parse_plan(one, "orders.toml").route53_records[0].primary == ("a.example.net",)
    two = one.replace('["a.example.net"]', '["a.example.net", "c.example.net"]')
    with pytest.raises(PlanError, match=re.escape("switch.route53_record[0].primary: several values")):
        parse_plan(two, "orders.toml")


def test_ipv6_addresses_belong_into_aaaa_records() -> None:
    text = changed('type = "A"\nttl = 60', 'type = "AAAA"\nttl = 60')
    text = text.replace('["192.0.2.10"]', '["2001:db8::1"]').replace('["198.51.100.10"]', '["2001:db8::2"]')
    assert parse_plan(text, "orders.toml").route53_records[0].standby == ("2001:db8::2",)


def test_an_address_that_would_read_back_differently_is_refused_with_its_own_form() -> None:
    text = changed('type = "A"\nttl = 60', 'type = "AAAA"\nttl = 60')
    text = text.replace('["192.0.2.10"]', '["2001:DB8:0::1"]').replace('["198.51.100.10"]', '["2001:db8::2"]')
    with pytest.raises(PlanError) as caught:
        parse_plan(text, "orders.toml")
    assert caught.value.allowed == "2001:db8::1"


def test_needed_defaults_to_the_window_where_that_is_smaller() -> None:
    text = changed("[[check.dynamodb]]", "[sampling]\nwindow = 2\n[[check.dynamodb]]")
    assert parse_plan(text, "orders.toml").sampling.needed == 2


@given(st.integers(min_value=-10, max_value=2419300))
def test_a_linode_ttl_is_accepted_only_from_linodes_list(ttl: int) -> None:
    text = changed("ttl_sec = 30", f"ttl_sec = {ttl}")
    try:
        assert parse_plan(text, "orders.toml").linode_records[0].ttl_sec == ttl
        assert ttl in LINODE_TTLS
    except PlanError as error:
        assert error.key == LIN + "ttl_sec"  # noqa: PT017
        assert ttl not in LINODE_TTLS


VALUES = st.one_of(
    st.text(max_size=12), st.integers(), st.booleans(), st.floats(), st.lists(st.text(max_size=3), max_size=2)
)


@given(value=VALUES, line=st.sampled_from([line for line in PLAN_TEXT.splitlines() if "=" in line]))
def test_no_value_whatever_ends_in_another_error_than_a_plan_error(value: object, line: str) -> None:
    text = changed(line, f"{line.split(' = ', maxsplit=1)[0]} = {toml(value)}")
    try:
        parse_plan(text, "orders.toml")
    except ConfigurationError as error:
        assert "orders.toml" in str(error)  # noqa: PT017


@given(st.from_regex(r"\A[0-9]{1,40}(ms|s|m|h|d)\Z"))
def test_no_duration_whatever_ends_in_another_error_than_a_plan_error(value: str) -> None:
    try:
        parse_plan(changed('"20m"', f'"{value}"'), "orders.toml")
    except PlanError as error:
        assert error.key == "policy.healthy_for"  # noqa: PT017


def toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return (
            '"' + "".join(f"\\U{ord(c):08x}" if not 0xD800 <= ord(c) <= 0xDFFF else "" for c in value) + '"'
        )
    if isinstance(value, list):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    return str(value)


# what a batch of Route 53 and the record have room for


def with_records(count: int, zones: int = 1) -> str:
    head, _, rest = PLAN_TEXT.partition("[[switch.route53_record]]")
    tail = rest[rest.index("[[switch.linode_record]]") :]
    made = "".join(
        f'[[switch.route53_record]]\nzone_id = "Z{number % zones}"\nname = "n{number}.example.com"\n'
        f'type = "A"\nttl = 60\nprimary = ["192.0.2.10"]\nstandby = ["198.51.100.10"]\n'
        for number in range(count)
    )
    return head + made + tail


def test_the_records_of_a_zone_and_its_fence_fit_into_one_batch() -> None:
    assert len(parse_plan(with_records(499), "many.toml").route53_records) == 499
    with pytest.raises(PlanError, match=r"many.toml: switch.route53_record: zone Z0: .* has 1002 values"):
        parse_plan(with_records(500), "many.toml")


def test_a_plan_has_no_more_records_than_its_own_record_has_room_for() -> None:
    assert len(parse_plan(with_records(999, zones=3), "many.toml").route53_records) == 999
    with pytest.raises(PlanError, match="switch: 1001 records; allowed: at most 1000 in one plan"):
        parse_plan(with_records(1000, zones=3), "many.toml")


# values that look right


@pytest.mark.parametrize("value", ["192.0.2.10", "192.0.2.10.", "10.20"])
def test_an_address_is_no_canonical_name(value: str) -> None:
    """A CNAME that names an address resolves to nothing: an outage of our own making."""
    text = RECORD.replace('"A"', '"CNAME"').replace("192.0.2.10", value)
    text = text.replace("198.51.100.10", "usw2.orders.example.com")
    with pytest.raises(PlanError, match=f"{re.escape(repr(value))} is not valid; allowed: a fully qualified"):
        parse_plan(PLAN_TEXT.replace(RECORD, text), "orders.toml")


def test_a_number_is_no_target() -> None:
    text = PLAN_TEXT.replace('primary = "203.0.113.10"', "primary = 1.25")
    with pytest.raises(PlanError, match=r"primary: 1\.25 is no text"):
        parse_plan(text, "orders.toml")


def test_a_password_in_a_url_is_refused_and_not_repeated() -> None:
    text = PLAN_TEXT.replace("https://use1.", "https://me:hunter2@use1.")
    with pytest.raises(PlanError, match="user or password in a URL") as caught:
        parse_plan(text, "orders.toml")
    assert "hunter2" not in str(caught.value)


def test_port_zero_is_no_port() -> None:
    text = PLAN_TEXT.replace("https://use1.orders.example.com/", "https://use1.orders.example.com:0/")
    with pytest.raises(PlanError, match=r"check\.http"):
        parse_plan(text, "orders.toml")
