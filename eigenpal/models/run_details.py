"""What belongs to one run beside itself: stored files, trace events, a stored comparison, a live connection."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import attrs

from eigenpal.engine.model import Model, model


@model
class StoredFile(Model):
    """A file that the service stores for a run; `id` is what deletes it."""

    id: str | None = None
    filename: str | None = None


@model
class RunFiles(Model):
    """The stored files of a workflow run: its inputs, and its outputs by step."""

    inputs: list[StoredFile]
    outputs_by_step: dict[str, list[StoredFile]] = attrs.field(factory=dict[str, list[StoredFile]])


@model
class TraceEvent(Model):
    """Something that happened in a run."""

    type: str | None = None
    phase: str | None = None
    step_name: str | None = None
    status: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    message: str | None = None


@model
class RunTrace(Model):
    """The events of a run in their order."""

    events: list[TraceEvent]

    def __iter__(self) -> Iterator[TraceEvent]:
        return iter(self.events)

    def __len__(self) -> int:
        return len(self.events)


@model
class StoredComparison(Model):
    """The comparison that the service keeps with a run; its members are open, read them as items."""


@model
class RunConnection(Model):
    """Whether a live run can be connected to; its members are open, read them as items."""
