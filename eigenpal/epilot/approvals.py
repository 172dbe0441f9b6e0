"""Decisions on what agents ask for: what a human is shown, what the human says, and how the service is told.

A decision is about one pending action. Where that may have moved on, it is looked at again before the decision is
sent: an approval that comes late must never allow the action that came up after the one that was shown.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import attrs

from eigenpal.engine.session import Session
from eigenpal.epilot.models.executions import Execution
from eigenpal.epilot.models.previews import PendingAction, ToolPreview
from eigenpal.epilot.operations import APPROVE_EXECUTION, GET_EXECUTION, REJECT_EXECUTION
from eigenpal.errors import EigenpalConflictError, EigenpalError, EigenpalInputError, EigenpalValidationError


def _said(instance: object, attribute: attrs.Attribute[Any], reason: object) -> None:
    if not isinstance(reason, str) or not reason.strip():
        raise EigenpalInputError("reason must be a text: the service takes no rejection without one")


@attrs.frozen
class Approve:
    """Let the action happen.

    Args:
        reason: Why; optional.
        approved_action_ids: Of a batch, the actions to allow; all unless given. Newer versions of the service only.
        rejected_action_ids: Of a batch, the actions to refuse. Newer versions of the service only.
    """

    reason: str | None = None
    approved_action_ids: Sequence[str] | None = attrs.field(default=None, kw_only=True)
    rejected_action_ids: Sequence[str] | None = attrs.field(default=None, kw_only=True)


@attrs.frozen
class Reject:
    """Refuse the action, which ends the execution.

    Args:
        reason: Why; it becomes the error of the execution.

    Raises:
        EigenpalInputError: The reason is empty.
    """

    reason: str = attrs.field(validator=_said)


Decision = Approve | Reject
"""What to do with a pending action."""


@attrs.frozen
class ApprovalRequest:
    """What a human is asked: an execution, and the action that it wants to take. `str(...)` shows it as text.

    Attributes:
        execution: The execution that waits.
        action: What it wants to do.
    """

    execution: Execution
    action: PendingAction

    @property
    def preview(self) -> ToolPreview | None:
        """The action in detail; None where its tool has no preview."""
        return self.action.preview

    def __str__(self) -> str:
        return str(self.action)

    def _repr_html_(self) -> str:
        return self.action.to_html()


Decider = Callable[[ApprovalRequest], Decision | Awaitable[Decision | None] | None]
"""Decides on an action; None leaves it to somebody else."""


def asked_of(execution: Execution) -> ApprovalRequest:
    """Return what an execution that waits for a human asks; one that does not say what asks for nothing in words."""
    return ApprovalRequest(execution, execution.pending_action or PendingAction())


async def decided_by(decide: Decider, request: ApprovalRequest) -> Decision | None:
    """Return what a callback decides, be it a plain function or an async one.

    Raises:
        EigenpalInputError: It returned something else; nothing is sent then.
    """
    given = decide(request)
    decision: object = await given if inspect.isawaitable(given) else given
    if not isinstance(decision, Approve | Reject | None):  # pyright: ignore[reportUnnecessaryIsInstance] - a user's
        raise EigenpalInputError(
            f"on_approval must return Approve(...), Reject(reason) or None, not {type(decision).__name__}; "
            f"nothing was decided about execution {request.execution.id}"
        )
    return decision


async def send_decision(session: Session, execution_id: str, decision: Decision) -> Execution:
    """Tell the service, whatever action is pending by now, and return the execution as it stands then."""
    match decision:
        case Approve(reason, approved_action_ids=approved, rejected_action_ids=rejected):
            body = {"reason": reason, "approved_action_ids": approved, "rejected_action_ids": rejected}
            return await session.call(APPROVE_EXECUTION, execution_id, body=body)
        case Reject(reason):
            return await session.call(REJECT_EXECUTION, execution_id, body={"reason": reason})


async def settle(session: Session, request: ApprovalRequest, decision: Decision) -> Execution | None:
    """Tell the service about the very action that was shown; return None if that one is no longer pending.

    Raises:
        EigenpalError: The decision was refused, or it was lost and the action is still pending.
    """
    execution_id = request.execution.id
    if not _still_asks(request, await session.call(GET_EXECUTION, execution_id)):
        return None
    try:
        return await send_decision(session, execution_id, decision)
    except EigenpalError as failure:
        # Refused since somebody else was quicker, or sent and its answer lost: what stands there now says which.
        if not (failure.maybe_started or isinstance(failure, EigenpalValidationError)):
            raise
        if _still_asks(request, await session.call(GET_EXECUTION, execution_id)):
            raise
        return None


def overtaken(request: ApprovalRequest) -> EigenpalConflictError:
    """Return the error for a decision about an action that is no longer pending."""
    return EigenpalConflictError(
        f"the action of execution {request.execution.id} is no longer pending: somebody decided, or the execution "
        f"ended; nothing was sent. Look at it with executions.get."
    )


def identity(action: PendingAction | None) -> object:
    """Return what makes an action itself: a preview may be drawn anew, with another "2 minutes ago"."""
    return None if action is None else (action.tool, action.input, action.description)


def _still_asks(request: ApprovalRequest, seen: Execution) -> bool:
    return seen.needs_human and identity(asked_of(seen).action) == identity(request.action)
