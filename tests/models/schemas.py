"""Which model stands for which schema of the API description: the same name, unless it is listed here."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import eigenpal.models
from eigenpal.engine.model import Model
from eigenpal.models.runs import StartedRun
from eigenpal.resources.starting import FileReference
from tests.spec.strategies import schemas

# Schema name to model name.
RENAMED = {
    "AgentRunExecutionExpected": "AgentRunExpected",
    "AgentRunExecutionFiles": "AgentRunFiles",
    "AgentSummary": "Agent",
    "AgentSummaryStats": "AgentStats",
    "AutomationRef": "Automation",
    "AutomationSyncResponse": "AutomationSync",
    "CreateAgentResponse": "CreatedAgent",
    "EmailAliasList": "EmailAliases",
    "GetAgentResponse": "AgentEnvelope",
    "ListAgentVersionsResponse": "AgentVersions",
    "ListAgentsResponse": "AgentsPage",
    "ListVersionsResponse": "WorkflowVersionsPage",
    "ListWorkflowsResponse": "WorkflowsPage",
    "PatchAgentResponse": "AgentEnvelope",
    "RawSourceResponse": "SourceFile",
    "ReleaseRef": "Release",
    "RunArtifactsResponse": "RunArtifacts",
    "RunCancelExecution": "RunStatusOnly",
    "RunCancelResponse": "CancelledRun",
    "RunDefinitionResponse": "RunDefinition",
    "RunEval": "RunEvaluation",
    "RunComparison": "StoredComparison",
    "RunExecutionMeta": "RunExecution",
    "RunExecutionRetry": "RunRetry",
    "RunExpectedArtifacts": "ExpectedArtifacts",
    "RunExpectedFile": "ExpectedFile",
    "RunFileRow": "StoredFile",
    "RunFilesResponse": "RunFiles",
    "RunTraceEvent": "TraceEvent",
    "RunTraceResponse": "RunTrace",
    "RunUsageTokens": "TokenUsage",
    "RunsListResponse": "RunsPage",
    "SourceLockPackage": "LockedPackage",
    "SourceLockfileResponse": "Lockfile",
    "SourceReleasesResponse": "SourceReleases",
    "SourceRepositoryResponse": "SourceRepository",
    "SourceSecretsDecryptResponse": "DecryptedSecrets",
    "SourceSecretsEncryptResponse": "EncryptedSecrets",
    "TriggerProjection": "Triggers",
    "WorkflowDetail": "Workflow",
    "WorkflowStepExecution": "WorkflowStep",
}
# Models that no schema describes, and why.
WITHOUT_SCHEMA = {
    "AgentFiles": "any JSON upstream; its members are those that the description assumes in words",
    "EmailTrigger": "any JSON upstream; the description says in words that it has the switch",
}
# Members that a schema does not have and its model does: servers of generation 0.6 fill them.
ADDED = {"RunAccepted": {"status", "output", "files", "error"}}
UNIONS: dict[str, Any] = {"RunStartResponse": StartedRun}


def models() -> dict[str, type[Model]]:
    """Return every model that stands for a schema by name."""
    modules = [module.name for module in iter_modules(eigenpal.models.__path__, "eigenpal.models.")]
    return {"FileReference": FileReference} | {
        name: value
        for module in modules
        for name, value in vars(import_module(module)).items()
        if isinstance(value, type) and issubclass(value, Model) and value.__module__ == module
        if name not in WITHOUT_SCHEMA
    }


def modelled() -> dict[str, type[Model]]:
    """Return the model that stands for each schema, of the schemas that have one."""
    known = models()
    pairs = ((schema, RENAMED.get(schema, schema)) for schema in schemas())
    return {schema: known[name] for schema, name in pairs if name in known}


def decodable() -> dict[str, Any]:
    """Return what each schema decodes to: a model, or a union of models."""
    return modelled() | UNIONS
