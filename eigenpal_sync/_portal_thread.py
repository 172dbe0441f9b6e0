"""The one thread whose event loop carries out the work of every blocking client of the process.

Here: its start with the first lease, its end with the last one, and what a fork or the end of the interpreter means
for it. Not here: what runs in it (_portal_work.py) and who holds a lease (_portal.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Protocol

import anyio

from eigenpal.errors import EigenpalUsageError

GOODBYE_SECONDS = 5.0  # for work to clean up after it was cancelled; nobody waits longer for an answer to Ctrl-C
CLOSED_IN_USE = "The client was closed while this call was running, so the call was cancelled."
NO_LOOP_AT_EXIT = "A blocking client can't be used any more: the interpreter is ending."

if sys.platform == "win32":
    _DefaultLoop = asyncio.ProactorEventLoop
else:
    _DefaultLoop = asyncio.SelectorEventLoop


class Unfinished(Protocol):
    """What the thread must know of the work in it: how to tell its caller that it can never finish."""

    def fail(self, error: BaseException) -> None:
        """End the work with an error unless it has ended."""


class _SteadyLoop(_DefaultLoop):
    """An event loop that a SystemExit or KeyboardInterrupt in one task does not end for the others (P3).

    Asyncio stores such an error in its task, where the one who waits for the task finds it, and then also raises it
    out of the loop. Handles that were due stay queued, so the loop goes on where it was.
    """

    def run_forever(self) -> None:
        while True:
            try:
                return super().run_forever()
            except (SystemExit, KeyboardInterrupt):
                continue


class LoopThread:
    """A daemon thread with an event loop; `shared()` gives the one of the process.

    Being a daemon, it and the worker threads made by it never keep the interpreter from ending. Ctrl-C may strike
    between any two steps of whoever starts or stops it, so every step can be done again.
    """

    def __init__(self) -> None:
        self.process = os.getpid()
        self.ident: int | None = None
        self.running = False
        self.leases: set[object] = set()
        self.unfinished: set[Unfinished] = set()
        self.loop: asyncio.AbstractEventLoop
        self.failure: BaseException | None = None
        self._last_lease_ended: asyncio.Event
        self._context: contextvars.Context
        self._goodbyes: set[asyncio.Task[None]] = set()
        self._unwanted = False
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="eigenpal blocking clients", daemon=True)

    @property
    def usable(self) -> bool:
        """Whether new work can be given to it, which a forked child can't."""
        return self.running and self.process == os.getpid()

    @property
    def promising(self) -> bool:
        """Whether it is usable, or will be once it is started."""
        return not self._unwanted and self.failure is None and self.process == os.getpid()

    def start(self) -> None:
        """Start the thread if it is new, and return when its loop runs. Hold `lock()`."""
        if self.running:
            return
        try:
            self._thread.start()
            self._started.wait()
        except RuntimeError as error:
            reason = NO_LOOP_AT_EXIT if "shutdown" in str(error) else f"No thread could be started: {error}."
            raise EigenpalUsageError(reason) from error
        except BaseException:  # Ctrl-C, and nobody can say how far it came: the next one to call makes another
            self.stop(wait=False)
            raise
        if self.failure is not None:
            raise self.failure

    def abandon(self, lease: object, cleanup: Callable[[], Awaitable[None]] | None) -> None:
        """End a lease whose holder was forgotten: clean up in the loop, in its own time. Safe in any thread, in GC."""
        if sys.is_finalizing() or not self.usable:
            return
        with contextlib.suppress(RuntimeError):  # it closed in between
            self.loop.call_soon_threadsafe(self._begin_goodbye, lease, cleanup, context=self._context.copy())

    def _begin_goodbye(self, lease: object, cleanup: Callable[[], Awaitable[None]] | None) -> None:
        task = self.loop.create_task(self._goodbye(lease, cleanup))
        self._goodbyes.add(task)
        task.add_done_callback(self._goodbyes.discard)

    async def _goodbye(self, lease: object, cleanup: Callable[[], Awaitable[None]] | None) -> None:
        try:
            if cleanup is not None:
                with anyio.move_on_after(GOODBYE_SECONDS):
                    await cleanup()
        finally:
            release(self, lease, wait=False)

    def stop(self, *, wait: bool) -> None:
        """End the loop, cancelling what runs in it; with `wait`, return when the thread has ended."""
        self._unwanted = True  # a loop that is just starting looks at it
        if self.running:
            with contextlib.suppress(RuntimeError):  # it closed in between
                self.loop.call_soon_threadsafe(self._last_lease_ended.set)
            self.running = False
        if wait and self._thread.ident not in {None, threading.get_ident()}:
            self._thread.join(GOODBYE_SECONDS)

    def _run(self) -> None:
        try:
            anyio.run(self._main, backend="asyncio", backend_options={"loop_factory": _SteadyLoop})
        except BaseException as error:  # noqa: BLE001 - whatever kept the loop from starting belongs to who started it
            self.failure = error
        finally:
            self.running = False
            self._started.set()
            for work in tuple(self.unfinished):
                work.fail(EigenpalUsageError(CLOSED_IN_USE))

    async def _main(self) -> None:
        self.ident = threading.get_ident()
        self.loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()
        self._last_lease_ended = asyncio.Event()
        self.running = True
        self._started.set()
        if not self._unwanted:
            await self._last_lease_ended.wait()
        self.running = False


# Reentrant, because the garbage collector may run a finalizer that closes a client while this thread holds it.
_lock = threading.RLock()
_shared: LoopThread | None = None
_of_parents: list[LoopThread] = []  # kept for ever: collecting a loop of the parent process would touch its sockets


def lock() -> threading.RLock:
    """Return the lock for all changes of leases; another one after a fork, since its holder may not exist there."""
    return _lock


def shared() -> LoopThread:
    """Return the loop thread of this process, not yet started if it is new. Hold `lock()` until it has your lease."""
    global _shared
    thread = _shared
    if thread is not None and thread.process != os.getpid():  # a fork that Python did not see
        _of_parents.append(thread)
    if thread is None or not thread.promising:
        thread = _shared = LoopThread()
    return thread


def release(thread: LoopThread, lease: object, *, wait: bool) -> None:
    """Give a lease back; the thread ends with the last one."""
    global _shared
    with lock():
        thread.leases.discard(lease)
        last = not thread.leases
        if last and _shared is thread:
            _shared = None
    if last and thread.process == os.getpid():
        thread.stop(wait=wait)


def _forget_parent() -> None:
    global _lock, _shared
    _lock = threading.RLock()
    if _shared is not None:
        _of_parents.append(_shared)
        _shared.running = False
        _shared = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_parent)
