"""What newer versions of the API stream and put on their bus, and feedback; for `client.request(cast_to=...)`."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

import attrs

from eigenpal.engine.model import Model, model
from eigenpal.epilot.models.executions import ExecutionContext, ExecutionResult
from eigenpal.epilot.models.wire import EpilotModel


class StreamEventType(StrEnum):
    """What an event of a stream tells."""

    TOKEN = "token"  # noqa: S105 - a piece of text, no credential
    AGENT_STEP = "agent_step"
    TOOL_CALL = "tool_call"
    TOOL_RESULT = "tool_result"
    COMPLETE = "complete"
    ERROR = "error"
    METADATA = "metadata"
    NEEDS_APPROVAL = "needs_approval"


class AgentExecutionEventStatus(StrEnum):
    """Where an execution is, in the words of the bus."""

    STARTED = "started"
    COMPLETED = "completed"
    FAILED = "failed"
    APPROVAL_REQUIRED = "approval_required"


class FeedbackRating(StrEnum):
    """Whether somebody liked what came out."""

    UP = "up"
    DOWN = "down"


@model
class ExecutionFeedback(EpilotModel):
    """What somebody said of an execution."""

    rating: FeedbackRating | str
    user_id: str
    submitted_at: datetime
    comment: str | None = None


@model
class StreamError(EpilotModel):
    """Why a stream ended early."""

    code: str | None = None
    message: str | None = None


@model
class StreamEvent(Model):
    """One event of a stream; which of its members it has depends on `type`."""

    repr_members: ClassVar[tuple[str, ...]] = ("type", "content", "tool", "error", "result")

    type: StreamEventType | str | None = None
    content: str | None = None
    index: int | None = None
    tool: str | None = None
    input: dict[str, Any] | None = None
    output: str | None = None
    call_id: str | None = None
    result: ExecutionResult | None = None
    error: StreamError | None = None
    conversation_id: str | None = None


@model
class EventError(EpilotModel):
    """Why an execution failed, in the words of the bus."""

    message: str | None = None
    code: str | None = None
    stack: str | None = None


@model
class EventToolCall(EpilotModel):
    """A tool call that waits for a human, in the words of the bus."""

    name: str | None = None
    args: dict[str, Any] | None = None


@model
class AgentExecutionEvent(Model):
    """An event of the bus (`agent-execution-status-update`): an execution has come to another status."""

    repr_members: ClassVar[tuple[str, ...]] = ("execution_id", "execution_status", "agent_id", "timestamp", "message")

    execution_id: str
    agent_id: str
    org_id: str
    execution_status: AgentExecutionEventStatus | str = attrs.field(metadata={"wire": "execution_status"})
    user_id: str | None = None
    execution_context: ExecutionContext | str | None = attrs.field(default=None, metadata={"wire": "execution_context"})
    input: dict[str, Any] | None = None
    output: dict[str, Any] | None = None
    error: EventError | None = None
    duration: int | None = None
    iterations: int | None = None
    iteration: int | None = None
    message: str | None = None
    tool_calls: list[EventToolCall] | None = None
    timestamp: datetime | None = None
