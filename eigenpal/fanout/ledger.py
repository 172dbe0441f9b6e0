"""What a batch remembers of its inputs: in a journal, committed before the next step on the network; or only in memory.

Commits are shared: while one is flushed to the disk in a worker thread, whatever else wants to be noted queues up and
goes into the next. So the event loop never waits for the disk, and a thousand starts at once cost a few flushes.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import anyio
from anyio import CancelScope, CapacityLimiter, to_thread

from eigenpal.engine.closing import surely_in_thread
from eigenpal.fanout.journal import Journal, JournalError, Row
from eigenpal.fanout.work import Job

R = TypeVar("R")

MOST_REMEMBERED: Final = 20_000  # ids kept in memory, a few MB: far more than can be in question at any moment


class Ledger(Protocol):
    """What a batch remembers."""

    @property
    def lasts(self) -> bool:
        """Whether it is still there when the process is not."""
        ...

    async def plan(self, job: Job, fingerprint: str) -> Row:
        """Return what is known of an input, which is planned from now on."""
        ...

    async def starting(self, key: str, sent: float, attempts: int) -> None:
        """Note that a request to start is about to be sent."""
        ...

    async def started(self, key: str, id: str) -> None:
        """Note the id of what was started."""
        ...

    async def planned(self, key: str) -> None:
        """Note that starting failed and surely left nothing behind."""
        ...

    async def finished(
        self, key: str, *, ok: bool, seconds: float, result: Callable[[], Any], error: Any = None
    ) -> None:
        """Note the outcome."""
        ...

    async def known(self, ids: Sequence[str]) -> set[str]:
        """Return those of some ids that are this batch's own."""
        ...


class InMemory:
    """Remembers the latest ids, and nothing else: a batch of a million inputs must not fill the memory."""

    lasts = False

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}

    async def plan(self, job: Job, fingerprint: str) -> Row:
        """Know nothing of any input."""
        return Row(token=new_token())

    async def starting(self, key: str, sent: float, attempts: int) -> None:
        """Note nothing."""

    async def started(self, key: str, id: str) -> None:
        """Remember the id, and forget the oldest."""
        self._ids[id] = None
        if len(self._ids) > MOST_REMEMBERED:
            del self._ids[next(iter(self._ids))]

    async def planned(self, key: str) -> None:
        """Note nothing."""

    async def finished(
        self, key: str, *, ok: bool, seconds: float, result: Callable[[], Any], error: Any = None
    ) -> None:
        """Note nothing."""

    async def known(self, ids: Sequence[str]) -> set[str]:
        """Return those that are remembered."""
        return {one for one in ids if one in self._ids}


class OnDisk:
    """Remembers in a journal. `open_ledger` runs what writes it."""

    lasts = True

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: list[_Step] = []
        self._wanted = anyio.Event()
        self._thread = CapacityLimiter(1)
        self._closing = False
        self._broken: JournalError | None = None

    async def plan(self, job: Job, fingerprint: str) -> Row:
        """Return what the journal knows of an input, which is planned from now on."""
        plan = self._journal.plan
        return await self._done(partial(plan, job.key, job.index, job.work.service, fingerprint, new_token()))

    async def starting(self, key: str, sent: float, attempts: int) -> None:
        """Return when it is on the disk that a request to start is about to be sent."""
        await self._done(partial(self._journal.starting, key, sent, attempts))

    async def started(self, key: str, id: str) -> None:
        """Return when the id is on the disk."""
        await self._done(partial(self._journal.started, key, id))

    async def planned(self, key: str) -> None:
        """Return when it is on the disk that nothing was started."""
        await self._done(partial(self._journal.planned, key))

    async def finished(
        self, key: str, *, ok: bool, seconds: float, result: Callable[[], Any], error: Any = None
    ) -> None:
        """Return when the outcome is on the disk."""
        await self._done(partial(self._journal.finished, key, ok=ok, seconds=seconds, result=result, error=error))

    async def known(self, ids: Sequence[str]) -> set[str]:
        """Return those that are in the journal."""
        return await self._done(partial(self._journal.known, ids))

    async def _done(self, step: Callable[[], R]) -> R:
        entry = _Step(step)
        self._waiting.append(entry)
        self._wanted.set()
        await entry.taken.wait()
        if isinstance(entry.result, Exception):
            raise entry.result
        result: R = entry.result
        return result

    async def write(self) -> None:
        """Take the steps that are asked for until told to end; nothing but the end of the event loop cancels it."""
        with CancelScope(shield=True):
            while self._waiting or not self._closing:
                if not self._waiting:
                    await self._wanted.wait()
                self._wanted = anyio.Event()
                await self._write_once()

    async def _write_once(self) -> None:
        steps, self._waiting = self._waiting, []
        if not steps:
            return
        try:
            if self._broken is not None:  # what can't be kept must not go on
                raise self._broken
            calls = [entry.step for entry in steps]
            results = await to_thread.run_sync(self._journal.apply, calls, limiter=self._thread)
        except Exception as problem:  # noqa: BLE001 - handed to whoever asked for the steps
            self._broken = problem if isinstance(problem, JournalError) else JournalError(f"the journal: {problem!r}")
            results = [self._broken] * len(steps)
        for entry, result in zip(steps, results, strict=True):
            entry.result = result
            entry.taken.set()

    def close(self) -> None:
        """Let `write` end when all has been written."""
        self._closing = True
        self._wanted.set()


class _Step:
    """Something to be noted, and whether it has been."""

    __slots__ = ("result", "step", "taken")

    def __init__(self, step: Callable[[], Any]) -> None:
        self.step = step
        self.taken = anyio.Event()
        self.result: Any = None


@asynccontextmanager
async def open_ledger(path: Path | None, identity: str) -> AsyncGenerator[Ledger]:
    """Open the journal at a path, or a memory without one; what was asked for is written when the block is left.

    Raises:
        EigenpalInputError: The journal is in use, none, one of another batch, or can't be opened.
    """
    if path is None:
        yield InMemory()
        return
    journal = await to_thread.run_sync(Journal, path, identity)
    try:
        ledger = OnDisk(journal)
        async with anyio.create_task_group() as group:
            group.start_soon(ledger.write)
            try:
                yield ledger
            finally:
                ledger.close()
    finally:
        await surely_in_thread(journal.close)


def new_token() -> str:
    """Return a text that nothing else was ever started with."""
    return secrets.token_hex(16)
