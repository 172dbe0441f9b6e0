"""The way from blocking code to the event loop: what generated classes call, and nothing else of the portal.

Here: leases, the kinds of calls, and where blocking calls are out of place. The thread is in _portal_thread.py, what
waits for it in _portal_work.py. The rules P1 to P8 that are named in these files are those of the engine's design page.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
import threading
import warnings
import weakref
from collections.abc import AsyncIterable, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, NoReturn, ParamSpec, TypeVar

from eigenpal.errors import EigenpalUsageError
from eigenpal_sync import _portal_thread
from eigenpal_sync._portal_callback import CallerCallback
from eigenpal_sync._portal_context import BlockingContext, Held
from eigenpal_sync._portal_inputs import CallerInputs
from eigenpal_sync._portal_iterator import BlockingIterator, Pump
from eigenpal_sync._portal_thread import NO_LOOP_AT_EXIT, LoopThread
from eigenpal_sync._portal_work import Work, trio_runs_here

__all__ = ["BlockingContext", "BlockingIterator", "EigenpalAsyncUsageWarning", "Portal", "caller_callback"]

T = TypeVar("T")
U = TypeVar("U")
P = ParamSpec("P")

_PACKAGE = str(Path(__file__).parent)
_INSIDE_THE_LOOP = (
    "A blocking call was made inside the event loop that would have to carry it out. In async code given to a blocking "
    "client await the async client instead, or give a plain function: it is called on your own thread."
)


class EigenpalAsyncUsageWarning(UserWarning):
    """A blocking call was made where an event loop runs, which stands still until the call is over."""


class Call(Work[T]):
    """The work of one call: awaits what a function returns."""

    def __init__(self, thread: LoopThread, function: functools.partial[Awaitable[T]]) -> None:
        super().__init__(thread)
        self._function = function

    async def _work(self) -> T:
        return await self._function()


class Portal:
    """The lease of one blocking client on the shared event loop thread, taken at its first call.

    Args:
        cleanup: Awaited in the loop when the portal is closed or forgotten, if there was a call before.
    """

    def __init__(self, cleanup: Callable[[], Awaitable[None]] | None = None) -> None:
        self._cleanup = cleanup
        self._thread: LoopThread | None = None
        self._closed = False
        self._lease = object()
        self._forgotten: weakref.finalize[..., Portal] | None = None

    def wait(self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Await the function's result in the loop and return it as a finished future: `.result()` returns or raises.

        Two steps instead of one, because `.result()` is written in C: a traceback then goes from the caller's line
        straight to the async code (P7).
        """
        work = Call(self._usable_thread(function), functools.partial(function, *args, **kwargs))
        _bind_callbacks(work, args, kwargs)
        work.exchange(work.begin)
        return work.outcome()

    def call(self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Await the function's result in the loop and return it."""
        return self.wait(function, *args, **kwargs).result()

    def iterate(
        self, function: Callable[P, AsyncIterable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> BlockingIterator[T]:
        """Return an iterator over what the function's async iterator yields; it starts with the first item."""
        return BlockingIterator(functools.partial(self._open_pump, function, args, kwargs))

    def iterate_as(
        self,
        wrap: Callable[[T], U],
        function: Callable[P, AsyncIterable[T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> BlockingIterator[U]:
        """Like `iterate`, for items that have a blocking twin: `wrap` makes it."""
        return BlockingIterator(functools.partial(self._open_pump, function, args, kwargs), wrap)

    def enter(
        self, function: Callable[P, AbstractAsyncContextManager[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> BlockingContext[T]:
        """Return a context manager for the async one made by the function."""
        return BlockingContext(functools.partial(self._open_context, function, args, kwargs))

    def enter_as(
        self,
        wrap: Callable[[T], U],
        function: Callable[P, AbstractAsyncContextManager[T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> BlockingContext[U]:
        """Like `enter`, for a value that has a blocking twin: `wrap` makes it."""
        return BlockingContext(functools.partial(self._open_context, function, args, kwargs), wrap)

    def close(self) -> None:
        """Clean up in the loop and give the lease back; the thread ends with the last one. Closing twice is fine."""
        thread = self._thread
        if thread is not None and threading.get_ident() == thread.ident and thread.usable:
            raise EigenpalUsageError(_INSIDE_THE_LOOP)
        self._closed = True
        if thread is None or sys.is_finalizing():
            return
        try:
            if self._cleanup is not None and thread.usable:
                work = Call(thread, functools.partial(self._cleanup))
                work.exchange(work.begin)
                work.outcome().result()
        finally:
            _portal_thread.release(thread, self._lease, wait=True)
            self._thread = None
            if self._forgotten is not None:
                self._forgotten.detach()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a portal to an event loop can't be pickled")

    def _open_pump(
        self, function: Callable[..., AsyncIterable[object]], args: tuple[object, ...], kwargs: dict[str, object]
    ) -> Pump:
        pump = Pump(self._usable_thread(function), functools.partial(function, *args, **kwargs))
        _bind_callbacks(pump, args, kwargs)
        return pump

    def _open_context(
        self,
        function: Callable[..., AbstractAsyncContextManager[object]],
        args: tuple[object, ...],
        kwargs: dict[str, object],
    ) -> Held:
        work = Held(self._usable_thread(function), functools.partial(function, *args, **kwargs))
        _bind_callbacks(work, args, kwargs)
        return work

    def _usable_thread(self, function: Callable[..., object]) -> LoopThread:
        """Return the loop thread, leased, or say why a blocking call can't be made here and now."""
        if self._closed:
            raise EigenpalUsageError("The client is closed. Make a new one, or keep it open for as long as it is used.")
        if sys.is_finalizing():
            raise EigenpalUsageError(NO_LOOP_AT_EXIT)
        thread = self._thread
        if thread is None or not thread.usable:
            thread = self._take_lease()
        if threading.get_ident() == thread.ident:
            raise EigenpalUsageError(_INSIDE_THE_LOOP)
        if not _Surroundings.warned and _Surroundings.a_loop_runs():
            _Surroundings.warn(function)
        return thread

    def _take_lease(self) -> LoopThread:
        """Lease and start the loop thread; what Ctrl-C leaves half done, the next call or `close` finishes."""
        with _portal_thread.lock():
            thread = self._thread
            if thread is None or not thread.promising:  # the first call, or the first one after a fork
                if self._forgotten is not None:
                    self._forgotten.detach()
                thread = self._thread = _portal_thread.shared()
                self._forgotten = weakref.finalize(self, thread.abandon, self._lease, self._cleanup)
                self._forgotten.atexit = False
            thread.leases.add(self._lease)
            thread.start()
            return thread


class _Surroundings:
    """Where a blocking call is made: under a running event loop it works, but stops that loop (P6)."""

    warned = False

    @staticmethod
    def a_loop_runs() -> bool:
        return asyncio._get_running_loop() is not None or trio_runs_here()

    @classmethod
    def warn(cls, function: Callable[..., object]) -> None:
        ipython = sys.modules.get("IPython")
        if ipython is not None and ipython.get_ipython() is not None:
            return  # a notebook's loop always runs, and nothing else waits for it
        cls.warned = True
        name = getattr(function, "__qualname__", repr(function))
        warnings.warn(
            f"A blocking call was made where an event loop runs; nothing else runs in that loop until it is over. "
            f"Use the async client there: await {name}(...).",
            EigenpalAsyncUsageWarning,
            stacklevel=_depth_of_user_line(),
        )


def _depth_of_user_line() -> int:
    """Return the `stacklevel`, for a warning given by our caller, of the nearest line outside this package."""
    depth, frame = 0, inspect.currentframe()
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        depth, frame = depth + 1, frame.f_back
    return depth


def _bind_callbacks(work: Work[Any], args: tuple[object, ...], kwargs: dict[str, object]) -> None:
    for value in (*args, *kwargs.values()):
        if isinstance(value, CallerCallback | CallerInputs):
            value.bind(work)


def caller_callback(function: Callable[..., object] | None) -> Any:
    """Wrap a user's callback, for use as an argument of one call of a portal (P5); None stays None.

    It is called on the thread that waits for that call, and may use the blocking client itself. An async function is
    called there too, and its coroutine runs in the loop. If the callback raises, the work is cancelled or, where it
    awaits the callback, ended by the error as async code would be; either way the caller sees the error.
    """
    return None if function is None else CallerCallback(function)
