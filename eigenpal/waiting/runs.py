"""What waiting has to know of runs: what a look at one shows, what a list of them shows, what success is. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eigenpal.anyjson import list_of, object_of, text_of
from eigenpal.errors import EigenpalDecodeError, EigenpalError, EigenpalRunError, EigenpalTimeoutError
from eigenpal.models.executions import TERMINAL_STATUSES, RunStatus
from eigenpal.models.runs import Run
from eigenpal.waiting.kinds import Glance, Row

KNOWN_STATUSES = frozenset(status.value for status in RunStatus)


def glance_at(run: Run) -> Glance[Run]:
    """Return in short what a look at a run showed."""
    asked_to_cancel = run.timing.cancel_requested_at is not None
    return _glance(str(run.status), run.finished, asked_to_cancel, lambda: run)


def glances_at(page: Any) -> Mapping[str, Glance[Run]]:
    """Return what a page of the list shows, by run id; from its JSON, since most of it will never be read.

    A row that is no run at all is left out.
    """
    found: dict[str, Glance[Run]] = {}
    for row in map(object_of, list_of(object_of(page).get("runs"))):
        run_id, status = text_of(row.get("id")), text_of(object_of(row.get("execution")).get("status"))
        if run_id is not None and status is not None:
            asked_to_cancel = object_of(row.get("timing")).get("cancelRequestedAt") is not None
            found[run_id] = _glance(status, row.get("finished") is True, asked_to_cancel, Row(row, _read))
    return found


def note(error: EigenpalError, run_id: str, last: Run | None) -> None:
    """Put on an error which run it is about, and how it was seen last."""
    if isinstance(error, EigenpalTimeoutError):
        error.run_id, error.run = run_id, last


def succeeded(run: Run) -> Run:
    """Return a completed run; raise `EigenpalRunError` for one that failed, was cancelled or rejected."""
    if run.status == RunStatus.COMPLETED:
        return run
    error = EigenpalRunError(f"run {run.id} ended as {run.status}: {run.error or 'the server gave no reason'}")
    error.run_id, error.run = run.id, run
    raise error


def _glance(status: str, finished: bool, asked_to_cancel: bool, read: Any) -> Glance[Run]:
    return Glance(status, finished or status in TERMINAL_STATUSES, read, status in KNOWN_STATUSES, asked_to_cancel)


def _read(row: dict[str, Any]) -> Run:
    from eigenpal.engine.checks import Mismatch
    from eigenpal.engine.codec import structure

    try:
        run: Run = structure(Run, row)
    except Mismatch as mismatch:
        raise EigenpalDecodeError(f"a row in a list of runs is no run: {mismatch}") from None
    return run
