# Generated from the async classes by `python -m eigenpal_sync._generate`; change those, not this file.
"""The `workflows` namespace: list and read workflows, and run one to its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from eigenpal.engine.unset import UNSET, Unset
from eigenpal.models.runs import Run
from eigenpal.models.workflows import (
    Workflow,
    WorkflowKind,
    WorkflowsPage,
    WorkflowSummary,
    WorkflowVersion,
    WorkflowVersionsPage,
)
from eigenpal.resources.starting import FileReferences
from eigenpal.resources.workflows import AsyncWorkflowExecutions, AsyncWorkflows
from eigenpal_sync._portal import BlockingIterator, caller_callback
from eigenpal_sync._twin import Twin, twin_of


class WorkflowExecutions(Twin[AsyncWorkflowExecutions]):
    """Executions of workflows."""

    def run_and_wait(
        self,
        workflow_id: str,
        input: Mapping[str, Any] | None = None,
        *,
        version: str | None = None,
        files: FileReferences | None = None,
        overrides: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        timeout_seconds: float | None = 300.0,
        poll_interval_seconds: float = 2.0,
        raise_on_failure: bool = False,
        cancel_on_timeout: bool = False,
        on_update: Callable[[Run], object] | None = None,
    ) -> Run:
        """Start a workflow by its bare name and wait until the run is over; see `client.run_and_wait`.

        Args:
            workflow_id: Slug or id of the workflow, without `workflows.`.
            input: Argument names to values; a value may be a file or a list of files.
            version: Version to run; the latest unless given.
            files: Files that the service already stores, by input name.
            overrides: `{"steps": {name: output}}`: steps that are not executed but have this output.
            metadata: Data of yours that is kept with the run.
            timeout_seconds: Bound on the wait in seconds, from the moment the run is started; None for no bound.
            poll_interval_seconds: Longest pause between two looks, in seconds.
            raise_on_failure: Raise `EigenpalRunError` when the run failed, was cancelled or rejected.
            cancel_on_timeout: Ask the run to cancel when the time is up.
            on_update: Called with the run each time it is seen in a new status.

        Returns:
            The run with its output and files, or its error.

        Raises:
            EigenpalInputError: An argument that can't be sent, or a file that can't be read.
            EigenpalNotFoundError: No such workflow or version.
            EigenpalTimeoutError: The time is up; carries `run_id` and the last seen `run`.
            EigenpalRunError: With `raise_on_failure`, the run ended without success; carries `run`.
        """
        return self._portal.wait(
            self._async.run_and_wait,
            workflow_id,
            input,
            version=version,
            files=files,
            overrides=overrides,
            metadata=metadata,
            timeout_seconds=timeout_seconds,
            poll_interval_seconds=poll_interval_seconds,
            raise_on_failure=raise_on_failure,
            cancel_on_timeout=cancel_on_timeout,
            on_update=caller_callback(on_update),
        ).result()


class Workflows(Twin[AsyncWorkflows]):
    """Workflows and their released versions."""

    @cached_property
    def executions(self) -> WorkflowExecutions:
        """Executions of workflows."""
        return twin_of(WorkflowExecutions, self._async.executions, self._portal)

    def list(
        self,
        *,
        search: str | None = None,
        name: str | None = None,
        kind: WorkflowKind | str | None = None,
        folder_id: str | Unset | None = UNSET,
        limit: int | None = None,
        offset: int | None = None,
    ) -> WorkflowsPage:
        """Return one page of workflows.

        Args:
            search: Part of the name, upper or lower case.
            name: The whole name.
            kind: `"workflow"` or `"block"`.
            folder_id: Id of the folder; None for workflows outside any folder, all unless given.
            limit: Page size, at most 100; 50 unless given.
            offset: Rows to skip.
        """
        return self._portal.wait(
            self._async.list, search=search, name=name, kind=kind, folder_id=folder_id, limit=limit, offset=offset
        ).result()

    def iterate(
        self,
        *,
        search: str | None = None,
        name: str | None = None,
        kind: WorkflowKind | str | None = None,
        folder_id: str | Unset | None = UNSET,
        limit: int | None = None,
        offset: int | None = None,
    ) -> BlockingIterator[WorkflowSummary]:
        """Iterate over the workflows of all pages; a page is fetched when its first row is asked for.

        Args:
            search: Part of the name, upper or lower case.
            name: The whole name.
            kind: `"workflow"` or `"block"`.
            folder_id: Id of the folder; None for workflows outside any folder, all unless given.
            limit: Page size, at most 100, not the number of rows in all; 50 unless given.
            offset: Rows to skip at the start.
        """
        return self._portal.iterate(
            self._async.iterate, search=search, name=name, kind=kind, folder_id=folder_id, limit=limit, offset=offset
        )

    def get(self, workflow_id: str) -> Workflow:
        """Return one workflow with its current YAML.

        Args:
            workflow_id: Id (`wf_...`) or slug.

        Raises:
            EigenpalNotFoundError: No such workflow, or this key can't see it.
        """
        return self._portal.wait(self._async.get, workflow_id).result()

    def versions(
        self, workflow_id: str, *, limit: int | None = None, offset: int | None = None
    ) -> WorkflowVersionsPage:
        """Return one page of the released versions of a workflow, newest first.

        Args:
            workflow_id: Id (`wf_...`) or slug.
            limit: Page size, at most 100; 50 unless given.
            offset: Rows to skip.

        Raises:
            EigenpalNotFoundError: No such workflow, or this key can't see it.
        """
        return self._portal.wait(self._async.versions, workflow_id, limit=limit, offset=offset).result()

    def iterate_versions(
        self, workflow_id: str, *, limit: int | None = None, offset: int | None = None
    ) -> BlockingIterator[WorkflowVersion]:
        """Iterate over the released versions of a workflow, newest first.

        Args:
            workflow_id: Id (`wf_...`) or slug.
            limit: Page size, at most 100, not the number of rows in all; 50 unless given.
            offset: Rows to skip at the start.

        Raises:
            EigenpalNotFoundError: No such workflow, or this key can't see it.
        """
        return self._portal.iterate(self._async.iterate_versions, workflow_id, limit=limit, offset=offset)
