"""Starting a run and waiting for its end: one function behind every `run_and_wait`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eigenpal.engine.session import Session
from eigenpal.models.runs import Run
from eigenpal.resources.operations import CANCEL_RUN, GET_RUN
from eigenpal.resources.starting import FileReferences, start_run
from eigenpal.waiting.runs import checked_times, wait_for_run


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


async def wait_in(session: Session, run_id: str, *, just_started: bool, **wait_options: Any) -> Run:
    """Wait for a run with the calls of a session; the other arguments are those of `wait_for_run`."""
    return await wait_for_run(
        run_id,
        fetch=lambda id: session.call(GET_RUN, id),
        cancel=lambda id: session.call(CANCEL_RUN, id),
        sleep=session.policy.sleep,
        just_started=just_started,
        **wait_options,
    )
