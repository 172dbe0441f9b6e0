"""Runs of routines as the API returns them: one execution each, its worker, and where its output went."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from eigenpal.archastro.models.access import Acl
from eigenpal.archastro.models.wire import WireModel
from eigenpal.engine.model import model


class AgentRoutineRunStatus(StrEnum):
    """Where a run is in its life; compares equal to its text."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether a run stays in it for good."""
        return self in _OVER


_OVER = frozenset(
    {
        AgentRoutineRunStatus.COMPLETED,
        AgentRoutineRunStatus.FAILED,
        AgentRoutineRunStatus.SKIPPED,
        AgentRoutineRunStatus.CANCELLED,
    }
)


class WorkerState(StrEnum):
    """What the worker of a run does."""

    QUEUED = "queued"
    EXECUTING = "executing"
    RETRYING = "retrying"
    COMPLETED = "completed"
    DISCARDED = "discarded"
    CANCELLED = "cancelled"


class DeliveryType(StrEnum):
    """Where the output of a run goes."""

    NONE = "none"
    THREAD = "thread"
    REPLY = "reply"


class DeliveryStatus(StrEnum):
    """How far the delivery of an output is."""

    NOT_REQUESTED = "not_requested"
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@model
class WorkerStatus(WireModel):
    """The worker of a run; `attempt` is 0 while it is only queued."""

    repr_members: ClassVar[tuple[str, ...]] = ("status", "attempt", "max_attempts")

    status: WorkerState | str
    attempt: int
    max_attempts: int


@model
class InvokeDelivery(WireModel):
    """Where the output of a run is to go: `thread` needs a thread, `reply` a message to answer."""

    type: DeliveryType | str
    thread: str | None = None
    message: str | None = None


@model
class AgentRoutineRunDelivery(WireModel):
    """Where the output of a run went; `last_error` is a stable public code."""

    repr_members: ClassVar[tuple[str, ...]] = ("status", "type", "last_error")

    type: DeliveryType | str
    status: DeliveryStatus | str
    thread: str | None = None
    message: str | None = None
    delivered_at: datetime | None = None
    delivered_message: str | None = None
    last_error: str | None = None


@model
class AgentRoutineRun(WireModel):
    """One execution of a routine.

    Attributes:
        routine: Id of the routine.
        agent: Id of the agent.
        app: Id of the app.
        payload: The input that triggered it.
        result: The output; None until it is completed.
        structured_response: The validated output, of routines that have a schema for messages.
        duration_ms: Wall-clock time in milliseconds; None while it goes on.
        event_id: The event that triggered it; None for `invoke`.
        worker: What works on it.
        delivery: Where its output went.
        participants: Symbolic names to the agents that take part.
    """

    repr_members: ClassVar[tuple[str, ...]] = ("id", "status", "routine", "created_at", "duration_ms", "result")

    id: str
    routine: str | None = None
    agent: str | None = None
    app: str | None = None
    status: AgentRoutineRunStatus | str | None = None
    payload: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    structured_response: dict[str, Any] | None = None
    duration_ms: int | None = None
    event_id: str | None = None
    metadata: dict[str, Any] | None = None
    acl: Acl | None = None
    worker: WorkerStatus | None = None
    delivery: AgentRoutineRunDelivery | None = None
    participants: dict[str, Any] | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def is_terminal(self) -> bool:
        """Whether the run is over, whichever way it ended."""
        return self.status in _OVER

    @property
    def needs_human(self) -> bool:
        """False: a routine run never waits for anyone; the session it works in may."""
        return False

    @property
    def succeeded(self) -> bool:
        """Whether the run is completed; a skipped one did nothing."""
        return self.status == AgentRoutineRunStatus.COMPLETED

    @property
    def error(self) -> Any:
        """Why it failed, from servers that say it; the API documents no such member."""
        return self.get("error")

    @property
    def usage(self) -> Any:
        """What it used, from servers that say it; the API documents `duration_ms` alone."""
        return self.get("usage")


@model
class AgentRoutineRunsPage(WireModel):
    """One page of runs, newest first.

    Attributes:
        data: The runs; `items` is the same list.
        before_cursor: What selects the page of older runs; None at the oldest.
        after_cursor: What selects the page of newer runs; None at the newest.
    """

    data: list[AgentRoutineRun]
    before_cursor: str | None = None
    after_cursor: str | None = None

    @property
    def items(self) -> list[AgentRoutineRun]:
        """The runs of this page."""
        return self.data

    @property
    def has_more(self) -> bool:
        """Whether there are older runs."""
        return bool(self.before_cursor)

    @property
    def next_query(self) -> Mapping[str, Any] | None:
        """Query arguments that select the page of older runs; None at the oldest."""
        return {"before_cursor": self.before_cursor, "after_cursor": None} if self.before_cursor else None

    @property
    def newer_query(self) -> Mapping[str, Any] | None:
        """Query arguments that select the page of newer runs; None at the newest."""
        return {"after_cursor": self.after_cursor, "before_cursor": None} if self.after_cursor else None

    def __iter__(self) -> Iterator[AgentRoutineRun]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)
