"""Names for what has one address in the rehearsal: each Region's DynamoDB, and each Region's application.

On AWS every Region's DynamoDB has its own name, and on 2025-10-20 that name resolved to nothing. The embedded
AWS has one address for all, and an address cannot fail to resolve. So the functions are given names:

- The SDK takes DynamoDB's endpoint from a rule set of the rig's own (`AWS_DATA_PATH`, botocore's documented
  place for additional models): `http://dynamodb.<Region>.rehearsal.test:<port of the proxy>`.
- The plan's checks ask `http://<Region>.app.rehearsal.test:<port>/health`.
- `*.rehearsal.test` is looked up in a file of names (`embedded/functions/sitecustomize.py`, on the functions'
  PYTHONPATH). A name that has been made to vanish resolves to nothing, as an empty answer does.

A partition between some functions and a Region: for them alone its names lead into a black hole
(`black_hole.py`). Only DynamoDB and the applications have names; the Region's other services are not cut off.

Whoever holds an open connection does not notice that a name has vanished; nor is it so on AWS.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from drill import layout
from drill.embedded.functions.sitecustomize import resolving

FUNCTIONS_PATH = layout.ROOT / "drill" / "embedded" / "functions"
API_VERSION = "2012-08-10"


def dynamodb_name(region: str) -> str:
    """Return the name of a Region's DynamoDB."""
    return f"dynamodb.{region}.rehearsal.test"


ELSEWHERE = "elsewhere.rehearsal.test"
"""What stands for the world outside both Regions: a control target."""


def application_name(region: str) -> str:
    """Return the name of the application's own endpoint in a Region."""
    return f"{region}.app.rehearsal.test"


class Names:
    """The names that resolve now, in a file that every process of the rehearsal reads."""

    def __init__(self, folder: Path) -> None:
        """Keep the file of names, and the SDK's rule set, in this folder."""
        self._file = folder / "names.json"
        self._models = folder / "models"
        self._lock = threading.Lock()
        self._real: Callable[..., Any] | None = None
        self._addresses: dict[str, str] = {
            **{dynamodb_name(region): "127.0.0.1" for region in layout.REGIONS},
            application_name(layout.PRIMARY): layout.PRIMARY_ADDRESS,
            application_name(layout.STANDBY): layout.STANDBY_ADDRESS,
            ELSEWHERE: "127.0.0.1",
        }
        self._gone: set[str] = set()
        self._cut: dict[str, str] = {}
        self._publish()

    def environment(self, port: int) -> Mapping[str, str]:
        """Return what a process needs to use the names; `port`: where DynamoDB answers under each of them."""
        self._write_rules(port)
        return {
            "PYTHONPATH": str(FUNCTIONS_PATH),
            "REHEARSAL_NAMES": str(self._file),
            "AWS_DATA_PATH": str(self._models),
        }

    def vanish(self, *names: str) -> None:
        """Let names resolve to nothing."""
        with self._lock:
            self._gone.update(names)
            self._publish()

    def come_back(self, *names: str) -> None:
        """Let names resolve again."""
        with self._lock:
            self._gone.difference_update(names)
            self._publish()

    def cut(self, functions: Iterable[str], *names: str) -> None:
        """Let what these functions alone send to these names be swallowed, as by a parted network."""
        with self._lock:
            self._cut |= {f"{name}@{function}": layout.NOWHERE for function in functions for name in names}
            self._publish()

    def mend(self) -> None:
        """End every partition."""
        with self._lock:
            self._cut.clear()
            self._publish()

    def start(self) -> None:
        """Use the names in this process too: the applications run here."""
        self._real = socket.getaddrinfo
        socket.getaddrinfo = resolving(str(self._file), self._real)

    def stop(self) -> None:
        """Resolve as before."""
        if self._real is not None:
            socket.getaddrinfo, self._real = self._real, None

    def _publish(self) -> None:
        """Replace the file whole: a reader must never see half of it."""
        there = {name: address for name, address in self._addresses.items() if name not in self._gone}
        there |= self._cut
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps(there))
        os.replace(fresh, self._file)

    def _write_rules(self, port: int) -> None:
        region = {"builtIn": "AWS::Region", "required": True, "type": "string", "documentation": ""}
        endpoint = {
            "url": "http://dynamodb.{Region}.rehearsal.test:" + str(port),
            "properties": {},
            "headers": {},
        }
        rules = {
            "version": "1.0",
            "parameters": {"Region": region},
            "rules": [{"conditions": [], "endpoint": endpoint, "type": "endpoint"}],
        }
        folder = self._models / "dynamodb" / API_VERSION
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "endpoint-rule-set-1.json").write_text(json.dumps(rules))
