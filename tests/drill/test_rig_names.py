"""The rehearsal's names: per Region, in a file that the functions' processes read."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from drill import layout
from drill.black_hole import BlackHole
from drill.names import Names, application_name, dynamodb_name

DYNAMODB = dynamodb_name(layout.PRIMARY)
CHILD = """
import boto3, socket, sys
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError
client = boto3.client("dynamodb", region_name=sys.argv[1], aws_access_key_id="k", aws_secret_access_key="s",
                      config=Config(retries={"total_max_attempts": 1}))
print(client.meta.endpoint_url)
sent = []
client.meta.events.register("before-send", lambda request, **_: sent.append(request.url))
try:
    client.list_tables()
except EndpointConnectionError as error:
    print(error.kwargs["error"].__class__.__name__)
print(sent[0])
"""


@pytest.fixture
def names(tmp_path: Path) -> Iterator[Names]:
    made = Names(tmp_path)
    made.start()
    yield made
    made.stop()


def resolve(name: str) -> str:
    return str(socket.getaddrinfo(name, 80, socket.AF_INET, socket.SOCK_STREAM)[0][4][0])


def test_each_region_has_names_of_its_own(names: Names) -> None:
    assert resolve(DYNAMODB) == "127.0.0.1"
    assert resolve(application_name(layout.PRIMARY)) == layout.PRIMARY_ADDRESS
    assert resolve(application_name(layout.STANDBY).upper() + ".") == layout.STANDBY_ADDRESS
    assert resolve("127.0.0.9") == "127.0.0.9"  # what is not ours is the system's


def test_a_name_that_has_vanished_resolves_to_nothing_until_it_comes_back(names: Names) -> None:
    names.vanish(DYNAMODB)
    with pytest.raises(socket.gaierror) as caught:
        resolve(DYNAMODB)
    assert caught.value.errno == socket.EAI_NODATA
    assert resolve(dynamodb_name(layout.STANDBY)) == "127.0.0.1"
    names.come_back(DYNAMODB)
    assert resolve(DYNAMODB) == "127.0.0.1"


def test_a_partition_is_for_some_functions_alone(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    names.cut(["probe"], DYNAMODB)
    assert resolve(DYNAMODB) == "127.0.0.1"
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "vantage-point")
    assert resolve(DYNAMODB) == "127.0.0.1"
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "probe")
    assert resolve(DYNAMODB) == layout.NOWHERE
    assert resolve(dynamodb_name(layout.STANDBY)) == "127.0.0.1"
    names.mend()
    assert resolve(DYNAMODB) == "127.0.0.1"


def test_a_black_hole_lets_connect_and_says_nothing() -> None:
    with socket.socket() as probe:
        probe.bind((layout.NOWHERE, 0))
        port = probe.getsockname()[1]
    hole = BlackHole(layout.NOWHERE, [port])
    hole.start()
    try:
        with socket.create_connection((layout.NOWHERE, port), timeout=2) as link:
            link.sendall(b"GET / HTTP/1.1\r\n\r\n")
            link.settimeout(0.2)
            with pytest.raises(TimeoutError):
                link.recv(1)
    finally:
        hole.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((layout.NOWHERE, port), timeout=2)


def test_stop_gives_the_systems_resolver_back(tmp_path: Path) -> None:
    before = socket.getaddrinfo
    made = Names(tmp_path)
    made.start()
    made.stop()
    assert socket.getaddrinfo is before


def test_a_function_asks_each_regions_dynamodb_by_its_name(names: Names, tmp_path: Path) -> None:
    names.vanish(DYNAMODB)
    environment = {**os.environ, **names.environment(port=1), "AWS_ENDPOINT_URL": "http://127.0.0.1:2"}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, layout.PRIMARY],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split()[1:] == ["NameResolutionError", f"http://{DYNAMODB}:1/"]


def test_the_file_of_names_is_replaced_whole(names: Names, tmp_path: Path) -> None:
    names.vanish(DYNAMODB)
    assert DYNAMODB not in json.loads((tmp_path / "names.json").read_text())
    assert sorted(path.name for path in tmp_path.glob("names*")) == ["names.json"]
