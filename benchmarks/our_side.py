"""Our side of each comparison, and the bare libraries beside it; each in a process of its own.

Only what users can write: the public names of the package.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from benchmarks.rounds import Figures, answer, moved, one_by_one, rate

KEY = "k" * 40
AT_ONCE, CALLS_AT_ONCE = 100, 1_500

Call = Callable[[], Awaitable[object]]


def blocking(base: str) -> None:
    """Get one run after the other with the blocking client."""
    from eigenpal import EigenpalClient

    with EigenpalClient(KEY, base_url=base) as client:
        answer(lambda: one_by_one(lambda: client.runs.get("run_123")))


@asynccontextmanager
async def _ours(base: str) -> AsyncIterator[Call]:
    from eigenpal import AsyncEigenpalClient

    async with AsyncEigenpalClient(KEY, base_url=base, max_concurrency=AT_ONCE) as client:
        yield lambda: client.runs.get("run_123")


@asynccontextmanager
async def _bare_aiohttp(base: str) -> AsyncIterator[Call]:
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE)) as session:

        async def call() -> object:
            headers = {"Authorization": f"Bearer {KEY}", "Accept": "application/json"}
            async with session.get(f"{base}/api/v1/runs/run_123", headers=headers) as response:
                return json.loads(await response.read())

        yield call


def typed_get(base: str) -> None:
    """Get many runs at once with the async client."""
    _answer_at_once(_ours(base))


def bare_aiohttp(base: str) -> None:
    """Get the same with aiohttp as its documentation shows, and parse the JSON."""
    _answer_at_once(_bare_aiohttp(base))


def _answer_at_once(opened: AbstractAsyncContextManager[Call]) -> None:
    async def work(call: Call, left: list[None]) -> None:
        while left:
            left.pop()
            await call()

    async def everyone(call: Call) -> None:
        left = [None] * CALLS_AT_ONCE
        await asyncio.gather(*(work(call, left) for _ in range(AT_ONCE)))

    with asyncio.Runner() as runner:
        call = runner.run(opened.__aenter__())

        def measure() -> Figures:
            busy = time.process_time()
            runner.run(everyone(call))
            return {"cpu": (time.process_time() - busy) / CALLS_AT_ONCE * 1e6}

        answer(measure)
        runner.run(opened.__aexit__(None, None, None))


def decode(path: str) -> None:
    """Turn a page of runs into models, from its text and from parsed JSON: the way an answer of `runs.list` goes.

    Members are made when they are asked for, so also with each run's id, status and duration asked for, and with all.
    """
    from eigenpal.engine.codec import structure
    from eigenpal.models.runs import RunsPage

    text = Path(path).read_bytes()
    parsed = json.loads(text)

    def table() -> None:
        for run in structure(RunsPage, parsed).runs:
            _ = run.id, run.status, run.timing.duration_ms

    def everything() -> None:
        for run in structure(RunsPage, parsed).runs:
            hash(run)  # asks for every member, and for theirs

    answer(lambda: {
        "text": rate(100, lambda: structure(RunsPage, json.loads(text))),
        "parsed": rate(100, lambda: structure(RunsPage, parsed)),
        "table": rate(100, table),
        "all": rate(50, everything),
    })  # fmt: skip


def loads(path: str) -> None:
    """Parse the same JSON and leave it at that."""
    text = Path(path).read_bytes()
    answer(lambda: {"text": rate(200, lambda: json.loads(text))})


def upload(base: str, folder: str, small: str, large: str) -> None:
    """Start a run with a file."""
    from eigenpal import AsyncEigenpalClient

    async def send(size: int) -> None:
        async with AsyncEigenpalClient(KEY, base_url=base) as client:
            await client.run("workflows.archive", {"document": Path(folder, f"{size}.bin")})

    print(json.dumps(moved(int(small), int(large), lambda size: asyncio.run(send(size)))))


def save(base: str, folder: str, small: str, large: str) -> None:
    """Store a file of a run."""
    from eigenpal import AsyncEigenpalClient

    async def fetch(size: int) -> None:
        async with AsyncEigenpalClient(KEY, base_url=base) as client:
            await client.runs.artifacts.save("run_123", f"output/{size}", to=f"{folder}/saved", overwrite=True)

    print(json.dumps(moved(int(small), int(large), lambda size: asyncio.run(fetch(size)))))


def main() -> None:
    sides = (blocking, typed_get, bare_aiohttp, decode, loads, upload, save)
    {side.__name__: side for side in sides}[sys.argv[1]](*sys.argv[2:])
