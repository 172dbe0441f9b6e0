"""A platform in memory whose work ends at given times, with a list that can go wrong; counts every request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import anyio
import attrs
import pytest
from trio.testing import MockClock

from eigenpal.engine.session import Session
from eigenpal.errors import EigenpalNotFoundError
from eigenpal.waiting.kinds import Glance, Kind
from eigenpal.waiting.many import Arrivals
from eigenpal.waiting.watcher import Watcher

# Time that jumps to the next thing to happen as soon as nothing else can.
in_virtual_time = pytest.mark.parametrize(
    "anyio_backend", [pytest.param(("trio", {"clock": MockClock(autojump_threshold=0)}), id="virtual time")]
)
NOBODY = cast("Session", None)


@attrs.frozen
class Job:
    """A piece of work as it was seen."""

    id: str
    status: str


def glance_at(job: Job) -> Glance[Job]:
    return Glance(job.status, job.status == "done", lambda: job, known=job.status != "strange")


@attrs.define
class Platform:
    """Work that ends, and the two calls that look at it.

    Attributes:
        ends: Id to when it ends, by the clock of the loop.
        latency: Seconds that each request takes.
        on_fetch: Called with the id before each answer; what it raises is the answer.
        on_list: Called with the ids before each list; what it returns takes the place of the answer.
        fetched: Id and time of every single look.
        listed: Ids and time of every list.
        under_way: Requests under way.
        most_under_way: Most requests that were under way at once.
    """

    ends: dict[str, float] = attrs.field(factory=dict[str, float])
    latency: float = 0.01
    on_fetch: Callable[[str], object] = lambda _id: None
    on_list: Callable[[Sequence[str]], Any] = lambda _ids: None
    fetched: list[tuple[str, float]] = attrs.field(factory=list[tuple[str, float]])
    listed: list[tuple[list[str], float]] = attrs.field(factory=list[tuple[list[str], float]])
    under_way: int = 0
    most_under_way: int = 0

    @property
    def requests(self) -> int:
        return len(self.fetched) + len(self.listed)

    def begin(self, *ids: str, seconds: float = 5.0) -> None:
        for work_id in ids:
            self.ends[work_id] = anyio.current_time() + seconds

    def see(self, work_id: str) -> Job:
        return Job(work_id, "done" if anyio.current_time() >= self.ends[work_id] else "running")

    async def fetch(self, _session: Session, work_id: str) -> Job:
        self.fetched.append((work_id, anyio.current_time()))
        await self._travel()
        self.on_fetch(work_id)
        if work_id not in self.ends:
            raise EigenpalNotFoundError(f"no {work_id}", status=404)
        return self.see(work_id)

    async def rows(self, _session: Session, ids: Sequence[str]) -> Mapping[str, Glance[Job]]:
        self.listed.append((list(ids), anyio.current_time()))
        await self._travel()
        answer = self.on_list(ids)
        if answer is not None:
            shown: Mapping[str, Glance[Job]] = answer
            return shown
        return self.rows_of(ids)

    def rows_of(self, ids: Sequence[str]) -> dict[str, Glance[Job]]:
        return {work_id: glance_at(self.see(work_id)) for work_id in ids if work_id in self.ends}

    async def _travel(self) -> None:
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await anyio.sleep(self.latency)
        finally:
            self.under_way -= 1

    def watcher(self, **changes: Any) -> Watcher[Job]:
        settings: dict[str, Any] = {
            "noun": "job",
            "again": "jobs.wait({!r})",
            "fetch": self.fetch,
            "glance": glance_at,
            "rows": self.rows,
        }
        return Watcher(Kind[Job](**settings | changes))


async def wait(watcher: Watcher[Job], work_id: str, **options: Any) -> Job:
    return await watcher.wait(NOBODY, work_id, **{"timeout_seconds": None, "poll_interval_seconds": 2.0} | options)


def wait_many(watcher: Watcher[Job], ids: Any, **options: Any) -> Arrivals[Job]:
    settings = {"timeout_seconds": None, "poll_interval_seconds": 2.0, "judge": lambda job: job}
    return Arrivals(watcher, NOBODY, ids, **settings | options)


def names(count: int) -> list[str]:
    return [f"job_{number:04}" for number in range(count)]
