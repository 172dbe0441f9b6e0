"""Runs as work of a batch: how one is started, waited for, told apart and stored; and `run_many`, wired up."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path
from typing import Any

from anyio import to_thread

from eigenpal.engine.resource import Resource
from eigenpal.engine.session import Session
from eigenpal.fanout.fingerprints import fingerprint
from eigenpal.fanout.folders import file_path
from eigenpal.fanout.mixed import Part
from eigenpal.fanout.outcomes import Outcomes, outcomes_of
from eigenpal.fanout.work import Work, loader
from eigenpal.models.runs import Run, RunArtifact
from eigenpal.resources.batch_inputs import MARK, RunInputs, RunOutcome, RunReader, RunRequest, Start
from eigenpal.resources.batch_search import RunSearch
from eigenpal.resources.operations import CANCEL_RUN, DOWNLOAD_ARTIFACT
from eigenpal.resources.running import wait_in
from eigenpal.resources.starting import start_run
from eigenpal.resources.targets import Target, wire_target
from eigenpal.waiting.polling import checked_times


def run_batch(
    session: Session,
    target: Target | None,
    inputs: RunInputs,
    *,
    version: str | None,
    metadata: Mapping[str, Any] | None,
    timeout_seconds: float | None,
    poll_interval_seconds: float,
    **options: Any,
) -> Outcomes[RunOutcome]:
    """Return the outcomes of a batch of runs; arguments as in `client.run_many`."""
    name = "runs" if target is None else "@".join(filter(None, wire_target(target, version)))
    timeout, interval = checked_times(timeout_seconds, poll_interval_seconds)
    return outcomes_of(
        [session],
        inputs,
        RunReader(work=run_work(session, interval), target=target, version=version, metadata=metadata),
        noun="run",
        identity=f"{name} at {session.options.base_url}",
        timeout_seconds=timeout,
        **options,
    )


def run_part(session: Session, poll_interval_seconds: float) -> Part:
    """Return what a client adds to a batch with the work of several services."""
    work = run_work(session, poll_interval_seconds)
    return Part(session, {RunRequest: RunReader(work=work, target=None, version=None, metadata=None)})


def run_work(session: Session, poll_interval_seconds: float) -> Work[Run]:
    """Return how runs are done with the calls of a session."""
    marks = session.service.generations[session.options.api_generation].keeps_metadata

    async def start(request: Start, token: str) -> str:
        started = await start_run(
            session,
            request.target,
            input=request.input,
            files=request.files,
            overrides=request.overrides,
            metadata={**request.metadata, MARK: token} if marks else request.metadata or None,
        )
        return started.id

    def wait(run_id: str, seconds: float | None, just_started: bool) -> Awaitable[Run]:
        return wait_in(
            session,
            run_id,
            just_started=just_started,
            timeout_seconds=seconds,
            poll_interval_seconds=poll_interval_seconds,
        )

    return Work(
        service=f"EigenPal at {session.options.base_url}",
        noun="run",
        start=start,
        wait=wait,
        cancel=lambda run_id: session.call(CANCEL_RUN, run_id),
        find=RunSearch(session).find,
        fingerprint=_fingerprint,
        dump=lambda run: run.to_dict(),
        load=loader(Run, "run"),
        save=_RunFiles(session).save_all,
        outcome=RunOutcome,
    )


async def _fingerprint(start: Start) -> str:
    members = {
        "target": start.target,
        "input": start.input or {},
        "files": start.files,
        "overrides": start.overrides,
    }
    return await fingerprint(members, files_in="input")


class _RunFiles(Resource):
    """Stores the files of runs."""

    async def save_all(self, run: Run, folder: Path) -> Sequence[Path]:
        """Store every file of a run below a folder; those that are there, of the right size, stay as they are."""
        taken: set[str] = set()
        return [await self._save_one(run, file, folder / file_path(file.path, taken)) for file in run.files]

    async def _save_one(self, run: Run, file: RunArtifact, path: Path) -> Path:
        if await to_thread.run_sync(_is_there, path, file.size):
            return path
        return await self._save(
            DOWNLOAD_ARTIFACT, run.id, file.path, to=path, name=file.path, expected_size=file.size, overwrite=True
        )


def _is_there(path: Path, size: int | None) -> bool:
    """Tell whether a file was saved before; it appears under its name only when it is whole."""
    return path.is_file() and (size is None or path.stat().st_size == size)
