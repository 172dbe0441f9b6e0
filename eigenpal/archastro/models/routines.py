"""Agent routines as the API has them: handlers fired by an event, a schedule or a call; and presets they may use."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from eigenpal.archastro.models.access import Acl
from eigenpal.archastro.models.wire import WireModel
from eigenpal.engine.model import model


class AgentRoutineStatus(StrEnum):
    """Whether a routine reacts: only an active one does."""

    DRAFT = "draft"
    ACTIVE = "active"
    PAUSED = "paused"


class HandlerType(StrEnum):
    """What a routine does when it fires."""

    WORKFLOW_GRAPH = "workflow_graph"  # `config`
    SCRIPT = "script"  # `script`
    PRESET = "preset"  # `preset_name`
    CHAIN = "chain"  # `steps`


class StepHandlerType(StrEnum):
    """What one step of a chain does."""

    PRESET = "preset"
    SCRIPT = "script"
    WORKFLOW_GRAPH = "workflow_graph"


class TriggerContext(StrEnum):
    """What a routine is triggered in."""

    EVENT = "event"
    CHAT_SESSION = "chat_session"


class SessionMode(StrEnum):
    """Whether each run makes a session of its own or goes on in a lasting one."""

    STATELESS = "stateless"
    SESSION = "session"


class SessionScope(StrEnum):
    """What chooses the lasting session of a run."""

    PER_USER = "per_user"
    PER_KEY = "per_key"
    PER_ORG = "per_org"
    GLOBAL = "global"


class OnStepError(StrEnum):
    """What a chain does when a step fails."""

    HALT = "halt"
    CONTINUE = "continue"
    RETRY = "retry"


class MessageVisibility(StrEnum):
    """Who sees the messages of a routine."""

    DEFAULT = "default"
    PRIVATE = "private"


@model
class LLMConfig(WireModel):
    """The model that a preset uses; its id has the provider's prefix."""

    model: str | None = None


@model
class PresetConfig(WireModel):
    """Settings of a preset.

    Attributes:
        instructions: What the agent is told; up to 10,000 characters.
        llm: The model to use in place of the agent's.
        session_mode: Whether each run makes a session of its own; it does unless given.
        session_scope: What chooses the lasting session, with `session_mode="session"`.
        structured_message_template_ids: Templates for messages with a structure.
    """

    instructions: str | None = None
    llm: LLMConfig | None = None
    session_mode: SessionMode | str | None = None
    session_scope: SessionScope | str | None = None
    structured_message_template_ids: list[str] | None = None


@model
class RoutineStep(WireModel):
    """One step of a chain: exactly one of `preset_name`, `script` and `config`, as fits `handler_type`.

    Attributes:
        name: Unique in the chain.
        inputs: Binds outputs of earlier steps to inputs of this one.
        output_key: What later steps know its output as; its name unless given.
        on_error: What the chain does when it fails; it halts unless given.
    """

    handler_type: StepHandlerType | str
    name: str | None = None
    config: str | None = None
    script: str | None = None
    preset_name: str | None = None
    preset_config: PresetConfig | None = None
    inputs: dict[str, Any] | None = None
    output_key: str | None = None
    on_error: OnStepError | str | None = None


@model
class EventRule(WireModel):
    """When an event of one type fires a routine.

    Attributes:
        filters: What the event must have.
        dedupe_key_path: JSON path to what tells repeated events apart, such as `"$.thread.id"`.
    """

    filters: dict[str, Any] | None = None
    dedupe_key_path: str | None = None


@model
class MessagePolicy(WireModel):
    """Who sees the messages of a routine; `recipients` are needed for private ones."""

    visibility: MessageVisibility | str | None = None
    recipients: list[str] | None = None


@model
class AgentRoutine(WireModel):
    """A reusable handler of an agent.

    Attributes:
        agent: Id of the agent.
        app: Id of the app.
        lookup_key: Name in place of the id, unique in the app.
        status: Only an active routine reacts to events, its schedule or `invoke`.
        handler_type: Which of `config`, `script`, `preset_name` and `steps` says what it does.
        config: Id of the workflow.
        event_type: The event that fires it; None when it is only scheduled.
        event_config: Event types to when they fire it.
        schedule: Cron expression; None when only events fire it.
        acl: Who may read and invoke it; None restricts nobody.
        last_applied_template_config: Id of the template that was applied last.
        user: Id of a co-owner.
    """

    repr_members: ClassVar[tuple[str, ...]] = ("id", "name", "status", "lookup_key", "handler_type", "agent")

    id: str
    agent: str | None = None
    app: str | None = None
    name: str | None = None
    description: str | None = None
    lookup_key: str | None = None
    status: AgentRoutineStatus | str | None = None
    handler_type: HandlerType | str | None = None
    config: str | None = None
    script: str | None = None
    preset_name: str | None = None
    preset_config: PresetConfig | None = None
    steps: list[RoutineStep] | None = None
    event_type: str | None = None
    event_config: dict[str, EventRule] | None = None
    schedule: str | None = None
    trigger_context: TriggerContext | str | None = None
    acl: Acl | None = None
    metadata: dict[str, Any] | None = None
    last_applied_template_config: str | None = None
    message_policy: MessagePolicy | None = None
    user: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


@model
class AgentRoutines(WireModel):
    """All routines that match; the API has no pages of them."""

    data: list[AgentRoutine]

    @property
    def items(self) -> list[AgentRoutine]:
        """The routines."""
        return self.data

    def __iter__(self) -> Iterator[AgentRoutine]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)


@model
class RoutinePreset(WireModel):
    """A ready-made handler that a routine may name as its `preset_name`.

    Attributes:
        name: The name to give.
        applicable_events: Event types it accepts; a single `"*"` means any.
        sessionable: Whether it lives inside a thread conversation; it has nothing to do with `session_mode`.
        unique: Whether an agent has at most one routine with it.
        chainable: Whether it may be a step of a chain.
    """

    repr_members: ClassVar[tuple[str, ...]] = ("name", "label", "description")

    name: str
    label: str
    description: str
    applicable_events: list[str]
    sessionable: bool
    unique: bool
    chainable: bool
