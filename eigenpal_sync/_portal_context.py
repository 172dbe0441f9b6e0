"""An async context manager from a blocking `with`: one task of the loop enters it, holds it and leaves it (P4).

Here: the two ends of that task. Not here: how a piece of work is waited for and interrupted (_portal_work.py).
"""

from __future__ import annotations

import asyncio
import functools
import weakref
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from types import TracebackType
from typing import Any, Generic, TypeVar

from eigenpal.errors import EigenpalUsageError
from eigenpal_sync._portal_thread import LoopThread
from eigenpal_sync._portal_work import FINISHED, Work

T_co = TypeVar("T_co", covariant=True)


class Held(Work[bool]):
    """Enters the context, waits for the end of the `with` block, and leaves; its value is whether to go on after it."""

    def __init__(self, thread: LoopThread, manager: Callable[[], AbstractAsyncContextManager[Any]]) -> None:
        super().__init__(thread)
        self.value: Any = None
        self._manager = manager
        self._left: asyncio.Future[BaseException | None]

    async def _work(self) -> bool:
        manager = self._manager()
        value = await manager.__aenter__()
        self._left = self.thread.loop.create_future()
        self.value = value
        self.inbox.put(self)
        try:
            error = await self._left
        except BaseException as ended:  # cancelled: the caller was interrupted, forgot us, or the client was closed
            if not await manager.__aexit__(type(ended), ended, ended.__traceback__):
                raise
            return False
        if error is None:
            await manager.__aexit__(None, None, None)
            return False
        return bool(await manager.__aexit__(type(error), error, error.__traceback__))

    def ask_to_leave(self, error: BaseException | None) -> None:
        """Leave the context, with the error that ended the block; called by the caller."""
        self.tell_loop(functools.partial(self._leave, error))

    def _leave(self, error: BaseException | None) -> None:
        if not self._left.done():
            self._left.set_result(error)


class BlockingContext(AbstractContextManager[T_co], Generic[T_co]):
    """A context manager whose entering and leaving happen in the loop; it can be entered once."""

    def __init__(self, open_work: Callable[[], Held], wrap: Callable[[Any], T_co] | None = None) -> None:
        self._open_work = open_work
        self._wrap = wrap
        self._work: Held | None = None

    def __enter__(self) -> T_co:
        __tracebackhide__ = True
        if self._work is not None:
            raise EigenpalUsageError("A context manager can be entered once: call the method again for a new one.")
        work = self._work = self._open_work()
        weakref.finalize(self, work.cancel).atexit = False
        if work.exchange(work.begin) is FINISHED:
            work.outcome().result()
        return work.value if self._wrap is None else self._wrap(work.value)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> bool:
        __tracebackhide__ = True
        work = self._work
        assert work is not None, "with calls __enter__ first"
        work.exchange(functools.partial(work.ask_to_leave, error))
        outcome = work.outcome()
        failure = outcome.exception()
        if error is not None and failure is error:
            error.__traceback__ = traceback  # it went through the async context manager and came back
            return False
        return outcome.result()
