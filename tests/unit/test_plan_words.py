# ruff: noqa: E501  (a message reads better in one line)
"""What the author of a plan reads where it is wrong, to the word; and every limit, just inside and outside."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta
from operator import attrgetter

import pytest

from region_failover.domain.body import ANY, Body
from region_failover.domain.configuration import SecretSwitch
from region_failover.domain.errors import PlanError
from region_failover.domain.hooks import Hook, IfItFails, Place, When
from region_failover.domain.plan import (
    AlarmCheck,
    Degradation,
    DegradationMode,
    DynamoDbCheck,
    FailbackMode,
    FailoverMode,
    InstanceCheck,
    NodeBalancer,
    NodeBalancerCheck,
    Plan,
    Policy,
    Role,
    Sampling,
    SsmParameter,
)
from region_failover.domain.plan_file import parse_plan
from region_failover.domain.window import DAYS, Once, Weekly
from tests.fakes import PLAN_TEXT, ZONE
from tests.unit.test_plan_file import DYNAMODB, HTTP, LIN, LINODE, PAR, R53, RECORD, SSM, changed

SECRET = '[[switch.secret]]\nname = "orders/database"\nregions = ["us-west-2"]\n'
HOOK = '[[switch.hook]]\nname = "ask"\nfunction = "may-we"\nwhen = "before"\n'
SEC, HOO = "switch.secret[0].", "switch.hook[0]."

CNAME = (
    RECORD.replace('"A"', '"CNAME"')
    .replace("192.0.2.10", "a.example.net")
    .replace("198.51.100.10", "b.example.net")
)
LINODE_CNAME = (
    LINODE.replace('"A"', '"CNAME"')
    .replace("203.0.113.10", "a.example.net")
    .replace("198.51.100.50", "b.example.net")
)

WINDOW = """[[policy.failback_window]]
days = ["sat", "sun"]
from = "02:00"
to = "05:00"
timezone = "Europe/Berlin"
"""
BLACKOUT = """[[policy.failback_blackout]]
from = "2026-11-27 00:00"
to = "2026-12-01 00:00"
timezone = "America/New_York"
"""
WIN, OUT = "policy.failback_window[0].", "policy.failback_blackout[0]."

# (text to replace, its replacement, what is read: key, problem, what is allowed)
READ = [
    ('name = "orders"\n[', "[", "name: missing; allowed: 1 to 39 of a-z, 0-9 and '-', beginning with a letter or digit"),
    ('name = "orders"\n[', 'name = "Orders"\n[', "name: 'Orders' is not valid; allowed: 1 to 39 of a-z, 0-9 and '-', beginning with a letter or digit"),
    ("[policy]", "[policy]\nfailback_steps = [50, 10, 100]", "policy.failback_steps: [50, 10, 100] is not valid; allowed: up to 10 whole numbers of percent, rising, the last one 100: [10, 50, 100]"),
    ("[policy]", "[policy]\nfailback_steps = [10, 50]", "policy.failback_steps: [10, 50] is not valid; allowed: up to 10 whole numbers of percent, rising, the last one 100: [10, 50, 100]"),
    ("[policy]", "[policy]\nfailback_steps = [0, 100]", "policy.failback_steps: [0, 100] is not valid; allowed: up to 10 whole numbers of percent, rising, the last one 100: [10, 50, 100]"),
    ("[policy]", "[policy]\nfailback_steps = [10, 10, 100]", "policy.failback_steps: [10, 10, 100] is not valid; allowed: up to 10 whole numbers of percent, rising, the last one 100: [10, 50, 100]"),
    ("[policy]", "[policy]\nfailback_steps = [true, 100]", "policy.failback_steps: [True, 100] is not valid; allowed: up to 10 whole numbers of percent, rising, the last one 100: [10, 50, 100]"),
    ("[policy]", "[policy]\nfailback_steps = 10", "policy.failback_steps: 10 is not valid; allowed: up to 10 whole numbers of percent, rising, the last one 100: [10, 50, 100]"),
    ("[policy]", "[policy]\nfailback_steps = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 100]", "policy.failback_steps: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 100] is not valid; allowed: up to 10 whole numbers of percent, rising, the last one 100: [10, 50, 100]"),
    ("[policy]", "[policy]\nfailback_steps = [10, 100]", "policy.failback_steps: no record is weighted; allowed: at least one route53_record, weighted = true"),
    ("ttl = 60", 'ttl = 60\nweighted = "yes"', "switch.route53_record[0].weighted: 'yes' is not valid; allowed: true, false"),
    ("ttl = 60", 'ttl = 60\nidentifiers = { primary = "a", standby = "b" }', "switch.route53_record[0].identifiers: only weighted records have them; allowed: weighted = true"),
    ("ttl = 60", 'ttl = 60\nweighted = true\nidentifiers = { primary = "a", standby = "a" }', "switch.route53_record[0].identifiers.standby: 'a' is also the primary's; allowed: another one"),
    ("ttl = 60", 'ttl = 60\nweighted = true\nidentifiers = { primary = "a" }', "switch.route53_record[0].identifiers.standby: missing; allowed: a set identifier of 1 to 128 printable characters"),
    ("ttl = 60", 'ttl = 60\nweighted = true\nidentifiers = { primary = "a", standby = "b", third = "c" }', "switch.route53_record[0].identifiers.third: unknown key; allowed: primary, standby"),
    ("[policy]", "[polocy]", "polocy: unknown key; allowed: name, regions, policy, sampling, degradation, check, switch"),
    ('"us-east-1"\nstandby', '"useast1"\nstandby', "regions.primary: 'useast1' is not valid; allowed: a Region name such as \"us-east-1\""),
    ('standby = "us-west-2"', 'standby = "us-east-1"', "regions.standby: 'us-east-1' is also the primary; allowed: another Region than the primary"),
    ('[regions]\nprimary = "us-east-1"\nstandby = "us-west-2"\n', 'regions = "x"\n', "regions: not a table; allowed: [regions]"),
    ('failover = "automatic"', 'failover = "auto"', "policy.failover: 'auto' is not valid; allowed: \"automatic\", \"manual\""),
    ("[[check.dynamodb]]", "cool = 1\n[[check.dynamodb]]", "policy.cool: unknown key; allowed: failover, failback, healthy_for, cooldown, max_replication_lag, notify_again, automatic_per_day, fleet_brake, approval_expires, failback_steps, failback_step_for, failback_window, failback_blackout, max_changes, order, check_answers, stranded_after"),
    (DYNAMODB, WINDOW.replace('"sat"', '"Sat"'), WIN + "days: 'Sat' is not a day; allowed: a list of mon, tue, wed, thu, fri, sat, sun"),
    (DYNAMODB, WINDOW.replace('["sat", "sun"]', "[]"), WIN + "days: [] is not valid; allowed: a list of mon, tue, wed, thu, fri, sat, sun"),
    (DYNAMODB, WINDOW.replace('"02:00"', '"2:00"'), WIN + "from: '2:00' is not valid; allowed: a time of day such as \"02:00\""),
    (DYNAMODB, WINDOW.replace('"05:00"', '"24:00"'), WIN + "to: '24:00' is not valid; allowed: a time of day such as \"02:00\""),
    (DYNAMODB, WINDOW.replace('to = "05:00"\n', ""), WIN + "to: missing; allowed: a time of day such as \"02:00\""),
    (DYNAMODB, WINDOW.replace("Berlin", "Bonn"), WIN + "timezone: 'Europe/Bonn' is not known; allowed: a time zone of the IANA database such as \"Europe/Berlin\" or \"UTC\""),
    (DYNAMODB, WINDOW.replace("Europe/Berlin", "../../etc/passwd"), WIN + "timezone: '../../etc/passwd' is not valid; allowed: a time zone of the IANA database such as \"Europe/Berlin\" or \"UTC\""),
    (DYNAMODB, WINDOW.replace('timezone = "Europe/Berlin"\n', ""), WIN + "timezone: missing; allowed: a time zone of the IANA database such as \"Europe/Berlin\" or \"UTC\""),
    (DYNAMODB, WINDOW + 'every = "week"\n', WIN + "every: unknown key; allowed: days, from, to, timezone"),
    (DYNAMODB, BLACKOUT.replace('"2026-11-27 00:00"', '"2026-11-31 00:00"'), OUT + "from: '2026-11-31 00:00' is no date and time; allowed: a date and time such as \"2026-11-27 00:00\""),
    (DYNAMODB, BLACKOUT.replace('"2026-11-27 00:00"', '"Friday"'), OUT + "from: 'Friday' is not valid; allowed: a date and time such as \"2026-11-27 00:00\", or a time of day such as \"02:00\""),
    (DYNAMODB, BLACKOUT.replace('"2026-12-01 00:00"', '"2026-11-27 00:00"'), OUT + "to: '2026-11-27 00:00' is not after 'from'; allowed: a date and time such as \"2026-11-27 00:00\", after 'from'"),
    (DYNAMODB, BLACKOUT + 'days = ["fri"]\n', OUT + "days: unknown key; allowed: from, to, timezone"),
    ("[[check.dynamodb]]", "[degradation]\naction = \"panic\"\n[[check.dynamodb]]", "degradation.action: 'panic' is not valid; allowed: \"notify\", \"failover\""),
    ("[[check.dynamodb]]", "[degradation]\nslow = 1\n[[check.dynamodb]]", "degradation.slow: unknown key; allowed: action, over, percentile, slower_than, at_least, errors"),
    ("[[check.dynamodb]]", "[sampling]\nfast = 1\n[[check.dynamodb]]", "sampling.fast: unknown key; allowed: every, quick_every, timeout, needed, window, confirm_for"),
    (HTTP, HTTP + 'json = "status"\n', "check.http[0].equals: missing; allowed: both, such as json = \"status\" and equals = \"ok\""),
    (HTTP, HTTP + 'equals = "ok"\n', "check.http[0].json: missing; allowed: both, such as json = \"status\" and equals = \"ok\""),
    (HTTP, HTTP + 'json = "a..b"\nequals = "ok"\n', "check.http[0].json: 'a..b' is not valid; allowed: names of fields joined by dots, such as \"checks.database\""),
    (HTTP, HTTP + 'json = "a"\nequals = ["ok"]\n', "check.http[0].equals: ['ok'] is not valid; allowed: a text, a number, true or false"),
    (HTTP, HTTP + 'text = ""\n', "check.http[0].text: '' is not valid; allowed: 1 to 200 printable characters that the answer contains"),
    (DYNAMODB, DYNAMODB + '[[check.control]]\nurl = "example.org"\n', "check.control[0].url: 'example.org' is not valid; allowed: a URL such as \"https://use1.orders.example.com/health\", without user or password"),
    (DYNAMODB, DYNAMODB + '[[check.control]]\nurl = "https://a.example"\n' * 4, "check.control: 4 control targets; allowed: at most 3"),
    (DYNAMODB, DYNAMODB + 'replicas = "yes"\n', "check.dynamodb[0].replicas: 'yes' is not valid; allowed: true, false"),
    (DYNAMODB, DYNAMODB + 'region = "x"\n', "check.dynamodb[0].region: unknown key; allowed: table, replicas"),
    (HTTP, HTTP + 'within = "2s"\n', "check.http[0].within: never reached; allowed: less than sampling.timeout, 2 s"),
    (HTTP, HTTP + 'within = "5ms"\n', "check.http[0].within: '5ms' is out of range; allowed: a duration such as \"30s\", \"20m\", \"1h\", from 0:00:00.010000 to 0:00:10"),
    (HTTP, HTTP + 'headers = "X-Token: abc"\n', "check.http[0].headers: 'X-Token: abc' is not valid; allowed: the name of an entry of the secret CheckHeadersSecretArn"),
    (HTTP, HTTP + 'method = "HEAD"\n', "check.http[0].method: unknown key; allowed: primary, standby, status, text, json, equals, within, headers"),
    (DYNAMODB, DYNAMODB + '[[check.alarm]]\nstandby = "errors"\n', "check.alarm[0].primary: missing; allowed: the name of an alarm in that Region, 1 to 255 characters"),
    (DYNAMODB, DYNAMODB + '[[check.alarm]]\nprimary = " errors"\n', "check.alarm[0].primary: ' errors' is not valid; allowed: the name of an alarm in that Region, 1 to 255 characters"),
    (DYNAMODB, DYNAMODB + f'[[check.alarm]]\nprimary = "errors"\nstandby = "{"x" * 256}"\n', f"check.alarm[0].standby: '{'x' * 256}' is not valid; allowed: the name of an alarm in that Region, 1 to 255 characters"),
    (DYNAMODB, DYNAMODB + '[[check.alarm]]\nprimary = "errors"\nregion = "x"\n', "check.alarm[0].region: unknown key; allowed: primary, standby"),
    (DYNAMODB, DYNAMODB + '[[check.linode_instance]]\nprimary = 1\n', "check.linode_instance[0].standby: missing; allowed: a whole number from 1 to 9007199254740992"),
    (DYNAMODB, DYNAMODB + '[[check.linode_instance]]\nprimary = 1\nstandby = 1\n', "check.linode_instance[0].standby: the same instance as the primary; allowed: the instance in each Region"),
    (DYNAMODB, DYNAMODB + '[[check.linode_instance]]\nprimary = 0\nstandby = 1\n', "check.linode_instance[0].primary: 0 is not valid; allowed: a whole number from 1 to 9007199254740992"),
    (DYNAMODB, DYNAMODB + '[[check.linode_instance]]\nid = 0\n', "check.linode_instance[0].id: unknown key; allowed: primary, standby"),
    (DYNAMODB, DYNAMODB + '[[check.linode_nodebalancer]]\nprimary = {id = 1, config_id = 11}\n', "check.linode_nodebalancer[0].standby: missing; allowed: { id = 12345, config_id = 67890 }"),
    (DYNAMODB, DYNAMODB + '[[check.linode_nodebalancer]]\nprimary = 1\nstandby = 2\n', "check.linode_nodebalancer[0].primary: not a table; allowed: [check.linode_nodebalancer[0].primary]"),
    (DYNAMODB, DYNAMODB + '[[check.linode_nodebalancer]]\nprimary = {id = 1}\nstandby = {id = 2}\n', "check.linode_nodebalancer[0].primary.config_id: missing; allowed: a whole number from 1 to 9007199254740992"),
    (DYNAMODB, DYNAMODB + '[[check.linode_nodebalancer]]\nprimary = {id = 1, config_id = 11, port = 80}\nstandby = {id = 2}\n', "check.linode_nodebalancer[0].primary.port: unknown key; allowed: id, config_id"),
    (DYNAMODB, DYNAMODB + '[[check.linode_nodebalancer]]\nprimary = {id = 1, config_id = 11}\nstandby = {id = 1, config_id = 11}\n', "check.linode_nodebalancer[0].standby: the same as the primary; allowed: each Region's own NodeBalancer and configuration"),
    (DYNAMODB, DYNAMODB + '[[check.linode_nodebalancer]]\nport = 80\n', "check.linode_nodebalancer[0].port: unknown key; allowed: primary, standby"),
    (DYNAMODB, DYNAMODB + '[[check.alarm]]\nprimary = "errors"\n' * 11, "check: 11 checks of what CloudWatch and Linode say; allowed: at most 10 of alarm, linode_nodebalancer and linode_instance"),
    (DYNAMODB, DYNAMODB + '[[check.ping]]\nhost = "x"\n', "check.ping: unknown key; allowed: dynamodb, http, control, alarm, linode_nodebalancer, linode_instance"),
    (DYNAMODB, "", "check.dynamodb: missing; allowed: at least one [[check.dynamodb]]"),
    (DYNAMODB, '[check.dynamodb]\ntable = "orders"\n', "check.dynamodb: not an array of tables; allowed: [[check.dynamodb]]"),
    (DYNAMODB + HTTP, "[check]\ndynamodb = [{table = \"orders\"}]\nhttp = [5]\n", "check.http: not an array of tables; allowed: [[check.http]]"),
    ('table = "orders"', 'table = "or"', "check.dynamodb[0].table: 'or' is not valid; allowed: a table name: 3 to 255 of a-z, A-Z, 0-9, '_', '-', '.'"),
    (DYNAMODB, DYNAMODB * 2, "check.dynamodb: 'orders' stands twice; allowed: each once"),
    (HTTP, "", "check.http: missing: one kind of evidence alone never moves traffic; allowed: at least one [[check.http]] beside [[check.dynamodb]]"),
    ("usw2.orders", "use1.orders", "check.http[0].standby: the same URL as the primary; allowed: each Region's own endpoint"),
    ('"https://use1', '"ftp://use1', "check.http[0].primary: 'ftp://use1.orders.example.com/health' is not valid; allowed: a URL such as \"https://use1.orders.example.com/health\", without user or password"),
    (RECORD + LINODE, "", "switch: nothing would move traffic; allowed: at least one route53_record, linode_record, route53_health_check or arc_routing_control"),
    ("[[switch.ssm_parameter]]", "[[switch.ssm]]", "switch.ssm: unknown key; allowed: route53_record, linode_record, ssm_parameter, secret, hook, route53_health_check, arc_routing_control, linode_active_region, linode_reboot"),
    (f'"{ZONE}"', '"/hostedzone/Z1"', R53 + "zone_id: '/hostedzone/Z1' is not valid; allowed: a hosted zone's id such as Z0123456789ABCDEFGHIJ"),
    ('"api.example.com"', '"api"', R53 + "name: 'api' is not valid; allowed: a fully qualified domain name"),
    ('type = "A"\nttl = 60', "ttl = 60", R53 + "type: missing; allowed: A, AAAA, CAA, CNAME, MX, PTR, SRV, TXT"),
    ('["192.0.2.10"]', "[]", R53 + "primary: [] is not valid; allowed: a list of values for A"),
    ('["192.0.2.10"]', '["192.0.2.10", "192.0.2.10"]', R53 + "primary: the same value twice; allowed: a list of values for A"),
    ('["192.0.2.10"]', '["0.0.0.0"]', R53 + "primary: '0.0.0.0' is not valid; allowed: an IPv4 address (no placeholder)"),
    ('["198.51.100.10"]', '["192.0.2.10"]', R53 + "standby: the same values as the primary; allowed: values that point at the other Region"),
    (RECORD, CNAME.replace('["b.', '["c.example.net", "b.'), R53 + "standby: several values; allowed: a list of values for CNAME, exactly one"),
    (RECORD, CNAME.replace('"b.example.net"', ""), R53 + "standby: [] is not valid; allowed: a list of values for CNAME, exactly one"),
    (RECORD, CNAME.replace('"b.example.net"', '"b"'), R53 + "standby: 'b' is not valid; allowed: a fully qualified domain name"),
    (RECORD, RECORD * 2, f"switch.route53_record: zone {ZONE}: api.example.com A stands twice; allowed: each record, or each set, once"),
    (RECORD, RECORD + RECORD.replace("api.example.com", "API.example.com."), f"switch.route53_record: zone {ZONE}: api.example.com A stands twice; allowed: each record, or each set, once"),
    ('type = "A"\nttl_sec', "ttl_sec", LIN + "type: missing; allowed: A, AAAA, CNAME, TXT, SRV"),
    ('primary = "203.0.113.10"\n', "", LIN + "primary: missing; allowed: one value for A"),
    ('"198.51.100.50"', '"203.0.113.10"', LIN + "standby: the same target as the primary; allowed: a target in the other Region"),
    ("ttl_sec = 30", "ttl_sec = 60", LIN + "ttl_sec: 60 would be rounded by Linode; allowed: 30, 120, 300, 3600, 7200, 14400, 28800, 57600, 86400, 172800, 345600, 604800, 1209600, 2419200"),
    ('name = "app"', 'name = "a/pp"', LIN + "name: 'a/pp' is not valid; allowed: a host name relative to the domain, '' for the apex"),
    (LINODE, LINODE + LINODE.replace('"app"', '"APP"'), "switch.linode_record: (123456, 'app', 'A') stands twice; allowed: each once"),
    (SSM, SSM.replace('"us-west-2", "us-east-1"', ""), PAR + "regions: [] is not valid; allowed: a list of the plan's Regions"),
    ('["us-west-2", "us-east-1"]', '["eu-west-1"]', PAR + "regions: 'eu-west-1' is not a Region of this plan; allowed: us-east-1, us-west-2"),
    ('"/orders/active-region"', '"orders"', PAR + "name: 'orders' is not valid; allowed: a parameter name beginning with '/'"),
    (SSM, SSM + 'value = "x"\n', PAR + "value: unknown key; allowed: name, regions, primary, standby"),
    (SSM, SSM + 'primary = "a"\n', PAR + "standby: missing; allowed: a text of 1 to 256 printable ASCII characters for each role, no secret"),
    (SSM, SSM + 'primary = "a"\nstandby = "a"\n', PAR + "standby: the same value as the primary; allowed: what it is while the standby is active"),
    (SSM, SSM + 'primary = "a"\nstandby = " b"\n', PAR + "standby: ' b' is not valid; allowed: a text of 1 to 256 printable ASCII characters for each role, no secret"),
    (SSM, SSM + f'primary = "a"\nstandby = "{"b" * 257}"\n', PAR + f"standby: '{'b' * 257}' is not valid; allowed: a text of 1 to 256 printable ASCII characters for each role, no secret"),
    (SSM, SSM + 'primary = "{{ssm:/x}}"\nstandby = "b"\n', PAR + "primary: '{{ssm:/x}}' would be read by SSM as a reference; allowed: a text without '{{'"),
    (SSM, SECRET.replace('"orders/database"', '"arn:aws:x"'), SEC + "name: 'arn:aws:x' is not valid; allowed: a secret's name (no ARN): 1 to 512 of a-z, A-Z, 0-9 and '/_+=.@-'"),
    (SSM, SECRET.replace('["us-west-2"]', '["eu-west-1"]'), SEC + "regions: 'eu-west-1' is not a Region of this plan; allowed: us-east-1, us-west-2"),
    (SSM, SECRET.replace('["us-west-2"]', "[]"), SEC + "regions: [] is not valid; allowed: a list of the plan's Regions"),
    (SSM, SECRET + 'key = ""\n', SEC + "key: '' is not valid; allowed: a key of the JSON object in the secret, 1 to 128 characters"),
    (SSM, SECRET + 'value = ""\n', SEC + "value: unknown key; allowed: name, regions, key, primary, standby"),
    (SSM, SECRET + 'standby = "a"\n', SEC + "primary: missing; allowed: a text of 1 to 256 printable ASCII characters for each role, no secret"),
    (SSM, SECRET * 2, "switch.secret: 'orders/database' stands twice; allowed: each once"),
    (SSM, "".join(SECRET.replace("database", str(n)) for n in range(21)), "switch.secret: 21 of them; allowed: at most 20"),
    (SSM, HOOK.replace('when = "before"\n', ""), HOO + 'when: missing; allowed: "before", "after"'),
    (SSM, HOOK.replace('"before"', '"during"'), HOO + "when: 'during' is not valid; allowed: \"before\", \"after\""),
    (SSM, HOOK.replace('"ask"', '"Ask"'), HOO + "name: 'Ask' is not valid; allowed: 1 to 40 of a-z, 0-9 and '-', no '-' at either end"),
    (SSM, HOOK.replace('"may-we"', '"arn:aws:lambda:x"'), HOO + "function: 'arn:aws:lambda:x' is not valid; allowed: a Lambda function's name (no ARN), with ':' and an alias where it has one"),
    (SSM, HOOK + 'region = "primary"\n', HOO + "region: 'primary' is not valid; allowed: \"target\", \"control\""),
    (SSM, HOOK + 'timeout = "11s"\n', HOO + "timeout: '11s' is out of range; allowed: a duration such as \"30s\", \"20m\", \"1h\", from 0:00:01 to 0:00:10"),
    (SSM, HOOK + 'timeout = "900ms"\n', HOO + "timeout: '900ms' is out of range; allowed: a duration such as \"30s\", \"20m\", \"1h\", from 0:00:01 to 0:00:10"),
    (SSM, HOOK + 'if_it_fails = "panic"\n', HOO + "if_it_fails: 'panic' is not valid; allowed: \"stop\", \"go on\""),
    (SSM, HOOK.replace("before", "after") + 'if_it_fails = "stop"\n', HOO + "if_it_fails: an after-hook stops nothing; allowed: only with when = \"before\""),
    (SSM, HOOK + "retry = true\n", HOO + "retry: unknown key; allowed: name, function, when, region, timeout, if_it_fails"),
    (SSM, HOOK + HOOK.replace("may-we", "we-have"), "switch.hook: 'ask' stands twice; allowed: each once"),
    (SSM, "".join(HOOK.replace("ask", f"ask-{n}") for n in range(11)), "switch.hook: 11 of them; allowed: at most 10"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "words"), READ, ids=[case[2] for case in READ])
def test_a_wrong_plan_is_refused_in_one_line_of_file_key_problem_and_what_is_allowed(
    old: str, new: str, words: str
) -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan(changed(old, new), "orders.toml")
    assert str(caught.value) == f"orders.toml: {words}"


def test_what_an_endpoint_shall_say_is_read_as_it_stands() -> None:
    said = 'text = "go"\njson = "checks.db"\nequals = true\n'
    plan = parse_plan(changed(HTTP, HTTP + said), "orders.toml")
    assert plan.http_checks[0].body == Body("go", ("checks", "db"), True)
    assert parse_plan(PLAN_TEXT, "orders.toml").http_checks[0].body == ANY


def test_what_is_asked_of_cloudwatch_and_linode_is_read_as_it_stands() -> None:
    asked = """[[check.alarm]]
primary = "errors"
standby = "errors (west)"
[[check.alarm]]
primary = "latency"
[[check.linode_nodebalancer]]
primary = { id = 1, config_id = 11 }
standby = { id = 2, config_id = 22 }
[[check.linode_instance]]
primary = 101
standby = 202
"""
    plan = parse_plan(changed(DYNAMODB, DYNAMODB + asked), "orders.toml")
    assert plan.alarm_checks == (AlarmCheck("errors", "errors (west)"), AlarmCheck("latency", ""))
    assert [check.alarm(role) for check in plan.alarm_checks for role in Role] == [
        "errors",
        "errors (west)",
        "latency",
        "",
    ]
    assert plan.balancer_checks == (NodeBalancerCheck(NodeBalancer(1, 11), NodeBalancer(2, 22)),)
    assert [plan.balancer_checks[0].balancer(role).id for role in Role] == [1, 2]
    assert plan.instance_checks == (InstanceCheck(101, 202),)
    assert [plan.instance_checks[0].instance(role) for role in Role] == [101, 202]


def test_weighted_records_and_steps_are_read_as_they_stand() -> None:
    text = changed(
        "ttl = 60", 'ttl = 60\nweighted = true\nidentifiers = { primary = "use1", standby = "usw2" }'
    )
    text = text.replace("[policy]", '[policy]\nfailback_steps = [10, 50, 100]\nfailback_step_for = "10m"')
    plan = parse_plan(text, "orders.toml")
    (record,) = plan.route53_records
    assert (record.weighted, [record.identifier(role) for role in Role]) == (True, ["use1", "usw2"])
    assert plan.policy.failback_steps == (10, 50, 100)
    assert plan.policy.failback_step_for == timedelta(minutes=10)
    usual = parse_plan(changed("ttl = 60", "ttl = 60\nweighted = true"), "orders.toml")
    assert usual.route53_records[0].identifiers == ("primary", "standby")
    assert (usual.policy.failback_steps, usual.policy.failback_step_for) == ((), timedelta(minutes=5))


def test_how_a_table_and_an_endpoint_are_looked_at_is_read_as_it_stands() -> None:
    text = changed(HTTP, HTTP + 'within = "800ms"\nheaders = "orders-health"\n')
    plan = parse_plan(text.replace(DYNAMODB, DYNAMODB + "replicas = true\n"), "orders.toml")
    assert plan.http_checks[0].within == timedelta(milliseconds=800)
    assert plan.http_checks[0].headers == "orders-health"
    assert plan.dynamodb_checks == (DynamoDbCheck("orders", replicas=True),)
    usual = parse_plan(PLAN_TEXT, "orders.toml")
    assert (usual.http_checks[0].within, usual.http_checks[0].headers) == (None, "")
    assert usual.dynamodb_checks == (DynamoDbCheck("orders", replicas=False),)


def test_a_plan_sends_headers_where_one_of_its_checks_does() -> None:
    plan = parse_plan(PLAN_TEXT, "orders.toml")
    assert not plan.sends_headers
    (check,) = plan.http_checks
    assert replace(plan, http_checks=(check, replace(check, headers="orders-health"))).sends_headers


def test_a_plan_asks_linode_for_its_records_or_for_its_checks() -> None:
    none = replace(parse_plan(PLAN_TEXT, "orders.toml"), linode_records=())
    assert parse_plan(PLAN_TEXT, "orders.toml").asks_linode
    assert not none.asks_linode
    assert replace(none, instance_checks=(InstanceCheck(1, 2),)).asks_linode
    assert replace(
        none, balancer_checks=(NodeBalancerCheck(NodeBalancer(1, 1), NodeBalancer(2, 2)),)
    ).asks_linode


def test_windows_and_blackouts_are_read_as_they_stand() -> None:
    weekly = BLACKOUT.replace("2026-11-27 ", "").replace("2026-12-01 00", "06")
    every_day = WINDOW.replace('days = ["sat", "sun"]\n', "")
    plan = parse_plan(changed(DYNAMODB, WINDOW + every_day + BLACKOUT + weekly + DYNAMODB), "orders.toml")
    assert plan.policy.failback_windows == (
        Weekly(("sat", "sun"), time(2), time(5), "Europe/Berlin"),
        Weekly(DAYS, time(2), time(5), "Europe/Berlin"),
    )
    assert plan.policy.failback_blackouts == (
        Once(datetime(2026, 11, 27), datetime(2026, 12, 1), "America/New_York"),  # noqa: DTZ001
        Weekly(DAYS, time(0), time(6), "America/New_York"),
    )


def test_text_that_is_no_toml_is_refused_with_the_line() -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan(changed("[regions]", "[regions"), "orders.toml")
    assert "at line 3" in caught.value.problem
    assert caught.value.allowed == "TOML 1.0"


def test_an_address_in_another_form_is_refused_by_its_key_and_the_form_to_write() -> None:
    aaaa = (
        RECORD.replace('"A"', '"AAAA"')
        .replace("192.0.2.10", "2001:DB8::1")
        .replace("198.51.100.10", "2001:db8::2")
    )
    with pytest.raises(PlanError) as caught:
        parse_plan(changed(RECORD, aaaa), "orders.toml")
    assert (
        str(caught.value)
        == f"orders.toml: {R53}primary: '2001:DB8::1' would read back differently; allowed: 2001:db8::1"
    )


@pytest.mark.parametrize("value", ["5", '["a.example.net"]', "true"])
@pytest.mark.parametrize("record", [LINODE, LINODE_CNAME], ids=["A", "CNAME"])
def test_a_linode_target_that_is_no_text_is_refused_as_it_stands(record: str, value: str) -> None:
    spoiled = record.replace('"203.0.113.10"', value, 1).replace('"a.example.net"', value, 1)
    with pytest.raises(PlanError) as caught:
        parse_plan(changed(LINODE, spoiled), "orders.toml")
    assert caught.value.key == LIN + "primary"
    assert value.strip('[]"').lower() in caught.value.problem.lower()


@pytest.mark.parametrize("user", ["me@", ":secret@", "me:secret@"])
def test_a_url_with_a_user_or_a_password_is_refused(user: str) -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan(changed("https://use1", f"https://{user}use1"), "orders.toml")
    assert caught.value.key == "check.http[0].primary"


def within(section: str, key: str, value: str) -> str:
    """Return the example with this key of [policy], [sampling], [degradation] or the only table of its kind set."""
    more = "[sampling]\n[degradation]\n[[check.dynamodb]]"
    lines = PLAN_TEXT.replace("[[check.dynamodb]]", more, 1).splitlines()
    start = lines.index(section)
    rest = [line for line in lines[start + 1 :]]
    end = next((n for n, line in enumerate(rest) if line.startswith("[")), len(rest))
    own = [line for line in rest[:end] if not line.startswith(f"{key} =")]
    return "\n".join([*lines[: start + 1], f"{key} = {value}", *own, *rest[end:]])


SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
POLICY, SAMPLING, WORN = "[policy]", "[sampling]", "[degradation]"
# (section, key, where it is read back, lowest, highest, just below, just above)
LIMITS = [
    (POLICY, "healthy_for", "policy.healthy_for", ('"1s"', SECOND), ('"1d"', DAY), '"999ms"', '"86401s"'),
    (POLICY, "cooldown", "policy.cooldown", ('"1s"', SECOND), ('"7d"', 7 * DAY), '"999ms"', '"604801s"'),
    (POLICY, "max_replication_lag", "policy.max_replication_lag", ('"1s"', SECOND), ('"24h"', DAY), '"999ms"', '"86401s"'),
    (POLICY, "notify_again", "policy.notify_again", ('"1s"', SECOND), ('"168h"', 7 * DAY), '"999ms"', '"604801s"'),
    (POLICY, "automatic_per_day", "policy.automatic_per_day", ("1", 1), ("20", 20), "0", "21"),
    (POLICY, "max_changes", "policy.max_changes", ("1", 1), ("100000", 100_000), "0", "100001"),
    (POLICY, "fleet_brake", "policy.fleet_brake", ("1", 1), ("100", 100), "0", "101"),
    (POLICY, "approval_expires", "policy.approval_expires", ('"1m"', MINUTE), ('"14d"', 14 * DAY), '"59s"', '"1209601s"'),
    (SAMPLING, "every", "sampling.every", ('"1s"', SECOND), ('"1m"', MINUTE), '"999ms"', '"61s"'),
    (SAMPLING, "quick_every", "sampling.quick_every", ('"1s"', SECOND), ('"60s"', MINUTE), '"999ms"', '"61s"'),
    (SAMPLING, "timeout", "sampling.timeout", ('"100ms"', SECOND / 10), ('"10s"', 10 * SECOND), '"99ms"', '"10001ms"'),
    (SAMPLING, "confirm_for", "sampling.confirm_for", ('"0s"', 0 * SECOND), ('"1h"', 60 * MINUTE), None, '"3601s"'),
    (SAMPLING, "window", "sampling.window", ("1", 1), ("20", 20), "0", "21"),
    (SAMPLING, "needed", "sampling.needed", ("1", 1), ("5", 5), "0", "6"),
    (WORN, "over", "degradation.over", ('"2m"', 2 * MINUTE), ('"30m"', 30 * MINUTE), '"119s"', '"1801s"'),
    (WORN, "percentile", "degradation.percentile", ("50", 50), ("99", 99), "49", "100"),
    (WORN, "slower_than", "degradation.slower_than", ("2", 2), ("100", 100), "1", "101"),
    (WORN, "at_least", "degradation.at_least", ('"10ms"', SECOND / 100), ('"10s"', 10 * SECOND), '"9ms"', '"10001ms"'),
    (WORN, "errors", "degradation.errors", ("1", 1), ("100", 100), "0", "101"),
    ("[[check.http]]", "status", "http.status", ("200", 200), ("299", 299), "199", "300"),
    ("[[switch.route53_record]]", "ttl", "route53.ttl", ("0", 0), ("2147483647", 2**31 - 1), "-1", "2147483648"),
    ("[[switch.linode_record]]", "domain_id", "linode.domain_id", ("1", 1), ("9007199254740992", 2**53), "0", "9007199254740993"),
    ("[[switch.linode_record]]", "ttl_sec", "linode.ttl_sec", ("30", 30), ("2419200", 2419200), "29", "2419201"),
]  # fmt: skip


def read_back(plan: Plan, path: str) -> object:
    first, _, rest = path.partition(".")
    tables = {
        "http": plan.http_checks[0],
        "route53": plan.route53_records[0],
        "linode": plan.linode_records[0],
    }
    return attrgetter(rest)(tables.get(first) or getattr(plan, first))


@pytest.mark.parametrize(
    ("section", "key", "path", "low", "high", "below", "above"), LIMITS, ids=[c[2] for c in LIMITS]
)
def test_a_value_is_accepted_up_to_its_limits_and_refused_beyond(
    section: str,
    key: str,
    path: str,
    low: tuple[str, object],
    high: tuple[str, object],
    below: str | None,
    above: str,
) -> None:
    for text, value in (low, high):
        assert read_back(parse_plan(within(section, key, text), "orders.toml"), path) == value
    for text in (below, above):
        if text is not None:
            with pytest.raises(PlanError) as caught:
                parse_plan(within(section, key, text), "orders.toml")
            assert caught.value.key.endswith(f".{key}")


def test_what_a_plan_does_not_say_is_as_documented() -> None:
    text = PLAN_TEXT[: PLAN_TEXT.index("[policy]")] + PLAN_TEXT[PLAN_TEXT.index("[[check.dynamodb]]") :]
    plan = parse_plan(text, "orders.toml")
    assert plan.policy == Policy(
        failover=FailoverMode.AUTOMATIC,
        failback=FailbackMode.MANUAL,
        healthy_for=20 * MINUTE,
        cooldown=60 * MINUTE,
        max_replication_lag=30 * SECOND,
        notify_again=60 * MINUTE,
        automatic_per_day=4,
        fleet_brake=50,
        approval_expires=DAY,
    )
    assert plan.sampling == Sampling(
        every=15 * SECOND,
        quick_every=5 * SECOND,
        timeout=2 * SECOND,
        needed=3,
        window=5,
        confirm_for=60 * SECOND,
    )
    assert plan.degradation == Degradation(
        action=DegradationMode.NOTIFY,
        over=10 * MINUTE,
        percentile=75,
        slower_than=3,
        at_least=SECOND / 2,
        errors=25,
    )
    assert plan.http_checks[0].status == 200


def test_every_field_of_a_record_is_read_from_its_own_key() -> None:
    plan = parse_plan(PLAN_TEXT, "orders.toml")
    record, linode, check = plan.route53_records[0], plan.linode_records[0], plan.http_checks[0]
    assert (record.zone_id, record.name, record.type, record.ttl) == (ZONE, "api.example.com", "A", 60)
    assert (record.primary, record.standby) == (("192.0.2.10",), ("198.51.100.10",))
    assert (linode.domain_id, linode.name, linode.type, linode.ttl_sec) == (123456, "app", "A", 30)
    assert (linode.primary, linode.standby) == ("203.0.113.10", "198.51.100.50")
    assert (check.primary, check.standby) == (
        "https://use1.orders.example.com/health",
        "https://usw2.orders.example.com/health",
    )
    assert plan.ssm_parameters[0].name == "/orders/active-region"


def test_plain_http_and_a_port_are_allowed() -> None:
    text = changed("https://use1.orders.example.com/", "http://use1.orders.example.com:8080/")
    assert (
        parse_plan(text, "orders.toml")
        .http_checks[0]
        .primary.startswith("http://use1.orders.example.com:8080/")
    )


def test_the_records_of_two_zones_or_domains_may_have_one_name() -> None:
    other = RECORD.replace(ZONE, "Z9") + LINODE.replace("123456", "654321")
    plan = parse_plan(changed(RECORD, RECORD + other), "orders.toml")
    assert list(plan.zones()) == [ZONE, "Z9"]
    assert [record.domain_id for record in plan.linode_records] == [654321, 123456]


def test_names_that_differ_by_more_than_case_and_the_last_dot_are_two_records() -> None:
    two = RECORD.replace("api.example.com", "api.example.lux") + RECORD.replace(
        "api.example.com", "api.example.LU."
    )
    assert len(parse_plan(changed(RECORD, two), "orders.toml").route53_records) == 2
    capitals = RECORD.replace("api.example.com", "API.EXAMPLE.LUX") + RECORD.replace(
        "api.example.com", "API.EXAMPLE.LU"
    )
    assert len(parse_plan(changed(RECORD, capitals), "orders.toml").route53_records) == 2


def records(count: int, zone: str, value: str = "2001:db8::{}", kind: str = "AAAA") -> str:
    """Return so many records of one zone, with two values each."""
    return "".join(
        f'[[switch.route53_record]]\nzone_id = "{zone}"\nname = "n{n}.example.com"\ntype = "{kind}"\nttl = 60\n'
        f'primary = ["{value.format("1")}"]\nstandby = ["{value.format("2")}"]\n'
        for n in range(count)
    )


def refusal(text: str) -> str:
    with pytest.raises(PlanError) as caught:
        parse_plan(changed(RECORD, text), "orders.toml")
    return str(caught.value)


ALLOWED_BATCH = (
    "at most 1000 values of 32000 characters in one batch of Route 53: fewer records of one zone in one plan"
)


def test_a_zones_records_and_the_fence_must_fit_into_one_batch() -> None:
    assert len(parse_plan(changed(RECORD, records(499, "Z1")), "orders.toml").route53_records) == 499
    assert refusal(records(500, "Z1")) == (
        "orders.toml: switch.route53_record: zone Z1: a change of all its records has 1002 values of 11240 characters;"
        f" allowed: {ALLOWED_BATCH}"
    )


def test_a_zones_values_must_fit_into_one_batch_to_the_character() -> None:
    def batch(last: int) -> str:
        # 31,760 characters beside the fence's 240: 157 records of 2 * 100 and one of 2 * 180
        long = records(157, "Z1", "{}" + "a" * 50 + "." + "b" * 44 + ".net", "CNAME")
        one = f"{'c' * 60}.{'d' * 60}.{{}}{'e' * last}.net"
        return long + records(1, "Z1", one, "CNAME").replace("n0.", "last.")

    assert parse_plan(changed(RECORD, batch(53)), "orders.toml")
    assert "has 318 values of 32002 characters" in refusal(batch(54))


def test_a_plan_has_at_most_a_thousand_records_in_all() -> None:
    full = records(499, "Z1") + records(499, "Z2").replace("n0.", "first.") + records(1, "Z3")
    assert parse_plan(changed(RECORD, full), "orders.toml")
    assert refusal(full + records(1, "Z4")) == (
        "orders.toml: switch: 1001 records; allowed: at most 1000 in one plan: split it"
    )


def test_secrets_and_hooks_are_read_as_they_stand() -> None:
    given = 'primary = "a"\nstandby = "b"\n'
    more = (
        HOOK.replace('"ask"', '"tell"').replace("before", "after") + 'region = "control"\ntimeout = "10s"\n'
    )
    text = SSM + given + SECRET + 'key = "host"\n' + given + HOOK + 'if_it_fails = "go on"\n' + more
    plan = parse_plan(changed(SSM, text), "orders.toml")
    assert plan.ssm_parameters == (
        SsmParameter("/orders/active-region", ("us-west-2", "us-east-1"), "a", "b"),
    )
    assert plan.secrets == (SecretSwitch("orders/database", ("us-west-2",), "a", "b", key="host"),)
    assert plan.hooks == (
        Hook("ask", "may-we", When.BEFORE, Place.TARGET, timedelta(seconds=5), IfItFails.GO_ON),
        Hook("tell", "may-we", When.AFTER, Place.CONTROL, timedelta(seconds=10)),
    )
    plain = parse_plan(PLAN_TEXT, "orders.toml")
    assert (plain.secrets, plain.hooks) == ((), ())
