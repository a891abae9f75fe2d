"""A process is ended with all that it has started."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil

from drill.processes import end_family

# A parent whose child ignores SIGTERM; both sleep. The child says when it is ready, by its number.
CHILD = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(os.getpid(), flush=True)
time.sleep(60)
"""
PARENT = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {CHILD!r}])
time.sleep(60)
"""


def test_a_worker_does_not_outlive_what_has_started_it() -> None:
    process = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE)
    assert process.stdout is not None
    child = psutil.Process(int(process.stdout.readline()))
    began = time.monotonic()
    end_family(process)
    assert process.poll() is not None
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    assert time.monotonic() - began < 9
    process.stdout.close()


def test_what_has_ended_already_is_no_error() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    end_family(process)
    assert process.returncode == 0
