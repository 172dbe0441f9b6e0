"""A piece of work: one task in the loop thread, and the thread that waits for it.

Here: handing it over, waiting, Ctrl-C, and how an error comes back. Not here: what kinds of work there are
(_portal.py, _portal_iterator.py, _portal_context.py) and what a callback is (_portal_callback.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import os
import queue
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Generic, TypeVar, cast

from eigenpal.errors import EigenpalUsageError
from eigenpal_sync._portal_callback import ASYNC_CALLBACK, CallerCall
from eigenpal_sync._portal_thread import CLOSED_IN_USE, GOODBYE_SECONDS, LoopThread

try:
    from sniffio import current_async_library_cvar as _async_library
except ImportError:  # part of trio, optional for anyio and httpcore; without it asyncio is all there can be
    _async_library = contextvars.ContextVar[str | None]("_async_library", default=None)

T = TypeVar("T")

# Waits are cut into slices. On Windows Ctrl-C can't interrupt one at all; elsewhere it goes unheard if it comes in the
# moment between Python's last look for signals and the system call that waits.
SLICE_SECONDS = 0.1 if sys.platform == "win32" else 1.0
FINISHED = object()  # the last message of a piece of work; it stays in the inbox for every thread that looks
OF_THE_PARENT = (
    "This was begun before a fork, and only the parent process can go on with it; begin it again in the child."
)
_ASYNCIO = str(Path(asyncio.__file__).parent)
_PLUMBING = str(Path(__file__).with_name("_portal"))


class Work(Generic[T]):
    """One task in the loop thread. Subclasses say in `_work` what it does; its messages arrive in `inbox`."""

    def __init__(self, thread: LoopThread) -> None:
        self.thread = thread
        self.inbox: queue.SimpleQueue[object] = queue.SimpleQueue()
        self.begun = False
        self.finished = False
        self._value: T | None = None
        self._error: BaseException | None = None
        self._interruption: BaseException | None = None
        self._complaints: list[tuple[CallerCall, Exception]] = []
        self._task: asyncio.Task[None] | None = None
        self._entered = False
        self.cancelled = False  # asked to, whether or not it has ended

    async def _work(self) -> T:
        raise NotImplementedError

    # --- on the caller's thread

    def begin(self) -> None:
        """Hand the work over to the loop; context variables of the caller are seen in it."""
        self.begun = True
        self.thread.unfinished.add(self)
        try:
            self.thread.loop.call_soon_threadsafe(self._begin)  # in a copy of our context
        except RuntimeError:
            self.fail(EigenpalUsageError(CLOSED_IN_USE))

    def exchange(self, send: Callable[[], object]) -> object:
        """Do what makes the loop go on, wait for the next message, and carry out callbacks meanwhile (P5).

        Whatever interrupts the wait, Ctrl-C above all, ends the work and becomes its outcome (P2).
        """
        if self.thread.process != os.getpid():
            self._interruption = EigenpalUsageError(OF_THE_PARENT)
            return FINISHED
        try:
            send()
            while isinstance(message := self._next_message(), CallerCall):
                self._carry_out(message)
        except BaseException as error:  # noqa: BLE001 - raised by `outcome`, without frames of ours
            try:
                self.interrupt()
            finally:
                self.cancel()  # does nothing after the above, unless a second Ctrl-C came in between
            self._interruption = error
            return FINISHED
        if message is FINISHED:
            self.inbox.put(FINISHED)
        return message

    def interrupt(self) -> None:
        """Cancel the work and wait, within bounds, until it has cleaned up (P2)."""
        if self.thread.process != os.getpid():
            return
        self.cancel()
        deadline = time.monotonic() + GOODBYE_SECONDS
        while not self.finished:
            try:
                message = self._next_message(deadline)
            except queue.Empty:
                return
            if isinstance(message, CallerCall):
                self.tell_loop(message.cancel)
        self.inbox.put(FINISHED)

    def cancel(self) -> None:
        """Ask the loop to cancel the work, and do not wait. Safe in any thread, in GC and in a forked child."""
        if not self.finished and self.thread.process == os.getpid():
            self.tell_loop(self.cancel_task)

    def outcome(self) -> asyncio.Future[T]:
        """Return how finished work ended, as a future whose `result()` leaves no frame of ours in a traceback (P7)."""
        # Where a callback was awaited, its error went the way of the work; else it is raised here.
        unseen = (complaint for call, complaint in self._complaints if not call.awaited)
        error = self._interruption or next(unseen, self._error)
        self._interruption = self._error = None  # an error that holds its traceback holds us
        self._complaints.clear()
        done: asyncio.Future[T] = asyncio.Future(loop=self.thread.loop)
        if error is None:
            done.set_result(self._value)  # type: ignore[arg-type]  # only an error leaves it None
        elif isinstance(error, StopIteration):  # futures refuse it, as coroutines do
            done.set_exception(RuntimeError("a callback raised StopIteration"))
        else:
            done.set_exception(without_plumbing(error))
        return done

    def tell_loop(self, what: Callable[[], object]) -> None:
        """Have something done in the loop, if it still runs."""
        with contextlib.suppress(RuntimeError):  # the loop has closed, and with it all that could be told
            self.thread.loop.call_soon_threadsafe(what)

    def _next_message(self, deadline: float | None = None) -> object:
        """Return the next message; `queue.Empty` when the deadline passes first."""
        while True:
            left = None if deadline is None else max(deadline - time.monotonic(), 0.0)
            try:
                return self.inbox.get(timeout=SLICE_SECONDS if left is None else min(left, SLICE_SECONDS))
            except queue.Empty:
                if left is not None and left <= SLICE_SECONDS:
                    raise

    def _carry_out(self, call: CallerCall) -> None:
        if self.cancelled:
            self.tell_loop(call.cancel)
            return
        try:
            value = call.function()
        except Exception as error:  # noqa: BLE001 - it belongs to whoever called the callback, in the loop
            self._complaints.append((call, error))
            self.tell_loop(functools.partial(call.answer, error=error))
        else:
            if isinstance(value, Coroutine):
                self._complaints.append((call, EigenpalUsageError(ASYNC_CALLBACK)))
            self.tell_loop(functools.partial(call.answer, value=value))

    # --- on the loop's thread

    def fail(self, error: BaseException) -> None:
        """End the work with an error unless it has ended."""
        if not self.finished:
            self._error = error
            self._finish()

    def _begin(self) -> None:
        if self.thread.running:
            self._task = self.thread.loop.create_task(self._run())
        else:
            self.fail(EigenpalUsageError(CLOSED_IN_USE))

    async def _run(self) -> None:
        self._entered = True
        _async_library.set("asyncio")  # a caller under trio says otherwise in the context we run in
        try:
            if not self.cancelled:
                self._value = await self._work()
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread; the loop lives on (P3)
            self._error = self._translated(error)
        self._finish()

    def _finish(self) -> None:
        self.thread.unfinished.discard(self)
        self.finished = True
        self.inbox.put(FINISHED)

    def cancel_task(self) -> None:
        """Cancel the work, in the loop."""
        self.cancelled = True
        if self._task is None:  # an interrupt came before it was handed over, so it never will be
            self._finish()
        elif self._entered:  # before that, `_run` sees the flag; a task cancelled before its first step runs nothing
            self._task.cancel()

    def _translated(self, error: BaseException) -> BaseException:
        if isinstance(error, asyncio.CancelledError) and not self.cancelled and not self.thread.running:
            return EigenpalUsageError(CLOSED_IN_USE)
        return error if isinstance(error, Exception) else _ending(error) or error


def trio_runs_here() -> bool:
    """Whether a trio event loop runs in this thread."""
    sniffio = sys.modules.get("sniffio")  # trio imports it, and says there where it runs
    return sniffio is not None and sniffio.thread_local.name == "trio"


def _ending(error: BaseException) -> BaseException | None:
    """Return the SystemExit or KeyboardInterrupt that an error is, or that a task group wrapped in it."""
    if isinstance(error, BaseExceptionGroup):
        group = cast(BaseExceptionGroup[BaseException], error)
        return next(filter(None, map(_ending, group.exceptions)), None)
    return error if isinstance(error, SystemExit | KeyboardInterrupt) else None


def without_plumbing(error: BaseException) -> BaseException:
    """Take the frames of the portal out of the error's traceback, so that it reads as one call (P7).

    With `EIGENPAL_DEBUG=1` in the environment they stay.
    """
    if os.environ.get("EIGENPAL_DEBUG") == "1":
        return error
    kept: list[TracebackType] = []
    entry = error.__traceback__
    ours = False
    while entry is not None:
        file = entry.tb_frame.f_code.co_filename
        ours = file.startswith(_PLUMBING) or (ours and file.startswith(_ASYNCIO))  # what we called in asyncio, too
        if not ours:
            kept.append(entry)
        entry = entry.tb_next
    following = None
    for entry in reversed(kept):
        entry.tb_next = following
        following = entry
    error.__traceback__ = following
    return error
