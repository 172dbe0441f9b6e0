"""The operations of the EigenPal API as data: method, path, what comes back, and what sending twice does."""

from __future__ import annotations

from typing import Any, Final

from eigenpal.engine.request import Operation, Repeat
from eigenpal.models.agents import (
    AgentEnvelope,
    AgentFiles,
    AgentsPage,
    AgentVersions,
    CreatedAgent,
    EmailAliasEnvelope,
    EmailAliases,
    EmailAliasRemoved,
    EmailTriggerEnvelope,
    EmailTriggerState,
    agent_files,
)
from eigenpal.models.automations import AutomationSync
from eigenpal.models.feedback import ExpectedArtifacts, ExpectedFile, RunFeedbackDetail
from eigenpal.models.run_details import RunConnection, RunFiles, RunTrace, StoredComparison, StoredFile
from eigenpal.models.runs import CancelledRun, Run, RunArtifacts, RunDefinition, RunsPage, StartedRun
from eigenpal.models.source import (
    DecryptedSecrets,
    EncryptedSecrets,
    Lockfile,
    SourceFile,
    SourceReleases,
    SourceRepository,
)
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
CONNECT_RUN: Final[Operation[RunConnection]] = Operation(
    name="runs.connect", method="POST", path="/api/v1/runs/{runId}/connect", returns=RunConnection
)
GET_TRACE: Final[Operation[RunTrace]] = Operation(
    name="runs.trace.get", method="GET", path="/api/v1/runs/{runId}/trace", returns=RunTrace
)
GET_COMPARISON: Final[Operation[StoredComparison]] = Operation(
    name="runs.comparison.get", method="GET", path="/api/v1/runs/{runId}/comparison", returns=StoredComparison
)
LIST_EXPECTED: Final[Operation[ExpectedArtifacts]] = Operation(
    name="runs.expected.list", method="GET", path="/api/v1/runs/{runId}/expected", returns=ExpectedArtifacts
)
CREATE_EXPECTED: Final[Operation[ExpectedFile]] = Operation(
    name="runs.expected.copy_output", method="POST", path="/api/v1/runs/{runId}/expected", returns=ExpectedFile
)
DOWNLOAD_EXPECTED: Final[Operation[bytes]] = Operation(
    name="runs.expected.download", method="GET", path="/api/v1/runs/{runId}/expected/{filename}", returns=bytes
)
RENAME_EXPECTED: Final[Operation[ExpectedFile]] = Operation(
    name="runs.expected.rename", method="PATCH", path="/api/v1/runs/{runId}/expected/{filename}", returns=ExpectedFile
)
DELETE_EXPECTED: Final[Operation[None]] = Operation(
    name="runs.expected.delete", method="DELETE", path="/api/v1/runs/{runId}/expected/{filename}"
)
GET_FEEDBACK: Final[Operation[RunFeedbackDetail]] = Operation(
    name="runs.feedback.get", method="GET", path="/api/v1/runs/{runId}/feedback", returns=RunFeedbackDetail
)
UPDATE_FEEDBACK: Final[Operation[RunFeedbackDetail]] = Operation(
    name="runs.feedback.update",
    method="PATCH",
    path="/api/v1/runs/{runId}/feedback",
    returns=RunFeedbackDetail,
    nullable=frozenset({"body", "rating", "status", "expected"}),
)
CLEAR_FEEDBACK: Final[Operation[RunFeedbackDetail]] = Operation(
    name="runs.feedback.clear", method="DELETE", path="/api/v1/runs/{runId}/feedback", returns=RunFeedbackDetail
)
LIST_RUN_FILES: Final[Operation[RunFiles]] = Operation(
    name="runs.files.list", method="GET", path="/api/v1/runs/{runId}/files", returns=RunFiles
)
UPLOAD_RUN_FILE: Final[Operation[StoredFile]] = Operation(
    name="runs.files.upload",
    method="POST",
    path="/api/v1/runs/{runId}/files",
    returns=StoredFile,
    repeat=Repeat.STARTS,
)
DELETE_RUN_FILE: Final[Operation[None]] = Operation(
    name="runs.files.delete", method="DELETE", path="/api/v1/runs/{runId}/files/{fileId}"
)
LIST_AGENTS: Final[Operation[AgentsPage]] = Operation(
    name="agents.list", method="GET", path="/api/v1/agents", returns=AgentsPage
)
CREATE_AGENT: Final[Operation[CreatedAgent]] = Operation(
    name="agents.create", method="POST", path="/api/v1/agents", returns=CreatedAgent, repeat=Repeat.STARTS
)
GET_AGENT: Final[Operation[AgentEnvelope]] = Operation(
    name="agents.get",
    method="GET",
    path="/api/v1/agents/{agentId}",
    returns=AgentEnvelope,
    additive=frozenset({"include"}),
)
UPDATE_AGENT: Final[Operation[AgentEnvelope]] = Operation(
    name="agents.update", method="PATCH", path="/api/v1/agents/{agentId}", returns=AgentEnvelope
)
LIST_AGENT_FILES: Final[Operation[AgentFiles]] = Operation(
    name="agents.list_files",
    method="GET",
    path="/api/v1/agents/{agentId}/files",
    returns=AgentFiles,
    answer=agent_files,
)
PUT_AGENT_FILE: Final[Operation[Any]] = Operation(
    name="agents.put_file", method="PUT", path="/api/v1/agents/{agentId}/files", returns=Any
)
UPLOAD_AGENT_FILES: Final[Operation[Any]] = Operation(
    name="agents.upload_files", method="POST", path="/api/v1/agents/{agentId}/files", returns=Any
)
LIST_AGENT_VERSIONS: Final[Operation[AgentVersions]] = Operation(
    name="agents.versions", method="GET", path="/api/v1/agents/{agentId}/versions", returns=AgentVersions
)
LIST_EMAIL_ALIASES: Final[Operation[EmailAliases]] = Operation(
    name="agents.email_triggers.list", method="GET", path="/api/v1/agents/triggers/email", returns=EmailAliases
)
GET_EMAIL_TRIGGER: Final[Operation[EmailTriggerState]] = Operation(
    name="agents.email_triggers.get",
    method="GET",
    path="/api/v1/agents/{agentId}/triggers/email",
    returns=EmailTriggerState,
)
UPDATE_EMAIL_TRIGGER: Final[Operation[EmailTriggerEnvelope]] = Operation(
    name="agents.email_triggers.update",
    method="PATCH",
    path="/api/v1/agents/{agentId}/triggers/email",
    returns=EmailTriggerEnvelope,
)
CREATE_EMAIL_ALIAS: Final[Operation[EmailAliasEnvelope]] = Operation(
    name="agents.email_triggers.create_alias",
    method="POST",
    path="/api/v1/agents/{agentId}/triggers/email",
    returns=EmailAliasEnvelope,
    repeat=Repeat.STARTS,
)
UPDATE_EMAIL_ALIAS: Final[Operation[EmailAliasEnvelope]] = Operation(
    name="agents.email_triggers.update_alias",
    method="PATCH",
    path="/api/v1/agents/{agentId}/triggers/email/{emailId}",
    returns=EmailAliasEnvelope,
    nullable=frozenset({"label"}),
)
DELETE_EMAIL_ALIAS: Final[Operation[EmailAliasRemoved]] = Operation(
    name="agents.email_triggers.delete_alias",
    method="DELETE",
    path="/api/v1/agents/{agentId}/triggers/email/{emailId}",
    returns=EmailAliasRemoved,
)
SYNC_AUTOMATION: Final[Operation[AutomationSync]] = Operation(
    name="automations.sync", method="POST", path="/api/v1/automations/{automation}/sync", returns=AutomationSync
)
GET_REPOSITORY: Final[Operation[SourceRepository]] = Operation(
    name="source.repository", method="GET", path="/api/v1/source/repository", returns=SourceRepository
)
GET_RAW_SOURCE: Final[Operation[SourceFile]] = Operation(
    name="source.raw", method="GET", path="/api/v1/source/raw", returns=SourceFile
)
LIST_RELEASES: Final[Operation[SourceReleases]] = Operation(
    name="source.releases", method="GET", path="/api/v1/source/releases", returns=SourceReleases
)
GET_LOCKFILE: Final[Operation[Lockfile]] = Operation(
    name="source.lockfile", method="GET", path="/api/v1/source/lockfile", returns=Lockfile
)
DECRYPT_SECRETS: Final[Operation[DecryptedSecrets]] = Operation(
    name="source.decrypt_secrets",
    method="POST",
    path="/api/v1/source/secrets/decrypt",
    returns=DecryptedSecrets,
    confidential=True,
)
ENCRYPT_SECRETS: Final[Operation[EncryptedSecrets]] = Operation(
    name="source.encrypt_secrets", method="POST", path="/api/v1/source/secrets/encrypt", returns=EncryptedSecrets
)
