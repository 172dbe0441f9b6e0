"""A portal, and a way to run whole programs: what ends a process can only be seen from outside of it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest

from eigenpal_sync._portal import Portal

ROOT = Path(__file__).parents[2]
THREAD_NAME = "eigenpal blocking clients"

# What every program begins with. A parent that ignores Ctrl-C must not make its children ignore it.
PREAMBLE = """
import os, signal, sys, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)
import anyio
from eigenpal.errors import EigenpalUsageError
from eigenpal_sync._portal import Portal, caller_callback

def say(*words):
    print(*words, flush=True)

async def value(it=1):
    await anyio.sleep(0)
    return it

"""


@attrs.define
class Program:
    """A Python program that runs beside the test; leaving the `with` block ends it."""

    process: subprocess.Popen[str]

    def line(self) -> str:
        """Return the next line it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def rest(self) -> list[str]:
        """Return what it prints until it ends by itself, which must be soon, without complaint and with success."""
        out, err = self.process.communicate(timeout=20)
        assert err == ""
        assert self.process.returncode == 0
        return out.splitlines()


StartProgram = Callable[..., Program]


@pytest.fixture
def start_program() -> Iterator[StartProgram]:
    """Start a program: its code, and options for its interpreter."""
    with contextlib.ExitStack() as stack:

        def start(code: str, *options: str, **environment: str) -> Program:
            command = [sys.executable, "-W", "error", *options, "-c", PREAMBLE + textwrap.dedent(code)]
            env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
            pipe = subprocess.PIPE
            process = stack.enter_context(subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=env))
            stack.callback(process.kill)
            return Program(process)

        yield start


@pytest.fixture
def portal() -> Iterator[Portal]:
    """An open portal; the loop thread must be gone when the test has closed what it opened."""
    opened = Portal()
    yield opened
    opened.close()
    assert loop_threads() == []


def loop_threads() -> list[threading.Thread]:
    """Return the loop threads of this process."""
    return [thread for thread in threading.enumerate() if thread.name == THREAD_NAME]
