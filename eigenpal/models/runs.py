"""Runs as the API returns them: the full run, the receipt of a start, list rows, cancel verdicts, definitions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Literal

import attrs

from eigenpal.engine.model import Model, discriminate, model
from eigenpal.models.executions import TERMINAL_STATUSES, AnyExecution, RunFile, RunKind, RunStatus


class CancellationState(StrEnum):
    """What a cancel request did."""

    CANCELLED = "cancelled"  # it had not started, and ended at once
    REQUESTED = "requested"  # it is in flight, and ends at its next checkpoint
    ALREADY_TERMINAL = "already_terminal"  # there was nothing to cancel


Expand = Literal["input", "usage", "execution", "debug"]
"""Section that `runs.get` adds to a run when asked to."""


@model
class RunTiming(Model):
    """When a run was created, started and ended, and how long it took."""

    created_at: datetime
    started_at: datetime | None = None
    completed_at: datetime | None = None
    duration_ms: float | None = None
    cancel_requested_at: datetime | None = None


@model
class RunSourceGit(Model):
    """Git origin of an agent run."""

    requested_ref: str | None = None
    resolved_ref: str | None = None
    resolved_tag: str | None = None
    commit_sha: str | None = None


@model
class RunSource(Model):
    """What was run. `version_id` belongs to workflows; `slug`, `model` and `git` to agents."""

    repr_members: ClassVar[tuple[str, ...]] = ("slug", "name", "id")

    id: str
    name: str | None = None
    version: str | None = None
    version_id: str | None = None
    slug: str | None = None
    model: str | None = None
    git: RunSourceGit | None = None


@model
class RunActor(Model):
    """The user behind a trigger."""

    repr_members: ClassVar[tuple[str, ...]] = ("name", "email", "id")

    id: str
    name: str | None = None
    email: str | None = None


@model
class RunTrigger(Model):
    """How a run came about; `email` has the details of an inbound mail (any JSON)."""

    repr_members: ClassVar[tuple[str, ...]] = ("type", "by")

    type: str | None = None
    by: RunActor | None = None
    email: Any = None


@model
class RunEvaluation(Model):
    """How a run did in an evaluation."""

    example: str | None = None
    example_id: str | None = None
    score: float | None = None
    passed: bool | None = None


@model
class RunArtifact(Model):
    """A file that a run produced; `path` is what the download takes."""

    repr_members: ClassVar[tuple[str, ...]] = ("path", "size", "content_type", "step_name")

    name: str
    path: str
    step_name: str | None = None
    content_type: str | None = None
    size: int | None = None


@model
class RunInput(Model):
    """What a run was started with: `expand="input"`."""

    args: Any = None
    files: list[RunFile] = attrs.field(factory=list[RunFile])
    metadata: Any = None


@model
class TokenUsage(Model):
    """Tokens a run used."""

    input: float | None = None
    output: float | None = None
    cache_read: float | None = None
    cache_write: float | None = None


@model
class RunUsage(Model):
    """What a run used: `expand="usage"`."""

    tokens: TokenUsage | None = None
    credits_charged: float | None = None
    duration_ms: float | None = None
    llm_call_count: float | None = None
    ocr_pages_processed: float | None = None
    agent_turns: float | None = None


@model
class RunDebug(Model):
    """Phases, failure and trace id of a run: `expand="debug"`. `observability` is any JSON."""

    observability: Any = None
    trace_id: str | None = None


@model
class RunListItem(Model):
    """A run as a list shows it: without output and files."""

    repr_members: ClassVar[tuple[str, ...]] = (
        "id",
        "status",
        "type",
        "source",
        "timing.created_at",
        "timing.duration_ms",
        "error",
    )

    id: str
    type: RunKind | str
    finished: bool
    timing: RunTiming
    source: RunSource
    trigger: RunTrigger
    execution: AnyExecution
    eval: RunEvaluation | None = None
    error: str | None = None

    @property
    def status(self) -> RunStatus | str:
        """Where the run is in its life."""
        return self.execution.status

    @property
    def is_terminal(self) -> bool:
        """Whether the run is over, whichever way it ended."""
        return self.finished or self.status in TERMINAL_STATUSES

    @property
    def needs_human(self) -> bool:
        """Whether the run stands still until someone decides."""
        return self.status == RunStatus.WAITING

    @property
    def succeeded(self) -> bool:
        """Whether the run is completed."""
        return self.status == RunStatus.COMPLETED


@model
class Run(RunListItem):
    """A run with its result.

    Attributes:
        output: The result, when the run is completed.
        files: The files it produced, when the run is completed.
        error: Why it failed, was cancelled or rejected.
        input: What it was started with; with `expand="input"`.
        usage: What it used; with `expand="usage"`, and None for runs that recorded nothing.
        debug: Phases and trace id; with `expand="debug"`.
    """

    repr_members: ClassVar[tuple[str, ...]] = (*RunListItem.repr_members, "output", "files")

    output: dict[str, Any] | None = None
    files: list[RunArtifact] = attrs.field(factory=list[RunArtifact])
    input: RunInput | None = None
    usage: RunUsage | None = None
    debug: RunDebug | None = None

    @property
    def result(self) -> dict[str, Any] | None:
        """The result: the same as `output`, under the name that all services have it by."""
        return self.output


@model
class RunAccepted(Model):
    """The receipt of a run that was started and has not ended: its id is what to wait for.

    It answers to the names of a finished run too, so that the result of `run` can be read without asking first which of
    the two it is; servers of generation 0.6 really fill them, when the run ended while they held the request.
    """

    repr_members: ClassVar[tuple[str, ...]] = ("id", "status", "type", "finished", "source", "error", "output", "files")

    id: str
    type: RunKind | str
    finished: bool
    source: RunSource | None = None
    status: RunStatus | str | None = None
    output: dict[str, Any] | None = None
    files: list[RunArtifact] = attrs.field(factory=list[RunArtifact])
    error: str | None = None


StartedRun = Run | RunAccepted
"""What starting returns: the whole run if it ended within `wait_for_completion`, else its receipt."""


def _started(wire: Mapping[str, Any]) -> type[Run | RunAccepted]:
    return Run if "timing" in wire else RunAccepted


@model
class RunsPage(Model):
    """One page of runs, newest first.

    Attributes:
        runs: The rows; `items` is the same list.
        next_cursor: What selects the next page; None on the last.
    """

    runs: list[RunListItem]
    next_cursor: str | None = None

    @property
    def items(self) -> list[RunListItem]:
        """The rows of this page."""
        return self.runs

    @property
    def has_more(self) -> bool:
        """Whether there are rows after this page."""
        return bool(self.next_cursor)

    @property
    def next_query(self) -> Mapping[str, Any] | None:
        """Query arguments that select the page after this one; None on the last page."""
        return {"cursor": self.next_cursor, "offset": None} if self.has_more else None

    def __iter__(self) -> Iterator[RunListItem]:
        return iter(self.runs)

    def __len__(self) -> int:
        return len(self.runs)


@model
class RunStatusOnly(Model):
    """The status of a run, and nothing else."""

    status: RunStatus | str


@model
class RunCancellation(Model):
    """What a cancel request did, and the status it found."""

    state: CancellationState | str
    was_status: RunStatus | str


@model
class CancelledRun(Model):
    """Answer to a cancel request: the run in short, and what the request did."""

    repr_members: ClassVar[tuple[str, ...]] = ("id", "status", "cancellation.state", "type", "finished")

    id: str
    type: RunKind | str
    finished: bool
    execution: RunStatusOnly
    cancellation: RunCancellation

    @property
    def status(self) -> RunStatus | str:
        """Where the run is in its life now."""
        return self.execution.status


@model
class RunDefinition(Model):
    """The workflow as it was when the run was created (any JSON)."""

    definition: Any


@model
class RunArtifacts(Model):
    """Every file of a run."""

    artifacts: list[RunArtifact]

    def __iter__(self) -> Iterator[RunArtifact]:
        return iter(self.artifacts)

    def __len__(self) -> int:
        return len(self.artifacts)


discriminate(StartedRun, _started)
