"""Automations: the registry rows behind agents and workflows, and what a sync did to one."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import attrs

from eigenpal.engine.model import Model, model
from eigenpal.models.executions import RunKind
from eigenpal.models.triggers import Release


class AutomationStatus(StrEnum):
    """Registry state of an automation."""

    ACTIVE = "active"
    ARCHIVED = "archived"


@model
class Automation(Model):
    """Registry row of an automation."""

    id: str
    type: RunKind | str
    slug: str
    status: AutomationStatus | str
    updated_at: datetime | None = None


@model
class AutomationSync(Model):
    """What a sync found: the automation, the release it took, and what it wants you to know."""

    automation: Automation
    release: Release
    warnings: list[str] = attrs.field(factory=list[str])
