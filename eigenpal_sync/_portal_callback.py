"""A user's callback (progress, approval) as the async code in the loop sees it, called on the thread that waits (P5).

Here: the two sides of such a call. Not here: the waiting, in which calls are carried out (_portal_work.py).
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import queue
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Protocol

from eigenpal.errors import EigenpalUsageError

ASYNC_CALLBACK = "This callback must be a plain function: what an async function returns is not awaited here."
CALL_HAS_ENDED = "A callback can't be called any more: the blocking call that it was given to has ended."


class Waiting(Protocol):
    """What a call of a callback must know of the work whose caller carries it out."""

    inbox: queue.SimpleQueue[object]
    finished: bool

    def cancel_task(self) -> None:
        """Cancel the work, in the loop."""


class CallerCallback:
    """Stands for a user's callback in the arguments of a piece of work, which binds it to itself.

    Calling it returns at once. The result can be awaited for the callback's value or error; where it is not, the
    callback is called all the same, in order, and if it raises, the work is cancelled and its caller sees the error.
    If the callback is an async function, its coroutine runs in the loop, as part of the work that awaits it.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._work: Waiting | None = None

    def bind(self, work: Waiting) -> None:
        """Have its calls carried out by whoever waits for this work."""
        self._work = work

    def __call__(self, *args: Any, **kwargs: Any) -> CallerCall:
        """Ask the waiting thread to call the callback."""
        work = self._work
        if work is None or work.finished:
            raise EigenpalUsageError(CALL_HAS_ENDED)
        call = CallerCall(work, functools.partial(self._function, *args, **kwargs))
        work.inbox.put(call)
        return call


class CallerCall:
    """One call of a callback; awaiting it gives what the callback returned."""

    def __init__(self, work: Waiting, function: Callable[[], Any]) -> None:
        self.function = function
        self.awaited = False
        self._work = work
        self._answered = False
        self._value: Any = None
        self._error: BaseException | None = None
        self._waiter: asyncio.Future[None] | None = None

    def __await__(self) -> Generator[Any, Any, Any]:
        self.awaited = True
        if not self._answered:
            self._waiter = asyncio.get_running_loop().create_future()
            yield from self._waiter
        if self._error is not None:
            raise self._error
        if inspect.isawaitable(self._value):
            return (yield from self._value.__await__())
        return self._value

    def answer(self, value: object = None, error: BaseException | None = None) -> None:
        """Take the callback's value or error; called in the loop."""
        self._answered, self._value, self._error = True, value, error
        if self._waiter is not None:
            if not self._waiter.done():
                self._waiter.set_result(None)
        elif not self.awaited and (error is not None or isinstance(value, Coroutine)):
            if isinstance(value, Coroutine):
                value.close()
            self._work.cancel_task()

    def cancel(self) -> None:
        """Tell whoever awaits it that nobody will call the callback; called in the loop."""
        if self._waiter is not None:
            self._waiter.cancel()
