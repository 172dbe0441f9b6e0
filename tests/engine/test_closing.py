"""Closing in worker threads happens, whatever cancels the task."""

from __future__ import annotations

import asyncio
import threading

import anyio
import pytest

from eigenpal.engine.closing import surely_in_thread


@pytest.mark.anyio
async def test_a_cancelled_scope_does_not_keep_a_step_from_running() -> None:
    threads: list[threading.Thread] = []
    with anyio.CancelScope() as scope:
        scope.cancel()
        await surely_in_thread(lambda: threads.append(threading.current_thread()))
        await anyio.lowlevel.checkpoint()
    assert scope.cancelled_caught
    assert len(threads) == 1
    assert threads[0] is not threading.current_thread()


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_asyncios_own_cancelling_does_not_either_and_goes_on_afterwards(anyio_backend: str) -> None:
    steps: list[str] = []
    task = asyncio.create_task(surely_in_thread(lambda: steps.append(anyio_backend)))
    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert steps


@pytest.mark.anyio
async def test_an_error_of_the_step_is_the_callers() -> None:
    def fails() -> None:
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        await surely_in_thread(fails)
