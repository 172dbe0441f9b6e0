"""Waiting for many at once in one task: an async iterator that gives each as it ends.

Between two steps of the iterator nothing runs: no task, no timer, no request. So it may be left at any point, by
whatever means, and there is nothing to clean up. The time between steps counts against nobody's deadline.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from typing import Any, Final, Generic, Self, TypeVar

import anyio
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint

from eigenpal.engine.session import Session
from eigenpal.errors import EigenpalError, EigenpalInputError, EigenpalUsageError, EigenpalWaitError
from eigenpal.waiting.desk import Desk
from eigenpal.waiting.polling import checked_times
from eigenpal.waiting.watched import Look, Party, Waiter
from eigenpal.waiting.watcher import Watcher, ran_out

T = TypeVar("T")

# For looks that are under way when the first of their round is there: most end with it, and one that hangs holds
# nobody up.
LAST_LOOKS_SECONDS: Final = 0.25
IDS_A_TURN: Final = 200  # taken from a plain iterable before other tasks get their turn


class Arrivals(Party[T], Generic[T]):
    """What is waited for, as it ends.

    Args:
        watcher: Of the client and the kind of work.
        session: Whose calls are used.
        ids: What to wait for: ids, or things that have one as `id`; read as far as there is nothing to return yet.
        timeout_seconds: Bound on the wait for each, from when its id is taken; None for no bound.
        poll_interval_seconds: Longest pause between two looks.
        judge: Returns what is over, or raises if it did not end as it should.
    """

    __slots__ = (
        "_asking", "_away", "_deadlines", "_desk", "_errors", "_fault", "_fed", "_hands", "_interval", "_judge",
        "_left_at", "_pending", "_ready", "_seen", "_session", "_source", "_timeout", "_watcher",
    )  # fmt: skip

    def __init__(
        self,
        watcher: Watcher[T],
        session: Session,
        ids: Iterable[Any] | AsyncIterable[Any],
        *,
        timeout_seconds: float | None,
        poll_interval_seconds: float,
        judge: Callable[[T], T],
    ) -> None:
        super().__init__()
        self._timeout, self._interval = checked_times(timeout_seconds, poll_interval_seconds)
        self._source = _iterator_over(ids, watcher.kind.noun)
        self._watcher = watcher
        self._session = session
        self._judge = judge
        self._desk: Desk[T] = watcher.desk_apart()
        self._pending: dict[str, Waiter[T]] = {}
        self._deadlines: deque[tuple[float, str]] = deque()  # in order, since all have the same time
        self._ready: deque[T] = deque()
        self._errors: dict[str, EigenpalError] = {}
        self._seen: set[str] = set()
        self._fed = False
        self._asking = False
        self._fault: Exception | None = None
        self._hands: TaskGroup | None = None
        self._away = 0.0
        self._left_at: float | None = None

    def __aiter__(self) -> Self:
        return self

    def take_ready(self) -> list[T]:
        """Return all that is over and was not returned yet, as if it had been iterated over; sends nothing."""
        ready: list[T] = []
        while self._ready:
            try:
                ready.append(self._judge(self._ready[0]))
            except EigenpalError:
                break  # it is raised by the next step
            self._ready.popleft()
        return ready

    async def __anext__(self) -> T:
        if self._hands is not None:
            raise EigenpalUsageError("two tasks iterate over the same waits at once; let each have its own")
        while True:
            if self._ready:
                return self._judge(self._ready.popleft())
            if self._fault is not None:
                fault, self._fault = self._fault, None
                raise fault
            if self._fed and not self._pending:
                errors, self._errors = self._errors, {}
                if errors:
                    raise self._failure(errors)
                raise StopAsyncIteration
            await self._gather()

    # -------------------------------------------------------------------------------------------- as a party

    def is_called_away(self) -> bool:
        """Whether there is something to return, or nothing left to wait for."""
        if self._asking:
            return False  # whoever makes the ids is not to be interrupted
        return bool(self._ready) or self._fault is not None or (self._fed and not self._pending)

    async def take_on(self, look: Look[T]) -> None:
        """Carry a look out beside the others."""
        assert self._hands is not None, "looks are given out while there are hands"
        self._hands.start_soon(self._desk.carry_out, look)

    def settle(self, waiter: Waiter[T]) -> None:
        """Take in what is over, or can't be waited for."""
        del self._pending[waiter.watched.id]
        if waiter.result is not None:
            self._ready.append(waiter.result)
        elif waiter.error is not None:
            self._errors[waiter.watched.id] = waiter.error
        self.wake()

    # -------------------------------------------------------------------------------------------- one step

    async def _gather(self) -> None:
        """Wait until at least one is over, or no more will be."""
        if self._left_at is not None:
            self._away += anyio.current_time() - self._left_at
        try:
            async with anyio.create_task_group() as feeding:
                self._asking = not self._fed
                feeding.start_soon(self._feed)
                async with anyio.create_task_group() as self._hands:
                    deadlines = anyio.CancelScope()
                    self._hands.start_soon(self._keep_deadlines, deadlines)
                    await self._desk.attend(self)
                    deadlines.cancel()
                    self._hands.cancel_scope.deadline = anyio.current_time() + LAST_LOOKS_SECONDS
        finally:
            self._hands = None
            self._desk.leave(self)
            self._left_at = anyio.current_time()

    async def _feed(self) -> None:
        """Take ids until there is something to return, or no more ids."""
        taken = 0
        try:
            while not self._ready and not self._fed:
                work_id = next(self._source) if isinstance(self._source, Iterator) else await anext(self._source)
                self._admit(work_id)
                taken += 1
                if taken % IDS_A_TURN == 0:
                    await checkpoint()
        except (StopIteration, StopAsyncIteration):
            self._fed = True
        except Exception as error:  # noqa: BLE001 - whatever the ids' own code raises, is raised where they are used
            self._fed, self._fault = True, error
        finally:
            self._asking = False
            self.wake()

    def _admit(self, work_id: object) -> None:
        found = checked_id(work_id, self._watcher.kind.noun)
        if found in self._seen:
            return
        self._seen.add(found)
        ends = math.inf if self._timeout is None else self._time() + self._timeout
        self._pending[found] = self._desk.enter(
            self, found, self._session, poll_interval_seconds=self._interval, at_once=True, ends=ends
        )
        if self._timeout is not None:
            self._deadlines.append((ends, found))

    async def _keep_deadlines(self, scope: anyio.CancelScope) -> None:
        """Give up each wait whose time is up."""
        if (timeout := self._timeout) is None:
            return
        with scope:
            while True:
                while self._deadlines and self._deadlines[0][1] not in self._pending:
                    self._deadlines.popleft()
                left = self._deadlines[0][0] - self._time() if self._deadlines else timeout
                if left > 0:
                    await anyio.sleep(left)
                    continue
                waiter = self._pending[self._deadlines.popleft()[1]]
                waiter.error = ran_out(self._watcher.kind, waiter, timeout, cancelled=False)
                self._desk.end(waiter)
                self.settle(waiter)

    def _time(self) -> float:
        """Return the time by a clock that stands still between steps."""
        return anyio.current_time() - self._away

    def _failure(self, errors: dict[str, EigenpalError]) -> EigenpalWaitError:
        noun, (first, error) = self._watcher.kind.noun, next(iter(errors.items()))
        more = f" and {len(errors) - 1} more" if len(errors) > 1 else ""
        failure = EigenpalWaitError(
            f"{len(errors)} of {len(self._seen)} {noun}s could not be waited for: {first}{more}. {error}"
        )
        failure.errors = errors
        failure.__cause__ = error
        return failure


def checked_id(work_id: object, noun: str) -> str:
    """Return the id of what is to be waited for: the id itself, or of a thing that has it as `id`.

    Raises:
        EigenpalInputError: There is none.
    """
    found = work_id if isinstance(work_id, str) else getattr(work_id, "id", None)
    if not isinstance(found, str) or not found:
        raise EigenpalInputError(f"{work_id!r} is no {noun} to wait for; give its id, or what starting it returned")
    return found


def _iterator_over(ids: Any, noun: str) -> Iterator[Any] | AsyncIterator[Any]:
    if isinstance(ids, AsyncIterable):
        return aiter(ids)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - of anything
    if isinstance(ids, Iterable) and not isinstance(ids, str | bytes):
        return iter(ids)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - of anything
    raise EigenpalInputError(f"ids must be an iterable of {noun} ids, not {type(ids).__name__}; for one use wait")
