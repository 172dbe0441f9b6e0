"""The sides of the waiting benchmark; each in a process of its own. Runs are begun at once and take a fixed time.

Only what users can write: the public names of the package, or aiohttp as its documentation shows.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks.rounds import Figures, answer
from benchmarks.run_server import made_up_id

KEY = "k" * 40
POLL_SECONDS = 2.0
HEARTBEAT_SECONDS = 0.005
NEVER_SECONDS = 3_600.0  # from now: a run that begins then is not over while its waiting is weighed
SETTLING_SECONDS = 6.0  # until each has been looked at a few times and rests between its looks


async def _each_in_a_task(base: str, ids: list[str]) -> None:
    from eigenpal import AsyncEigenpalClient

    async with AsyncEigenpalClient(KEY, base_url=base) as client, asyncio.TaskGroup() as tasks:
        for run_id in ids:
            tasks.create_task(client.runs.wait(run_id, timeout_seconds=None, poll_interval_seconds=POLL_SECONDS))


async def _all_in_a_loop(base: str, ids: list[str]) -> None:
    from eigenpal import AsyncEigenpalClient

    async with AsyncEigenpalClient(KEY, base_url=base) as client:
        async for _ in client.runs.wait_many(ids, timeout_seconds=None, poll_interval_seconds=POLL_SECONDS):
            pass


async def _started_and_waited_for(base: str, ids: list[str]) -> None:
    from eigenpal import AsyncEigenpalClient

    async with AsyncEigenpalClient(KEY, base_url=base) as client, asyncio.TaskGroup() as tasks:
        for _ in ids:
            tasks.create_task(client.run_and_wait("workflows.extract-invoice", {}, timeout_seconds=None))


async def _by_hand(base: str, ids: list[str]) -> None:
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=100)) as session:

        async def wait(run_id: str) -> object:
            while True:
                async with session.get(f"{base}/api/v1/runs/{run_id}") as response:
                    run = json.loads(await response.read())
                if run["finished"]:
                    return run
                await asyncio.sleep(POLL_SECONDS)

        async with asyncio.TaskGroup() as tasks:
            for run_id in ids:
                tasks.create_task(wait(run_id))


async def _requests(base: str) -> int:
    import aiohttp

    async with aiohttp.ClientSession() as session, session.get(f"{base}/requests") as response:
        counted: int = (await response.json())["requests"]
        return counted


async def _waited(base: str, work: Callable[[str, list[str]], Awaitable[object]], count: int) -> Figures:
    """Wait for some runs; processor time and requests for each, and the longest that the loop was kept busy.

    That too is processor time, since on a machine with other work the clock says more about that.
    """
    await _requests(base)
    longest = 0.0

    async def heartbeat() -> None:
        nonlocal longest
        while True:
            before = time.thread_time()
            await asyncio.sleep(HEARTBEAT_SECONDS)
            longest = max(longest, time.thread_time() - before)

    beating = asyncio.create_task(heartbeat())
    ids = [made_up_id(number) for number in range(count)]
    began, busy = time.perf_counter(), time.process_time()
    await work(base, ids)
    figures = {
        "wall": time.perf_counter() - began,
        "cpu": (time.process_time() - busy) / count * 1e6,
        "blocked": longest * 1e3,
    }
    beating.cancel()
    return {**figures, "requests": await _requests(base) / count}


async def _weighed(base: str, work: Callable[[str, list[str]], Awaitable[object]], count: int) -> Figures:
    """Return the kilobytes that each wait takes while it rests."""
    await work(base, [made_up_id(0, begins=0)])  # imports, and what every client has
    gc.collect()
    before = _memory()
    ids = [made_up_id(number, begins=time.time() + NEVER_SECONDS) for number in range(count)]
    waiting = asyncio.ensure_future(work(base, ids))
    await asyncio.sleep(SETTLING_SECONDS)
    gc.collect()
    weight = (_memory() - before) / count / 1024
    waiting.cancel()
    await asyncio.wait([waiting])
    return {"memory": weight}


def _memory() -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


_WORKS = {
    "each in a task": _each_in_a_task,
    "all in a loop": _all_in_a_loop,
    "started and waited for": _started_and_waited_for,
    "by hand": _by_hand,
}


def main() -> None:
    measure, name, base, count = sys.argv[1:]
    work = _WORKS[name]
    if measure == "weigh":
        print(json.dumps(asyncio.run(_weighed(base, work, int(count)))))
    else:
        answer(lambda: asyncio.run(_waited(base, work, int(count))))
