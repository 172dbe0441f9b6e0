"""Agent sessions as the API returns them: durable tasks of agents, with their inbox, and what their stream reports."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from eigenpal.archastro.models.wire import WireModel
from eigenpal.engine.model import model


class AgentSessionStatus(StrEnum):
    """Where a session is in its life; compares equal to its text."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether a session stays in it for good."""
        return self in _OVER

    @property
    def needs_human(self) -> bool:
        """Whether a session in it stands still until a message or an outside event comes."""
        return self is AgentSessionStatus.WAITING


_OVER = frozenset({AgentSessionStatus.COMPLETED, AgentSessionStatus.FAILED, AgentSessionStatus.CANCELLED})


@model
class AgentSessionInboxMessage(WireModel):
    """One message in the inbox of a session."""

    repr_members: ClassVar[tuple[str, ...]] = ("role", "content", "id", "sent_at")

    id: str | None = None
    role: str | None = None
    content: str | None = None
    sender_id: str | None = None
    sender_type: str | None = None
    sent_at: datetime | None = None
    metadata: dict[str, Any] | None = None


@model
class AgentSession(WireModel):
    """A durable task of an agent.

    Attributes:
        agent: Id of the agent.
        instructions: The task.
        status: Where it is in its life; `waiting` until a message or an outside event comes.
        result: What the agent produced; None until it is completed, and after a failure.
        error: Why it failed.
        inbox: Its messages, in the order they came.
        trajectory: Id of its message history; None before the start.
        metadata: Data of yours that is kept with it.
        max_runs_per_turn: Tool calls allowed in one turn.
        max_tokens: Budget of tokens over all turns.
        max_turns: Turns before the platform ends it.
        is_system_session: Whether the platform made it, for a schedule, say.
    """

    repr_members: ClassVar[tuple[str, ...]] = (
        "id",
        "status",
        "agent",
        "name",
        "instructions",
        "created_at",
        "result",
        "error",
    )

    id: str
    agent: str | None = None
    name: str | None = None
    instructions: str | None = None
    status: AgentSessionStatus | str | None = None
    result: dict[str, Any] | None = None
    error: str | None = None
    inbox: list[AgentSessionInboxMessage] | None = None
    trajectory: str | None = None
    metadata: dict[str, Any] | None = None
    max_runs_per_turn: int | None = None
    max_tokens: int | None = None
    max_turns: int | None = None
    is_system_session: bool | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None

    @property
    def is_terminal(self) -> bool:
        """Whether the session is over, whichever way it ended."""
        return self.status in _OVER

    @property
    def needs_human(self) -> bool:
        """Whether the session waits for a message or an outside event."""
        return self.status == AgentSessionStatus.WAITING

    @property
    def succeeded(self) -> bool:
        """Whether the session is completed."""
        return self.status == AgentSessionStatus.COMPLETED

    @property
    def usage(self) -> Any:
        """What the session used, from servers that say it; the API documents only its limits."""
        return self.get("usage")


@model
class AgentSessionsPage(WireModel):
    """The newest sessions that match; there is no page after it, since the API has no cursor for sessions."""

    data: list[AgentSession]

    @property
    def items(self) -> list[AgentSession]:
        """The sessions."""
        return self.data

    def __iter__(self) -> Iterator[AgentSession]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)


@model
class AgentSessionEvent(WireModel):
    """Progress that a coding harness reports of a session.

    Attributes:
        event: What happened, such as `"message"`, `"tool_use"`, `"needs_input"` or `"turn_complete"`.
        harness: Which harness.
        payload: The details, whose shape depends on the event.
    """

    repr_members: ClassVar[tuple[str, ...]] = ("event", "id", "occurred_at", "payload")

    id: str | None = None
    event: str | None = None
    harness: str | None = None
    occurred_at: datetime | None = None
    payload: dict[str, Any] | None = None
