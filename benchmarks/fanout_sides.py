"""The sides of the fan-out benchmark; each in a process of its own. Runs take a fixed time.

Only what users can write: the public names of the package, or aiohttp as its documentation shows. Only a million inputs
go to a service in this very process, which the core of fan-out takes as any other.
"""

from __future__ import annotations

import asyncio
import gc
import json
import math
import selectors
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.rounds import Figures, answer

KEY = "k" * 40
POLL_SECONDS = 2.0

Way = Callable[[str, int], Awaitable[None]]


def _inputs(count: int) -> Iterator[Mapping[str, Any]]:
    return ({"number": number} for number in range(count))


async def ours(base: str, count: int, journal: Path | None = None) -> None:
    """Start and wait for all with `run_many`."""
    from eigenpal import AsyncEigenpalClient

    async with AsyncEigenpalClient(KEY, base_url=base) as client:
        async for outcome in client.run_many(
            "workflows.extract-invoice", _inputs(count), concurrency=count, timeout_seconds=None, journal=journal
        ):
            assert outcome.ok


async def journaled(base: str, count: int) -> None:
    """Do the same with a journal."""
    with tempfile.TemporaryDirectory() as folder:
        await ours(base, count, Path(folder, "batch.db"))


async def by_hand(base: str, count: int) -> None:
    """Do the same with aiohttp: start a run, look every two seconds."""
    import aiohttp

    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as session:

        async def run(arguments: Mapping[str, Any]) -> None:
            body = {"target": "workflows.extract-invoice", "input": arguments}
            async with session.post(f"{base}/api/v1/runs", json=body) as response:
                run = json.loads(await response.read())
            while not run["finished"]:
                await asyncio.sleep(POLL_SECONDS)
                async with session.get(f"{base}/api/v1/runs/{run['id']}") as response:
                    run = json.loads(await response.read())

        async with asyncio.TaskGroup() as tasks:
            for arguments in _inputs(count):
                tasks.create_task(run(arguments))


async def _requests(base: str) -> int:
    import aiohttp

    async with aiohttp.ClientSession() as session, session.get(f"{base}/requests") as response:
        counted: int = (await response.json())["requests"]
        return counted


class TurnsOfTheLoop(selectors.DefaultSelector):
    """Takes the time that an event loop is busy between two looks at its sockets, in processor time of its thread."""

    longest = 0.0
    _began = math.inf

    def select(self, timeout: float | None = None) -> Any:  # noqa: D102 - of the base class
        self.longest = max(self.longest, time.thread_time() - self._began)
        ready = super().select(timeout)
        self._began = time.thread_time()
        return ready


def measured(base: str, work: Way, count: int) -> Figures:
    """Processor time and requests for each run, and the longest turn of the event loop."""
    turns = TurnsOfTheLoop()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(turns)) as runner:
        figures = runner.run(_measured(base, work, count))
    return {**figures, "turn": turns.longest * 1e3}


async def _measured(base: str, work: Way, count: int) -> Figures:
    await _requests(base)
    began, busy = time.perf_counter(), time.process_time()
    await work(base, count)
    figures = {
        "wall": time.perf_counter() - began,
        "cpu": (time.process_time() - busy) / count * 1e6,
    }
    return {**figures, "requests": await _requests(base) / count}


async def weigh(base: str, count: int) -> Figures:
    """Return the kilobytes that each run under way takes; those of this server take an hour."""
    from eigenpal import AsyncEigenpalClient

    async with AsyncEigenpalClient(KEY, base_url=base) as client:

        async def read(runs: int, until: asyncio.Event) -> None:
            async for _ in client.run_many(
                "workflows.extract-invoice",
                _inputs(runs),
                concurrency=runs,
                timeout_seconds=None,
                on_progress=lambda progress: until.set() if progress.running == runs else None,
            ):
                pass

        async def under_way(runs: int) -> asyncio.Task[None]:
            reached = asyncio.Event()
            task = asyncio.create_task(read(runs, reached))
            await reached.wait()
            await asyncio.sleep(POLL_SECONDS)
            gc.collect()
            return task

        idle = await under_way(1)  # imports, and what every client has
        before = _memory()
        many = await under_way(count)
        weight = (_memory() - before) / count / 1024
        for task in (idle, many):
            task.cancel()
        await asyncio.wait([idle, many])
    return {"memory": weight}


async def instant(count: int) -> Figures:
    """Work off inputs that are done at once; megabytes of memory more than for a few of them."""
    from eigenpal.fanout.options import Options
    from eigenpal.fanout.outcome import Outcome
    from eigenpal.fanout.outcomes import Outcomes
    from eigenpal.fanout.work import Found, Job, Known, Work

    class Done:
        """A piece of work that is over."""

        status, is_terminal, needs_human, succeeded = "done", True, False, True
        result = error = usage = None

        def __init__(self, id: str) -> None:
            self.id = id

    async def start(request: Any, token: str) -> str:
        return token

    async def wait(id: str, seconds: float | None, just_started: bool) -> Done:
        return Done(id)

    async def find(request: Any, token: str, since: datetime, known: Known) -> Found:
        return None

    async def fingerprint(request: Any) -> str:
        return str(request)

    work: Work[Done] = Work(
        service="instant", noun="piece", start=start, wait=wait, find=find, fingerprint=fingerprint,
        dump=lambda done: done.id, load=Done,
    )  # fmt: skip

    async def all_of(inputs: int) -> None:
        outcomes: Outcomes[Outcome[Done]] = Outcomes(
            iter(range(inputs)),
            lambda entry, index: Job(str(index), index, work, entry),
            Options(noun="piece", identity="instant", concurrency=100),
            hold=lambda _batch, _close: None,
            release=lambda _batch: None,
        )
        async for outcome in outcomes:
            assert outcome.ok

    await all_of(30_000)  # also fills what is kept of the latest
    gc.collect()
    before, busy = _memory("VmHWM"), time.process_time()
    await all_of(count)
    cpu = (time.process_time() - busy) / count * 1e6
    return {"memory": (_memory("VmHWM") - before) / 1e6, "cpu": cpu}


def _memory(what: str = "VmRSS") -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(what))


_WORKS: dict[str, Way] = {"ours": ours, "journaled": journaled, "by hand": by_hand}


def main() -> None:
    match sys.argv[1:]:
        case ["weigh", base, count]:
            print(json.dumps(asyncio.run(weigh(base, int(count)))))
        case ["instant", count]:
            print(json.dumps(asyncio.run(instant(int(count)))))
        case [name, base, count]:
            answer(lambda: measured(base, _WORKS[name], int(count)))
        case arguments:
            sys.exit(f"what is {arguments}?")
