"""A separate process that answers canned JSON over keep-alive HTTP as fast as a Python loop can.

What the client costs is what the benchmarks measure, so this server parses nothing but the end of a request,
answers every path the same, and can hold each answer back for a fixed time. Nothing here is part of the package.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

DEFAULT_BODY = b'{"id":"run_123","status":"completed","finished":true,"output":{"total":42.5,"items":["a","b","c"]}}'

_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ ]*(\d+)", re.IGNORECASE)


class _Connection(asyncio.Protocol):
    """One connection: counts whole requests in its buffer and answers each, pipelined or not."""

    def __init__(self, answer: bytes, latency_seconds: float) -> None:
        self._answer = answer
        self._latency_seconds = latency_seconds
        self._buffer = b""
        self._body_left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        if self._body_left:
            taken = min(self._body_left, len(data))
            self._body_left -= taken
            data = data[taken:]
            if self._body_left:
                return
            self._reply()
        self._buffer += data
        while True:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            length = _CONTENT_LENGTH.search(self._buffer, 0, end + 2)
            body = int(length[1]) if length else 0
            received = len(self._buffer) - end - 4
            if body > received:
                self._body_left = body - received
                self._buffer = b""
                return
            self._buffer = self._buffer[end + 4 + body :]
            self._reply()

    def _reply(self) -> None:
        if self._latency_seconds:
            self._loop.call_later(self._latency_seconds, self._write)
        else:
            self._write()

    def _write(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(self._answer)


async def _serve(body: bytes, latency_seconds: float) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(head + body, latency_seconds), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        # The parent holds our stdin: when it ends, for whatever reason, so do we.
        await loop.run_in_executor(None, sys.stdin.buffer.read)


@contextlib.contextmanager
def fast_server(*, latency_seconds: float = 0.0, body: bytes = DEFAULT_BODY) -> Iterator[str]:
    """Run the server in a process of its own and yield its base URL.

    Args:
        latency_seconds: How long each answer is held back.
        body: The JSON every request is answered with.
    """
    command = [sys.executable, str(Path(__file__)), "--latency", str(latency_seconds), "--body", body.decode()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()
            process.wait(timeout=10)


def main() -> None:
    """Serve until stdin ends; the port is the first line on stdout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds each answer is held back")
    parser.add_argument("--body", default=DEFAULT_BODY.decode(), help="JSON to answer with")
    arguments = parser.parse_args()
    asyncio.run(_serve(arguments.body.encode(), arguments.latency))


if __name__ == "__main__":
    main()
