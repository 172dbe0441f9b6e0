"""eigenpal: the async SDK for platforms that run AI workflows and agents.

    from eigenpal import AsyncEigenpalClient   # await
    from eigenpal import EigenpalClient        # blocking, the same methods

Names are loaded when they are first used, so importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from eigenpal._version import __version__

if TYPE_CHECKING:
    from eigenpal.client import AsyncEigenpalClient
    from eigenpal.comparison.result import RunComparison
    from eigenpal.engine.files import FileInput
    from eigenpal.engine.model import Model
    from eigenpal.engine.options import EigenpalInsecureWarning
    from eigenpal.engine.secret import Secret
    from eigenpal.engine.unset import UNSET
    from eigenpal.errors import (
        EigenpalAPIError,
        EigenpalAuthError,
        EigenpalConflictError,
        EigenpalConnectionError,
        EigenpalDecodeError,
        EigenpalError,
        EigenpalForbiddenError,
        EigenpalInputError,
        EigenpalNotFoundError,
        EigenpalPaymentRequiredError,
        EigenpalRateLimitError,
        EigenpalRunError,
        EigenpalServerError,
        EigenpalTimeoutError,
        EigenpalUnsupportedError,
        EigenpalUsageError,
        EigenpalValidationError,
        EigenpalWaitError,
    )
    from eigenpal.fanout.mixed import RefusedOutcome
    from eigenpal.fanout.outcomes import Outcomes
    from eigenpal.fanout.progress import Progress
    from eigenpal.lifecycle import Lifecycle
    from eigenpal.models.agents import Agent
    from eigenpal.models.executions import RunStatus
    from eigenpal.models.runs import Run, RunAccepted, RunArtifact, RunListItem, RunsPage
    from eigenpal.models.workflows import Workflow, WorkflowSummary, WorkflowVersion
    from eigenpal.resources.batch_inputs import RunOutcome, RunRequest
    from eigenpal.resources.starting import FileReference
    from eigenpal.services import AsyncServices, ServiceOutcome, ServiceRequest
    from eigenpal_sync.client import EigenpalClient
    from eigenpal_sync.services import Services

_MODULES = {
    "eigenpal.client": "AsyncEigenpalClient",
    "eigenpal.comparison.result": "RunComparison",
    "eigenpal.engine.files": "FileInput",
    "eigenpal.engine.model": "Model",
    "eigenpal.engine.options": "EigenpalInsecureWarning",
    "eigenpal.engine.secret": "Secret",
    "eigenpal.engine.unset": "UNSET",
    "eigenpal.errors": """
        EigenpalAPIError EigenpalAuthError EigenpalConflictError EigenpalConnectionError EigenpalDecodeError
        EigenpalError EigenpalForbiddenError EigenpalInputError EigenpalNotFoundError EigenpalPaymentRequiredError
        EigenpalRateLimitError EigenpalRunError EigenpalServerError EigenpalTimeoutError EigenpalUnsupportedError
        EigenpalUsageError EigenpalValidationError EigenpalWaitError""",
    "eigenpal.fanout.mixed": "RefusedOutcome",
    "eigenpal.fanout.outcomes": "Outcomes",
    "eigenpal.fanout.progress": "Progress",
    "eigenpal.lifecycle": "Lifecycle",
    "eigenpal.models.agents": "Agent",
    "eigenpal.models.executions": "RunStatus",
    "eigenpal.models.runs": "Run RunAccepted RunArtifact RunListItem RunsPage",
    "eigenpal.models.workflows": "Workflow WorkflowSummary WorkflowVersion",
    "eigenpal.resources.batch_inputs": "RunOutcome RunRequest",
    "eigenpal.resources.starting": "FileReference",
    "eigenpal.services": "AsyncServices ServiceOutcome ServiceRequest",
    "eigenpal_sync.client": "EigenpalClient",
    "eigenpal_sync.services": "Services",
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = [
    "UNSET",
    "Agent",
    "AsyncEigenpalClient",
    "AsyncServices",
    "EigenpalAPIError",
    "EigenpalAuthError",
    "EigenpalClient",
    "EigenpalConflictError",
    "EigenpalConnectionError",
    "EigenpalDecodeError",
    "EigenpalError",
    "EigenpalForbiddenError",
    "EigenpalInputError",
    "EigenpalInsecureWarning",
    "EigenpalNotFoundError",
    "EigenpalPaymentRequiredError",
    "EigenpalRateLimitError",
    "EigenpalRunError",
    "EigenpalServerError",
    "EigenpalTimeoutError",
    "EigenpalUnsupportedError",
    "EigenpalUsageError",
    "EigenpalValidationError",
    "EigenpalWaitError",
    "FileInput",
    "FileReference",
    "Lifecycle",
    "Model",
    "Outcomes",
    "Progress",
    "RefusedOutcome",
    "Run",
    "RunAccepted",
    "RunArtifact",
    "RunComparison",
    "RunListItem",
    "RunOutcome",
    "RunRequest",
    "RunStatus",
    "RunsPage",
    "Secret",
    "ServiceOutcome",
    "ServiceRequest",
    "Services",
    "Workflow",
    "WorkflowSummary",
    "WorkflowVersion",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if (module := _HOMES.get(name)) is None:
        raise AttributeError(f"module 'eigenpal' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(module), name)
    return value


def __dir__() -> list[str]:
    return __all__
