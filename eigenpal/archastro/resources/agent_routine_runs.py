"""The `agent_routine_runs` namespace: read one run of a routine, and wait for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from eigenpal.archastro.models.routine_runs import AgentRoutineRun
from eigenpal.archastro.operations import GET_ROUTINE_RUN
from eigenpal.archastro.waiting import RoutineRunIds, wait_for_routine_run, wait_for_routine_runs
from eigenpal.engine.resource import Resource


class AsyncAgentRoutineRuns(Resource):
    """Runs of routines."""

    async def get(self, run: str) -> AgentRoutineRun:
        """Return one run.

        Args:
            run: Id of the run (`arr_...`).

        Raises:
            EigenpalNotFoundError: No such run.
            EigenpalForbiddenError: It belongs to another app than the key.
        """
        return await self._call(GET_ROUTINE_RUN, run)

    async def wait(
        self,
        run: str,
        *,
        timeout_seconds: float | None = 300.0,
        poll_interval_seconds: float = 2.0,
        raise_on_failure: bool = False,
        on_update: Callable[[AgentRoutineRun], object] | None = None,
    ) -> AgentRoutineRun:
        """Wait until a run is over and return it, whichever way it ended.

        Args:
            run: Id of the run (`arr_...`).
            timeout_seconds: Bound on the whole wait in seconds; None waits without one. The run itself goes on: the API
                has no call that cancels it.
            poll_interval_seconds: Longest pause between two looks, in seconds.
            raise_on_failure: Raise `EigenpalRunError` when the run failed, was skipped or cancelled.
            on_update: Called with the run each time it is seen in a new status.

        Raises:
            EigenpalTimeoutError: The time is up; carries `run_id` and the last seen `run`.
            EigenpalRunError: With `raise_on_failure`, the run ended without success; carries `run`.
            EigenpalNotFoundError: No such run.
        """
        return await wait_for_routine_run(
            self._session,
            run,
            timeout_seconds=timeout_seconds,
            poll_interval_seconds=poll_interval_seconds,
            raise_on_failure=raise_on_failure,
            on_update=on_update,
        )

    def wait_many(
        self,
        ids: RoutineRunIds,
        *,
        timeout_seconds: float | None = 300.0,
        poll_interval_seconds: float = 2.0,
        raise_on_failure: bool = False,
    ) -> AsyncIterator[AgentRoutineRun]:
        """Wait for many runs and iterate over them as they end, in whichever order they do.

        A run that can't be waited for does not stop the others: after the last of them the iterator raises, and tells
        which they were. The loop may be left at any point; the runs themselves go on.

        Args:
            ids: Ids of runs, or what `invoke` or `runs` returned. One that is there twice is returned once.
            timeout_seconds: Bound on the wait for each run in seconds; None waits without one.
            poll_interval_seconds: Longest pause between two looks, in seconds.
            raise_on_failure: Raise `EigenpalRunError` at the first that failed, was skipped or cancelled.

        Raises:
            EigenpalWaitError: After all others: some are unknown, or their time is up; `errors` has why, by id.
            EigenpalRunError: With `raise_on_failure`; carries the run as `run`.
        """
        return wait_for_routine_runs(
            self._session,
            ids,
            timeout_seconds=timeout_seconds,
            poll_interval_seconds=poll_interval_seconds,
            raise_on_failure=raise_on_failure,
        )
