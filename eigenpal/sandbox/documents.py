"""Rows of the store as the documents of the API: runs, list rows, receipts, artifacts, workflows. Pure functions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from eigenpal.sandbox.clock import timestamp
from eigenpal.sandbox.grammar import release_of, slug_key
from eigenpal.sandbox.registry import Automation, Release
from eigenpal.sandbox.rows import FileRow, ReviewRow, RunRow, StepRow
from eigenpal.sandbox.states import Status

Document = dict[str, Any]

_ROOT_FILES = ("trace.jsonl", "issues.md", "eigenpal.lock")


def _moment(value: int | None) -> str | None:
    return None if value is None else timestamp(value)


def receipt(run: RunRow) -> Document:
    """Return what a start answers when it does not wait for the end: `finished` is false by definition."""
    return {"id": run.id, "type": run.kind, "finished": False, "source": source(run)}


def source(run: RunRow) -> Document:
    """Return what was run."""
    if run.kind == "workflow":
        return {"id": run.source_id, "name": run.source_name, "version": run.version, "versionId": run.version_id}
    git = {
        "requestedRef": run.requested_ref,
        "resolvedRef": run.resolved_ref,
        "resolvedTag": f"agents.{slug_key(run.source_name)}@{run.version}" if release_of(run.version) else None,
        "commitSha": run.commit_sha,
    }
    return {
        "id": run.source_id,
        "name": run.source_name,
        "version": None,
        "slug": run.source_name,
        "model": run.model,
        "git": git,
    }


def list_item(run: RunRow, user: Mapping[str, Any], next_status: Status | None = None) -> Document:
    """Return a row of the run list.

    Args:
        run: The run.
        user: The user behind the API key.
        next_status: Status of the run that follows this one, if one does.
    """
    duration = None
    if run.started_at is not None and run.completed_at is not None:
        duration = run.completed_at - run.started_at
    document: Document = {
        "id": run.id,
        "type": run.kind,
        "finished": run.finished,
        "timing": {
            "createdAt": timestamp(run.created_at),
            "startedAt": _moment(run.started_at),
            "completedAt": _moment(run.completed_at),
            "durationMs": duration,
            "cancelRequestedAt": _moment(run.cancel_requested_at),
        },
        "source": source(run),
        "trigger": {"type": run.trigger, "by": user if run.user_id is not None else None},
        "execution": {
            "status": run.status.value,
            "schemaValid": run.schema_valid,
            "batchId": run.batch_id,
            "annotation": run.annotation,
            "retry": {
                "number": run.retry_number,
                "previousRunId": run.previous_run_id,
                "nextRun": None if next_status is None else {"id": run.next_run_id, "status": next_status.value},
            },
        },
        "error": run.error,
    }
    if run.example is not None or run.example_id is not None:
        document["eval"] = {
            "example": run.example,
            "exampleId": run.example_id,
            "score": run.score,
            "passed": run.passed,
        }
    return document


def run_document(
    run: RunRow, user: Mapping[str, Any], files: Sequence[FileRow], next_status: Status | None = None
) -> Document:
    """Return a run without any expansion; output and files appear once it is completed."""
    document = list_item(run, user, next_status)
    if run.status is Status.COMPLETED:
        document["output"] = None if run.output is None else json.loads(run.output)
        document["files"] = [artifact(file) for file in files if file.path.startswith("output/")]
    return document


def artifacts(run: RunRow, files: Sequence[FileRow]) -> list[Document]:
    """Return what the artifact list of a run shows: outputs, and the root files of an agent run."""
    shown = [file for file in files if file.path.startswith("output/")]
    if run.kind == "agent":
        shown += [file for root in _ROOT_FILES for file in files if file.path == root]
    return [artifact(file) for file in shown]


def artifact(file: FileRow) -> Document:
    """Return one downloadable file."""
    document: Document = {"name": file.name, "path": file.path}
    if file.step_name is not None:
        document["stepName"] = file.step_name
    return {**document, "contentType": file.content_type, "size": file.size}


def input_section(run: RunRow, files: Sequence[FileRow]) -> Document:
    """Return what `expand=input` adds."""
    section: Document = {"args": json.loads(run.arguments)}
    inputs = [{"name": file.name} for file in files if file.path.startswith("input/")]
    if inputs or run.kind == "agent":
        section["files"] = inputs
    if run.metadata is not None:
        section["metadata"] = json.loads(run.metadata)
    return section


def usage_section(run: RunRow) -> Document | None:
    """Return what `expand=usage` adds; None before the run has ended."""
    if not run.finished:
        return None
    used: Mapping[str, float] = json.loads(run.usage) if run.usage else {}
    duration = run.completed_at - run.started_at if run.completed_at and run.started_at else None
    section: Document = {
        "tokens": {name: used.get(name, 0) for name in ("input", "output", "cacheRead", "cacheWrite")},
        "creditsCharged": used.get("creditsCharged", 0),
        "durationMs": duration,
    }
    names = ("llmCallCount", "ocrPagesProcessed") if run.kind == "workflow" else ("agentTurns",)
    return section | {name: used.get(name, 0) for name in names}


def execution_section(run: RunRow, files: Sequence[FileRow], steps: Sequence[StepRow], review: ReviewRow) -> Document:
    """Return what `expand=execution` adds to the execution block."""
    if run.kind == "workflow":
        section: Document = {"steps": [step_document(step) for step in steps]}
        return section if review.expected is None else {**section, "expected": json.loads(review.expected)}
    outputs = [{"name": file.name} for file in files if file.path.startswith("output/")]
    section = {"files": {"output": outputs}, "feedback": feedback_document(review)}
    expected: Document = {}
    if review.expected is not None:
        expected["output"] = json.loads(review.expected)
    if names := expected_files(files):
        expected["files"] = names
    return {**section, "expected": expected} if expected else section


def feedback_document(review: ReviewRow) -> Document | None:
    """Return the feedback on a run, None when there is none."""
    if review.created_at is None:
        return None
    return {
        "rating": review.rating,
        "status": review.status,
        "body": review.body or "",
        "createdAt": timestamp(review.created_at),
        "createdBy": review.created_by,
        "createdByEmail": review.created_by_email,
        "updatedAt": _moment(review.updated_at),
        "resolvedAt": _moment(review.resolved_at),
        "resolvedBy": review.resolved_by,
        "resolvedByEmail": review.resolved_by_email,
        "resolvedBySessionId": None,
        "promotedExampleName": None,
    }


def expected_files(files: Sequence[FileRow]) -> list[Document]:
    """Return the names of the files that a run should have produced."""
    return [{"name": file.name} for file in files if file.path.startswith("expected/")]


def step_document(step: StepRow) -> Document:
    """Return one step record."""
    return {
        "id": step.id,
        "stepName": step.name,
        "status": step.status,
        "executionOrder": step.position,
        "outputData": None if step.output is None else json.loads(step.output),
        "error": step.error,
        "overrideMode": step.override_mode,
        "durationMs": None if step.completed_at is None else step.completed_at - step.started_at,
        "startedAt": timestamp(step.started_at),
        "completedAt": _moment(step.completed_at),
    }


def debug_section(run: RunRow) -> Document:
    """Return what `expand=debug` adds: phases derived from the timestamps, and the traceback of a failure."""
    moments = [("queued", run.created_at, run.started_at or run.completed_at)]
    if run.started_at is not None:
        moments.append(("running", run.started_at, run.completed_at))
    phases = [
        {
            "phase": phase,
            "phaseOrder": order,
            "status": _phase_status(run, end, last=order == len(moments) - 1),
            "startedAt": timestamp(start),
            "completedAt": _moment(end),
            "durationMs": None if end is None else end - start,
        }
        for order, (phase, start, end) in enumerate(moments)
    ]
    observability: Document = {"phases": phases, "currentPhase": phases[-1]["phase"], "derived": True}
    if run.status is Status.FAILED and run.completed_at is not None:
        observability["failure"] = {
            "phase": phases[-1]["phase"],
            "code": "run_failed",
            "category": "runtime",
            "retryable": run.next_run_id is not None,
            "userMessage": run.error,
            "occurredAt": timestamp(run.completed_at),
            "traceback": run.traceback,
        }
    return {"observability": observability, "traceId": None}


def _phase_status(run: RunRow, end: int | None, *, last: bool) -> str:
    if end is None:
        return "running"
    outcomes = {Status.FAILED: "failed", Status.CANCELLED: "cancelled", Status.REJECTED: "failed"}
    return outcomes.get(run.status, "completed") if last else "completed"


def workflow_summary(workflow: Automation) -> Document:
    """Return a row of the workflow list."""
    return {
        "id": workflow.id,
        "name": workflow.slug,
        "version": workflow.latest.version,
        "apiEnabled": workflow.api_enabled,
        "triggers": {"api": workflow.api_enabled, "email": False, "manual": True, "cron": False},
        "createdAt": timestamp(workflow.created_at),
        "updatedAt": timestamp(workflow.updated_at),
    }


def workflow_version(workflow: Automation, release: Release) -> Document:
    """Return a row of the version list."""
    return {
        "id": release.id,
        "workflowId": workflow.id,
        "version": release.version,
        "yamlContent": release.yaml,
        "isCurrent": release is workflow.latest,
        "createdAt": timestamp(release.created_at),
    }
