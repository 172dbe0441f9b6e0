"""Agents as epilot returns them: custom ones and system skills, their model settings, one page of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

import attrs

from eigenpal.engine.model import model
from eigenpal.epilot.models.parameters import InputParameters
from eigenpal.epilot.models.wire import EpilotModel


class SkillCategory(StrEnum):
    """What an agent works on."""

    MESSAGE = "message"
    ENTITY = "entity"
    DOCUMENT = "document"
    CLASSIFICATION = "classification"
    CUSTOM = "custom"


class AgentSource(StrEnum):
    """Who made an agent: epilot, or the organisation."""

    SYSTEM = "system"
    CUSTOM = "custom"


class SkillAvailability(StrEnum):
    """Where an agent can be used."""

    FLOWS = "flows"
    COPILOT = "copilot"
    PORTALS = "portals"
    ALL = "all"


class ExecutionPattern(StrEnum):
    """How an agent works: one call of the model, or a loop of thought, tool and observation."""

    DIRECT = "direct"
    REACT = "react"


class ExecutionMode(StrEnum):
    """When a human is asked: never, before each tool call, or afterwards since the result is only a draft."""

    AUTOMATIC = "automatic"
    APPROVAL = "approval"
    DRAFT = "draft"


class ToolCategory(StrEnum):
    """What a tool works on."""

    ENTITY = "entity"
    EMAIL = "email"
    MESSAGE = "message"
    TAXONOMY = "taxonomy"
    RAG = "rag"
    WORKFLOW = "workflow"


@model
class ModelConfig(EpilotModel):
    """Settings of the language model behind an agent.

    Attributes:
        model_id: Id of the model at AWS Bedrock.
        temperature: 0 to 1.
        max_tokens: Longest answer, in tokens.
        thinking: Whether the model thinks before it answers.
        thinking_budget: How much it may think, in tokens.
    """

    model_id: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    thinking: bool | None = None
    thinking_budget: int | None = None


@model
class Agent(EpilotModel):
    """A custom agent, or a system skill (`agent_id` is then `"skill:<slug>"`)."""

    repr_members: ClassVar[tuple[str, ...]] = (
        "name",
        "agent_id",
        "source",
        "category",
        "execution_pattern",
        "execution_mode",
        "version",
        "updated_at",
    )

    agent_id: str | None = None
    org_id: str | None = None
    name: str | None = None
    description: str | None = None
    category: SkillCategory | str | None = None
    icon: str | None = None
    source: AgentSource | str | None = None
    availability: list[SkillAvailability | str] | None = None
    allowed_entity_schemas: list[str] | None = None
    system_prompt: str | None = None
    tools: list[str] | None = None
    model_config: ModelConfig | None = None
    max_iterations: int | None = None
    execution_pattern: ExecutionPattern | str | None = None
    execution_mode: ExecutionMode | str | None = None
    output_schema: dict[str, Any] | None = None
    input_parameters_schema: InputParameters | None = None
    version: int | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    created_by: str | None = None

    @property
    def id(self) -> str:
        """Id of the agent; what `agents.execute` takes."""
        return self.agent_id or ""

    @property
    def is_system_skill(self) -> bool:
        """Whether it comes from epilot: it can be read and executed, and not be changed."""
        return self.source == AgentSource.SYSTEM or self.id.startswith("skill:")


@model
class AgentsPage(EpilotModel):
    """One page of agents.

    Attributes:
        agents: The rows; `items` is the same list.
        next_cursor: What selects the next page; None on the last.
    """

    agents: list[Agent] = attrs.field(factory=list[Agent])
    next_cursor: str | None = None

    @property
    def items(self) -> list[Agent]:
        """The rows of this page."""
        return self.agents

    @property
    def has_more(self) -> bool:
        """Whether there are rows after this page."""
        return bool(self.next_cursor)

    @property
    def next_query(self) -> Mapping[str, Any] | None:
        """Query arguments that select the page after this one; None on the last page."""
        return {"cursor": self.next_cursor} if self.has_more else None

    def __iter__(self) -> Iterator[Agent]:
        return iter(self.agents)

    def __len__(self) -> int:
        return len(self.agents)


@model
class ToolDefinition(EpilotModel):
    """A tool that agents can use. No call returns it; `client.request(..., cast_to=ToolDefinition)` decodes one."""

    repr_members: ClassVar[tuple[str, ...]] = ("tool_id", "name", "category", "requires_approval", "enabled")

    tool_id: str | None = None
    name: str | None = None
    description: str | None = None
    category: ToolCategory | str | None = None
    parameters: dict[str, Any] | None = None
    returns: dict[str, Any] | None = None
    requires_approval: bool | None = None
    enabled: bool | None = None
