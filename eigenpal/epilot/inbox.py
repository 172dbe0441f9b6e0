"""The approvals inbox: every action that waits for a human, one after the other, each once, as they come up."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Self

import anyio

from eigenpal.engine.retry import passes
from eigenpal.engine.session import Session
from eigenpal.epilot.approvals import ApprovalRequest, Approve, Decision, Reject, asked_of, identity, overtaken, settle
from eigenpal.epilot.models.executions import Execution, ExecutionStatus
from eigenpal.epilot.models.previews import PendingAction, ToolPreview
from eigenpal.epilot.operations import GET_EXECUTION, LIST_EXECUTIONS
from eigenpal.errors import EigenpalError, EigenpalNotFoundError
from eigenpal.waiting.polling import jittered

PAGE_SIZE: Final = 100  # of the list of what waits: one request a round for nearly every organisation


class AsyncPendingApproval:
    """One action that waits for a human, and the two ways to settle it.

    Show it with `print(pending)`, or in a notebook as a table.
    """

    execution: Execution
    """The execution that waits."""

    action: PendingAction
    """What it wants to do."""

    def __init__(self, session: Session, request: ApprovalRequest, settled: Callable[[], object]) -> None:
        self.execution = request.execution
        self.action = request.action
        self._session = session
        self._request = request
        self._settled = settled

    @property
    def preview(self) -> ToolPreview | None:
        """The action in detail; None where its tool has no preview."""
        return self.action.preview

    async def approve(
        self,
        reason: str | None = None,
        *,
        approved_action_ids: Sequence[str] | None = None,
        rejected_action_ids: Sequence[str] | None = None,
    ) -> Execution:
        """Let this action happen. It is looked at first: another action that has come up since is never allowed.

        Args:
            reason: Why; optional.
            approved_action_ids: Of a batch, the actions to allow; all unless given. Newer versions of the service only.
            rejected_action_ids: Of a batch, the actions to refuse. Newer versions of the service only.

        Returns:
            The execution, as it goes on.

        Raises:
            EigenpalConflictError: The action is no longer pending; nothing was decided.
        """
        return await self._decide(
            Approve(reason, approved_action_ids=approved_action_ids, rejected_action_ids=rejected_action_ids)
        )

    async def reject(self, reason: str) -> Execution:
        """Refuse this action, which ends the execution.

        Args:
            reason: Why; it becomes the error of the execution.

        Returns:
            The execution, which failed with the code `REJECTED`.

        Raises:
            EigenpalInputError: The reason is empty.
            EigenpalConflictError: The action is no longer pending; nothing was decided.
        """
        return await self._decide(Reject(reason))

    async def _decide(self, decision: Decision) -> Execution:
        execution = await settle(self._session, self._request, decision)
        if execution is None:
            raise overtaken(self._request)
        self._settled()
        return execution

    def __str__(self) -> str:
        return str(self._request)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(execution={self.execution.id!r}, tool={self.action.tool!r})"

    def _repr_html_(self) -> str:
        return self.action.to_html()


class Inbox:
    """Polls what waits for a human and hands it out; works only while it is asked for the next one.

    Args:
        session: What sends the calls.
        query: Filter of the list.
        poll_interval_seconds: Pause between two looks.
        timeout_seconds: How long to look for new ones, from the first look; None for ever, 0 to look once.
    """

    def __init__(
        self,
        session: Session,
        query: Mapping[str, Any],
        *,
        poll_interval_seconds: float,
        timeout_seconds: float | None,
    ) -> None:
        self._session = session
        self._query = {**query, "status": ExecutionStatus.WAITING_APPROVAL, "limit": PAGE_SIZE}
        self._interval = poll_interval_seconds
        self._timeout = math.inf if timeout_seconds is None else timeout_seconds
        self._ends_at: float | None = None
        self._looked_at = -math.inf
        self._trouble: EigenpalError | None = None
        self._ready: deque[Execution] = deque()
        self._handed_out: dict[str, object] = {}  # by execution, what identifies its action

    def __aiter__(self) -> Self:
        return self

    def take_ready(self) -> list[AsyncPendingApproval]:
        """Return nothing: each is handed out when it is asked for, so that it is still pending then."""
        return []

    async def __anext__(self) -> AsyncPendingApproval:
        if self._ends_at is None:
            self._ends_at = anyio.current_time() + self._timeout
        # What was found a while ago may be settled by now: rather look again than show it to anybody.
        if anyio.current_time() - self._looked_at > self._interval:
            await self._look()
        while not self._ready:
            pause = self._pause()
            if anyio.current_time() + pause > self._ends_at:
                if self._trouble is not None:
                    raise self._trouble
                raise StopAsyncIteration
            await self._session.policy.sleep(pause)
            await self._look()
        execution = self._ready.popleft()
        self._handed_out[execution.id] = identity(execution.pending_action)
        # Settled here, the same action may come up again and is a new one then.
        return AsyncPendingApproval(
            self._session, asked_of(execution), lambda: self._handed_out.pop(execution.id, None)
        )

    def _pause(self) -> float:
        asked = (self._trouble.retry_after or 0.0) if self._trouble is not None else 0.0
        return max(asked, jittered(self._interval))

    async def _look(self) -> None:
        """Bring what is ready up to date; a passing failure only means that there is nothing new."""
        self._looked_at = anyio.current_time()
        try:
            waiting = await self._waiting()
        except EigenpalError as error:
            if not passes(error):
                raise
            self._trouble = error
            self._ready.clear()
            return
        self._trouble = None
        self._handed_out = {key: action for key, action in self._handed_out.items() if key in waiting}
        new = (one for one in waiting.values() if self._handed_out.get(one.id, self) != identity(one.pending_action))
        self._ready = deque(sorted(new, key=_age))

    async def _waiting(self) -> dict[str, Execution]:
        """Return all executions that wait for a human, by id."""
        found: dict[str, Execution] = {}
        query: Mapping[str, Any] | None = self._query
        while query is not None:
            page = await self._session.call(LIST_EXECUTIONS, query=query)
            rows = {row.id: row for row in page if row.id not in found}
            found |= rows
            # A page without anything new is the first one again: the service takes no cursor, and there is no more.
            query = {**query, **page.next_query} if rows and page.next_query is not None else None
        whole = [await self._whole(row) for row in found.values() if row.needs_human]
        return {execution.id: execution for execution in whole if execution is not None and execution.needs_human}

    async def _whole(self, row: Execution) -> Execution | None:
        """Return a row of a list with its action, which lists may leave out; None if there is no such execution."""
        if row.pending_action is not None:
            return row
        try:
            return await self._session.call(GET_EXECUTION, row.id)
        except EigenpalNotFoundError:
            return None


def _age(execution: Execution) -> datetime:
    """Return what sorts those first that have waited longest."""
    return execution.started_at or datetime.max.replace(tzinfo=UTC)
