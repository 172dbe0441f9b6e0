"""Workflows as the API returns them: list rows, one workflow with its YAML, its released versions."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from eigenpal.engine.model import Model, model
from eigenpal.engine.paging import OffsetPage
from eigenpal.models.triggers import Triggers


class WorkflowKind(StrEnum):
    """Kinds that the list of workflows can be filtered by."""

    WORKFLOW = "workflow"
    BLOCK = "block"


@model
class WorkflowSummary(Model):
    """A workflow as a list shows it; `name` and `version` are None before its first release."""

    repr_members: ClassVar[tuple[str, ...]] = ("id", "name", "version", "api_enabled", "created_at", "updated_at")

    id: str
    created_at: datetime
    name: str | None = None
    version: str | None = None
    api_enabled: bool | None = None
    triggers: Triggers | None = None
    updated_at: datetime | None = None


@model
class Workflow(WorkflowSummary):
    """One workflow with the YAML of its current version."""

    repr_members: ClassVar[tuple[str, ...]] = (*WorkflowSummary.repr_members, "yaml_content")

    yaml_content: str | None = None


@model
class WorkflowVersion(Model):
    """One released version of a workflow."""

    repr_members: ClassVar[tuple[str, ...]] = ("id", "version", "is_current", "created_at", "workflow_id")

    id: str
    workflow_id: str
    version: str | None = None
    yaml_content: str | None = None
    is_current: bool | None = None
    created_at: datetime | None = None


@model
class WorkflowsPage(OffsetPage[WorkflowSummary]):
    """One page of workflows."""

    data: list[WorkflowSummary]


@model
class WorkflowVersionsPage(OffsetPage[WorkflowVersion]):
    """One page of the versions of a workflow, newest first."""

    data: list[WorkflowVersion]
