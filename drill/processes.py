"""Processes of the machine: whether one runs still, and how one ends with all that it has started."""

from __future__ import annotations

import contextlib
import subprocess
import time

import psutil


def is_alive(process: psutil.Process) -> bool:
    """Return whether a process is there, running or frozen; one that nobody has buried is not."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


def end_family(process: subprocess.Popen[bytes], within_s: float = 10.0) -> None:
    """End a process in order, then kill whatever it has started and left; return when all of it is gone."""
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    process.terminate()
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    until = time.monotonic() + within_s
    while any(map(is_alive, family)) and time.monotonic() < until:
        time.sleep(0.05)
