"""The `runs.artifacts` namespace: files that a run produced, as bytes, as a stream, or straight to disk."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from eigenpal.engine.resource import Resource
from eigenpal.models.runs import RunArtifacts
from eigenpal.resources.byte_stream import AsyncByteStream
from eigenpal.resources.operations import DOWNLOAD_ARTIFACT, DOWNLOAD_ZIP, LIST_ARTIFACTS


class AsyncArtifacts(Resource):
    """Files that runs produced. A path is what a run's `files` or `list` name, such as `output/report.pdf`."""

    async def list(self, run_id: str) -> RunArtifacts:
        """Return every file of a run; for agent runs also `trace.jsonl`, `issues.md` and `eigenpal.lock`.

        Args:
            run_id: Id of the run.

        Raises:
            EigenpalNotFoundError: No such run, or this key can't see it.
        """
        return await self._call(LIST_ARTIFACTS, run_id)

    async def download(self, run_id: str, artifact_path: str) -> bytes:
        """Return the bytes of one file. For large files use `save` or `stream`, which hold little in memory.

        Args:
            run_id: Id of the run.
            artifact_path: Path of the file, such as `output/report.pdf`.

        Raises:
            EigenpalNotFoundError: No such run or file, or this key can't see it.
        """
        return await self._bytes(DOWNLOAD_ARTIFACT, run_id, artifact_path)

    @asynccontextmanager
    async def stream(self, run_id: str, artifact_path: str) -> AsyncGenerator[AsyncByteStream]:
        """Open a file to read it piece by piece, for example to pass it on without storing it.

        Args:
            run_id: Id of the run.
            artifact_path: Path of the file, such as `output/report.pdf`.

        Raises:
            EigenpalNotFoundError: No such run or file, or this key can't see it.

        Example:
            ```python
            async with client.runs.artifacts.stream(run.id, "output/line_items.csv") as download:
                async for chunk in download.chunks():
                    print(len(chunk))
            ```
        """
        async with self._session.stream(DOWNLOAD_ARTIFACT, run_id, artifact_path) as opened:
            yield AsyncByteStream(opened)

    async def save(
        self,
        run_id: str,
        artifact_path: str,
        *,
        to: str | os.PathLike[str] = ".",
        overwrite: bool = False,
        on_progress: Callable[[int, int | None], None] | None = None,
    ) -> Path:
        """Store a file on disk and return where it is. It appears under its name only when it is whole.

        Memory stays small whatever the size. A broken download goes on where it stopped, also in a later call.

        Args:
            run_id: Id of the run.
            artifact_path: Path of the file, such as `output/report.pdf`.
            to: A folder (made if need be), or the path of the file to write. What is not there yet and has no file
                ending is a folder.
            overwrite: Replace a file that is already there.
            on_progress: Called with the bytes stored so far and the bytes in all (None when unknown).

        Raises:
            EigenpalInputError: The file is already there.
            EigenpalNotFoundError: No such run or file, or this key can't see it.
            EigenpalConnectionError: The download kept breaking; call again to go on.
        """
        return await self._save(
            DOWNLOAD_ARTIFACT,
            run_id,
            artifact_path,
            to=to,
            name=artifact_path,
            overwrite=overwrite,
            on_progress=on_progress,
        )

    async def download_zip(
        self, run_id: str, *, files: str | Sequence[str] | None = None, token: str | None = None
    ) -> bytes:
        """Return the output files of an agent run as the bytes of one zip archive.

        Args:
            run_id: Id of an agent run.
            files: Names of the files to put in; all unless given.
            token: Signed download token from a mail.

        Raises:
            EigenpalNotFoundError: No such run, or this key can't see it.
        """
        return await self._bytes(DOWNLOAD_ZIP, run_id, query={"files": files, "token": token})

    async def save_zip(
        self,
        run_id: str,
        *,
        to: str | os.PathLike[str] = ".",
        files: str | Sequence[str] | None = None,
        token: str | None = None,
        overwrite: bool = False,
        on_progress: Callable[[int, int | None], None] | None = None,
    ) -> Path:
        """Store the output files of an agent run on disk as one zip archive; see `save`.

        Args:
            run_id: Id of an agent run.
            to: A folder (made if need be), or the path of the archive to write. What is not there yet and has no file
                ending is a folder.
            files: Names of the files to put in; all unless given.
            token: Signed download token from a mail.
            overwrite: Replace a file that is already there.
            on_progress: Called with the bytes stored so far and the bytes in all (None when unknown).

        Raises:
            EigenpalInputError: The file is already there.
            EigenpalNotFoundError: No such run, or this key can't see it.
            EigenpalConnectionError: The download kept breaking; call again to go on.
        """
        return await self._save(
            DOWNLOAD_ZIP,
            run_id,
            query={"files": files, "token": token},
            to=to,
            name=f"{run_id}.zip",
            overwrite=overwrite,
            on_progress=on_progress,
        )
