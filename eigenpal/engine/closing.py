"""Closing things in worker threads so that it is done whatever happens to the task meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from anyio import CancelScope, get_cancelled_exc_class, to_thread


async def surely_in_thread(step: Callable[[], object]) -> None:
    """Run a closing step in a worker thread to its end, also in a task that is being cancelled.

    A shield of anyio holds off the cancelling of anyio and trio. `asyncio.Task.cancel` (timeouts, `wait_for`) gets
    through it, even before the thread has begun; then the step is run again, and the cancelling goes on afterwards.

    Args:
        step: What to do; doing it a second time must do nothing.
    """
    cancelled: BaseException | None = None
    with CancelScope(shield=True):
        while True:
            try:
                await to_thread.run_sync(step)
                break
            except get_cancelled_exc_class() as error:
                cancelled = error
    if cancelled is not None:
        raise cancelled
