"""Executions of agents as epilot returns them: where they stand, what came out, their trace, one page of them.

Enumerations are open: a value this version does not know comes through as a plain string.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Final

import attrs

from eigenpal.engine.model import model
from eigenpal.epilot.models.agents import AgentSource
from eigenpal.epilot.models.previews import PendingAction
from eigenpal.epilot.models.wire import EpilotModel


class ExecutionStatus(StrEnum):
    """Where an execution is in its life; compares equal to its text."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING_APPROVAL = "waiting_approval"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether an execution never leaves it."""
        return self in TERMINAL_STATUSES

    @property
    def needs_human(self) -> bool:
        """Whether an execution stays in it until a human decides."""
        return self is ExecutionStatus.WAITING_APPROVAL


TERMINAL_STATUSES: Final = frozenset({ExecutionStatus.COMPLETED, ExecutionStatus.FAILED, ExecutionStatus.CANCELLED})


class ExecutionContext(StrEnum):
    """What started an execution."""

    FLOWS = "flows"
    COPILOT = "copilot"
    API = "api"


class ExecutionErrorCode(StrEnum):
    """Why an execution failed."""

    TIMEOUT = "TIMEOUT"
    MAX_ITERATIONS_EXCEEDED = "MAX_ITERATIONS_EXCEEDED"
    TOOL_EXECUTION_FAILED = "TOOL_EXECUTION_FAILED"
    LLM_ERROR = "LLM_ERROR"
    INVALID_OUTPUT = "INVALID_OUTPUT"
    REJECTED = "REJECTED"
    INTERNAL_ERROR = "INTERNAL_ERROR"


class ResultStatus(StrEnum):
    """How an execution ended, in the words of a stream."""

    COMPLETED = "completed"
    FAILED = "failed"
    MAX_ITERATIONS = "max_iterations"
    REJECTED = "rejected"


class IterationStatus(StrEnum):
    """Where one step of an execution is."""

    RUNNING = "running"
    COMPLETED = "completed"


@model
class FlowEntity(EpilotModel):
    """An entity that started a flow."""

    entity_id: str
    entity_schema: str


@model
class ExecutionInput(EpilotModel):
    """What an agent works on; as an argument of `agents.execute`, made by hand.

    Attributes:
        entity_id: Id of the main entity.
        entity_schema: Its schema, such as `"message"` or `"contact"`.
        workflow_id: Workflow that the work belongs to.
        workflow_execution_id: Its execution.
        task_id: Its task.
        custom_data: Data of yours, any JSON by name.
        flow_context: Entities that started the flow.
    """

    entity_id: str | None = None
    entity_schema: str | None = None
    workflow_id: str | None = None
    workflow_execution_id: str | None = None
    task_id: str | None = None
    custom_data: dict[str, Any] | None = None
    flow_context: list[FlowEntity] | None = None


@model
class ExecutionMetrics(EpilotModel):
    """What an execution used."""

    total_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_cost_usd: float | None = None
    duration_ms: int | None = None
    iteration_count: int | None = None


@model
class ExecutionResult(EpilotModel):
    """What came out.

    Attributes:
        response: The answer as text.
        structured_output: The answer as data; direct executions of agents with an `output_schema` only.
        status: How it ended; at the end of a stream only.
        metrics: What it used; at the end of a stream only.
    """

    repr_members: ClassVar[tuple[str, ...]] = ("response", "structured_output", "status")

    response: str | None = None
    structured_output: dict[str, Any] | None = None
    status: ResultStatus | str | None = None
    metrics: ExecutionMetrics | None = None


@model
class ExecutionError(EpilotModel):
    """Why an execution failed. It is no exception: a failed execution is a good answer."""

    repr_members: ClassVar[tuple[str, ...]] = ("message", "code", "details")

    code: ExecutionErrorCode | str | None = None
    message: str | None = None
    details: dict[str, Any] | None = None


@model
class ExecutionStep(EpilotModel):
    """The label of one step; `executions.trace` has all of it."""

    index: int | None = None
    tool: str | None = None
    status: IterationStatus | str | None = None
    timestamp: datetime | None = None


@model
class Execution(EpilotModel):
    """One execution of an agent.

    Attributes:
        result: What came out, once completed.
        error: Why it failed.
        pending_action: What waits for a human, while the status is `"waiting_approval"`.
        metrics: What it used; `usage` is the same.
        iterations: Labels of the steps; older servers do not send them.
    """

    repr_members: ClassVar[tuple[str, ...]] = (
        "execution_id",
        "status",
        "agent_name",
        "started_at",
        "metrics.duration_ms",
        "pending_action",
        "error",
        "result",
    )

    execution_id: str | None = None
    agent_id: str | None = None
    agent_source: AgentSource | str | None = None
    agent_name: str | None = None
    execution_context: ExecutionContext | str | None = None
    org_id: str | None = None
    status: ExecutionStatus | str | None = None
    input: dict[str, Any] | None = None
    parameters: dict[str, Any] | None = None
    result: ExecutionResult | None = None
    error: ExecutionError | None = None
    pending_action: PendingAction | None = None
    metrics: ExecutionMetrics | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    iterations: list[ExecutionStep] | None = None

    @property
    def id(self) -> str:
        """Id of the execution."""
        return self.execution_id or ""

    @property
    def is_terminal(self) -> bool:
        """Whether it is over."""
        return self.status in TERMINAL_STATUSES

    @property
    def needs_human(self) -> bool:
        """Whether it stands still until a human allows or refuses its `pending_action`."""
        return self.status == ExecutionStatus.WAITING_APPROVAL

    @property
    def succeeded(self) -> bool:
        """Whether it is completed."""
        return self.status == ExecutionStatus.COMPLETED

    @property
    def was_rejected(self) -> bool:
        """Whether it failed since a human refused its action; the reason is in `error.message`."""
        return self.error is not None and self.error.code == ExecutionErrorCode.REJECTED

    @property
    def usage(self) -> ExecutionMetrics | None:
        """What it used."""
        return self.metrics


@model
class ExecutionsPage(EpilotModel):
    """One page of executions.

    Attributes:
        executions: The rows; `items` is the same list.
        next_cursor: What selects the next page; None on the last.
    """

    executions: list[Execution] = attrs.field(factory=list[Execution])
    next_cursor: str | None = None

    @property
    def items(self) -> list[Execution]:
        """The rows of this page."""
        return self.executions

    @property
    def has_more(self) -> bool:
        """Whether there are rows after this page."""
        return bool(self.next_cursor)

    @property
    def next_query(self) -> Mapping[str, Any] | None:
        """Query arguments that select the page after this one; None on the last page."""
        return {"cursor": self.next_cursor} if self.has_more else None

    def __iter__(self) -> Iterator[Execution]:
        return iter(self.executions)

    def __len__(self) -> int:
        return len(self.executions)


@model
class TraceAction(EpilotModel):
    """The tool that one step called, and what it got."""

    tool: str | None = None
    input: dict[str, Any] | None = None


@model
class TraceIteration(EpilotModel):
    """One step of an execution: a thought, a tool call, and what came of it.

    Attributes:
        iteration_index: Place of the step; the first is 0.
        thought: What the agent thought.
        action: The tool call; None for a step without one.
        observation: What the tool returned.
        timestamp: When it was.
        tokens_used: Tokens it took.
        latency_ms: Milliseconds it took.
    """

    repr_members: ClassVar[tuple[str, ...]] = ("iteration_index", "action.tool", "thought", "latency_ms", "tokens_used")

    iteration_index: int | None = None
    thought: str | None = None
    action: TraceAction | None = None
    observation: dict[str, Any] | None = None
    timestamp: datetime | None = None
    tokens_used: int | None = None
    latency_ms: int | None = None


@model
class ExecutionTrace(EpilotModel):
    """The steps of an execution so far; none for agents of the pattern `"direct"`."""

    execution_id: str | None = None
    iterations: list[TraceIteration] = attrs.field(factory=list[TraceIteration])
    total_iterations: int | None = None

    def __iter__(self) -> Iterator[TraceIteration]:
        return iter(self.iterations)

    def __len__(self) -> int:
        return len(self.iterations)
