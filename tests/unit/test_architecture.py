"""The arrows of DESIGN.md section 4: who may import whom, and what the domain must not touch."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "layers" / "common" / "region_failover"
STANDARD = set(sys.stdlib_module_names)

DOMAIN = {"region_failover.domain"}
REMOTE = {"boto3", "botocore", "dns", "requests", "urllib3"}
# What a layer may import of this package (prefixes), and of what is installed.
ALLOWED: dict[str, tuple[set[str], set[str]]] = {
    "domain": (DOMAIN, set()),
    "ports.py": (DOMAIN, set()),
    "service": (DOMAIN | {"region_failover.ports", "region_failover.service"}, set()),
    "adapters": (
        DOMAIN | {"region_failover.ports", "region_failover.adapters"},
        REMOTE | {"aws_lambda_powertools"},
    ),
    "bootstrap.py": (
        DOMAIN | {f"region_failover.{name}" for name in ("ports", "service", "adapters")},
        REMOTE | {"aws_lambda_powertools"},
    ),
    "check_plans.py": (DOMAIN | {"region_failover.adapters.plan_files"}, set()),
    "__init__.py": (set(), set()),
}


def imports(file: Path) -> Iterator[str]:
    """Yield every module that a file imports, wherever the import stands."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            yield node.module or ""


def within(module: str, prefixes: set[str]) -> bool:
    return any(module == prefix or module.startswith(prefix + ".") for prefix in prefixes)


def layer(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0]


FILES = sorted(PACKAGE.rglob("*.py"))
FUNCTIONS = sorted((ROOT / "functions").glob("*/*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_a_module_imports_only_what_its_layer_may(file: Path) -> None:
    own, installed = ALLOWED[layer(file)]
    for module in imports(file):
        if module.startswith("region_failover"):
            assert within(module, own), f"{file.name} imports {module}"
        else:
            top = module.split(".")[0]
            assert top in STANDARD or top in installed, f"{file.name} imports {module}"


@pytest.mark.parametrize("file", FUNCTIONS, ids=lambda f: str(f.relative_to(ROOT)))
def test_a_function_imports_only_the_bootstrap_and_a_service(file: Path) -> None:
    for module in imports(file):
        allowed = {"region_failover.bootstrap", "region_failover.service"}
        assert within(module, allowed) or module.split(".")[0] in STANDARD, f"{file} imports {module}"


@pytest.mark.parametrize("file", FUNCTIONS, ids=lambda f: str(f.relative_to(ROOT)))
def test_no_decision_lives_in_a_handler(file: Path) -> None:
    branches = (ast.If, ast.For, ast.While, ast.Try, ast.Match, ast.IfExp, ast.BoolOp, ast.comprehension)
    found = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, branches)]
    assert not found


FORBIDDEN_MODULES = {
    "time", "random", "secrets", "uuid", "os", "logging", "socket", "ssl", "threading", "subprocess",
    "asyncio", "pathlib", "tempfile", "urllib.request", "http",
}  # fmt: skip
FORBIDDEN_CALLS = {"now", "utcnow", "today", "fromtimestamp", "print", "open", "input", "uuid4"}


@pytest.mark.parametrize("file", sorted((PACKAGE / "domain").glob("*.py")), ids=lambda f: f.name)
def test_the_domain_has_no_clock_environment_randomness_or_io(file: Path) -> None:
    for module in imports(file):
        assert not within(module, FORBIDDEN_MODULES), f"{file.name} imports {module}"
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            assert name not in FORBIDDEN_CALLS, f"{file.name}:{node.lineno} calls {name}"


@pytest.mark.parametrize("file", sorted((PACKAGE / "service").glob("*.py")), ids=lambda f: f.name)
def test_the_flows_take_time_from_the_clock_port_only(file: Path) -> None:
    assert not {"time", "threading", "os", "random"} & set(imports(file))
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"}:
            assert isinstance(node.value, ast.Attribute), f"{file.name}:{node.lineno}"
            assert node.value.attr == "clock"


def test_the_rules_here_see_a_broken_arrow(tmp_path: Path) -> None:
    file = tmp_path / "bad.py"
    file.write_text("import boto3\ndef f():\n    from region_failover.adapters import clients\n")
    assert set(imports(file)) == {"boto3", "region_failover.adapters"}
