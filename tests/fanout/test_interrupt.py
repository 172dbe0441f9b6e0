"""Ctrl-C in the middle of a batch: it ends at once, cleans up, and says nothing but KeyboardInterrupt."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eigenpal.sandbox import Sandbox
from tests.fanout.conftest import KEY

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")

ASYNC = """
async def main():
    async with AsyncEigenpalClient(KEY, base_url=URL) as client:
        async for outcome in client.run_many("workflows.patient", inputs, cancel_running=True):
            print(outcome.key, flush=True)
anyio.run(main, backend={backend!r})
"""
PROGRAMS = {
    "asyncio": ASYNC.format(backend="asyncio"),
    "trio": ASYNC.format(backend="trio"),
    "blocking": """
with EigenpalClient(KEY, base_url=URL) as client:
    for outcome in client.run_many("workflows.patient", inputs, cancel_running=True):
        print(outcome.key, flush=True)
""",
}
OPENING = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
import anyio
from eigenpal import AsyncEigenpalClient, EigenpalClient
KEY, URL = sys.argv[1:]
inputs = [{"n": n} for n in range(4)]
"""


@pytest.fixture
def patient(sandbox: Sandbox) -> Iterator[Sandbox]:
    """A sandbox whose runs go on until they are cancelled, but for the first."""
    over = threading.Event()

    @sandbox.workflow("patient")
    def patient(context: Any) -> dict[str, Any]:
        while context.input["n"] and not over.wait(0.01):
            context.checkpoint()
        return {}

    yield sandbox
    over.set()


@pytest.mark.parametrize("program", PROGRAMS)
def test_ctrl_c_ends_a_batch_and_cancels_what_runs(patient: Sandbox, program: str) -> None:
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", OPENING + PROGRAMS[program], KEY, patient.url]
    pipe = subprocess.PIPE
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=root) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "0\n"
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=30)
    assert process.returncode not in {0, None}
    assert out == ""
    assert error.rstrip().endswith("KeyboardInterrupt")
    assert "never" not in error  # awaited, retrieved, closed
    assert "destroyed" not in error
    assert sum(request.path.endswith("/cancel") for request in patient.requests) == 3
