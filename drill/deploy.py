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

COPIED = ("template.yaml", "signals.yaml", "vantage.yaml", "dataplane.yaml", "functions", "layers")
PLANS = Path("layers") / "plans"
BUILT = Path(".aws-sam") / "build"
BUILT_VANTAGE = Path(".aws-sam") / "vantage"
BUILT_PLANS = BUILT / "PlansLayer" / "python" / "region_failover_plans"


class Project:
    """A copy of what is deployed, with the rehearsal's plan: built once in a run, then the plan is renewed.

    Worlds differ in their addresses, so in the plan alone. After the first `sam build`, the plan is validated
    as the build does it, and replaced in the built layer.
    """

    def __init__(self, folder: Path = BUILD / "project") -> None:
        """Nothing is built yet."""
        self.folder = folder
        self._is_built = False

    def build(self, values: Mapping[str, object], log: Path) -> str:
        """Build it with the plan that has these values; return what was done, in words."""
        if self._is_built:
            self._renew(values, log)
            return "the plan renewed in what sam has built"
        self._copy()
        _write_plan(self.folder / PLANS, values)
        arguments = ["build", "--cached", "--cache-dir", str(BUILD / "sam-cache"), "--parallel"]
        _sam(arguments, log, folder=self.folder, endpoint="", region="")
        self._is_built = True
        return "sam build of the real template"

    def build_vantage_point(self, log: Path) -> str:
        """Build the vantage point's template too, with the present plan; return where the built one is."""
        arguments = ["build", "--template-file", "vantage.yaml", "--build-dir", str(BUILT_VANTAGE)]
        _sam(arguments, log, folder=self.folder, endpoint="", region="")
        return str(BUILT_VANTAGE / "template.yaml")

    def twin(self, folder: Path) -> Project:
        """Return a copy of this built project in another folder, for a world beside this one."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.folder, folder)
        return Project.already_built(folder)

    @classmethod
    def already_built(cls, folder: Path) -> Project:
        """Return the project that is built in this folder."""
        found = cls(folder)
        found._is_built = True
        return found

    def _copy(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, self.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, self.folder / name)
        for example in (self.folder / PLANS).glob("*.toml"):
            example.unlink()

    def _renew(self, values: Mapping[str, object], log: Path) -> None:
        _write_plan(self.folder / PLANS, values)
        with log.open("ab") as out:
            done = subprocess.run(
                [sys.executable, "-m", "region_failover.check_plans", str(self.folder / PLANS)],
                env=_environment("", "") | {"PYTHONPATH": str(self.folder / "layers" / "common")},
                stdout=out,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode:
            raise RigError(f"the rehearsal's plan is wrong: see the end of {log}")
        _write_plan(self.folder / BUILT_PLANS, values)


def plan_text(values: Mapping[str, object]) -> str:
    """Return the rehearsal's plan with these values."""
    return Template((ROOT / "drill" / "plan.toml.in").read_text()).substitute(values)


def _write_plan(folder: Path, values: Mapping[str, object]) -> None:
    (folder / "orders.toml").write_text(plan_text(values))


def sam_deploy(
    folder: Path,
    *,
    stack: str,
    template: str,
    region: str,
    endpoint: str,
    bucket: str,
    parameters: Mapping[str, str],
    log: Path,
) -> None:
    """Run `sam deploy` of one stack of the project in this folder, in one Region.

    With a bucket that is there: `--resolve-s3` makes one by a stack, and looks after it every 15 s only.
    """
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
            "--s3-bucket",
            bucket,
            "--no-confirm-changeset",
            "--no-fail-on-empty-changeset",
            "--no-progressbar",
            "--parameter-overrides",
            *overrides,
        ],
        log,
        folder=folder,
        endpoint=endpoint,
        region=region,
    )


def _sam(arguments: list[str], log: Path, *, folder: Path, endpoint: str, region: str) -> None:
    if not SAM.path.exists():
        raise RigError(f"{SAM.path} is missing: run `make setup`")
    with log.open("ab") as out:
        done = subprocess.run(
            [str(SAM.path), *arguments],
            cwd=folder,
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
