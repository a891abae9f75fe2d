"""The embedded AWS: one ministack process on loopback, started and stopped with the rehearsal."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from drill.layout import MINISTACK, ROOT
from drill.names import Names
from drill.processes import end_family

KEY = "test"  # the emulator's root credentials; it accepts no others until a role is assumed
READY_WITHIN_S = 60.0
READ_TIMEOUT_S = 120.0  # longer than any function that is waited for
START = ROOT / "drill" / "embedded" / "start.py"


class RigError(RuntimeError):
    """The rehearsal itself could not be set up; says nothing of the product."""


def free_port() -> int:
    """Return a port that is free on loopback now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Emulator:
    """ministack with IAM enforcement on; its functions' calls go to `functions_endpoint`."""

    def __init__(self, log: Path, functions_port: int | None = None) -> None:
        """Log to this file; `functions_port`: a proxy that the functions' calls are sent through."""
        self.port = free_port()
        self._log = log
        self._functions_port = functions_port or self.port
        self._dns: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._clients: dict[tuple[str, str], Any] = {}
        self._clients_lock = threading.Lock()
        self._session: Any = boto3.session.Session(aws_access_key_id=KEY, aws_secret_access_key=KEY)
        # What is left of it is nobody's outage: a file too many must not fail a rehearsal.
        self._state = tempfile.TemporaryDirectory(prefix="region-failover-drill-", ignore_cleanup_errors=True)
        self.names = Names(Path(self._state.name))
        self.replication_pause = Path(self._state.name) / "replication-is-paused"
        self.connections = Path(self._state.name) / "connections"  # who opened which, and when

    @property
    def url(self) -> str:
        """Return the endpoint of everything."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Return the process's number; its workers are its descendants."""
        if self._process is None:
            raise RigError("the embedded AWS is not running")
        return self._process.pid

    def pause_replication(self) -> None:
        """Let no write of a global table reach its other replica from now on."""
        self.replication_pause.touch()

    def resume_replication(self) -> None:
        """Let late writes arrive, and new ones at once again."""
        self.replication_pause.unlink(missing_ok=True)

    def send_functions_through(self, port: int) -> None:
        """Send the functions' calls to this port; before `start`."""
        self._functions_port = port

    def ask_names_of(self, port: int) -> None:
        """Have the functions ask a DNS server on this port, in place of the world's; before `start`."""
        self._dns = {"DNS_RESOLVER": f"127.0.0.1:{port}"}

    def start(self) -> None:
        """Start it and wait until it answers."""
        if not MINISTACK.path.exists():
            raise RigError(f"{MINISTACK.path} is missing: run `make setup`")
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(MINISTACK.path.parent / "python"), str(START)],
                env=self._environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + READY_WITHIN_S
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RigError(f"the embedded AWS did not start; its log: {self._log}")
            time.sleep(0.1)

    def stop(self) -> None:
        """End it, and whatever it started: a worker that lives on would write into what is being removed."""
        if self._process is not None:
            end_family(self._process)
        self._state.cleanup()

    def client(self, service: str, region: str) -> Any:
        """Return the client that talks to it directly, past every fault; made once: each costs 0.1 s."""
        with self._clients_lock:
            if (service, region) not in self._clients:
                config = Config(
                    connect_timeout=5,
                    read_timeout=READ_TIMEOUT_S,
                    retries={"total_max_attempts": 3},
                    max_pool_connections=40,
                )
                self._clients[service, region] = self._session.client(
                    service, region_name=region, endpoint_url=self.url, config=config
                )
            return self._clients[service, region]

    def _environment(self) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "SAM_"))}
        return inherited | {
            "GATEWAY_PORT": str(self.port),
            "IOT_MTLS_PORT": str(free_port()),
            "BIND_HOST": "127.0.0.1",
            "STATE_DIR": self._state.name,
            "S3_DATA_DIR": f"{self._state.name}/s3",
            "TMPDIR": self._state.name,
            "AUTH": "true",
            "LAMBDA_EXECUTOR": "local",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": KEY,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._functions_port}",
            "REHEARSAL_REPLICATION": str(self.replication_pause),
            "REHEARSAL_CONNECTIONS": str(self.connections),
            **self.names.environment(self._functions_port),
            **self._dns,
        }

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/_ministack/health", timeout=1):
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
