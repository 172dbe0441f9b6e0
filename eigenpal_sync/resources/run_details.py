# Generated from the async classes by `python -m eigenpal_sync._generate`; change those, not this file.
"""The namespaces `runs.files`, `runs.trace` and `runs.comparison`: what the service keeps beside a run."""

from __future__ import annotations

from eigenpal.engine.files import FileInput
from eigenpal.models.run_details import RunFiles, RunTrace, StoredComparison, StoredFile
from eigenpal.resources.run_details import AsyncComparison, AsyncFiles, AsyncTrace
from eigenpal_sync._twin import Twin


class Files(Twin[AsyncFiles]):
    """Stored files of workflow runs."""

    def list(self, run_id: str) -> RunFiles:
        """Return the stored files of a workflow run: its inputs, and its outputs by step.

        Args:
            run_id: Id of the run.

        Raises:
            EigenpalNotFoundError: No such run, or this key can't see it.
        """
        return self._portal.wait(self._async.list, run_id).result()

    def upload(
        self, run_id: str, file: FileInput | bytes, *, filename: str = "file", mime_type: str | None = None
    ) -> StoredFile:
        """Add an input file to a workflow run that has not begun to execute.

        Args:
            run_id: Id of the run.
            file: A `Path`, a file opened with `"rb"`, `{"content": ..., "filename": ...}`, or bytes.
            filename: Name that bytes are sent under.
            mime_type: Media type that bytes are sent under; guessed from the name unless given.

        Raises:
            EigenpalInputError: A file that can't be read.
            EigenpalValidationError: The run has begun.
            EigenpalNotFoundError: No such run, or this key can't see it.
        """
        return self._portal.wait(self._async.upload, run_id, file, filename=filename, mime_type=mime_type).result()

    def delete(self, run_id: str, file_id: str) -> None:
        """Delete an input file of a workflow run that has not begun to execute.

        Args:
            run_id: Id of the run.
            file_id: Id of the stored file.

        Raises:
            EigenpalValidationError: The run has begun.
            EigenpalNotFoundError: No such run or file, or this key can't see it.
        """
        self._portal.wait(self._async.delete, run_id, file_id).result()


class Trace(Twin[AsyncTrace]):
    """Trace events of runs."""

    def get(self, run_id: str) -> RunTrace:
        """Return the events of a run in their order.

        Args:
            run_id: Id of the run.

        Raises:
            EigenpalNotFoundError: No such run, or this key can't see it.
        """
        return self._portal.wait(self._async.get, run_id).result()


class Comparison(Twin[AsyncComparison]):
    """Comparisons that the service keeps with runs; `runs.compare` makes one here."""

    def get(self, run_id: str) -> StoredComparison:
        """Return the comparison that the service keeps with a run.

        Args:
            run_id: Id of the run.

        Raises:
            EigenpalNotFoundError: No such run, or this key can't see it.
        """
        return self._portal.wait(self._async.get, run_id).result()
