# Generated from the async classes by `python -m eigenpal_sync._generate`; change those, not this file.
"""The `agent_routine_runs` namespace: read runs of routines, wait for them, start many."""

from __future__ import annotations

import os
from collections.abc import Callable

from eigenpal.archastro.batch_inputs import RoutineInputs, RoutineRunOutcome
from eigenpal.archastro.models.routine_runs import AgentRoutineRun
from eigenpal.archastro.resources.agent_routine_runs import AsyncAgentRoutineRuns
from eigenpal.archastro.waiting import RoutineRunIds
from eigenpal.fanout.options import OnUnknown
from eigenpal.fanout.progress import Progress
from eigenpal_sync._portal import BlockingIterator, caller_callback
from eigenpal_sync._twin import Twin


class AgentRoutineRuns(Twin[AsyncAgentRoutineRuns]):
    """Runs of routines."""

    def get(self, run: str) -> AgentRoutineRun:
        """Return one run.

        Args:
            run: Id of the run (`arr_...`).

        Raises:
            EigenpalNotFoundError: No such run.
            EigenpalForbiddenError: It belongs to another app than the key.
        """
        return self._portal.wait(self._async.get, run).result()

    def wait(
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
        return self._portal.wait(
            self._async.wait,
            run,
            timeout_seconds=timeout_seconds,
            poll_interval_seconds=poll_interval_seconds,
            raise_on_failure=raise_on_failure,
            on_update=caller_callback(on_update),
        ).result()

    def wait_many(
        self,
        ids: RoutineRunIds,
        *,
        timeout_seconds: float | None = 300.0,
        poll_interval_seconds: float = 2.0,
        raise_on_failure: bool = False,
    ) -> BlockingIterator[AgentRoutineRun]:
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
        return self._portal.iterate(
            self._async.wait_many,
            ids,
            timeout_seconds=timeout_seconds,
            poll_interval_seconds=poll_interval_seconds,
            raise_on_failure=raise_on_failure,
        )

    def run_many(
        self,
        routine: str | None,
        inputs: RoutineInputs,
        *,
        concurrency: int = 100,
        timeout_seconds: float | None = 3600.0,
        poll_interval_seconds: float = 2.0,
        ordered: bool = False,
        stop_on_failure: bool = False,
        journal: str | os.PathLike[str] | None = None,
        on_unknown: OnUnknown = "raise",
        on_progress: Callable[[Progress], object] | None = None,
        progress: bool = False,
    ) -> BlockingIterator[RoutineRunOutcome]:
        """Start a run of a routine for each of many inputs, wait for all, and iterate over what became of each.

        Inputs are taken one by one, as runs end: there may be millions. Each that is taken has exactly one outcome, and
        with a journal the batch outlives its process. A start whose answer was lost is looked for by a mark in the
        metadata (`eigenpal_start`), never repeated blindly.

        Args:
            routine: Id or lookup key of the routine; None when each input names its own.
            inputs: Any iterable of inputs, also one that is awaited, or a mapping of keys to them. An input is
                the message, or a `RoutineRequest`, or a pair of a key and one of these.
            concurrency: Runs under way at once.
            timeout_seconds: Bound on each input in seconds, from the first try to start it; None for none.
            poll_interval_seconds: Longest pause between two looks at a run, in seconds.
            ordered: Give outcomes in the order of the inputs instead of as they come.
            stop_on_failure: After the first outcome that is not ok, take no more inputs. What is under way still ends.
            journal: Path of a file (SQLite) that remembers the batch; made if need be, for one process at a time.
            on_unknown: What to do when it can't be told whether a run was started: `"raise"` ends the batch with an
                error, `"skip"` makes it the error of that input, `"rerun"` starts it, maybe a second time.
            on_progress: Called with a `Progress` on changes, at most ten times a second, and at the end.
            progress: Show a bar, with rich (extra `cli`) in a terminal, with tqdm (extra `notebook`) in a notebook.

        Raises:
            EigenpalInputError: An argument that can't work, or a journal that is in use or of another batch.
        """
        return self._portal.iterate(
            self._async.run_many,
            routine,
            inputs,
            concurrency=concurrency,
            timeout_seconds=timeout_seconds,
            poll_interval_seconds=poll_interval_seconds,
            ordered=ordered,
            stop_on_failure=stop_on_failure,
            journal=journal,
            on_unknown=on_unknown,
            on_progress=caller_callback(on_progress),
            progress=progress,
        )
