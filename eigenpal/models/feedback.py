"""What people say of a run, and what it should have produced."""

from __future__ import annotations

from typing import Any, Literal

import attrs

from eigenpal.engine.model import Model, model
from eigenpal.models.executions import RunFeedback, RunFile

FeedbackRating = Literal["pass", "fail", "partial"]
"""Verdict on a run."""

FeedbackStatus = Literal["open", "resolved", "ignored"]
"""Where the review of a run stands."""


@model
class RunFeedbackDetail(Model):
    """Feedback on a run with what it should have produced."""

    feedback: RunFeedback | None = None
    expected: Any = None
    expected_files: list[RunFile] = attrs.field(factory=list[RunFile])


@model
class ExpectedArtifacts(Model):
    """What a run should have produced: the JSON and the files."""

    expected: Any = None
    files: list[RunFile] = attrs.field(factory=list[RunFile])


@model
class ExpectedFile(Model):
    """A file that a run should have produced."""

    name: str | None = None
