# Generated from the async classes by `python -m eigenpal_sync._generate`; change those, not this file.
"""The `executions` namespace: list, read, wait for, cancel, trace, approve and reject executions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from eigenpal.epilot.approvals import ApprovalRequest, Decision
from eigenpal.epilot.arrivals import ExecutionIds
from eigenpal.epilot.models.executions import Execution, ExecutionsPage, ExecutionStatus, ExecutionTrace
from eigenpal.epilot.resources.executions import AsyncExecutions
from eigenpal.epilot.waiting import Until
from eigenpal_sync._portal import BlockingIterator, caller_callback
from eigenpal_sync._portal_inputs import caller_inputs
from eigenpal_sync._twin import Twin, twin_of
from eigenpal_sync.epilot.inbox import PendingApproval


class Executions(Twin[AsyncExecutions]):
    """Executions of agents, and the actions in them that wait for a human."""

    def list(
        self,
        *,
        agent_id: str | None = None,
        status: ExecutionStatus | str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> ExecutionsPage:
        """Return one page of executions.

        Args:
            agent_id: Only those of this agent.
            status: Only those in this status; `"waiting_approval"` gives everything that needs a decision.
            limit: Page size; 50 unless given.
            cursor: `next_cursor` of the page before. The service does not declare that it takes one.
        """
        return self._portal.wait(
            self._async.list, agent_id=agent_id, status=status, limit=limit, cursor=cursor
        ).result()

    def iterate(
        self,
        *,
        agent_id: str | None = None,
        status: ExecutionStatus | str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> BlockingIterator[Execution]:
        """Iterate over the executions of all pages; a page is fetched when its first row is asked for.

        Args:
            agent_id: Only those of this agent.
            status: Only those in this status.
            limit: Page size, not the number of rows in all; 50 unless given.
            cursor: `next_cursor` of the page to go on after.

        Raises:
            EigenpalDecodeError: The service answered a page again, so it takes no cursor; no row comes twice.
        """
        return self._portal.iterate(self._async.iterate, agent_id=agent_id, status=status, limit=limit, cursor=cursor)

    def get(self, execution_id: str) -> Execution:
        """Return one execution.

        Args:
            execution_id: Id of the execution.

        Raises:
            EigenpalNotFoundError: No such execution.
        """
        return self._portal.wait(self._async.get, execution_id).result()

    def cancel(self, execution_id: str) -> Execution:
        """Cancel an execution. One that is over already is returned as it is, so a repeat does no harm.

        Args:
            execution_id: Id of the execution.

        Returns:
            The execution; its status says whether it was cancelled or had ended before.

        Raises:
            EigenpalNotFoundError: No such execution.
        """
        return self._portal.wait(self._async.cancel, execution_id).result()

    def trace(self, execution_id: str) -> ExecutionTrace:
        """Return the steps of an execution so far: thoughts, tool calls and what came of them.

        Args:
            execution_id: Id of the execution.

        Raises:
            EigenpalNotFoundError: No such execution.
        """
        return self._portal.wait(self._async.trace, execution_id).result()

    def approve(
        self,
        execution_id: str,
        reason: str | None = None,
        *,
        approved_action_ids: Sequence[str] | None = None,
        rejected_action_ids: Sequence[str] | None = None,
    ) -> Execution:
        """Let the pending action happen, whatever it is by now. It is sent once, whatever happens to the answer.

        Prefer `pending()` or `on_approval`: they never allow another action than the one that was shown.

        Args:
            execution_id: Id of the execution.
            reason: Why; optional.
            approved_action_ids: Of a batch, the actions to allow; all unless given. Newer versions of the service only.
            rejected_action_ids: Of a batch, the actions to refuse. Newer versions of the service only.

        Returns:
            The execution, as it goes on.

        Raises:
            EigenpalValidationError: No action is pending.
            EigenpalNotFoundError: No such execution.
        """
        return self._portal.wait(
            self._async.approve,
            execution_id,
            reason,
            approved_action_ids=approved_action_ids,
            rejected_action_ids=rejected_action_ids,
        ).result()

    def reject(self, execution_id: str, reason: str) -> Execution:
        """Refuse the pending action, whatever it is by now, which ends the execution.

        Args:
            execution_id: Id of the execution.
            reason: Why; it becomes the error of the execution.

        Returns:
            The execution, which failed with the code `REJECTED`.

        Raises:
            EigenpalInputError: The reason is empty.
            EigenpalValidationError: No action is pending.
            EigenpalNotFoundError: No such execution.
        """
        return self._portal.wait(self._async.reject, execution_id, reason).result()

    def wait(
        self,
        execution_id: str,
        *,
        until: Until = "human",
        timeout_seconds: float | None = 300.0,
        poll_interval_seconds: float = 2.0,
        raise_on_failure: bool = False,
        cancel_on_timeout: bool = False,
        on_approval: Callable[[ApprovalRequest], Decision | Awaitable[Decision | None] | None] | None = None,
        on_update: Callable[[Execution], object] | None = None,
    ) -> Execution:
        """Wait until an execution is over or needs a human.

        With `on_approval` a callback decides on each action, and the wait goes on. Without it, an execution that waits
        for a human is returned as it is: `needs_human` tells, and `pending_action` says what it wants to do.

        Args:
            execution_id: Id of the execution.
            until: `"human"` to stop when nobody here decides, `"end"` to go on while somebody else does.
            timeout_seconds: Bound on the wait in seconds, without the time that `on_approval` takes; None for no bound.
            poll_interval_seconds: Longest pause between two looks, in seconds; the first ones come faster.
            raise_on_failure: Raise `EigenpalRunError` when it ends without success, or waits for a human.
            cancel_on_timeout: Cancel the execution when the time is up.
            on_approval: Called with each action that waits; returns `Approve(...)`, `Reject(reason)`, or None to leave
                it to others. May be a coroutine function. Its decision is sent only while that very action is pending.
            on_update: Called with the execution each time it is seen in a new status.

        Returns:
            The execution with its result or its error; or, with `needs_human`, with the action that waits.

        Raises:
            EigenpalNotFoundError: No such execution.
            EigenpalTimeoutError: The time is up; carries `run_id` and the last seen execution as `run`.
            EigenpalRunError: With `raise_on_failure`; carries the execution as `run`.
        """
        return self._portal.wait(
            self._async.wait,
            execution_id,
            until=until,
            timeout_seconds=timeout_seconds,
            poll_interval_seconds=poll_interval_seconds,
            raise_on_failure=raise_on_failure,
            cancel_on_timeout=cancel_on_timeout,
            on_approval=caller_callback(on_approval),
            on_update=caller_callback(on_update),
        ).result()

    def wait_many(
        self,
        ids: ExecutionIds,
        *,
        until: Until = "human",
        timeout_seconds: float | None = 300.0,
        poll_interval_seconds: float = 2.0,
        raise_on_failure: bool = False,
    ) -> BlockingIterator[Execution]:
        """Wait for many executions and iterate over them as they end or need a human, in whichever order they do.

        An execution that can't be waited for does not stop the others: after the last of them the iterator raises, and
        tells which they were. The loop may be left at any point; the executions themselves go on. Nothing is sent while
        the body of the loop runs, and the time it takes counts against no deadline.

        Args:
            ids: Ids of executions, or what `agents.execute`, `list` or `iterate` returned. One that is there twice is
                returned once.
            until: `"human"` to return those too that wait for a human, `"end"` to go on while somebody decides.
            timeout_seconds: Bound on the wait for each execution in seconds; None waits without one.
            poll_interval_seconds: Longest pause between two looks, in seconds.
            raise_on_failure: Raise `EigenpalRunError` at the first that ended without success, or waits for a human.

        Raises:
            EigenpalWaitError: After all others: some are unknown, or their time is up; `errors` has why, by id.
            EigenpalRunError: With `raise_on_failure`; carries the execution as `run`.
            EigenpalInputError: No iterable, or something in it that is no execution.
        """
        return self._portal.iterate(
            self._async.wait_many,
            caller_inputs(ids),
            until=until,
            timeout_seconds=timeout_seconds,
            poll_interval_seconds=poll_interval_seconds,
            raise_on_failure=raise_on_failure,
        )

    def pending(
        self, *, agent_id: str | None = None, poll_interval_seconds: float = 5.0, timeout_seconds: float | None = None
    ) -> BlockingIterator[PendingApproval]:
        """Iterate over the actions that wait for a human, the oldest first, and over new ones as they come up.

        Each is given once. It looks only while the next one is asked for, outlives passing failures, and ends with the
        loop: leave it with `break` at any time.

        Args:
            agent_id: Only those of this agent.
            poll_interval_seconds: Pause between two looks, in seconds.
            timeout_seconds: How long to look for new ones, in seconds; 0 to look once, None to go on for ever.

        Raises:
            EigenpalInputError: An interval that can't work.
        """
        return self._portal.iterate_as(
            lambda value: twin_of(PendingApproval, value, self._portal),
            self._async.pending,
            agent_id=agent_id,
            poll_interval_seconds=poll_interval_seconds,
            timeout_seconds=timeout_seconds,
        )
