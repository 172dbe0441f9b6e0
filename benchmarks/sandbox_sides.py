"""The two processes of the sandbox benchmark: a sandbox with thousands of runs in flight, and what asks it about them.

The generator is no client: it writes prepared requests to sockets and looks for the end of each answer, so that what
it costs leaves the machine to the sandbox. Which of the two a process is, its first argument says.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.rounds import Figures, answer

CONNECTIONS = 32  # enough that the sandbox never waits for the generator
START = b'{"target": "workflows.wait"}'

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


class _Connection(asyncio.Protocol):
    """Sends one request after the other, and keeps the body of each answer when asked to."""

    def __init__(self, requests: Sequence[bytes], done: asyncio.Future[list[bytes]], *, keep: bool) -> None:
        self._requests = iter(requests)
        self._done = done
        self._keep = keep
        self._bodies: list[bytes] = []
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head = self._received.find(b"\r\n\r\n")
        if head < 0:
            return
        length = _LENGTH.search(self._received, 0, head + 2)
        if length is None or not self._received.startswith(b"HTTP/1.1 20"):
            self.connection_lost(ValueError(f"an unexpected answer: {self._received[:200]!r}"))
            return
        end = head + 4 + int(length[1])
        if len(self._received) < end:
            return
        if self._keep:
            self._bodies.append(self._received[head + 4 : end])
        self._received = self._received[end:]
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(exc or ConnectionResetError("the sandbox closed the connection"))

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is not None:
            self._transport.write(request)
        elif not self._done.done():
            self._done.set_result(self._bodies)
            self._transport.close()


async def exchange(port: int, requests: Sequence[bytes], *, keep: bool = False) -> list[bytes]:
    """Send requests over some connections, each waiting for one answer at a time, and return the bodies kept.

    Raises:
        ValueError: An answer is no success.
    """
    loop = asyncio.get_running_loop()
    parts = [requests[number::CONNECTIONS] for number in range(min(CONNECTIONS, len(requests)))]
    ends: list[asyncio.Future[list[bytes]]] = [loop.create_future() for _ in parts]
    for part, end in zip(parts, ends, strict=True):
        await loop.create_connection(partial(_Connection, part, end, keep=keep), "127.0.0.1", port)
    return [body for bodies in await asyncio.gather(*ends) for body in bodies]


def request(method: str, path: str, key: str, body: bytes = b"") -> bytes:
    """Return a request as it goes over the wire."""
    content = b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body) if body else b""
    head = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\naccept: */*\r\n"
    return head.encode() + content + b"\r\n" + body


def generate(port: int, key: str, runs: int, calls: int) -> None:
    """Start the runs, then ask for them in turn, once for each line on stdin."""
    began = time.perf_counter()
    receipts = asyncio.run(exchange(port, [request("POST", "/api/v1/runs", key, START)] * runs, keep=True))
    starts = runs / (time.perf_counter() - began)
    ids = [json.loads(receipt)["id"] for receipt in receipts]
    polls = [request("GET", f"/api/v1/runs/{ids[number % runs]}", key) for number in range(calls)]

    def measure() -> Figures:
        began = time.perf_counter()
        asyncio.run(exchange(port, polls))
        return {"rate": calls / (time.perf_counter() - began), "starts": starts}

    answer(measure)


def serve(runs: int) -> None:
    """Run a sandbox whose workflow waits for ever; each line on stdin is answered with what it uses."""
    from eigenpal.sandbox import RunContext, Sandbox

    with Sandbox(max_running=runs) as sandbox:

        @sandbox.workflow("wait")
        async def wait(context: RunContext) -> None:
            await asyncio.Event().wait()

        print(json.dumps({"port": int(sandbox.url.rpartition(":")[2]), "key": sandbox.api_key}), flush=True)
        for _ in sys.stdin:
            print(json.dumps({"memory": _memory_in_use(), "busy": time.process_time()}), flush=True)


def _memory_in_use() -> float:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    else:
        generate(int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
