"""The namespaces `runs.files`, `runs.trace` and `runs.comparison`: what the service keeps beside a run."""

from __future__ import annotations

from eigenpal.engine.bodies import named_file
from eigenpal.engine.calls import Form
from eigenpal.engine.files import FileInput
from eigenpal.engine.resource import Resource
from eigenpal.models.run_details import RunFiles, RunTrace, StoredComparison, StoredFile
from eigenpal.resources.operations import (
    DELETE_RUN_FILE,
    GET_COMPARISON,
    GET_TRACE,
    LIST_RUN_FILES,
    UPLOAD_RUN_FILE,
)


class AsyncFiles(Resource):
    """Stored files of workflow runs."""

    async def list(self, run_id: str) -> RunFiles:
        """Return the stored files of a workflow run: its inputs, and its outputs by step.

        Args:
            run_id: Id of the run.

        Raises:
            EigenpalNotFoundError: No such run, or this key can't see it.
        """
        return await self._call(LIST_RUN_FILES, run_id)

    async def upload(
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
        form = Form({}, {"file": named_file(file, filename, mime_type)})
        return await self._call(UPLOAD_RUN_FILE, run_id, body=form)

    async def delete(self, run_id: str, file_id: str) -> None:
        """Delete an input file of a workflow run that has not begun to execute.

        Args:
            run_id: Id of the run.
            file_id: Id of the stored file.

        Raises:
            EigenpalValidationError: The run has begun.
            EigenpalNotFoundError: No such run or file, or this key can't see it.
        """
        return await self._call(DELETE_RUN_FILE, run_id, file_id)


class AsyncTrace(Resource):
    """Trace events of runs."""

    async def get(self, run_id: str) -> RunTrace:
        """Return the events of a run in their order.

        Args:
            run_id: Id of the run.

        Raises:
            EigenpalNotFoundError: No such run, or this key can't see it.
        """
        return await self._call(GET_TRACE, run_id)


class AsyncComparison(Resource):
    """Comparisons that the service keeps with runs; `runs.compare` makes one here."""

    async def get(self, run_id: str) -> StoredComparison:
        """Return the comparison that the service keeps with a run.

        Args:
            run_id: Id of the run.

        Raises:
            EigenpalNotFoundError: No such run, or this key can't see it.
        """
        return await self._call(GET_COMPARISON, run_id)
