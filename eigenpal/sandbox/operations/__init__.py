"""Which operation answers which path: the routes of the generation under /api/v1."""

from __future__ import annotations

from collections.abc import Sequence

from eigenpal.sandbox.operations import (
    artifacts,
    expected,
    feedback,
    run_details,
    run_files,
    run_list,
    runs,
    starting,
    workflows,
)
from eigenpal.sandbox.routing import Operation, Route

GENERATION_07: Sequence[Route[Operation]] = (
    Route("POST", "/runs", starting.start, "run"),
    Route("GET", "/runs", run_list.list_runs, "runs.list"),
    Route("GET", "/runs/{id}", runs.get, "runs.get"),
    Route("POST", "/runs/{id}/cancel", runs.cancel, "runs.cancel"),
    Route("POST", "/runs/{id}/rerun", starting.rerun, "rerun"),
    Route("GET", "/runs/{id}/definition", runs.definition, "runs.definition"),
    Route("GET", "/runs/{id}/artifacts", artifacts.list_artifacts, "runs.artifacts.list"),
    Route("GET", "/runs/{id}/artifacts/{path:path}", artifacts.download, "runs.artifacts.download"),
    Route("GET", "/runs/{id}/files-zip", artifacts.download_zip, "runs.artifacts.download_zip"),
    Route("GET", "/runs/{id}/comparison", run_details.comparison, "runs.comparison.get"),
    Route("POST", "/runs/{id}/connect", run_details.connect, "runs.connect"),
    Route("GET", "/runs/{id}/trace", run_details.trace, "runs.trace.get"),
    Route("GET", "/runs/{id}/expected", expected.list_expected, "runs.expected.list"),
    Route("POST", "/runs/{id}/expected", expected.create, "runs.expected.copy_output"),
    Route("GET", "/runs/{id}/expected/{filename}", expected.download, "runs.expected.download"),
    Route("PATCH", "/runs/{id}/expected/{filename}", expected.rename, "runs.expected.rename"),
    Route("DELETE", "/runs/{id}/expected/{filename}", expected.delete, "runs.expected.delete"),
    Route("GET", "/runs/{id}/feedback", feedback.get, "runs.feedback.get"),
    Route("PATCH", "/runs/{id}/feedback", feedback.update, "runs.feedback.update"),
    Route("DELETE", "/runs/{id}/feedback", feedback.clear, "runs.feedback.clear"),
    Route("GET", "/runs/{id}/files", run_files.list_files, "runs.files.list"),
    Route("POST", "/runs/{id}/files", run_files.upload, "runs.files.upload"),
    Route("DELETE", "/runs/{id}/files/{fileId}", run_files.delete, "runs.files.delete"),
    Route("GET", "/workflows", workflows.list_workflows, "workflows.list"),
    Route("GET", "/workflows/{id}", workflows.get, "workflows.get"),
    Route("GET", "/workflows/{id}/versions", workflows.versions, "workflows.versions"),
)
