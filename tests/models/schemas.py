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
    "ListVersionsResponse": "WorkflowVersionsPage",
    "ListWorkflowsResponse": "WorkflowsPage",
    "AgentRunExecutionExpected": "AgentRunExpected",
    "AgentRunExecutionFiles": "AgentRunFiles",
    "RunArtifactsResponse": "RunArtifacts",
    "RunCancelExecution": "RunStatusOnly",
    "RunCancelResponse": "CancelledRun",
    "RunDefinitionResponse": "RunDefinition",
    "RunEval": "RunEvaluation",
    "RunExecutionMeta": "RunExecution",
    "RunExecutionRetry": "RunRetry",
    "RunUsageTokens": "TokenUsage",
    "RunsListResponse": "RunsPage",
    "TriggerProjection": "Triggers",
    "WorkflowDetail": "Workflow",
    "WorkflowStepExecution": "WorkflowStep",
}
UNIONS: dict[str, Any] = {"RunStartResponse": StartedRun}


def models() -> dict[str, type[Model]]:
    """Return every model of the service by name."""
    modules = [module.name for module in iter_modules(eigenpal.models.__path__, "eigenpal.models.")]
    return {"FileReference": FileReference} | {
        name: value
        for module in modules
        for name, value in vars(import_module(module)).items()
        if isinstance(value, type) and issubclass(value, Model) and value.__module__ == module
    }


def modelled() -> dict[str, type[Model]]:
    """Return the model that stands for each schema, of the schemas that have one."""
    known = models()
    pairs = ((schema, RENAMED.get(schema, schema)) for schema in schemas())
    return {schema: known[name] for schema, name in pairs if name in known}


def decodable() -> dict[str, Any]:
    """Return what each schema decodes to: a model, or a union of models."""
    return modelled() | UNIONS
