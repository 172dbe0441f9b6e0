"""Waiting for one piece of work: what it promises, and how it ends. Those who wait at the same time share their looks.

Knows neither runs nor HTTP. The sharing is in desk.py; waiting for many in one task is in many.py.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

import anyio
from anyio.lowlevel import current_token

from eigenpal.engine.session import Session
from eigenpal.errors import EigenpalDecodeError, EigenpalError, EigenpalInputError, EigenpalTimeoutError
from eigenpal.waiting.desk import Desk
from eigenpal.waiting.kinds import Kind
from eigenpal.waiting.polling import checked_times
from eigenpal.waiting.rounds import Lists
from eigenpal.waiting.watched import Look, Party, Waiter

T = TypeVar("T")

CANCEL_PATIENCE_SECONDS: Final = 10.0  # for the cancel request that follows a wait that ran out


class Watcher(Generic[T]):
    """Everyone who waits for one kind of work through one client; clients made by `with_options` share it.

    It owns no task: between waits there is nothing of it but what it learned about the server.

    Args:
        kind: What is waited for.
        sleep: Seam for tests; awaits that many seconds.
    """

    def __init__(self, kind: Kind[T], sleep: Callable[[float], Awaitable[None]] = anyio.sleep) -> None:
        self.kind = kind
        self._sleep = sleep
        self._lists = Lists(work=kind.rows is not None)
        self._here: tuple[object, Desk[T]] | None = None

    async def wait(
        self,
        session: Session,
        work_id: str,
        *,
        timeout_seconds: float | None,
        poll_interval_seconds: float,
        just_started: bool = False,
        cancel_on_timeout: bool = False,
        on_update: Callable[[T], object] | None = None,
    ) -> T:
        """Wait until a piece of work is over and return it. May be called from any number of tasks at once.

        Args:
            session: Whose calls are used.
            work_id: What to wait for.
            timeout_seconds: Bound on the whole wait; None for no bound.
            poll_interval_seconds: Longest pause between two looks.
            just_started: Whether it was started a moment ago, so that a first look at once would be wasted.
            cancel_on_timeout: Ask it to cancel when the time is up.
            on_update: Called with each look that shows something new.

        Raises:
            EigenpalInputError: A time that makes no sense, or an id that is no string.
            EigenpalTimeoutError: The time is up.
            EigenpalError: It can't be looked at, and that will not pass.
        """
        timeout, interval = checked_times(timeout_seconds, poll_interval_seconds)
        if not isinstance(work_id, str):  # pyright: ignore[reportUnnecessaryIsInstance] - what a user gave
            raise EigenpalInputError(f"{self.kind.noun}_id must be a string, not {type(work_id).__name__}")
        desk = self._desk()
        alone = _Alone(desk)
        alone.waiter = waiter = desk.enter(
            alone,
            work_id,
            session,
            poll_interval_seconds=interval,
            at_once=not just_started,
            ends=math.inf if timeout is None else anyio.current_time() + timeout,
            wants_news=on_update is not None,
        )
        try:
            with anyio.move_on_after(timeout):
                while not waiter.settled:
                    await desk.attend(alone)
                    if on_update is not None:
                        _tell(waiter, on_update)
        finally:
            desk.end(waiter)
            desk.leave(alone)
            if desk.idle:
                self._here = None  # and with it the event loop, which may be over
        if on_update is not None:
            _tell(waiter, on_update)  # what another's look showed in the very moment that the time was up
        if waiter.result is not None:
            return waiter.result
        if waiter.error is not None:
            raise waiter.error
        cancelled = cancel_on_timeout and await self._cancelled(session, work_id)
        raise ran_out(self.kind, waiter, timeout, cancelled=cancelled)

    def desk_apart(self) -> Desk[T]:
        """Return a desk that nobody else waits at; what is learned about the server is still shared."""
        return Desk(self.kind, self._lists, self._sleep)

    def _desk(self) -> Desk[T]:
        loop = current_token()
        if self._here is None or self._here[0] != loop:
            self._here = loop, self.desk_apart()
        return self._here[1]

    async def _cancelled(self, session: Session, work_id: str) -> bool:
        if self.kind.cancel is None:
            return False
        with anyio.move_on_after(CANCEL_PATIENCE_SECONDS):
            try:
                await self.kind.cancel(session, work_id)
            except EigenpalError:
                return False
            return True
        return False


class _Alone(Party[T]):
    """One task that waits for one piece of work, and carries its looks out itself."""

    __slots__ = ("_desk", "waiter")

    waiter: Waiter[T]

    def __init__(self, desk: Desk[T]) -> None:
        super().__init__()
        self._desk = desk

    def is_called_away(self) -> bool:
        return self.waiter.settled or self.waiter.news is not None

    async def take_on(self, look: Look[T]) -> None:
        self._desk.release_watch(self)
        await self._desk.carry_out(look)


def watcher_of(session: Session, kind: Kind[T]) -> Watcher[T]:
    """Return the watcher that a client and its copies share for one kind of work."""
    policy = session.policy

    async def sleep(seconds: float) -> None:
        await policy.sleep(seconds)  # looked up each time, since tests replace it

    watcher: Watcher[T] = session.companions.get(kind.noun) or Watcher(kind, sleep)
    session.companions.setdefault(kind.noun, watcher)
    return watcher


def ran_out(kind: Kind[T], waiter: Waiter[T], timeout: float | None, *, cancelled: bool) -> EigenpalTimeoutError:
    """Return the error of a wait whose time is up: what was seen last, and how to go on."""
    item = waiter.watched
    seen = f"it was last seen as {item.last.status}" if item.last is not None else "it was never seen"
    trouble = f" The last look failed: {item.trouble}" if item.trouble is not None else ""
    then = (
        "It was asked to cancel." if cancelled else f"It goes on; wait for it again with {kind.again.format(item.id)}."
    )
    error = EigenpalTimeoutError(f"{kind.noun} {item.id} did not end within {timeout:g} s: {seen}. {then}{trouble}")
    if kind.note is not None:
        kind.note(error, item.id, _read(waiter))
    return error


def _read(waiter: Waiter[T]) -> T | None:
    try:
        return None if waiter.watched.last is None else waiter.watched.last.read()
    except EigenpalDecodeError:
        return None


def _tell(waiter: Waiter[T], on_update: Callable[[T], object]) -> None:
    news, waiter.news = waiter.news, None
    for work in news or ():
        on_update(work)
