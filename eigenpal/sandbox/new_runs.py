"""How a run begins, and how one follows another: as a rerun or as the retry of a failure. Rows only, nothing is stored.

A run that follows another is the next of its chain; the store links the two when it keeps the new one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from eigenpal.sandbox.ids import IdSource
from eigenpal.sandbox.multipart import FilePart
from eigenpal.sandbox.registry import Automation, Release
from eigenpal.sandbox.rows import FileRow, Kind, RunRow
from eigenpal.sandbox.states import Status

_PREFIXES: Mapping[Kind, str] = {"workflow": "exec", "agent": "aex"}


@dataclass(frozen=True, slots=True)
class Origin:
    """Who starts a run, how and when.

    Attributes:
        tenant: Name of the tenant.
        user_id: The user behind it; None for none.
        trigger: Kind of trigger, such as `api`.
        now: The present moment.
    """

    tenant: str
    user_id: str | None
    trigger: str
    now: int


def new_run(
    ids: IdSource,
    automation: Automation,
    release: Release,
    origin: Origin,
    *,
    requested_version: str | None,
    arguments: Mapping[str, Any],
    metadata: Mapping[str, Any] | None,
    overrides: Mapping[str, Any] | None,
) -> RunRow:
    """Return the first run of a chain.

    Args:
        ids: Makes its id.
        automation: What is run.
        release: Which version of it.
        origin: Who starts it.
        requested_version: The version as it was asked for.
        arguments: Its arguments, without files.
        metadata: What the client attached.
        overrides: Outputs that replace steps.
    """
    return RunRow(
        sequence=0,
        id=ids.new(_PREFIXES[automation.kind]),
        tenant=origin.tenant,
        kind=automation.kind,
        status=Status.CREATED,
        source_id=automation.id,
        source_name=automation.slug,
        **_version(automation, release, requested_version),
        trigger=origin.trigger,
        user_id=origin.user_id,
        batch_id=None,
        example=None,
        example_id=None,
        score=None,
        passed=None,
        annotation=None,
        schema_valid=None,
        created_at=origin.now,
        started_at=None,
        completed_at=None,
        cancel_requested_at=None,
        arguments=json.dumps(arguments),
        metadata=None if metadata is None else json.dumps(metadata),
        overrides=None if overrides is None else json.dumps(overrides),
        output=None,
        error=None,
        traceback=None,
        usage=None,
        retry_number=0,
        previous_run_id=None,
        next_run_id=None,
    )


def retry_of(ids: IdSource, run: RunRow, *, now: int) -> RunRow:
    """Return the run that tries again what a failed one tried, in all alike but what came of it."""
    return _following(ids, run, created_at=now)


def rerun_of(
    ids: IdSource,
    run: RunRow,
    automation: Automation,
    release: Release,
    origin: Origin,
    *,
    requested_version: str | None,
) -> RunRow:
    """Return the run that repeats the input of another one, perhaps with another version; see `new_run`."""
    return _following(
        ids,
        run,
        source_name=automation.slug,
        **_version(automation, release, requested_version),
        trigger=origin.trigger,
        user_id=origin.user_id,
        created_at=origin.now,
        overrides=None,
    )


def copied_inputs(ids: IdSource, files: Iterable[FileRow], run: RunRow) -> list[FileRow]:
    """Return the input files among those of another run, as files of this one; they share their bytes."""
    return [
        replace(file, id=ids.new("file"), run_id=run.id, created_at=run.created_at)
        for file in files
        if file.path.startswith("input/")
    ]


def uploaded_file(ids: IdSource, upload: FilePart, path: str, run: RunRow, *, now: int) -> FileRow:
    """Return an upload as a file of a run.

    Args:
        ids: Makes its id.
        upload: The upload, already on disk.
        path: Artifact path to keep it at; below `input/` it is an input under the name of its part.
        run: The run.
        now: The present moment.
    """
    return FileRow(
        id=ids.new("file"),
        run_id=run.id,
        path=path,
        name=upload.filename,
        input_name=upload.part.removeprefix("files.") if path.startswith("input/") else None,
        step_name=None,
        content_type=upload.content_type,
        size=upload.blob.size,
        digest=upload.blob.digest,
        blob=upload.blob.name,
        created_at=now,
    )


def free_path(filename: str, taken: set[str]) -> str:
    """Return the artifact path for an input file: its name, with a number when another input has the same one.

    Args:
        filename: Name as sent.
        taken: Paths that are in use; the new one is added.
    """
    clean = "".join("_" if ord(character) < 32 else character for character in filename)
    name, number = PurePosixPath(clean), 1
    path = f"input/{name.name}"
    while path in taken:
        number += 1
        path = f"input/{name.stem}-{number}{name.suffix}"
    taken.add(path)
    return path


def _following(ids: IdSource, run: RunRow, **changes: Any) -> RunRow:
    return replace(
        run,
        sequence=0,
        id=ids.new(_PREFIXES[run.kind]),
        status=Status.CREATED,
        batch_id=None,
        example=None,
        example_id=None,
        score=None,
        passed=None,
        annotation=None,
        schema_valid=None,
        started_at=None,
        completed_at=None,
        cancel_requested_at=None,
        output=None,
        error=None,
        traceback=None,
        usage=None,
        retry_number=run.retry_number + 1,
        previous_run_id=run.id,
        next_run_id=None,
        **changes,
    )


def _version(automation: Automation, release: Release, requested: str | None) -> dict[str, Any]:
    agent = automation.kind == "agent"
    return {
        "version": release.version,
        "version_id": release.id,
        "model": automation.model,
        "requested_ref": (requested or "latest") if agent else None,
        "resolved_ref": release.version if agent else None,
        "commit_sha": release.commit if agent else None,
        "definition": release.definition,
    }
