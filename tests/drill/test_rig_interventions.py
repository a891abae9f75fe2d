"""Holding one request at the proxy, and finding, freezing and killing the process that sent it."""

import http.client
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from drill.emulator import RigError
from drill.exchanges import Exchanges
from drill.faults import FaultTable
from drill.interventions import Hold, Moment, Worker, worker_at
from drill.proxy import FaultProxy

CLIENT = """
import http.client, sys
for number in range(int(sys.argv[2])):
    link = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=20)
    scope = "Credential=AKID/20260101/us-east-1/route53/aws4_request"
    link.request("POST", "/2013-04-01/hostedzone/Z1/rrset", b"%d" % number, {"Authorization": scope})
    print(link.getresponse().read().decode(), flush=True)
"""
CHANGE = "POST */hostedzone/*/rrset"


class Upstream(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: list[bytes]

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.seen.append(body)
        self.send_response(400 if body == b"1" else 200)
        self.send_header("Content-Length", str(len(body) + 7))
        self.end_headers()
        self.wfile.write(b"answer " + body)


@dataclass
class Rig:
    proxy: FaultProxy
    seen: list[bytes] = field(default_factory=list)
    clients: list["subprocess.Popen[str]"] = field(default_factory=list)

    def client(self, requests: int = 1) -> "subprocess.Popen[str]":
        client = subprocess.Popen(
            [sys.executable, "-c", CLIENT, str(self.proxy.port), str(requests)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.clients.append(client)
        return client

    def hold(self, moment: Moment, nth: int = 1) -> Hold:
        return self.proxy.hold("route53", CHANGE, moment=moment, nth=nth)

    def worker(self, hold: Hold) -> Worker:
        assert hold.wait_held(10)
        return worker_at(hold.client, os.getpid())


@pytest.fixture
def rig() -> Iterator[Rig]:
    seen: list[bytes] = []
    upstream = ThreadingHTTPServer(("127.0.0.1", 0), type("Recording", (Upstream,), {"seen": seen}))
    upstream.daemon_threads = True
    threading.Thread(target=upstream.serve_forever, args=(0.02,), daemon=True).start()
    proxy = FaultProxy(upstream.server_port, FaultTable())
    proxy.start()
    made = Rig(proxy, seen)
    yield made
    proxy.stop()
    for client in made.clients:
        client.kill()
        client.communicate()
    upstream.shutdown()
    upstream.server_close()


def read(client: "subprocess.Popen[str]") -> str:
    assert client.stdout is not None
    return client.stdout.readline()


def test_a_request_held_before_it_is_forwarded_has_had_no_effect(rig: Rig) -> None:
    hold = rig.hold(Moment.REQUEST)
    client = rig.client()
    assert hold.wait_held(10)
    assert rig.seen == []
    assert hold.reply is None
    hold.release()
    assert read(client) == "answer 0\n"
    assert rig.seen == [b"0"]


def test_a_request_held_before_its_reply_has_had_its_effect(rig: Rig) -> None:
    hold = rig.hold(Moment.REPLY)
    client = rig.client()
    assert hold.wait_held(10)
    assert rig.seen == [b"0"]
    hold.release()
    assert read(client) == "answer 0\n"


def test_only_the_nth_that_matches_is_held_and_its_answer_is_kept(rig: Rig) -> None:
    elsewhere = rig.proxy.hold("dynamodb", "*", moment=Moment.REQUEST)
    hold = rig.hold(Moment.REQUEST, nth=2)
    client = rig.client(3)
    assert read(client) == "answer 0\n"
    assert hold.wait_held(10)
    hold.release()
    assert read(client) == "answer 1\n"
    assert read(client) == "answer 2\n"
    reply = hold.wait_answered(1)
    assert reply is not None
    assert (reply.status, reply.body) == (400, b"answer 1")
    assert not elsewhere.wait_held(0)


def test_a_killed_sender_leaves_the_effect_and_nobody_who_knows(rig: Rig) -> None:
    hold = rig.hold(Moment.REPLY)
    client = rig.client()
    worker = rig.worker(hold)
    worker.kill()
    hold.release()
    assert client.wait(5) == -9
    assert rig.seen == [b"0"]
    assert not worker.is_alive()


def test_a_held_request_outlives_the_process_that_sent_it(rig: Rig) -> None:
    hold = rig.hold(Moment.REQUEST)
    client = rig.client()
    rig.worker(hold).kill()
    assert client.wait(5) == -9
    assert rig.seen == []
    hold.release()
    reply = hold.wait_answered(5)
    assert reply is not None
    assert rig.seen == [b"0"]


def test_a_frozen_process_goes_on_where_it_was(rig: Rig) -> None:
    hold = rig.hold(Moment.REQUEST)
    client = rig.client()
    worker = rig.worker(hold)
    worker.freeze()
    assert worker.is_alive()
    hold.release()
    assert hold.wait_answered(5) is not None
    assert worker.is_frozen()  # the answer has arrived, and nobody reads it
    assert client.poll() is None
    worker.thaw()
    assert read(client) == "answer 0\n"


def test_nothing_but_a_worker_of_the_embedded_cloud_is_ever_touched(rig: Rig) -> None:
    hold = rig.hold(Moment.REQUEST)
    client = rig.client()
    assert hold.wait_held(10)
    with pytest.raises(RigError, match="which is no worker"):
        worker_at(hold.client, client.pid)  # a process is no descendant of itself
    client.kill()
    client.wait()
    with pytest.raises(RigError, match="no process owns"):
        worker_at(hold.client, os.getpid())


def test_stopping_the_proxy_lets_go_of_what_is_held(rig: Rig) -> None:
    hold = rig.hold(Moment.REQUEST)
    client = rig.client()
    assert hold.wait_held(10)
    rig.proxy.stop()
    assert client.wait(5) is not None  # answered or cut off; its own patience is 20 s


def signed(region: str, key: str) -> dict[str, str]:
    scope = f"Credential={key}/20260101/{region}/dynamodb/aws4_request"
    return {"Authorization": scope, "X-Amz-Target": "DynamoDB_20120810.GetItem"}


def test_open_connections_of_one_key_to_one_regions_service_can_be_ended(rig: Rig) -> None:
    links = {}
    for who in (("us-east-1", "AKID1"), ("us-west-2", "AKID1"), ("us-east-1", "AKID2")):
        links[who] = http.client.HTTPConnection("127.0.0.1", rig.proxy.port, timeout=2)
        links[who].request("POST", "/", b"0", signed(*who))
        links[who].getresponse().read()
    assert rig.proxy.end_connections("us-east-1", "dynamodb", "AKID1") == 1
    assert links.pop(("us-east-1", "AKID1")).sock.recv(1) == b""
    for who, link in links.items():
        link.request("POST", "/", b"2", signed(*who))
        assert link.getresponse().status == 200


def test_a_request_cut_off_in_the_middle_never_arrives(rig: Rig) -> None:
    rig.proxy.exchanges = Exchanges({"dynamodb": "*"})
    with socket.create_connection(("127.0.0.1", rig.proxy.port), 2) as link:
        head = "".join(f"{name}: {value}\r\n" for name, value in signed("us-east-1", "AKID1").items())
        link.sendall(f"POST / HTTP/1.1\r\nHost: a\r\n{head}Content-Length: 9\r\n\r\nhalf".encode())
        link.shutdown(socket.SHUT_WR)
        assert link.recv(1) == b""  # the proxy has seen the end
    assert rig.seen == []
    assert rig.proxy.exchanges.all() == ()
