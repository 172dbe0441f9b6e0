"""Calling a registered function from the server's loop: async ones in the loop, others in a daemon thread each.

A thread that never returns can't keep the process alive. Whatever the function raises reaches the caller as an
exception that an event loop survives.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, cast

logger: logging.Logger = logging.getLogger("eigenpal.sandbox")


class Stopped(Exception):
    """A function raised what would end a thread or an event loop, such as SystemExit; the text tells what."""


def is_async(function: Callable[..., object]) -> bool:
    """Tell whether a function, or the call of a callable object, is a coroutine function."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - asks for the method of a callable object
    )


class FunctionCall:
    """One call of a registered function.

    Args:
        call: Calls it; may return an awaitable.
        in_loop: Whether to call it in the event loop; else in a thread of its own.
        name: Name of that thread.
    """

    def __init__(self, call: Callable[[], object], *, in_loop: bool, name: str) -> None:
        self._call = call
        self._in_loop = in_loop
        self._name = name
        self._task: asyncio.Task[object] | None = None
        self.thread: threading.Thread | None = None

    async def result(self) -> Any:
        """Call the function and return its result; for one in a thread, cancelling only stops the waiting."""
        if self._in_loop:
            return await self._in_task(_awaited(self._call))
        result = await self._in_thread()
        to_be_awaited = isinstance(result, Awaitable)
        return await self._in_task(_awaited(lambda: cast("object", result))) if to_be_awaited else result

    async def _in_task(self, work: Coroutine[Any, Any, object]) -> object:
        """Await it in a task of its own: cancelling the function must not cancel what comes after it."""
        self._task = asyncio.ensure_future(work)
        try:
            return await self._task
        finally:
            self._task.cancel()

    def cancel(self) -> None:
        """Cancel what runs in the loop; a thread goes on to its next checkpoint."""
        if self._task is not None:
            self._task.cancel()

    async def _in_thread(self) -> Any:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        variables = contextvars.copy_context()

        def settle(result: Any, error: BaseException | None) -> None:
            if answer.cancelled():
                return
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(result)

        def work() -> None:
            result, error = None, None
            try:
                result = variables.run(self._call)
            except BaseException as raised:  # noqa: BLE001 - all of it travels to the loop
                # A future refuses StopIteration, and would treat these as its own.
                wrapped = isinstance(raised, (StopIteration, asyncio.CancelledError, SystemExit, KeyboardInterrupt))
                error = Stopped(_text(raised)) if wrapped else raised
            try:
                loop.call_soon_threadsafe(settle, result, error)
            except RuntimeError:  # the loop is closed: nobody waits any more
                logger.debug("%s outlived its server", self._name)

        self.thread = threading.Thread(target=work, name=self._name, daemon=True)
        self.thread.start()
        return await answer


async def _awaited(call: Callable[[], object]) -> object:
    """Call where the result is awaited at once: a task that is cancelled before it begins has made nothing."""
    try:
        result = call()
        return await cast("Awaitable[object]", result) if isinstance(result, Awaitable) else result
    except (SystemExit, KeyboardInterrupt) as error:  # left alone, these would end the whole event loop
        raise Stopped(_text(error)) from error


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")
