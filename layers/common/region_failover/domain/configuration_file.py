"""Read from a plan what switches configuration: parameters, secrets, and the user's own hooks.

Sources of the limits: SSM (names of up to 1011 characters of `a-zA-Z0-9_.-/`; a value must not hold `{{`),
Secrets Manager (names of 1 to 512 of `a-zA-Z0-9/_+=.@-`), Lambda (function names of up to 64 of
`a-zA-Z0-9-_`, with ':' and an alias or a version).
"""

from __future__ import annotations

import re
from datetime import timedelta

from region_failover.domain.configuration import SecretSwitch
from region_failover.domain.hooks import Hook, IfItFails, Place, When
from region_failover.domain.plan import Plan, Regions, SsmParameter
from region_failover.domain.toml_table import Table

# Each is some four calls to its Region, all at the same time.
MOST_SECRETS = 20
# Each is a synchronous call, those of one kind at the same time.
MOST_HOOKS = 10

# All before-hooks together must leave time to act on a target that was verified 30 s ago at most.
_LONGEST = timedelta(seconds=10)

_PARAMETER = re.compile(r"/[A-Za-z0-9_.\-/]{1,1010}")
_SECRET = re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}")
_VALUE = re.compile(r"[!-~]([ -~]{0,254}[!-~])?")
_JSON_KEY = re.compile(r"[ -~]{1,128}")
_HOOK = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
_FUNCTION = re.compile(r"[A-Za-z0-9_-]{1,64}(:[A-Za-z0-9_-]{1,128})?")


def read_parameter(table: Table, regions: Regions) -> SsmParameter:
    """Return the parameter that a [[switch.ssm_parameter]] describes."""
    table.only("name", "regions", "primary", "standby")
    found = _regions(table, regions)
    name = table.text("name", _PARAMETER, "a parameter name beginning with '/'")
    values = _values(table)
    for key, value in zip(("primary", "standby"), values, strict=True):
        if "{{" in value:
            table.fail(key, f"{value!r} would be read by SSM as a reference", "a text without '{{'")
    return SsmParameter(name, found, *values)


def read_secret(table: Table, regions: Regions) -> SecretSwitch:
    """Return the secret that a [[switch.secret]] describes."""
    table.only("name", "regions", "key", "primary", "standby")
    found = _regions(table, regions)
    name = table.text("name", _SECRET, "a secret's name (no ARN): 1 to 512 of a-z, A-Z, 0-9 and '/_+=.@-'")
    key = ""
    if "key" in table.values:
        key = table.text("key", _JSON_KEY, "a key of the JSON object in the secret, 1 to 128 characters")
    return SecretSwitch(name, found, *_values(table), key=key)


def _regions(table: Table, regions: Regions) -> tuple[str, ...]:
    found = table.texts("regions", "a list of the plan's Regions")
    for region in found:
        if region not in tuple(regions):
            table.fail("regions", f"{region!r} is not a Region of this plan", ", ".join(regions))
    return found


def _values(table: Table) -> tuple[str, str]:
    """Return the values given for each role, '' for both where none is."""
    given = [key for key in ("primary", "standby") if key in table.values]
    if not given:
        return "", ""
    allowed = "a text of 1 to 256 printable ASCII characters for each role, no secret"
    primary, standby = (table.text(key, _VALUE, allowed) for key in ("primary", "standby"))
    if primary == standby:
        table.fail("standby", "the same value as the primary", "what it is while the standby is active")
    return primary, standby


def read_hook(table: Table) -> Hook:
    """Return the hook that a [[switch.hook]] describes."""
    table.only("name", "function", "when", "region", "timeout", "if_it_fails")
    whens = {when.value: when for when in When}
    when = table.choice("when", None, whens)
    if when is None:
        table.fail("when", "missing", ", ".join(f'"{word}"' for word in whens))
    if when is When.AFTER and "if_it_fails" in table.values:
        table.fail("if_it_fails", "an after-hook stops nothing", 'only with when = "before"')
    return Hook(
        name=table.text("name", _HOOK, "1 to 40 of a-z, 0-9 and '-', no '-' at either end"),
        function=table.text(
            "function", _FUNCTION, "a Lambda function's name (no ARN), with ':' and an alias where it has one"
        ),
        when=when,
        place=table.choice("region", Place.TARGET, {place.value: place for place in Place}),
        timeout=table.duration("timeout", timedelta(seconds=5), timedelta(seconds=1), _LONGEST),
        if_it_fails=table.choice("if_it_fails", None, {word.value: word for word in IfItFails}),
    )


def check_configuration(top: Table, plan: Plan) -> None:
    """Refuse what stands twice, or what is too many."""
    for key, names, most in (
        ("switch.secret", [secret.name for secret in plan.secrets], MOST_SECRETS),
        ("switch.hook", [hook.name for hook in plan.hooks], MOST_HOOKS),
    ):
        for name in names:
            if names.count(name) > 1:
                top.fail(key, f"{name!r} stands twice", "each once")
        if len(names) > most:
            top.fail(key, f"{len(names)} of them", f"at most {most}")
