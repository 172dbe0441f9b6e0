# Generated from the async classes by `python -m eigenpal_sync._generate`; change those, not this file.
"""The `runs.expected` namespace: the files that a run should have produced."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from eigenpal.engine.files import FileInput
from eigenpal.models.feedback import ExpectedArtifacts, ExpectedFile
from eigenpal.resources.expected import AsyncExpected
from eigenpal_sync._portal import caller_callback
from eigenpal_sync._twin import Twin


class Expected(Twin[AsyncExpected]):
    """What runs should have produced."""

    def list(self, run_id: str) -> ExpectedArtifacts:
        """Return what a run should have produced: the JSON and the names of the files.

        Args:
            run_id: Id of the run.

        Raises:
            EigenpalNotFoundError: No such run, or this key can't see it.
        """
        return self._portal.wait(self._async.list, run_id).result()

    def copy_output(self, run_id: str, *, output_file_name: str, expected_name: str | None = None) -> ExpectedFile:
        """Take an output file of a run as what it should have produced.

        Args:
            run_id: Id of the run.
            output_file_name: Name of the output file.
            expected_name: Name to keep it under; the same unless given.

        Raises:
            EigenpalNotFoundError: No such run or file, or this key can't see it.
        """
        return self._portal.wait(
            self._async.copy_output, run_id, output_file_name=output_file_name, expected_name=expected_name
        ).result()

    def upload(
        self, run_id: str, file: FileInput | bytes, *, filename: str = "expected.bin", name: str | None = None
    ) -> ExpectedFile:
        """Upload a file that a run should have produced.

        Args:
            run_id: Id of the run.
            file: A `Path`, a file opened with `"rb"`, `{"content": ..., "filename": ...}`, or bytes.
            filename: Name that bytes are sent under.
            name: Name to keep it under; that of the file unless given.

        Raises:
            EigenpalInputError: A file that can't be read.
            EigenpalNotFoundError: No such run, or this key can't see it.
        """
        return self._portal.wait(self._async.upload, run_id, file, filename=filename, name=name).result()

    def download(self, run_id: str, filename: str) -> bytes:
        """Return the bytes of an expected file.

        Args:
            run_id: Id of the run.
            filename: Name of the file.

        Raises:
            EigenpalNotFoundError: No such run or file, or this key can't see it.
        """
        return self._portal.wait(self._async.download, run_id, filename).result()

    def save(
        self,
        run_id: str,
        filename: str,
        *,
        to: str | os.PathLike[str] = ".",
        overwrite: bool = False,
        on_progress: Callable[[int, int | None], None] | None = None,
    ) -> Path:
        """Store an expected file on disk; see `runs.artifacts.save`.

        Args:
            run_id: Id of the run.
            filename: Name of the file.
            to: A folder (made if need be), or the path of the file to write. What is not there yet and has no file
                ending is a folder.
            overwrite: Replace a file that is already there.
            on_progress: Called with the bytes stored so far and the bytes in all (None when unknown).

        Raises:
            EigenpalInputError: The file is already there.
            EigenpalNotFoundError: No such run or file, or this key can't see it.
            EigenpalConnectionError: The download kept breaking; call again to go on.
        """
        return self._portal.wait(
            self._async.save, run_id, filename, to=to, overwrite=overwrite, on_progress=caller_callback(on_progress)
        ).result()

    def rename(self, run_id: str, filename: str, *, name: str) -> ExpectedFile:
        """Give an expected file another name.

        Args:
            run_id: Id of the run.
            filename: Its name now.
            name: Its new name.

        Raises:
            EigenpalNotFoundError: No such run or file, or this key can't see it.
        """
        return self._portal.wait(self._async.rename, run_id, filename, name=name).result()

    def delete(self, run_id: str, filename: str) -> None:
        """Delete an expected file.

        Args:
            run_id: Id of the run.
            filename: Its name.

        Raises:
            EigenpalNotFoundError: No such run or file, or this key can't see it.
        """
        self._portal.wait(self._async.delete, run_id, filename).result()
