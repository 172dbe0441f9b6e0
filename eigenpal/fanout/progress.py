"""How far a batch is: counts by state, rate, time left; and telling it to whoever asked, not too often."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio
import attrs

REPORT_SECONDS: Final = 0.1  # between two reports: as often as an eye can follow
RATE_SECONDS: Final = 30.0  # what the rate looks back on: long enough to be steady, short enough to follow a change
MOST_SAMPLES: Final = 300  # one for each report of that time


@attrs.frozen(kw_only=True)
class Progress:
    """How far a batch is.

    Attributes:
        total: How many inputs there are; None when they come from an iterator, which can't tell.
        starting: Inputs that were taken and are not started yet.
        running: Started, and not over.
        succeeded: Over, with a good result.
        failed: Over: with a result that is not good, or with an error.
        restored: Those of the two that came from the journal without a request.
        elapsed_seconds: Seconds since the batch began, in this process.
        rate: How many are over each second, lately; 0 while nothing is.
        eta_seconds: Seconds until all are over at that rate; None while that can't be told.
    """

    total: int | None = None
    starting: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    restored: int = 0
    elapsed_seconds: float = 0.0
    rate: float = 0.0
    eta_seconds: float | None = None

    @property
    def done(self) -> int:
        """How many are over."""
        return self.succeeded + self.failed


@attrs.define(eq=False)
class Counter:
    """Counts a batch as it goes, and makes `Progress` of it.

    Attributes:
        total: How many inputs there are, None if unknown.
        clock: Monotonic seconds.
    """

    total: int | None
    clock: Callable[[], float]
    starting: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    restored: int = 0
    _began: float = attrs.field(init=False)
    _samples: deque[tuple[float, int]] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._began = self.clock()
        self._samples = deque([(self._began, 0)], MOST_SAMPLES)

    def progress(self) -> Progress:
        """Return how far the batch is now; the rate looks back on earlier calls."""
        now = self.clock()
        done = self.succeeded + self.failed
        worked = done - self.restored  # what came from the disk says nothing about the time that the rest takes
        while len(self._samples) > 1 and self._samples[0][0] < now - RATE_SECONDS:
            self._samples.popleft()
        since, before = self._samples[0]
        rate = (worked - before) / (now - since) if now > since else 0.0
        self._samples.append((now, worked))
        left = None if self.total is None else max(self.total - done, 0)
        return Progress(
            total=self.total,
            starting=self.starting,
            running=self.running,
            succeeded=self.succeeded,
            failed=self.failed,
            restored=self.restored,
            elapsed_seconds=now - self._began,
            rate=rate,
            eta_seconds=0.0 if left == 0 else left / rate if left is not None and rate else None,
        )


class Reporter:
    """Tells listeners how far a batch is: when something has changed, and at the end.

    Args:
        counter: What is counted.
        listeners: Called with the progress, one after the other; what they return is awaited if it can be.
        sleep: Awaits that many seconds.
    """

    def __init__(
        self,
        counter: Counter,
        listeners: list[Callable[[Progress], object]],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._counter = counter
        self._listeners = listeners
        self._sleep = sleep
        self._changed: anyio.Event | None = None

    def touch(self) -> None:
        """Note that a count has changed."""
        if self._changed is not None:
            self._changed.set()

    async def run(self) -> None:
        """Report until cancelled."""
        while self._listeners:
            self._changed = anyio.Event()
            await self.report()
            await self._sleep(REPORT_SECONDS)
            await self._changed.wait()

    async def report(self) -> None:
        """Report now."""
        if not self._listeners:
            return
        progress = self._counter.progress()
        for listener in self._listeners:
            answer: Any = listener(progress)
            if inspect.isawaitable(answer):
                await answer
