"""Waiting for many executions in one task, each returned as it stops."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable

from eigenpal.engine.calls import unchanged
from eigenpal.engine.session import Session
from eigenpal.epilot.models.executions import Execution
from eigenpal.epilot.waiting import Until, checked_until, succeeded, watcher_for
from eigenpal.waiting.many import Arrivals

ExecutionIds = Iterable[str | Execution] | AsyncIterable[str | Execution]
"""Executions to wait for: their ids, or what starting or listing them returned."""


def wait_for_many(
    session: Session,
    ids: ExecutionIds,
    *,
    until: Until,
    raise_on_failure: bool,
    timeout_seconds: float | None,
    poll_interval_seconds: float,
) -> AsyncIterator[Execution]:
    """Wait for many executions with the calls of a session; arguments as in `executions.wait_many`."""
    also_for_humans = checked_until(until) == "human"
    return Arrivals(
        watcher_for(session, lambda seen: seen.is_terminal or (seen.needs_human and also_for_humans)),
        session,
        ids,
        timeout_seconds=timeout_seconds,
        poll_interval_seconds=poll_interval_seconds,
        judge=succeeded if raise_on_failure else unchanged,
    )
