"""Finding again what a batch started when the answer to the start was lost: by the mark in the metadata of runs.

Many starts can be in doubt at once, as when a server restarts. They share what is looked at: one listing answers all
who asked before it began, each run is looked into once, and those that the batch knows as its own are not looked into.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import count
from typing import Any, Final

import anyio
import attrs

from eigenpal.anyjson import object_of
from eigenpal.engine.raw import RawResponse, RawResponses
from eigenpal.engine.session import Session
from eigenpal.errors import EigenpalError, EigenpalNotFoundError
from eigenpal.fanout.work import UNKNOWN, Found, Known
from eigenpal.models.runs import RunsPage
from eigenpal.resources.batch_inputs import MARK, Start
from eigenpal.resources.runs import AsyncRuns

# A start is noted by the clock of the machine that made it, which may not be this one. What these allow for costs a few
# looks at runs of others; a start that is overlooked would be made twice.
CLOCKS_DIFFER: Final = timedelta(minutes=10)
CLOCKS_UNKNOWN: Final = timedelta(hours=12)  # where the server does not tell its time
PAGE_SIZE: Final = 100
LOOKS_AT_ONCE: Final = 20


@attrs.define(eq=False)
class _Place:
    """What is known of the marked runs of one target."""

    lock: anyio.Lock = attrs.field(factory=anyio.Lock)
    wanted: list[datetime] = attrs.field(factory=list[datetime])
    listed: int = -1  # when the latest listing began
    looked_into: set[str] = attrs.field(factory=set[str])
    ids: dict[str, str] = attrs.field(factory=dict[str, str])  # of what was found, by its mark
    unreadable: bool = False  # a run that came into question does not show its metadata


class RunSearch:
    """Looks for runs by their mark.

    Args:
        session: How to call the service.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._runs = AsyncRuns(session)
        self._places: dict[str, _Place] = {}
        self._moments = count()

    async def find(self, start: Start, token: str, since: datetime, known: Known) -> Found:
        """Return the id of the run with a mark, None if there is none; see `Work.find`."""
        if not self._session.service.generations[self._session.options.api_generation].keeps_metadata:
            return UNKNOWN
        target, _ = start.target
        place = self._places.setdefault(target, _Place())
        asked = next(self._moments)
        place.wanted.append(since)
        try:
            async with place.lock:
                if place.listed < asked:
                    place.listed = next(self._moments)
                    await self._look(target, place, min(place.wanted), known)
        finally:
            place.wanted.remove(since)
        return place.ids.get(token) or (UNKNOWN if place.unreadable else None)

    async def _look(self, target: str, place: _Place, since: datetime, known: Known) -> None:
        root, _, name = target.partition(".")
        query: dict[str, Any] = {"type": root.removesuffix("s"), "source": name}
        began = await self._on_the_servers_clock(since, query)
        listed = [run.id async for run in self._runs.iterate(**query, from_date=began, limit=PAGE_SIZE)]
        new = [run_id for run_id in listed if run_id not in place.looked_into]
        own = await known(new)
        await self._look_into(place, [run_id for run_id in new if run_id not in own])

    async def _on_the_servers_clock(self, moment: datetime, query: dict[str, Any]) -> datetime:
        """Return a moment surely not after one of this machine's clock, as the server's clock had it."""
        ask: Awaitable[RawResponse[RunsPage]] = RawResponses(self._runs).list(**query, limit=1)
        answer = await ask
        with suppress(TypeError, ValueError):  # no date, or none that can be read
            now = parsedate_to_datetime(answer.headers.get("date", ""))
            ahead = now.astimezone(UTC) - datetime.now(UTC)
            return moment + ahead - CLOCKS_DIFFER
        return moment - CLOCKS_UNKNOWN

    async def _look_into(self, place: _Place, ids: Sequence[str]) -> None:
        left = list(ids)
        failures: list[EigenpalError] = []

        async def look() -> None:
            while left and not failures:
                run_id = left.pop()
                try:
                    run = await self._runs.get(run_id, expand="input")
                except EigenpalNotFoundError:  # deleted meanwhile
                    continue
                except EigenpalError as failure:
                    failures.append(failure)
                    return
                place.looked_into.add(run_id)
                if run.input is None:
                    place.unreadable = True
                elif mark := object_of(run.input.metadata).get(MARK):
                    place.ids[str(mark)] = run_id

        async with anyio.create_task_group() as group:
            for _ in range(min(LOOKS_AT_ONCE, len(left))):
                group.start_soon(look)
        if failures:
            raise failures[0]
