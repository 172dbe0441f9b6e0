"""Agents as the API returns them: list rows, one agent, its releases, its email trigger and aliases."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, cast

from eigenpal.engine.model import Model, model
from eigenpal.engine.paging import OffsetPage
from eigenpal.models.triggers import Triggers


class SourceIntegrity(StrEnum):
    """State of the Git package behind an agent."""

    HEALTHY = "healthy"
    SOURCE_MISSING = "source_missing"
    UNREGISTERED = "unregistered"


class RecoveryKind(StrEnum):
    """How a created agent got its source package."""

    EXISTING = "existing"
    LEGACY_HYDRATE = "legacy_hydrate"
    MINIMAL_SCAFFOLD = "minimal_scaffold"


class EmailAliasStatus(StrEnum):
    """Whether an alias accepts mail."""

    ACTIVE = "active"
    DISABLED = "disabled"


@model
class AgentStats(Model):
    """How much an agent is used."""

    example_count: int | None = None
    total_executions: int | None = None
    last_execution_at: datetime | None = None
    avg_duration_ms: float | None = None
    avg_credits: float | None = None


@model
class Agent(Model):
    """An agent. Sections asked for with `include` are further members: `agent["files"]`."""

    repr_members: ClassVar[tuple[str, ...]] = (
        "slug",
        "id",
        "name",
        "latest_version",
        "source_integrity",
        "api_enabled",
        "created_at",
    )

    id: str
    slug: str
    name: str
    created_at: datetime
    description: str | None = None
    api_enabled: bool | None = None
    triggers: Triggers | None = None
    source_integrity: SourceIntegrity | str | None = None
    latest_version: str | None = None
    latest_commit: str | None = None
    config: dict[str, Any] | None = None
    updated_at: datetime | None = None
    stats: AgentStats | None = None


@model
class AgentsPage(OffsetPage[Agent]):
    """One page of agents."""

    data: list[Agent]


@model
class AgentEnvelope(Model):
    """One agent."""

    agent: Agent


@model
class CreatedAgent(Model):
    """A new agent, and whether an existing source package was taken over for it."""

    agent: Agent
    source_recovered: bool | None = None
    recovery_kind: RecoveryKind | str | None = None


@model
class UserProfile(Model):
    """The author of a release."""

    repr_members: ClassVar[tuple[str, ...]] = ("name", "email", "id")

    id: str
    email: str | None = None
    name: str | None = None
    image: str | None = None


@model
class AgentVersion(Model):
    """One release of an agent; `source_ref` is what to give as `version` to run it."""

    repr_members: ClassVar[tuple[str, ...]] = (
        "version",
        "source_ref",
        "latest",
        "created_at",
        "created_by_user",
        "notes",
    )

    version: str
    source_ref: str
    tag: str | None = None
    commit: str | None = None
    notes: str | None = None
    created_at: datetime | None = None
    created_by_user: UserProfile | None = None
    latest: bool | None = None


@model
class AgentVersions(Model):
    """Every release of one agent."""

    agent_id: str
    slug: str
    package_path: str | None = None
    versions: list[AgentVersion]


@model
class AgentFiles(Model):
    """A listing of source files, or one file when a path was given.

    The service leaves the shape open: a bare listing is `files`, any other JSON that is no object is `content`.
    """

    files: Any = None
    path: Any = None
    content: Any = None
    content_base64: Any = None
    content_type: Any = None


def agent_files(wire: Any) -> Any:
    """Return the answer to `agents.list_files`, whatever it is, as an object."""
    match wire:
        case dict():
            return cast("Any", wire)
        case list():
            return {"files": cast("Any", wire)}
        case _:
            return {"content": wire}


@model
class EmailReplyConfig(Model):
    """When an alias answers mail by itself, and whom."""

    on: str | None = None
    mode: str | None = None


@model
class EmailAlias(Model):
    """An address that mail starts an agent by."""

    repr_members: ClassVar[tuple[str, ...]] = ("alias", "id", "status", "label", "allowlist")

    id: str | None = None
    alias: str | None = None
    status: EmailAliasStatus | str | None = None
    label: str | None = None
    allowlist: list[str] | None = None
    require_sender_auth: bool | None = None
    reply_config: EmailReplyConfig | None = None


@model
class EmailAliases(Model):
    """Every alias of the organisation."""

    emails: list[EmailAlias]


@model
class EmailTrigger(Model):
    """Settings of an agent's email trigger."""

    enabled: bool | None = None


@model
class EmailTriggerState(Model):
    """An agent's email trigger and its aliases."""

    trigger: EmailTrigger
    emails: list[EmailAlias]


@model
class EmailTriggerEnvelope(Model):
    """An agent's email trigger."""

    trigger: EmailTrigger


@model
class EmailAliasEnvelope(Model):
    """One alias."""

    email: EmailAlias


@model
class EmailAliasRemoved(Model):
    """Acknowledgement that an alias is gone."""

    removed: bool
