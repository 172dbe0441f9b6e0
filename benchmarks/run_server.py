"""A separate process that answers for runs which take a fixed time, as fast as a Python loop can, and counts requests.

It keeps nothing: the id of a run says when it began, so a client may make ids up, and wait for runs it never started.
Nothing here is part of the package.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

_TIMING = '{"createdAt":"2026-11-02T09:14:03.127Z","startedAt":"2026-11-02T09:14:03.480Z","completedAt":null,"durationMs":null,"cancelRequestedAt":null}'  # noqa: E501 - one piece of JSON
_ROW = (
    '{"id":"%s","type":"workflow","finished":%s,"timing":' + _TIMING + ',"source":{"id":"wf_4kTq9vXz2LmPa7RbN0sYe",'
    '"name":"Extract invoice","version":"12","versionId":"wfh_8dPz3"},"trigger":{"type":"api","by":{"id":"user_51",'
    '"name":"Ada","email":"ada@example.com"}},"execution":{"status":"%s","schemaValid":null,"batchId":null,'
    '"annotation":null},"error":null'
)
_OUTPUT = ',"output":{"number":"2026-1187","total":187.5,"currency":"EUR"},"files":[]}'


def made_up_id(number: int, begins: float | None = None) -> str:
    """Return the id of a run that begins now, or at another moment of `time.time()`."""
    return f"exec_{int((time.time() if begins is None else begins) * 1000)}_{number:06}"


class _Server:
    """What all connections share: how long runs take, and how many requests there were."""

    def __init__(self, run_seconds: float) -> None:
        self._run_seconds = run_seconds
        self._requests = 0
        self._started = 0

    def answer(self, method: str, target: str) -> str:
        url = urlsplit(target)
        if url.path == "/requests":
            counted, self._requests = self._requests, 0
            return json.dumps({"requests": counted})
        self._requests += 1
        if method == "POST":
            self._started += 1
            return f'{{"id":"{made_up_id(self._started)}","type":"workflow","finished":false}}'
        run_id = url.path.rpartition("/")[2]
        if run_id != "runs":
            return self._row(run_id) + _OUTPUT
        rows = ",".join(self._row(one) + "}" for one in parse_qs(url.query)["ids"][0].split(","))
        return f'{{"runs":[{rows}],"nextCursor":null}}'

    def _row(self, run_id: str) -> str:
        over = time.time() >= int(run_id.split("_")[1]) / 1000 + self._run_seconds
        return _ROW % (run_id, "true" if over else "false", "completed" if over else "running")


class _Connection(asyncio.Protocol):
    """One connection, whose client sends one request after the other."""

    def __init__(self, server: _Server) -> None:
        self._server = server
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        line, *headers = head.decode("latin-1").split("\r\n")
        length = next((int(h.split(":")[1]) for h in headers if h.lower().startswith("content-length:")), 0)
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        method, target, _ = line.split(" ")
        body = self._server.answer(method, target).encode()
        status = b"201 Created" if method == "POST" else b"200 OK"
        self._transport.write(
            b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body)
        )


async def _serve(run_seconds: float) -> None:
    loop = asyncio.get_running_loop()
    server = _Server(run_seconds)
    listener = await loop.create_server(lambda: _Connection(server), "127.0.0.1", 0, backlog=4096)
    print(listener.sockets[0].getsockname()[1], flush=True)
    async with listener:
        # The parent holds our stdin: when it ends, for whatever reason, so do we.
        await loop.run_in_executor(None, sys.stdin.buffer.read)


@contextlib.contextmanager
def run_server(run_seconds: float) -> Iterator[str]:
    """Run the server in a process of its own and yield its base URL.

    Args:
        run_seconds: How long each run takes.
    """
    command = [sys.executable, str(Path(__file__)), "--run-seconds", str(run_seconds)]
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
    parser.add_argument("--run-seconds", type=float, required=True, help="how long each run takes")
    asyncio.run(_serve(parser.parse_args().run_seconds))


if __name__ == "__main__":
    main()
