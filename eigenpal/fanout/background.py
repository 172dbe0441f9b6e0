"""One coroutine that runs beside its caller and outlives no interest in it: the ground under `async for`.

An iterator has no place of its own to run: between two items the caller's task is somewhere else, and it may never
come back. anyio has no task without a task group, and a group must be left by the task that entered it; so this one
task is asked of the event loop itself. Whoever closes, drops or loses the iterator ends it, from any task or thread.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import Any, Final

import anyio
from anyio import CancelScope
from anyio.lowlevel import current_token

from eigenpal.errors import EigenpalUsageError

NAME: Final = "eigenpal batch"  # of the task, in listings and tracebacks


class Background:
    """A coroutine function, run once beside the caller.

    Args:
        work: What to run. An error that it raises is kept in `error`.
        leaving: Called in the event loop just before the work is cancelled.
        ended: Called in the event loop when it has ended.
    """

    def __init__(
        self, work: Callable[[], Awaitable[None]], leaving: Callable[[], object], ended: Callable[[], object]
    ) -> None:
        self.error: BaseException | None = None
        self._work = work
        self._leaving = leaving
        self._ended = ended
        self._scope: CancelScope | None = None
        self._loop: Any = None
        self._finished: anyio.Event | None = None
        self._left = False

    def start(self) -> None:
        """Begin, in the event loop that runs here; it must be asyncio's or trio's."""
        self._loop = _running_loop()
        self._scope, self._finished = CancelScope(), anyio.Event()
        if hasattr(self._loop, "create_task"):
            # The loop holds tasks weakly, this holds it for as long as it runs: it is dropped in `_run`.
            self._task: Any = self._loop.create_task(self._run(), name=NAME)
        else:
            import trio

            trio.lowlevel.spawn_system_task(self._run, name=NAME, context=copy_context())

    @property
    def begun(self) -> bool:
        """Whether `start` was called."""
        return self._finished is not None

    @property
    def finished(self) -> bool:
        """Whether it has ended."""
        return self._finished is not None and self._finished.is_set()

    async def aclose(self) -> None:
        """Cancel the work and wait until it has cleaned up, also in a task that is being cancelled itself."""
        if self._finished is None or self._finished.is_set():
            return
        if _running_loop() is not self._loop:
            self.abandon()
            return
        self._leave()
        with CancelScope(shield=True):
            await self._finished.wait()

    def abandon(self) -> None:
        """Ask for the work to be cancelled and do not wait; from any thread, and when the loop is gone already."""
        if not self.begun or self.finished:
            return
        call = self._loop.call_soon_threadsafe if hasattr(self._loop, "create_task") else self._loop.run_sync_soon
        with contextlib.suppress(RuntimeError):  # asyncio: the loop is closed; trio: its run has finished
            call(self._leave)

    def _leave(self) -> None:
        if self._scope is None or self._left:
            return
        self._left = True
        self._leaving()
        self._scope.cancel()

    async def _run(self) -> None:
        assert self._scope is not None, "begun by start"
        assert self._finished is not None, "begun by start"
        ended = False
        try:
            with self._scope:
                await self._work()
            ended = True
        except Exception as error:  # noqa: BLE001 - raised again where the iterator is read
            self.error, ended = error, True
        finally:
            if not ended and self.error is None:
                self.error = EigenpalUsageError(
                    "The event loop was ended while this batch was at work; go on with it under a new one."
                )
            self._task = None
            self._finished.set()
            self._ended()


def _running_loop() -> Any:
    """Return asyncio's loop or trio's token: the same object as long as the same event loop runs."""
    return current_token().native_token
