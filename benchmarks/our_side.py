"""Our side of each comparison, and the bare libraries beside it; each in a process of its own.

Only what users can write: the public names of the package.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks.rounds import Figures, answer

KEY = "k" * 40
CALLS = 300
AT_ONCE, CALLS_AT_ONCE = 100, 3_000


def blocking(base: str) -> None:
    """Get one run after the other with the blocking client."""
    from eigenpal import EigenpalClient

    with EigenpalClient(KEY, base_url=base) as client:

        def measure() -> Figures:
            began, busy = time.perf_counter(), time.process_time()
            for _ in range(CALLS):
                client.runs.get("run_123", expand="usage")
            wall, cpu = time.perf_counter() - began, time.process_time() - busy
            return {"wall": wall / CALLS * 1e6, "cpu": cpu / CALLS * 1e6}

        answer(measure)


def typed_get(base: str) -> None:
    """Get many runs at once with the async client."""
    from eigenpal import AsyncEigenpalClient

    client = AsyncEigenpalClient(KEY, base_url=base, max_concurrency=AT_ONCE)
    _answer_at_once(lambda: client.runs.get("run_123", expand="usage"))


def bare_aiohttp(base: str) -> None:
    """Get the same with aiohttp as its documentation shows, and parse the JSON."""
    import aiohttp

    session: list[aiohttp.ClientSession] = []

    async def get() -> object:
        if not session:
            session.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE)))
        headers = {"Authorization": f"Bearer {KEY}", "Accept": "application/json"}
        async with session[0].get(f"{base}/api/v1/runs/run_123?expand=usage", headers=headers) as response:
            return json.loads(await response.read())

    _answer_at_once(get)


def _answer_at_once(call: Callable[[], Awaitable[object]]) -> None:
    async def work(left: list[None]) -> None:
        while left:
            left.pop()
            await call()

    async def everyone() -> None:
        left = [None] * CALLS_AT_ONCE
        await asyncio.gather(*(work(left) for _ in range(AT_ONCE)))

    with asyncio.Runner() as runner:

        def measure() -> Figures:
            began, busy = time.perf_counter(), time.process_time()
            runner.run(everyone())
            wall, cpu = time.perf_counter() - began, time.process_time() - busy
            return {"rate": CALLS_AT_ONCE / wall, "cpu": cpu / CALLS_AT_ONCE * 1e6}

        answer(measure)


def decode(path: str) -> None:
    """Turn the JSON of a page of runs into models, the way an answer of `runs.list` goes."""
    from eigenpal.engine.codec import structure
    from eigenpal.models.runs import RunsPage

    text = Path(path).read_bytes()

    def measure() -> Figures:
        began = time.process_time()
        for _ in range(100):
            page = structure(RunsPage, json.loads(text))
        assert len(page.runs) == 100
        return {"rate": 100 / (time.process_time() - began)}

    answer(measure)


def loads(path: str) -> None:
    """Parse the same JSON and leave it at that."""
    text = Path(path).read_bytes()

    def measure() -> Figures:
        began = time.process_time()
        for _ in range(200):
            page = json.loads(text)
        assert len(page["runs"]) == 100
        return {"rate": 200 / (time.process_time() - began)}

    answer(measure)


def main() -> None:
    {side.__name__: side for side in (blocking, typed_get, bare_aiohttp, decode, loads)}[sys.argv[1]](*sys.argv[2:])
