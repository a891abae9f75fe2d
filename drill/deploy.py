"""Build and deploy the real templates with the real SAM CLI, from a copy that differs in its plan only."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from string import Template

from drill.emulator import KEY, RigError
from drill.layout import BUILD, ROOT, SAM

PROJECT = BUILD / "project"
COPIED = ("template.yaml", "signals.yaml", "functions", "layers")


def copy_project(values: Mapping[str, object]) -> Path:
    """Copy what is deployed, with the rehearsal's plan in place of the example; return the folder."""
    shutil.rmtree(PROJECT, ignore_errors=True)
    PROJECT.mkdir(parents=True)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, PROJECT / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, PROJECT / name)
    for example in (PROJECT / "layers" / "plans").glob("*.toml"):
        example.unlink()
    plan = Template((ROOT / "drill" / "plan.toml.in").read_text()).substitute(values)
    (PROJECT / "layers" / "plans" / "orders.toml").write_text(plan)
    return PROJECT


def sam_build(log: Path) -> None:
    """Run `sam build` on the control stack; what has not changed is not built again."""
    _sam(
        ["build", "--cached", "--cache-dir", str(BUILD / "sam-cache"), "--parallel"],
        log,
        endpoint="",
        region="",
    )


def sam_deploy(
    *, stack: str, template: str, region: str, endpoint: str, parameters: Mapping[str, str], log: Path
) -> None:
    """Run `sam deploy` of one stack in one Region."""
    overrides = [f"{key}={value}" for key, value in parameters.items()]
    _sam(
        [
            "deploy",
            "--template-file",
            template,
            "--stack-name",
            stack,
            "--region",
            region,
            "--capabilities",
            "CAPABILITY_IAM",
            "--resolve-s3",
            "--no-confirm-changeset",
            "--no-fail-on-empty-changeset",
            "--no-progressbar",
            "--parameter-overrides",
            *overrides,
        ],
        log,
        endpoint=endpoint,
        region=region,
    )


def _sam(arguments: list[str], log: Path, *, endpoint: str, region: str) -> None:
    if not SAM.path.exists():
        raise RigError(f"{SAM.path} is missing: run `make setup`")
    with log.open("ab") as out:
        done = subprocess.run(
            [str(SAM.path), *arguments],
            cwd=PROJECT,
            env=_environment(endpoint, region),
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            timeout=600,
            check=False,
        )
    if done.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-25:])
        raise RigError(f"`sam {' '.join(arguments[:1])}` failed; the end of {log}:\n{tail}")


def _environment(endpoint: str, region: str) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "SAM_"))}
    found = inherited | {
        "SAM_CLI_TELEMETRY": "0",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": KEY,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_DEFAULT_REGION": region or "us-east-1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
    }
    return found | ({"AWS_ENDPOINT_URL": endpoint} if endpoint else {})
