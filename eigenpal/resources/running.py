"""Starting a run and waiting for its end: one function behind every `run_and_wait`, one behind every wait."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, Final

import attrs

from eigenpal.engine.calls import unchanged
from eigenpal.engine.session import Session
from eigenpal.models.runs import Run, RunListItem, StartedRun
from eigenpal.resources.operations import CANCEL_RUN, GET_RUN, LIST_RUNS
from eigenpal.resources.starting import FileReferences, start_run
from eigenpal.waiting.kinds import Glance, Kind
from eigenpal.waiting.many import Arrivals
from eigenpal.waiting.polling import checked_times
from eigenpal.waiting.runs import glance_at, glances_at, note, succeeded
from eigenpal.waiting.watcher import watcher_of

RunIds = Iterable[str | StartedRun | RunListItem] | AsyncIterable[str | StartedRun | RunListItem]
"""Runs to wait for: their ids, or what starting or listing them returned."""

_RUN_ROWS: Final = attrs.evolve(LIST_RUNS, returns=Any)


async def _rows(session: Session, run_ids: Sequence[str]) -> Mapping[str, Glance[Run]]:
    return glances_at(await session.call(_RUN_ROWS, query={"ids": run_ids, "limit": len(run_ids)}))


RUNS: Final = Kind[Run](
    noun="run",
    again="runs.wait({!r})",
    fetch=lambda session, run_id: session.call(GET_RUN, run_id),
    glance=glance_at,
    cancel=lambda session, run_id: session.call(CANCEL_RUN, run_id),
    rows=_rows,
    note=note,
)


async def run_to_its_end(
    session: Session,
    target: tuple[str, str | None],
    *,
    input: Mapping[str, Any] | None,
    files: FileReferences | None,
    overrides: Mapping[str, Any] | None,
    metadata: Mapping[str, Any] | None,
    timeout_seconds: float | None,
    poll_interval_seconds: float,
    **wait_options: Any,
) -> Run:
    """Start a run and wait for it; starting happens once, whatever happens while waiting."""
    checked_times(timeout_seconds, poll_interval_seconds)
    started = await start_run(session, target, input=input, files=files, overrides=overrides, metadata=metadata)
    return await wait_in(
        session,
        started.id,
        just_started=True,
        timeout_seconds=timeout_seconds,
        poll_interval_seconds=poll_interval_seconds,
        **wait_options,
    )


async def wait_in(session: Session, run_id: str, *, raise_on_failure: bool = False, **wait_options: Any) -> Run:
    """Wait for a run with the calls of a session; the other arguments are those of `Watcher.wait`."""
    run = await watcher_of(session, RUNS).wait(session, run_id, **wait_options)
    return succeeded(run) if raise_on_failure else run


def wait_for_many(session: Session, ids: RunIds, *, raise_on_failure: bool, **wait_options: Any) -> AsyncIterator[Run]:
    """Wait for many runs with the calls of a session; the other arguments are those of `Arrivals`."""
    judge = succeeded if raise_on_failure else unchanged
    return Arrivals(watcher_of(session, RUNS), session, ids, judge=judge, **wait_options)
