"""Waiting for many executions in one task: what a look at one shows, and what stops the wait for it."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable

from eigenpal.engine.calls import unchanged
from eigenpal.engine.session import Session
from eigenpal.epilot.models.executions import Execution, ExecutionStatus
from eigenpal.epilot.operations import CANCEL_EXECUTION, GET_EXECUTION
from eigenpal.epilot.waiting import Until, checked_until, succeeded
from eigenpal.errors import EigenpalError, EigenpalTimeoutError
from eigenpal.waiting.kinds import Glance, Kind
from eigenpal.waiting.many import Arrivals
from eigenpal.waiting.watcher import Watcher

ExecutionIds = Iterable[str | Execution] | AsyncIterable[str | Execution]
"""Executions to wait for: their ids, or what starting or listing them returned."""


def _note(error: EigenpalError, execution_id: str, last: Execution | None) -> None:
    if isinstance(error, EigenpalTimeoutError):
        error.run_id, error.run = execution_id, last


def _kind(until: Until) -> Kind[Execution]:
    """Return what waiting has to know; the service has no call that looks at several at once."""

    def glance(seen: Execution) -> Glance[Execution]:
        known = seen.status is None or isinstance(seen.status, ExecutionStatus)
        stops = seen.is_terminal or (seen.needs_human and until == "human")
        return Glance(str(seen.status), stops, lambda: seen, known)

    return Kind(
        noun="execution",
        again="executions.wait({!r})",
        fetch=lambda session, execution_id: session.call(GET_EXECUTION, execution_id),
        glance=glance,
        cancel=lambda session, execution_id: session.call(CANCEL_EXECUTION, execution_id),
        note=_note,
    )


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
    return Arrivals(
        Watcher(_kind(checked_until(until)), session.policy.sleep),
        session,
        ids,
        timeout_seconds=timeout_seconds,
        poll_interval_seconds=poll_interval_seconds,
        judge=succeeded if raise_on_failure else unchanged,
    )
