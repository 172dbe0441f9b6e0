"""Which operation answers which path: the routes of the generation under /api/v1."""

from __future__ import annotations

from collections.abc import Sequence

from eigenpal.sandbox.operations import artifacts, run_list, runs, starting, workflows
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
    Route("GET", "/workflows", workflows.list_workflows, "workflows.list"),
    Route("GET", "/workflows/{id}", workflows.get, "workflows.get"),
    Route("GET", "/workflows/{id}/versions", workflows.versions, "workflows.versions"),
)
