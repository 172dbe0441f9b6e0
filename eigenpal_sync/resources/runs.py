# Generated from the async classes by `python -m eigenpal_sync._generate`; change those, not this file.
"""The `runs` namespace: list, read, cancel, wait for and repeat runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cached_property

from eigenpal.comparison.result import RunComparison
from eigenpal.models.run_details import RunConnection
from eigenpal.models.runs import CancelledRun, Expand, Run, RunDefinition, RunListItem, RunsPage, StartedRun
from eigenpal.resources.running import RunIds
from eigenpal.resources.runs import AsyncRuns
from eigenpal_sync._portal import BlockingIterator, caller_callback
from eigenpal_sync._portal_inputs import caller_inputs
from eigenpal_sync._twin import Twin, twin_of
from eigenpal_sync.resources.artifacts import Artifacts
from eigenpal_sync.resources.expected import Expected
from eigenpal_sync.resources.feedback import Feedback
from eigenpal_sync.resources.run_details import Comparison, Files, Trace


class Runs(Twin[AsyncRuns]):
    """Runs of workflows and agents."""

    @cached_property
    def artifacts(self) -> Artifacts:
        """Files that runs produced."""
        return twin_of(Artifacts, self._async.artifacts, self._portal)

    @cached_property
    def expected(self) -> Expected:
        """What runs should have produced."""
        return twin_of(Expected, self._async.expected, self._portal)

    @cached_property
    def feedback(self) -> Feedback:
        """What people say of runs."""
        return twin_of(Feedback, self._async.feedback, self._portal)

    @cached_property
    def files(self) -> Files:
        """Stored files of workflow runs."""
        return twin_of(Files, self._async.files, self._portal)

    @cached_property
    def trace(self) -> Trace:
        """Trace events of runs."""
        return twin_of(Trace, self._async.trace, self._portal)

    @cached_property
    def comparison(self) -> Comparison:
        """Comparisons that the service keeps with runs."""
        return twin_of(Comparison, self._async.comparison, self._portal)

    def list(
        self,
        *,
        type: str | None = None,
        source: str | None = None,
        status: str | Sequence[str] | None = None,
        trigger: str | None = None,
        triggered_by: str | None = None,
        source_ref: str | None = None,
        batch_id: str | None = None,
        example_id: str | None = None,
        example_id_contains: str | None = None,
        from_date: str | datetime | None = None,
        to_date: str | datetime | None = None,
        created_after: str | datetime | None = None,
        created_before: str | datetime | None = None,
        completed_after: str | datetime | None = None,
        completed_before: str | datetime | None = None,
        ids: str | Sequence[str] | None = None,
        cursor: str | None = None,
        offset: int | None = None,
        limit: int | None = None,
    ) -> RunsPage:
        """Return one page of runs, newest first. Rows have no output and files; `get` has them.

        Args:
            type: `"workflow"` or `"agent"`.
            source: Id or slug of the workflow or agent that was run.
            status: One status, or several.
            trigger: Kind of trigger, such as `"api"`.
            triggered_by: Id of the user behind the trigger; `"__system__"` for runs without one.
            source_ref: Ref that was asked for at the start; agent runs.
            batch_id: Experiment batch.
            example_id: Evaluation example.
            example_id_contains: Part of the id of an evaluation example.
            from_date: Created at this time or later: a datetime, ISO-8601 text, or relative such as `"now()-7d"`.
            to_date: Created before this time.
            created_after: Same as `from_date`.
            created_before: Same as `to_date`.
            completed_after: Ended at this time or later.
            completed_before: Ended before this time.
            ids: Run ids to restrict the list to.
            cursor: `next_cursor` of the page before.
            offset: Rows to skip; an alternative to `cursor`.
            limit: Page size; 50 unless given.

        Raises:
            EigenpalValidationError: A filter that the server does not understand.
        """
        return self._portal.wait(
            self._async.list,
            type=type,
            source=source,
            status=status,
            trigger=trigger,
            triggered_by=triggered_by,
            source_ref=source_ref,
            batch_id=batch_id,
            example_id=example_id,
            example_id_contains=example_id_contains,
            from_date=from_date,
            to_date=to_date,
            created_after=created_after,
            created_before=created_before,
            completed_after=completed_after,
            completed_before=completed_before,
            ids=ids,
            cursor=cursor,
            offset=offset,
            limit=limit,
        ).result()

    def iterate(
        self,
        *,
        type: str | None = None,
        source: str | None = None,
        status: str | Sequence[str] | None = None,
        trigger: str | None = None,
        triggered_by: str | None = None,
        source_ref: str | None = None,
        batch_id: str | None = None,
        example_id: str | None = None,
        example_id_contains: str | None = None,
        from_date: str | datetime | None = None,
        to_date: str | datetime | None = None,
        created_after: str | datetime | None = None,
        created_before: str | datetime | None = None,
        completed_after: str | datetime | None = None,
        completed_before: str | datetime | None = None,
        ids: str | Sequence[str] | None = None,
        cursor: str | None = None,
        offset: int | None = None,
        limit: int | None = None,
    ) -> BlockingIterator[RunListItem]:
        """Iterate over the runs of all pages, newest first; a page is fetched when its first row is asked for.

        Args:
            type: `"workflow"` or `"agent"`.
            source: Id or slug of the workflow or agent that was run.
            status: One status, or several.
            trigger: Kind of trigger, such as `"api"`.
            triggered_by: Id of the user behind the trigger; `"__system__"` for runs without one.
            source_ref: Ref that was asked for at the start; agent runs.
            batch_id: Experiment batch.
            example_id: Evaluation example.
            example_id_contains: Part of the id of an evaluation example.
            from_date: Created at this time or later: a datetime, ISO-8601 text, or relative such as `"now()-7d"`.
            to_date: Created before this time.
            created_after: Same as `from_date`.
            created_before: Same as `to_date`.
            completed_after: Ended at this time or later.
            completed_before: Ended before this time.
            ids: Run ids to restrict the list to.
            cursor: `next_cursor` of the page to go on after.
            offset: Rows to skip at the start.
            limit: Page size, not the number of rows in all; 50 unless given.

        Raises:
            EigenpalValidationError: A filter that the server does not understand.
            EigenpalDecodeError: The server's pages go in a circle.

        Example:
            ```python
            for run in client.runs.iterate(status="failed", from_date="now()-1d"):
                print(run.id, run.error)
            ```
        """
        return self._portal.iterate(
            self._async.iterate,
            type=type,
            source=source,
            status=status,
            trigger=trigger,
            triggered_by=triggered_by,
            source_ref=source_ref,
            batch_id=batch_id,
            example_id=example_id,
            example_id_contains=example_id_contains,
            from_date=from_date,
            to_date=to_date,
            created_after=created_after,
            created_before=created_before,
            completed_after=completed_after,
            completed_before=completed_before,
            ids=ids,
            cursor=cursor,
            offset=offset,
            limit=limit,
        )

    def get(self, run_id: str, *, expand: Expand | Sequence[Expand] | None = None) -> Run:
        """Return one run, with its output and files once it is completed.

        Args:
            run_id: Id of the run.
            expand: Sections to add: `"input"`, `"usage"`, `"execution"` (steps or files in full), `"debug"`.

        Raises:
            EigenpalNotFoundError: No such run, or this key can't see it.
        """
        return self._portal.wait(self._async.get, run_id, expand=expand).result()

    def cancel(self, run_id: str) -> CancelledRun:
        """Ask a run to cancel. It may be repeated, and a run that has ended is left alone.

        Args:
            run_id: Id of the run.

        Returns:
            What the request did: `cancelled` (it had not started), `requested` (it ends at its next checkpoint), or
            `already_terminal`.

        Raises:
            EigenpalNotFoundError: No such run, or this key can't see it.
        """
        return self._portal.wait(self._async.cancel, run_id).result()

    def rerun(self, run_id: str, *, version: str | None = None, wait_for_completion: int | None = None) -> StartedRun:
        """Start a new run with the stored input of another; see `client.rerun`.

        Args:
            run_id: Id of the run to repeat.
            version: Version to run; `"original"` for the one of that run, the latest unless given.
            wait_for_completion: Seconds (0 to 600) that the server may hold the request for the run to end.

        Returns:
            The new run if it ended in time, else its receipt.

        Raises:
            EigenpalNotFoundError: No such run, or this key can't see it.
        """
        return self._portal.wait(
            self._async.rerun, run_id, version=version, wait_for_completion=wait_for_completion
        ).result()

    def definition(self, run_id: str) -> RunDefinition:
        """Return the workflow definition as it was when a run was created; later edits do not change it.

        Args:
            run_id: Id of a workflow run.

        Raises:
            EigenpalNotFoundError: No such run, this key can't see it, or it is an agent run.
        """
        return self._portal.wait(self._async.definition, run_id).result()

    def connect(self, run_id: str) -> RunConnection:
        """Ask whether a live run can be connected to.

        Args:
            run_id: Id of the run.

        Raises:
            EigenpalNotFoundError: No such run, or this key can't see it.
        """
        return self._portal.wait(self._async.connect, run_id).result()

    def compare(
        self,
        reference_run_id: str,
        run_id: str,
        *,
        baseline: bool = False,
        step: str | Sequence[str] | None = None,
        normalize_dates: bool = False,
    ) -> RunComparison:
        """Compare two runs of one kind: step by step for workflows, output and files for agents.

        Args:
            reference_run_id: Id of the run to compare with.
            run_id: Id of the run to judge.
            baseline: Agents: compare with the output of the reference, not with what it was expected to produce.
            step: Workflows: look at these steps only; several as a list, or joined with commas.
            normalize_dates: Agents: take any date in a file name for any other.

        Returns:
            The verdict and every difference; `to_text()` and `to_html()` show them.

        Raises:
            EigenpalInputError: A workflow run and an agent run, or steps of agent runs.
            EigenpalNotFoundError: No such run, or this key can't see it.
        """
        return self._portal.wait(
            self._async.compare, reference_run_id, run_id, baseline=baseline, step=step, normalize_dates=normalize_dates
        ).result()

    def wait(
        self,
        run_id: str,
        *,
        timeout_seconds: float | None = 300.0,
        poll_interval_seconds: float = 2.0,
        raise_on_failure: bool = False,
        cancel_on_timeout: bool = False,
        on_update: Callable[[Run], object] | None = None,
    ) -> Run:
        """Wait until a run is over and return it, whichever way it ended.

        Looks often at first, then less often. Broken connections, 429 and 5xx do not end the wait: it goes on until its
        deadline. A run can be waited for any number of times, from any process. Those who wait at the same time share
        their looks: a hundred runs cost one request.

        Args:
            run_id: Id of the run.
            timeout_seconds: Bound on the whole wait in seconds; None waits without one. The run itself goes on.
            poll_interval_seconds: Longest pause between two looks, in seconds.
            raise_on_failure: Raise `EigenpalRunError` when the run failed, was cancelled or rejected.
            cancel_on_timeout: Ask the run to cancel when the time is up.
            on_update: Called with the run each time it is seen in a new status.

        Returns:
            The run with its output and files, or its error.

        Raises:
            EigenpalTimeoutError: The time is up; carries `run_id` and the last seen `run`.
            EigenpalRunError: With `raise_on_failure`, the run ended without success; carries `run`.
            EigenpalNotFoundError: No such run, or this key can't see it.
        """
        return self._portal.wait(
            self._async.wait,
            run_id,
            timeout_seconds=timeout_seconds,
            poll_interval_seconds=poll_interval_seconds,
            raise_on_failure=raise_on_failure,
            cancel_on_timeout=cancel_on_timeout,
            on_update=caller_callback(on_update),
        ).result()

    def wait_many(
        self,
        ids: RunIds,
        *,
        timeout_seconds: float | None = 300.0,
        poll_interval_seconds: float = 2.0,
        raise_on_failure: bool = False,
    ) -> BlockingIterator[Run]:
        """Wait for many runs and iterate over them as they end, whichever way and in whichever order they do.

        A run that can't be waited for does not stop the others: after the last of them the iterator raises, and tells
        which they were. The loop may be left at any point; the runs themselves go on. Nothing is sent while the body
        of the loop runs, and the time it takes counts against no deadline.

        Args:
            ids: Run ids, or what `run`, `list` or `iterate` returned; read as runs end. An iterable that takes its time
                is never interrupted: a run that has ended is held back while the next id is on its way. One that is
                there twice is returned once.
            timeout_seconds: Bound on the wait for each run in seconds; None waits without one.
            poll_interval_seconds: Longest pause between two looks, in seconds.
            raise_on_failure: Raise `EigenpalRunError` at the first run that failed, was cancelled or rejected.

        Raises:
            EigenpalWaitError: After all others: some runs are unknown, or their time is up; `errors` has why, by id.
            EigenpalRunError: With `raise_on_failure`, a run ended without success; carries `run`.
            EigenpalInputError: No iterable, or something in it that is no run.

        Example:
            ```python
            for run in client.runs.wait_many(ids):
                print(run.id, run.status, run.output)
            ```
        """
        return self._portal.iterate(
            self._async.wait_many,
            caller_inputs(ids),
            timeout_seconds=timeout_seconds,
            poll_interval_seconds=poll_interval_seconds,
            raise_on_failure=raise_on_failure,
        )
