# ruff: noqa: E501  (a message reads better in one line)
"""What the author of a plan reads of switches without a control plane, to the word."""

from __future__ import annotations

import pytest

from region_failover.adapters.plan_files import read_plans
from region_failover.domain.approval import checksum
from region_failover.domain.errors import PlanError
from region_failover.domain.plan import HealthCheck, RoutingControl
from region_failover.domain.plan_file import parse_plan
from tests.fakes import EAST, NOON, PLAN_TEXT, WEST, ZONE

CHECK = f"""[[switch.route53_health_check]]
zone_id = "{ZONE}"
name = "www.example.com"
type = "A"
primary = ["192.0.2.20"]
standby = ["198.51.100.20"]
"""
KEYED = (
    f'{CHECK}follows = "object"\nbucket = "signals"\nkey = "orders/active"\ninterval = "10s"\nthreshold = 2\n'
)
PANEL = "arn:aws:route53-recovery-control::123456789012:controlpanel/0123456789abcdef0123456789abcdef/"
ENDPOINT = "https://abcd1234.route53-recovery-cluster.us-west-2.amazonaws.com/v1"
ARC = f"""[[switch.arc_routing_control]]
primary = "{PANEL}routingcontrol/00000000000000aa"
standby = "{PANEL}routingcontrol/00000000000000bb"
endpoints = ["{ENDPOINT}"]
"""
HC, RC = "switch.route53_health_check[0].", "switch.arc_routing_control[0]."
RULES = f'safety_rules_to_override = ["{PANEL}safetyrule/00000000000000cc"]\n'


def test_a_health_check_follows_an_alarm_where_nothing_else_is_said() -> None:
    (found,) = parse_plan(PLAN_TEXT + CHECK, "orders.toml").health_checks
    assert found == HealthCheck(ZONE, "www.example.com", "A", ("192.0.2.20",), ("198.51.100.20",))
    assert (found.follows, found.bucket, found.interval_s, found.threshold) == ("alarm", "", 30, 3)


def test_one_that_follows_an_object_says_which() -> None:
    (found,) = parse_plan(PLAN_TEXT + KEYED, "orders.toml").health_checks
    assert (found.follows, found.bucket, found.key) == ("object", "signals", "orders/active")
    assert (found.interval_s, found.threshold) == (10, 2)


def test_texts_may_stand_for_what_is_an_alias() -> None:
    texts = (
        CHECK.replace('"A"', '"TXT"').replace("192.0.2.20", "primary").replace("198.51.100.20", "stand by")
    )
    (found,) = parse_plan(PLAN_TEXT + texts, "orders.toml").health_checks
    assert (found.primary, found.standby) == (("primary",), ("stand by",))


def test_routing_controls_override_no_safety_rule_unless_the_plan_names_it() -> None:
    arc = PANEL + "routingcontrol/00000000000000aa", PANEL + "routingcontrol/00000000000000bb", (ENDPOINT,)
    assert parse_plan(PLAN_TEXT + ARC, "o").routing_controls == (RoutingControl(*arc),)
    (found,) = parse_plan(PLAN_TEXT + ARC + RULES, "o").routing_controls
    assert found.override == (f"{PANEL}safetyrule/00000000000000cc",)


@pytest.mark.parametrize("switch", [CHECK, ARC])
def test_such_a_switch_alone_is_enough(switch: str) -> None:
    alone = PLAN_TEXT[: PLAN_TEXT.index("[[switch.route53_record]]")]
    plan = parse_plan(alone + switch, "orders.toml")
    assert not plan.route53_records
    assert not plan.linode_records


def test_the_order_is_together_unless_said_otherwise() -> None:
    assert parse_plan(PLAN_TEXT, "o").policy.order == "together"
    first = (PLAN_TEXT + CHECK).replace("[policy]", '[policy]\norder = "data-plane-first"')
    assert parse_plan(first, "o").policy.order == "data-plane-first"


WRONG = [
    (CHECK.replace('type = "A"\n', ""), HC + "type: missing; allowed: A, AAAA, CNAME, TXT"),
    (
        CHECK.replace("192.0.2.20", "198.51.100.20"),
        HC + "standby: the same values as the primary; allowed: values that point at the other Region",
    ),
    (
        CHECK.replace("www.example.com", "*.example.com"),
        HC + "name: '*.example.com' is not valid; allowed: a fully qualified domain name without '*'",
    ),
    (
        CHECK.replace("192.0.2.20", "no address"),
        HC + "primary: 'no address' is not valid; allowed: an IPv4 address (no placeholder)",
    ),
    (
        CHECK.replace('"A"', '"TXT"').replace("192.0.2.20", "a\\\\b"),
        HC
        + "primary: 'a\\\\b' is not valid; allowed: a list of texts for TXT, without quotes and backslashes, of 1 to 255 characters",
    ),
    (
        CHECK + 'bucket = "signals"\n',
        HC + 'bucket: only a check that follows an object has it; allowed: follows = "object"',
    ),
    (CHECK + 'follows = "me"\n', HC + 'follows: \'me\' is not valid; allowed: "alarm", "object"'),
    (
        CHECK + 'follows = "object"\n',
        HC + "bucket: missing; allowed: a bucket's name: 3 to 63 of a-z, 0-9 and '-', no dot",
    ),
    (
        KEYED.replace("orders/active", "/orders"),
        HC
        + "key: '/orders' is not valid; allowed: an object's key: 1 to 255 of a-z, A-Z, 0-9, '_', '.', '/', '-'",
    ),
    (KEYED.replace("10s", "20s"), HC + 'interval: \'20s\' is not valid; allowed: "10s", "30s"'),
    (
        KEYED.replace("threshold = 2", "threshold = 11"),
        HC + "threshold: 11 is not valid; allowed: a whole number from 1 to 10",
    ),
    (
        CHECK + "ttl = 60\n",
        HC
        + "ttl: unknown key; allowed: zone_id, name, type, primary, standby, follows, bucket, key, interval, threshold",
    ),
    (CHECK + CHECK, "switch.route53_health_check: 'www.example.com A' stands twice; allowed: each once"),
    (
        CHECK.replace("www.", "API."),
        "switch.route53_health_check: 'api.example.com A' is also a route53_record; allowed: one or the other: a failover pair is never changed, its health check moves it",
    ),
    (
        ARC.replace("bb", "aa"),
        RC + "standby: the same as the primary; allowed: each Region's own routing control",
    ),
    (
        ARC.replace(f'"{PANEL}routingcontrol/00000000000000aa"', '"x"'),
        RC + "primary: 'x' is not valid; allowed: the ARN of a routing control",
    ),
    (
        ARC.replace("https", "http"),
        RC
        + f"endpoints: '{ENDPOINT.replace('https', 'http')}' is not valid; allowed: the cluster's 5 endpoints, such as \"{ENDPOINT}\"",
    ),
    (
        ARC.replace(f'["{ENDPOINT}"]', f'["{ENDPOINT}", "{ENDPOINT.replace("abcd", "efgh")}"]'),
        RC
        + f'endpoints: more than one in a Region; allowed: the cluster\'s 5 endpoints, such as "{ENDPOINT}"',
    ),
    (
        ARC + 'safety_rules_to_override = ["all"]\n',
        RC + "safety_rules_to_override: 'all' is not valid; allowed: a list of ARNs of safety rules",
    ),
    (
        ARC + ARC,
        f"switch.arc_routing_control: '{PANEL}routingcontrol/00000000000000aa' stands twice; allowed: each once",
    ),
]


@pytest.mark.parametrize(("switch", "words"), WRONG, ids=[words for _, words in WRONG])
def test_a_wrong_switch_is_refused_in_one_line(switch: str, words: str) -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan(PLAN_TEXT + switch, "orders.toml")
    assert str(caught.value) == f"orders.toml: {words}"


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (
            "data-plane-first",
            "policy.order: there is no data-plane switch; allowed: a route53_health_check or arc_routing_control",
        ),
        (
            "records-first",
            'policy.order: \'records-first\' is not valid; allowed: "together", "data-plane-first"',
        ),
    ],
)
def test_a_wrong_order_is_refused(order: str, words: str) -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan(PLAN_TEXT.replace("[policy]", f'[policy]\norder = "{order}"'), "orders.toml")
    assert str(caught.value) == f"orders.toml: {words}"


class File:
    """A plan's file."""

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text

    def read_text(self, encoding: str) -> str:
        assert encoding == "utf-8"
        return self.text


def another(text: str) -> str:
    """Return the plan under another name, with no record in common."""
    other = text.replace('name = "orders"', 'name = "other"', 1).replace("api.", "api2.")
    return other.replace("123456\n", "654321\n").replace("/orders/", "/other/")


@pytest.mark.parametrize(
    ("switch", "changed", "key"),
    [
        (CHECK, CHECK, "switch.route53_record"),
        (CHECK, CHECK.replace("www.", "api."), "switch.route53_record"),
        (KEYED, KEYED.replace("www.", "web."), "switch.route53_health_check"),
        (ARC, ARC, "switch.arc_routing_control"),
    ],
)
def test_no_two_plans_share_such_a_switch(switch: str, changed: str, key: str) -> None:
    files = [File("a.toml", PLAN_TEXT + switch), File("b.toml", another(PLAN_TEXT) + changed)]
    with pytest.raises(PlanError) as caught:
        read_plans(files)  # type: ignore[arg-type]
    assert caught.value.key == key


def test_a_proposal_binds_to_these_switches_too() -> None:
    texts = ["", CHECK, CHECK.replace("198.51.100.20", "198.51.100.21"), KEYED, ARC, ARC.replace("bb", "cc")]
    plans = [parse_plan(PLAN_TEXT + text, "o") for text in texts]
    ids = {checksum(plan, 1, EAST, WEST, NOON) for plan in plans}
    assert len(ids) == len(texts)
