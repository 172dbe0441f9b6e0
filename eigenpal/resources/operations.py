"""The operations of the EigenPal API as data: method, path, what comes back, and what sending twice does."""

from __future__ import annotations

from typing import Final

from eigenpal.engine.request import Operation, Repeat
from eigenpal.models.runs import CancelledRun, Run, RunArtifacts, RunDefinition, RunsPage, StartedRun
from eigenpal.models.workflows import Workflow, WorkflowsPage, WorkflowVersionsPage

RUN: Final[Operation[StartedRun]] = Operation(
    name="run",
    method="POST",
    path="/api/v1/runs",
    returns=StartedRun,
    repeat=Repeat.STARTS,
    query_names={"wait_for_completion": "wait_for_completion"},
)
RERUN: Final[Operation[StartedRun]] = Operation(
    name="rerun",
    method="POST",
    path="/api/v1/runs/{runId}/rerun",
    returns=StartedRun,
    repeat=Repeat.STARTS,
    query_names={"wait_for_completion": "wait_for_completion"},
)
LIST_RUNS: Final[Operation[RunsPage]] = Operation(
    name="runs.list",
    method="GET",
    path="/api/v1/runs",
    returns=RunsPage,
    query_names={"from_date": "from", "to_date": "to"},
)
GET_RUN: Final[Operation[Run]] = Operation(
    name="runs.get", method="GET", path="/api/v1/runs/{runId}", returns=Run, additive=frozenset({"expand"})
)
CANCEL_RUN: Final[Operation[CancelledRun]] = Operation(
    name="runs.cancel", method="POST", path="/api/v1/runs/{runId}/cancel", returns=CancelledRun
)
GET_RUN_DEFINITION: Final[Operation[RunDefinition]] = Operation(
    name="runs.definition", method="GET", path="/api/v1/runs/{runId}/definition", returns=RunDefinition
)
LIST_ARTIFACTS: Final[Operation[RunArtifacts]] = Operation(
    name="runs.artifacts.list", method="GET", path="/api/v1/runs/{runId}/artifacts", returns=RunArtifacts
)
DOWNLOAD_ARTIFACT: Final[Operation[bytes]] = Operation(
    name="runs.artifacts.download", method="GET", path="/api/v1/runs/{runId}/artifacts/{artifactPath*}", returns=bytes
)
DOWNLOAD_ZIP: Final[Operation[bytes]] = Operation(
    name="runs.artifacts.download_zip", method="GET", path="/api/v1/runs/{runId}/files-zip", returns=bytes
)
LIST_WORKFLOWS: Final[Operation[WorkflowsPage]] = Operation(
    name="workflows.list", method="GET", path="/api/v1/workflows", returns=WorkflowsPage
)
GET_WORKFLOW: Final[Operation[Workflow]] = Operation(
    name="workflows.get", method="GET", path="/api/v1/workflows/{workflowId}", returns=Workflow
)
LIST_WORKFLOW_VERSIONS: Final[Operation[WorkflowVersionsPage]] = Operation(
    name="workflows.versions",
    method="GET",
    path="/api/v1/workflows/{workflowId}/versions",
    returns=WorkflowVersionsPage,
)
