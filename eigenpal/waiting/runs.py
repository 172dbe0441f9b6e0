"""Waiting for a run: what over means for it, and how a wait ends."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final

import anyio

from eigenpal.engine.options import checked_timeout
from eigenpal.errors import EigenpalError, EigenpalInputError, EigenpalRunError, EigenpalTimeoutError
from eigenpal.models.executions import TERMINAL_STATUSES, RunStatus
from eigenpal.models.runs import Run
from eigenpal.waiting.polling import Poll

logger: logging.Logger = logging.getLogger("eigenpal")

CANCEL_PATIENCE_SECONDS: Final = 10.0  # for the cancel request that follows a wait that ran out


async def wait_for_run(
    run_id: str,
    *,
    fetch: Callable[[str], Awaitable[Run]],
    cancel: Callable[[str], Awaitable[object]],
    sleep: Callable[[float], Awaitable[None]],
    timeout_seconds: float | None,
    poll_interval_seconds: float,
    raise_on_failure: bool,
    cancel_on_timeout: bool,
    on_update: Callable[[Run], object] | None,
    just_started: bool,
) -> Run:
    """Wait until a run is over; arguments as in `runs.wait`, and whether it was started a moment ago."""
    timeout, interval = checked_times(timeout_seconds, poll_interval_seconds)
    poll = Poll(
        fetch=lambda: fetch(run_id), is_over=_Ending().reached_by, changed=_moved, on_update=on_update, sleep=sleep
    )
    run = await poll.until_over(timeout_seconds=timeout, poll_interval_seconds=interval, at_once=not just_started)
    if run is None:
        cancelled = cancel_on_timeout and await _cancelled(run_id, cancel)
        raise _ran_out(run_id, poll, timeout, cancelled=cancelled)
    return succeeded(run) if raise_on_failure else run


def checked_times(timeout_seconds: object, poll_interval_seconds: object) -> tuple[float | None, float]:
    """Return the two times of a wait if they make sense. To be called before what is waited for is started.

    Raises:
        EigenpalInputError: They don't.
    """
    timeout = checked_timeout(timeout_seconds)
    if (interval := checked_timeout(poll_interval_seconds, "poll_interval_seconds")) is None:
        raise EigenpalInputError("poll_interval_seconds must be a number of seconds above 0")
    return timeout, interval


def succeeded(run: Run) -> Run:
    """Return a completed run; raise `EigenpalRunError` for one that failed, was cancelled or rejected."""
    if run.status == RunStatus.COMPLETED:
        return run
    error = EigenpalRunError(f"run {run.id} ended as {run.status}: {run.error or 'the server gave no reason'}")
    error.run_id, error.run = run.id, run
    raise error


class _Ending:
    """When a run is over; warns once about a status this version does not know."""

    def __init__(self) -> None:
        self._warned = False

    def reached_by(self, run: Run) -> bool:
        if run.finished or run.status in TERMINAL_STATUSES:
            return True
        if not self._warned and not isinstance(run.status, RunStatus):
            self._warned = True
            logger.warning("run %s has the status %r, unknown to this version; still waiting", run.id, run.status)
        return False


def _moved(before: Run, now: Run) -> bool:
    return before.status != now.status or before.timing.cancel_requested_at != now.timing.cancel_requested_at


async def _cancelled(run_id: str, cancel: Callable[[str], Awaitable[object]]) -> bool:
    with anyio.move_on_after(CANCEL_PATIENCE_SECONDS):
        try:
            await cancel(run_id)
        except EigenpalError:
            return False
        return True
    return False


def _ran_out(run_id: str, poll: Poll[Run], timeout: float | None, *, cancelled: bool) -> EigenpalTimeoutError:
    seen = f"it was last seen as {poll.last.status}" if poll.last is not None else "it was never seen"
    trouble = f" The last look failed: {poll.trouble}" if poll.trouble is not None else ""
    then = "It was asked to cancel." if cancelled else f"It goes on; wait for it again with runs.wait({run_id!r})."
    error = EigenpalTimeoutError(f"run {run_id} did not end within {timeout:g} s: {seen}. {then}{trouble}")
    error.run_id, error.run = run_id, poll.last
    return error
