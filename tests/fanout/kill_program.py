"""Works off batches in children that kill themselves at a given point; one job a line, as JSON.

A program of its own, without threads, so that forking is safe; and it imports everything but once.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anyio

from eigenpal import AsyncEigenpalClient, EigenpalClient
from eigenpal.fanout.journal import Journal
from tests.fanout.conftest import hurried

# What a batch loads when it needs it: loaded here, or every child would have to.
LATE = """
    aiohttp anyio._backends._asyncio anyio._backends._trio cattrs httpx sqlite3 tenacity trio
    eigenpal.engine.codec eigenpal.engine.transport.aiohttp_transport eigenpal.engine.transport.lanes
    eigenpal.resources.batch_runs
"""


def outcome_of(outcome: Any) -> list[Any]:
    return [outcome.key, outcome.ok, outcome.run_id, None if outcome.error is None else str(outcome.error)]


def work_off(job: dict[str, Any], outcomes: list[list[Any]]) -> None:
    """Work off a batch in one of the three ways."""
    inputs = [(f"key-{n}", {"n": n}) for n in range(job["count"])]
    options: dict[str, Any] = {name: job[name] for name in ("journal", "concurrency")}
    if job["mode"] == "blocking":
        with EigenpalClient(job["key"], base_url=job["url"]) as client:
            if job["hurry"]:
                hurried(client._async)
            outcomes += [outcome_of(outcome) for outcome in client.run_many("workflows.count", inputs, **options)]
        return

    async def main() -> None:
        async with AsyncEigenpalClient(job["key"], base_url=job["url"]) as client:
            if job["hurry"]:
                hurried(client)
            async for outcome in client.run_many("workflows.count", inputs, **options):
                outcomes.append(outcome_of(outcome))

    anyio.run(main, backend=job["mode"])


def die_at(when: str, step: str, number: int) -> None:
    """Kill this process before or after the nth commit of a step."""
    real = Journal.apply
    left = number

    def apply(journal: Journal, steps: Sequence[Callable[[], Any]]) -> list[Any]:
        nonlocal left
        left -= sum(one.func.__name__ == step for one in steps)  # type: ignore[attr-defined]  # they are partials
        if left <= 0 and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        results = real(journal, steps)
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return results

    setattr(Journal, "apply", apply)  # noqa: B010 - a method is replaced on purpose


def main() -> None:
    for name in LATE.split():
        importlib.import_module(name)
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            outcomes: list[list[Any]] = []
            if job["die"]:
                die_at(*job["die"])
            try:
                work_off(job, outcomes)
            except BaseException as error:  # noqa: BLE001 - a forked child must not go on in the loop above
                outcomes.append(["error", False, None, repr(error)])
            Path(job["result"]).write_text(json.dumps(outcomes), encoding="utf-8")
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(json.dumps(os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0), flush=True)


if __name__ == "__main__":
    main()
