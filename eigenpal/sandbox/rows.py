"""What the store keeps, one frozen class per table, fields named and ordered as the columns.

Members that are any JSON stay JSON text: most of them only travel from a request to an answer.
Moments are milliseconds since 1970.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from eigenpal.sandbox.states import TERMINAL, Status

Kind: TypeAlias = Literal["workflow", "agent"]


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run."""

    sequence: int
    id: str
    tenant: str
    kind: Kind
    status: Status
    source_id: str
    source_name: str
    version: str
    version_id: str
    model: str | None
    requested_ref: str | None
    resolved_ref: str | None
    commit_sha: str | None
    trigger: str
    user_id: str | None
    batch_id: str | None
    example: str | None
    example_id: str | None
    score: float | None
    passed: bool | None
    annotation: str | None
    schema_valid: bool | None
    created_at: int
    started_at: int | None
    completed_at: int | None
    cancel_requested_at: int | None
    arguments: str
    metadata: str | None
    overrides: str | None
    output: str | None
    error: str | None
    traceback: str | None
    usage: str | None
    definition: str
    retry_number: int
    previous_run_id: str | None
    next_run_id: str | None

    @property
    def finished(self) -> bool:
        """True once the run has ended."""
        return self.status in TERMINAL


@dataclass(frozen=True, slots=True)
class FileRow:
    """One file of a run; `blob` names its bytes in the blob folder."""

    id: str
    run_id: str
    path: str
    name: str
    input_name: str | None
    step_name: str | None
    content_type: str
    size: int
    digest: str
    blob: str
    created_at: int


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step of a workflow run."""

    id: str
    run_id: str
    position: int
    name: str
    status: str
    output: str | None
    error: str | None
    override_mode: str | None
    started_at: int
    completed_at: int | None


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """What people say of a run: their feedback, and the output it should have had.

    The files it should have produced are its files below `expected/`.
    """

    run_id: str
    rating: str | None = None
    status: str | None = None
    body: str | None = None
    created_at: int | None = None
    created_by: str | None = None
    created_by_email: str | None = None
    updated_at: int | None = None
    resolved_at: int | None = None
    resolved_by: str | None = None
    resolved_by_email: str | None = None
    expected: str | None = None
