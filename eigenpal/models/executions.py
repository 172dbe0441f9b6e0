"""How a run stands: its status, its place in a chain of retries, and its execution, slim or in full.

Enumerations are open: a value this version does not know comes through as a plain string.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

import attrs

from eigenpal.engine.model import Model, discriminate, model


class RunStatus(StrEnum):
    """Where a run is in its life; compares equal to its text."""

    CREATED = "created"
    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


TERMINAL_STATUSES = frozenset({RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.REJECTED})


class RunKind(StrEnum):
    """What executes a run."""

    WORKFLOW = "workflow"
    AGENT = "agent"


@model
class RunRetryNext(Model):
    """The retry that followed a run."""

    id: str
    status: RunStatus | str


@model
class RunRetry(Model):
    """Place of a run in a chain of retries; 0 is the first attempt."""

    number: float = 0
    previous_run_id: str | None = None
    next_run: RunRetryNext | None = None


@model
class RunExecution(Model):
    """How a run stands; part of every run and list row."""

    status: RunStatus | str
    schema_valid: bool | None = None
    batch_id: str | None = None
    annotation: str | None = None
    retry: RunRetry | None = None


@model
class WorkflowStep(Model):
    """One step of a workflow run. `output_data` is the output; some servers send it as `output`."""

    id: str | None = None
    step_name: str | None = None
    step_type: str | None = None
    status: str | None = None
    execution_order: int | None = None
    input_data: Any = None
    resolved_config: Any = None
    output_data: Any = None
    output: Any = None
    error: Any = None
    override_mode: str | None = None
    duration_ms: float | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None


@model
class WorkflowRunExecution(RunExecution):
    """The execution of a workflow run in full, with its steps: `expand="execution"`."""

    steps: list[WorkflowStep] = attrs.field(factory=list[WorkflowStep])
    expected: Any = None


@model
class RunFile(Model):
    """A file known by its name only."""

    repr_members: ClassVar[tuple[str, ...]] = ("name",)

    name: str


@model
class AgentRunFiles(Model):
    """Names of the files an agent produced."""

    output: list[RunFile] = attrs.field(factory=list[RunFile])


@model
class RunFeedback(Model):
    """A human's verdict on a run."""

    rating: str | None = None
    status: str | None = None
    body: str | None = None
    created_at: datetime | None = None
    created_by: str | None = None
    created_by_email: str | None = None
    updated_at: datetime | None = None
    resolved_at: datetime | None = None
    resolved_by: str | None = None
    resolved_by_email: str | None = None
    resolved_by_session_id: str | None = None
    promoted_example_name: str | None = None


@model
class AgentRunExpected(Model):
    """What an agent run should have produced: the JSON and the files."""

    output: Any = None
    files: list[RunFile] = attrs.field(factory=list[RunFile])


@model
class AgentRunExecution(RunExecution):
    """The execution of an agent run in full, with its files: `expand="execution"`."""

    files: AgentRunFiles | None = None
    feedback: RunFeedback | None = None
    expected: AgentRunExpected | None = None


AnyExecution = WorkflowRunExecution | AgentRunExecution | RunExecution


def _execution(wire: Mapping[str, Any]) -> type[RunExecution]:
    return WorkflowRunExecution if "steps" in wire else AgentRunExecution if "files" in wire else RunExecution


discriminate(AnyExecution, _execution)
