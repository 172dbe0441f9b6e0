"""Polling one piece of work until it is over: early first, then ever less often, through every passing trouble.

Knows neither runs nor HTTP: anything that can be fetched, and that can tell when it is over, can be waited for. An
error while waiting never starts anything again, and never loses the work: the same id can be waited for once more.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

import anyio
import attrs

from eigenpal.engine.options import checked_timeout
from eigenpal.engine.retry import passes
from eigenpal.errors import EigenpalError, EigenpalInputError, EigenpalNotFoundError

T = TypeVar("T")

FIRST_POLL_SECONDS: Final = 0.2  # most short runs end within it, and a person does not notice it
GROWTH: Final = 1.5  # reaches the default of 2 s with the seventh poll
JITTER: Final = 0.1  # waiters that started together must not poll together
UNSEEN_GRACE_SECONDS: Final = 5.0  # a read replica may not know yet what was started a moment ago


def checked_times(timeout_seconds: object, poll_interval_seconds: object) -> tuple[float | None, float]:
    """Return the two times of a wait if they make sense. To be called before what is waited for is started.

    Raises:
        EigenpalInputError: They don't.
    """
    timeout = checked_timeout(timeout_seconds)
    if (interval := checked_timeout(poll_interval_seconds, "poll_interval_seconds")) is None:
        raise EigenpalInputError("poll_interval_seconds must be a number of seconds above 0")
    return timeout, interval


def jittered(pause: float) -> float:
    """Return a pause, a bit longer or shorter."""
    return pause * (1 + JITTER * (2 * random.random() - 1))


def intervals(poll_interval_seconds: float) -> Callable[[], float]:
    """Return a function that gives the pause before each next poll: growing up to the interval, with jitter."""
    pause = min(FIRST_POLL_SECONDS, poll_interval_seconds)

    def following() -> float:
        nonlocal pause
        now, pause = pause, min(pause * GROWTH, poll_interval_seconds)
        return jittered(now)

    return following


@attrs.define
class Poll(Generic[T]):
    """One wait: how to look, when it is over, and what was seen last.

    Attributes:
        fetch: Looks once.
        is_over: Whether what was fetched is in its last state.
        sleep: Seam for tests; awaits that many seconds.
        on_update: Called with each look that shows something new.
        changed: Whether two looks differ in what the caller was told.
        last: What was seen last, None before the first look.
        trouble: The last passing error, None after a good look.
    """

    fetch: Callable[[], Awaitable[T]]
    is_over: Callable[[T], bool]
    changed: Callable[[T, T], bool]
    on_update: Callable[[T], object] | None = None
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    last: T | None = None
    trouble: EigenpalError | None = None

    async def until_over(
        self, *, timeout_seconds: float | None, poll_interval_seconds: float, at_once: bool = False
    ) -> T | None:
        """Poll until it is over and return it, or return None when the time ran out.

        Args:
            timeout_seconds: Bound on the whole wait; None for no bound.
            poll_interval_seconds: Longest pause between two polls.
            at_once: Look before the first pause: the work may be over already.
        """
        pause = intervals(poll_interval_seconds)
        began = anyio.current_time()
        with anyio.move_on_after(timeout_seconds):
            while True:
                if not at_once:
                    await self.sleep(max(pause(), self._asked_to_wait))
                at_once = False
                seen = await self._look(may_be_unseen=anyio.current_time() - began < UNSEEN_GRACE_SECONDS)
                if seen is not None and self.is_over(seen):
                    return seen
        return None

    @property
    def _asked_to_wait(self) -> float:
        return (self.trouble.retry_after or 0.0) if self.trouble is not None else 0.0

    async def _look(self, *, may_be_unseen: bool) -> T | None:
        try:
            seen = await self.fetch()
        except EigenpalNotFoundError as error:
            if self.last is not None or not may_be_unseen:
                raise
            self.trouble = error
            return None
        except EigenpalError as error:
            if not passes(error):
                raise
            self.trouble = error
            return None
        before, self.last, self.trouble = self.last, seen, None
        if self.on_update is not None and (before is None or self.changed(before, seen)):
            self.on_update(seen)
        return seen
